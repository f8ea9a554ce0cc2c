//! OpenTelemetry for HTTP calls that are retried: a span, a trace context and a duration for each attempt, and one span around
//! a call that waits or is sent again.
//!
//! Most instrumentation sees a call with retries as one request, with one `traceparent` for all attempts. [`Telemetry`] puts two
//! layers around the stack of `redress`: [`AttemptLayer`] below it sees each attempt, [`CallLayer`] above it sees the call. Names
//! and values are those of the stable [semantic conventions for HTTP](https://opentelemetry.io/docs/specs/semconv/http/), so that
//! dashboards and tracing backends show them without settings of their own.
//!
//! # Examples
//! ```
//! use std::sync::atomic::{AtomicU32, Ordering};
//! use std::sync::Arc;
//!
//! use http::{Request, Response};
//! use opentelemetry_sdk::trace::{InMemorySpanExporter, SdkTracerProvider};
//! use redress::{RedressLayer, dialects};
//! use redress_opentelemetry::Telemetry;
//! use tower::{Layer, ServiceExt, service_fn};
//!
//! # #[tokio::main(flavor = "current_thread", start_paused = true)]
//! # async fn main() -> Result<(), Box<dyn std::error::Error>> {
//! let spans = InMemorySpanExporter::default();
//! let provider = SdkTracerProvider::builder().with_simple_exporter(spans.clone()).build();
//! let sent = Arc::new(AtomicU32::new(0));
//! let transport = service_fn(move |_: Request<String>| {
//!     let status = if sent.fetch_add(1, Ordering::Relaxed) == 0 { 503 } else { 200 };
//!     async move { Response::builder().status(status).body(String::new()) }
//! });
//!
//! let telemetry = Telemetry::new().tracer_provider(&provider);
//! let service = telemetry.around(RedressLayer::new(dialects::generic())).layer(transport);
//! let response = service.oneshot(Request::get("https://api.example/v1").body(String::new())?).await?;
//!
//! assert_eq!(response.status(), 200);
//! let names: Vec<_> = spans.get_finished_spans()?.into_iter().map(|span| span.name).collect();
//! assert_eq!(names, ["GET", "GET", "redress.call"]);
//! # Ok(()) }
//! ```
//!
//! # Spans
//! | span | kind | when |
//! |---|---|---|
//! | the method, such as `GET` | CLIENT | each attempt |
//! | `redress.call` | INTERNAL | a call that waits before its first attempt, or is sent again |
//!
//! [`Attempts`] and [`Calls`] say which attributes they have, and when they begin and end.
//!
//! # Values of `error.type`
//! A status of 400 and above is its text, such as `503`. Failures without a response are:
//!
//! | value | meaning |
//! |---|---|
//! | `connect`, `connect_timeout` | no connection was made: DNS, TCP, TLS |
//! | `certificate`, `tls`, `proxy` | the connection was refused in a way that another attempt does not change |
//! | `not_sent` | the request was not sent, or the server said that it did not process it |
//! | `timeout` | the attempt timeout, the deadline of the call, or a timeout of the transport |
//! | `cancelled` | the call was dropped |
//! | `connection_closed` | the connection broke off |
//! | `body` | a body failed |
//! | `invalid_request` | the request cannot be sent as it is |
//! | `paced`, `credentials` | on `redress.call`: no attempt was made, because of a limit or for lack of credentials |
//! | `_OTHER` | any other failure |
//!
//! A `redress.call` that ends with a success status and an error in its body has the [`Class`](redress_classify::Class) of that
//! error, such as `invalid`.
//!
//! # gRPC
//! [`Telemetry::grpc_target`] turns on the metrics of [gRFC A96](https://github.com/grpc/proposal/blob/master/A96-retry-otel-stats.md),
//! which are experimental and off by default in gRPC's own libraries, too: how often a call was retried, retried transparently and
//! hedged, and how long it was between two attempts. A call without any of it records nothing.
//!
//! # Secrets
//! No attribute holds a header, a body or the text of an error. `url.full` has neither user nor password, and the values of the
//! query are redacted but for [`Telemetry::query_keys`]; [`Telemetry::dialect`] masks secrets in paths.
//!
//! # Cost
//! A call has one allocation for its state besides those of its spans. Without this crate a stack has none of it: `redress` does
//! not depend on `opentelemetry`.
//!
//! # `opentelemetry`
//! This crate uses version 0.33 of the API, and no SDK: a program brings its own, of the same version.

mod around;
mod attempt;
mod attempts;
mod call_state;
mod calls;
mod conventions;
mod error_type;
mod injector;
mod resends;
mod telemetry;
mod url_full;

pub use around::Around;
pub use attempts::{AttemptFuture, AttemptLayer, Attempts};
pub use calls::{CallFuture, CallLayer, Calls};
pub use telemetry::Telemetry;

/// Compiles the example of the README.
#[cfg(doctest)]
#[doc = include_str!("../README.md")]
struct Readme;

/// Compiles the examples of `docs/observability.md`.
#[cfg(doctest)]
#[doc = include_str!("../../../docs/observability.md")]
struct Observability;
