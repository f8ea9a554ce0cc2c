//! One place of a plan.

use super::{NodeId, Role};
use crate::cells::Cell;
use crate::json::Container;

/// How many keys are tried one by one.
const FEW_KEYS: usize = 16;

/// One place in a body, and what to do with the value found there.
#[derive(Clone, Debug, Default)]
pub(crate) struct Node {
    pub(super) keys: Vec<(Name, NodeId)>,
    /// Where the keys of each length begin, if there are many; they are then sorted by it.
    starts: Vec<u16>,
    /// Bit `n` is set when a key has `n` bytes, modulo 64.
    pub(super) lengths: u64,
    pub(super) any_key: Option<NodeId>,
    pub(super) indices: Vec<(u32, NodeId)>,
    pub(super) each: Option<NodeId>,
    /// Where a value at this place is kept.
    pub(crate) cells: Vec<Cell>,
    /// The only cell, where a value at this place does nothing but go there, the last one of all.
    pub(crate) only: Option<Cell>,
    pub(crate) role: Role,
    /// The cells that a repeated key forgets here, and the bits of them all.
    pub(crate) cells_below: Vec<Cell>,
    pub(crate) mask_below: u128,
    /// The lists that it forgets.
    pub(crate) lists_below: u64,
    /// The alternatives, by rank, for the parts of an item of a list that a repeated key forgets here.
    pub(crate) paths_below: u32,
    pub(crate) messages_below: u32,
    /// Whether it plays any part in a list of field errors.
    pub(crate) of_fields: bool,
}

/// The name of a member.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Name {
    text: Box<[u8]>,
    ends: Ends,
}

/// The first and the last bytes of a name. With its length they make out all of a short one.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct Ends(u64, u64);

impl Node {
    /// Whether anything inside a container at this place matters.
    #[inline(always)]
    pub(crate) fn wants_inside(&self, container: Container) -> bool {
        match container {
            Container::Object => self.any_key.is_some() || !self.keys.is_empty(),
            Container::Array => self.each.is_some() || !self.indices.is_empty(),
        }
    }

    #[inline(always)]
    pub(crate) fn member(&self, name: &[u8]) -> Option<NodeId> {
        if self.lengths & (1 << (name.len() % 64)) != 0
            && let Some(id) = self.named(name)
        {
            return Some(id);
        }
        self.any_key
    }

    /// Returns the place of a member of this name, if a path names it.
    pub(crate) fn only_named(&self, name: &[u8]) -> Option<NodeId> {
        if self.lengths & (1 << (name.len() % 64)) != 0 { self.named(name) } else { None }
    }

    /// Returns the places of all members that a path names, with their names, and of any member.
    pub(crate) fn children(&self) -> impl Iterator<Item = (&[u8], NodeId)> {
        let named = self.keys.iter().map(|(name, id)| (name.as_bytes(), *id));
        named.chain(self.any_key.map(|id| (&b""[..], id)))
    }

    fn named(&self, name: &[u8]) -> Option<NodeId> {
        let ends = Ends::of(name);
        let keys = if self.starts.is_empty() { &*self.keys } else { self.keys_of_length(name.len()) };
        let (_, id) = keys.iter().find(|(key, _)| key.ends == ends && key.text.len() == name.len())?;
        if name.len() <= Ends::ALL { Some(*id) } else { self.long_named(name) }
    }

    /// Returns the keys of a length, where there are too many to try each.
    fn keys_of_length(&self, len: usize) -> &[(Name, NodeId)] {
        match self.starts.get(len..len + 2) {
            Some([first, end]) => &self.keys[usize::from(*first)..usize::from(*end)],
            _ => &[],
        }
    }

    /// Sorts many keys by their length, so that those of a length are found at once.
    pub(super) fn sort_keys(&mut self) {
        if self.keys.len() <= FEW_KEYS {
            return;
        }
        self.keys.sort_by_key(|(key, _)| key.len());
        let longest = self.keys.last().map_or(0, |(key, _)| key.len());
        let shorter_than = |len| self.keys.partition_point(|(key, _)| key.len() < len);
        self.starts = (0..longest + 2).map(|len| u16::try_from(shorter_than(len)).unwrap_or(u16::MAX)).collect();
    }

    /// Out of line, so that short names need no stack.
    #[inline(never)]
    fn long_named(&self, name: &[u8]) -> Option<NodeId> {
        self.keys.iter().find(|(key, _)| *key.text == *name).map(|(_, id)| *id)
    }

    #[inline(always)]
    pub(crate) fn element(&self, index: u32) -> Option<NodeId> {
        self.indices.iter().find(|(key, _)| *key == index).map(|(_, id)| *id).or(self.each)
    }
}

impl Name {
    pub(super) fn new(name: &str) -> Self {
        Self { text: name.as_bytes().into(), ends: Ends::of(name.as_bytes()) }
    }

    fn as_bytes(&self) -> &[u8] {
        &self.text
    }

    pub(super) fn len(&self) -> usize {
        self.text.len()
    }
}

impl Ends {
    /// The length up to which nothing lies between the ends.
    const ALL: usize = 2 * size_of::<u64>();

    #[inline(always)]
    fn of(name: &[u8]) -> Self {
        if let (Some(first), Some(last)) = (name.first_chunk(), name.last_chunk()) {
            Self(u64::from_le_bytes(*first), u64::from_le_bytes(*last))
        } else if let (Some(first), Some(last)) = (name.first_chunk(), name.last_chunk()) {
            Self(u32::from_le_bytes(*first).into(), u32::from_le_bytes(*last).into())
        } else if let (Some(first), Some(last)) = (name.first_chunk(), name.last_chunk()) {
            Self(u16::from_le_bytes(*first).into(), u16::from_le_bytes(*last).into())
        } else {
            Self(name.first().copied().unwrap_or_default().into(), 0)
        }
    }
}
