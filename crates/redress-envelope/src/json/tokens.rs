//! The tokens: names, texts, numbers and literals, which may be cut anywhere.

use redress_skip::plain_run;

use super::number::NumberState;
use super::scanner::{Scanner, State, Token};
use super::text::{Text, lossy};
use super::{Interest, MAX_NAME, Scalar, Sink, Unreadable};

/// Of a name a little more is kept than matters, so that its cut is seen and
/// falls behind the last symbol that matters.
const MAX_KEY: usize = MAX_NAME + 8;

impl Scanner {
    /// Begins a name, if there is one.
    #[inline(never)]
    pub(super) fn begin_key<'a, S: Sink<'a>>(&mut self, rest: &'a [u8], sink: &mut S) -> Result<&'a [u8], Unreadable> {
        let [b'"', text @ ..] = rest else { return Ok(rest) };
        self.token = Token::Key;
        self.text.begin(if self.skip_depth > 0 { 0 } else { MAX_KEY });
        self.text(text, sink)
    }

    /// Begins a scalar.
    #[inline(never)]
    pub(super) fn token<'a, S: Sink<'a>>(
        &mut self,
        interest: Interest,
        rest: &'a [u8],
        sink: &mut S,
    ) -> Result<&'a [u8], Unreadable> {
        self.token = Token::Value(interest);
        self.text.begin(if interest == Interest::Read { S::MAX_TEXT } else { 0 });
        match rest {
            [b'"', text @ ..] => self.text(text, sink),
            [b'n', ..] => self.literal(b"null", None, rest, sink),
            [b't', ..] => self.literal(b"true", Some(true), rest, sink),
            [b'f', ..] => self.literal(b"false", Some(false), rest, sink),
            [b'-' | b'0'..=b'9', ..] => self.number(NumberState::Start, rest, sink),
            _ => Err(Unreadable::NotJson),
        }
    }

    /// Scans on in a text.
    #[inline(always)]
    pub(super) fn text<'a, S: Sink<'a>>(&mut self, rest: &'a [u8], sink: &mut S) -> Result<&'a [u8], Unreadable> {
        let (plain, behind) = rest.split_at(plain_run(rest));
        match behind {
            [b'"', behind @ ..] => {
                self.text_ends(plain, sink);
                Ok(behind)
            }
            [b'\\', behind @ ..] => {
                self.text.keep(plain);
                self.escapes(behind)
            }
            [] => {
                self.text.keep(plain);
                self.state = State::Text;
                Ok(behind)
            }
            // A control character that should have been escaped.
            [_, after @ ..] => {
                self.text.keep(&rest[..=plain.len()]);
                self.state = State::Text;
                Ok(after)
            }
        }
    }

    fn text_ends<'a, S: Sink<'a>>(&mut self, tail: &'a [u8], sink: &mut S) {
        match self.token {
            Token::Key => {
                self.state = State::Colon;
                if self.text.is_kept() {
                    sink.key(self.text.take(tail));
                }
            }
            Token::Value(interest) => {
                self.ended();
                if interest == Interest::Read {
                    sink.scalar(Scalar::Text(lossy(self.text.take(tail))));
                }
            }
        }
    }

    /// Reads one escape, from behind its backslash.
    fn escapes<'a>(&mut self, rest: &'a [u8]) -> Result<&'a [u8], Unreadable> {
        self.state = State::Escape;
        match rest {
            [byte, behind @ ..] => self.escape(*byte).map(|()| behind),
            [] => Ok(rest),
        }
    }

    pub(super) fn escape(&mut self, byte: u8) -> Result<(), Unreadable> {
        self.state = match Text::escaped(byte)? {
            Some(plain) => {
                self.text.keep(&[plain]);
                State::Text
            }
            None => State::Unicode(0, 0),
        };
        Ok(())
    }

    pub(super) fn unicode(&mut self, digits: u8, value: u16, byte: u8) -> Result<(), Unreadable> {
        let digit = char::from(byte).to_digit(16).ok_or(Unreadable::NotJson)?;
        let value = value * 16 + digit as u16;
        if digits < 3 {
            self.state = State::Unicode(digits + 1, value);
            return Ok(());
        }
        self.state = State::Text;
        self.text.code_unit(value);
        Ok(())
    }

    /// Scans on in a number.
    pub(super) fn number<'a, S: Sink<'a>>(
        &mut self,
        mut digits: NumberState,
        rest: &'a [u8],
        sink: &mut S,
    ) -> Result<&'a [u8], Unreadable> {
        let mut len = 0;
        while let Some(next) = rest.get(len).and_then(|byte| digits.next(*byte)) {
            digits = next;
            len += 1;
        }
        let (here, behind) = rest.split_at(len);
        if behind.is_empty() {
            self.state = State::Number(digits);
            self.text.keep(here);
            return Ok(behind);
        }
        if !digits.may_end() {
            return Err(Unreadable::NotJson);
        }
        self.number_ends(here, sink);
        Ok(behind)
    }

    pub(super) fn number_ends<'a, S: Sink<'a>>(&mut self, tail: &'a [u8], sink: &mut S) {
        self.ended();
        if self.token == Token::Value(Interest::Read) {
            sink.scalar(Scalar::Number(lossy(self.text.take(tail))));
        }
    }

    /// Continues a literal; `left` is the rest of it.
    pub(super) fn literal<'a, S: Sink<'a>>(
        &mut self,
        left: &'static [u8],
        value: Option<bool>,
        rest: &'a [u8],
        sink: &mut S,
    ) -> Result<&'a [u8], Unreadable> {
        let (here, behind) = rest.split_at(left.len().min(rest.len()));
        match left.strip_prefix(here) {
            None => return Err(Unreadable::NotJson),
            Some([]) => {
                self.ended();
                if self.token == Token::Value(Interest::Read) {
                    sink.literal(value);
                }
            }
            Some(left) => self.state = State::Literal(left, value),
        }
        Ok(behind)
    }
}
