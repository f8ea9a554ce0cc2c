//! A full read: what a scan gathers for an envelope.

use std::borrow::Cow;

use crate::cells::{Cells, Value};
use crate::fields::Fields;
use crate::json::{Container, Scalar, Sink, Unreadable, Want};
use crate::plan::{NodeId, Plan, Role};
use crate::walk::Walk;

/// The sink of a full read.
pub(super) struct Gathered<'a, 'p> {
    plan: &'p Plan,
    walk: Walk,
    /// The place of the value in hand; only asked for where there is one.
    node: NodeId,
    pub(super) cells: Cells<'a>,
    pub(super) fields: Fields<'a>,
    /// The body, where all of it is one text.
    pub(super) root_text: Option<Cow<'a, str>>,
    /// Whether the body is nothing but a number, a truth value or `null`.
    pub(super) is_bare: bool,
}

impl<'p> Gathered<'_, 'p> {
    pub(super) fn new(plan: &'p Plan) -> Self {
        let (cells, fields) = (Cells::new(), Fields::new());
        Self { plan, walk: Walk::new(), node: 0, cells, fields, root_text: None, is_bare: false }
    }
}

impl<'a> Sink<'a> for Gathered<'a, '_> {
    const STRICT: bool = true;
    const MAX_TEXT: usize = usize::MAX;

    #[inline(always)]
    fn value(&mut self) -> Want {
        let Some(node) = self.walk.value(self.plan) else { return Want::Nothing };
        self.node = node;
        let node = self.plan.node_at(node);
        if node.of_fields {
            self.fields.begin(node.role);
        }
        Want::All
    }

    #[inline(always)]
    fn open(&mut self, container: Container) -> Result<Want, Unreadable> {
        if self.walk.at_root() && !self.plan.may_begin_with(container) {
            return Err(Unreadable::WrongRoot);
        }
        let node = self.plan.node_at(self.node);
        for cell in &node.cells {
            let value = if container == Container::Object { Value::Object } else { Value::Array };
            self.cells.put(self.plan, *cell, self.walk.depth(), value);
        }
        let named = if self.walk.in_array() { self.walk.top().named } else { self.fields.named(node.role) };
        self.walk.open(self.node, container, named);
        Ok(if node.wants_inside(container) { Want::All } else { Want::Nothing })
    }

    #[inline(always)]
    fn close(&mut self) {
        let closed = self.walk.close();
        let node = self.plan.node_at(closed);
        if node.of_fields {
            self.fields.end(node.role);
        }
    }

    #[inline(always)]
    fn key(&mut self, name: Cow<'a, [u8]>) {
        let Some(node) = self.walk.key(self.plan, &name) else { return };
        let node = self.plan.node_at(node);
        self.cells.forget(node.cells_below);
        if node.of_fields {
            self.fields.key(node, self.walk.top().named, name);
        }
    }

    #[inline(always)]
    fn scalar(&mut self, scalar: Scalar<'a>) {
        if self.walk.at_root() {
            match scalar {
                Scalar::Text(text) => self.root_text = Some(text).filter(|text| !text.is_empty()),
                _ => self.is_bare = true,
            }
            return;
        }
        let node = self.plan.node_at(self.node);
        if node.role != Role::None && !node.cells.is_empty() {
            self.fields.scalar(node.role, scalar.clone());
        } else if node.role != Role::None {
            return self.fields.scalar(node.role, scalar);
        }
        if let Some((last, others)) = node.cells.split_last() {
            let depth = self.walk.depth();
            others.iter().for_each(|cell| self.cells.put_scalar(self.plan, *cell, depth, scalar.clone()));
            self.cells.put_scalar(self.plan, *last, depth, scalar);
        }
    }

    #[inline(always)]
    fn text(&mut self, text: &'a str) {
        let node = self.plan.node_at(self.node);
        if node.role != Role::None || node.cells.len() != 1 || self.walk.at_root() {
            return self.scalar(Scalar::Text(Cow::Borrowed(text)));
        }
        self.cells.put(self.plan, node.cells[0], self.walk.depth(), Value::Text(text));
    }

    #[inline(always)]
    fn is_done(&self) -> bool {
        false
    }
}
