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

#[cfg(test)]
mod tests {
    use redress_classify::{Attempt, Clock, EndReason, dialects};

    use super::*;

    /// A verdict about a response that quotes this text.
    fn verdict(text: &str) -> Verdict {
        let (head, ()) = Response::builder().status(400).body(()).unwrap().into_parts();
        let body = format!(r#"{{"error":{{"code":"E1","message":"{text}"}}}}"#);
        let (method, uri, clock) = (http::Method::GET, http::Uri::from_static("/x"), Clock::system());
        Verdict::from_response(&dialects::generic(), &method, &uri, &head, &clock, &[body.as_bytes()]).unwrap()
    }

    fn message(verdict: &Verdict) -> Option<&str> {
        verdict.api_error()?.message()
    }

    #[test]
    fn what_a_verdict_or_a_record_quotes_of_a_sensitive_header_is_masked() {
        let mut headers = HeaderMap::new();
        let mut key = HeaderValue::from_static("s3cret-key");
        key.set_sensitive(true);
        headers.insert("x-api-key", key);
        headers.insert("x-tenant", HeaderValue::from_static("blue-team"));
        let sensitive = Sensitive::new(&headers);
        let quoting = || verdict("no s3cret-key of blue-team");
        for (with_verdict, with_record) in [(true, false), (false, true), (true, true), (false, false)] {
            let mut response = Response::new(());
            if with_verdict {
                response.extensions_mut().insert(quoting());
            }
            if with_record {
                let attempt = Attempt::new(Some(400), Some(quoting()), false);
                response.extensions_mut().insert(Record::new(vec![attempt], EndReason::NotRetryable));
            }
            sensitive.mask(&mut response);
            let masked = Some("no *** of blue-team");
            assert_eq!(response.verdict().and_then(message), masked.filter(|_| with_verdict));
            let record = response.record().map(|record| format!("{record:?}"));
            assert!(record.is_none_or(|record| !record.contains("s3cret-key")), "{:?}", response.record());
        }
        assert_eq!(sensitive.secrets().mask("s3cret-key of blue-team"), "*** of blue-team");
    }
}
