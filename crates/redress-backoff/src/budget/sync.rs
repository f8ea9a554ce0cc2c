//! What is shared between threads.

pub(super) use std::sync::{Arc, atomic::AtomicU64, atomic::Ordering};
