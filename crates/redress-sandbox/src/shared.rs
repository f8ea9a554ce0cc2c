//! State that handlers and tests share.

use std::sync::{Mutex, MutexGuard, PoisonError};

/// A mutex that ignores poisoning: a panic in one request must not hide the state from the test that asks about it.
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
