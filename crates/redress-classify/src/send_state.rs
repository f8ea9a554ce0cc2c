//! Whether a request that was handed down is still held on its way.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use http::Request;

/// Tells the layer that sends a request again whether a layer below it still holds the request back.
///
/// Backoff puts one into the extensions of each request that it sends again, and looks at it when the attempt ends or is
/// dropped: what nobody ever sent costs no budget. A layer that lets requests wait says so with [`mark_queued`](Self::mark_queued) and
/// [`mark_sent`](Self::mark_sent); for a request without one, such as each first attempt, they do nothing.
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
    /// Makes one for a request that nobody holds back.
    #[must_use]
    pub fn new() -> Self {
        Self::default()
    }

    /// Says that a request begins to wait; nothing of it has been sent.
    pub fn mark_queued<B>(request: &Request<B>) {
        Self::set(request, true);
    }

    /// Says that its wait is over, right before it is handed down.
    pub fn mark_sent<B>(request: &Request<B>) {
        Self::set(request, false);
    }

    /// Whether the request waits.
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
