//! A gRPC server made of h2, so that it can answer in every shape that the protocol has, and in some that it has not.

use std::sync::{Arc, Mutex};
use std::time::Duration;

use bytes::Bytes;
use h2::Reason;
use h2::server::SendResponse;
use http::{HeaderMap, HeaderName, HeaderValue, Response};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::mpsc;

/// A message of one byte, with its prefix (gRPC over HTTP/2, "Length-Prefixed-Message").
pub(crate) const MESSAGE: &[u8] = b"\0\0\0\0\x01x";

pub(crate) type Fields = Vec<(&'static str, String)>;

/// The answer to one request.
#[derive(Clone, Debug)]
pub(crate) enum Answer {
    /// A head that ends the stream.
    Head(Fields),
    /// A head, and trailers.
    Trailers(Fields),
    /// A head, a message, and trailers.
    Message(Fields),
    /// The stream is reset before a head.
    Reset(Reason),
    /// A head, then a reset.
    ResetAfterHead(Reason),
    /// A head and a message, then a reset.
    ResetAfterMessage(Reason),
    /// Another status, with this body of HTML.
    Html(u16, &'static str),
    /// Silence.
    Never,
}

/// A request that the server took: its fields and its body.
#[derive(Clone, Debug, Default)]
pub(crate) struct Seen {
    pub(crate) fields: HeaderMap,
    pub(crate) body: Vec<u8>,
    /// The code with which the client reset the stream, where the server waited for that.
    pub(crate) reset: Option<Reason>,
}

/// The requests in the order in which their bodies ended.
#[derive(Clone, Debug)]
pub(crate) struct Log {
    seen: Arc<Mutex<Vec<Seen>>>,
    news: Arc<Mutex<mpsc::UnboundedReceiver<()>>>,
}

impl Log {
    pub(crate) fn requests(&self) -> Vec<Seen> {
        self.seen.lock().unwrap().clone()
    }

    pub(crate) fn len(&self) -> usize {
        self.seen.lock().unwrap().len()
    }

    pub(crate) fn values(&self, name: &str) -> Vec<String> {
        let value = |seen: &Seen| seen.fields.get(name).map_or("-", |value| value.to_str().unwrap()).to_owned();
        self.requests().iter().map(value).collect()
    }

    /// Waits until the client has reset a stream to which the server answers with silence.
    pub(crate) async fn reset(&self) {
        let news = Arc::clone(&self.news);
        std::future::poll_fn(move |cx| news.lock().unwrap().poll_recv(cx)).await;
    }
}

/// Returns the status of a call.
pub(crate) fn status(code: u8) -> Fields {
    vec![("grpc-status", code.to_string())]
}

/// Starts a server that gives these answers one after the other, and then the last one for ever.
pub(crate) async fn start(answers: Vec<Answer>) -> (String, Log) {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let url = format!("http://{}", listener.local_addr().unwrap());
    let (send, receive) = mpsc::unbounded_channel();
    let log = Log { seen: Arc::default(), news: Arc::new(Mutex::new(receive)) };
    let script = Arc::new(Mutex::new(answers.into_iter()));
    let last = Arc::new(Mutex::new(Answer::Never));
    let server = Server { log: log.clone(), script, last, news: send };
    tokio::spawn(async move {
        while let Ok((stream, _)) = listener.accept().await {
            tokio::spawn(server.clone().serve(stream));
        }
    });
    (url, log)
}

#[derive(Clone)]
struct Server {
    log: Log,
    script: Arc<Mutex<std::vec::IntoIter<Answer>>>,
    last: Arc<Mutex<Answer>>,
    news: mpsc::UnboundedSender<()>,
}

impl Server {
    async fn serve(self, stream: TcpStream) -> Option<()> {
        let mut connection = h2::server::handshake(stream).await.ok()?;
        while let Some(Ok((request, respond))) = connection.accept().await {
            tokio::spawn(self.clone().answer(request, respond));
        }
        None
    }

    async fn answer(self, request: http::Request<h2::RecvStream>, respond: SendResponse<Bytes>) -> Option<()> {
        let (head, mut body) = request.into_parts();
        let mut seen = Seen { fields: head.headers, ..Seen::default() };
        while let Some(Ok(data)) = body.data().await {
            let _ = body.flow_control().release_capacity(data.len());
            seen.body.extend_from_slice(&data);
        }
        let nth = {
            let mut log = self.log.seen.lock().unwrap();
            log.push(seen);
            log.len() - 1
        };
        let answer = {
            let mut last = self.last.lock().unwrap();
            if let Some(next) = self.script.lock().unwrap().next() {
                *last = next;
            }
            last.clone()
        };
        match answer {
            Answer::Never => self.await_reset(nth, respond).await,
            answer => send(answer, respond).await,
        }
    }

    async fn await_reset(self, nth: usize, mut respond: SendResponse<Bytes>) -> Option<()> {
        let reason = std::future::poll_fn(|cx| respond.poll_reset(cx)).await.ok();
        self.log.seen.lock().unwrap()[nth].reset = reason;
        self.news.send(()).ok()
    }
}

/// Lets the connection write what is queued: h2 drops it when the stream is reset.
async fn flush() {
    tokio::time::sleep(Duration::from_millis(10)).await;
}

async fn send(answer: Answer, mut respond: SendResponse<Bytes>) -> Option<()> {
    let head = |fields: &Fields| {
        let mut response = Response::new(());
        response.headers_mut().insert("content-type", HeaderValue::from_static("application/grpc"));
        response.headers_mut().extend(map(fields));
        response
    };
    match answer {
        Answer::Head(fields) => drop(respond.send_response(head(&fields), true).ok()?),
        Answer::Trailers(fields) => {
            respond.send_response(head(&vec![]), false).ok()?.send_trailers(map(&fields)).ok()?;
        }
        Answer::Message(fields) => {
            let mut stream = respond.send_response(head(&vec![]), false).ok()?;
            stream.send_data(Bytes::from_static(MESSAGE), false).ok()?;
            stream.send_trailers(map(&fields)).ok()?;
        }
        Answer::Reset(reason) => respond.send_reset(reason),
        Answer::ResetAfterHead(reason) => {
            let mut stream = respond.send_response(head(&vec![]), false).ok()?;
            flush().await;
            stream.send_reset(reason);
        }
        Answer::ResetAfterMessage(reason) => {
            let mut stream = respond.send_response(head(&vec![]), false).ok()?;
            stream.send_data(Bytes::from_static(MESSAGE), false).ok()?;
            flush().await;
            stream.send_reset(reason);
        }
        Answer::Html(status, body) => {
            let response = Response::builder().status(status).header("content-type", "text/html").body(()).unwrap();
            let mut stream = respond.send_response(response, false).ok()?;
            stream.send_data(Bytes::from_static(body.as_bytes()), true).ok()?;
        }
        Answer::Never => {}
    }
    Some(())
}

fn map(fields: &Fields) -> HeaderMap {
    let pair =
        |(name, value): &(&'static str, String)| (HeaderName::from_static(name), HeaderValue::from_str(value).unwrap());
    fields.iter().map(pair).collect()
}
