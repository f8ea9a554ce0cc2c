//! The state of a resent request: queued in a layer, or sent, and what the layers below may know of its call.

use std::fmt;
use std::sync::Arc;
use std::sync::atomic::{AtomicU8, Ordering};

use http::Request;

use crate::deadline::Deadline;
use crate::extension::extension;
use crate::resend_count::ResendCount;

/// The state of a resent request, which a layer below may queue before it is sent.
///
/// Backoff puts one into the extensions of each request that it sends again, and reads it when the attempt ends or is
/// dropped: a retry that was never sent costs nothing of the retry budget. A layer that queues requests calls
/// [`mark_queued`](Self::mark_queued) and [`mark_sent`](Self::mark_sent); both do nothing for a request without a state,
/// such as a first attempt. Clones share the state.
///
/// # Payment at the send
/// A request that waits for the end of an outage pays when it is sent, not when it is queued: by then the budget may have
/// tokens again. A layer that queues requests calls [`pay`](Self::pay) right before it admits one, and rejects it if that
/// fails; or [`mark_probe`](Self::mark_probe) if it is the one probe of an outage, which is free.
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
pub struct SendState(Arc<Inner>);

#[derive(Default)]
struct Inner {
    /// The bits below.
    bits: AtomicU8,
    /// The bytes that the call holds beside the request.
    held: u64,
    /// Pays for the request, if it is not paid for yet.
    pay: Option<Box<dyn Fn() -> bool + Send + Sync>>,
    /// The number of times that the request was sent before.
    resend_count: Option<ResendCount>,
    /// The deadline of the call.
    deadline: Option<Deadline>,
}

/// A layer queues the request.
const QUEUED: u8 = 1;
/// The request is the probe of an outage.
const PROBE: u8 = 2;
/// The request is a hedge.
const HEDGE: u8 = 4;
/// A layer may send a hedge of the request.
const MAY_BE_HEDGED: u8 = 8;

impl SendState {
    /// Creates the state of a request that is not queued.
    #[must_use]
    pub fn new() -> Self {
        Self::default()
    }

    /// Creates the state of a request that is paid for when it is sent: `pay` is called once, and returns `false` if the request
    /// must not be sent.
    ///
    /// # Examples
    /// ```
    /// use http::Request;
    /// use redress_classify::SendState;
    ///
    /// let request = Request::builder().extension(SendState::paid_at_send(|| false)).body(())?;
    /// assert!(!SendState::pay(&request), "the budget is used up");
    /// # Ok::<(), http::Error>(())
    /// ```
    #[must_use]
    pub fn paid_at_send(pay: impl Fn() -> bool + Send + Sync + 'static) -> Self {
        Self::paid_at_send_holding(0, pay)
    }

    /// Creates the state of a request that is [paid for when it is sent](Self::paid_at_send), and whose call holds this number of bytes
    /// meanwhile, such as those of its last response.
    ///
    /// # Examples
    /// ```
    /// use http::Request;
    /// use redress_classify::SendState;
    ///
    /// let request = Request::builder().extension(SendState::paid_at_send_holding(900, || true)).body(())?;
    /// assert_eq!(SendState::held_bytes(&request), 900);
    /// # Ok::<(), http::Error>(())
    /// ```
    #[must_use]
    pub fn paid_at_send_holding(held: u64, pay: impl Fn() -> bool + Send + Sync + 'static) -> Self {
        Self(Arc::new(Inner { held, pay: Some(Box::new(pay)), ..Inner::default() }))
    }

    /// Returns the number of bytes that the call of a request holds beside it; 0 without a state.
    #[must_use]
    pub fn held_bytes<B>(request: &Request<B>) -> u64 {
        extension(request.extensions()).map_or(0, |Self(inner)| inner.held)
    }

    /// Creates the state of a hedge: a second attempt that is sent while the first goes on. It is of use at once or not at all, so
    /// a layer that would queue it for a cool-down, an outage or a limit rejects it instead, with
    /// [`is_paced`](crate::Error::is_paced).
    ///
    /// # Examples
    /// ```
    /// use http::Request;
    /// use redress_classify::SendState;
    ///
    /// let request = Request::builder().extension(SendState::hedge()).body(())?;
    /// assert!(SendState::is_hedge(&request));
    /// # Ok::<(), http::Error>(())
    /// ```
    #[must_use]
    pub fn hedge() -> Self {
        Self(Arc::new(Inner { bits: AtomicU8::new(HEDGE), ..Inner::default() }))
    }

    /// Claims a request for the hedges of one layer; returns `false` if a layer above has claimed it, or has sent it as a hedge.
    /// So layers above each other do not multiply their hedges.
    ///
    /// # Examples
    /// ```
    /// use redress_classify::SendState;
    ///
    /// let state = SendState::new();
    /// assert!(state.claim_hedge() && !state.claim_hedge());
    /// assert!(!SendState::hedge().claim_hedge());
    /// ```
    #[must_use]
    pub fn claim_hedge(&self) -> bool {
        let before = self.0.bits.fetch_or(MAY_BE_HEDGED, Ordering::Relaxed);
        before & (HEDGE | MAY_BE_HEDGED) == 0
    }

    /// Returns `true` if a request is a [hedge](Self::hedge), which must not be queued.
    #[must_use]
    pub fn is_hedge<B>(request: &Request<B>) -> bool {
        extension(request.extensions()).is_some_and(|state: &Self| state.has(HEDGE))
    }

    /// Marks a request as queued: no byte of it has been sent.
    pub fn mark_queued<B>(request: &Request<B>) {
        Self::set(request, |bits| bits | QUEUED);
    }

    /// Marks a request as sent. Call it right before the inner service is called.
    pub fn mark_sent<B>(request: &Request<B>) {
        Self::set(request, |bits| bits & !QUEUED);
    }

    /// Marks a request as the probe of an outage, which needs no payment.
    ///
    /// # Examples
    /// ```
    /// use http::Request;
    /// use redress_classify::SendState;
    ///
    /// let state = SendState::paid_at_send(|| false);
    /// SendState::mark_probe(&Request::builder().extension(state.clone()).body(())?);
    /// assert!(state.is_probe());
    /// # Ok::<(), http::Error>(())
    /// ```
    pub fn mark_probe<B>(request: &Request<B>) {
        Self::set(request, |bits| bits | PROBE);
    }

    /// Pays for a request that is about to be sent, and returns `false` if it must not be sent. A request that was paid for
    /// before, such as a first attempt, may always be sent.
    #[must_use]
    pub fn pay<B>(request: &Request<B>) -> bool {
        extension(request.extensions()).and_then(|Self(inner)| inner.pay.as_ref()).is_none_or(|pay| pay())
    }

    /// Returns `true` while the request is queued.
    #[must_use]
    pub fn is_queued(&self) -> bool {
        self.has(QUEUED)
    }

    /// Returns `true` if the request was sent as the probe of an outage.
    #[must_use]
    pub fn is_probe(&self) -> bool {
        self.has(PROBE)
    }

    /// Adds what the layers below may know of the call. They read it by [`ResendCount::from_request`] and
    /// [`Deadline::from_request`]: it is here since each extension of a request takes an allocation.
    ///
    /// A state that was cloned is left as it is.
    #[doc(hidden)]
    #[must_use]
    pub fn of_call(mut self, resend_count: Option<ResendCount>, deadline: Option<Deadline>) -> Self {
        if let Some(inner) = Arc::get_mut(&mut self.0) {
            (inner.resend_count, inner.deadline) = (resend_count, deadline);
        }
        self
    }

    /// Returns the number of times that a request was sent before, as its state knows it.
    pub(crate) fn resend_count<B>(request: &Request<B>) -> Option<ResendCount> {
        extension(request.extensions()).and_then(|Self(inner)| inner.resend_count)
    }

    /// Returns the deadline of the call that sends a request again.
    pub(crate) fn deadline<B>(request: &Request<B>) -> Option<Deadline> {
        extension(request.extensions()).and_then(|Self(inner)| inner.deadline)
    }

    fn has(&self, bit: u8) -> bool {
        self.0.bits.load(Ordering::Relaxed) & bit != 0
    }

    fn set<B>(request: &Request<B>, change: impl Fn(u8) -> u8) {
        if let Some(Self(inner)) = extension(request.extensions()) {
            inner.bits.store(change(inner.bits.load(Ordering::Relaxed)), Ordering::Relaxed);
        }
    }
}

impl fmt::Debug for Inner {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let bits = self.bits.load(Ordering::Relaxed);
        f.debug_struct("Inner")
            .field("is_queued", &(bits & QUEUED != 0))
            .field("is_probe", &(bits & PROBE != 0))
            .field("is_hedge", &(bits & HEDGE != 0))
            .field("is_paid_at_send", &self.pay.is_some())
            .field("resend_count", &self.resend_count)
            .field("deadline", &self.deadline)
            .finish()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn request(state: &SendState) -> Request<()> {
        Request::builder().extension(state.clone()).body(()).unwrap()
    }

    #[test]
    fn a_request_is_queued_until_it_is_sent() {
        let (state, plain) = (SendState::new(), Request::new(()));
        assert!(!state.is_queued());
        SendState::mark_queued(&request(&state));
        assert!(state.is_queued() && !state.is_probe() && !SendState::is_hedge(&request(&state)));
        SendState::mark_probe(&request(&state));
        assert!(state.is_queued() && state.is_probe());
        SendState::mark_sent(&request(&state));
        assert!(!state.is_queued() && state.is_probe(), "it stays the probe");
        SendState::mark_queued(&plain);
        assert!(!SendState::is_hedge(&plain) && SendState::pay(&plain) && SendState::held_bytes(&plain) == 0);
    }

    #[test]
    fn a_request_is_paid_for_by_its_state() {
        for paid in [true, false] {
            let state = SendState::paid_at_send_holding(900, move || paid);
            assert_eq!((SendState::pay(&request(&state)), SendState::held_bytes(&request(&state))), (paid, 900));
            assert_eq!(SendState::pay(&request(&SendState::paid_at_send(move || paid))), paid);
        }
        assert!(SendState::pay(&request(&SendState::new())), "it was paid for before");
    }

    #[test]
    fn a_request_that_is_sent_again_has_the_count_and_the_deadline_of_its_state() {
        let count = |count| std::num::NonZeroU32::new(count).map(ResendCount::new);
        let deadline = |seconds| Deadline::from_now(std::time::Duration::from_secs(seconds));
        let (near, far) = (deadline(3), deadline(7));
        let state = SendState::new().of_call(count(2), Some(near));
        assert_eq!(Deadline::from_request(&request(&state)), Some(near));
        for (own, expected) in [(1, 2), (5, 5)] {
            let mut request = request(&state);
            request.extensions_mut().insert(count(own).unwrap());
            request.extensions_mut().insert(far);
            assert_eq!(ResendCount::from_request(&request), count(expected), "the greater count");
            assert_eq!(Deadline::from_request(&request), Some(far), "its own deadline");
        }
        assert_eq!(ResendCount::from_request(&request(&state)), count(2));
        let bare = request(&SendState::new());
        assert_eq!((ResendCount::from_request(&bare), Deadline::from_request(&bare)), (None, None));
        for shared in [state.clone().of_call(count(9), None), state] {
            assert_eq!(ResendCount::from_request(&request(&shared)), count(2), "what is shared is left as it is");
        }
    }

    #[test]
    fn one_layer_claims_a_request_for_its_hedges() {
        let state = SendState::new();
        SendState::mark_queued(&request(&state));
        assert!(state.claim_hedge() && !state.claim_hedge());
        assert!(state.is_queued() && !SendState::is_hedge(&request(&state)), "a claim does not make it a hedge");
        let hedge = SendState::hedge();
        assert!(SendState::is_hedge(&request(&hedge)) && !hedge.claim_hedge());
    }
}
