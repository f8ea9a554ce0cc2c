//! A proxy that passes bytes on, or does not.

use std::net::Ipv4Addr;
use std::sync::Arc;
use std::sync::atomic::{AtomicU16, Ordering};

use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::watch;

/// How a [`Proxy`] treats bytes and connections.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Mode {
    Pass,
    /// Requests pass; the next answer closes its connection instead.
    DropAnswer,
    /// Requests pass; answers are held back.
    HoldAnswers,
    /// Connections are closed.
    Refuse,
}

/// A TCP proxy before a server on loopback.
#[derive(Debug)]
pub struct Proxy {
    port: u16,
    server: Arc<AtomicU16>,
    mode: Arc<watch::Sender<Mode>>,
}

impl Proxy {
    /// Starts a proxy to a port on the current runtime. It passes everything on.
    ///
    /// # Panics
    /// Panics if the system has no free port.
    pub async fn start(server: u16) -> Self {
        let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).await.expect("loopback has a free port");
        let port = listener.local_addr().expect("a listener has an address").port();
        let (server, mode) = (Arc::new(AtomicU16::new(server)), Arc::new(watch::Sender::new(Mode::Pass)));
        let (target, modes) = (Arc::clone(&server), Arc::clone(&mode));
        tokio::spawn(async move {
            while let Ok((client, _)) = listener.accept().await {
                if *modes.borrow() != Mode::Refuse {
                    tokio::spawn(forward(client, target.load(Ordering::Relaxed), Arc::clone(&modes)));
                }
            }
        });
        Self { port, server, mode }
    }

    /// Returns the port of the proxy.
    #[must_use]
    pub const fn port(&self) -> u16 {
        self.port
    }

    /// Passes new connections on to another server.
    pub fn point_to(&self, server: u16) {
        self.server.store(server, Ordering::Relaxed);
    }

    /// Passes everything on again.
    pub fn pass(&self) {
        self.mode.send_replace(Mode::Pass);
    }

    /// Passes requests on, and closes the connection in the place of the next answer. Everything passes after it.
    pub fn drop_answer(&self) {
        self.mode.send_replace(Mode::DropAnswer);
    }

    /// Passes requests on, and holds the answers back until [`pass`](Self::pass).
    pub fn hold_answers(&self) {
        self.mode.send_replace(Mode::HoldAnswers);
    }

    /// Closes all connections, and each new one.
    pub fn refuse(&self) {
        self.mode.send_replace(Mode::Refuse);
    }
}

async fn forward(mut client: TcpStream, server: u16, mode: Arc<watch::Sender<Mode>>) {
    let Ok(mut server) = TcpStream::connect((Ipv4Addr::LOCALHOST, server)).await else { return };
    let (mut modes, mut refused) = (mode.subscribe(), mode.subscribe());
    let (mut requests, mut to_client) = client.split();
    let (mut answers, mut to_server) = server.split();
    let up = tokio::io::copy(&mut requests, &mut to_server);
    let down = async {
        let mut buffer = vec![0; 65_536];
        loop {
            let read = answers.read(&mut buffer).await.unwrap_or(0);
            let is_dropped = mode.send_if_modified(|mode| {
                let is_dropped = *mode == Mode::DropAnswer && read > 0;
                *mode = if is_dropped { Mode::Pass } else { *mode };
                is_dropped
            });
            if read == 0 || is_dropped {
                return;
            }
            let now = modes.wait_for(|mode| *mode != Mode::HoldAnswers).await.map_or(Mode::Refuse, |mode| *mode);
            if now == Mode::Refuse {
                return;
            }
            if to_client.write_all(&buffer[..read]).await.is_err() {
                return;
            }
        }
    };
    tokio::select! {
        _ = up => {}
        () = down => {}
        _ = refused.wait_for(|mode| *mode == Mode::Refuse) => {}
    }
}
