//! The layer and its settings.

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
    store: Option<Arc<Mutex<Option<SharedStore>>>>,
}

/// Credentials, and the origin that they were given with.
#[derive(Clone, Debug)]
struct Attached {
    shared: Arc<Shared>,
    origin: Origin,
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
        Self { credentials: None, settings: Arc::default(), store: None }
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
                .for_each(|store| shared.attach_store(store));
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
        let store = SharedStore::new(Box::new(store), key.into());
        match &self.credentials {
            Some(Attached { shared, .. }) => shared.attach_store(store),
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
