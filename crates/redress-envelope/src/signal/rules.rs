//! The error rules of a dialect, prepared for the evaluation of a body that is
//! still arriving.

use super::{Decision, MAX_PREDICATES};
use crate::cells::{self, Cell, Value};
use crate::dialect::{ErrorRule, Test};
use crate::head::Head;
use crate::plan::{Merge, NodeId, Plan, Plans};

/// The error rules of a dialect, with the plan of the members that they ask for
/// and nothing else.
///
/// The predicates of all rules are numbered in one sequence, so that a set of
/// them is a mask: which of them a value concerns, and whether a clause holds,
/// are questions of few instructions.
#[derive(Debug)]
pub(crate) struct SignalRules {
    pub(super) plan: Plans,
    errors: Vec<ErrorRule<Cell>>,
    /// The clauses of each rule.
    clauses: Vec<Vec<ClauseMask>>,
    /// The predicates of all clauses, in order.
    predicates: Vec<Predicate>,
    /// The predicates on the value at each node of the plan for JSON, and of the
    /// plan for XML.
    at_json: Vec<u64>,
    at_xml: Vec<u64>,
    /// The predicates on an element or attribute of XML.
    pub(super) of_xml: u64,
    /// The predicates that a container fulfils by what lies in it: by one of the
    /// two that follow.
    by_content: u64,
    /// Whether a head can decide anything about a rule.
    depends_on_head: bool,
}

/// The predicates of one clause.
#[derive(Clone, Copy, Debug)]
struct ClauseMask {
    predicates: u64,
    negated: bool,
}

/// A test of the value in a cell.
#[derive(Debug)]
struct Predicate {
    cell: Cell,
    test: Test,
    /// Whether there is one value, and not one for each place that a wildcard
    /// stands for.
    is_single: bool,
}

/// The state of the predicates while a body arrives, and the rules that are for
/// responses with its head.
#[derive(Clone, Copy, Debug)]
pub(super) struct Evaluation {
    /// Bit `n` is set when rule `n` is for such responses.
    rules: u64,
    /// Bit `n` is set while predicate `n` may still be fulfilled; and once it was.
    open: u64,
    held: u64,
}

impl SignalRules {
    /// Prepares rules whose members are cells of a plan.
    pub(crate) fn new(errors: Vec<ErrorRule<Cell>>, plan: Plans) -> Self {
        let (mut predicates, mut clauses) = (Vec::new(), Vec::new());
        for rule in &errors {
            let mut masks = Vec::new();
            for clause in &rule.clauses {
                let first = predicates.len();
                predicates.extend(clause.predicates.iter().map(|(cell, test)| Predicate {
                    cell: *cell,
                    test: test.clone(),
                    is_single: *plan.merge_rule(*cell) == Merge::Last,
                }));
                let mask = (first..predicates.len()).fold(0, |mask, nth| mask | bit(nth));
                masks.push(ClauseMask { predicates: mask, negated: clause.negated });
            }
            clauses.push(masks);
        }
        Self {
            clauses,
            at_json: at_nodes(&plan.json, &predicates),
            at_xml: at_nodes(&plan.xml, &predicates),
            of_xml: mask(&predicates, |predicate| Plans::is_xml(predicate.cell)),
            by_content: mask(&predicates, |predicate| predicate.test == Test::NonEmpty && predicate.is_single),
            depends_on_head: errors.iter().any(ErrorRule::depends_on_head),
            predicates,
            errors,
            plan,
        }
    }

    /// Returns the predicates on the value at a node of the plan for JSON.
    #[inline(always)]
    pub(super) fn at_json(&self, node: NodeId) -> u64 {
        self.at_json[usize::from(node)]
    }

    /// Returns the predicates on the value at a node of the plan for XML.
    pub(super) fn at_xml(&self, node: NodeId) -> u64 {
        self.at_xml[usize::from(node)]
    }

    /// Begins the evaluation for a response with this head, which may decide by
    /// itself.
    #[inline]
    pub(super) fn begin(&self, head: &Head<'_>) -> (Evaluation, Decision) {
        if self.depends_on_head || head.is_error_event() {
            return self.begin_by_head(head);
        }
        let rules = (0..self.clauses.len()).fold(0, |rules, nth| rules | bit(nth));
        if rules == 0 {
            return (Evaluation { rules, open: 0, held: 0 }, Decision::Success);
        }
        (Evaluation { rules, open: u64::MAX, held: 0 }, Decision::Undecided)
    }

    /// Decides what the head decides, and selects the rules that are for the body
    /// of such a response.
    #[inline(never)]
    fn begin_by_head(&self, head: &Head<'_>) -> (Evaluation, Decision) {
        let mut evaluation = Evaluation { rules: 0, open: u64::MAX, held: 0 };
        let mut decision = Decision::Success;
        for (nth, (rule, masks)) in self.errors.iter().zip(&self.clauses).enumerate() {
            match rule.of_head(head) {
                Some(true) => decision = Decision::Error,
                Some(false) => {}
                None => evaluation.rules |= bit(nth),
            }
            for (clause, mask) in rule.clauses.iter().zip(masks) {
                // A header that is what it must be stands for the members of its clause.
                if !clause.headers.is_empty() && clause.of_head(head).is_some() {
                    evaluation.held |= mask.predicates;
                }
            }
        }
        if head.is_error_event() {
            decision = Decision::Error;
        } else if evaluation.rules == 0 {
            evaluation.open = 0;
        } else if decision == Decision::Success {
            decision = Decision::Undecided;
        }
        (evaluation, decision)
    }

    /// Takes a value that these predicates are on, and `text`, its text if it has
    /// one.
    #[inline]
    pub(super) fn record(&self, evaluation: &mut Evaluation, predicates: u64, value: Value<'_>, text: Option<&str>) {
        let mut left = predicates & evaluation.open;
        while left != 0 {
            let nth = left.trailing_zeros();
            left &= left - 1;
            let Predicate { test, is_single, .. } = &self.predicates[nth as usize];
            if !is_single && (value == Value::Null || text == Some("")) {
                // Of several, the first that says something decides.
                continue;
            }
            if test.holds(value, text) {
                evaluation.held |= 1 << nth;
                evaluation.open &= !(1 << nth);
            } else if *is_single {
                // For a value that may be empty, the content of a container is still to come.
                let inside = *test == Test::NonEmpty && !value.is_container();
                evaluation.open &= !(if inside { 0b111 } else { 0b1 } << nth);
            } else if !value.is_container() {
                evaluation.open &= !(1 << nth);
            }
        }
    }

    /// Records that nothing more lies in a container that these predicates are on.
    #[inline]
    pub(super) fn end(&self, evaluation: &mut Evaluation, predicates: u64) {
        let ended = predicates & self.by_content;
        evaluation.open &= !(ended << 1 | ended << 2);
    }

    /// Decides if every rule is certain, or one that holds is.
    #[inline]
    pub(super) fn decide(&self, evaluation: &Evaluation) -> Decision {
        let mut decision = Decision::Success;
        for (nth, clauses) in self.clauses.iter().enumerate() {
            if evaluation.rules & 1 << nth != 0 {
                match evaluation.holds(clauses) {
                    Some(true) => return Decision::Error,
                    Some(false) => {}
                    None => decision = Decision::Undecided,
                }
            }
        }
        decision
    }

    /// Returns the predicates on cells that are in a mask.
    pub(super) fn on_cells(&self, cells: u128) -> u64 {
        mask(&self.predicates, |predicate| cells & cells::bit(predicate.cell) != 0)
    }
}

impl Evaluation {
    /// Records that these predicates will not be fulfilled any more.
    #[inline]
    pub(super) const fn exclude(&mut self, predicates: u64) {
        self.open &= !predicates;
    }

    /// Returns `true` if a rule holds; `None` when that is uncertain.
    #[inline]
    fn holds(&self, clauses: &[ClauseMask]) -> Option<bool> {
        let mut certain = true;
        // The head has decided a clause without predicates, and the rule is still there.
        for ClauseMask { predicates, negated } in clauses.iter().filter(|clause| clause.predicates != 0) {
            let clause_holds = if self.held & predicates != 0 {
                Some(!negated)
            } else {
                (self.open & predicates == 0).then_some(*negated)
            };
            match clause_holds {
                Some(false) => return Some(false),
                Some(true) => {}
                None => certain = false,
            }
        }
        certain.then_some(true)
    }
}

/// Returns, for each node of a plan, the predicates on the value there.
fn at_nodes(plan: &Plan, predicates: &[Predicate]) -> Vec<u64> {
    let on = |cell: Cell| mask(predicates, |predicate| predicate.cell == cell);
    let nodes = (0..).take(plan.places()).map(|id| plan.node_at(id));
    nodes.map(|node| node.cells.iter().fold(0, |mask, cell| mask | on(*cell))).collect()
}

/// Returns a mask of the predicates that `is_one` selects.
fn mask(predicates: &[Predicate], is_one: impl Fn(&Predicate) -> bool) -> u64 {
    let selected = predicates.iter().enumerate().filter(|(_, predicate)| is_one(predicate));
    selected.fold(0, |mask, (nth, _)| mask | bit(nth))
}

/// Returns the bit of a predicate or rule; none beyond the limit of a mask,
/// which a file with a mistake may exceed.
const fn bit(nth: usize) -> u64 {
    if nth < MAX_PREDICATES { 1 << nth } else { 0 }
}
