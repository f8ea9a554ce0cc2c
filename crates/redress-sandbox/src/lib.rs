//! Loopback servers that fail as five identity-verification vendors document, and mocks for tests of tower layers.
//!
//! A [`Sandbox`] imitates one [`Vendor`]: its routes, its error envelope, its rate limits and headers, with the state in
//! memory. Scripted [`Fault`]s make chosen requests fail: an error status, a lost response, half a body, a gateway's HTML
//! page. The log of [`LogEntry`]s shows each request and its answer.
//!
//! For tests of layers:
//!
//! | type | use |
//! |---|---|
//! | [`StrictMock`](strict_mock::StrictMock) | a service that panics when a layer breaks the contract of `Service` |
//! | [`FixedResponse`] | a service that costs nothing, to measure layers |
//! | [`Recorder`] | records `tracing` events and spans as text |
//! | [`WakeCounter`] | counts wake-ups of a future that is polled by hand |
//!
//! | vendor | form of an error | credentials | counters |
//! |---|---|---|---|
//! | vlens | `error_code` in the body, also at 200 | `ApiKey` header, bearer token | [`generation`](Sandbox::generation) |
//! | veridia | a status and the string `error` | bearer key | [`credits`](Sandbox::credits), [`verifications`](Sandbox::verifications) |
//! | ranex | a status and a `message` | key and secret headers | [`applicants`](Sandbox::applicants), [`verifications`](Sandbox::verifications), [`documents`](Sandbox::documents) |
//! | maleslab | `success: false` and `error.code` | `X-API-Key` header or bearer token | [`generation`](Sandbox::generation), [`collections`](Sandbox::collections), [`faces`](Sandbox::faces) |
//! | verilock | a status and the string `error` | `X-API-Key` header | [`sessions`](Sandbox::sessions) |
//!
//! The README lists the routes and the inputs with a special meaning. The program `redress-sandbox`, behind the feature
//! `program`, starts a server from a shell.
//!
//! # Examples
//!
//! The response to the first request is lost after the work was done. The second request finds the applicant:
//!
//! ```
//! use http_body_util::Full;
//! use hyper_util::{client::legacy::Client, rt::TokioExecutor};
//! use redress_sandbox::{Fault, Sandbox, Vendor};
//!
//! # #[tokio::main(flavor = "current_thread")]
//! # async fn main() -> Result<(), Box<dyn std::error::Error>> {
//! let sandbox = Sandbox::start(Vendor::Ranex).await?;
//! sandbox.script("POST /v1/applicants", [Fault::drop()]);
//!
//! let client = Client::builder(TokioExecutor::new()).build_http();
//! let request = || {
//!     http::Request::post(format!("{}/v1/applicants", sandbox.url()))
//!         .header("X-Api-Key", "sandbox-key")
//!         .header("X-Api-Secret", "sandbox-secret")
//!         .body(Full::<bytes::Bytes>::from(r#"{"externalUserId":"user-1"}"#))
//! };
//! assert!(client.request(request()?).await.is_err());
//! assert_eq!(client.request(request()?).await?.status(), 200, "not 201: it exists");
//!
//! assert_eq!(sandbox.applicants(), 1);
//! let statuses: Vec<_> = sandbox.log().into_iter().map(|entry| entry.status).collect();
//! assert_eq!(statuses, [None, Some(200)]);
//! # Ok(())
//! # }
//! ```

#[cfg(feature = "program")]
pub mod program;
pub mod strict_mock;

mod clock;
mod code;
mod credential;
mod fault;
mod fields;
mod fixed_response;
mod ids;
mod json_path;
mod limits;
mod log;
mod outcome;
mod queue;
mod recorder;
mod reply;
mod retry_after;
mod route;
mod sandbox;
mod script;
mod scripted;
mod server;
mod shared;
mod tokens;
mod vendor;
mod wake_counter;

pub use code::Code;
pub use credential::Credential;
pub use fault::Fault;
pub use fixed_response::FixedResponse;
pub use log::LogEntry;
pub use recorder::Recorder;
pub use sandbox::Sandbox;
pub use script::{Script, ScriptError};
pub use vendor::vlens::code as vlens;
pub use vendor::{UnknownVendor, Vendor};
pub use wake_counter::WakeCounter;

/// Compiles the example of the README.
#[cfg(doctest)]
#[doc = include_str!("../README.md")]
struct Readme;
