//! The state of a resent request: queued in a layer, or sent.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use http::Request;

/// The state of a resent request, which a layer below may queue before it is sent.
///
/// Backoff puts one into the extensions of each request that it sends again, and reads it when the attempt ends or is
/// dropped: a retry that was never sent costs nothing of the retry budget. A layer that queues requests calls
/// [`mark_queued`](Self::mark_queued) and [`mark_sent`](Self::mark_sent); both do nothing for a request without a state,
/// such as a first attempt. Clones share the state.
///
/// # Examples
/// ```
/// use http::Request;
/// use redress_classify::SendState;
///
/// let state = SendState::new();
/// let request = Request::builder().extension(state.clone()).body(())?;
/// SendState::mark_queued(&request);
/// assert!(state.is_queued());
/// SendState::mark_sent(&request);
/// assert!(!state.is_queued());
/// # Ok::<(), http::Error>(())
/// ```
#[derive(Clone, Debug, Default)]
pub struct SendState(Arc<AtomicBool>);

impl SendState {
    /// Creates the state of a request that is not queued.
    #[must_use]
    pub fn new() -> Self {
        Self::default()
    }

    /// Marks a request as queued: no byte of it has been sent.
    pub fn mark_queued<B>(request: &Request<B>) {
        Self::set(request, true);
    }

    /// Marks a request as sent. Call it right before the inner service is called.
    pub fn mark_sent<B>(request: &Request<B>) {
        Self::set(request, false);
    }

    /// Returns `true` while the request is queued.
    #[must_use]
    pub fn is_queued(&self) -> bool {
        self.0.load(Ordering::Relaxed)
    }

    fn set<B>(request: &Request<B>, is_queued: bool) {
        if let Some(Self(flag)) = request.extensions().get() {
            flag.store(is_queued, Ordering::Relaxed);
        }
    }
}
