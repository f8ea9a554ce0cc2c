//! Unary gRPC calls that succeed at once: a message in a `ReplayBody`, and a response of a message and trailers, which is read to
//! its end. [`channel`] makes them by tonic's client, over its channel.

pub mod by_tower;
pub mod channel;
mod wire;

use std::convert::Infallible;
use std::fmt::Debug;
use std::future::{Ready, ready};
use std::pin::{Pin, pin};
use std::task::{Context, Poll, Waker};

use bytes::Bytes;
use http::{HeaderMap, HeaderName, HeaderValue, Method, Request, Response, Uri, header};
use http_body::{Body, Frame};
use http_body_util::Full;
use redress::ReplayBody;
use tower_service::Service;

use crate::call;

/// A message of four bytes, with its prefix.
const MESSAGE: Bytes = Bytes::from_static(b"\0\0\0\0\x04\x08\x96\x01\0");

/// The body of a request.
pub type Message = ReplayBody<Full<Bytes>>;

/// A message, then the trailers of a success.
#[derive(Debug)]
pub struct Answer {
    frames: [Option<Frame<Bytes>>; 2],
}

/// A server that is ready and answers at once.
#[derive(Clone, Debug)]
pub struct Server;

impl Body for Answer {
    type Data = Bytes;
    type Error = Infallible;

    fn poll_frame(mut self: Pin<&mut Self>, _: &mut Context<'_>) -> Poll<Option<Result<Frame<Bytes>, Infallible>>> {
        Poll::Ready(self.frames.iter_mut().find_map(Option::take).map(Ok))
    }

    fn is_end_stream(&self) -> bool {
        self.frames.iter().all(Option::is_none)
    }
}

impl<B> Service<Request<B>> for Server {
    type Response = Response<Answer>;
    type Error = Infallible;
    type Future = Ready<Result<Self::Response, Infallible>>;

    fn poll_ready(&mut self, _: &mut Context<'_>) -> Poll<Result<(), Infallible>> {
        Poll::Ready(Ok(()))
    }

    fn call(&mut self, _: Request<B>) -> Self::Future {
        let trailers = (HeaderName::from_static("grpc-status"), HeaderValue::from_static("0"));
        let trailers = HeaderMap::from_iter([trailers]);
        let answer = Answer { frames: [Some(Frame::data(MESSAGE)), Some(Frame::trailers(trailers))] };
        let mut response = Response::new(answer);
        response.headers_mut().insert(header::CONTENT_TYPE, HeaderValue::from_static("application/grpc"));
        ready(Ok(response))
    }
}

/// Makes a request.
#[must_use]
pub fn request() -> Request<Message> {
    let mut request = Request::new(ReplayBody::new(Full::new(MESSAGE)));
    *request.method_mut() = Method::POST;
    *request.uri_mut() = Uri::from_static("https://api.example/acme.Orders/Get");
    for (name, value) in [("content-type", "application/grpc"), ("te", "trailers"), ("user-agent", "tonic/0.14")] {
        request.headers_mut().insert(HeaderName::from_static(name), HeaderValue::from_static(value));
    }
    request
}

/// Sends a request, and reads the response to its end.
///
/// # Panics
/// When the service does not answer at once, or with anything but a message and trailers.
pub fn send<S, B>(service: &mut S, request: Request<Message>)
where
    S: Service<Request<Message>, Response = Response<B>>,
    S::Error: Debug,
    B: Body<Data = Bytes>,
{
    let mut body = pin!(call(service, request).into_body());
    let mut cx = Context::from_waker(Waker::noop());
    let mut frames = 0;
    while let Poll::Ready(Some(Ok(_))) = body.as_mut().poll_frame(&mut cx) {
        frames += 1;
    }
    assert_eq!(frames, 2, "a message and trailers");
}
