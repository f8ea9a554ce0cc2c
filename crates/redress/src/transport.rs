//! Adapters that make an HTTP client a `Service<http::Request<B>>` whose errors say how far the request got.

mod error;
#[cfg(feature = "hyper")]
mod hyper;
#[cfg(feature = "reqwest")]
mod reqwest;

#[cfg(feature = "hyper")]
pub use self::hyper::{Hyper, HyperFuture};
#[cfg(feature = "reqwest")]
pub use self::reqwest::{Reqwest, ReqwestFuture};
