//! The state machine of the scanner. It can stop and resume at every byte and builds no tree.

use std::borrow::Cow;

use super::text::Text;
use super::{Sink, embedded, html, reference};
use crate::json::{MAX_NAME, Unreadable};
use crate::work;

/// The maximum nesting of elements.
const MAX_DEPTH: usize = 128;
const MARK: &[u8] = b"\xef\xbb\xbf";
const CDATA: &[u8] = b"[CDATA[";

/// The state of a scan between two chunks.
///
/// Its functions take what is left of a chunk, and return what they leave.
#[derive(Debug, Default)]
pub(crate) struct Scanner {
    state: State,
    /// The open elements; their names only where the sink is strict.
    names: Vec<u8>,
    ends: Vec<u16>,
    /// The name, or the reference, in hand.
    token: Vec<u8>,
    text: Text,
    has_root: bool,
    /// How many elements lie around the document, if it is a text of another one.
    around: Option<usize>,
}

#[derive(Clone, Copy, Debug, Default)]
enum State {
    #[default]
    /// Before or behind the root.
    Outside,
    /// In a byte order mark; the number of its bytes seen.
    Mark(usize),
    /// In an element.
    Content,
    /// Behind `&`, in an element or in a value that ends with this quotation mark.
    Reference(Option<u8>),
    /// Behind `<`.
    Markup,
    /// Behind `<!`.
    Declaration,
    /// In a comment, a CDATA section or a processing instruction; the number of
    /// bytes of its end seen.
    Comment(usize),
    Section(usize),
    Instruction(usize),
    /// In the name of a start tag.
    Name,
    /// Between the attributes of a start tag.
    Tag,
    /// In the name of an attribute, and before and behind its `=`.
    Attribute,
    Equals,
    Quote,
    /// In the value of an attribute that ends with this quotation mark.
    Value(u8),
    /// Behind the `/` of an element without content.
    Empty,
    /// In the name of an end tag, and behind it.
    EndName,
    EndTag,
}

type Rest<'a> = Result<&'a [u8], Unreadable>;

impl Scanner {
    /// Begins a document that is a text of another one.
    pub(super) fn at_depth(around: usize) -> Self {
        Self { around: Some(around), ..Self::default() }
    }

    /// Returns `true` if the root element has begun.
    pub(crate) const fn has_root(&self) -> bool {
        self.has_root
    }

    /// Scans one more chunk, until it ends or the sink is done.
    pub(crate) fn feed<S: Sink>(&mut self, chunk: &[u8], sink: &mut S) -> Result<(), Unreadable> {
        let mut rest = chunk;
        while let [byte, behind @ ..] = rest
            && !sink.is_done()
        {
            work::step();
            rest = match self.state {
                State::Content => self.content(rest)?,
                State::Value(quote) => self.value(quote, rest, sink)?,
                State::Reference(quote) => self.reference(quote, rest)?,
                State::Comment(_) | State::Section(_) | State::Instruction(_) => self.skipped(rest)?,
                State::Name | State::Attribute | State::EndName => self.name(rest, sink)?,
                State::Mark(seen) => self.mark(seen, *byte).map(|()| behind)?,
                State::Declaration => self.declaration(*byte).map(|()| behind)?,
                State::Markup | State::Empty => self.structure(*byte, sink).map(|()| behind)?,
                _ if is_blank(*byte) => behind,
                _ => self.structure(*byte, sink).map(|()| behind)?,
            };
        }
        Ok(())
    }

    /// Checks that the root has ended.
    pub(crate) fn finish(&self) -> Result<(), Unreadable> {
        match self.state {
            State::Outside if self.has_root => Ok(()),
            State::Outside => Err(Unreadable::Empty),
            _ => Err(Unreadable::Truncated),
        }
    }

    /// Handles a byte whose meaning depends on the state alone.
    fn structure<S: Sink>(&mut self, byte: u8, sink: &mut S) -> Result<(), Unreadable> {
        self.state = match (self.state, byte) {
            (State::Outside, b'<') => State::Markup,
            (State::Outside, 0xef) if !self.has_root => State::Mark(1),
            (State::Markup, b'?') => State::Instruction(0),
            (State::Markup, b'!') => self.token(State::Declaration, &[]),
            (State::Markup, b'/') if !self.ends.is_empty() => self.token(State::EndName, &[]),
            (State::Markup, _) if may_begin_name(byte) && !(self.has_root && self.ends.is_empty()) => {
                self.token(State::Name, &[byte])
            }
            (State::Tag, b'/') => State::Empty,
            (State::Tag, b'>') => {
                let embeds = S::EMBEDS && self.around.is_none();
                self.text.begin_content(if sink.opened() { S::MAX_TEXT } else { 0 }, embeds);
                State::Content
            }
            (State::Tag, _) if may_begin_name(byte) => self.token(State::Attribute, &[b'@', byte]),
            (State::Equals, b'=') => State::Quote,
            (State::Quote, b'"' | b'\'') => {
                let is_wanted = sink.attribute(&self.token);
                self.text.begin(if is_wanted { S::MAX_TEXT } else { 0 });
                State::Value(byte)
            }
            (State::Empty, b'>') => {
                sink.opened();
                self.text.begin(0);
                self.close(sink)
            }
            (State::EndTag, b'>') => self.end_tag(sink)?,
            _ => return Err(Unreadable::NotJson),
        };
        Ok(())
    }

    /// Begins a token with these bytes.
    fn token(&mut self, state: State, first: &[u8]) -> State {
        self.token.clear();
        self.token.extend_from_slice(first);
        state
    }

    /// Scans on in the text of an element.
    fn content<'a>(&mut self, rest: &'a [u8]) -> Rest<'a> {
        let (plain, behind) = split(rest, |byte| matches!(byte, b'<' | b'&'));
        self.keep(plain)?;
        Ok(match behind {
            [b'<', behind @ ..] => {
                self.state = State::Markup;
                behind
            }
            [_, behind @ ..] => {
                self.state = self.token(State::Reference(None), &[]);
                behind
            }
            [] => behind,
        })
    }

    /// Scans on in the value of an attribute. A `<` in it is taken, though XML forbids it: only the quotation mark ends a value.
    fn value<'a, S: Sink>(&mut self, quote: u8, rest: &'a [u8], sink: &mut S) -> Rest<'a> {
        let (plain, behind) = split(rest, |byte| byte == quote || byte == b'&');
        self.keep(plain)?;
        Ok(match behind {
            [b'&', behind @ ..] => {
                self.state = self.token(State::Reference(Some(quote)), &[]);
                behind
            }
            [_, behind @ ..] => {
                if self.text.is_kept() {
                    sink.value(&self.text.text());
                }
                self.state = State::Tag;
                behind
            }
            [] => behind,
        })
    }

    /// Scans on in a reference; what is none is text.
    fn reference<'a>(&mut self, quote: Option<u8>, rest: &'a [u8]) -> Rest<'a> {
        let back = quote.map_or(State::Content, State::Value);
        let [byte, behind @ ..] = rest else { return Ok(rest) };
        if (byte.is_ascii_alphanumeric() || *byte == b'#') && self.token.len() < reference::MAX {
            self.token.push(*byte);
            return Ok(behind);
        }
        self.state = back;
        match reference::symbol(&self.token).filter(|_| *byte == b';') {
            Some(symbol) => {
                self.text.push(symbol);
                Ok(behind)
            }
            None => {
                self.text.keep(b"&");
                self.text.keep(&self.token);
                Ok(rest)
            }
        }
    }

    /// Scans on in a name.
    fn name<'a, S: Sink>(&mut self, rest: &'a [u8], sink: &mut S) -> Rest<'a> {
        let (here, behind) = split(rest, |byte| is_blank(byte) || b"/>=<\"'&".contains(&byte));
        // Of a name a little more is kept than matters, so that its cut is seen.
        let room = (MAX_NAME + 8).saturating_sub(self.token.len());
        self.token.extend_from_slice(&here[..here.len().min(room)]);
        if behind.is_empty() {
            return Ok(behind);
        }
        self.state = match self.state {
            State::Name => self.open(sink)?,
            State::Attribute => State::Equals,
            _ => State::EndTag,
        };
        Ok(behind)
    }

    /// Goes into the element whose name is in hand.
    fn open<S: Sink>(&mut self, sink: &mut S) -> Result<State, Unreadable> {
        if self.ends.len() + self.around.unwrap_or_default() == MAX_DEPTH {
            return Err(Unreadable::TooDeep);
        }
        if self.ends.is_empty() && html::begins_with(&self.token) {
            return Err(Unreadable::NotJson);
        }
        if S::STRICT {
            self.names.extend_from_slice(&self.token);
        }
        // At most 128 names of 264 bytes.
        self.ends.push(u16::try_from(self.names.len()).unwrap_or(u16::MAX));
        self.has_root = true;
        sink.open(&self.token);
        Ok(State::Tag)
    }

    /// Goes out of an element whose end tag has just ended.
    fn end_tag<S: Sink>(&mut self, sink: &mut S) -> Result<State, Unreadable> {
        let outer = self.ends.len().checked_sub(2).map_or(0, |outer| usize::from(self.ends[outer]));
        if S::STRICT && self.names[outer..] != self.token {
            return Err(Unreadable::NotJson);
        }
        Ok(self.close(sink))
    }

    fn close<S: Sink>(&mut self, sink: &mut S) -> State {
        self.ends.pop();
        self.names.truncate(self.ends.last().copied().unwrap_or_default().into());
        let is_document = self.text.may_be_document() && embedded::feed(&self.text.text(), self.ends.len() + 1, sink);
        let text = if is_document { Cow::Borrowed("") } else { self.text.content() };
        sink.close(&text);
        // An element that holds another one has no text.
        self.text.begin(0);
        self.back()
    }

    /// Returns the state behind what is skipped or has ended.
    const fn back(&self) -> State {
        if self.ends.is_empty() { State::Outside } else { State::Content }
    }

    /// Handles a byte after `<!`, where a comment or a CDATA section begins. Anything else is a document type declaration.
    fn declaration(&mut self, byte: u8) -> Result<(), Unreadable> {
        self.token.push(byte);
        self.state = match &*self.token {
            b"--" => State::Comment(0),
            CDATA if !self.ends.is_empty() => State::Section(0),
            begun if b"--".starts_with(begun) || CDATA.starts_with(begun) => State::Declaration,
            _ => return Err(Unreadable::NotJson),
        };
        Ok(())
    }

    /// Scans on in a comment, a section or an instruction, up to its end.
    fn skipped<'a>(&mut self, rest: &'a [u8]) -> Rest<'a> {
        let (end, mut seen) = match self.state {
            State::Comment(seen) => (&b"-->"[..], seen),
            State::Section(seen) => (&b"]]>"[..], seen),
            State::Instruction(seen) => (&b"?>"[..], seen),
            _ => return Ok(rest),
        };
        let is_text = matches!(self.state, State::Section(_));
        let most = end.len() - 1;
        let (plain, behind) = if seen == 0 { split(rest, |byte| byte == end[0]) } else { rest.split_at(0) };
        let (before, behind) = match behind {
            [] => (&end[..0], behind),
            [b'>', behind @ ..] if seen == most => {
                self.state = self.back();
                return Ok(behind);
            }
            // Of `]]]>` the first bracket is text.
            [byte, behind @ ..] if *byte == end[0] && seen == most => (&end[..1], behind),
            [byte, behind @ ..] if *byte == end[0] => {
                seen += 1;
                (&end[..0], behind)
            }
            _ => (&end[..std::mem::take(&mut seen)], behind),
        };
        if is_text {
            self.keep(plain)?;
            self.keep(before)?;
        }
        self.state = match self.state {
            State::Comment(_) => State::Comment(seen),
            State::Section(_) => State::Section(seen),
            _ => State::Instruction(seen),
        };
        Ok(behind)
    }

    fn keep(&mut self, piece: &[u8]) -> Result<(), Unreadable> {
        if self.text.keep(piece) { Ok(()) } else { Err(Unreadable::NotJson) }
    }

    fn mark(&mut self, seen: usize, byte: u8) -> Result<(), Unreadable> {
        if byte != MARK[seen] {
            return Err(Unreadable::NotJson);
        }
        self.state = if seen == MARK.len() - 1 { State::Outside } else { State::Mark(seen + 1) };
        Ok(())
    }
}

/// Splits before the first byte that ends something.
fn split(rest: &[u8], ends: impl Fn(u8) -> bool) -> (&[u8], &[u8]) {
    rest.split_at(rest.iter().position(|byte| ends(*byte)).unwrap_or(rest.len()))
}

const fn is_blank(byte: u8) -> bool {
    matches!(byte, b' ' | b'\t' | b'\n' | b'\r')
}

/// Returns `true` if a name may begin with this byte: a letter, `_`, `:` or a
/// symbol beyond ASCII.
const fn may_begin_name(byte: u8) -> bool {
    byte.is_ascii_alphabetic() || matches!(byte, b'_' | b':' | 0x80..)
}
