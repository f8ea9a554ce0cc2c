//! The position of a JSON scan in its plan.

use crate::json::Container;
use crate::plan::{Node, NodeId, Plan};

/// The number of open containers that need no allocation. Only a dialect that
/// reads a tree follows deeper ones.
const FRAMES: usize = 6;

/// The open containers that the plan names; all others are skipped without an
/// event.
#[derive(Debug)]
pub(crate) struct Walk {
    top: Frame,
    /// The frames below the top one; the first is the body itself.
    below: [Frame; FRAMES],
    deeper: Vec<Frame>,
    open: usize,
    /// Where the value that begins next lies; an element finds its place when it
    /// begins.
    next: Option<NodeId>,
    /// The place that counts for a container if the member in hand was found by the end of its name, and that place has no use for
    /// a container.
    otherwise: NodeId,
}

/// An open container.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Frame {
    pub(crate) node: NodeId,
    /// How much of the name of a field is that of this container.
    pub(crate) named: u16,
    /// The index of the next element; `OBJECT` in an object.
    index: u32,
}

const OBJECT: u32 = u32::MAX;

impl Frame {
    /// The frame around the root.
    const NONE: Self = Self { node: 0, named: 0, index: OBJECT };
}

impl Walk {
    pub(crate) fn new() -> Self {
        Self {
            top: Frame::NONE,
            below: [Frame::NONE; FRAMES],
            deeper: Vec::new(),
            open: 0,
            next: Some(0),
            otherwise: 0,
        }
    }

    /// Returns `true` if no container is open.
    #[inline(always)]
    pub(crate) const fn at_root(&self) -> bool {
        self.open == 0
    }

    /// Returns how many containers are open.
    #[inline(always)]
    pub(crate) const fn depth(&self) -> u8 {
        // At most 128.
        self.open as u8
    }

    /// Returns the innermost open container.
    #[inline(always)]
    pub(crate) const fn top(&self) -> &Frame {
        &self.top
    }

    /// Returns `true` if the value that begins next is an element.
    pub(crate) const fn in_array(&self) -> bool {
        self.top.index != OBJECT
    }

    /// Records that a value begins, and returns its node.
    #[inline(always)]
    pub(crate) fn value(&mut self, plan: &Plan) -> Option<NodeId> {
        if self.in_array() && !self.at_root() {
            self.next = plan.node_at(self.top.node).element(self.top.index).or(plan.below);
            // Beyond the last index that a path can name, the index no longer matters.
            self.top.index = (self.top.index + 1).min(OBJECT - 1);
        }
        self.next
    }

    /// Records the name of the member that follows, and returns its node; `inside`
    /// is the node of the innermost open container.
    #[inline(always)]
    pub(crate) fn key(&mut self, inside: &Node, name: &[u8]) -> Option<NodeId> {
        self.next = inside.member(name);
        self.next
    }

    /// Records the name of the member that follows, and returns its node: that of a path to its own place, else one by the
    /// names that hold at any depth.
    #[inline(never)]
    pub(crate) fn key_or_below(&mut self, plan: &Plan, below: NodeId, inside: &Node, name: &[u8]) -> NodeId {
        let names = plan.node_at(below);
        let found = if self.top.node == below {
            // Its names are those that hold at any depth.
            self.ending(names, name, below)
        } else {
            match inside.member(name) {
                Some(id) if !plan.node_at(id).may_name_field() => self.only(id),
                Some(id) if inside.only_named(name).is_some() => self.only(id),
                found => self.ending(names, name, found.unwrap_or(below)),
            }
        };
        self.next = Some(found);
        found
    }

    #[inline(always)]
    fn ending(&mut self, names: &Node, name: &[u8], otherwise: NodeId) -> NodeId {
        self.otherwise = otherwise;
        if names.has_none_like(name) { otherwise } else { names.ending(name).unwrap_or(otherwise) }
    }

    #[inline(always)]
    const fn only(&mut self, id: NodeId) -> NodeId {
        self.otherwise = id;
        id
    }

    /// Returns where a container lies if the place of the member in hand has no use for one.
    pub(crate) const fn otherwise(&self) -> NodeId {
        self.otherwise
    }

    /// Records that the value in hand, at `node`, is a container.
    #[inline(always)]
    pub(crate) fn open(&mut self, node: NodeId, container: Container, named: u16) {
        match self.below.get_mut(self.open) {
            Some(frame) => *frame = self.top,
            None => self.deeper.push(self.top),
        }
        self.open += 1;
        self.top = Frame { node, named, index: if container == Container::Array { 0 } else { OBJECT } };
    }

    /// Records that the innermost container ends, and returns its node.
    #[inline(always)]
    pub(crate) fn close(&mut self) -> NodeId {
        let closed = self.top.node;
        self.open -= 1;
        self.top = match self.below.get(self.open) {
            Some(frame) => *frame,
            None => self.deeper.pop().unwrap_or(Frame::NONE),
        };
        closed
    }
}
