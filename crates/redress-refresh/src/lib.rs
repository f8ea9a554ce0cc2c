//! A tower layer that attaches credentials to requests, and refreshes them once for all callers.
//!
//! [`Refresh`] belongs right above Classify. On the way down it sets the credential headers, as a set, on the requests that
//! go to its [`Origin`]s. On the way up it looks for a verdict that rejects them. Then one call to the issuer serves all
//! requests that were rejected, and each of them is sent again, once: from here, or by a Backoff layer above.
//!
//! A user implements one trait, [`Credentials`], with one required method; for API keys [`StaticHeaders`] is ready. A login
//! returns a [`TokenSet`], or a [`Failure`] whose kind decides what follows. [`Failure::from_response`] and
//! [`Failure::from_error`] find that kind.
//!
//! # Guarantees
//! - There is one call to the issuer for one rejected set, however many requests were rejected and whichever of them is
//!   cancelled. The call is a *flight*: it runs in a task of its own.
//! - A set that is about to expire is renewed in the background, and no request waits for that.
//! - When a flight fails, all its waiters share the failure, and a cool-down starts: as long as the server asks, and at
//!   least 1 s, doubled with every failure up to 60 s.
//! - A request waits at most until its [`Deadline`](redress_classify::Deadline), or that of the layer.
//! - Processes that share a [`Store`] act as one: a rotating refresh token is presented once by all of them together.
//!   A process that finds the expired lease of another one does not present the refresh token again, except within the
//!   [grace](RefreshLayer::refresh_grace) of the issuer.
//! - A request with fresh credentials costs one atomic load: no lock, no wait, no allocation but that of the copy to send
//!   again. The clock is read only if the credentials expire.
//! - No secret is in any `Debug`, `Display`, error chain or event, and none is sent to an origin that is not listed.
//!
//! # Events
//! There is one `tracing` event per decision, with the target `redress::refresh`: a refresh or a login started, succeeded or
//! failed, a refresh token is invalid, credentials were installed or cleared, a request cannot be sent again, a deadline has
//! passed; once for each authority, a request that is sent without credentials; with a store also a set adopted, a wait for
//! another process, a record written or not, a store that is unavailable or has lost writes. With the feature `metrics` the calls to issuers are
//! counted and timed. `docs/observability.md` of the repository lists names and fields.
//!
//! # Examples
//! ```
//! use http::{Request, Response, StatusCode, header::AUTHORIZATION};
//! use redress_refresh::{Credentials, Failure, TokenSet, RefreshLayer};
//! use secrecy::SecretString;
//! use tower::{ServiceBuilder, ServiceExt, service_fn};
//!
//! struct Portal;
//!
//! impl Credentials for Portal {
//!     async fn login(&self) -> Result<TokenSet, Failure> {
//!         Ok(TokenSet::bearer("first")?.refresh_token("once"))
//!     }
//!
//!     async fn refresh(&self, _: &SecretString) -> Result<TokenSet, Failure> {
//!         Ok(TokenSet::bearer("second")?)
//!     }
//! }
//!
//! # #[tokio::main(flavor = "current_thread", start_paused = true)]
//! # async fn main() -> Result<(), Box<dyn std::error::Error>> {
//! let layer = RefreshLayer::new(Portal, "https://api.example.com".parse()?);
//! let tokens = layer.tokens();
//! let api = ServiceBuilder::new().layer(layer).service(service_fn(|request: Request<String>| async move {
//!     let mut response = Response::new(());
//!     if request.headers()[AUTHORIZATION] != "Bearer second" {
//!         *response.status_mut() = StatusCode::UNAUTHORIZED;
//!     }
//!     Ok::<_, std::io::Error>(response)
//! }));
//!
//! let request = Request::post("https://api.example.com/checks").body(String::new())?;
//! assert_eq!(api.oneshot(request).await?.status(), StatusCode::OK);
//! assert_eq!((tokens.logins(), tokens.refreshes(), tokens.generation()), (1, 1, 2));
//! # Ok(())
//! # }
//! ```

mod credentials;
mod expiry;
mod explanation;
mod failure;
mod flight;
mod future;
mod handle;
mod layer;
mod masking;
mod notifier;
mod origin;
mod record;
mod response_action;
mod service;
mod settings;
mod shared;
mod shared_store;
mod snapshot;
mod state;
#[doc(hidden)]
pub mod straight;
mod telemetry;
mod token_handle;
mod token_set;
mod wait_deadline;
mod withheld;

pub use credentials::{Credentials, StaticHeaders};
pub use explanation::Explanation;
pub use failure::{Failure, Purpose};
pub use future::ResponseFuture;
pub use layer::RefreshLayer;
pub use origin::{InvalidOrigin, Origin};
pub use service::Refresh;
pub use token_handle::TokenHandle;
pub use token_set::{InvalidHeader, TokenSet};

pub use redress_store::{MemoryStore, Store, StoreHandle, conformance};
pub use secrecy::{ExposeSecret, SecretString};

/// Compiles the example of the README.
#[cfg(doctest)]
#[doc = include_str!("../README.md")]
struct Readme;
