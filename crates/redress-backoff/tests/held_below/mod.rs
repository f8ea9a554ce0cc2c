//! A layer that holds requests by a plan and marks their outcomes, above a Classify layer and a scripted transport.

#![allow(unreachable_pub, reason = "one test file uses it")]

use std::collections::VecDeque;
use std::future::{Future, pending};
use std::io;
use std::pin::Pin;
use std::sync::{Arc, Mutex};
use std::task::{Context, Poll};
use std::time::SystemTime;

use bytes::Bytes;
use http::{HeaderMap, HeaderValue, Request, Response};
use http_body::{Body as _, Frame, SizeHint};
use redress_backoff::BackoffLayer;
use redress_classify::{
    Body, BoxError, ClassifyLayer, EndReason, Error, ResendCount, ResponseExt, SendState, TransportError,
    UpstreamHealth,
};
use tokio::time::Instant;
use tower::{Layer, Service, ServiceExt};

use crate::common::{ms, silent};

pub type Answer = Response<Body<Frames>>;
pub type Mark = Option<UpstreamHealth>;

/// The fate of one request in the layer. Times are milliseconds in the line.
#[derive(Clone, Debug)]
pub enum Plan {
    /// It is sent at once, if it is paid for.
    Send(Reply, Mark),
    /// It is sent at once, by a layer that does not ask for a payment.
    SendUnasked(Reply, Mark),
    /// It is the probe of the outage.
    Probe(u64, Reply, Mark),
    /// It pays, and is sent; or it is refused.
    Admit(u64, Reply, Mark),
    /// It pays, and a limit refuses it.
    AdmitAndRefuse(u64),
    /// It is refused.
    Refuse(u64),
    /// It waits for ever.
    Hold,
}

/// What the transport does with a request.
#[derive(Clone, Debug)]
pub enum Reply {
    Status(u16),
    /// A status with the frames of a body, and trailers.
    Body(u16, Vec<Bytes>),
    /// A status with `Retry-After`, in seconds.
    Hinted(u16, u64),
    /// A 503 whose body breaks off.
    Broken,
    /// A 503 whose body does not end.
    Slow,
    /// A reply whose body keeps a token alive.
    Watched(Box<Self>, Arc<()>),
    /// A 200 with this code of gRPC.
    Grpc(u8),
    Refused,
    Timeout,
    Certificate,
    /// An error of a layer in between.
    Failed(fn() -> Error),
    Hang,
}

impl Reply {
    pub fn status(status: u16) -> Self {
        Self::Status(status)
    }

    pub fn body(status: u16, frames: &[&str]) -> Self {
        Self::Body(status, frames.iter().map(|frame| Bytes::copy_from_slice(frame.as_bytes())).collect())
    }

    pub fn refused() -> Self {
        Self::Refused
    }

    pub fn timeout() -> Self {
        Self::Timeout
    }

    /// Returns a token that lives as long as a body of this reply, beside the copies in the plan.
    pub fn watched(self) -> (Arc<()>, Self) {
        let alive = Arc::new(());
        (Arc::clone(&alive), Self::Watched(Box::new(self), alive))
    }

    fn respond(&self) -> Result<Response<Frames>, BoxError> {
        let (status, frames, end, alive) = match self {
            Self::Status(status) | Self::Hinted(status, _) => (*status, &[][..], End::Clean, None),
            Self::Body(status, frames) => (*status, &frames[..], End::Trailers, None),
            Self::Broken => (503, &[][..], End::Broken, None),
            Self::Slow => (503, &[][..], End::Never, None),
            Self::Grpc(_) => (200, &[][..], End::Clean, None),
            Self::Watched(reply, alive) => {
                let mut response = reply.respond()?;
                response.body_mut().alive = Some(Arc::clone(alive));
                return Ok(response);
            }
            Self::Refused => return Err(TransportError::connect("connection refused").into()),
            Self::Timeout => return Err(TransportError::timeout("no response within 5s").into()),
            Self::Certificate => return Err(TransportError::certificate("expired").into()),
            Self::Failed(error) => return Err(error().into()),
            Self::Hang => unreachable!("it never responds"),
        };
        let body = Frames { data: frames.iter().cloned().collect(), end, alive };
        let mut response = Response::builder().status(status).header("x-answer", status).body(body)?;
        match self {
            Self::Hinted(_, seconds) => drop(response.headers_mut().insert("retry-after", (*seconds).into())),
            Self::Grpc(code) => drop(response.headers_mut().insert("grpc-status", u16::from(*code).into())),
            _ => {}
        }
        Ok(response)
    }
}

/// A body of these frames.
#[derive(Debug)]
pub struct Frames {
    data: VecDeque<Bytes>,
    end: End,
    alive: Option<Arc<()>>,
}

#[derive(Clone, Copy, Debug, PartialEq)]
enum End {
    Clean,
    Trailers,
    Broken,
    Never,
}

impl http_body::Body for Frames {
    type Data = Bytes;
    type Error = io::Error;

    fn poll_frame(mut self: Pin<&mut Self>, _: &mut Context<'_>) -> Poll<Option<Result<Frame<Bytes>, io::Error>>> {
        if let Some(data) = self.data.pop_front() {
            return Poll::Ready(Some(Ok(Frame::data(data))));
        }
        match self.end {
            End::Clean => Poll::Ready(None),
            End::Never => Poll::Pending,
            End::Broken => Poll::Ready(Some(Err(io::Error::other("broken off")))),
            End::Trailers => {
                self.end = End::Clean;
                let trailers = HeaderMap::from_iter([(http::header::ETAG, HeaderValue::from_static("1"))]);
                Poll::Ready(Some(Ok(Frame::trailers(trailers))))
            }
        }
    }

    fn is_end_stream(&self) -> bool {
        self.data.is_empty() && self.end == End::Clean
    }

    fn size_hint(&self) -> SizeHint {
        match self.end {
            End::Clean | End::Trailers => SizeHint::with_exact(self.data.iter().map(|data| data.len() as u64).sum()),
            End::Broken | End::Never => SizeHint::new(),
        }
    }
}

/// The layer, and the observations of it.
#[derive(Clone)]
pub struct Rig {
    shared: Arc<Mutex<Shared>>,
}

struct Shared {
    plan: VecDeque<Plan>,
    start: Option<Instant>,
    queued: Vec<u64>,
    sent: Vec<(u64, Option<u32>)>,
    probes: usize,
}

impl Rig {
    pub fn new(plan: impl IntoIterator<Item = Plan>) -> Self {
        let plan = plan.into_iter().collect();
        let shared = Shared { plan, start: None, queued: Vec::new(), sent: Vec::new(), probes: 0 };
        Self { shared: Arc::new(Mutex::new(shared)) }
    }

    /// Runs a call through a layer above this one.
    pub fn call(
        &self,
        layer: &BackoffLayer,
        request: Request<String>,
    ) -> impl Future<Output = Result<Answer, Error>> + use<> {
        let rig = self.clone();
        let transport = tower::service_fn(move |request: Request<String>| {
            rig.note_sent(&request);
            let reply = request.extensions().get::<Reply>().unwrap().clone();
            async move {
                if matches!(reply, Reply::Hang) {
                    pending::<()>().await;
                }
                reply.respond()
            }
        });
        let below = Held { rig: self.clone(), inner: ClassifyLayer::new(silent()).layer(transport) };
        layer.layer(below).oneshot(request)
    }

    /// Returns when requests came to the layer, in milliseconds since the first.
    pub fn queued(&self) -> Vec<u64> {
        self.shared.lock().unwrap().queued.clone()
    }

    /// Returns when requests came to the transport, with their resend counts.
    pub fn sent(&self) -> Vec<(u64, Option<u32>)> {
        self.shared.lock().unwrap().sent.clone()
    }

    /// Returns the number of probes.
    pub fn probes(&self) -> usize {
        self.shared.lock().unwrap().probes
    }

    fn next_plan(&self) -> Plan {
        let mut shared = self.shared.lock().unwrap();
        let now = shared.now();
        shared.queued.push(now);
        shared.plan.pop_front().expect("the plan has a step for each request")
    }

    fn note_sent(&self, request: &Request<String>) {
        let mut shared = self.shared.lock().unwrap();
        let now = shared.now();
        shared.sent.push((now, ResendCount::from_request(request).map(ResendCount::get)));
    }
}

impl Shared {
    fn now(&mut self) -> u64 {
        let start = *self.start.get_or_insert_with(Instant::now);
        u64::try_from(start.elapsed().as_millis()).unwrap()
    }
}

/// The service of the layer.
#[derive(Clone)]
struct Held<S> {
    rig: Rig,
    inner: S,
}

impl<S> Service<Request<String>> for Held<S>
where
    S: Service<Request<String>, Response = Answer, Error = Error> + Clone + 'static,
{
    type Response = Answer;
    type Error = Error;
    type Future = Pin<Box<dyn Future<Output = Result<Answer, Error>>>>;

    fn poll_ready(&mut self, cx: &mut Context<'_>) -> Poll<Result<(), Error>> {
        self.inner.poll_ready(cx)
    }

    fn call(&mut self, request: Request<String>) -> Self::Future {
        let (rig, inner) = (self.rig.clone(), self.inner.clone());
        let plan = rig.next_plan();
        Box::pin(async move {
            match plan {
                Plan::Send(_, _) if !SendState::pay(&request) => Err(Error::paced(SystemTime::UNIX_EPOCH)),
                Plan::Send(reply, mark) | Plan::SendUnasked(reply, mark) => send(inner, request, reply, mark).await,
                Plan::Hold => {
                    SendState::mark_queued(&request);
                    pending().await
                }
                Plan::Refuse(after) => {
                    wait(&request, after).await;
                    Err(Error::paced(SystemTime::UNIX_EPOCH))
                }
                Plan::AdmitAndRefuse(after) => {
                    wait(&request, after).await;
                    assert!(SendState::pay(&request));
                    Err(Error::paced(SystemTime::UNIX_EPOCH))
                }
                Plan::Admit(after, reply, mark) => {
                    wait(&request, after).await;
                    if !SendState::pay(&request) {
                        return Err(Error::paced(SystemTime::UNIX_EPOCH));
                    }
                    SendState::mark_sent(&request);
                    send(inner, request, reply, mark).await
                }
                Plan::Probe(after, reply, mark) => {
                    wait(&request, after).await;
                    SendState::mark_probe(&request);
                    SendState::mark_sent(&request);
                    rig.shared.lock().unwrap().probes += 1;
                    send(inner, request, reply, mark).await
                }
            }
        })
    }
}

/// Waits in the line.
async fn wait(request: &Request<String>, after: u64) {
    SendState::mark_queued(request);
    tokio::time::sleep(ms(after)).await;
}

/// Sends a request, and marks its outcome.
async fn send<S>(mut inner: S, mut request: Request<String>, reply: Reply, mark: Mark) -> Result<Answer, Error>
where
    S: Service<Request<String>, Response = Answer, Error = Error>,
{
    request.extensions_mut().insert(reply);
    match (inner.call(request).await, mark) {
        (Ok(mut response), Some(mark)) => {
            mark.mark(response.extensions_mut());
            Ok(response)
        }
        (Err(error), Some(mark)) => Err(error.with_upstream_health(mark)),
        (result, None) => result,
    }
}

pub fn request(method: &str) -> Request<String> {
    crate::common::request(method)
}

/// Returns the reason of the end of a call.
pub fn stop(result: Result<&Answer, &Error>) -> Option<EndReason> {
    let record = match result {
        Ok(response) => response.record(),
        Err(error) => error.record(),
    };
    record.map(redress_classify::Record::end_reason)
}

/// Returns when requests came to the transport, in milliseconds since the first.
pub fn times(rig: &Rig) -> Vec<u64> {
    rig.sent().into_iter().map(|(at, _)| at).collect()
}

/// Reads a body; returns its frames of data as texts, and whether trailers followed.
pub async fn body_of(response: Answer) -> (Vec<String>, bool) {
    let mut body = response.into_body();
    let (mut data, mut has_trailers) = (Vec::new(), false);
    while let Some(frame) = std::future::poll_fn(|cx| Pin::new(&mut body).poll_frame(cx)).await {
        match frame.expect("a whole body").into_data() {
            Ok(bytes) => data.push(String::from_utf8(bytes.to_vec()).unwrap()),
            Err(frame) => has_trailers = frame.is_trailers(),
        }
    }
    (data, has_trailers)
}
