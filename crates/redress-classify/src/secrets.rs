//! Masks the credentials of a request where a server quotes them.

mod escapes;
mod forms;
mod pairs;
mod pattern;
pub(crate) mod quoted;

use std::borrow::Cow;
use std::fmt;
use std::ops::Range;

use self::escapes::{Decoded, has_escape};
use self::pairs::Pairs;
use self::pattern::Pattern;

/// The text that replaces a secret.
const MASK: &str = "***";
/// The minimum length of a secret in bytes. A shorter one is often a common word such as `admin`, which occurs in many
/// texts by chance; a mask there would reveal the secret.
const MIN_LENGTH: usize = 8;
/// The minimum length of a form whose escapes were resolved.
const MIN_DERIVED: usize = 5;
/// The number of rounds in which escapes are resolved. JSON in a JSON string in a query parameter needs three.
const MAX_ROUNDS: usize = 4;
/// The secrets of a request, in the forms in which a server may quote them.
///
/// These parts of each value are searched for if they have at least 8 bytes: the whole, the part behind the scheme
/// (`Bearer token`), the parameters (`name=value; ...`), and for `Basic` (RFC 7617) the decoded pair and both of its
/// parts. The search ignores case, and finds characters that are escaped as in JSON, in URLs and forms, in XML, or in
/// several of these at once. It takes linear time.
///
/// The secrets are wiped from memory when the value is dropped, and `Debug` shows none of them.
///
/// # Examples
/// ```
/// use redress_classify::Secrets;
///
/// let secrets = Secrets::new(["Bearer s3cret-token"]);
/// assert_eq!(secrets.mask("no such key: s3cret-token"), "no such key: ***");
/// assert_eq!(secrets.mask(r"s3cret\u002dtoken, s3cret%2Dtoken"), "***, ***");
/// assert_eq!(secrets.mask("no such key"), "no such key");
/// ```
#[derive(Default)]
pub struct Secrets {
    patterns: Vec<Pattern>,
    /// The pairs of bytes in all patterns.
    pairs: Pairs,
}

impl Secrets {
    /// Creates it from the values of credential headers, or of the members of a login body.
    #[must_use]
    pub fn new<I>(values: I) -> Self
    where
        I: IntoIterator,
        I::Item: AsRef<[u8]>,
    {
        let mut secrets = Self::default();
        for value in values {
            secrets.add_value(value.as_ref());
        }
        secrets
    }

    /// Returns `true` if there is no secret to search for.
    ///
    /// # Examples
    /// ```
    /// use redress_classify::Secrets;
    ///
    /// assert!(Secrets::new(["short"]).is_empty(), "it has less than 8 bytes");
    /// assert!(!Secrets::new(["s3cret-token"]).is_empty());
    /// ```
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.patterns.is_empty()
    }

    /// Replaces every occurrence in a text by `***`. Overlapping and adjacent occurrences become one mask.
    ///
    /// # Examples
    /// ```
    /// use redress_classify::Secrets;
    ///
    /// let secrets = Secrets::new(["Bearer s3cret-token"]);
    /// assert_eq!(secrets.mask(r#"{"error":"unknown token s3cret-token"}"#), r#"{"error":"unknown token ***"}"#);
    /// ```
    #[must_use]
    pub fn mask<'t>(&self, text: &'t str) -> Cow<'t, str> {
        self.masked(text, false).map_or(Cow::Borrowed(text), Cow::Owned)
    }

    /// Returns `false` if a text holds neither a secret nor a part of one. Most texts end here, without an allocation.
    pub(crate) fn may_be_in(&self, text: &str, is_cut: bool) -> bool {
        let text = text.as_bytes();
        // The end of a text that was cut may be a single byte of a secret.
        !self.is_empty() && !text.is_empty() && (is_cut || has_escape(text) || self.pairs.may_be_in(text))
    }

    /// Returns a text with its secrets masked; `None` if it holds none. At the end of a text that was cut, the beginning of a
    /// secret is masked, too.
    pub(crate) fn masked(&self, text: &str, is_cut: bool) -> Option<String> {
        if !self.may_be_in(text, is_cut) {
            return None;
        }
        let mut found = Vec::new();
        let mut layer = Decoded::raw(text.as_bytes());
        for _ in 0..MAX_ROUNDS {
            for pattern in &self.patterns {
                pattern.find(&layer, is_cut.then_some(text.len()), &mut found);
            }
            match layer.decode(is_cut) {
                Some(decoded) => layer = decoded,
                None => break,
            }
        }
        (!found.is_empty()).then(|| replaced(text, found))
    }

    /// Returns a text with its secrets and parts of secrets masked; `None` if it holds none.
    ///
    /// A dialect may have cut the text out of a longer one, so it may begin or end within a secret, or be a part of one. A
    /// part is masked from 8 bytes on, or from three quarters of a shorter secret.
    pub(crate) fn masked_part(&self, part: &str, is_cut: bool) -> Option<String> {
        if !self.may_be_in(part, is_cut) {
            return None;
        }
        let masked = self.masked(part, is_cut);
        let text = masked.as_deref().unwrap_or(part);
        let found: Vec<_> = self.patterns.iter().flat_map(|pattern| pattern.ends_of(text)).flatten().collect();
        if found.is_empty() { masked } else { Some(replaced(text, found)) }
    }
}

impl fmt::Debug for Secrets {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Secrets").field("forms", &self.patterns.len()).finish_non_exhaustive()
    }
}

/// Returns a text with a mask in place of each of these ranges, which may overlap.
fn replaced(text: &str, mut found: Vec<Range<usize>>) -> String {
    found.sort_unstable_by_key(|span| span.start);
    let mut out = String::with_capacity(text.len());
    let mut spans = found.into_iter().peekable();
    let mut done = 0;
    while let Some(mut span) = spans.next() {
        while let Some(next) = spans.next_if(|next| next.start <= span.end) {
            span.end = span.end.max(next.end);
        }
        let start = (done..=span.start).rev().find(|at| text.is_char_boundary(*at)).unwrap_or(done);
        let end = (span.end..text.len()).find(|at| text.is_char_boundary(*at)).unwrap_or(text.len());
        out.push_str(&text[done..start]);
        out.push_str(MASK);
        done = end;
    }
    out.push_str(&text[done..]);
    out
}

#[cfg(test)]
mod tests;
