//! A set of credential headers, and how long it lasts.

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
/// section 6, RFC 7838 section 5, RFC 7239), and the common ones that replace its method, host or path. From a store or an
/// issuer, one of them would cut a body, or make another request of it.
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

/// Credentials as an issuer granted them: headers that are sent as a set, and perhaps a refresh token and a lifetime.
///
/// Header values are marked sensitive, so that `Debug` hides them and HTTP/2 does not index them, and their bytes are
/// wiped when the last clone is dropped.
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

/// A credential that cannot be sent as a header. It does not hold the credential.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct InvalidHeader {
    name: Option<HeaderName>,
    why: &'static str,
}

impl TokenSet {
    /// Makes a grant without headers; a flight that brings one without any has failed.
    #[must_use]
    pub fn new() -> Self {
        Self::default()
    }

    /// Makes a grant of one header, `Authorization: Bearer <token>` (RFC 6750 section 2.1).
    ///
    /// # Errors
    /// An empty token, or one with a byte that is not visible ASCII.
    pub fn bearer(token: impl Into<SecretString>) -> Result<Self, InvalidHeader> {
        let token: SecretString = token.into();
        if token.expose_secret().contains([' ', '\t']) {
            return Err(InvalidHeader { name: Some(AUTHORIZATION), why: "a token with a space" });
        }
        let value = sensitive(&AUTHORIZATION, "Bearer ", &token)?;
        Ok(Self { headers: vec![(AUTHORIZATION, value)], ..Self::default() })
    }

    /// Adds a header, or replaces the one of the same name.
    ///
    /// # Errors
    /// A name that is illegal, or of a header that frames or routes the message, such as `Host`, `Content-Length`,
    /// `Transfer-Encoding` or `Connection`; an empty value, one that begins or ends with a space, or one with a byte that is neither
    /// visible ASCII nor a space or tab. Nothing is trimmed: a line feed at the end of a key is a mistake to be seen.
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

    /// Adds a header that is sent with the credentials and is not secret itself, such as the name of a tenant, or replaces
    /// the one of the same name. `Debug` shows it, and it is not masked where a server quotes it.
    ///
    /// A [store](crate::RefreshLayer::store) does not keep the difference: a header that came from there is masked.
    ///
    /// # Errors
    /// As of [`header`](Self::header).
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

    /// Sets the refresh token. An empty one is none.
    ///
    /// An answer to a refresh that brings none keeps the old one (RFC 6749 section 6).
    #[must_use]
    pub fn refresh_token(mut self, token: impl Into<SecretString>) -> Self {
        let token: SecretString = token.into();
        self.refresh_token = Some(token).filter(|token| !token.expose_secret().is_empty());
        self
    }

    /// Sets the lifetime, counted from the instant at which the request for the grant began.
    ///
    /// Without one the grant is used until it is rejected. A lifetime below 1 s is taken for an unknown one, so that an
    /// issuer's mistake, such as an `expires_in` of 0, does not cause a refresh for every call.
    #[must_use]
    pub const fn expires_in(mut self, lifetime: Duration) -> Self {
        self.expires_in = Some(lifetime);
        self
    }

    pub(crate) fn is_empty(&self) -> bool {
        self.headers.is_empty()
    }

    /// Whether the headers are these, in any order.
    pub(crate) fn has_headers(&self, headers: &[(HeaderName, HeaderValue)]) -> bool {
        self.headers.len() == headers.len() && self.headers.iter().all(|header| headers.contains(header))
    }

    /// Returns the lifetime if it is known.
    pub(crate) fn lifetime(&self) -> Option<Duration> {
        self.expires_in.filter(|lifetime| *lifetime >= MIN_LIFETIME)
    }

    /// Makes a grant of headers that were one before.
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
    /// Returns the name of the header, unless it is the name that is illegal.
    #[must_use]
    pub const fn name(&self) -> Option<&HeaderName> {
        self.name.as_ref()
    }

    /// Returns the name if the header is refused because it frames or routes the message.
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

/// Returns the name of a header that frames or routes a message, else `None`.
fn framing(name: &HeaderName) -> Option<&'static str> {
    FRAMING.into_iter().find(|framing| *framing == name.as_str())
}

/// Builds a value whose only copy is wiped when it is dropped: the buffer has its full size from the start.
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
mod tests {
    use super::*;

    fn only_value(grant: TokenSet) -> Vec<u8> {
        grant.into_parts().0[0].1.as_bytes().to_vec()
    }

    #[test]
    fn a_value_is_sent_byte_for_byte_or_refused() {
        for character in (0..=255).map(char::from) {
            for (place, text) in [
                ("start", format!("{character}token")),
                ("middle", format!("to{character}ken")),
                ("end", format!("token{character}")),
                ("alone", character.to_string()),
            ] {
                let visible = character.is_ascii_graphic();
                let blank = matches!(character, ' ' | '\t');
                let bearer = TokenSet::bearer(text.as_str());
                assert_eq!(bearer.is_ok(), visible, "bearer {character:?} at {place}");
                if let Ok(bearer) = bearer {
                    assert_eq!(only_value(bearer), format!("Bearer {text}").into_bytes());
                }
                let header = TokenSet::new().header("x-api-key", text.as_str());
                assert_eq!(header.is_ok(), visible || blank && place == "middle", "{character:?} at {place}");
                if let Ok(header) = header {
                    assert_eq!(only_value(header), text.into_bytes());
                }
            }
        }
        assert!(TokenSet::bearer("").is_err() && TokenSet::new().header("x-api-key", "").is_err());
    }

    #[test]
    fn a_refusal_names_the_header_and_not_the_value() {
        let error = TokenSet::new().header("X-Api-Key", "s3cret\n").unwrap_err();
        assert_eq!(error.to_string(), "no value for the header x-api-key: a byte that is not visible ASCII");
        assert!(!format!("{error:?}").contains("s3cret"));
        let error = TokenSet::new().header("x api key", "s3cret").unwrap_err();
        assert_eq!((error.name(), error.to_string().as_str()), (None, "no credential header: an illegal name"));
    }

    #[test]
    fn what_frames_or_routes_a_message_is_refused_whatever_its_case() {
        let refused = [
            "host",
            "Content-Length",
            "TRANSFER-ENCODING",
            "connection",
            "te",
            "Trailer",
            "upgrade",
            "keep-alive",
            "proxy-connection",
            "expect",
            "http2-settings",
            "max-forwards",
            "content-encoding",
            "content-range",
            "Content-Type",
            "content-location",
            "alt-used",
            "forwarded",
            "x-forwarded-host",
            "x-http-method",
            "X-HTTP-Method-Override",
            "x-method-override",
            "x-original-url",
            "x-rewrite-url",
        ];
        assert_eq!(refused.len(), FRAMING.len());
        for name in refused {
            for result in [
                TokenSet::new().header(name, "s3cret"),
                TokenSet::new().public_header(name, "s3cret"),
                TokenSet::bearer("t").and_then(|grant| grant.header(name.to_uppercase(), "s3cret")),
            ] {
                let error = result.expect_err(name);
                let lower = name.to_ascii_lowercase();
                assert_eq!(error.name().map(HeaderName::as_str), Some(lower.as_str()));
                let expected = format!("the header {lower} frames or routes the message: it cannot carry a credential");
                assert_eq!(error.to_string(), expected);
                assert!(!format!("{error:?}").contains("s3cret"));
            }
        }
        for name in ["authorization", "proxy-authorization", "cookie", "x-api-key", "x-host", "x-amz-date", "accept"] {
            assert!(TokenSet::new().header(name, "value").is_ok(), "{name}");
        }
    }

    #[test]
    fn the_same_name_again_replaces() {
        let grant = TokenSet::bearer("a").and_then(|grant| grant.header("AUTHORIZATION", "b")).unwrap();
        assert_eq!(only_value(grant), b"b");
    }

    #[test]
    fn values_are_sensitive() {
        let (headers, _) =
            TokenSet::bearer("s3cret").and_then(|grant| grant.header("k", "s3cret")).unwrap().into_parts();
        assert!(headers.iter().all(|(_, value)| value.is_sensitive()));
        assert!(!format!("{headers:?}").contains("s3cret"));
    }

    #[test]
    fn a_clone_is_no_second_copy_of_the_bytes() {
        let (headers, _) = TokenSet::bearer("s3cret").unwrap().into_parts();
        let value = &headers[0].1;
        assert_eq!(value.as_bytes().as_ptr(), value.clone().as_bytes().as_ptr());
    }

    #[test]
    fn secrets_are_of_types_that_wipe_them() {
        fn wipes<T: zeroize::ZeroizeOnDrop>(_: &T) {}
        let mut grant = TokenSet::bearer("s3cret").unwrap().refresh_token("r3fresh");
        wipes(&grant.take_refresh_token().unwrap());
        wipes(&Zeroizing::new(Vec::<u8>::new()));
        // The value owns the wiping buffer itself: what it holds is no copy, and a clone shares it.
        let bytes = Zeroizing::new(b"Bearer s3cret".to_vec());
        let place = bytes.as_ptr();
        let value = HeaderValue::from_maybe_shared(Bytes::from_owner(bytes)).unwrap();
        assert_eq!(value.as_bytes().as_ptr(), place);
    }

    #[test]
    fn sets_are_compared_whatever_their_order() {
        let set = |pairs: &[(&'static str, &'static str)]| {
            pairs.iter().fold(TokenSet::new(), |grant, (name, value)| grant.header(*name, *value).unwrap())
        };
        let ab = set(&[("a", "1"), ("b", "2")]);
        for (pairs, same) in [
            (&[("b", "2"), ("a", "1")][..], true),
            (&[("a", "1")], false),
            (&[("a", "1"), ("b", "3")], false),
            (&[("a", "1"), ("c", "2")], false),
        ] {
            assert_eq!(ab.has_headers(&set(pairs).into_parts().0), same, "{pairs:?}");
        }
    }
}
