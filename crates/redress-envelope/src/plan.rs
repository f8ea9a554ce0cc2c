//! What to keep of a body, compiled: all paths of a dialect as one tree that a scan walks down.

use crate::json::Scalar;
use crate::path::{Path, Step};

/// How many values one plan may name; they lie in an array of this length while a body is read.
pub(crate) const MAX_CELLS: usize = 32;

/// A node of the tree.
pub(crate) type NodeId = u16;

/// A tree of paths with its root at node 0.
#[derive(Clone, Debug)]
pub(crate) struct Plan {
    nodes: Vec<Node>,
    cells: Vec<Path>,
    lists: u8,
}

/// One place in a body, and what to do with the value found there.
#[derive(Clone, Debug, Default)]
pub(crate) struct Node {
    keys: Vec<(String, NodeId)>,
    any_key: Option<NodeId>,
    indices: Vec<(u32, NodeId)>,
    each: Option<NodeId>,
    /// Where a scalar at this place is kept.
    pub(crate) cell: Option<u8>,
    pub(crate) role: Role,
    /// The cells at and below this place: a repeated key forgets them.
    pub(crate) cells_below: u64,
    /// The field lists at and below this place.
    pub(crate) lists_below: u64,
}

/// The part that a place plays in a list of field errors; the number names the list.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) enum Role {
    #[default]
    None,
    /// An object with a path and a message, or a message.
    Item(u8),
    ItemPath,
    ItemMessage,
    /// A message, or a list of messages, under the name of its field.
    Entry(u8),
    EntryMessage(u8),
}

/// How an API lists the faults of single fields.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum FieldList {
    /// An array of objects that have a path and a message.
    List { at: Path, path: Path, message: Path },
    /// An object from the name of a field to its message or messages.
    Map { at: Path },
}

/// A value that the plan named; a container has no text.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Cell<'a> {
    Scalar(Scalar<'a>),
    Container,
}

impl Plan {
    pub(crate) fn new() -> Self {
        Self { nodes: vec![Node::default()], cells: Vec::new(), lists: 0 }
    }

    /// Returns the cell in which the value at `path` will lie; `None` when the plan is full.
    pub(crate) fn cell(&mut self, path: &Path) -> Option<u8> {
        if let Some(known) = self.cells.iter().position(|cell| cell == path) {
            return u8::try_from(known).ok();
        }
        let cell = u8::try_from(self.cells.len()).ok().filter(|cell| usize::from(*cell) < MAX_CELLS)?;
        self.cells.push(path.clone());
        let node = self.node(path);
        self.nodes[usize::from(node)].cell = Some(cell);
        Some(cell)
    }

    /// Adds a list of field errors.
    pub(crate) fn list(&mut self, list: &FieldList) {
        let id = self.lists;
        self.lists += 1;
        match list {
            FieldList::List { at, path, message } => {
                let item = at.join(&[Step::Each]);
                self.role(&item, Role::Item(id));
                self.role(&item.join(path.steps()), Role::ItemPath);
                self.role(&item.join(message.steps()), Role::ItemMessage);
            }
            FieldList::Map { at } => {
                let entry = at.join(&[Step::Any]);
                self.role(&entry, Role::Entry(id));
                self.role(&entry.join(&[Step::Each]), Role::EntryMessage(id));
            }
        }
    }

    /// Ends the building: members named by one path also play the part that `*` gives to all.
    pub(crate) fn finish(mut self) -> Self {
        for at in 0..self.nodes.len() {
            let named: Vec<NodeId> = self.nodes[at].keys.iter().map(|(_, id)| *id).collect();
            if let Some(any) = self.nodes[at].any_key.map(|any| self.nodes[usize::from(any)].clone()) {
                for id in named {
                    let node = &mut self.nodes[usize::from(id)];
                    if node.role == Role::None {
                        node.role = any.role;
                    }
                    node.each = node.each.or(any.each);
                }
            }
        }
        self.mark_below(0);
        self
    }

    pub(crate) fn node_at(&self, id: NodeId) -> &Node {
        &self.nodes[usize::from(id)]
    }

    fn role(&mut self, path: &Path, role: Role) {
        let node = self.node(path);
        self.nodes[usize::from(node)].role = role;
    }

    fn node(&mut self, path: &Path) -> NodeId {
        path.steps().iter().fold(0, |at, step| self.child(at, step))
    }

    fn child(&mut self, at: NodeId, step: &Step) -> NodeId {
        let next = NodeId::try_from(self.nodes.len()).unwrap_or(NodeId::MAX);
        let node = &mut self.nodes[usize::from(at)];
        let known = match step {
            Step::Key(name) => node.keys.iter().find(|(key, _)| key == name).map(|(_, id)| *id),
            Step::Index(index) => node.indices.iter().find(|(key, _)| key == index).map(|(_, id)| *id),
            Step::Each => node.each,
            Step::Any => node.any_key,
        };
        if let Some(known) = known {
            return known;
        }
        match step {
            Step::Key(name) => node.keys.push((name.clone(), next)),
            Step::Index(index) => node.indices.push((*index, next)),
            Step::Each => node.each = Some(next),
            Step::Any => node.any_key = Some(next),
        }
        self.nodes.push(Node::default());
        next
    }

    fn mark_below(&mut self, id: NodeId) -> (u64, u64) {
        let node = self.node_at(id).clone();
        let mut cells = node.cell.map_or(0, |cell| 1 << cell);
        let mut lists = match node.role {
            Role::Item(list) | Role::Entry(list) | Role::EntryMessage(list) => 1 << list,
            Role::None | Role::ItemPath | Role::ItemMessage => 0,
        };
        let named = node.keys.iter().map(|(_, id)| *id).chain(node.indices.iter().map(|(_, id)| *id));
        for child in named.chain(node.any_key).chain(node.each) {
            let below = self.mark_below(child);
            cells |= below.0;
            lists |= below.1;
        }
        let node = &mut self.nodes[usize::from(id)];
        (node.cells_below, node.lists_below) = (cells, lists);
        (cells, lists)
    }
}

impl Node {
    /// Whether any member of an object at this place matters.
    pub(crate) fn wants_keys(&self) -> bool {
        self.any_key.is_some() || !self.keys.is_empty()
    }

    pub(crate) fn member(&self, name: &str) -> Option<NodeId> {
        self.keys.iter().find(|(key, _)| key == name).map(|(_, id)| *id).or(self.any_key)
    }

    pub(crate) fn element(&self, index: u32) -> Option<NodeId> {
        self.indices.iter().find(|(key, _)| *key == index).map(|(_, id)| *id).or(self.each)
    }
}
