//! A service that signs each attempt: below the stack, and between its layers where a server quotes signatures.

use std::hash::{DefaultHasher, Hash, Hasher};
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::task::{Context, Poll};

use bytes::Bytes;
use http::{HeaderValue, Request, Response};
use http_body_util::Full;
use redress::ClassifyLayer;
use redress::layers::Secrets;
use redress::{BackoffLayer, BoxError, Credentials, Failure, RedressLayer, ResponseExt, TokenSet, Verdict, dialects};
use redress_sandbox::strict_mock::{Answer, StrictMock};
use tower::{Layer, Service, ServiceBuilder, ServiceExt, service_fn};

const URL: &str = "https://api.example";
const SIGNATURE: &str = "x-signature";

/// Signs requests with a serial number in the place of a timestamp, over path and access token.
#[derive(Clone)]
struct Sign<S> {
    inner: S,
    serial: Arc<AtomicU64>,
}

/// Issues `token-1`, `token-2` and so on.
#[derive(Default)]
struct Issuer(AtomicU64);

impl<S> Sign<S> {
    fn new(inner: S) -> Self {
        Self { inner, serial: Arc::default() }
    }
}

impl<S: Service<Request<B>>, B> Service<Request<B>> for Sign<S> {
    type Response = S::Response;
    type Error = S::Error;
    type Future = S::Future;

    fn poll_ready(&mut self, cx: &mut Context<'_>) -> Poll<Result<(), S::Error>> {
        self.inner.poll_ready(cx)
    }

    fn call(&mut self, mut request: Request<B>) -> S::Future {
        let signature = signature(&request, self.serial.fetch_add(1, Ordering::SeqCst));
        request.headers_mut().insert(SIGNATURE, signature);
        self.inner.call(request)
    }
}

impl Credentials for Issuer {
    async fn login(&self) -> Result<TokenSet, Failure> {
        let number = self.0.fetch_add(1, Ordering::SeqCst) + 1;
        Ok(TokenSet::bearer(format!("token-{number}"))?)
    }
}

fn signature<B>(request: &Request<B>, serial: u64) -> HeaderValue {
    let mut hasher = DefaultHasher::new();
    (serial, request.uri().path(), request.headers().get("authorization").map(HeaderValue::as_bytes)).hash(&mut hasher);
    let mut value = HeaderValue::from_str(&format!("serial={serial};mac={:016x}", hasher.finish())).expect("ASCII");
    value.set_sensitive(true);
    value
}

fn answer(status: u16) -> Answer<Response<Full<Bytes>>> {
    Answer::ok(Response::builder().status(status).body(Full::from("{}")).expect("a legal status"))
}

#[tokio::test(start_paused = true)]
async fn each_attempt_and_the_resend_after_a_refresh_have_a_fresh_signature() {
    let mock = StrictMock::scripted([answer(503), answer(401), answer(200)]).allow_abandoned();
    let handle = mock.handle();
    let layer = RedressLayer::new(dialects::generic()).credentials(Issuer::default(), URL.parse().unwrap());
    let request = Request::get(format!("{URL}/v1/things")).header(SIGNATURE, "stale").body(String::new()).unwrap();

    let response = layer.layer(Sign::new(mock)).oneshot(request).await.unwrap();

    assert_eq!(response.status(), 200);
    let sent = handle.requests();
    assert_eq!(sent.len(), 3, "a retry after the 503, and the resend after the refresh");
    for (serial, request) in (0..).zip(&sent) {
        let values: Vec<_> = request.headers().get_all(SIGNATURE).iter().collect();
        assert_eq!(values, [signature(request, serial)], "one signature, over the headers that are sent");
        assert!(values[0].is_sensitive() && !format!("{request:?}").contains("mac="), "{request:?}");
    }
    let token = |nth: usize| sent[nth].headers()["authorization"].to_str().unwrap();
    assert_eq!((token(0), token(1), token(2)), ("Bearer token-1", "Bearer token-1", "Bearer token-2"));
}

#[tokio::test(start_paused = true)]
async fn a_signature_that_the_server_quotes_is_masked_by_a_service_above_classify() {
    let quoting = StrictMock::new(|request: &Request<String>| {
        let signature = request.headers()[SIGNATURE].to_str().unwrap();
        let body = format!(r#"{{"error":{{"code":"bad_signature","message":"unexpected {signature}"}}}}"#);
        let response = Response::builder().status(400).header("content-type", "application/json");
        let response = response.body(Full::new(Bytes::from(body))).unwrap();
        async move { Ok(response) }
    });
    let classify = ClassifyLayer::new(dialects::generic()).layer(quoting);
    let masking = service_fn(move |request: Request<String>| {
        let (classify, signature) = (classify.clone(), request.headers()[SIGNATURE].clone());
        async move {
            let mut response = classify.oneshot(request).await?;
            let verdict = response.extensions().get::<Verdict>();
            if let Some(masked) = verdict.and_then(|verdict| verdict.masked(&Secrets::new([signature.as_bytes()]))) {
                response.extensions_mut().insert(masked);
            }
            Ok::<_, BoxError>(response)
        }
    });
    let api = ServiceBuilder::new().layer(BackoffLayer::new(dialects::generic())).service(Sign::new(masking));

    let response = api.oneshot(Request::get(URL).body(String::new()).unwrap()).await.unwrap();

    let error = response.ok_or_api_error().unwrap_err();
    assert_eq!(error.message(), Some("unexpected ***"));
    assert!(!format!("{error} {error:?} {}", error.report()).contains("mac="), "{}", error.report());
}
