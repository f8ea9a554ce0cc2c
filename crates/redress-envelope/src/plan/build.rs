//! The construction of a plan: paths become nodes, and wildcards are merged
//! into the names beside them.

use std::collections::{HashMap, HashSet};

use super::node::Name;
use super::{FieldRole, MAX_CELLS, MAX_NODES, Merge, Node, NodeId, Plan, Plans};
use crate::cells::{Cell, bit};
use crate::path::{Path, Step};

/// The state of merging wildcards into the names beside them.
#[derive(Default)]
pub(super) struct Merging {
    /// The pairs that were merged, each from the first into the second.
    merged: HashSet<(NodeId, NodeId)>,
    /// The copies of shared nodes: for each, what was merged into it and the node that it is a copy of.
    copies: HashMap<NodeId, (NodeId, NodeId)>,
    /// The copies by the place that leads to them and the node that it led to before.
    replaced: HashMap<(NodeId, NodeId), NodeId>,
    /// The places that no wildcard stands for, and their copies.
    excepted: HashSet<NodeId>,
}

impl Plan {
    /// Returns the cell in which the value at `path` will lie; `None` when the plan
    /// is full.
    pub(crate) fn cell(&mut self, path: &Path, merge: &Merge) -> Option<Cell> {
        let merge = match (merge, path.has_wildcard()) {
            (Merge::Last, true) => &Merge::First,
            (Merge::Sentence, false) => &Merge::Last,
            (Merge::Sentence, true) if path.is_xml() => &Merge::First,
            _ => merge,
        };
        let is_known = |how: &Merge| how == merge || matches!((how, merge), (Merge::Sentence, Merge::First));
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
        let mut merging = Merging { excepted: std::mem::take(&mut self.excepted), ..Merging::default() };
        self.finish_below(&mut merging);
        let mut at = 0;
        // Copies of shared nodes come behind the others.
        while at < self.nodes.len() {
            self.spread(at, &mut merging);
            at += 1;
        }
        self.shared = HashSet::new();
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

    /// Lets what the end of a name stands for hold for the names beside it that end so.
    /// Lets an object be an item where lists of any name hold items, and the texts in a list of the body may be messages
    /// under its name.
    fn finish_below(&mut self, merging: &mut Merging) {
        let Some(below) = self.below else { return };
        for (name, named) in self.node_at(below).keys.clone() {
            if let Some(ending) = self.node_at(below).by_ending(name.as_bytes()) {
                self.merge(ending, named, merging);
            }
        }
        let item = self.node_at(below).role;
        let of_body = self.node_at(0).any_key.and_then(|any| self.node_at(any).each);
        if let (FieldRole::Item { list, .. }, Some(of_body)) = (item, of_body)
            && let FieldRole::Leaf { list: leaf } = self.node_at(of_body).role
        {
            self.at(of_body).role = FieldRole::LeafItem { leaf, list };
        }
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
            if !self.node_at(deeper).keys.iter().any(|(key, _)| *key == name) {
                self.at(deeper).keys.push((name, deeper));
            }
        }
    }

    /// Merges the wildcards of a node into the names beside them.
    fn spread(&mut self, at: usize, merging: &mut Merging) {
        let Node { keys, indices, any_key, each, .. } = self.nodes[at].clone();
        // At most MAX_NODES.
        let outer = NodeId::try_from(at).unwrap_or(NodeId::MAX);
        if let Some(any) = any_key.filter(|_| !self.named_excepted.contains(&at)) {
            let named = keys.iter().map(|(_, named)| *named).filter(|named| !merging.excepted.contains(named));
            let mut named: Vec<_> = named.collect();
            // The spellings of a name lie together.
            named.dedup();
            named.into_iter().for_each(|named| self.merge_below(outer, any, named, merging));
        }
        if let Some(each) = each {
            indices.iter().for_each(|(_, named)| self.merge_below(outer, each, *named, merging));
        }
    }

    /// Adds to a place below `outer` what holds at another one.
    fn merge_below(&mut self, outer: NodeId, from: NodeId, into: NodeId, merging: &mut Merging) {
        let into = self.own(outer, from, into, merging);
        self.merge(from, into, merging);
    }

    /// Returns a node that what holds at `from` can be added to: a copy of one that other places lead to as well, since it
    /// does not hold there.
    fn own(&mut self, outer: NodeId, from: NodeId, node: NodeId, merging: &mut Merging) -> NodeId {
        let node = merging.replaced.get(&(outer, node)).copied().unwrap_or(node);
        if node == from || !self.shared.contains(&node) || merging.merged.contains(&(from, node)) {
            return node;
        }
        // Of a node that leads back to itself, as in a tree, the copy does so, too.
        let copy = if merging.copies.get(&outer) == Some(&(from, node)) {
            outer
        } else {
            match NodeId::try_from(self.nodes.len()) {
                Ok(copy) if self.nodes.len() < MAX_NODES => copy,
                // Too many: such a plan is refused.
                _ => return node,
            }
        };
        if copy != outer {
            let content = self.node_at(node).clone();
            self.shared.extend(content.below());
            self.nodes.push(content);
            merging.copies.insert(copy, (from, node));
            if merging.excepted.contains(&node) {
                merging.excepted.insert(copy);
            }
            if self.named_excepted.contains(&usize::from(node)) {
                self.named_excepted.insert(usize::from(copy));
            }
        }
        merging.replaced.insert((outer, node), copy);
        self.at(outer).replace(node, copy);
        copy
    }

    /// Adds to a place what holds at another one.
    pub(super) fn merge(&mut self, from: NodeId, into: NodeId, merging: &mut Merging) {
        if from == into || !merging.merged.insert((from, into)) {
            return;
        }
        let Node { keys, indices, any_key, each, role, cells, cells_below, mask_below, lists_below, .. } =
            self.node_at(from).clone();
        let node = &mut self.nodes[usize::from(into)];
        if matches!((node.role, role), (FieldRole::None, FieldRole::Name { .. })) && node.lists_below != 0 {
            // A node that holds the names of another list does not name a field.
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
                _ => {
                    self.shared.extend(child);
                    *slot = slot.or(child);
                }
            }
        }
        for (name, child) in keys {
            match node.keys.iter().find(|(known, _)| *known == name) {
                Some((_, known)) => both.push((child, *known)),
                None => {
                    self.shared.insert(child);
                    node.keys.push((name, child));
                }
            }
        }
        for (index, child) in indices {
            match node.indices.iter().find(|(known, _)| *known == index) {
                Some((_, known)) => both.push((child, *known)),
                None => {
                    self.shared.insert(child);
                    node.indices.push((index, child));
                }
            }
        }
        both.dedup();
        both.into_iter().for_each(|(from, below)| self.merge_below(into, from, below, merging));
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
            (Step::Below, _) => return self.add_below(next),
            (Step::Ending(end), _) => self.at(at).endings.push((letters(end), next)),
            (_, Some(name)) => self.at(at).keys.push((name, next)),
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
            Step::Ending(end) => node.endings.iter().find(|(known, _)| *known == letters(end)).map(|(_, id)| *id),
            _ => {
                let name = Self::name_of(step)?;
                node.keys.iter().find(|(key, _)| *key == name).map(|(_, id)| *id)
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
