//! A dialect made ready to read: every path has become a cell of one plan.

use super::condition::{Condition, When};
use super::error_rule::{Clause, ErrorRule, Test};
use super::hints::{Flag, Hint};
use super::scope::Cooldown;
use super::slot::Slot;
use super::source::{Kind, Source};
use super::spec::{self, PathSpec, Spec};
use super::standard;
use super::success::SuccessHints;
use crate::cells::Cell;
use crate::path::{Path, Step};
use crate::pattern::Glob;
use crate::plan::{Merge, Plans};
use crate::signal::SignalRules;

#[derive(Debug)]
pub(crate) struct Compiled {
    pub(crate) spec: Spec,
    /// The lowest status that the vendor's table names; what is below it and below
    /// 400 needs no look at the table.
    pub(crate) first_status: u16,
    pub(crate) plan: Plans,
    /// The last one has no conditions.
    pub(crate) readings: Vec<Reading>,
    pub(crate) flags: Vec<Flag<Cell>>,
    /// Those of standard headers that the dialect does not declare.
    pub(crate) standard_flags: Vec<Flag<Cell>>,
    /// The cells of all hints and flags that stand in the body.
    pub(crate) hint_cells: u128,
    /// The member that holds the data of a success, where a vendor's word is told
    /// of responses that may be one.
    pub(crate) data: Option<Cell>,
    /// Whether that member counts as data if it is `null`, too.
    pub(crate) null_is_data: bool,
    /// `None` unless the dialect declares hints that are read of successes.
    pub(crate) success: Option<Box<SuccessHints>>,
    /// The conditions of each rule.
    pub(crate) rules: Vec<Vec<Condition<Cell>>>,
    pub(crate) cooldown: Cooldown<Cell>,
    pub(crate) errors: Vec<ErrorRule<Cell>>,
    /// Whether one of them is for whole responses and asks for the body; and
    /// whether one may hold by the head alone.
    pub(crate) signals_in_body: bool,
    pub(crate) signals_by_head: bool,
    /// The error rules as a signal evaluates them.
    pub(crate) signal: SignalRules,
}

/// Where the parts of one form of envelope stand.
#[derive(Debug)]
pub(crate) struct Reading {
    pub(crate) when: When,
    pub(crate) code: Slot,
    pub(crate) message: Slot,
    pub(crate) request_id: Slot,
    pub(crate) reason: Slot,
    /// Whether one of these has more than one block of sources, so that whole blocks are skipped.
    pub(crate) has_long_lists: bool,
    /// Bit `n` is set when list `n` of the plan for JSON is of this form; and of
    /// the plan for XML.
    pub(crate) lists: u64,
    pub(crate) xml_lists: u64,
    /// Those of JSON that are a single object.
    pub(crate) single_lists: u64,
    pub(crate) hints: Vec<Hint<Cell>>,
    pub(crate) ordered_hints: bool,
    /// The waits in standard headers that it does not declare, each with its bit.
    pub(crate) standard_waits: Vec<(u8, Hint<Cell>)>,
    /// The standard headers that it does not read.
    pub(crate) ignored: Vec<Glob>,
}

impl Compiled {
    pub(crate) fn new(spec: Spec) -> Self {
        let mut plan = Plans::new(spec.spelling);
        let readings = spec.readings().map(|reading| compile(reading, &spec.reading, &mut plan));
        let readings: Vec<_> = readings.collect();
        let mut compiled = |flags: &[Flag<PathSpec>]| -> Vec<_> {
            let flags = flags.iter().filter_map(|flag| {
                let place = flag.place.compile(|path| cell(&mut plan, path))?;
                Some(Flag { place, says: flag.says.clone() })
            });
            flags.collect()
        };
        let (flags, standard_flags) = (compiled(&spec.flags), compiled(&standard::flags(&spec.flags)));
        let hints = readings.iter().flat_map(|reading| &reading.hints).map(|hint| &hint.place);
        let places = hints.chain(flags.iter().map(|flag| &flag.place));
        let hint_cells = places.fold(0, |cells, place| cells | place.cells());
        let mut of_responses = spec.errors.iter().filter(|rule| !rule.is_of_events());
        let signals_by_head = of_responses.clone().any(ErrorRule::may_hold_by_head);
        let signals_in_body = of_responses.any(|rule| rule.clauses.iter().any(|clause| !clause.predicates.is_empty()));
        let is_asked = (signals_in_body || signals_by_head) && (spec.says_not_processed() || spec.leads_to_refresh());
        let data = if is_asked { plan_data(&mut plan) } else { None };
        let null_is_data = spec.tells_by_data();
        let rules = spec.rules.iter().map(|(when, _)| conditions(when, &mut plan)).collect();
        let cooldown = spec.cooldown.compile(|path| cell(&mut plan, path));
        let errors = spec.errors.iter().map(|rule| error_rule(rule, &mut plan)).collect();
        plan.json.unwrap_arrays();
        let plan = plan.finish();
        let signal = signal_rules(&spec);
        let success = SuccessHints::new(&spec);
        let first_status = spec.statuses.keys().next().copied().unwrap_or(u16::MAX);
        Self {
            spec,
            first_status,
            plan,
            readings,
            flags,
            standard_flags,
            hint_cells,
            data,
            null_is_data,
            success,
            rules,
            cooldown,
            errors,
            signals_in_body,
            signals_by_head,
            signal,
        }
    }
}

fn cell(plan: &mut Plans, wanted: &PathSpec) -> Option<Cell> {
    plan.cell(&wanted.path, &wanted.merge)
}

fn source_cell(plan: &mut Plans, wanted: &PathSpec, kind: Kind) -> Option<Cell> {
    let merge = match (&wanted.merge, kind) {
        (Merge::Last, Kind::Sentence) => &Merge::Sentence,
        (Merge::Last, Kind::Symbol | Kind::Token) => &Merge::Code,
        (says_which, _) => says_which,
    };
    plan.cell(&wanted.path, merge)
}

/// The member that GraphQL and many others keep the result in.
fn plan_data(plan: &mut Plans) -> Option<Cell> {
    cell(plan, &PathSpec::one(Path::parse("data").ok()?))
}

fn conditions(when: &[Condition<PathSpec>], plan: &mut Plans) -> Vec<Condition<Cell>> {
    let mut compiled: Vec<_> = when.iter().filter_map(|condition| condition.compile(|path| cell(plan, path))).collect();
    // All of them must hold, in any order. Comparing the message takes the longest, and the status decides most often.
    compiled.sort_by_key(Condition::cost);
    compiled
}

fn compile(reading: &spec::Reading, last: &spec::Reading, plan: &mut Plans) -> Reading {
    let mut sources = |own: &Option<Vec<Source<PathSpec>>>, last: &Option<Vec<Source<PathSpec>>>| {
        let sources = own.as_ref().or(last.as_ref()).into_iter().flatten();
        Slot::new(sources.filter_map(|source| source.compile(|path| source_cell(plan, path, source.kind))).collect())
    };
    let code = sources(&reading.code, &last.code);
    let message = sources(&reading.message, &last.message);
    let request_id = sources(&reading.request_id, &last.request_id);
    let reason = sources(&reading.reason, &last.reason);
    let fields = reading.fields.as_ref().or(last.fields.as_ref()).into_iter().flatten();
    let (of_xml, of_json): (Vec<_>, Vec<_>) = fields.partition(|list| list.at().is_xml());
    let (lists, single_lists) = of_json.into_iter().fold((0, 0), |(lists, singles), list| {
        let bit = plan.json.list(list);
        (lists | bit, if list.is_single() { singles | bit } else { singles })
    });
    let xml_lists = of_xml.into_iter().fold(0, |lists, list| lists | plan.xml.list(list));
    let own = reading.hints.as_ref().or(last.hints.as_ref()).into_iter().flatten();
    let ignored = reading.ignored.as_ref().or(last.ignored.as_ref()).cloned().unwrap_or_default();
    let hints: Vec<_> = own.filter_map(|hint| hint.compile(|path| cell(plan, path))).collect();
    let standard_waits = standard::waits(&hints, &ignored);
    let has_long_lists = [&code, &message, &request_id, &reason].into_iter().any(Slot::is_long);
    Reading {
        has_long_lists,
        code,
        message,
        request_id,
        reason,
        lists,
        xml_lists,
        single_lists,
        hints,
        standard_waits,
        ignored,
        when: When::new(conditions(&reading.when, plan)),
        ordered_hints: reading.ordered_hints.or(last.ordered_hints).unwrap_or_default(),
    }
}

fn error_rule(rule: &ErrorRule<PathSpec>, plan: &mut Plans) -> ErrorRule<Cell> {
    let clauses = rule.clauses.iter().map(|clause| {
        let predicates = clause.predicates.iter().flat_map(|(wanted, test)| with_inside(wanted, test));
        let predicates = predicates.filter_map(|(wanted, test)| Some((cell(plan, &wanted)?, test))).collect();
        Clause { negated: clause.negated, predicates, headers: clause.headers.clone() }
    });
    let clauses = clauses.collect();
    ErrorRule { clauses, when: conditions(&rule.when, plan) }
}

/// Compiles the error rules with a plan of their own.
fn signal_rules(spec: &Spec) -> SignalRules {
    let mut plan = Plans::new(spec.spelling);
    let errors = spec.errors.iter().map(|rule| error_rule(rule, &mut plan)).collect();
    SignalRules::new(errors, plan.finish())
}

/// Asks of a member that must not be empty for what lies in it, too: elements
/// first, then members.
fn with_inside(wanted: &PathSpec, test: &Test) -> Vec<(PathSpec, Test)> {
    if wanted.path.is_xml() {
        return vec![(wanted.clone(), test.of_xml())];
    }
    let own = (wanted.clone(), test.clone());
    if *test != Test::NonEmpty {
        return vec![own];
    }
    let inside = |step: Step| (PathSpec { path: wanted.path.join(&[step]), merge: Merge::First }, Test::NotNull);
    vec![own, inside(Step::Each), inside(Step::Any)]
}
