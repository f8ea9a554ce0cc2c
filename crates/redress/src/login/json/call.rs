//! The requests of a JSON login.

use std::fmt;

use http::header::{ACCEPT, AUTHORIZATION, CONTENT_TYPE};
use http::{HeaderMap, HeaderName, HeaderValue, Method, Request, Uri};
use redress_refresh::TokenSet;
use secrecy::{ExposeSecret, SecretString};
use serde_json::{Map, Value};

use super::pointer::Pointer;
use crate::login::error::InvalidLogin;
use crate::login::exchange::endpoint;

/// A request of a [`JsonLogin`](super::JsonLogin): a URL, headers, and a JSON object as its body.
///
/// `Debug` shows neither secrets nor members.
///
/// # Examples
/// ```
/// use redress::login::JsonCall;
///
/// let call = JsonCall::post("https://api.example/session")?
///     .member("/auth/user", "alice")?
///     .secret("/auth/password", "s3cret")?
///     .member("/remember", true)?
///     .header("x-tenant", "blue")?;
/// assert!(!format!("{call:?}").contains("s3cret"));
/// # Ok::<(), redress::login::InvalidLogin>(())
/// ```
#[derive(Clone)]
pub struct JsonCall {
    method: Method,
    uri: Uri,
    headers: Vec<(HeaderName, SecretString)>,
    members: Vec<(Pointer, Member)>,
}

#[derive(Clone)]
enum Member {
    Plain(Value),
    Secret(SecretString),
}

/// Where a call carries the token that it presents.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum TokenPlace {
    /// In the header `Authorization`, as a bearer token (RFC 6750 section 2.1).
    Bearer,
    /// In the body, at this JSON pointer, such as `/refresh_token`.
    Member(String),
}

impl JsonCall {
    /// Makes a POST request without a body to this URL.
    ///
    /// # Errors
    /// Returns an error if `url` is not a URL, or not an https one; http is for loopback addresses.
    ///
    /// # Examples
    /// ```
    /// use redress::login::JsonCall;
    ///
    /// assert!(JsonCall::post("https://api.example/session").is_ok());
    /// assert!(JsonCall::post("http://localhost:8080/session").is_ok(), "it does not leave this machine");
    /// assert!(JsonCall::post("http://api.example/session").is_err());
    /// ```
    pub fn post(url: &str) -> Result<Self, InvalidLogin> {
        Self::new(Method::POST, url)
    }

    /// Makes a request without a body. It is sent again after a failure if its method is idempotent, or if it was certainly
    /// not processed.
    ///
    /// # Errors
    /// Returns an error if `url` is not a URL, or not an https one; http is for loopback addresses.
    ///
    /// # Examples
    /// ```
    /// use http::Method;
    /// use redress::login::JsonCall;
    ///
    /// assert!(JsonCall::new(Method::PUT, "https://api.example/session").is_ok());
    /// assert!(JsonCall::new(Method::PUT, "http://api.example/session").is_err());
    /// ```
    pub fn new(method: Method, url: &str) -> Result<Self, InvalidLogin> {
        Ok(Self { method, uri: endpoint(url)?, headers: Vec::new(), members: Vec::new() })
    }

    /// Adds a member to the body, at a JSON pointer; the objects around it are created.
    ///
    /// # Errors
    /// Returns an error if `pointer` is not a JSON pointer to a member, or if the body has a value at, around or inside it.
    ///
    /// # Examples
    /// ```
    /// use redress::login::JsonCall;
    ///
    /// let call = JsonCall::post("https://api.example/session")?.member("/auth/kind", 2)?;
    /// let error = call.member("/auth", "none").unwrap_err();
    /// assert_eq!(error.to_string(), "the body has two values at /auth");
    /// # Ok::<(), redress::login::InvalidLogin>(())
    /// ```
    pub fn member(self, pointer: &str, value: impl Into<Value>) -> Result<Self, InvalidLogin> {
        self.with(pointer, Member::Plain(value.into()))
    }

    /// Adds a member whose text is masked wherever the server quotes it: a password, or a name that logs should not show.
    ///
    /// # Errors
    /// As [`member`](Self::member).
    ///
    /// # Examples
    /// ```
    /// use redress::login::JsonCall;
    ///
    /// let call = JsonCall::post("https://api.example/session")?.secret("/password", "s3cret")?;
    /// assert!(call.secret("password", "s3cret").is_err(), "a pointer begins with a slash");
    /// # Ok::<(), redress::login::InvalidLogin>(())
    /// ```
    pub fn secret(self, pointer: &str, value: impl Into<SecretString>) -> Result<Self, InvalidLogin> {
        self.with(pointer, Member::Secret(value.into()))
    }

    /// Adds a header to this call alone.
    ///
    /// # Errors
    /// Returns an error if the value cannot be sent in the header, or if the header is set already.
    ///
    /// # Examples
    /// ```
    /// use redress::login::JsonCall;
    ///
    /// let call = JsonCall::post("https://api.example/session")?.header("authorization", "Basic YTpi")?;
    /// assert!(call.header("authorization", "Basic YTpi").is_err(), "it is set already");
    /// # Ok::<(), redress::login::InvalidLogin>(())
    /// ```
    pub fn header<N>(mut self, name: N, value: impl Into<SecretString>) -> Result<Self, InvalidLogin>
    where
        N: TryInto<HeaderName>,
    {
        let value = value.into();
        let name = header_name(name, value.expose_secret())?;
        if self.headers.iter().any(|(other, _)| *other == name) {
            return Err(InvalidLogin::new(format!("the header {name} is set twice")));
        }
        self.headers.push((name, value));
        Ok(self)
    }

    pub(super) const fn uri(&self) -> &Uri {
        &self.uri
    }

    /// Returns the secret members. Secret headers are marked as such in the request.
    pub(super) fn secrets(&self) -> impl Iterator<Item = &SecretString> {
        self.members.iter().filter_map(|(_, member)| match member {
            Member::Secret(secret) => Some(secret),
            Member::Plain(_) => None,
        })
    }

    /// Checks that the call has no other value in the place of a token.
    pub(super) fn check_place(&self, place: &TokenPlace) -> Result<(), InvalidLogin> {
        match place {
            TokenPlace::Bearer if self.headers.iter().any(|(name, _)| *name == AUTHORIZATION) => {
                Err(InvalidLogin::new("the header authorization is set twice"))
            }
            TokenPlace::Bearer => Ok(()),
            TokenPlace::Member(pointer) => self.check_free(&Pointer::new(pointer)?, pointer),
        }
    }

    /// Makes the request, with further headers, and with the token that it presents.
    pub(super) fn request(
        &self,
        headers: &[(HeaderName, SecretString)],
        token: Option<(&TokenPlace, &SecretString)>,
    ) -> Request<String> {
        let mut body = Map::new();
        for (pointer, member) in &self.members {
            pointer.set(&mut body, member.value());
        }
        let mut map = HeaderMap::new();
        map.insert(ACCEPT, HeaderValue::from_static("application/json"));
        for (name, value) in headers.iter().chain(&self.headers) {
            map.insert(name, sensitive(value.expose_secret()));
        }
        match token {
            Some((TokenPlace::Bearer, token)) => {
                map.insert(AUTHORIZATION, sensitive(&format!("Bearer {}", token.expose_secret())));
            }
            Some((TokenPlace::Member(pointer), token)) => {
                let pointer = Pointer::new(pointer).expect("it was checked when the call was set");
                pointer.set(&mut body, Value::from(token.expose_secret()));
            }
            None => {}
        }
        let mut request = Request::new(String::new());
        if !body.is_empty() {
            map.insert(CONTENT_TYPE, HeaderValue::from_static("application/json"));
            *request.body_mut() = Value::Object(body).to_string();
        }
        *request.method_mut() = self.method.clone();
        request.uri_mut().clone_from(&self.uri);
        *request.headers_mut() = map;
        request
    }

    fn with(mut self, pointer: &str, member: Member) -> Result<Self, InvalidLogin> {
        let parsed = Pointer::new(pointer)?;
        self.check_free(&parsed, pointer)?;
        self.members.push((parsed, member));
        Ok(self)
    }

    fn check_free(&self, pointer: &Pointer, text: &str) -> Result<(), InvalidLogin> {
        match self.members.iter().any(|(other, _)| other.conflicts_with(pointer)) {
            true => Err(InvalidLogin::new(format!("the body has two values at {text}"))),
            false => Ok(()),
        }
    }
}

impl Member {
    fn value(&self) -> Value {
        match self {
            Self::Plain(value) => value.clone(),
            Self::Secret(secret) => Value::from(secret.expose_secret()),
        }
    }
}

impl fmt::Debug for JsonCall {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("JsonCall").field("method", &self.method).field("host", &self.uri.host()).finish_non_exhaustive()
    }
}

/// Checks that a header can carry a credential, by the rules of [`TokenSet::header`].
pub(super) fn header_name<N>(name: N, value: &str) -> Result<HeaderName, InvalidLogin>
where
    N: TryInto<HeaderName>,
{
    let Ok(name) = name.try_into() else { return Err(InvalidLogin::new("a header has an illegal name")) };
    match TokenSet::new().header(name.clone(), value) {
        Ok(_) => Ok(name),
        Err(error) => Err(InvalidLogin::new(error.to_string())),
    }
}

/// Makes a header value that `Debug` does not show.
///
/// A token that cannot be a header value becomes an empty one: the issuer then refuses it, and a login follows.
fn sensitive(text: &str) -> HeaderValue {
    let mut value = HeaderValue::from_str(text).unwrap_or_else(|_| HeaderValue::from_static(""));
    value.set_sensitive(true);
    value
}
