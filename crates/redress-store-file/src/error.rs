//! Errors of files.

use std::error::Error as StdError;
use std::path::{Path, PathBuf};
use std::time::Duration;
use std::{fmt, io};

use crate::format::{Invalid, LONGEST_VALUE};

/// Why a directory cannot be used. The message names the path and says what is wanted; it contains no value of a record.
///
/// Its source is the [`io::Error`], where there is one.
///
/// # Examples
/// ```
/// use redress_store_file::FileStore;
///
/// let error = FileStore::open("Cargo.toml").unwrap_err();
/// assert!(error.to_string().contains("Cargo.toml"), "{error}");
/// ```
#[derive(Debug)]
pub struct OpenError {
    pub(crate) problem: Problem,
}

/// An error that names its path.
#[derive(Debug)]
pub(crate) enum Problem {
    /// A call to the system failed.
    Io { path: PathBuf, what: &'static str, source: io::Error },
    /// Another owner or mode than wanted.
    Access { path: PathBuf, found: String, wanted: String },
    /// Not a regular file, or not a directory.
    Kind { path: PathBuf, wanted: &'static str },
    /// The directory is on a network file system of this name.
    Network { path: PathBuf, name: &'static str },
    /// The content is not a record, or the record of another key.
    Content { path: PathBuf, reason: &'static str },
    /// Other writers, of this process or another one, have held the lock for this long.
    Locked { path: PathBuf, waited: Duration },
    /// The value has more bytes than a record may have.
    TooLong { path: PathBuf, len: usize },
}

impl Problem {
    /// Returns what makes an error of the system one of this path, for `map_err`.
    pub(crate) fn io(path: &Path, what: &'static str) -> impl FnOnce(io::Error) -> Self {
        move |source| Self::Io { path: path.to_owned(), what, source }
    }

    pub(crate) fn content(path: &Path, invalid: Invalid) -> Self {
        let reason = match invalid {
            Invalid::Foreign => "it is not a record",
            Invalid::Format => "it was written in another format, by another version of this crate",
            Invalid::Line => "a line of its head is missing or wrong",
            Invalid::Checksum => "its checksum is that of another content",
        };
        Self::Content { path: path.to_owned(), reason }
    }
}

impl fmt::Display for Problem {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Io { path, what, source } => write!(f, "cannot {what} {}: {source}", path.display()),
            Self::Access { path, found, wanted } => write!(f, "{} has {found}; wanted: {wanted}", path.display()),
            Self::Kind { path, wanted } => write!(f, "{} is not {wanted}", path.display()),
            Self::Network { path, name } => write!(
                f,
                "{} is on a network file system ({name}), on which the locks of two machines may not exclude each other; \
                 wanted: a local directory",
                path.display()
            ),
            Self::Content { path, reason } => write!(
                f,
                "{} cannot be used: {reason}. Restore the file from a copy, or remove it: then there is no such record",
                path.display()
            ),
            Self::Locked { path, waited } => {
                write!(f, "{} was locked by others for {} ms", path.display(), waited.as_millis())
            }
            Self::TooLong { path, len } => {
                write!(f, "{} cannot hold a value of {len} bytes: at most {LONGEST_VALUE}", path.display())
            }
        }
    }
}

impl StdError for Problem {
    fn source(&self) -> Option<&(dyn StdError + 'static)> {
        match self {
            Self::Io { source, .. } => Some(source),
            _ => None,
        }
    }
}

impl fmt::Display for OpenError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.problem.fmt(f)
    }
}

impl StdError for OpenError {
    fn source(&self) -> Option<&(dyn StdError + 'static)> {
        self.problem.source()
    }
}
