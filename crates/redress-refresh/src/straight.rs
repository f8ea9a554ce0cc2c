//! The straight way through this layer: credentials that can be sent at once, and responses that leave them as they are.

use std::fmt;
use std::sync::Arc;

use arc_swap::Guard;
use http::{Request, Response, StatusCode};
use redress_classify::straight::{Adopt, CallTime, SentParts, SentRequest, Straight, extension};
use redress_classify::{BoxError, Class, Classify, CloneBody, DecidedBy, Error, Recovery, Refreshed, ResponseExt};
use tokio::time::Instant;
use tower_service::Service;

use crate::future::ResponseFuture;
use crate::handle::Handle;
use crate::service::Refresh;
use crate::snapshot::{Freshness, Snapshot};
use crate::state::{Acceptance, Route};

/// The credentials of a request that was sent.
#[derive(Clone, Copy, Debug)]
pub(crate) struct SentCredentials {
    pub(crate) generation: u64,
    /// Whether an acceptance by the server changes the state.
    is_news: bool,
    /// Whether a server had rejected them before.
    is_probe: bool,
    /// Known when requests are distinguished by their routes, and for a request that is sent again.
    pub(crate) route: Option<Route>,
}

/// A request for which there are credentials, or that needs none.
pub struct Admitted<A> {
    /// `None` for a request that passes without credentials.
    snapshot: Option<Guard<Arc<Snapshot>>>,
    below: A,
}

/// A request that was sent.
pub struct Kept<K> {
    /// `None` if it passed without credentials.
    pub(crate) sent: Option<Sent>,
    below: K,
}

/// The credentials of a request that was sent once.
#[derive(Clone, Copy)]
pub(crate) struct Sent {
    pub(crate) credentials: SentCredentials,
    /// Whether a rejection may cause a refresh.
    pub(crate) may_refresh: bool,
    /// When the call began, if the credentials expire.
    pub(crate) began: Option<Instant>,
}

impl SentCredentials {
    #[inline]
    pub(crate) fn new<B>(handle: &Handle, snapshot: &Snapshot, request: &Request<B>, may_refresh: bool) -> Self {
        let generation = snapshot.generation();
        let tracks_routes = handle.shared.tracks_routes();
        let route = (!may_refresh || tracks_routes).then(|| Route::new(request));
        let is_probe = snapshot.is_rejected();
        Self { generation, is_news: is_probe || route.is_some() || !snapshot.is_accepted(), is_probe, route }
    }

    /// Records that a response does not reject them, if that changes the state.
    #[inline]
    pub(crate) fn record_acceptance<R>(self, handle: &Handle, response: &Response<R>) {
        let Self { generation, is_news, is_probe, route } = self;
        if is_news && response.status().is_success() && response.verdict().is_none() {
            handle.record_acceptance(Acceptance { generation, route, is_probe });
        }
    }
}

impl<S> Refresh<S> {
    /// Returns the credentials that a request may carry; `None` if it passes without.
    #[inline]
    pub(crate) fn handle_for<B>(&self, request: &mut Request<B>) -> Option<&Arc<Handle>> {
        self.handle.as_ref().filter(|handle| handle.settings.admits(request))
    }
}

impl Handle {
    /// Returns `true` if the layer keeps a copy of each request, to send it again by itself.
    pub(crate) fn keeps_copies(&self) -> bool {
        !self.settings.resend_above && !self.shared.is_static
    }

    /// Returns credentials that can be sent at once, and starts a renewal if one is due. The clock is read only if the
    /// credentials expire.
    #[inline]
    pub(crate) fn fresh(&self, time: &mut CallTime) -> Option<Guard<Arc<Snapshot>>> {
        let snapshot = self.shared.load();
        let freshness = snapshot.freshness(time);
        if freshness == Freshness::Unusable {
            return None;
        }
        if snapshot.expires_at().is_some() && snapshot.is_expired_by_wall_clock(time.now(), || self.settings.clock()) {
            return None;
        }
        if freshness == Freshness::Stale {
            self.renew();
        }
        Some(snapshot)
    }
}

impl<B, I: Straight<B>> Straight<B> for Refresh<I> {
    type Over<S> = Refresh<I::Over<S>>;
    type Admitted = Admitted<I::Admitted>;
    type Kept = Kept<I::Kept>;

    fn over<S>(&self, inner: S) -> Self::Over<S> {
        Refresh::new(self.inner.over(inner), self.handle.clone())
    }

    fn classify(&self) -> &Classify<()> {
        self.inner.classify()
    }

    /// Without credentials that are fresh, the request waits. A layer that keeps a copy of its own has a future for that.
    #[inline(always)]
    fn admit(&self, request: &mut Request<B>, time: &mut CallTime) -> Option<Self::Admitted> {
        let below = self.inner.admit(request, time)?;
        let Some(handle) = self.handle_for(request) else { return Some(Admitted { snapshot: None, below }) };
        if handle.keeps_copies() {
            return None;
        }
        Some(Admitted { snapshot: Some(handle.fresh(time)?), below })
    }

    #[inline(always)]
    fn send(&self, admitted: Self::Admitted, request: &mut Request<B>, time: &mut CallTime) -> Self::Kept {
        let mut kept = None;
        if let (Some(handle), Some(snapshot)) = (&self.handle, admitted.snapshot) {
            let may_refresh = !is_resent_above(request);
            let credentials = SentCredentials::new(handle, &snapshot, request, may_refresh);
            snapshot.apply_to(request);
            let began = snapshot.expires_at().and(time.known());
            kept = Some(Sent { credentials, may_refresh, began });
        }
        Kept { sent: kept, below: self.inner.send(admitted.below, request, time) }
    }

    #[inline(always)]
    fn is_plain<R>(&self, kept: &Self::Kept, response: &Response<R>) -> bool {
        self.inner.is_plain(&kept.below, response) && (kept.sent.is_none() || is_plain(response))
    }

    #[inline(always)]
    fn settle<R>(&self, kept: &Self::Kept, sent: &impl SentParts, response: &mut Response<R>) {
        self.inner.settle(&kept.below, sent, response);
        if let (Some(handle), Some(sent)) = (&self.handle, kept.sent) {
            sent.credentials.record_acceptance(handle, response);
        }
    }
}

impl<S, B, R, K> Adopt<B, Kept<K>> for Refresh<S>
where
    S: Adopt<B, K> + Service<Request<B>, Response = Response<R>> + Clone,
    S::Error: Into<BoxError>,
    B: CloneBody,
{
    #[inline(always)]
    fn adopt(&self, kept: Kept<K>, sent: SentRequest, result: Result<Response<R>, Error>) -> ResponseFuture<S, B> {
        let own = sent.deadline();
        let future = self.inner.adopt(kept.below, sent, result);
        match (&self.handle, kept.sent) {
            (Some(handle), Some(sent)) => ResponseFuture::adopt(Arc::clone(handle), sent, own, future),
            _ => ResponseFuture::pass(future),
        }
    }
}

impl<A> fmt::Debug for Admitted<A> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Admitted").finish_non_exhaustive()
    }
}

impl<K> fmt::Debug for Kept<K> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Kept").finish_non_exhaustive()
    }
}

/// Returns `true` if a response leaves the credentials as they are, and has nothing in which they must be masked.
#[inline]
fn is_plain<R>(response: &Response<R>) -> bool {
    response.verdict().is_none() && response.record().is_none() && response.status() != StatusCode::UNAUTHORIZED
}

/// Returns `true` if a refresh may help: by the verdict, or for a 401 that nothing but its status explains.
///
/// The class alone does not suffice: credentials that are known to be revoked have another recovery.
pub(crate) fn is_rejected<R>(response: &Response<R>) -> bool {
    let is_401 = response.status() == StatusCode::UNAUTHORIZED;
    let Some(verdict) = response.verdict() else { return is_401 };
    match (verdict.class(), verdict.recovery()) {
        (_, Recovery::RefreshToken) => true,
        // A server's should-retry flag replaces the recovery.
        (Class::TokenExpired, Recovery::Retry) => true,
        (Class::Unauthenticated, _) => is_401 && verdict.decided_by() == DecidedBy::Status,
        _ => false,
    }
}

/// Returns `true` if a layer above sends this request again after a refresh.
pub(crate) fn is_resent_above<B>(request: &Request<B>) -> bool {
    extension::<Refreshed>(request.extensions()).is_some()
}

#[cfg(test)]
mod tests;
