//! The list of the attempts of a call.

use std::fmt;
use std::mem;
use std::ops::{Deref, DerefMut};

use super::Attempt;

/// The attempts of a call, in the order in which they ended. Nearly all calls that are sent again are sent twice, and a list of two
/// takes no allocation.
#[derive(Clone, Default)]
pub struct Attempts(List);

#[derive(Clone, Default)]
enum List {
    #[default]
    Empty,
    One([Attempt; 1]),
    Two([Attempt; 2]),
    More(Vec<Attempt>),
}

impl Attempts {
    /// Creates a list without an attempt.
    #[must_use]
    pub const fn new() -> Self {
        Self(List::Empty)
    }

    pub(super) const fn from_vec(attempts: Vec<Attempt>) -> Self {
        Self(List::More(attempts))
    }

    /// Adds an attempt at the end.
    pub fn push(&mut self, attempt: Attempt) {
        self.0 = match mem::take(&mut self.0) {
            List::Empty => List::One([attempt]),
            List::One([first]) => List::Two([first, attempt]),
            List::Two([first, second]) => List::More(vec![first, second, attempt]),
            List::More(mut attempts) => {
                attempts.push(attempt);
                List::More(attempts)
            }
        };
    }
}

impl Deref for Attempts {
    type Target = [Attempt];

    fn deref(&self) -> &[Attempt] {
        match &self.0 {
            List::Empty => &[],
            List::One(attempts) => attempts,
            List::Two(attempts) => attempts,
            List::More(attempts) => attempts,
        }
    }
}

impl DerefMut for Attempts {
    fn deref_mut(&mut self) -> &mut [Attempt] {
        match &mut self.0 {
            List::Empty => &mut [],
            List::One(attempts) => attempts,
            List::Two(attempts) => attempts,
            List::More(attempts) => attempts,
        }
    }
}

impl PartialEq for Attempts {
    fn eq(&self, other: &Self) -> bool {
        **self == **other
    }
}

impl Eq for Attempts {}

impl fmt::Debug for Attempts {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        (**self).fmt(f)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_list_of_any_length_is_that_of_its_vec() {
        let (mut pushed, mut expected) = (Attempts::new(), Vec::new());
        for status in 200..205 {
            assert_eq!((pushed.len(), &*pushed), (expected.len(), &*expected));
            assert_eq!(pushed, Attempts::from_vec(expected.clone()));
            assert_eq!(format!("{pushed:?}"), format!("{expected:?}"));
            pushed.push(Attempt::new(Some(status), None, false));
            assert_ne!(pushed, Attempts::from_vec(expected.clone()));
            expected.push(Attempt::new(Some(status), None, false));
            let last = expected.len() - 1;
            (pushed[last].is_probe, expected[last].is_probe) = (true, true);
        }
        assert_eq!(&*pushed, &*expected);
    }
}
