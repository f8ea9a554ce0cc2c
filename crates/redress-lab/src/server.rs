//! The modelled server: decides, at the moment when a request arrives, what becomes of it and when.
//!
//! Departures are known at arrival, in nanoseconds, whatever the tick of the timers is: a server of 300/s serves 300/s.
//! What a caller no longer waits for is worked on all the same.

mod admission;
mod service_center;

use std::time::Duration;

use bytes::Bytes;
use http::Response;
use rand::RngExt as _;
use redress::Phase;

use crate::scenario::{FaultKind, Scenario};
use crate::streams::Random;
use crate::time;
use admission::Admission;
use service_center::ServiceCenter;

/// What becomes of a request.
#[derive(Debug)]
pub enum RequestOutcome {
    /// It is served.
    Served,
    /// It is answered with an error.
    Refused(Response<Bytes>),
    /// There is no answer; the connection breaks.
    Broken(Phase),
}

/// When a request is answered, and what becomes of it.
#[derive(Debug)]
pub struct Departure {
    /// Since the begin of the run; `None` when it is never answered.
    pub at: Option<Duration>,
    /// What becomes of it.
    pub outcome: RequestOutcome,
}

/// A modelled server.
#[derive(Debug)]
pub struct Server {
    scenario: Scenario,
    random: Random,
    admission: Admission,
    center: ServiceCenter,
}

impl Server {
    /// Opens a server, idle, at the begin of a run.
    #[must_use]
    pub fn new(scenario: &Scenario, random: Random) -> Self {
        let (admission, center) = (Admission::new(scenario), ServiceCenter::new(&scenario.server));
        Self { scenario: scenario.clone(), random, admission, center }
    }

    /// Admits a request, later than or with those before it. `token` is when its credentials were issued, if it has any.
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
        if let Some(refusal) = self.admission.refuse(begin, token) {
            return Departure::now(begin, RequestOutcome::Refused(refusal));
        }
        let (end, outcome) = self.center.serve(begin, shard, factor, &mut self.random);
        if let Some(breaks) = self.breaks_off(begin, end, shard) {
            return Departure::now(breaks, RequestOutcome::Broken(Phase::MaybeProcessed));
        }
        Departure::now(time::sum(end, delay), outcome)
    }

    /// Returns when the server goes away during the work, if it does.
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
    fn a_server_of_so_many_a_second_serves_so_many_a_second() {
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
    fn what_is_worked_on_breaks_off_when_the_server_goes_away() {
        let mut server =
            server("server = { kind = 'fifo', rate = 1.0 }\nfault = [{ kind = 'restart', from = '2s', for = '3s' }]");
        let first = server.admit(Duration::from_millis(1_500), None);
        assert_eq!(first.at, Some(Duration::from_secs(2)));
        assert!(matches!(first.outcome, RequestOutcome::Broken(Phase::MaybeProcessed)));
        let second = server.admit(Duration::from_secs(3), None);
        assert!(matches!(second.outcome, RequestOutcome::Broken(Phase::NotSent)));
    }

    #[test]
    fn of_the_requests_on_a_row_the_first_to_come_wins() {
        let mut server = server("server = { kind = 'rows', rows = 1, latency = '10ms' }");
        let outcomes: Vec<_> = [0, 5, 11, 25]
            .map(|ms| server.admit(Duration::from_millis(ms), None))
            .map(|answer| matches!(answer.outcome, RequestOutcome::Served))
            .to_vec();
        assert_eq!(outcomes, [true, false, true, true]);
    }
}
