//! A scripted server, calls in tasks, and a paused clock.
#![allow(dead_code, unreachable_pub, reason = "each test crate uses a part")]

use std::future::Future;
use std::num::NonZeroU32;
use std::time::Duration;

use http::{Request, Response};
use redress_classify::{Dialect, Error};
use redress_pace::{Limit, Pace, PaceLayer};
use redress_sandbox::strict_mock::{BoxError, Handle, StrictMock};
use tokio::task::JoinHandle;
use tokio::time::Instant;
use tower::{Layer, Service, ServiceExt};

pub type Mock = StrictMock<Request<String>, Response<&'static str>>;
pub type Outcome = Result<Response<&'static str>, Error>;
pub type Paced = Pace<Mock>;
pub type MockHandle = Handle<Request<String>>;

pub const URL: &str = "https://api.example/v1/things";

pub fn s(seconds: u64) -> Duration {
    Duration::from_secs(seconds)
}

pub fn ms(millis: u64) -> Duration {
    Duration::from_millis(millis)
}

pub fn count(n: u32) -> NonZeroU32 {
    NonZeroU32::new(n).expect("it is not zero")
}

/// Returns a dialect without limits.
pub fn silent() -> Dialect {
    Dialect::from_toml("silent.toml", "name = \"silent\"\n").expect("the file is right")
}

/// Returns a layer without spread: waiting calls are sent at the end of the cool-down.
pub fn layer() -> PaceLayer {
    PaceLayer::new(silent()).random(|| 0)
}

/// Returns a limit of `requests` GETs of the things in each 10 s, with a burst of one.
pub fn limit(requests: u32) -> Limit {
    Limit::new("GET /v1/things".parse().expect("a route"), count(requests), s(10)).burst(NonZeroU32::MIN)
}

pub fn request(uri: &str) -> Request<String> {
    Request::get(uri).body("text".to_owned()).expect("the parts are valid")
}

pub fn answer(status: u16, headers: &[(&str, &str)]) -> Response<&'static str> {
    let builder = Response::builder().status(status);
    let builder = headers.iter().fold(builder, |builder, (name, value)| builder.header(*name, *value));
    builder.body("body").expect("the parts are valid")
}

/// Returns a server that responds as the request asks: with the status `x-status` or else 200, the hint `x-wait`, after
/// `x-after` seconds.
pub fn server() -> (Mock, Handle<Request<String>>) {
    let mock = StrictMock::new(move |request: &Request<String>| {
        let header = |name| request.headers().get(name).map(|value| value.to_str().expect("ASCII").to_owned());
        let status = header("x-status").map_or(200, |status| status.parse().expect("a status"));
        let wait = header("x-wait");
        let after = header("x-after")
            .map(|after| Duration::try_from_secs_f64(after.parse().expect("seconds")).expect("a time"));
        async move {
            if let Some(after) = after {
                tokio::time::sleep(after).await;
            }
            if status == 0 {
                return Err(BoxError::from("the connection broke"));
            }
            Ok(match wait {
                Some(wait) => answer(status, &[("retry-after", &wait)]),
                None => answer(status, &[]),
            })
        }
    });
    let handle = mock.handle();
    // A call that waits drops the ready service on purpose.
    (mock.allow_abandoned(), handle)
}

pub fn refusing(uri: &str, status: &str, wait: Option<&str>) -> Request<String> {
    let mut request = request(uri);
    request.headers_mut().insert("x-status", status.parse().expect("digits"));
    if let Some(wait) = wait {
        request.headers_mut().insert("x-wait", wait.parse().expect("a header"));
    }
    request
}

/// Returns a request whose response is a 429 with a hint of `hint` seconds, after `after` seconds.
pub fn refused_after(after: u64, hint: u64) -> Request<String> {
    let mut request = refusing(URL, "429", Some(&hint.to_string()));
    request.headers_mut().insert("x-after", after.into());
    request
}

/// Makes 200 calls, ten a second, that take 0.95 s each: 9.5 are in flight on a good day. Forgets the requests.
pub async fn good_day(service: &Paced, handle: &Handle<Request<String>>) {
    let start = Instant::now();
    for nth in 0..200 {
        tokio::time::sleep_until(start + ms(100) * nth).await;
        spawn(service, taking(950), start);
    }
    tokio::time::sleep(s(1)).await;
    assert_eq!(handle.take().len(), 200);
}

/// Returns a request whose response takes so many milliseconds.
pub fn taking(millis: u64) -> Request<String> {
    let mut request = request(URL);
    request.headers_mut().insert("x-after", (millis as f64 / 1_000.0).to_string().parse().expect("digits"));
    request
}

/// Closes the gate for `seconds`.
pub async fn close(service: &Paced, seconds: u64) {
    let refused = refusing(URL, "429", Some(&seconds.to_string()));
    assert_eq!(service.clone().oneshot(refused).await.expect("it is answered").status(), 429);
}

/// Calls in a task. The output has the ms from `start` to the end of the call.
pub fn spawn(service: &Paced, request: Request<String>, start: Instant) -> JoinHandle<(Outcome, u128)> {
    let service = service.clone();
    tokio::spawn(async move {
        let outcome = service.oneshot(request).await;
        (outcome, (Instant::now() - start).as_millis())
    })
}

/// Returns the future of a call that first makes the service ready.
pub fn begin(service: &Paced, request: Request<String>) -> impl Future<Output = Outcome> + Send + use<> {
    let mut service = service.clone();
    async move { service.ready().await?.call(request).await }
}

/// Returns the ms from `start` to the arrival of each request.
pub fn times(handle: &Handle<Request<String>>, start: Instant) -> Vec<u128> {
    handle.instants().iter().map(|at| (*at - start).as_millis()).collect()
}

pub fn serve(layer: &PaceLayer, mock: &Mock) -> Paced {
    layer.layer(mock.clone())
}
