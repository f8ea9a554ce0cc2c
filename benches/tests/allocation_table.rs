//! The allocations of each kind of request through the stack and its peers, as a table of what is allowed.

use benches::compare::Group;
use benches::requests::Kind;

/// A case, and the most allocations for the static request, the one as reqwest makes it, and the one as hyper's users make it.
type Row = (&'static str, [u64; 3]);

/// A success. The header map of the last kind is full, so that the token makes it grow: two allocations. A clone of the request shares
/// the copied texts, which takes an allocation for each.
const SUCCESS: [Row; 12] = [
    ("bare", [0, 0, 0]),
    ("tower_retry_auth_timeout", [2, 7, 14]),
    ("classify", [0, 0, 0]),
    ("refresh", [0, 0, 2]),
    ("pace", [0, 0, 0]),
    ("pace_limited", [0, 0, 0]),
    ("backoff", [1, 6, 11]),
    ("full", [1, 6, 13]),
    ("full_timeouts", [1, 6, 13]),
    ("full_limited", [1, 6, 13]),
    ("full_outage_elsewhere", [1, 6, 13]),
    ("full_shared", [1, 6, 13]),
];

/// A failure, then a success.
const FAILURE: [(&str, Row); 6] = [
    ("503", ("full", [61, 68, 75])),
    ("503", ("tower_retry_auth_timeout", [7, 12, 20])),
    ("429_hint", ("full", [64, 71, 78])),
    ("429_hint", ("tower_retry_auth_timeout", [7, 12, 20])),
    ("401_refresh", ("full", [117, 124, 131])),
    ("401_refresh", ("tower_retry_by_hand", [7, 12, 18])),
];

fn is_at_most(found: [u64; 3], most: [u64; 3]) -> bool {
    found.iter().zip(most).all(|(found, most)| *found <= most)
}

#[test]
fn a_success_allocates_at_most_as_often_as_the_table_says() {
    for (case, most) in SUCCESS {
        let found = Kind::ALL.map(|kind| Group::Stack.case(kind.name(), case).unwrap().allocations());
        assert!(is_at_most(found, most), "{case}: {found:?}, at most {most:?}");
    }
}

#[test]
fn a_failure_and_a_success_allocate_at_most_as_often_as_the_table_says() {
    for (fault, (case, most)) in FAILURE {
        let found = Kind::ALL.map(|kind| {
            let case = Group::Failure.case(&format!("{fault}_{}", kind.name()), case).unwrap();
            // The list of the last sets of credentials has its full size after some calls.
            for _ in 0..16 {
                let _ = case.allocations();
            }
            case.allocations()
        });
        assert!(is_at_most(found, most), "{fault} {case}: {found:?}, at most {most:?}");
    }
}
