//! The wait of one call: at the gate, in the line of the release, then in the queue of its limit; then at the gate again if
//! it has closed meanwhile.

use std::mem;
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll, ready};
use std::time::Duration;

use http::Request;
use redress_classify::{Deadline, Error, Phase, saturating};
use tokio::time::{Instant, Sleep};

use crate::layer::Settings;
use crate::limiter::{self, Limiter, Wait, send_all};
use crate::lot::{Entry, Guest, Line, Place};
use crate::parking::Parking;
use crate::scope::Target;
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
    target: Target,
    /// The limits that cover the call, in the order in which it waits for them.
    limiters: Vec<Arc<Limiter>>,
    /// Its places in the queues of the first of them. It is due in all but the last queue.
    places: Vec<limiter::Place>,
    patience: Patience,
    stage: Stage,
    /// Its place among those that may be in flight, while there is a release.
    place: Option<Box<Place>>,
    /// `true` from when it was parked until it has to look at the gates anew.
    was_parked: bool,
}

enum Stage {
    /// The gate has to be looked at.
    New,
    /// It is parked until its own release.
    Parked { guest: Guest, sleep: Pin<Box<Sleep>> },
    /// It may go, but so many are in flight that it waits for a place.
    Lined { guest: Guest, sleep: Pin<Box<Sleep>>, spread: Duration },
    /// It stands in the last queue that it has joined; the first call there has a timer.
    Queued { sleep: Option<Pin<Box<Sleep>>> },
    /// All limits allow it, and the gate is open.
    Free,
}

impl Patience {
    pub(crate) fn of<B>(settings: &Settings, request: &Request<B>, now: Instant) -> Self {
        if settings.fail_fast {
            return Self { latest: now, is_deadline: false };
        }
        match Deadline::from_request(request).or_else(|| settings.deadline.map(Deadline::from_now)) {
            Some(deadline) => Self { latest: deadline.instant(), is_deadline: true },
            None => Self { latest: Deadline::from_now(settings.max_wait).instant(), is_deadline: false },
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
        parking.until + saturating::fraction(spread, random)
    }

    /// Returns until when a call that was parked waits for a place.
    fn in_line(&self, now: Instant, spread: Duration) -> Instant {
        if self.is_deadline { self.latest } else { saturating::add(self.latest.max(now), spread) }
    }

    /// Returns until when a call that was not parked waits for a place; then it goes without one.
    fn behind(&self, now: Instant, spread: Duration) -> Instant {
        let left = self.latest.saturating_duration_since(now);
        now + spread.min(if self.is_deadline { left / 2 } else { left })
    }

    /// Whether there is time enough for an answer that takes so long, and for twice as long.
    fn leaves(&self, now: Instant, usual: Duration) -> bool {
        !self.is_deadline || usual.saturating_mul(2) < self.latest.saturating_duration_since(now)
    }
}

impl Turn {
    /// Begins to wait; nothing is polled yet.
    ///
    /// # Errors
    /// When its turn would come too late.
    pub(crate) fn begin(
        settings: &Arc<Settings>,
        target: &Target,
        limiters: Vec<Arc<Limiter>>,
        patience: Patience,
    ) -> Result<Self, Error> {
        let mut turn = Self {
            settings: Arc::clone(settings),
            target: target.clone(),
            limiters,
            places: Vec::new(),
            patience,
            stage: Stage::New,
            place: None,
            was_parked: false,
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
                    self.line_up(Instant::now());
                }
                Stage::Lined { guest, sleep, spread } => match guest.look(cx) {
                    Line::Placed(place, usual) => {
                        let spread = *spread;
                        self.go(place, usual, spread, Instant::now())?;
                    }
                    Line::Gone => self.stage = Stage::New,
                    Line::Waits => {
                        let spread = *spread;
                        ready!(sleep.as_mut().poll(cx));
                        self.give_up(spread, Instant::now())?;
                    }
                },
                Stage::Queued { sleep } => {
                    let now = Instant::now();
                    if self.settings.lot.parking(&self.target, now).is_some() {
                        // Those behind find out in their turn.
                        self.stage = Stage::New;
                        continue;
                    }
                    match self.places.last().map_or(Wait::Over, |place| place.poll(now, cx)) {
                        Wait::Over => {
                            self.join(now)?;
                            continue;
                        }
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
        let is_parked = self.settings.lot.parking(&self.target, now).is_some();
        let is_taken = !is_parked && matches!(self.stage, Stage::Free) && send_all(&self.places, now);
        if !is_taken {
            self.stage = Stage::New;
            self.place = None;
        } else if let Some(place) = &mut self.place {
            place.send(now);
        }
        Ok(is_taken)
    }

    /// Returns the deadline that the call has waited by, for the layers below: they would count anew.
    pub(crate) fn deadline(&self) -> Option<Deadline> {
        let Patience { latest, is_deadline } = self.patience;
        is_deadline.then(|| Deadline::new(latest))
    }

    /// Ends the wait, and returns the place of the release, which the call holds until it is answered.
    pub(crate) fn end(self) -> Option<Box<Place>> {
        self.place
    }

    /// Looks where the call has to wait, and leaves where it waited before.
    fn look(&mut self, now: Instant) -> Result<(), Error> {
        self.stage = Stage::New;
        self.place = None;
        self.places.clear();
        self.was_parked = false;
        self.enter(now)
    }

    /// Passes the gates, or waits at one of them; a place that it has in a release is kept.
    fn enter(&mut self, now: Instant) -> Result<(), Error> {
        match self.settings.lot.enter(&self.target, self.place.as_deref(), now) {
            Entry::Free => self.queue(now),
            Entry::Placed(place) => {
                self.keep(place);
                self.queue(now)
            }
            Entry::Lined(guest, spread) => {
                let Self { patience, was_parked, .. } = self;
                let until = if *was_parked { patience.in_line(now, spread) } else { patience.behind(now, spread) };
                if until <= now {
                    return self.give_up(spread, now);
                }
                self.waits(Why::Release, until, now);
                self.stage = Stage::Lined { guest, sleep: Box::pin(tokio::time::sleep_until(until)), spread };
                Ok(())
            }
            Entry::Parked(guest, parking) => {
                self.place = None;
                if !self.patience.bears(parking.until) {
                    self.held_back(Why::Gate, parking.until, now);
                    return Err(Error::paced(parking.retry_at(&self.settings.clock)));
                }
                let release = self.patience.release(&parking, self.settings.random());
                self.waits(Why::Gate, release, now);
                self.stage = Stage::Parked { guest, sleep: Box::pin(tokio::time::sleep_until(release)) };
                self.was_parked = true;
                Ok(())
            }
        }
    }

    fn keep(&mut self, mut place: Box<Place>) {
        match &mut self.place {
            Some(own) => own.add(&mut place),
            own => *own = Some(place),
        }
    }

    /// Leaves the cool-down for the line of the release.
    fn line_up(&mut self, now: Instant) {
        let Stage::Parked { guest, sleep } = mem::replace(&mut self.stage, Stage::New) else { return };
        if let Some(spread) = guest.line_up(now) {
            let mut sleep = sleep;
            sleep.as_mut().reset(self.patience.in_line(now, spread));
            self.stage = Stage::Lined { guest, sleep, spread };
        }
    }

    /// Goes on with a place, if there is time enough left, to the next gate.
    fn go(&mut self, place: Box<Place>, usual: Duration, spread: Duration, now: Instant) -> Result<(), Error> {
        self.stage = Stage::New;
        if !self.patience.leaves(now, usual) {
            return Err(self.crowded(spread, now));
        }
        self.keep(place);
        self.enter(now)
    }

    /// Waits no more for a place: who has come late goes without one, who was parked does not.
    fn give_up(&mut self, spread: Duration, now: Instant) -> Result<(), Error> {
        self.stage = Stage::New;
        if self.was_parked { Err(self.crowded(spread, now)) } else { self.queue(now) }
    }

    /// Joins the queue of the first limit, unless one of them makes it wait for too long.
    fn queue(&mut self, now: Instant) -> Result<(), Error> {
        self.patience.check(now)?;
        if let [_, further @ ..] = &*self.limiters {
            let turns = further.iter().map(|limiter| limiter.turn(&self.target.partition, now));
            if let Some(latest) = turns.max().filter(|turn| !self.is_in_time(*turn, now)) {
                return Err(self.limited(latest, now));
            }
        }
        self.join(now)
    }

    /// Joins the queue of the next limit, if there is one.
    fn join(&mut self, now: Instant) -> Result<(), Error> {
        let Some(limiter) = self.limiters.get(self.places.len()) else {
            self.stage = Stage::Free;
            return Ok(());
        };
        match limiter.join(&self.target.partition, now, |turn| self.is_in_time(turn, now)) {
            Ok((place, turn)) => {
                self.places.push(place);
                self.stage = Stage::Queued { sleep: None };
                if turn > now {
                    self.waits(Why::Limit, turn, now);
                }
                Ok(())
            }
            Err(turn) => Err(self.limited(turn, now)),
        }
    }

    fn is_in_time(&self, turn: Instant, now: Instant) -> bool {
        turn == now || self.patience.bears(turn)
    }

    /// Tells that the turn comes too late.
    fn limited(&self, turn: Instant, now: Instant) -> Error {
        self.held_back(Why::Limit, turn, now);
        Error::paced(self.settings.clock.wall(turn))
    }

    /// Tells that there was no place in time. The gate is open: when to come back is a guess, and the spread is the time
    /// in which a crowd is meant to be gone.
    fn crowded(&self, spread: Duration, now: Instant) -> Error {
        let again = saturating::add(now, spread);
        self.held_back(Why::Release, again, now);
        Error::paced(self.settings.clock.wall(again))
    }

    fn waits(&self, why: Why, turn: Instant, now: Instant) {
        let wait = turn.saturating_duration_since(now);
        telemetry::waits(&self.settings.dialect, &self.target.partition, why, wait);
    }

    fn held_back(&self, why: Why, turn: Instant, now: Instant) {
        let wait = turn.saturating_duration_since(now);
        telemetry::held_back(&self.settings.dialect, &self.target.partition, why, wait);
    }
}
