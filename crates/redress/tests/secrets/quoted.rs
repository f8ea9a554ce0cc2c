//! A server that quotes the credentials of the request, in every part of its response and in every form.

use std::fmt::Write;
use std::pin::Pin;
use std::task::{Context, Poll};

use bytes::Bytes;
use form_urlencoded::byte_serialize;
use http::{HeaderMap, HeaderValue, Request, Response};
use http_body::{Body, Frame};
use metrics_util::debugging::DebuggingRecorder;
use proptest::prelude::*;
use redress::{ApiError, BoxError, Error, RedressLayer, ResponseExt, StaticHeaders, TransportError, dialects};
use redress_sandbox::Recorder;
use tower::{Layer, ServiceExt, service_fn};

/// Bodies of a server, in which `@` stands for the quoted text.
const BODIES: [&str; 16] = [
    r#"{"error":"@","code":"@","message":"@","request_id":"@","requestId":"@","detail":{"reason":"@","fieldErrors":{"@":["@"]}}}"#,
    r#"{"error":{"code":"@","type":"@","status":"@","message":"@","param":"@","details":[{"reason":"@"}],"request_id":"@"}}"#,
    r#"{"error_code":"@","error_message":"@","error_descriptions":[{"field":"@","message":"@"}]}"#,
    r#"{"errors":[{"type":"@","extensions":{"code":"@"},"message":"no @","field":"@","code":"@"}],"data":null}"#,
    r#"{"type":"https://errors.example/@","title":"@","detail":"is @","instance":"@","errors":{"@":["@","@"]}}"#,
    r#"{"error":"invalid_token","error_description":"the token @ is not known"}"#,
    r#"{"@":"@","x":{"@":[1,"@"]}}"#,
    r#"{"success":false,"error":{"message":"@","errors":[{"path":"a.@","msg":"@"}]}}"#,
    r#"{"Code":"@","Message":"@","__type":"com.example#@","RequestId":"@"}"#,
    r#"{"message":"in a text: {\"token\":\"@\"}"}"#,
    "no such key: @",
    "@",
    "<Error><Code>@</Code><Message>@</Message><RequestId>@</RequestId></Error>",
    "<html><body><h1>403</h1><pre>x-api-key: @</pre></body></html>",
    "{\"error\":\"@\", broken @",
    r#"["@",{"code":"@","message":"@"}]"#,
];

/// The headers that the shipped dialects read of an error.
const HEADERS: [&str; 22] = [
    "x-request-id",
    "request-id",
    "x-ms-request-id",
    "x-ms-error-code",
    "x-amzn-requestid",
    "x-amzn-errortype",
    "x-amzn-query-error",
    "x-amz-request-id",
    "x-slack-req-id",
    "x-okta-request-id",
    "x-github-request-id",
    "x-opaque-id",
    "twilio-request-id",
    "paypal-debug-id",
    "audit-id",
    "apim-request-id",
    "retry-after",
    "x-ratelimit-reset",
    "ratelimit",
    "date",
    "content-type",
    "grpc-message",
];

/// How one layer of a server writes a text.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Form {
    Raw,
    Json,
    JsonWithSlashes,
    AllUnicode,
    Percent,
    LowerPercent,
    AllPercent,
    Xml,
    UpperCase,
}

const FORMS: [Form; 9] = [
    Form::Raw,
    Form::Json,
    Form::JsonWithSlashes,
    Form::AllUnicode,
    Form::Percent,
    Form::LowerPercent,
    Form::AllPercent,
    Form::Xml,
    Form::UpperCase,
];

impl Form {
    fn write(self, text: &str) -> String {
        let json = |text: &str| serde_json::to_string(text).unwrap().trim_matches('"').to_owned();
        let json =
            |text: &str| if text.ends_with('"') { json(&format!("{text} ")).trim_end().to_owned() } else { json(text) };
        let each = |write: &dyn Fn(u8) -> String| text.bytes().map(write).collect::<String>();
        match self {
            Self::Raw => text.to_owned(),
            Self::Json => json(text),
            Self::JsonWithSlashes => json(text).replace('/', "\\/"),
            Self::AllUnicode => each(&|byte| format!("\\u{byte:04x}")),
            Self::Percent => byte_serialize(text.as_bytes()).collect(),
            Self::LowerPercent => each(&|byte| {
                if byte.is_ascii_alphanumeric() { char::from(byte).into() } else { format!("%{byte:02x}") }
            }),
            Self::AllPercent => each(&|byte| format!("%{byte:02X}")),
            Self::Xml => text.replace('&', "&amp;").replace('<', "&lt;").replace('"', "&quot;").replace('/', "&#x2F;"),
            Self::UpperCase => text.to_uppercase(),
        }
    }
}

/// One response of the server.
#[derive(Clone, Debug)]
struct Answer {
    status: u16,
    headers: HeaderMap,
    body: Bytes,
    trailers: HeaderMap,
}

/// A body with trailers.
struct Trailed(Option<Bytes>, Option<HeaderMap>);

impl Body for Trailed {
    type Data = Bytes;
    type Error = BoxError;

    fn poll_frame(mut self: Pin<&mut Self>, _: &mut Context<'_>) -> Poll<Option<Result<Frame<Bytes>, BoxError>>> {
        let data = self.0.take().map(Frame::data);
        Poll::Ready(data.or_else(|| self.1.take().map(Frame::trailers)).map(Ok))
    }
}

impl Answer {
    /// Quotes a text in this form wherever the template and the headers have room for it.
    fn quoting(status: u16, body: &str, written: &str) -> Self {
        let body = Bytes::from(body.replace('@', written));
        let (mut headers, mut trailers) = (HeaderMap::new(), HeaderMap::new());
        if let Ok(value) = HeaderValue::from_str(written) {
            for name in HEADERS {
                headers.insert(name, value.clone());
            }
            trailers.insert("grpc-message", value);
        }
        let challenge = format!("Bearer realm=\"{written}\", error=\"{written}\", error_description=\"{written}\"");
        if let Ok(value) = HeaderValue::from_str(&challenge) {
            headers.insert("www-authenticate", value);
        }
        Self { status, headers, body, trailers }
    }

    fn response(&self) -> Response<Trailed> {
        let mut response = Response::new(Trailed(Some(self.body.clone()), Some(self.trailers.clone())));
        *response.status_mut() = self.status.try_into().unwrap();
        response.headers_mut().clone_from(&self.headers);
        response
    }
}

/// The credentials of a request, and the forms of them that must not be seen.
#[derive(Clone, Debug)]
struct Sent {
    authorization: String,
    key: String,
    forms: Vec<String>,
}

impl Sent {
    fn bearer(token: &str, key: &str) -> Self {
        let authorization = format!("Bearer {token}");
        Self {
            forms: vec![token.to_owned(), key.to_owned(), authorization.clone()],
            authorization,
            key: key.to_owned(),
        }
    }

    /// `Basic` with a user and a password, as base64.
    fn basic(user: &str, password: &str, key: &str) -> Self {
        use base64::Engine;
        let pair = format!("{user}:{password}");
        let token = base64::prelude::BASE64_STANDARD.encode(&pair);
        let authorization = format!("Basic {token}");
        let forms = [user, password, &pair, &token, &authorization, key];
        Self { forms: forms.map(str::to_owned).to_vec(), authorization, key: key.to_owned() }
    }

    fn layer(&self, dialect: &str) -> RedressLayer {
        let keys = StaticHeaders::new().header("authorization", self.authorization.as_str()).unwrap();
        let keys = keys.header("x-api-key", self.key.as_str()).unwrap();
        let layer = RedressLayer::new(dialects::by_name(dialect).unwrap());
        layer.credentials(keys, "https://api.example".parse().unwrap()).backoff(|backoff| backoff.random(|| 0))
    }

    /// Whether a printed text shows a form, as it is or as JSON, URLs or `Debug` write it.
    fn shown(&self, printed: &str) -> Option<&str> {
        let printed = printed.to_lowercase();
        let shows = |form: &&String| {
            let debug = format!("{form:?}");
            let mut written: Vec<_> = FORMS.iter().map(|way| way.write(form).to_lowercase()).collect();
            written.push(debug[1..debug.len() - 1].to_lowercase());
            written.iter().any(|written| printed.contains(written))
        };
        self.forms.iter().find(shows).map(String::as_str)
    }
}

fn printed_error(error: &ApiError) -> String {
    let mut text = format!("{error} {error:#} {error:?} {error:#?}\n{}\n", error.report());
    let parts = [error.code(), error.reason(), error.message(), error.request_id(), error.known_code()];
    let _ = writeln!(text, "{}", parts.into_iter().flatten().collect::<Vec<_>>().join("\n"));
    let _ = writeln!(text, "{}\n{}\n{:?}", error.guidance(), error.body(), error.hint());
    let _ =
        writeln!(text, "{:?}{:?}{:?}", error.code_location(), error.message_location(), error.request_id_location());
    for field in error.fields() {
        let _ = writeln!(text, "{} {} {field:?}", field.path, field.message);
    }
    if let Some(record) = error.record() {
        let _ = writeln!(text, "{record} {record:?} {record:#?}");
        for error in record.attempts().iter().filter_map(|attempt| attempt.verdict.as_ref()?.api_error()) {
            text += &error.report();
        }
    }
    text + &serde_json::to_string(error).unwrap() + &serde_json::to_string_pretty(error).unwrap()
}

/// Sends a request to a server that answers so; returns all that can be printed of the call, events and metrics included.
fn printed(sent: &Sent, dialect: &str, answer: &Answer) -> String {
    let recorder = Recorder::with_target("redress").pretty();
    let metrics = DebuggingRecorder::new();
    let runtime = tokio::runtime::Builder::new_current_thread().enable_time().start_paused(true).build().unwrap();
    let mut text = metrics::with_local_recorder(&metrics, || {
        let _guard = tracing::subscriber::set_default(recorder.clone());
        runtime.block_on(call(sent, dialect, answer))
    });
    for (key, ..) in metrics.snapshotter().snapshot().into_vec() {
        let _ = writeln!(text, "{key:?}");
    }
    text + &recorder.lines().join("\n")
}

async fn call(sent: &Sent, dialect: &str, answer: &Answer) -> String {
    let transport = service_fn(|_: Request<String>| async { Ok::<_, BoxError>(answer.response()) });
    let request = Request::get("https://api.example/v1/things").body(String::new()).unwrap();
    let response = sent.layer(dialect).layer(transport).oneshot(request).await.unwrap();
    let mut text = format!("{:?} {:?}\n", response.verdict(), response.record());
    let (head, body) = response.into_parts();
    let _ = writeln!(text, "{body:?}");
    let read = http_body_util::BodyExt::collect(body).await.unwrap();
    assert_eq!(read.trailers(), Some(&answer.trailers), "the response comes up as it was");
    assert_eq!((read.to_bytes(), &head.headers), (answer.body.clone(), &answer.headers));
    if let Err(error) = Response::from_parts(head, ()).ok_or_api_error() {
        text += &printed_error(&error);
    }
    text
}

#[track_caller]
fn assert_masked(sent: &Sent, dialect: &str, answer: &Answer) -> String {
    let text = printed(sent, dialect, answer);
    if let Some(form) = sent.shown(&text) {
        panic!("{dialect} shows {form} of {answer:?}:\n{text}");
    }
    text
}

/// Visible ASCII with what each syntax escapes.
fn secret() -> impl Strategy<Value = String> {
    "[A-Za-z0-9._~+/=%&<\"'\\\\-]{8,40}"
}

fn sent() -> impl Strategy<Value = Sent> {
    let word = "[A-Za-z0-9.@_+/%-]{8,16}";
    prop_oneof![
        (secret(), secret()).prop_map(|(token, key)| Sent::bearer(&token, &key)),
        (word, word, secret()).prop_map(|(user, password, key)| Sent::basic(&user, &password, &key)),
    ]
}

/// A case is a whole call: 64 of them, and as many as `PROPTEST_CASES` says.
fn config() -> ProptestConfig {
    let cases = std::env::var("PROPTEST_CASES").ok().and_then(|cases| cases.parse().ok()).unwrap_or(64);
    ProptestConfig { cases, failure_persistence: None, ..ProptestConfig::default() }
}

proptest! {
    #![proptest_config(config())]

    #[test]
    fn no_printed_form_shows_a_secret_that_the_server_quotes(
        sent in sent(),
        nth_form in any::<prop::sample::Index>(),
        ways in prop::collection::vec(prop::sample::select(&FORMS[..]), 1..=2),
        body in prop::sample::select(&BODIES[..]),
        dialect in prop::sample::select(dialects::NAMES),
        status in prop::sample::select(&[200_u16, 400, 401, 403, 404, 422, 429, 500, 503][..]),
        (before, after) in ("[a-z: ]{0,5}", "[a-z. ]{0,5}"),
    ) {
        let form = nth_form.get(&sent.forms).clone();
        // Capitals make no escapes.
        let ways = ways.iter().enumerate().filter(|(nth, way)| *nth == 0 || **way != Form::UpperCase);
        let written = ways.fold(format!("{before}{form}{after}"), |text, (_, way)| way.write(&text));
        assert_masked(&sent, dialect, &Answer::quoting(status, body, &written));
        // As JSON demands.
        assert_masked(&sent, dialect, &Answer::quoting(status, body, &Form::Json.write(&written)));
    }

    #[test]
    fn no_bound_leaves_a_part_of_a_secret(
        (token, key) in ("[A-Za-z0-9_/-]{24,64}", "[A-Za-z0-9_/-]{24,64}"),
        way in prop::sample::select(&FORMS[..]),
        bound in prop::sample::select(&[256_usize, 4096, 8192, 65_536][..]),
        cut in 1_usize..24,
        template in prop::sample::select(&["@", r#"{"code":"x","message":"#, r#"{"errors":{""#][..]),
        dialect in prop::sample::select(&["generic", "vlens", "problem", "veridia"][..]),
    ) {
        let sent = Sent::bearer(&token, &key);
        let text = way.write(&token);
        let start = template.trim_end_matches('@');
        let quote = if start.ends_with(':') { "\"" } else { "" };
        // A name is cut by its own length, all else by that of the body.
        let before = if bound == 256 { 0 } else { start.len() + quote.len() };
        let fill = bound.saturating_sub(cut + before);
        let body = format!("{start}{quote}{}{text}\":[\"no\"]}}}}", " x".repeat(fill.div_ceil(2)));
        let text = assert_masked(&sent, dialect, &Answer::quoting(400, &body, "x"));
        // No eight bytes of its beginning, wherever it was cut.
        prop_assert!(!text.to_lowercase().contains(&token[..8].to_lowercase()), "{}", text);
    }
}

#[test]
fn every_dialect_masks_the_values_in_each_template() {
    let sent = Sent::basic("alice.smith", "pass/w0rd+1", "sk-live_0123456789/ABC");
    let mut kinds =
        [200, 401, 429].into_iter().flat_map(|status| sent.forms.iter().map(move |form| (status, form))).cycle();
    for dialect in dialects::NAMES {
        for body in BODIES {
            let (status, form) = kinds.next().unwrap();
            assert_masked(&sent, dialect, &Answer::quoting(status, body, form));
        }
    }
}

#[test]
fn a_quoted_secret_would_be_seen() {
    let sent = Sent::bearer("s3cret-token/1", "sk-live_0123456789");
    for way in FORMS {
        let text = format!("x {} y", way.write("s3cret-token/1"));
        assert!(sent.shown(&text).is_some(), "{text}");
    }
    assert_eq!(sent.shown("x *** y"), None);
    // The quoted text is not a secret of this request: it is shown.
    let text = printed(&sent, "generic", &Answer::quoting(400, BODIES[0], "somebody-else"));
    assert!(text.matches("somebody-else").count() > 10, "{text}");
}

#[tokio::test(start_paused = true)]
async fn a_header_that_is_declared_not_secret_is_shown() {
    let keys = StaticHeaders::new().header("x-api-key", "sk-live_0123456789").unwrap();
    let keys = keys.public_header("x-tenant", "tenant-number-one").unwrap();
    let layer = RedressLayer::new(dialects::generic()).credentials(keys, "https://api.example".parse().unwrap());
    let answer = Answer::quoting(403, BODIES[10], "sk-live_0123456789 of tenant-number-one");
    let transport = service_fn(|request: Request<String>| {
        assert_eq!(request.headers()["x-tenant"], "tenant-number-one");
        std::future::ready(Ok::<_, BoxError>(answer.response()))
    });
    let request = Request::get("https://api.example/").body(String::new()).unwrap();
    let error = layer.layer(transport).oneshot(request).await.unwrap().ok_or_api_error().expect_err("a 403");
    assert_eq!(error.body(), "no such key: *** of tenant-number-one");
}

#[tokio::test(start_paused = true)]
async fn rules_and_codes_are_matched_before_masking() {
    let sent = Sent::bearer("insufficient_credits", "sk-live_0123456789");
    let answer = Answer::quoting(403, BODIES[0], "insufficient_credits");
    let transport = service_fn(|_: Request<String>| async { Ok::<_, BoxError>(answer.response()) });
    let request = Request::get("https://api.example/").body(String::new()).unwrap();
    let response = sent.layer("veridia").layer(transport).oneshot(request).await.unwrap();
    let error = response.ok_or_api_error().expect_err("a 403");
    assert_eq!((error.class(), error.code()), (redress::Class::QuotaExhausted, Some("***")));
    assert_eq!(error.known_code(), None);
}

#[tokio::test(start_paused = true)]
async fn an_error_of_the_transport_that_quotes_a_secret_is_masked_and_keeps_its_kind() {
    let sent = Sent::bearer("s3cret-token/1", "sk-live_0123456789");
    let transport = service_fn(|_: Request<String>| async {
        let goaway = std::io::Error::new(std::io::ErrorKind::ConnectionRefused, "goaway: s3cret-token\\/1");
        Err::<Response<Trailed>, BoxError>(TransportError::connect(goaway).into())
    });
    let request = Request::get("https://api.example/").body(String::new()).unwrap();
    let error: Error =
        sent.layer("generic").layer(transport).oneshot(request).await.map(drop).expect_err("no connection");
    let text = super::chain(&error);
    assert!(sent.shown(&text).is_none() && text.contains("***"), "{text}");
    assert!(error.is_connect() && error.record().is_some_and(|record| record.attempts().len() > 1));
}
