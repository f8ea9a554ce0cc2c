//! The evaluation of error rules on the events of a scan.

use std::borrow::Cow;

use super::Decision;
use crate::cells::{Cell, Value};
use crate::dialect::{Dialect, ErrorRule, Test};
use crate::head::Head;
use crate::json::{Container, Interest, Scalar, Sink, Unreadable};
use crate::plan::{Merge, Node, NodeId, Plans};
use crate::walk::Walk;

/// Evaluates the error rules of a dialect while the members that they ask for
/// arrive.
///
/// The predicates of all rules are numbered in one sequence, so that their
/// states are bits of two masks.
#[derive(Debug)]
pub(super) struct SignalSink {
    pub(super) dialect: Dialect,
    walk: Walk,
    /// The node of the current value.
    node: NodeId,
    /// Bit `n` is set when rule `n` is for responses with this head.
    rules: u64,
    /// Bit `n` is set while member `n` may still come; and when it was what it must
    /// be.
    open: u64,
    held: u64,
    pub(super) decision: Decision,
}

impl SignalSink {
    /// Creates the sink for a response with this head, which may decide by itself.
    pub(super) fn new(dialect: &Dialect, head: &Head<'_>) -> Self {
        let mut sink = Self {
            dialect: dialect.clone(),
            walk: Walk::new(),
            node: 0,
            rules: 0,
            open: u64::MAX,
            held: 0,
            decision: Decision::Success,
        };
        sink.begin(head);
        sink
    }

    /// Decides what the head decides, and notes which rules are for the body of
    /// such a response.
    fn begin(&mut self, head: &Head<'_>) {
        let mut first = 0;
        for (nth, rule) in self.dialect.compiled().signals.iter().enumerate() {
            match rule.of_head(head) {
                Some(true) => self.decision = Decision::Error,
                Some(false) => {}
                None => self.rules |= 1 << nth,
            }
            for clause in &rule.clauses {
                let predicates = ((1 << clause.predicates.len()) - 1) << first;
                first += clause.predicates.len();
                if clause.predicates.is_empty() || clause.headers.is_empty() {
                    continue;
                }
                // A header that is what it must be stands for the members of its clause.
                if clause.of_head(head).is_some() {
                    self.held |= predicates;
                }
            }
        }
        if head.is_error_event() {
            self.decision = Decision::Error;
        } else if self.rules == 0 {
            self.open = 0;
        } else if self.decision == Decision::Success {
            self.decision = Decision::Undecided;
        }
    }

    /// Takes a value at the place in hand.
    fn record(&mut self, value: Value<'_>, text: Option<&str>) {
        let place = self.node;
        self.record_at(|plans| plans.json.node_at(place), value, text);
    }

    /// Takes a value at a place.
    pub(super) fn record_at(&mut self, place: impl FnOnce(&Plans) -> &Node, value: Value<'_>, text: Option<&str>) {
        let compiled = self.dialect.compiled();
        let cells = &place(&compiled.signal_plan).cells;
        if cells.is_empty() {
            return;
        }
        let (mut open, mut held) = (self.open, self.held);
        for (nth, (cell, test)) in compiled
            .signal_predicates
            .iter()
            .enumerate()
            .filter(|(nth, (cell, _))| cells.contains(cell) && self.open & (1 << nth) != 0)
        {
            let is_one = *compiled.signal_plan.merge_rule(*cell) == Merge::Last;
            if !is_one && (value == Value::Null || text == Some("")) {
                // Of several, the first that says something decides.
                continue;
            }
            if test.holds(value, text) {
                held |= 1 << nth;
                open &= !(1 << nth);
            } else if is_one {
                // For a value that may be empty, the content of a container is still to come.
                let inside = *test == Test::NonEmpty && !value.is_container();
                open &= !(if inside { 0b111 } else { 0b1 } << nth);
            } else if !value.is_container() {
                open &= !(1 << nth);
            }
        }
        (self.open, self.held) = (open, held);
        self.decide();
    }

    /// Records that these members will not come.
    pub(super) fn exclude(&mut self, predicates: u64) {
        self.open &= !predicates;
        self.decide();
    }

    /// Records that nothing more lies in the container at a place.
    fn ended(&mut self, node: NodeId) {
        let compiled = self.dialect.compiled();
        let cells = &compiled.signal_plan.json.node_at(node).cells;
        if cells.is_empty() {
            return;
        }
        for (nth, (cell, test)) in compiled.signal_predicates.iter().enumerate() {
            if cells.contains(cell) && *test == Test::NonEmpty && *compiled.signal_plan.merge_rule(*cell) == Merge::Last
            {
                self.open &= !(0b110 << nth);
            }
        }
        self.decide();
    }

    /// Decides if every rule is certain, or one that holds is.
    fn decide(&mut self) {
        let mut first = 0;
        let mut undecided = false;
        for (nth, rule) in self.dialect.compiled().signals.iter().enumerate() {
            let holds = holds(rule, first, self.open, self.held);
            first += rule.clauses.iter().map(|clause| clause.predicates.len()).sum::<usize>();
            match holds {
                _ if self.rules & (1 << nth) == 0 => {}
                Some(true) => {
                    self.decision = Decision::Error;
                    return;
                }
                Some(false) => {}
                None => undecided = true,
            }
        }
        if !undecided {
            self.decision = Decision::Success;
        }
    }
}

/// Returns `true` if a rule, whose members are numbered from `first` on, holds;
/// `None` when that is uncertain.
fn holds(rule: &ErrorRule<Cell>, mut first: usize, open: u64, held: u64) -> Option<bool> {
    let mut certain = true;
    for clause in &rule.clauses {
        let predicates = ((1 << clause.predicates.len()) - 1) << first;
        first += clause.predicates.len();
        if clause.predicates.is_empty() {
            // The head has decided it, and the rule is still there.
            continue;
        }
        let clause_holds = if held & predicates != 0 {
            Some(!clause.negated)
        } else {
            (open & predicates == 0).then_some(clause.negated)
        };
        match clause_holds {
            Some(false) => return Some(false),
            Some(true) => {}
            None => certain = false,
        }
    }
    certain.then_some(true)
}

impl<'a> Sink<'a> for SignalSink {
    const STRICT: bool = false;
    /// Longer than any text that a dialect compares with.
    const MAX_TEXT: usize = 512;

    fn value(&mut self) -> Interest {
        let Some(node) = self.walk.value(&self.dialect.compiled().signal_plan.json) else { return Interest::Skip };
        self.node = node;
        Interest::Read
    }

    fn open(&mut self, container: Container) -> Result<Interest, Unreadable> {
        let plan = &self.dialect.compiled().signal_plan.json;
        if self.walk.at_root() && !plan.may_begin_with(container) {
            return Err(Unreadable::WrongRoot);
        }
        let inside = if plan.node_at(self.node).wants_inside(container) { Interest::Read } else { Interest::Skip };
        self.record(if container == Container::Object { Value::Object } else { Value::Array }, None);
        self.walk.open(self.node, container, 0);
        Ok(inside)
    }

    fn close(&mut self) {
        let closed = self.walk.close();
        if self.walk.at_root() {
            self.open = 0;
            self.decide();
        } else {
            self.ended(closed);
        }
    }

    fn key(&mut self, name: Cow<'a, [u8]>) {
        let plan = &self.dialect.compiled().signal_plan.json;
        self.walk.key(plan.node_at(self.walk.top().node), &name);
    }

    fn member(&mut self, name: &'a str) -> Interest {
        self.key(Cow::Borrowed(name.as_bytes()));
        self.value()
    }

    fn scalar(&mut self, scalar: Scalar<'a>) {
        if self.walk.at_root() {
            self.decision = Decision::Success;
        } else {
            match &scalar {
                Scalar::Null => self.record(Value::Null, None),
                Scalar::Bool(value) => self.record(Value::Bool(*value), Some(if *value { "true" } else { "false" })),
                Scalar::Number(number) => self.record(Value::Number(number), Some(number)),
                Scalar::Text(text) => self.record(Value::Text(text), Some(text)),
            }
        }
    }

    fn text(&mut self, text: &'a str) {
        self.scalar(Scalar::Text(Cow::Borrowed(text)));
    }

    fn number(&mut self, number: &'a str) {
        self.scalar(Scalar::Number(Cow::Borrowed(number)));
    }

    fn literal(&mut self, value: Option<bool>) {
        self.scalar(value.map_or(Scalar::Null, Scalar::Bool));
    }

    fn is_done(&self) -> bool {
        self.decision != Decision::Undecided
    }
}
