//! gRPC: the status of a call in the head, or in the trailers of a response without a message.

mod common;

use std::time::Duration;

use common::{Script, Step, answer, classify, data, frames, request};
use http::{HeaderMap, HeaderName, HeaderValue, Request, Response};
use redress_classify::{
    Class, ClassifyLayer, DecidedBy, Dialect, Location, Phase, Recovery, ResponseExt, Verdict, When, dialects,
};
use tokio::time::Instant;
use tower::{Layer, ServiceExt, service_fn};

fn fields(pairs: &[(&'static str, &str)]) -> HeaderMap {
    let pairs = pairs.iter();
    pairs.map(|(name, value)| (HeaderName::from_static(name), HeaderValue::from_str(value).expect("a value"))).collect()
}

/// Returns a response to a call, with further fields in its head.
fn grpc(head: &[(&'static str, &str)], steps: impl IntoIterator<Item = Step>) -> Response<Script> {
    let mut response = answer(200, steps);
    *response.headers_mut() = fields(&[("content-type", "application/grpc")]);
    response.headers_mut().extend(fields(head));
    response
}

fn trailers(pairs: &[(&'static str, &str)]) -> Step {
    Step::Trailers(fields(pairs))
}

/// Returns base64 of a `google.rpc.Status` with details: type names and their messages.
fn details(messages: &[(&str, Vec<u8>)]) -> String {
    let mut status = vec![8, 8];
    for (kind, message) in messages {
        let url = format!("type.googleapis.com/google.rpc.{kind}");
        status.extend(field(3, &[field(1, url.as_bytes()), field(2, message)].concat()));
    }
    base64(&status)
}

fn field(number: u8, bytes: &[u8]) -> Vec<u8> {
    let len = u8::try_from(bytes.len()).ok().filter(|len| *len < 128).expect("a short field");
    [&[number << 3 | 2, len][..], bytes].concat()
}

fn base64(bytes: &[u8]) -> String {
    const DIGITS: &[u8; 64] = b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
    let mut text = String::new();
    for group in bytes.chunks(3) {
        let bits = group.iter().enumerate().fold(0, |bits, (nth, byte)| bits | u32::from(*byte) << (16 - 8 * nth));
        text.extend((0..=group.len()).map(|nth| char::from(DIGITS[(bits >> (18 - 6 * nth)) as usize & 63])));
    }
    text
}

const CODES: [(&str, Class, Recovery); 16] = [
    ("CANCELLED", Class::Unavailable, Recovery::Stop),
    ("UNKNOWN", Class::Unknown, Recovery::ContactSupport),
    ("INVALID_ARGUMENT", Class::Invalid, Recovery::FixRequest),
    ("DEADLINE_EXCEEDED", Class::Unavailable, Recovery::Stop),
    ("NOT_FOUND", Class::NotFound, Recovery::FixRequest),
    ("ALREADY_EXISTS", Class::Conflict, Recovery::Stop),
    ("PERMISSION_DENIED", Class::PermissionDenied, Recovery::Stop),
    ("RESOURCE_EXHAUSTED", Class::RateLimited, Recovery::Stop),
    ("FAILED_PRECONDITION", Class::Conflict, Recovery::Stop),
    ("ABORTED", Class::Conflict, Recovery::RestartFlow),
    ("OUT_OF_RANGE", Class::Invalid, Recovery::FixRequest),
    ("UNIMPLEMENTED", Class::Invalid, Recovery::FixRequest),
    ("INTERNAL", Class::Internal, Recovery::ContactSupport),
    ("UNAVAILABLE", Class::Unavailable, Recovery::Retry),
    ("DATA_LOSS", Class::Internal, Recovery::ContactSupport),
    ("UNAUTHENTICATED", Class::Unauthenticated, Recovery::RefreshToken),
];

#[tokio::test(start_paused = true)]
async fn each_code_is_read_from_the_head_and_from_the_trailers() {
    for ((name, class, recovery), number) in CODES.into_iter().zip(1..) {
        let number = number.to_string();
        let status = [("grpc-status", &*number), ("grpc-message", "too%20many")];
        for (shape, response) in [
            ("trailers-only", grpc(&status, [])),
            ("trailers after a head", grpc(&[], [trailers(&status)])),
            ("trailers after a wait", grpc(&[], [Step::Wait(Duration::from_secs(3)), trailers(&status)])),
            ("trailers after an empty frame", grpc(&[], [data(""), trailers(&status)])),
        ] {
            let response = classify(dialects::grpc(), response).await;
            let verdict = response.verdict().unwrap_or_else(|| panic!("{name}, {shape}"));
            assert_eq!((verdict.class(), verdict.recovery()), (class, recovery), "{name}, {shape}");
            assert_eq!(verdict.decided_by(), DecidedBy::Code, "{name}, {shape}");
            let error = response.ok_or_api_error().expect_err("an error");
            assert_eq!((error.code(), error.message()), (Some(name), Some("too many")), "{name}, {shape}");
        }
    }
}

#[tokio::test(start_paused = true)]
async fn data_commits_a_response_whatever_its_trailers_say() {
    let status = [("grpc-status", "14"), ("grpc-message", "later")];
    let message = || data(b"\0\0\0\0\x01x");
    let response = classify(dialects::grpc(), grpc(&[("x-a", "b")], [message(), trailers(&status)])).await;
    assert!(response.verdict().is_none() && response.headers()["x-a"] == "b");
    let (chunks, after, error) = frames(response.into_body()).await;
    assert_eq!((chunks.concat(), after, error), (b"\0\0\0\0\x01x".to_vec(), Some(fields(&status)), None));
}

#[tokio::test(start_paused = true)]
async fn a_response_that_became_an_error_keeps_its_head_and_its_trailers() {
    let status = [("grpc-status", "5"), ("x-a", "trailer")];
    let response = classify(dialects::grpc(), grpc(&[("x-a", "head")], [data(""), trailers(&status)])).await;
    assert!(response.verdict().is_some());
    assert_eq!(response.headers(), &fields(&[("content-type", "application/grpc"), ("x-a", "head")]));
    let (chunks, after, error) = frames(response.into_body()).await;
    assert_eq!((chunks.concat(), after, error), (vec![], Some(fields(&status)), None));
}

#[tokio::test(start_paused = true)]
async fn a_success_without_an_error_in_its_trailers_comes_up_as_it_is() {
    for (name, head, steps) in [
        ("a status of 0 in the head", vec![("grpc-status", "0")], vec![]),
        ("a status of 0 in the trailers", vec![], vec![trailers(&[("grpc-status", "0")])]),
        ("trailers without a status", vec![], vec![trailers(&[("x-a", "b")])]),
        ("nothing at all", vec![], vec![]),
        ("an empty body that ends late", vec![], vec![Step::Wait(Duration::from_secs(1)), data("")]),
    ] {
        let response = classify(dialects::grpc(), grpc(&head, steps)).await;
        assert!(response.verdict().is_none(), "{name}");
    }
}

#[tokio::test(start_paused = true)]
async fn a_stream_is_held_until_its_first_message_or_the_hold_timeout() {
    for (first, expected_ms) in [(2, 2_000), (5, 5_000), (60, 5_000)] {
        let start = Instant::now();
        let steps = [Step::Wait(Duration::from_secs(first)), data(b"\0\0\0\0\0"), trailers(&[("grpc-status", "14")])];
        let response = classify(dialects::grpc(), grpc(&[], steps)).await;
        assert!(response.verdict().is_none());
        assert_eq!(start.elapsed().as_millis(), expected_ms, "first message after {first} s");
        assert_eq!(frames(response.into_body()).await.0.concat(), b"\0\0\0\0\0");
    }
}

#[tokio::test(start_paused = true)]
async fn a_stream_that_breaks_off_before_its_first_message_is_a_failure_of_the_call() {
    let call = |steps: Vec<Step>| async move {
        let steps = std::sync::Mutex::new(Some(steps));
        let service = service_fn(move |_: Request<&'static str>| {
            let steps = steps.lock().expect("no panic").take().expect("one request");
            async { Ok::<_, std::io::Error>(grpc(&[], steps)) }
        });
        ClassifyLayer::new(dialects::grpc()).layer(service).oneshot(request()).await
    };
    let error = call(vec![Step::Break]).await.expect_err("there was no message");
    assert_eq!((error.phase(), error.class()), (Phase::MaybeProcessed, Class::Unavailable));
    let response = call(vec![data("x"), Step::Break]).await.expect("the first message commits");
    assert_eq!(frames(response.into_body()).await.2, Some("connection reset"));
}

#[tokio::test(start_paused = true)]
async fn details_give_wait_reason_fields_and_request_id() {
    let retry_info = ("RetryInfo", field(1, b"\x08\x02\x10\x80\xca\xb5\xee\x01"));
    let error_info = ("ErrorInfo", field(1, b"LOW_DISK"));
    let request_info = ("RequestInfo", field(1, b"rq-7"));
    let violation = [field(1, b"user.age"), field(2, b"is negative")].concat();
    let all = details(&[retry_info, error_info, request_info, ("BadRequest", field(1, &violation))]);
    for padding in ["", "="] {
        let bin = format!("{all}{padding}");
        let status = [("grpc-status", "8"), ("grpc-status-details-bin", &*bin)];
        for response in [grpc(&status, []), grpc(&[], [trailers(&status)])] {
            let response = classify(dialects::grpc(), response).await;
            let error = response.ok_or_api_error().expect_err("an error");
            let when = error.hint().map(|hint| hint.when());
            assert_eq!(when, Some(When::After(Duration::from_millis(2_500))), "{padding}");
            assert_eq!((error.reason(), error.request_id()), (Some("LOW_DISK"), Some("rq-7")));
            assert_eq!(&*error.fields()[0].path, "user.age");
            assert_eq!((error.class(), error.recovery()), (Class::RateLimited, Recovery::Retry));
            assert_eq!(error.code_location(), Some(&Location::Header("grpc-status".to_owned())));
        }
    }
}

#[tokio::test(start_paused = true)]
async fn an_exhausted_resource_is_retried_only_if_the_server_says_when() {
    let retry_info = || ("RetryInfo", field(1, b"\x08\x05"));
    let quota = |text: &str| ("QuotaFailure", field(1, &field(5, text.as_bytes())));
    for (name, further, messages, expected) in [
        ("nothing", None, vec![], (Class::RateLimited, Recovery::Stop)),
        ("RetryInfo", None, vec![retry_info()], (Class::RateLimited, Recovery::Retry)),
        ("a quota", None, vec![quota("PerMinute")], (Class::RateLimited, Recovery::Stop)),
        ("both", None, vec![quota("PerMinute"), retry_info()], (Class::RateLimited, Recovery::Retry)),
        ("a day", None, vec![quota("PerDay"), retry_info()], (Class::QuotaExhausted, Recovery::RaiseLimit)),
        ("a pushback", Some(("grpc-retry-pushback-ms", "250")), vec![], (Class::RateLimited, Recovery::Retry)),
        ("a refusal", Some(("grpc-retry-pushback-ms", "-1")), vec![retry_info()], (Class::RateLimited, Recovery::Stop)),
        (
            "nonsense",
            Some(("grpc-retry-pushback-ms", "soon")),
            vec![retry_info()],
            (Class::RateLimited, Recovery::Stop),
        ),
        (
            "a size",
            Some(("grpc-message", "received message larger than max (5 vs. 4)")),
            vec![],
            (Class::Invalid, Recovery::FixRequest),
        ),
    ] {
        let bin = details(&messages);
        let mut status = vec![("grpc-status", "8"), ("grpc-status-details-bin", &*bin)];
        status.extend(further);
        let response = classify(dialects::grpc(), grpc(&[], [trailers(&status)])).await;
        let verdict = response.verdict().expect("an error");
        assert_eq!((verdict.class(), verdict.recovery()), expected, "{name}");
    }
}

#[tokio::test(start_paused = true)]
async fn unreadable_details_change_nothing() {
    for bin in ["", "!", "AAAAA", "CAgSBHNsb3caMg", "CAgSBHNsb3c", "////////"] {
        let status = [("grpc-status", "14"), ("grpc-message", "m"), ("grpc-status-details-bin", bin)];
        let response = classify(dialects::grpc(), grpc(&status, [])).await;
        let error = response.ok_or_api_error().expect_err("an error");
        assert_eq!((error.code(), error.message(), error.hint()), (Some("UNAVAILABLE"), Some("m"), None), "{bin}");
    }
}

#[tokio::test(start_paused = true)]
async fn a_response_that_no_grpc_server_made_is_read_by_its_status() {
    for (status, class, recovery) in [
        (400, Class::Internal, Recovery::ContactSupport),
        (401, Class::Unauthenticated, Recovery::RefreshToken),
        (403, Class::PermissionDenied, Recovery::Stop),
        (404, Class::Invalid, Recovery::FixRequest),
        (405, Class::Unknown, Recovery::ContactSupport),
        (415, Class::Unknown, Recovery::ContactSupport),
        (429, Class::RateLimited, Recovery::Retry),
        (500, Class::Unknown, Recovery::ContactSupport),
        (502, Class::Unavailable, Recovery::Retry),
        (503, Class::Unavailable, Recovery::Retry),
        (504, Class::Unavailable, Recovery::Retry),
        (505, Class::Unknown, Recovery::ContactSupport),
    ] {
        let mut response = answer(status, [data("<html><body>Bad Gateway</body></html>")]);
        response.headers_mut().extend(fields(&[("content-type", "text/html")]));
        let response = classify(dialects::grpc(), response).await;
        let verdict = response.verdict().expect("an error");
        assert_eq!((verdict.class(), verdict.recovery()), (class, recovery), "{status}");
    }
}

#[tokio::test(start_paused = true)]
async fn a_status_of_a_call_beside_another_http_status_decides() {
    let mut response = grpc(&[("grpc-status", "5")], []);
    *response.status_mut() = http::StatusCode::SERVICE_UNAVAILABLE;
    let response = classify(dialects::grpc(), response).await;
    assert_eq!(response.verdict().map(Verdict::class), Some(Class::NotFound));
}

#[tokio::test(start_paused = true)]
async fn a_file_of_ones_own_adds_codes_and_reasons_to_those_of_grpc() {
    let toml = "name = \"acme\"\nextends = \"grpc\"\n[[rules]]\nwhen = { code = \"INTERNAL\", reason = \"LOW_DISK\" }\n\
        class = \"unavailable\"\n";
    let dialect = Dialect::from_toml("acme.toml", toml).expect("it is right");
    let bin = details(&[("ErrorInfo", field(1, b"LOW_DISK"))]);
    for (bin, class) in [(&*bin, Class::Unavailable), ("", Class::Internal)] {
        let status = [("grpc-status", "13"), ("grpc-status-details-bin", bin)];
        let response = classify(dialect.clone(), grpc(&[], [trailers(&status)])).await;
        assert_eq!(response.verdict().map(Verdict::class), Some(class));
    }
}

#[tokio::test(start_paused = true)]
async fn a_layer_that_commits_at_the_head_reads_no_trailers() {
    let status = [("grpc-status", "14")];
    for (head, steps, is_error) in [(vec![], vec![trailers(&status)], false), (status.to_vec(), vec![], true)] {
        let response = std::sync::Mutex::new(Some(grpc(&head, steps)));
        let service = service_fn(move |_: Request<&'static str>| {
            let response = response.lock().expect("no panic").take().expect("one request");
            async { Ok::<_, std::io::Error>(response) }
        });
        let layer = ClassifyLayer::new(dialects::grpc()).commit_at_head();
        let response = layer.layer(service).oneshot(request()).await.expect("a response");
        assert_eq!(response.verdict().is_some(), is_error);
    }
}
