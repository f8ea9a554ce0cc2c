#![doc = include_str!("../README.md")]

mod layer;
pub mod login;
#[cfg(feature = "metrics")]
mod metrics;
mod service;
mod timeout;
#[cfg(any(feature = "hyper", feature = "reqwest"))]
pub mod transport;

pub use layer::RedressLayer;
#[cfg(feature = "metrics")]
pub use metrics::describe_metrics;
pub use redress_backoff as backoff;
pub use redress_classify as classify;
pub use redress_envelope as envelope;
pub use redress_pace as pace;
pub use redress_refresh as refresh;
pub use service::{Redress, ResponseFuture};

pub use redress_backoff::{BackoffLayer, Budget, Budgets, IdempotencyKey, Idempotent, Jitter, RequestExt};
pub use redress_classify::{
    ApiError, BoxError, Class, CloneBody, Code, Deadline, Dialect, EndReason, Error, FieldError, Phase, Record,
    Recovery, ReplayBody, ResponseExt, Route, Verdict, dialects,
};
pub use redress_pace::{Gate, Limit, PaceLayer};
pub use redress_refresh::{Credentials, Failure, Origin, RefreshLayer, StaticHeaders, TokenHandle, TokenSet};
