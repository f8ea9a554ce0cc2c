//! A token endpoint that answers as it is told, and an API for its tokens.
#![allow(dead_code, reason = "each test file uses a part of it")]

use std::collections::HashMap;
use std::convert::Infallible;
use std::pin::Pin;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex};
use std::task::{Context, Poll};
use std::time::{Duration, SystemTime};

use bytes::Bytes;
use http::{Request, Response};
use http_body::Frame;
use http_body_util::Full;
use redress::{BoxError, Clock, Credentials, Error, Failure, RedressLayer, dialects};
use redress_sandbox::strict_mock::{Handle, StrictMock};
use tower::{Layer, ServiceExt};

pub(crate) const URL: &str = "https://api.example";

pub(crate) type Mock = StrictMock<Request<String>, Response<Text>>;
pub(crate) type Make = dyn Fn() -> Result<Response<Text>, BoxError> + Send + Sync;

pub(crate) const fn s(seconds: u64) -> Duration {
    Duration::from_secs(seconds)
}

/// A body that may break off after its text.
pub(crate) struct Text {
    text: Option<Bytes>,
    breaks_off: bool,
}

impl http_body::Body for Text {
    type Data = Bytes;
    type Error = BoxError;

    fn poll_frame(mut self: Pin<&mut Self>, _: &mut Context<'_>) -> Poll<Option<Result<Frame<Bytes>, BoxError>>> {
        Poll::Ready(match self.text.take() {
            Some(text) => Some(Ok(Frame::data(text))),
            None if self.breaks_off => Some(Err("cut".into())),
            None => None,
        })
    }
}

pub(crate) fn told(status: u16, header: Option<(&str, &str)>, text: &str) -> Response<Text> {
    let mut response = Response::builder().status(status);
    if let Some((name, value)) = header {
        response = response.header(name, value);
    }
    let text = Some(Bytes::copy_from_slice(text.as_bytes()));
    response.body(Text { text, breaks_off: false }).expect("legal parts")
}

pub(crate) fn cut(status: u16, text: &str) -> Response<Text> {
    told(status, None, text).map(|body| Text { breaks_off: true, ..body })
}

/// A token endpoint that answers so until it is mended, and then with a pair.
pub(crate) fn endpoint(make: Arc<Make>, good: &'static str) -> (Mock, Handle<Request<String>>, Arc<AtomicBool>) {
    let mended = Arc::new(AtomicBool::new(false));
    let is_mended = Arc::clone(&mended);
    let mock = StrictMock::new(move |_: &Request<String>| {
        let answer = if is_mended.load(Ordering::SeqCst) { Ok(told(200, None, good)) } else { make() };
        std::future::ready(answer)
    });
    let handle = mock.handle();
    (mock, handle, mended)
}

/// An API that takes any token but the first, and remembers them.
#[derive(Clone, Default)]
pub(crate) struct Api(pub(crate) Arc<Mutex<Vec<String>>>);

impl Api {
    pub(crate) fn service(
        &self,
    ) -> impl tower::Service<Request<String>, Response = Response<Full<Bytes>>, Error = Infallible, Future: Send>
    + Clone
    + use<> {
        let seen = Arc::clone(&self.0);
        tower::service_fn(move |request: Request<String>| {
            let token = request.headers()["authorization"].to_str().expect("ASCII").to_owned();
            let status = if token == "Bearer t1" { 401 } else { 200 };
            seen.lock().expect("whole").push(token);
            std::future::ready(Ok(Response::builder().status(status).body(Full::default()).expect("a status")))
        })
    }
}

pub(crate) fn form(request: &Request<String>) -> HashMap<String, String> {
    form_urlencoded::parse(request.body().as_bytes()).into_owned().collect()
}

pub(crate) fn wall() -> SystemTime {
    SystemTime::UNIX_EPOCH + s(1_700_000_000)
}

pub(crate) fn stack(login: impl Credentials) -> RedressLayer {
    let clock = Clock::anchored(wall());
    let layer = RedressLayer::new(dialects::veridia()).credentials(login, URL.parse().expect("an origin"));
    layer.refresh(|refresh| refresh.clock(clock))
}

pub(crate) async fn call(layer: &RedressLayer, api: &Api) -> Result<u16, Error> {
    let request = Request::get(format!("{URL}/v1")).body(String::new()).expect("legal parts");
    layer.layer(api.service()).oneshot(request).await.map(|response| response.status().as_u16())
}

pub(crate) fn answers(status: u16, header: Option<(&'static str, &'static str)>, text: &'static str) -> Arc<Make> {
    Arc::new(move || Ok(told(status, header, text)))
}

pub(crate) fn fails<E: Into<BoxError>>(make: impl Fn() -> E + Send + Sync + 'static) -> Arc<Make> {
    Arc::new(move || Err(make().into()))
}

/// Returns the failure that an error is made of.
pub(crate) fn failure(error: &Error) -> &Failure {
    let source = std::error::Error::source(error).and_then(|source| source.downcast_ref());
    source.unwrap_or_else(|| panic!("not for want of credentials: {error:?}"))
}

/// Returns how long an error asks to wait, counted from this instant.
pub(crate) fn wait(error: &Error, from: tokio::time::Instant) -> Option<Duration> {
    let now = wall() + (tokio::time::Instant::now() - from);
    error.retry_at().map(|at| at.duration_since(now).expect("in the future"))
}
