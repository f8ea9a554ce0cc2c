//! The group `grpc`: a unary call that succeeds at once, through the stack and through tower's `Retry`.

use std::cell::RefCell;
use std::fmt::Debug;

use bytes::Bytes;
use http::{Request, Response};
use http_body::Body;
use redress::{RedressLayer, dialects};
use tower::retry::Retry;
use tower_layer::Layer;
use tower_service::Service;

use super::Subject;
use crate::grpc::{Copy, Message, Server, request, send};
use crate::measure::Case;
use crate::stacks;

pub(super) const NAME: &str = "grpc";

pub(super) fn subjects() -> Vec<Subject> {
    let cases = ["bare", "tower_retry", "plain", "full"].into_iter().filter_map(|name| case(NAME, name)).collect();
    vec![Subject { name: NAME, cases }]
}

/// Returns one case: `plain` is the stack, `full` the stack with a token and a deadline.
pub(super) fn case(subject: &str, case: &str) -> Option<Case> {
    match (subject, case) {
        (NAME, "bare") => Some(of("bare", Server)),
        (NAME, "tower_retry") => Some(of("tower_retry", Retry::new(Copy, Server))),
        (NAME, "plain") => {
            Some(of("plain", RedressLayer::new(dialects::grpc()).without_attempt_timeout().layer(Server)))
        }
        (NAME, "full") => Some(of("full", stacks::full(dialects::grpc(), Server))),
        _ => None,
    }
}

fn of<S, B>(name: &'static str, service: S) -> Case
where
    S: Service<Request<Message>, Response = Response<B>, Error: Debug> + 'static,
    B: Body<Data = Bytes>,
{
    let service = RefCell::new(service);
    Case::with_input(name, request, move |request| send(&mut *service.borrow_mut(), request))
}
