//! Runs one policy in one scenario with one seed.
//!
//! A run has its own single-threaded tokio runtime with a paused clock: timers fire in order as soon as
//! all tasks are idle, so an hour of virtual time takes as long as its events need.

use std::fmt;
use std::num::NonZeroU32;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use bytes::Bytes;
use http::{Method, Request, Uri};
use http_body_util::{BodyExt as _, Full};
use rand::RngExt as _;
use rand_distr::{Distribution as _, Exp1};
use redress::layers::SendState;
use redress::{AttemptTimeout, Deadline};
use tokio::sync::mpsc;
use tokio::time::{sleep, sleep_until, timeout_at};
use tower::ServiceExt as _;

use crate::arrivals::Arrivals;
use crate::outcome::Outcome;
use crate::policies::reference::Fleet;
use crate::policy::{BoxClient, Inner, Policy, PolicyContext};
use crate::scenario::{CallKind, Scenario};
use crate::server::Server;
use crate::statistics::{CallResult, Statistics};
use crate::store::LabStore;
use crate::streams::{Stream, stream};
use crate::time;
use crate::transport::{CallId, ORIGIN, OwnTimeout, Served, Transport};

/// The input of a run: a policy, a scenario and a seed.
#[derive(Clone, Copy)]
pub struct Run<'a> {
    /// The scenario.
    pub scenario: &'a Scenario,
    /// The policy under test.
    pub policy: &'a dyn Policy,
    /// The seed of all random numbers of the run.
    pub seed: u64,
}

impl fmt::Debug for Run<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let (scenario, policy) = (self.scenario.label(), self.policy.name());
        write!(f, "{policy} in {scenario}, seed {}", self.seed)
    }
}

/// The callers of a run.
#[derive(Clone)]
struct Callers {
    client: BoxClient,
    transport: Transport,
    /// By route.
    targets: Arc<[Target]>,
    /// Whether the deadlines of calls differ, so that each request carries its own.
    has_own_deadlines: bool,
    /// Whether bodies take time, so that a call is served at the end of its body.
    reads_bodies: bool,
    /// The time after which a call without a deadline is lost.
    longest: Duration,
    /// Held by each call in flight. The receiver ends when the last sender is dropped.
    under_way: mpsc::Sender<()>,
}

/// Where the calls of a route go.
#[derive(Debug)]
struct Target {
    uri: Uri,
    /// The time limit of an attempt, if it differs from that of the clients.
    attempt_timeout: Option<Duration>,
}

/// Runs a policy in a scenario and returns the outcome.
///
/// `progress` receives the completed share of the run, from 0 to 1, about once per virtual second. The
/// same seed gives the same outcome if the policy takes all of its random numbers from
/// [`PolicyContext::seed`](crate::PolicyContext::seed).
///
/// # Panics
/// Panics if the runtime cannot be built, or if the policy panics.
///
/// # Examples
/// ```
/// use redress_lab::policies::NoRetry;
/// use redress_lab::{Run, Scenario, run};
///
/// let scenario: Scenario = r#"
///     name = "refused"
///     length = "20s"
///     clients = { rate = 5.0, deadline = "5s" }
///     server = { kind = "fifo", rate = 100.0 }
///     fault = [{ kind = "answer", from = "0s", for = "10s" }]
/// "#
/// .parse()?;
/// let outcome = run(Run { scenario: &scenario, policy: &NoRetry, seed: 1 }, |_share| {});
/// assert_eq!(outcome.calls, outcome.served + outcome.refused);
/// assert!(outcome.refused > 0);
/// assert_eq!(outcome, run(Run { scenario: &scenario, policy: &NoRetry, seed: 1 }, |_share| {}));
/// # Ok::<(), redress_lab::InvalidScenario>(())
/// ```
pub fn run(run: Run<'_>, mut progress: impl FnMut(f64)) -> Outcome {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_time().start_paused(true).build();
    let runtime = runtime.expect("a runtime without I/O needs nothing from the system");
    // Policies without a seed of their own draw from this thread-local generator.
    fastrand::seed(stream(run.seed, Stream::Policy).random());
    runtime.block_on(run.drive(&mut progress))
}

impl Run<'_> {
    /// Sets up server, network and callers, starts the calls, and waits for the last one to end.
    async fn drive(self, progress: &mut impl FnMut(f64)) -> Outcome {
        let scenario = self.scenario;
        let server = Server::new(scenario, stream(self.seed, Stream::Server));
        let transport = Transport::new(scenario, server, stream(self.seed, Stream::Network));
        let (under_way, mut ended) = mpsc::channel(1);
        let callers = Callers {
            client: self.client(&transport),
            transport: transport.clone(),
            targets: targets(scenario),
            has_own_deadlines: !scenario.has_one_deadline(),
            reads_bodies: scenario.route.iter().any(|route| !route.body.is_zero()),
            longest: scenario.length,
            under_way,
        };
        match scenario.clients.callers {
            None => self.open(callers, progress).await,
            Some(count) => self.closed(callers, count, progress).await,
        }
        // Each call in flight holds a sender, so this waits for the last one to end.
        let _ = ended.recv().await;
        let statistics = std::mem::replace(&mut transport.state().statistics, Statistics::new());
        statistics.into_outcome(scenario, self.policy.name(), self.seed)
    }

    /// Builds the client, with the policy once per process and per layer of services.
    fn client(&self, transport: &Transport) -> BoxClient {
        let clients = &self.scenario.clients;
        let mut context = PolicyContext {
            inner: Inner::Network(transport.clone()),
            dialect: self.scenario.dialect(),
            deadline: self.scenario.longest_deadline(),
            some_without_deadline: clients.no_deadline > 0.0,
            attempt_timeout: clients.attempt_timeout,
            seed: stream(self.seed, Stream::Policy).random(),
            store: LabStore::default(),
        };
        let mut client = self.processes(&context);
        for _ in 1..clients.layers {
            context.inner = Inner::Service(client);
            context.attempt_timeout = None;
            context.seed = context.seed.wrapping_add(1);
            context.store = LabStore::default();
            client = self.processes(&context);
        }
        client
    }

    /// Builds one layer of services: the policy once per process.
    fn processes(&self, context: &PolicyContext) -> BoxClient {
        match self.scenario.clients.clients {
            NonZeroU32::MIN => self.policy.client(context),
            several => Fleet::new(self.policy, several).client(context),
        }
    }

    /// Starts each call at its arrival time, whether or not earlier calls have ended.
    async fn open(self, callers: Callers, progress: &mut impl FnMut(f64)) {
        let length = self.scenario.length;
        let arrivals = Arrivals::new(self.scenario, stream(self.seed, Stream::Arrivals));
        let mut second = 0;
        for (id, arrival) in (0..).zip(arrivals) {
            if callers.transport.now() < arrival.at {
                sleep_until(callers.transport.at(arrival.at)).await;
            }
            if arrival.at.as_secs() != second {
                second = arrival.at.as_secs();
                progress(arrival.at.as_secs_f64() / length.as_secs_f64());
            }
            callers.record_start(id, arrival.at, arrival.call);
            tokio::spawn(callers.clone().call(id, arrival.at, arrival.call));
        }
    }

    /// Runs callers that make one call at a time, with exponential think times between two of them.
    async fn closed(self, callers: Callers, count: u32, progress: &mut impl FnMut(f64)) {
        let Scenario { clients, length, .. } = self.scenario;
        let (next, scenario) = (Arc::new(AtomicU64::new(0)), Arc::new(self.scenario.clone()));
        let mut seeds = stream(self.seed, Stream::Arrivals);
        for _ in 0..count {
            let (callers, next, length) = (callers.clone(), Arc::clone(&next), *length);
            let (think, scenario) = (clients.think, Arc::clone(&scenario));
            let mut random = stream(seeds.random(), Stream::Arrivals);
            tokio::spawn(async move {
                // A random first pause, so that the callers do not start in step.
                sleep(time::times(think, random.random())).await;
                while callers.transport.now() < length {
                    let id = next.fetch_add(1, Ordering::Relaxed);
                    let (begin, kind) = (callers.transport.now(), scenario.draw_call(&mut random));
                    callers.record_start(id, begin, kind);
                    callers.clone().call(id, begin, kind).await;
                    sleep(time::times(think, Exp1.sample(&mut random))).await;
                }
            });
        }
        while callers.transport.now() < *length {
            sleep(Duration::from_secs(1)).await;
            progress((callers.transport.now().as_secs_f64() / length.as_secs_f64()).min(1.0));
        }
    }
}

impl Callers {
    fn record_start(&self, id: u64, begin: Duration, kind: CallKind) {
        let deadline = kind.deadline.unwrap_or(self.longest);
        self.transport.state().statistics.call_started(id, begin, kind.is_post, deadline);
    }

    /// Makes one call and records how it ended.
    async fn call(self, id: u64, begin: Duration, kind: CallKind) {
        let request = self.request(id, begin, kind);
        let until = self.transport.at(begin + kind.deadline.unwrap_or(self.longest));
        let end = timeout_at(until, self.exchange(request)).await.unwrap_or(CallResult::Lost);
        let now = self.transport.now();
        self.transport.state().statistics.call_ended(id, now, end);
        drop(self.under_way);
    }

    /// Builds the request. Its deadline and its attempt timeout are among its extensions if they differ from those that
    /// the policy knows.
    fn request(&self, id: u64, begin: Duration, kind: CallKind) -> Request<Full<Bytes>> {
        let mut request = Request::new(Full::new(Bytes::from_static(b"{}")));
        let target = &self.targets[kind.route];
        *request.method_mut() = if kind.is_post { Method::POST } else { Method::GET };
        *request.uri_mut() = target.uri.clone();
        let extensions = request.extensions_mut();
        extensions.insert(CallId(id));
        // Redress marks it if the request is the probe of an outage.
        extensions.insert(SendState::new());
        if let Some(deadline) = kind.deadline.filter(|_| self.has_own_deadlines) {
            extensions.insert(Deadline::new(self.transport.at(begin + deadline)));
        }
        if let Some(timeout) = target.attempt_timeout {
            extensions.insert(AttemptTimeout::new(timeout));
            extensions.insert(OwnTimeout(timeout));
        }
        request
    }

    async fn exchange(&self, request: Request<Full<Bytes>>) -> CallResult {
        let Ok(response) = self.client.clone().oneshot(request).await else {
            return CallResult::Lost;
        };
        if response.extensions().get::<Served>().is_none() {
            return CallResult::Refused;
        }
        if self.reads_bodies && response.into_body().collect().await.is_err() {
            return CallResult::Lost;
        }
        CallResult::Served
    }
}

/// Returns where the calls of each route go.
fn targets(scenario: &Scenario) -> Arc<[Target]> {
    let target = |path: &str, attempt_timeout| {
        let uri = format!("{ORIGIN}{path}").parse().expect("the path was checked");
        Target { uri, attempt_timeout }
    };
    let routes = scenario.route.iter().map(|route| target(&route.path, route.attempt_timeout));
    std::iter::once(target(&scenario.clients.path, None)).chain(routes).collect()
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, reason = "what helps a test is a test")]

    use super::*;
    use crate::outcome::RecoveryTime;
    use crate::policies::reference::{Deposit, Reference, Rule};
    use crate::policies::{NoRetry, RedressStack};

    fn scenario(text: &str) -> Scenario {
        text.parse().unwrap()
    }

    fn outcome(scenario: &Scenario, policy: &dyn Policy) -> Outcome {
        let outcome = run(Run { scenario, policy, seed: 1 }, |_| {});
        assert_eq!(outcome.unfinished, 0);
        assert_eq!(outcome.calls, outcome.seconds.iter().map(|second| second.offered).sum::<u64>());
        outcome
    }

    #[test]
    fn an_overloaded_server_serves_its_capacity() {
        let scenario = scenario(
            "name = 't'\nlength = '60s'\nclients = { rate = 400.0, deadline = '1h' }\nserver = { kind = 'fifo', rate = 300.0 }",
        );
        let outcome = outcome(&scenario, &NoRetry);
        let full = &outcome.seconds[5..55];
        assert!(full.iter().all(|second| (299..=301).contains(&second.goodput)), "{full:?}");
    }

    #[test]
    fn latencies_count_from_the_intended_start_of_a_call() {
        let scenario = scenario(
            "name = 't'\nlength = '20s'\nclients = { rate = 50.0, deadline = '1h' }\nserver = { kind = 'fifo', rate = 1000.0 }\nfault = [{ kind = 'hold', from = '5s', for = '10s' }]",
        );
        let outcome = outcome(&scenario, &NoRetry);
        // Half of the calls began during the ten seconds and waited for the end of the fault.
        assert!((2_000.0..8_000.0).contains(&outcome.latency_ms.mean), "{:?}", outcome.latency_ms);
        assert!(outcome.latency_ms.max > 9_900.0);
    }

    #[test]
    fn the_same_seed_gives_the_same_run() {
        let scenario = scenario(
            "name = 't'\nlength = '60s'\ndialect='ranex'\nclients = { rate = 100.0, post = 0.2, deadline = '10s' }\nserver = { kind = 'fifo', rate = 300.0 }\nfault = [{ kind = 'answer', from = '20s', for = '10s', share = 0.5 }]",
        );
        let runs = [(); 2].map(|()| outcome(&scenario, &RedressStack::new()));
        assert_eq!(runs[0], runs[1]);
        assert!(runs[0].attempts > runs[0].calls && runs[0].served < runs[0].calls, "{:?}", runs[0]);
        assert_eq!((runs[0].early_retries, runs[0].done_twice), (0, 0));
    }

    #[test]
    fn the_server_recovers_once_its_backlog_is_served() {
        let scenario = scenario(
            "name = 't'\nlength = '300s'\nclients = { utilization = 0.93, attempt_timeout = '1s', deadline = '10s' }\nserver = { kind = 'fifo', rate = 300.0 }\nfault = [{ kind = 'hold', from = '60s', for = '10s' }]",
        );
        // redress holds the calls of the outage, and the server has no backlog.
        for (policy, range) in [(&NoRetry as &dyn Policy, 80..=150), (&RedressStack::new(), 0..=2)] {
            let outcome = outcome(&scenario, policy);
            let RecoveryTime::After(seconds) = outcome.recovery else { panic!("{:?}", outcome.recovery) };
            assert!(range.contains(&seconds), "{} {seconds}", policy.name());
        }
    }

    #[test]
    fn an_expired_token_is_replaced_once_for_all_calls() {
        let scenario = scenario(
            "name = 't'\ndialect = 'vlens'\nlength = '100s'\nclients = { rate = 100.0, deadline = '10s' }\nserver = { kind = 'fifo', rate = 300.0 }\ntoken = { lives = '20s', login = '500ms', answer = { status = 401, body = '{}' } }",
        );
        for policy in [&NoRetry as &dyn Policy, &RedressStack::new()] {
            let outcome = outcome(&scenario, policy);
            assert_eq!((outcome.logins, outcome.served), (5, outcome.calls), "{}", policy.name());
        }
    }

    /// The scenario with its calls spread over this number of processes.
    fn spread(text: &str, clients: u32) -> Scenario {
        let mut scenario = scenario(text);
        scenario.clients.clients = NonZeroU32::new(clients).unwrap();
        scenario
    }

    const TROUBLE: &str = "name = 't'\nlength = '60s'\ndialect='ranex'\nclients = { rate = 100.0, post = 0.2, deadline = '10s' }\nserver = { kind = 'fifo', rate = 300.0 }\nfault = [{ kind = 'answer', from = '20s', for = '10s', share = 0.5 }]";

    #[test]
    fn processes_share_the_same_arrivals_and_the_same_seed_gives_the_same_run() {
        let offered = |outcome: &Outcome| outcome.seconds.iter().map(|second| second.offered).collect::<Vec<_>>();
        let single = outcome(&spread(TROUBLE, 1), &RedressStack::new());
        for clients in [2, 100] {
            let scenario = spread(TROUBLE, clients);
            let runs = [(); 2].map(|()| outcome(&scenario, &RedressStack::new()));
            assert_eq!(runs[0], runs[1]);
            let seconds = offered(&runs[0]).len().min(offered(&single).len());
            assert_eq!((runs[0].calls, &offered(&runs[0])[..seconds]), (single.calls, &offered(&single)[..seconds]));
            assert_eq!(runs[0].policy, "redress", "the name of a policy does not tell the number of processes");
            assert_ne!(runs[0], single);
        }
    }

    #[test]
    fn each_process_has_a_budget_of_its_own() {
        let scenario = |clients| {
            let down = "name = 't'\nlength = '60s'\nclients = { rate = 100.0, deadline = '10s' }\nserver = { kind = 'fifo', rate = 300.0 }\nfault = [{ kind = 'answer', from = '0s', for = '2m' }]";
            spread(down, clients)
        };
        let bucket = Rule::Bucket { tokens: 5.0, deposit: 0.0, on: Deposit::Call };
        let policy = Reference::new("bucket", NonZeroU32::new(3).unwrap(), bucket);
        for (clients, retries) in [(1, 4), (2, 8), (20, 80)] {
            let outcome = outcome(&scenario(clients), &policy);
            assert_eq!(outcome.attempts - outcome.calls, retries, "{clients} clients");
        }
    }

    #[test]
    fn each_process_logs_in_by_itself() {
        let text = "name = 't'\ndialect = 'vlens'\nlength = '30s'\nclients = { rate = 100.0, deadline = '10s' }\nserver = { kind = 'fifo', rate = 300.0 }\ntoken = { lives = '1h', login = '500ms' }";
        for policy in [&NoRetry as &dyn Policy, &RedressStack::new()] {
            let outcome = outcome(&spread(text, 7), policy);
            assert_eq!((outcome.logins, outcome.served), (7, outcome.calls), "{}", policy.name());
        }
    }
}
