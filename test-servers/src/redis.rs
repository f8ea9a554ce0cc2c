//! Redis and Sentinel.

use std::io;
use std::net::Ipv4Addr;
use std::path::PathBuf;
use std::process::Command;

use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;

use crate::process::{Folder, Process, find, free_port};
use crate::skip;

/// A Redis server that keeps its records in memory alone, unless an argument says otherwise.
#[derive(Debug)]
pub struct Redis {
    process: Option<Process>,
    program: PathBuf,
    arguments: Vec<String>,
    folder: Folder,
    port: u16,
}

/// Sentinel, which watches one server under the name `mymaster` and replaces it within about a second.
#[derive(Debug)]
pub struct Sentinel {
    process: Process,
    _folder: Folder,
}

impl Redis {
    /// Starts a server with further arguments, `None` if the program is not installed.
    ///
    /// # Panics
    /// Panics if the server does not start.
    pub async fn start(arguments: &[&str]) -> Option<Self> {
        Self::start_on(free_port(), arguments).await
    }

    /// Starts a server on a port that is free.
    ///
    /// # Panics
    /// Panics if the server does not start.
    pub async fn start_on(port: u16, arguments: &[&str]) -> Option<Self> {
        let Some(program) = find("redis-server") else { return skip("redis-server") };
        let arguments = arguments.iter().map(|argument| (*argument).to_owned()).collect();
        let mut server = Self { process: None, program, arguments, folder: Folder::new(), port };
        server.start_again().await;
        Some(server)
    }

    /// Stops the server at once, as by a crash. Its records stay if `--appendonly yes` is among its arguments.
    pub fn stop(&mut self) {
        self.process = None;
    }

    /// Starts the server on its port.
    ///
    /// # Panics
    /// Panics if the server does not start.
    pub async fn start_again(&mut self) {
        let mut command = Command::new(&self.program);
        command.args(["--port", &self.port.to_string(), "--bind", "127.0.0.1", "--save", "", "--appendonly", "no"]);
        command.args(["--dir", &self.folder.path().to_string_lossy()]);
        command.args(["--repl-diskless-sync-delay", "0", "--repl-diskless-load", "swapdb"]).args(&self.arguments);
        self.process = Some(Process::start(&mut command, self.port).await);
    }

    /// Runs a command without arguments that hold spaces, and returns the beginning of the answer as it was sent.
    ///
    /// # Errors
    /// Returns the error of the connection.
    pub async fn command(&self, words: &str) -> io::Result<String> {
        let mut connection = TcpStream::connect((Ipv4Addr::LOCALHOST, self.port)).await?;
        connection.write_all(format!("{words}\r\n").as_bytes()).await?;
        let mut answer = vec![0; 4096];
        let read = connection.read(&mut answer).await?;
        Ok(String::from_utf8_lossy(&answer[..read]).into_owned())
    }

    /// Returns the process, which can be paused.
    ///
    /// # Panics
    /// Panics if the server was stopped.
    #[must_use]
    pub const fn process(&self) -> &Process {
        self.process.as_ref().expect("the server runs")
    }

    /// Returns the port.
    #[must_use]
    pub const fn port(&self) -> u16 {
        self.port
    }

    /// Returns the URL.
    #[must_use]
    pub fn url(&self) -> String {
        format!("redis://127.0.0.1:{}/", self.port())
    }
}

impl Sentinel {
    /// Starts Sentinel for a master, `None` if the program is not installed.
    ///
    /// # Panics
    /// Panics if it does not start.
    pub async fn start(master: &Redis) -> Option<Self> {
        let Some(program) = find("redis-server") else { return skip("redis-server") };
        let (port, folder) = (free_port(), Folder::new());
        let text = format!(
            "port {port}\nbind 127.0.0.1\nsentinel monitor mymaster 127.0.0.1 {} 1\n\
             sentinel down-after-milliseconds mymaster 500\nsentinel failover-timeout mymaster 2000\n",
            master.port()
        );
        let file = folder.write("sentinel.conf", &text);
        let process = Process::start(Command::new(program).arg(&file).arg("--sentinel"), port).await;
        Some(Self { process, _folder: folder })
    }

    /// Returns the URL.
    #[must_use]
    pub fn url(&self) -> String {
        format!("redis://127.0.0.1:{}/", self.process.port())
    }
}
