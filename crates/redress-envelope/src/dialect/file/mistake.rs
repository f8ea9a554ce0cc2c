//! The mistakes in a dialect's file, each with its line and key.

use std::fmt;

/// The mistakes in a dialect's file.
///
/// `Display` prints one line for each mistake, as compilers do: `file:line:
/// key: problem`.
///
/// # Examples
/// ```
/// use redress_envelope::Dialect;
///
/// let error = Dialect::from_toml("acme.toml", "name = \"acme\"\nwait = 5\n").unwrap_err();
/// assert_eq!((error.file(), error.mistakes().len()), ("acme.toml", 1));
/// assert_eq!(error.mistakes()[0].line, 2);
/// assert!(error.to_string().starts_with("acme.toml:2: wait: unknown key"));
/// ```
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct DialectError {
    pub(super) file: String,
    pub(super) mistakes: Vec<Mistake>,
    pub(super) extended: Option<Box<Self>>,
}

/// One mistake in a dialect's file.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct Mistake {
    /// The line, counted from 1.
    pub line: usize,
    /// The key at fault with the tables that it lies in, such as
    /// `codes.1050.class`.
    pub key: String,
    /// The expected and the found value.
    pub problem: String,
}

impl DialectError {
    /// Returns the name of the file.
    #[must_use]
    pub fn file(&self) -> &str {
        &self.file
    }

    /// Returns every mistake, in the order of the lines.
    #[must_use]
    pub fn mistakes(&self) -> &[Mistake] {
        &self.mistakes
    }

    /// Returns the mistakes of the file that this one extends, where there are
    /// some; it is the error's source, too.
    #[must_use]
    pub fn extended(&self) -> Option<&Self> {
        self.extended.as_deref()
    }
}

impl fmt::Display for DialectError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (nth, Mistake { line, key, problem }) in self.mistakes.iter().enumerate() {
            let newline = if nth == 0 { "" } else { "\n" };
            let colon = if key.is_empty() { "" } else { ": " };
            write!(f, "{newline}{}:{line}: {key}{colon}{problem}", self.file)?;
        }
        Ok(())
    }
}

impl std::error::Error for DialectError {
    fn source(&self) -> Option<&(dyn std::error::Error + 'static)> {
        self.extended.as_deref().map(|error| error as _)
    }
}
