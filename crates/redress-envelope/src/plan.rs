//! What to keep of a body, compiled: all paths of a dialect as one graph that a scan walks down.

use std::collections::HashSet;

use crate::json::Container;
use crate::path::{Path, Step};

/// How many values one plan may name: as many as a mask has bits.
pub(crate) const MAX_CELLS: usize = 128;
/// How many lists of fields one plan may have.
pub(crate) const MAX_LISTS: usize = 16;
/// How many alternatives the parts of an item may have.
pub(crate) const MAX_RANKS: usize = 16;

/// A node of the graph.
pub(crate) type NodeId = u16;

/// Paths that begin at node 0. It is a tree but for what stands for any depth: those nodes lead back to themselves.
#[derive(Clone, Debug)]
pub(crate) struct Plan {
    nodes: Vec<Node>,
    cells: Vec<(Path, Keep)>,
    /// How many values were asked for and not granted.
    refused: usize,
    lists: u8,
    /// Places that a wildcard beside them does not mean.
    excepted: HashSet<NodeId>,
}

/// One place in a body, and what to do with the value found there.
#[derive(Clone, Debug, Default)]
pub(crate) struct Node {
    keys: Vec<(Box<[u8]>, NodeId)>,
    /// Bit `n` is set when a key has `n` bytes, modulo 64.
    lengths: u64,
    any_key: Option<NodeId>,
    indices: Vec<(u32, NodeId)>,
    each: Option<NodeId>,
    /// Where a value at this place is kept.
    pub(crate) cells: Vec<u8>,
    pub(crate) role: Role,
    /// The cells and lists that a repeated key forgets here.
    pub(crate) cells_below: u128,
    pub(crate) lists_below: u16,
    /// The alternatives, by rank, for the parts of an item of a list that a repeated key forgets here.
    pub(crate) paths_below: u32,
    pub(crate) messages_below: u32,
    /// Whether it plays any part in a list of field errors.
    pub(crate) of_fields: bool,
}

/// Which of the values that one path leads to is kept.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub(crate) enum Keep {
    /// There is one; of a repeated member the last.
    Last,
    /// The first that says something: the path has a wildcard.
    First,
    /// All texts, joined.
    Joined(String),
    /// The one that lies deepest, however often the member of this name lies in itself before the path's last step.
    Deepest(String),
}

/// The part that a place plays in a list of field errors; `list` numbers the list, `rank` the alternative, best first.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) enum Role {
    #[default]
    None,
    /// An object with a path and a message; a bare text where the list takes those without a name.
    Item {
        list: u8,
        nameless: bool,
    },
    ItemPath {
        rank: u8,
    },
    /// A part of a path that is a list of parts.
    ItemPathPart {
        rank: u8,
    },
    ItemMessage {
        rank: u8,
    },
    /// A member whose name is, or ends, the name of the field; `leaf` when a text here is its message.
    Name {
        list: u8,
        leaf: bool,
    },
    /// A message under the name.
    Leaf {
        list: u8,
    },
}

/// How an API lists the faults of single fields.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum FieldList {
    /// An array of objects that have a path and a message, or a single such object.
    List { at: Path, path: Vec<Path>, message: Vec<Path>, nameless: bool, single: bool },
    /// An object from the name of a field to its message or messages, or an array of such objects.
    Map { at: Path, except: Vec<String>, message: Vec<Path>, each: bool, texts: bool },
    /// Objects in objects, whose names make the name of a field.
    Tree { at: Path, leaf: Option<String>, message: Vec<Path> },
}

impl Plan {
    pub(crate) fn new() -> Self {
        Self { nodes: vec![Node::default()], cells: Vec::new(), refused: 0, lists: 0, excepted: HashSet::new() }
    }

    /// Returns the cell in which the value at `path` will lie; `None` when the plan is full.
    pub(crate) fn cell(&mut self, path: &Path, keep: &Keep) -> Option<u8> {
        let keep = if *keep == Keep::Last && path.has_wildcard() { &Keep::First } else { keep };
        if let Some(known) = self.cells.iter().position(|(at, how)| at == path && how == keep) {
            return u8::try_from(known).ok();
        }
        let Some(cell) = u8::try_from(self.cells.len()).ok().filter(|cell| usize::from(*cell) < MAX_CELLS) else {
            self.refused += 1;
            return None;
        };
        self.cells.push((path.clone(), keep.clone()));
        let node = self.node(path);
        self.at(node).cells.push(cell);
        if let Keep::Deepest(name) = keep {
            self.deepen(path, name, cell);
        }
        let bit = 1_u128 << cell;
        self.along_names(path, |node| node.cells_below |= bit);
        Some(cell)
    }

    /// Returns how many values were asked for.
    pub(crate) fn values(&self) -> usize {
        self.cells.len() + self.refused
    }

    /// Returns which of the values that lead to a cell is kept.
    pub(crate) fn keep(&self, cell: u8) -> &Keep {
        &self.cells[usize::from(cell)].1
    }

    pub(crate) fn path(&self, cell: u8) -> &Path {
        &self.cells[usize::from(cell)].0
    }

    /// Adds a list of field errors.
    pub(crate) fn list(&mut self, fields: &FieldList) {
        let list = self.lists;
        self.lists += 1;
        let (FieldList::List { at, .. } | FieldList::Map { at, .. } | FieldList::Tree { at, .. }) = fields;
        self.along_names(at, |node| node.lists_below |= 1 << list);
        match fields {
            FieldList::List { at, path, message, nameless, single } => {
                let item = if *single { at.clone() } else { at.join(&[Step::Each]) };
                self.role(&item, Role::Item { list, nameless: *nameless });
                self.item_paths(&item, path);
                self.item_messages(&item, message);
            }
            FieldList::Map { at, except, message, each, texts } => {
                let at = if *each { at.join(&[Step::Each]) } else { at.clone() };
                for name in except {
                    let node = self.node(&at.join(&[Step::Key(name.clone())]));
                    self.excepted.insert(node);
                }
                let name = at.join(&[Step::Any]);
                self.role(&name, Role::Name { list, leaf: *texts });
                self.role(&name.join(&[Step::Each]), Role::Leaf { list });
                for path in message {
                    self.role(&name.join(path.steps()), Role::Leaf { list });
                    self.role(&name.join(&[Step::Each]).join(path.steps()), Role::Leaf { list });
                }
            }
            FieldList::Tree { at, leaf, message } => self.tree(at, leaf.as_deref(), message, list),
        }
    }

    /// Ends the building: what holds for every member, or every element, holds for those named by a path too.
    pub(crate) fn finish(mut self) -> Self {
        let excepted = std::mem::take(&mut self.excepted);
        let mut merged = HashSet::new();
        for at in 0..self.nodes.len() {
            let Node { keys, indices, any_key, each, .. } = self.nodes[at].clone();
            if let Some(any) = any_key {
                let named = keys.iter().map(|(_, named)| *named).filter(|named| !excepted.contains(named));
                named.for_each(|named| self.merge(any, named, &mut merged));
            }
            if let Some(each) = each {
                indices.iter().for_each(|(_, named)| self.merge(each, *named, &mut merged));
            }
        }
        for node in &mut self.nodes {
            node.of_fields =
                node.role != Role::None || (node.lists_below, node.paths_below, node.messages_below) != (0, 0, 0);
            node.lengths = node.keys.iter().fold(0, |lengths, (key, _)| lengths | 1 << (key.len() % 64));
        }
        self
    }

    pub(crate) fn node_at(&self, id: NodeId) -> &Node {
        &self.nodes[usize::from(id)]
    }

    /// Whether a body may have this kind of root.
    pub(crate) fn may_begin_with(&self, container: Container) -> bool {
        let root = self.node_at(0);
        match container {
            Container::Object => root.wants_inside(container) || !root.wants_inside(Container::Array),
            Container::Array => root.wants_inside(container),
        }
    }

    fn item_paths(&mut self, item: &Path, paths: &[Path]) {
        for (path, rank) in paths.iter().zip(0..) {
            let path = item.join(path.steps());
            self.role(&path, Role::ItemPath { rank });
            self.role(&path.join(&[Step::Each]), Role::ItemPathPart { rank });
            self.inside(item, &path, |node| node.paths_below |= 1 << rank);
        }
    }

    fn item_messages(&mut self, item: &Path, messages: &[Path]) {
        for (path, rank) in messages.iter().zip(0..) {
            let path = item.join(path.steps());
            self.role(&path, Role::ItemMessage { rank });
            self.inside(item, &path, |node| node.messages_below |= 1 << rank);
        }
    }

    fn tree(&mut self, at: &Path, leaf: Option<&str>, message: &[Path], list: u8) {
        let any = self.node(&at.join(&[Step::Any]));
        let node = self.at(any);
        node.role = Role::Name { list, leaf: leaf.is_none() };
        (node.any_key, node.each) = (Some(any), Some(any));
        let Some(leaf) = leaf else { return };
        let end = self.node(&at.join(&[Step::Key(leaf.to_owned())]));
        self.excepted.insert(end);
        let node = self.at(end);
        node.role = Role::Leaf { list };
        node.each = Some(end);
        let ends: Vec<_> =
            message.iter().map(|path| path.steps().iter().fold(end, |at, step| self.child(at, step))).collect();
        ends.into_iter().for_each(|end| self.at(end).role = Role::Leaf { list });
        self.at(any).keys.push((leaf.as_bytes().into(), end));
    }

    /// Lets the member `name` lie in itself before the last step of `path`.
    fn deepen(&mut self, path: &Path, name: &str, cell: u8) {
        let Some((last, before)) = path.steps().split_last() else { return };
        let outer = before.iter().fold(0, |at, step| self.child(at, step));
        let inner = self.child(outer, &Step::Key(name.to_owned()));
        // What lies deeper than once has a place of its own: there the name again is no repetition.
        let deeper = self.child(inner, &Step::Key(name.to_owned()));
        for at in [inner, deeper] {
            let leaf = self.child(at, last);
            self.at(leaf).cells.push(cell);
        }
        if !self.node_at(deeper).keys.iter().any(|(key, _)| **key == *name.as_bytes()) {
            self.at(deeper).keys.push((name.as_bytes().into(), deeper));
        }
    }

    /// Adds to a place what holds at another one.
    fn merge(&mut self, from: NodeId, into: NodeId, merged: &mut HashSet<(NodeId, NodeId)>) {
        if from == into || !merged.insert((from, into)) {
            return;
        }
        let Node { keys, indices, any_key, each, role, cells, .. } = self.node_at(from).clone();
        let node = self.at(into);
        if node.role == Role::None {
            node.role = role;
        }
        node.cells.extend(cells);
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
        both.into_iter().for_each(|(from, into)| self.merge(from, into, merged));
    }

    /// Visits the places on the way to `path` that no wildcard stands for: there a repeated name forgets what came before.
    fn along_names(&mut self, path: &Path, mut visit: impl FnMut(&mut Node)) {
        let mut at = 0;
        for step in path.steps() {
            if matches!(step, Step::Each | Step::Any) {
                return;
            }
            at = self.child(at, step);
            visit(self.at(at));
        }
    }

    /// Visits the places on the way from `from` down to `to`.
    fn inside(&mut self, from: &Path, to: &Path, mut visit: impl FnMut(&mut Node)) {
        let mut at = self.node(from);
        for step in &to.steps()[from.steps().len()..] {
            at = self.child(at, step);
            visit(self.at(at));
        }
    }

    fn role(&mut self, path: &Path, role: Role) {
        let node = self.node(path);
        self.at(node).role = role;
    }

    fn at(&mut self, id: NodeId) -> &mut Node {
        &mut self.nodes[usize::from(id)]
    }

    fn node(&mut self, path: &Path) -> NodeId {
        path.steps().iter().fold(0, |at, step| self.child(at, step))
    }

    fn child(&mut self, at: NodeId, step: &Step) -> NodeId {
        let next = NodeId::try_from(self.nodes.len()).unwrap_or(NodeId::MAX);
        let node = self.at(at);
        let known = match step {
            Step::Key(name) => node.keys.iter().find(|(key, _)| **key == *name.as_bytes()).map(|(_, id)| *id),
            Step::Index(index) => node.indices.iter().find(|(key, _)| key == index).map(|(_, id)| *id),
            Step::Each => node.each,
            Step::Any => node.any_key,
        };
        if let Some(known) = known {
            return known;
        }
        match step {
            Step::Key(name) => node.keys.push((name.as_bytes().into(), next)),
            Step::Index(index) => node.indices.push((*index, next)),
            Step::Each => node.each = Some(next),
            Step::Any => node.any_key = Some(next),
        }
        self.nodes.push(Node::default());
        next
    }
}

impl Node {
    /// Whether anything inside a container at this place matters.
    #[inline(always)]
    pub(crate) fn wants_inside(&self, container: Container) -> bool {
        match container {
            Container::Object => self.any_key.is_some() || !self.keys.is_empty(),
            Container::Array => self.each.is_some() || !self.indices.is_empty(),
        }
    }

    #[inline(always)]
    pub(crate) fn member(&self, name: &[u8]) -> Option<NodeId> {
        if self.lengths & (1 << (name.len() % 64)) != 0
            && let Some((_, id)) = self.keys.iter().find(|(key, _)| **key == *name)
        {
            return Some(*id);
        }
        self.any_key
    }

    #[inline(always)]
    pub(crate) fn element(&self, index: u32) -> Option<NodeId> {
        self.indices.iter().find(|(key, _)| *key == index).map(|(_, id)| *id).or(self.each)
    }
}
