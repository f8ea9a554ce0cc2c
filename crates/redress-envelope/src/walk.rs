//! Walks a [`Plan`] along with a scan: which node, if any, the value in hand lies at.

use crate::json::Container;
use crate::path::MAX_STEPS;
use crate::plan::{NodeId, Plan};

/// A list's path, an element, the path inside it, and the value there.
const FRAMES: usize = 2 * MAX_STEPS + 4;

/// The place of a scan in the tree of a plan.
#[derive(Clone, Debug)]
pub(crate) struct Walk {
    /// The open containers that the plan knows, outermost first.
    frames: [Frame; FRAMES],
    known: usize,
    /// How many open containers lie inside the last known one.
    unknown: usize,
    /// Where the value that begins next lies; an element finds its place when it begins.
    next: Option<NodeId>,
}

#[derive(Clone, Copy, Debug, Default)]
struct Frame {
    node: NodeId,
    /// The index of the next element; `None` in an object.
    index: Option<u32>,
}

impl Walk {
    pub(crate) fn new() -> Self {
        Self { frames: [Frame::default(); FRAMES], known: 0, unknown: 0, next: Some(0) }
    }

    /// Whether the value that begins next is the root.
    pub(crate) const fn at_root(&self) -> bool {
        self.known + self.unknown == 0
    }

    /// Returns the node of the innermost open container.
    pub(crate) fn container(&self) -> Option<NodeId> {
        if self.unknown > 0 { None } else { self.top().map(|frame| frame.node) }
    }

    /// Notes that a value begins, and returns its node.
    pub(crate) fn value(&mut self, plan: &Plan) -> Option<NodeId> {
        if self.unknown > 0 {
            return None;
        }
        if let Some(Frame { node, index: Some(index) }) = self.known.checked_sub(1).map(|top| &mut self.frames[top]) {
            self.next = plan.node_at(*node).element(*index);
            *index = index.saturating_add(1);
        }
        self.next
    }

    /// Notes the name of the member that follows, and returns its node.
    pub(crate) fn key(&mut self, plan: &Plan, name: &str) -> Option<NodeId> {
        self.next = self.container().and_then(|node| plan.node_at(node).member(name));
        self.next
    }

    /// Notes that the value in hand is a container.
    pub(crate) fn open(&mut self, container: Container) {
        match self.next {
            Some(node) if self.unknown == 0 => {
                self.frames[self.known] = Frame { node, index: (container == Container::Array).then_some(0) };
                self.known += 1;
            }
            _ => self.unknown += 1,
        }
        self.next = None;
    }

    /// Notes that the innermost container ends, and returns its node.
    pub(crate) fn close(&mut self) -> Option<NodeId> {
        let closed = self.container();
        if self.unknown > 0 {
            self.unknown -= 1;
        } else {
            self.known -= 1;
        }
        self.next = None;
        closed
    }

    fn top(&self) -> Option<&Frame> {
        self.known.checked_sub(1).map(|top| &self.frames[top])
    }
}
