//! The places of the lists of field errors.

use std::collections::HashMap;

use super::{FieldList, FieldRole, MAX_LISTS, MAX_RANKS, Plan, Texts};
use crate::path::{Path, Step};

/// The rank of the first alternative that holds at any depth: what an item names itself goes before.
const OF_ANY_DEPTH: u8 = MAX_RANKS as u8;

impl Plan {
    /// Returns a place where two lists of fields begin that differ: only the last
    /// of them would be read.
    pub(crate) fn contested(&self) -> Option<&Path> {
        let mut at: HashMap<Path, Vec<&FieldList>> = HashMap::new();
        self.lists.iter().find_map(|list| {
            let is_taken = list.at().expanded().into_iter().any(|place| {
                let others = at.entry(place).or_default();
                let is_taken = others.iter().any(|other| other.contests(list));
                others.push(list);
                is_taken
            });
            is_taken.then(|| list.at())
        })
    }

    /// Adds a list of field errors, and returns its bit; a list that is known has
    /// one, and there are none beyond the last.
    pub(crate) fn list(&mut self, fields: &FieldList) -> u64 {
        if let Some(known) = self.lists.iter().position(|known| known == fields) {
            return 1 << known;
        }
        self.lists.push(fields.clone());
        let list = self.lists.len() - 1;
        if list < MAX_LISTS {
            self.along_names(fields.at().steps(), |node| node.lists_below |= 1 << list);
            fields.expanded().iter().for_each(|fields| self.place(fields, list as u8));
            return 1 << list;
        }
        0
    }

    fn place(&mut self, fields: &FieldList, list: u8) {
        match fields {
            FieldList::List { at, path, message, nameless, single } => {
                // An element that repeats is its own list.
                let item = if *single || at.is_xml() { at.clone() } else { at.join(&[Step::Each]) };
                self.role(&item, FieldRole::Item { list, nameless: *nameless, whole: at.holds_below() });
                self.item_paths(&item, path);
                self.item_messages(&item, message);
            }
            FieldList::Map { at, except, message, each, texts, nested } => {
                let at = if *each { at.join(&[Step::Each]) } else { at.clone() };
                if except.iter().any(|name| name == "*") {
                    let at = self.node(&at);
                    self.named_excepted.insert(usize::from(at));
                }
                for name in except {
                    let node = self.node(&at.join(&[Step::Key(name.clone())]));
                    self.excepted.insert(node);
                }
                let name = at.join(&[Step::Any]);
                self.role(&name, FieldRole::Name { list, texts: *texts, once: !*each });
                self.role(&name.join(&[Step::Each]), FieldRole::Leaf { list });
                if *nested {
                    let in_parts = if *texts == Texts::None { Texts::None } else { Texts::Sentences };
                    self.parts(&name, list, in_parts);
                    self.parts(&name.join(&[Step::Each]), list, in_parts);
                }
                for path in message.iter().flat_map(Path::expanded) {
                    self.role(&name.join(path.steps()), FieldRole::LeafPart { list });
                    self.role(&name.join(&[Step::Each]).join(path.steps()), FieldRole::LeafPart { list });
                }
            }
            FieldList::Tree { at, leaf, message } => self.tree(at, leaf.as_deref(), message, list),
        }
    }

    /// Reads the lists of texts in an object of a field, and texts of this kind, as messages about its parts.
    fn parts(&mut self, field: &Path, list: u8, texts: Texts) {
        let part = field.join(&[Step::Any]);
        self.role(&part, FieldRole::Name { list, texts, once: false });
        self.role(&part.join(&[Step::Each]), FieldRole::Leaf { list });
    }

    fn item_paths(&mut self, item: &Path, paths: &[Path]) {
        for (path, rank) in ranked(paths) {
            if path.holds_below() {
                self.role(&path, FieldRole::AnyPath { rank: rank + OF_ANY_DEPTH });
                continue;
            }
            let path = item.join(path.steps());
            let name = matches!(path.steps().last(), Some(Step::Key(key)) if key == "name");
            self.role(&path, FieldRole::ItemPath { rank, name });
            self.role(&path.join(&[Step::Each]), FieldRole::ItemPathPart { rank });
            self.inside(item, &path, |node| node.paths_below |= 1 << rank);
        }
    }

    fn item_messages(&mut self, item: &Path, messages: &[Path]) {
        for (path, rank) in ranked(messages) {
            if path.holds_below() {
                self.role(&path, FieldRole::AnyMessage { rank: rank + OF_ANY_DEPTH });
                continue;
            }
            let path = item.join(path.steps());
            self.role(&path, FieldRole::ItemMessage { rank });
            self.inside(item, &path, |node| node.messages_below |= 1 << rank);
        }
    }

    fn tree(&mut self, at: &Path, leaf: Option<&str>, message: &[Path], list: u8) {
        let any = self.node(&at.join(&[Step::Any]));
        let node = self.at(any);
        let texts = if leaf.is_none() { Texts::All } else { Texts::None };
        node.role = FieldRole::Name { list, texts, once: false };
        (node.any_key, node.each) = (Some(any), Some(any));
        let Some(leaf) = leaf else { return };
        let end = self.node(&at.join(&[Step::Key(leaf.to_owned())]));
        self.excepted.insert(end);
        let node = self.at(end);
        node.role = FieldRole::Leaf { list };
        node.each = Some(end);
        let ends: Vec<_> = message
            .iter()
            .flat_map(Path::expanded)
            .map(|path| path.steps().iter().fold(end, |at, step| self.child(at, step)))
            .collect();
        ends.into_iter().for_each(|end| self.at(end).role = FieldRole::Leaf { list });
        let names = self.spellings(leaf);
        names.into_iter().for_each(|name| self.add_key(any, name, end));
    }
}

/// Returns each path that the alternatives stand for, with the rank of its
/// alternative.
fn ranked(paths: &[Path]) -> impl Iterator<Item = (Path, u8)> {
    paths.iter().zip(0..).flat_map(|(path, rank)| path.expanded().into_iter().map(move |path| (path, rank)))
}

impl FieldList {
    /// Returns the list at each place that it is at.
    fn expanded(&self) -> Vec<Self> {
        let at = |new: Path| {
            let mut list = self.clone();
            let (Self::List { at, .. } | Self::Map { at, .. } | Self::Tree { at, .. }) = &mut list;
            *at = new;
            list
        };
        self.at().expanded().into_iter().map(at).collect()
    }

    /// Returns `true` if it is one object that has a path and a message.
    pub(crate) const fn is_single(&self) -> bool {
        matches!(self, Self::List { single: true, .. })
    }

    /// Returns where it begins.
    pub(crate) const fn at(&self) -> &Path {
        let (Self::List { at, .. } | Self::Map { at, .. } | Self::Tree { at, .. }) = self;
        at
    }

    /// Returns `true` if both ask for the same values of a place: an array may be a
    /// list of items beside an object that is a map of names.
    pub(super) fn contests(&self, other: &Self) -> bool {
        match (self, other) {
            (Self::List { single: a, .. }, Self::List { single: b, .. }) => a == b,
            (Self::Map { each: a, .. }, Self::Map { each: b, .. }) => a == b,
            (Self::Tree { .. }, Self::Tree { .. } | Self::Map { each: false, .. }) => true,
            (Self::Map { each: false, .. }, Self::Tree { .. }) => true,
            _ => false,
        }
    }
}
