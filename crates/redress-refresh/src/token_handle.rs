//! A handle to the credentials.

use std::sync::atomic::{AtomicU64, Ordering};

use crate::layer::Link;
use crate::shared::Shared;
use crate::token_set::TokenSet;

/// A handle to a layer's credentials, from [`RefreshLayer::tokens`](crate::RefreshLayer::tokens). Clones are cheap.
#[derive(Clone, Debug)]
pub struct TokenHandle {
    link: Option<Link>,
}

impl TokenHandle {
    pub(crate) const fn new(link: Option<Link>) -> Self {
        Self { link }
    }

    /// Returns how many sets of credentials have been installed; 0 before the first.
    #[must_use]
    pub fn generation(&self) -> u64 {
        self.link.as_ref().map_or(0, |link| link.shared.latest().generation())
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
    /// headers clears. By a [store](crate::RefreshLayer::store) it reaches the other processes too.
    pub fn install(&self, grant: TokenSet) {
        if let Some(link) = &self.link {
            link.shared.install(grant, link.clock());
        }
    }

    /// Forgets all credentials, as a logout does, and any failure.
    ///
    /// What a flight under way brings is dropped, and those who wait for it fail. The next request logs in; one whose
    /// credentials are [static](crate::Credentials::is_static) fails until others are installed. A
    /// [store](crate::RefreshLayer::store) forgets them too: what it holds is not adopted again, even if it is down now.
    pub fn clear(&self) {
        if let Some(link) = &self.link {
            link.shared.clear(link.clock());
        }
    }

    fn count(&self, counter: impl FnOnce(&Shared) -> &AtomicU64) -> u64 {
        self.link.as_ref().map_or(0, |link| counter(&link.shared).load(Ordering::Relaxed))
    }
}
