//! The fast path for machine-written JSON: at most one space behind a colon or
//! a comma, no escapes, and each token within one chunk.
//!
//! The state of the scanner stays valid throughout, so that the fast path can
//! stop at any token. The state machine then continues from there, with the
//! same events.

use redress_skip::{ascii, plain_text};

use super::scanner::{Scanner, State};
use super::{Container, Interest, Sink, Unreadable};
use crate::work;

impl Scanner {
    /// Returns `true` if the lane gets on from this byte.
    #[inline(always)]
    pub(super) const fn can_use_fast_path(&self, byte: u8) -> bool {
        self.skip_depth == 0
            && match self.state {
                State::Key | State::KeyOrEnd => byte == b'"',
                State::Start | State::Value | State::ElementOrEnd => {
                    !self.in_object() && (matches!(byte, b'{' | b'[') || byte == b'"' && self.depth > 0)
                }
                _ => false,
            }
    }

    /// Scans members and elements, and the containers that they lie in. Out of
    /// line, where it has all registers.
    #[inline(never)]
    pub(super) fn fast_path<'a, S: Sink<'a>>(&mut self, rest: &'a [u8], sink: &mut S) -> Result<&'a [u8], Unreadable> {
        let mut rest = rest;
        while !sink.is_done() {
            work::step();
            let interest = if self.in_object() {
                let Some((name, value)) = plain_name(rest) else { return self.begin_key(rest, sink) };
                self.state = State::Value;
                rest = value;
                sink.member(name)
            } else if let [b'"' | b'{' | b'[', ..] = rest {
                sink.value()
            } else {
                return Ok(rest);
            };
            let [byte, behind @ ..] = rest else { return Ok(rest) };
            rest = match byte {
                b'{' | b'[' => {
                    let container = if *byte == b'{' { Container::Object } else { Container::Array };
                    if self.announce(container, interest, sink)? == Interest::Skip {
                        return self.skip_container(container, interest, behind, sink);
                    }
                    self.enter(container);
                    rest = behind;
                    continue;
                }
                _ => match plain_scalar(interest, rest, sink) {
                    Some(behind) => behind,
                    None if matches!(byte, b'"' | b'1'..=b'9') => return self.token(interest, rest, sink),
                    None => return Ok(rest),
                },
            };
            let goes_on;
            (rest, goes_on) = self.end_of_value(rest, sink);
            if !goes_on {
                return Ok(rest);
            }
        }
        Ok(rest)
    }

    /// Scans what closes behind a value and a comma, and returns whether there was
    /// one.
    #[inline(always)]
    fn end_of_value<'a, S: Sink<'a>>(&mut self, mut rest: &'a [u8], sink: &mut S) -> (&'a [u8], bool) {
        self.state = State::CommaOrEnd;
        let mut in_object = self.in_object();
        while !sink.is_done() {
            work::step();
            rest = match rest {
                [b',', behind @ ..] => {
                    self.state = if in_object { State::Key } else { State::Value };
                    return (without_blank(behind), true);
                }
                [b'}', behind @ ..] if in_object => behind,
                [b']', behind @ ..] if !in_object => behind,
                _ => break,
            };
            self.leave();
            sink.close();
            if self.depth == 0 {
                break;
            }
            in_object = self.in_object();
        }
        (rest, false)
    }
}

/// Scans a scalar without escapes that ends within the chunk, and returns what
/// follows it; `None` for any other value.
#[inline(always)]
fn plain_scalar<'a, S: Sink<'a>>(interest: Interest, rest: &'a [u8], sink: &mut S) -> Option<&'a [u8]> {
    match rest {
        [b'"', behind @ ..] => {
            let text = plain_text(behind)?;
            if interest == Interest::Read {
                sink.text(text);
            }
            Some(&behind[text.len() + 1..])
        }
        [b'1'..=b'9', ..] => {
            let (number, behind) = plain_number(rest)?;
            if interest == Interest::Read {
                sink.number(number);
            }
            Some(behind)
        }
        _ => {
            let (literal, behind) = literal(rest)?;
            if interest == Interest::Read {
                sink.literal(literal);
            }
            Some(behind)
        }
    }
}

/// Splits off a name and its colon.
#[inline(always)]
fn plain_name(rest: &[u8]) -> Option<(&str, &[u8])> {
    let [b'"', rest @ ..] = rest else { return None };
    let name = plain_text(rest)?;
    let [b':', value @ ..] = &rest[name.len() + 1..] else { return None };
    Some((name, without_blank(value)))
}

/// Splits off a number that is nothing but digits and has ended.
#[inline(always)]
fn plain_number(rest: &[u8]) -> Option<(&str, &[u8])> {
    let (digits, behind) = rest.split_at(rest.iter().position(|byte| !byte.is_ascii_digit())?);
    let has_ended = matches!(behind, [b',' | b'}' | b']', ..]);
    Some((ascii(digits).filter(|_| has_ended)?, behind))
}

/// Splits off a literal.
#[inline(always)]
fn literal(rest: &[u8]) -> Option<(Option<bool>, &[u8])> {
    match rest {
        [b'n', b'u', b'l', b'l', behind @ ..] => Some((None, behind)),
        [b't', b'r', b'u', b'e', behind @ ..] => Some((Some(true), behind)),
        [b'f', b'a', b'l', b's', b'e', behind @ ..] => Some((Some(false), behind)),
        _ => None,
    }
}

#[inline(always)]
fn without_blank(rest: &[u8]) -> &[u8] {
    match rest {
        [b' ', behind @ ..] => behind,
        _ => rest,
    }
}
