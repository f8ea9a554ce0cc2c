//! The network between callers and the modelled server, in virtual time.
//!
//! A request takes one network delay, is admitted to the server, and its response takes another delay
//! back. The server decides at admission (see [`server`](crate::server)), so the transport only sleeps
//! until the departure.

use std::fmt;
use std::future::Future;
use std::pin::Pin;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::task::{Context, Poll};
use std::time::Duration;

use bytes::Bytes;
use http::{HeaderValue, Request, Response, header};
use http_body_util::{BodyExt as _, Full, combinators::UnsyncBoxBody};
use rand_distr::{Distribution as _, Exp1};
use redress::layers::SendState;
use redress::{BoxError, Credentials, Failure, Phase, TokenSet, TransportError};
use tokio::time::{Instant, sleep, sleep_until};
use tower::Service;

use crate::late_body::DelayedBody;
use crate::scenario::{NetworkDelay, Scenario};
use crate::server::{Departure, LateBody, RequestOutcome, Server};
use crate::statistics::Statistics;
use crate::streams::Random;
use crate::time;

/// The body of a response in the lab.
pub type LabBody = UnsyncBoxBody<Bytes, BoxError>;

/// The identifier of a call: an extension of its requests.
///
/// Every attempt must carry the extension of the original request, because the statistics count
/// attempts per call and detect work that is done twice. A policy that builds new requests has to copy
/// it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct CallId(pub u64);

/// Marks responses that fulfil the call, independent of their status: an extension of the response.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Served;

/// The attempt timeout of a request, in place of the scenario's: an extension of the request.
#[derive(Clone, Copy, Debug)]
pub(crate) struct OwnTimeout(pub(crate) Duration);

/// A service that carries requests to the modelled server. It is always ready.
#[derive(Clone)]
pub struct Transport {
    shared: Arc<Shared>,
}

/// The state of a run that all clones of its transport share.
struct Shared {
    start: Instant,
    hop: Duration,
    hops: NetworkDelay,
    login: Option<Duration>,
    /// The paths of the routes beside `clients.path`, which is the route 0.
    routes: Vec<String>,
    /// Whether a route has an attempt timeout of its own.
    has_own_timeouts: bool,
    state: Mutex<State>,
}

/// The parts that change, behind one lock: the run has one thread, so that the lock is never contended.
pub(crate) struct State {
    server: Server,
    network: Random,
    pub(crate) statistics: Statistics,
}

/// Obtains tokens from the modelled server. A login takes the scenario's `token.login`.
struct Login {
    transport: Transport,
    takes: Duration,
}

/// The parts of a request that the server sees.
#[derive(Debug)]
struct SentRequest {
    route: usize,
    /// The time at which its token was issued.
    token: Option<Duration>,
    /// Whether redress's gate sent it as the probe of an outage.
    is_probe: bool,
}

type ExchangeFuture = Pin<Box<dyn Future<Output = Result<Response<LabBody>, BoxError>> + Send>>;

impl Transport {
    pub(crate) fn new(scenario: &Scenario, server: Server, network: Random) -> Self {
        let state = Mutex::new(State { server, network, statistics: Statistics::new() });
        let login = scenario.token.as_ref().map(|token| token.login);
        let (hop, hops) = (scenario.clients.hop, scenario.clients.hops);
        let routes = scenario.route.iter().map(|route| route.path.clone()).collect();
        let has_own_timeouts = scenario.route.iter().any(|route| route.attempt_timeout.is_some());
        let start = Instant::now();
        Self { shared: Arc::new(Shared { start, hop, hops, login, routes, has_own_timeouts, state }) }
    }

    /// Returns the virtual time since the start of the run.
    #[must_use]
    pub fn now(&self) -> Duration {
        self.shared.start.elapsed()
    }

    /// Returns the tokio instant at this time since the start of the run.
    pub(crate) fn at(&self, at: Duration) -> Instant {
        self.shared.start + time::sum(at, Duration::ZERO)
    }

    pub(crate) fn state(&self) -> MutexGuard<'_, State> {
        self.shared.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Returns the credentials of the modelled server, or `None` if the scenario requires no tokens.
    ///
    /// Each login takes the scenario's `token.login` of virtual time and is counted in
    /// [`Outcome::logins`](crate::Outcome::logins).
    #[must_use]
    pub fn credentials(&self) -> Option<impl Credentials + use<>> {
        self.shared.login.map(|takes| Login { transport: self.clone(), takes })
    }

    /// Returns `true` if some requests have an attempt timeout of their own, as [`OwnTimeout`].
    pub(crate) fn has_own_timeouts(&self) -> bool {
        self.shared.has_own_timeouts
    }

    /// Draws the network delay of one direction.
    fn hop(&self) -> Duration {
        match self.shared.hops {
            NetworkDelay::Fixed => self.shared.hop,
            NetworkDelay::Exponential => time::times(self.shared.hop, Exp1.sample(&mut self.state().network)),
        }
    }

    /// Admits a request to the server and records the arrival, the work and the hint.
    fn admit(&self, call: u64, sent: &SentRequest) -> Departure {
        let now = self.now();
        let mut state = self.state();
        state.statistics.request_arrived(call, now);
        let answer = state.server.admit_on(sent.route, now, sent.token);
        match (&answer.outcome, answer.at) {
            (RequestOutcome::Served, _) => state.statistics.request_served(call),
            (RequestOutcome::Refused(response), Some(at)) => match hint(response) {
                Some(wait) => state.statistics.hint_sent(call, time::sum(at, wait)),
                None if matches!(response.status().as_u16(), 502..=504) => state.statistics.attempt_failed(call, at),
                None => {}
            },
            (RequestOutcome::Broken(_), Some(at)) => state.statistics.attempt_failed(call, at),
            _ => {}
        }
        if !is_surely_unprocessed(&answer) {
            state.statistics.may_be_processed(call);
        }
        match answer.outcome {
            RequestOutcome::Broken(Phase::NotSent) => state.statistics.connection_refused(),
            _ if sent.is_probe => state.statistics.probe_arrived(),
            _ => {}
        }
        answer
    }

    /// Carries one request to the server and its response back. A response that never departs leaves the caller
    /// waiting, until its own timeout or deadline.
    async fn exchange(self, request: Request<Full<Bytes>>) -> Result<Response<LabBody>, BoxError> {
        let CallId(call) = *request.extensions().get::<CallId>().ok_or("a request that belongs to no call")?;
        let sent = SentRequest::new(&request, &self.shared.routes);
        let hop = self.hop();
        if !hop.is_zero() {
            sleep(hop).await;
        }
        let answer = self.admit(call, &sent);
        let Some(at) = answer.at else { return std::future::pending().await };
        sleep_until(self.at(time::sum(at, self.hop()))).await;
        match answer.outcome {
            RequestOutcome::Served => {
                let mut response = match answer.body {
                    None => Response::new(body(Bytes::from_static(b"{\"ok\":true}"))),
                    Some(late) => late_response(late),
                };
                response.extensions_mut().insert(Served);
                Ok(response)
            }
            RequestOutcome::Refused(response) => Ok(response.map(body)),
            RequestOutcome::Broken(Phase::NotSent) => Err(TransportError::connect("connection refused").into()),
            RequestOutcome::Broken(_) => Err(TransportError::other("connection reset").into()),
        }
    }
}

impl Service<Request<Full<Bytes>>> for Transport {
    type Response = Response<LabBody>;
    type Error = BoxError;
    type Future = ExchangeFuture;

    fn poll_ready(&mut self, _: &mut Context<'_>) -> Poll<Result<(), BoxError>> {
        Poll::Ready(Ok(()))
    }

    fn call(&mut self, request: Request<Full<Bytes>>) -> ExchangeFuture {
        Box::pin(self.clone().exchange(request))
    }
}

impl fmt::Debug for Transport {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Transport").field("now", &self.now()).finish_non_exhaustive()
    }
}

/// The origin of the modelled server.
pub(crate) const ORIGIN: &str = "https://api.lab.example";

impl Credentials for Login {
    async fn login(&self) -> Result<TokenSet, Failure> {
        sleep(self.takes).await;
        self.transport.state().statistics.login_completed();
        // The token is the time of its issue, so the modelled server needs no table of tokens.
        Ok(TokenSet::bearer(self.transport.now().as_nanos().to_string())?)
    }
}

impl SentRequest {
    fn new(request: &Request<Full<Bytes>>, routes: &[String]) -> Self {
        let route = routes.iter().position(|path| path == request.uri().path()).map_or(0, |nth| nth + 1);
        let is_probe = request.extensions().get::<SendState>().is_some_and(SendState::is_probe);
        Self { route, token: issued(request), is_probe }
    }
}

/// Returns `true` if the answer tells its caller that the request was not processed.
fn is_surely_unprocessed(answer: &Departure) -> bool {
    match &answer.outcome {
        RequestOutcome::Broken(phase) => *phase == Phase::NotSent,
        RequestOutcome::Refused(response) => {
            answer.at.is_some() && matches!(response.status().as_u16(), 401 | 413 | 421 | 425 | 429)
        }
        RequestOutcome::Served => false,
    }
}

/// Builds a response whose body comes later. A file is not held back: a response that may be an error in disguise is.
fn late_response(late: LateBody) -> Response<LabBody> {
    let body = DelayedBody::new(Instant::now() + late.takes, late.is_complete);
    let mut response = Response::new(body.boxed_unsync());
    let file = HeaderValue::from_static("application/octet-stream");
    response.headers_mut().insert(header::CONTENT_TYPE, file);
    response
}

/// Reads the time at which the token of a request was issued.
fn issued(request: &Request<Full<Bytes>>) -> Option<Duration> {
    let value = request.headers().get(header::AUTHORIZATION)?.to_str().ok()?;
    value.strip_prefix("Bearer ")?.parse().ok().map(Duration::from_nanos)
}

/// Reads a `Retry-After` in seconds, the only form that the modelled server writes.
fn hint(response: &Response<Bytes>) -> Option<Duration> {
    let value = response.headers().get(header::RETRY_AFTER)?.to_str().ok()?;
    value.parse().ok().map(Duration::from_secs)
}

/// Boxes bytes as the body of a response.
fn body(bytes: Bytes) -> LabBody {
    Full::new(bytes).map_err(|never| match never {}).boxed_unsync()
}
