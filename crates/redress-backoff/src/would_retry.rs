//! Whether a response would be followed by another attempt, said without sending anything.

use http::{Request, response};
use redress_classify::{EndReason, Verdict};
use tokio::time::Instant;

use crate::decision::{Decision, Situation, decide, has_retry_after};
use crate::idempotency::is_idempotent;
use crate::idempotency_key::{self, is_keyed};
use crate::layer::BackoffLayer;
use crate::request_copy::RequestCopy;

impl BackoffLayer {
    /// Returns whether a first attempt that ended with this response would be followed by a second one.
    ///
    /// For tools that explain a response without sending anything. Attempts, hints and the safety of a second sending are
    /// decided as for a call; the budget and the deadline are not asked, and the body counts as one that can be sent again.
    ///
    /// # Errors
    /// The reason why there would not be a second attempt, such as [`EndReason::HintTooLong`] for a wait that is longer than
    /// [`max_retry_after`](Self::max_retry_after).
    ///
    /// # Examples
    /// ```
    /// use http::{Request, Response};
    /// use redress_backoff::BackoffLayer;
    /// use redress_classify::{Clock, EndReason, Verdict, dialects};
    ///
    /// let layer = BackoffLayer::new(dialects::veridia());
    /// let request = Request::get("/v1/verify/vf_1").body(()).expect("a request");
    /// let response = Response::builder().status(429).header("retry-after", "3600").body(()).expect("a response");
    /// let verdict = Verdict::from_head(&response, &dialects::veridia(), &Clock::system()).expect("an error");
    /// let (head, ()) = response.into_parts();
    /// assert_eq!(layer.would_retry(&request, &head, &verdict), Err(EndReason::HintTooLong));
    /// ```
    pub fn would_retry(
        &self,
        request: &Request<()>,
        head: &response::Parts,
        verdict: &Verdict,
    ) -> Result<(), EndReason> {
        let settings = &self.settings;
        let mut request = request.clone();
        idempotency_key::stamp(&mut request, settings);
        let Some(copy) = RequestCopy::of(&request) else { return Err(EndReason::NotClonable) };
        let now = Instant::now();
        let situation = Situation {
            verdict,
            status: Some(head.status.as_u16()),
            has_retry_after: has_retry_after(&head.headers, settings.clock.wall(now)),
            replayable: true,
            idempotent: is_idempotent(&copy, settings),
            keyed: is_keyed(copy.values(idempotency_key::header(settings))),
            attempts: 1,
            failures: 1,
            last_wait: None,
            now,
            deadline: None,
            random: 0,
        };
        match decide(settings, &situation) {
            Decision::Retry { .. } => Ok(()),
            Decision::Stop(stop) => Err(stop),
        }
    }
}

#[cfg(test)]
mod tests {
    use http::{Response, StatusCode};
    use redress_classify::{Clock, Dialect, dialects};

    use super::*;

    fn foreseen(dialect: &Dialect, method: &str, status: u16, retry_after: &str) -> Result<(), EndReason> {
        let request = Request::builder().method(method).uri("/v1/x").body(()).unwrap();
        let mut response = Response::new(());
        *response.status_mut() = StatusCode::from_u16(status).unwrap();
        if !retry_after.is_empty() {
            response.headers_mut().insert("retry-after", retry_after.parse().unwrap());
        }
        let verdict = Verdict::from_head(&response, dialect, &Clock::system()).unwrap();
        let (head, ()) = response.into_parts();
        BackoffLayer::new(dialect.clone()).would_retry(&request, &head, &verdict)
    }

    #[tokio::test]
    async fn it_is_foreseen_as_it_would_be_decided() {
        let (veridia, stripe) = (dialects::veridia(), dialects::by_name("stripe").unwrap());
        for (dialect, method, status, retry_after, expected) in [
            (&veridia, "GET", 503, "", Ok(())),
            (&veridia, "GET", 429, "120", Ok(())),
            (&veridia, "GET", 429, "121", Err(EndReason::HintTooLong)),
            (&veridia, "GET", 404, "", Err(EndReason::NotRetryable)),
            (&veridia, "POST", 500, "", Err(EndReason::NotIdempotent)),
            (&veridia, "POST", 503, "2", Ok(())),
            (&veridia, "POST", 429, "", Ok(())),
            (&stripe, "POST", 500, "", Ok(())),
        ] {
            assert_eq!(foreseen(dialect, method, status, retry_after), expected, "{method} {status} {retry_after}");
        }
    }
}
