//! Replays the fuzz corpus, and random bodies and copies, through the harness of the fuzz targets.

use std::path::Path;

use proptest::prelude::*;

#[allow(dead_code, unreachable_pub, reason = "the harness is a library elsewhere")]
#[path = "../../../fuzz/src/replay_body.rs"]
mod replay_body;

#[test]
fn the_corpus_of_bodies_that_are_sent_again_replays() {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../fuzz/corpus/replay_body");
    let files = std::fs::read_dir(&folder).expect("the corpus is part of the repository");
    let mut count = 0;
    for file in files {
        let path = file.expect("the folder can be listed").path();
        eprintln!("{}", path.display());
        replay_body::check(&std::fs::read(path).expect("the seed can be read"));
        count += 1;
    }
    assert!(count >= 20, "{} holds {count} seeds", folder.display());
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(3_000))]

    #[test]
    fn any_split_any_drop_and_any_replay_gives_the_original_bytes_or_a_clear_error(limit: u8, end: u8, frames in proptest::collection::vec(any::<u8>(), 0..12), ops in proptest::collection::vec(any::<u8>(), 0..60)) {
        let head = [limit, end, u8::try_from(frames.len()).expect("few frames")];
        replay_body::check(&[&head, frames.as_slice(), ops.as_slice()].concat());
    }
}
