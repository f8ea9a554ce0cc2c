//! The proofs that a request was not processed: the table of `docs/retries.md`, row by row, and that nothing else is proof.

mod common;

use common::*;
use http::{HeaderName, HeaderValue, Response};
use proptest::prelude::*;
use redress_backoff::BackoffLayer;
use redress_classify::{ClassifyLayer, Dialect, EndReason, Phase, TransportError, dialects};
use tower::{Layer, ServiceExt};

/// Sends a POST without a key to a server that always answers alike. Returns the number of requests and the end of the call.
async fn posted(
    layer: &BackoffLayer,
    dialect: &Dialect,
    status: u16,
    headers: &[(&str, &str)],
    body: &str,
) -> (usize, Option<EndReason>) {
    let mut response = Response::builder().status(status).body(body.to_owned()).expect("a status");
    for (name, value) in headers {
        let name = HeaderName::from_bytes(name.as_bytes()).expect("a name");
        response.headers_mut().append(name, HeaderValue::from_str(value).expect("a value"));
    }
    let (head, body) = response.into_parts();
    let mock = StrictMock::new(move |_: &http::Request<String>| {
        let answer = Response::from_parts(head.clone(), body.clone());
        async move { Ok(answer) }
    });
    let handle = mock.handle();
    let stack = layer.layer(ClassifyLayer::new(dialect.clone()).layer(mock));
    let outcome = stack.oneshot(request("POST")).await.map(|response| response.map(|_| String::new()));
    (handle.calls(), stop(&outcome))
}

async fn silent_post(status: u16, headers: &[(&str, &str)]) -> (usize, Option<EndReason>) {
    posted(&layer(), &silent(), status, headers, "").await
}

const AGAIN: (usize, Option<EndReason>) = (3, Some(EndReason::MaxAttempts));
const ONCE: (usize, Option<EndReason>) = (1, Some(EndReason::NotIdempotent));

#[tokio::test(start_paused = true)]
async fn a_request_that_was_never_sent_is_not_processed() {
    for error in [|| TransportError::connect("refused"), || TransportError::refused_stream("refused")] {
        let answers = (0..3).map(|_| Answer::error(error())).collect();
        let (outcome, times) = run(&layer(), request("POST"), answers).await;
        assert_eq!((times.len(), stop(&outcome)), AGAIN);
    }
    for error in [|| TransportError::other("reset"), || TransportError::timeout("late"), || TransportError::body("cut")]
    {
        let (outcome, times) = run(&layer(), request("POST"), vec![Answer::error(error())]).await;
        assert_eq!((times.len(), stop(&outcome)), ONCE);
    }
}

#[tokio::test(start_paused = true)]
async fn a_429_is_not_processed() {
    assert_eq!(silent_post(429, &[]).await, AGAIN);
    assert_eq!(
        posted(
            &layer(),
            &dialect("[codes.E]\nclass = \"internal\"\n[read]\ncode = \"code\"\n"),
            429,
            &[],
            r#"{"code":"E"}"#
        )
        .await,
        AGAIN,
        "by the status"
    );
}

#[tokio::test(start_paused = true)]
async fn a_425_is_not_processed() {
    assert_eq!(silent_post(425, &[]).await, AGAIN);
}

#[tokio::test(start_paused = true)]
async fn a_503_with_retry_after_is_not_processed_unless_that_is_turned_off() {
    for header in [("retry-after", "1"), ("retry-after", "0")] {
        assert_eq!(silent_post(503, &[header]).await, AGAIN, "{header:?}");
        let off = layer().uncertain_503();
        assert_eq!(posted(&off, &silent(), 503, &[header], "").await, ONCE, "{header:?}, turned off");
    }
    for header in [("retry-after-ms", "20"), ("x-ms-retry-after-ms", "20")] {
        assert_eq!(silent_post(503, &[header]).await, ONCE, "{header:?} is a hint and not proof");
    }
    let (_, times) =
        run(&layer().uncertain_503(), request("GET"), vec![with(503, &[("retry-after", "3")]), answer(200)]).await;
    assert_eq!(times, [0, 3_000], "the hint counts all the same");
}

#[tokio::test(start_paused = true)]
async fn a_503_with_any_other_hint_proves_nothing() {
    let reset = ("x-ratelimit-reset", "1");
    for (name, dialect) in
        [("generic", dialects::generic()), ("problem", dialects::by_name("problem").expect("shipped"))]
    {
        for headers in [
            &[][..],
            &[("retry-after", "soon")],
            &[("retry-after", "-1")],
            &[("retry-after", "")],
            &[("ratelimit", "\"default\";r=99;t=1")],
            &[("ratelimit", "\"default\";r=0;t=1")],
            &[("ratelimit-reset", "1"), ("ratelimit-remaining", "0")],
            &[("x-ratelimit-limit", "100"), ("x-ratelimit-remaining", "99"), reset],
            &[("x-ratelimit-limit", "100"), ("x-ratelimit-remaining", "0"), reset],
            &[("x-retry-in", "1"), ("x-should-retry", "true")],
        ] {
            assert_eq!(posted(&layer(), &dialect, 503, headers, "{}").await, ONCE, "{name}: {headers:?}");
        }
    }
    let hinted = dialect(
        "[read]\nhints = [{ body = \"wait\", unit = \"s\" }, { header = \"x-wait\", unit = \"s\" }]\n[retry]\nflags = [{ header = \"grpc-retry-pushback-ms\", pushback = true }]\n",
    );
    for headers in [&[("x-wait", "1")][..], &[("grpc-retry-pushback-ms", "10")], &[]] {
        assert_eq!(posted(&layer(), &hinted, 503, headers, r#"{"wait":1}"#).await, ONCE, "{headers:?}");
    }
    let both = [("retry-after", "1"), ("x-wait", "2")];
    assert_eq!(
        posted(&layer(), &hinted, 503, &both, r#"{"wait":3}"#).await,
        AGAIN,
        "a longer hint hides no Retry-After"
    );
}

#[tokio::test(start_paused = true)]
async fn a_421_is_not_processed() {
    assert_eq!(silent_post(421, &[]).await, AGAIN);
}

#[tokio::test(start_paused = true)]
async fn a_413_with_retry_after_is_not_processed() {
    assert_eq!(silent_post(413, &[("retry-after", "1")]).await, AGAIN);
    let hinted = dialect("[read]\nhints = [{ header = \"x-wait\", unit = \"s\" }]\n");
    assert_eq!(posted(&layer(), &hinted, 413, &[("x-wait", "1")], "").await, ONCE);
}

#[tokio::test(start_paused = true)]
async fn a_documented_code_is_proof_and_a_class_is_not() {
    const TOML: &str = "[read]\ncode = \"code\"\n[codes.WORD]\nclass = \"unavailable\"\nnot_processed = true\n\
        [codes.CLASS]\nclass = \"rate_limited\"\n[status.420]\nclass = \"rate_limited\"\n[status.498]\nclass = \"rate_limited\"\nnot_processed = true\n\
        [[rules]]\nwhen = { header = \"x-limit\" }\nclass = \"rate_limited\"\n";
    let dialect = dialect(TOML);
    for (status, headers, body, expected) in [
        (400, &[][..], r#"{"code":"WORD"}"#, AGAIN),
        (500, &[], r#"{"code":"WORD"}"#, AGAIN),
        (400, &[], r#"{"code":"CLASS"}"#, ONCE),
        (500, &[], r#"{"code":"CLASS"}"#, ONCE),
        (420, &[], "", ONCE),
        (498, &[], "", AGAIN),
        (403, &[("x-limit", "1")], "", ONCE),
        (403, &[("x-limit", "1"), ("retry-after", "1")], "", ONCE),
    ] {
        assert_eq!(posted(&layer(), &dialect, status, headers, body).await, expected, "{status} {headers:?} {body}");
    }
}

#[tokio::test(start_paused = true)]
async fn the_documented_codes_of_each_shipped_dialect_are_proof() {
    for (name, status, headers, body, expected) in [
        ("aws-json", 400, &[][..], r#"{"__type":"ThrottlingException"}"#, AGAIN),
        ("aws-json", 400, &[], r#"{"__type":"x#ProvisionedThroughputExceededException"}"#, AGAIN),
        ("aws-json", 503, &[], r#"{"__type":"BandwidthLimitExceeded"}"#, ONCE),
        ("github", 403, &[], r#"{"message":"You have exceeded a secondary rate limit. Please wait."}"#, AGAIN),
        ("github", 403, &[("x-ratelimit-remaining", "0")], r#"{"message":"no"}"#, AGAIN),
        (
            "github",
            200,
            &[],
            r#"{"data":{"pay":null},"errors":[{"type":"RATE_LIMITED","message":"API rate limit exceeded"}]}"#,
            ONCE,
        ),
        ("google", 403, &[], r#"{"error":{"errors":[{"reason":"rateLimitExceeded"}]}}"#, AGAIN),
        ("google", 500, &[], r#"{"error":{"errors":[{"reason":"rateLimitExceeded"}]}}"#, ONCE),
        ("slack", 200, &[], r#"{"ok":false,"error":"ratelimited"}"#, AGAIN),
        ("facebook", 400, &[], r#"{"error":{"code":17}}"#, AGAIN),
        ("graphql", 200, &[], r#"{"errors":[{"message":"x","extensions":{"code":"THROTTLED"}}]}"#, AGAIN),
        ("graphql", 200, &[], r#"{"data":null,"errors":[{"extensions":{"code":"THROTTLED"}}]}"#, ONCE),
        ("jsonrpc", 200, &[], r#"{"jsonrpc":"2.0","error":{"code":-32005,"message":"x"},"id":1}"#, ONCE),
        ("oauth2", 400, &[], r#"{"error":"slow_down"}"#, ONCE),
        ("shopify", 200, &[], r#"{"errors":[{"message":"Throttled","extensions":{"code":"THROTTLED"}}]}"#, AGAIN),
        (
            "shopify",
            200,
            &[],
            r#"{"data":{"pay":null},"errors":[{"message":"Throttled","extensions":{"code":"THROTTLED"}}]}"#,
            ONCE,
        ),
        (
            "openrouter",
            402,
            &[],
            r#"{"error":{"code":402,"message":"no","metadata":{"limit_source":"openrouter_in_flight_budget"}}}"#,
            AGAIN,
        ),
        ("cloudflare", 200, &[], r#"{"success":false,"errors":[{"code":971,"message":"slow down"}]}"#, ONCE),
        ("idenfy", 400, &[], r#"{"identifier":"TOO_MANY_REQUESTS","message":"slow down"}"#, ONCE),
    ] {
        let dialect = dialects::by_name(name).expect("it is shipped");
        let layer = BackoffLayer::new(dialect.clone()).max_retry_after(std::time::Duration::from_secs(600));
        let (calls, stop) = posted(&layer, &dialect, status, headers, body).await;
        assert_eq!(
            (calls > 1, stop == Some(EndReason::NotIdempotent)),
            (expected == AGAIN, expected == ONCE),
            "{name} {status} {body}: {calls} {stop:?}"
        );
    }
}

#[tokio::test(start_paused = true)]
async fn a_rejected_request_is_resent_once_after_a_refresh() {
    let rejected = || {
        let mut response = Response::builder().status(401).body(String::new()).expect("a status");
        response.extensions_mut().insert(redress_classify::Refreshed);
        Answer::ok(response)
    };
    let (outcome, times) = run(&layer(), request("POST"), vec![rejected(), answer(200)]).await;
    assert_eq!((times.len(), outcome.expect("a response").status().as_u16()), (2, 200));
    let (_, times) = run(&layer(), request("POST"), vec![rejected(), rejected()]).await;
    assert_eq!(times.len(), 2, "the second rejection is handed up");
    let (_, times) = run(&layer(), request("POST"), vec![answer(401)]).await;
    assert_eq!(times.len(), 1, "without a refresh it is final");
}

/// A call whose first attempt may have been processed does not end with the phase `NotSent`.
#[tokio::test(start_paused = true)]
async fn a_call_with_a_maybe_processed_attempt_ends_as_maybe_processed() {
    let limited = dialect(
        "[read]\ncode = \"code\"\n[codes.CLASS]\nclass = \"rate_limited\"\n[codes.WORD]\nclass = \"rate_limited\"\nnot_processed = true\n",
    );
    for (body, phase) in [(r#"{"code":"CLASS"}"#, Phase::MaybeProcessed), (r#"{"code":"WORD"}"#, Phase::NotSent)] {
        let refused = || Answer::error(TransportError::connect("refused"));
        let (mock, _handle) = mock([saying(400, body), refused(), refused()]);
        let stack = layer().layer(ClassifyLayer::new(limited.clone()).layer(mock));
        let error = stack.oneshot(request("PUT")).await.map(drop).expect_err("no response");
        assert_eq!(error.phase(), phase, "{body}");
    }
}

/// Returns `true` if the table allows a retry.
fn allows(status: u16, headers: &[(&str, &str)], word: bool) -> bool {
    let retry_after = headers.iter().any(|(name, value)| *name == "retry-after" && value.parse::<u8>().is_ok());
    word || matches!(status, 421 | 425 | 429) || (matches!(status, 413 | 503) && retry_after)
}

/// A body with this code in the format of each dialect.
fn coded(code: &str) -> String {
    let code = quoted(code);
    format!(
        r#"{{"ok":false,"success":false,"status":"error","code":{code},"error_code":{code},"errorCode":{code},"__type":{code},
        "error":{{"code":{code},"status":{code},"type":{code},"message":"x"}},"errors":[{{"code":{code},"message":"x","extensions":{{"code":{code}}}}}],"message":"x",
        "category":{code},"event":{code},"id":{code},"Type":{code},"Code":{code},"error_type":{code},
        "Fault":{{"Error":[{{"code":{code}}}]}},"json":{{"errors":[[{code},"x","y"]]}}}}"#
    )
}

fn quoted(code: &str) -> String {
    if !code.is_empty() && code.bytes().all(|byte| byte.is_ascii_digit()) {
        code.to_owned()
    } else {
        format!("\"{code}\"")
    }
}

const HEADERS: &[(&str, &str)] = &[
    ("retry-after", "1"),
    ("retry-after", "0"),
    ("retry-after", "soon"),
    ("retry-after", "-5"),
    ("retry-after-ms", "15"),
    ("x-ms-retry-after-ms", "15"),
    ("ratelimit", "\"p\";r=0;t=1"),
    ("ratelimit", "\"p\";r=5;t=1"),
    ("ratelimit", "limit=100, remaining=0, reset=1"),
    ("ratelimit-reset", "1"),
    ("ratelimit-remaining", "0"),
    ("x-ratelimit-limit", "100"),
    ("x-ratelimit-remaining", "99"),
    ("x-ratelimit-remaining", "0"),
    ("x-ratelimit-reset", "1"),
    ("x-rate-limit-reset", "1"),
    ("x-should-retry", "true"),
    ("x-should-retry", "false"),
    ("should-retry", "true"),
    ("grpc-retry-pushback-ms", "5"),
    ("x-amz-retry-after", "5"),
    ("x-amzn-errortype", "ThrottlingException"),
    ("www-authenticate", "Bearer error=\"invalid_token\""),
];

proptest! {
    #![proptest_config(ProptestConfig::with_cases(6_000))]

    #[test]
    fn a_post_without_a_key_is_sent_once_unless_the_table_allows_more(
        status in prop_oneof![100_u16..=999, prop::sample::select(vec![200_u16, 400, 403, 408, 409, 413, 420, 421, 425, 429, 500, 502, 503, 504])],
        headers in prop::collection::vec(prop::sample::select(HEADERS), 0..4),
        name in prop::sample::select(dialects::all().iter().map(|dialect| dialect.name().to_owned()).collect::<Vec<_>>()),
        nth in any::<prop::sample::Index>(),
        with_code in any::<bool>(),
    ) {
        let dialect = dialects::by_name(&name).expect("it is shipped");
        let codes: Vec<_> = dialect.codes().map(|code| code.code.clone()).collect();
        let code = if with_code && !codes.is_empty() { codes[nth.index(codes.len())].clone() } else { String::new() };
        let body = if code.is_empty() { String::new() } else { coded(&code) };
        let runtime = tokio::runtime::Builder::new_current_thread().enable_time().start_paused(true).build();
        let (calls, word) = runtime.expect("a runtime").block_on(async {
            let layer = BackoffLayer::new(dialect.clone()).without_idempotency_key();
            let (calls, _) = posted(&layer, &dialect, status, &headers, &body).await;
            (calls, word(&dialect, status, &headers, &body))
        });
        prop_assert!(calls == 1 || allows(status, &headers, word), "{} sends: {} {} {:?} {}", calls, name, status, headers, code);
    }
}

/// Fails where a POST without a key arrives more than once though the table does not allow it.
async fn assert_table(dialect: &Dialect, status: u16, headers: &[(&str, &str)], body: &str) {
    let layer = BackoffLayer::new(dialect.clone()).without_idempotency_key();
    let (calls, _) = posted(&layer, dialect, status, headers, body).await;
    let is_allowed = calls == 1 || allows(status, headers, word(dialect, status, headers, body));
    assert!(is_allowed, "{calls} sends: {} {status} {headers:?} {body}", dialect.name());
}

#[tokio::test(start_paused = true)]
async fn no_status_or_header_outside_the_table_resends_a_post() {
    for name in ["generic", "problem", "stripe"] {
        let dialect = dialects::by_name(name).expect("it is shipped");
        for status in 100..=999 {
            assert_table(&dialect, status, &[], "").await;
            for header in HEADERS {
                assert_table(&dialect, status, &[*header], "").await;
            }
        }
    }
}

#[tokio::test(start_paused = true)]
async fn no_code_of_a_shipped_dialect_resends_a_post_unless_the_vendor_documents_it() {
    for dialect in dialects::all() {
        for code in dialect.codes() {
            for status in [200, 400, 403, 500, 503] {
                assert_table(&dialect, status, &[], &coded(&code.code)).await;
            }
        }
    }
}

/// Returns `true` if the response has a code that the vendor documents.
fn word(dialect: &Dialect, status: u16, headers: &[(&str, &str)], body: &str) -> bool {
    let mut response = Response::builder().status(status).body(()).expect("a status");
    for (name, value) in headers {
        let name = HeaderName::from_bytes(name.as_bytes()).expect("a name");
        response.headers_mut().append(name, HeaderValue::from_str(value).expect("a value"));
    }
    let (head, ()) = response.into_parts();
    let (method, uri) = (http::Method::POST, http::Uri::from_static("/v1/things"));
    let clock = redress_classify::Clock::system();
    let verdict = redress_classify::Verdict::from_response(dialect, &method, &uri, &head, &clock, &[body.as_bytes()]);
    verdict.is_some_and(|verdict| verdict.is_not_processed())
}
