//! The wait of one call: at the gate, then in the queue of its limit, then at the gate again if it has closed meanwhile.

use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll, ready};

use http::Request;
use redress_classify::{Deadline, Error, Phase, span};
use tokio::time::{Instant, Sleep};

use crate::layer::Settings;
use crate::limiter::{Limiter, Place, Wait};
use crate::lot::Guest;
use crate::parking::Parking;
use crate::partition::Partition;
use crate::telemetry::{self, Why};

/// How long a call can wait.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Patience {
    latest: Instant,
    /// Whether the call must be over by then; else it may begin then.
    is_deadline: bool,
}

/// A call that waits for its turn. Dropping it leaves nothing behind.
pub(crate) struct Turn {
    settings: Arc<Settings>,
    partition: Partition,
    limiter: Option<Arc<Limiter>>,
    patience: Patience,
    stage: Stage,
}

enum Stage {
    /// The gate has to be looked at.
    New,
    /// It is parked until its own release.
    Parked { guest: Guest, sleep: Pin<Box<Sleep>> },
    /// It stands in the queue; the first one has a timer.
    Queued { place: Place, sleep: Option<Pin<Box<Sleep>>> },
    /// There is no limit, and the gate was open.
    Free,
}

impl Patience {
    pub(crate) fn of<B>(settings: &Settings, request: &Request<B>, now: Instant) -> Self {
        if settings.fail_fast {
            return Self { latest: now, is_deadline: false };
        }
        match Deadline::of(request, settings.deadline) {
            Some(deadline) => Self { latest: deadline.instant(), is_deadline: true },
            None => Self { latest: Deadline::after(settings.max_wait).instant(), is_deadline: false },
        }
    }

    fn bears(&self, turn: Instant) -> bool {
        if self.is_deadline { turn < self.latest } else { turn <= self.latest }
    }

    /// Fails when the deadline has passed already.
    fn check(&self, now: Instant) -> Result<(), Error> {
        if self.is_deadline && self.latest <= now { Err(Error::deadline(Phase::NotSent)) } else { Ok(()) }
    }

    /// Draws when a parked call is released. Near a deadline there is less spread, so that half of what is left remains
    /// for the call; never is it sooner.
    fn release(&self, parking: &Parking, random: u32) -> Instant {
        let slack = self.latest.saturating_duration_since(parking.until) / 2;
        let spread = if self.is_deadline { parking.spread.min(slack) } else { parking.spread };
        parking.until + span::share(spread, random)
    }
}

impl Turn {
    /// Begins to wait; nothing is polled yet.
    ///
    /// # Errors
    /// When its turn would come too late.
    pub(crate) fn begin(
        settings: &Arc<Settings>,
        partition: &Partition,
        limiter: Option<&Arc<Limiter>>,
        patience: Patience,
    ) -> Result<Self, Error> {
        let mut turn = Self {
            settings: Arc::clone(settings),
            partition: partition.clone(),
            limiter: limiter.cloned(),
            patience,
            stage: Stage::New,
        };
        turn.look(Instant::now())?;
        Ok(turn)
    }

    /// Waits until it is the call's turn. Nothing is taken by that: [`take`](Self::take) does.
    pub(crate) fn poll(&mut self, cx: &mut Context<'_>) -> Poll<Result<(), Error>> {
        loop {
            match &mut self.stage {
                Stage::New => self.look(Instant::now())?,
                Stage::Free => return Poll::Ready(Ok(())),
                Stage::Parked { guest, sleep } => {
                    if guest.is_held(cx) {
                        ready!(sleep.as_mut().poll(cx));
                    }
                    self.stage = Stage::New;
                }
                Stage::Queued { place, sleep } => {
                    let now = Instant::now();
                    if self.settings.lot.parking(&self.partition, now).is_some() {
                        // Those behind find out in their turn.
                        self.stage = Stage::New;
                        continue;
                    }
                    match place.poll(now, cx) {
                        Wait::Over => return Poll::Ready(Ok(())),
                        Wait::ForOthers => return Poll::Pending,
                        Wait::Until(turn) => {
                            let sleep = sleep.get_or_insert_with(|| Box::pin(tokio::time::sleep_until(turn)));
                            ready!(sleep.as_mut().poll(cx));
                        }
                    }
                    *sleep = None;
                }
            }
        }
    }

    /// Takes the turn: the request must be sent now. `false` when the gate has closed meanwhile, and nothing is taken.
    ///
    /// # Errors
    /// When the deadline has passed: the machine was asleep, or the service below was long in getting ready.
    pub(crate) fn take(&mut self) -> Result<bool, Error> {
        let now = Instant::now();
        self.patience.check(now)?;
        let is_parked = self.settings.lot.parking(&self.partition, now).is_some();
        let is_taken = !is_parked
            && match &self.stage {
                Stage::Free => true,
                Stage::Queued { place, .. } => place.send(now),
                Stage::New | Stage::Parked { .. } => false,
            };
        if !is_taken {
            self.stage = Stage::New;
        }
        Ok(is_taken)
    }

    /// Looks where the call has to wait, and leaves where it waited before.
    fn look(&mut self, now: Instant) -> Result<(), Error> {
        self.stage = Stage::New;
        if let Some((parking, guest)) = self.settings.lot.enter(&self.partition, now) {
            if !self.patience.bears(parking.until) {
                self.held_back(Why::Gate, parking.until, now);
                return Err(Error::paced(parking.retry_at));
            }
            let release = self.patience.release(&parking, self.settings.random());
            self.waits(Why::Gate, release, now);
            self.stage = Stage::Parked { guest, sleep: Box::pin(tokio::time::sleep_until(release)) };
            return Ok(());
        }
        self.patience.check(now)?;
        let Some(limiter) = &self.limiter else {
            self.stage = Stage::Free;
            return Ok(());
        };
        match limiter.join(&self.partition, now, |turn| turn == now || self.patience.bears(turn)) {
            Ok((place, turn)) => {
                self.stage = Stage::Queued { place, sleep: None };
                if turn > now {
                    self.waits(Why::Limit, turn, now);
                }
                Ok(())
            }
            Err(turn) => {
                self.held_back(Why::Limit, turn, now);
                Err(Error::paced(self.settings.clock.wall(turn)))
            }
        }
    }

    fn waits(&self, why: Why, turn: Instant, now: Instant) {
        let wait = turn.saturating_duration_since(now);
        telemetry::waits(&self.settings.dialect, &self.partition, why, wait);
    }

    fn held_back(&self, why: Why, turn: Instant, now: Instant) {
        let wait = turn.saturating_duration_since(now);
        telemetry::held_back(&self.settings.dialect, &self.partition, why, wait);
    }
}
