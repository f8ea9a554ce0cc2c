//! A server that speaks HTTP/2 by hand, so that it can misbehave (RFC 9113 sections 4 and 6).

use std::sync::{Arc, Mutex};

use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream};

const HEADERS: u8 = 1;
const RST_STREAM: u8 = 3;
const SETTINGS: u8 = 4;
const PING: u8 = 6;
const GOAWAY: u8 = 7;

pub(crate) const NO_ERROR: u32 = 0;
pub(crate) const INTERNAL_ERROR: u32 = 2;
pub(crate) const REFUSED_STREAM: u32 = 7;
pub(crate) const CANCEL: u32 = 8;
pub(crate) const ENHANCE_YOUR_CALM: u32 = 11;

/// How the server handles a request.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Act {
    /// Answers 200, or this status of HPACK's static table.
    Answer,
    /// Answers 421.
    Misdirect,
    /// Says nothing about it.
    Ignore,
    /// Is silent from here on, and answers no ping.
    Die,
    /// Resets the stream with this code.
    Reset(u32),
    /// Says `GOAWAY` with this last stream and code, then closes.
    GoAway(u32, u32),
}

/// Decides by the number of the connection and that of the request on it, both from 0.
type Script = fn(usize, usize) -> Act;

#[derive(Clone, Debug, Default)]
pub(crate) struct Log(Arc<Mutex<Vec<(usize, u32)>>>, Arc<Mutex<usize>>);

impl Log {
    /// The requests in the order in which they came: connection and stream.
    pub(crate) fn requests(&self) -> Vec<(usize, u32)> {
        self.0.lock().unwrap().clone()
    }

    pub(crate) fn connections(&self) -> usize {
        *self.1.lock().unwrap()
    }
}

pub(crate) async fn start(script: Script) -> (String, Log) {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let url = format!("http://{}", listener.local_addr().unwrap());
    let log = Log::default();
    let shared = log.clone();
    tokio::spawn(async move {
        while let Ok((stream, _)) = listener.accept().await {
            let nth = shared.connections();
            *shared.1.lock().unwrap() += 1;
            tokio::spawn(serve(stream, nth, script, shared.clone()));
        }
    });
    (url, log)
}

async fn serve(mut stream: TcpStream, connection: usize, script: Script, log: Log) -> Option<()> {
    stream.read_exact(&mut [0; 24]).await.ok()?;
    write(&mut stream, SETTINGS, 0, 0, &[]).await?;
    let mut nth = 0;
    loop {
        let mut head = [0; 9];
        stream.read_exact(&mut head).await.ok()?;
        let [_, _, _, kind, flags, id @ ..] = head;
        let id = u32::from_be_bytes(id);
        let mut payload = vec![0; u32::from_be_bytes([0, head[0], head[1], head[2]]) as usize];
        stream.read_exact(&mut payload).await.ok()?;
        match (kind, flags & 1) {
            (SETTINGS, 0) => write(&mut stream, SETTINGS, 1, 0, &[]).await?,
            (PING, 0) => write(&mut stream, PING, 1, 0, &payload).await?,
            (HEADERS, _) => {
                log.0.lock().unwrap().push((connection, id));
                act(&mut stream, script(connection, nth), id).await?;
                nth += 1;
            }
            _ => {}
        }
    }
}

async fn act(stream: &mut TcpStream, act: Act, id: u32) -> Option<()> {
    match act {
        // The index of `:status: 200` in HPACK's static table, and the end of headers and stream.
        Act::Answer => write(stream, HEADERS, 5, id, &[0x88]).await,
        // The index of the name `:status`, and a literal.
        Act::Misdirect => write(stream, HEADERS, 5, id, b"\x08\x03421").await,
        Act::Ignore => Some(()),
        Act::Die => {
            // Further bytes are read, so that the connection is alive for TCP.
            while stream.read(&mut [0; 4096]).await.is_ok_and(|length| length > 0) {}
            None
        }
        Act::Reset(code) => write(stream, RST_STREAM, 0, id, &code.to_be_bytes()).await,
        Act::GoAway(last, code) => {
            let payload = [last.to_be_bytes(), code.to_be_bytes()].concat();
            write(stream, GOAWAY, 0, 0, &payload).await?;
            let _ = stream.shutdown().await;
            // Closing with unread bytes would reset what was written.
            while stream.read(&mut [0; 4096]).await.is_ok_and(|length| length > 0) {}
            None
        }
    }
}

async fn write(stream: &mut TcpStream, kind: u8, flags: u8, id: u32, payload: &[u8]) -> Option<()> {
    let length = u32::try_from(payload.len()).ok()?.to_be_bytes();
    let mut frame = vec![length[1], length[2], length[3], kind, flags];
    frame.extend(id.to_be_bytes());
    frame.extend(payload);
    stream.write_all(&frame).await.ok()
}
