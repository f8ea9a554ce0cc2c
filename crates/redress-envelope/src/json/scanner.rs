//! A resumable scanner: bytes go in as they arrive, events come out, nothing is built.

use std::borrow::Cow;

use redress_skip::{Skip, Skipped, ascii, plain_run};

use super::digits::Digits;
use super::text::{Text, lossy};
use super::{Container, MAX_NAME, Scalar, Sink, Unreadable, Want};

/// How many containers may lie in each other; `serde_json` allows one less.
const MAX_DEPTH: u32 = 128;

/// The state of a scan between two chunks.
#[derive(Debug)]
pub(crate) struct Scanner {
    state: State,
    depth: u32,
    /// Bit `d` is set when the container at depth `d` is an object.
    objects: u128,
    /// The depth inside the container that is skipped, with no events; 0 when none is.
    quiet: u32,
    /// Whether the container that is skipped was announced, so that its end is, too.
    announced: bool,
    token: Token,
    text: Text,
}

#[derive(Clone, Copy, Debug)]
enum State {
    /// Before the root, with so many bytes of a byte order mark seen.
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
    Number(Digits),
    /// What of `true`, `false` or `null` must follow, and what it says.
    Literal(&'static [u8], Option<bool>),
    /// In a container that is followed to its end and no more.
    Skipping(Skip),
    End,
}

/// What becomes of the token in hand when it ends.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Token {
    Key,
    Value(Want),
}

const MARK: &[u8] = b"\xef\xbb\xbf";
/// Of a name a little more is kept than matters, so that its cut is seen and falls behind the last symbol that matters.
const MAX_KEY: usize = MAX_NAME + 8;

impl Scanner {
    pub(crate) const fn new() -> Self {
        Self {
            state: State::Mark(0),
            depth: 0,
            objects: 0,
            quiet: 0,
            announced: false,
            token: Token::Value(Want::Nothing),
            text: Text::new(),
        }
    }

    /// Scans one more chunk, until it ends or the sink is done.
    pub(crate) fn feed<'a, S: Sink<'a>>(&mut self, chunk: &'a [u8], sink: &mut S) -> Result<(), Unreadable> {
        let mut at = 0;
        while at < chunk.len() && !sink.is_done() {
            at = match self.state {
                State::Text => self.text(chunk, at, sink)?,
                State::Number(digits) => self.number(digits, chunk, at, sink)?,
                State::Escape => self.escape(chunk[at]).map(|()| at + 1)?,
                State::Unicode(digits, value) => self.unicode(digits, value, chunk[at]).map(|()| at + 1)?,
                State::Literal(rest, value) => self.literal(rest, value, chunk, at, sink)?,
                State::Skipping(skip) => self.skip(skip, chunk, at, sink)?,
                State::Mark(seen @ 1..) => self.mark(seen, chunk[at]).map(|()| at + 1)?,
                State::Key | State::KeyOrEnd if chunk[at] == b'"' && self.quiet == 0 => self.member(chunk, at, sink)?,
                _ if is_blank(chunk[at]) => at + 1,
                _ => self.structure(chunk, at, sink)?,
            };
        }
        Ok(())
    }

    /// Checks that the root has ended.
    pub(crate) fn finish<'a, S: Sink<'a>>(&mut self, sink: &mut S) -> Result<(), Unreadable> {
        match self.state {
            State::End => Ok(()),
            // Nothing but its end tells that a number at the root has ended.
            State::Number(digits) if self.depth == 0 && digits.may_end() => {
                self.number_ends(&[], sink);
                Ok(())
            }
            State::Mark(0) | State::Value if self.depth == 0 => Err(Unreadable::Empty),
            _ => Err(Unreadable::Truncated),
        }
    }

    #[inline(always)]
    fn structure<'a, S: Sink<'a>>(&mut self, chunk: &'a [u8], at: usize, sink: &mut S) -> Result<usize, Unreadable> {
        let byte = chunk[at];
        match (self.state, byte) {
            (State::KeyOrEnd | State::Key, b'"') => {
                self.token = Token::Key;
                self.text.begin(if self.quiet > 0 { 0 } else { MAX_KEY });
                return self.text(chunk, at + 1, sink);
            }
            (State::Colon, b':') => self.state = State::Value,
            (State::CommaOrEnd, b',') => self.state = if self.in_object() { State::Key } else { State::Value },
            (State::CommaOrEnd, b'}') if self.in_object() => self.close(sink),
            (State::CommaOrEnd, b']') if !self.in_object() => self.close(sink),
            (State::ElementOrEnd, b']') | (State::KeyOrEnd, b'}') => self.close(sink),
            (State::Mark(_), 0xef) => self.state = State::Mark(1),
            (State::Mark(_) | State::Value | State::ElementOrEnd, _) => return self.begin(chunk, at, sink),
            _ => return Err(Unreadable::NotJson),
        }
        Ok(at + 1)
    }

    /// Scans members from the quotation mark of a name on, as long as they are written as machines write them and all of
    /// them is in this chunk: whatever else comes is left to the states, which would come to the same.
    fn member<'a, S: Sink<'a>>(&mut self, chunk: &'a [u8], start: usize, sink: &mut S) -> Result<usize, Unreadable> {
        let mut at = start;
        loop {
            let name = &chunk[at + 1..];
            let len = plain_run(name);
            let (Some(b'"'), Some(b':')) = (name.get(len), name.get(len + 1)) else {
                return self.structure(chunk, at, sink);
            };
            sink.key(Cow::Borrowed(&name[..len]));
            at += len + 3;
            self.state = State::Value;
            at += usize::from(chunk.get(at) == Some(&b' '));
            match chunk.get(at) {
                Some(b'"') => at = self.begin(chunk, at, sink)?,
                Some(b't' | b'f' | b'n' | b'-' | b'0'..=b'9') => at = self.begin(chunk, at, sink)?,
                _ => return Ok(at),
            }
            let (State::CommaOrEnd, Some(b','), Some(b'"')) = (self.state, chunk.get(at), chunk.get(at + 1)) else {
                return Ok(at);
            };
            if sink.is_done() {
                return Ok(at);
            }
            self.state = State::Key;
            at += 1;
        }
    }

    #[inline(always)]
    fn begin<'a, S: Sink<'a>>(&mut self, chunk: &'a [u8], at: usize, sink: &mut S) -> Result<usize, Unreadable> {
        let want = if self.quiet > 0 { Want::Nothing } else { sink.value() };
        self.token = Token::Value(want);
        match chunk[at] {
            b'"' => self.begin_text(want, chunk, at + 1, sink),
            b'{' => self.open(Container::Object, want, chunk, at, sink),
            b'[' => self.open(Container::Array, want, chunk, at, sink),
            b'n' if chunk[at..].first_chunk() == Some(b"null") => Ok(self.literal_ends(None, at + 4, sink)),
            b't' if chunk[at..].first_chunk() == Some(b"true") => Ok(self.literal_ends(Some(true), at + 4, sink)),
            b'n' => self.literal(b"null", None, chunk, at, sink),
            b't' => self.literal(b"true", Some(true), chunk, at, sink),
            b'f' => self.literal(b"false", Some(false), chunk, at, sink),
            b'-' | b'0'..=b'9' => {
                self.text.begin(if want == Want::All { S::MAX_TEXT } else { 0 });
                self.number(Digits::Start, chunk, at, sink)
            }
            _ => Err(Unreadable::NotJson),
        }
    }

    #[inline(always)]
    fn begin_text<'a, S: Sink<'a>>(
        &mut self,
        want: Want,
        chunk: &'a [u8],
        at: usize,
        sink: &mut S,
    ) -> Result<usize, Unreadable> {
        if want == Want::All {
            // Most texts are short, plain and all here.
            let rest = &chunk[at..];
            let run = plain_run(rest);
            if let (Some(b'"'), Some(text)) = (rest.get(run), ascii(&rest[..run])) {
                self.ended();
                sink.text(text);
                return Ok(at + run + 1);
            }
            self.text.begin(S::MAX_TEXT);
        } else {
            self.text.begin(0);
        }
        self.text(chunk, at, sink)
    }

    #[inline(always)]
    fn open<'a, S: Sink<'a>>(
        &mut self,
        container: Container,
        want: Want,
        chunk: &'a [u8],
        at: usize,
        sink: &mut S,
    ) -> Result<usize, Unreadable> {
        if self.depth == MAX_DEPTH {
            return Err(Unreadable::TooDeep);
        }
        let inside = if want == Want::All { sink.open(container)? } else { Want::Nothing };
        if inside == Want::Nothing && self.quiet == 0 {
            self.announced = want == Want::All;
            if !S::STRICT {
                return self.skip(Skip::new((MAX_DEPTH - self.depth - 1) as usize), chunk, at + 1, sink);
            }
            self.quiet = self.depth + 1;
        }
        let bit = 1_u128 << self.depth;
        (self.objects, self.state) = match container {
            Container::Object => (self.objects | bit, State::KeyOrEnd),
            Container::Array => (self.objects & !bit, State::ElementOrEnd),
        };
        self.depth += 1;
        Ok(at + 1)
    }

    #[inline(always)]
    fn close<'a, S: Sink<'a>>(&mut self, sink: &mut S) {
        let loud = if self.quiet == self.depth {
            std::mem::take(&mut self.quiet) > 0 && self.announced
        } else {
            self.quiet == 0
        };
        self.depth -= 1;
        self.ended();
        if loud {
            sink.close();
        }
    }

    fn skip<'a, S: Sink<'a>>(
        &mut self,
        mut skip: Skip,
        chunk: &'a [u8],
        at: usize,
        sink: &mut S,
    ) -> Result<usize, Unreadable> {
        match skip.feed(&chunk[at..]) {
            Skipped::All => {
                self.state = State::Skipping(skip);
                Ok(chunk.len())
            }
            Skipped::End(end) => {
                self.ended();
                if self.announced {
                    sink.close();
                }
                Ok(at + end)
            }
            Skipped::TooDeep => Err(Unreadable::TooDeep),
        }
    }

    #[inline(always)]
    const fn in_object(&self) -> bool {
        self.depth > 0 && self.objects & (1 << (self.depth - 1)) != 0
    }

    #[inline(always)]
    const fn ended(&mut self) {
        self.state = if self.depth == 0 { State::End } else { State::CommaOrEnd };
    }

    fn mark(&mut self, seen: usize, byte: u8) -> Result<(), Unreadable> {
        if byte != MARK[seen] {
            return Err(Unreadable::NotJson);
        }
        self.state = if seen == MARK.len() - 1 { State::Value } else { State::Mark(seen + 1) };
        Ok(())
    }

    /// Scans on in a text, from `at` on.
    #[inline(always)]
    fn text<'a, S: Sink<'a>>(&mut self, chunk: &'a [u8], at: usize, sink: &mut S) -> Result<usize, Unreadable> {
        let rest = &chunk[at..];
        let run = plain_run(rest);
        match rest.get(run) {
            Some(b'"') => {
                self.text_ends(&rest[..run], sink);
                Ok(at + run + 1)
            }
            Some(b'\\') => {
                self.text.keep(&rest[..run]);
                self.escapes(chunk, at + run + 1)
            }
            Some(_) => Err(Unreadable::NotJson),
            None => {
                self.text.keep(rest);
                self.state = State::Text;
                Ok(chunk.len())
            }
        }
    }

    #[inline(always)]
    fn text_ends<'a, S: Sink<'a>>(&mut self, tail: &'a [u8], sink: &mut S) {
        match self.token {
            Token::Key => {
                self.state = State::Colon;
                if self.text.is_kept() {
                    sink.key(self.text.take(tail));
                }
            }
            Token::Value(want) => {
                self.ended();
                if want == Want::All {
                    sink.scalar(Scalar::Text(lossy(self.text.take(tail))));
                }
            }
        }
    }

    /// Reads one escape, from behind its backslash.
    fn escapes(&mut self, chunk: &[u8], at: usize) -> Result<usize, Unreadable> {
        self.state = State::Escape;
        match chunk.get(at) {
            Some(byte) => self.escape(*byte).map(|()| at + 1),
            None => Ok(at),
        }
    }

    fn escape(&mut self, byte: u8) -> Result<(), Unreadable> {
        self.state = match Text::escaped(byte)? {
            Some(plain) => {
                self.text.keep(&[plain]);
                State::Text
            }
            None => State::Unicode(0, 0),
        };
        Ok(())
    }

    fn unicode(&mut self, digits: u8, value: u16, byte: u8) -> Result<(), Unreadable> {
        let digit = char::from(byte).to_digit(16).ok_or(Unreadable::NotJson)?;
        let value = (value << 4) | digit as u16;
        if digits < 3 {
            self.state = State::Unicode(digits + 1, value);
            return Ok(());
        }
        self.state = State::Text;
        self.text.code_unit(value);
        Ok(())
    }

    /// Scans on in a number whose text in this chunk begins at `start`.
    fn number<'a, S: Sink<'a>>(
        &mut self,
        mut digits: Digits,
        chunk: &'a [u8],
        start: usize,
        sink: &mut S,
    ) -> Result<usize, Unreadable> {
        let mut at = start;
        while let Some(next) = chunk.get(at).and_then(|byte| digits.next(*byte)) {
            digits = next;
            at += 1;
        }
        if at == chunk.len() {
            self.state = State::Number(digits);
            self.text.keep(&chunk[start..]);
            return Ok(at);
        }
        if !digits.may_end() {
            return Err(Unreadable::NotJson);
        }
        self.number_ends(&chunk[start..at], sink);
        Ok(at)
    }

    #[inline(always)]
    fn number_ends<'a, S: Sink<'a>>(&mut self, tail: &'a [u8], sink: &mut S) {
        self.ended();
        if self.token == Token::Value(Want::All) {
            sink.scalar(Scalar::Number(lossy(self.text.take(tail))));
        }
    }

    #[inline(always)]
    fn literal<'a, S: Sink<'a>>(
        &mut self,
        rest: &'static [u8],
        value: Option<bool>,
        chunk: &'a [u8],
        at: usize,
        sink: &mut S,
    ) -> Result<usize, Unreadable> {
        let here = &chunk[at..(at + rest.len()).min(chunk.len())];
        if !rest.starts_with(here) {
            return Err(Unreadable::NotJson);
        }
        if here.len() < rest.len() {
            self.state = State::Literal(&rest[here.len()..], value);
            return Ok(chunk.len());
        }
        Ok(self.literal_ends(value, at + here.len(), sink))
    }

    #[inline(always)]
    fn literal_ends<'a, S: Sink<'a>>(&mut self, value: Option<bool>, end: usize, sink: &mut S) -> usize {
        self.ended();
        if self.token == Token::Value(Want::All) {
            sink.scalar(value.map_or(Scalar::Null, Scalar::Bool));
        }
        end
    }
}

const fn is_blank(byte: u8) -> bool {
    matches!(byte, b' ' | b'\t' | b'\n' | b'\r')
}
