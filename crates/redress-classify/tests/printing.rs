//! Text from a hostile server stays on its line and does not control the terminal.

mod common;

use std::error::Error as StdError;

use common::{Script, answer, classify, data, fail};
use http::{HeaderValue, Response};
use redress_classify::{ApiError, ResponseExt, TransportError, dialects};
use serde_json::json;

/// Characters that control a terminal, break a line, change the direction of text or are invisible.
fn hostile() -> Vec<String> {
    let symbols =
        (0..0x20).chain(0x7f..0xa0).chain([0x61c, 0x200e, 0x200f]).chain(0x2028..0x202f).chain(0x2066..0x206a);
    let symbols = symbols.chain([0x200b, 0x200c, 0x200d, 0x2060, 0xfeff, 0xad, 0xe0001, 0xe0041]);
    let mut all: Vec<String> = symbols.filter_map(char::from_u32).map(|symbol| format!("a{symbol}b")).collect();
    all.extend(
        [
            "\x1b[31mred\x1b[0m",
            "\x1b[2J\x1b[H",
            "\x1b]0;title\x07",
            "\x1b]8;;https://evil.example\x1b\\link\x1b]8;;\x1b\\",
            "\x1b]52;c;Y2xpcGJvYXJk\x07",
            "\x1bP$q\x1b\\",
            "\x1b[6n",
            "\u{9b}31m",
            "\u{9d}0;title\u{9c}",
            "line\nERROR forged=1",
            "line\r\nERROR forged=1",
            "line\rERROR",
            "line\u{85}ERROR",
            "line\u{2028}ERROR",
            "line\u{2029}ERROR",
            "abc\x08\x08\x08xyz",
            "\u{202e}gnp.exe",
            "\u{2066}a\u{2069}",
            "tab\tbed",
            "nul\0byte",
        ]
        .map(str::to_owned),
    );
    all
}

/// Returns `true` if a text holds such a character, other than the ends of its own lines.
fn is_harmful(text: &str) -> bool {
    let harmful = |symbol: char| {
        let unseen =
            matches!(symbol, '\u{ad}' | '\u{200b}'..='\u{200d}' | '\u{2060}' | '\u{feff}' | '\u{e0000}'..='\u{e007f}');
        let breaks = matches!(symbol, '\u{2028}' | '\u{2029}');
        let turns =
            matches!(symbol, '\u{61c}' | '\u{200e}' | '\u{200f}' | '\u{202a}'..='\u{202e}' | '\u{2066}'..='\u{2069}');
        symbol.is_control() || unseen || breaks || turns
    };
    text.contains(harmful)
}

fn envelope(text: &str) -> Response<Script> {
    let body = json!({ "error": text, "message": text, "requestId": text,
        "detail": { "reason": text, "fieldErrors": { text: [text] } } });
    let mut response = answer(400, [data(body.to_string())]);
    // A header takes any character but control characters.
    if let Ok(value) = HeaderValue::from_bytes(text.as_bytes()) {
        response.headers_mut().append("retry-after", value);
    }
    response
}

#[tokio::test(start_paused = true)]
async fn the_text_of_a_server_stays_on_its_line_and_cannot_control_the_terminal() {
    let hostile = hostile();
    assert!(hostile.len() >= 100, "{} texts", hostile.len());
    let lines = |error: &ApiError| error.report().lines().count();
    let plain = classify(dialects::veridia(), envelope("plain")).await.ok_or_api_error().expect_err("a 400");
    let mut raw = hostile.clone();
    // As they are, not as JSON escapes: the report shows the body, too.
    raw.push("\u{1b}[31m{\"error\":\"".to_owned());
    for text in &raw {
        let responses =
            [envelope(text), answer(400, [data(text)]), answer(400, [data(format!("{{\"error\":\"{text}\"}}"))])];
        for response in responses {
            let response = classify(dialects::veridia(), response).await;
            let verdict = response.verdict().expect("a 400").clone();
            let error = verdict.api_error().expect("a server answered");
            for shown in [error.to_string(), format!("{error:?}"), format!("{verdict:?}")] {
                assert!(!is_harmful(&shown), "{text:?} is shown as {shown:?}");
            }
            let report = error.report();
            assert!(!report.lines().any(is_harmful), "{text:?} is reported as {report:?}");
            assert_eq!(report.lines().count(), lines(&plain), "{text:?} adds a line to {report}");
        }
    }
}

#[tokio::test(start_paused = true)]
async fn the_text_of_a_failed_transport_stays_on_its_line() {
    for text in hostile() {
        let error = fail(TransportError::connect(text.clone()).into()).await;
        for shown in [error.to_string(), format!("{error:?}")] {
            assert!(!is_harmful(&shown), "{text:?} is shown as {shown:?}");
        }
        assert!(error.source().is_some(), "whoever asks for the source gets it as it is");
    }
}

#[tokio::test(start_paused = true)]
async fn an_error_shows_code_and_status_and_never_the_message() {
    let secret = "jane@example.com";
    let body = format!(
        r#"{{"error":"invalid_body","message":"{secret}","requestId":"{secret}","detail":{{"fieldErrors":{{"email":["{secret}"]}}}}}}"#
    );
    let vlens = format!(r#"{{"error_code":1050,"error_message":"{secret}","error_descriptions":["{secret}"]}}"#);
    let no_code = format!(r#"{{"message":"{secret}"}}"#);
    for (dialect, status, body, shown, debug) in [
        (
            dialects::veridia(),
            400,
            body.as_str(),
            "Veridia: 400 invalid_body (invalid, fix_request)",
            "ApiError { dialect: \"veridia\", status: 400, code: Some(\"invalid_body\"), class: Invalid, recovery: FixRequest, .. }",
        ),
        (
            dialects::vlens(),
            200,
            &vlens,
            "Vlens: 200 1050 (rejected, new_input)",
            "ApiError { dialect: \"vlens\", status: 200, code: Some(\"1050\"), class: Rejected, recovery: NewInput, .. }",
        ),
        (
            dialects::ranex(),
            503,
            &no_code,
            "Ranex: 503 (unavailable, retry)",
            "ApiError { dialect: \"ranex\", status: 503, code: None, class: Unavailable, recovery: Retry, .. }",
        ),
        (
            dialects::generic(),
            500,
            secret,
            "API: 500 (internal, retry)",
            "ApiError { dialect: \"generic\", status: 500, code: None, class: Internal, recovery: Retry, .. }",
        ),
    ] {
        let response = classify(dialect, answer(status, [data(body)])).await;
        let verdict = format!("{:?}", response.verdict().expect("an error"));
        let error = response.ok_or_api_error().expect_err("an error");
        assert_eq!((error.to_string().as_str(), format!("{error:?}").as_str()), (shown, debug));
        assert!(!verdict.contains(secret), "{verdict}");
        assert_eq!(error.message(), Some(secret), "whoever asks for it gets it");
    }
}
