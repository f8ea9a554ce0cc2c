//! Idempotency keys: one for all attempts of a call.

use std::fmt;
use std::hash::{BuildHasher, RandomState};
use std::str::FromStr;
use std::sync::LazyLock;
use std::sync::atomic::{AtomicU64, Ordering};

use http::{Extensions, HeaderName, HeaderValue, Request, request};
use redress_classify::KeyFormat;
use redress_classify::straight::extension;

use crate::settings::Settings;

/// The header of draft-ietf-httpapi-idempotency-key-header.
static STANDARD: HeaderName = HeaderName::from_static("idempotency-key");

/// The idempotency key of a call. A server that takes keys processes all requests with the same key once.
///
/// [`RequestExt::idempotency_key`] sets it for a request. It is sent in the header that the dialect declares or
/// [`BackoffLayer::idempotency_key`] sets, else in `Idempotency-Key`, for any method; a key that the request already has there
/// stays. A program that stores the key with its job can safely send the job again after a restart.
///
/// [`BackoffLayer::idempotency_key`]: crate::BackoffLayer::idempotency_key
///
/// # Examples
/// ```
/// use http::Request;
/// use redress_backoff::{IdempotencyKey, RequestExt};
///
/// let request = Request::post("https://api.example/v1/charges").idempotency_key("order-1234")?.body(())?;
/// assert_eq!(request.extensions().get(), Some(&IdempotencyKey::new("order-1234")?));
/// assert!(IdempotencyKey::new("two words").is_err());
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
///
/// The key itself is also a request extension. The `Result` of [`new`](Self::new) is not: a layer would not find the key in it,
/// so this does not compile:
/// ```compile_fail,E0277
/// use http::Request;
/// use redress_backoff::IdempotencyKey;
///
/// let request = Request::post("https://api.example/v1/charges").extension(IdempotencyKey::new("order-1234")).body(());
/// ```
#[derive(Clone, PartialEq, Eq, Hash)]
pub struct IdempotencyKey(String);

/// The error of a text that is not an idempotency key. It does not contain the text.
///
/// # Examples
/// ```
/// use redress_backoff::IdempotencyKey;
///
/// let error = IdempotencyKey::new("two words").expect_err("a blank is not allowed");
/// let expected = "idempotency key must be 1 to 255 visible ASCII characters without blanks: byte 3 is not";
/// assert_eq!(error.to_string(), expected);
/// ```
// Not `Clone`, so that a `Result` with this error cannot be put into a request's extensions, where it would have no effect.
#[derive(Debug, PartialEq, Eq)]
pub struct InvalidIdempotencyKey {
    problem: Problem,
}

#[derive(Debug, PartialEq, Eq)]
enum Problem {
    Length(usize),
    Byte { index: usize },
}

/// Extends [`Request`] and its [`Builder`](request::Builder) by a setter for the idempotency key.
#[diagnostic::on_unimplemented(
    message = "`{Self}` is not an `http::Request` or its builder",
    note = "call the methods of `RequestExt` before converting the request to that of another crate"
)]
pub trait RequestExt: Sized {
    /// Sets the idempotency key of the call. It is sent with all attempts, in the header that the API declares.
    ///
    /// # Errors
    /// The text is not a valid key: see [`IdempotencyKey::new`].
    ///
    /// # Examples
    /// ```
    /// use http::Request;
    /// use redress_backoff::RequestExt;
    ///
    /// let request = Request::post("https://api.example/v1/charges").idempotency_key("order-1234")?.body("amount=100")?;
    /// let other = Request::new("amount=100").idempotency_key("order-1235")?;
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    fn idempotency_key(self, key: impl Into<String>) -> Result<Self, InvalidIdempotencyKey>;
}

impl<B> RequestExt for Request<B> {
    fn idempotency_key(mut self, key: impl Into<String>) -> Result<Self, InvalidIdempotencyKey> {
        self.extensions_mut().insert(IdempotencyKey::new(key)?);
        Ok(self)
    }
}

impl RequestExt for request::Builder {
    fn idempotency_key(self, key: impl Into<String>) -> Result<Self, InvalidIdempotencyKey> {
        Ok(self.extension(IdempotencyKey::new(key)?))
    }
}

impl IdempotencyKey {
    /// Makes a key from 1 to 255 visible ASCII characters without blanks.
    ///
    /// # Errors
    /// Any other text is rejected: some APIs' headers could not carry it.
    ///
    /// # Examples
    /// ```
    /// use redress_backoff::IdempotencyKey;
    ///
    /// assert_eq!(IdempotencyKey::new("order-1234").map(|key| key.as_str().to_owned()), Ok("order-1234".to_owned()));
    /// assert!(IdempotencyKey::new("").is_err());
    /// ```
    pub fn new(key: impl Into<String>) -> Result<Self, InvalidIdempotencyKey> {
        let key = key.into();
        if !(1..=255).contains(&key.len()) {
            return Err(InvalidIdempotencyKey { problem: Problem::Length(key.len()) });
        }
        match key.bytes().position(|byte| !byte.is_ascii_graphic()) {
            Some(index) => Err(InvalidIdempotencyKey { problem: Problem::Byte { index } }),
            None => Ok(Self(key)),
        }
    }

    /// Makes a random key: a UUID of version 4 (RFC 9562 section 5.4).
    ///
    /// Its 122 random bits come from the operating system, through the standard library's keyed hash, and not from the source of the
    /// jitter, which a test may fix.
    ///
    /// # Examples
    /// ```
    /// use redress_backoff::IdempotencyKey;
    ///
    /// assert_eq!(IdempotencyKey::random().as_str().len(), 36);
    /// assert_ne!(IdempotencyKey::random(), IdempotencyKey::random());
    /// ```
    #[must_use]
    pub fn random() -> Self {
        Self(format_uuid(random_uuid()))
    }

    /// Returns the key.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

// Without a `Display`: a key may name an order or an account, which a log should not show by accident.
impl FromStr for IdempotencyKey {
    type Err = InvalidIdempotencyKey;

    fn from_str(key: &str) -> Result<Self, InvalidIdempotencyKey> {
        Self::new(key)
    }
}

impl TryFrom<String> for IdempotencyKey {
    type Error = InvalidIdempotencyKey;

    fn try_from(key: String) -> Result<Self, InvalidIdempotencyKey> {
        Self::new(key)
    }
}

impl TryFrom<&str> for IdempotencyKey {
    type Error = InvalidIdempotencyKey;

    fn try_from(key: &str) -> Result<Self, InvalidIdempotencyKey> {
        Self::new(key)
    }
}

impl fmt::Display for InvalidIdempotencyKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("idempotency key must be 1 to 255 visible ASCII characters without blanks: ")?;
        match self.problem {
            Problem::Length(bytes) => write!(f, "it has {bytes} bytes"),
            Problem::Byte { index } => write!(f, "byte {index} is not"),
        }
    }
}

impl std::error::Error for InvalidIdempotencyKey {}

/// Hides the key: with it, a request can be repeated or blocked.
impl fmt::Debug for IdempotencyKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("IdempotencyKey").finish_non_exhaustive()
    }
}

/// Sets the key header of a request: the caller's key, or a random one if its method takes keys. A key that is there stays.
pub(crate) fn stamp<B>(request: &mut Request<B>, settings: &Settings) {
    let declared = settings.key_header.as_ref();
    let chosen = callers_key(request.extensions());
    let generated = settings.generates_keys && declared.is_some_and(|header| header.methods.contains(request.method()));
    if !(generated || chosen.is_some()) || is_keyed(request.headers().get_all(header(settings))) {
        return;
    }
    let format = declared.map_or(KeyFormat::default(), |header| header.format);
    let value = match chosen {
        Some(key) => value(key.as_str(), format),
        None => value(&format_uuid(random_uuid()), format),
    };
    if let Some(mut value) = value {
        // Keeps the key out of the `Debug` of the headers.
        value.set_sensitive(true);
        request.headers_mut().insert(header(settings).clone(), value);
    }
}

/// Returns the key among the extensions. An `Option` of it counts, too: it is the result of `IdempotencyKey::new(..).ok()`.
fn callers_key(extensions: &Extensions) -> Option<&IdempotencyKey> {
    if let Some(key) = extension::<IdempotencyKey>(extensions) {
        return Some(key);
    }
    let key = extension::<Option<IdempotencyKey>>(extensions)?.as_ref();
    if key.is_none() {
        tracing::warn!(target: "redress::backoff", "idempotency key among the request extensions is `None`: sending the request without a key");
    }
    key
}

/// Returns `true` if a key is among the values of the key header. A value of nothing but blanks and quotes is not a key.
pub(crate) fn is_keyed(values: impl IntoIterator<Item = impl AsRef<[u8]>>) -> bool {
    let is_key = |value: &[u8]| value.iter().any(|byte| !matches!(byte, b' ' | b'\t' | b'"'));
    values.into_iter().any(|value| is_key(value.as_ref()))
}

/// Returns the header for idempotency keys.
pub(crate) fn header(settings: &Settings) -> &HeaderName {
    settings.key_header.as_ref().map_or(&STANDARD, |header| &header.name)
}

fn value(key: &str, format: KeyFormat) -> Option<HeaderValue> {
    match format {
        KeyFormat::Quoted => HeaderValue::try_from(quoted(key)).ok(),
        _ => HeaderValue::from_str(key).ok(),
    }
}

/// Returns the key as a string of structured fields, with quotes and backslashes escaped (RFC 9651 section 3.3.3).
fn quoted(key: &str) -> String {
    let mut text = String::with_capacity(key.len() + 2);
    text.push('"');
    for character in key.chars() {
        if matches!(character, '"' | '\\') {
            text.push('\\');
        }
        text.push(character);
    }
    text.push('"');
    text
}

/// Returns a UUID of version 4: 122 random bits and the six of version and variant.
fn random_uuid() -> u128 {
    static KEYED: LazyLock<RandomState> = LazyLock::new(RandomState::new);
    static NEXT: AtomicU64 = AtomicU64::new(0);
    let nth = NEXT.fetch_add(1, Ordering::Relaxed);
    // A forked process inherits the hash key and the counter; its process id differs.
    let half = |which: u8| u128::from(KEYED.hash_one((std::process::id(), nth, which)));
    let random = half(0) << 64 | half(1);
    // First all bits of the version and the variant are set, then those cleared that are 0 in 0x4 and in 0b10.
    let set = random | 0xF << 76 | 0b11 << 62;
    set & !(0xB << 76) & !(0b01 << 62)
}

fn format_uuid(uuid: u128) -> String {
    let mut text = format!("{uuid:032x}");
    for at in [20, 16, 12, 8] {
        text.insert(at, '-');
    }
    text
}

#[cfg(test)]
mod tests {
    use std::collections::HashSet;

    use super::*;

    #[test]
    fn a_random_key_is_a_uuid_of_version_4() {
        for _ in 0..1_000 {
            let key = IdempotencyKey::random();
            let parts: Vec<_> = key.as_str().split('-').collect();
            assert_eq!(parts.iter().map(|part| part.len()).collect::<Vec<_>>(), [8, 4, 4, 4, 12], "{}", key.as_str());
            assert!(key.as_str().bytes().all(|byte| byte == b'-' || byte.is_ascii_hexdigit()));
            assert!(parts[2].starts_with('4') && parts[3].starts_with(['8', '9', 'a', 'b']), "{}", key.as_str());
        }
    }

    #[test]
    fn random_keys_differ_and_122_bits_are_random() {
        let keys: Vec<_> = (0..20_000).map(|_| random_uuid()).collect();
        assert_eq!(keys.iter().collect::<HashSet<_>>().len(), keys.len());
        let fixed = (0..128).filter(|bit| {
            let ones = keys.iter().filter(|key| *key >> bit & 1 == 1).count();
            !(9_000..=11_000).contains(&ones)
        });
        assert_eq!(fixed.collect::<Vec<_>>(), [62, 63, 76, 77, 78, 79], "the bits of version and variant");
    }

    #[test]
    fn a_key_is_formatted_for_its_header_and_invalid_text_is_rejected() {
        for (key, format, expected) in [
            ("k1", KeyFormat::Raw, "k1"),
            ("k1", KeyFormat::Quoted, "\"k1\""),
            ("a\"b\\c", KeyFormat::Quoted, "\"a\\\"b\\\\c\""),
            ("a\"b\\c", KeyFormat::Raw, "a\"b\\c"),
        ] {
            let value = IdempotencyKey::new(key).ok().and_then(|key| value(key.as_str(), format));
            assert_eq!(value, Some(HeaderValue::from_static(expected)), "{key}");
        }
        for text in ["", " ", "a b", "a\nb", "\u{fc}", &"k".repeat(256)] {
            let error = IdempotencyKey::new(text).unwrap_err();
            assert_eq!(text.parse::<IdempotencyKey>().as_ref(), Err(&error), "{text:?}");
            assert_eq!(IdempotencyKey::try_from(text.to_owned()).as_ref(), Err(&error), "{text:?}");
            assert!(error.to_string().starts_with("idempotency key must be 1 to 255 visible"), "{error}");
        }
        assert!(!format!("{:?}", IdempotencyKey::new("canary")).contains("canary"));
    }
}
