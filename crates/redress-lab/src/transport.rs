//! The network between callers and the modelled server, in virtual time.

use std::fmt;
use std::future::Future;
use std::pin::Pin;
use std::time::Duration;
use bytes::Bytes;
use crate::ledger::Ledger;
use crate::streams::Random;
use crate::time;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::task::{Context, Poll};

use http::{Request, Response, header};
use http_body_util::{BodyExt as _, Full};
use rand_distr::{Distribution as _, Exp1};
use redress::{BoxError, ClassifyLayer, Credentials, Failure, Phase, RefreshLayer, TokenSet, TransportError};
use tokio::time::{Instant, sleep, sleep_until};
use tower::{Layer as _, Service, ServiceExt as _};

use crate::policy::{Client, LabBody, Site};
use crate::scenario::{Hops, Scenario};
use crate::server::{Answer, Fate, Server};

/// Which call a request belongs to; an extension of the request that every copy has to keep.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct Call(pub u64);

/// Marks the responses that are what the caller asked for, whatever their status says.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Served;

/// Carries requests to the modelled server: a service that is always ready.
#[derive(Clone)]
pub struct Transport {
    world: Arc<World>,
}

struct World {
    start: Instant,
    hop: Duration,
    hops: Hops,
    login: Option<Duration>,
    parts: Mutex<Parts>,
}

pub(crate) struct Parts {
    server: Server,
    network: Random,
    pub(crate) ledger: Ledger,
}

/// Asks the modelled server for tokens.
struct Login {
    transport: Transport,
    takes: Duration,
}

type Answered = Pin<Box<dyn Future<Output = Result<Response<LabBody>, BoxError>> + Send>>;

impl Transport {
    pub(crate) fn new(scenario: &Scenario, server: Server, network: Random) -> Self {
        let parts = Mutex::new(Parts { server, network, ledger: Ledger::new() });
        let login = scenario.token.as_ref().map(|token| token.login);
        let (hop, hops) = (scenario.clients.hop, scenario.clients.hops);
        Self { world: Arc::new(World { start: Instant::now(), hop, hops, login, parts }) }
    }

    /// Returns the time since the begin of the run.
    #[must_use]
    pub fn now(&self) -> Duration {
        self.world.start.elapsed()
    }

    /// Returns the instant so long after the begin of the run.
    pub(crate) fn at(&self, at: Duration) -> Instant {
        self.world.start + time::sum(at, Duration::ZERO)
    }

    pub(crate) fn parts(&self) -> MutexGuard<'_, Parts> {
        self.world.parts.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Returns the way to the server's tokens, where it asks for some.
    #[must_use]
    pub fn credentials(&self) -> Option<impl Credentials + use<>> {
        self.world.login.map(|takes| Login { transport: self.clone(), takes })
    }

    /// Returns how long the network takes this time.
    fn hop(&self) -> Duration {
        match self.world.hops {
            Hops::Fixed => self.world.hop,
            Hops::Exponential => time::times(self.world.hop, Exp1.sample(&mut self.parts().network)),
        }
    }

    /// Lets the server decide, and notes what it learns of the request.
    fn admit(&self, call: u64, token: Option<Duration>) -> Answer {
        let now = self.now();
        let mut parts = self.parts();
        parts.ledger.attempt(call, now);
        let answer = parts.server.admit(now, token);
        match (&answer.fate, answer.at) {
            (Fate::Served, _) => parts.ledger.done(call),
            (Fate::Refused(response), Some(at)) => {
                if let Some(wait) = hint(response) {
                    parts.ledger.hint(call, time::sum(at, wait));
                }
            }
            _ => {}
        }
        answer
    }

    async fn exchange(self, request: Request<Full<Bytes>>) -> Result<Response<LabBody>, BoxError> {
        let Call(call) = *request.extensions().get::<Call>().ok_or("a request that belongs to no call")?;
        let token = issued(&request);
        let hop = self.hop();
        if !hop.is_zero() {
            sleep(hop).await;
        }
        let answer = self.admit(call, token);
        let Some(at) = answer.at else { return std::future::pending().await };
        sleep_until(self.at(time::sum(at, self.hop()))).await;
        match answer.fate {
            Fate::Served => {
                let mut response = Response::new(body(Bytes::from_static(b"{\"ok\":true}")));
                response.extensions_mut().insert(Served);
                Ok(response)
            }
            Fate::Refused(response) => Ok(response.map(body)),
            Fate::Broken(Phase::NotSent) => Err(TransportError::connect("connection refused").into()),
            Fate::Broken(_) => Err(TransportError::other("connection reset").into()),
        }
    }
}

impl Service<Request<Full<Bytes>>> for Transport {
    type Response = Response<LabBody>;
    type Error = BoxError;
    type Future = Answered;

    fn poll_ready(&mut self, _: &mut Context<'_>) -> Poll<Result<(), BoxError>> {
        Poll::Ready(Ok(()))
    }

    fn call(&mut self, request: Request<Full<Bytes>>) -> Answered {
        Box::pin(self.clone().exchange(request))
    }
}

impl fmt::Debug for Transport {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Transport").field("now", &self.now()).finish_non_exhaustive()
    }
}

/// Returns the network with an attempt timeout and, where the server asks for tokens, Refresh.
pub(crate) fn credentialed(transport: &Transport, site: &Site) -> Client {
    let timed = match site.attempt_timeout {
        None => Client::new(transport.clone()),
        Some(timeout) => Client::new(tower::timeout::Timeout::new(transport.clone(), timeout)),
    };
    let Some(credentials) = transport.credentials() else { return timed };
    let origin = ORIGIN.parse().expect("a legal origin");
    let refresh = RefreshLayer::new(credentials, origin);
    let service = refresh.layer(ClassifyLayer::new(site.dialect.clone()).layer(timed));
    let boxed = service.map_response(|response| response.map(|body| body.map_err(BoxError::from).boxed_unsync()));
    Client::new(boxed.map_err(BoxError::from))
}

/// The server's origin.
pub(crate) const ORIGIN: &str = "https://api.lab.example";

impl Credentials for Login {
    async fn login(&self) -> Result<TokenSet, Failure> {
        sleep(self.takes).await;
        self.transport.parts().ledger.login();
        // The token says when it was issued: the modelled server needs no table of tokens.
        Ok(TokenSet::bearer(self.transport.now().as_nanos().to_string())?)
    }
}

fn issued(request: &Request<Full<Bytes>>) -> Option<Duration> {
    let value = request.headers().get(header::AUTHORIZATION)?.to_str().ok()?;
    value.strip_prefix("Bearer ")?.parse().ok().map(Duration::from_nanos)
}

fn hint(response: &Response<Bytes>) -> Option<Duration> {
    let value = response.headers().get(header::RETRY_AFTER)?.to_str().ok()?;
    value.parse().ok().map(Duration::from_secs)
}

fn body(bytes: Bytes) -> LabBody {
    Full::new(bytes).map_err(|never| match never {}).boxed_unsync()
}
