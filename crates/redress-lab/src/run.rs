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
use http_body_util::Full;
use rand::RngExt as _;
use rand_distr::{Distribution as _, Exp1};
use tokio::sync::mpsc;
use tokio::time::{sleep, sleep_until, timeout_at};
use tower::ServiceExt as _;

use crate::arrivals::Arrivals;
use crate::outcome::Outcome;
use crate::policies::reference::Fleet;
use crate::policy::{BoxClient, Inner, Policy, PolicyContext};
use crate::scenario::Scenario;
use crate::server::Server;
use crate::statistics::{CallResult, Statistics};
use crate::streams::{Stream, stream};
use crate::time;
use crate::transport::{CallId, ORIGIN, Served, Transport};

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
    uri: Uri,
    deadline: Duration,
    /// Held by each call in flight. The receiver ends when the last sender is dropped.
    under_way: mpsc::Sender<()>,
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
            uri: format!("{ORIGIN}{}", scenario.clients.path).parse().expect("the path was checked"),
            deadline: scenario.clients.deadline,
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
            deadline: clients.deadline,
            attempt_timeout: clients.attempt_timeout,
            seed: stream(self.seed, Stream::Policy).random(),
        };
        let mut client = self.processes(&context);
        for _ in 1..clients.layers {
            context.inner = Inner::Service(client);
            context.attempt_timeout = None;
            context.seed = context.seed.wrapping_add(1);
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
        let Scenario { clients, length, .. } = self.scenario;
        let arrivals = Arrivals::new(clients, *length, stream(self.seed, Stream::Arrivals));
        let mut second = 0;
        for (id, arrival) in (0..).zip(arrivals) {
            if callers.transport.now() < arrival.at {
                sleep_until(callers.transport.at(arrival.at)).await;
            }
            if arrival.at.as_secs() != second {
                second = arrival.at.as_secs();
                progress(arrival.at.as_secs_f64() / length.as_secs_f64());
            }
            callers.transport.state().statistics.call_started(id, arrival.at, arrival.is_post);
            tokio::spawn(callers.clone().call(id, arrival.at, arrival.is_post));
        }
    }

    /// Runs callers that make one call at a time, with exponential think times between two of them.
    async fn closed(self, callers: Callers, count: u32, progress: &mut impl FnMut(f64)) {
        let Scenario { clients, length, .. } = self.scenario;
        let next = Arc::new(AtomicU64::new(0));
        let mut seeds = stream(self.seed, Stream::Arrivals);
        for _ in 0..count {
            let (callers, next, length) = (callers.clone(), Arc::clone(&next), *length);
            let (think, post) = (clients.think, clients.post);
            let mut random = stream(seeds.random(), Stream::Arrivals);
            tokio::spawn(async move {
                // A random first pause, so that the callers do not start in step.
                sleep(time::times(think, random.random())).await;
                while callers.transport.now() < length {
                    let id = next.fetch_add(1, Ordering::Relaxed);
                    let (begin, is_post) = (callers.transport.now(), random.random::<f64>() < post);
                    callers.transport.state().statistics.call_started(id, begin, is_post);
                    callers.clone().call(id, begin, is_post).await;
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
    /// Makes one call and records how it ended.
    async fn call(self, id: u64, begin: Duration, is_post: bool) {
        let mut request = Request::new(Full::new(Bytes::from_static(b"{}")));
        *request.method_mut() = if is_post { Method::POST } else { Method::GET };
        *request.uri_mut() = self.uri;
        request.extensions_mut().insert(CallId(id));
        let until = self.transport.at(begin + self.deadline);
        let end = match timeout_at(until, self.client.oneshot(request)).await {
            Ok(Ok(response)) if response.extensions().get::<Served>().is_some() => CallResult::Served,
            Ok(Ok(_)) => CallResult::Refused,
            Ok(Err(_)) | Err(_) => CallResult::Lost,
        };
        let now = self.transport.now();
        self.transport.state().statistics.call_ended(id, now, end);
        drop(self.under_way);
    }
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
        for policy in [&NoRetry as &dyn Policy, &RedressStack::new()] {
            let outcome = outcome(&scenario, policy);
            assert!(matches!(outcome.recovery, RecoveryTime::After(80..=150)), "{:?}", outcome.recovery);
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
