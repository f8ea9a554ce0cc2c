//! The types that threads share: those of std, or those of loom when loom runs the models of the gates.

#[cfg(all(test, loom))]
pub(super) use loom::sync::{Mutex, MutexGuard, atomic::AtomicBool, atomic::AtomicU8, atomic::Ordering};
#[cfg(not(all(test, loom)))]
pub(super) use std::sync::{Mutex, MutexGuard, atomic::AtomicBool, atomic::AtomicU8, atomic::Ordering};
