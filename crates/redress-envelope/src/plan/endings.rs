//! Names that are looked for by their ends.

use super::NodeId;

/// How many groups there are: the last five bits of a letter are the same in either case.
const GROUPS: usize = 32;

/// The ends of names, in small letters and digits, each with the place of such a member. Of two that a name has, the one that
/// was added first counts.
#[derive(Clone, Debug, Default)]
pub(super) struct Endings(Option<Box<Groups>>);

/// The ends by the last letter, since of most names already that is another one.
type Groups = [Vec<(Box<[u8]>, NodeId)>; GROUPS];

impl Endings {
    pub(super) fn add(&mut self, end: Box<[u8]>, id: NodeId) {
        let Some(last) = end.last() else { return };
        self.0.get_or_insert_default()[group(*last)].push((end, id));
    }

    pub(super) const fn is_empty(&self) -> bool {
        self.0.is_none()
    }

    pub(super) fn all(&self) -> impl Iterator<Item = (&[u8], NodeId)> {
        self.0.iter().flat_map(|groups| groups.iter().flatten()).map(|(end, id)| (&**end, *id))
    }

    /// Returns the place of a member whose name ends like one of them.
    pub(super) fn find(&self, name: &[u8]) -> Option<NodeId> {
        let groups = self.0.as_ref()?;
        let mut letters = name.iter().rev().filter(|byte| byte.is_ascii_alphanumeric());
        let last = letters.next()?.to_ascii_lowercase();
        let ends = |end: &[u8]| {
            let Some((_, before)) = end.split_last().filter(|(end, _)| **end == last) else { return false };
            let mut letters = letters.clone();
            before.iter().rev().all(|byte| letters.next().is_some_and(|letter| letter.eq_ignore_ascii_case(byte)))
        };
        groups[group(last)].iter().find(|(end, _)| ends(end)).map(|(_, id)| *id)
    }
}

fn group(letter: u8) -> usize {
    usize::from(letter) % GROUPS
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_first_end_that_a_name_has_counts_whatever_lies_between_its_letters() {
        let mut endings = Endings::default();
        assert!(endings.is_empty());
        for (end, id) in [("code", 1), ("errorcode", 2), ("message", 3), ("e", 4), ("", 5), ("7", 6)] {
            endings.add(end.as_bytes().into(), id);
        }
        assert!(!endings.is_empty());
        assert_eq!(endings.all().count(), 5);
        for (name, id) in [
            ("error_code", Some(1)),
            ("CODE", Some(1)),
            ("co-de_", Some(1)),
            ("errorMessage", Some(3)),
            ("ode", Some(4)),
            ("E7", Some(6)),
            ("codes", None),
            ("W", None),
            ("--", None),
            ("", None),
        ] {
            assert_eq!(endings.find(name.as_bytes()), id, "{name}");
        }
    }
}
