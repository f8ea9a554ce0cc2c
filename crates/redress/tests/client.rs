//! The client: how it builds requests, and how it reads responses, over a sandbox and over a transport in memory.

use std::collections::{HashMap, VecDeque};
use std::convert::Infallible;
use std::error::Error as _;
use std::future::pending;
use std::num::NonZeroU32;
use std::pin::Pin;
use std::sync::{Arc, Mutex};
use std::task::{Context, Poll};
use std::time::Duration;

use bytes::Bytes;
use http::{HeaderMap, Method, Request, Response};
use http_body::{Body, Frame};
use http_body_util::{BodyExt, Full};
use redress::transport::Reqwest;
use redress::{
    Class, Client, ClientError, ClientResponse, Deadline, EndReason, Phase, Recovery, RedressLayer, Schedule,
    StaticHeaders, dialects,
};
use redress_sandbox::{Fault, Sandbox, Vendor};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpListener;
use tower::layer::layer_fn;
use tower::{Service, ServiceExt, service_fn};

const URL: &str = "https://api.example";
const SECOND: Duration = Duration::from_secs(1);

/// Settings that wait for a millisecond between attempts.
fn layer() -> RedressLayer {
    let ms = Duration::from_millis(1);
    let quick = Schedule { base: ms, factor: NonZeroU32::MIN, cap: ms };
    RedressLayer::new(dialects::generic()).backoff(|backoff| backoff.transient_backoff(quick).throttling_backoff(quick))
}

/// A client over a sandbox that answers in the form of the dialect `generic`.
async fn sandbox() -> (Sandbox, Client) {
    let sandbox = Sandbox::start_dialect(dialects::generic()).await.expect("a free port");
    let client = Client::new(layer()).and_then(|client| client.base_url(sandbox.url())).expect("a URL");
    (sandbox, client)
}

/// Methods, paths and statuses that a sandbox has seen.
fn log(sandbox: &Sandbox) -> Vec<(String, String, Option<u16>)> {
    sandbox.log().into_iter().map(|entry| (entry.method, entry.path, entry.status)).collect()
}

type Sent = Arc<Mutex<Vec<Request<Bytes>>>>;

/// A client whose transport answers each request with 200 and this text, and keeps the request.
fn echo(text: &'static str) -> (Client, Sent) {
    let sent = Sent::default();
    let kept = Arc::clone(&sent);
    let transport = service_fn(move |request: Request<reqwest::Body>| {
        let kept = Arc::clone(&kept);
        async move {
            let (head, body) = request.into_parts();
            let body = body.collect().await.expect("a buffered body").to_bytes();
            kept.lock().expect("no panic").push(Request::from_parts(head, body));
            Ok::<_, Infallible>(Response::new(Full::<Bytes>::from(text)))
        }
    });
    (Client::with_transport(layer(), transport), sent)
}

/// A body of frames that come one in each second; a missing one never comes.
struct Slow {
    frames: VecDeque<Option<&'static str>>,
    wait: Pin<Box<dyn Future<Output = ()> + Send + Sync>>,
}

impl Slow {
    fn new(frames: impl IntoIterator<Item = Option<&'static str>>) -> Self {
        Self { frames: frames.into_iter().collect(), wait: Box::pin(tokio::time::sleep(SECOND)) }
    }
}

impl Body for Slow {
    type Data = Bytes;
    type Error = Infallible;

    fn poll_frame(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Option<Result<Frame<Bytes>, Infallible>>> {
        std::task::ready!(self.wait.as_mut().poll(cx));
        self.wait = Box::pin(tokio::time::sleep(SECOND));
        match self.frames.pop_front() {
            Some(Some(text)) => Poll::Ready(Some(Ok(Frame::data(Bytes::from_static(text.as_bytes()))))),
            Some(None) => {
                self.wait = Box::pin(pending());
                Poll::Pending
            }
            None => Poll::Ready(None),
        }
    }
}

/// Sends a GET to a transport that answers with these frames.
async fn slow(frames: &'static [Option<&'static str>], layer: RedressLayer) -> Result<ClientResponse, ClientError> {
    let transport = service_fn(move |_: Request<reqwest::Body>| async move {
        Ok::<_, Infallible>(Response::new(Slow::new(frames.iter().copied())))
    });
    Client::with_transport(layer, transport).get(format!("{URL}/slow")).send().await
}

/// A server that reads a request, writes this answer and closes the connection.
async fn server(answer: &'static [u8]) -> String {
    let listener = TcpListener::bind("127.0.0.1:0").await.expect("a free port");
    let url = format!("http://{}", listener.local_addr().expect("it is bound"));
    tokio::spawn(async move {
        while let Ok((mut stream, _)) = listener.accept().await {
            let _ = stream.read(&mut [0; 4096]).await;
            let _ = stream.write_all(answer).await;
        }
    });
    url
}

#[tokio::test]
async fn each_method_is_sent_as_it_is_called() {
    let (sandbox, client) = sandbox().await;
    let requests = [
        client.get("/a"),
        client.post("/b"),
        client.put("/c"),
        client.patch("/d"),
        client.delete("/e"),
        client.head("/f"),
    ];
    for request in requests {
        assert_eq!(request.send().await.expect("an answer").status(), 200);
    }
    client.request(Method::OPTIONS, "/g").send().await.expect("an answer");
    let sent: Vec<_> = log(&sandbox).into_iter().map(|(method, path, _)| format!("{method} {path}")).collect();
    assert_eq!(sent, ["GET /a", "POST /b", "PUT /c", "PATCH /d", "DELETE /e", "HEAD /f", "OPTIONS /g"]);
}

#[tokio::test]
async fn a_request_that_is_rate_limited_is_sent_again() {
    let (sandbox, client) = sandbox().await;
    sandbox.script("POST /v1/charges", [Fault::error(429).retry_after("0")]);
    let response = client.post("/v1/charges").json(&HashMap::from([("amount", 100)])).send().await.expect("an answer");
    let record = response.record().expect("it was sent twice");
    assert_eq!((record.attempts().len(), record.end_reason()), (2, EndReason::Success));
    assert_eq!(response.json::<HashMap<String, u32>>().await.expect("an object"), HashMap::new());
    assert_eq!(log(&sandbox).iter().map(|entry| entry.2).collect::<Vec<_>>(), [Some(429), Some(200)]);
}

#[tokio::test]
async fn a_post_whose_answer_is_lost_is_sent_again_with_a_key_only() {
    let (sandbox, client) = sandbox().await;
    sandbox.script("POST /v1/charges", [Fault::drop()]);
    let error = client.post("/v1/charges").body("a=1").send().await.expect_err("the answer is lost");
    assert_eq!((error.phase(), error.class()), (Some(Phase::MaybeProcessed), Some(Class::Unavailable)));
    assert_eq!(error.record().map(redress::Record::end_reason), Some(EndReason::NotIdempotent));
    assert_eq!(sandbox.log().len(), 1);
    for request in [
        client.post("/v1/charges").idempotency_key("order-1"),
        client.post("/v1/charges").idempotent(),
        client.put("/v1/charges"),
    ] {
        let before = sandbox.log().len();
        sandbox.script("*", [Fault::drop()]);
        assert_eq!(request.body("a=1").send().await.expect("the second answer").status(), 200);
        assert_eq!(sandbox.log().len() - before, 2);
    }
}

#[tokio::test]
async fn a_request_without_retries_is_sent_once() {
    let (sandbox, client) = sandbox().await;
    sandbox.script("*", [Fault::error(503), Fault::error(503)]);
    assert_eq!(client.get("/health").no_retry().send().await.expect("an answer").status(), 503);
    assert_eq!(sandbox.log().len(), 1);
    assert_eq!(client.get("/health").send().await.expect("an answer").status(), 200);
    assert_eq!(sandbox.log().len(), 3);
}

#[tokio::test]
async fn credentials_of_the_layer_are_sent() {
    let sandbox = Sandbox::start(Vendor::Verilock).await.expect("a free port");
    let keys = StaticHeaders::new().header("x-api-key", "sandbox-api-key").expect("a legal value");
    let layer = RedressLayer::new(dialects::verilock()).credentials(keys, sandbox.url().parse().expect("an origin"));
    let client = Client::new(layer).expect("a client");
    let body = [("redirect_url", "https://me.example"), ("document_type", "passport")];
    let created = client
        .post(format!("{}/v1/sessions", sandbox.url()))
        .json(&HashMap::from(body))
        .send()
        .await
        .expect("an answer")
        .error_for_api()
        .expect("it is created");
    assert_eq!((created.status().as_u16(), sandbox.sessions()), (201, 1));
    assert_eq!(client.layer().tokens().generation(), 1);
}

#[tokio::test]
async fn headers_queries_and_bodies_are_sent_as_they_are_set() {
    let (client, sent) = echo("{}");
    let mut headers = HeaderMap::new();
    headers.append("x-tag", "a".parse().expect("a legal value"));
    headers.append("x-tag", "b".parse().expect("a legal value"));
    let json = client
        .post(format!("{URL}/items?page=2"))
        .query(&[("q", "a b&c"), ("empty", "")])
        .header("x-once", "first")
        .header("x-once", "second")
        .headers(headers)
        .bearer_auth("t0ken")
        .json(&["ü"]);
    json.send().await.expect("an answer");
    let form = client.put(format!("{URL}/form")).header("content-type", "application/x-form").form(&[("a", "b c")]);
    form.send().await.expect("an answer");
    let sent = std::mem::take(&mut *sent.lock().expect("no panic"));
    assert_eq!(sent[0].uri(), "https://api.example/items?page=2&q=a+b%26c&empty=");
    let values = |name: &str| {
        sent[0].headers().get_all(name).iter().map(|value| value.to_str().expect("ASCII")).collect::<Vec<_>>()
    };
    assert_eq!((values("x-once"), values("x-tag").len()), (vec!["second"], 2));
    assert_eq!((values("authorization"), values("content-type")), (vec!["Bearer t0ken"], vec!["application/json"]));
    assert_eq!(sent[0].body(), "[\"ü\"]");
    assert_eq!(
        (sent[1].method(), &sent[1].headers()["content-type"]),
        (&Method::PUT, &"application/x-form".parse().unwrap())
    );
    assert_eq!(sent[1].body(), "a=b+c");
}

#[tokio::test]
async fn a_buffered_body_is_sent_with_its_length() {
    let listener = TcpListener::bind("127.0.0.1:0").await.expect("a free port");
    let url = format!("http://{}", listener.local_addr().expect("it is bound"));
    let head = tokio::spawn(async move {
        let (mut stream, _) = listener.accept().await.expect("a connection");
        let mut head = vec![0; 4096];
        let read = stream.read(&mut head).await.expect("a request");
        stream.write_all(b"HTTP/1.1 200 OK\r\ncontent-length: 0\r\n\r\n").await.expect("it is read");
        String::from_utf8_lossy(&head[..read]).to_ascii_lowercase()
    });
    let client = Client::new(layer()).expect("a client");
    client.post(url).json(&[1, 2]).send().await.expect("an answer");
    let head = head.await.expect("no panic");
    assert!(head.contains("content-length: 5\r\n") && !head.contains("transfer-encoding"), "{head}");
}

#[test]
fn relative_urls_are_appended_to_the_base_and_absolute_ones_stand_for_themselves() {
    let plain = Client::new(layer()).expect("a client");
    let client = plain.clone().base_url("https://api.example/v1/").expect("a base");
    for (url, expected) in [
        ("/items", "https://api.example/v1/items"),
        ("items/1?a=b", "https://api.example/v1/items/1?a=b"),
        ("", "https://api.example/v1"),
        ("?a=b", "https://api.example/v1?a=b"),
        ("#part", "https://api.example/v1"),
        ("//evil.example/items", "https://api.example/v1/evil.example/items"),
        ("@evil.example", "https://api.example/v1/@evil.example"),
        ("ftp://evil.example", "https://api.example/v1/ftp://evil.example"),
        ("users:search", "https://api.example/v1/users:search"),
        ("HTTP://other.example/a", "http://other.example/a"),
        ("https://other.example/a#b", "https://other.example/a"),
    ] {
        assert_eq!(client.get(url).build().expect(url).uri(), expected, "{url}");
    }
    for url in ["/items", "", "ftp://a.example/", "https://", "https://[::1", "http://a.example:99999/"] {
        let error = plain.get(url).build().expect_err(url);
        assert!(error.is_builder() && !error.to_string().contains("example"), "{error}");
    }
    for url in ["api.example", "ftp://api.example", "https://api.example?a=b", "https://api.example#a"] {
        assert!(plain.clone().base_url(url).is_err_and(|error| error.is_builder()), "{url}");
    }
}

#[test]
fn a_base_url_without_a_scheme_is_answered_with_the_form_of_one() {
    let plain = Client::new(layer()).expect("a client");
    for url in ["api.example.com", "api.example.com/v1", "/v1", "", "localhost:8080", "ftp://api.example.com"] {
        let error = plain.clone().base_url(url).expect_err(url);
        let text = error.to_string();
        assert!(error.is_builder() && text.contains("begin it with a scheme and a host, such as `https://"), "{text}");
    }
    for url in ["https://", "https://[::1", "http://a.example:99999/"] {
        assert_eq!(plain.clone().base_url(url).expect_err(url).to_string(), "the URL cannot be read", "{url}");
    }
}

#[test]
fn the_first_mistake_in_a_request_is_returned_and_shows_no_value() {
    let client = Client::new(layer()).expect("a client");
    let get = || client.get(format!("{URL}/?token=s3cret"));
    for (request, expected) in [
        (get().header("x y", "s3cret"), "the header is not legal"),
        (get().header("x", "s3cret\n").bearer_auth("s3cret\n"), "the header is not legal"),
        (get().bearer_auth("s3cret\n"), "the token is not a legal header value"),
        (get().idempotency_key("s3cret key"), "the idempotency key is not legal"),
        (get().query("s3cret"), "could not write the query"),
        (get().form("s3cret"), "could not write the body as a form"),
        (get().json(&HashMap::from([(vec![1], 2)])), "could not write the body as JSON"),
    ] {
        let error = request.build().expect_err(expected);
        assert_eq!(error.to_string(), expected);
        assert!(error.is_builder() && error.source().is_some() && error.class().is_none(), "{error:?}");
        assert!(!format!("{error:?} {:?}", error.source()).contains("s3cret"), "{error:?}");
    }
}

#[tokio::test]
async fn an_error_of_the_api_is_told_from_its_json_at_any_status() {
    let transport = service_fn(|_: Request<reqwest::Body>| async {
        Ok::<_, Infallible>(Response::new(r#"{"data":null,"error_code":1050,"error_message":"too dark"}"#.to_owned()))
    });
    let client = Client::with_transport(RedressLayer::new(dialects::vlens()), transport);
    let get = || async { client.get(URL).send().await.expect("an answer") };
    let error = get().await.json::<serde_json::Value>().await.expect_err("an error at status 200");
    let api_error = error.api_error().expect("the error of the API");
    assert_eq!((api_error.code(), error.status().map(|status| status.as_u16())), (Some("1050"), Some(200)));
    assert_eq!((error.class(), error.recovery()), (Some(Class::Rejected), Some(Recovery::NewInput)));
    assert_eq!(error.to_string(), api_error.to_string());
    assert!(!error.is_decode() && get().await.error_for_api().is_err() && get().await.ok_or_api_error().is_err());
    assert!(get().await.text().await.expect("the body is still there").contains("too dark"));
}

#[tokio::test]
async fn a_body_of_another_type_is_a_decoding_error_without_its_values() {
    let (client, _) = echo(r#"{"token":"s3cret-value"}"#);
    let response = client.get(URL).send().await.expect("an answer");
    let error = response.json::<HashMap<String, u32>>().await.expect_err("a text is not a number");
    assert!(error.is_decode() && error.source().is_none(), "{error:?}");
    let expected = "200 response is not JSON of the expected type: invalid type: string ***, expected u32";
    assert!(error.to_string().starts_with(expected), "{error}");
    assert!(!format!("{error:?}").contains("s3cret"), "{error:?}");
}

#[tokio::test]
async fn a_body_that_is_not_json_is_named_by_its_response() {
    let transport = service_fn(|_: Request<reqwest::Body>| async {
        let response = Response::builder().header("content-type", "text/html; charset=utf-8");
        response.header("x-request-id", "r-1-s3cret-key").body("<h1>Log in</h1>".to_owned())
    });
    let keys = StaticHeaders::new().header("x-api-key", "s3cret-key").expect("a header");
    let layer =
        RedressLayer::new(dialects::generic()).credentials(keys, "https://api.example".parse().expect("an origin"));
    let client = Client::with_transport(layer, transport);
    let response = client.get(URL).send().await.expect("an answer");
    let error = response.json::<serde_json::Value>().await.expect_err("a page");
    let expected = "200 text/html is not JSON (request id r-1-***): expected value at line 1 column 1";
    assert_eq!(error.to_string(), expected);
    assert_eq!((error.status().map(|status| status.as_u16()), error.request_id()), (Some(200), Some("r-1-***")));
    assert!(error.is_decode() && error.is_maybe_processed() && error.record().is_none());
    assert!(!format!("{error:?}").contains("s3cret"), "{error:?}");
}

#[tokio::test]
async fn a_body_above_the_limit_is_refused_by_its_length_or_by_its_bytes() {
    let (client, _) = echo("12345678");
    for (client_limit, own, is_ok) in [(8, None, true), (7, None, false), (7, Some(8), true), (8, Some(7), false)] {
        let client = client.clone().body_limit(client_limit);
        let get = match own {
            Some(own) => client.get(URL).body_limit(own),
            None => client.get(URL),
        };
        let result = get.send().await.expect("an answer").bytes().await;
        assert_eq!(result.is_ok(), is_ok, "{client_limit} {own:?}");
        assert!(result.err().is_none_or(|error| error.is_body_too_large()));
    }
}

#[tokio::test(start_paused = true)]
async fn a_streamed_body_is_refused_once_its_bytes_exceed_the_limit() {
    let transport = service_fn(|_: Request<reqwest::Body>| async {
        Ok::<_, Infallible>(Response::new(Slow::new([Some("1234"), Some("5678"), None])))
    });
    let response = Client::with_transport(layer(), transport).get(URL).body_limit(7).send().await.expect("an answer");
    assert!(response.text().await.is_err_and(|error| error.is_body_too_large()));
    let whole = slow(&[Some("1234"), Some("5678")], layer()).await.expect("an answer");
    assert_eq!(whole.text().await.expect("it ends"), "12345678");
}

#[tokio::test(start_paused = true)]
async fn the_deadline_of_the_call_bounds_the_reading_of_its_body() {
    let frames: &[_] = &[Some("a"), Some("b"), Some("c"), Some("d")];
    let within = slow(frames, layer().deadline(6 * SECOND)).await.expect("an answer");
    assert_eq!(within.text().await.expect("it ends in time"), "abcd");
    let start = tokio::time::Instant::now();
    let late = slow(frames, layer().deadline(3 * SECOND)).await.expect("an answer");
    let error = late.text().await.expect_err("it ends after 5 s");
    assert!(error.is_deadline() && !error.is_body() && !error.is_timeout(), "{error:?}");
    assert_eq!(start.elapsed().as_secs(), 3);
    assert_eq!(error.to_string(), "the deadline passed while the response body was read");
}

#[tokio::test(start_paused = true)]
async fn a_requests_own_deadline_takes_the_place_of_the_stacks() {
    let transport = || {
        service_fn(|_: Request<reqwest::Body>| async {
            Ok::<_, Infallible>(Response::new(Slow::new([Some("a"), Some("b"), Some("c")])))
        })
    };
    let client = Client::with_transport(layer().deadline(2 * SECOND), transport());
    assert!(client.get(URL).send().await.expect("an answer").bytes().await.is_err_and(|error| error.is_deadline()));
    assert!(client.get(URL).timeout(9 * SECOND).send().await.expect("an answer").bytes().await.is_ok());
    let client = Client::with_transport(layer(), transport());
    let until = Deadline::from_now(5 * SECOND);
    assert!(client.get(URL).deadline(until).send().await.expect("an answer").bytes().await.is_ok());
    let response = client.get(URL).deadline(until).send().await.expect("an answer");
    assert!(response.bytes().await.is_err_and(|error| error.is_deadline()), "1 s is left");
}

#[tokio::test(start_paused = true)]
async fn a_requests_own_attempt_timeout_takes_the_place_of_the_stacks() {
    let transport = service_fn(|_: Request<reqwest::Body>| async {
        tokio::time::sleep(10 * SECOND).await;
        Ok::<_, Infallible>(Response::new(String::new()))
    });
    let client = Client::with_transport(layer().attempt_timeout(5 * SECOND), transport);
    let post = || client.post(URL).attempt_timeout(20 * SECOND);
    assert_eq!(post().send().await.expect("it is in time").status(), 200);
    assert!(post().attempt_timeout(SECOND).send().await.is_err_and(|error| error.is_timeout()));
    assert!(client.post(URL).send().await.is_err_and(|error| error.is_timeout()));
    let unlimited = client.post(URL).extension(redress::AttemptTimeout::unlimited());
    assert_eq!(unlimited.send().await.expect("nothing cuts it").status(), 200);
}

#[tokio::test]
async fn a_body_that_breaks_off_is_an_error_and_the_request_is_not_sent_again() {
    let (sandbox, client) = sandbox().await;
    sandbox.script("GET /report", [Fault::answer().body("0123456789"), Fault::truncate().body("0123456789")]);
    let report = || async { client.get("/report").send().await.expect("a head").bytes().await };
    assert_eq!(report().await.expect("the first is whole"), "0123456789");
    let error = report().await.expect_err("half of the second is missing");
    assert!(error.is_body() && error.source().is_some() && error.call_error().is_none(), "{error:?}");
    assert_eq!((error.to_string().as_str(), sandbox.log().len()), ("the response body broke off", 2));
}

#[tokio::test]
async fn a_chunked_body_without_its_end_is_not_taken_for_a_whole_one() {
    let url = server(b"HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\n4\r\n1234\r\n").await;
    let client = Client::new(layer()).expect("a client");
    let response = client.get(url).send().await.expect("a head");
    assert!(response.bytes().await.is_err_and(|error| error.is_body()));
}

#[tokio::test]
async fn a_failed_connection_is_told_with_its_sources() {
    let listener = TcpListener::bind("127.0.0.1:0").await.expect("a free port");
    let url = format!("http://{}/path?token=s3cret", listener.local_addr().expect("it is bound"));
    drop(listener);
    let error = Client::new(layer()).expect("a client").post(url).send().await.expect_err("the port is closed");
    assert!(error.is_connect() && !error.is_builder() && !error.is_deadline(), "{error:?}");
    assert_eq!((error.phase(), error.recovery()), (Some(Phase::NotSent), Some(Recovery::Retry)));
    let (mut sources, mut next) = (Vec::new(), error.source());
    while let Some(source) = next {
        sources.push(source.to_string());
        next = source.source();
    }
    assert!(sources.iter().any(|source| source.contains("refused")), "{sources:?}");
    assert!(!format!("{error} {error:?} {sources:?}").contains("s3cret"), "{error:?}");
}

#[tokio::test]
async fn a_request_of_reqwest_goes_through_the_stack_and_its_response_becomes_reqwests() {
    let (sandbox, client) = sandbox().await;
    sandbox.script("POST /v1/charges", [Fault::error(429).retry_after("0"), Fault::answer().body("[1,2]")]);
    let request = reqwest::Client::new().post(format!("{}/v1/charges?a=b", sandbox.url())).body("text").build();
    let response = client.execute(request.expect("a request")).await.expect("an answer");
    assert_eq!(response.record().map(|record| record.attempts().len()), Some(2));
    let response = reqwest::Response::from(response);
    assert_eq!((response.status().as_u16(), response.url().query()), (200, Some("a=b")));
    assert!(response.extensions().get::<redress::Record>().is_some());
    assert_eq!(response.bytes().await.expect("the body"), "[1,2]");
}

#[tokio::test(start_paused = true)]
async fn the_timeout_of_a_request_of_reqwest_bounds_the_whole_call() {
    let transport = service_fn(|_: Request<reqwest::Body>| pending::<Result<Response<String>, Infallible>>());
    let client = Client::with_transport(layer(), transport);
    let request = reqwest::Client::new().get(URL).timeout(3 * SECOND).build().expect("a request");
    let start = tokio::time::Instant::now();
    assert!(client.execute(request).await.is_err_and(|error| error.is_deadline()));
    assert_eq!(start.elapsed().as_secs(), 3);
}

#[tokio::test]
async fn clients_and_calls_can_be_shared_by_tasks() {
    let (sandbox, client) = sandbox().await;
    let calls = (0..4).map(|nth| {
        let client = client.clone();
        tokio::spawn(async move { client.get(format!("/{nth}")).send().await?.text().await })
    });
    for call in calls.collect::<Vec<_>>() {
        assert_eq!(call.await.expect("no panic").expect("an answer"), "{}");
    }
    assert_eq!(sandbox.log().len(), 4);
}

#[tokio::test]
async fn the_service_of_a_client_takes_requests_that_it_built() {
    let (sandbox, client) = sandbox().await;
    let request = client.get("/items").build().expect("a request");
    assert_eq!(client.service().clone().oneshot(request).await.expect("an answer").status(), 200);
    let request = client.get("/more").build().expect("a request");
    assert_eq!(client.into_service().oneshot(request).await.expect("an answer").status(), 200);
    assert_eq!(sandbox.log().len(), 2);
    let transport = Reqwest::new(Reqwest::client_builder().user_agent("test/1")).expect("a client");
    let own = Client::with_transport(layer(), transport);
    assert_eq!(own.get(sandbox.url()).send().await.expect("an answer").status(), 200);
}

/// A layer that writes its name down for each request that passes it.
fn noting<S>(name: &'static str, log: &Arc<Mutex<Vec<&'static str>>>, inner: S) -> Noting<S> {
    Noting { name, log: Arc::clone(log), inner }
}

#[derive(Clone)]
struct Noting<S> {
    name: &'static str,
    log: Arc<Mutex<Vec<&'static str>>>,
    inner: S,
}

impl<S: Service<Request<reqwest::Body>>> Service<Request<reqwest::Body>> for Noting<S> {
    type Response = S::Response;
    type Error = S::Error;
    type Future = S::Future;

    fn poll_ready(&mut self, cx: &mut Context<'_>) -> Poll<Result<(), S::Error>> {
        self.inner.poll_ready(cx)
    }

    fn call(&mut self, request: Request<reqwest::Body>) -> S::Future {
        self.log.lock().expect("no panic").push(self.name);
        self.inner.call(request)
    }
}

#[tokio::test(start_paused = true)]
async fn layers_above_the_stack_see_each_call_once_and_the_transport_each_attempt() {
    let log = Arc::new(Mutex::new(Vec::new()));
    let attempts = Arc::new(Mutex::new(0));
    let counted = Arc::clone(&attempts);
    let transport = noting(
        "attempt",
        &log,
        service_fn(move |_: Request<reqwest::Body>| {
            *counted.lock().expect("no panic") += 1;
            let status = if *counted.lock().expect("no panic") == 1 { 503 } else { 200 };
            async move { Response::builder().status(status).body("done".to_owned()) }
        }),
    );
    let client = Client::with_transport(layer(), transport)
        .call_layer(layer_fn(|inner| noting("inner", &log, inner)))
        .call_layer(layer_fn(|inner| noting("outer", &log, inner)));
    let response = client.get(URL).send().await.expect("a response");
    assert_eq!(response.record().map(|record| record.attempts().len()), Some(2));
    assert_eq!(response.text().await.expect("a text"), "done");
    assert_eq!(*log.lock().expect("no panic"), ["outer", "inner", "attempt", "attempt"]);
    client.service().clone().oneshot(client.get(URL).build().expect("legal")).await.expect("a response");
    assert_eq!(*log.lock().expect("no panic"), ["outer", "inner", "attempt", "attempt", "attempt"]);
}
