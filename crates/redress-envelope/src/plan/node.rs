//! The nodes of a plan.

use std::hash::{Hash, Hasher};
use std::sync::Arc;

use super::endings::Endings;
use super::last_letters::LastLetters;
use super::{FieldRole, NodeId, Texts};
use crate::cells::Cell;
use crate::json::Container;

/// Stands for the place of a member that is looked for among many keys.
const LOOKUP: NodeId = NodeId::MAX;
/// How many keys are tried one by one.
const MAX_LINEAR_KEYS: usize = 16;

/// A place in a body, and the use of the value found there.
#[derive(Clone, Debug, Default)]
pub(crate) struct Node {
    pub(super) keys: Vec<(Name, NodeId)>,
    /// The keys, if there are many.
    sorted: Option<Box<SortedKeys>>,
    /// Bit `n` is set when a key has `n` bytes, modulo 64.
    pub(super) lengths: u64,
    pub(super) any_key: Option<NodeId>,
    pub(super) indices: Vec<(u32, NodeId)>,
    /// The ends of names, in small letters and digits: for members that no path names.
    pub(super) endings: Endings,
    /// Excludes most names that are neither a key nor an ending. Set if the node has endings.
    last_letters: Option<Box<LastLetters>>,
    pub(super) each: Option<NodeId>,
    /// Where a value at this place is kept.
    pub(crate) cells: Vec<Cell>,
    /// The only cell, where a value at this place does nothing but go there, the
    /// last one of all.
    pub(crate) single_cell: Option<Cell>,
    pub(crate) role: FieldRole,
    /// The cells that a repeated key forgets here, and the bits of them all.
    pub(crate) cells_below: Vec<Cell>,
    pub(crate) mask_below: u128,
    /// The lists that it forgets.
    pub(crate) lists_below: u64,
    /// The alternatives, by rank, for the parts of an item of a list that a
    /// repeated key forgets here.
    pub(crate) paths_below: u32,
    pub(crate) messages_below: u32,
    /// Whether it plays any part in a list of field errors.
    pub(crate) affects_fields: bool,
}

/// Many keys, sorted by their length and their ends, so that one is found in
/// few steps.
#[derive(Clone, Debug)]
struct SortedKeys {
    keys: Vec<(Name, NodeId)>,
    /// Where the keys of each length begin.
    starts: Vec<u16>,
    /// The place of any other member.
    any_key: Option<NodeId>,
}

/// The name of a member.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Name {
    /// Compared first: they tell most names apart.
    ends: Ends,
    text: Arc<[u8]>,
}

/// The first and the last bytes of a name. With its length they make out all of
/// a short one.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
struct Ends(u64, u64);

impl Node {
    /// Returns `true` if anything inside a container at this place matters.
    #[inline(always)]
    pub(crate) fn wants_inside(&self, container: Container) -> bool {
        match container {
            Container::Object => self.any_key.is_some() || !self.keys.is_empty(),
            Container::Array => self.each.is_some() || !self.indices.is_empty(),
        }
    }

    /// Returns `true` if a member at this place may be named like a field, and is
    /// one only where it holds a list: of such a name anything else may be meant.
    pub(crate) const fn may_name_field(&self) -> bool {
        matches!(self.role, FieldRole::Name { texts: Texts::None | Texts::Sentences, .. })
    }

    /// Returns the place of a member.
    #[inline(always)]
    pub(crate) fn member(&self, name: &[u8]) -> Option<NodeId> {
        if self.lengths & (1 << (name.len() % 64)) != 0
            && let Some(id) = self.named(name)
        {
            return Some(id);
        }
        if self.any_key == Some(LOOKUP) { self.lookup_member(name) } else { self.any_key }
    }

    /// Returns the place of a member of this name, if a path names it.
    pub(crate) fn only_named(&self, name: &[u8]) -> Option<NodeId> {
        match &self.sorted {
            Some(many) => many.find(name),
            None if self.lengths & (1 << (name.len() % 64)) != 0 => self.named(name),
            None => None,
        }
    }

    /// Returns `true` if a look at a name's end shows that no key and no ending is
    /// like it.
    #[inline(always)]
    pub(crate) fn has_none_like(&self, name: &[u8]) -> bool {
        self.last_letters.as_ref().is_some_and(|last| last.excludes(name))
    }

    /// Returns the place of a member by its name, or by the end of its name.
    pub(crate) fn ending(&self, name: &[u8]) -> Option<NodeId> {
        self.only_named(name).or_else(|| self.by_ending(name))
    }

    /// Returns the place of a member by the end of its name.
    pub(super) fn by_ending(&self, name: &[u8]) -> Option<NodeId> {
        self.endings.find(name)
    }

    /// Returns the places of all members that a path names, with their names, and
    /// of any member.
    pub(crate) fn children(&self) -> impl Iterator<Item = (&[u8], NodeId)> {
        let (keys, any_key) = match &self.sorted {
            Some(many) => (&many.keys, many.any_key),
            None => (&self.keys, self.any_key),
        };
        let named = keys.iter().map(|(name, id)| (name.as_bytes(), *id));
        named.chain(any_key.map(|id| (&b""[..], id)))
    }

    /// Returns the nodes that this one leads to.
    pub(super) fn below(&self) -> impl Iterator<Item = NodeId> {
        let named = self.keys.iter().map(|(_, id)| *id).chain(self.indices.iter().map(|(_, id)| *id));
        named.chain(self.endings.all().map(|(_, id)| id)).chain(self.any_key).chain(self.each)
    }

    /// Leads to another node wherever this one led to `old`.
    pub(super) fn replace(&mut self, old: NodeId, new: NodeId) {
        let named = self.keys.iter_mut().map(|(_, id)| id).chain(self.indices.iter_mut().map(|(_, id)| id));
        named.chain(&mut self.any_key).chain(&mut self.each).filter(|id| **id == old).for_each(|id| *id = new);
    }

    #[inline(always)]
    fn named(&self, name: &[u8]) -> Option<NodeId> {
        let ends = Ends::of(name);
        let (_, id) = self.keys.iter().find(|(key, _)| key.ends == ends && key.text.len() == name.len())?;
        if name.len() <= Ends::ALL { Some(*id) } else { self.long_named(name) }
    }

    /// Returns the place of a member of a node with many keys. Out of line, so that
    /// few keys need no stack.
    #[inline(never)]
    fn lookup_member(&self, name: &[u8]) -> Option<NodeId> {
        let many = self.sorted.as_ref()?;
        many.find(name).or(many.any_key)
    }

    /// Sorts the keys if they are too many to try each.
    pub(super) fn sort_keys(&mut self) {
        if !self.endings.is_empty() {
            let keys = self.keys.iter().map(|(name, _)| name.as_bytes());
            let last_letters = LastLetters::new(keys, self.endings.all().map(|(end, _)| end));
            self.last_letters = Some(Box::new(last_letters));
        }
        if self.keys.len() > MAX_LINEAR_KEYS {
            let any_key = self.any_key.replace(LOOKUP);
            self.sorted = Some(Box::new(SortedKeys::new(std::mem::take(&mut self.keys), any_key)));
            self.lengths = 0;
        }
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

impl SortedKeys {
    fn new(mut keys: Vec<(Name, NodeId)>, any_key: Option<NodeId>) -> Self {
        keys.sort_by_key(|(key, _)| (key.len(), key.ends));
        let longest = keys.last().map_or(0, |(key, _)| key.len());
        let shorter_than = |len| keys.partition_point(|(key, _)| key.len() < len);
        let starts = (0..longest + 2).map(|len| u16::try_from(shorter_than(len)).unwrap_or(u16::MAX)).collect();
        Self { keys, starts, any_key }
    }

    fn find(&self, name: &[u8]) -> Option<NodeId> {
        let [first, end] = self.starts.get(name.len()..name.len() + 2)? else { return None };
        let keys = &self.keys[usize::from(*first)..usize::from(*end)];
        let ends = Ends::of(name);
        let at = keys.partition_point(|(key, _)| key.ends < ends);
        let mut alike = keys[at..].iter().take_while(|(key, _)| key.ends == ends);
        alike.find(|(key, _)| name.len() <= Ends::ALL || *key.text == *name).map(|(_, id)| *id)
    }
}

impl Name {
    pub(super) fn new(name: &str) -> Self {
        Self { text: name.as_bytes().into(), ends: Ends::of(name.as_bytes()) }
    }

    pub(super) fn as_bytes(&self) -> &[u8] {
        &self.text
    }

    pub(super) fn len(&self) -> usize {
        self.text.len()
    }
}

/// The ends tell most names apart, and are hashed at once.
impl Hash for Name {
    fn hash<H: Hasher>(&self, state: &mut H) {
        state.write_u64(self.ends.0);
        state.write_u64(self.ends.1);
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
