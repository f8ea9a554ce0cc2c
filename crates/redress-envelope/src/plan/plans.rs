//! The two plans of a dialect: one for JSON, one for XML.

use super::{MAX_CELLS, Merge, NodeId, Plan, Spelling};
use crate::cells::Cell;
use crate::path::Path;

/// A body is read by one of them. Their cells are numbered apart, so that a
/// cell of the other one is never there.
#[derive(Clone, Debug)]
pub(crate) struct Plans {
    pub(crate) json: Plan,
    pub(crate) xml: Plan,
}

impl Plan {
    /// The names under which the beginnings of paths into XML lie at node 0, and
    /// the text of an element below it: no element is called so.
    pub(super) const ROOT: &str = "/";
    pub(super) const ANYWHERE: &str = "//";
    pub(super) const TEXT: &str = ".";

    /// Returns the place where paths from the root element of a document begin.
    pub(crate) fn xml_root(&self) -> Option<NodeId> {
        self.node_at(0).only_named(Self::ROOT.as_bytes())
    }

    /// Returns the place where paths begin that hold at every depth.
    pub(crate) fn xml_anywhere(&self) -> Option<NodeId> {
        self.node_at(0).only_named(Self::ANYWHERE.as_bytes())
    }

    /// Returns the place of the text of an element.
    pub(crate) fn xml_text(&self, element: NodeId) -> Option<NodeId> {
        self.node_at(element).only_named(Self::TEXT.as_bytes())
    }
}

impl Plans {
    /// The number of the first cell of XML: those of JSON lie below.
    pub(crate) const FIRST_XML: Cell = MAX_CELLS as Cell;

    /// Begins with no paths; names in paths into JSON match as `spelling` says,
    /// those in paths into XML have a mark for that.
    pub(crate) fn new(spelling: Spelling) -> Self {
        Self { json: Plan::of_json(spelling), xml: Plan::new(Self::FIRST_XML, Spelling::Exact) }
    }

    /// Returns `true` if a cell is one of XML.
    pub(crate) const fn is_xml(cell: Cell) -> bool {
        cell >= Self::FIRST_XML
    }

    /// Returns the cell in which the value at `path` will lie; `None` when the plan
    /// is full.
    pub(crate) fn cell(&mut self, path: &Path, merge: &Merge) -> Option<Cell> {
        if path.is_xml() { self.xml.cell(path, merge) } else { self.json.cell(path, merge) }
    }

    /// Returns which of the values that lead to a cell is kept.
    pub(crate) fn merge_rule(&self, cell: Cell) -> &Merge {
        self.of(cell).merge_rule(cell)
    }

    pub(crate) fn path(&self, cell: Cell) -> &Path {
        self.of(cell).path(cell)
    }

    /// Returns both.
    pub(crate) fn each(&self) -> [&Plan; 2] {
        [&self.json, &self.xml]
    }

    pub(crate) fn finish(self) -> Self {
        Self { json: self.json.finish(), xml: self.xml.finish() }
    }

    fn of(&self, cell: Cell) -> &Plan {
        if Self::is_xml(cell) { &self.xml } else { &self.json }
    }
}
