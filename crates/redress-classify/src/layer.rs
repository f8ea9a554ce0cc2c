//! The layer, with a setter for each of its settings.

use std::sync::Arc;
use std::time::Duration;

use redress_envelope::Dialect;
use tower_layer::Layer;

use crate::clock::Clock;
use crate::service::Classify;
use crate::settings::Settings;

/// A layer that makes [`Classify`] services, which read the errors of one dialect.
///
/// Put it right above the transport, and above decompression: a compressed error cannot be read. Clones share their
/// settings.
///
/// # Examples
/// ```
/// use redress_classify::{ClassifyLayer, dialects};
///
/// use std::time::Duration;
///
/// let layer = ClassifyLayer::new(dialects::veridia()).hold_timeout(Duration::from_secs(1));
/// assert!(format!("{layer:?}").contains("hold_timeout: Some(1s)"));
/// ```
#[derive(Clone, Debug)]
pub struct ClassifyLayer {
    settings: Arc<Settings>,
}

impl ClassifyLayer {
    /// Creates a layer that reads errors in this dialect.
    ///
    /// Successes are held for the dialect's time or 5 s, and the clock is the system's.
    #[must_use]
    pub fn new(dialect: Dialect) -> Self {
        Self { settings: Arc::new(Settings::new(dialect)) }
    }

    /// Returns the dialect.
    ///
    /// # Examples
    /// ```
    /// use redress_classify::{ClassifyLayer, dialects};
    ///
    /// assert_eq!(ClassifyLayer::new(dialects::veridia()).dialect().name(), "veridia");
    /// ```
    #[must_use]
    pub fn dialect(&self) -> &Dialect {
        &self.settings.dialect
    }

    /// Sets the maximum time for which a success is held while its body may still signal an error, or hold a hint that the
    /// dialect declares for successes. The default is the dialect's time, or else 5 s.
    ///
    /// It counts from the head of the response. When it ends, the response is returned as the success that its status says, with
    /// a `tracing` event. With `Duration::ZERO` only the frames that arrive together with the head are read.
    ///
    /// The default covers the retransmissions of TCP that one lost segment needs, after 1 s and 2 s: an error envelope is short
    /// and follows its head at once.
    #[must_use]
    pub fn hold_timeout(self, timeout: Duration) -> Self {
        self.set(|settings| settings.hold_timeout = Some(timeout))
    }

    /// Returns a gRPC response as soon as its head is there, whatever its trailers will say. Only the status of a response that
    /// has nothing but a head is read then.
    ///
    /// gRFC A6 commits a call so. By default a response without a status in its head is held until its first data or its
    /// trailers, at most for the [hold timeout](Self::hold_timeout), since many servers send a head before they fail. Set this
    /// for calls that stream in both directions and wait for the head before they send.
    ///
    /// # Examples
    /// ```
    /// use redress_classify::{ClassifyLayer, dialects};
    ///
    /// let layer = ClassifyLayer::new(dialects::grpc()).commit_at_head();
    /// assert!(format!("{layer:?}").contains("commits_at_head: true"));
    /// ```
    #[must_use]
    pub fn commit_at_head(self) -> Self {
        self.set(|settings| settings.commits_at_head = true)
    }

    /// Tells the layer how long an attempt may take, so that a hold ends within that time. It does not end the attempt.
    ///
    /// A head that arrives later, such as one after a long upload, begins a hold of at most this length.
    #[must_use]
    pub fn attempt_timeout(self, timeout: Duration) -> Self {
        self.set(|settings| settings.attempt_timeout = Some(timeout))
    }

    /// Tells the layer how long a call may take, so that a hold ends before and the response is not lost. It does not end the
    /// call.
    ///
    /// The time counts from the call of this service, and a request's own [`Deadline`](crate::Deadline) replaces it. The hold
    /// ends earlier by a tenth of the time left, at most 50 ms.
    #[must_use]
    pub fn deadline(self, deadline: Duration) -> Self {
        self.set(|settings| settings.deadline = Some(deadline))
    }

    /// Sets the deadline if the layer has none or a later one: for a stack, whose deadline counts for all its layers.
    #[must_use]
    pub fn cap_deadline(self, longest: Duration) -> Self {
        self.set(|settings| settings.deadline = Some(settings.deadline.map_or(longest, |own| own.min(longest))))
    }

    /// Sets the clock. Tests use it; the default is the system's clock.
    ///
    /// # Examples
    /// ```
    /// use std::time::SystemTime;
    /// use redress_classify::{ClassifyLayer, Clock, dialects};
    ///
    /// # #[tokio::main(flavor = "current_thread", start_paused = true)]
    /// # async fn main() {
    /// let layer = ClassifyLayer::new(dialects::generic()).clock(Clock::anchored(SystemTime::UNIX_EPOCH));
    /// assert!(format!("{layer:?}").contains("Anchored"));
    /// # }
    /// ```
    #[must_use]
    pub fn clock(self, clock: Clock) -> Self {
        self.set(|settings| settings.clock = clock)
    }

    #[cfg(test)]
    pub(crate) fn settings(&self) -> &Settings {
        &self.settings
    }

    fn set(mut self, set: impl FnOnce(&mut Settings)) -> Self {
        set(Arc::make_mut(&mut self.settings));
        self
    }
}

impl<S> Layer<S> for ClassifyLayer {
    type Service = Classify<S>;

    fn layer(&self, inner: S) -> Classify<S> {
        Classify::new(inner, Arc::clone(&self.settings))
    }
}
