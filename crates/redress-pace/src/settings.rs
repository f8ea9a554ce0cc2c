//! The settings of the layer, with the state that its services share.

use std::fmt;
use std::sync::Arc;
use std::time::Duration;

use http::{HeaderMap, Method, Request, Uri};
use redress_classify::{Clock, Dialect};

use crate::gates::Gates;
use crate::limiter::Limiter;
use crate::partition::Partition;
use crate::scope::Target;

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
    pub(crate) clock: Clock,
    pub(crate) gates: Arc<Gates>,
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
        Target::new(Partition::new(request.uri(), request.headers(), key), &self.dialect, request)
    }

    /// Returns the limits that cover a request, the most specific one first.
    pub(crate) fn limiters<B>(&self, request: &Request<B>) -> impl Iterator<Item = &Arc<Limiter>> + Clone {
        self.limiters.iter().filter(|limiter| limiter.covers(request.method(), request.uri().path()))
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
            .field("limits", &self.limiters)
            .field("gates", &self.gates)
            .finish_non_exhaustive()
    }
}
