//! The places of the lists of field errors.

use super::node::Name;
use super::{FieldList, Plan, Role};
use crate::path::{Path, Step};

impl Plan {
    /// Adds a list of field errors.
    pub(crate) fn list(&mut self, fields: &FieldList) {
        let list = self.lists;
        self.lists += 1;
        let (FieldList::List { at, .. } | FieldList::Map { at, .. } | FieldList::Tree { at, .. }) = fields;
        self.along_names(at, |node| node.lists_below |= 1 << list);
        match fields {
            FieldList::List { at, path, message, nameless, single } => {
                let item = if *single { at.clone() } else { at.join(&[Step::Each]) };
                self.role(&item, Role::Item { list, nameless: *nameless });
                self.item_paths(&item, path);
                self.item_messages(&item, message);
            }
            FieldList::Map { at, except, message, each, texts } => {
                let at = if *each { at.join(&[Step::Each]) } else { at.clone() };
                for name in except {
                    let node = self.node(&at.join(&[Step::Key(name.clone())]));
                    self.excepted.insert(node);
                }
                let name = at.join(&[Step::Any]);
                self.role(&name, Role::Name { list, leaf: *texts });
                self.role(&name.join(&[Step::Each]), Role::Leaf { list });
                for path in message {
                    self.role(&name.join(path.steps()), Role::Leaf { list });
                    self.role(&name.join(&[Step::Each]).join(path.steps()), Role::Leaf { list });
                }
            }
            FieldList::Tree { at, leaf, message } => self.tree(at, leaf.as_deref(), message, list),
        }
    }

    fn item_paths(&mut self, item: &Path, paths: &[Path]) {
        for (path, rank) in paths.iter().zip(0..) {
            let path = item.join(path.steps());
            self.role(&path, Role::ItemPath { rank });
            self.role(&path.join(&[Step::Each]), Role::ItemPathPart { rank });
            self.inside(item, &path, |node| node.paths_below |= 1 << rank);
        }
    }

    fn item_messages(&mut self, item: &Path, messages: &[Path]) {
        for (path, rank) in messages.iter().zip(0..) {
            let path = item.join(path.steps());
            self.role(&path, Role::ItemMessage { rank });
            self.inside(item, &path, |node| node.messages_below |= 1 << rank);
        }
    }

    fn tree(&mut self, at: &Path, leaf: Option<&str>, message: &[Path], list: u8) {
        let any = self.node(&at.join(&[Step::Any]));
        let node = self.at(any);
        node.role = Role::Name { list, leaf: leaf.is_none() };
        (node.any_key, node.each) = (Some(any), Some(any));
        let Some(leaf) = leaf else { return };
        let end = self.node(&at.join(&[Step::Key(leaf.to_owned())]));
        self.excepted.insert(end);
        let node = self.at(end);
        node.role = Role::Leaf { list };
        node.each = Some(end);
        let ends: Vec<_> =
            message.iter().map(|path| path.steps().iter().fold(end, |at, step| self.child(at, step))).collect();
        ends.into_iter().for_each(|end| self.at(end).role = Role::Leaf { list });
        self.at(any).keys.push((Name::new(leaf), end));
    }
}
