//! Field errors, collected while a body is scanned.
//!
//! Three shapes are read, by the roles of the nodes: a list of objects with a
//! path and a message, a map from names to messages, and a tree whose nested
//! names form the path.

mod error;
mod name;

use std::borrow::Cow;

use crate::dialect::{is_error_name, is_remark, is_sentence};
use crate::json::Scalar;
use crate::plan::{FieldRole, Node, Texts};
pub use error::FieldError;
use name::{FieldName, is_name, short};

/// The maximum number of field errors: more than a person reads, and few enough
/// that a hostile body costs little.
const MAX_FIELDS: usize = 256;
/// The rank of a part that was not found yet.
const NONE: u8 = u8::MAX;

/// The collector of field errors.
#[derive(Debug)]
pub(crate) struct Fields<'a> {
    found: Vec<FieldError<'a>>,
    /// The names before the path of each. They are joined last, since many fields are of a list that no envelope reads. Those
    /// behind the end have none.
    before: Vec<Cow<'a, str>>,
    /// The list that each belongs to; those behind the end belong to list 0, which
    /// most dialects have alone.
    lists: Vec<u8>,
    /// The item of a list in hand, and how good the places are at which its parts
    /// stood.
    item: FieldError<'a>,
    path_rank: u8,
    message_rank: u8,
    /// The items that lie around the one in hand.
    outer: Vec<(FieldError<'a>, u8, u8)>,
    /// How many items are open.
    open: u8,
    /// How many containers that matter have begun, and how many had when an object of a map said its message.
    begun: u32,
    said_in: u32,
    /// The name in hand, of a map or a tree.
    name: FieldName<'a>,
    /// The list that it belongs to.
    name_list: u8,
}

impl<'a> Fields<'a> {
    pub(crate) const fn new() -> Self {
        let item = FieldError::nothing();
        Self {
            found: Vec::new(),
            before: Vec::new(),
            lists: Vec::new(),
            item,
            path_rank: NONE,
            message_rank: NONE,
            outer: Vec::new(),
            open: 0,
            begun: 1,
            said_in: 0,
            name: FieldName::new(),
            name_list: 0,
        }
    }

    /// Returns those of the given lists.
    pub(crate) fn of_lists(&mut self, lists: u64) -> Vec<FieldError<'a>> {
        self.retain(|list, _, _| lists & (1 << list) != 0);
        for (before, field) in self.before.iter().zip(&mut self.found).filter(|(before, _)| !before.is_empty()) {
            field.path = short(Cow::Owned([before, ".", &field.path].concat()));
        }
        let mut found = std::mem::take(&mut self.found);
        // Most often all are of one list.
        let are_of_one = self.lists.len() == found.len() && self.lists.iter().all(|list| *list == self.lists[0]);
        if !self.lists.is_empty() && !are_of_one {
            self.drop_doubles(&mut found);
        }
        found
    }

    /// Returns `true` if the only field that was found is that of a single object, which has no message of its own.
    #[inline(always)]
    pub(crate) fn names_one_alone(&self, found: &[FieldError<'a>], single_lists: u64) -> bool {
        let list = self.lists.first().copied().unwrap_or_default();
        matches!(found, [field] if field.message.is_empty()) && single_lists & (1 << list) != 0
    }

    /// Drops what a list says as one before it did: a body may say the same in a map and in a list.
    fn drop_doubles(&mut self, found: &mut Vec<FieldError<'a>>) {
        let mut at = 1;
        while at < found.len() {
            let list_of = |at: usize| self.lists.get(at).copied().unwrap_or_default();
            let is_double = (0..at).any(|other| list_of(other) != list_of(at) && found[other] == found[at]);
            if !is_double {
                at += 1;
                continue;
            }
            found.remove(at);
            if at < self.lists.len() {
                self.lists.remove(at);
            }
        }
    }

    /// Records that a container at a place begins.
    #[inline]
    pub(crate) fn begin(&mut self, role: FieldRole) {
        self.begun = self.begun.wrapping_add(1);
        if let FieldRole::Item { .. } | FieldRole::LeafItem { .. } = role {
            let item = std::mem::replace(&mut self.item, FieldError::nothing());
            if self.open > 0 {
                self.outer.push((item, self.path_rank, self.message_rank));
            }
            self.open += 1;
            (self.path_rank, self.message_rank) = (NONE, NONE);
        }
    }

    /// Records that an element of an array begins. `named` is the length of the
    /// field name of the array, in bytes.
    #[inline]
    pub(crate) fn element(&mut self, named: u16) {
        self.name.cut(named);
    }

    /// Records that a container at a place ends.
    #[inline]
    pub(crate) fn end(&mut self, role: FieldRole) {
        let item = match role {
            FieldRole::Item { list, nameless, whole } => Some((list, nameless, whole)),
            FieldRole::LeafItem { list, .. } => Some((list, false, true)),
            _ => None,
        };
        if let Some((list, nameless, whole)) = item {
            let item = std::mem::replace(&mut self.item, FieldError::nothing());
            let has_message = !item.message.is_empty();
            if (!item.path.is_empty() && (has_message || !whole)) || (nameless && has_message) {
                self.push(list, item);
            }
            self.open -= 1;
            if let Some((item, path_rank, message_rank)) = self.outer.pop() {
                (self.item, self.path_rank, self.message_rank) = (item, path_rank, message_rank);
            }
        }
    }

    /// Records the name of a member. `named` is the length of the field name of its
    /// container, in bytes.
    #[inline]
    pub(crate) fn key(&mut self, node: &Node, named: u16, name: Cow<'a, str>) {
        match node.role {
            FieldRole::Name { list, once, .. } => {
                self.name.push(named, short(name), list == self.name_list);
                self.name_list = list;
                // The last of a repeated name counts, as long as there is room for more.
                let is_full = self.found.len() >= MAX_FIELDS;
                if once && self.name.is_first(named) && !self.found.is_empty() && !is_full {
                    let (_, name) = self.name.parts();
                    self.retain(|of, before, field| of != list || !before.is_empty() || field.path != name);
                }
            }
            FieldRole::Leaf { .. } | FieldRole::LeafPart { .. } => {
                self.name.cut(named);
                self.name.rest_is_own();
            }
            _ => {}
        }
        self.forget(node);
    }

    /// Returns the length of the field name of a container. `named` is the length
    /// of that of the container around it.
    #[inline]
    pub(crate) fn named(&self, role: FieldRole, named: u16) -> u16 {
        match role {
            FieldRole::Name { .. } | FieldRole::Leaf { .. } | FieldRole::LeafPart { .. } => self.name.len(),
            _ => named,
        }
    }

    /// Takes a scalar at a place.
    #[inline]
    pub(crate) fn scalar(&mut self, role: FieldRole, scalar: Scalar<'a>) {
        match scalar {
            Scalar::Text(text) => self.text(role, text),
            Scalar::Number(number) => self.path(role, number),
            Scalar::Null | Scalar::Bool(_) => {}
        }
    }

    /// Takes a text at a place.
    #[inline]
    pub(crate) fn text(&mut self, role: FieldRole, text: Cow<'a, str>) {
        match role {
            FieldRole::ItemMessage { rank } if rank <= self.message_rank && !text.is_empty() => {
                (self.message_rank, self.item.message) = (rank, text);
            }
            FieldRole::Item { list, nameless: true, .. } => {
                self.push(list, FieldError { path: Cow::Borrowed(""), message: text });
            }
            // A list that lies in no name belongs to something else.
            FieldRole::Leaf { .. } | FieldRole::LeafItem { .. } if self.name.is_empty() => {}
            FieldRole::Name { list, texts: Texts::All, .. }
            | FieldRole::Leaf { list }
            | FieldRole::LeafItem { leaf: list, .. } => {
                let (before, path) = self.name.parts();
                self.push_part(list, before, FieldError { path, message: text });
            }
            FieldRole::LeafPart { .. } | FieldRole::Name { texts: Texts::Sentences, .. } => self.chosen(role, text),
            _ => self.path(role, text),
        }
    }

    /// Takes a text that is a message only under a condition. Out of line, since few dialects need it.
    #[inline(never)]
    fn chosen(&mut self, role: FieldRole, text: Cow<'a, str>) {
        match role {
            FieldRole::LeafPart { list } => self.part_of_object(list, text),
            FieldRole::Name { list, .. } if is_remark(&text) => self.text(FieldRole::Leaf { list }, text),
            _ => {}
        }
    }

    /// Takes one of the messages of an object in a map: the first sentence counts, else the first one.
    fn part_of_object(&mut self, list: u8, text: Cow<'a, str>) {
        let (is_first, is_full) = (self.said_in != self.begun, self.found.len() >= MAX_FIELDS);
        self.said_in = self.begun;
        match self.found.last_mut() {
            // The list is full: the message before may not have been kept.
            Some(_) if !is_first && is_full => {}
            Some(known) if !is_first => {
                if !is_sentence(&known.message) && is_sentence(&text) {
                    known.message = text;
                }
            }
            _ => self.text(FieldRole::Leaf { list }, text),
        }
    }

    /// Takes a text or a number that may be a path.
    #[inline]
    fn path(&mut self, role: FieldRole, path: Cow<'a, str>) {
        match role {
            FieldRole::ItemPath { name: true, .. } if is_error_name(&path) => {}
            FieldRole::ItemPath { rank, .. } if rank <= self.path_rank && is_name(&path) => {
                (self.path_rank, self.item.path) = (rank, short(path));
            }
            FieldRole::ItemPathPart { rank } if rank <= self.path_rank => self.part(rank, path),
            _ => {}
        }
    }

    /// Adds a part to a path that is a list of parts.
    fn part(&mut self, rank: u8, part: Cow<'a, str>) {
        if rank < self.path_rank {
            (self.path_rank, self.item.path) = (rank, short(part));
        } else {
            let joined = [self.item.path.as_ref(), ".", &part].concat();
            self.item.path = short(Cow::Owned(joined));
        }
    }

    /// Forgets what an earlier member of the same name brought.
    fn forget(&mut self, node: &Node) {
        // Only if what was found came from here: another alternative stays.
        if node.paths_below & alternative(self.path_rank) != 0 {
            (self.path_rank, self.item.path) = (NONE, Cow::Borrowed(""));
        }
        if node.messages_below & alternative(self.message_rank) != 0 {
            (self.message_rank, self.item.message) = (NONE, Cow::Borrowed(""));
        }
        if node.lists_below != 0 {
            self.retain(|list, _, _| node.lists_below & (1 << list) == 0);
        }
    }

    #[inline]
    fn push(&mut self, list: u8, field: FieldError<'a>) {
        self.push_part(list, Cow::Borrowed(""), field);
    }

    #[inline]
    fn push_part(&mut self, list: u8, before: Cow<'a, str>, field: FieldError<'a>) {
        if self.found.len() < MAX_FIELDS {
            if list != 0 {
                self.lists.resize(self.found.len(), 0);
                self.lists.push(list);
            }
            if !before.is_empty() {
                self.before.resize(self.found.len(), Cow::Borrowed(""));
                self.before.push(before);
            }
            self.found.push(field);
        }
    }

    #[inline]
    fn retain(&mut self, keep: impl Fn(u8, &str, &FieldError<'a>) -> bool) {
        let keeps = |of: &Self, at: usize| {
            let list = of.lists.get(at).copied().unwrap_or_default();
            keep(list, of.before.get(at).map_or("", |before| before), &of.found[at])
        };
        let Some(mut kept) = (0..self.found.len()).find(|at| !keeps(self, *at)) else { return };
        for at in kept + 1..self.found.len() {
            if keeps(self, at) {
                self.found.swap(kept, at);
                swap(&mut self.lists, kept, at);
                swap(&mut self.before, kept, at);
                kept += 1;
            }
        }
        self.found.truncate(kept);
        self.lists.truncate(kept);
        self.before.truncate(kept);
    }
}

/// Moves what one of the fields has to another place, and forgets what was there; those behind the end have the default.
fn swap<T: Default>(all: &mut [T], to: usize, from: usize) {
    let moved = all.get_mut(from).map(std::mem::take).unwrap_or_default();
    if let Some(slot) = all.get_mut(to) {
        *slot = moved;
    }
}

/// Returns the bit of an alternative; those that hold at any depth have none.
fn alternative(rank: u8) -> u32 {
    1_u32.checked_shl(rank.into()).unwrap_or_default()
}
