//! The layer.

use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use http::uri::Authority;
use redress_classify::Clock;
use tower_layer::Layer;

use crate::credentials::Credentials;
use crate::handle::Handle;
use crate::origin::Origin;
use crate::service::Refresh;
use crate::settings::Settings;
use crate::shared::Shared;
use crate::shared_store::SharedStore;
use crate::store::TokenStore;
use crate::token_handle::TokenHandle;

/// Makes [`Refresh`] services that share one set of credentials.
///
/// The credentials belong to the layer: its services, their clones and the clones of the layer send the same set, and one
/// refresh serves them all.
///
/// It belongs right above Classify, whose verdicts it reads, and below the layer that retries, so that every attempt carries
/// the newest set. tower has no layer of this kind; tower-http's `SetRequestHeader` attaches a value that never changes.
///
/// # Examples
/// ```
/// use redress_refresh::{RefreshLayer, StaticHeaders};
///
/// let keys = StaticHeaders::new().header("x-api-key", "key")?;
/// let layer = RefreshLayer::new(keys, "https://api.example.com".parse()?)
///     .origin("https://eu.api.example.com".parse()?);
/// assert_eq!(layer.tokens().generation(), 1, "static keys are installed from the start");
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
#[derive(Clone, Debug)]
pub struct RefreshLayer {
    credentials: Option<Attached>,
    settings: Arc<Settings>,
    /// A store that was set before the credentials.
    store: Option<Arc<Mutex<Option<SharedStore>>>>,
}

/// Credentials and their origin.
#[derive(Clone, Debug)]
struct Attached {
    shared: Arc<Shared>,
    origin: Origin,
}

impl RefreshLayer {
    /// Attaches these credentials to the requests that go to this origin, and to no other.
    ///
    /// # Examples
    /// ```
    /// use redress_refresh::{RefreshLayer, StaticHeaders};
    ///
    /// let keys = StaticHeaders::new().header("x-api-key", "key")?;
    /// let layer = RefreshLayer::new(keys, "https://api.example.com".parse()?);
    /// assert_eq!(layer.tokens().logins(), 0, "static keys need no login");
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    #[must_use]
    pub fn new(credentials: impl Credentials, origin: Origin) -> Self {
        Self { credentials: Some(Attached { shared: Shared::new(credentials), origin }), ..Self::none() }
    }

    /// Makes a layer without credentials, which passes requests and responses. Its settings apply to credentials that are
    /// set later.
    ///
    /// # Examples
    /// ```
    /// use redress_refresh::{RefreshLayer, StaticHeaders};
    ///
    /// let keys = StaticHeaders::new().header("x-api-key", "key")?;
    /// let layer = RefreshLayer::none().flight_timeout(std::time::Duration::from_secs(10));
    /// assert_eq!(layer.tokens().generation(), 0);
    /// let layer = layer.credentials(keys, "https://api.example.com".parse()?);
    /// assert_eq!(layer.tokens().generation(), 1);
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    #[must_use]
    pub fn none() -> Self {
        Self { credentials: None, settings: Arc::default(), store: None }
    }

    /// Replaces the credentials and their origin; all other settings stay.
    ///
    /// The origins that were added by [`origin`](Self::origin) stay too.
    ///
    /// # Examples
    /// ```
    /// use redress_refresh::{RefreshLayer, StaticHeaders};
    ///
    /// let keys = StaticHeaders::new().header("x-api-key", "key")?;
    /// let layer = RefreshLayer::none().credentials(keys, "https://api.example.com".parse()?);
    /// assert_eq!(layer.tokens().generation(), 1);
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    #[must_use]
    pub fn credentials(self, credentials: impl Credentials, origin: Origin) -> Self {
        self.credentials_from(&Self::new(credentials, origin))
    }

    /// Replaces the credentials and their origin by those of another layer: both layers then share one set. All other
    /// settings stay.
    ///
    /// # Examples
    /// ```
    /// use redress_refresh::{RefreshLayer, StaticHeaders};
    ///
    /// let keys = StaticHeaders::new().header("x-api-key", "key")?;
    /// let first = RefreshLayer::new(keys, "https://api.example.com".parse()?);
    /// let second = RefreshLayer::none().credentials_from(&first);
    /// first.tokens().clear();
    /// second.tokens().install(redress_refresh::TokenSet::bearer("token")?);
    /// assert_eq!(first.tokens().generation(), 2, "it is the same set");
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    #[must_use]
    pub fn credentials_from(mut self, other: &Self) -> Self {
        self.credentials = other.credentials.clone();
        if let (Some(Attached { shared, .. }), Some(store)) = (&self.credentials, self.store.take()) {
            store
                .lock()
                .unwrap_or_else(PoisonError::into_inner)
                .take()
                .into_iter()
                .for_each(|store| shared.attach_store(store));
        }
        self
    }

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

    /// Shares the credentials with other processes, or other layers, through a store, under a key that names them.
    ///
    /// All layers with the same store and key have the same set: one of them refreshes, and the others adopt its result. An
    /// install and a clear apply to all. The key is a name such as `portal/user-7`. It must not be a token or contain one.
    ///
    /// A process that refreshes holds a lease, which lasts 5 s longer than the [flight timeout](Self::flight_timeout) and at
    /// most 5 min. The others measure it by their monotonic clocks from the first read, and never believe it for more than
    /// 5 min, because the clock of its writer may be wrong. The clocks of the processes must agree within seconds. If the
    /// issuer accepts a spent refresh token for a grace period, set the flight timeout below that period.
    ///
    /// When the holder of a lease crashes, the next process waits for the end of the lease, and then logs in instead of
    /// presenting a refresh token that may be spent. While the store is unavailable, credentials that
    /// [do not rotate](crate::Credentials::rotates) are refreshed for this process alone; others are used until they expire,
    /// and then requests fail.
    ///
    /// The store belongs to the credentials, and so to every clone of the layer; the first store stays. [Static
    /// credentials](crate::Credentials::is_static) are not shared.
    ///
    /// # Examples
    /// ```
    /// use redress_refresh::{Credentials, Failure, MemoryStore, RefreshLayer, TokenSet, TokenStore};
    ///
    /// struct Portal;
    ///
    /// impl Credentials for Portal {
    ///     async fn login(&self) -> Result<TokenSet, Failure> {
    ///         Ok(TokenSet::bearer("token")?)
    ///     }
    /// }
    ///
    /// # #[tokio::main(flavor = "current_thread")]
    /// # async fn main() -> Result<(), redress_classify::BoxError> {
    /// let store = MemoryStore::new();
    /// let layer = RefreshLayer::new(Portal, "https://api.example.com".parse()?).store(store.clone(), "portal/user-7");
    /// layer.tokens().install(TokenSet::bearer("from-a-browser")?);
    /// tokio::task::yield_now().await;
    /// assert!(store.load("portal/user-7").await?.is_some(), "the other processes see it too");
    /// # Ok(())
    /// # }
    /// ```
    #[must_use]
    pub fn store(mut self, store: impl TokenStore, key: impl Into<String>) -> Self {
        let store = SharedStore::new(Box::new(store), key.into());
        match &self.credentials {
            Some(Attached { shared, .. }) => shared.attach_store(store),
            None => self.store = Some(Arc::new(Mutex::new(Some(store)))),
        }
        self
    }

    /// Sets the timeout of a flight: of a refresh, with the login that follows if its token is invalid.
    ///
    /// The default is 30 s: longer than a token endpoint with one retry takes, shorter than most callers wait. With a
    /// [store](Self::store) it is at most 4 min 55 s.
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

    /// Sets the clock for the dates of errors and of a store's records, for tests. The default is the system's clock.
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

    /// Returns a handle that reads, replaces and clears the credentials. Without credentials it does nothing.
    ///
    /// # Examples
    /// ```
    /// use redress_refresh::{RefreshLayer, StaticHeaders};
    ///
    /// let keys = StaticHeaders::new().header("x-api-key", "key")?;
    /// let tokens = RefreshLayer::new(keys, "https://api.example.com".parse()?).tokens();
    /// assert_eq!((tokens.generation(), tokens.logins(), tokens.refreshes()), (1, 0, 0));
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    #[must_use]
    pub fn tokens(&self) -> TokenHandle {
        TokenHandle::new(self.handle())
    }

    fn set(mut self, set: impl FnOnce(&mut Settings)) -> Self {
        set(Arc::make_mut(&mut self.settings));
        self
    }

    fn handle(&self) -> Option<Handle> {
        let Attached { shared, origin } = self.credentials.clone()?;
        let mut settings = Arc::clone(&self.settings);
        Arc::make_mut(&mut settings).origins.insert(0, origin);
        Some(Handle { shared, settings })
    }
}

impl<S> Layer<S> for RefreshLayer {
    type Service = Refresh<S>;

    fn layer(&self, inner: S) -> Refresh<S> {
        Refresh::new(inner, self.handle().map(Arc::new))
    }
}
