//! The built-in scenarios.

use crate::scenario::Scenario;

/// Name and TOML text of each built-in scenario.
const SHIPPED: [(&str, &str); 43] = [
    ("bad-route", include_str!("../scenarios/bad-route.toml")),
    ("black-hole", include_str!("../scenarios/black-hole.toml")),
    ("bounded-queue", include_str!("../scenarios/bounded-queue.toml")),
    ("brown-out-errors", include_str!("../scenarios/brown-out-errors.toml")),
    ("call-burst", include_str!("../scenarios/call-burst.toml")),
    ("closed-loop", include_str!("../scenarios/closed-loop.toml")),
    ("correlated-slowdown", include_str!("../scenarios/correlated-slowdown.toml")),
    ("endless-overload", include_str!("../scenarios/endless-overload.toml")),
    ("far-region", include_str!("../scenarios/far-region.toml")),
    ("flapping", include_str!("../scenarios/flapping.toml")),
    ("fleet-errors", include_str!("../scenarios/fleet-errors.toml")),
    ("fleet-limit", include_str!("../scenarios/fleet-limit.toml")),
    ("half-errors", include_str!("../scenarios/half-errors.toml")),
    ("hard-outage", include_str!("../scenarios/hard-outage.toml")),
    ("herd-after-retry-after", include_str!("../scenarios/herd-after-retry-after.toml")),
    ("idle-errors", include_str!("../scenarios/idle-errors.toml")),
    ("lasting-slowdown", include_str!("../scenarios/lasting-slowdown.toml")),
    ("limit-without-hint", include_str!("../scenarios/limit-without-hint.toml")),
    ("long-answers", include_str!("../scenarios/long-answers.toml")),
    ("long-maintenance", include_str!("../scenarios/long-maintenance.toml")),
    ("long-polls", include_str!("../scenarios/long-polls.toml")),
    ("lossy-network", include_str!("../scenarios/lossy-network.toml")),
    ("mixed-deadlines", include_str!("../scenarios/mixed-deadlines.toml")),
    ("no-attempt-timeout", include_str!("../scenarios/no-attempt-timeout.toml")),
    ("no-deadlines", include_str!("../scenarios/no-deadlines.toml")),
    ("ordinary-day", include_str!("../scenarios/ordinary-day.toml")),
    ("posts-held", include_str!("../scenarios/posts-held.toml")),
    ("quota-runs-out", include_str!("../scenarios/quota-runs-out.toml")),
    ("ranex-deploy", include_str!("../scenarios/ranex-deploy.toml")),
    ("refused-connections", include_str!("../scenarios/refused-connections.toml")),
    ("rolling-deploy", include_str!("../scenarios/rolling-deploy.toml")),
    ("row-contention", include_str!("../scenarios/row-contention.toml")),
    ("shard-down", include_str!("../scenarios/shard-down.toml")),
    ("shard-slow", include_str!("../scenarios/shard-slow.toml")),
    ("short-deadline", include_str!("../scenarios/short-deadline.toml")),
    ("slow-brown-out", include_str!("../scenarios/slow-brown-out.toml")),
    ("slow-route", include_str!("../scenarios/slow-route.toml")),
    ("stragglers", include_str!("../scenarios/stragglers.toml")),
    ("three-layers", include_str!("../scenarios/three-layers.toml")),
    ("tiny", include_str!("../scenarios/tiny.toml")),
    ("tiny-long", include_str!("../scenarios/tiny-long.toml")),
    ("veridia-rate-limit-storm", include_str!("../scenarios/veridia-rate-limit-storm.toml")),
    ("vlens-token-expiry", include_str!("../scenarios/vlens-token-expiry.toml")),
];

/// Returns the built-in scenarios, ordered by name.
///
/// # Panics
/// Never: a test parses every one of them.
///
/// # Examples
/// ```
/// let scenarios = redress_lab::scenarios();
/// let black_hole = scenarios.iter().find(|scenario| scenario.name == "black-hole").unwrap();
/// assert!(black_hole.disturbances_end().is_some());
/// ```
#[must_use]
pub fn scenarios() -> Vec<Scenario> {
    SHIPPED.iter().map(|(_, text)| text.parse().expect("a shipped scenario is right")).collect()
}

/// Returns the TOML text of a built-in scenario, to start a scenario of one's own from; `None` for an
/// unknown name.
///
/// # Examples
/// ```
/// assert!(redress_lab::scenario_text("black-hole").unwrap().contains("kind = \"hold\""));
/// assert!(redress_lab::scenario_text("unknown").is_none());
/// ```
#[must_use]
pub fn scenario_text(name: &str) -> Option<&'static str> {
    SHIPPED.iter().find(|(known, _)| *known == name).map(|(_, text)| *text)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_shipped_scenario_is_valid_and_named_as_its_file() {
        let names: Vec<_> = scenarios().into_iter().map(|scenario| scenario.name).collect();
        assert_eq!(names, SHIPPED.map(|(name, _)| name));
        assert!(scenario_text("black-hole").is_some_and(|text| text.contains("utilization")));
    }
}
