//! Copies of an error with a part of it changed.

use super::Error;
use crate::phase::Phase;
use crate::record::Record;
use crate::secrets::{Secrets, quoted};
use crate::upstream::Upstream;
use crate::upstream_health::UpstreamHealth;
use crate::verdict::Verdict;

impl Error {
    /// Sets the phase to [`Phase::MaybeProcessed`], for a call whose last attempt was not sent but an earlier one was.
    ///
    /// # Examples
    /// ```
    /// use redress_classify::{Error, Phase};
    ///
    /// let error = Error::not_ready("the pool is closed".into()).maybe_processed();
    /// assert_eq!(error.phase(), Phase::MaybeProcessed);
    /// ```
    #[must_use]
    pub fn maybe_processed(mut self) -> Self {
        let verdict = &self.inner.verdict;
        self.inner.verdict = Verdict::unanswered(verdict.class(), verdict.recovery(), Phase::MaybeProcessed);
        self
    }

    /// Adds the record of the attempts.
    ///
    /// # Examples
    /// ```
    /// use redress_classify::{Attempt, EndReason, Error, Phase, Record};
    ///
    /// let error = Error::deadline(Phase::NotSent);
    /// let attempts = vec![Attempt::new(None, Some(error.verdict().clone()), false)];
    /// let error = error.with_record(Record::new(attempts, EndReason::Deadline));
    /// assert_eq!(error.record().map(|record| record.attempts().len()), Some(1));
    /// ```
    #[must_use]
    pub fn with_record(mut self, record: Record) -> Self {
        self.inner.record = Some(record);
        self
    }

    /// Sets the verdict, for a call that was not sent again and whose last response was not kept: so the error has the class
    /// and the [`ApiError`](crate::ApiError) of that response. What kind of error it is does not change.
    ///
    /// # Examples
    /// ```
    /// use std::time::SystemTime;
    /// use http::Response;
    /// use redress_classify::{Class, Clock, Error, Verdict, dialects};
    ///
    /// let response = Response::builder().status(503).body(())?;
    /// let verdict = Verdict::from_head(&response, &dialects::generic(), &Clock::system()).expect("an error");
    /// let error = Error::paced(SystemTime::UNIX_EPOCH).with_verdict(verdict);
    /// assert!(error.is_paced() && error.class() == Class::Unavailable);
    /// # Ok::<(), http::Error>(())
    /// ```
    #[must_use]
    pub fn with_verdict(mut self, verdict: Verdict) -> Self {
        self.inner.verdict = verdict;
        self
    }

    /// Adds a text about the source to `Display`. It is shown wherever the error is: it must hold no secret.
    ///
    /// # Examples
    /// ```
    /// use redress_classify::{Error};
    ///
    /// let error = Error::not_ready("closed".into()).with_detail("the pool is closed");
    /// assert_eq!(error.to_string(), "could not send the request: the pool is closed");
    /// ```
    #[must_use]
    pub fn with_detail(mut self, detail: impl Into<String>) -> Self {
        self.inner.detail = Some(detail.into());
        self
    }

    /// Masks the secrets in all text that a server may have written: in the record of the attempts, the verdict and the
    /// sources.
    ///
    /// A source whose `Display` or `Debug` holds a secret is replaced, with the sources below it, by errors that print the same
    /// texts masked. Of their types [`TransportError`](crate::TransportError) and [`io::Error`](std::io::Error) are kept.
    ///
    /// # Examples
    /// ```
    /// use redress_classify::{Error, Secrets, TransportError};
    ///
    /// let error = Error::from_inner(TransportError::connect("GOAWAY: s3cret-token").into());
    /// let error = error.masked(&Secrets::new(["s3cret-token"]));
    /// assert!(!format!("{error:?}").contains("s3cret-token"));
    /// ```
    #[must_use]
    pub fn masked(mut self, secrets: &Secrets) -> Self {
        if let Some(record) = self.inner.record.as_ref().and_then(|record| record.masked(secrets)) {
            self.inner.record = Some(record);
        }
        if let Some(verdict) = self.inner.verdict.masked(secrets) {
            self.inner.verdict = verdict;
        }
        self.inner.source = self.inner.source.take().map(|source| quoted::masked(source, secrets));
        self
    }

    /// Adds the host and port of the request to `Display`, unless the error has them.
    ///
    /// # Examples
    /// ```
    /// use http::{HeaderMap, Uri};
    /// use redress_classify::{Error, TransportError, Upstream};
    ///
    /// let upstream = Upstream::new(&Uri::from_static("https://me@api.example:8443/cats?key=1"), &HeaderMap::new());
    /// let refused = std::io::Error::from(std::io::ErrorKind::ConnectionRefused);
    /// let error = Error::from_inner(TransportError::connect(refused).into()).with_upstream(&upstream);
    /// assert_eq!(error.host(), Some("api.example:8443"));
    /// let expected = "api.example:8443: could not send the request: could not connect: connection refused";
    /// assert_eq!(error.to_string(), expected);
    /// ```
    #[must_use]
    pub fn with_upstream(mut self, upstream: &Upstream) -> Self {
        let host = &mut self.inner.host;
        *host = host.take().or_else(|| Some(upstream.to_string()).filter(|host| !host.is_empty()));
        self
    }

    /// Sets the health of the upstream, in place of an earlier one.
    ///
    /// # Examples
    /// ```
    /// use redress_classify::{Error, TransportError, UpstreamHealth};
    ///
    /// let error = Error::from_inner(TransportError::connect("refused").into());
    /// assert_eq!(error.with_upstream_health(UpstreamHealth::Outage).upstream_health(), Some(UpstreamHealth::Outage));
    /// ```
    #[must_use]
    pub const fn with_upstream_health(mut self, health: UpstreamHealth) -> Self {
        self.inner.health = Some(health);
        self
    }
}
