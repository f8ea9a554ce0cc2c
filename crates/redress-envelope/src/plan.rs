//! The values to extract from a body: all paths of a dialect, compiled into one
//! graph that a scan walks.

mod build;
mod endings;
mod id_hash;
mod last_letters;
mod lists;
mod merging;
mod node;
mod plans;
mod root;
mod spelling;

use crate::cells::Cell;
use crate::path::Path;
use id_hash::{IdMap, IdSet};
use node::Name;
pub(crate) use node::Node;
pub(crate) use plans::Plans;
pub(crate) use spelling::Spelling;

/// How many values one plan may name: more than the shipped dialect that asks
/// at the most places needs.
pub(crate) const MAX_CELLS: usize = 256;
/// How many lists of fields one plan may have.
pub(crate) const MAX_LISTS: usize = 64;
/// How many alternatives the parts of an item may have.
pub(crate) const MAX_RANKS: usize = 32;

/// How many places one plan may have.
pub(crate) const MAX_NODES: usize = 16_384;

/// A node of the graph.
pub(crate) type NodeId = u16;

/// Paths that begin at node 0. It is a tree but for what stands for any depth:
/// those nodes lead back to themselves.
#[derive(Clone, Debug)]
pub(crate) struct Plan {
    spelling: Spelling,
    /// Whether an array at the top is read for nothing but its first element, which
    /// is read as the body would be.
    unwraps_arrays: bool,
    nodes: Vec<Node>,
    cells: Vec<(Path, Merge)>,
    /// The number of the first cell.
    first_cell: Cell,
    /// How many values were asked for and not granted.
    refused: usize,
    lists: Vec<FieldList>,
    /// Places that a wildcard beside them does not mean.
    excepted: IdSet<NodeId>,
    /// Whether a path has a name that is compared by its letters and digits.
    pub(crate) folds: bool,
    /// Whether a path selects an element by an attribute.
    pub(crate) selects: bool,
    /// The place of each member and element that no other path names.
    pub(crate) below: Option<NodeId>,
    /// The places of members by the place around them and their names, while the plan is built.
    named: IdMap<(NodeId, Name), NodeId>,
    /// Nodes that several places lead to, while the plan is built.
    shared: IdSet<NodeId>,
    /// Nodes below which a wildcard excludes each member that a path names.
    named_excepted: IdSet<usize>,
}

/// Which of the values that one path leads to is kept.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub(crate) enum Merge {
    /// There is one; of a repeated member the last.
    Last,
    /// The first that says something: the path has a wildcard.
    First,
    /// The first sentence, else as [`First`](Self::First): names stand for the same member before a title and before a
    /// message.
    Sentence,
    /// The first that may be a code, else as [`First`](Self::First): of several names one holds the status, an outcome or a
    /// sentence.
    Code,
    /// All texts, joined.
    Joined(String),
    /// The one that lies deepest, however often the member of this name lies in
    /// itself before the path's last step.
    Deepest(String),
}

/// The part that a place plays in a list of field errors; `list` numbers the
/// list, `rank` the alternative, best first.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) enum FieldRole {
    #[default]
    None,
    /// An object with a path and a message; a bare text where the list takes those
    /// without a name. With `whole`, one without a message is none: it may be anything that has a field.
    Item {
        list: u8,
        nameless: bool,
        whole: bool,
    },
    /// The path of the field; `name` where the member is called so, which the name
    /// of an error may be, too.
    ItemPath {
        rank: u8,
        name: bool,
    },
    /// A part of a path that is a list of parts.
    ItemPathPart {
        rank: u8,
    },
    ItemMessage {
        rank: u8,
    },
    /// A message under the name; an object here may be an item of a list, which then is one with a message.
    LeafItem {
        leaf: u8,
        list: u8,
    },
    /// A path or a message where a member of an item is called so, at any depth.
    AnyPath {
        rank: u8,
    },
    AnyMessage {
        rank: u8,
    },
    /// A member whose name is, or ends, the name of the field; `texts` says which texts
    /// here are its message.
    Name {
        list: u8,
        texts: Texts,
        /// Whether a name that comes again replaces what came before.
        once: bool,
    },
    /// A message under the name.
    Leaf {
        list: u8,
    },
    /// One of the messages in an object under the name.
    LeafPart {
        list: u8,
    },
}

/// Which bare texts in a map of fields are messages.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Texts {
    None,
    /// Those that say something.
    Sentences,
    All,
}

/// How an API lists the faults of single fields.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum FieldList {
    /// An array of objects that have a path and a message, or a single such object.
    List { at: Path, path: Vec<Path>, message: Vec<Path>, nameless: bool, single: bool },
    /// An object from the name of a field to its message or messages, or an array
    /// of such objects. With `nested`, the parts of a field have names of their own,
    /// one level deep.
    Map { at: Path, except: Vec<String>, message: Vec<Path>, each: bool, texts: Texts, nested: bool },
    /// Objects in objects, whose names make the name of a field.
    Tree { at: Path, leaf: Option<String>, message: Vec<Path> },
}

impl FieldRole {
    /// Returns the part that a member plays in a container at a place of this role.
    #[inline(always)]
    pub(crate) const fn of_member(self, role: Self) -> Self {
        match (role, self) {
            (Self::AnyPath { rank }, Self::Item { .. } | Self::LeafItem { .. }) => Self::ItemPath { rank, name: false },
            (Self::AnyMessage { rank }, Self::Item { .. } | Self::LeafItem { .. }) => Self::ItemMessage { rank },
            (Self::AnyPath { .. } | Self::AnyMessage { .. }, _) => Self::None,
            _ => role,
        }
    }
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
            excepted: IdSet::default(),
            folds: false,
            selects: false,
            below: None,
            named: IdMap::default(),
            shared: IdSet::default(),
            named_excepted: IdSet::default(),
        }
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

    #[inline(always)]
    pub(crate) fn node_at(&self, id: NodeId) -> &Node {
        &self.nodes[usize::from(id)]
    }
}
