//! Runs a policy in a scenario.

use std::fmt;
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
use crate::policy::{BoxClient, Inner, Policy, PolicyContext};
use crate::scenario::Scenario;
use crate::server::Server;
use crate::statistics::{CallResult, Statistics};
use crate::streams::{Stream, stream};
use crate::time;
use crate::transport::{CallId, ORIGIN, Served, Transport};

/// One policy in one scenario.
#[derive(Clone, Copy)]
pub struct Run<'a> {
    /// What happens.
    pub scenario: &'a Scenario,
    /// Who has to deal with it.
    pub policy: &'a dyn Policy,
    /// The seed of all random numbers.
    pub seed: u64,
}

impl fmt::Debug for Run<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let (scenario, policy) = (&self.scenario.name, self.policy.name());
        write!(f, "{policy} in {scenario}, seed {}", self.seed)
    }
}

/// The callers' side of a run.
#[derive(Clone)]
struct Callers {
    client: BoxClient,
    transport: Transport,
    uri: Uri,
    deadline: Duration,
    /// Closed when the last call has ended.
    under_way: mpsc::Sender<()>,
}

/// Runs a policy in a scenario, on a thread of its own time, and returns what it came to.
///
/// `progress` is told the share of the run that is over, once for each second of it. The same seed gives the same run,
/// as far as the policy takes its random numbers from the seed.
///
/// # Panics
/// When the runtime cannot be started, or a policy panics.
pub fn run(run: Run<'_>, mut progress: impl FnMut(f64)) -> Outcome {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_time().start_paused(true).build();
    let runtime = runtime.expect("a runtime without I/O needs nothing from the system");
    // Layers and peers that have no seed of their own draw from here.
    fastrand::seed(stream(run.seed, Stream::Policy).random());
    runtime.block_on(run.drive(&mut progress))
}

impl Run<'_> {
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
        // Every call holds a sender: there is nothing to receive but the end of the last one.
        let _ = ended.recv().await;
        let statistics = std::mem::replace(&mut transport.state().statistics, Statistics::new());
        statistics.into_outcome(scenario, self.policy.name(), self.seed)
    }

    /// Builds the policy, once for each layer of services.
    fn client(&self, transport: &Transport) -> BoxClient {
        let clients = &self.scenario.clients;
        let mut context = PolicyContext {
            below: Inner::Network(transport.clone()),
            dialect: self.scenario.dialect(),
            deadline: clients.deadline,
            attempt_timeout: clients.attempt_timeout,
            seed: stream(self.seed, Stream::Policy).random(),
        };
        let mut client = self.policy.client(&context);
        for _ in 1..clients.layers {
            context.below = Inner::Service(client);
            context.attempt_timeout = None;
            context.seed = context.seed.wrapping_add(1);
            client = self.policy.client(&context);
        }
        client
    }

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

    async fn closed(self, callers: Callers, count: u32, progress: &mut impl FnMut(f64)) {
        let Scenario { clients, length, .. } = self.scenario;
        let next = Arc::new(AtomicU64::new(0));
        let mut seeds = stream(self.seed, Stream::Arrivals);
        for _ in 0..count {
            let (callers, next, length) = (callers.clone(), Arc::clone(&next), *length);
            let (think, post) = (clients.think, clients.post);
            let mut random = stream(seeds.random(), Stream::Arrivals);
            tokio::spawn(async move {
                // Nobody begins in step with the others.
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
    /// Makes a call, and notes how it ended.
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
    fn a_server_that_is_asked_too_much_serves_what_it_can() {
        let scenario = scenario(
            "name = 't'\nlength = '60s'\nclients = { rate = 400.0, deadline = '1h' }\nserver = { kind = 'fifo', rate = 300.0 }",
        );
        let outcome = outcome(&scenario, &NoRetry);
        let full = &outcome.seconds[5..55];
        assert!(full.iter().all(|second| (299..=301).contains(&second.goodput)), "{full:?}");
    }

    #[test]
    fn latencies_count_from_the_moment_when_a_call_should_have_begun() {
        let scenario = scenario(
            "name = 't'\nlength = '20s'\nclients = { rate = 50.0, deadline = '1h' }\nserver = { kind = 'fifo', rate = 1000.0 }\nfault = [{ kind = 'hold', from = '5s', for = '10s' }]",
        );
        let outcome = outcome(&scenario, &NoRetry);
        // Half of the calls began in the ten seconds, and waited for their end.
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
    fn an_outage_whose_requests_pile_up_is_over_when_the_pile_is_worked_off() {
        let scenario = scenario(
            "name = 't'\nlength = '300s'\nclients = { utilization = 0.93, attempt_timeout = '1s', deadline = '10s' }\nserver = { kind = 'fifo', rate = 300.0 }\nfault = [{ kind = 'hold', from = '60s', for = '10s' }]",
        );
        for policy in [&NoRetry as &dyn Policy, &RedressStack::new()] {
            let outcome = outcome(&scenario, policy);
            assert!(matches!(outcome.recovery, RecoveryTime::After(80..=150)), "{:?}", outcome.recovery);
        }
    }

    #[test]
    fn tokens_that_run_out_are_replaced_for_everybody_at_once() {
        let scenario = scenario(
            "name = 't'\ndialect = 'vlens'\nlength = '100s'\nclients = { rate = 100.0, deadline = '10s' }\nserver = { kind = 'fifo', rate = 300.0 }\ntoken = { lives = '20s', login = '500ms', answer = { status = 401, body = '{}' } }",
        );
        for policy in [&NoRetry as &dyn Policy, &RedressStack::new()] {
            let outcome = outcome(&scenario, policy);
            assert_eq!((outcome.logins, outcome.served), (5, outcome.calls), "{}", policy.name());
        }
    }
}
