//! The number of times that a request was sent before.

use std::num::NonZeroU32;

use http::Request;

use crate::extension::extension;
use crate::send_state::SendState;

/// The number of times that this request was sent before: 1 on the second attempt of a call, 2 on the third.
///
/// Each request that Backoff sends again has one, whatever the cause: a retry, the resend after a refresh, or one in an
/// outage. It is in the extensions of the request, as a part of its [`SendState`], and read by
/// [`from_request`](Self::from_request). The first attempt has none, since an extension costs an allocation and most calls have
/// one attempt. A span layer below reads it for `http.request.resend_count` (OpenTelemetry semantic conventions, HTTP spans), a
/// proxy client for a header such as gRPC's `grpc-previous-rpc-attempts`.
///
/// It counts requests, whereas the number that [`Record`](crate::Record) and the hooks of Backoff call the attempt does not
/// count the resends after a refresh and in an outage. If a request already has a count, because a layer above Backoff sends
/// it again, Backoff counts on from there. Such a layer puts it into the extensions by itself.
///
/// # Examples
/// A layer below the stack tells first attempts and resends apart:
/// ```
/// use std::num::NonZeroU32;
///
/// use http::Request;
/// use redress_classify::ResendCount;
///
/// let first = Request::new(());
/// assert_eq!(ResendCount::from_request(&first), None);
/// let third = Request::builder().extension(ResendCount::new(NonZeroU32::new(2).expect("not zero"))).body(())?;
/// assert_eq!(ResendCount::from_request(&third).map(ResendCount::get), Some(2));
/// # Ok::<(), http::Error>(())
/// ```
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct ResendCount(NonZeroU32);

impl ResendCount {
    /// Creates the count of a request that was sent this many times before.
    #[must_use]
    pub const fn new(count: NonZeroU32) -> Self {
        Self(count)
    }

    /// Returns the count in the extensions of a request, or that of its [`SendState`] if it is greater; `None` on the first attempt.
    #[must_use]
    pub fn from_request<B>(request: &Request<B>) -> Option<Self> {
        extension(request.extensions()).copied().max(SendState::resend_count(request))
    }

    /// Returns the count as a number, which is at least 1.
    #[must_use]
    pub const fn get(self) -> u32 {
        self.0.get()
    }
}
