//! What is shared between threads: std's, and that of loom where loom runs the models of this crate.

#[cfg(all(test, loom))]
pub(super) use loom::sync::{Arc, RwLock, atomic::AtomicBool, atomic::AtomicU32, atomic::AtomicU64, atomic::Ordering};
#[cfg(not(all(test, loom)))]
pub(super) use std::sync::{Arc, RwLock, atomic::AtomicBool, atomic::AtomicU32, atomic::AtomicU64, atomic::Ordering};
