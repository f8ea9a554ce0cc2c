//! Processes that end with their test.

use std::fs;
use std::net::{Ipv4Addr, TcpListener};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::sync::atomic::{AtomicU32, Ordering};
use std::time::Duration;

use tokio::net::TcpStream;

/// How long a server may take to accept connections.
const START: Duration = Duration::from_secs(30);
/// Where programs are besides the folders of `PATH`.
const FOLDERS: [&str; 3] = ["/usr/bin", "/usr/sbin", "/usr/local/bin"];
/// Where Debian keeps the programs of each version of Postgres.
const POSTGRES: &str = "/usr/lib/postgresql";

/// A server on a loopback port. It is stopped when this is dropped, also by a panic.
#[derive(Debug)]
pub struct Process {
    child: Child,
    port: u16,
    /// The signal that stops it at once with its own children, `None` if it is killed.
    stop: Option<&'static str>,
}

/// A temporary folder, which is removed when this is dropped.
#[derive(Debug)]
pub struct Folder(PathBuf);

impl Folder {
    /// Makes an empty folder.
    ///
    /// # Panics
    /// Panics if the temporary folder of the system cannot be written to.
    #[must_use]
    pub fn new() -> Self {
        static FOLDERS: AtomicU32 = AtomicU32::new(0);
        let number = FOLDERS.fetch_add(1, Ordering::Relaxed);
        let path = std::env::temp_dir().join(format!("redress-servers-{}-{number}", std::process::id()));
        fs::create_dir_all(&path).expect("the temporary folder can be written to");
        Self(path)
    }

    /// Returns its path.
    #[must_use]
    pub fn path(&self) -> &Path {
        &self.0
    }

    /// Writes a file in it, and returns the path of the file.
    ///
    /// # Panics
    /// Panics if the file cannot be written.
    #[must_use]
    pub fn write(&self, name: &str, text: &str) -> PathBuf {
        let file = self.0.join(name);
        fs::write(&file, text).expect("the temporary folder can be written to");
        file
    }
}

impl Process {
    /// Starts a server, and waits until its port accepts connections.
    ///
    /// # Panics
    /// Panics if the server does not start.
    pub async fn start(command: &mut Command, port: u16) -> Self {
        let child = command.stdin(Stdio::null()).stdout(Stdio::null()).stderr(Stdio::null()).spawn();
        let child = child.unwrap_or_else(|error| panic!("{command:?}: {error}"));
        let mut process = Self { child, port, stop: None };
        let accepts = async {
            while TcpStream::connect((Ipv4Addr::LOCALHOST, port)).await.is_err() {
                let ended = process.child.try_wait().ok().flatten();
                assert!(ended.is_none(), "{command:?} ended: {ended:?}");
                tokio::time::sleep(Duration::from_millis(5)).await;
            }
        };
        assert!(tokio::time::timeout(START, accepts).await.is_ok(), "{command:?} accepts no connections");
        process
    }

    /// Stops the server by a signal and not by killing it, which its own children would outlive.
    #[must_use]
    pub fn stopped_by(mut self, signal: &'static str) -> Self {
        self.stop = Some(signal);
        self
    }

    /// Returns the port.
    #[must_use]
    pub const fn port(&self) -> u16 {
        self.port
    }

    /// Stops the server in place: it holds its connections and answers nothing.
    ///
    /// # Panics
    /// Panics if the server has ended.
    pub fn pause(&self) {
        assert!(self.signal("STOP"), "the server runs");
    }

    /// Lets a stopped server go on.
    ///
    /// # Panics
    /// Panics if the server has ended.
    pub fn resume(&self) {
        assert!(self.signal("CONT"), "the server runs");
    }

    fn signal(&self, name: &str) -> bool {
        let sent = Command::new("kill").arg(format!("-{name}")).arg(self.child.id().to_string()).status();
        sent.is_ok_and(|status| status.success())
    }
}

impl Drop for Process {
    fn drop(&mut self) {
        if !self.stop.is_some_and(|signal| self.signal(signal)) {
            // A process that has ended cannot be killed.
            let _ = self.child.kill();
        }
        let _ = self.child.wait();
    }
}

impl Default for Folder {
    fn default() -> Self {
        Self::new()
    }
}

impl Drop for Folder {
    fn drop(&mut self) {
        let _ = fs::remove_dir_all(&self.0);
    }
}

/// Returns the path of a program.
#[must_use]
pub fn find(program: &str) -> Option<PathBuf> {
    let path = std::env::var_os("PATH").unwrap_or_default();
    let folders = std::env::split_paths(&path).chain(FOLDERS.iter().map(|folder| Path::new(folder).to_owned()));
    let versions = fs::read_dir(POSTGRES).into_iter().flatten().flatten().map(|version| version.path().join("bin"));
    folders.chain(versions).map(|folder| folder.join(program)).find(|path| path.is_file())
}

/// Returns a loopback port that was free a moment ago.
///
/// # Panics
/// Panics if the system has no free port.
#[must_use]
pub fn free_port() -> u16 {
    let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).expect("loopback has a free port");
    listener.local_addr().expect("a listener has an address").port()
}
