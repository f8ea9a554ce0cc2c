//! What is shared between threads.

pub(super) use std::sync::{Arc, RwLock, atomic::AtomicBool, atomic::AtomicU64, atomic::Ordering};
