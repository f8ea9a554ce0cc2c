//! The settings of a layer, and which requests may carry its credentials.

use std::sync::Arc;
use std::time::Duration;

use http::header::HOST;
use http::uri::Authority;
use http::{HeaderValue, Request, Uri};
use redress_classify::{Clock, ForeignHost};

use crate::origin::Origin;
use crate::withheld::{Reason, Withheld};

/// Longer than the timeout of a token endpoint and one retry take, shorter than most callers wait.
const FLIGHT_TIMEOUT: Duration = Duration::from_secs(30);

#[derive(Clone, Debug)]
pub(crate) struct Settings {
    pub(crate) origins: Vec<Origin>,
    /// Further authorities that a `Host` header may name.
    pub(crate) hosts: Vec<Authority>,
    pub(crate) resend_above: bool,
    pub(crate) flight_timeout: Duration,
    /// Zero if the issuer has none.
    pub(crate) refresh_grace: Duration,
    pub(crate) deadline: Option<Duration>,
    pub(crate) clock: Option<Clock>,
    withheld: Arc<Withheld>,
}

impl Settings {
    /// Returns `true` if the request may carry the credentials; otherwise reports why it may not.
    #[inline]
    pub(crate) fn admits<B>(&self, request: &mut Request<B>) -> bool {
        let origin = self.origins.iter().find(|origin| origin.serves(request.uri()));
        match origin {
            // Comparing the few names takes less time than hashing one.
            Some(_) if !request.headers().keys().any(|name| name == HOST) => true,
            Some(origin) => self.admits_host(origin, request),
            None => {
                self.withheld.report(request.uri(), self.reason(request.uri()));
                false
            }
        }
    }

    /// Returns the clock for dates: the one that was set, or the system's.
    pub(crate) fn clock(&self) -> Clock {
        self.clock.clone().unwrap_or_else(Clock::system)
    }

    /// Compares the `Host` headers of a request with the origin that its URI names.
    #[cold]
    fn admits_host<B>(&self, origin: &Origin, request: &mut Request<B>) -> bool {
        let is_foreign = |host: &&HeaderValue| !origin.is_named_by(host);
        let is_allowed = |host: &HeaderValue| self.hosts.iter().any(|allowed| origin.also_named_by(host, allowed));
        let hosts = request.headers().get_all(HOST);
        if let Some(host) = hosts.iter().filter(is_foreign).find(|host| !is_allowed(host)) {
            self.withheld.report(request.uri(), Reason::Host(host));
            return false;
        }
        if hosts.iter().any(|host| is_foreign(&host)) {
            request.extensions_mut().insert(ForeignHost);
        }
        true
    }

    fn reason(&self, uri: &Uri) -> Reason<'static> {
        if uri.scheme().is_none() || uri.authority().is_none() {
            Reason::Relative
        } else if self.origins.iter().any(|origin| origin.is_origin_of(uri)) {
            Reason::Path
        } else {
            Reason::Origin
        }
    }
}

impl Default for Settings {
    fn default() -> Self {
        Self {
            origins: Vec::new(),
            hosts: Vec::new(),
            resend_above: false,
            flight_timeout: FLIGHT_TIMEOUT,
            refresh_grace: Duration::ZERO,
            deadline: None,
            clock: None,
            withheld: Arc::default(),
        }
    }
}
