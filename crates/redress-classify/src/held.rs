//! Whether a request that was handed down is still held on its way.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use http::Request;

/// Tells the layer that sends a request again whether a layer below it still holds the request back.
///
/// Backoff puts one into the extensions of each request that it sends again, and looks at it when the attempt ends or is
/// dropped: what nobody ever sent costs no budget. A layer that lets requests wait says so with [`begin`](Self::begin) and
/// [`end`](Self::end); for a request without one, such as each first attempt, they do nothing.
///
/// # Examples
/// ```
/// use http::Request;
/// use redress_classify::Held;
///
/// let held = Held::new();
/// let request = Request::builder().extension(held.clone()).body(())?;
/// Held::begin(&request);
/// assert!(held.is_held());
/// Held::end(&request);
/// assert!(!held.is_held());
/// # Ok::<(), http::Error>(())
/// ```
#[derive(Clone, Debug, Default)]
pub struct Held(Arc<AtomicBool>);

impl Held {
    /// Makes one for a request that nobody holds back.
    #[must_use]
    pub fn new() -> Self {
        Self::default()
    }

    /// Says that a request begins to wait; nothing of it has been sent.
    pub fn begin<B>(request: &Request<B>) {
        Self::set(request, true);
    }

    /// Says that its wait is over, right before it is handed down.
    pub fn end<B>(request: &Request<B>) {
        Self::set(request, false);
    }

    /// Whether the request waits.
    #[must_use]
    pub fn is_held(&self) -> bool {
        self.0.load(Ordering::Relaxed)
    }

    fn set<B>(request: &Request<B>, is_held: bool) {
        if let Some(Self(flag)) = request.extensions().get() {
            flag.store(is_held, Ordering::Relaxed);
        }
    }
}
