//! Redis and Sentinel.

use std::process::Command;

use crate::process::{Folder, Process, find, free_port};
use crate::skip;

/// A Redis server that keeps its records in memory alone.
#[derive(Debug)]
pub struct Redis {
    process: Process,
    _folder: Folder,
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
        let (mut command, folder) = (Command::new(program), Folder::new());
        command.args(["--port", &port.to_string(), "--bind", "127.0.0.1", "--save", "", "--appendonly", "no"]);
        command.args(["--dir", &folder.path().to_string_lossy()]);
        command.args(["--repl-diskless-sync-delay", "0", "--repl-diskless-load", "swapdb"]).args(arguments);
        Some(Self { process: Process::start(&mut command, port).await, _folder: folder })
    }

    /// Returns the process, which can be paused.
    #[must_use]
    pub const fn process(&self) -> &Process {
        &self.process
    }

    /// Returns the port.
    #[must_use]
    pub const fn port(&self) -> u16 {
        self.process.port()
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
