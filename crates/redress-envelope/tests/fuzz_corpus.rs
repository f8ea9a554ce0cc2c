//! Replays the fuzz corpus, and some random bodies, through the harness of the fuzz targets.

use std::path::Path;

use proptest::prelude::*;

#[allow(dead_code, unreachable_pub, reason = "the harness is a library elsewhere")]
#[path = "../../../fuzz/src/envelope.rs"]
mod envelope;
#[allow(dead_code, unreachable_pub, reason = "the harness is a library elsewhere")]
#[path = "../../../fuzz/src/hint.rs"]
mod hint;

fn replay(target: &str, check: fn(&[u8])) {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../fuzz/corpus").join(target);
    let files = std::fs::read_dir(&folder).expect("the corpus is part of the repository");
    let mut count = 0;
    for file in files {
        check(&std::fs::read(file.expect("the folder can be listed").path()).expect("the seed can be read"));
        count += 1;
    }
    assert!(count >= 20, "{} holds {count} seeds", folder.display());
}

#[test]
fn the_envelope_corpus_replays() {
    replay("envelope", envelope::check);
}

#[test]
fn the_hint_corpus_replays() {
    replay("hint", hint::check);
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(3_000))]

    #[test]
    fn bodies_made_of_json_scraps_read_as_another_parser_reads_them(
        scraps in proptest::collection::vec(proptest::sample::select(&[
            "{", "}", "[", "]", ":", ",", "\"error_code\"", "\"error\"", "\"field\"", "\"error_descriptions\"", "\"details\"", "\"message\"", "\"code\"", "null",
            "false", "true", "0", "-1", "1e5", "\"\\u0041\"", "\"\"", " ", "\"detail\"", "\"fieldErrors\"", "\"success\"",
        ][..]), 0..24)
    ) {
        envelope::check(format!("\u{5}{}", scraps.concat()).as_bytes());
    }
}
