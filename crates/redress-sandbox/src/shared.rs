//! State shared by handlers and tests.

use std::sync::{Mutex, MutexGuard, PoisonError};

/// A mutex that ignores poisoning: after a panic in one request, the test can still read the state.
#[derive(Debug, Default)]
pub(crate) struct Shared<T>(Mutex<T>);

impl<T> Shared<T> {
    pub(crate) fn new(value: T) -> Self {
        Self(Mutex::new(value))
    }

    pub(crate) fn lock(&self) -> MutexGuard<'_, T> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
