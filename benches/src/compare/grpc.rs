//! The group `grpc`: a unary call that succeeds at once, through the stack and through tower's `Retry`, over a transport that costs
//! nothing and over a channel of tonic.

use std::cell::RefCell;
use std::fmt::Debug;
use std::rc::Rc;

use bytes::Bytes;
use http::{Request, Response};
use http_body::Body;
use redress::{BoxError, RedressLayer, StaticHeaders, dialects};
use tonic::client::GrpcService;
use tower::retry::{Retry, RetryLayer};
use tower_layer::Layer;
use tower_service::Service;

use super::Subject;
use crate::grpc::by_tower::{Copy, RetryAuthTimeout};
use crate::grpc::channel::{self, Connected};
use crate::grpc::{Message, Server, request, send};
use crate::measure::{Case, busy};
use crate::stacks;

pub(super) const NAME: &str = "grpc";

/// The subject over tonic's channel.
const TONIC: &str = "tonic";
const CASES: [&str; 5] = ["bare", "tower_retry", "tower_retry_auth_timeout", "plain", "full"];
/// The number of calls over which the allocations of a channel are averaged: its buffers grow now and then.
const COUNTED: u64 = 512;

pub(super) fn subjects() -> Vec<Subject> {
    let cases = |subject| CASES.into_iter().filter_map(|name| case(subject, name)).collect();
    [NAME, TONIC].map(|name| Subject { name, cases: cases(name) }).into()
}

/// Returns one case: `plain` is the stack, `full` the stack with a token and a deadline. `tower_retry_auth_timeout` sends the same
/// fields as `full`.
pub(super) fn case(subject: &str, case: &str) -> Option<Case> {
    Some(match (subject, case) {
        (NAME, "bare") => of("bare", Server),
        (NAME, "tower_retry") => of("tower_retry", Retry::new(Copy, Server)),
        (NAME, "tower_retry_auth_timeout") => of("tower_retry_auth_timeout", RetryAuthTimeout.layer(Server)),
        (NAME, "plain") => of("plain", plain().layer(Server)),
        (NAME, "full") => of("full", stacks::full(dialects::grpc(), Server)),
        (TONIC, "bare") => over_channel("bare", channel::bare()),
        (TONIC, "tower_retry") => over_channel("tower_retry", channel::under(&RetryLayer::new(Copy))),
        (TONIC, "tower_retry_auth_timeout") => {
            over_channel("tower_retry_auth_timeout", channel::under(&RetryAuthTimeout))
        }
        (TONIC, "plain") => over_channel("plain", channel::under(&plain())),
        (TONIC, "full") => over_channel("full", channel::under(&full())),
        _ => return None,
    })
}

fn plain() -> RedressLayer {
    RedressLayer::new(dialects::grpc()).without_attempt_timeout()
}

fn full() -> RedressLayer {
    let layer = stacks::layer(dialects::grpc(), StaticHeaders::new());
    layer.tokens().install(stacks::token());
    layer
}

fn of<S, B>(name: &'static str, service: S) -> Case
where
    S: Service<Request<Message>, Response = Response<B>, Error: Debug> + 'static,
    B: Body<Data = Bytes>,
{
    let service = RefCell::new(service);
    Case::with_input(name, request, move |request| send(&mut *service.borrow_mut(), request))
}

fn over_channel<S>(name: &'static str, connected: Connected<S>) -> Case
where
    S: GrpcService<tonic::body::Body, ResponseBody: Send + 'static> + 'static,
    <S::ResponseBody as Body>::Error: Into<BoxError>,
{
    let connected = Rc::new(RefCell::new(connected));
    let counted = Rc::clone(&connected);
    let time = move |calls| busy(|| connected.borrow_mut().send(calls));
    let count = move || {
        let all = allocation_counter::measure(|| counted.borrow_mut().send(COUNTED));
        (all.count_total + COUNTED / 2) / COUNTED
    };
    Case::timed(name, time, count)
}
