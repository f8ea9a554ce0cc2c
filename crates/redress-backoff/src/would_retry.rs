//! The decision about a first attempt without sending anything.

use http::{Request, response};
use redress_classify::straight::CallTime;
use redress_classify::{EndReason, Verdict};
use tokio::time::Instant;

use crate::call::Call;
use crate::decision::{AttemptContext, ResponseHead, decide};
use crate::idempotency_key;
use crate::layer::BackoffLayer;
use crate::straight::First;

impl BackoffLayer {
    /// Returns whether a second attempt would follow a first one that ended with this response.
    ///
    /// For tools that explain a response without sending anything. It is decided as for a call, without its budget and
    /// deadline, and the body counts as one that can be sent again.
    ///
    /// # Errors
    /// The reason why there would be no second attempt, such as [`EndReason::HintTooLong`] for a wait that is longer than
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
        let call: Call<(), ()> =
            Call::new(First::new(&request, settings, &mut CallTime::default()), settings.clone().into());
        let now = Instant::now();
        let head = ResponseHead::new(head.status, &head.headers, || settings.clock.wall(now));
        let context = call.context(verdict, Some(head), now, 0);
        let context = AttemptContext { deadline: None, ..context };
        decide(settings, &context).map(drop)
    }
}

#[cfg(test)]
mod tests {
    use http::{Response, StatusCode};
    use redress_classify::{Clock, Dialect, dialects};

    use super::*;

    fn decided(dialect: &Dialect, method: &str, status: u16, retry_after: &str) -> Result<(), EndReason> {
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
    async fn the_answer_is_that_of_a_call() {
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
            assert_eq!(decided(dialect, method, status, retry_after), expected, "{method} {status} {retry_after}");
        }
    }

    #[tokio::test]
    async fn neither_a_deadline_nor_other_failures_count() {
        let response = Response::builder().status(503).body(()).unwrap();
        let verdict = Verdict::from_head(&response, &dialects::veridia(), &Clock::system()).unwrap();
        let (head, ()) = response.into_parts();
        let deadline = redress_classify::Deadline::new(Instant::now());
        let request = Request::get("/v1/x").extension(deadline).body(()).unwrap();
        let layer = BackoffLayer::new(dialects::veridia()).deadline(std::time::Duration::ZERO);
        assert_eq!(layer.would_retry(&request, &head, &verdict), Ok(()), "its time is not known");
        assert_eq!(layer.configured_deadline(), Some(std::time::Duration::ZERO));
        assert_eq!(BackoffLayer::new(dialects::veridia()).configured_deadline(), None);
    }
}
