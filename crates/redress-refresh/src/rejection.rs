//! Decides whether a response rejects the credentials of its request, and whether the request is sent again.

use http::{HeaderName, Request, Response, StatusCode};
use redress_classify::{Basis, Class, Recovery, Refreshed, ResponseExt, Verdict};

use crate::failure::Failure;
use crate::layer::Link;
use crate::shared::Way;
use crate::snapshot::Snapshot;
use crate::state::{Accepted, Rejected, Route};
use crate::waiting::Wait;

/// The header that makes a request safe to repeat (draft-ietf-httpapi-idempotency-key-header).
const IDEMPOTENCY_KEY: HeaderName = HeaderName::from_static("idempotency-key");

/// Which credentials a request carries.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Sent {
    generation: u64,
    /// Whether it is news if a server accepts them.
    is_news: bool,
    /// Whether a server had rejected them before.
    is_probe: bool,
    /// Known when requests are told apart by their routes, and of what is sent again.
    route: Option<Route>,
}

/// The next step of a request whose response is there.
pub(crate) enum Judgement {
    /// The response is handed up as it is.
    Return,
    /// It is handed up since a refresh is out of the question.
    Refuse(Failure),
    /// The request is sent again at once.
    Repeat,
    /// The refresh is waited for. Then the request is sent again if it may be; else the response is handed up, and the next
    /// call has the new credentials.
    Wait { wait: Wait, may_resend: bool },
}

impl Sent {
    #[inline]
    pub(crate) fn new<B>(link: &Link, snapshot: &Snapshot, request: &Request<B>, may_refresh: bool) -> Self {
        let generation = snapshot.generation();
        let is_wary = link.shared.is_wary();
        if may_refresh && snapshot.is_trusted() && !is_wary {
            return Self { generation, is_news: false, is_probe: false, route: None };
        }
        let route = (!may_refresh || is_wary).then(|| Route::new(request));
        let is_probe = snapshot.is_suspect();
        Self { generation, is_news: is_probe || route.is_some() || !snapshot.is_proven(), is_probe, route }
    }
}

/// Decides about a request by its response; `spare` is the copy that could be sent again from here.
pub(crate) fn judge<B, R>(
    link: &Link,
    sent: Sent,
    response: &Response<R>,
    may_refresh: bool,
    spare: Option<&Request<B>>,
) -> Judgement {
    let Sent { generation, is_probe, .. } = sent;
    if !is_rejected(response) {
        if sent.is_news && response.status().is_success() && response.verdict().is_none() {
            link.shared.accepted(Accepted { generation, route: sent.route, is_probe });
        }
        return Judgement::Return;
    }
    if link.shared.is_static() {
        return Judgement::Return;
    }
    if !may_refresh {
        if let Some(route) = sent.route {
            link.shared.rejected_again(generation, route);
        }
        return Judgement::Return;
    }
    let route = sent.route.or_else(|| spare.map(Route::new));
    let is_uncertain = response.verdict().is_some_and(Verdict::is_maybe_processed);
    let may_resend = !is_uncertain || spare.is_some_and(is_safe_to_repeat);
    if !may_resend && !link.resend_above() {
        tracing::debug!(target: "redress::refresh", "not sent again: the request may have been processed");
    }
    match link.shared.rejected(Rejected { generation, route, is_uncertain }, link.terms()) {
        Way::Fail(refusal) => Judgement::Refuse(refusal.failure),
        Way::Send(_) | Way::Wait(_) if spare.is_none() && !link.resend_above() => {
            tracing::debug!(target: "redress::refresh", "not sent again: the body cannot be copied");
            Judgement::Return
        }
        Way::Send(_) if may_resend || link.resend_above() => Judgement::Repeat,
        Way::Send(_) => Judgement::Return,
        Way::Wait(wait) => Judgement::Wait { wait, may_resend },
    }
}

/// Whether a response says that a refresh may help: by its verdict, or as a 401 that nothing else explains.
///
/// The class alone does not say so: of credentials that are known to be dead the recovery is another one.
fn is_rejected<R>(response: &Response<R>) -> bool {
    let is_401 = response.status() == StatusCode::UNAUTHORIZED;
    let Some(verdict) = response.verdict() else { return is_401 };
    match (verdict.class(), verdict.recovery()) {
        (_, Recovery::RefreshToken) => true,
        // A flag that says to retry takes the place of the recovery.
        (Class::TokenExpired, Recovery::Retry) => true,
        (Class::Unauthenticated, _) => is_401 && verdict.basis() == Basis::Status,
        _ => false,
    }
}

/// Whether a request may be sent twice: by its method (RFC 9110 section 9.2.2), or by an idempotency key.
fn is_safe_to_repeat<B>(request: &Request<B>) -> bool {
    request.method().is_idempotent() || request.headers().contains_key(&IDEMPOTENCY_KEY)
}

/// Whether a layer above sends a request again after a refresh.
pub(crate) fn is_second<B>(request: &Request<B>) -> bool {
    request.extensions().get::<Refreshed>().is_some()
}

pub(crate) fn refreshed<R>(mut response: Response<R>) -> Response<R> {
    response.extensions_mut().insert(Refreshed);
    response
}
