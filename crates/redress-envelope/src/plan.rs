//! What to keep of a body, compiled: all paths of a dialect as one graph that a scan walks down.

mod lists;
mod node;
mod plans;
mod root;
mod spelling;

use std::collections::HashSet;

use crate::cells::{Cell, bit};
use crate::path::{Path, Step};
use node::Name;
pub(crate) use node::{LOOKUP, Node};
pub(crate) use plans::Plans;
pub(crate) use spelling::Spelling;

/// How many values one plan may name: more than the shipped dialect that asks at the most places needs.
pub(crate) const MAX_CELLS: usize = 256;
/// How many lists of fields one plan may have.
pub(crate) const MAX_LISTS: usize = 64;
/// How many alternatives the parts of an item may have.
pub(crate) const MAX_RANKS: usize = 32;

/// How many places one plan may have.
pub(crate) const MAX_NODES: usize = 16_384;

/// A node of the graph.
pub(crate) type NodeId = u16;

/// Paths that begin at node 0. It is a tree but for what stands for any depth: those nodes lead back to themselves.
#[derive(Clone, Debug)]
pub(crate) struct Plan {
    spelling: Spelling,
    /// Whether an array at the top is read for nothing but its first element, which is read as the body would be.
    unwraps_arrays: bool,
    nodes: Vec<Node>,
    cells: Vec<(Path, Merge)>,
    /// The number of the first cell.
    first_cell: Cell,
    /// How many values were asked for and not granted.
    refused: usize,
    lists: Vec<FieldList>,
    /// Places that a wildcard beside them does not mean.
    excepted: HashSet<NodeId>,
    /// Whether a path has a name that is compared by its letters and digits.
    pub(crate) folds: bool,
    /// Places inside of which a wildcard does not mean whatever a path names.
    named_excepted: HashSet<usize>,
}

/// Which of the values that one path leads to is kept.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub(crate) enum Merge {
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
pub(crate) enum FieldRole {
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
        /// Whether a name that comes again replaces what came before.
        once: bool,
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
    /// Begins a plan for JSON.
    pub(crate) fn of_json(spelling: Spelling) -> Self {
        Self::new(0, spelling)
    }

    fn new(first_cell: Cell, spelling: Spelling) -> Self {
        Self {
            spelling,
            unwraps_arrays: false,
            nodes: vec![Node::default()],
            cells: Vec::new(),
            first_cell,
            refused: 0,
            lists: Vec::new(),
            excepted: HashSet::new(),
            folds: false,
            named_excepted: HashSet::new(),
        }
    }

    /// Returns the cell in which the value at `path` will lie; `None` when the plan is full.
    pub(crate) fn cell(&mut self, path: &Path, merge: &Merge) -> Option<Cell> {
        let merge = if *merge == Merge::Last && path.has_wildcard() { &Merge::First } else { merge };
        if let Some(known) = self.cells.iter().position(|(at, how)| at == path && how == merge) {
            return Cell::try_from(known).ok().map(|nth| self.first_cell + nth);
        }
        let Some(nth) = Cell::try_from(self.cells.len()).ok().filter(|nth| usize::from(*nth) < MAX_CELLS) else {
            self.refused += 1;
            return None;
        };
        let cell = self.first_cell + nth;
        self.cells.push((path.clone(), merge.clone()));
        for path in path.expanded() {
            let node = self.node(&path);
            self.at(node).cells.push(cell);
            if let Merge::Deepest(name) = merge {
                self.deepen(&path, name, cell);
            }
        }
        // The outer one of what may lie deeper is no repetition of the inner one, whichever comes first.
        let forgetting =
            path.steps().len() - usize::from(matches!(merge, Merge::Deepest(_)) && !path.steps().is_empty());
        self.along_names(&path.steps()[..forgetting], |node| {
            node.cells_below.push(cell);
            node.mask_below |= bit(cell);
        });
        Some(cell)
    }

    /// Returns how many lists of fields were asked for.
    pub(crate) fn lists(&self) -> usize {
        self.lists.len()
    }

    /// Returns how many values were asked for.
    pub(crate) fn values(&self) -> usize {
        self.cells.len() + self.refused
    }

    /// Returns how many places there are.
    pub(crate) fn places(&self) -> usize {
        self.nodes.len()
    }

    /// Returns which of the values that lead to a cell is kept.
    pub(crate) fn merge_rule(&self, cell: Cell) -> &Merge {
        &self.cells[usize::from(cell - self.first_cell)].1
    }

    pub(crate) fn path(&self, cell: Cell) -> &Path {
        &self.cells[usize::from(cell - self.first_cell)].0
    }

    /// Ends the building: what holds for every member, or every element, holds for those named by a path too.
    pub(crate) fn finish(mut self) -> Self {
        let excepted = std::mem::take(&mut self.excepted);
        let mut merged = HashSet::new();
        for at in 0..self.nodes.len() {
            let Node { keys, indices, any_key, each, .. } = self.nodes[at].clone();
            if let Some(any) = any_key.filter(|_| !self.named_excepted.contains(&at)) {
                let named = keys.iter().map(|(_, named)| *named).filter(|named| !excepted.contains(named));
                named.for_each(|named| self.merge(any, named, &mut merged));
            }
            if let Some(each) = each {
                indices.iter().for_each(|(_, named)| self.merge(each, *named, &mut merged));
            }
        }
        for node in &mut self.nodes {
            node.affects_fields =
                node.role != FieldRole::None || (node.lists_below, node.paths_below, node.messages_below) != (0, 0, 0);
            node.single_cell = match *node.cells {
                [cell]
                    if node.role == FieldRole::None
                        && self.cells[usize::from(cell - self.first_cell)].1 == Merge::Last =>
                {
                    Some(cell)
                }
                _ => None,
            };
            node.lengths = node.keys.iter().fold(0, |lengths, (key, _)| lengths | 1 << (key.len() % 64));
            node.sort_keys();
        }
        self.nodes[0].single_cell = None;
        self
    }

    #[inline(always)]
    pub(crate) fn node_at(&self, id: NodeId) -> &Node {
        &self.nodes[usize::from(id)]
    }

    /// Lets the member `name` lie in itself before the last step of `path`.
    fn deepen(&mut self, path: &Path, name: &str, cell: Cell) {
        let Some((last, before)) = path.steps().split_last() else { return };
        let outer = before.iter().fold(0, |at, step| self.child(at, step));
        let inner = self.child(outer, &Step::Key(name.to_owned()));
        // What lies deeper than once has a place of its own: there the name again is no repetition.
        let deeper = self.child(inner, &Step::Key(name.to_owned()));
        for at in [inner, deeper] {
            let leaf = self.child(at, last);
            self.at(leaf).cells.push(cell);
        }
        for name in self.spellings(name) {
            if !self.node_at(deeper).keys.iter().any(|(key, _)| *key == name) {
                self.at(deeper).keys.push((name, deeper));
            }
        }
    }

    /// Adds to a place what holds at another one.
    fn merge(&mut self, from: NodeId, into: NodeId, merged: &mut HashSet<(NodeId, NodeId)>) {
        if from == into || !merged.insert((from, into)) {
            return;
        }
        let Node { keys, indices, any_key, each, role, cells, cells_below, mask_below, lists_below, .. } =
            self.node_at(from).clone();
        let node = self.at(into);
        if matches!((node.role, role), (FieldRole::None, FieldRole::Name { .. })) && node.lists_below != 0 {
            // What holds the names of another list is no name itself.
            return;
        }
        if node.role == FieldRole::None {
            node.role = role;
        }
        node.cells.extend(cells);
        // Places that wildcards stand for have none: what lies there is not forgotten with a name.
        node.cells_below.extend(cells_below);
        node.mask_below |= mask_below;
        node.lists_below |= lists_below;
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
    fn along_names(&mut self, path: &[Step], mut visit: impl FnMut(&mut Node)) {
        let mut at = 0;
        for step in path {
            if matches!(step, Step::Each | Step::Any | Step::OneOf(_)) {
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

    fn role(&mut self, path: &Path, role: FieldRole) {
        let node = self.node(path);
        self.at(node).role = role;
    }

    /// Returns each way to write a name.
    fn spellings(&self, name: &str) -> Vec<Name> {
        self.spelling.of(name).iter().map(|name| Name::new(name)).collect()
    }

    fn at(&mut self, id: NodeId) -> &mut Node {
        &mut self.nodes[usize::from(id)]
    }

    fn node(&mut self, path: &Path) -> NodeId {
        path.steps().iter().fold(0, |at, step| self.child(at, step))
    }

    fn child(&mut self, at: NodeId, step: &Step) -> NodeId {
        let next = match NodeId::try_from(self.nodes.len()) {
            Ok(next) if self.nodes.len() < MAX_NODES => next,
            // Too many: such a plan is refused.
            _ => return at,
        };
        let name = match step {
            Step::Key(name) => Some(Name::new(name)),
            Step::Root => Some(Name::new(Self::ROOT)),
            Step::Anywhere => Some(Name::new(Self::ANYWHERE)),
            Step::Attribute(name) => Some(Name::new(&format!("@{name}"))),
            Step::Text => Some(Name::new(Self::TEXT)),
            Step::Index(_) | Step::Each | Step::Any | Step::OneOf(_) => None,
        };
        let node = self.node_at(at);
        let known = match step {
            // Of what is put into the plan there is one path for each name.
            Step::OneOf(_) => Some(at),
            Step::Index(index) => node.indices.iter().find(|(key, _)| key == index).map(|(_, id)| *id),
            Step::Each => node.each,
            Step::Any => node.any_key,
            _ => node.keys.iter().find(|(key, _)| Some(key) == name.as_ref()).map(|(_, id)| *id),
        };
        if let Some(known) = known {
            return known;
        }
        match (step, name) {
            (Step::Key(name), _) => {
                for name in self.spellings(name) {
                    let keys = &mut self.at(at).keys;
                    if !keys.iter().any(|(key, _)| *key == name) {
                        keys.push((name, next));
                    }
                }
            }
            (Step::OneOf(_), _) => {}
            (Step::Index(index), _) => self.at(at).indices.push((*index, next)),
            (Step::Each, _) => self.at(at).each = Some(next),
            (_, Some(name)) => self.at(at).keys.push((name, next)),
            (_, None) => self.at(at).any_key = Some(next),
        }
        self.nodes.push(Node::default());
        if self.first_cell == Plans::FIRST_XML {
            let is_folded = matches!(step, Step::Key(name) | Step::Attribute(name) if name.starts_with('~'));
            self.folds |= is_folded;
            // Where a path says any element, it means none of these; an element with a folded name is at both places.
            if is_folded || !matches!(step, Step::Key(_) | Step::Any) {
                self.excepted.insert(next);
            }
        }
        next
    }
}
