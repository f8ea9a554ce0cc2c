//! Masking what a server quotes of a request's own secrets. The Refresh layer masks the credentials that it added.

use http::{HeaderMap, HeaderValue, Response};
use redress_classify::{Error, Record, ResponseExt, Secrets, Verdict};

/// The header values of a request that are marked as sensitive.
pub(super) struct Sensitive(Vec<HeaderValue>);

impl Sensitive {
    pub(super) fn new(headers: &HeaderMap) -> Self {
        Self(headers.values().filter(|value| value.is_sensitive()).cloned().collect())
    }

    /// Masks the values in the verdict and the record of a response. Its body stays as it is.
    pub(super) fn mask<B>(&self, response: &mut Response<B>) {
        if self.0.is_empty() || response.verdict().is_none() && response.record().is_none() {
            return;
        }
        let (secrets, extensions) = (self.secrets(), response.extensions_mut());
        if let Some(verdict) = extensions.get::<Verdict>().and_then(|verdict| verdict.masked(&secrets)) {
            extensions.insert(verdict);
        }
        if let Some(record) = extensions.get::<Record>().and_then(|record| record.masked(&secrets)) {
            extensions.insert(record);
        }
    }

    /// Masks the values in an error and its sources.
    pub(super) fn masked(&self, error: Error) -> Error {
        if self.0.is_empty() { error } else { error.masked(&self.secrets()) }
    }

    pub(super) fn secrets(&self) -> Secrets {
        Secrets::new(self.0.iter().map(HeaderValue::as_bytes))
    }
}
