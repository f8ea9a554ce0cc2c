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
use http::{Request, Response, header};
use http_body_util::{BodyExt as _, Full, combinators::UnsyncBoxBody};
use rand_distr::{Distribution as _, Exp1};
use redress::{BoxError, Credentials, Failure, Phase, TokenSet, TransportError};
use tokio::time::{Instant, sleep, sleep_until};
use tower::Service;

use crate::scenario::{NetworkDelay, Scenario};
use crate::server::{Departure, RequestOutcome, Server};
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

type ExchangeFuture = Pin<Box<dyn Future<Output = Result<Response<LabBody>, BoxError>> + Send>>;

impl Transport {
    pub(crate) fn new(scenario: &Scenario, server: Server, network: Random) -> Self {
        let state = Mutex::new(State { server, network, statistics: Statistics::new() });
        let login = scenario.token.as_ref().map(|token| token.login);
        let (hop, hops) = (scenario.clients.hop, scenario.clients.hops);
        Self { shared: Arc::new(Shared { start: Instant::now(), hop, hops, login, state }) }
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

    /// Draws the network delay of one direction.
    fn hop(&self) -> Duration {
        match self.shared.hops {
            NetworkDelay::Fixed => self.shared.hop,
            NetworkDelay::Exponential => time::times(self.shared.hop, Exp1.sample(&mut self.state().network)),
        }
    }

    /// Admits a request to the server and records the arrival, the work and the hint.
    fn admit(&self, call: u64, token: Option<Duration>) -> Departure {
        let now = self.now();
        let mut state = self.state();
        state.statistics.request_arrived(call, now);
        let answer = state.server.admit(now, token);
        match (&answer.outcome, answer.at) {
            (RequestOutcome::Served, _) => state.statistics.request_served(call),
            (RequestOutcome::Refused(response), Some(at)) => {
                if let Some(wait) = hint(response) {
                    state.statistics.hint_sent(call, time::sum(at, wait));
                }
            }
            _ => {}
        }
        answer
    }

    /// Carries one request to the server and its response back. A response that never departs leaves the caller
    /// waiting, until its own timeout or deadline.
    async fn exchange(self, request: Request<Full<Bytes>>) -> Result<Response<LabBody>, BoxError> {
        let CallId(call) = *request.extensions().get::<CallId>().ok_or("a request that belongs to no call")?;
        let token = issued(&request);
        let hop = self.hop();
        if !hop.is_zero() {
            sleep(hop).await;
        }
        let answer = self.admit(call, token);
        let Some(at) = answer.at else { return std::future::pending().await };
        sleep_until(self.at(time::sum(at, self.hop()))).await;
        match answer.outcome {
            RequestOutcome::Served => {
                let mut response = Response::new(body(Bytes::from_static(b"{\"ok\":true}")));
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
