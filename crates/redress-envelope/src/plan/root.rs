//! The root of a body: an object, or an array.

use super::Plan;
use super::merging::Merging;
use crate::json::Container;
use crate::path::Step;

impl Plan {
    /// Lets the first element of an array at the top be read as the body would be.
    /// Paths that begin with an index stay as they are, and go before the others
    /// where both have the same name.
    pub(crate) fn unwrap_arrays(&mut self) {
        let root = self.node_at(0);
        if root.any_key.is_none() && root.keys.is_empty() {
            return;
        }
        if root.wants_inside(Container::Array) {
            let first = self.child(0, &Step::Index(0));
            self.merge(0, first, &mut Merging::default());
        } else {
            self.unwraps_arrays = true;
            self.at(0).indices.push((0, 0));
        }
    }

    /// Returns `true` if a body with this kind of root is read for nothing but its
    /// first element.
    pub(crate) fn unwraps(&self, container: Container) -> bool {
        self.unwraps_arrays && container == Container::Array
    }

    /// Returns `true` if a body may have this kind of root.
    pub(crate) fn may_begin_with(&self, container: Container) -> bool {
        let root = self.node_at(0);
        match container {
            Container::Object => root.wants_inside(container) || !root.wants_inside(Container::Array),
            Container::Array => root.wants_inside(container) || self.below.is_some(),
        }
    }
}
