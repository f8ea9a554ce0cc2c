//! The user's handle to the credentials of a layer.

use std::sync::atomic::Ordering;

use redress_classify::Secrets;

use crate::handle::Handle;
use crate::token_set::TokenSet;

/// Reads, replaces and clears the credentials of a layer. It comes from
/// [`RefreshLayer::tokens`](crate::RefreshLayer::tokens); clones are cheap.
///
/// # Examples
/// ```
/// use redress_refresh::{RefreshLayer, StaticHeaders, TokenSet};
///
/// let layer = RefreshLayer::new(StaticHeaders::new(), "https://api.example.com".parse()?);
/// let tokens = layer.tokens();
/// tokens.install(TokenSet::bearer("from-the-command-line")?);
/// assert_eq!(tokens.generation(), 1);
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
#[derive(Clone, Debug)]
pub struct TokenHandle {
    handle: Option<Handle>,
}

impl TokenHandle {
    pub(crate) const fn new(handle: Option<Handle>) -> Self {
        Self { handle }
    }

    /// Returns how many sets of credentials have been installed; 0 before the first.
    ///
    /// # Examples
    /// ```
    /// use redress_refresh::{RefreshLayer, StaticHeaders};
    ///
    /// let keys = StaticHeaders::new().header("x-api-key", "key")?;
    /// let layer = RefreshLayer::new(keys, "https://api.example.com".parse()?);
    /// assert_eq!(layer.tokens().generation(), 1);
    /// assert_eq!(RefreshLayer::none().tokens().generation(), 0);
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    #[must_use]
    pub fn generation(&self) -> u64 {
        self.handle.as_ref().map_or(0, |handle| handle.shared.latest().generation())
    }

    /// Returns the secrets of the current credentials, to mask them in a text that a server wrote.
    ///
    /// # Examples
    /// ```
    /// use redress_refresh::{RefreshLayer, StaticHeaders};
    ///
    /// let keys = StaticHeaders::new().header("x-api-key", "s3cret-key")?;
    /// let layer = RefreshLayer::new(keys, "https://api.example.com".parse()?);
    /// assert_eq!(layer.tokens().secrets().mask("unknown key s3cret-key"), "unknown key ***");
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    #[must_use]
    pub fn secrets(&self) -> Secrets {
        Secrets::new(self.handle.as_ref().map_or_else(Vec::new, |handle| handle.shared.secrets()))
    }

    /// Returns how many refreshes have been started.
    #[must_use]
    pub fn refreshes(&self) -> u64 {
        self.handle.as_ref().map_or(0, |handle| handle.shared.refreshes.load(Ordering::Relaxed))
    }

    /// Returns how many logins have been started.
    #[must_use]
    pub fn logins(&self) -> u64 {
        self.handle.as_ref().map_or(0, |handle| handle.shared.logins.load(Ordering::Relaxed))
    }

    /// Installs credentials from another source, such as an authorization code flow, in place of all that is known: the
    /// refresh token and any failure too.
    ///
    /// The result of a flight in progress is dropped, and its waiters proceed with the new set. A set without headers
    /// clears. With a [store](crate::RefreshLayer::store) it reaches the other processes too.
    ///
    /// # Examples
    /// ```
    /// use redress_refresh::{RefreshLayer, StaticHeaders, TokenSet};
    ///
    /// let layer = RefreshLayer::new(StaticHeaders::new(), "https://api.example.com".parse()?);
    /// layer.tokens().install(TokenSet::bearer("first")?);
    /// layer.tokens().install(TokenSet::bearer("second")?);
    /// assert_eq!(layer.tokens().generation(), 2);
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    pub fn install(&self, tokens: TokenSet) {
        if let Some(handle) = &self.handle {
            handle.install(tokens);
        }
    }

    /// Forgets all credentials, as a logout does, and any failure.
    ///
    /// The result of a flight in progress is dropped, and its waiters fail. The next request logs in; with
    /// [static credentials](crate::Credentials::is_static) it fails until others are installed. A
    /// [store](crate::RefreshLayer::store) forgets them too: its record is not adopted again, even if the store is
    /// unavailable now.
    ///
    /// # Examples
    /// ```
    /// use http::Request;
    /// use redress_classify::Error;
    /// use redress_refresh::{RefreshLayer, StaticHeaders};
    /// use tower::{Layer, ServiceExt, service_fn};
    ///
    /// # #[tokio::main(flavor = "current_thread")]
    /// # async fn main() -> Result<(), Box<dyn std::error::Error>> {
    /// let keys = StaticHeaders::new().header("x-api-key", "key")?;
    /// let layer = RefreshLayer::new(keys, "https://api.example.com".parse()?);
    /// let api = layer.layer(service_fn(|_: Request<()>| async { Ok::<_, std::io::Error>(http::Response::new(())) }));
    /// layer.tokens().clear();
    ///
    /// let error: Error = api.oneshot(Request::get("https://api.example.com/").body(())?).await.unwrap_err();
    /// assert!(error.is_credentials());
    /// # Ok(())
    /// # }
    /// ```
    pub fn clear(&self) {
        if let Some(handle) = &self.handle {
            handle.clear();
        }
    }
}
