//! The allocations of each kind of request through the stack and its peers, as a table of what is allowed.

use benches::compare::Group;
use benches::requests::Kind;

/// A case, and the most allocations for the static request, the one as reqwest makes it, and the one as hyper's users make it.
type Row = (&'static str, [u64; 3]);

/// A success. The header map of the last kind is full, so that the token makes it grow: two allocations. The bodies of the last two
/// kinds are made from a `Vec`, and `Bytes` allocates at the first clone of such a one.
const SUCCESS: [Row; 12] = [
    ("bare", [0, 0, 0]),
    ("tower_retry_auth_timeout", [2, 7, 14]),
    ("classify", [0, 0, 0]),
    ("refresh", [0, 0, 2]),
    ("pace", [0, 0, 0]),
    ("pace_limited", [0, 0, 0]),
    ("backoff", [1, 2, 2]),
    ("full", [1, 2, 4]),
    ("full_timeouts", [1, 2, 4]),
    ("full_limited", [1, 2, 4]),
    ("full_outage_elsewhere", [2, 3, 5]),
    ("full_shared", [1, 2, 4]),
];

/// A failure, then a success, with the feature `metrics` of redress, which a build of the workspace turns on: without it there are 8
/// fewer, and 6 for the 401.
const FAILURE: [(&str, Row); 6] = [
    ("503", ("full", [23, 22, 26])),
    ("503", ("tower_retry_auth_timeout", [7, 12, 20])),
    ("429_hint", ("full", [23, 22, 26])),
    ("429_hint", ("tower_retry_auth_timeout", [7, 12, 20])),
    ("401_refresh", ("full", [60, 59, 63])),
    ("401_refresh", ("tower_retry_by_hand", [7, 12, 18])),
];

fn is_at_most(found: [u64; 3], most: [u64; 3]) -> bool {
    found.iter().zip(most).all(|(found, most)| *found <= most)
}

#[test]
fn a_success_allocates_at_most_as_often_as_the_table_says() {
    let found = SUCCESS.map(|(case, most)| {
        (case, Kind::ALL.map(|kind| Group::Stack.case(kind.name(), case).unwrap().allocations()), most)
    });
    assert!(found.iter().all(|(_, found, most)| is_at_most(*found, *most)), "case, found, at most: {found:#?}");
}

#[test]
fn a_failure_and_a_success_allocate_at_most_as_often_as_the_table_says() {
    let found = FAILURE.map(|(fault, (case, most))| {
        let found = Kind::ALL.map(|kind| {
            let case = Group::Failure.case(&format!("{fault}_{}", kind.name()), case).unwrap();
            // The list of the last sets of credentials has its full size after some calls.
            for _ in 0..16 {
                let _ = case.allocations();
            }
            case.allocations()
        });
        (fault, case, found, most)
    });
    assert!(found.iter().all(|(.., found, most)| is_at_most(*found, *most)), "case, found, at most: {found:#?}");
}
