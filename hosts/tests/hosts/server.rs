//! A loopback server with scripted answers.

use std::collections::VecDeque;
use std::convert::Infallible;
use std::sync::{Arc, Mutex, PoisonError};

use bytes::Bytes;
use http::{HeaderMap, HeaderName, HeaderValue, Method, Request, Response};
use http_body_util::combinators::UnsyncBoxBody;
use http_body_util::{BodyExt, Full};
use hyper::body::Incoming;
use hyper::service::service_fn;
use hyper_util::rt::{TokioExecutor, TokioIo};
use hyper_util::server::conn::auto::Builder;
use tokio::net::TcpListener;
use tokio::time::Instant;

/// One scripted answer.
#[derive(Clone, Debug)]
pub(crate) struct Answer {
    status: u16,
    headers: HeaderMap,
    body: Bytes,
    trailers: Option<HeaderMap>,
}

/// A request that arrived.
#[derive(Clone, Debug)]
pub(crate) struct Arrival {
    pub(crate) at: Instant,
    pub(crate) method: Method,
    pub(crate) path: String,
    pub(crate) headers: HeaderMap,
    pub(crate) body: Bytes,
}

/// The server; it speaks HTTP/1.1 and HTTP/2 without TLS.
pub(crate) struct Server {
    port: u16,
    state: Arc<Mutex<State>>,
}

#[derive(Default)]
struct State {
    answers: VecDeque<Answer>,
    arrivals: Vec<Arrival>,
}

impl Answer {
    pub(crate) fn new(status: u16) -> Self {
        Self { status, headers: HeaderMap::new(), body: Bytes::new(), trailers: None }
    }

    /// A 429 that asks for a pause of this many seconds.
    pub(crate) fn retry_after(seconds: u64) -> Self {
        Self::new(429).header("retry-after", &seconds.to_string())
    }

    pub(crate) fn json(self, body: &str) -> Self {
        self.header("content-type", "application/json").body(body.to_owned())
    }

    pub(crate) fn header(mut self, name: &'static str, value: &str) -> Self {
        self.headers.insert(HeaderName::from_static(name), HeaderValue::from_str(value).expect("it is a header"));
        self
    }

    pub(crate) fn body(mut self, body: impl Into<Bytes>) -> Self {
        self.body = body.into();
        self
    }

    pub(crate) fn trailer(mut self, name: &'static str, value: &str) -> Self {
        let trailers = self.trailers.get_or_insert_default();
        trailers.insert(HeaderName::from_static(name), HeaderValue::from_str(value).expect("it is a trailer"));
        self
    }

    fn into_response(self) -> Response<UnsyncBoxBody<Bytes, Infallible>> {
        let trailers = self.trailers.map(Ok);
        let body = Full::new(self.body);
        let body = match trailers {
            Some(trailers) => body.with_trailers(std::future::ready(Some(trailers))).boxed_unsync(),
            None => body.boxed_unsync(),
        };
        let mut response = Response::new(body);
        *response.status_mut() = self.status.try_into().expect("it is a status");
        *response.headers_mut() = self.headers;
        response
    }
}

impl Server {
    /// Starts a server that gives these answers in order, and the last one again to all later requests.
    pub(crate) async fn start(answers: impl IntoIterator<Item = Answer>) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.expect("a port is free");
        let port = listener.local_addr().expect("it is bound").port();
        let answers = answers.into_iter().collect();
        let state = Arc::new(Mutex::new(State { answers, arrivals: Vec::new() }));
        let shared = Arc::clone(&state);
        tokio::spawn(async move {
            while let Ok((stream, _)) = listener.accept().await {
                let state = Arc::clone(&shared);
                tokio::spawn(async move {
                    let service = service_fn(move |request| answer(Arc::clone(&state), request));
                    // A client that goes away ends its connection with an error.
                    drop(Builder::new(TokioExecutor::new()).serve_connection(TokioIo::new(stream), service).await);
                });
            }
        });
        Self { port, state }
    }

    pub(crate) fn url(&self) -> String {
        format!("http://127.0.0.1:{}", self.port)
    }

    pub(crate) fn arrivals(&self) -> Vec<Arrival> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner).arrivals.clone()
    }

    /// Returns the number of requests that arrived.
    pub(crate) fn count(&self) -> usize {
        self.arrivals().len()
    }

    /// Returns the whole seconds between the first two arrivals.
    pub(crate) fn pause(&self) -> u64 {
        let arrivals = self.arrivals();
        (arrivals[1].at - arrivals[0].at).as_secs()
    }
}

async fn answer(
    state: Arc<Mutex<State>>,
    request: Request<Incoming>,
) -> Result<Response<UnsyncBoxBody<Bytes, Infallible>>, hyper::Error> {
    let at = Instant::now();
    let (head, body) = request.into_parts();
    let body = body.collect().await?.to_bytes();
    let path = head.uri.path_and_query().map_or_else(String::new, ToString::to_string);
    let mut state = state.lock().unwrap_or_else(PoisonError::into_inner);
    state.arrivals.push(Arrival { at, method: head.method, path, headers: head.headers, body });
    let answer = if state.answers.len() > 1 { state.answers.pop_front() } else { state.answers.front().cloned() };
    Ok(answer.expect("the script has an answer").into_response())
}
