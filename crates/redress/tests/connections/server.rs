//! A server that keeps to a script of faults, and remembers each request that it took to its end.

use std::sync::{Arc, Mutex};

use http::Method;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream};

/// The fate of a connection.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Fault {
    /// Reset before anything is read.
    ResetUnread,
    /// The request is taken and done; then the connection is reset.
    Reset,
    /// The request is taken and done; these bytes are written, then the connection is closed.
    Close(&'static str),
    /// The request is taken and done, and nothing is ever said about it.
    Stall,
}

/// The requests that the server processed, by their methods.
#[derive(Clone, Debug, Default)]
pub(crate) struct Effects(Arc<Mutex<Vec<Method>>>);

impl Effects {
    pub(crate) fn take(&self) -> Vec<Method> {
        std::mem::take(&mut *self.0.lock().unwrap())
    }
}

/// Gives every connection the same fault; `done` is told of each request that was taken.
pub(crate) async fn start(fault: Fault, done: std::sync::mpsc::Sender<()>) -> (String, Effects) {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let url = format!("http://{}", listener.local_addr().unwrap());
    let effects = Effects::default();
    let log = effects.clone();
    tokio::spawn(async move {
        while let Ok((stream, _)) = listener.accept().await {
            tokio::spawn(serve(stream, fault, log.clone(), done.clone()));
        }
    });
    (url, effects)
}

async fn serve(mut stream: TcpStream, fault: Fault, effects: Effects, done: std::sync::mpsc::Sender<()>) {
    if fault != Fault::ResetUnread {
        let Some(method) = read(&mut stream).await else { return };
        effects.0.lock().unwrap().push(method);
    }
    // Most tests do not listen.
    let _ = done.send(());
    match fault {
        Fault::ResetUnread | Fault::Reset => stream.set_zero_linger().unwrap(),
        Fault::Close(bytes) => {
            let _ = stream.write_all(bytes.as_bytes()).await;
            let _ = stream.shutdown().await;
            // The rest of the request is read, so that closing does not reset the written answer.
            while stream.read(&mut [0; 4096]).await.is_ok_and(|len| len > 0) {}
        }
        Fault::Stall => while stream.read(&mut [0; 4096]).await.is_ok_and(|len| len > 0) {},
    }
}

/// Reads a whole request; `None` when the client ended before it did.
async fn read(stream: &mut TcpStream) -> Option<Method> {
    let mut bytes = Vec::new();
    loop {
        if stream.read_buf(&mut bytes).await.ok()? == 0 {
            return None;
        }
        let text = String::from_utf8_lossy(&bytes);
        let Some((head, body)) = text.split_once("\r\n\r\n") else { continue };
        let length =
            head.lines().find_map(|line| line.to_ascii_lowercase().strip_prefix("content-length: ")?.parse().ok());
        if body.len() >= length.unwrap_or(0_usize) {
            return head.split(' ').next()?.parse().ok();
        }
    }
}
