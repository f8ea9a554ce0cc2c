//! The scenarios that come with the lab.

use crate::scenario::Scenario;

/// Name and text of each.
const SHIPPED: [(&str, &str); 14] = [
    ("black-hole", include_str!("../scenarios/black-hole.toml")),
    ("correlated-slowdown", include_str!("../scenarios/correlated-slowdown.toml")),
    ("flapping", include_str!("../scenarios/flapping.toml")),
    ("hard-outage", include_str!("../scenarios/hard-outage.toml")),
    ("herd-after-retry-after", include_str!("../scenarios/herd-after-retry-after.toml")),
    ("ordinary-day", include_str!("../scenarios/ordinary-day.toml")),
    ("quota-runs-out", include_str!("../scenarios/quota-runs-out.toml")),
    ("ranex-deploy", include_str!("../scenarios/ranex-deploy.toml")),
    ("row-contention", include_str!("../scenarios/row-contention.toml")),
    ("shard-down", include_str!("../scenarios/shard-down.toml")),
    ("slow-brown-out", include_str!("../scenarios/slow-brown-out.toml")),
    ("three-layers", include_str!("../scenarios/three-layers.toml")),
    ("veridia-rate-limit-storm", include_str!("../scenarios/veridia-rate-limit-storm.toml")),
    ("vlens-token-expiry", include_str!("../scenarios/vlens-token-expiry.toml")),
];

/// Returns the scenarios that come with the lab, by name.
///
/// # Panics
/// Never: each of them is read in the tests.
#[must_use]
pub fn scenarios() -> Vec<Scenario> {
    SHIPPED.iter().map(|(_, text)| text.parse().expect("a shipped scenario is right")).collect()
}

/// Returns the text of a scenario that comes with the lab: something to begin an own one from.
#[must_use]
pub fn scenario_text(name: &str) -> Option<&'static str> {
    SHIPPED.iter().find(|(known, _)| *known == name).map(|(_, text)| *text)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_shipped_scenario_is_right_and_goes_by_the_name_of_its_file() {
        let names: Vec<_> = scenarios().into_iter().map(|scenario| scenario.name).collect();
        assert_eq!(names, SHIPPED.map(|(name, _)| name));
        assert!(scenario_text("black-hole").is_some_and(|text| text.contains("utilization")));
    }
}
