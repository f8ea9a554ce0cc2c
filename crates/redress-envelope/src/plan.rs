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
    /// Whether the path, or the message, of an item lies at or below this place.
    pub(crate) paths_below: bool,
    pub(crate) messages_below: bool,
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
    /// A list of messages under the name of its field; a single text there may be anything.
    Entry(u8),
    EntryMessage(u8),
}

/// How an API lists the faults of single fields.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum FieldList {
    /// An array of objects that have a path and a message.
    List { at: Path, path: Path, message: Path },
    /// An object from the name of a field to the list of its messages.
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

    /// Ends the building: what holds for every member, or every element, holds for those named by a path too.
    pub(crate) fn finish(mut self) -> Self {
        for at in 0..self.nodes.len() {
            let Node { keys, indices, any_key, each, .. } = self.nodes[at].clone();
            if let Some(any) = any_key {
                keys.iter().for_each(|(_, named)| self.merge(any, *named));
            }
            if let Some(each) = each {
                indices.iter().for_each(|(_, named)| self.merge(each, *named));
            }
        }
        self.mark_below(0);
        self
    }

    /// Adds to a place what holds at another one.
    fn merge(&mut self, from: NodeId, into: NodeId) {
        let Node { keys, indices, any_key, each, role, .. } = self.node_at(from).clone();
        let node = &mut self.nodes[usize::from(into)];
        if node.role == Role::None {
            node.role = role;
        }
        let mut both = Vec::new();
        for (slot, child) in [(&mut node.any_key, any_key), (&mut node.each, each)] {
            match (*slot, child) {
                (Some(known), Some(child)) => both.push((child, known)),
                _ => *slot = slot.or(child),
            }
        }
        for (name, child) in keys {
            match node.keys.iter().find(|(known, _)| *known == name) {
                Some((_, known)) => both.push((child, *known)),
                None => node.keys.push((name, child)),
            }
        }
        for (index, child) in indices {
            match node.indices.iter().find(|(known, _)| *known == index) {
                Some((_, known)) => both.push((child, *known)),
                None => node.indices.push((index, child)),
            }
        }
        both.into_iter().for_each(|(from, into)| self.merge(from, into));
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

    /// Notes at each place what lies at and below it.
    fn mark_below(&mut self, id: NodeId) {
        let mut node = self.node_at(id).clone();
        node.cells_below = node.cell.map_or(0, |cell| 1 << cell);
        match node.role {
            Role::Item(list) | Role::Entry(list) | Role::EntryMessage(list) => node.lists_below = 1 << list,
            Role::ItemPath => node.paths_below = true,
            Role::ItemMessage => node.messages_below = true,
            Role::None => {}
        }
        let named = node.keys.iter().map(|(_, id)| *id).chain(node.indices.iter().map(|(_, id)| *id));
        let children: Vec<NodeId> = named.chain(node.any_key).chain(node.each).collect();
        for child in children {
            self.mark_below(child);
            let below = self.node_at(child);
            node.cells_below |= below.cells_below;
            node.lists_below |= below.lists_below;
            node.paths_below |= below.paths_below;
            node.messages_below |= below.messages_below;
        }
        self.nodes[usize::from(id)] = node;
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
