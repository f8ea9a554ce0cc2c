//! Both layers around a third.

use std::fmt;

use tower_layer::Layer;

use crate::attempts::{AttemptLayer, Attempts};
use crate::calls::{CallLayer, Calls};

/// A layer with [`CallLayer`] above it and [`AttemptLayer`] below it. [`Telemetry::around`](crate::Telemetry::around) makes it.
///
/// # Examples
/// ```
/// use redress::{RedressLayer, dialects};
/// use redress_opentelemetry::{Around, Telemetry};
///
/// let layer: Around<RedressLayer> = Telemetry::new().around(RedressLayer::new(dialects::stripe()));
/// # drop(layer);
/// ```
#[derive(Clone)]
pub struct Around<L> {
    calls: CallLayer,
    inner: L,
    attempts: AttemptLayer,
}

impl<L> Around<L> {
    pub(crate) const fn new(calls: CallLayer, inner: L, attempts: AttemptLayer) -> Self {
        Self { calls, inner, attempts }
    }
}

impl<L, S> Layer<S> for Around<L>
where
    L: Layer<Attempts<S>>,
{
    type Service = Calls<L::Service>;

    fn layer(&self, transport: S) -> Self::Service {
        self.calls.layer(self.inner.layer(self.attempts.layer(transport)))
    }
}

impl<L> fmt::Debug for Around<L> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Around").finish_non_exhaustive()
    }
}
