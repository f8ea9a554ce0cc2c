//! Reads the failures of HTTP APIs, and retries, paces and refreshes credentials accordingly: a stack of tower layers.
//!
//! Every API reports failures in its own format: a 200 with an `error_code`, a bare status, the same 401 for an expired token
//! and a revoked key. [`RedressLayer`] puts five layers over a transport. They read each response by a [`Dialect`], a
//! description of the API's format, and act on the result: a request is sent again when that is safe and useful, never before
//! the server allows it and never past the deadline; tokens are refreshed once for all callers.
//!
//! # Over reqwest
//! With the feature `reqwest`, `Client` is an HTTP client with these layers in it:
//!
//! ```
//! # #[cfg(feature = "reqwest")]
//! # #[tokio::main(flavor = "current_thread")]
//! # async fn main() -> Result<(), Box<dyn std::error::Error>> {
//! use std::time::Duration;
//!
//! use redress::{Client, RedressLayer, StaticHeaders, dialects};
//! # use redress_sandbox::{Fault, Sandbox, Vendor};
//! # let sandbox = Sandbox::start(Vendor::Verilock).await?;
//! # sandbox.script("GET /v1/sessions", [Fault::error(429).retry_after("0")]);
//! # let url = sandbox.url();
//!
//! let keys = StaticHeaders::new().header("x-api-key", "sandbox-api-key")?;
//! let layer = RedressLayer::new(dialects::verilock())
//!     .credentials(keys, url.parse()?)
//!     .deadline(Duration::from_secs(20));
//! let client = Client::new(layer)?.base_url(&url)?;
//!
//! // The first answer is a 429, so that the request is sent twice.
//! let response = client.get("/v1/sessions").query(&[("limit", 10)]).send().await?;
//! assert_eq!(response.record().map(|record| record.attempts().len()), Some(2));
//! let sessions: serde_json::Value = response.json().await?;
//! # assert!(sessions.is_object() || sessions.is_array());
//! # Ok(()) }
//! # #[cfg(not(feature = "reqwest"))]
//! # fn main() {}
//! ```
//!
//! # Over any other transport
//! [`RedressLayer`] is a `tower_layer::Layer` over any `Service<http::Request<B>>` whose body can be cloned. The module
//! `transport` has adapters for hyper-util (feature `hyper`) and reqwest (feature `reqwest`), which report how far a failed
//! request got.
//!
//! ```
//! use http::{Request, Response};
//! use redress::{Recovery, RedressLayer, ResponseExt, dialects};
//! use tower::{Layer, ServiceExt, service_fn};
//!
//! # #[tokio::main(flavor = "current_thread", start_paused = true)]
//! # async fn main() -> Result<(), Box<dyn std::error::Error>> {
//! let transport = service_fn(|_: Request<String>| async {
//!     let body = r#"{"data":null,"error_code":1050,"error_message":"Image too dark"}"#;
//!     Ok::<_, std::io::Error>(Response::new(body.to_owned()))
//! });
//! let service = RedressLayer::new(dialects::vlens()).layer(transport);
//! let response = service.oneshot(Request::post("https://api.example/verify").body(String::new())?).await?;
//! let error = response.ok_or_api_error().expect_err("the body holds an error code");
//! assert_eq!((error.code(), error.recovery()), (Some("1050"), Recovery::NewInput));
//! # Ok(()) }
//! ```
//!
//! # Under another client library
//! octocrab, kube, tonic and others take a tower service, and bring request bodies of their own. [`ReplayBodyLayer`] above
//! the stack makes a body of any type one that can be sent again. The crate `redress-hosts` has the adapters for libraries
//! that take no tower service, and `docs/hosts.md` in the repository lists what to write for each.
//!
//! # Overview
//! - Settings: [`RedressLayer`], and in its closures [`BackoffLayer`], [`PaceLayer`], [`RefreshLayer`], [`ClassifyLayer`].
//! - Results: [`ResponseExt`] asks a response, [`ApiError`] is an error response, [`Error`] a call without a response,
//!   [`Verdict`] the meaning of both, [`Record`] the attempts.
//! - Per request, as an extension: [`Deadline`], [`AttemptTimeout`], [`NoRetry`], [`Idempotent`], [`IdempotencyKey`]
//!   ([`RequestExt`]).
//! - Credentials: [`StaticHeaders`] for API keys, [`login`] for OAuth 2 and JSON logins, the trait [`Credentials`] for anything
//!   else, a [`Store`] for several processes with one account.
//! - Formats: [`dialects`] has those that are shipped, [`Dialect::from_toml`] reads one of your own.
//! - gRPC: the dialect [`grpc`](dialects::grpc), and the module [`grpc`] for service configs.
//! - For authors of layers: [`layers`].
//!
//! Each type has one path in this crate. The five crates below it (`redress-envelope`, `-classify`, `-backoff`, `-pace` and
//! `-refresh`) are not re-exported as modules, since each type would then have two; depend on one of them to use its layer
//! without the others.
//!
//! # Features
//! None is on by default.
//! - `reqwest`: `Client`, and the adapter for reqwest 0.13.
//! - `hyper`: the adapter for hyper-util's client.
//! - `metrics`: counters, gauges and histograms of all layers, through the `metrics` facade.

#[cfg(feature = "reqwest")]
mod client;
pub mod grpc;
mod layer;
pub mod layers;
pub mod login;
#[cfg(feature = "metrics")]
mod metrics;
mod service;
mod timeout;
#[cfg(any(feature = "hyper", feature = "reqwest"))]
pub mod transport;

#[cfg(feature = "reqwest")]
pub use client::{Client, ClientError, ClientResponse, ClientService, ClientTransport, RequestBuilder};
pub use layer::RedressLayer;
#[cfg(feature = "metrics")]
pub use metrics::describe_metrics;
#[doc(inline)]
pub use redress_backoff::{
    BackoffLayer, Budget, Budgets, IdempotencyKey, Idempotent, InvalidIdempotencyKey, Jitter, NoRetry, RequestExt,
};
#[doc(inline)]
pub use redress_classify::{
    ApiError, Attempt, Body, BoxError, ClassifyLayer, Clock, CloneBody, Deadline, EndReason, Error, ForeignHost,
    FromCode, Phase, Record, ReplayBodies, ReplayBody, ReplayBodyLayer, ReplayError, ResponseExt, SuccessHint,
    TransportError, Verdict, WaitSource,
};
#[doc(inline)]
pub use redress_envelope::{
    Class, Code, CooldownScope, Coverage, Dialect, DialectError, FieldError, HintSource, IdempotencyHeader,
    InvalidRoute, KeyFormat, Location, Mistake, PublishedLimit, Reason, Recovery, RetryAdvice, RetryHint, Route, Rule,
    Schedule, Scope, ScopeId, Status, Unit, UnknownWord, When, dialects,
};
#[doc(inline)]
pub use redress_pace::{FailFast, Gate, GatePhase, GateStatus, Limit, PaceLayer};
#[doc(inline)]
pub use redress_refresh::{
    Credentials, Explanation, ExposeSecret, Failure, InvalidHeader, InvalidOrigin, Origin, Purpose, RefreshLayer,
    SecretString, StaticHeaders, TokenHandle, TokenSet,
};
#[doc(inline)]
pub use redress_store::{MemoryStore, Store, StoreHandle, conformance};
pub use service::{Redress, ResponseFuture};
pub use timeout::AttemptTimeout;

/// Compiles the example of the README.
#[cfg(all(doctest, feature = "reqwest"))]
#[doc = include_str!("../README.md")]
struct Readme;

/// Compiles the example of the repository's README.
#[cfg(all(doctest, feature = "reqwest"))]
#[doc = include_str!("../../../README.md")]
struct RepositoryReadme;

/// Compiles the recipes of `docs/cookbook.md`.
#[cfg(all(doctest, feature = "hyper", feature = "reqwest"))]
#[doc = include_str!("../../../docs/cookbook.md")]
struct Cookbook;

/// Compiles the examples of `docs/errors.md`.
#[cfg(all(doctest, feature = "hyper", feature = "reqwest"))]
#[doc = include_str!("../../../docs/errors.md")]
struct Errors;

/// Compiles the examples of `docs/migrating.md`.
#[cfg(all(doctest, feature = "hyper", feature = "reqwest"))]
#[doc = include_str!("../../../docs/migrating.md")]
struct Migrating;
