//! The state of an upstream, as the layer that paces requests reports it to the layers above.

use http::{Extensions, Response};

use crate::extension::extension;

/// The state of an upstream at the end of an attempt: an extension of the response, or a part of the [`Error`](crate::Error).
///
/// Pace, which sees the attempts of all calls, reports it; Backoff decides by it whether a retry needs a token, and how many
/// tokens a success is worth. A response without it came from an upstream that answers as fast as it usually does, or from a
/// stack without a layer that knows.
///
/// # Examples
/// ```
/// use http::Response;
/// use redress_classify::{Error, TransportError, UpstreamHealth};
///
/// let mut response = Response::new(());
/// assert_eq!(UpstreamHealth::of_response(&response), None);
/// UpstreamHealth::Degraded.mark(response.extensions_mut());
/// assert_eq!(UpstreamHealth::of_response(&response), Some(UpstreamHealth::Degraded));
///
/// let error = Error::from_inner(TransportError::connect("refused").into());
/// assert_eq!(error.with_upstream_health(UpstreamHealth::Outage).upstream_health(), Some(UpstreamHealth::Outage));
/// ```
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum UpstreamHealth {
    /// It answers, but slower than usual, or it is recovering from an outage and may fail by its load.
    Degraded,
    /// It limits the rate of requests, and does not say when to come back: a 429 without a hint for at least 2 % of the last
    /// requests. A request that is sent again takes the place of another one.
    Throttled,
    /// It is in an outage. The layer holds all requests but single probes until one of them is answered, so a request that is
    /// sent again now waits there for its admission.
    Outage,
}

impl UpstreamHealth {
    /// Returns the health that a response is marked with; `None` for a healthy or an unknown upstream.
    #[must_use]
    pub fn of_response<B>(response: &Response<B>) -> Option<Self> {
        extension(response.extensions()).copied()
    }

    /// Marks a response, by its extensions, in place of an earlier mark.
    pub fn mark(self, extensions: &mut Extensions) {
        extensions.insert(self);
    }
}
