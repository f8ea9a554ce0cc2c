#![doc = include_str!("../README.md")]

mod layer;
pub mod login;
mod service;
mod timeout;
#[cfg(any(feature = "hyper", feature = "reqwest"))]
pub mod transport;

pub use layer::RedressLayer;
pub use redress_backoff as backoff;
pub use redress_classify as classify;
pub use redress_envelope as envelope;
pub use redress_pace as pace;
pub use redress_refresh as refresh;
pub use service::{Redress, ResponseFuture};

pub use redress_backoff::{BackoffLayer, Budget, Budgets, Idempotent, Jitter};
pub use redress_classify::{
    ApiError, BoxError, Class, Code, Dialect, Error, FieldError, Phase, Record, Recovery, Replay, ReplayBody,
    ResponseExt, Stop, Verdict, dialects,
};
pub use redress_pace::{Gate, Limit, PaceLayer, Route};
pub use redress_refresh::{Credentials, Failure, Grant, Origin, RefreshLayer, StaticHeaders, Tokens};
