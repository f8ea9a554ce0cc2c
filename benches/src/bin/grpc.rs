//! Sends unary gRPC calls that succeed through one case, to be run where instructions are counted: `scripts/instructions-grpc`
//! does. Each request is a message in a `ReplayBody`, and each response a message and trailers, which are read to the end.
//!
//! ```text
//! cargo run --release -p benches --bin grpc -- full 1000
//! ```

use std::convert::Infallible;
use std::future::{Ready, ready};
use std::pin::{Pin, pin};
use std::process::ExitCode;
use std::task::{Context, Poll, Waker};

use benches::{allocations, call, stacks};
use bytes::Bytes;
use clap::Parser;
use http::{HeaderMap, HeaderName, HeaderValue, Request, Response, header};
use http_body::{Body, Frame};
use http_body_util::Full;
use redress::layers::try_clone_request;
use redress::{RedressLayer, ReplayBody, dialects};
use tower::retry::{Policy, Retry};
use tower_layer::Layer;
use tower_service::Service;

/// A message of four bytes, with its prefix.
const MESSAGE: Bytes = Bytes::from_static(b"\0\0\0\0\x04\x08\x96\x01\0");

type Message = ReplayBody<Full<Bytes>>;

/// Sends N calls through a case, or counts its allocations.
#[derive(Debug, Parser)]
struct Arguments {
    /// `bare`, `tower_retry`, `plain` for the stack, or `full` for the stack with a token and a deadline.
    case: String,

    /// How many calls; 0 prints the allocations of one call.
    #[arg(value_name = "N")]
    calls: u32,
}

/// A message, then the trailers of a success.
#[derive(Debug)]
struct Answer {
    frames: [Option<Frame<Bytes>>; 2],
}

/// A server that is ready and answers at once.
#[derive(Clone, Debug)]
struct Server;

/// Keeps a copy of each request, and retries none.
#[derive(Clone, Debug)]
struct Copy;

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

impl<R> Policy<Request<Message>, Response<R>, Infallible> for Copy {
    type Future = Ready<()>;

    fn retry(&mut self, _: &mut Request<Message>, _: &mut Result<Response<R>, Infallible>) -> Option<Ready<()>> {
        None
    }

    fn clone_request(&mut self, request: &Request<Message>) -> Option<Request<Message>> {
        try_clone_request(request)
    }
}

fn request() -> Request<Message> {
    let mut request = Request::new(ReplayBody::new(Full::new(MESSAGE)));
    *request.method_mut() = http::Method::POST;
    *request.uri_mut() = http::Uri::from_static("https://api.example/acme.Orders/Get");
    for (name, value) in [("content-type", "application/grpc"), ("te", "trailers"), ("user-agent", "tonic/0.14")] {
        request.headers_mut().insert(HeaderName::from_static(name), HeaderValue::from_static(value));
    }
    request
}

/// Sends a request, and reads the response to its end.
fn send<S, B>(service: &mut S, request: Request<Message>)
where
    S: Service<Request<Message>, Response = Response<B>>,
    S::Error: std::fmt::Debug,
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

fn run<S, B>(mut service: S, calls: u32)
where
    S: Service<Request<Message>, Response = Response<B>>,
    S::Error: std::fmt::Debug,
    B: Body<Data = Bytes>,
{
    if calls == 0 {
        println!("{}", allocations(request, |request| send(&mut service, request)));
    }
    for _ in 0..calls {
        send(&mut service, request());
    }
}

fn main() -> ExitCode {
    let Arguments { case, calls } = Arguments::parse();
    match &*case {
        "bare" => run(Server, calls),
        "tower_retry" => run(Retry::new(Copy, Server), calls),
        "plain" => run(RedressLayer::new(dialects::grpc()).without_attempt_timeout().layer(Server), calls),
        "full" => run(stacks::full(dialects::grpc(), Server), calls),
        _ => {
            eprintln!("there is no case {case}");
            return ExitCode::from(2);
        }
    }
    ExitCode::SUCCESS
}
