//! The values that a plan named, as a scan found them.

use std::borrow::Cow;

use crate::json::Scalar;
use crate::plan::{Keep, Plan};

/// How many values need no allocation: more than one envelope of a vendor holds.
const INLINE: usize = 8;
/// How many bytes texts are joined to at most.
const MAX_JOINED: usize = 4096;

/// A value that the plan named; a container has no text. Small and copied, so that reading moves little.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Value<'a> {
    Null,
    Bool(bool),
    Number(&'a str),
    Text(&'a str),
    /// A text, or a number, that had to be put together for this cell.
    Owned {
        cell: u8,
        is_number: bool,
    },
    Array,
    Object,
}

/// What was found so far, with the cell it belongs to and the depth at which it lay.
#[derive(Debug)]
pub(crate) struct Cells<'a> {
    seen: u128,
    len: usize,
    inline: [Found<'a>; INLINE],
    more: Vec<Found<'a>>,
    /// At most one for each cell.
    owned: Vec<(u8, String)>,
}

#[derive(Clone, Copy, Debug)]
struct Found<'a> {
    value: Value<'a>,
    cell: u8,
    depth: u8,
}

impl Value<'_> {
    pub(crate) const fn is_number(self) -> bool {
        matches!(self, Self::Number(_) | Self::Owned { is_number: true, .. })
    }
}

impl<'a> Cells<'a> {
    pub(crate) const fn new() -> Self {
        let nothing = Found { value: Value::Null, cell: 0, depth: 0 };
        Self { seen: 0, len: 0, inline: [nothing; INLINE], more: Vec::new(), owned: Vec::new() }
    }

    #[inline(always)]
    pub(crate) fn get(&self, cell: u8) -> Option<Value<'a>> {
        if self.seen & (1 << cell) == 0 { None } else { self.found(cell).map(|found| found.value) }
    }

    /// Returns a value's text, if it is a text or a number, and whether it is a text.
    #[inline(always)]
    pub(crate) fn word(&self, value: Value<'a>) -> Option<(Cow<'a, str>, bool)> {
        match value {
            Value::Text(text) => Some((Cow::Borrowed(text), true)),
            Value::Number(number) => Some((Cow::Borrowed(number), false)),
            Value::Owned { cell, is_number } => Some((Cow::Owned(self.owned(cell).to_owned()), !is_number)),
            _ => None,
        }
    }

    /// Returns a scalar as text; `null` and containers have none.
    pub(crate) fn text(&self, value: Value<'a>) -> Option<&str> {
        match value {
            Value::Text(text) | Value::Number(text) => Some(text),
            Value::Owned { cell, .. } => Some(self.owned(cell)),
            Value::Bool(true) => Some("true"),
            Value::Bool(false) => Some("false"),
            Value::Null | Value::Array | Value::Object => None,
        }
    }

    /// Notes what one path brought at so many open containers.
    #[inline(always)]
    pub(crate) fn put(&mut self, plan: &Plan, cell: u8, depth: u8, value: Value<'a>) {
        if self.seen & (1 << cell) != 0 {
            return self.put_again(plan, cell, depth, value);
        }
        if *plan.keep(cell) != Keep::Last && self.says_nothing(value) {
            return;
        }
        self.seen |= 1 << cell;
        let found = Found { value, cell, depth };
        match self.inline.get_mut(self.len) {
            Some(slot) => {
                *slot = found;
                self.len += 1;
            }
            None => self.more.push(found),
        }
    }

    /// Notes a scalar that one path brought.
    #[inline(always)]
    pub(crate) fn put_scalar(&mut self, plan: &Plan, cell: u8, depth: u8, scalar: Scalar<'a>) {
        let value = match scalar {
            Scalar::Text(Cow::Borrowed(text)) => Value::Text(text),
            Scalar::Number(Cow::Borrowed(number)) => Value::Number(number),
            Scalar::Null => Value::Null,
            Scalar::Bool(value) => Value::Bool(value),
            Scalar::Text(Cow::Owned(text)) => return self.put_owned(plan, cell, depth, text, false),
            Scalar::Number(Cow::Owned(number)) => return self.put_owned(plan, cell, depth, number, true),
        };
        self.put(plan, cell, depth, value);
    }

    /// Forgets what these cells hold.
    #[inline(always)]
    pub(crate) fn forget(&mut self, cells: u128) {
        if self.seen & cells == 0 {
            return;
        }
        self.seen &= !cells;
        let forgotten = |found: &Found<'_>| cells & (1 << found.cell) != 0;
        let mut at = 0;
        while at < self.len {
            if forgotten(&self.inline[at]) {
                self.len -= 1;
                self.inline[at] = self.inline[self.len];
            } else {
                at += 1;
            }
        }
        self.more.retain(|found| !forgotten(found));
    }

    #[cold]
    fn put_again(&mut self, plan: &Plan, cell: u8, depth: u8, value: Value<'a>) {
        let nothing = self.says_nothing(value);
        let Some(known) = self.found(cell) else { return };
        let value = match plan.keep(cell) {
            Keep::Last => value,
            Keep::Deepest(_) if depth >= known.depth && !nothing => value,
            Keep::Joined(between) if !nothing => match self.joined(known.value, between, value) {
                Some(joined) => self.own(cell, joined, false),
                None => return,
            },
            Keep::First | Keep::Deepest(_) | Keep::Joined(_) => return,
        };
        if let Some(found) = self.inline[..self.len].iter_mut().chain(&mut self.more).find(|found| found.cell == cell) {
            (found.depth, found.value) = (depth, value);
        }
    }

    #[cold]
    fn put_owned(&mut self, plan: &Plan, cell: u8, depth: u8, text: String, is_number: bool) {
        let known = self.get(cell).is_some();
        match plan.keep(cell) {
            Keep::Last => {}
            _ if text.is_empty() => return,
            Keep::First if known => return,
            Keep::Deepest(_) if self.found(cell).is_some_and(|found| found.depth > depth) => return,
            Keep::Joined(between) if known => {
                let first = self.get(cell).and_then(|value| self.text(value)).unwrap_or_default();
                let joined = [first, between, &text].concat();
                if joined.len() > MAX_JOINED {
                    return;
                }
                let value = self.own(cell, joined, false);
                self.forget(1 << cell);
                return self.put(plan, cell, depth, value);
            }
            _ => {}
        }
        let value = self.own(cell, text, is_number);
        self.forget(1 << cell);
        self.put(plan, cell, depth, value);
    }

    fn joined(&self, known: Value<'a>, between: &str, more: Value<'a>) -> Option<String> {
        let (text, more) = (self.text(known)?, self.text(more)?);
        (text.len() + between.len() + more.len() <= MAX_JOINED).then(|| [text, between, more].concat())
    }

    fn says_nothing(&self, value: Value<'a>) -> bool {
        value == Value::Null || self.text(value) == Some("")
    }

    fn found(&self, cell: u8) -> Option<&Found<'a>> {
        self.inline[..self.len].iter().chain(&self.more).find(|found| found.cell == cell)
    }

    fn owned(&self, cell: u8) -> &str {
        self.owned.iter().find(|(of, _)| *of == cell).map_or("", |(_, text)| text)
    }

    /// Keeps a text for a cell.
    fn own(&mut self, cell: u8, text: String, is_number: bool) -> Value<'a> {
        match self.owned.iter_mut().find(|(of, _)| *of == cell) {
            Some((_, known)) => *known = text,
            None => self.owned.push((cell, text)),
        }
        Value::Owned { cell, is_number }
    }
}
