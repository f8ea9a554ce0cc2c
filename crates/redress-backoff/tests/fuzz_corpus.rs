//! Replays the fuzz corpus, and random lists of operations, through the harness of the fuzz targets.

use std::path::Path;

use proptest::prelude::*;

#[allow(dead_code, unreachable_pub, reason = "the harness is a library elsewhere")]
#[path = "../../../fuzz/src/budget_ops.rs"]
mod budget_ops;

#[test]
fn the_corpus_of_operations_replays() {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../fuzz/corpus/budget_ops");
    let files = std::fs::read_dir(&folder).expect("the corpus is part of the repository");
    let mut count = 0;
    for file in files {
        let path = file.expect("the folder can be listed").path();
        eprintln!("{}", path.display());
        budget_ops::check(&std::fs::read(path).expect("the seed can be read"));
        count += 1;
    }
    assert!(count >= 20, "{} holds {count} seeds", folder.display());
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(1_000))]

    #[test]
    fn any_list_of_operations_keeps_the_sums(keyed: bool, capacity in 0_u32..100, ops in proptest::collection::vec((0_u8..4, 0_u8..120, 0_u8..40), 0..200)) {
        let head = [u8::from(keyed)].into_iter().chain(capacity.to_le_bytes());
        let ops = ops.into_iter().flat_map(|(what, key, tokens)| [what, key, tokens, 0, 0]);
        budget_ops::check(&head.chain(ops).collect::<Vec<_>>());
    }
}
