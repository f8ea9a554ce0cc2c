//! gRPC: the retry policies of a service config, and the fields that a request carries from attempt to attempt.
//!
//! gRFC A6 describes the retries of a gRPC client. The layer keeps its own rules where A6 leaves the choice to the client, and
//! takes the rest from a [`ServiceConfig`]; `docs/grpc.md` of the repository lists both.

mod code;
mod metadata;
mod policy;
mod service_config;
mod throttling;

pub(crate) use self::code::{code_in, code_of};
pub(crate) use self::metadata::{set_previous_attempts, set_timeout, stamp, timeout_value};
pub use self::policy::RetryPolicy;
pub use self::service_config::{MethodConfig, ServiceConfig};
pub use self::throttling::RetryThrottling;
