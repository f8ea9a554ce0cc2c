//! What hostile inputs cost in memory: nothing where nothing is kept, and never more than in proportion.
//!
//! How the time grows is not seen here: `scripts/linearity` counts the instructions of the same families.

use std::time::SystemTime;

use allocation_counter::measure;
use http::HeaderMap;
use redress_envelope::{Dialect, Envelope, Head, Unit, dialects};

/// Makes a body of about so many repetitions.
type Family = (&'static str, fn(usize) -> String);

const FAMILIES: [Family; 14] = [
    ("nested arrays", |n| {
        format!("{{\"x\":[{}[]]}}", format!("{}{},", "[".repeat(100), "]".repeat(100)).repeat(n / 100))
    }),
    ("nested objects", |n| {
        format!("{{\"x\":[{}1]}}", format!("{}1{},", "{\"a\":".repeat(100), "}".repeat(100)).repeat(n / 100))
    }),
    ("alternating brackets", |n| {
        format!("{{\"x\":[{}1]}}", format!("{}1{},", "[{\"a\":".repeat(50), "}]".repeat(50)).repeat(n / 50))
    }),
    ("many keys", |n| format!("{{{}\"z\":1}}", (0..n).map(|nth| format!("\"k{nth}\":1,")).collect::<String>())),
    ("one key many times", |n| format!("{{{}\"z\":1}}", "\"error_code\":1,".repeat(n))),
    ("one long string", |n| format!("{{\"error_message\":\"{}\"}}", "a".repeat(n))),
    ("escapes", |n| format!("{{\"error_message\":\"{}\"}}", "\\n".repeat(n))),
    ("unicode escapes", |n| format!("{{\"error_message\":\"{}\"}}", "\\ud83d\\ude00".repeat(n))),
    ("long key", |n| format!("{{\"details\":{{\"{}\":[\"m\"]}}}}", "k".repeat(n))),
    ("long number", |n| format!("{{\"error_code\":{}}}", "7".repeat(n))),
    ("white space", |n| format!("{{\"x\":[{}]}}", " ".repeat(n))),
    ("many small strings", |n| format!("{{\"details\":{{\"a\":[{}\"\"]}}}}", "\"m\",".repeat(n))),
    ("base64 in lines", |n| {
        format!("{{\"error_message\":\"{}\"}}", format!("{}\\n", "QUJD".repeat(19)).repeat(n / 19))
    }),
    ("replaced symbols", |n| format!("{{\"error_message\":\"{}\"}}", "\\ud800".repeat(n))),
];

/// Returns the bytes allocated in all, and the most at one time, by reading a body in pieces.
fn cost(dialect: &Dialect, body: &str) -> (u64, u64) {
    let headers = HeaderMap::new();
    let head = Head::new(422, &headers, SystemTime::UNIX_EPOCH);
    let info = measure(|| drop(Envelope::read(dialect, &head, body.as_bytes().chunks(4096))));
    (info.bytes_total, info.bytes_max)
}

#[test]
fn ten_times_the_body_allocates_at_most_eleven_times_as_much() {
    for dialect in [dialects::vlens(), dialects::verilock()] {
        for (family, body) in FAMILIES {
            let (few, many) = (body(2_000), body(20_000));
            let (small, large) = (cost(&dialect, &few), cost(&dialect, &many));
            // What grows by doubling may double once more.
            let allowed = (small.0.max(16 * 1024)) * 11 + many.len() as u64 * 4;
            assert!(large.0 <= allowed, "{dialect:?} {family}: {small:?} and {large:?}");
            assert!(large.1 <= many.len() as u64 * 16 + 96 * 1024, "{dialect:?} {family}: {large:?}");
        }
    }
}

#[test]
fn ten_times_the_xml_allocates_at_most_eleven_times_as_much() {
    let families: [Family; 8] = [
        ("nested", |n| format!("<r>{}</r>", ("<Error>".repeat(100) + &"</Error>".repeat(100)).repeat(n / 100))),
        ("siblings", |n| format!("<r>{}</r>", "<Message>m</Message>".repeat(n))),
        ("items", |n| format!("<r><errors>{}</errors></r>", "<error field='f'>m</error>".repeat(n))),
        ("attributes", |n| format!("<r{}/>", " message='m'".repeat(n))),
        ("one long text", |n| format!("<r><message>{}</message></r>", "a".repeat(n))),
        ("references", |n| format!("<r><message>{}</message></r>", "&#x41;&amp;&x;&".repeat(n))),
        ("long name", |n| format!("<{0}><message>m</message></{0}>", "n".repeat(n))),
        ("comments", |n| format!("<r>{}</r>", "<!-- - -- -->".repeat(n))),
    ];
    for (family, body) in families {
        let (few, many) = (body(2_000), body(20_000));
        let (small, large) = (cost(&dialects::generic(), &few), cost(&dialects::generic(), &many));
        let allowed = (small.0.max(16 * 1024)) * 11 + many.len() as u64 * 4;
        assert!(large.0 <= allowed, "{family}: {small:?} and {large:?}");
        assert!(large.1 <= 160 * 1024, "{family}: {large:?} at one time, whatever the length");
    }
}

#[test]
fn a_long_text_is_refused_as_a_hint_without_an_allocation() {
    let now = SystemTime::UNIX_EPOCH;
    let words = ["Sun, ", "1s", "x", ",", "7,", "\"p\";r=0;t=1,", "(", "-", "1994-11-06T"];
    for word in words {
        let text = word.repeat(100_000 / word.len());
        for unit in [Unit::Http, Unit::Date, Unit::Duration, Unit::RateLimit, Unit::Guess, Unit::Seconds] {
            let info = measure(|| assert_eq!(unit.read(text.as_bytes(), now), None, "{unit:?} {word}"));
            assert_eq!(info.count_total, 0, "{unit:?} {word}");
        }
    }
}

#[test]
fn a_long_number_needs_no_memory() {
    for (text, is_hint) in [("9".repeat(100_000), false), ("0".repeat(100_000) + "9", true)] {
        for unit in [Unit::Http, Unit::Seconds, Unit::Milliseconds, Unit::Guess] {
            let read = || unit.read(text.as_bytes(), SystemTime::UNIX_EPOCH).is_some();
            let info = measure(|| assert_eq!(read(), is_hint, "{unit:?}"));
            assert_eq!(info.count_total, 0, "{unit:?}");
        }
    }
}

#[test]
fn a_long_date_header_is_not_looked_at() {
    let mut headers = HeaderMap::new();
    let text = format!("Sun, 06 Nov 1994 08:49:37 GMT{}", " (".repeat(20_000));
    headers.insert("date", text.parse().expect("a legal value"));
    let head = Head::new(503, &headers, SystemTime::UNIX_EPOCH);
    let info = measure(|| assert_eq!(head.server_now(), SystemTime::UNIX_EPOCH));
    assert_eq!(info.count_total, 0);
}
