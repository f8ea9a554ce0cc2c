//! Verdicts about responses and transport errors.

mod common;

use std::io;
use std::time::{Duration, SystemTime};

use common::{Step, answer, classify, data, fail};
use http::{HeaderValue, Method, Response};
use redress_classify::{
    ApiError, Attempt, Class, Clock, Code, DecidedBy, Dialect, EndReason, Error, Phase, Record, Recovery, ResponseExt,
    TransportError, Verdict, dialects,
};
use redress_sandbox::Recorder;
use tokio::time::Instant;

async fn verdict(dialect: Dialect, answer: Response<common::Script>) -> Verdict {
    classify(dialect, answer).await.verdict().expect("an error").clone()
}

fn with(mut answer: Response<common::Script>, pairs: &[(&'static str, &'static str)]) -> Response<common::Script> {
    for (name, value) in pairs {
        answer.headers_mut().append(*name, HeaderValue::from_static(value));
    }
    answer
}

#[tokio::test(start_paused = true)]
async fn the_code_decides_before_the_status() {
    let limited = answer(418, [data(r#"{"error":"rate_limited","message":"slow","requestId":"r1"}"#)]);
    let limited = verdict(dialects::veridia(), limited).await;
    assert_eq!(
        (limited.class(), limited.recovery(), limited.decided_by()),
        (Class::RateLimited, Recovery::Retry, DecidedBy::Code)
    );
    let unlisted = verdict(dialects::veridia(), answer(404, [data(r#"{"error":"brand_new"}"#)])).await;
    assert_eq!((unlisted.class(), unlisted.decided_by()), (Class::NotFound, DecidedBy::Status));
    let signalled = verdict(dialects::vlens(), answer(200, [data(r#"{"error_code":77}"#)])).await;
    assert_eq!((signalled.class(), signalled.recovery()), (Class::Unknown, Recovery::ContactSupport));
    assert_eq!(signalled.decided_by(), DecidedBy::Signal);
    let added = dialects::vlens().with_code(Code::new("77", Class::TokenExpired));
    assert_eq!(verdict(added, answer(200, [data(r#"{"error_code":"77"}"#)])).await.class(), Class::TokenExpired);
}

#[tokio::test(start_paused = true)]
async fn a_challenge_distinguishes_an_expired_token_from_a_revoked_key() {
    let challenge = [("www-authenticate", r#"Bearer realm="x", error="invalid_token""#)];
    let expired = verdict(dialects::ranex(), with(answer(401, []), &challenge)).await;
    assert_eq!((expired.class(), expired.decided_by()), (Class::TokenExpired, DecidedBy::Header));
    let dead = answer(401, [data(r#"{"success":false,"error":{"code":"INVALID_API_KEY"}}"#)]);
    let dead = verdict(dialects::maleslab(), with(dead, &challenge)).await;
    assert_eq!((dead.class(), dead.decided_by()), (Class::Unauthenticated, DecidedBy::Code), "the code knows better");
    let forbidden = verdict(dialects::ranex(), with(answer(403, []), &challenge)).await;
    assert_eq!(forbidden.class(), Class::PermissionDenied);
}

#[tokio::test(start_paused = true)]
async fn bodies_without_an_envelope_are_judged_by_their_status() {
    let html = "<html><body>502 Bad Gateway</body></html>";
    let bodies: [(&str, Vec<Step>); 6] = [
        ("html", vec![data(html)]),
        ("empty", vec![]),
        ("truncated", vec![data(r#"{"error":"internal","mess"#)]),
        ("cut", vec![data(r#"{"error":"internal""#), Step::Break]),
        ("binary", vec![data(b"\x1f\x8b\x00\xff")]),
        ("array", vec![data(r#"["internal"]"#)]),
    ];
    for (name, steps) in bodies {
        let answer = with(answer(502, steps), &[("x-request-id", "req-9"), ("content-type", "application/json")]);
        let verdict = verdict(dialects::veridia(), answer).await;
        assert_eq!((verdict.class(), verdict.decided_by()), (Class::Unavailable, DecidedBy::Status), "{name}");
        let error = verdict.api_error().expect("a response came");
        let code = ["truncated", "cut"].contains(&name).then_some("internal");
        assert_eq!((error.code(), error.request_id()), (code, Some("req-9")), "{name}: what was said is shown");
    }
    let page = verdict(dialects::veridia(), answer(502, [data(html)])).await;
    assert_eq!(page.api_error().map(ApiError::body), Some(html));
    let long = verdict(dialects::veridia(), answer(502, [data("é".repeat(9000))])).await;
    let body = long.api_error().expect("a response came").body();
    assert!(body.len() <= 8192 + 2 && body.starts_with("éé"), "{}", body.len());
}

#[tokio::test(start_paused = true)]
async fn a_reason_refines_its_code() {
    let body = r#"{"error":"invalid_body","detail":{"reason":"selfie_not_uploaded"}}"#;
    let verdict = verdict(dialects::veridia(), answer(400, [data(body)])).await;
    let error = verdict.api_error().expect("a response came");
    assert_eq!((error.reason(), error.class()), (Some("selfie_not_uploaded"), Class::Invalid));
    assert!(error.guidance().contains("selfie"), "{}", error.guidance());
}

#[tokio::test(start_paused = true)]
async fn the_longest_of_all_hints_counts_and_dates_are_corrected() {
    let body = r#"{"error":"rate_limit_exceeded","details":{"retry_after":30}}"#;
    let longest = with(answer(429, [data(body)]), &[("retry-after", "5")]);
    let longest = verdict(dialects::verilock(), longest).await;
    assert_eq!(longest.hint_delay(Instant::now()), Some(Duration::from_secs(30)));
    let date = [("date", "Sun, 06 Nov 1994 08:49:37 GMT"), ("retry-after", "Sun, 06 Nov 1994 08:49:57 GMT")];
    let dated = verdict(dialects::ranex(), with(answer(503, []), &date)).await;
    assert_eq!(dated.hint_delay(Instant::now()), Some(Duration::from_secs(20)), "the server's clock is off by decades");
    tokio::time::advance(Duration::from_secs(15)).await;
    assert_eq!(dated.hint_delay(Instant::now()), Some(Duration::from_secs(5)));
    let far = verdict(dialects::ranex(), with(answer(503, []), &[("retry-after", "99999999999999999999")])).await;
    assert_eq!((far.hint_delay(Instant::now()), far.retry_at()), (None, None), "more than a server can mean");
}

#[tokio::test(start_paused = true)]
async fn a_report_holds_the_facts_for_support_and_no_secret() {
    let body = "{\"error\":\"insufficient_credits\",\"message\":\"none\\nleft\",\"requestId\":\"9f51\"}";
    let answer = with(answer(403, [data(body)]), &[("set-cookie", "session=secret"), ("retry-after", "9")]);
    let response = classify(dialects::veridia(), answer).await;
    let error = response.ok_or_api_error().expect_err("an error");
    let report = error.report();
    for part in
        ["Veridia", "POST /v1/things\n", "403", "insufficient_credits", "9f51", "retry-after 9", "none\\nleft", "Z\n"]
    {
        assert!(report.contains(part), "{part} is missing in\n{report}");
    }
    assert!(!report.contains("secret"), "{report}");
    assert_eq!(error.to_string(), "Veridia: 403 insufficient_credits (quota_exhausted, raise_limit)");
    assert!(!format!("{error:?}{error}").contains("left"), "a message is shown on request only");
    let json = serde_json::to_value(&error).expect("it serialises");
    assert_eq!((&json["code"], &json["class"]), (&"insufficient_credits".into(), &"quota_exhausted".into()));
    assert_eq!(json["message"], "none\nleft");
}

#[tokio::test(start_paused = true)]
async fn an_error_keeps_the_hint_and_its_report_has_the_place_of_it() {
    let in_body = "{\"error\":{\"code\":\"SLOW\",\"retry_after\":20}}";
    let toml =
        "name = \"shop\"\n[read]\ncode = \"error.code\"\n[[read.hints]]\nbody = \"error.retry_after\"\nunit = \"s\"\n";
    let shop = || Dialect::from_toml("shop.toml", toml).expect("the file is right");
    let date = ("retry-after", "Sun, 06 Nov 1994 08:49:57 GMT");
    for (headers, seconds, row) in [
        (&[][..], 20, "retry-after 20 s (error.retry_after in the body)\n"),
        (&[("retry-after", "7")], 20, "retry-after 7; 20 s (error.retry_after in the body)\n"),
        (&[("retry-after", "30")], 30, "retry-after 30 (retry-after header)\n"),
        (
            &[("date", "Sun, 06 Nov 1994 08:49:27 GMT"), date],
            30,
            "retry-after Sun, 06 Nov 1994 08:49:57 GMT: 30 s (retry-after header)\n",
        ),
    ] {
        let response = classify(shop(), with(answer(429, [data(in_body)]), headers)).await;
        let verdict = response.verdict().expect("a 429").clone();
        let error = response.ok_or_api_error().expect_err("a 429");
        assert!(error.report().contains(row), "{headers:?}: {}", error.report());
        assert_eq!((error.retry_at(), error.hint()), (verdict.retry_at(), verdict.hint()));
        assert_eq!(verdict.hint_delay(Instant::now()), Some(Duration::from_secs(seconds)));
        assert!(error.retry_at().is_some() && error.clone().hint().is_some());
    }
    let without = classify(shop(), answer(500, [])).await.ok_or_api_error().expect_err("a 500");
    assert_eq!((without.retry_at(), without.hint().is_none(), without.record().is_none()), (None, true, true));
    assert!(without.report().contains("retry-after -\n"));
}

#[tokio::test(start_paused = true)]
async fn an_error_keeps_the_record_of_its_response() {
    let mut response = classify(dialects::ranex(), answer(503, [])).await;
    let attempt = Attempt::new(Some(503), response.verdict().cloned(), false);
    response.extensions_mut().insert(Record::new(vec![attempt], EndReason::MaxAttempts));
    let error = response.ok_or_api_error().expect_err("a 503");
    assert_eq!(error.record().map(Record::end_reason), Some(EndReason::MaxAttempts));
}

#[tokio::test(start_paused = true)]
async fn a_code_is_known_if_the_dialect_lists_it() {
    for (code, known) in [("insufficient_credits", Some("insufficient_credits")), ("s3cret", None)] {
        let response = classify(dialects::veridia(), answer(403, [data(format!("{{\"error\":\"{code}\"}}"))])).await;
        let error = response.ok_or_api_error().expect_err("a 403");
        assert_eq!((error.code(), error.known_code()), (Some(code), known));
    }
}

#[tokio::test(start_paused = true)]
async fn a_report_is_bounded_and_says_when_it_is_cut() {
    let report = |steps: Vec<Step>| async {
        classify(dialects::veridia(), answer(500, steps)).await.ok_or_api_error().expect_err("a 500").report()
    };
    let long = report(vec![data(format!(r#"{{"error":"internal","requestId":"{}"}}"#, "q".repeat(60_000)))]).await;
    assert!(long.len() < 12_000 && long.ends_with("... (cut)"), "{}", long.len());
    let binary = report(vec![data(vec![0xff; 20_000])]).await;
    assert!(binary.len() < 12_000 && binary.ends_with("... (cut)"), "{}", binary.len());
    assert!(report(vec![data(r#"{"error":"#), Step::Hang]).await.ends_with(r#"{"error": ... (cut)"#));
    assert!(report(vec![data(r#"{"error":"internal"}"#)]).await.ends_with(r#"{"error":"internal"}"#));
}

#[tokio::test(start_paused = true)]
async fn a_report_has_the_time_of_the_request() {
    let clock = redress_classify::Clock::anchored(SystemTime::UNIX_EPOCH + Duration::from_secs(1_000));
    let slow = tower::service_fn(|_: http::Request<()>| async {
        tokio::time::sleep(Duration::from_secs(25)).await;
        Ok::<_, std::io::Error>(answer(500, [data("{}")]))
    });
    let layer = redress_classify::ClassifyLayer::new(dialects::veridia()).clock(clock);
    let response = tower::ServiceExt::oneshot(tower::Layer::layer(&layer, slow), http::Request::new(())).await.unwrap();
    let report = response.ok_or_api_error().unwrap_err().report();
    assert!(report.contains("time        1970-01-01T00:16:40.000Z\n"), "{report}");
}

#[test]
fn without_a_classify_layer_the_head_decides() {
    let response =
        |challenge: &'static str| Response::builder().status(401).header("www-authenticate", challenge).body(());
    let clock = redress_classify::Clock::anchored(SystemTime::UNIX_EPOCH);
    let verdict = |challenge| Verdict::from_head(&response(challenge).unwrap(), &dialects::ranex(), &clock).unwrap();
    assert_eq!(verdict("Bearer error=\"invalid_token\"").class(), Class::TokenExpired);
    assert_eq!(verdict("Bearer").class(), Class::Unauthenticated);
    assert!(Verdict::from_head(&Response::new(()), &dialects::ranex(), &clock).is_none());
}

#[tokio::test(start_paused = true)]
async fn an_invalid_request_must_be_fixed() {
    let error = fail(TransportError::request("no host").into()).await;
    assert_eq!(
        (error.phase(), error.class(), error.recovery()),
        (Phase::NotSent, Class::Invalid, Recovery::FixRequest)
    );
}

#[tokio::test(start_paused = true)]
async fn transport_errors_have_a_phase() {
    for (error, phase, timeout) in [
        (TransportError::connect("dns").into(), Phase::NotSent, false),
        (TransportError::timeout("late").into(), Phase::MaybeProcessed, true),
        (io::Error::from(io::ErrorKind::ConnectionRefused).into(), Phase::NotSent, false),
        (io::Error::from(io::ErrorKind::UnexpectedEof).into(), Phase::MaybeProcessed, false),
    ] {
        let error: Error = fail(error).await;
        assert_eq!((error.phase(), error.is_timeout()), (phase, timeout));
        assert_eq!((error.class(), error.recovery()), (Class::Unavailable, Recovery::Retry));
        assert!(error.is_transport() && std::error::Error::source(&error).is_some());
    }
}

#[tokio::test(start_paused = true)]
async fn exhausted_credits_raise_an_alert() {
    let alerts = Recorder::with_target("redress::alert");
    let _guard = tracing::subscriber::set_default(alerts.clone());
    verdict(dialects::veridia(), answer(403, [data(r#"{"error":"origin_not_allowed"}"#)])).await;
    assert!(alerts.lines().is_empty());
    verdict(dialects::veridia(), answer(403, [data(r#"{"error":"insufficient_credits"}"#)])).await;
    let expected = "dialect=\"veridia\" status=403 class=\"quota_exhausted\"";
    assert_eq!(
        alerts.lines(),
        [format!("ERROR redress::alert message=credits or plan used up: raise the limit {expected}")]
    );
}

#[tokio::test(start_paused = true)]
async fn a_success_that_is_too_long_to_be_held_is_reported() {
    let recorder = Recorder::with_target("redress::classify");
    let _guard = tracing::subscriber::set_default(recorder.clone());
    for (megabytes, events) in [(1, 0), (2, 1)] {
        let body = format!(r#"{{"data":"{}","error_code":null}}"#, "x".repeat(megabytes * 1_000_000));
        let response = classify(dialects::vlens(), answer(200, body.as_bytes().chunks(10_000).map(data))).await;
        assert_eq!((response.verdict().is_none(), warnings(&recorder)), (true, events));
    }
}

fn warnings(recorder: &Recorder) -> usize {
    recorder.lines().iter().filter(|line| line.starts_with("WARN ")).count()
}

#[test]
fn a_credential_in_the_path_is_not_shown() {
    let (head, ()) = Response::builder().status(404).body(()).unwrap().into_parts();
    let uri = "/bot123:SECRET/sendMessage?chat_id=1".parse().unwrap();
    let telegram = dialects::by_name("telegram").expect("it is shipped");
    let verdict = Verdict::from_response(&telegram, &Method::POST, &uri, &head, &Clock::system(), &[]).unwrap();
    let report = verdict.api_error().expect("a response came").report();
    assert!(report.contains("POST /bot***/sendMessage\n") && !report.contains("SECRET"), "{report}");
}

#[tokio::test(start_paused = true)]
async fn a_verdict_has_the_servers_retry_flag_and_the_bytes_read() {
    let dialect = Dialect::from_toml("a.toml", "name = \"a\"\n[retry]\nflags = [{ header = \"x-should-retry\" }]\n");
    let dialect = dialect.expect("the file is right");
    for (flag, expected) in [(None, None), (Some("true"), Some(true)), (Some("false"), Some(false)), (Some("?"), None)]
    {
        let mut response = Response::builder().status(409);
        if let Some(flag) = flag {
            response = response.header("x-should-retry", flag);
        }
        let response = response.body(()).expect("legal parts");
        let by_head = Verdict::from_head(&response, &dialect, &Clock::system()).expect("an error");
        assert_eq!((by_head.should_retry(), by_head.body_read()), (expected, 0), "{flag:?}");
        let pairs: Vec<_> = flag.map(|flag| ("x-should-retry", flag)).into_iter().collect();
        let verdict = verdict(dialect.clone(), with(answer(409, [data("twelve "), data("bytes")]), &pairs)).await;
        assert_eq!((verdict.should_retry(), verdict.body_read()), (expected, 12), "{flag:?}");
    }
}

/// Returns a GraphQL dialect whose vendor documents that throttled requests are not processed.
const REJECTS: &str = r#"
extends = "graphql"
[codes.THROTTLED]
class = "rate_limited"
not_processed = true
[codes.BUSY]
class = "rate_limited"
[status.420]
not_processed = true
[[rules]]
when = { status = 400, message = "slow down*" }
class = "rate_limited"
not_processed = true
[[rules]]
when = { header = "x-rejected" }
not_processed = true
"#;

#[tokio::test(start_paused = true)]
async fn only_a_documented_code_means_that_nothing_was_processed() {
    let dialect = Dialect::from_toml("rejects.toml", &format!("name = \"rejects\"\n{REJECTS}")).expect("it is right");
    let error = |code: &str| format!(r#"{{"errors":[{{"message":"x","extensions":{{"code":"{code}"}}}}]}}"#);
    let beside = |data: &str| format!(r#"{{"data":{data},"errors":[{{"extensions":{{"code":"THROTTLED"}}}}]}}"#);
    for (name, status, body, header, expected) in [
        ("a code", 400, error("THROTTLED"), false, true),
        ("a code on a success status", 200, error("THROTTLED"), false, true),
        ("a code beside data that is null: the execution began", 200, beside("null"), false, false),
        ("a code beside data", 200, beside(r#"{"pay":null}"#), false, false),
        ("a code of the same class", 429, error("BUSY"), false, false),
        ("a code in a body that breaks off", 400, error("THROTTLED").replace("]}", ""), false, false),
        ("a success status whose body breaks off", 200, error("THROTTLED").replace("]}", ""), false, false),
        ("a status", 420, String::new(), false, true),
        ("a code at such a status", 420, error("BUSY"), false, false),
        ("a rule", 400, r#"{"errors":[{"message":"slow down, please"}]}"#.to_owned(), false, true),
        ("a rule at another status", 500, r#"{"errors":[{"message":"slow down, please"}]}"#.to_owned(), false, false),
        ("a rule without a class", 500, error("BUSY"), true, true),
        ("a status alone", 429, String::new(), false, false),
    ] {
        let answer = answer(status, [data(&body)]);
        let answer = if header { with(answer, &[("x-rejected", "yes")]) } else { answer };
        let verdict = classify(dialect.clone(), answer).await.verdict().cloned();
        assert_eq!(verdict.is_some_and(|verdict| verdict.is_not_processed()), expected, "{name}");
    }
}
