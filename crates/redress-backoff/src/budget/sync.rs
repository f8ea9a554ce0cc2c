//! The types that threads share: those of std, or those of loom when loom runs the models of this crate.

#[cfg(all(test, loom))]
pub(super) use loom::sync::{Arc, RwLock, atomic::AtomicBool, atomic::AtomicU32, atomic::AtomicU64, atomic::Ordering};
#[cfg(not(all(test, loom)))]
pub(super) use std::sync::{Arc, RwLock, atomic::AtomicBool, atomic::AtomicU32, atomic::AtomicU64, atomic::Ordering};
