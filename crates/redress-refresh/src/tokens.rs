//! A handle to the credentials.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use crate::grant::Grant;
use crate::shared::Shared;

/// A handle to a layer's credentials, from [`RefreshLayer::tokens`](crate::RefreshLayer::tokens). Clones are cheap.
#[derive(Clone, Debug)]
pub struct Tokens {
    shared: Option<Arc<Shared>>,
}

impl Tokens {
    pub(crate) const fn new(shared: Option<Arc<Shared>>) -> Self {
        Self { shared }
    }

    /// Returns how many sets of credentials have been installed; 0 before the first.
    #[must_use]
    pub fn generation(&self) -> u64 {
        self.shared.as_ref().map_or(0, |shared| shared.latest().generation())
    }

    /// Returns how many refreshes have been started.
    #[must_use]
    pub fn refreshes(&self) -> u64 {
        self.count(Shared::refreshes)
    }

    /// Returns how many logins have been started.
    #[must_use]
    pub fn logins(&self) -> u64 {
        self.count(Shared::logins)
    }

    /// Installs credentials that were had in another way, and forgets all that was known: the refresh token too,
    /// and any failure.
    ///
    /// What a flight under way brings is dropped, and those who wait for it go on with the new set. A grant without
    /// headers clears.
    pub fn install(&self, grant: Grant) {
        if let Some(shared) = &self.shared {
            shared.install(grant);
        }
    }

    /// Forgets all credentials, as a logout does, and any failure.
    ///
    /// What a flight under way brings is dropped, and those who wait for it fail. The next request logs in; one whose
    /// credentials are [static](crate::Credentials::is_static) fails until others are installed.
    pub fn clear(&self) {
        if let Some(shared) = &self.shared {
            shared.clear();
        }
    }

    fn count(&self, counter: impl FnOnce(&Shared) -> &AtomicU64) -> u64 {
        self.shared.as_ref().map_or(0, |shared| counter(shared).load(Ordering::Relaxed))
    }
}
