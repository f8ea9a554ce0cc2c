//! Answers "who am I now?": a tower layer that attaches credentials, and refreshes them once for all callers.
//!
//! [`Refresh`] sits right above Classify. On the way down it stamps the credential headers, as a set, on the requests
//! that go to its [`Origin`]s. On the way up it looks for a verdict that says that they have run out; then one call to
//! the issuer serves every request that met it, and each of them is sent again, once: from here, or by a Backoff layer
//! above.
//!
//! A user implements one trait, [`Credentials`], with one method; for API keys [`StaticHeaders`] is ready. The trait
//! answers with a [`TokenSet`], or with a [`Failure`] whose kind decides what follows.
//!
//! # What it promises
//! - One call to the issuer for one rejected set, whoever asks and whoever is cancelled. It runs in a task of its own.
//! - A set that is about to expire is renewed in the background, and nobody waits for that.
//! - When the call fails, all who wait share the failure, and until the cool-down ends nobody repeats it: it lasts as
//!   long as the server asks, and at least 1 s, doubled with every failure up to 60 s.
//! - Nobody waits longer than the call's [`Deadline`](redress_classify::Deadline), or the layer's own.
//! - Processes that share a [`TokenStore`] act as one: a refresh token that rotates is shown once by all of them together,
//!   and who finds that another one went away in the middle logs in rather than show it again.
//! - A request with fresh credentials takes one atomic load: no lock, no wait, no allocation but the spare copy, and no
//!   look at the clock unless the credentials expire.
//! - No secret shows in any `Debug`, `Display`, error chain or event, and none goes to an origin that is not listed.
//!
//! # Events
//! One `tracing` event per decision, with the target `redress::refresh`: a refresh or a login started, succeeded or
//! failed, a dead grant, a logout, credentials installed, a request that cannot be sent again, a deadline that passed; once
//! for each authority, a request that gets no credentials; with a store also a set adopted, a wait for another process, a
//! record written or not, a store that does not answer.
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

pub mod conformance;
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
mod response_action;
mod service;
mod settings;
mod shared;
mod shared_store;
mod snapshot;
mod state;
mod store;
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
pub use store::{InvalidRecord, MemoryStore, RecordVersion, TokenRecord, TokenStore};
pub use token_handle::TokenHandle;
pub use token_set::{InvalidHeader, TokenSet};

pub use secrecy::{ExposeSecret, SecretString};

/// Compiles the example of the README.
#[cfg(doctest)]
#[doc = include_str!("../README.md")]
struct Readme;
