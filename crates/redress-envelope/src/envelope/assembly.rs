//! The assembly of an envelope from the values of a scan.
//!
//! Most errors need the first source of each slot only. [`assemble`] handles
//! these without a second pass; [`FullAssembly`] handles further sources,
//! hints, rules and scopes, out of line.

use std::borrow::Cow;

use super::Envelope;
use super::fallback::{fall_back, of_fields};
use super::reading::EnvelopeSink;
use crate::cells::{Cell, Cells, Value};
use crate::challenge;
use crate::dialect::{
    Clause, Compiled, Condition, CooldownScope, ErrorRule, Facts, Reading, Response, Slot, Standard, Test, UsedUp,
    Windows,
};
use crate::fields::FieldError;
use crate::head::{Head, ServerClock};
use crate::hint::RetryHint;
use crate::json::Unreadable;
use crate::location::{Locations, SourceIndex};

/// Assembles an envelope from the values of a scan. `text` is the body if it is
/// not JSON.
#[inline]
pub(super) fn assemble<'a>(
    compiled: &Compiled,
    head: &Head<'a>,
    sink: &mut EnvelopeSink<'a, '_>,
    text: &mut Option<String>,
    unreadable: Option<Unreadable>,
) -> Envelope<'a> {
    let cells = &sink.cells;
    let (nth, reading) = match &*compiled.readings {
        [only] => (0, only),
        all => first_that_holds(all, head, cells),
    };
    // An array may hold the answers to several requests: one of them does not make it an error.
    let may_signal = !compiled.errors.is_empty() && !sink.is_unwrapped || head.is_error_event();
    let plain = PlainParts {
        reading: nth,
        code: plain(&reading.code, cells),
        message: plain(&reading.message, cells),
        request_id: plain(&reading.request_id, cells),
        reason: plain(&reading.reason, cells),
        signalled: may_signal && is_signalled(compiled, head, cells),
        unreadable,
        has_data: (sink.is_list && head.status < 400) || has_data(compiled, cells),
    };
    let lists = if sink.is_xml { reading.xml_lists } else { reading.lists };
    let fields = sink.fields.as_mut().map_or_else(Vec::new, |fields| fields.of_lists(lists));
    let is_unsaid = sink.fields.as_ref().is_some_and(|sink| sink.names_one_alone(&fields, reading.single_lists));
    let has_hints = !head.headers.is_empty() || cells.has_any(compiled.hint_cells);
    // Where this is all, it is made where it stays: to move it would take longer than all of the above.
    if plain.are_all(reading) && !has_hints && !is_unsaid && compiled.rules.is_empty() && compiled.cooldown.is_silent()
    {
        return plain.envelope(fields);
    }
    let mut envelope = plain.envelope(fields);
    let root_text = &mut sink.root_text;
    FullAssembly { compiled, reading, head, cells, root_text, text, has_hints, is_unsaid }.complete(&mut envelope);
    envelope
}

/// The parts of an envelope that take no second pass: of each slot, what its first
/// source says where that is a member that is taken as it is.
struct PlainParts<'a> {
    reading: u8,
    code: Option<&'a str>,
    message: Option<&'a str>,
    request_id: Option<&'a str>,
    reason: Option<&'a str>,
    signalled: bool,
    unreadable: Option<Unreadable>,
    has_data: bool,
}

impl<'a> PlainParts<'a> {
    /// Returns `true` if no further source could add a word.
    #[inline(always)]
    const fn are_all(&self, reading: &Reading) -> bool {
        self.message.is_some()
            && (self.code.is_some() || reading.code.is_empty())
            && (self.request_id.is_some() || reading.request_id.is_empty())
            && (self.reason.is_some() || reading.reason.is_empty())
    }

    /// Returns the envelope of these parts and fields.
    #[inline(always)]
    fn envelope(&self, fields: Vec<FieldError<'a>>) -> Envelope<'a> {
        Envelope {
            code: self.code.map(Cow::Borrowed),
            message: self.message.map(Cow::Borrowed),
            request_id: self.request_id.map(Cow::Borrowed),
            reason: self.reason.map(Cow::Borrowed),
            fields,
            hint: None,
            reset: None,
            used_up: UsedUp::None,
            should_retry: None,
            signalled: self.signalled,
            unreadable: self.unreadable,
            rule: None,
            pattern: None,
            has_data: self.has_data,
            scope: CooldownScope::Call,
            locations: Locations {
                reading: self.reading,
                code: SourceIndex::first(self.code),
                message: SourceIndex::first(self.message),
                request_id: SourceIndex::first(self.request_id),
            },
        }
    }
}

/// Returns what the first source of a slot says, where that is a member that is
/// taken as it is. Out of line, it takes two registers and no stack.
#[inline(never)]
fn plain<'a>(slot: &Slot, cells: &Cells<'a>) -> Option<&'a str> {
    slot.sources().first()?.plain(cells)
}

/// Returns `true` if there is a member `data` that may be the result of a
/// request that was executed.
fn has_data(compiled: &Compiled, cells: &Cells<'_>) -> bool {
    let value = compiled.data.and_then(|data| cells.get(data));
    value.is_some_and(|value| compiled.null_is_data || value != Value::Null)
}

/// Returns the first reading whose conditions hold; the last one has none.
#[inline(never)]
fn first_that_holds<'c>(readings: &'c [Reading], head: &Head<'_>, cells: &Cells<'_>) -> (u8, &'c Reading) {
    let facts = Facts::new(head, cells);
    let nth = readings.iter().position(|reading| reading.when.holds(&facts)).unwrap_or(readings.len() - 1);
    (u8::try_from(nth).unwrap_or_default(), &readings[nth])
}

#[inline(never)]
fn is_signalled(compiled: &Compiled, head: &Head<'_>, cells: &Cells<'_>) -> bool {
    let facts = Facts::new(head, cells);
    head.is_error_event() || compiled.errors.iter().any(|rule| signals(rule, &facts))
}

fn signals(rule: &ErrorRule<Cell>, facts: &Facts<'_, '_>) -> bool {
    let holds = |(cell, test): &(Cell, Test)| {
        facts.cells.get(*cell).is_some_and(|value| test.holds(value, facts.cells.text(value)))
    };
    let clause_holds = |clause: &Clause<Cell>| {
        clause.of_head(facts.head).unwrap_or_else(|| clause.predicates.iter().any(holds) != clause.negated)
    };
    rule.clauses.iter().all(clause_holds) && facts.fulfil(&rule.when)
}

/// The inputs for the parts of an envelope that its first sources did not
/// supply.
struct FullAssembly<'r, 'a> {
    compiled: &'r Compiled,
    reading: &'r Reading,
    head: &'r Head<'a>,
    cells: &'r Cells<'a>,
    root_text: &'r mut Option<Cow<'a, str>>,
    text: &'r mut Option<String>,
    has_hints: bool,
    /// The only field has no message, and takes that of the whole error.
    is_unsaid: bool,
}

impl<'a> FullAssembly<'_, 'a> {
    /// Adds to an envelope what other sources, hints and rules say.
    #[inline(never)]
    fn complete(self, envelope: &mut Envelope<'a>) {
        let response = Response { head: self.head, cells: self.cells };
        if self.reading.has_long_lists {
            self.say_of_long_lists(&response, envelope);
        } else {
            let by = &mut envelope.locations;
            say(false, &self.reading.code, &response, &mut envelope.code, &mut by.code);
            say(false, &self.reading.message, &response, &mut envelope.message, &mut by.message);
            say(false, &self.reading.request_id, &response, &mut envelope.request_id, &mut by.request_id);
            say(false, &self.reading.reason, &response, &mut envelope.reason, &mut SourceIndex::None);
        }
        let Compiled { cooldown, spec, .. } = self.compiled;
        if !cooldown.is_silent() {
            envelope.scope = cooldown.named(&spec.scopes, &response, is_cut(envelope, self.cells));
        }
        let standard = Standard::find(self.head.headers, &self.reading.ignored);
        if self.has_hints {
            if let (None, Some((rank, id))) = (&envelope.request_id, standard.request_id) {
                (envelope.request_id, envelope.locations.request_id) =
                    (Some(Cow::Borrowed(id)), SourceIndex::StandardHeader(rank));
            }
            self.add_hints(&standard, envelope);
        }
        if envelope.message.is_none() {
            (envelope.message, envelope.locations.message) = of_fields(&envelope.fields);
        }
        say(true, &self.reading.message, &response, &mut envelope.message, &mut envelope.locations.message);
        if envelope.message.is_none() {
            (envelope.message, envelope.locations.message) =
                fall_back(self.root_text.take(), self.text.take(), self.head, standard.has_challenge);
        }
        if self.is_unsaid
            && let (Some(message), [field]) = (&envelope.message, &mut *envelope.fields)
        {
            field.message.clone_from(message);
        }
        if envelope.code.is_none()
            && standard.has_challenge
            && let Some(error) = challenge::code(self.head.headers)
        {
            (envelope.code, envelope.locations.code) = (Some(error), SourceIndex::Challenge);
        }
        if !self.compiled.rules.is_empty() {
            (envelope.rule, envelope.pattern) = rules_that_hold(self.compiled, self.head, self.cells, envelope);
        }
        let is_cut = is_cut(envelope, self.cells);
        if !cooldown.global.is_empty() && cooldown.is_global(&with_words(self.head, self.cells, envelope), is_cut) {
            envelope.scope = CooldownScope::Upstream;
        }
    }

    /// Fills the empty slots in a dialect with long lists of sources.
    #[inline(never)]
    fn say_of_long_lists(&self, response: &Response<'_, 'a>, envelope: &mut Envelope<'a>) {
        let find = |slot: &Slot, said: &mut Option<Cow<'a, str>>, by: &mut SourceIndex| {
            if said.is_none()
                && let Some((text, nth)) = slot.said(response)
            {
                (*said, *by) = (Some(text), SourceIndex::Listed(nth));
            }
        };
        let (reading, locations) = (self.reading, &mut envelope.locations);
        find(&reading.code, &mut envelope.code, &mut locations.code);
        find(&reading.message, &mut envelope.message, &mut locations.message);
        find(&reading.request_id, &mut envelope.request_id, &mut locations.request_id);
        find(&reading.reason, &mut envelope.reason, &mut SourceIndex::None);
    }

    fn add_hints(&self, found: &Standard<'_>, envelope: &mut Envelope<'a>) {
        let Self { reading, head, cells, .. } = self;
        let clock = ServerClock::from_headers(found.date, found.age, head.received);
        let facts = Facts::new(head, cells);
        let later = |a: RetryHint, b: RetryHint| a.later_at(b, clock.now());
        let standard = reading.standard_waits.iter().filter(|(bit, _)| found.waits & bit != 0);
        let standard = standard.filter_map(|(_, hint)| hint.read(&facts, &clock)).reduce(later);
        let declared = reading.hints.iter().filter(|hint| !hint.is_absent(cells) && !hint.is_reset());
        let mut declared = declared.filter_map(|hint| hint.read(&facts, &clock));
        envelope.hint = if reading.ordered_hints {
            declared.next().or(standard)
        } else {
            standard.into_iter().chain(declared).reduce(later)
        };
        (envelope.reset, envelope.used_up) = Windows::read(&reading.hints, found, &facts, &clock).ends(&clock);
        if let Some((yes, wait)) = self.flag(found, is_cut(envelope, cells), &clock) {
            envelope.should_retry = Some(yes);
            envelope.hint = envelope.hint.take().into_iter().chain(wait).reduce(later);
        }
    }

    /// Returns what the first flag says: a pushback, those of the dialect, those of
    /// standard headers.
    fn flag(&self, found: &Standard<'_>, is_cut: bool, clock: &ServerClock<'_>) -> Option<(bool, Option<RetryHint>)> {
        if !found.has_flags && self.compiled.flags.is_empty() {
            return None;
        }
        let standard = self
            .compiled
            .standard_flags
            .iter()
            .filter(|flag| found.has_flags && !flag.is_ignored(&self.reading.ignored));
        let own = self.compiled.flags.iter().filter(|flag| !is_cut || flag.is_header());
        let (pushbacks, others) =
            (standard.clone().filter(|flag| flag.is_pushback()), standard.filter(|flag| !flag.is_pushback()));
        pushbacks.chain(own).chain(others).find_map(|flag| flag.read(self.head, self.cells, clock))
    }
}

/// Fills an empty slot from the first source that supplies a text, and records
/// its index. `after_fields` selects the sources that are read after the field
/// errors.
fn say<'a>(
    after_fields: bool,
    slot: &Slot,
    response: &Response<'_, 'a>,
    said: &mut Option<Cow<'a, str>>,
    by: &mut SourceIndex,
) {
    if said.is_none()
        && let Some((text, nth)) = slot
            .sources()
            .iter()
            .zip(0..)
            .filter(|(source, _)| source.after_fields == after_fields && !source.is_absent(response.cells))
            .find_map(|(source, nth)| Some((source.read(response)?, nth)))
    {
        (*said, *by) = (Some(text), SourceIndex::Listed(nth));
    }
}

/// Returns `true` if a body said something before it broke off or went wrong.
const fn is_cut(envelope: &Envelope<'_>, cells: &Cells<'_>) -> bool {
    envelope.unreadable.is_some() && cells.has_any(u128::MAX)
}

/// States what is known once the words were picked.
fn with_words<'f, 'a>(head: &'f Head<'f>, cells: &'f Cells<'a>, envelope: &'f Envelope<'_>) -> Facts<'f, 'a> {
    let (code, reason, message) = (envelope.code.as_deref(), envelope.reason.as_deref(), envelope.message.as_deref());
    Facts { head, cells, code, reason, message }
}

/// Returns the rule that holds, and the one that names codes by a pattern.
fn rules_that_hold(
    compiled: &Compiled,
    head: &Head<'_>,
    cells: &Cells<'_>,
    envelope: &Envelope<'_>,
) -> (Option<u16>, Option<u16>) {
    let facts = with_words(head, cells, envelope);
    // Of a body that breaks off nothing decides.
    let is_cut = is_cut(envelope, cells);
    let by_head = |when: &[Condition<Cell>]| when.iter().all(|condition| condition.of_head(head).is_some());
    let counts = |when: &[Condition<Cell>]| facts.fulfil(when) && (!is_cut || by_head(when));
    let mut found = (None, None);
    for (when, nth) in compiled.rules.iter().zip(0..).filter(|(when, _)| counts(when)) {
        let of_its_kind = if when.iter().any(Condition::is_pattern) { &mut found.1 } else { &mut found.0 };
        of_its_kind.get_or_insert(nth);
    }
    found
}
