//! The state machine of the scanner. It can stop and resume at every byte and
//! builds no tree.

use redress_skip::{Skip, Skipped};

use super::number::NumberState;
use super::text::Text;
use super::{Container, Interest, Sink, Unreadable};
use crate::work;

/// The maximum nesting of containers. `serde_json` allows one level less.
const MAX_DEPTH: u32 = 128;

/// The state of a scan between two chunks.
///
/// Its functions take what is left of a chunk, and return what they leave.
#[derive(Debug)]
pub(crate) struct Scanner {
    pub(super) state: State,
    pub(super) depth: u32,
    /// A bit for each open container, set for an object; the lowest is that of the
    /// innermost one.
    objects: u128,
    /// The depth inside the skipped container; 0 when none is skipped.
    pub(super) skip_depth: u32,
    /// Whether the end of the skipped container is reported, because its start was.
    emit_close: bool,
    pub(super) token: Token,
    pub(super) text: Text,
}

#[derive(Clone, Copy, Debug)]
pub(super) enum State {
    /// Before the root.
    Start,
    /// In a byte order mark; the number of its bytes seen.
    Mark(usize),
    Value,
    ElementOrEnd,
    KeyOrEnd,
    Key,
    Colon,
    CommaOrEnd,
    Text,
    Escape,
    /// After `\u`: how many digits were read, and their value.
    Unicode(u8, u16),
    Number(NumberState),
    /// The rest of `true`, `false` or `null`, and the value.
    Literal(&'static [u8], Option<bool>),
    /// In a container that is followed to its end and no more.
    Skipping(Skip),
    End,
}

/// The use of the current token.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Token {
    Key,
    Value(Interest),
}

const MARK: &[u8] = b"\xef\xbb\xbf";

impl Scanner {
    pub(crate) const fn new() -> Self {
        Self {
            state: State::Start,
            depth: 0,
            objects: 0,
            skip_depth: 0,
            emit_close: false,
            token: Token::Value(Interest::Skip),
            text: Text::new(),
        }
    }

    /// Scans one more chunk, until it ends or the sink is done.
    #[inline]
    pub(crate) fn feed<'a, S: Sink<'a>>(&mut self, chunk: &'a [u8], sink: &mut S) -> Result<(), Unreadable> {
        let mut rest = chunk;
        while let [byte, ..] = rest
            && !sink.is_done()
        {
            work::step();
            rest = if self.can_use_fast_path(*byte) { self.fast_path(rest, sink)? } else { self.steps(rest, sink)? };
        }
        Ok(())
    }

    /// Goes on by the states, up to where the lane may be taken. Out of line, so
    /// that the lane needs no stack for it.
    #[inline(never)]
    fn steps<'a, S: Sink<'a>>(&mut self, mut rest: &'a [u8], sink: &mut S) -> Result<&'a [u8], Unreadable> {
        while let [byte, behind @ ..] = rest
            && !sink.is_done()
        {
            work::step();
            rest = match self.state {
                State::Text => self.text(rest, sink)?,
                State::Number(digits) => self.number(digits, rest, sink)?,
                State::Escape => self.escape(*byte).map(|()| behind)?,
                State::Unicode(digits, value) => self.unicode(digits, value, *byte).map(|()| behind)?,
                State::Literal(left, value) => self.literal(left, value, rest, sink)?,
                State::Skipping(skip) => self.skip(skip, rest, sink)?,
                State::Mark(seen) => self.mark(seen, *byte).map(|()| behind)?,
                _ if is_blank(*byte) => without_blanks(behind),
                _ if self.can_use_fast_path(*byte) => return Ok(rest),
                _ => self.structure(rest, *byte, behind, sink)?,
            };
        }
        Ok(rest)
    }

    /// Checks that the root has ended.
    #[inline]
    pub(crate) fn finish<'a, S: Sink<'a>>(&mut self, sink: &mut S) -> Result<(), Unreadable> {
        if let State::End = self.state {
            return Ok(());
        }
        match self.state {
            // Nothing but its end tells that a number at the root has ended.
            State::Number(digits) if self.depth == 0 && digits.may_end() => {
                self.number_ends(&[], sink);
                Ok(())
            }
            State::Start | State::Value if self.depth == 0 => Err(Unreadable::Empty),
            _ => Err(Unreadable::Truncated),
        }
    }

    /// Takes the byte of a bracket, a comma or a colon, or begins a token with it.
    #[inline(always)]
    fn structure<'a, S: Sink<'a>>(
        &mut self,
        rest: &'a [u8],
        byte: u8,
        behind: &'a [u8],
        sink: &mut S,
    ) -> Result<&'a [u8], Unreadable> {
        match (self.state, byte) {
            (State::KeyOrEnd | State::Key, b'"') => return self.begin_key(rest, sink),
            (State::Colon, b':') => self.state = State::Value,
            (State::CommaOrEnd, b',') => self.state = if self.in_object() { State::Key } else { State::Value },
            (State::CommaOrEnd, b'}') if self.in_object() => self.close(sink),
            (State::CommaOrEnd, b']') if !self.in_object() => self.close(sink),
            (State::ElementOrEnd, b']') | (State::KeyOrEnd, b'}') => self.close(sink),
            (State::Start, 0xef) => self.state = State::Mark(1),
            (State::Start | State::Value | State::ElementOrEnd, _) => {
                let interest = if self.skip_depth > 0 { Interest::Skip } else { sink.value() };
                return match byte {
                    b'{' => self.open(Container::Object, interest, behind, sink),
                    b'[' => self.open(Container::Array, interest, behind, sink),
                    _ => self.token(interest, rest, sink),
                };
            }
            _ => return Err(Unreadable::NotJson),
        }
        Ok(behind)
    }

    /// Announces a container whose value is wanted, and returns whether its inside
    /// is wanted too.
    #[inline(always)]
    pub(super) fn announce<'a, S: Sink<'a>>(
        &self,
        container: Container,
        interest: Interest,
        sink: &mut S,
    ) -> Result<Interest, Unreadable> {
        match interest {
            _ if self.depth == MAX_DEPTH => Err(Unreadable::TooDeep),
            Interest::Read => sink.open(container),
            Interest::Skip => Ok(Interest::Skip),
        }
    }

    /// Goes into a container.
    #[inline(always)]
    pub(super) const fn enter(&mut self, container: Container) {
        self.depth += 1;
        self.objects <<= 1;
        self.state = match container {
            Container::Object => {
                self.objects |= 1;
                State::KeyOrEnd
            }
            Container::Array => State::ElementOrEnd,
        };
    }

    #[inline(always)]
    fn open<'a, S: Sink<'a>>(
        &mut self,
        container: Container,
        interest: Interest,
        inside: &'a [u8],
        sink: &mut S,
    ) -> Result<&'a [u8], Unreadable> {
        match self.announce(container, interest, sink)? {
            Interest::Skip if self.skip_depth == 0 => self.skip_container(container, interest, inside, sink),
            _ => {
                self.enter(container);
                Ok(inside)
            }
        }
    }

    /// Begins to skip a container.
    pub(super) fn skip_container<'a, S: Sink<'a>>(
        &mut self,
        container: Container,
        interest: Interest,
        inside: &'a [u8],
        sink: &mut S,
    ) -> Result<&'a [u8], Unreadable> {
        self.emit_close = interest == Interest::Read;
        if !S::STRICT {
            return self.skip(Skip::new((MAX_DEPTH - self.depth - 1) as usize), inside, sink);
        }
        self.skip_depth = self.depth + 1;
        self.enter(container);
        Ok(inside)
    }

    #[inline(always)]
    fn close<'a, S: Sink<'a>>(&mut self, sink: &mut S) {
        let emit = if self.skip_depth == self.depth {
            std::mem::take(&mut self.skip_depth) > 0 && self.emit_close
        } else {
            self.skip_depth == 0
        };
        self.leave();
        if emit {
            sink.close();
        }
    }

    /// Goes out of a container.
    #[inline(always)]
    pub(super) const fn leave(&mut self) {
        self.depth -= 1;
        self.objects >>= 1;
        self.ended();
    }

    fn skip<'a, S: Sink<'a>>(&mut self, mut skip: Skip, rest: &'a [u8], sink: &mut S) -> Result<&'a [u8], Unreadable> {
        match skip.feed(rest) {
            Skipped::All => {
                self.state = State::Skipping(skip);
                Ok(&[])
            }
            Skipped::End(end) => {
                self.ended();
                if self.emit_close {
                    sink.close();
                }
                Ok(&rest[end..])
            }
            Skipped::TooDeep => Err(Unreadable::TooDeep),
        }
    }

    #[inline(always)]
    pub(super) const fn in_object(&self) -> bool {
        self.objects & 1 != 0
    }

    /// Records that a value has ended.
    #[inline(always)]
    pub(super) const fn ended(&mut self) {
        self.state = if self.depth == 0 { State::End } else { State::CommaOrEnd };
    }

    fn mark(&mut self, seen: usize, byte: u8) -> Result<(), Unreadable> {
        if byte != MARK[seen] {
            return Err(Unreadable::NotJson);
        }
        self.state = if seen == MARK.len() - 1 { State::Value } else { State::Mark(seen + 1) };
        Ok(())
    }
}

fn without_blanks(mut rest: &[u8]) -> &[u8] {
    while let [byte, behind @ ..] = rest
        && is_blank(*byte)
    {
        rest = behind;
    }
    rest
}

const fn is_blank(byte: u8) -> bool {
    matches!(byte, b' ' | b'\t' | b'\n' | b'\r')
}
