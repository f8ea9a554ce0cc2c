//! Copies of an error with a part of it changed.

use super::TransportError;
use crate::BoxError;
use crate::phase::Phase;

impl TransportError {
    /// Sets the phase to [`Phase::MaybeProcessed`], for a failure that alone would not show it, such as that of a connection
    /// behind a redirect.
    ///
    /// # Examples
    /// ```
    /// use redress_classify::{Phase, TransportError};
    ///
    /// let error = TransportError::connect("refused").maybe_processed();
    /// assert_eq!(error.phase(), Phase::MaybeProcessed);
    /// ```
    #[must_use]
    pub fn maybe_processed(self) -> Self {
        Self { phase: Phase::MaybeProcessed, ..self }
    }

    /// Sets the phase to [`Phase::NotSent`], for a request that is known to be unprocessed: any request may be sent again.
    ///
    /// # Examples
    /// ```
    /// use redress_classify::{Phase, TransportError};
    ///
    /// let error = TransportError::other("GOAWAY").not_processed();
    /// assert_eq!(error.phase(), Phase::NotSent);
    /// ```
    #[must_use]
    pub fn not_processed(self) -> Self {
        Self { phase: Phase::NotSent, ..self }
    }

    /// Returns an error of the same kind with another source.
    pub(crate) fn around(&self, source: BoxError) -> Self {
        Self { kind: self.kind, phase: self.phase, source }
    }
}
