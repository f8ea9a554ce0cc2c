//! The values that a scan found for the paths of a plan.
//!
//! A cell is the number of a value that the plan names. The first eight values
//! are stored inline, since an envelope seldom has more; further ones, and
//! texts that had to be assembled, go to a boxed [`Spill`].

use std::borrow::Cow;

use crate::dialect::{is_sentence, may_be_code};
use crate::json::Scalar;
use crate::plan::{Merge, Node, Plan};

/// The number of a value that a plan names.
pub(crate) type Cell = u16;

/// The number of values stored without an allocation: more than the envelope of
/// any shipped vendor has.
const INLINE: usize = 8;
/// The depth of a sentence or a code that stays: no place is as deep.
const SETTLED: u8 = u8::MAX;
/// The longest text that joining produces, in bytes.
const MAX_JOINED: usize = 4096;

/// A value that the plan names. It is small and `Copy`, so that a read moves
/// few bytes; a container has no text.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Value<'a> {
    Null,
    Bool(bool),
    Number(&'a str),
    Text(&'a str),
    /// A text or number that was assembled for this cell: unescaped, joined, or
    /// split over chunks.
    Owned {
        cell: Cell,
        is_number: bool,
    },
    Array,
    Object,
}

/// The values found so far, each with its cell and its depth in the body.
#[derive(Debug)]
pub(crate) struct Cells<'a> {
    /// The [`bit`]s of all cells that hold something.
    seen: u128,
    /// The occupied entries come first.
    inline: [Option<Found<'a>>; INLINE],
    spill: Option<Box<Spill<'a>>>,
}

/// Storage that few envelopes need: values beyond [`INLINE`], and texts that
/// were put together.
#[derive(Debug, Default)]
struct Spill<'a> {
    found: Vec<Option<Found<'a>>>,
    /// At most one for each cell.
    owned: Vec<(Cell, String)>,
}

/// The result of merging a further value into a cell that holds one.
enum MergeResult {
    Stays,
    /// No further value replaces the one that is there.
    Settled,
    Replaced,
    /// Both are texts; the result of joining them.
    Joined(String),
}

#[derive(Clone, Copy, Debug)]
struct Found<'a> {
    value: Value<'a>,
    cell: Cell,
    depth: u8,
}

/// Returns the bit that stands for a cell in a mask. Cells that lie 128 apart
/// share one: a mask says that none of its cells holds anything, or that one of
/// them may.
pub(crate) const fn bit(cell: Cell) -> u128 {
    1 << (cell % 128)
}

impl Value<'_> {
    pub(crate) const fn is_container(self) -> bool {
        matches!(self, Self::Array | Self::Object)
    }

    pub(crate) const fn is_number(self) -> bool {
        matches!(self, Self::Number(_) | Self::Owned { is_number: true, .. })
    }
}

impl<'a> Cells<'a> {
    pub(crate) const fn new() -> Self {
        Self { seen: 0, inline: [None; INLINE], spill: None }
    }

    #[inline(always)]
    pub(crate) fn get(&self, cell: Cell) -> Option<Value<'a>> {
        self.found(cell).map(|found| found.value)
    }

    /// Returns `true` if there may be a value in any of these cells.
    pub(crate) const fn has_any(&self, cells: u128) -> bool {
        self.seen & cells != 0
    }

    /// Returns `true` if there may be a value in each of these cells.
    pub(crate) const fn has_all(&self, cells: u128) -> bool {
        self.seen & cells == cells
    }

    /// Returns a value's text, if it is a text or a number, and whether it is a
    /// text.
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

    /// Records a value for a cell that keeps the last one. The caller cleared the
    /// cell when it saw the name of the member.
    #[inline(always)]
    pub(crate) fn put_last(&mut self, cell: Cell, value: Value<'a>) {
        debug_assert!(self.found(cell).is_none(), "the name before the value has forgotten it");
        self.add(Found { value, cell, depth: 0 });
    }

    /// Records a value found at this depth.
    #[inline(always)]
    pub(crate) fn put(&mut self, plan: &Plan, cell: Cell, depth: u8, value: Value<'a>) {
        if self.seen & bit(cell) != 0 {
            return self.put_again(plan, cell, depth, value);
        }
        self.put_first(plan, cell, depth, value);
    }

    #[inline(always)]
    fn put_first(&mut self, plan: &Plan, cell: Cell, depth: u8, value: Value<'a>) {
        if *plan.merge_rule(cell) != Merge::Last && is_refused(plan.merge_rule(cell), value, self.text(value)) {
            return;
        }
        self.add(Found { value, cell, depth });
    }

    #[inline(always)]
    fn add(&mut self, found: Found<'a>) {
        self.seen |= bit(found.cell);
        *self.free_slot() = Some(found);
    }

    #[inline(always)]
    fn free_slot(&mut self) -> &mut Option<Found<'a>> {
        match self.inline.iter().position(Option::is_none) {
            Some(at) => &mut self.inline[at],
            None => self.slot_in_spill(),
        }
    }

    #[cold]
    fn slot_in_spill(&mut self) -> &mut Option<Found<'a>> {
        let found = &mut self.spill.get_or_insert_default().found;
        found.push(None);
        let last = found.len() - 1;
        &mut found[last]
    }

    /// Records a scalar.
    #[inline(always)]
    pub(crate) fn put_scalar(&mut self, plan: &Plan, cell: Cell, depth: u8, scalar: Scalar<'a>) {
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

    /// Clears the cells of a node, because its name was repeated.
    #[inline(always)]
    pub(crate) fn forget(&mut self, place: &Node) {
        if self.seen & place.mask_below != 0 {
            self.drop_all(&place.cells_below);
        }
    }

    #[cold]
    fn drop_all(&mut self, cells: &[Cell]) {
        let forgotten = |found: &Found<'_>| cells.contains(&found.cell);
        let mut kept = 0;
        for at in 0..INLINE {
            if let Some(found) = self.inline[at].take_if(|found| !forgotten(found)) {
                self.inline[kept] = Some(found);
                kept += 1;
            }
        }
        self.inline[kept..].fill(None);
        if let Some(spill) = &mut self.spill {
            spill.found.retain(|found| !found.as_ref().is_some_and(forgotten));
        }
        self.seen = self.all_found().fold(0, |seen, found| seen | bit(found.cell));
    }

    fn all_found(&self) -> impl Iterator<Item = &Found<'a>> {
        let spill = self.spill.iter().flat_map(|spill| spill.found.iter().flatten());
        self.inline.iter().flatten().chain(spill)
    }

    #[cold]
    fn put_again(&mut self, plan: &Plan, cell: Cell, depth: u8, value: Value<'a>) {
        let Some(known) = self.found(cell).copied() else { return self.put_first(plan, cell, depth, value) };
        match self.merged(plan.merge_rule(cell), &known, depth, value, self.text(value)) {
            MergeResult::Stays => {}
            MergeResult::Settled => self.replace(cell, SETTLED, known.value),
            MergeResult::Replaced => self.replace(cell, depth, value),
            MergeResult::Joined(text) => self.replace_by_own(cell, depth, text, false),
        }
    }

    #[cold]
    fn put_owned(&mut self, plan: &Plan, cell: Cell, depth: u8, text: String, is_number: bool) {
        let value = Value::Owned { cell, is_number };
        let merge = plan.merge_rule(cell);
        let Some(known) = self.found(cell).copied() else {
            if *merge == Merge::Last || !is_refused(merge, value, Some(&text)) {
                let value = self.own(cell, text, is_number);
                self.add(Found { value, cell, depth });
            }
            return;
        };
        match self.merged(merge, &known, depth, value, Some(&text)) {
            MergeResult::Stays => {}
            MergeResult::Settled => self.replace(cell, SETTLED, known.value),
            MergeResult::Replaced => self.replace_by_own(cell, depth, text, is_number),
            MergeResult::Joined(text) => self.replace_by_own(cell, depth, text, false),
        }
    }

    /// Merges a further value into a cell by its rule. `text` is the text of the
    /// value, if it has one.
    fn merged(&self, merge: &Merge, known: &Found<'a>, depth: u8, value: Value<'a>, text: Option<&str>) -> MergeResult {
        match merge {
            Merge::Last => MergeResult::Replaced,
            Merge::Sentence | Merge::Code if known.depth == SETTLED => MergeResult::Stays,
            _ if is_refused(merge, value, text) => MergeResult::Stays,
            // A text or a number says more than a container that stood first.
            Merge::First | Merge::Sentence | Merge::Code | Merge::Deepest(_)
                if known.value.is_container() && !value.is_container() =>
            {
                MergeResult::Replaced
            }
            Merge::Deepest(_) if depth >= known.depth && !value.is_container() => MergeResult::Replaced,
            Merge::Sentence if self.text(known.value).is_some_and(is_sentence) => MergeResult::Settled,
            Merge::Sentence if text.is_some_and(is_sentence) => MergeResult::Replaced,
            Merge::Code if self.text(known.value).is_some_and(may_be_code) => MergeResult::Settled,
            Merge::Code if text.is_some_and(may_be_code) => MergeResult::Replaced,
            Merge::First | Merge::Sentence | Merge::Code | Merge::Deepest(_) => MergeResult::Stays,
            Merge::Joined(between) => match (self.text(known.value), text) {
                (Some(first), Some(more)) if first.len() + between.len() + more.len() <= MAX_JOINED => {
                    MergeResult::Joined([first, between, more].concat())
                }
                _ => MergeResult::Stays,
            },
        }
    }

    #[cold]
    fn replace(&mut self, cell: Cell, depth: u8, value: Value<'a>) {
        let spill = self.spill.iter_mut().flat_map(|spill| spill.found.iter_mut().flatten());
        if let Some(found) = self.inline.iter_mut().flatten().chain(spill).find(|found| found.cell == cell) {
            (found.depth, found.value) = (depth, value);
        }
    }

    fn replace_by_own(&mut self, cell: Cell, depth: u8, text: String, is_number: bool) {
        let value = self.own(cell, text, is_number);
        self.replace(cell, depth, value);
    }

    #[inline(always)]
    fn found(&self, cell: Cell) -> Option<&Found<'a>> {
        let inline = self.inline.iter().map_while(Option::as_ref).find(|found| found.cell == cell);
        if inline.is_none() && self.spill.is_some() { self.found_in_spill(cell) } else { inline }
    }

    #[cold]
    fn found_in_spill(&self, cell: Cell) -> Option<&Found<'a>> {
        self.spill.as_ref()?.found.iter().flatten().find(|found| found.cell == cell)
    }

    fn owned(&self, cell: Cell) -> &str {
        let mut owned = self.spill.iter().flat_map(|spill| &spill.owned);
        owned.find(|(of, _)| *of == cell).map_or("", |(_, text)| text)
    }

    /// Keeps a text for a cell.
    fn own(&mut self, cell: Cell, text: String, is_number: bool) -> Value<'a> {
        let owned = &mut self.spill.get_or_insert_default().owned;
        match owned.iter_mut().find(|(of, _)| *of == cell) {
            Some((_, known)) => *known = text,
            None => owned.push((cell, text)),
        }
        Value::Owned { cell, is_number }
    }
}

/// Returns `true` if a value is ignored where one of several is kept, or where
/// texts are joined.
fn is_refused(merge: &Merge, value: Value<'_>, text: Option<&str>) -> bool {
    match (merge, value) {
        (_, Value::Null) => true,
        (Merge::Joined(_), Value::Bool(_) | Value::Array | Value::Object) => true,
        _ => text == Some(""),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn values_of_cells_that_are_forgotten_are_dropped_and_the_others_stay_in_order() {
        for count in [3, 8, 9, 12] {
            let mut cells = Cells::new();
            (0..count).for_each(|cell| cells.put_last(cell, Value::Bool(true)));
            cells.drop_all(&[1, 8, 9, 200]);
            let kept: Vec<_> = cells.all_found().map(|found| found.cell).collect();
            let expected: Vec<_> = (0..count).filter(|cell| ![1, 8, 9].contains(cell)).collect();
            assert_eq!(kept, expected);
            (0..count).for_each(|cell| assert_eq!(cells.get(cell).is_some(), expected.contains(&cell), "{cell}"));
        }
    }

    #[test]
    fn a_bit_that_two_cells_share_stays_while_one_of_them_holds_a_value() {
        let mut cells = Cells::new();
        [1, 129, 2].into_iter().for_each(|cell| cells.put_last(cell, Value::Bool(true)));
        for (dropped, has_any) in [(2, true), (1, true), (129, false)] {
            cells.drop_all(&[dropped]);
            assert_eq!(cells.has_any(bit(1)), has_any, "without {dropped}");
        }
    }
}
