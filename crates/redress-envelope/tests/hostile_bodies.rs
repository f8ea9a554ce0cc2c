//! Bodies of servers that lie, break off or mean harm: what is read of them, and that reading ends.

use std::sync::LazyLock;
use std::thread;
use std::time::SystemTime;

use http::HeaderMap;
use redress_envelope::{Decision, Envelope, Head, Signal, Unreadable, dialects};

/// Far less than a thread has by default: whoever follows nested data by recursion runs out of it.
const SMALL_STACK: usize = 256 * 1024;

fn head(status: u16) -> Head<'static> {
    static NONE: LazyLock<HeaderMap> = LazyLock::new(HeaderMap::new);
    Head::new(status, &NONE, SystemTime::UNIX_EPOCH)
}

/// Reads a body as Vlens writes it: code and message, or why there is none.
fn read(body: &[u8]) -> Result<(Option<String>, Option<String>), Unreadable> {
    let envelope = Envelope::read(&dialects::vlens(), &head(400), [body]);
    match envelope.unreadable {
        Some(why) => Err(why),
        None => Ok((envelope.code.map(Into::into), envelope.message.map(Into::into))),
    }
}

#[test]
fn hostile_json_loses_only_its_malformed_members() {
    let table: [(&[u8], Option<&str>, Option<&str>); 41] = [
        (b"{}", None, None),
        (b" {\"error_code\" :\t1\r\n}", Some("1"), None),
        (b"\xef\xbb\xbf{\"error_code\":1}", Some("1"), None),
        (b"{\"error_code\":1,\"error_code\":2}", Some("2"), None),
        (b"{\"error_code\":1,\"error_code\":null}", None, None),
        (b"{\"error_code\":1,\"error_code\":[2]}", None, None),
        (b"{\"error_code\":1,\"ERROR_CODE\":2}", Some("1"), None),
        (b"{\"error_code \":1}", None, None),
        (b"{\"error\\u005fcode\":1}", Some("1"), None),
        (b"{\"error\\u005Fcode\":1}", Some("1"), None),
        (b"{\"error_code\\u0000\":1}", None, None),
        (b"{\"\":1,\"error_code\":2}", Some("2"), None),
        (b"{\"x\":{\"error_code\":1}}", None, None),
        (b"{\"x\":[{\"error_code\":1}]}", None, None),
        (b"{\"error_code\":0}", Some("0"), None),
        (b"{\"error_code\":-0}", Some("-0"), None),
        (b"{\"error_code\":1e999}", Some("1e999"), None),
        (b"{\"error_code\":-1e-999}", Some("-1e-999"), None),
        (b"{\"error_code\":123456789012345678901234567890}", Some("123456789012345678901234567890"), None),
        (b"{\"error_code\":\"\"}", None, None),
        (b"{\"error_code\":\"\\u0000\"}", Some("\0"), None),
        (b"{\"error_code\":\" \"}", Some(" "), None),
        (b"{\"error_code\":{\"error_code\":1}}", None, None),
        (b"{\"error_message\":\"\\ud800\"}", None, Some("\u{fffd}")),
        (b"{\"error_message\":\"\\udc00\\ud800\"}", None, Some("\u{fffd}\u{fffd}")),
        (b"{\"error_message\":\"\\ud800\\u0041\"}", None, Some("\u{fffd}A")),
        (b"{\"error_message\":\"\\ud83d\\ude00\"}", None, Some("\u{1f600}")),
        (b"{\"error_message\":\"\\uD83D\\uDE00\"}", None, Some("\u{1f600}")),
        (b"{\"error_message\":\"\\uffff\"}", None, Some("\u{ffff}")),
        (b"{\"error_message\":\"\xff\"}", None, Some("\u{fffd}")),
        (b"{\"error_message\":\"\xc0\xaf\"}", None, Some("\u{fffd}\u{fffd}")),
        (b"{\"error_message\":\"\xed\xa0\x80\"}", None, Some("\u{fffd}\u{fffd}\u{fffd}")),
        (b"{\"error_message\":\"\xf4\x90\x80\x80\"}", None, Some("\u{fffd}\u{fffd}\u{fffd}\u{fffd}")),
        (b"{\"error_message\":\"\xe2\x82\"}", None, Some("\u{fffd}")),
        (b"{\"error_message\":\"\x7f\"}", None, Some("\u{7f}")),
        (b"{\"error_message\":\"\\u001b[31m\"}", None, Some("\u{1b}[31m")),
        (b"{\"error_message\":\"\\u202e\"}", None, Some("\u{202e}")),
        (b"{\"x\":\"\xff\\ud800\",\"error_code\":1}", Some("1"), None),
        (b"{\"\xff\":1,\"error_code\":1}", Some("1"), None),
        (b"{\"x\":1e999999999,\"error_code\":1}", Some("1"), None),
        (b"\"a text\"", None, Some("a text")),
    ];
    for (body, code, message) in table {
        let expected = Ok((code.map(str::to_owned), message.map(str::to_owned)));
        assert_eq!(read(body), expected, "{}", String::from_utf8_lossy(body));
    }
}

#[test]
fn hostile_json_that_is_none_says_why() {
    use Unreadable::{Empty, NotJson, Truncated, WrongRoot};
    let table: [(&[u8], Unreadable); 39] = [
        (b"", Empty),
        (b"\n", Empty),
        (b"\xef\xbb\xbf", Empty),
        (b"\x00", NotJson),
        (b"\x00\x00\xfe\xff", NotJson),
        (b"\xef\xbb\xbf\xef\xbb\xbf{}", NotJson),
        (b"{", Truncated),
        (b"{\"", Truncated),
        (b"{\"a", Truncated),
        (b"{\"a\"", Truncated),
        (b"{\"a\":", Truncated),
        (b"{\"a\":1", Truncated),
        (b"{\"a\":1,", Truncated),
        (b"{\"a\":tru", Truncated),
        (b"{\"a\":\"\\", Truncated),
        (b"{\"a\":\"\\u12", Truncated),
        (b"{\"a\":[", Truncated),
        (b"\"a", Truncated),
        (b"}", NotJson),
        (b"]", NotJson),
        (b"{]", NotJson),
        (b"{\"a\":1]", NotJson),
        (b"{\"a\":1}}", NotJson),
        (b"{\"a\":1}\x00", NotJson),
        (b"{\"a\":1};", NotJson),
        (b"{\"a\":1}{\"a\":1}", NotJson),
        (b")]}',\n{\"error_code\":1}", NotJson),
        (b"while(1);{\"error_code\":1}", NotJson),
        (b"callback({\"error_code\":1})", NotJson),
        (b"{\"a\":01}", NotJson),
        (b"{\"a\":0x1}", NotJson),
        (b"{\"a\":.5}", NotJson),
        (b"{\"a\":Infinity}", NotJson),
        (b"{\"a\":undefined}", NotJson),
        (b"{\"a\":\"\\x41\"}", NotJson),
        (b"[]", WrongRoot),
        (b"[1,{\"error_code\":1}]", WrongRoot),
        (b"true", WrongRoot),
        (b"-1.5e3", WrongRoot),
    ];
    for (body, expected) in table {
        assert_eq!(read(body), Err(expected), "{}", String::from_utf8_lossy(body));
    }
}

#[test]
fn a_type_that_cannot_be_meant_is_absent_and_nothing_else_is() {
    for (body, code, message, fields) in [
        (r#"[1]"#, None, None, 0),
        (r#"[1050,"m",[]]"#, None, None, 0),
        (r#"{"error_code":1050.0,"error_message":"m"}"#, Some("1050.0"), Some("m"), 0),
        (r#"{"error_code":1.05e3,"error_message":"m"}"#, Some("1.05e3"), Some("m"), 0),
        (r#"{"error_code":"1050","error_message":"m"}"#, Some("1050"), Some("m"), 0),
        (r#"{"error_code":4294967296,"error_message":"m"}"#, Some("4294967296"), Some("m"), 0),
        (r#"{"error_code":true,"error_message":"m"}"#, None, Some("m"), 0),
        (r#"{"error_code":[1050],"error_message":"m"}"#, None, Some("m"), 0),
        (r#"{"error_code":{"code":1050},"error_message":"m"}"#, None, Some("m"), 0),
        (r#"{"error_code":1,"error_message":7}"#, Some("1"), None, 0),
        (r#"{"error_code":1,"error_message":["m"]}"#, Some("1"), None, 0),
        (r#"{"error_code":1,"error_message":{"m":"m"}}"#, Some("1"), None, 0),
        (r#"{"error_code":1,"error_descriptions":"x"}"#, Some("1"), None, 0),
        (r#"{"error_code":1,"error_descriptions":{"field":"a","message":"b"}}"#, Some("1"), None, 0),
        (r#"{"error_code":1,"error_descriptions":[["a","b"]]}"#, Some("1"), None, 0),
        (r#"{"error_code":1,"error_descriptions":[{"field":7,"message":"b"}]}"#, Some("1"), Some("b"), 1),
        (r#"{"error_code":1,"error_descriptions":[{"field":"a","message":7}]}"#, Some("1"), None, 1),
        (r#"{"error_code":1,"error_descriptions":[{"field":true,"message":null}]}"#, Some("1"), None, 0),
    ] {
        let envelope = Envelope::read(&dialects::vlens(), &head(400), [body.as_bytes()]);
        let found = (envelope.code.as_deref(), envelope.message.as_deref(), envelope.fields.len());
        assert_eq!(found, (code, message, fields), "{body}");
    }
}

#[test]
fn a_million_levels_need_no_stack() {
    let shapes: [(&str, &str); 8] = [
        ("[", "]"),
        ("{\"a\":", "}"),
        ("[{\"a\":", "}]"),
        ("[1,", "]"),
        ("{\"a\":1,\"b\":", "}"),
        ("{\"\\u0061\":", "}"),
        (" [ ", " ] "),
        ("[[],{},", "]"),
    ];
    let reading = thread::Builder::new().stack_size(SMALL_STACK).spawn(move || {
        for (open, close) in shapes {
            for member in ["error_descriptions", "error_code", "skipped"] {
                for closed in [false, true] {
                    let end = if closed { close.repeat(1_000_000) } else { String::new() };
                    let body = format!("{{\"{member}\":{}1{end}}}", open.repeat(1_000_000));
                    assert_eq!(read(body.as_bytes()), Err(Unreadable::TooDeep), "{open} in {member}");
                    // An error that is signalled stays one; any other body is none.
                    let decision = Signal::new(&dialects::vlens(), &head(200)).feed(body.as_bytes());
                    let expected = if member == "error_code" { Decision::Error } else { Decision::Success };
                    assert_eq!(decision, expected, "{open} in {member}");
                }
            }
        }
    });
    reading.expect("a thread can be started").join().expect("the reading ends");
}

#[test]
fn many_names_of_one_length_read_as_any_others() {
    // Each has the same length, the same bytes in another order, and so the same sum, xor and product.
    let names: Vec<String> = (0..100_000_u32)
        .map(|nth| (0..17).map(|bit| if nth >> bit & 1 == 1 { "ab" } else { "ba" }).collect())
        .collect();
    let skipped: Vec<_> = names.iter().map(|name| format!("\"{name}\":1")).collect();
    let body = format!("{{{},\"error_code\":7}}", skipped.join(","));
    assert_eq!(read(body.as_bytes()), Ok((Some("7".to_owned()), None)));
    let mapped: Vec<_> = names.iter().map(|name| format!("\"{name}\":[\"m\"]")).collect();
    let body = format!("{{\"error\":\"x\",\"details\":{{{}}}}}", mapped.join(","));
    let envelope = Envelope::read(&dialects::verilock(), &head(422), [body.as_bytes()]);
    assert_eq!((envelope.code.as_deref(), envelope.fields.len()), (Some("x"), 256), "no more are kept");
    let again = format!("{{\"error\":\"x\",\"details\":{{{}}}}}", vec![mapped[0].as_str(); 100_000].join(","));
    let envelope = Envelope::read(&dialects::verilock(), &head(422), [again.as_bytes()]);
    assert_eq!((envelope.code.as_deref(), envelope.fields.len()), (Some("x"), 1), "the last of a name counts");
}
