//! The modelled server: computes the outcome and the departure time of a request at its arrival.
//!
//! Arrivals come in order of time, so the state of the queue at an arrival determines the departure,
//! and no event queue is needed. Times are exact to the nanosecond and independent of the resolution of
//! tokio's timers: a server of 300 requests per second serves exactly 300.
//!
//! The server does not notice that a caller has given up. It works on the abandoned request as well, as
//! most real servers do; that wasted work is the cause of the metastable failures in Bronson et al.
//! (2021).

mod admission;
mod service_center;

use std::time::Duration;

use admission::Admission;
use bytes::Bytes;
use http::Response;
use rand::RngExt as _;
use redress::Phase;
use service_center::ServiceCenter;

use crate::scenario::{FaultKind, Scenario};
use crate::streams::Random;
use crate::time;

/// The outcome of a request.
#[derive(Debug)]
pub enum RequestOutcome {
    /// The request is served.
    Served,
    /// The server answers with an error response.
    Refused(Response<Bytes>),
    /// The connection breaks without a response. The phase says whether the request may have been
    /// processed.
    Broken(Phase),
}

/// The departure of a request: time and outcome.
#[derive(Debug)]
pub struct Departure {
    /// The time since the start of the run; `None` if no answer ever comes.
    pub at: Option<Duration>,
    /// The outcome.
    pub outcome: RequestOutcome,
}

/// A modelled server: faults, admission control, and a service center.
///
/// Faults act first, in the order of the file. Admission control ([token, limit,
/// quota](crate::scenario)) refuses without work. The service center models queue and work.
///
/// # Examples
/// ```
/// use redress_lab::server::{RequestOutcome, Server};
/// use redress_lab::{Scenario, Stream, stream};
/// use std::time::Duration;
///
/// let scenario: Scenario = r#"
///     name = "slow"
///     length = "60s"
///     clients = { rate = 1.0 }
///     server = { kind = "fifo", rate = 2.0 }
///     fault = [{ kind = "slow", from = "10s", for = "10s", factor = 4.0 }]
/// "#
/// .parse()?;
/// let mut server = Server::new(&scenario, stream(1, Stream::Server));
///
/// // Work takes 500 ms, and four times as long during the fault.
/// let departure = server.admit(Duration::from_secs(1), None);
/// assert!(matches!(departure.outcome, RequestOutcome::Served));
/// assert_eq!(departure.at, Some(Duration::from_millis(1_500)));
/// assert_eq!(server.admit(Duration::from_secs(10), None).at, Some(Duration::from_secs(12)));
/// # Ok::<(), redress_lab::InvalidScenario>(())
/// ```
#[derive(Debug)]
pub struct Server {
    scenario: Scenario,
    random: Random,
    admission: Admission,
    center: ServiceCenter,
}

impl Server {
    /// Creates an idle server at the start of a run. `random` draws service times and the requests that
    /// a fault hits.
    #[must_use]
    pub fn new(scenario: &Scenario, random: Random) -> Self {
        let (admission, center) = (Admission::new(scenario), ServiceCenter::new(&scenario.server));
        Self { scenario: scenario.clone(), random, admission, center }
    }

    /// Admits a request and returns its departure.
    ///
    /// `at` is the arrival and must not be earlier than that of any request before. `token` is the time
    /// at which the request's token was issued, if it carries one.
    pub fn admit(&mut self, at: Duration, token: Option<Duration>) -> Departure {
        let shard = self.random.random_range(0..self.scenario.server.shards());
        let (mut begin, mut factor, mut delay) = (at, 1.0, Duration::ZERO);
        for fault in &self.scenario.fault {
            let Some(until) = fault.active_until(at) else { continue };
            let is_hit = fault.shard.is_none_or(|hit| hit == shard) && self.random.random::<f64>() < fault.share;
            if !is_hit {
                continue;
            }
            match &fault.kind {
                FaultKind::Hold => begin = begin.max(until),
                FaultKind::Drop => {
                    return Departure { at: None, outcome: RequestOutcome::Broken(Phase::MaybeProcessed) };
                }
                FaultKind::Refuse | FaultKind::Restart => {
                    return Departure::now(at, RequestOutcome::Broken(Phase::NotSent));
                }
                FaultKind::Answer(answer) => {
                    return Departure::now(at, RequestOutcome::Refused(answer.response(503, None)));
                }
                FaultKind::Slow(times) => factor *= times,
                FaultKind::Delay(by) => delay = time::sum(delay, *by),
            }
        }
        if let Some(refusal) = self.admission.admit(begin, token) {
            return Departure::now(begin, RequestOutcome::Refused(refusal));
        }
        let (end, outcome) = self.center.serve(begin, shard, factor, &mut self.random);
        if let Some(breaks) = self.breaks_off(begin, end, shard) {
            return Departure::now(breaks, RequestOutcome::Broken(Phase::MaybeProcessed));
        }
        Departure::now(time::sum(end, delay), outcome)
    }

    /// Returns the first restart of the server during the work on a request, if there is one.
    fn breaks_off(&self, begin: Duration, end: Duration, shard: u32) -> Option<Duration> {
        let restarts = self.scenario.fault.iter().filter(|fault| fault.kind == FaultKind::Restart);
        let hits = restarts.filter(|fault| fault.shard.is_none_or(|hit| hit == shard));
        hits.filter_map(|fault| fault.begins_within(begin, end)).min()
    }
}

impl Departure {
    const fn now(at: Duration, outcome: RequestOutcome) -> Self {
        Self { at: Some(at), outcome }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::streams::{Stream, stream};

    fn server(text: &str) -> Server {
        let head = "name = 't'\nlength = '100s'\nclients = { rate = 1.0 }\n";
        let scenario: Scenario = format!("{head}{text}").parse().expect("a scenario");
        Server::new(&scenario, stream(1, Stream::Server))
    }

    fn served(server: &mut Server, arrivals: impl Iterator<Item = Duration>, until: Duration) -> usize {
        let ends = arrivals.map(|at| server.admit(at, None));
        ends.filter(|answer| {
            matches!(answer.outcome, RequestOutcome::Served) && answer.at.is_some_and(|at| at <= until)
        })
        .count()
    }

    #[test]
    fn a_fifo_server_serves_exactly_its_rate() {
        let arrivals = (0..20_000_u32).map(|nth| Duration::from_millis(1) * nth);
        for (workers, under_way) in [(1, 0), (30, 29)] {
            let mut server = server(&format!("server = {{ kind = 'fifo', rate = 300.0, workers = {workers} }}"));
            assert_eq!(served(&mut server, arrivals.clone(), Duration::from_secs(20)) + under_way, 6_000);
        }
    }

    #[test]
    fn held_requests_arrive_together_when_the_outage_ends() {
        let mut server =
            server("server = { kind = 'fifo', rate = 10.0 }\nfault = [{ kind = 'hold', from = '1s', for = '9s' }]");
        let ends: Vec<_> = [1, 2, 9].map(|s| server.admit(Duration::from_secs(s), None).at).to_vec();
        let expected = [10_100, 10_200, 10_300].map(|ms| Some(Duration::from_millis(ms)));
        assert_eq!(ends, expected);
    }

    #[test]
    fn a_restart_aborts_the_requests_in_service() {
        let mut server =
            server("server = { kind = 'fifo', rate = 1.0 }\nfault = [{ kind = 'restart', from = '2s', for = '3s' }]");
        let first = server.admit(Duration::from_millis(1_500), None);
        assert_eq!(first.at, Some(Duration::from_secs(2)));
        assert!(matches!(first.outcome, RequestOutcome::Broken(Phase::MaybeProcessed)));
        let second = server.admit(Duration::from_secs(3), None);
        assert!(matches!(second.outcome, RequestOutcome::Broken(Phase::NotSent)));
    }

    #[test]
    fn the_first_concurrent_request_on_a_row_commits() {
        let mut server = server("server = { kind = 'rows', rows = 1, latency = '10ms' }");
        let outcomes: Vec<_> = [0, 5, 11, 25]
            .map(|ms| server.admit(Duration::from_millis(ms), None))
            .map(|answer| matches!(answer.outcome, RequestOutcome::Served))
            .to_vec();
        assert_eq!(outcomes, [true, false, true, true]);
    }
}
