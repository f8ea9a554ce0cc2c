//! Postgres and PgBouncer.

use std::fs;
use std::os::unix::fs::{MetadataExt, PermissionsExt, chown};
use std::os::unix::process::CommandExt;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::time::Duration;

use crate::process::{Folder, Process, find, free_port};
use crate::skip;

/// The user under which the servers run if the test runs as root, which they refuse.
const USER: &str = "postgres";

/// A Postgres server with a cluster of its own, the user `postgres` and no passwords.
#[derive(Debug)]
pub struct Postgres {
    process: Option<Process>,
    program: PathBuf,
    folder: Folder,
    port: u16,
}

/// PgBouncer before a server, in transaction mode and with one connection to the server.
#[derive(Debug)]
pub struct PgBouncer {
    process: Process,
    _folder: Folder,
}

impl Postgres {
    /// Makes a cluster and starts a server, `None` if the program is not installed.
    ///
    /// # Panics
    /// Panics if the server does not start.
    pub async fn start() -> Option<Self> {
        let (Some(initdb), Some(program)) = (find("initdb"), find("postgres")) else { return skip("initdb") };
        let folder = Folder::new();
        let mut command = as_user(&initdb, folder.path());
        command.arg("-D").arg(folder.path().join("data"));
        command.args(["-U", USER, "-A", "trust", "-E", "UTF8", "--locale", "C", "--no-sync"]);
        let made = command.stdout(Stdio::null()).status();
        assert!(made.as_ref().is_ok_and(std::process::ExitStatus::success), "{command:?}: {made:?}");
        let mut server = Self { process: None, program, folder, port: free_port() };
        server.start_again().await;
        Some(server)
    }

    /// Starts a server that takes connections over TLS alone, with a certificate and its key in PEM. `None` if the program is not
    /// installed.
    ///
    /// # Panics
    /// Panics if the server does not start.
    pub async fn start_over_tls(certificate: &str, key: &str) -> Option<Self> {
        let mut server = Self::start().await?;
        server.stop();
        let data = server.folder.path().join("data");
        let owner = fs::metadata(&data).expect("initdb made it");
        for (name, text) in [("server.crt", certificate), ("server.key", key)] {
            fs::write(data.join(name), text).expect("the folder can be written to");
            // The server refuses a key that others can read.
            fs::set_permissions(data.join(name), fs::Permissions::from_mode(0o600))
                .expect("it is the file of the test");
            chown(data.join(name), Some(owner.uid()), Some(owner.gid())).expect("its owner may be the same");
        }
        let change = |name: &str, change: fn(String) -> String| {
            let text = fs::read_to_string(data.join(name)).expect("initdb made it");
            fs::write(data.join(name), change(text)).expect("the folder can be written to");
        };
        change("postgresql.conf", |text| text + "ssl = on\n");
        change("pg_hba.conf", |text| text.replace("\nhost ", "\nhostssl "));
        server.start_again().await;
        Some(server)
    }

    /// Copies the server that answers on a port, and starts the copy as a standby that follows it over that port. `None` if the
    /// program is not installed.
    ///
    /// # Panics
    /// Panics if the copy fails or the standby does not start.
    pub async fn standby_of(port: u16) -> Option<Self> {
        let (Some(copy), Some(program)) = (find("pg_basebackup"), find("postgres")) else {
            return skip("pg_basebackup");
        };
        let folder = Folder::new();
        let mut command = as_user(&copy, folder.path());
        command.arg("-D").arg(folder.path().join("data"));
        command.args(["-d", &format!("host=127.0.0.1 port={port} user={USER}"), "-R", "-c", "fast", "-X", "stream"]);
        let mut copying = command.arg("--no-sync").stdout(Stdio::null()).spawn().expect("the program can be started");
        let made = loop {
            // The proxy before the server runs on this thread.
            match copying.try_wait().expect("the program was started here") {
                Some(status) => break status,
                None => tokio::time::sleep(Duration::from_millis(10)).await,
            }
        };
        assert!(made.success(), "{command:?}: {made:?}");
        let mut server = Self { process: None, program, folder, port: free_port() };
        server.start_again().await;
        Some(server)
    }

    /// Stops the server at once, as by a crash. Its records stay.
    pub fn stop(&mut self) {
        self.process = None;
    }

    /// Starts the server on its port.
    ///
    /// # Panics
    /// Panics if the server does not start.
    pub async fn start_again(&mut self) {
        let mut command = as_user(&self.program, self.folder.path());
        command.arg("-D").arg(self.folder.path().join("data")).arg("-k").arg(self.folder.path());
        command.args(["-p", &self.port.to_string(), "-c", "listen_addresses=127.0.0.1", "-c", "fsync=off"]);
        // Its immediate shutdown: as after a crash, the records come from the log.
        self.process = Some(Process::start(&mut command, self.port).await.stopped_by("QUIT"));
    }

    /// Returns the port.
    #[must_use]
    pub const fn port(&self) -> u16 {
        self.port
    }
}

impl PgBouncer {
    /// Starts it, `None` if the program is not installed.
    ///
    /// # Panics
    /// Panics if it does not start.
    pub async fn start(server: &Postgres) -> Option<Self> {
        let Some(program) = find("pgbouncer") else { return skip("pgbouncer") };
        let (folder, port) = (Folder::new(), free_port());
        let file = folder.write(
            "pgbouncer.ini",
            &format!(
                "[databases]\n* = host=127.0.0.1 port={} user={USER}\n[pgbouncer]\nlisten_addr = 127.0.0.1\n\
                 listen_port = {port}\nunix_socket_dir =\nauth_type = any\npool_mode = transaction\n\
                 default_pool_size = 1\n",
                server.port()
            ),
        );
        let mut command = as_user(&program, folder.path());
        Some(Self { process: Process::start(command.arg(file), port).await, _folder: folder })
    }

    /// Returns the port.
    #[must_use]
    pub const fn port(&self) -> u16 {
        self.process.port()
    }
}

/// A command that runs as the user `postgres` if the test runs as root, with a folder that belongs to that user.
fn as_user(program: &Path, folder: &Path) -> Command {
    let mut command = Command::new(program);
    command.current_dir(folder);
    // A new folder belongs to the user of the test, unless it was given away.
    let Some(uid) = fs::metadata(folder).ok().map(|folder| folder.uid()) else { return command };
    let ids = ["-u", "-g"].map(|option| {
        let id = Command::new("id").args([option, USER]).output().ok();
        id.and_then(|id| String::from_utf8(id.stdout).ok()?.trim().parse().ok())
    });
    let [Some(user), Some(group)] = ids else { return command };
    if uid == 0 {
        chown(folder, Some(user), Some(group)).expect("root may give a folder away");
    }
    if uid == 0 || uid == user {
        command.uid(user).gid(group);
    }
    command
}
