//! Causes whose text is part of the program.

use std::borrow::Cow;
use std::error::Error as StdError;
use std::fmt;

use redress_classify::BoxError;

/// The cause of a failure as a text of the program itself.
///
/// A [`Failure`](crate::Failure) hides the text of its cause, which may quote a server. It shows this one, because a text
/// that is part of the program contains no secret.
///
/// # Examples
/// ```
/// use redress_refresh::{Explanation, Failure};
///
/// let failure = Failure::transient(Explanation::new("the answer holds no access token"));
/// assert_eq!(failure.to_string(), "no new credentials for now: the answer holds no access token");
/// ```
#[derive(Debug)]
pub struct Explanation {
    text: Cow<'static, str>,
    source: Option<BoxError>,
}

impl Explanation {
    /// Makes an explanation from a text in the source of the program.
    #[must_use]
    pub const fn new(text: &'static str) -> Self {
        Self { text: Cow::Borrowed(text), source: None }
    }

    /// Makes an explanation from a text of the program with figures in it.
    pub(crate) const fn from_text(text: String) -> Self {
        Self { text: Cow::Owned(text), source: None }
    }

    /// Sets the source. A failure shows the parts of it that cannot contain a secret; the source itself is reached through
    /// [`cause`](crate::Failure::cause).
    ///
    /// # Examples
    /// ```
    /// use std::error::Error;
    /// use redress_refresh::{Explanation, Failure};
    ///
    /// let explanation = Explanation::new("the keyring is locked").with_source("keyring: s3cret");
    /// let failure = Failure::transient(explanation);
    /// assert_eq!(failure.to_string(), "no new credentials for now: the keyring is locked");
    /// assert!(failure.cause().source().is_some_and(|source| source.to_string() == "keyring: s3cret"));
    /// ```
    #[must_use]
    pub fn with_source(mut self, source: impl Into<BoxError>) -> Self {
        self.source = Some(source.into());
        self
    }
}

impl fmt::Display for Explanation {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.text)
    }
}

impl StdError for Explanation {
    fn source(&self) -> Option<&(dyn StdError + 'static)> {
        self.source.as_deref().map(|source| source as _)
    }
}
