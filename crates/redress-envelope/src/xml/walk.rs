//! The position of an XML scan in its plan.

use crate::path::fold;
use crate::plan::{NodeId, Plan};

/// The places of the open elements.
///
/// An element may be at several at once: those of a path from the root, and
/// those of paths that hold at every depth. A name in a path without a prefix
/// stands for elements with any prefix, one with a prefix for elements with
/// that prefix, and one behind `~` for elements whose name, without its prefix,
/// has the same letters and digits.
#[derive(Debug, Default)]
pub(crate) struct Walk {
    /// The places of all open elements, outermost first.
    places: Vec<NodeId>,
    /// How many places lie below those of each open element.
    starts: Vec<u32>,
}

/// The names under which a plan may know an element.
struct Names<'n> {
    local: &'n [u8],
    prefixed: Option<&'n [u8]>,
    folded: Vec<u8>,
}

impl Walk {
    /// Returns how many elements are open.
    pub(crate) fn depth(&self) -> u8 {
        // At most 128.
        self.starts.len() as u8
    }

    /// Returns the places of the innermost element.
    pub(crate) fn here(&self) -> &[NodeId] {
        let start = self.starts.last().copied().unwrap_or_default();
        &self.places[start as usize..]
    }

    /// Goes into an element.
    pub(crate) fn open(&mut self, plan: &Plan, name: &[u8]) {
        let names = Names::of(plan, name);
        let start = self.starts.last().copied().unwrap_or_default() as usize;
        let end = self.places.len();
        let root = plan.xml_root().filter(|_| self.starts.is_empty());
        for outer in start..end {
            self.enter(names.below(plan, self.places[outer]), end);
        }
        for outer in root.into_iter().chain(plan.xml_anywhere()) {
            self.enter(names.below(plan, outer), end);
        }
        // At most 128 elements, each at less places than a plan has.
        self.starts.push(u32::try_from(end).unwrap_or(u32::MAX));
    }

    /// Goes, with the innermost element, to the places that select it by this attribute, whose name begins with `@`. Returns how
    /// many places it was at before.
    pub(crate) fn select(&mut self, plan: &Plan, name: &[u8], value: &str) -> usize {
        let before = self.here().len();
        let key = |mark: &[u8], value: Vec<u8>| [b"[@", local(&name[1..]), b"='", mark, &value, b"']"].concat();
        let keys = [key(b"", value.as_bytes().to_vec()), key(b"~", fold(value.as_bytes()).collect())];
        let start = self.starts.last().copied().unwrap_or_default() as usize;
        let outer = self.starts.len().checked_sub(2).map_or(0, |outer| self.starts[outer] as usize);
        let root = plan.xml_root().filter(|_| self.starts.len() == 1);
        let mut around = self.places[outer..start].to_vec();
        around.extend(root.into_iter().chain(plan.xml_anywhere()));
        for outer in around {
            self.enter(keys.iter().filter_map(|key| plan.node_at(outer).only_named(key)), start);
        }
        before
    }

    /// Adds places to those of the element that begin at `start`.
    fn enter(&mut self, places: impl Iterator<Item = NodeId>, start: usize) {
        for place in places {
            if !self.places[start..].contains(&place) {
                self.places.push(place);
            }
        }
    }

    /// Goes out of the innermost element.
    pub(crate) fn close(&mut self) {
        if let Some(start) = self.starts.pop() {
            self.places.truncate(start as usize);
        }
    }

    /// Returns the places of an attribute of the innermost element; its name begins
    /// with `@`.
    pub(crate) fn attribute(&self, plan: &Plan, name: &[u8]) -> Vec<NodeId> {
        let local = local(&name[1..]);
        let plain = if local.len() + 1 < name.len() { [b"@", local].concat() } else { Vec::new() };
        let folded = if plan.folds { folded(b"@~", local) } else { Vec::new() };
        let elements = self.here().iter().copied().chain(plan.xml_anywhere());
        let names = [name, &plain, &folded];
        elements
            .flat_map(|element| names.iter().filter_map(move |name| plan.node_at(element).only_named(name)))
            .collect()
    }
}

impl Names<'_> {
    fn of<'n>(plan: &Plan, name: &'n [u8]) -> Names<'n> {
        let local = local(name);
        let folded = if plan.folds { folded(b"~", local) } else { Vec::new() };
        Names { local, prefixed: (local.len() < name.len()).then_some(name), folded }
    }

    /// Returns the places that an element of these names has below another one.
    fn below(&self, plan: &Plan, outer: NodeId) -> impl Iterator<Item = NodeId> {
        let node = plan.node_at(outer);
        let prefixed = self.prefixed.and_then(|name| node.only_named(name));
        node.member(self.local).into_iter().chain(prefixed).chain(node.only_named(&self.folded))
    }
}

/// Returns what of a name `~` compares, behind the mark with which such names
/// begin in a plan.
fn folded(mark: &[u8], name: &[u8]) -> Vec<u8> {
    mark.iter().copied().chain(fold(name)).collect()
}

/// Returns a name without its prefix.
fn local(name: &[u8]) -> &[u8] {
    let colon = name.iter().position(|byte| *byte == b':');
    colon.map_or(name, |colon| &name[colon + 1..])
}

/// Returns `true` if an attribute, whose name begins with `@`, is about
/// namespaces, types or languages: it says nothing about the element.
pub(crate) fn is_of_namespaces(name: &[u8]) -> bool {
    name == b"@xmlns" || [&b"@xmlns:"[..], b"@xsi:", b"@xml:"].iter().any(|prefix| name.starts_with(prefix))
}
