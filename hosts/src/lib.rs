//! Puts the layers of redress under client libraries that bring their own types.
//!
//! A library that takes a tower service over `http::Request` needs nothing from this crate:
//! [`ReplayBodyLayer`](redress::ReplayBodyLayer) makes the bodies of its requests clonable, and
//! [`RedressLayer`](redress::RedressLayer) does the rest. octocrab, tonic and connectrpc are such libraries. The others have a
//! feature here, each with the types that its own traits ask for:
//!
//! | feature | library | adapter |
//! |---|---|---|
//! | `reqwest-middleware` | reqwest-middleware 0.5 | `RedressMiddleware`, `MiddlewareTransport` |
//! | `kube` | kube 5 | `KubeLayer`, over kube's own stack |
//! | `object-store` | `object_store` 0.14 | `RedressConnector` |
//! | `async-openai` | async-openai 0.43 | `OpenAiService` |
//! | `progenitor` | progenitor 0.14 and 0.15 | `exec`, for the hook of the same name |
//! | `reqwest` | any other library on reqwest 0.13 | `send` |
//!
//! `docs/hosts.md` in the repository shows for each library what to write, and which of its own retries to turn off.
//!
//! A version of a library that is not compatible with the one above is a breaking change of this crate. Each feature compiles
//! its own library only.

#[cfg(feature = "async-openai")]
mod async_openai;
#[cfg(feature = "kube")]
mod kube;
#[cfg(feature = "object-store")]
mod object_store;
#[cfg(feature = "progenitor")]
mod progenitor;
#[cfg(feature = "reqwest")]
mod reqwest;
#[cfg(feature = "reqwest-middleware")]
mod reqwest_middleware;

#[cfg(feature = "async-openai")]
pub use self::async_openai::OpenAiService;
#[cfg(feature = "kube")]
pub use self::kube::{KubeFuture, KubeLayer, KubeService};
#[cfg(feature = "object-store")]
pub use self::object_store::RedressConnector;
#[cfg(feature = "progenitor")]
pub use self::progenitor::exec;
#[cfg(feature = "reqwest")]
pub use self::reqwest::send;
#[cfg(feature = "reqwest-middleware")]
pub use self::reqwest_middleware::{MiddlewareTransport, RedressMiddleware};
