//! The sink of a signal: follows a scan, and hands the values that the error
//! rules ask for to their evaluation.

use std::borrow::Cow;

use super::Decision;
use super::rules::{Evaluation, SignalRules};
use crate::cells::Value;
use crate::dialect::Dialect;
use crate::head::Head;
use crate::json::{Container, Interest, Scalar, Sink, Unreadable};
use crate::plan::NodeId;
use crate::walk::Walk;

/// Evaluates the error rules of a dialect while the members that they ask for
/// arrive.
#[derive(Debug)]
pub(super) struct SignalSink {
    dialect: Dialect,
    walk: Walk,
    /// The node of the current value.
    node: NodeId,
    evaluation: Evaluation,
    pub(super) decision: Decision,
}

impl SignalSink {
    /// Creates the sink for a response with this head, which may decide by itself.
    #[inline]
    pub(super) fn new(dialect: &Dialect, head: &Head<'_>) -> Self {
        let (evaluation, decision) = dialect.compiled().signal.begin(head);
        Self { dialect: dialect.clone(), walk: Walk::new(), node: 0, evaluation, decision }
    }

    #[inline(always)]
    pub(super) fn rules(&self) -> &SignalRules {
        &self.dialect.compiled().signal
    }

    /// Takes a value at the place in hand, and `text`, its text if it has one.
    #[inline]
    fn record(&mut self, value: Value<'_>, text: Option<&str>) {
        let predicates = self.rules().at_json(self.node);
        if predicates != 0 {
            self.record_on(predicates, value, text);
        }
    }

    /// Takes a value that these predicates are on.
    pub(super) fn record_on(&mut self, predicates: u64, value: Value<'_>, text: Option<&str>) {
        let rules = &self.dialect.compiled().signal;
        rules.record(&mut self.evaluation, predicates, value, text);
        self.decision = rules.decide(&self.evaluation);
    }

    /// Records that these predicates will not be fulfilled any more.
    pub(super) fn exclude(&mut self, predicates: u64) {
        self.evaluation.exclude(predicates);
        self.decision = self.rules().decide(&self.evaluation);
    }

    /// Records that nothing more lies in the container at a node.
    #[inline]
    fn end(&mut self, node: NodeId) {
        let rules = &self.dialect.compiled().signal;
        let predicates = rules.at_json(node);
        if predicates != 0 {
            rules.end(&mut self.evaluation, predicates);
            self.decision = rules.decide(&self.evaluation);
        }
    }
}

impl<'a> Sink<'a> for SignalSink {
    const STRICT: bool = false;
    /// Longer than any text that a dialect compares with.
    const MAX_TEXT: usize = 512;

    fn value(&mut self) -> Interest {
        let Some(node) = self.walk.value(&self.dialect.compiled().signal.plan.json) else { return Interest::Skip };
        self.node = node;
        Interest::Read
    }

    fn open(&mut self, container: Container) -> Result<Interest, Unreadable> {
        let plan = &self.rules().plan.json;
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
            self.exclude(u64::MAX);
        } else {
            self.end(closed);
        }
    }

    fn key(&mut self, name: Cow<'a, [u8]>) {
        let plan = &self.dialect.compiled().signal.plan.json;
        self.walk.key(plan.node_at(self.walk.top().node), &name);
    }

    #[inline(always)]
    fn member(&mut self, name: &'a str) -> Interest {
        let plan = &self.dialect.compiled().signal.plan.json;
        let inside = plan.node_at(self.walk.top().node);
        let Some(node) = self.walk.key(inside, name.as_bytes()) else { return Interest::Skip };
        self.node = node;
        Interest::Read
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

    #[inline]
    fn text(&mut self, text: &'a str) {
        // A text that is the whole body is reported as a scalar.
        self.record(Value::Text(text), Some(text));
    }

    #[inline]
    fn number(&mut self, number: &'a str) {
        self.record(Value::Number(number), Some(number));
    }

    fn literal(&mut self, value: Option<bool>) {
        self.scalar(value.map_or(Scalar::Null, Scalar::Bool));
    }

    #[inline(always)]
    fn is_done(&self) -> bool {
        self.decision != Decision::Undecided
    }
}
