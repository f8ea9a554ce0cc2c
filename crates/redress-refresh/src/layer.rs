//! The layer: its credentials, its store and its services.

mod setters;

use std::sync::{Arc, Mutex, PoisonError};

use redress_store::{Entry, Store, StoreHandle};
use tower_layer::Layer;

use crate::credentials::Credentials;
use crate::handle::Handle;
use crate::origin::Origin;
use crate::service::Refresh;
use crate::settings::Settings;
use crate::shared::Shared;
use crate::shared_store::SharedStore;
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

    /// Shares the credentials with other processes, or other layers, through a store, under a key that names them.
    ///
    /// All layers with the same store and key have the same set: one of them refreshes, and the others adopt its result. An
    /// install and a clear apply to all. The key is a name such as `portal/user-7`. It must not be a token or contain one.
    ///
    /// A process that refreshes holds a lease, which lasts 5 s longer than the [flight timeout](Self::flight_timeout), less with a
    /// [grace](Self::refresh_grace), and at most 5 min. The others count it from its write, by the clock of the store at their first read and by their monotonic
    /// clocks from there, and never believe it for more than 5 min. Their wall clocks may differ by any amount.
    ///
    /// When the holder of a lease crashes, the next process waits for the end of the lease. It does not present a refresh token
    /// that may be spent, except within the [grace](Self::refresh_grace) of the issuer: the current set is used until it
    /// expires, and then a login follows.
    ///
    /// While the store is unavailable, credentials that [do not rotate](crate::Credentials::rotates) are refreshed for this
    /// process alone; others are used until they expire, and then requests fail. A call to the store ends within 5 s. A set that
    /// this process got before the store failed is offered again, after 250 ms at first and every 30 s at last, for an hour, and
    /// by the next flight after that.
    ///
    /// A store may lose its last writes, by a fail-over to a replica that lags. For 30 s after a refresh the process reads the
    /// record once a second, and writes it again if it is lost. A process that finds an older record than it has seen waits for
    /// a newer one from the others, for 5 s if it holds a newer set itself, else for a lease.
    ///
    /// The store belongs to the credentials, and so to every clone of the layer; the first store stays. [Static
    /// credentials](crate::Credentials::is_static) are not shared.
    ///
    /// # Examples
    /// ```
    /// use redress_refresh::{Credentials, Failure, MemoryStore, RefreshLayer, Store, TokenSet};
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
    pub fn store(mut self, store: impl Store, key: impl Into<String>) -> Self {
        let store = SharedStore::new(Entry::new(StoreHandle::new(store), &key.into()));
        match &self.credentials {
            Some(Attached { shared, .. }) => shared.attach_store(store),
            None => self.store = Some(Arc::new(Mutex::new(Some(store)))),
        }
        self
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
