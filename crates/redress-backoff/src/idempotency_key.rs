//! The idempotency key of a call: one for all of its attempts.

use std::fmt;
use std::hash::{BuildHasher, RandomState};
use std::str::FromStr;
use std::sync::LazyLock;
use std::sync::atomic::{AtomicU64, Ordering};

use http::{Extensions, HeaderName, HeaderValue, Request, request};
use redress_classify::KeyFormat;

use crate::settings::Settings;

/// The header of draft-ietf-httpapi-idempotency-key-header.
static STANDARD: HeaderName = HeaderName::from_static("idempotency-key");

/// The key of one logical call, by which a server does it once however often it is sent.
///
/// [`RequestExt::idempotency_key`] sets it for a request. It goes into the header that the dialect declares, or that
/// [`BackoffLayer::idempotency_key`] sets, or else into `Idempotency-Key`, whatever the request's method; a key that the
/// request already has there stays. Whoever keeps the key with the job can send the job again after a restart.
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
/// It can also be put into the extensions of a request. There the result of [`new`](Self::new) does not fit, which nobody
/// would look for; it does not compile:
/// ```compile_fail,E0277
/// use http::Request;
/// use redress_backoff::IdempotencyKey;
///
/// let request = Request::post("https://api.example/v1/charges").extension(IdempotencyKey::new("order-1234")).body(());
/// ```
#[derive(Clone, PartialEq, Eq, Hash)]
pub struct IdempotencyKey(String);

/// Why a text is not an idempotency key. It does not show the text.
// Not `Clone`: what is put into a request's extensions must be, and a result with this error in it does nothing there.
#[derive(Debug, PartialEq, Eq)]
pub struct InvalidIdempotencyKey {
    problem: Problem,
}

#[derive(Debug, PartialEq, Eq)]
enum Problem {
    Length(usize),
    Symbol { at: usize },
}

/// Sets the idempotency key of a request, or of a request that is being built.
pub trait RequestExt: Sized {
    /// Sets the key of this call: of all its attempts, in whichever header the API takes it.
    ///
    /// # Errors
    /// When the text cannot be a key: see [`IdempotencyKey::new`].
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
    /// Takes a key of 1 to 255 visible ASCII symbols, without blanks.
    ///
    /// # Errors
    /// For any other text, which not every header could carry.
    pub fn new(key: impl Into<String>) -> Result<Self, InvalidIdempotencyKey> {
        let key = key.into();
        if !(1..=255).contains(&key.len()) {
            return Err(InvalidIdempotencyKey { problem: Problem::Length(key.len()) });
        }
        match key.bytes().position(|byte| !byte.is_ascii_graphic()) {
            Some(at) => Err(InvalidIdempotencyKey { problem: Problem::Symbol { at } }),
            None => Ok(Self(key)),
        }
    }

    /// Makes a key that no other call has: a UUID of version 4 (RFC 9562 section 5.4).
    ///
    /// Its 122 bits come from the operating system's random numbers by way of the standard library's keyed hash, and
    /// not from the source of the jitter, which a test may fix.
    #[must_use]
    pub fn random() -> Self {
        Self(text_of(uuid()))
    }

    /// Returns the key.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

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
        f.write_str("an idempotency key must be 1 to 255 visible ASCII symbols without blanks; ")?;
        match self.problem {
            Problem::Length(bytes) => write!(f, "this one has {bytes} bytes"),
            Problem::Symbol { at } => write!(f, "byte {at} of this one is something else"),
        }
    }
}

impl std::error::Error for InvalidIdempotencyKey {}

/// A key identifies a call, and is nobody's business in a log.
impl fmt::Debug for IdempotencyKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("IdempotencyKey").finish_non_exhaustive()
    }
}

/// Gives a request its key, if it is to have one and does not have it yet.
pub(crate) fn stamp<B>(request: &mut Request<B>, settings: &Settings) {
    let declared = settings.key_header.as_ref();
    let chosen = chosen(request.extensions());
    let minted = settings.mints_keys && declared.is_some_and(|header| header.methods.contains(request.method()));
    if !(minted || chosen.is_some()) || is_keyed(request.headers().get_all(header(settings))) {
        return;
    }
    let format = declared.map_or(KeyFormat::default(), |header| header.format);
    let value = match chosen {
        Some(key) => value(key.as_str(), format),
        None => value(&text_of(uuid()), format),
    };
    if let Some(mut value) = value {
        // It keeps the key out of what prints a request's headers.
        value.set_sensitive(true);
        request.headers_mut().insert(header(settings).clone(), value);
    }
}

/// Returns the caller's own key. An `Option` of it counts, too, since it is what `IdempotencyKey::new(..).ok()` gives.
fn chosen(extensions: &Extensions) -> Option<&IdempotencyKey> {
    if let Some(key) = extensions.get::<IdempotencyKey>() {
        return Some(key);
    }
    let key = extensions.get::<Option<IdempotencyKey>>()?.as_ref();
    if key.is_none() {
        tracing::warn!(target: "redress::backoff", "the idempotency key of a request is `None`: it is sent without one");
    }
    key
}

/// Whether there is a key among the values of the header in which this API looks for it. One with nothing in it is none.
pub(crate) fn is_keyed<'a>(values: impl IntoIterator<Item = &'a HeaderValue>) -> bool {
    let is_key = |value: &HeaderValue| value.as_bytes().iter().any(|byte| !matches!(byte, b' ' | b'\t' | b'"'));
    values.into_iter().any(is_key)
}

/// Returns the header in which this API looks for a key.
pub(crate) fn header(settings: &Settings) -> &HeaderName {
    settings.key_header.as_ref().map_or(&STANDARD, |header| &header.name)
}

fn value(key: &str, format: KeyFormat) -> Option<HeaderValue> {
    match format {
        KeyFormat::Quoted => HeaderValue::try_from(quoted(key)).ok(),
        _ => HeaderValue::from_str(key).ok(),
    }
}

/// Writes a string of structured fields, which escapes quotes and backslashes (RFC 9651 section 3.3.3).
fn quoted(key: &str) -> String {
    let mut text = String::with_capacity(key.len() + 2);
    text.push('"');
    for symbol in key.chars() {
        if matches!(symbol, '"' | '\\') {
            text.push('\\');
        }
        text.push(symbol);
    }
    text.push('"');
    text
}

/// Makes 122 random bits, and the six that say that they are.
fn uuid() -> u128 {
    static KEYED: LazyLock<RandomState> = LazyLock::new(RandomState::new);
    static NEXT: AtomicU64 = AtomicU64::new(0);
    let nth = NEXT.fetch_add(1, Ordering::Relaxed);
    // A forked process has the hash's key and the counter of its parent, and another id.
    let half = |which: u8| u128::from(KEYED.hash_one((std::process::id(), nth, which)));
    let random = half(0) << 64 | half(1);
    let (version, variant) = (0xF_u128 << 76, 0b11_u128 << 62);
    random & !version & !variant | 0x4 << 76 | 0b10 << 62
}

fn text_of(uuid: u128) -> String {
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
    fn a_minted_key_is_a_uuid_of_its_version() {
        for _ in 0..1_000 {
            let key = IdempotencyKey::random();
            let parts: Vec<_> = key.as_str().split('-').collect();
            assert_eq!(parts.iter().map(|part| part.len()).collect::<Vec<_>>(), [8, 4, 4, 4, 12], "{}", key.as_str());
            assert!(key.as_str().bytes().all(|byte| byte == b'-' || byte.is_ascii_hexdigit()));
            assert!(parts[2].starts_with('4') && parts[3].starts_with(['8', '9', 'a', 'b']), "{}", key.as_str());
        }
    }

    #[test]
    fn no_two_keys_are_alike_and_each_bit_is_random() {
        let keys: Vec<_> = (0..20_000).map(|_| uuid()).collect();
        assert_eq!(keys.iter().collect::<HashSet<_>>().len(), keys.len());
        let fixed = (0..128).filter(|bit| {
            let ones = keys.iter().filter(|key| *key >> bit & 1 == 1).count();
            !(9_000..=11_000).contains(&ones)
        });
        assert_eq!(fixed.collect::<Vec<_>>(), [62, 63, 76, 77, 78, 79], "six bits say the version");
    }

    #[test]
    fn a_key_is_written_as_its_header_wants_it() {
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
            assert!(error.to_string().starts_with("an idempotency key must be 1 to 255 visible"), "{error}");
        }
        assert!(!format!("{:?}", IdempotencyKey::new("canary")).contains("canary"));
    }
}
