//! A scripted response body.
#![allow(dead_code, unreachable_pub, reason = "each test file uses its own part")]

use std::collections::VecDeque;
use std::convert::Infallible;
use std::future::Future;
use std::pin::Pin;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::task::{Context, Poll};
use std::time::Duration;

use bytes::Bytes;
use http::{HeaderMap, Request, Response};
use http_body::{Body as _, Frame, SizeHint};
use redress_classify::{Body, BoxError, ClassifyLayer, Dialect, Error};
use tokio::time::Sleep;
use tower::{Layer, ServiceExt, service_fn};

#[derive(Debug)]
pub enum Step {
    Data(Bytes),
    Trailers(HeaderMap),
    Wait(Duration),
    Break,
    Hang,
}

/// The body, which counts the steps that were taken.
pub struct Script {
    steps: VecDeque<Step>,
    sleep: Option<Pin<Box<Sleep>>>,
    pub taken: Arc<AtomicUsize>,
    size: SizeHint,
}

pub fn data(text: impl AsRef<[u8]>) -> Step {
    Step::Data(Bytes::copy_from_slice(text.as_ref()))
}

impl Script {
    pub fn new(steps: impl IntoIterator<Item = Step>) -> Self {
        let steps: VecDeque<Step> = steps.into_iter().collect();
        let bytes = steps.iter().map(|step| if let Step::Data(data) = step { data.len() as u64 } else { 0 }).sum();
        Self { steps, sleep: None, taken: Arc::default(), size: SizeHint::with_exact(bytes) }
    }
}

impl http_body::Body for Script {
    type Data = Bytes;
    type Error = &'static str;

    fn poll_frame(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Option<Result<Frame<Bytes>, &'static str>>> {
        loop {
            if let Some(sleep) = &mut self.sleep {
                std::task::ready!(sleep.as_mut().poll(cx));
                self.sleep = None;
            }
            if let Some(Step::Hang) = self.steps.front() {
                return Poll::Pending;
            }
            self.taken.fetch_add(1, Ordering::Relaxed);
            match self.steps.pop_front() {
                Some(Step::Wait(time)) => self.sleep = Some(Box::pin(tokio::time::sleep(time))),
                Some(Step::Data(data)) => {
                    self.size = SizeHint::with_exact(self.size.exact().unwrap_or(0) - data.len() as u64);
                    return Poll::Ready(Some(Ok(Frame::data(data))));
                }
                Some(Step::Trailers(trailers)) => return Poll::Ready(Some(Ok(Frame::trailers(trailers)))),
                Some(Step::Break) => return Poll::Ready(Some(Err("connection reset"))),
                Some(Step::Hang) => unreachable!("looked at above"),
                None => return Poll::Ready(None),
            }
        }
    }

    fn is_end_stream(&self) -> bool {
        self.steps.is_empty() && self.sleep.is_none()
    }

    fn size_hint(&self) -> SizeHint {
        self.size
    }
}

pub fn request() -> Request<&'static str> {
    let request = Request::post("https://user:secret@api.example/v1/things?token=secret");
    let request = request.header("authorization", "Bearer secret").header("x-api-key", "secret");
    request.body("secret").expect("the parts are valid")
}

/// Sends one request through a Classify layer over a service that returns this response.
pub async fn classify<R>(dialect: Dialect, answer: Response<R>) -> Response<Body<R>>
where
    R: http_body::Body + Unpin,
    R::Error: Into<BoxError>,
{
    let answer = std::sync::Mutex::new(Some(answer));
    let service = service_fn(move |_: Request<&'static str>| {
        let answer = answer.lock().expect("no test panics with the lock").take().expect("one request");
        async { Ok::<_, Infallible>(answer) }
    });
    ClassifyLayer::new(dialect).layer(service).oneshot(request()).await.expect("the service answers")
}

pub async fn fail(error: redress_classify::BoxError) -> Error {
    let error = std::sync::Mutex::new(Some(error));
    let service = service_fn(move |_: Request<&'static str>| {
        let error = error.lock().expect("no test panics with the lock").take().expect("one request");
        async { Err::<Response<Script>, _>(error) }
    });
    let layer = ClassifyLayer::new(redress_classify::dialects::vlens());
    layer.layer(service).oneshot(request()).await.expect_err("the service fails")
}

pub fn answer(status: u16, steps: impl IntoIterator<Item = Step>) -> Response<Script> {
    Response::builder().status(status).body(Script::new(steps)).expect("the parts are valid")
}

/// Takes a body apart: its frames as data or trailers, and the error that ended it.
pub async fn frames<R>(body: Body<R>) -> (Vec<Bytes>, Option<HeaderMap>, Option<R::Error>)
where
    R: http_body::Body<Data = Bytes> + Unpin,
{
    let (mut chunks, mut trailers) = (Vec::new(), None);
    let mut body = std::pin::pin!(body);
    loop {
        match std::future::poll_fn(|cx| body.as_mut().poll_frame(cx)).await {
            Some(Ok(frame)) => match frame.into_data() {
                Ok(data) => chunks.push(data),
                Err(frame) => trailers = frame.into_trailers().ok(),
            },
            Some(Err(error)) => return (chunks, trailers, Some(error)),
            None => {
                assert!(body.is_end_stream());
                return (chunks, trailers, None);
            }
        }
    }
}
