//! A resumable scanner: bytes go in as they arrive, events come out, nothing is built.

use std::borrow::Cow;

use super::digits::Digits;
use super::{Container, MAX_NAME, Scalar, Sink, Unreadable, Want};

/// How many containers may lie in each other; `serde_json` allows one less.
const MAX_DEPTH: usize = 128;

/// The state of a scan between two chunks.
#[derive(Debug)]
pub(crate) struct Scanner {
    state: State,
    depth: usize,
    /// Bit `d` is set when the container at depth `d` is an object.
    objects: u128,
    /// What of the token in hand came in earlier chunks or had to be unescaped.
    scratch: Vec<u8>,
    /// A high surrogate that waits for its other half.
    surrogate: Option<u16>,
    token: Token,
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
    End,
}

/// What becomes of the token in hand when it ends.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Token {
    Key { keep: bool },
    Value(Want),
}

const MARK: &[u8] = b"\xef\xbb\xbf";

impl Scanner {
    pub(crate) const fn new() -> Self {
        Self {
            state: State::Mark(0),
            depth: 0,
            objects: 0,
            scratch: Vec::new(),
            surrogate: None,
            token: Token::Value(Want::Nothing),
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
                State::Literal(rest, value) => self.literal(rest, value, chunk[at], sink).map(|()| at + 1)?,
                State::Mark(seen @ 1..) => self.mark(seen, chunk[at]).map(|()| at + 1)?,
                _ if matches!(chunk[at], b' ' | b'\t' | b'\n' | b'\r') => at + 1,
                _ => self.structure(chunk, at, sink)?,
            };
        }
        Ok(())
    }

    /// Checks that the root has ended.
    pub(crate) fn finish(&self) -> Result<(), Unreadable> {
        match self.state {
            State::End => Ok(()),
            State::Mark(0) | State::Value if self.depth == 0 => Err(Unreadable::Empty),
            _ => Err(Unreadable::Truncated),
        }
    }

    fn structure<'a, S: Sink<'a>>(&mut self, chunk: &'a [u8], at: usize, sink: &mut S) -> Result<usize, Unreadable> {
        let byte = chunk[at];
        match (self.state, byte) {
            (State::Mark(_), 0xef) => self.state = State::Mark(1),
            (State::ElementOrEnd, b']') | (State::KeyOrEnd, b'}') => self.close(sink),
            (State::Mark(_) | State::Value | State::ElementOrEnd, _) => return self.begin(chunk, at, sink),
            (State::KeyOrEnd | State::Key, b'"') => {
                self.token = Token::Key { keep: sink.wants_key() };
                self.state = State::Text;
            }
            (State::Colon, b':') => self.state = State::Value,
            (State::CommaOrEnd, b',') => self.state = if self.in_object() { State::Key } else { State::Value },
            (State::CommaOrEnd, b'}') if self.in_object() => self.close(sink),
            (State::CommaOrEnd, b']') if !self.in_object() => self.close(sink),
            _ => return Err(Unreadable::NotJson),
        }
        Ok(at + 1)
    }

    fn begin<'a, S: Sink<'a>>(&mut self, chunk: &'a [u8], at: usize, sink: &mut S) -> Result<usize, Unreadable> {
        self.token = Token::Value(sink.value());
        match chunk[at] {
            b'{' => self.open(Container::Object, sink)?,
            b'[' => self.open(Container::Array, sink)?,
            _ if self.depth == 0 => return Err(Unreadable::NotJson),
            b'"' => self.state = State::Text,
            b't' => self.state = State::Literal(b"rue", Some(true)),
            b'f' => self.state = State::Literal(b"alse", Some(false)),
            b'n' => self.state = State::Literal(b"ull", None),
            b'-' | b'0'..=b'9' => return self.number(Digits::Start, chunk, at, sink),
            _ => return Err(Unreadable::NotJson),
        }
        Ok(at + 1)
    }

    fn open<'a, S: Sink<'a>>(&mut self, container: Container, sink: &mut S) -> Result<(), Unreadable> {
        if self.depth == MAX_DEPTH {
            return Err(Unreadable::TooDeep);
        }
        let bit = 1_u128 << self.depth;
        match container {
            Container::Object => self.objects |= bit,
            Container::Array => self.objects &= !bit,
        }
        self.depth += 1;
        self.state = match container {
            Container::Object => State::KeyOrEnd,
            Container::Array => State::ElementOrEnd,
        };
        sink.open(container)
    }

    fn close<'a, S: Sink<'a>>(&mut self, sink: &mut S) {
        self.depth -= 1;
        self.ended();
        sink.close();
    }

    fn in_object(&self) -> bool {
        self.objects & (1 << (self.depth - 1)) != 0
    }

    fn ended(&mut self) {
        self.state = if self.depth == 0 { State::End } else { State::CommaOrEnd };
    }

    fn mark(&mut self, seen: usize, byte: u8) -> Result<(), Unreadable> {
        if byte != MARK[seen] {
            return Err(Unreadable::NotJson);
        }
        self.state = if seen == MARK.len() - 1 { State::Value } else { State::Mark(seen + 1) };
        Ok(())
    }

    fn text<'a, S: Sink<'a>>(&mut self, chunk: &'a [u8], at: usize, sink: &mut S) -> Result<usize, Unreadable> {
        let rest = &chunk[at..];
        let run = rest.iter().position(|byte| matches!(byte, b'"' | b'\\' | 0..0x20)).unwrap_or(rest.len());
        match rest.get(run) {
            Some(b'"') => {
                self.text_ends(&rest[..run], sink);
                Ok(at + run + 1)
            }
            Some(b'\\') => {
                self.keep(&rest[..run]);
                self.state = State::Escape;
                Ok(at + run + 1)
            }
            Some(_) => Err(Unreadable::NotJson),
            None => {
                self.keep(rest);
                Ok(chunk.len())
            }
        }
    }

    fn text_ends<'a, S: Sink<'a>>(&mut self, tail: &'a [u8], sink: &mut S) {
        match self.token {
            Token::Key { keep } => {
                let name = keep.then(|| self.take(tail));
                self.state = State::Colon;
                sink.key(name);
            }
            Token::Value(want) => {
                self.ended();
                match want {
                    Want::Nothing => {}
                    Want::Kind => sink.scalar(Scalar::Text(Cow::Borrowed(""))),
                    Want::All => sink.scalar(Scalar::Text(self.take(tail))),
                }
            }
        }
    }

    fn escape(&mut self, byte: u8) -> Result<(), Unreadable> {
        let plain = match byte {
            b'"' | b'\\' | b'/' => byte,
            b'b' => 0x08,
            b'f' => 0x0c,
            b'n' => b'\n',
            b'r' => b'\r',
            b't' => b'\t',
            b'u' => {
                self.state = State::Unicode(0, 0);
                return Ok(());
            }
            _ => return Err(Unreadable::NotJson),
        };
        self.keep(&[plain]);
        self.state = State::Text;
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
        if self.keeps() {
            self.code_unit(value);
        }
        Ok(())
    }

    /// Adds one UTF-16 code unit to the token, pairing surrogates.
    fn code_unit(&mut self, unit: u16) {
        match (self.surrogate, unit) {
            (Some(high), 0xdc00..=0xdfff) => {
                self.surrogate = None;
                let point = 0x1_0000 + (u32::from(high - 0xd800) << 10) + u32::from(unit - 0xdc00);
                self.push(point);
            }
            _ => {
                self.replace_lone_surrogate();
                match unit {
                    0xd800..=0xdbff => self.surrogate = Some(unit),
                    _ => self.push(u32::from(unit)),
                }
            }
        }
    }

    fn push(&mut self, point: u32) {
        let symbol = char::from_u32(point).unwrap_or(char::REPLACEMENT_CHARACTER);
        self.scratch.extend_from_slice(symbol.encode_utf8(&mut [0; 4]).as_bytes());
    }

    /// Scans on in a number whose text in this chunk begins at `start`, from `at` on.
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
            self.keep(&chunk[start..]);
            return Ok(at);
        }
        if !digits.may_end() {
            return Err(Unreadable::NotJson);
        }
        self.ended();
        match self.token {
            Token::Value(Want::All) => sink.scalar(Scalar::Number(self.take(&chunk[start..at]))),
            Token::Value(Want::Kind) => sink.scalar(Scalar::Number(Cow::Borrowed(""))),
            _ => {}
        }
        Ok(at)
    }

    fn literal<'a, S: Sink<'a>>(
        &mut self,
        rest: &'static [u8],
        value: Option<bool>,
        byte: u8,
        sink: &mut S,
    ) -> Result<(), Unreadable> {
        if byte != rest[0] {
            return Err(Unreadable::NotJson);
        }
        if rest.len() > 1 {
            self.state = State::Literal(&rest[1..], value);
            return Ok(());
        }
        self.ended();
        if self.token != Token::Value(Want::Nothing) {
            sink.scalar(value.map_or(Scalar::Null, Scalar::Bool));
        }
        Ok(())
    }

    fn keeps(&self) -> bool {
        matches!(self.token, Token::Key { keep: true } | Token::Value(Want::All))
    }

    /// Keeps a piece of the token in hand, if its text is wanted.
    fn keep(&mut self, piece: &[u8]) {
        if self.keeps() && !piece.is_empty() {
            self.replace_lone_surrogate();
            self.scratch.extend_from_slice(&piece[..piece.len().min(self.room())]);
        }
    }

    /// Returns how much more of the token in hand is to be kept. Of a name it is a little more than matters, so that its
    /// cut is seen, and falls behind the last symbol that matters.
    const fn room(&self) -> usize {
        match self.token {
            Token::Key { .. } => (MAX_NAME + 8).saturating_sub(self.scratch.len()),
            Token::Value(_) => usize::MAX,
        }
    }

    fn replace_lone_surrogate(&mut self) {
        if self.surrogate.take().is_some() {
            self.scratch.extend_from_slice("\u{fffd}".as_bytes());
        }
    }

    /// Returns the whole text of the token in hand: borrowed when all of it is `tail`.
    fn take<'a>(&mut self, tail: &'a [u8]) -> Cow<'a, str> {
        if self.scratch.is_empty() && self.surrogate.is_none() {
            return String::from_utf8_lossy(tail);
        }
        self.keep(tail);
        self.replace_lone_surrogate();
        let text = std::mem::take(&mut self.scratch);
        Cow::Owned(
            String::from_utf8(text).unwrap_or_else(|error| String::from_utf8_lossy(error.as_bytes()).into_owned()),
        )
    }
}
