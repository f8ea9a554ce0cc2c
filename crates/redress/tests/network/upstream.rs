//! The upstream: it answers as its script says, and counts what it did for each call.

use std::collections::HashMap;
use std::convert::Infallible;
use std::io;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use bytes::Bytes;
use http::{Request, Response};
use http_body_util::{BodyExt, Full};
use hyper::body::Incoming;
use hyper::service::service_fn;
use hyper_util::rt::TokioIo;
use turmoil::net::{TcpListener, TcpStream};

use super::call_of;

/// How the upstream handles a request.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Answer {
    /// It is done, and answered after this delay.
    Done(Duration),
    /// It is done, and fails afterwards, which cannot be seen from outside.
    Broken,
    /// It is done, and the connection ends without a response.
    Cut,
    /// It is done, and nothing is ever said.
    Silent,
    /// It is not done: there were too many, or there are, with a hint when to come back.
    Refused(u16, Option<Duration>),
    /// It is not done: the token has run out.
    Expired,
}

type Script = Box<dyn FnMut() -> Answer + Send>;

/// The state that survives a crash of the upstream.
#[derive(Clone)]
pub(crate) struct Upstream {
    script: Arc<Mutex<Script>>,
    effects: Arc<Mutex<HashMap<u32, usize>>>,
    /// How long a connection may be idle until it is closed.
    idle: Option<Duration>,
}

impl Upstream {
    pub(crate) fn new(script: impl FnMut() -> Answer + Send + 'static) -> Self {
        Self { script: Arc::new(Mutex::new(Box::new(script))), effects: Arc::default(), idle: None }
    }

    /// Closes a connection this long after its first response.
    pub(crate) fn closing_after(mut self, idle: Duration) -> Self {
        self.idle = Some(idle);
        self
    }

    /// Returns how often a call had its effect.
    pub(crate) fn effects(&self, call: u32) -> usize {
        self.effects.lock().unwrap().get(&call).copied().unwrap_or_default()
    }

    pub(crate) async fn run(self) -> turmoil::Result {
        let listener = TcpListener::bind(("0.0.0.0", 80)).await?;
        loop {
            let (stream, _) = listener.accept().await?;
            tokio::spawn(self.clone().serve(stream));
        }
    }

    async fn serve(self, stream: TcpStream) {
        let idle = self.idle;
        let answered = Arc::new(tokio::sync::Notify::new());
        let service = service_fn(|request| {
            let (upstream, answered) = (self.clone(), Arc::clone(&answered));
            async move {
                let response = upstream.answer(request).await;
                answered.notify_one();
                response
            }
        });
        let connection = hyper::server::conn::http1::Builder::new().serve_connection(TokioIo::new(stream), service);
        let mut connection = std::pin::pin!(connection);
        let closing = async {
            answered.notified().await;
            match idle {
                Some(idle) => tokio::time::sleep(idle).await,
                None => std::future::pending().await,
            }
        };
        tokio::select! {
            biased;
            // A connection that breaks off is what these tests are about.
            _ = connection.as_mut() => return,
            () = closing => connection.as_mut().graceful_shutdown(),
        }
        let _ = connection.await;
    }

    async fn answer(self, request: Request<Incoming>) -> io::Result<Response<Full<Bytes>>> {
        let call = call_of(&request);
        // A request that did not arrive whole is not done.
        request.into_body().collect().await.map_err(io::Error::other)?;
        let answer = (self.script.lock().unwrap())();
        if !matches!(answer, Answer::Refused(..) | Answer::Expired) {
            *self.effects.lock().unwrap().entry(call).or_default() += 1;
        }
        match answer {
            Answer::Done(delay) => {
                tokio::time::sleep(delay).await;
                Ok(respond(200, None))
            }
            Answer::Broken => Ok(respond(503, None)),
            Answer::Cut => Err(io::ErrorKind::ConnectionAborted.into()),
            Answer::Silent => std::future::pending::<Result<_, Infallible>>().await.map_err(io::Error::other),
            Answer::Refused(status, hint) => Ok(respond(status, hint)),
            Answer::Expired => Ok(respond(401, None)),
        }
    }
}

fn respond(status: u16, hint: Option<Duration>) -> Response<Full<Bytes>> {
    let response = Response::builder().status(status);
    let response = match hint {
        Some(hint) => response.header("retry-after-ms", u64::try_from(hint.as_millis()).unwrap()),
        None => response,
    };
    response.body(Full::from("{}")).unwrap()
}
