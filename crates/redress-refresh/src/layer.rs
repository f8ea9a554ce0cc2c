//! The layer and its settings.

use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use http::header::HOST;
use http::uri::Authority;
use http::{HeaderValue, Request, Uri};
use redress_classify::{Clock, ForeignHost};
use tower_layer::Layer;

use crate::credentials::Credentials;
use crate::fleet::Fleet;
use crate::flight::Terms;
use crate::origin::Origin;
use crate::service::Refresh;
use crate::shared::Shared;
use crate::store::TokenStore;
use crate::token_handle::TokenHandle;
use crate::withheld::{Reason, Withheld};

/// Longer than a token endpoint's own timeout and its small retry take, shorter than most callers wait.
const FLIGHT_TIMEOUT: Duration = Duration::from_secs(30);

/// Makes [`Refresh`] services that share one set of credentials.
///
/// The credentials live in the layer: every service that it makes, every clone of those and every clone of the layer
/// sends the same set, and one refresh serves them all.
///
/// It belongs right above Classify, whose verdicts it reads, and below whatever retries, so that every attempt carries
/// the newest set. tower has no layer of this kind; tower-http's `SetRequestHeader` attaches what never changes.
///
/// # Examples
/// ```
/// use redress_refresh::{RefreshLayer, StaticHeaders};
///
/// let keys = StaticHeaders::new().header("x-api-key", "key")?;
/// let layer = RefreshLayer::new(keys, "https://api.example.com".parse()?)
///     .origin("https://eu.api.example.com".parse()?);
/// assert_eq!(layer.tokens().generation(), 1, "static keys are held from the start");
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
#[derive(Clone, Debug)]
pub struct RefreshLayer {
    credentials: Option<Attached>,
    settings: Arc<Settings>,
    /// A store that was set before there were credentials.
    store: Option<Arc<Mutex<Option<Fleet>>>>,
    withheld: Arc<Withheld>,
}

/// Credentials, and the origin that they were given with.
#[derive(Clone, Debug)]
struct Attached {
    shared: Arc<Shared>,
    origin: Origin,
}

/// What a service needs of its layer.
#[derive(Clone, Debug)]
pub(crate) struct Link {
    pub(crate) shared: Arc<Shared>,
    settings: Arc<Settings>,
    withheld: Arc<Withheld>,
}

#[derive(Clone, Debug)]
struct Settings {
    origins: Vec<Origin>,
    /// Further authorities that a `Host` header may name.
    hosts: Vec<Authority>,
    resend_above: bool,
    flight_timeout: Duration,
    deadline: Option<Duration>,
    clock: Option<Clock>,
}

impl RefreshLayer {
    /// Attaches these credentials to the requests that go to this origin, and to no other.
    #[must_use]
    pub fn new(credentials: impl Credentials, origin: Origin) -> Self {
        Self { credentials: Some(Attached { shared: Shared::new(credentials), origin }), ..Self::none() }
    }

    /// Makes a layer without credentials: requests and responses pass. It keeps its settings for credentials that come later.
    #[must_use]
    pub fn none() -> Self {
        let settings = Settings {
            origins: Vec::new(),
            hosts: Vec::new(),
            resend_above: false,
            flight_timeout: FLIGHT_TIMEOUT,
            deadline: None,
            clock: None,
        };
        Self { credentials: None, settings: Arc::new(settings), store: None, withheld: Arc::default() }
    }

    /// Sets the credentials and the origin that they may go to, in place of those before; all other settings stay.
    ///
    /// The origin of the credentials before is forgotten with them; those of [`origin`](Self::origin) stay.
    #[must_use]
    pub fn credentials(self, credentials: impl Credentials, origin: Origin) -> Self {
        self.credentials_from(&Self::new(credentials, origin))
    }

    /// Takes the credentials of another layer, and the origin that they were given with, in place of its own: both layers
    /// then send the same set. All other settings stay.
    #[must_use]
    pub fn credentials_from(mut self, other: &Self) -> Self {
        self.credentials = other.credentials.clone();
        if let (Some(Attached { shared, .. }), Some(store)) = (&self.credentials, self.store.take()) {
            store
                .lock()
                .unwrap_or_else(PoisonError::into_inner)
                .take()
                .into_iter()
                .for_each(|store| shared.share(store));
        }
        self
    }

    /// Adds an origin that the credentials may go to.
    #[must_use]
    pub fn origin(self, origin: Origin) -> Self {
        self.set(|settings| settings.origins.push(origin))
    }

    /// Adds an authority that the `Host` header of a request to a listed origin may name.
    ///
    /// Behind a shared front (a CDN, an ingress, a gateway) the `Host` header decides whose server receives the request. A
    /// request whose `Host` header names another authority than its URI is therefore sent without credentials, unless
    /// that authority is added here. It is for an origin that answers to several names, such as a server that is
    /// addressed by its IP address. Hosts are compared as by [`Origin`]; without a port, the default port of the origin's
    /// scheme is meant. A request that gets credentials beside such a header carries
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

    /// Leaves the sending again to a Backoff layer above, which keeps a copy of the request anyway.
    ///
    /// After a refresh the rejected response is handed up with [`Refreshed`](redress_classify::Refreshed) in its
    /// extensions, and the layer above decides whether the request is safe to send again. The default is to keep a copy and to send it again from here, once; the copy lies in a box of its own,
    /// which is one more allocation. A request that itself carries `Refreshed` in its extensions is taken for such a second
    /// sending, and does not lead to another refresh.
    #[must_use]
    pub fn resend_above(self) -> Self {
        self.set(|settings| settings.resend_above = true)
    }

    /// Shares the credentials with other processes, or other layers, by a store, under a key that names them.
    ///
    /// All who use the same store and key hold the same set: one of them refreshes, the others adopt what it got; an
    /// install and a clear are for all. The key is a name such as `portal/user-7`, never a token nor anything made of one.
    ///
    /// Who refreshes holds a lease that lasts 5 s longer than the [flight timeout](Self::flight_timeout), and 5 min at most.
    /// The others believe it for as long as it says at first sight, by their monotonic clocks, and never for more than 5 min:
    /// the process that wrote it may have had a wrong clock. Set the flight timeout below the time for which the issuer takes
    /// a spent refresh token again, if it does. The clocks of the fleet must agree within seconds. When a holder goes away,
    /// the next one waits for the end of its lease, and then logs in rather than show a refresh token that may be spent.
    /// While the store is down, credentials that [do not rotate](crate::Credentials::rotates) are refreshed for this process
    /// alone; others are used to their end, and then requests fail.
    ///
    /// It belongs to the credentials, and so to every clone of the layer; the first store stays. [Static
    /// credentials](crate::Credentials::is_static) are not shared. Without a store nothing of this costs anything.
    #[must_use]
    pub fn store(mut self, store: impl TokenStore, key: impl Into<String>) -> Self {
        let store = Fleet::new(Box::new(store), key.into());
        match &self.credentials {
            Some(Attached { shared, .. }) => shared.share(store),
            None => self.store = Some(Arc::new(Mutex::new(Some(store)))),
        }
        self
    }

    /// Sets how long a refresh may take, the login that follows a dead grant included. The default is 30 s. With a
    /// [store](Self::store) a longer time than 4 min 55 s is shortened to that.
    #[must_use]
    pub fn flight_timeout(self, timeout: Duration) -> Self {
        self.set(|settings| settings.flight_timeout = timeout)
    }

    /// Sets how long a call may take that has to wait for credentials; there is no limit by default.
    ///
    /// A request's own [`Deadline`](redress_classify::Deadline), in its extensions, takes its place. A call that holds no
    /// response then fails with [`is_deadline`](redress_classify::Error::is_deadline), having sent nothing; one that was
    /// rejected returns that response. The refresh goes on for the others.
    ///
    /// It counts from the beginning of the call. Only if the credentials have no known lifetime does it count from the
    /// rejection: a request with such credentials goes down without a look at the clock.
    #[must_use]
    pub fn deadline(self, deadline: Duration) -> Self {
        self.set(|settings| settings.deadline = Some(deadline))
    }

    /// Caps the deadline: of this one and the one that is set the earlier counts.
    #[must_use]
    pub fn cap_deadline(self, longest: Duration) -> Self {
        self.set(|settings| settings.deadline = Some(settings.deadline.map_or(longest, |own| own.min(longest))))
    }

    /// Sets the clock that gives errors and a store's records their dates, for tests.
    ///
    /// It also ends credentials of a known lifetime: they expire when either clock says so, this one or the monotonic one,
    /// which may stand still while the machine sleeps. It is compared once a second at most. A step back ends nothing.
    #[must_use]
    pub fn clock(self, clock: Clock) -> Self {
        self.set(|settings| settings.clock = Some(clock))
    }

    /// Returns a handle that reads, replaces and clears the credentials. Of a layer without any it does nothing.
    #[must_use]
    pub fn tokens(&self) -> TokenHandle {
        TokenHandle::new(self.link())
    }

    fn set(mut self, set: impl FnOnce(&mut Settings)) -> Self {
        set(Arc::make_mut(&mut self.settings));
        self
    }

    fn link(&self) -> Option<Link> {
        let Attached { shared, origin } = self.credentials.clone()?;
        let mut settings = Arc::clone(&self.settings);
        Arc::make_mut(&mut settings).origins.insert(0, origin);
        Some(Link { shared, settings, withheld: Arc::clone(&self.withheld) })
    }
}

impl<S> Layer<S> for RefreshLayer {
    type Service = Refresh<S>;

    fn layer(&self, inner: S) -> Refresh<S> {
        Refresh::new(inner, self.link().map(Arc::new))
    }
}

impl Link {
    /// Returns `true` if the request may carry the credentials; otherwise reports why it may not.
    #[inline]
    pub(crate) fn admits<B>(&self, request: &mut Request<B>) -> bool {
        let origin = self.settings.origins.iter().find(|origin| origin.serves(request.uri()));
        match origin {
            // A look at each of a few names takes less than to hash one.
            Some(_) if !request.headers().keys().any(|name| name == HOST) => true,
            Some(origin) => self.admits_host(origin, request),
            None => {
                self.withheld.report(request.uri(), self.why_not(request.uri()));
                false
            }
        }
    }

    /// Holds the `Host` headers of a request against the origin that its URI names.
    #[cold]
    fn admits_host<B>(&self, origin: &Origin, request: &mut Request<B>) -> bool {
        let is_foreign = |host: &&HeaderValue| !origin.is_named_by(host);
        let is_allowed =
            |host: &HeaderValue| self.settings.hosts.iter().any(|allowed| origin.also_named_by(host, allowed));
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

    fn why_not(&self, uri: &Uri) -> Reason<'static> {
        if uri.scheme().is_none() || uri.authority().is_none() {
            Reason::Relative
        } else if self.settings.origins.iter().any(|origin| origin.is_origin_of(uri)) {
            Reason::Path
        } else {
            Reason::Origin
        }
    }

    pub(crate) fn resend_above(&self) -> bool {
        self.settings.resend_above
    }

    pub(crate) fn terms(&self) -> Terms {
        Terms { limit: self.settings.flight_timeout, clock: self.settings.clock.clone() }
    }

    pub(crate) fn deadline(&self) -> Option<Duration> {
        self.settings.deadline
    }

    pub(crate) fn clock(&self) -> Clock {
        self.settings.clock.clone().unwrap_or_else(Clock::system)
    }
}
