//! The straight way through this layer: requests that need not wait, and responses from which there is nothing to learn.

use std::fmt;
use std::sync::Arc;

use http::{Request, Response};
use redress_classify::straight::{Adopt, CallTime, SentParts, SentRequest, Straight, extension};
use redress_classify::{BoxError, Classify, CloneBody, Error, SendState, is_success};
use tower_service::Service;

use crate::future::{ResponseFuture, observe};
use crate::gates::{Sent, is_open};
use crate::limiter::try_send_by_all;
use crate::scope::Target;
use crate::service::Pace;
use crate::settings::Settings;

/// A request that may be sent now, and is counted by its limits.
pub struct Admitted<A> {
    /// `None` if it was not needed, and can be made from the parts of the request that are kept.
    target: Option<Target>,
    below: A,
}

/// A request that was sent.
pub struct Kept<K> {
    target: Option<Target>,
    /// The time at which it was sent, if it is timed.
    sent: Option<Sent>,
    below: K,
}

impl Settings {
    /// Counts a request and returns `true` if it may be sent now; otherwise counts nothing. With the gates open and no limit,
    /// this is one atomic load. The target is made when it is needed.
    #[inline]
    pub(crate) fn admits_now<B>(&self, request: &Request<B>, target: &mut Option<Target>, time: &mut CallTime) -> bool {
        let needs_no_target = self.sharing.is_none() && self.gates.is_inactive();
        if needs_no_target && self.limiters.is_empty() {
            return true;
        }
        let mut limiters = self.limiters(request);
        let all = limiters.clone();
        let (first, second) = (limiters.next(), limiters.next());
        if needs_no_target && first.is_none() {
            return true;
        }
        let target = target.get_or_insert_with(|| self.target(request));
        let partition = &target.partition;
        if self.sharing.as_ref().is_some_and(|sharing| !sharing.is_loaded(partition)) {
            return false;
        }
        if !self.gates.is_inactive() && !is_open(self, target, time.now()) {
            return false;
        }
        match (first, second) {
            (Some(only), None) => only.try_send(partition, time.now()),
            _ => try_send_by_all(all, partition, time.now()),
        }
    }

    /// Returns `true` if there is nothing to learn from a success that was not timed.
    #[inline]
    fn is_unremarkable<R>(&self, response: &Response<R>) -> bool {
        !self.learns_buckets
            && !self.dialect.has_success_hints()
            && !response.status().is_server_error()
            && self.gates.ignores_answers()
    }
}

impl<B, I: Straight<B>> Straight<B> for Pace<I> {
    type Over<S> = Pace<I::Over<S>>;
    type Admitted = Admitted<I::Admitted>;
    type Kept = Kept<I::Kept>;

    fn over<S>(&self, inner: S) -> Self::Over<S> {
        Pace::new(self.inner.over(inner), Arc::clone(&self.settings))
    }

    fn classify(&self) -> &Classify<()> {
        self.inner.classify()
    }

    /// The layers below only look, so they are asked first. A request with a state by which a layer above follows it has a
    /// future that reports to it.
    #[inline(always)]
    fn admit(&self, request: &mut Request<B>, time: &mut CallTime) -> Option<Self::Admitted> {
        if extension::<SendState>(request.extensions()).is_some() {
            return None;
        }
        let below = self.inner.admit(request, time)?;
        // A key is made from headers, which are not kept.
        let mut target = self.settings.partition_key.is_some().then(|| self.settings.target(request));
        self.settings.admits_now(request, &mut target, time).then_some(Admitted { target, below })
    }

    #[inline(always)]
    fn send(&self, admitted: Self::Admitted, request: &mut Request<B>, time: &mut CallTime) -> Self::Kept {
        let Admitted { mut target, below } = admitted;
        let sent = self.settings.gates.timed(|| self.settings.random(), || time.now());
        if sent.is_some() && target.is_none() {
            // It is recorded, and cheaper to have from the request than from what is kept of it.
            target = Some(self.settings.target(request));
        }
        Kept { target, sent, below: self.inner.send(below, request, time) }
    }

    #[inline(always)]
    fn is_plain<R>(&self, kept: &Self::Kept, response: &Response<R>) -> bool {
        self.inner.is_plain(&kept.below, response) && is_success(response, &self.settings.dialect)
    }

    #[inline(always)]
    fn settle<R>(&self, kept: &Self::Kept, sent: &impl SentParts, response: &mut Response<R>) {
        self.inner.settle(&kept.below, sent, response);
        if kept.sent.is_some() || !self.settings.is_unremarkable(response) {
            let mut observe = |target: &Target| observe(response, &self.settings, target, &mut None, kept.sent);
            match &kept.target {
                Some(target) => observe(target),
                None => observe(&self.settings.target_of_sent(&sent.to_sent())),
            }
        }
    }
}

impl<S, B, R, K> Adopt<B, Kept<K>> for Pace<S>
where
    S: Adopt<B, K> + Service<Request<B>, Response = Response<R>> + Clone,
    S::Error: Into<BoxError>,
    B: CloneBody,
{
    #[inline(always)]
    fn adopt(&self, kept: Kept<K>, sent: SentRequest, result: Result<Response<R>, Error>) -> ResponseFuture<S, B> {
        let target = kept.target.unwrap_or_else(|| self.settings.target_of_sent(&sent));
        let future = self.inner.adopt(kept.below, sent, result);
        ResponseFuture::sent(future, &self.settings, target, None, kept.sent)
    }
}

impl<A> fmt::Debug for Admitted<A> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Admitted").finish_non_exhaustive()
    }
}

impl<K> fmt::Debug for Kept<K> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Kept").field("sent", &self.sent).finish_non_exhaustive()
    }
}

#[cfg(all(test, not(loom)))]
mod tests {
    use std::time::Duration;

    use redress_classify::{CooldownScope, Dialect};
    use tokio::time::Instant;

    use super::*;
    use crate::PaceLayer;
    use crate::cooldown::tests::{S, cooldown};
    use crate::gates::{CallResult, record};
    use crate::scope::tests::target;

    fn settings(rest: &str) -> Arc<Settings> {
        let dialect = Dialect::from_toml("d.toml", &format!("name = \"d\"\n{rest}")).expect("it is valid");
        Arc::new(PaceLayer::new(dialect).settings().clone())
    }

    fn response(status: u16) -> Response<()> {
        Response::builder().status(status).body(()).expect("it is valid")
    }

    /// Ends a call that was sent a second ago.
    fn end(settings: &Arc<Settings>, result: CallResult) {
        let now = Instant::now();
        let sent = Sent { at: now.checked_sub(Duration::from_secs(1)).unwrap_or(now), calls: 1 };
        record(settings, &target("a"), None, Some(sent), result, (now, 0));
    }

    #[tokio::test(start_paused = true)]
    async fn a_success_is_looked_at_only_where_there_is_something_to_learn() {
        let hints = "[retry]\nsuccess_hints = [{ header = \"x-wait\", unit = \"s\" }]\n";
        let buckets = "[[scopes]]\nname = \"room\"\nroutes = \"* /rooms/{room}/**\"\nkey = \"room\"\n[cooldown]\nbucket = { header = \"x-bucket\" }\n";
        for (name, dialect, status, is_unremarkable) in [
            ("plain", "", 200, true),
            ("an error that the dialect does not take for one", "", 503, false),
            ("waits in successes", hints, 200, false),
            ("names of buckets", buckets, 200, false),
        ] {
            assert_eq!(settings(dialect).is_unremarkable(&response(status)), is_unremarkable, "{name}");
        }
        let settings = settings("");
        end(&settings, CallResult::Answered);
        assert!(settings.is_unremarkable(&response(200)));
        end(&settings, CallResult::Failed { is_timeout: false });
        assert!(!settings.is_unremarkable(&response(200)), "after a failure");
        end(&settings, CallResult::Answered);
        assert!(settings.is_unremarkable(&response(200)));
        let now = Instant::now();
        settings.gates.cool_down(&target("b"), CooldownScope::Call, cooldown(now, S), now);
        assert!(!settings.is_unremarkable(&response(200)), "in a cool-down");
    }

    #[tokio::test(start_paused = true)]
    async fn failures_of_calls_that_were_not_timed_begin_an_outage() {
        let settings = settings("");
        end(&settings, CallResult::Answered);
        for is_inactive in [true, true, false] {
            observe(&mut response(503), &settings, &target("a"), &mut None, None);
            assert_eq!(settings.gates.is_inactive(), is_inactive);
        }
    }
}
