//! The versions of the peers in Cargo.lock. A test keeps the two in step.

pub(super) const AWS_SMITHY_RUNTIME: &str = "1.10.0";
pub(super) const BACKON: &str = "1.6.0";
pub(super) const REQWEST_RETRY: &str = "0.9.1";
pub(super) const RETRY_POLICIES: &str = "0.5.2";
pub(super) const TOWER: &str = "0.5.3";
pub(super) const TOWER_RESILIENCE_CIRCUITBREAKER: &str = "0.14.0";
pub(super) const TOWER_RESILIENCE_RETRY: &str = "0.14.0";

#[cfg(test)]
mod tests {
    use std::fs;
    use std::path::Path;

    use super::*;

    #[test]
    fn the_versions_match_the_lock_file() {
        let lock =
            fs::read_to_string(Path::new(env!("CARGO_MANIFEST_DIR")).join("../../Cargo.lock")).expect("it is there");
        for (name, version) in [
            ("aws-smithy-runtime", AWS_SMITHY_RUNTIME),
            ("backon", BACKON),
            ("reqwest-retry", REQWEST_RETRY),
            ("retry-policies", RETRY_POLICIES),
            ("tower", TOWER),
            ("tower-resilience-circuitbreaker", TOWER_RESILIENCE_CIRCUITBREAKER),
            ("tower-resilience-retry", TOWER_RESILIENCE_RETRY),
        ] {
            assert!(lock.contains(&format!("name = \"{name}\"\nversion = \"{version}\"\n")), "{name} {version}");
        }
    }
}
