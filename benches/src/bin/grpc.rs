//! Sends unary gRPC calls that succeed through one case, to be run where instructions are counted: `scripts/instructions-grpc`
//! does. Each request is a message in a `ReplayBody`, and each response a message and trailers, which are read to the end.
//!
//! ```text
//! cargo run --release -p benches --bin grpc -- full 1000
//! ```

use std::fmt::Debug;
use std::process::ExitCode;

use benches::grpc::{Copy, Message, Server, request, send};
use benches::{allocations, stacks};
use bytes::Bytes;
use clap::Parser;
use http::{Request, Response};
use http_body::Body;
use redress::{RedressLayer, dialects};
use tower::retry::Retry;
use tower_layer::Layer;
use tower_service::Service;

/// Sends N calls through a case, or counts its allocations.
#[derive(Debug, Parser)]
struct Arguments {
    /// `bare`, `tower_retry`, `plain` for the stack, or `full` for the stack with a token and a deadline.
    case: String,

    /// How many calls; 0 prints the allocations of one call.
    #[arg(value_name = "N")]
    calls: u32,
}

fn run<S, B>(mut service: S, calls: u32)
where
    S: Service<Request<Message>, Response = Response<B>>,
    S::Error: Debug,
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
