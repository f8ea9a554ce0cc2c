//! The stack, layer by layer, over a transport that is ready and answers at once.

use std::num::NonZeroU32;
use std::time::Duration;

use http::Request;
use opentelemetry_sdk::trace::SdkTracerProvider;
use redress::layers::{Backoff, Classify, Pace, Refresh};
use redress::{
    BackoffLayer, ClassifyLayer, Credentials, Dialect, Limit, MemoryStore, Origin, PaceLayer, Redress, RedressLayer,
    RefreshLayer, StaticHeaders, TokenSet, dialects,
};
use redress_opentelemetry::{Attempts, Calls, Telemetry};
use tower_layer::Layer;

/// The bearer token that all send.
pub const TOKEN: &str =
    "eyJhbGciOiJIUzI1NiIsInR5cCI6IkpXVCJ9.eyJzdWIiOiIxMjM0NTY3ODkwIn0.dozjgNryP4J3jVmNHl0w5N_XgL0n3I9PlFUP0THsR8U";

/// The origin of the second tenant.
const OTHER: &str = "https://other.api.example";

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
pub fn paced<S>(transport: S) -> Pace<S> {
    PaceLayer::new(dialects::veridia()).limit(limit(Duration::from_secs(1))).layer(transport)
}

/// All of it but the vendor's limits: budget, deadline, a token, the dialect.
pub fn full<S>(dialect: Dialect, transport: S) -> Redress<S> {
    held(layer(dialect, StaticHeaders::new())).layer(transport)
}

/// [`full`] with a limit that covers the route and is never reached.
pub fn full_limited<S>(transport: S) -> Redress<S> {
    held(veridia().pace(|pace| pace.limit(limit(Duration::from_secs(1))))).layer(transport)
}

/// [`full_limited`] for two hosts with the same token; each has a count of its own.
///
/// # Panics
/// Never: the origin is legal.
pub fn full_limited_tenants<S>(transport: S) -> Redress<S> {
    let other = OTHER.parse().expect("a legal origin");
    let layer = veridia().pace(|pace| pace.limit(limit(Duration::from_secs(1))));
    held(layer.refresh(|refresh| refresh.origin(other))).layer(transport)
}

/// [`full`] with an attempt timeout beside the deadline.
pub fn full_timeouts<S>(transport: S) -> Redress<S> {
    let settings = settings(dialects::veridia(), StaticHeaders::new(), origin());
    held(settings.attempt_timeout(Duration::from_secs(5))).layer(transport)
}

/// [`full`] while another upstream has an outage: the gate of this one is open, and each call looks at it under the lock.
///
/// # Panics
/// Never: the URI is legal.
pub fn full_outage_elsewhere<S>(transport: S) -> Redress<S> {
    let layer = veridia();
    layer.gate().shut(&Request::get("https://other.example").body(()).expect("a legal request"));
    held(layer).layer(transport)
}

/// [`full`] with a limit that processes share by a store. Its permits come from a task of the runtime.
pub fn full_shared<S>(transport: S) -> Redress<S> {
    // The permits of a lease suffice for a run: one lasts a fortieth of this time or longer.
    let limit = limit(Duration::from_secs(24 * 3600));
    let pace = |pace: PaceLayer| pace.limit(limit).share(MemoryStore::new(), "bench");
    held(veridia().pace(pace)).layer(transport)
}

/// [`full`] within spans of OpenTelemetry, which the SDK makes and exports nowhere.
pub fn full_opentelemetry<S>(transport: S) -> Calls<Redress<Attempts<S>>> {
    let provider = SdkTracerProvider::builder().build();
    Telemetry::new().tracer_provider(&provider).around(held(veridia())).layer(transport)
}

/// Returns the settings of [`full`], with these credentials.
pub fn layer(dialect: Dialect, credentials: impl Credentials) -> RedressLayer {
    settings(dialect, credentials, origin()).without_attempt_timeout()
}

fn veridia() -> RedressLayer {
    layer(dialects::veridia(), StaticHeaders::new())
}

/// Returns the settings of [`full`] with these credentials for an origin; an attempt timeout can be set.
pub fn settings(dialect: Dialect, credentials: impl Credentials, origin: Origin) -> RedressLayer {
    // A benchmark asks more often than any vendor allows.
    RedressLayer::new(dialect)
        .credentials(credentials, origin)
        .deadline(Duration::from_secs(20))
        .pace(PaceLayer::without_limits)
}

/// Puts the token in.
pub fn held(layer: RedressLayer) -> RedressLayer {
    layer.tokens().install(token());
    layer
}

/// Returns a limit of the route of the requests that is never reached.
fn limit(per: Duration) -> Limit {
    let route = "PUT /v1/reports/{id}".parse().expect("a legal route");
    Limit::new(route, NonZeroU32::MAX, per).burst(NonZeroU32::MAX)
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
