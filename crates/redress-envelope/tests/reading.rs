//! The reading rules, on bodies that people and hostile servers send.

use std::sync::LazyLock;
use std::time::SystemTime;

use http::header::CONTENT_TYPE;
use http::{HeaderMap, HeaderValue};
use proptest::prelude::*;
use redress_envelope::{Decision, Dialect, Envelope, Head, Location, Signal, Unreadable, dialects};

/// Returns the head of a response that has no headers.
fn head(status: u16) -> Head<'static> {
    static NONE: LazyLock<HeaderMap> = LazyLock::new(HeaderMap::new);
    Head::new(status, &NONE, SystemTime::UNIX_EPOCH)
}

fn read_as<'a, I>(dialect: &Dialect, pieces: I) -> Result<Envelope<'a>, Unreadable>
where
    I: IntoIterator<Item = &'a [u8]>,
    I::IntoIter: Clone,
{
    let envelope = Envelope::read(dialect, &head(400), pieces);
    envelope.unreadable.map_or(Ok(envelope), Err)
}

fn read(body: &[u8]) -> Result<Envelope<'_>, Unreadable> {
    read_as(&dialects::vlens(), [body])
}

fn nested(open: &str, close: &str, depth: usize) -> String {
    format!("{}{}", open.repeat(depth), close.repeat(depth))
}

#[test]
fn the_last_of_a_repeated_key_counts() {
    let envelope = read(br#"{"error_code":1,"error_message":"a","error_code":2,"error_message":7}"#).unwrap();
    assert_eq!(envelope.code.as_deref(), Some("2"));
    assert_eq!(envelope.message, None, "the last one is a number and so absent");
    let maleslab = dialects::maleslab();
    let body = br#"{"error":{"code":"A","details":[{"field":"f","message":"m"}]},"error":{"message":"m"}}"#;
    let envelope = read_as(&maleslab, [&body[..]]).unwrap();
    assert_eq!((envelope.code, envelope.fields.len()), (None, 0), "the last object replaces the first one whole");
    let body = br#"{"detail":{"fieldErrors":{"a":["1"],"b":["2"],"a":["3","4"]}}}"#;
    let envelope = read_as(&dialects::veridia(), [&body[..]]).unwrap();
    let messages: Vec<_> = envelope.fields.iter().map(|field| field.message.as_ref()).collect();
    assert_eq!(messages, ["2", "3", "4"]);
}

#[test]
fn the_last_of_a_repeated_key_counts_in_lists_of_fields_too() {
    for (dialect, body, expected) in [
        (dialects::veridia(), r#"{"detail":{"fieldErrors":{"a":["1"],"a":null}}}"#, vec![]),
        (dialects::veridia(), r#"{"detail":{"fieldErrors":{"a":["1"],"b":["2"],"a":[]}}}"#, vec![("b", "2")]),
        (dialects::maleslab(), r#"{"error":{"details":[{"field":"a","message":"m","field":null}]}}"#, vec![("", "m")]),
        (dialects::maleslab(), r#"{"error":{"details":[{"field":"a","message":"m","message":5}]}}"#, vec![("a", "")]),
    ] {
        let envelope = read_as(&dialect, [body.as_bytes()]).unwrap();
        let found: Vec<_> = envelope.fields.iter().map(|field| (field.path.as_ref(), field.message.as_ref())).collect();
        assert_eq!(found, expected, "{body}");
    }
}

#[test]
fn texts_are_joined_up_to_a_bound() {
    let dialect =
        Dialect::from_toml("d.toml", "name = \"d\"\n[read]\nmessage = { path = \"errors[*]\", join = \"; \" }\n");
    let dialect = dialect.unwrap();
    for (first, second, is_joined) in [(1, 1, true), (2_047, 2_047, true), (2_047, 2_048, false), (4_000, 4_000, false)]
    {
        let [first, second] = [first, second].map(|len| "x".repeat(len));
        let body = format!(r#"{{"errors":["{first}","{second}"]}}"#);
        let expected = if is_joined { format!("{first}; {second}") } else { first };
        assert_eq!(read_as(&dialect, [body.as_bytes()]).unwrap().message.as_deref(), Some(&*expected));
    }
}

#[test]
fn of_several_values_the_first_that_says_something_counts_in_any_pieces() {
    let toml =
        "name = \"d\"\n[read]\nmessage = \"errors[*].message\"\ncode = { path = \"errors[*].code\", join = \"-\" }\n";
    let dialect = Dialect::from_toml("d.toml", toml).unwrap();
    let body = br#"{"errors":[{"message":"","code":""},{"message":{},"code":null},{"message":"b","code":"x"},{"message":"c","code":7}]}"#;
    for size in [1, 2, 3, body.len()] {
        let envelope = read_as(&dialect, body.chunks(size)).unwrap();
        assert_eq!((envelope.message.as_deref(), envelope.code.as_deref()), (Some("b"), Some("x-7")), "{size}");
    }
}

#[test]
fn a_form_is_read_for_its_code_alone_and_for_its_message_alone() {
    let form = HeaderMap::from_iter([(CONTENT_TYPE, HeaderValue::from_static("application/x-www-form-urlencoded"))]);
    let head = Head::new(400, &form, SystemTime::UNIX_EPOCH);
    let dialect = Dialect::from_toml("d.toml", "name = \"d\"\n[read]\ncode = \"error\"\nmessage = \"text\"\n").unwrap();
    for (body, code, message) in [
        ("error=invalid_grant&a=b", Some("invalid_grant"), None),
        ("text=It+failed.&a=b", None, Some("It failed.")),
        ("error=invalid_grant&text=It+failed.", Some("invalid_grant"), Some("It failed.")),
        ("a=b&c=d", None, None),
    ] {
        let envelope = Envelope::read(&dialect, &head, [body.as_bytes()]);
        assert_eq!((envelope.code.as_deref(), envelope.message.as_deref()), (code, message), "{body}");
        let place = message.map(|_| Location::Body("text".to_owned()));
        assert_eq!(envelope.message_location(&dialect), place, "{body}");
    }
}

#[test]
fn of_several_values_of_a_request_id_the_first_counts() {
    let headers: HeaderMap = ["first", "second"]
        .map(|id| (http::HeaderName::from_static("x-request-id"), HeaderValue::from_static(id)))
        .into_iter()
        .collect();
    assert_eq!(headers.get_all("x-request-id").iter().count(), 2);
    let dialect = Dialect::from_toml("d.toml", "name = \"d\"\n").unwrap();
    let envelope = Envelope::read(&dialect, &Head::new(400, &headers, SystemTime::UNIX_EPOCH), [&b"{}"[..]]);
    assert_eq!(envelope.request_id.as_deref(), Some("first"));
}

#[test]
fn a_media_type_is_named_by_the_rule_that_asks_for_it_and_by_no_other_condition() {
    let toml = "name = \"d\"\n[[error]]\nwhen = { content_type = \"application/problem\", status = \"200-499\" }\nnot_null = \"error\"\n";
    let dialect = Dialect::from_toml("d.toml", toml).unwrap();
    for (media_type, status, expected) in [
        ("application/problem", 200, true),
        ("application/problem", 500, true),
        ("text/html", 200, false),
        ("text/html", 500, false),
    ] {
        let headers = HeaderMap::from_iter([(CONTENT_TYPE, HeaderValue::from_static(media_type))]);
        let head = Head::new(status, &headers, SystemTime::UNIX_EPOCH);
        assert_eq!(dialect.names_media_type(&head), expected, "{media_type} {status}");
    }
}

#[test]
fn a_path_to_one_element_leaves_it_in_the_list() {
    let toml = "name = \"a\"\n[read]\ncode = \"errors[0].code\"\nfields = [{ list = \"errors\", path = \"field\", message = \"message\" }]\n";
    let dialect = Dialect::from_toml("a.toml", toml).unwrap();
    let body = br#"{"errors":[{"code":"A","field":"f","message":"m"},{"code":"B","field":"g","message":"n"}]}"#;
    let envelope = read_as(&dialect, [&body[..]]).unwrap();
    assert_eq!(envelope.code.as_deref(), Some("A"));
    assert_eq!(envelope.fields.iter().map(|field| field.path.as_ref()).collect::<Vec<_>>(), ["f", "g"]);
}

#[test]
fn a_hostile_list_of_fields_costs_little() {
    let messages = |count: usize| vec!["\"\""; count].join(",");
    let key = "k".repeat(32_000);
    for body in [
        format!(r#"{{"detail":{{"fieldErrors":{{"\u0041{key}":[{}]}}}}}}"#, messages(10_000)),
        format!(
            r#"{{"detail":{{"fieldErrors":{{{}}}}}}}"#,
            (0..5_000).map(|n| format!(r#""{n}":["m"]"#)).collect::<Vec<_>>().join(",")
        ),
    ] {
        let envelope = read_as(&dialects::veridia(), body.as_bytes().chunks(4096)).unwrap();
        assert_eq!(envelope.fields.len(), 256);
        assert!(envelope.fields.iter().all(|field| field.path.len() <= 256));
    }
}

#[test]
fn a_name_without_end_is_not_kept() {
    let long = format!("{{\"{}\":1,\"error_code\":7}}", "é".repeat(100_000));
    let whole = read(long.as_bytes()).unwrap();
    let pieces = read_as(&dialects::vlens(), long.as_bytes().chunks(7)).unwrap();
    assert_eq!((whole.code.as_deref(), whole == pieces), (Some("7"), true));
    let named = format!(r#"{{"details":{{"{}":["m"]}}}}"#, "é".repeat(1_000));
    let whole = read_as(&dialects::verilock(), [named.as_bytes()]).unwrap();
    let pieces = read_as(&dialects::verilock(), named.as_bytes().chunks(3)).unwrap();
    assert_eq!((whole.fields[0].path.as_ref(), whole == pieces), ("é".repeat(128).as_str(), true));
}

#[test]
fn a_hint_in_the_body_is_read_in_its_unit_and_not_as_a_field() {
    let read = |unit: &str, value: &str| {
        let toml = format!("name = \"a\"\n[read]\nhints = [{{ body = \"at\", unit = \"{unit}\" }}]\n");
        let body = format!("{{\"at\":{value}}}");
        let dialect = Dialect::from_toml("a.toml", &toml).unwrap();
        let envelope = read_as(&dialect, [body.as_bytes()]).unwrap();
        envelope.hint.map(|hint| hint.delay(SystemTime::UNIX_EPOCH).as_secs())
    };
    for (unit, value, expected) in [
        ("date", "\"Wed, 21 Oct 1970 07:28:00 GMT\"", Some(25_342_080)),
        ("date", "\"Tue, 01 Dec 1970 00:00:00 GMT\"", Some(28_857_600)),
        ("s", "\"30\"", Some(30)),
        ("s", "1e3", Some(1_000)),
        ("s", "\"1e3\"", None),
        ("s", "-3", None),
        ("s", "true", None),
        ("ms", "2500", Some(2)),
    ] {
        assert_eq!(read(unit, value), expected, "{unit} {value}");
    }
    let body = br#"{"error":"rate_limit_exceeded","details":{"retry_after":"30"}}"#;
    let envelope = read_as(&dialects::verilock(), [&body[..]]).unwrap();
    assert!(envelope.hint.is_some() && envelope.fields.is_empty());
}

#[test]
fn a_member_of_a_wrong_type_is_absent_and_loses_nothing_else() {
    for body in [
        r#"{"error_code":1050,"error_message":{"a":"b"},"error_descriptions":"x"}"#,
        r#"{"error_code":1050,"error_message":["a"],"error_descriptions":{"field":"a"}}"#,
        r#"{"error_code":1050,"error_message":true,"error_descriptions":[1,null,[[]],{"field":[]}]}"#,
    ] {
        let envelope = read(body.as_bytes()).unwrap();
        assert_eq!(envelope.code.as_deref(), Some("1050"), "{body}");
        assert_eq!((envelope.message, envelope.fields.len()), (None, 0), "{body}");
    }
    let envelope = read(br#"{"error_code":{"n":1},"error_message":"m"}"#).unwrap();
    assert_eq!(envelope.code, None);
    assert!(envelope.signalled, "an object is not null");
}

#[test]
fn depth_is_limited_in_kept_and_in_skipped_data() {
    for member in ["error_descriptions", "skipped"] {
        for (open, close) in [("[", "]"), ("{\"a\":", "}")] {
            let value = |depth| nested(open, close, depth).replace(":}", ":1}");
            let body = |depth| format!("{{\"{member}\":{}}}", value(depth));
            assert!(read(body(127).as_bytes()).is_ok(), "{member} {open}");
            assert_eq!(read(body(128).as_bytes()), Err(Unreadable::TooDeep), "{member} {open}");
        }
    }
    let bomb = format!("{{\"skipped\":{}", "[".repeat(5_000_000));
    assert_eq!(read(bomb.as_bytes()), Err(Unreadable::TooDeep));
}

#[test]
fn one_byte_order_mark_is_skipped() {
    assert!(read(b"\xef\xbb\xbf{\"error_code\":1}").unwrap().signalled);
    assert_eq!(read(b"\xef\xbb\xbf\xef\xbb\xbf{}"), Err(Unreadable::NotJson));
    assert_eq!(read(b"\xef\xbb{}"), Err(Unreadable::NotJson));
}

#[test]
fn invalid_text_is_replaced_and_not_fatal() {
    let envelope = read(b"{\"error_message\":\"bad \xff\xfe byte\",\"error_code\":\"\\ud800\"}").unwrap();
    assert_eq!(envelope.message.as_deref(), Some("bad \u{fffd}\u{fffd} byte"));
    assert_eq!(envelope.code.as_deref(), Some("\u{fffd}"));
    let envelope =
        read(br#"{"error_message":"\ud83d\ude00 \u00e9 \ud83dx \ude00 \ud83d\ud83d\ude00 \"\\\/\b\f\n\r\t"}"#).unwrap();
    let expected = "😀 é \u{fffd}x \u{fffd} \u{fffd}😀 \"\\/\u{8}\u{c}\n\r\t";
    assert_eq!(envelope.message.as_deref(), Some(expected));
}

#[test]
fn an_unreadable_body_names_the_reason() {
    let cases: [(&[u8], Unreadable); 11] = [
        (b"", Unreadable::Empty),
        (b" \r\n\t", Unreadable::Empty),
        (b"\xef\xbb\xbf", Unreadable::Empty),
        (b"<html>", Unreadable::NotJson),
        (b"\x1f\x8b\x08\x00", Unreadable::NotJson),
        (b"{\"error_code\":1", Unreadable::Truncated),
        (b"{\"error_code\":1050,\"error_me", Unreadable::Truncated),
        (b"[1,{\"error_code\":1}]", Unreadable::WrongRoot),
        (b"null", Unreadable::WrongRoot),
        (b"17", Unreadable::WrongRoot),
        (b"{} {}", Unreadable::NotJson),
    ];
    for (body, expected) in cases {
        assert_eq!(read(body), Err(expected), "{}", String::from_utf8_lossy(body));
    }
}

#[test]
fn grammar_is_enforced_in_skipped_data() {
    for value in [
        "01",
        "-",
        "+1",
        "1.",
        ".5",
        "1e",
        "1e+",
        "0x1",
        "NaN",
        "Infinity",
        "tru",
        "nul",
        "True",
        "'a'",
        "\"\\x\"",
        "\"\\u12g4\"",
        "[1,]",
        "[,1]",
        "[1 2]",
        "{\"a\"}",
        "{\"a\":}",
        "{a:1}",
        "{\"a\":1,}",
        "{\"a\":1]",
        "[1}",
        "1 1",
        "//x",
        "[1",
        "\u{feff}1",
    ] {
        let body = format!("{{\"error_code\":1,\"skipped\":{value}}}");
        assert!(matches!(read(body.as_bytes()), Err(Unreadable::NotJson | Unreadable::Truncated)), "{value}");
    }
    for value in ["0", "-0", "1e999", "1E+2", "-1.5e-3", "[]", "{}", "\"\\u0000\"", "[[], {}, \"\", null, true, false]"]
    {
        let body = format!(" {{ \"error_code\" : 1 ,\n\"skipped\":{value} }} ");
        assert!(read(body.as_bytes()).is_ok(), "{value}");
    }
}

#[test]
fn the_root_is_an_array_where_a_path_says_so() {
    let toml = "name = \"s\"\n[read]\ncode = \"[0].errorCode\"\nfields = [{ list = \"[0].fields\", path = \"name\", message = \"text\", nameless = true }]\n";
    let dialect = Dialect::from_toml("s.toml", toml).unwrap();
    let body = br#"[{"errorCode":"INVALID_SESSION_ID","fields":["Name"]},{"errorCode":"OTHER"}]"#;
    let envelope = read_as(&dialect, [&body[..]]).unwrap();
    assert_eq!(envelope.code.as_deref(), Some("INVALID_SESSION_ID"));
    assert_eq!(envelope.fields[0].message, "Name");
    assert_eq!(read_as(&dialect, [&b"{}"[..]]), Err(Unreadable::WrongRoot));
}

#[test]
fn borrowed_text_lies_in_the_body() {
    let body = br#"{"error_message":"plain","error_code":12}"#;
    let envelope = read(body).unwrap();
    assert!(matches!(envelope.message, Some(std::borrow::Cow::Borrowed(_))));
    assert!(matches!(envelope.code, Some(std::borrow::Cow::Borrowed(_))));
}

#[test]
fn a_signal_is_decided_as_early_as_it_can_be() {
    for (dialect, body, decision, at) in [
        (dialects::maleslab(), r#"{"success":true,"data":1}"#, Decision::Success, 15),
        (dialects::maleslab(), r#"{"success":false,"error":{}}"#, Decision::Error, 16),
        (dialects::vlens(), r#"{"data":{"error_code":9},"error_code":null}"#, Decision::Success, 42),
        (dialects::vlens(), r#"{"data":null,"error_code":{"#, Decision::Error, 27),
        (dialects::vlens(), r#"{"data":1}"#, Decision::Success, 10),
        (dialects::vlens(), "<html>", Decision::Success, 1),
        (dialects::vlens(), "[1]", Decision::Success, 1),
        (dialects::veridia(), "{", Decision::Success, 0),
    ] {
        let mut signal = Signal::new(&dialect, &head(200));
        let undecided = body.as_bytes()[..at].iter().position(|byte| signal.feed(&[*byte]) != Decision::Undecided);
        assert_eq!(undecided.map_or(0, |index| index + 1), at, "{body}");
        assert_eq!(signal.feed(b""), decision, "{body}");
    }
}

#[test]
fn a_signal_of_several_rules_is_decided_once_each_of_them_is() {
    let toml = "name = \"d\"\n[[error]]\nis_true = \"failed\"\n[[error]]\nnon_empty = \"errors\"\n[[error]]\nis_false = \"ok\"\n";
    let dialect = Dialect::from_toml("d.toml", toml).unwrap();
    // The part of the body that decides, and the rest.
    for (first, rest, decision) in [
        (r#"{"failed":true"#, r#","errors":[]}"#, Decision::Error),
        (r#"{"ok":false"#, r#","errors":[]}"#, Decision::Error),
        (r#"{"errors":[],"failed":false,"ok":true"#, r#","x":1}"#, Decision::Success),
        (r#"{"failed":false,"ok":true,"errors":[]"#, r#","x":1}"#, Decision::Success),
        (r#"{"failed":false,"ok":true,"errors":{}"#, r#","x":1}"#, Decision::Success),
        (r#"{"failed":false,"ok":true,"errors":null"#, r#","x":1}"#, Decision::Success),
        (r#"{"failed":false,"ok":true,"errors":[1]"#, r#","x":1}"#, Decision::Error),
        (r#"{"failed":false,"ok":true,"errors":{"a":["#, r#"]},"x":1}"#, Decision::Error),
        (r#"{"failed":false,"errors":[["#, r#"]],"ok":true}"#, Decision::Error),
        (r#"{"errors":"","ok":true,"failed":0,"#, r#""x":1}"#, Decision::Success),
        (r#"{"errors":"a""#, r#","ok":true,"failed":0,"x":1}"#, Decision::Error),
    ] {
        let body = [first, rest].concat();
        let mut signal = Signal::new(&dialect, &head(200));
        let undecided = body.bytes().position(|byte| signal.feed(&[byte]) != Decision::Undecided);
        assert_eq!((undecided.map(|at| &body[..=at]), signal.feed(b"")), (Some(first), decision), "{body}");
    }
}

fn json() -> impl Strategy<Value = String> {
    let leaf = prop_oneof![
        Just("null".to_owned()),
        Just("false".to_owned()),
        Just("1050".to_owned()),
        Just("-1.5e3".to_owned()),
        Just("\"\"".to_owned()),
        Just("\"text\"".to_owned()),
        Just("\"esc\\u00e9\\n\\ud83d\\ude00\"".to_owned()),
    ];
    let names = "error|error_code|error_message|error_descriptions|code|message|details|detail|fieldErrors|reason|field|success|request_id|x";
    let name = proptest::sample::select(names.split('|').collect::<Vec<_>>());
    leaf.prop_recursive(4, 32, 6, move |inner| {
        let member = (name.clone(), inner.clone()).prop_map(|(name, value)| format!("\"{name}\": {value}"));
        prop_oneof![
            proptest::collection::vec(inner, 0..4).prop_map(|items| format!("[{}]", items.join(","))),
            proptest::collection::vec(member, 0..6).prop_map(|members| format!("{{{}}}", members.join(", "))),
        ]
    })
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(2_000))]

    #[test]
    fn any_split_of_the_bytes_reads_the_same(body in json(), size in 1_usize..5) {
        for dialect in dialects::all() {
            let whole = read_as(&dialect, [body.as_bytes()]);
            let pieces = read_as(&dialect, body.as_bytes().chunks(size));
            prop_assert_eq!(whole, pieces);
        }
    }
}
