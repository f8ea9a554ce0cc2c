//! The map and the simulator side by side, at fifty points.

use std::num::NonZeroU32;
use std::time::Duration;

use redress_lab::map::{Columns, Map, Recovery, System};
use redress_lab::outcome::Second;
use redress_lab::policies::reference::{Reference, Rule};
use redress_lab::{Run, Scenario, run};

/// One point: a server, its clients, and an outage.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Point {
    pub(crate) capacity: f64,
    pub(crate) timeout_ms: u32,
    pub(crate) queue: u32,
    pub(crate) retries: u32,
    pub(crate) load: f64,
    pub(crate) outage_ms: u32,
}

/// The times that the map and the simulator give for a point, in seconds. Infinite is not within the run.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Pair {
    pub(crate) map: f64,
    pub(crate) simulator: f64,
    /// Whether the verdict of the map changes within 5 % of the load or of the outage.
    pub(crate) is_at_threshold: bool,
}

/// The length of a run after the end of the outage, in seconds. A recovery later than that is none.
pub(crate) const HORIZON: u32 = 400;
/// The time before the outage, in seconds.
const BEFORE: u32 = 20;
/// The seconds over which the goodput is measured, and at least five timeouts: an overloaded server may serve some
/// calls in time for a moment.
const WINDOW: usize = 5;

/// Returns the fifty points: five systems, each with two outages and five loads around its threshold.
pub(crate) fn grid() -> Vec<Point> {
    let around = |retries: u32| [0.4, 0.6, 0.75, 0.9, 1.3].map(|part| part / (f64::from(retries) + 1.0));
    let systems = [
        // A third of the server of Bronson et al., "Metastable Failures in Distributed Systems" (2021).
        (100.0, 1_000, 1_000, 1, [2_000, 10_000], around(1)),
        (100.0, 1_000, 400, 2, [5_000, 30_000], around(2)),
        (200.0, 500, 600, 3, [750, 20_000], around(3)),
        // So small that chance decides.
        (15.0, 2_000, 42, 1, [6_000, 60_000], [0.2, 0.3, 0.4, 0.45, 0.5]),
        (100.0, 2_000, 5_000, 0, [20_000, 60_000], [0.2, 0.4, 0.6, 0.75, 0.85]),
    ];
    let mut points = Vec::new();
    for (capacity, timeout_ms, queue, retries, outages, loads) in systems {
        for outage_ms in outages {
            for load in loads {
                points.push(Point { capacity, timeout_ms, queue, retries, load, outage_ms });
            }
        }
    }
    points
}

impl Point {
    /// Computes the cell of the map, and the median of this number of seeds.
    pub(crate) fn measure(&self, seeds: u64) -> Pair {
        let map = self.map(1.0, 1.0);
        let verdict = |time: f64| time <= f64::from(HORIZON);
        let nearby = [(0.95, 1.0), (1.05, 1.0), (1.0, 0.95), (1.0, 1.05)];
        let is_at_threshold = nearby.iter().any(|(load, outage)| verdict(self.map(*load, *outage)) != verdict(map));
        let mut times: Vec<_> = (1..=seeds).map(|seed| self.simulate(seed)).collect();
        times.sort_by(f64::total_cmp);
        let map = if verdict(map) { map } else { f64::INFINITY };
        Pair { map, simulator: times[times.len() / 2], is_at_threshold }
    }

    fn map(&self, load: f64, outage: f64) -> f64 {
        let timeout = Duration::from_millis(self.timeout_ms.into());
        let system = System::new(self.capacity, timeout, self.queue, self.retries).expect("a system of the grid");
        let outage = Duration::try_from_secs_f64(f64::from(self.outage_ms) / 1_000.0 * outage).expect("a length");
        let map = Map::new(system, Columns::Outages(vec![outage]), &[self.load * load]).expect("a point of the grid");
        match map.rows[0].cells[0] {
            Recovery::After { seconds, .. } => seconds,
            Recovery::Never | Recovery::Overloaded => f64::INFINITY,
        }
    }

    /// Runs the modelled server under the reference policy that always retries at once.
    fn simulate(&self, seed: u64) -> f64 {
        let Self { capacity, timeout_ms, queue, retries, load, outage_ms } = *self;
        let (rate, end) = (load * capacity, f64::from(BEFORE) + f64::from(outage_ms) / 1_000.0);
        let length = end + f64::from(HORIZON);
        let scenario: Scenario = format!(
            "name = 'map'
             length = '{}ms'
             clients = {{ rate = {rate:?}, attempt_timeout = '{timeout_ms}ms', deadline = '1h' }}
             server = {{ kind = 'fifo', rate = {capacity:?}, service = 'exponential', queue = {queue} }}
             fault = [{{ kind = 'hold', from = '{BEFORE}s', for = '{outage_ms}ms' }}]",
            length * 1_000.0
        )
        .parse()
        .expect("the scenario of a point");
        let policy = Reference::new("at once", NonZeroU32::MIN.saturating_add(retries), Rule::Always);
        let outcome = run(Run { scenario: &scenario, policy: &policy, seed }, |_| {});
        recovery(&outcome.seconds, end, length, WINDOW.max(timeout_ms as usize * WINDOW / 1_000))
    }
}

/// Returns the time from the end of the outage to the first window in which as many calls are answered as
/// 95 % of those that begin, at least half of that in the first second.
///
/// A server that has worked off its queue serves calls and their delayed retries at its capacity, which would make
/// up for seconds without an answer.
fn recovery(seconds: &[Second], end: f64, length: f64, wide: usize) -> f64 {
    let is_good = |window: &[Second]| {
        let sum = |count: fn(&Second) -> u64| window.iter().map(count).sum::<u64>() as f64;
        let offered = sum(|second| second.offered);
        let first = window[0].goodput as f64 * wide as f64;
        sum(|second| second.goodput) >= 0.95 * offered && first >= 0.5 * offered
    };
    let (first, last) = (end.ceil() as usize, (length as usize).min(seconds.len()));
    let good = seconds[..last].windows(wide).skip(first).position(is_good);
    good.map_or(f64::INFINITY, |nth| nth as f64)
}
