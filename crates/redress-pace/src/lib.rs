//! Answers "may anyone ask now?": a tower layer that keeps all callers of one upstream in step.
//!
//! [`Pace`] sits below Backoff, so that retries and re-sends pass it like first tries, and above Refresh. It does two
//! things, and touches neither request nor response:
//! - **The gate.** When a response says that the upstream is throttling, no other call of the same partition, which is the
//!   host and port or a key of your own, goes there before the instant that the server named. Then they go one by one, not
//!   all at once, and no faster than the server answers. A call that cannot wait that long fails at once and says when to
//!   come back. Where the dialect has [scopes](#scopes), only the calls that share the limit wait.
//! - **The limits.** The published limits, for a route or for the whole API, are kept: by
//!   every span of a minute, for all callers, in the order in which they came.
//!
//! # What it promises
//! - Nobody is let through before a server's hint, for up to an hour. Spread only adds.
//! - No span of a limit's time ever holds more requests than allowed: under concurrency, after any pause, whoever is
//!   cancelled. See [`Limit`].
//! - A request with the gate open and no limit for its route takes one atomic load: no lock, no look at the clock, no
//!   allocation. With a limit it takes a lock for some arithmetic, and one look at the clock.
//! - There is no task, and no timer but those of calls that wait: one each at the gate and in its release, one for the first
//!   of each queue.
//! - Memory is bounded: 1,024 cool-downs, the buckets of 4,096 routes, and a release only while one of its calls lives. If
//!   there are more cool-downs, the one of a scope that ends first is widened to its whole partition, so that no call is let
//!   through early; only if there are none of scopes, the one of a partition that ends first is forgotten.
//!
//! # Scopes
//! Many APIs have several limits: GitHub one for searches, Discord one for each channel, Slack one for each method. A
//! dialect says which calls share one, by their routes, and how a response names the limit or says that it concerns all
//! calls. A rate limit then parks its scope, and a call waits for its scope and for its partition, whichever takes longer.
//! A 503 with a hint parks the partition. Each scope has a release of its own; in the release of a partition the calls of
//! all scopes stand in one line.
//!
//! Where responses name the bucket of their route in a header, the last one is remembered. A call on a route whose bucket is
//! not known waits for every cool-down in its scope.
//!
//! # The release
//! When a cool-down ends, everybody wants to go: those who were parked, each at an instant drawn from the spread, beside the
//! usual traffic. A server that could do a little more than that traffic gets several times as much, its queue outgrows the
//! timeouts of its clients, and then it works for nobody. So the release clocks itself, as the congestion window of TCP does
//! (RFC 5681): answers make room for the next calls.
//! 1. So many calls may be in flight, ten at first; who finds no place waits for one, and of those the one that came first
//!    goes next.
//! 2. With each round of answers that comes about as quickly as the quickest one, at most twice as long, the window doubles;
//!    after a failure it grows by one in such a round.
//! 3. A failure that smells of overload (a 5xx, a rate limit, no answer) halves it, once for all that were under way
//!    together; a round more than four times as slow as the quickest halves it, too, though not below ten.
//! 4. A call that comes during the release stands in the same line, since else it would push those out who have waited for
//!    longest; but it goes without a place after as long as the spread, or half of the time that it has left, so that a
//!    window that errs delays it and never shuts it out.
//! 5. A parked call that gets no place before its patience is over, or one too late to be answered, is not sent. When
//!    nobody waits or is in flight any more, the release is forgotten.
//!
//! # What it does not
//! It does not slow down because of `RateLimit` fields on successes. It knows nothing of other processes.
//!
//! # Events
//! One `tracing` event per decision, with the target `redress::pace`: `parked`, `waits` and `held back`, which fails at
//! once. Each has the fields `dialect`, `partition` (host and port, never a path, a query, a user or a key), `wait` and
//! `why`; `parked` also names the scope, if not all calls are parked.
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
//! assert!(gate.parked_until(&request()).is_some());
//! let error = veridia.ready().await?.call(request()).await.expect_err("its deadline is sooner");
//! assert!(error.is_paced() && error.retry_at().is_some());
//! # Ok(())
//! # }
//! ```

mod buckets;
mod crowd;
mod future;
mod gate;
mod gcra;
mod lanes;
mod layer;
mod limit;
mod limiter;
mod lot;
mod parking;
mod partition;
mod scope;
mod service;
mod telemetry;
mod turn;
mod waker;
mod window;

pub use future::ResponseFuture;
pub use gate::Gate;
pub use layer::PaceLayer;
pub use limit::Limit;
pub use service::Pace;

/// Compiles the example of the README.
#[cfg(doctest)]
#[doc = include_str!("../README.md")]
struct Readme;
