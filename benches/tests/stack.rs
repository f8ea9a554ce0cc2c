//! A success costs one copy of its request and one clone of its service, and fewer allocations than tower's own stack.

use std::convert::Infallible;
use std::future::{Ready, ready};
use std::pin::Pin;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::task::{Context, Poll};

use benches::call;
use benches::compare::Group;
use benches::requests::Kind;
use benches::stacks;
use bytes::Bytes;
use http::{Request, Response};
use http_body_util::Full;
use redress::{CloneBody, dialects};
use tower_service::Service;

/// A body that counts its copies.
struct Counted {
    body: Full<Bytes>,
    copies: Arc<AtomicUsize>,
}

/// A transport that counts its clones, and that only the one who was readied may call.
struct Transport {
    clones: Arc<AtomicUsize>,
    is_ready: bool,
}

impl CloneBody for Counted {
    fn try_clone(&self) -> Option<Self> {
        self.copies.fetch_add(1, Ordering::Relaxed);
        Some(Self { body: self.body.clone(), copies: Arc::clone(&self.copies) })
    }
}

impl http_body::Body for Counted {
    type Data = Bytes;
    type Error = Infallible;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
    ) -> Poll<Option<Result<http_body::Frame<Bytes>, Infallible>>> {
        Pin::new(&mut self.body).poll_frame(cx)
    }
}

impl Clone for Transport {
    fn clone(&self) -> Self {
        self.clones.fetch_add(1, Ordering::Relaxed);
        Self { clones: Arc::clone(&self.clones), is_ready: false }
    }
}

impl<B> Service<Request<B>> for Transport {
    type Response = Response<Full<Bytes>>;
    type Error = Infallible;
    type Future = Ready<Result<Self::Response, Infallible>>;

    fn poll_ready(&mut self, _: &mut Context<'_>) -> Poll<Result<(), Infallible>> {
        self.is_ready = true;
        Poll::Ready(Ok(()))
    }

    fn call(&mut self, _: Request<B>) -> Self::Future {
        assert!(std::mem::take(&mut self.is_ready), "it was readied");
        ready(Ok(Response::new(Full::new(Bytes::from_static(b"{}")))))
    }
}

#[test]
fn a_success_copies_its_request_once_and_clones_its_service_once() {
    let (copies, clones) = (Arc::new(AtomicUsize::new(0)), Arc::new(AtomicUsize::new(0)));
    let transport = Transport { clones: Arc::clone(&clones), is_ready: false };
    let mut service = stacks::full(dialects::veridia(), transport);
    assert_eq!(clones.load(Ordering::Relaxed), 0, "making the stack clones nothing");
    for calls in 1..=3 {
        let request = Kind::Static.request().map(|body| Counted { body, copies: Arc::clone(&copies) });
        assert_eq!(call(&mut service, request).status(), 200);
        assert_eq!(copies.load(Ordering::Relaxed), calls);
        assert_eq!(clones.load(Ordering::Relaxed), calls);
    }
}

#[test]
fn a_success_allocates_less_than_towers_retry_credentials_and_timeout() {
    for kind in Kind::ALL {
        let allocations = |case| Group::Stack.case(kind.name(), case).unwrap().allocations();
        let ours = allocations("full");
        assert!(ours > 0, "the counter counts");
        assert!(ours < allocations("tower_retry_auth_timeout"), "{}: {ours}", kind.name());
    }
}

#[test]
fn every_case_comes_to_its_result_and_allocates_the_same_each_time() {
    for group in [Group::Stack, Group::Failure, Group::Grpc, Group::Contention] {
        for subject in group.subjects() {
            for case in &subject.cases {
                // The list of the last sets of credentials reaches its full size after some refreshes.
                for _ in 0..16 {
                    let _ = case.allocations();
                }
                let first = case.allocations();
                assert_eq!(case.allocations(), first, "{}/{}", subject.name, case.name());
            }
        }
    }
}
