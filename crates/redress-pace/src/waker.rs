//! Whom to wake.

use std::task::Waker;

/// Notes whom to wake; returns the waker that is no longer needed, to be dropped outside of the lock. One that is known
/// already stays, since a clone costs an atomic exchange at least.
pub(crate) fn note(slot: &mut Option<Waker>, waker: &Waker) -> Option<Waker> {
    match slot {
        Some(known) if known.will_wake(waker) => None,
        slot => slot.replace(waker.clone()),
    }
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;
    use std::task::Wake;

    use super::*;

    struct Bell;

    impl Wake for Bell {
        fn wake(self: Arc<Self>) {}
    }

    #[test]
    fn the_last_waker_is_kept_and_a_known_one_is_not_cloned_again() {
        let (old, new) = (Waker::from(Arc::new(Bell)), Waker::from(Arc::new(Bell)));
        let mut slot = None;
        assert!(note(&mut slot, &old).is_none() && note(&mut slot, &old).is_none());
        assert!(slot.as_ref().is_some_and(|waker| waker.will_wake(&old)));
        let stale = note(&mut slot, &new);
        assert!(stale.is_some_and(|stale| stale.will_wake(&old)), "it is handed out, to be dropped elsewhere");
        assert!(slot.is_some_and(|waker| waker.will_wake(&new)));
    }
}
