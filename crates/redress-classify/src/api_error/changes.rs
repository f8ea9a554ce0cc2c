//! Copies of an error with a part of it changed.

use std::sync::Arc;

use redress_envelope::Recovery;

use super::{ApiError, Details};
use crate::record::Record;
use crate::secrets::Secrets;

impl ApiError {
    /// Returns the error with the secrets masked in all text from the server; `None` if there are none. Class, recovery and
    /// hint do not change.
    ///
    /// # Examples
    /// ```
    /// # use http::{Method, Response, Uri};
    /// # use redress_classify::{Clock, Verdict, dialects};
    /// # let (head, ()) = Response::builder().status(401).body(())?.into_parts();
    /// # let (uri, body): (_, &[u8]) = (Uri::from_static("/cats/7"), br#"{"error":{"code":"s3cret-token"}}"#);
    /// # let verdict = Verdict::from_response(&dialects::generic(), &Method::GET, &uri, &head, &Clock::system(), &[body]);
    /// # let error = verdict.as_ref().and_then(|verdict| verdict.api_error()).expect("an error");
    /// let masked = error.masked(&redress_classify::Secrets::new(["s3cret-token"])).expect("it holds the secret");
    /// assert_eq!(masked.code(), Some("***"));
    /// # Ok::<(), http::Error>(())
    /// ```
    #[must_use]
    pub fn masked(&self, secrets: &Secrets) -> Option<Self> {
        let details = self.details.masked(secrets);
        let record = self.record.as_ref().and_then(|record| record.masked(secrets));
        if details.is_none() && record.is_none() {
            return None;
        }
        let mut masked = self.clone();
        if let Some(details) = details {
            masked.details = Arc::new(details);
        }
        if let Some(record) = record {
            masked.record = Some(Arc::new(record));
        }
        Some(masked)
    }

    /// Adds the record of the attempts.
    pub(crate) fn with_record(mut self, record: Option<Record>) -> Self {
        self.record = record.map(Arc::new).or(self.record);
        self
    }

    /// Adds the reason why the credentials could not be refreshed, and the recovery that remains.
    pub(crate) fn with_refresh_failure(&self, recovery: Recovery, reason: String) -> Self {
        let mut details = Details::clone(&self.details);
        (details.facts.recovery, details.not_refreshed) = (recovery, Some(reason));
        Self { details: Arc::new(details), record: self.record.clone() }
    }
}
