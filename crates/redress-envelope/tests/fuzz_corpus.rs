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
#[path = "../../../fuzz/src/grpc.rs"]
mod grpc;
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
#[allow(dead_code, unreachable_pub, reason = "the harness is a library elsewhere")]
#[path = "../../../fuzz/src/xml.rs"]
mod xml;

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
fn the_corpus_of_grpc_statuses_replays() {
    replay("grpc", grpc::check);
}

#[test]
fn the_corpus_of_hints_replays() {
    replay("hint", hint::check);
}

#[test]
fn the_corpus_of_dates_replays() {
    replay("http_date", http_date::check);
}

#[test]
fn the_corpus_of_documents_replays() {
    replay("xml", xml::check);
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

    #[test]
    fn bodies_made_of_xml_scraps_read_as_another_parser_reads_them(
        root in proptest::sample::select(&["Error", "rsp", "r", "x:Error"][..]),
        scraps in proptest::collection::vec(proptest::sample::select(&[
            "<Code>", "</Code>", "<Id>", "</Id>", "<Item name='a'>", "<Item name=\"b\" Code='x'/>", "</Item>", "<Error-Code>", "</Error-Code>",
            "<errorCode>", "</errorCode>", "<x:Code>", "</x:Code>", "a", " ", "\r\n", "&amp;", "&#x41;", "&#13;", "&lt", "&lt;Code&gt;", "&lt;/Code&gt;", "]]", ">", "]]>", "<![CDATA[", "<!--",
            "-", "--", "-->", "<?p", "?>", "<Code/>", "<r/>", "<Error/>", "\u{e9}", "null", "<", "/", "=", "'",
        ][..]), 0..16),
        attribute in proptest::sample::select(&["", " stat='fail'", " message='m &quot; n'", " xml:lang='en'", " stat = \"ok\" "][..]),
    ) {
        let document = format!("<{root} xmlns:x='u'{attribute}>{}</{root}>", scraps.concat());
        xml::check(document.as_bytes());
        xml::check(scraps.concat().as_bytes());
        envelope_chunks::check(format!("\u{2}\u{5}\u{20}\u{30}\u{40}\u{50}\u{60}\u{7f}{document}").as_bytes());
    }

    #[test]
    fn a_pattern_matches_as_trying_each_way_does(pattern in "[ab\u{e9}*]{1,8}", text in "[ab\u{e9}]{1,10}", long in 0..3_usize) {
        // A long piece is searched for in another way.
        let long = "x".repeat(long * 32);
        let (pattern, text) = (pattern.replace('b', &format!("b{long}")), text.replace('b', &format!("b{long}")));
        pattern::check(format!("{pattern}\n{text}").as_bytes());
    }

    #[test]
    fn statuses_of_any_bytes_read_as_a_naive_reader_reads_them(
        status in proptest::sample::select(&["14", "8", "0", "", "99"][..]),
        kind in proptest::sample::select(&["ErrorInfo", "RetryInfo", "BadRequest", "QuotaFailure", "RequestInfo", "X"][..]),
        bytes in proptest::collection::vec(any::<u8>(), 0..100),
    ) {
        let url = format!("type.googleapis.com/google.rpc.{kind}");
        let field = |number: u8, bytes: &[u8]| [&[number << 3 | 2, bytes.len() as u8][..], bytes].concat();
        let any = [field(1, url.as_bytes()), field(2, &bytes[..bytes.len().min(60)])].concat();
        for details in [&bytes, &field(3, &any)] {
            grpc::check(&[status.as_bytes(), b"\nm%20n\nb\n", details].concat());
        }
        grpc::check(&[status.as_bytes(), b"\n\nt\n", &bytes].concat());
    }

    #[test]
    fn well_formed_xml_reads_as_another_parser_reads_it(parts in element(4)) {
        xml::check(parts.as_bytes());
    }
}

/// Makes a well-formed element, whose content is at most so deep.
fn element(depth: u32) -> impl Strategy<Value = String> {
    let text = proptest::sample::select(
        &[
            "",
            "a",
            " b ",
            "&amp;",
            "&#x41;&#66;",
            "<![CDATA[<a>]]]]>",
            "<![CDATA[ <Item name='a'><Code>E1</Code> b</Item> ]]>",
            "&lt;Code&gt;E2&lt;/Code&gt;",
            "<!-- - -->",
            "<?p q?>",
            "\n",
            "\u{e9}\u{4e2d}",
            "fail",
            "]",
            "null",
            "\t",
        ][..],
    );
    let name = || {
        proptest::sample::select(&["Code", "Error", "Id", "Item", "ERROR_CODE", "errorCode", "rsp", "_", "q.w-e"][..])
    };
    let attributes = proptest::sample::subsequence(
        vec![" message='m'", " name=' n\n'", " stat='fail'", " Code=\"'\"", " xml:lang='en'", " xmlns='u'"],
        0..4,
    );
    let leaf = (name(), attributes.clone(), proptest::collection::vec(text.clone(), 0..4))
        .prop_map(|(name, attributes, texts)| format!("<{name}{}>{}</{name}>", attributes.concat(), texts.concat()));
    leaf.prop_recursive(depth, 24, 4, move |inner| {
        (
            name(),
            attributes.clone(),
            proptest::collection::vec(prop_oneof![inner, text.clone().prop_map(str::to_owned)], 0..4),
        )
            .prop_map(|(name, attributes, inside)| match inside.is_empty() {
                true => format!("<{name}{}/>", attributes.concat()),
                false => format!("<{name}{}>{}</{name}\n>", attributes.concat(), inside.concat()),
            })
    })
}
