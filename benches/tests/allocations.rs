//! A success allocates nothing beyond the one copy of its request, and reading an error only what it keeps.

use benches::requests::Kind;
use benches::{allocations, bodies, call, reading, stacks};
use bytes::Bytes;
use http::{HeaderName, HeaderValue, Request, Response};
use http_body_util::Full;
use redress::dialects;
use redress_sandbox::FixedResponse;
use tower_service::Service;

fn of<S, B>(mut service: S) -> f64
where
    S: Service<Request<Full<Bytes>>, Response = Response<B>>,
    S::Error: std::fmt::Debug,
{
    allocations(
        || Kind::Static.request(),
        |request| {
            let response = call(&mut service, request);
            assert!(response.extensions().is_empty(), "a success writes no extension");
        },
    )
}

#[test]
fn a_success_allocates_nothing_beyond_the_copy_of_its_request() {
    let bare = || FixedResponse::new(Bytes::from_static(b"{}"));
    let base = of(bare());
    // The copy is a list of the headers; neither the names nor the values of this request have to be allocated anew.
    let copy = allocations(|| (), |()| drop(Vec::<(HeaderName, HeaderValue)>::with_capacity(8)));
    assert!(copy == 1.0, "the counter counts");
    for (name, count, allowed) in [
        ("classify", of(stacks::classify(dialects::veridia(), bare())), base),
        (
            "classify, held",
            of(stacks::classify(dialects::maleslab(), FixedResponse::new(Bytes::from_static(b"{\"success\":true}")))),
            base,
        ),
        ("refresh", of(stacks::refresh(bare())), base),
        ("pace", of(stacks::pace(bare())), base),
        ("pace, limited", of(stacks::paced(bare())), base),
        ("backoff", of(stacks::backoff(bare())), base + copy),
        ("full", of(stacks::full(dialects::veridia(), bare())), base + copy),
        (
            "full, held",
            of(stacks::full(dialects::vlens(), FixedResponse::new(Bytes::from(bodies::vlens_success(1024))))),
            base + copy,
        ),
    ] {
        assert!(count <= allowed, "{name}: {count} allocations, {allowed} allowed");
    }
}

#[test]
fn reading_an_error_allocates_only_the_list_of_its_fields() {
    for (vendor, body) in bodies::ERRORS {
        let dialect = dialects::by_name(vendor).expect("it is shipped");
        let read = || reading::read(&dialect, [body.as_bytes()]);
        let count = allocations(|| (), |()| drop(read()));
        let fields = read().fields.len();
        assert!(fields > 0 || count == 0.0, "{vendor}: {count} allocations without a field");
    }
}
