//! Replays the fuzz corpus, and random bodies and clones, through the harness of the fuzz targets.

use proptest::prelude::*;
use replay::replay;

#[path = "../../../fuzz/replay.rs"]
mod replay;
#[allow(dead_code, unreachable_pub, reason = "the harness is a library elsewhere")]
#[path = "../../../fuzz/src/replay_body.rs"]
mod replay_body;

#[test]
fn the_corpus_of_bodies_that_are_sent_again_replays() {
    replay("replay_body", replay_body::check);
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(3_000))]

    #[test]
    fn any_split_any_drop_and_any_replay_gives_the_original_bytes_or_a_clear_error(limit: u8, end: u8, frames in proptest::collection::vec(any::<u8>(), 0..12), ops in proptest::collection::vec(any::<u8>(), 0..60)) {
        let head = [limit, end, u8::try_from(frames.len()).expect("few frames")];
        replay_body::check(&[&head, frames.as_slice(), ops.as_slice()].concat());
    }
}
