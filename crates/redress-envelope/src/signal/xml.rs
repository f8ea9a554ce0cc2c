//! The signal of a body that is XML.

use std::collections::HashSet;

use super::Decision;
use super::rules::SignalRules;
use super::sink::SignalSink;
use crate::cells::{Value, bit};
use crate::json::Unreadable;
use crate::plan::NodeId;
use crate::xml::{Scanner, Sink, Walk, is_of_namespaces};

/// How far a document was read.
#[derive(Debug, Default)]
pub(super) struct XmlReader {
    scanner: Scanner,
    walk: Walk,
    /// The places of the attribute in hand.
    attribute: Vec<NodeId>,
}

/// The sink: where the scan stands, and what is known.
struct XmlSignalSink<'w> {
    walk: &'w mut Walk,
    attribute: &'w mut Vec<NodeId>,
    sink: &'w mut SignalSink,
}

impl XmlReader {
    pub(super) fn feed(&mut self, chunk: &[u8], sink: &mut SignalSink) -> Result<(), Unreadable> {
        let Self { scanner, walk, attribute } = self;
        scanner.feed(chunk, &mut XmlSignalSink { walk, attribute, sink })
    }
}

impl XmlSignalSink<'_> {
    fn record(&mut self, place: NodeId, value: Value<'_>, text: Option<&str>) {
        let predicates = self.sink.rules().at_xml(place);
        if predicates != 0 {
            self.sink.record_on(predicates, value, text);
        }
    }

    /// Takes a value of the innermost element.
    fn record_here(&mut self, value: Value<'_>, text: Option<&str>) {
        for at in 0..self.walk.here().len() {
            self.record(self.walk.here()[at], value, text);
        }
    }

    /// Gives up the members that cannot come any more, once the root element is
    /// known: those of another root, and those of attributes that it does not have.
    fn give_up(&mut self, may_have_attributes: bool) {
        let reachable = reachable(self.sink.rules(), self.walk, may_have_attributes);
        self.sink.exclude(!reachable);
    }
}

impl Sink for XmlSignalSink<'_> {
    const STRICT: bool = false;
    /// Longer than any text that a dialect compares with.
    const MAX_TEXT: usize = 512;
    const EMBEDS: bool = false;

    fn open(&mut self, name: &[u8]) {
        self.record_here(Value::Object, None);
        self.walk.open(&self.sink.rules().plan.xml, name);
        if self.walk.depth() == 1 {
            self.give_up(true);
        }
    }

    fn attribute(&mut self, name: &[u8]) -> bool {
        if !is_of_namespaces(name) {
            self.record_here(Value::Object, None);
        }
        *self.attribute = self.walk.attribute(&self.sink.rules().plan.xml, name);
        !self.attribute.is_empty()
    }

    fn value(&mut self, text: &str) {
        for place in std::mem::take(self.attribute) {
            self.record(place, Value::Text(text), Some(text));
        }
    }

    fn opened(&mut self) -> bool {
        if self.walk.depth() == 1 {
            self.give_up(false);
        }
        let plan = &self.sink.rules().plan.xml;
        self.walk.here().iter().any(|place| !plan.node_at(*place).cells.is_empty())
    }

    fn close(&mut self, text: &str) {
        if !text.is_empty() {
            self.record_here(Value::Text(text), Some(text));
        }
        self.walk.close();
        if self.walk.depth() == 0 {
            self.sink.exclude(u64::MAX);
        }
    }

    fn is_done(&self) -> bool {
        self.sink.decision != Decision::Undecided
    }
}

/// Returns the members that may still come in the root element, numbered
/// through all rules.
fn reachable(rules: &SignalRules, walk: &Walk, may_have_attributes: bool) -> u64 {
    let plan = &rules.plan.xml;
    let (mut cells, mut seen) = (0, HashSet::new());
    let mut places: Vec<NodeId> = plan.xml_anywhere().into_iter().collect();
    for root in walk.here() {
        let node = plan.node_at(*root);
        node.cells.iter().for_each(|cell| cells |= bit(*cell));
        let inside = node.children().filter(|(name, _)| may_have_attributes || !name.starts_with(b"@"));
        places.extend(inside.map(|(_, place)| place));
    }
    while let Some(place) = places.pop() {
        if seen.insert(place) {
            let node = plan.node_at(place);
            node.cells.iter().for_each(|cell| cells |= bit(*cell));
            places.extend(node.children().map(|(_, place)| place));
        }
    }
    rules.on_cells(cells)
}
