//! A refresh token that may be spent, while its issuer accepts it again.

use std::time::Duration;

use redress_classify::saturating;
use tokio::time::Instant;

use super::State;
use crate::record::Shown;

/// The first use of a refresh token, and how long it may be used again.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Reuse {
    pub(crate) shown: Shown,
    until: Instant,
}

impl Reuse {
    /// Returns the reuse of a token that was first presented then, `None` if it may not be presented again at `now`.
    ///
    /// A quarter of the grace is left for the way to the issuer.
    pub(crate) fn new(shown: Shown, grace: Duration, now: Instant) -> Option<Self> {
        let left = (grace / 4 * 3).checked_sub(shown.ago(now)).filter(|_| !grace.is_zero())?;
        Some(Self { shown, until: saturating::add(now, left) })
    }

    fn is_over(&self, now: Instant) -> bool {
        self.until < now
    }
}

impl State {
    /// Records how a flight presents its refresh token: when that was presented in an earlier flight, and how it may be used
    /// again if the answer is lost.
    pub(crate) fn set_reuse(&mut self, id: u64, earlier: Option<Reuse>, again: Option<Reuse>) {
        if let Some(flight) = self.flight.as_mut().filter(|flight| flight.id == id) {
            flight.reuse = again;
            self.reuse = earlier;
        }
    }

    /// Keeps the refresh token of a call whose answer is lost as long as the issuer accepts it again.
    pub(super) fn keep_or_drop_spent(&mut self, again: Option<Reuse>, now: Instant) {
        self.reuse = again.filter(|reuse| !reuse.is_over(now));
        if self.reuse.is_none() {
            self.drop_refresh_token();
        }
    }

    /// Drops a refresh token that may be spent, once the issuer does not accept it again.
    pub(super) fn drop_spent(&mut self, now: Instant) {
        if self.flight.is_none() && self.reuse.take_if(|reuse| reuse.is_over(now)).is_some() {
            self.drop_refresh_token();
        }
    }

    fn drop_refresh_token(&mut self) {
        self.refresh_token = None;
        self.keeps_until_expiry = true;
    }
}
