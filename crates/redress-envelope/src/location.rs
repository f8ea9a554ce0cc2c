//! The places in a response that an envelope is read from.

use std::fmt;

/// The place in a response that a part of its [`Envelope`](crate::Envelope) was
/// read from.
///
/// `Display` gives the form that `redress explain` prints.
///
/// # Examples
/// ```
/// use redress_envelope::Location;
///
/// assert_eq!(Location::Body("error.code".to_owned()).to_string(), "error.code in the body");
/// assert_eq!(Location::Header("x-request-id".to_owned()).to_string(), "x-request-id header");
/// ```
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum Location {
    /// The path of one member of a JSON body, or the paths of several that are
    /// joined.
    Body(String),
    /// The name of a header, in lower case.
    Header(String),
    /// The name of a parameter of the `WWW-Authenticate` header.
    Challenge(String),
    /// The path of an element or attribute of an XML body.
    Element(String),
    /// The message of the first field error that has one.
    FirstField,
    /// The whole body, which is plain text or a JSON string.
    WholeBody,
}

impl fmt::Display for Location {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Body(path) | Self::Element(path) => write!(f, "{path} in the body"),
            Self::Header(name) => write!(f, "{name} header"),
            Self::Challenge(name) => write!(f, "{name} in the www-authenticate header"),
            Self::FirstField => f.write_str("the first field error"),
            Self::WholeBody => f.write_str("the whole body"),
        }
    }
}
