//! The construction of a plan: paths become nodes, and wildcards are merged
//! into the names beside them.

use std::collections::hash_map::Entry;

use super::id_hash::{IdMap, IdSet};
use super::merging::Merging;
use super::node::Name;
use super::{FieldRole, MAX_CELLS, MAX_NODES, Merge, Node, NodeId, Plan, Plans};
use crate::cells::{Cell, bit};
use crate::path::{Path, Step};

impl Plan {
    /// Returns the cell in which the value at `path` will lie; `None` when the plan
    /// is full.
    pub(crate) fn cell(&mut self, path: &Path, merge: &Merge) -> Option<Cell> {
        let merge = match (merge, path.has_wildcard()) {
            (Merge::Last, true) => &Merge::First,
            (Merge::Sentence | Merge::Code, false) => &Merge::Last,
            (Merge::Sentence | Merge::Code, true) if path.is_xml() => &Merge::First,
            _ => merge,
        };
        let is_known =
            |how: &Merge| how == merge || matches!((how, merge), (Merge::Sentence | Merge::Code, Merge::First));
        if let Some(known) = self.cells.iter().position(|(at, how)| is_known(how) && at == path) {
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
        // For `Deepest`, the outer member is not a repetition of the inner one, in either order.
        let forgetting =
            path.steps().len() - usize::from(matches!(merge, Merge::Deepest(_)) && !path.steps().is_empty());
        self.along_names(&path.steps()[..forgetting], |node| {
            node.cells_below.push(cell);
            node.mask_below |= bit(cell);
        });
        Some(cell)
    }

    /// Ends the building: what holds for every member, or every element, holds for
    /// those named by a path too.
    pub(crate) fn finish(mut self) -> Self {
        let mut merging = Merging::new(std::mem::take(&mut self.excepted));
        self.finish_below(&mut merging);
        let mut at = 0;
        // Copies of shared nodes come behind the others.
        while at < self.nodes.len() {
            self.spread(at, &mut merging);
            at += 1;
        }
        self.shared = IdSet::default();
        self.named = IdMap::default();
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

    /// Lets the member `name` lie in itself before the last step of `path`.
    pub(super) fn deepen(&mut self, path: &Path, name: &str, cell: Cell) {
        let Some((last, before)) = path.steps().split_last() else { return };
        let outer = before.iter().fold(0, |at, step| self.child(at, step));
        let inner = self.child(outer, &Step::Key(name.to_owned()));
        // A second level of nesting has a node of its own, where the name is nested and not repeated.
        let deeper = self.child(inner, &Step::Key(name.to_owned()));
        for at in [inner, deeper] {
            let leaf = self.child(at, last);
            self.at(leaf).cells.push(cell);
        }
        for name in self.spellings(name) {
            self.add_key(deeper, name, deeper);
        }
    }

    /// Visits the places on the way to `path` that no wildcard stands for: there a
    /// repeated name forgets what came before.
    pub(super) fn along_names(&mut self, path: &[Step], mut visit: impl FnMut(&mut Node)) {
        let mut at = 0;
        for step in path {
            if matches!(step, Step::Each | Step::Any | Step::Below | Step::OneOf(_)) {
                return;
            }
            at = self.child(at, step);
            visit(self.at(at));
        }
    }

    /// Visits the places on the way from `from` down to `to`.
    pub(super) fn inside(&mut self, from: &Path, to: &Path, mut visit: impl FnMut(&mut Node)) {
        let mut at = self.node(from);
        for step in &to.steps()[from.steps().len()..] {
            at = self.child(at, step);
            visit(self.at(at));
        }
    }

    pub(super) fn role(&mut self, path: &Path, role: FieldRole) {
        let node = self.node(path);
        self.at(node).role = role;
    }

    /// Returns each way to write a name.
    pub(super) fn spellings(&self, name: &str) -> Vec<Name> {
        self.spelling.of(name).iter().map(|name| Name::new(name)).collect()
    }

    pub(super) fn at(&mut self, id: NodeId) -> &mut Node {
        &mut self.nodes[usize::from(id)]
    }

    pub(super) fn node(&mut self, path: &Path) -> NodeId {
        path.steps().iter().fold(0, |at, step| self.child(at, step))
    }

    pub(super) fn child(&mut self, at: NodeId, step: &Step) -> NodeId {
        let next = match NodeId::try_from(self.nodes.len()) {
            Ok(next) if self.nodes.len() < MAX_NODES => next,
            // Too many: such a plan is refused.
            _ => return at,
        };
        if let Some(known) = self.known_child(at, step) {
            return known;
        }
        match (step, Self::name_of(step)) {
            (Step::Key(name), _) => self.spellings(name).into_iter().for_each(|name| self.add_key(at, name, next)),
            (Step::OneOf(_), _) => {}
            (Step::Index(index), _) => self.at(at).indices.push((*index, next)),
            (Step::Each, _) => self.at(at).each = Some(next),
            (Step::Below, _) => return self.add_below(next),
            (Step::Ending(end), _) => self.at(at).endings.add(letters(end), next),
            (_, Some(name)) => self.add_key(at, name, next),
            (_, None) => self.at(at).any_key = Some(next),
        }
        self.nodes.push(Node::default());
        if self.first_cell == Plans::FIRST_XML {
            let is_folded = matches!(step, Step::Key(name) | Step::Attribute(name) if name.starts_with('~'));
            let selects = matches!(step, Step::Key(name) if name.starts_with('['));
            (self.folds, self.selects) = (self.folds || is_folded, self.selects || selects);
            // Where a path says any element, it means none of these; an element that is folded or selected is at both places.
            if is_folded || selects || !matches!(step, Step::Key(_) | Step::Any) {
                self.excepted.insert(next);
            }
        }
        next
    }

    /// Lets a name lead from a place to another one, unless it leads somewhere already.
    pub(super) fn add_key(&mut self, at: NodeId, name: Name, to: NodeId) {
        if let Entry::Vacant(free) = self.named.entry((at, name.clone())) {
            free.insert(to);
            self.at(at).keys.push((name, to));
        }
    }

    /// Adds the place that stands for any depth.
    fn add_below(&mut self, place: NodeId) -> NodeId {
        self.nodes.push(Node::default());
        self.below = Some(place);
        place
    }

    /// Returns the node of a step below `at`, if there is one.
    fn known_child(&self, at: NodeId, step: &Step) -> Option<NodeId> {
        let node = self.node_at(at);
        match step {
            // The paths in a plan are expanded: one path for each name.
            Step::OneOf(_) => Some(at),
            Step::Index(index) => node.indices.iter().find(|(key, _)| key == index).map(|(_, id)| *id),
            Step::Each => node.each,
            Step::Any => node.any_key,
            Step::Below => self.below,
            Step::Ending(end) => node.endings.all().find(|(known, _)| **known == *letters(end)).map(|(_, id)| id),
            _ => {
                let name = Self::name_of(step)?;
                self.named.get(&(at, name)).copied()
            }
        }
    }

    /// Returns the key of a step that names a place.
    fn name_of(step: &Step) -> Option<Name> {
        match step {
            Step::Key(name) => Some(Name::new(name)),
            Step::Root => Some(Name::new(Self::ROOT)),
            Step::Anywhere => Some(Name::new(Self::ANYWHERE)),
            Step::Attribute(name) => Some(Name::new(&format!("@{name}"))),
            Step::Text => Some(Name::new(Self::TEXT)),
            Step::Index(_) | Step::Each | Step::Any | Step::Below | Step::Ending(_) | Step::OneOf(_) => None,
        }
    }
}

/// Returns the letters and digits of a name, in small letters.
fn letters(name: &str) -> Box<[u8]> {
    name.bytes().filter(u8::is_ascii_alphanumeric).map(|byte| byte.to_ascii_lowercase()).collect()
}
