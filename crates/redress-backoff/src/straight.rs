//! First attempts: what is kept of them, which successes end a call, and the straight way that needs no future of this layer.

use std::fmt;
use std::sync::Arc;

use http::header::HOST;
use http::{HeaderMap, Method, Request, Response, Uri};
use redress_classify::straight::{Adopt, CallTime, SentParts, SentRequest, Straight, extension};
use redress_classify::{
    Classify, CloneBody, Deadline, Error, Phase, Refreshed, ResponseExt, UpstreamHealth, is_success, saturating,
};
use tower_service::Service;

use crate::budget::{Budget, KeyParts};
use crate::call::Call;
use crate::failing_routes::Route;
use crate::future::ResponseFuture;
use crate::request_copy::RequestCopy;
use crate::service::Backoff;
use crate::settings::Settings;
use crate::{grpc, idempotency_key};

/// The state that a call keeps from its first attempt.
pub(crate) struct First<B> {
    /// The copy of the request; `None` if the body cannot be copied.
    pub(crate) copy: Option<RequestCopy<B>>,
    /// The key of the call's budget, where no copy is left to make it from.
    pub(crate) partition: Option<u64>,
    pub(crate) deadline: Option<Deadline>,
}

/// A call whose first attempt was sent.
pub struct Kept<B, K> {
    first: First<B>,
    /// The parts of the request, if its body cannot be copied.
    sent: Option<Box<SentRequest>>,
    below: K,
}

impl<B: CloneBody> First<B> {
    /// Copies a request that is about to be sent. `time` is read if the deadline counts from now.
    #[inline(always)]
    pub(crate) fn new(request: &Request<B>, settings: &Settings, time: &mut CallTime) -> Self {
        let from_now = |limit| Deadline::new(saturating::add(time.now(), limit));
        let deadline = Deadline::from_request(request).or_else(|| settings.deadline.map(from_now));
        let mut first = Self { copy: RequestCopy::from_request(request), partition: None, deadline };
        if first.copy.is_none() {
            // Nothing of the request is left to make the key from later.
            first.partition = settings.partition(&KeyParts::from_request(request));
        }
        first
    }
}

impl<B> First<B> {
    /// Returns the key of the call's budget; `None` where the layer has no budget.
    pub(crate) fn partition(&self, settings: &Settings) -> Option<u64> {
        let of_copy = || with_key_parts(self.copy.as_ref()?, None, settings, |parts| settings.partition(parts))?;
        self.partition.or_else(of_copy)
    }
}

impl Settings {
    /// Returns `true` if a response to a first attempt ends its call, with neither a record nor a look at the clock: a success that
    /// no layer below has marked, where attempts are not observed. Nearly all calls end like this.
    #[inline]
    pub(crate) fn is_plain<R>(&self, response: &Response<R>) -> bool {
        is_success(response, &self.dialect)
            && response.record().is_none()
            && extension::<Refreshed>(response.extensions()).is_none()
            && !self.hooks.observe_attempts()
    }

    /// Counts a success of a first attempt, gives the budget of its key the tokens that it is worth, and ends the failures of its
    /// route.
    #[inline]
    pub(crate) fn settle<R>(
        &self,
        response: &Response<R>,
        key: impl FnOnce() -> u64,
        route: impl FnOnce() -> Option<Route>,
    ) {
        if let Some(throttling) = self.throttling() {
            throttling.record_success();
        }
        if let Some(budgets) = &self.budget {
            budgets.refill(key, || self.refill(response, None));
        }
        self.failing_routes.answered(route);
        self.successes.count();
    }

    /// Returns the tokens that a success is worth, by the cost of the last retry of its call.
    pub(crate) fn refill<R>(&self, response: &Response<R>, spent: Option<u32>) -> u32 {
        match (UpstreamHealth::of_response(response), spent) {
            (Some(UpstreamHealth::Throttled), _) => Budget::FIRST_ATTEMPT_REFILL,
            (_, Some(cost)) => cost,
            (None, None) => self.healthy_refill,
            (Some(_), None) => Budget::FIRST_ATTEMPT_REFILL,
        }
    }
}

impl<B, K> Kept<B, K> {
    /// Returns the deadline of the call, which may be that of the layer.
    #[must_use]
    pub const fn call_deadline(&self) -> Option<Deadline> {
        self.first.deadline
    }

    fn uncopied(&self) -> &SentRequest {
        self.sent.as_deref().expect("`send` keeps the parts of a request without a copy")
    }
}

/// The parts are read from the copy, which nearly all calls have: keeping them apart would count references in each call.
impl<B, K> SentParts for Kept<B, K> {
    fn method(&self) -> &Method {
        self.first.copy.as_ref().map_or_else(|| self.uncopied().method(), |copy| &copy.method)
    }

    fn path(&self) -> &str {
        self.first.copy.as_ref().map_or_else(|| self.uncopied().path(), RequestCopy::path)
    }

    fn deadline(&self) -> Option<Deadline> {
        let of_copy = |copy: &RequestCopy<B>| copy.extensions.get().copied();
        self.first.copy.as_ref().map_or_else(|| self.uncopied().deadline(), of_copy)
    }

    fn to_sent(&self) -> SentRequest {
        self.first.copy.as_ref().map_or_else(|| self.uncopied().clone(), RequestCopy::to_sent)
    }
}

impl<B> RequestCopy<B> {
    /// Returns the parts of the request. A URI that cannot be read again, which `http` has checked, would be empty.
    fn to_sent(&self) -> SentRequest {
        let uri = self.uri().unwrap_or_default();
        let host = if uri.authority().is_none() { self.value(&HOST) } else { None };
        SentRequest::from_parts(self.method.clone(), uri, host, self.extensions.get().copied())
    }
}

impl<B: CloneBody, I: Straight<B>> Straight<B> for Backoff<I> {
    type Over<S> = Backoff<I::Over<S>>;
    type Admitted = I::Admitted;
    type Kept = Kept<B, I::Kept>;

    fn over<S>(&self, inner: S) -> Self::Over<S> {
        Backoff::new(self.inner.over(inner), Arc::clone(&self.settings))
    }

    fn classify(&self) -> &Classify<()> {
        self.inner.classify()
    }

    /// A call that may be hedged has a future, which runs the race.
    #[inline(always)]
    fn admit(&self, request: &mut Request<B>, time: &mut CallTime) -> Option<Self::Admitted> {
        prepare(request, &self.settings);
        if self.settings.hedged.is_some() || is_late(request, time) {
            return None;
        }
        self.inner.admit(request, time)
    }

    #[inline(always)]
    fn send(&self, admitted: Self::Admitted, request: &mut Request<B>, time: &mut CallTime) -> Self::Kept {
        let first = First::new(request, &self.settings, time);
        let mut kept = Kept { first, sent: None, below: self.inner.send(admitted, request, time) };
        if kept.first.copy.is_none() {
            kept.sent = Some(Box::new(SentRequest::new(request)));
        }
        kept
    }

    #[inline(always)]
    fn is_plain<R>(&self, kept: &Self::Kept, response: &Response<R>) -> bool {
        self.inner.is_plain(&kept.below, response) && self.settings.is_plain(response)
    }

    #[inline(always)]
    fn settle<R>(&self, kept: &Self::Kept, sent: &impl SentParts, response: &mut Response<R>) {
        self.inner.settle(&kept.below, sent, response);
        let key = || kept.first.partition(&self.settings).unwrap_or_default();
        self.settings.settle(response, key, || kept.first.copy.as_ref().map(Route::of));
    }
}

impl<S> Backoff<S> {
    /// Goes on with a call whose first attempt ended in any other way.
    #[doc(hidden)]
    #[inline(always)]
    pub fn adopt<B, K, R>(
        self,
        kept: Kept<B, K>,
        sent: SentRequest,
        result: Result<Response<R>, Error>,
    ) -> ResponseFuture<S, B>
    where
        S: Adopt<B, K> + Service<Request<B>, Response = Response<R>>,
        B: CloneBody,
    {
        let uri = sent.uri().clone();
        let attempt = self.inner.adopt(kept.below, sent, result);
        ResponseFuture::adopt(attempt, self.inner, Call::new(kept.first, self.settings).with_uri(uri))
    }
}

impl<I> Backoff<I> {
    /// Ends a call whose deadline passed during its first attempt.
    ///
    /// # Errors
    /// Always, with [`Error::is_deadline`].
    #[doc(hidden)]
    #[cold]
    pub fn expired<B: CloneBody, K, R: http_body::Body>(&self, kept: Kept<B, K>) -> Result<Response<R>, Error> {
        Call::new(kept.first, Arc::clone(&self.settings)).deadline_exceeded(Phase::MaybeProcessed)
    }

    /// Reports a call that was dropped during its first attempt.
    #[doc(hidden)]
    #[cold]
    pub fn dropped<B: CloneBody, K>(&self, kept: Kept<B, K>) {
        Call::<B, ()>::new(kept.first, Arc::clone(&self.settings)).dropped(Phase::MaybeProcessed);
    }
}

impl<B, K> fmt::Debug for Kept<B, K> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Kept").field("deadline", &self.first.deadline).finish_non_exhaustive()
    }
}

/// Adds to a request what its call needs: an idempotency key, and the fields of a gRPC call. A second time changes nothing.
#[inline]
pub(crate) fn prepare<B>(request: &mut Request<B>, settings: &Settings) {
    idempotency_key::stamp(request, settings);
    if settings.dialect.is_grpc() {
        grpc::stamp(request, settings);
    }
}

/// Returns `true` if the request's own deadline has passed.
#[inline]
pub(crate) fn is_late<B>(request: &Request<B>, time: &mut CallTime) -> bool {
    Deadline::from_request(request).is_some_and(|deadline| deadline.has_passed(time.now()))
}

/// Reads the parts of a request that make the key of its budget. Its URI is parsed if it is not known.
pub(crate) fn with_key_parts<B, K>(
    copy: &RequestCopy<B>,
    uri: Option<&Uri>,
    settings: &Settings,
    read: impl FnOnce(&KeyParts<'_>) -> K,
) -> Option<K> {
    let uri = &uri.cloned().or_else(|| copy.uri().ok())?;
    let headers = if settings.key_reads_headers(uri) {
        copy.headers(&settings.header_names, HeaderMap::new()).ok()?
    } else {
        HeaderMap::new()
    };
    Some(read(&KeyParts { method: &copy.method, uri, headers: &headers, extensions: &copy.extensions }))
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use redress_classify::dialects;

    use super::*;
    use crate::layer::BackoffLayer;

    /// A body that cannot be copied.
    struct Once;

    impl CloneBody for Once {
        fn try_clone(&self) -> Option<Self> {
            None
        }
    }

    #[test]
    fn the_budget_of_a_first_attempt_is_that_of_its_request_with_a_copy_and_without() {
        let by_tenant = |_: &Method, _: &Uri, headers: &HeaderMap| {
            headers.get("x-tenant").map(|tenant| tenant.to_str().unwrap_or_default().to_owned())
        };
        let settings = BackoffLayer::new(dialects::veridia()).partition(by_tenant).settings;
        let request = |tenant: &str| Request::get("https://api.example/v1").header("x-tenant", tenant);
        let key = |tenant| {
            let (copied, once) = (request(tenant).body(()).unwrap(), request(tenant).body(Once).unwrap());
            let key = settings.partition(&KeyParts::from_request(&copied));
            let time = &mut CallTime::default();
            assert_eq!(First::new(&copied, &settings, time).partition(&settings), key);
            assert_eq!(First::new(&once, &settings, time).partition(&settings), key);
            key
        };
        assert!(key("one").is_some() && key("one") != key("other"));
        let without = BackoffLayer::new(dialects::veridia()).without_budget().settings;
        let first = First::new(&request("one").body(()).unwrap(), &without, &mut CallTime::default());
        assert_eq!(first.partition(&without), None);
    }

    #[test]
    fn the_parts_of_a_copied_request_are_those_of_the_request() {
        let deadline = Deadline::from_now(Duration::from_secs(9));
        for (uri, host) in [
            ("https://me:word@API.example:8443/v1/x?a=b", None),
            ("https://api.example", Some("other.example")),
            ("/v1/x?a=b", Some("api.example:8443")),
            ("/v1/x", None),
            ("*", Some("not a host")),
            ("api.example:443", None),
        ] {
            let mut request = Request::put(uri).extension(deadline).body(()).unwrap();
            if let Some(host) = host {
                request.headers_mut().insert(HOST, host.parse().unwrap());
                request.headers_mut().append(HOST, "second.example".parse().unwrap());
            }
            let (copied, sent) = (RequestCopy::from_request(&request).unwrap().to_sent(), SentRequest::new(&request));
            assert_eq!(copied.upstream(), sent.upstream(), "{uri} {host:?}");
            let parts = |sent: &SentRequest| {
                (sent.method().clone(), sent.uri().clone(), sent.path().to_owned(), sent.deadline())
            };
            assert_eq!(parts(&copied), parts(&sent), "{uri} {host:?}");
        }
    }
}
