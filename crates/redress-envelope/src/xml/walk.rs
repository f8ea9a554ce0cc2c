//! Where in its plan a scan of XML stands.

use crate::plan::{NodeId, Plan};

/// The places of the open elements.
///
/// An element may be at several at once: those of a path from the root, and those of paths that hold at every depth. A name
/// in a path without a prefix stands for elements with any prefix, one with a prefix for elements with that prefix.
#[derive(Debug, Default)]
pub(crate) struct Walk {
    /// The places of all open elements, outermost first.
    places: Vec<NodeId>,
    /// How many places lie below those of each open element.
    starts: Vec<u32>,
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
        let start = self.starts.last().copied().unwrap_or_default() as usize;
        let end = self.places.len();
        let root = plan.xml_root().filter(|_| self.starts.is_empty());
        for outer in start..end {
            self.enter(plan, self.places[outer], name, end);
        }
        for outer in root.into_iter().chain(plan.xml_anywhere()) {
            self.enter(plan, outer, name, end);
        }
        // At most 128 elements, each at less places than a plan has.
        self.starts.push(u32::try_from(end).unwrap_or(u32::MAX));
    }

    /// Goes out of the innermost element.
    pub(crate) fn close(&mut self) {
        if let Some(start) = self.starts.pop() {
            self.places.truncate(start as usize);
        }
    }

    /// Returns the places of an attribute of the innermost element; its name begins with `@`.
    pub(crate) fn attribute(&self, plan: &Plan, name: &[u8]) -> Vec<NodeId> {
        let local = local(name);
        let plain = if local.len() < name.len() { [b"@", local].concat() } else { Vec::new() };
        let names = [name, &plain].into_iter().filter(|name| !name.is_empty());
        let elements = self.here().iter().copied().chain(plan.xml_anywhere());
        elements
            .flat_map(|element| names.clone().filter_map(move |name| plan.node_at(element).only_named(name)))
            .collect()
    }

    /// Adds the places that an element of this name has below another one, for the element whose places begin at `start`.
    fn enter(&mut self, plan: &Plan, outer: NodeId, name: &[u8], start: usize) {
        let (node, local) = (plan.node_at(outer), local(name));
        let prefixed = if local.len() < name.len() { node.only_named(name) } else { None };
        for place in node.member(local).into_iter().chain(prefixed) {
            if !self.places[start..].contains(&place) {
                self.places.push(place);
            }
        }
    }
}

/// Returns a name without its prefix.
fn local(name: &[u8]) -> &[u8] {
    let colon = name.iter().position(|byte| *byte == b':');
    colon.map_or(name, |colon| &name[colon + 1..])
}

/// Whether an attribute, whose name begins with `@`, is about namespaces, types or languages: it says nothing about the element.
pub(crate) fn is_of_namespaces(name: &[u8]) -> bool {
    name == b"@xmlns" || [&b"@xmlns:"[..], b"@xsi:", b"@xml:"].iter().any(|prefix| name.starts_with(prefix))
}
