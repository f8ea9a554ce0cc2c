//! A set of credential headers with its refresh token and lifetime.

use std::error::Error as StdError;
use std::fmt;
use std::time::Duration;

use bytes::Bytes;
use http::header::AUTHORIZATION;
use http::{HeaderName, HeaderValue};
use secrecy::{ExposeSecret, SecretString};
use zeroize::Zeroizing;

use crate::expiry::MIN_LIFETIME;

/// Headers that frame or route a message, or say how its body is read (RFC 9110 sections 7, 8 and 10.1.1, RFC 9112
/// section 6, RFC 7838 section 5, RFC 7239), and the common ones that override its method, host or path. From a store or an
/// issuer, such a header could cut a body or change the request.
const FRAMING: [&str; 24] = [
    "alt-used",
    "connection",
    "content-encoding",
    "content-length",
    "content-location",
    "content-range",
    "content-type",
    "expect",
    "forwarded",
    "host",
    "http2-settings",
    "keep-alive",
    "max-forwards",
    "proxy-connection",
    "te",
    "trailer",
    "transfer-encoding",
    "upgrade",
    "x-forwarded-host",
    "x-http-method",
    "x-http-method-override",
    "x-method-override",
    "x-original-url",
    "x-rewrite-url",
];

/// The credentials of an issuer: headers that are sent together, and optionally a refresh token and a lifetime.
///
/// Header values are marked sensitive, so that `Debug` hides them and HTTP/2 does not index them. Their bytes are wiped when
/// the last clone is dropped.
///
/// # Examples
/// ```
/// use std::time::Duration;
/// use redress_refresh::TokenSet;
///
/// let grant = TokenSet::bearer("access")?
///     .header("x-api-key", "key")?
///     .refresh_token("refresh")
///     .expires_in(Duration::from_secs(3600));
/// assert!(!format!("{grant:?}").contains("access"));
/// assert!(TokenSet::bearer("access\n").is_err(), "never trimmed");
/// # Ok::<(), redress_refresh::InvalidHeader>(())
/// ```
#[derive(Clone, Default)]
pub struct TokenSet {
    headers: Vec<(HeaderName, HeaderValue)>,
    refresh_token: Option<SecretString>,
    expires_in: Option<Duration>,
}

/// A credential that cannot be sent as a header. It does not contain the credential.
///
/// # Examples
/// ```
/// use redress_refresh::TokenSet;
///
/// let error = TokenSet::bearer("two words").unwrap_err();
/// assert_eq!(error.to_string(), "no value for the header authorization: a token with a space");
/// ```
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct InvalidHeader {
    name: Option<HeaderName>,
    why: &'static str,
}

impl TokenSet {
    /// Makes a set without headers. A login that returns a set without headers has failed.
    ///
    /// # Examples
    /// ```
    /// use redress_refresh::TokenSet;
    ///
    /// let set = TokenSet::new().header("x-session", "s3cret")?.refresh_token("refresh");
    /// # assert!(!format!("{set:?}").contains("s3cret"));
    /// # Ok::<(), redress_refresh::InvalidHeader>(())
    /// ```
    #[must_use]
    pub fn new() -> Self {
        Self::default()
    }

    /// Makes a set of one header, `Authorization: Bearer <token>` (RFC 6750 section 2.1).
    ///
    /// # Errors
    /// Returns an error if the token is empty or has a byte that is not visible ASCII.
    ///
    /// # Examples
    /// ```
    /// use redress_refresh::TokenSet;
    ///
    /// assert!(TokenSet::bearer("eyJhbGciOiJub25lIn0.e30.").is_ok());
    /// assert!(TokenSet::bearer("").is_err());
    /// ```
    pub fn bearer(token: impl Into<SecretString>) -> Result<Self, InvalidHeader> {
        let token: SecretString = token.into();
        if token.expose_secret().contains([' ', '\t']) {
            return Err(InvalidHeader { name: Some(AUTHORIZATION), why: "a token with a space" });
        }
        let value = sensitive(&AUTHORIZATION, "Bearer ", &token)?;
        Ok(Self { headers: vec![(AUTHORIZATION, value)], ..Self::default() })
    }

    /// Adds a secret header, or replaces the one of the same name.
    ///
    /// # Errors
    /// Returns an error if
    ///
    /// - the name is illegal, or belongs to a header that frames or routes the message, such as `Host`, `Content-Length`,
    ///   `Transfer-Encoding` or `Connection`,
    /// - the value is empty, begins or ends with a space, or has a byte that is neither visible ASCII nor a space or tab.
    ///   Values are not trimmed, so that a line feed at the end of a key is noticed.
    ///
    /// # Examples
    /// ```
    /// use redress_refresh::TokenSet;
    ///
    /// let set = TokenSet::bearer("access")?.header("x-api-key", "key")?;
    /// let error = set.header("host", "other.example").unwrap_err();
    /// assert_eq!(error.name().map(|name| name.as_str()), Some("host"));
    /// # Ok::<(), redress_refresh::InvalidHeader>(())
    /// ```
    pub fn header<N>(mut self, name: N, value: impl Into<SecretString>) -> Result<Self, InvalidHeader>
    where
        N: TryInto<HeaderName>,
    {
        let Ok(name) = name.try_into() else { return Err(InvalidHeader { name: None, why: "an illegal name" }) };
        if framing(&name).is_some() {
            return Err(InvalidHeader { name: Some(name), why: "it frames or routes the message" });
        }
        let value = sensitive(&name, "", &value.into())?;
        self.headers.retain(|(other, _)| *other != name);
        self.headers.push((name, value));
        Ok(self)
    }

    /// Adds a header that belongs to the credentials and is not secret, such as the name of a tenant, or replaces the one of
    /// the same name. It is not masked where a server quotes it.
    ///
    /// A [store](crate::RefreshLayer::store) does not keep the difference: a header from a store is masked.
    ///
    /// # Errors
    /// As [`header`](Self::header).
    ///
    /// # Examples
    /// ```
    /// use redress_refresh::TokenSet;
    ///
    /// let set = TokenSet::bearer("access")?.public_header("x-tenant", "blue")?;
    /// # assert!(format!("{set:?}").contains("x-tenant"));
    /// # Ok::<(), redress_refresh::InvalidHeader>(())
    /// ```
    pub fn public_header<N>(self, name: N, value: &str) -> Result<Self, InvalidHeader>
    where
        N: TryInto<HeaderName>,
    {
        let mut grant = self.header(name, value)?;
        if let Some((_, value)) = grant.headers.last_mut() {
            value.set_sensitive(false);
        }
        Ok(grant)
    }

    /// Sets the refresh token. An empty text is not a token.
    ///
    /// After a refresh that returns a set without a refresh token, the previous one stays valid (RFC 6749 section 6).
    ///
    /// # Examples
    /// ```
    /// use redress_refresh::TokenSet;
    ///
    /// let set = TokenSet::bearer("access")?.refresh_token("s3cret");
    /// assert!(!format!("{set:?}").contains("s3cret"));
    /// # Ok::<(), redress_refresh::InvalidHeader>(())
    /// ```
    #[must_use]
    pub fn refresh_token(mut self, token: impl Into<SecretString>) -> Self {
        let token: SecretString = token.into();
        self.refresh_token = Some(token).filter(|token| !token.expose_secret().is_empty());
        self
    }

    /// Sets the lifetime, counted from when the call for the set began.
    ///
    /// The set is renewed in the background ahead of its end: by a tenth of the lifetime, at least 30 s and at most 5 min, but
    /// not more than a third of the lifetime. Without a lifetime it is used until it is rejected. A lifetime below 1 s counts
    /// as unknown, so that a mistake of the issuer, such as an `expires_in` of 0, does not cause a refresh for every call.
    ///
    /// # Examples
    /// ```
    /// use std::time::Duration;
    /// use redress_refresh::TokenSet;
    ///
    /// let set = TokenSet::bearer("access")?.expires_in(Duration::from_secs(3600));
    /// # assert!(format!("{set:?}").contains("3600"));
    /// # Ok::<(), redress_refresh::InvalidHeader>(())
    /// ```
    #[must_use]
    pub const fn expires_in(mut self, lifetime: Duration) -> Self {
        self.expires_in = Some(lifetime);
        self
    }

    pub(crate) fn is_empty(&self) -> bool {
        self.headers.is_empty()
    }

    /// Returns `true` if the headers are these, in any order.
    pub(crate) fn has_headers(&self, headers: &[(HeaderName, HeaderValue)]) -> bool {
        self.headers.len() == headers.len() && self.headers.iter().all(|header| headers.contains(header))
    }

    /// Returns the lifetime if it is known.
    pub(crate) fn lifetime(&self) -> Option<Duration> {
        self.expires_in.filter(|lifetime| *lifetime >= MIN_LIFETIME)
    }

    /// Makes a set of headers that were in one before.
    pub(crate) const fn from_parts(
        headers: Vec<(HeaderName, HeaderValue)>,
        refresh_token: Option<SecretString>,
        expires_in: Option<Duration>,
    ) -> Self {
        Self { headers, refresh_token, expires_in }
    }

    pub(crate) fn into_parts(self) -> (Vec<(HeaderName, HeaderValue)>, Option<SecretString>) {
        (self.headers, self.refresh_token)
    }

    pub(crate) fn take_refresh_token(&mut self) -> Option<SecretString> {
        self.refresh_token.take()
    }
}

impl fmt::Debug for TokenSet {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let names: Vec<_> = self.headers.iter().map(|(name, _)| name).collect();
        f.debug_struct("TokenSet")
            .field("headers", &names)
            .field("refresh_token", &self.refresh_token.as_ref().map(|_| "Redacted"))
            .field("expires_in", &self.expires_in)
            .finish()
    }
}

impl InvalidHeader {
    /// Returns the name of the header, unless the name is illegal.
    ///
    /// # Examples
    /// ```
    /// use redress_refresh::TokenSet;
    ///
    /// let error = TokenSet::new().header("x api key", "key").unwrap_err();
    /// assert!(error.name().is_none());
    /// ```
    #[must_use]
    pub const fn name(&self) -> Option<&HeaderName> {
        self.name.as_ref()
    }

    /// Returns the name of a header that is refused because it frames or routes the message.
    pub(crate) fn framing(&self) -> Option<&'static str> {
        self.name.as_ref().and_then(framing)
    }
}

impl fmt::Display for InvalidHeader {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match &self.name {
            Some(name) if self.framing().is_some() => {
                write!(f, "the header {name} frames or routes the message: it cannot carry a credential")
            }
            Some(name) => write!(f, "no value for the header {name}: {}", self.why),
            None => write!(f, "no credential header: {}", self.why),
        }
    }
}

impl StdError for InvalidHeader {}

/// Returns the name if the header frames or routes a message.
fn framing(name: &HeaderName) -> Option<&'static str> {
    FRAMING.into_iter().find(|framing| *framing == name.as_str())
}

/// Builds a value whose only copy is wiped when it is dropped: the buffer is allocated in its full size.
fn sensitive(name: &HeaderName, scheme: &str, secret: &SecretString) -> Result<HeaderValue, InvalidHeader> {
    let refuse = |why| InvalidHeader { name: Some(name.clone()), why };
    let secret = secret.expose_secret().as_bytes();
    if let Some(why) = fault(secret) {
        return Err(refuse(why));
    }
    let mut bytes = Zeroizing::new(Vec::with_capacity(scheme.len() + secret.len()));
    bytes.extend_from_slice(scheme.as_bytes());
    bytes.extend_from_slice(secret);
    let value = HeaderValue::from_maybe_shared(Bytes::from_owner(bytes));
    let mut value = value.map_err(|_| refuse("an illegal byte"))?;
    value.set_sensitive(true);
    Ok(value)
}

fn fault(secret: &[u8]) -> Option<&'static str> {
    let blank = |byte: Option<&u8>| byte.is_some_and(|byte| matches!(byte, b' ' | b'\t'));
    if secret.is_empty() {
        return Some("empty");
    }
    if blank(secret.first()) || blank(secret.last()) {
        return Some("a space at its beginning or end");
    }
    let legal = |byte: &u8| matches!(byte, b'\t' | b' '..=b'~');
    (!secret.iter().all(legal)).then_some("a byte that is not visible ASCII")
}

#[cfg(test)]
mod tests;
