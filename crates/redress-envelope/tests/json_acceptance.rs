//! What the reader takes for JSON, case by case, in kept data, in skipped data and as a whole body.
//!
//! `serde_json` reads the same cases: it has to agree, but for the list of those that only this reader takes.

#[path = "json_acceptance/read.rs"]
mod read;
#[path = "json_acceptance/refused.rs"]
mod refused;

use std::collections::BTreeSet;
use std::sync::LazyLock;
use std::time::SystemTime;

use http::HeaderMap;
use redress_envelope::{Dialect, Envelope, Head, Unreadable};

use read::{LENIENT, VALID};
use refused::{CUT, INVALID, WHOLE};

/// Keeps all that lies in `v`; takes objects and arrays.
const KEEPS: &str =
    "name = \"keeps\"\n[read]\ncode = [\"code\", \"[0].code\"]\nmessage = \"v\"\nfields = [{ tree = \"v\" }]\n";
/// Knows no `v`, so that it is skipped.
const SKIPS: &str = "name = \"skips\"\n[read]\ncode = [\"code\", \"[0].code\"]\n";

fn dialect(toml: &str) -> Dialect {
    Dialect::from_toml("a.toml", toml).expect("the file has no mistake")
}

/// Reads a body, whole and byte by byte; the code if it can be read.
fn outcome(dialect: &Dialect, body: &[u8]) -> Result<Option<String>, Unreadable> {
    static NONE: LazyLock<HeaderMap> = LazyLock::new(HeaderMap::new);
    let head = Head::new(400, &NONE, SystemTime::UNIX_EPOCH);
    let whole = Envelope::read(dialect, &head, [body]);
    assert_eq!(whole, Envelope::read(dialect, &head, body.chunks(1)), "{}", String::from_utf8_lossy(body));
    whole.unreadable.map_or(Ok(whole.code.map(Into::into)), Err)
}

/// Puts a value where it is kept and where it is skipped, and returns what comes of both.
fn as_member(name: &str, value: &[u8]) -> Result<(), Unreadable> {
    let body = [&b"{\"v\":"[..], value, b",\"code\":7}"].concat();
    let [kept, skipped] = [KEEPS, SKIPS].map(|toml| outcome(&dialect(toml), &body));
    assert_eq!(kept, skipped, "{name}: what is skipped follows the same rules");
    kept.map(|code| assert_eq!(code.as_deref(), Some("7"), "{name}: what comes behind it is read"))
}

fn as_body(value: &[u8]) -> Result<(), Unreadable> {
    let [kept, skipped] = [KEEPS, SKIPS].map(|toml| outcome(&dialect(toml), value).map(drop));
    assert_eq!(kept, skipped, "{}", String::from_utf8_lossy(value));
    kept
}

/// What a value that can be read comes to as a whole body: a bare one is none.
fn root(value: &[u8]) -> Result<(), Unreadable> {
    let first = value.iter().find(|byte| !byte.is_ascii_whitespace());
    if matches!(first, Some(b'{' | b'[' | b'"')) { Ok(()) } else { Err(Unreadable::WrongRoot) }
}

fn serde_takes(body: &[u8]) -> bool {
    serde_json::from_slice::<serde_json::Value>(body).is_ok()
}

#[test]
fn valid_json_is_accepted() {
    for (name, value) in VALID {
        assert_eq!(as_member(name, value), Ok(()), "{name}");
        assert_eq!(as_body(value), root(value), "{name} as the whole body");
        assert!(serde_takes(value), "{name}: another parser refuses it");
    }
}

#[test]
fn text_that_can_be_replaced_and_numbers_beyond_any_range_are_read() {
    for (name, value) in LENIENT {
        assert_eq!(as_member(name, value), Ok(()), "{name}");
        assert_eq!(as_body(value), root(value), "{name} as the whole body");
        assert!(!serde_takes(value), "{name}: another parser takes it, too, so it is no exception");
    }
}

#[test]
fn invalid_json_is_rejected() {
    for (name, value) in INVALID {
        assert_eq!(as_member(name, value), Err(Unreadable::NotJson), "{name}");
        let whole = as_body(value);
        assert!(
            matches!(whole, Err(Unreadable::NotJson | Unreadable::Truncated)),
            "{name} as the whole body: {whole:?}"
        );
        assert!(!serde_takes(value), "{name}: another parser takes it");
    }
}

#[test]
fn truncated_json_is_told_from_invalid_json() {
    for (name, value) in CUT {
        assert_eq!(as_body(value), Err(Unreadable::Truncated), "{name}");
        let member = as_member(name, value);
        assert!(matches!(member, Err(Unreadable::NotJson | Unreadable::Truncated)), "{name} as a member: {member:?}");
        assert!(!serde_takes(value), "{name}: another parser takes it");
    }
}

#[test]
fn whole_bodies_are_read_or_say_why_they_are_not() {
    for (name, body, expected) in WHOLE {
        assert_eq!(as_body(body).err(), *expected, "{name}");
        let only_here = body.contains(&0xef) || matches!(body, [0xfe | 0xff, ..]);
        let bare = *expected == Some(Unreadable::WrongRoot);
        assert!(only_here || serde_takes(body) == (expected.is_none() || bare), "{name}: another parser differs");
    }
}

#[test]
fn depth_is_limited_alike_in_all_places() {
    let shapes = [("arrays", "[", "]"), ("objects", "{\"a\":", "}"), ("both in turn", "[{\"a\":", "}]")];
    for (name, open, close) in shapes {
        let levels = open.matches(['[', '{']).count();
        let value = |depth: usize| {
            let count = depth / levels;
            format!(
                "{}{}1{}{}",
                "[".repeat(depth % levels),
                open.repeat(count),
                close.repeat(count),
                "]".repeat(depth % levels)
            )
        };
        for (depth, expected) in [
            (1, Ok(())),
            (126, Ok(())),
            (127, Ok(())),
            (128, Err(Unreadable::TooDeep)),
            (129, Err(Unreadable::TooDeep)),
            (1_000, Err(Unreadable::TooDeep)),
            (100_000, Err(Unreadable::TooDeep)),
        ] {
            assert_eq!(as_member(name, value(depth).as_bytes()), expected, "{name}, {depth} deep");
        }
        for (depth, expected) in [(127, Ok(())), (128, Ok(())), (129, Err(Unreadable::TooDeep))] {
            assert_eq!(as_body(value(depth).as_bytes()), expected, "{name}, {depth} deep, as the whole body");
        }
    }
}

#[test]
fn long_tokens_are_read_alike_in_all_places() {
    let long = |symbol: &str| symbol.repeat(20_000);
    for (name, value) in [
        ("a text", format!("\"{}\"", long("a"))),
        ("a text of escapes", format!("\"{}\"", long("\\n"))),
        ("a text beyond ASCII", format!("\"{}\"", long("é"))),
        ("a name", format!("{{\"{}\":1}}", long("a"))),
        ("a whole number", long("7")),
        ("a fraction", format!("0.{}", long("7"))),
        ("an exponent", format!("1e-{}", long("7"))),
        ("white space", format!("[{}]", long(" \n"))),
        ("elements", format!("[{}0]", long("0,"))),
        ("members", format!("{{{}\"a\":0}}", long("\"a\":0,"))),
    ] {
        assert_eq!(as_member(name, value.as_bytes()), Ok(()), "{name}");
        assert_eq!(as_body(value.as_bytes()), root(value.as_bytes()), "{name} as the whole body");
    }
}

#[test]
fn every_case_stands_once() {
    let cases: Vec<_> = [VALID, LENIENT, INVALID, CUT].concat();
    assert!(cases.len() + WHOLE.len() >= 250, "{} cases", cases.len() + WHOLE.len());
    for list in [VALID, LENIENT, INVALID, CUT] {
        let names: BTreeSet<_> = list.iter().map(|(name, _)| name).collect();
        let values: BTreeSet<_> = list.iter().map(|(_, value)| value).collect();
        assert_eq!((names.len(), values.len()), (list.len(), list.len()), "a name or a value stands twice");
    }
}
