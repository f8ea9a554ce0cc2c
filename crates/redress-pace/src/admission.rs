//! The wait of one call: at its gates, for the end of an outage or a permit of a release, and in the queues of its limits.

mod errors;

use std::mem;
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll, ready};

use redress_classify::{Deadline, Error, saturating};
use tokio::time::{Instant, Sleep};

use self::errors::reason;
pub(crate) use self::errors::refused;
use crate::cooldown::Cooldown;
use crate::gates::{Caller, GateState, LineWait, Permit, PermitWait, Waiter, enter};
use crate::keyed_queues::SlotState;
use crate::limiter::{Limiter, QueuePosition, try_send_all};
use crate::max_wait::{MaxWait, WaitLimit};
use crate::scope::Target;
use crate::settings::Settings;
use crate::shared::FirstLoad;
use crate::telemetry::WaitReason;
use crate::waker::poll_timer;

/// A call that waits for its admission. Dropping it gives up all its positions and permits.
///
/// It enters its gates, then the queue of each limit that covers it. If a gate closes meanwhile, it starts anew. Admission
/// takes nothing yet; [`commit`](Self::commit) does, right before the request is sent.
pub(crate) struct Admission {
    settings: Arc<Settings>,
    target: Target,
    /// The limits that cover the call, in the order in which it queues for them.
    limiters: Vec<Arc<Limiter>>,
    /// Its positions in the queues of the first of them. It may be sent by all but the last.
    positions: Vec<QueuePosition>,
    caller: Caller,
    stage: Stage,
    /// Its permit, as a probe or during a release.
    permit: Option<Box<Permit>>,
}

enum Stage {
    /// It enters its gates anew.
    Start,
    /// It waits for the first load of the cool-downs that other processes share.
    Loading(FirstLoad),
    /// It waits for the end of a cool-down, and for its time within the spread after it.
    CoolingDown { waiter: Waiter, sleep: Pin<Box<Sleep>> },
    /// It waits in a line, to probe an outage or for a permit of a release.
    InLine { waiter: Waiter, sleep: Pin<Box<Sleep>>, wait: LineWait },
    /// It waits in the last queue that it joined. The first call in a queue has a timer.
    InQueue { sleep: Option<Pin<Box<Sleep>>> },
    /// The gates are open, and all limits allow it.
    Ready,
}

impl Admission {
    /// Starts to wait. No timer is polled yet.
    ///
    /// # Errors
    /// Fails if the wait would be too long.
    pub(crate) fn new(
        settings: &Arc<Settings>,
        target: &Target,
        limiters: Vec<Arc<Limiter>>,
        caller: Caller,
        now: Instant,
    ) -> Result<Self, Error> {
        let mut admission = Self::unstarted(settings, target, limiters, caller);
        admission.start(now)?;
        // From now on they are counted.
        admission.caller.bytes = 0;
        Ok(admission)
    }

    fn unstarted(settings: &Arc<Settings>, target: &Target, limiters: Vec<Arc<Limiter>>, caller: Caller) -> Self {
        Self {
            settings: Arc::clone(settings),
            target: target.clone(),
            limiters,
            positions: Vec::new(),
            caller,
            stage: Stage::Start,
            permit: None,
        }
    }

    /// Starts to wait for the first load of the cool-downs of its partition; then for its admission. Its bytes are counted already.
    pub(crate) fn loading(
        settings: &Arc<Settings>,
        target: &Target,
        limiters: Vec<Arc<Limiter>>,
        caller: Caller,
        load: FirstLoad,
    ) -> Self {
        let caller = Caller { bytes: 0, ..caller };
        Self { stage: Stage::Loading(load), ..Self::unstarted(settings, target, limiters, caller) }
    }

    /// Waits until the call may be sent.
    ///
    /// # Errors
    /// Fails if the wait would be too long.
    pub(crate) fn poll(&mut self, cx: &mut Context<'_>, mut now: Instant) -> Poll<Result<(), Error>> {
        loop {
            match &mut self.stage {
                Stage::Start => {
                    self.caller.random = self.settings.random();
                    if self.settings.gates.has_ended_waits() {
                        self.caller.max_wait = MaxWait::fail_fast(now);
                    }
                    self.start(now)?;
                }
                Stage::Ready => return Poll::Ready(Ok(())),
                Stage::Loading(load) => {
                    ready!(load.as_mut().poll(cx));
                    now = now.max(Instant::now());
                    self.stage = Stage::Start;
                }
                Stage::CoolingDown { waiter, sleep } => {
                    if waiter.poll_opened(cx, now).is_pending() {
                        now = ready!(poll_timer(sleep, cx, now));
                    }
                    self.queue_for_permit(now);
                }
                Stage::InLine { waiter, sleep, wait } => {
                    let wait = *wait;
                    match waiter.poll_permit(cx, now) {
                        PermitWait::Granted(permit) => self.use_permit(permit, now)?,
                        PermitWait::TooLate => {
                            return Poll::Ready(Err(self.line_error(wait, saturating::add(now, wait.spread), now)));
                        }
                        PermitWait::Gone => self.stage = Stage::Start,
                        PermitWait::Waiting(at) => {
                            let at = at.map_or(wait.until, |at| at.min(wait.until));
                            if sleep.deadline() != at {
                                sleep.as_mut().reset(at);
                            }
                            now = ready!(poll_timer(sleep, cx, now));
                            if wait.until <= now {
                                self.leave_line(wait, now)?;
                            }
                        }
                    }
                }
                Stage::InQueue { .. } => now = ready!(self.poll_queue(cx, now))?,
            }
        }
    }

    /// Counts the request, which must be sent now. Returns `false`, and counts nothing, if a gate has closed meanwhile.
    ///
    /// # Errors
    /// Fails if the deadline has passed: the machine was suspended, or the inner service took long to get ready.
    pub(crate) fn commit(&mut self, now: Instant) -> Result<bool, Error> {
        self.caller.max_wait.check(now)?;
        let is_sent = !self.is_blocked(now) && matches!(self.stage, Stage::Ready) && try_send_all(&self.positions, now);
        if !is_sent {
            self.stage = Stage::Start;
            self.permit = None;
        } else if let Some(permit) = &mut self.permit {
            permit.mark_sent(now);
        }
        Ok(is_sent)
    }

    /// Returns the deadline of the call, for the inner service, which would start a new one.
    pub(crate) fn deadline(&self) -> Option<Deadline> {
        self.caller.max_wait.deadline()
    }

    /// Returns the permit, if the call has one.
    pub(crate) fn permit(&self) -> Option<&Permit> {
        self.permit.as_deref()
    }

    /// Ends the wait. Returns the permit, which the call holds until it is answered.
    pub(crate) fn into_permit(self) -> Option<Box<Permit>> {
        self.permit
    }

    /// Gives up all positions and permits, and enters the gates.
    fn start(&mut self, now: Instant) -> Result<(), Error> {
        self.stage = Stage::Start;
        self.permit = None;
        self.positions.clear();
        self.caller.was_cooling_down = false;
        self.enter_gates(now)
    }

    /// Passes the gates, or waits at one of them. A permit that the call has already is kept.
    fn enter_gates(&mut self, now: Instant) -> Result<(), Error> {
        match enter(&self.settings, &self.target, self.caller, self.permit.as_deref(), now) {
            GateState::Open => self.enter_limits(now),
            GateState::Granted(permit) => {
                self.add_permit(permit);
                self.enter_limits(now)
            }
            GateState::Queued(waiter, wait) => {
                self.await_permit(waiter, wait, now);
                Ok(())
            }
            GateState::CoolingDown(waiter, cooldown) => self.await_cooldown(waiter, &cooldown, now),
            GateState::Refused(wait) => Err(self.line_error(wait, wait.until, now)),
        }
    }

    /// Waits for the end of a cool-down, unless that would be too long.
    fn await_cooldown(&mut self, waiter: Waiter, cooldown: &Cooldown, now: Instant) -> Result<(), Error> {
        self.permit = None;
        if !self.caller.max_wait.allows(cooldown.until) {
            self.report_rejection(WaitReason::Cooldown, cooldown.until, now);
            let retry_at = cooldown.retry_at(&self.settings.clock);
            return Err(self.paced(retry_at, format!("cool-down after {}", cooldown.class)));
        }
        let release_at = self.caller.max_wait.release_at(cooldown, self.caller.random);
        self.report_wait(WaitReason::Cooldown, release_at, now);
        self.stage = Stage::CoolingDown { waiter, sleep: Box::pin(tokio::time::sleep_until(release_at)) };
        self.caller.was_cooling_down = true;
        Ok(())
    }

    /// Waits in a line.
    fn await_permit(&mut self, waiter: Waiter, wait: LineWait, now: Instant) {
        self.report_wait(reason(wait), wait.until, now);
        self.stage = Stage::InLine { waiter, sleep: Box::pin(tokio::time::sleep_until(wait.until)), wait };
    }

    /// Joins the line of the release after its cool-down, or starts anew if there is another cool-down or an outage.
    fn queue_for_permit(&mut self, now: Instant) {
        let Stage::CoolingDown { waiter, mut sleep } = mem::replace(&mut self.stage, Stage::Start) else { return };
        if let Some(wait) = waiter.enqueue(self.caller, now) {
            sleep.as_mut().reset(wait.until);
            self.stage = Stage::InLine { waiter, sleep, wait };
        }
    }

    /// Goes on to the next gate with a permit.
    fn use_permit(&mut self, permit: Box<Permit>, now: Instant) -> Result<(), Error> {
        self.stage = Stage::Start;
        self.add_permit(permit);
        self.enter_gates(now)
    }

    /// Keeps a permit beside those that the call has already.
    fn add_permit(&mut self, mut permit: Box<Permit>) {
        match &mut self.permit {
            Some(own) => own.merge(&mut permit),
            own => *own = Some(permit),
        }
    }

    /// Leaves a line at the end of its wait. A call without a deadline goes all the same, unless it waited for a cool-down.
    fn leave_line(&mut self, wait: LineWait, now: Instant) -> Result<(), Error> {
        self.stage = Stage::Start;
        let goes_on = self.caller.max_wait.limit() == WaitLimit::Longest && !self.caller.was_cooling_down;
        if goes_on {
            self.enter_limits(now)
        } else {
            Err(self.line_error(wait, saturating::add(now, wait.spread), now))
        }
    }

    /// Returns `true` if the call must not be sent now.
    fn is_blocked(&self, now: Instant) -> bool {
        let limit = self.caller.max_wait.limit();
        self.settings.gates.is_blocked(&self.target, self.permit.as_deref(), limit, now)
    }

    /// Joins the queue of the first limit, unless the wait for one of them would be too long.
    fn enter_limits(&mut self, now: Instant) -> Result<(), Error> {
        self.caller.max_wait.check(now)?;
        let max_wait = self.caller.max_wait;
        if let [_, further @ ..] = &*self.limiters {
            let times = further.iter().map(|limiter| limiter.earliest(&self.target.partition, now));
            if let Some(latest) = times.max().filter(|at| !max_wait.allows_send(*at, now)) {
                return Err(self.limit_error(latest, now));
            }
        }
        self.join_next_queue(now)
    }

    /// Joins the queue of the next limit, if there is one.
    fn join_next_queue(&mut self, now: Instant) -> Result<(), Error> {
        let Some(limiter) = self.limiters.get(self.positions.len()) else {
            self.stage = Stage::Ready;
            return Ok(());
        };
        match limiter.enqueue(&self.target.partition, now, |at| self.caller.max_wait.allows_send(at, now)) {
            Ok((position, at)) => {
                self.positions.push(position);
                self.stage = Stage::InQueue { sleep: None };
                if at > now {
                    self.report_wait(WaitReason::Limit, at, now);
                }
                Ok(())
            }
            Err(at) => Err(self.limit_error(at, now)),
        }
    }

    /// Waits in the last queue; then joins the next one, or starts anew if a gate has closed. Returns the time.
    fn poll_queue(&mut self, cx: &mut Context<'_>, now: Instant) -> Poll<Result<Instant, Error>> {
        if self.is_blocked(now) {
            // The calls behind it see the closed gate when they become the first.
            self.stage = Stage::Start;
            return Poll::Ready(Ok(now));
        }
        let latest = self.caller.max_wait.latest();
        let is_shared = self.positions.last().is_some_and(QueuePosition::is_shared);
        let Stage::InQueue { sleep } = &mut self.stage else { return Poll::Ready(Ok(now)) };
        match self.positions.last().map_or(SlotState::Ready, |position| position.poll_slot(now, cx)) {
            SlotState::Ready => Poll::Ready(self.join_next_queue(now).map(|()| now)),
            SlotState::Behind if !is_shared => Poll::Pending,
            // Where processes share the limit, its time was an estimate, and that of the call may be over before.
            _ if is_shared && latest <= now => Poll::Ready(Err(self.limit_error(now, now))),
            state => {
                let at = state.time().unwrap_or(latest);
                let at = if is_shared { at.min(latest) } else { at };
                let timer = sleep.get_or_insert_with(|| Box::pin(tokio::time::sleep_until(at)));
                if timer.deadline() != at {
                    timer.as_mut().reset(at);
                }
                let now = ready!(poll_timer(timer, cx, now));
                *sleep = None;
                Poll::Ready(Ok(now))
            }
        }
    }
}
