//! The stack, layer by layer, over a transport that is ready and answers at once.

use std::num::NonZeroU32;
use std::time::Duration;

use bytes::Bytes;
use http::{HeaderName, HeaderValue, Request};
use http_body_util::Full;
use redress::layers::{Backoff, Classify, Pace, Refresh};
use redress::{
    BackoffLayer, ClassifyLayer, Credentials, Dialect, Limit, Origin, PaceLayer, Redress, RedressLayer, RefreshLayer,
    StaticHeaders, TokenSet, dialects,
};
use tower_layer::Layer;

/// What all send as their bearer token.
pub const TOKEN: &str =
    "eyJhbGciOiJIUzI1NiIsInR5cCI6IkpXVCJ9.eyJzdWIiOiIxMjM0NTY3ODkwIn0.dozjgNryP4J3jVmNHl0w5N_XgL0n3I9PlFUP0THsR8U";

/// Returns a request with eight headers, whose names and values are static, on a route for which no vendor publishes a limit: a bench would soon reach it.
#[must_use]
pub fn request() -> Request<Full<Bytes>> {
    let mut request = Request::new(Full::new(Bytes::from_static(b"{}")));
    *request.uri_mut() = http::Uri::from_static("https://api.example/v1/reports/rp_0000000000000000");
    let names =
        ["accept", "accept-encoding", "content-type", "user-agent", "x-client", "x-trace", "x-tenant", "x-version"];
    for name in names {
        request.headers_mut().insert(HeaderName::from_static(name), HeaderValue::from_static("some value"));
    }
    request
}

/// Reads errors.
pub fn classify<S>(dialect: Dialect, transport: S) -> Classify<S> {
    ClassifyLayer::new(dialect).layer(transport)
}

/// Stamps a token that is held from the start.
///
/// # Panics
/// Never: the origin and the token are legal.
pub fn refresh<S>(transport: S) -> Refresh<S> {
    let layer = RefreshLayer::new(StaticHeaders::new(), origin()).resend_above();
    layer.tokens().install(token());
    layer.layer(transport)
}

/// Keeps a copy, with budget and deadline.
pub fn backoff<S>(transport: S) -> Backoff<S> {
    BackoffLayer::new(dialects::veridia()).deadline(Duration::from_secs(20)).layer(transport)
}

/// An open gate, and no limit for the route.
pub fn pace<S>(transport: S) -> Pace<S> {
    PaceLayer::new(dialects::veridia()).without_limits().layer(transport)
}

/// An open gate, and a limit that is never reached.
///
/// # Panics
/// Never: the route is legal.
pub fn paced<S>(transport: S) -> Pace<S> {
    let route = "GET /v1/reports/{id}".parse().expect("a legal route");
    let limit = Limit::new(route, NonZeroU32::MAX, Duration::from_secs(1)).burst(NonZeroU32::MAX);
    PaceLayer::new(dialects::veridia()).limit(limit).layer(transport)
}

/// All of it but the vendor's limits: budget, deadline, a token, the dialect.
pub fn full<S>(dialect: Dialect, transport: S) -> Redress<S> {
    let layer = layer(dialect, StaticHeaders::new());
    layer.tokens().install(token());
    layer.layer(transport)
}

/// Returns the settings of [`full`], with these credentials.
///
/// # Panics
/// Never: the origin is legal.
pub fn layer(dialect: Dialect, credentials: impl Credentials) -> RedressLayer {
    // A benchmark asks more often than any vendor allows.
    RedressLayer::new(dialect)
        .credentials(credentials, origin())
        .deadline(Duration::from_secs(20))
        .without_attempt_timeout()
        .pace(PaceLayer::without_limits)
}

fn origin() -> Origin {
    "https://api.example".parse().expect("a legal origin")
}

/// Returns a grant of [`TOKEN`].
///
/// # Panics
/// Never: the token is legal.
#[must_use]
pub fn token() -> TokenSet {
    TokenSet::bearer(TOKEN).expect("a legal token")
}
