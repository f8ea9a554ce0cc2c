//! Five points at which the map agrees with the simulator; `scripts/map` compares fifty.

#[expect(dead_code, reason = "the bench takes all fifty points")]
#[path = "../benches/map/grid.rs"]
mod grid;

use grid::Point;

/// A tenth of the server of the grid, so that a run is short.
const fn point(retries: u32, load: f64, outage_ms: u32) -> Point {
    Point { capacity: 20.0, timeout_ms: 2_000, queue: 200, retries, load, outage_ms }
}

#[test]
fn the_map_agrees_with_the_simulator_within_a_factor_of_two() {
    for (point, ends) in [
        (point(0, 0.6, 20_000), true),
        (point(1, 0.3, 20_000), true),
        (point(1, 0.7, 20_000), false),
        (point(2, 0.25, 10_000), true),
        (point(2, 0.5, 10_000), false),
    ] {
        let pair = point.measure(3);
        assert!(!pair.is_at_threshold, "{point:?}");
        assert_eq!((pair.map.is_finite(), pair.simulator.is_finite()), (ends, ends), "{point:?} {pair:?}");
        if ends {
            let factor = pair.map / pair.simulator;
            assert!((0.5..=2.0).contains(&factor), "{point:?} {pair:?}");
        }
    }
}
