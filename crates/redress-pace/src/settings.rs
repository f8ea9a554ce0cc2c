//! The settings of the layer, with the state that its services share.

use std::fmt;
use std::sync::Arc;
use std::time::Duration;

use http::{HeaderMap, Method, Request, Uri};
use redress_classify::straight::SentRequest;
use redress_classify::{Clock, CloneBody, Dialect, SendState, UpstreamHealth};
use tokio::time::Instant;

use crate::gates::{CallResult, Caller, Gates, Permit, Sent, record};
use crate::limiter::Limiter;
use crate::max_wait::MaxWait;
use crate::partition::Partition;
use crate::scope::Target;
use crate::shared::Sharing;
use crate::telemetry;

/// A function that returns the key of a request's partition, such as its tenant.
pub(crate) type PartitionKey = Arc<dyn Fn(&Method, &Uri, &HeaderMap) -> Option<String> + Send + Sync>;

/// The settings of a layer. Clones share the gates and the counts of the limits.
#[derive(Clone)]
pub(crate) struct Settings {
    pub(crate) dialect: Dialect,
    /// Whether responses may name the buckets of their routes.
    pub(crate) learns_buckets: bool,
    /// The deadline of a call without one of its own.
    pub(crate) deadline: Option<Duration>,
    /// The maximum wait of a call without any deadline.
    pub(crate) max_wait: Duration,
    /// Whether no call may wait.
    pub(crate) fail_fast: bool,
    /// Whether failures in a row shut a gate.
    pub(crate) detects_outages: bool,
    /// A call waits while the outage is younger than this multiple of the time that it has left.
    pub(crate) patience: u32,
    /// The maximum number of bytes that calls hold that wait for the end of an outage.
    pub(crate) max_held: u64,
    /// Whether the call with the latest deadline goes first.
    pub(crate) newest_first: bool,
    pub(crate) clock: Clock,
    pub(crate) gates: Arc<Gates>,
    /// The store by which processes tell each other of cool-downs, if there is one.
    pub(crate) sharing: Option<Arc<Sharing>>,
    /// The limits, the most specific one first.
    pub(crate) limiters: Vec<Arc<Limiter>>,
    pub(crate) partition_key: Option<PartitionKey>,
    /// The source of random numbers for the spread of a release.
    pub(crate) random: Arc<dyn Fn() -> u32 + Send + Sync>,
}

impl Settings {
    /// Returns the partition of a request, and its scope.
    pub(crate) fn target<B>(&self, request: &Request<B>) -> Target {
        let key = self.partition_key.as_ref().and_then(|key| key(request.method(), request.uri(), request.headers()));
        let partition = Partition::new(request.uri(), request.headers(), key);
        Target::new(partition, &self.dialect, request.method(), request.uri())
    }

    /// Returns the target of a request that was sent, where no key replaces its host and port.
    pub(crate) fn target_of_sent(&self, sent: &SentRequest) -> Target {
        Target::new(Partition::unkeyed(sent.upstream()), &self.dialect, sent.method(), sent.uri())
    }

    /// Returns the limits that cover a request, the most specific one first.
    pub(crate) fn limiters<B>(&self, request: &Request<B>) -> impl Iterator<Item = &Arc<Limiter>> + Clone {
        self.limiters.iter().filter(|limiter| limiter.covers(request.method(), request.uri().path()))
    }

    /// Records the end of a call, reports what it changed, and returns the health of the upstream.
    pub(crate) fn record(
        self: &Arc<Self>,
        target: &Target,
        permit: Option<Box<Permit>>,
        sent: Option<Sent>,
        result: CallResult,
        random: u32,
    ) -> Option<UpstreamHealth> {
        let now = Instant::now();
        let recorded = record(self, target, permit, sent, result, (now, random));
        if let Some(transition) = recorded.transition {
            telemetry::transition(&self.dialect, &target.partition, transition, now);
        }
        recorded.health
    }

    /// Returns a call at its gates.
    pub(crate) fn caller<B: CloneBody>(&self, request: &Request<B>, now: Instant) -> Caller {
        let max_wait = MaxWait::new(self, request, now);
        let (is_idempotent, random) = (self.is_idempotent(request), self.random());
        let bytes = request.body().bytes_in_memory().saturating_add(SendState::held_bytes(request));
        Caller { max_wait, is_idempotent, bytes, was_cooling_down: false, random }
    }

    /// Returns `true` if a request is safe to lose: one that can be sent again.
    fn is_idempotent<B>(&self, request: &Request<B>) -> bool {
        let key = self.dialect.idempotency().map_or("idempotency-key", |header| header.name.as_str());
        request.method().is_idempotent()
            || request.headers().contains_key(key)
            || self.dialect.is_idempotent(request.method().as_str(), request.uri().path())
    }

    /// Returns a random number, uniform over all of `u32`.
    pub(crate) fn random(&self) -> u32 {
        (self.random)()
    }
}

impl fmt::Debug for Settings {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Settings")
            .field("dialect", &self.dialect)
            .field("deadline", &self.deadline)
            .field("max_wait", &self.max_wait)
            .field("fail_fast", &self.fail_fast)
            .field("detects_outages", &self.detects_outages)
            .field("patience", &self.patience)
            .field("max_held", &self.max_held)
            .field("newest_first", &self.newest_first)
            .field("limits", &self.limiters)
            .field("sharing", &self.sharing)
            .field("gates", &self.gates)
            .finish_non_exhaustive()
    }
}
