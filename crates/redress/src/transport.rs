//! Adapters that make an HTTP client a `Service<http::Request<B>>` whose errors tell how far the request got.
//!
//! The retry layer needs that: a request that was not sent is sent again whatever its method, and one that may have been
//! processed only if that is safe. An adapter for another client returns
//! [`TransportError`](crate::TransportError)s; errors of any other type count as maybe processed.
//!
//! `docs/transports.md` in the repository lists the settings of both clients that matter, and which of their errors
//! becomes which [`Phase`](crate::Phase).

#[cfg(feature = "hyper")]
mod connect_timeout;
mod error;
#[cfg(feature = "hyper")]
mod heads;
#[cfg(feature = "hyper")]
mod hyper;
#[cfg(feature = "reqwest")]
mod reqwest;
mod target;

#[cfg(feature = "hyper")]
pub use self::connect_timeout::{ConnectTimeout, ConnectTimeoutFuture};
#[cfg(feature = "hyper")]
pub use self::error::hyper_error;
#[cfg(feature = "hyper")]
pub use self::hyper::{Hyper, HyperFuture};
#[cfg(feature = "reqwest")]
pub use self::reqwest::{Reqwest, ReqwestFuture};

/// Compiles the examples of `docs/transports.md`.
#[cfg(all(doctest, feature = "hyper", feature = "reqwest"))]
#[doc = include_str!("../../../docs/transports.md")]
struct Transports;

/// Compiles the example of `docs/hosts.md` that is no test of `hosts/`.
#[cfg(all(doctest, feature = "hyper", feature = "reqwest"))]
#[doc = include_str!("../../../docs/hosts.md")]
struct Hosts;
