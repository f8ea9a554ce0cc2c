//! Runs the fuzz corpus, and random sequences of operations, through the harness of the fuzz targets.

use proptest::prelude::*;
use replay::replay;

#[allow(dead_code, unreachable_pub, reason = "the harness is a library elsewhere")]
#[path = "../../../fuzz/src/budget_ops.rs"]
mod budget_ops;
#[path = "../../../fuzz/replay.rs"]
mod replay;

#[test]
fn the_corpus_of_operations_replays() {
    replay("budget_ops", budget_ops::check);
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(1_000))]

    #[test]
    fn any_sequence_of_operations_keeps_the_sums(keyed: bool, capacity in 0_u32..100, ops in proptest::collection::vec((0_u8..4, 0_u8..120, 0_u8..40), 0..200)) {
        let head = [u8::from(keyed)].into_iter().chain(capacity.to_le_bytes());
        let ops = ops.into_iter().flat_map(|(what, key, tokens)| [what, key, tokens, 0, 0]);
        budget_ops::check(&head.chain(ops).collect::<Vec<_>>());
    }
}
