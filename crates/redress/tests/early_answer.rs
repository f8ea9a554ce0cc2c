//! Uploads whose answer comes while they still stream, over a real socket: the next attempt carries all of the body.

use std::convert::Infallible;
use std::num::NonZeroU32;
use std::pin::Pin;
use std::task::{Context, Poll, ready};
use std::time::Duration;

use bytes::Bytes;
use http::{Request, Response};
use http_body::{Body, Frame};
use hyper_util::client::legacy::Client;
use hyper_util::rt::TokioExecutor;
use redress::{Dialect, EndReason, RedressLayer, ReplayBody, ResponseExt, Schedule, transport::Hyper};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::mpsc;
use tower::{Layer, ServiceExt};

/// Far longer than any of the exchanges takes: it lets a test fail where it would hang.
const PATIENCE: Duration = Duration::from_secs(30);
const FIRST: &str = "first ";
const REST: [&str; 2] = ["second ", "third"];
const TEXT: &str = "first second third";

/// Streams what it is handed, until its other end is dropped.
struct Upload(mpsc::UnboundedReceiver<Bytes>);

/// The other end of an upload, from which nothing but the first piece has come so far.
struct Source(mpsc::UnboundedSender<Bytes>);

impl Body for Upload {
    type Data = Bytes;
    type Error = Infallible;

    fn poll_frame(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Option<Result<Frame<Bytes>, Infallible>>> {
        Poll::Ready(ready!(self.0.poll_recv(cx)).map(|data| Ok(Frame::data(data))))
    }
}

impl Source {
    fn finish(self) {
        REST.into_iter().for_each(|piece| self.0.send(piece.into()).expect("the body is still there"));
    }
}

fn upload() -> (Upload, Source) {
    let (sender, receiver) = mpsc::unbounded_channel();
    sender.send(FIRST.into()).expect("the receiver is here");
    (Upload(receiver), Source(sender))
}

/// A connection from a client, and what was read of it.
struct Connection {
    stream: TcpStream,
    raw: Vec<u8>,
}

impl Connection {
    async fn accept(listener: &TcpListener) -> Self {
        let (stream, _) = listener.accept().await.expect("a connection");
        Self { stream, raw: Vec::new() }
    }

    /// Reads on until this is there; `false` when the client breaks off before.
    async fn read_until(&mut self, end: &[u8]) -> bool {
        while !self.raw.windows(end.len()).any(|window| window == end) {
            if !matches!(self.stream.read_buf(&mut self.raw).await, Ok(1..)) {
                return false;
            }
        }
        true
    }

    /// Reads a request and returns its body, however it is framed; `None` when the client breaks off before its end.
    ///
    /// A copy that finds all of the body read already is of a known length.
    async fn request(&mut self) -> Option<String> {
        if !self.read_until(b"\r\n\r\n").await {
            return None;
        }
        let is_chunked = String::from_utf8_lossy(&self.raw).contains("transfer-encoding: chunked");
        let end = if is_chunked { "\r\n0\r\n\r\n" } else { TEXT };
        if !self.read_until(end.as_bytes()).await {
            return None;
        }
        let text = String::from_utf8(self.raw.clone()).expect("ASCII");
        let (_, body) = text.split_once("\r\n\r\n")?;
        // Sizes and texts take turns; the last chunk is empty.
        let chunks = || body.split("\r\n").skip(1).step_by(2).collect();
        Some(if is_chunked { chunks() } else { body.to_owned() })
    }

    async fn answer(&mut self, head: &str) {
        let answer = format!("HTTP/1.1 {head}\r\ncontent-length: 0\r\n\r\n");
        self.stream.write_all(answer.as_bytes()).await.expect("the client is there");
    }
}

/// When the rest of the upload comes, and what becomes of the first connection after its early answer.
#[derive(Clone, Copy, Debug, PartialEq)]
enum Case {
    /// The next attempt has connected; the first connection may finish its upload.
    Connected,
    /// The next attempt's first piece has arrived: both connections wait for the body.
    Begun,
    /// As before, and the server has closed the first connection at once.
    Closed,
    /// The next attempt's first piece has arrived, and the first connection says nothing of closing.
    KeptAlive,
}

async fn early_then_all(listener: TcpListener, source: Source, case: Case) -> Option<String> {
    let mut early = Connection::accept(&listener).await;
    assert!(early.read_until(FIRST.as_bytes()).await);
    let head = if case == Case::KeptAlive { "503 Busy" } else { "503 Busy\r\nconnection: close" };
    early.answer(head).await;
    if case == Case::Closed {
        drop(early);
    }
    let mut next = Connection::accept(&listener).await;
    if case != Case::Connected {
        assert!(next.read_until(FIRST.as_bytes()).await);
    }
    source.finish();
    let text = next.request().await;
    next.answer("200 OK").await;
    text
}

async fn send(url: String, body: ReplayBody<Upload>) -> Response<impl Body> {
    let dialect = Dialect::from_toml("silent.toml", "name = \"silent\"\n").expect("the file is right");
    let at_once = Schedule { base: Duration::ZERO, factor: NonZeroU32::MIN, cap: Duration::ZERO };
    let transport = Hyper::new(Client::builder(TokioExecutor::new()).build_http());
    let stack = RedressLayer::new(dialect).backoff(|backoff| backoff.transient_backoff(at_once)).layer(transport);
    stack.oneshot(Request::put(url).body(body).expect("legal parts")).await.expect("an answer")
}

async fn bind() -> (TcpListener, String) {
    let listener = TcpListener::bind("127.0.0.1:0").await.expect("a free port");
    let url = format!("http://{}/v1/files/a", listener.local_addr().expect("it is bound"));
    (listener, url)
}

async fn in_time<T>(exchange: impl Future<Output = T>) -> T {
    tokio::time::timeout(PATIENCE, exchange).await.expect("it comes to its end")
}

async fn check(case: Case) {
    let (listener, url) = bind().await;
    let (body, source) = upload();
    let exchange = async { tokio::join!(early_then_all(listener, source, case), send(url, ReplayBody::new(body))) };
    let (text, response) = in_time(exchange).await;
    assert_eq!((response.status().as_u16(), text.as_deref()), (200, Some(TEXT)), "{case:?}");
    assert_eq!(response.record().map(|record| record.attempts().len()), Some(2), "{case:?}");
}

#[tokio::test]
async fn an_upload_that_goes_on_after_an_early_answer_is_whole_in_the_next_attempt() {
    for case in [Case::Connected, Case::Begun, Case::Closed, Case::KeptAlive] {
        check(case).await;
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn it_is_whole_when_two_threads_read_the_two_copies() {
    for _ in 0..50 {
        for case in [Case::Connected, Case::Begun, Case::Closed, Case::KeptAlive] {
            check(case).await;
        }
    }
}

#[tokio::test]
async fn of_an_upload_over_its_limit_the_early_answer_is_the_last() {
    let (listener, url) = bind().await;
    let (body, source) = upload();
    let server = async {
        let mut only = Connection::accept(&listener).await;
        assert!(only.read_until(FIRST.as_bytes()).await);
        only.answer("503 Busy\r\nconnection: close").await;
        source.finish();
        only.request().await
    };
    let body = ReplayBody::with_limit(body, FIRST.len() - 1);
    let (text, response) = in_time(async { tokio::join!(server, send(url, body)) }).await;
    assert_eq!((response.status().as_u16(), text.as_deref()), (503, Some(TEXT)));
    assert_eq!(response.record().map(|record| record.end_reason()), Some(EndReason::NotClonable));
}
