//! The outcome of the last attempt, which a call keeps while it waits for the end of an outage.
//!
//! Any other wait is known to end before the deadline, so that another attempt follows. A wait for the end of an outage may
//! end without one: then the caller gets this outcome, as if the call had given up at once.

use http::Response;
use http_body::Body;
use redress_classify::{CloneBody, EndReason, Error, Phase, ResponseExt, UpstreamHealth, Verdict};

use super::Call;
use crate::wait::MAX_REST;

/// The outcome of the last attempt.
pub(super) enum InHand<T> {
    /// A response whose body is in memory, in at most 16 KiB.
    Response { response: T, bytes: u64 },
    /// The verdict about a response that was dropped, since its body is longer or still arrives.
    Dropped(Verdict),
    /// There was no response.
    Error(Error),
}

impl<T> InHand<T> {
    /// Returns the number of bytes of the body that is kept.
    pub(super) const fn bytes(&self) -> u64 {
        match self {
            Self::Response { bytes, .. } => *bytes,
            Self::Dropped(_) | Self::Error(_) => 0,
        }
    }
}

impl<B: CloneBody, R: Body> Call<B, Response<R>> {
    /// Keeps a response if its body is in memory, and else its verdict. Returns a response that is not kept.
    ///
    /// A body that still arrives would hold its connection for the length of the outage, and the probe may need that one.
    pub(super) fn keep(&mut self, mut response: Response<R>, verdict: Verdict) -> Option<Response<R>> {
        let is_buffered = verdict.is_body_buffered() && verdict.body_read() <= MAX_REST;
        if !is_buffered && !response.body().is_end_stream() {
            self.in_hand = Some(Box::new(InHand::Dropped(verdict)));
            return Some(response);
        }
        let bytes = verdict.body_read();
        if response.verdict().is_none() {
            response.extensions_mut().insert(verdict);
        }
        self.in_hand = Some(Box::new(InHand::Response { response, bytes }));
        None
    }

    /// Ends the call with the outcome in hand, since the request was not sent again. `error` is that of `reason`.
    pub(super) fn return_in_hand(
        &mut self,
        in_hand: InHand<Response<R>>,
        error: Error,
        reason: EndReason,
    ) -> Result<Response<R>, Error> {
        match in_hand {
            InHand::Response { mut response, .. } => {
                if let Some(verdict) = response.verdict() {
                    self.report_no_retry(verdict, reason);
                }
                let record = self.end_unsuccessful(reason);
                response.extensions_mut().insert(record);
                Ok(response)
            }
            InHand::Dropped(verdict) => {
                let is_outage = matches!(reason, EndReason::Outage | EndReason::Budget);
                let error = if is_outage { error.with_upstream_health(UpstreamHealth::Outage) } else { error };
                Err(self.give_up(error.with_verdict(verdict), reason))
            }
            InHand::Error(error) => Err(self.give_up(error, reason)),
        }
    }
}

impl<B: CloneBody, T> Call<B, T> {
    /// Returns the reason why no attempt can follow an error of a layer below; `None` for an error of the transport. It is
    /// called before the payment is settled.
    pub(super) fn refusal(&self, error: &Error) -> Option<EndReason> {
        match error {
            _ if error.is_deadline() => Some(EndReason::Deadline),
            _ if error.is_paced() && self.payment.is_refused() => Some(EndReason::Budget),
            _ if error.is_paced() && error.upstream_health() == Some(UpstreamHealth::Outage) => Some(EndReason::Outage),
            // A layer that does not mark its errors: it refused what it did not admit.
            _ if error.is_paced() && self.payment.waits_for_admission() => Some(EndReason::Outage),
            _ if error.is_paced() => Some(EndReason::Paced),
            _ if error.is_transport() => None,
            // The last kind: no credentials could be obtained.
            _ => Some(EndReason::Credentials),
        }
    }
}

/// Returns `true` for an error after which the outcome in hand is returned: the request was refused, or ran out of time,
/// before it was sent.
pub(super) fn is_returned_after(error: &Error) -> bool {
    error.phase() == Phase::NotSent && (error.is_paced() || error.is_deadline())
}
