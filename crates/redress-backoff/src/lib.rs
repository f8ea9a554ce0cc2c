//! Sends a request again when, and only when, that is safe and useful: a tower layer.
//!
//! [`Backoff`] sits at the top of the stack. On the way down it keeps a copy of the request. On the way up it reads the
//! verdict that the Classify layer left on the response: it waits, at least as long as the server asked, and sends the
//! copy; or it returns what it has, with the reason in the [`Record`](redress_classify::Record). What the Refresh layer
//! hands up as refreshed it sends once more, free of charge, unless the request may have been processed and is not safe to
//! repeat.
//!
//! The rules, in the order in which they are asked:
//! 1. The verdict's recovery is `retry`. A server's own word comes first: a pushback, a `should-retry` flag, a code, and
//!    then the status.
//! 2. There is a copy of the request that sends all of its bytes.
//! 3. The request is idempotent, or nothing of it was processed: never sent, a status of the table below that says so, or a
//!    documented word of the vendor.
//! 4. There are attempts left.
//! 5. The server's hint is not longer than is honoured, and the wait ends before the deadline.
//! 6. The [`Budget`] has tokens.
//!
//! # What the status alone means
//! Idempotent are GET, HEAD, PUT, DELETE, OPTIONS and TRACE (RFC 9110 section 9.2.2), the routes that the dialect declares,
//! what carries an idempotency key, and what the caller says is ([`Idempotent`]).
//!
//! | status | idempotent | any other | any other, with `Retry-After` |
//! |---|---|---|---|
//! | 421, 425, 429 | again | again | again |
//! | 503 | again | - | again, unless [`uncertain_503`](BackoffLayer::uncertain_503) is set |
//! | 413 | with a hint | - | again |
//! | 408, 420, the other 5xx, 600 to 999 | again | - | - |
//! | 423 | with a hint | - | - |
//! | 409 | with a key | - | - |
//! | anything else | - | - | - |
//!
//! A connection that was not made is tried again for any request, and one that broke or timed out for an idempotent one.
//!
//! # What proves that nothing was processed
//! | evidence | source |
//! |---|---|
//! | no byte of the request was sent; HTTP/2 `REFUSED_STREAM`, or `GOAWAY` above the last stream | RFC 9113 section 8.7 |
//! | 429, by its status | RFC 6585 section 4 |
//! | 425 | RFC 8470 section 5.2 |
//! | 503 with `Retry-After` | RFC 9110 section 15.6.4 |
//! | 421, over another connection | RFC 9110 section 15.5.20 |
//! | 413 with `Retry-After` | RFC 9110 section 15.5.14 |
//! | a code, rule or status whose dialect says `not_processed` | the vendor |
//! | a rejected credential, of which the Refresh layer says that it was renewed: one resend | RFC 9110 section 15.5.2 |
//!
//! Nothing else does: neither the class `rate_limited` at another status, nor the end of a rate-limit window, nor a hint in the
//! body, nor a flag such as `x-should-retry: true`. `docs/retries.md` says more of each row.
//!
//! # Idempotency keys
//! Where the dialect says in which header its API takes a key, or [`BackoffLayer::idempotency_key`] does, each call of that
//! API's methods is given one, a random UUID; its retries and its replay after a refresh carry the same. So a POST may be
//! sent again after a broken connection, and the server does it once. A 409 to it means that the first one is still under
//! way, and is waited out; a 422, the same key for something else, is final (draft-ietf-httpapi-idempotency-key-header).
//! [`RequestExt::idempotency_key`] sets a key of the caller's own. Making a key costs a few small
//! allocations, also when the first attempt succeeds.
//!
//! # Waits
//! Transient failures and throttling have scales of their own, and so have their costs. [`Jitter`] spreads a wait of the
//! layer's own within it; to a wait that a server or vendor asks for it only adds. Failures of other callers count, too: after
//! a run of transient failures without a success of anybody, which the [`Budget`] counts, a call waits as if it had made all
//! of them itself: in the upper half of what the schedule then says, up to its cap, and within what the deadline leaves.
//! So the few retries that the budget has for an outage come when it may be over, in place of being spent in its first
//! second. The wait leaves half of the time before the deadline to the attempt, and [`Jitter::None`] turns it off.
//!
//! # Layers in layers
//! A result that carries a record was retried below, and is returned as it is: three layers of three attempts send three
//! requests, not 27, and charge one budget.
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
mod future;
mod idempotency;
mod idempotency_key;
mod layer;
mod request_copy;
mod schedule;
mod service;
mod settings;
mod telemetry;
mod wait;
mod would_retry;

pub use budget::{Budget, Budgets, Reservation};
pub use decision::has_retry_after;
pub use future::ResponseFuture;
pub use idempotency::Idempotent;
pub use idempotency_key::{IdempotencyKey, InvalidIdempotencyKey, RequestExt};
pub use layer::BackoffLayer;
pub use schedule::Jitter;
pub use service::Backoff;

/// Compiles the example of the README.
#[cfg(doctest)]
#[doc = include_str!("../README.md")]
struct Readme;
