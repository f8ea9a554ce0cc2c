//! A full read of XML.

use std::borrow::Cow;

use crate::cells::{Cells, Value};
use crate::fields::Fields;
use crate::json::{Scalar, Unreadable};
use crate::plan::{FieldRole, NodeId, Plan};
use crate::xml::{Scanner, Sink, Walk, is_of_namespaces};

/// Gathers the elements and attributes that a plan names.
pub(super) struct XmlSink<'a, 'p> {
    plan: &'p Plan,
    walk: Walk,
    /// The places of the attribute in hand.
    attribute: Vec<NodeId>,
    /// Its name, where it may select the element.
    selector: Vec<u8>,
    pub(super) cells: Cells<'a>,
    pub(super) fields: Fields<'a>,
}

impl<'a, 'p> XmlSink<'a, 'p> {
    /// Reads a document. Returns the values with the error that ended the read, if
    /// any; `None` if the body does not begin as XML.
    pub(super) fn read<'b>(
        plan: &'p Plan,
        mut pieces: impl Iterator<Item = &'b [u8]>,
    ) -> Option<(Self, Result<(), Unreadable>)> {
        let (walk, cells, fields) = (Walk::default(), Cells::new(), Fields::new());
        let mut document = Self { plan, walk, attribute: Vec::new(), selector: Vec::new(), cells, fields };
        let mut scanner = Scanner::default();
        let end = pieces.try_for_each(|piece| scanner.feed(piece, &mut document)).and_then(|()| scanner.finish());
        scanner.has_root().then_some((document, end))
    }

    /// Takes the text of an element or an attribute at a place.
    fn note(&mut self, place: NodeId, text: &str) {
        let (node, depth) = (self.plan.node_at(place), self.walk.depth());
        for cell in &node.cells {
            self.cells.put_scalar(self.plan, *cell, depth, Scalar::Text(Cow::Owned(text.to_owned())));
        }
        if node.role != FieldRole::None {
            self.fields.text(node.role, Cow::Owned(text.to_owned()));
        }
    }

    /// Records that the innermost element has something in it.
    fn note_inside(&mut self) {
        for place in self.walk.here() {
            for cell in &self.plan.node_at(*place).cells {
                self.cells.put(self.plan, *cell, self.walk.depth(), Value::Object);
            }
        }
    }
}

impl Sink for XmlSink<'_, '_> {
    const STRICT: bool = true;
    const MAX_TEXT: usize = 4096;
    const EMBEDS: bool = true;

    fn open(&mut self, name: &[u8]) {
        self.note_inside();
        self.walk.open(self.plan, name);
        for place in self.walk.here() {
            self.fields.begin(self.plan.node_at(*place).role);
        }
    }

    fn attribute(&mut self, name: &[u8]) -> bool {
        if !is_of_namespaces(name) {
            self.note_inside();
        }
        self.attribute = self.walk.attribute(self.plan, name);
        if self.plan.selects {
            self.selector = name.to_vec();
        }
        !self.attribute.is_empty() || self.plan.selects
    }

    fn value(&mut self, text: &str) {
        for place in std::mem::take(&mut self.attribute) {
            self.note(place, text);
        }
        if self.plan.selects {
            let before = self.walk.select(self.plan, &std::mem::take(&mut self.selector), text);
            for place in &self.walk.here()[before..] {
                self.fields.begin(self.plan.node_at(*place).role);
            }
        }
    }

    fn opened(&mut self) -> bool {
        let wants = |place: &NodeId| {
            let node = self.plan.node_at(*place);
            !node.cells.is_empty() || node.role != FieldRole::None || self.plan.xml_text(*place).is_some()
        };
        self.walk.here().iter().any(wants)
    }

    fn close(&mut self, text: &str) {
        for at in 0..self.walk.here().len() {
            let place = self.walk.here()[at];
            if !text.is_empty() {
                self.note(place, text);
                if let Some(own) = self.plan.xml_text(place) {
                    self.note(own, text);
                }
            }
        }
        for place in self.walk.here().iter().rev() {
            self.fields.end(self.plan.node_at(*place).role);
        }
        self.walk.close();
    }

    fn is_done(&self) -> bool {
        false
    }
}
