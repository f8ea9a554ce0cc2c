//! The whole stack, made of the settings of its layers.

use std::fmt;
use std::time::Duration;

use redress_backoff::BackoffLayer;
use redress_classify::ClassifyLayer;
use redress_pace::PaceLayer;
use redress_refresh::RefreshLayer;
use tower_layer::Layer;

use super::RedressLayer;
use crate::service::{Redress, Shared};

impl RedressLayer {
    /// Sends first attempts, too, through the futures of the layers, as all calls go that must wait. It is for the tests of this
    /// repository, which compare the two ways; users see no difference but the time.
    #[doc(hidden)]
    #[must_use]
    pub const fn never_straight(mut self) -> Self {
        self.whole.is_never_straight = true;
        self
    }

    /// Returns how long a call may take: the earlier of the deadlines of the stack and of its uppermost layer.
    pub(crate) fn longest_call(&self) -> Option<Duration> {
        self.whole.deadline.into_iter().chain(self.backoff.configured_deadline()).min()
    }

    /// Returns the Classify layer with the settings of the whole stack, which bound how long it holds a success.
    pub(super) fn whole_classify(&self) -> ClassifyLayer {
        let classify = set(self.classify.clone(), self.whole.attempt_timeout, ClassifyLayer::attempt_timeout);
        let classify = set(classify, self.longest_call(), ClassifyLayer::cap_deadline);
        set(classify, self.whole.clock.clone(), ClassifyLayer::clock)
    }

    /// Returns the Backoff layer with the settings of the whole stack.
    pub(super) fn whole_backoff(&self) -> BackoffLayer {
        let backoff = set(self.backoff.clone(), self.longest_call(), BackoffLayer::cap_deadline);
        let backoff = set(backoff, self.whole.clock.clone(), BackoffLayer::clock);
        set(backoff, self.whole.partition.clone(), |backoff, key| {
            backoff.partition(move |method, uri, headers| key(method, uri, headers))
        })
    }

    /// Returns the Pace layer with the settings of the whole stack.
    pub(super) fn whole_pace(&self) -> PaceLayer {
        let pace = set(self.pace.clone(), self.longest_call(), PaceLayer::cap_deadline);
        let pace = set(pace, self.whole.clock.clone(), PaceLayer::clock);
        set(pace, self.whole.partition.clone(), |pace, key| {
            pace.partition(move |method, uri, headers| key(method, uri, headers))
        })
    }

    /// Returns the Refresh layer with the settings of the whole stack. It hands rejected responses up, and
    /// Backoff resends the request.
    pub(super) fn whole_refresh(&self) -> RefreshLayer {
        let refresh = set(self.refresh.clone().resend_above(), self.longest_call(), RefreshLayer::cap_deadline);
        let refresh = set(refresh, self.whole.clock.clone(), RefreshLayer::clock);
        let refresh = set(refresh, self.whole.credentials.as_ref(), RefreshLayer::credentials_from);
        set(refresh, self.whole.sharing.as_ref(), |refresh, sharing| sharing.tokens(refresh))
    }
}

/// Changes a layer by a setting, if it is set.
fn set<L, T>(layer: L, setting: Option<T>, change: impl FnOnce(L, T) -> L) -> L {
    match setting {
        Some(setting) => change(layer, setting),
        None => layer,
    }
}

impl<S> Layer<S> for RedressLayer {
    type Service = Redress<S>;

    fn layer(&self, transport: S) -> Redress<S> {
        let below = self.whole_refresh().layer(self.whole_classify().layer(()));
        let layers = self.whole_backoff().layer(self.whole_pace().layer(below));
        let (attempt_timeout, is_never_straight) = (self.whole.attempt_timeout, self.whole.is_never_straight);
        Redress::new(transport, Shared { layers, attempt_timeout, is_never_straight })
    }
}

impl fmt::Debug for RedressLayer {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("RedressLayer")
            .field("classify", &self.classify)
            .field("refresh", &self.whole_refresh())
            .field("pace", &self.whole_pace())
            .field("backoff", &self.whole_backoff())
            .field("attempt_timeout", &self.whole.attempt_timeout)
            .field("deadline", &self.whole.deadline)
            .finish()
    }
}
