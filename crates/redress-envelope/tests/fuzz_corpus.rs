//! Replays the fuzz corpus, and some random bodies, through the harness of the fuzz targets.

use proptest::prelude::*;
use replay::replay;

#[allow(dead_code, unreachable_pub, reason = "the harness is a library elsewhere")]
#[path = "../../../fuzz/src/answer_hint.rs"]
mod answer_hint;
#[allow(dead_code, unreachable_pub, reason = "the harness is a library elsewhere")]
#[path = "../../../fuzz/src/dialect.rs"]
mod dialect;
#[allow(dead_code, unreachable_pub, reason = "the harness is a library elsewhere")]
#[path = "../../../fuzz/src/envelope_bounds.rs"]
mod envelope_bounds;
#[allow(dead_code, unreachable_pub, reason = "the harness is a library elsewhere")]
#[path = "../../../fuzz/src/envelope_chunks.rs"]
mod envelope_chunks;
#[allow(dead_code, unreachable_pub, reason = "the harness is a library elsewhere")]
#[path = "../../../fuzz/src/envelope_diff.rs"]
mod envelope_diff;
#[allow(dead_code, unreachable_pub, reason = "the harness is a library elsewhere")]
#[path = "../../../fuzz/src/hint.rs"]
mod hint;
#[allow(dead_code, unreachable_pub, reason = "the harness is a library elsewhere")]
#[path = "../../../fuzz/src/http_date.rs"]
mod http_date;
#[allow(dead_code, unreachable_pub, reason = "the harness is a library elsewhere")]
#[path = "../../../fuzz/src/pattern.rs"]
mod pattern;
#[path = "../../../fuzz/replay.rs"]
mod replay;

#[test]
fn the_corpus_of_hints_in_answers_replays() {
    replay("answer_hint", answer_hint::check);
}

#[test]
fn the_corpus_of_patterns_replays() {
    replay("pattern", pattern::check);
}

#[test]
fn the_corpus_of_dialect_files_replays() {
    replay("dialect", dialect::check);
}

#[test]
fn the_corpus_of_costly_bodies_replays() {
    replay("envelope_bounds", envelope_bounds::check);
}

#[test]
fn the_corpus_of_cut_bodies_replays() {
    replay("envelope_chunks", envelope_chunks::check);
}

#[test]
fn the_corpus_of_bodies_replays() {
    replay("envelope_diff", envelope_diff::check);
}

#[test]
fn the_corpus_of_hints_replays() {
    replay("hint", hint::check);
}

#[test]
fn the_corpus_of_dates_replays() {
    replay("http_date", http_date::check);
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
        let body = scraps.concat();
        envelope_diff::check(body.as_bytes());
        envelope_chunks::check(format!("\u{2}\u{5}\u{20}\u{30}\u{40}\u{50}\u{60}\u{7f}{body}").as_bytes());
    }
}
