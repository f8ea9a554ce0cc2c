//! Sentences of the program itself.

use std::error::Error as StdError;
use std::fmt;

use redress_classify::BoxError;

/// Why there are no credentials, in the words of the program itself.
///
/// A [`Failure`](crate::Failure) hides the text of its cause, which may quote a server. It shows this one, since a text that
/// is part of the program holds no secret.
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
    text: &'static str,
    source: Option<BoxError>,
}

impl Explanation {
    /// Makes an explanation of a text that stands in the source of the program.
    #[must_use]
    pub const fn new(text: &'static str) -> Self {
        Self { text, source: None }
    }

    /// Adds the error behind it. A failure shows nothing of that but what is certain to hold no secret, and gives it as
    /// the source of its [`cause`](crate::Failure::cause).
    #[must_use]
    pub fn with_source(mut self, source: impl Into<BoxError>) -> Self {
        self.source = Some(source.into());
        self
    }
}

impl fmt::Display for Explanation {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.text)
    }
}

impl StdError for Explanation {
    fn source(&self) -> Option<&(dyn StdError + 'static)> {
        self.source.as_deref().map(|source| source as _)
    }
}
