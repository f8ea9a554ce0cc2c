//! The layer and its settings.

use redress_envelope::Dialect;
use tower_layer::Layer;

use crate::clock::Clock;
use crate::service::Classify;

/// Makes [`Classify`] services that read errors in one dialect.
///
/// It belongs right above the transport, and above decompression: a compressed error cannot be read.
///
/// # Examples
/// ```
/// use redress_classify::{ClassifyLayer, dialects};
///
/// let layer = ClassifyLayer::new(dialects::veridia());
/// ```
#[derive(Clone, Debug)]
pub struct ClassifyLayer {
    dialect: Dialect,
    clock: Clock,
}

impl ClassifyLayer {
    /// Reads errors in this dialect, by the system's clock.
    #[must_use]
    pub fn new(dialect: Dialect) -> Self {
        Self { dialect, clock: Clock::system() }
    }

    /// Sets the clock, for tests.
    #[must_use]
    pub const fn clock(mut self, clock: Clock) -> Self {
        self.clock = clock;
        self
    }
}

impl<S> Layer<S> for ClassifyLayer {
    type Service = Classify<S>;

    fn layer(&self, inner: S) -> Classify<S> {
        Classify::new(inner, self.dialect.clone(), self.clock)
    }
}
