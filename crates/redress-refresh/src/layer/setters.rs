//! The setters of the layer that concern requests and flights.

use std::time::Duration;

use http::uri::Authority;
use redress_classify::Clock;

use super::RefreshLayer;
use crate::origin::Origin;

impl RefreshLayer {
    /// Adds an origin to which the credentials are sent.
    ///
    /// # Examples
    /// ```
    /// use redress_refresh::{RefreshLayer, StaticHeaders};
    ///
    /// let keys = StaticHeaders::new().header("x-api-key", "key")?;
    /// let layer = RefreshLayer::new(keys, "https://api.example.com".parse()?)
    ///     .origin("https://uploads.example.com".parse()?);
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    #[must_use]
    pub fn origin(self, origin: Origin) -> Self {
        self.set(|settings| settings.origins.push(origin))
    }

    /// Adds an authority that the `Host` header of a request to a listed origin may name.
    ///
    /// Behind a shared front (a CDN, an ingress, a gateway) the `Host` header decides whose server receives the request. A
    /// request whose `Host` header names another authority than its URI is therefore sent without credentials, unless
    /// that authority is added here. It is for an origin with several names, such as a server that is addressed by its IP
    /// address. Hosts are compared as by [`Origin`]; without a port, it is the default port of the origin's scheme. A request
    /// that gets credentials beside such a header carries
    /// [`ForeignHost`](redress_classify::ForeignHost) in its extensions, which the adapters of `redress` look for.
    ///
    /// # Examples
    /// ```
    /// use redress_refresh::{RefreshLayer, StaticHeaders};
    ///
    /// let keys = StaticHeaders::new().header("x-api-key", "key")?;
    /// let layer = RefreshLayer::new(keys, "https://10.0.0.5".parse()?).allow_host("api.example.com".parse()?);
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    #[must_use]
    pub fn allow_host(self, host: Authority) -> Self {
        self.set(|settings| settings.hosts.push(host))
    }

    /// Leaves the resend to a Backoff layer above, which keeps a copy of the request anyway.
    ///
    /// After a refresh the rejected response is returned with [`Refreshed`](redress_classify::Refreshed) in its extensions,
    /// and the layer above decides whether the request is safe to send again. A request that carries `Refreshed` in its own
    /// extensions is such a resend and causes no further refresh. By default this layer keeps a copy and sends it again once,
    /// for one more allocation per request.
    ///
    /// # Examples
    /// ```
    /// use http::{Request, Response, StatusCode};
    /// use redress_classify::Refreshed;
    /// use redress_refresh::{Credentials, Failure, RefreshLayer, TokenSet};
    /// use tower::{Layer, ServiceExt, service_fn};
    ///
    /// struct Portal;
    ///
    /// impl Credentials for Portal {
    ///     async fn login(&self) -> Result<TokenSet, Failure> {
    ///         Ok(TokenSet::bearer(format!("token-{}", fastrand::u64(..)))?)
    ///     }
    /// }
    ///
    /// # #[tokio::main(flavor = "current_thread")]
    /// # async fn main() -> Result<(), Box<dyn std::error::Error>> {
    /// let layer = RefreshLayer::new(Portal, "https://api.example.com".parse()?).resend_above();
    /// let api = layer.layer(service_fn(|_: Request<()>| async {
    ///     let mut response = Response::new(());
    ///     *response.status_mut() = StatusCode::UNAUTHORIZED;
    ///     Ok::<_, std::io::Error>(response)
    /// }));
    /// let response = api.oneshot(Request::get("https://api.example.com/").body(())?).await?;
    /// assert!(response.extensions().get::<Refreshed>().is_some());
    /// # Ok(())
    /// # }
    /// ```
    #[must_use]
    pub fn resend_above(self) -> Self {
        self.set(|settings| settings.resend_above = true)
    }

    /// Sets the timeout of a flight: of a refresh, with the login that follows if its token is invalid.
    ///
    /// The default is 30 s: longer than a token endpoint with one retry takes, shorter than most callers wait. With a
    /// [store](Self::store) it is at most 4 min 55 s, and counts from the lease: the flight may wait before for that of another
    /// process, for the length of a lease.
    ///
    /// # Examples
    /// ```
    /// use redress_refresh::{RefreshLayer, StaticHeaders};
    ///
    /// let keys = StaticHeaders::new().header("x-api-key", "key")?;
    /// let layer = RefreshLayer::new(keys, "https://api.example.com".parse()?)
    ///     .flight_timeout(std::time::Duration::from_secs(10));
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    #[must_use]
    pub fn flight_timeout(self, timeout: Duration) -> Self {
        self.set(|settings| settings.flight_timeout = timeout)
    }

    /// Sets how long after its first use the issuer accepts a refresh token once more: the reuse interval or rotation overlap
    /// of its settings, such as 0 to 60 s at Okta.
    ///
    /// The default is zero, since the second use of a refresh token revokes the session at other issuers (RFC 9700 section
    /// 4.14.2). A refresh whose answer is lost is then not repeated: the current set is used until it expires, and a login
    /// follows.
    ///
    /// With a grace, a refresh whose answer is lost is sent once more with the same token, within three quarters of the grace since
    /// the token was presented first: the last quarter is for its way to the issuer. The first call is given up after half of the
    /// grace, and after half of the [flight timeout](Self::flight_timeout). So a grace of at least twice the timeout of a call
    /// to the issuer covers one lost answer. If the second answer is lost too, the flight fails, and the next one presents the
    /// token again as long as these three quarters last; a login follows after that. With a [store](Self::store), another
    /// process does the same, also after the lease of one that crashed. For that the lease lasts only half of the grace, if
    /// that is longer than the flight timeout: a grace of at least twice the flight timeout covers a crash, too.
    ///
    /// # Examples
    /// ```
    /// use std::time::Duration;
    /// use redress_refresh::{RefreshLayer, StaticHeaders};
    ///
    /// let keys = StaticHeaders::new().header("x-api-key", "key")?;
    /// let layer = RefreshLayer::new(keys, "https://api.example.com".parse()?)
    ///     .flight_timeout(Duration::from_secs(10))
    ///     .refresh_grace(Duration::from_secs(60));
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    #[must_use]
    pub fn refresh_grace(self, grace: Duration) -> Self {
        self.set(|settings| settings.refresh_grace = grace)
    }

    /// Sets how long a call that waits for credentials may take. There is no limit by default.
    ///
    /// A request's own [`Deadline`](redress_classify::Deadline), in its extensions, takes precedence. At the deadline, a call
    /// that has sent nothing fails with [`is_deadline`](redress_classify::Error::is_deadline), and a call that was rejected
    /// returns that response. The flight goes on for the others.
    ///
    /// It counts from the start of the call. If the credentials have no known lifetime, it counts from the rejection: a
    /// request with such credentials is sent without reading the clock.
    ///
    /// # Examples
    /// ```
    /// use http::Request;
    /// use redress_refresh::{Credentials, Failure, RefreshLayer, TokenSet};
    /// use tower::{Layer, ServiceExt, service_fn};
    ///
    /// struct Slow;
    ///
    /// impl Credentials for Slow {
    ///     async fn login(&self) -> Result<TokenSet, Failure> {
    ///         std::future::pending().await
    ///     }
    /// }
    ///
    /// # #[tokio::main(flavor = "current_thread", start_paused = true)]
    /// # async fn main() -> Result<(), Box<dyn std::error::Error>> {
    /// let layer = RefreshLayer::new(Slow, "https://api.example.com".parse()?).deadline(std::time::Duration::from_secs(2));
    /// let api = layer.layer(service_fn(|_: Request<()>| async { Ok::<_, std::io::Error>(http::Response::new(())) }));
    /// let error = api.oneshot(Request::get("https://api.example.com/").body(())?).await.unwrap_err();
    /// assert!(error.is_deadline());
    /// # Ok(())
    /// # }
    /// ```
    #[must_use]
    pub fn deadline(self, deadline: Duration) -> Self {
        self.set(|settings| settings.deadline = Some(deadline))
    }

    /// Caps the deadline: the earlier of this one and the one that is set counts. It is for stacks that wrap this layer.
    #[must_use]
    pub fn cap_deadline(self, longest: Duration) -> Self {
        self.set(|settings| settings.deadline = Some(settings.deadline.map_or(longest, |own| own.min(longest))))
    }

    /// Sets the clock for the dates of errors and the expiry of credentials, for tests. The default is the system's clock.
    ///
    /// Credentials with a known lifetime expire by this clock or by the monotonic one, whichever comes first: the monotonic
    /// clock may stand still while the machine sleeps. This one is read at most once a second. When it is set back, no set
    /// expires earlier.
    ///
    /// # Examples
    /// ```
    /// use std::time::SystemTime;
    /// use redress_classify::Clock;
    /// use redress_refresh::{RefreshLayer, StaticHeaders};
    ///
    /// let keys = StaticHeaders::new().header("x-api-key", "key")?;
    /// let layer = RefreshLayer::new(keys, "https://api.example.com".parse()?)
    ///     .clock(Clock::anchored(SystemTime::UNIX_EPOCH));
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    #[must_use]
    pub fn clock(self, clock: Clock) -> Self {
        self.set(|settings| settings.clock = Some(clock))
    }
}
