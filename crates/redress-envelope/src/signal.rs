//! The decision whether a body signals an error, from as few of its bytes as
//! possible.

mod rules;
mod sink;
mod xml;

use std::fmt;

pub(crate) use rules::SignalRules;
use sink::SignalSink;
use xml::XmlReader;

use crate::charset::Incremental;
use crate::dialect::Dialect;
use crate::head::Head;
use crate::json::{Scanner, Unreadable};

/// How many members the error rules of a dialect may ask for in all.
pub(crate) const MAX_PREDICATES: usize = 60;

/// Reads a body as it arrives until it is certain whether the body signals an
/// error.
///
/// The first occurrence of a signal decides, so that the rest need not arrive;
/// a full [read](crate::Envelope::read) lets the last one win. Values that the
/// dialect does not ask for are skipped by strings, escapes and depth, without
/// a check. A body in a format other than that of the dialect signals no error.
/// Memory is bounded, whatever the body.
///
/// # Examples
/// ```
/// use std::time::SystemTime;
/// use redress_envelope::{Decision, Head, Signal, dialects};
///
/// let headers = http::HeaderMap::new();
/// let head = Head::new(200, &headers, SystemTime::UNIX_EPOCH);
/// let mut signal = Signal::new(&dialects::maleslab(), &head);
/// assert_eq!(signal.feed(b"{\"succ"), Decision::Undecided);
/// assert_eq!(signal.feed(b"ess\":true"), Decision::Success);
/// ```
pub struct Signal {
    scanner: Scanner,
    format: Format,
    sink: SignalSink,
    /// Decodes a body whose charset does not begin with ASCII.
    decoder: Option<Box<Incremental>>,
}

/// The format of a body.
enum Format {
    /// Nothing but white space, or a part of a byte order mark, has come, and the
    /// dialect has error rules for XML.
    Unknown,
    Json,
    Xml(Box<XmlReader>),
}

/// The state of the decision on a body.
///
/// It is exhaustive on purpose: a caller must handle each case.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Decision {
    /// More bytes are needed.
    Undecided,
    /// The body signals an error.
    Error,
    /// The body signals no error, or cannot.
    Success,
}

impl Signal {
    /// Begins to read the body of a response.
    ///
    /// # Examples
    /// ```
    /// use std::time::SystemTime;
    /// use redress_envelope::{Decision, Head, Signal, dialects};
    ///
    /// let headers = http::HeaderMap::new();
    /// let head = Head::new(200, &headers, SystemTime::UNIX_EPOCH);
    /// assert_eq!(Signal::new(&dialects::vlens(), &head).decision(), Decision::Undecided);
    /// // Ranex signals by the status alone.
    /// assert_eq!(Signal::new(&dialects::ranex(), &head).decision(), Decision::Success);
    /// ```
    #[must_use]
    pub fn new(dialect: &Dialect, head: &Head<'_>) -> Self {
        let sink = SignalSink::new(dialect, head);
        let may_be_error = sink.decision == Decision::Undecided && !head.headers.is_empty();
        let decoder = if may_be_error { Incremental::new(head).map(Box::new) } else { None };
        let format = if sink.rules().of_xml == 0 { Format::Json } else { Format::Unknown };
        Self { scanner: Scanner::new(), format, sink, decoder }
    }

    /// Returns what is known so far; before any byte was read, that a body cannot
    /// be an error if no rule of the dialect is for a response with this head.
    #[must_use]
    pub const fn decision(&self) -> Decision {
        self.sink.decision
    }

    /// Reads the next bytes and returns what is known after them.
    ///
    /// A decision is final. Bytes behind it are ignored.
    ///
    /// # Examples
    /// ```
    /// use std::time::SystemTime;
    /// use redress_envelope::{Decision, Head, Signal, dialects};
    ///
    /// let headers = http::HeaderMap::new();
    /// let head = Head::new(200, &headers, SystemTime::UNIX_EPOCH);
    /// let mut signal = Signal::new(&dialects::vlens(), &head);
    /// assert_eq!(signal.feed(b"{\"data\":{},\"error_co"), Decision::Undecided);
    /// assert_eq!(signal.feed(b"de\":1050,"), Decision::Error);
    /// ```
    pub fn feed(&mut self, chunk: &[u8]) -> Decision {
        if self.sink.decision == Decision::Undecided {
            let is_broken = match self.decoder.take() {
                None => self.read(chunk),
                Some(mut decoder) => {
                    let read = self.read(decoder.feed(chunk));
                    self.decoder = Some(decoder);
                    read
                }
            }
            .is_err();
            // An error behind the signal does not revoke it; it could equally be in the next chunk.
            if is_broken && self.sink.decision == Decision::Undecided {
                self.sink.decision = Decision::Success;
            }
        }
        self.sink.decision
    }

    fn read(&mut self, mut chunk: &[u8]) -> Result<(), Unreadable> {
        if let Format::Unknown = self.format {
            chunk = self.tell_format(chunk)?;
        }
        match &mut self.format {
            Format::Xml(elements) => elements.feed(chunk, &mut self.sink),
            Format::Unknown | Format::Json => self.scanner.feed(chunk, &mut self.sink),
        }
    }

    /// Tells the format by the first byte that is not white space, gives up the
    /// members of the other one, and returns the bytes that are left to read.
    #[inline(never)]
    fn tell_format<'c>(&mut self, chunk: &'c [u8]) -> Result<&'c [u8], Unreadable> {
        let of_xml = self.sink.rules().of_xml;
        // The scanner of JSON refuses a byte order mark that is broken, here and where it comes in pieces.
        let is_significant = |byte: &u8| !byte.is_ascii_whitespace() && !b"\xef\xbb\xbf".contains(byte);
        let Some(first) = chunk.iter().position(is_significant) else { return Ok(chunk) };
        if chunk[first] == b'<' {
            self.scanner.feed(&chunk[..first], &mut self.sink)?;
            self.format = Format::Xml(Box::default());
            self.sink.exclude(!of_xml);
            return Ok(&chunk[first..]);
        }
        self.format = Format::Json;
        self.sink.exclude(of_xml);
        Ok(chunk)
    }
}

/// Shows nothing of the body.
impl fmt::Debug for Signal {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Signal").field("decision", &self.sink.decision).finish_non_exhaustive()
    }
}
