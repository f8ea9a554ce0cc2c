//! gRPC: the service config of a service, and the settings that it makes.
//!
//! A gRPC client is a tower service over HTTP/2, so that [`RedressLayer`](crate::RedressLayer) with the dialect
//! [`grpc`](crate::dialects::grpc) serves it as any other API: the status of a call is read from the head or the trailers,
//! `UNAVAILABLE` is retried where that is safe, `UNAUTHENTICATED` refreshes the credentials, and a pushback or `RetryInfo`
//! is obeyed. A [`ServiceConfig`] adds what the owner of the service declares. `docs/grpc.md` of the repository says how to
//! set it up with tonic, and where it differs from gRFC A6.
//!
//! # Examples
//! ```
//! use redress::{RedressLayer, dialects, grpc};
//!
//! let json = r#"{"methodConfig": [{
//!     "name": [{"service": "acme.Orders"}],
//!     "retryPolicy": {
//!         "maxAttempts": 4,
//!         "initialBackoff": "0.1s",
//!         "maxBackoff": "1s",
//!         "backoffMultiplier": 2,
//!         "retryableStatusCodes": ["UNAVAILABLE"]
//!     }
//! }]}"#;
//! let config = grpc::service_config(json)?;
//! let layer = RedressLayer::new(dialects::grpc()).backoff(|backoff| backoff.service_config(config));
//! # Ok::<(), redress::grpc::ServiceConfigError>(())
//! ```

mod method;
mod service_config;
mod values;

pub use redress_backoff::{MethodConfig, RetryPolicy, RetryThrottling, ServiceConfig};
pub use redress_envelope::GrpcCode;

pub use self::service_config::{ServiceConfigError, service_config};
