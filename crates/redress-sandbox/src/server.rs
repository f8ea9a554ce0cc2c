//! Handles requests: script, vendor, log.
//!
//! The order is fixed. The script is consulted before the body is read; the vendor performs the request
//! unless the fault replaces the answer; the log entry is written before the answer is sent. A test
//! that has seen the answer therefore finds it in the log.

use std::sync::Arc;
use std::sync::atomic::AtomicUsize;

use axum::Router;
use axum::body::Body;
use axum::extract::DefaultBodyLimit;
use bytes::Bytes;
use http::{HeaderMap, HeaderValue, Request, Response, StatusCode, header};
use http_body_util::{BodyExt, LengthLimitError, Limited};
use hyper::body::{Body as _, Incoming};
use tower_service::Service;

use crate::clock::Clock;
use crate::code::Code;
use crate::fault::{Fault, Kind};
use crate::ids::Ids;
use crate::log::{Log, LogEntry};
use crate::outcome::{Outcome, Problem};
use crate::queue::Queue;
use crate::reply::{Disconnect, Reply};
use crate::vendor::{Api, Call};

/// The maximum size of a request body, far above that of the vendors' requests.
const MAX_BODY: usize = 1024 * 1024;
/// The amount of an oversized body that is read and discarded.
const MAX_DISCARDED: usize = 1024 * 1024 * 1024;
const REQUEST_ID: &str = "x-request-id";

/// State shared by all connections of a sandbox.
pub(crate) struct Server {
    /// The name of the vendor or of the dialect.
    pub(crate) name: String,
    pub(crate) api: Arc<dyn Api>,
    pub(crate) queue: Queue,
    pub(crate) log: Log,
    pub(crate) connections: AtomicUsize,
    router: Router,
    clock: Clock,
    ids: Ids,
}

impl Server {
    pub(crate) fn new(name: String, api: Arc<dyn Api>) -> Self {
        Self {
            name,
            router: Arc::clone(&api).router().layer(DefaultBodyLimit::disable()),
            api,
            queue: Queue::default(),
            log: Log::default(),
            connections: AtomicUsize::new(0),
            clock: Clock::start(),
            ids: Ids::default(),
        }
    }

    /// Answers one request, or closes its connection.
    pub(crate) async fn exchange(&self, request: Request<Incoming>) -> Result<Response<Body>, Disconnect> {
        let arrival = self.log.arrive(&self.clock);
        let (head, body) = request.into_parts();
        let fault = self.queue.take(&head.method, head.uri.path());
        let mut entry = LogEntry {
            t_ms: arrival.t_ms,
            vendor: self.name.clone(),
            method: head.method.to_string(),
            path: head.uri.path().to_owned(),
            generation: self.api.generation(&head.headers),
            status: None,
            code: None,
        };
        let (fault, reply) = match bounded(body).await? {
            Some(body) => {
                let reply = self.reply(&fault, Request::from_parts(head, body)).await;
                (fault, reply)
            }
            None => (Fault::answer(), self.too_large()),
        };
        if !fault.cuts(&reply.body) {
            entry.status = Some(reply.status.as_u16());
            entry.code.clone_from(&reply.code);
        }
        self.log.record(arrival, entry);
        self.send(fault, reply).await
    }

    /// Determines the answer, and performs the request if the fault permits it.
    async fn reply(&self, fault: &Fault, request: Request<Bytes>) -> Reply {
        let call = Call { id: self.ids.alphanumeric(20), timestamp: self.clock.timestamp() };
        let outcome = if fault.performs() { Some(self.perform(request).await) } else { None };
        let mut reply = match (outcome, &fault.body) {
            (_, Some(body)) => raw(fault.status.unwrap_or(StatusCode::OK), body.clone(), "application/json"),
            _ if fault.kind == Kind::ProxyHtml => gateway_page(fault.status.unwrap_or(StatusCode::BAD_GATEWAY)),
            (Some(outcome), None) if !fault.replaces() => self.enveloped(&outcome, &call),
            _ => self.enveloped(&self.scripted(fault), &call),
        };
        if self.api.names_requests() {
            let id = HeaderValue::from_str(&call.id).expect("a request id is letters and digits");
            reply.headers.insert(REQUEST_ID, id);
        }
        if let Some(content_type) = &fault.content_type {
            reply.headers.insert(header::CONTENT_TYPE, content_type.clone());
        }
        for name in fault.headers.keys() {
            reply.headers.remove(name);
        }
        reply.headers.extend(fault.headers.clone());
        reply
    }

    /// Refuses an oversized body. The script does not apply.
    fn too_large(&self) -> Reply {
        let call = Call { id: self.ids.alphanumeric(20), timestamp: self.clock.timestamp() };
        self.enveloped(&Outcome::Problem(self.api.problem(Some(StatusCode::PAYLOAD_TOO_LARGE), None)), &call)
    }

    async fn perform(&self, request: Request<Bytes>) -> Outcome {
        let mut response = match self.router.clone().call(request.map(Body::from)).await {
            Ok(response) => response,
            Err(never) => match never {},
        };
        let outcome = response.extensions_mut().remove::<Outcome>();
        // Without an outcome the response is the router's own: unknown route or wrong method.
        outcome.unwrap_or_else(|| Outcome::Problem(self.api.problem(Some(response.status()), None)))
    }

    /// Returns the answer of a fault in the vendor's wording.
    fn scripted(&self, fault: &Fault) -> Outcome {
        let mut problem: Problem = self.api.problem(fault.status, fault.code.clone());
        if let Some(message) = &fault.message {
            problem = problem.message(message.clone());
        }
        problem.retry_after.clone_from(&fault.retry_after);
        Outcome::Problem(problem)
    }

    fn enveloped(&self, outcome: &Outcome, call: &Call) -> Reply {
        let mut reply = raw(outcome.status(), self.api.body(outcome, call), "application/json");
        if reply.body.is_empty() {
            reply.headers.remove(header::CONTENT_TYPE);
        }
        if let Some(retry_after) = outcome.retry_after() {
            reply.headers.insert(header::RETRY_AFTER, retry_after.value(&self.clock));
        }
        reply.code = outcome.code().cloned();
        reply
    }

    async fn send(&self, fault: Fault, mut reply: Reply) -> Result<Response<Body>, Disconnect> {
        if fault.kind != Kind::SlowBody && !fault.delay.is_zero() {
            tokio::time::sleep(fault.delay).await;
        }
        // Set last, so that a date counts from the time of sending.
        if let Some(retry_after) = &fault.retry_after {
            reply.headers.insert(header::RETRY_AFTER, retry_after.value(&self.clock));
        }
        match fault.kind {
            Kind::Answer | Kind::ProxyHtml => Ok(reply.whole()),
            Kind::Drop | Kind::DropBefore => Err(Disconnect),
            Kind::Truncate => reply.truncated(),
            Kind::SlowBody => Ok(reply.slow(fault.delay)),
        }
    }
}

/// Reads a body; `None` if it is larger than [`MAX_BODY`].
///
/// The rest of an oversized body is read and discarded, so that a client that does not read while it
/// writes still receives the answer.
async fn bounded(mut body: Incoming) -> Result<Option<Bytes>, Disconnect> {
    let is_announced = usize::try_from(body.size_hint().lower()).is_ok_and(|bytes| bytes <= MAX_BODY);
    if is_announced {
        match Limited::new(&mut body, MAX_BODY).collect().await {
            Ok(whole) => return Ok(Some(whole.to_bytes())),
            Err(error) if error.is::<LengthLimitError>() => {}
            Err(_) => return Err(Disconnect),
        }
    }
    tokio::spawn(discard(body));
    Ok(None)
}

/// Reads the rest of a body, up to [`MAX_DISCARDED`]; then the connection is closed.
async fn discard(mut body: Incoming) {
    let mut left = MAX_DISCARDED;
    while let Some(Ok(frame)) = body.frame().await {
        let bytes = frame.data_ref().map_or(0, Bytes::len);
        let Some(rest) = left.checked_sub(bytes) else { return };
        left = rest;
    }
}

fn raw(status: StatusCode, body: Bytes, content_type: &'static str) -> Reply {
    let mut headers = HeaderMap::new();
    headers.insert(header::CONTENT_TYPE, HeaderValue::from_static(content_type));
    Reply { status, code: None::<Code>, headers, body }
}

/// Returns the HTML error page of a gateway in front of the vendor.
fn gateway_page(status: StatusCode) -> Reply {
    let page = format!(
        "<html>\r\n<head><title>{status}</title></head>\r\n<body>\r\n<center><h1>{status}</h1></center>\r\n\
         <hr><center>gateway</center>\r\n</body>\r\n</html>\r\n"
    );
    raw(status, page.into(), "text/html")
}
