//! Sends a request again when, and only when, that is safe and useful: a tower layer.
//!
//! [`Backoff`] sits at the top of the stack. On the way down it keeps a copy of the request. On the way up it reads the
//! verdict that the Classify layer left on the response: it waits, at least as long as the server asked, and sends the
//! copy; or it returns what it has, with the reason in the [`Record`](redress_classify::Record). What the Refresh layer
//! hands up as refreshed it sends once more, free of charge.
//!
//! The rules, in the order in which they are asked:
//! 1. The verdict's recovery is `retry`.
//! 2. The request is idempotent, or nothing was processed: not sent, throttled, or a 503 with a hint.
//! 3. There are attempts left.
//! 4. The server's hint is not longer than is honoured, and the wait ends before the deadline.
//! 5. The [`Budget`] has tokens.
//!
//! # Examples
//! ```
//! use http::{Request, Response};
//! use redress_backoff::BackoffLayer;
//! use redress_classify::{ResponseExt, Stop, dialects};
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
//! assert_eq!((record.attempts().len(), record.stop()), (3, Stop::Attempts));
//! # Ok(()) }
//! ```

mod budget;
mod call;
mod decision;
mod drain;
mod future;
mod idempotency;
mod key;
mod layer;
mod schedule;
mod service;
mod settings;

pub use budget::{Budget, Reservation};
pub use future::ResponseFuture;
pub use idempotency::Idempotent;
pub use key::IdempotencyKey;
pub use layer::BackoffLayer;
pub use schedule::Jitter;
pub use service::Backoff;
