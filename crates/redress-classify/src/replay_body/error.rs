//! The error of a `ReplayBody`.

use std::error::Error as StdError;
use std::fmt;

use crate::BoxError;

/// The error of a [`ReplayBody`](crate::ReplayBody).
///
/// The clone that met an error of the inner body has it as its [`source`](StdError::source).
///
/// # Examples
/// ```
/// use bytes::Bytes;
/// use http_body_util::{BodyExt, Full};
/// use redress_classify::{CloneBody, ReplayBody};
///
/// # #[tokio::main(flavor = "current_thread", start_paused = true)]
/// # async fn main() -> Result<(), redress_classify::ReplayError> {
/// let body = ReplayBody::with_limit(Full::new(Bytes::from("longer than four bytes")), 4);
/// let clone = body.try_clone().expect("nothing was read yet");
/// assert_eq!(body.collect().await?.to_bytes(), "longer than four bytes");
/// let error = clone.collect().await.expect_err("the body is longer than the limit");
/// assert!(error.is_discarded() && !error.is_body());
/// # Ok(()) }
/// ```
#[derive(Debug)]
pub struct ReplayError {
    kind: Kind,
}

#[derive(Debug)]
enum Kind {
    /// The error of the inner body.
    Body(BoxError),
    /// Another clone met the error of the inner body.
    OtherClone,
    /// The bytes that this clone has to send next are no longer kept.
    Discarded,
}

impl ReplayError {
    pub(super) const fn body(error: BoxError) -> Self {
        Self { kind: Kind::Body(error) }
    }

    pub(super) const fn other_clone() -> Self {
        Self { kind: Kind::OtherClone }
    }

    pub(super) const fn discarded() -> Self {
        Self { kind: Kind::Discarded }
    }

    /// Returns `true` if the inner body failed, whichever clone met the failure.
    #[must_use]
    pub const fn is_body(&self) -> bool {
        matches!(self.kind, Kind::Body(_) | Kind::OtherClone)
    }

    /// Returns `true` if the bytes that this clone has to send next are no longer kept, since the body exceeds the
    /// [limit](crate::ReplayBody#the-limit).
    #[must_use]
    pub const fn is_discarded(&self) -> bool {
        matches!(self.kind, Kind::Discarded)
    }
}

impl fmt::Display for ReplayError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self.kind {
            Kind::Body(_) => "request body failed",
            Kind::OtherClone => "request body failed while another clone of it was read",
            Kind::Discarded => "request body exceeds the replay limit",
        })
    }
}

impl StdError for ReplayError {
    fn source(&self) -> Option<&(dyn StdError + 'static)> {
        match &self.kind {
            Kind::Body(source) => Some(source.as_ref()),
            Kind::OtherClone | Kind::Discarded => None,
        }
    }
}
