//! Merges the wildcards of a plan into the members and elements beside them that a path names.

use super::id_hash::{IdMap, IdSet};
use super::{FieldRole, MAX_NODES, Node, NodeId, Plan};

/// The state of merging wildcards into the names beside them.
#[derive(Default)]
pub(super) struct Merging {
    /// The pairs that were merged, each from the first into the second.
    merged: IdSet<(NodeId, NodeId)>,
    /// The copies of shared nodes: for each, what was merged into it and the node that it is a copy of.
    copies: IdMap<NodeId, (NodeId, NodeId)>,
    /// The copies by the place that leads to them and the node that it led to before.
    replaced: IdMap<(NodeId, NodeId), NodeId>,
    /// The places that no wildcard stands for, and their copies.
    excepted: IdSet<NodeId>,
}

impl Merging {
    /// Begins with the places that no wildcard stands for.
    pub(super) fn new(excepted: IdSet<NodeId>) -> Self {
        Self { excepted, ..Self::default() }
    }
}

impl Plan {
    /// Finishes the place of each member and element that no other path names.
    pub(super) fn finish_below(&mut self, merging: &mut Merging) {
        if let Some(below) = self.below {
            self.merge_endings(below, merging);
            self.let_leaves_be_items(below);
        }
    }

    /// Merges the end of a name into the names beside it that end so.
    fn merge_endings(&mut self, below: NodeId, merging: &mut Merging) {
        for (name, named) in self.node_at(below).keys.clone() {
            if let Some(ending) = self.node_at(below).by_ending(name.as_bytes()) {
                self.merge(ending, named, merging);
            }
        }
    }

    /// Lets an object in a list of the body be an item where lists of any name hold items, and the texts in such a list may be
    /// messages under its name.
    fn let_leaves_be_items(&mut self, below: NodeId) {
        let item = self.node_at(below).role;
        let of_body = self.node_at(0).any_key.and_then(|any| self.node_at(any).each);
        if let (FieldRole::Item { list, .. }, Some(of_body)) = (item, of_body)
            && let FieldRole::Leaf { list: leaf } = self.node_at(of_body).role
        {
            self.at(of_body).role = FieldRole::LeafItem { leaf, list };
        }
    }

    /// Merges the wildcards of a node into the names beside them.
    pub(super) fn spread(&mut self, at: usize, merging: &mut Merging) {
        let node = &self.nodes[at];
        // At most MAX_NODES.
        let outer = NodeId::try_from(at).unwrap_or(NodeId::MAX);
        let (any, each) = (node.any_key.filter(|_| !self.named_excepted.contains(&at)), node.each);
        let excepted = &merging.excepted;
        let named =
            node.keys.iter().map(|(_, named)| *named).filter(|named| any.is_some() && !excepted.contains(named));
        let mut named: Vec<_> = named.collect();
        // The spellings of a name lie together.
        named.dedup();
        let indices = node.indices.iter().filter(|_| each.is_some()).map(|(_, named)| *named);
        let indices: Vec<_> = indices.collect();
        for (from, named) in [(any, named), (each, indices)] {
            let Some(from) = from else { continue };
            named.into_iter().for_each(|named| self.merge_below(outer, from, named, merging));
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
        both.extend(add_missing(&mut node.keys, keys, &mut self.shared));
        both.extend(add_missing(&mut node.indices, indices, &mut self.shared));
        both.dedup();
        both.into_iter().for_each(|(from, below)| self.merge_below(into, from, below, merging));
    }
}

/// Adds the children that a place does not have; they are shared from then on. Returns the others, each with the child that is there.
fn add_missing<K: PartialEq>(
    known: &mut Vec<(K, NodeId)>,
    more: Vec<(K, NodeId)>,
    shared: &mut IdSet<NodeId>,
) -> Vec<(NodeId, NodeId)> {
    let mut both = Vec::new();
    for (key, child) in more {
        match known.iter().find(|(known, _)| *known == key) {
            Some((_, known)) => both.push((child, *known)),
            None => {
                shared.insert(child);
                known.push((key, child));
            }
        }
    }
    both
}
