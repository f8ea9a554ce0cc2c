//! The places in a response that an envelope is read from.

use std::fmt;

use crate::dialect::{Dialect, REQUEST_IDS, Reading, Slot};
use crate::grpc;

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

/// The places that code, message and request id of an
/// [`Envelope`](crate::Envelope) were read from, as indices into its dialect.
///
/// It is a few bytes, so that an error can keep it: a [`Location`] is a text, and
/// few callers ask for one.
///
/// # Examples
/// ```
/// use std::time::SystemTime;
/// use redress_envelope::{Envelope, Head, Location, dialects};
///
/// let headers = http::HeaderMap::new();
/// let head = Head::new(502, &headers, SystemTime::UNIX_EPOCH);
/// let ranex = dialects::ranex();
/// let locations = Envelope::read(&ranex, &head, [&b"upstream is down"[..]]).locations();
/// assert_eq!(locations.message(&ranex), Some(Location::WholeBody));
/// assert_eq!(locations.code(&ranex), None);
/// ```
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
pub struct Locations {
    /// The index of the form of the envelope.
    pub(crate) reading: u8,
    pub(crate) code: SourceIndex,
    pub(crate) message: SourceIndex,
    pub(crate) request_id: SourceIndex,
}

/// The source that supplied a part of an envelope.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
pub(crate) enum SourceIndex {
    #[default]
    None,
    /// The source at this index in the dialect's list for the slot.
    Listed(u8),
    FirstField,
    WholeBody,
    Challenge,
    /// The standard request-id header at this index of [`REQUEST_IDS`].
    StandardHeader(u8),
}

impl Locations {
    /// Returns the place of the code.
    ///
    /// `dialect` must be the one that read the envelope: another one gives another
    /// place, or none.
    #[must_use]
    pub fn code(&self, dialect: &Dialect) -> Option<Location> {
        self.location(dialect, self.code, "error", |reading| &reading.code)
    }

    /// Returns the place of the message. See [`code`](Self::code).
    #[must_use]
    pub fn message(&self, dialect: &Dialect) -> Option<Location> {
        self.location(dialect, self.message, "error_description", |reading| &reading.message)
    }

    /// Returns the place of the request id. See [`code`](Self::code).
    #[must_use]
    pub fn request_id(&self, dialect: &Dialect) -> Option<Location> {
        self.location(dialect, self.request_id, "", |reading| &reading.request_id)
    }

    fn location(
        &self,
        dialect: &Dialect,
        index: SourceIndex,
        parameter: &str,
        slot: fn(&Reading) -> &Slot,
    ) -> Option<Location> {
        match index {
            SourceIndex::None => None,
            SourceIndex::FirstField => Some(Location::FirstField),
            SourceIndex::WholeBody => Some(Location::WholeBody),
            SourceIndex::Challenge => Some(Location::Challenge(parameter.to_owned())),
            SourceIndex::StandardHeader(rank) => {
                REQUEST_IDS.get(usize::from(rank)).map(|name| Location::Header((*name).to_owned()))
            }
            SourceIndex::Listed(nth) => {
                let compiled = dialect.compiled();
                let source = slot(compiled.readings.get(usize::from(self.reading))?).sources().get(usize::from(nth))?;
                let location = source.location(&compiled.plan);
                Some(if dialect.is_grpc() { grpc::location(location) } else { location })
            }
        }
    }
}

impl SourceIndex {
    /// Returns the first source if it supplied a text.
    pub(crate) const fn first(text: Option<&str>) -> Self {
        if text.is_some() { Self::Listed(0) } else { Self::None }
    }
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
