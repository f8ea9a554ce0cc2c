//! The map against the simulator, and the time that a map takes.
//!
//! ```text
//! cargo bench --bench map                 # fifty points, twenty seeds each
//! cargo bench --bench map -- --seeds 3    # fewer seeds
//! cargo bench --bench map -- --test       # two points only, to see that it runs
//! ```
//!
//! It fails if a point that is judged differs by more than a factor of two, or if a map takes 100 ms.

#[path = "map/grid.rs"]
mod grid;

use std::process::ExitCode;
use std::time::{Duration, Instant};

use grid::{HORIZON, Pair, Point};
use redress_lab::map::{Columns, Map, System};

/// The factor within which both have to agree.
const FACTOR: f64 = 2.0;
/// The simulator counts whole seconds, and an answer in time comes up to a timeout after its call: times shorter
/// than the longer of both count as that.
const SHORTEST: f64 = 1.0;

fn main() -> ExitCode {
    let arguments: Vec<_> = std::env::args().collect();
    let is_test = arguments.iter().any(|argument| argument == "--test");
    let seeds = arguments.iter().position(|argument| argument == "--seeds").map(|nth| arguments[nth + 1].parse());
    let seeds = seeds.map_or(20, |number| number.expect("--seeds takes a number"));
    let (mut points, seeds) = (grid::grid(), if is_test { 1 } else { seeds });
    if is_test {
        points.truncate(2);
    }
    println!("capacity  timeout  queue  retries  load  outage     map  simulator  factor");
    let (mut worst, mut judged) = (1.0_f64, 0);
    for (point, pair) in measure(&points, seeds) {
        let factor = factor(point, pair);
        println!("{}  {}", row(point, pair), note(pair, factor));
        if !pair.is_at_threshold {
            judged += 1;
            worst = worst.max(factor);
        }
    }
    println!(
        "\n{judged} of {} points are judged, worst factor {worst:.2}; `never` is beyond {HORIZON} s",
        points.len()
    );
    let took = time();
    println!("a map of 10 loads and 9 outages takes {took:.1?}");
    let holds = is_test || worst <= FACTOR && took < Duration::from_millis(100);
    if holds { ExitCode::SUCCESS } else { ExitCode::FAILURE }
}

/// Measures the points on two threads, in their order.
fn measure(points: &[Point], seeds: u64) -> Vec<(&Point, Pair)> {
    let half = |nth: usize| points.iter().skip(nth).step_by(2).map(move |point| (point, point.measure(seeds)));
    let mut halves = std::thread::scope(|scope| {
        let threads = [0, 1].map(|nth| scope.spawn(move || half(nth).collect::<Vec<_>>()));
        threads.map(|thread| thread.join().expect("a point does not panic").into_iter())
    });
    (0..points.len()).filter_map(|nth| halves[nth % 2].next()).collect()
}

fn factor(point: &Point, pair: Pair) -> f64 {
    let shortest = SHORTEST.max(f64::from(point.timeout_ms) / 1_000.0);
    let [map, simulator] = [pair.map, pair.simulator].map(|time| time.max(shortest));
    if map.is_infinite() && simulator.is_infinite() { 1.0 } else { (map / simulator).max(simulator / map) }
}

fn row(point: &Point, pair: Pair) -> String {
    let Point { capacity, timeout_ms, queue, retries, load, outage_ms } = point;
    let [map, simulator] = [pair.map, pair.simulator]
        .map(|time| if time.is_infinite() { "never".to_owned() } else { format!("{time:.1} s") });
    format!(
        "{capacity:>6}/s  {timeout_ms:>5}ms  {queue:>5}  {retries:>7}  {load:>4.2}  {:>5}s  {map:>6}  {simulator:>9}",
        f64::from(*outage_ms) / 1_000.0
    )
}

fn note(pair: Pair, factor: f64) -> String {
    match (pair.is_at_threshold, factor > FACTOR) {
        (true, _) => format!("{factor:>6.2}  within 5 % of the threshold, not judged"),
        (false, true) => format!("{factor:>6.2}  DIFFERS"),
        (false, false) => format!("{factor:>6.2}"),
    }
}

/// Times a map of the size that the program prints: the median of nine.
fn time() -> Duration {
    let mut times = [(); 9].map(|()| {
        let system = System::new(300.0, Duration::from_secs(1), 10_000, 2).expect("a system");
        let outages = [0.5, 1.0, 2.0, 5.0, 10.0, 30.0, 60.0, 120.0, 300.0]
            .map(|seconds: f64| Duration::try_from_secs_f64(seconds).expect("a length"));
        let loads: Vec<_> = (1..=10).map(|tenth| f64::from(tenth) / 10.0).collect();
        let start = Instant::now();
        let map = Map::new(system, Columns::Outages(outages.to_vec()), &loads).expect("a map");
        assert_eq!(map.rows.len(), 10);
        start.elapsed()
    });
    times.sort();
    times[4]
}
