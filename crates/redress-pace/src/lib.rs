//! A tower layer that keeps all callers of one upstream within its cool-downs and its published limits.
//!
//! [`Pace`] sits below Backoff, so that retries and resends pass it like first attempts, and above Refresh. It changes neither
//! the request nor the response. It has two parts:
//! - **Gates.** If a response says that the upstream is overloaded, no other call of the same partition is sent before the
//!   instant that the server named. The partition is the host and port, or a key of your own. Afterwards the waiting calls are
//!   released one after the other, no faster than the server answers. A call that cannot wait that long fails at once with the
//!   time to come back. If the dialect has [scopes](#scopes), only the calls that share the limit wait.
//! - **Limits.** The published limits of a route or of the whole API are kept for all callers, in any interval of a minute, in
//!   the order in which the calls arrive.
//!
//! # Guarantees
//! - No call is sent before a server's hint is over, for up to an hour. The spread of a release only adds to it.
//! - No interval of a limit's length holds more requests than the limit: under concurrency, after any pause, with any calls
//!   cancelled. See [`Limit`].
//! - With the gates open and no limit for its route, a request costs one atomic load: no lock, no clock, no allocation. With a
//!   limit it costs a lock for some arithmetic, and one reading of the clock.
//! - There is no task, and there are no timers but those of waiting calls: one each at a gate and in its release, and one for
//!   the first call of each queue.
//! - Memory is bounded: 1,024 cool-downs, the buckets of 4,096 routes, and a release only while one of its calls exists. If
//!   there are more cool-downs, that of the scope which ends first is widened to its whole partition, so that no call goes
//!   early. Only if there are none of scopes, that of the partition which ends first is removed.
//!
//! # Scopes
//! Many APIs have several limits: GitHub one for searches, Discord one for each channel, Slack one for each method. A dialect
//! says which calls share a limit, by their routes, and how a response names the limit or says that it concerns all calls. A
//! rate limit then cools its scope down, and a call waits for its scope and for its partition, whichever takes longer. A 503
//! with a hint cools the partition down. Each scope has a release of its own; in the release of a partition the calls of all
//! scopes share one queue.
//!
//! If responses name the bucket of their route in a header, the last one is cached. A call on a route whose bucket is not known
//! waits for every cool-down in its scope.
//!
//! # The release
//! At the end of a cool-down all waiting calls become ready, each at a random instant within the spread, in addition to the
//! usual traffic. A server with little capacity to spare would get several times as much, its queue would outgrow the timeouts
//! of its clients, and no call would succeed. So a release has a congestion window, as TCP has (RFC 5681): responses make room
//! for the next calls.
//! 1. A limited number of calls may be in flight, 10 at first (RFC 6928). A call without a permit queues for one, first in,
//!    first out.
//! 2. The window doubles with each round of responses that takes at most twice as long as the fastest one (slow start). After a
//!    failure it grows by one in such a round (congestion avoidance).
//! 3. A failure that indicates overload (a 5xx, a rate limit, no response) halves it, once for all calls that were in flight
//!    together. A round that takes more than four times as long as the fastest one halves it too, though not below 10.
//! 4. A call that arrives during the release joins the same queue, since else it would displace the calls that have waited for
//!    longest. But it goes without a permit after the spread, or after half of the time that it has left, so that a window that
//!    is too small delays it and never rejects it.
//! 5. A call that waited for the cool-down is not sent if it gets no permit within its maximum wait, or one too late for a
//!    response. The release ends once none of its calls waits or is in flight.
//!
//! # What it does not do
//! It does not slow down because of `RateLimit` fields on successes. It does not know the requests of other processes.
//!
//! # Events
//! One `tracing` event for each decision, with the target `redress::pace`: `cool-down started`, `call waits`, and
//! `call rejected` for a call that fails at once. Each has the fields `dialect`, `partition` (host and port; never a path, a
//! query, a user or a key) and `wait`. `cool-down started` has the `class` of the response, and the `scope` unless all calls are
//! concerned; the other two have a `reason`: `cooldown`, `release` or `limit`.
//!
//! # Examples
//! ```
//! use std::time::Duration;
//! use http::{Request, Response};
//! use redress_classify::{Error, dialects};
//! use redress_pace::PaceLayer;
//! use tower::{Service, ServiceBuilder, ServiceExt, service_fn};
//!
//! # #[tokio::main(flavor = "current_thread", start_paused = true)]
//! # async fn main() -> Result<(), Box<dyn std::error::Error>> {
//! let layer = PaceLayer::new(dialects::veridia()).deadline(Duration::from_secs(10));
//! let gate = layer.gate();
//! let mut veridia = ServiceBuilder::new().layer(layer).service(service_fn(|_: Request<()>| async {
//!     let response = Response::builder().status(429).header("retry-after", "30");
//!     Ok::<_, std::io::Error>(response.body(()).expect("a status"))
//! }));
//! let request = || Request::get("https://api.example/v1/verify/vf_1").body(()).expect("a URI");
//!
//! assert_eq!(veridia.ready().await?.call(request()).await?.status(), 429);
//! assert!(gate.cooldown_until(&request()).is_some());
//! let error = veridia.ready().await?.call(request()).await.expect_err("its deadline is sooner");
//! assert!(error.is_paced() && error.retry_at().is_some());
//! # Ok(())
//! # }
//! ```

mod admission;
mod buckets;
mod cooldown;
mod fail_fast;
mod future;
mod gate;
mod gates;
mod gcra;
mod health;
mod keyed_queues;
mod layer;
mod learn;
mod limit;
mod limiter;
mod line;
mod max_wait;
mod outage;
mod partition;
mod scope;
mod service;
mod settings;
mod telemetry;
mod waker;
mod window;

pub use fail_fast::FailFast;
pub use future::ResponseFuture;
pub use gate::{Gate, GatePhase, GateStatus};
pub use layer::PaceLayer;
pub use limit::Limit;
pub use service::Pace;

/// Compiles the example of the README.
#[cfg(doctest)]
#[doc = include_str!("../README.md")]
struct Readme;
