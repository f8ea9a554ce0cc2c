//! A tower layer that retries failed requests when that is safe and useful.
//!
//! [`Backoff`] belongs on top of the stack. It keeps a copy of each request. After a failure it reads the verdict that the
//! Classify layer has left on the response, waits at least as long as the server asked, and sends the copy; or it returns the
//! result with the reason in its [`Record`](redress_classify::Record). If the Refresh layer has renewed the credentials of a
//! rejected request, the copy is resent once, free of charge, unless the request may have been processed and is not idempotent.
//!
//! A request is retried if all of these hold, in this order:
//! 1. The verdict's recovery is `retry`, or a [`retry_if`](BackoffLayer::retry_if) hook says so. A server's explicit statement has
//!    precedence: a pushback, a `should-retry` flag, a code, and then the status.
//! 2. There is a copy of the request that sends the whole body.
//! 3. The request is idempotent, or there is proof that it was not processed.
//! 4. The number of attempts is below [`max_attempts`](BackoffLayer::max_attempts).
//! 5. The route does not [fail for all callers](#failing-routes).
//! 6. The server's hint is not longer than [`max_retry_after`](BackoffLayer::max_retry_after), and the wait ends before the
//!    deadline.
//! 7. The [`Budget`] has tokens.
//!
//! # Statuses
//! Idempotent are GET, HEAD, PUT, DELETE, OPTIONS and TRACE (RFC 9110 section 9.2.2), the routes that the dialect declares,
//! requests with an idempotency key, and requests that the caller marks as such ([`Idempotent`]). If nothing but the status is
//! known:
//!
//! | status | idempotent | other | other, with `Retry-After` |
//! |---|---|---|---|
//! | 421, 425, 429 | retried | retried | retried |
//! | 503 | retried | - | retried, unless [`uncertain_503`](BackoffLayer::uncertain_503) is set |
//! | 413 | retried with a hint | - | retried |
//! | 408, 420, other 5xx, 600 to 999 | retried | - | - |
//! | 423 | retried with a hint | - | - |
//! | 409 | retried with a key | - | - |
//! | any other | - | - | - |
//!
//! If no connection was made, any request is retried; if the connection broke or timed out, an idempotent one.
//!
//! # Proof that a request was not processed
//! | evidence | source |
//! |---|---|
//! | no byte of the request was sent; HTTP/2 `REFUSED_STREAM`, or `GOAWAY` above the last stream | RFC 9113 section 8.7 |
//! | 429, by its status | RFC 6585 section 4 |
//! | 425 | RFC 8470 section 5.2 |
//! | 503 with `Retry-After` | RFC 9110 section 15.6.4 |
//! | 421, over another connection | RFC 9110 section 15.5.20 |
//! | 413 with `Retry-After` | RFC 9110 section 15.5.14 |
//! | a code, rule or status that the dialect declares `not_processed` | the vendor |
//! | rejected credentials that the Refresh layer has renewed: one resend | RFC 9110 section 15.5.2 |
//!
//! Nothing else is proof: neither the class `rate_limited` at another status, nor the end of a rate-limit window, nor a hint in
//! the body, nor a flag such as `x-should-retry: true`. `docs/retries.md` explains each row.
//!
//! # Idempotency keys
//! If the dialect declares a header for idempotency keys, or [`BackoffLayer::idempotency_key`] does, each request of that
//! header's methods gets one, a random UUID that all attempts of the call carry. So a POST can be sent again after a broken
//! connection, and the server processes it once. A 409 to it means that the first request is still being processed, and is
//! retried; a 422 means that the key was used for another request, and is final (draft-ietf-httpapi-idempotency-key-header).
//! [`RequestExt::idempotency_key`] sets a key of the caller's own. Making a key costs a few small allocations, also if the first
//! attempt succeeds.
//!
//! # Waits
//! Transient failures and throttling have separate schedules and costs. [`Jitter`] spreads a wait of the layer's own; a wait
//! that a server or vendor asks for is only prolonged by it.
//!
//! The failures of other calls count, too. The [`Budget`] counts the transient failures since the last success of any call. During
//! such a run a call waits as if it had seen all of those failures itself: in the upper half of the schedule's wait, up to its
//! cap. So the few retries that the budget allows in an outage are spread over the outage and not spent in its first second. Half
//! of the time before the deadline is left to the attempt. [`Jitter::None`] turns this off.
//!
//! # Failing routes
//! A route whose last nine attempts have failed, over all callers, while others of its upstream have succeeded, is not retried: its calls
//! are sent once and end with [`EndReason::FailingRoute`](redress_classify::EndReason::FailingRoute), until one of them is answered, or
//! for a minute without a failure. So an endpoint whose backend is away takes no tokens that the others need. A failure with a
//! hint is retried as on other routes, and so is a gRPC method with a [`RetryPolicy`]. A throttled request does not count as a failure.
//!
//! A route is the method and the path without its segments that have a digit, which are often ids. At most 1,024 routes are
//! counted, those that have failed since they succeeded last. If all routes of a host fail, that is an outage. The number is small enough for two minutes of a client with a call in seven seconds (`bad-route` with a hundred
//! processes in the lab: 1.03 requests a call, 1.20 without this rule), and large enough that random errors of six in ten seldom
//! begin such a run (one in a hundred attempts), which the next success ends.
//!
//! # Outages
//! A layer below that sees the attempts of all calls, such as Pace, may mark a failure with
//! [`UpstreamHealth::Outage`](redress_classify::UpstreamHealth): it holds all requests, but single probes, until one of them
//! is answered. A failed request that may be sent again, by the rules 1 to 3, is then sent to that layer at once, and waits
//! there. That uses up no attempt, and reserves no tokens: they are taken when the layer admits the request, and a probe is
//! free. If the call ends before that, at its deadline or because the layer refuses the request, the outcome of the last
//! attempt is returned: the response, or the error of the transport.
//!
//! A response is kept for that if a Classify layer has read its body to the end, in at most 16 KiB, or if it has none. Any
//! other is dropped, and the call ends with an error that has its verdict. So a call keeps at most 16 KiB, and no
//! connection.
//!
//! The rules 4 to 7 apply as without an outage to a call without a deadline or with
//! [`max_attempts(1)`](BackoffLayer::max_attempts), after a failure with a hint, to a gRPC method with a [`RetryPolicy`],
//! and after 32 resends of one call in an outage. So the record of a call has at most 32 attempts more than without one. A
//! request that never left the line is not among them.
//!
//! # Hedges
//! With [`hedge`](BackoffLayer::hedge), which is off by default, a second attempt is sent while the first goes on, if that takes longer
//! than 95 % of the calls do. The first outcome that no retry would follow is returned, and the other attempt is cancelled. It is
//! an attempt of the record, is paid from the budget as a retry is, and there are at most 5 of them for 100 calls.
//!
//! # Sharing
//! A budget for each of a thousand processes is a thousand budgets. With [`BackoffLayer::share`] all processes have one bucket for
//! each upstream, with the capacity of one [`Budget`], in the record of a store:
//! 1. The first failed call to an upstream starts a task, which leases tokens: the capacity divided by the processes in the record,
//!    at least three retries, and at most half of what is free. Calls spend them from memory. No call waits for the store.
//! 2. Successes refill the tokens of their process, up to its lease; the others go to the bucket of all processes. A process settles
//!    what it holds and has earned when it takes the next lease: every 5 s, or below half of its lease after 2 s at the soonest.
//!    From 200 processes on both times grow with their number, to 10 s and 20 s for 1,000. A settlement takes two calls to the
//!    store, more if others write at the same time.
//! 3. A process has the tokens of one retry before its first lease, and its successes always have room for that many. So the first
//!    failure of a process is retried as without a store, and a process in a large fleet pays for retries by its own successes. They
//!    are taken from the bucket if it has as many.
//! 4. A process whose calls ask for no tokens for a minute gives its lease back, and so does a layer that is dropped. The tokens of
//!    a process that is killed count as spent after 3 minutes.
//! 5. A store that fails, or does not answer within 5 s, is unavailable. Then successes refill the tokens of a process up to the
//!    capacity divided by the processes seen last, or to three retries if none was seen.
//! 6. A settlement whose answer was lost is recognized in the record, and does not count twice. A store that went back in time,
//!    by a fail-over to a lagging replica or the loss of the record, may give tokens twice: the first process that notices it
//!    empties the bucket, and nothing is leased until all others have settled. What they hold is added to the record, which is never
//!    replaced.
//! 7. A record in a later format is not overwritten: it counts as an unavailable store. Other bytes under the key are replaced.
//!
//! In all, the processes spend at most the capacity, the tokens of successes, and one retry for each start of a process. A store
//! that went back where no process is left that knows it may grant once more what is free in its record.
//!
//! The record `{key}/budget/{host and port}` is kept for an hour after the last settlement. At most 2,048 processes share one, and a
//! process shares 1,024 of them; calls to further upstreams have the tokens of one retry together. A request whose body cannot be
//! copied leases nothing. It needs a tokio runtime. The run of failures that widens waits is that of one process. A success
//! costs nothing more while all buckets are full; else an atomic exchange, as for a bucket that is not full.
//!
//! # Nested layers
//! A result that has a record was retried below, and is returned as it is: three layers of three attempts send three requests,
//! not 27, and charge one budget.
//!
//! # Hooks
//! [`retry_if`](BackoffLayer::retry_if) decides which failures are worth a retry, [`on_attempt`](BackoffLayer::on_attempt) and
//! [`on_wait`](BackoffLayer::on_wait) observe, [`NoRetry`] and [`Idempotent`] are extensions of a single request, as is the
//! [`Deadline`](redress_classify::Deadline).
//!
//! # Examples
//! ```
//! use http::{Request, Response};
//! use redress_backoff::BackoffLayer;
//! use redress_classify::{ResponseExt, EndReason, dialects};
//! use tower::{ServiceBuilder, ServiceExt, service_fn};
//!
//! # #[tokio::main(flavor = "current_thread", start_paused = true)]
//! # async fn main() -> Result<(), Box<dyn std::error::Error>> {
//! let ranex = ServiceBuilder::new()
//!     .layer(BackoffLayer::new(dialects::ranex()))
//!     .service(service_fn(|_: Request<String>| async {
//!         Ok::<_, std::io::Error>(Response::builder().status(503).body(String::new()).expect("a status"))
//!     }));
//! let response = ranex.oneshot(Request::get("/v1/applicants/a1").body(String::new())?).await?;
//! let record = response.record().expect("there was more than one attempt");
//! assert_eq!((record.attempts().len(), record.end_reason()), (3, EndReason::MaxAttempts));
//! # Ok(()) }
//! ```

mod budget;
mod call;
mod decision;
mod failing_routes;
mod future;
mod grpc;
mod header_names;
mod hedge;
mod hooks;
mod idempotency;
mod idempotency_key;
mod layer;
mod request_copy;
mod schedule;
mod service;
mod settings;
#[doc(hidden)]
pub mod straight;
mod telemetry;
mod wait;
mod would_retry;

pub use budget::{Budget, Budgets, Reservation};
pub use decision::has_retry_after;
pub use future::ResponseFuture;
pub use grpc::{MethodConfig, RetryPolicy, RetryThrottling, ServiceConfig};
pub use idempotency::{Idempotent, NoRetry};
pub use idempotency_key::{IdempotencyKey, InvalidIdempotencyKey, RequestExt};
pub use layer::BackoffLayer;
pub use schedule::Jitter;
pub use service::Backoff;

/// Compiles the example of the README.
#[cfg(doctest)]
#[doc = include_str!("../README.md")]
struct Readme;

/// Compiles the example of `docs/retries.md`.
#[cfg(doctest)]
#[doc = include_str!("../../../docs/retries.md")]
struct Retries;
