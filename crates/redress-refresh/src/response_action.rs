//! Decides what follows from a response: whether it rejects the credentials, and whether the request is sent again.

use http::{HeaderName, Request, Response};
use redress_classify::{Refreshed, ResponseExt, Verdict};
use tokio::time::Instant;

use crate::failure::Failure;
use crate::handle::{Access, Handle};
use crate::notifier::Wait;
use crate::state::{Rejection, Route};
use crate::straight::{SentCredentials, is_rejected};

/// The header that makes a request safe to repeat (draft-ietf-httpapi-idempotency-key-header).
const IDEMPOTENCY_KEY: HeaderName = HeaderName::from_static("idempotency-key");

/// The treatment of a response and its request.
pub(crate) enum ResponseAction {
    /// The response is returned as it is.
    Return,
    /// The response is returned, because no refresh is possible.
    ReturnUnrefreshed(Failure),
    /// The response to a request that was sent again after a refresh is returned: it rejects the new credentials too.
    ReturnRejectedAgain,
    /// The request is sent again at once.
    Resend,
    /// The call waits for the refresh. Then the request is sent again if it may be; otherwise the response is returned, and
    /// the next call has the new credentials.
    Wait { wait: Wait, may_resend: bool },
}

/// Decides about a response; `copy` is the request that could be sent again from this layer.
pub(crate) fn decide<B, R>(
    handle: &Handle,
    sent: SentCredentials,
    response: &Response<R>,
    may_refresh: bool,
    copy: Option<&Request<B>>,
) -> ResponseAction {
    let SentCredentials { generation, route, .. } = sent;
    if !is_rejected(response) {
        sent.record_acceptance(handle, response);
        return ResponseAction::Return;
    }
    if handle.shared.is_static {
        return ResponseAction::Return;
    }
    if !may_refresh {
        if let Some(route) = route {
            handle.shared.update(|inner| inner.state.record_second_rejection(generation, route, Instant::now()));
        }
        return ResponseAction::ReturnRejectedAgain;
    }
    let route = route.or_else(|| copy.map(Route::new));
    let is_uncertain = response.verdict().is_some_and(Verdict::is_maybe_processed);
    let may_resend = !is_uncertain || copy.is_some_and(is_safe_to_repeat);
    let resend_above = handle.settings.resend_above;
    if !may_resend && !resend_above {
        tracing::debug!(target: "redress::refresh", "not sent again: the request may have been processed");
    }
    match handle.record_rejection(Rejection { generation, route, is_uncertain }) {
        Access::Fail(refusal) => ResponseAction::ReturnUnrefreshed(refusal.failure),
        Access::Send(_) | Access::Wait(_) if copy.is_none() && !resend_above => {
            tracing::debug!(target: "redress::refresh", "not sent again: the body cannot be copied");
            ResponseAction::Return
        }
        Access::Send(_) if may_resend || resend_above => ResponseAction::Resend,
        Access::Send(_) => ResponseAction::Return,
        Access::Wait(wait) => ResponseAction::Wait { wait, may_resend },
    }
}

/// Returns `true` if a request may be sent twice: by its method (RFC 9110 section 9.2.2), or by an idempotency key.
fn is_safe_to_repeat<B>(request: &Request<B>) -> bool {
    request.method().is_idempotent() || request.headers().contains_key(&IDEMPOTENCY_KEY)
}

/// Marks a rejected response: the layer above may send its request again.
pub(crate) fn with_refreshed<R>(mut response: Response<R>) -> Response<R> {
    response.extensions_mut().insert(Refreshed);
    response
}
