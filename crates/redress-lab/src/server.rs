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
    /// The body of the response if it takes time; `None` if it comes with the head.
    pub body: Option<LateBody>,
}

/// A body that ends some time after the head of its response.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct LateBody {
    /// The time from the head to the end.
    pub takes: Duration,
    /// Whether it is complete. `false` if the server restarts before that and the connection breaks.
    pub is_complete: bool,
}

/// Where a request is served.
#[derive(Clone, Copy, Debug)]
struct Place {
    shard: u32,
    route: usize,
}

/// The figures of a route that the server uses.
#[derive(Clone, Debug)]
struct Route {
    /// The factor of its service times.
    work: f64,
    latency: Duration,
    poll: Duration,
    body: Duration,
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
    /// The first one is that of `clients.path`.
    routes: Vec<Route>,
    /// The index of the route that each fault hits; `None` for all routes.
    hits: Vec<Option<usize>>,
}

impl Server {
    /// Creates an idle server at the start of a run. `random` draws service times and the requests that
    /// a fault hits.
    #[must_use]
    pub fn new(scenario: &Scenario, random: Random) -> Self {
        let (admission, center) = (Admission::new(scenario), ServiceCenter::new(&scenario.server));
        let own = scenario.route.iter().map(|route| Route {
            work: route.work(&scenario.server),
            latency: route.latency,
            poll: route.poll,
            body: route.body,
        });
        let rest = Route { work: 1.0, latency: Duration::ZERO, poll: Duration::ZERO, body: Duration::ZERO };
        let hits = scenario.fault.iter().map(|fault| fault.route.as_deref().map(|path| scenario.route_of(path)));
        let (routes, hits) = (std::iter::once(rest).chain(own).collect(), hits.collect());
        Self { scenario: scenario.clone(), random, admission, center, routes, hits }
    }

    /// Admits a request of `clients.path` and returns its departure.
    ///
    /// `at` is the arrival and must not be earlier than that of any request before. `token` is the time
    /// at which the request's token was issued, if it carries one.
    pub fn admit(&mut self, at: Duration, token: Option<Duration>) -> Departure {
        self.admit_on(0, at, token)
    }

    /// Admits a request on a route and returns its departure. `route` is 0 for `clients.path`, and counts the routes of
    /// the scenario from 1.
    ///
    /// # Panics
    /// Panics if the scenario has no such route.
    ///
    /// # Examples
    /// ```
    /// use redress_lab::server::{LateBody, Server};
    /// use redress_lab::{Scenario, Stream, stream};
    /// use std::time::Duration;
    ///
    /// let scenario: Scenario = r#"
    ///     name = "downloads"
    ///     length = "60s"
    ///     clients = { rate = 1.0 }
    ///     server = { kind = "fifo", rate = 10.0 }
    ///     route = [{ path = "/v1/files/1", share = 0.5, service_time = "200ms", body = "3s" }]
    /// "#
    /// .parse()?;
    /// let mut server = Server::new(&scenario, stream(1, Stream::Server));
    /// let departure = server.admit_on(1, Duration::ZERO, None);
    /// assert_eq!(departure.at, Some(Duration::from_millis(200)));
    /// assert_eq!(departure.body, Some(LateBody { takes: Duration::from_secs(3), is_complete: true }));
    /// # Ok::<(), redress_lab::InvalidScenario>(())
    /// ```
    pub fn admit_on(&mut self, route: usize, at: Duration, token: Option<Duration>) -> Departure {
        let shard = self.random.random_range(0..self.scenario.server.shards());
        let (mut begin, mut factor, mut delay) = (at, self.routes[route].work, Duration::ZERO);
        let mut is_answered = true;
        for (fault, hit) in self.scenario.fault.iter().zip(&self.hits) {
            let Some(until) = fault.active_until(at) else { continue };
            let is_concerned = fault.shard.is_none_or(|hit| hit == shard) && hit.is_none_or(|hit| hit == route);
            if !is_concerned || self.random.random::<f64>() >= fault.share {
                continue;
            }
            match &fault.kind {
                FaultKind::Hold => begin = begin.max(until),
                FaultKind::Drop => return Departure::never(RequestOutcome::Broken(Phase::MaybeProcessed)),
                FaultKind::DropAnswers => is_answered = false,
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
            let refused = RequestOutcome::Refused(refusal);
            return if is_answered { Departure::now(begin, refused) } else { Departure::never(refused) };
        }
        let (end, outcome) = self.center.serve(begin, shard, factor, &mut self.random);
        let place = Place { shard, route };
        let poll = self.routes[route].poll;
        let waits = if poll.is_zero() { Duration::ZERO } else { time::times(poll, self.random.random()) };
        // A request that waits for a backend or an event is in service too.
        let head = time::sum(time::sum(end, self.routes[route].latency), waits);
        if let Some(breaks) = self.breaks_off(begin, head, place) {
            return Departure::now(breaks, RequestOutcome::Broken(Phase::MaybeProcessed));
        }
        if !is_answered {
            return Departure::never(outcome);
        }
        let is_served = matches!(outcome, RequestOutcome::Served);
        let body = if is_served { self.late_body(head, place) } else { None };
        Departure { at: Some(time::sum(head, delay)), outcome, body }
    }

    /// Returns the body of a response whose head departs at `head`, if it takes time.
    fn late_body(&self, head: Duration, place: Place) -> Option<LateBody> {
        let takes = self.routes[place.route].body;
        let breaks = self.breaks_off(head, time::sum(head, takes), place);
        let is_complete = breaks.is_none();
        (!takes.is_zero())
            .then(|| LateBody { takes: breaks.map_or(takes, |breaks| breaks.saturating_sub(head)), is_complete })
    }

    /// Returns the first restart of the server during the work on a request, if there is one.
    fn breaks_off(&self, begin: Duration, end: Duration, place: Place) -> Option<Duration> {
        let faults = self.scenario.fault.iter().zip(&self.hits);
        let restarts = faults.filter(|(fault, _)| fault.kind == FaultKind::Restart);
        let hits = restarts.filter(|(fault, hit)| {
            fault.shard.is_none_or(|hit| hit == place.shard) && hit.is_none_or(|hit| hit == place.route)
        });
        hits.filter_map(|(fault, _)| fault.begins_within(begin, end)).min()
    }
}

impl Departure {
    const fn now(at: Duration, outcome: RequestOutcome) -> Self {
        Self { at: Some(at), outcome, body: None }
    }

    /// The departure of a request whose caller never receives an answer.
    const fn never(outcome: RequestOutcome) -> Self {
        Self { at: None, outcome, body: None }
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
    fn a_fault_hits_the_requests_of_its_route_only() {
        let mut server = server(
            "server = { kind = 'fifo', rate = 10.0 }\nroute = [{ path = '/a', share = 0.5 }, { path = '/b', share = 0.1 }]\n\
             fault = [{ kind = 'answer', from = '1s', for = '9s', route = '/b' }]",
        );
        let served = [0, 1, 2].map(|route| server.admit_on(route, Duration::from_secs(2), None).outcome);
        assert!(matches!(served, [RequestOutcome::Served, RequestOutcome::Served, RequestOutcome::Refused(_)]));
    }

    #[test]
    fn an_answer_that_is_lost_was_served() {
        let mut server =
            server("server = { kind = 'fifo', rate = 10.0 }\nfault = [{ kind = 'drop_answers', from = '1s' }]");
        let lost = server.admit(Duration::from_secs(50), None);
        assert!(lost.at.is_none() && matches!(lost.outcome, RequestOutcome::Served));
    }

    #[test]
    fn a_restart_breaks_polls_and_bodies() {
        let mut server = server(
            "server = { kind = 'fifo', rate = 10.0 }\nfault = [{ kind = 'restart', from = '5s', for = '1s' }]\n\
             route = [{ path = '/file', share = 0.1, body = '10s' }, { path = '/slow', share = 0.1, latency = '10s' }]",
        );
        let file = server.admit_on(1, Duration::from_secs(1), None);
        assert_eq!(file.at, Some(Duration::from_millis(1_100)));
        assert_eq!(file.body, Some(LateBody { takes: Duration::from_millis(3_900), is_complete: false }));
        let slow = server.admit_on(2, Duration::from_secs(1), None);
        assert!(matches!(slow.outcome, RequestOutcome::Broken(Phase::MaybeProcessed)));
        assert_eq!(slow.at, Some(Duration::from_secs(5)));
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
