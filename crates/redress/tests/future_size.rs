//! The size of a call's future, which is moved before it is polled, and which each call in flight holds.

use std::time::Duration;

use bytes::Bytes;
use http::Request;
use http_body_util::Full;
use hyper_util::client::legacy::Client;
use hyper_util::rt::TokioExecutor;
use redress::transport::Hyper;
use redress::{RedressLayer, StaticHeaders, TokenSet, dialects};
use tower::{Layer, Service};

/// Of these bytes, 312 are the transport, by which the request may be sent again, 208 the response, and 112 the timer.
const AT_MOST: usize = 1024;

#[test]
fn a_call_over_hyper_takes_at_most_a_kilobyte() {
    let transport: Hyper<_, Full<Bytes>> = Hyper::new(Client::builder(TokioExecutor::new()).build_http());
    let layer = RedressLayer::new(dialects::veridia())
        .credentials(StaticHeaders::new(), "https://api.example".parse().expect("an origin"))
        .deadline(Duration::from_secs(20));
    layer.tokens().install(TokenSet::bearer("token-of-the-test").expect("a token"));
    let request = Request::put("https://api.example/v1/reports/rp_1").body(Full::from("{}")).expect("a request");
    let size = size_of_val(&layer.layer(transport).call(request));
    assert!(size <= AT_MOST, "{size} bytes");
}
