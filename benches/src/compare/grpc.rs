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
    let plain = RedressLayer::new(dialects::grpc()).without_attempt_timeout().layer(Server);
    let cases = vec![
        case("bare", Server),
        case("tower_retry", Retry::new(Copy, Server)),
        case("plain", plain),
        case("full", stacks::full(dialects::grpc(), Server)),
    ];
    vec![Subject { name: NAME, cases }]
}

fn case<S, B>(name: &'static str, service: S) -> Case
where
    S: Service<Request<Message>, Response = Response<B>, Error: Debug> + 'static,
    B: Body<Data = Bytes>,
{
    let service = RefCell::new(service);
    Case::with_input(name, request, move |request| send(&mut *service.borrow_mut(), request))
}
