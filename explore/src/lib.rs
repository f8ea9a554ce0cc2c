//! Runs a model once for each sequence of its choices: in which order processes go on, and which faults they meet.
//!
//! [loom](https://docs.rs/loom) does that for threads and memory. This one does it for machines of pure functions and for futures
//! that are polled by hand, where a choice is any number. A model starts from its initial state each time and makes the choices
//! in the same way, so that it needs no copies of states.

use std::collections::HashSet;
use std::hash::{DefaultHasher, Hash, Hasher};

/// The choices of one run.
///
/// # Examples
/// ```
/// let mut sums = Vec::new();
/// let runs = redress_explore::explore(|choices| sums.push(choices.choose(2) + choices.choose(3)));
/// assert_eq!((runs, sums), (6, vec![0, 1, 2, 1, 2, 3]));
/// ```
#[derive(Debug)]
pub struct Choices<'e> {
    /// What was chosen, of how many.
    made: &'e mut Vec<(usize, usize)>,
    next: usize,
    seen: &'e mut HashSet<u64>,
}

impl Choices<'_> {
    /// Chooses a number below `of`.
    ///
    /// # Panics
    /// Panics if there is nothing to choose, or if the model does not make the same choices again.
    pub fn choose(&mut self, of: usize) -> usize {
        assert!(of > 0, "there is nothing to choose");
        if self.next == self.made.len() {
            self.made.push((0, of));
        }
        let (chosen, before) = self.made[self.next];
        assert_eq!(before, of, "the model is not the same at choice {}", self.next);
        self.next += 1;
        chosen
    }

    /// Returns `true` if an earlier run has been in this state: then the runs from here on are the same, and this one can end.
    ///
    /// The state must contain all that decides about the rest of a run, also the number of choices that are left.
    pub fn was_here(&mut self, state: &impl Hash) -> bool {
        let mut hasher = DefaultHasher::new();
        state.hash(&mut hasher);
        let is_repeated = self.next < self.made.len();
        !self.seen.insert(hasher.finish()) && !is_repeated
    }
}

/// Runs a model for each sequence of choices, the last choice fastest. Returns the number of runs.
pub fn explore(mut model: impl FnMut(&mut Choices<'_>)) -> usize {
    let (mut made, mut seen, mut runs) = (Vec::new(), HashSet::new(), 0);
    loop {
        runs += 1;
        let mut choices = Choices { made: &mut made, next: 0, seen: &mut seen };
        model(&mut choices);
        let used = choices.next;
        made.truncate(used);
        while let Some((chosen, of)) = made.pop() {
            if chosen + 1 < of {
                made.push((chosen + 1, of));
                break;
            }
        }
        if made.is_empty() {
            return runs;
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn choices_may_depend_on_earlier_ones() {
        let mut seen = Vec::new();
        let runs = explore(|choices| {
            let first = choices.choose(3);
            seen.push((0..first).map(|_| choices.choose(2)).collect::<Vec<_>>());
        });
        assert_eq!(runs, 1 + 2 + 4);
        assert_eq!(seen, [vec![], vec![0], vec![1], vec![0, 0], vec![0, 1], vec![1, 0], vec![1, 1]]);
    }

    #[test]
    fn a_state_that_was_reached_before_is_left_once() {
        let mut ends = 0;
        explore(|choices| {
            let mut sum = 0;
            for left in (0..10).rev() {
                sum += choices.choose(2);
                if choices.was_here(&(left, sum)) {
                    return;
                }
            }
            ends += 1;
        });
        assert_eq!(ends, 11, "one run for each sum");
    }
}
