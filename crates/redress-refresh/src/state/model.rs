//! The state against a reference model that is simple rather than good: it remembers numbers in place of secrets.

use std::time::Duration;

use proptest::prelude::*;

use super::*;

#[derive(Clone, Debug)]
enum Op {
    Call,
    Renew,
    /// Rejects the generation that number before the current one.
    Reject(u64),
    RejectAgain(u64),
    /// Accepts the current generation, by a probe of a suspect set or by an earlier request.
    Accept(bool),
    /// Ends the newest flight, or the one that number before it.
    Land(u64, Answer),
    Dead,
    Install(Option<u64>),
    Clear,
    Advance(u64),
}

#[derive(Clone, Copy, Debug)]
enum Answer {
    /// A set that is new or not, with a lifetime in seconds and a refresh token that is new or the same.
    Set {
        is_new: bool,
        lifetime: Option<u64>,
        refresh: Option<bool>,
    },
    Nothing,
    Transient(u64),
    Ambiguous,
    Permanent,
}

/// Reads an answer out of a number: a strategy of strategies takes ten times as long.
fn answer(number: u32) -> Answer {
    let rest = number / 12;
    match number % 12 {
        0..6 => Answer::Set {
            is_new: !rest.is_multiple_of(10),
            lifetime: [None, Some(0), Some(60), Some(3600)][(rest / 10 % 4) as usize],
            refresh: [None, Some(true), Some(true), Some(false)][(rest / 40 % 4) as usize],
        },
        6 => Answer::Nothing,
        7..9 => Answer::Transient((rest % 90).into()),
        9..11 => Answer::Ambiguous,
        _ => Answer::Permanent,
    }
}

fn op(number: u32) -> Op {
    let rest = number / 36;
    match number % 36 {
        0..6 => Op::Call,
        6..9 => Op::Renew,
        9..15 => Op::Reject([0, 0, 0, 0, 1, 2][(rest % 6) as usize]),
        15..17 => Op::RejectAgain((rest % 2).into()),
        17..19 => Op::Accept(rest.is_multiple_of(2)),
        19..28 => Op::Land([0, 0, 0, 0, 0, 0, 1, 2][(rest % 8) as usize], answer(rest / 8)),
        28 => Op::Dead,
        29 => Op::Install([None, Some(3600)][(rest % 2) as usize]),
        30 => Op::Clear,
        _ => Op::Advance([0, 1, 4, 12, 60, 3500, u64::from(rest / 7 % 4000)][(rest % 7) as usize]),
    }
}

fn ops() -> impl Strategy<Value = Vec<Op>> {
    prop::collection::vec(any::<u32>(), 1..64).prop_map(|numbers| numbers.into_iter().map(op).collect())
}

/// Everything is a plain field; `None` of `until` means for ever.
#[derive(Default)]
struct Model {
    clock: u64,
    generation: u64,
    token: Option<u64>,
    /// From when on it is stale, and from when on it is expired, in milliseconds.
    span: Option<(u64, u64)>,
    rejected: bool,
    proven: bool,
    refresh: Option<u64>,
    is_single_use: bool,
    flight: Option<Flying>,
    flights: u64,
    blocked: Option<Option<u64>>,
    failures: u32,
    spent: Vec<u64>,
    /// Sets in a row that were superseded by a rejection before anything accepted them.
    unaccepted_sets: u32,
    /// The place of the floor in [`FLOORS`], and whether the current set was rejected below it.
    level: usize,
    early: bool,
    /// Early rejections that were let through since the floor was at its base.
    let_through: u32,
    since: Option<u64>,
    next_probe: u64,
    /// Until when the one route is remembered that rejects again.
    remembered: u64,
    to_end: bool,
    numbers: u64,
}

/// A flight under way.
struct Flying {
    id: u64,
    is_login: bool,
    by_rejection: bool,
    accepted_since: bool,
}

/// The ages, in seconds, below which a rejection replaces no set.
const FLOORS: [u64; 6] = [0, 4, 12, 36, 108, 120];

impl Model {
    fn number(&mut self) -> u64 {
        self.numbers += 1;
        self.numbers
    }

    fn is_alive(&self) -> bool {
        self.token.is_some() && self.span.is_none_or(|(_, end)| self.clock < end)
    }

    fn is_usable(&self) -> bool {
        self.is_alive() && !self.rejected
    }

    fn is_blocked(&self) -> bool {
        self.blocked.is_some_and(|until| until.is_none_or(|until| self.clock < until))
    }

    fn start(&mut self, by_rejection: bool) -> String {
        if by_rejection && !self.proven && self.unaccepted_sets >= 2 {
            self.refresh = None;
        }
        self.flights += 1;
        let is_login = self.refresh.is_none();
        self.flight = Some(Flying { id: self.flights, is_login, by_rejection, accepted_since: false });
        assert!(self.refresh.is_none_or(|token| !self.spent.contains(&token)), "shown twice");
        format!("start {} {:?}", self.flights, self.refresh.map(|token| format!("r{token}")))
    }

    fn call(&mut self) -> String {
        if self.is_usable() {
            return format!("send {}", self.generation);
        }
        if self.is_alive() {
            return self.acquire_rejected();
        }
        if self.flight.is_some() {
            "join".to_owned()
        } else if self.is_blocked() {
            format!("fail {:?}", self.blocked.flatten())
        } else {
            self.start(false)
        }
    }

    fn acquire_rejected(&mut self) -> String {
        let probe = format!("probe {}", self.generation);
        if self.flight.is_none() && (self.is_blocked() || (self.proven && !self.is_due())) {
            return probe;
        }
        let start = if self.flight.is_none() { Some(self.start(true)) } else { None };
        if self.proven && self.clock >= self.next_probe {
            self.next_probe = self.clock + 1000;
            return start.map_or(probe.clone(), |start| format!("{probe} {start}"));
        }
        start.unwrap_or_else(|| "join".to_owned())
    }

    fn is_due(&self) -> bool {
        self.since.is_none_or(|since| self.clock - since >= FLOORS[self.level] * 1000)
    }

    fn reject(&mut self, generation: u64) -> String {
        if self.token.is_none() {
            return "fail None".to_owned();
        }
        if generation != self.generation {
            return self.call();
        }
        let is_due = self.is_due();
        if let Some(flight) = &self.flight {
            self.rejected |= is_due && !flight.accepted_since;
            return "join".to_owned();
        }
        let is_spared = !is_due && self.level < 2 && self.let_through < 2;
        self.let_through += u32::from(is_spared);
        if !is_due && !is_spared {
            self.early = true;
            return "fail None".to_owned();
        }
        self.rejected = true;
        if self.is_blocked() { format!("fail {:?}", self.blocked.flatten()) } else { self.start(true) }
    }

    fn accept(&mut self, is_probe: bool) -> bool {
        if self.token.is_none() {
            return false;
        }
        let was_accepted = std::mem::replace(&mut self.proven, true);
        if !self.rejected || !is_probe {
            return self.rejected && !was_accepted;
        }
        self.rejected = false;
        match &mut self.flight {
            Some(flight) => flight.accepted_since = true,
            None => self.record_false_rejection(),
        }
        true
    }

    fn raise(&mut self) {
        (self.early, self.level) = (false, (self.level + 1).min(5));
    }

    fn record_false_rejection(&mut self) {
        self.raise();
        (self.since, self.next_probe) = (Some(self.clock), 0);
    }

    fn disprove(&mut self, flight: &Flying) {
        if flight.accepted_since {
            self.record_false_rejection();
        } else if flight.by_rejection && self.proven {
            (self.since, self.level) = (Some(self.clock), self.level.max(1));
        }
    }

    fn supersede(&mut self, flight: &Flying) {
        self.early |= flight.accepted_since;
        if flight.by_rejection {
            self.unaccepted_sets = if self.proven { 0 } else { self.unaccepted_sets + 1 };
        }
        if self.early {
            self.raise();
        } else if self.is_due() {
            (self.level, self.let_through) = (self.level.min(1), 0);
        }
        self.level = self.level.max(usize::from(flight.by_rejection));
        (self.since, self.next_probe) = (Some(self.clock), 0);
    }

    fn renew(&mut self) -> String {
        let stale = self.is_usable() && self.span.is_some_and(|(stale, _)| self.clock >= stale);
        if stale && !self.to_end && self.flight.is_none() && !self.is_blocked() {
            self.start(false)
        } else {
            String::new()
        }
    }

    fn pause(&mut self, failures: usize, asked: u64) {
        let doubled = [1, 2, 4, 8, 16, 32].get(failures - 1).copied().unwrap_or(40);
        let mut until = self.clock + doubled.max(asked) * 1000;
        if let Some(Some(earlier)) = self.blocked {
            until = until.max(earlier);
        }
        self.blocked = Some(Some(until));
    }

    fn put(&mut self, token: u64, lifetime: Option<u64>) {
        let milliseconds = lifetime.filter(|seconds| *seconds > 0).map(|seconds| seconds * 1000);
        let lead = |life: u64| (life / 10).clamp(30_000, 300_000).min(life / 3);
        self.generation += 1;
        self.token = Some(token);
        self.span = milliseconds.map(|life| (self.clock + life - lead(life), self.clock + life));
        (self.rejected, self.proven, self.to_end, self.failures, self.blocked) = (false, false, false, 0, None);
    }

    fn forget(&mut self) {
        (self.flight, self.refresh, self.is_single_use, self.to_end) = (None, None, true, false);
        (self.failures, self.blocked) = (0, None);
        (self.unaccepted_sets, self.level, self.early, self.since) = (0, 0, false, None);
        (self.next_probe, self.remembered, self.let_through) = (0, 0, 0);
    }
}

fn secret(prefix: char, number: u64) -> String {
    format!("{prefix}{number}")
}

/// Both of them, and the real clock that the model's milliseconds are counted from.
struct Pair {
    state: State,
    model: Model,
    zero: Instant,
}

impl Pair {
    fn at(&self) -> Now {
        Now { instant: self.zero + Duration::from_millis(self.model.clock), random: 0 }
    }

    fn tell(&self, decision: &Decision) -> String {
        let millis = |instant: Instant| u64::try_from((instant - self.zero).as_millis()).expect("short");
        match decision {
            Decision::Send(snapshot) => format!("send {}", snapshot.generation()),
            Decision::Join(_) => "join".to_owned(),
            Decision::Probe(snapshot, None) => format!("probe {}", snapshot.generation()),
            Decision::Probe(snapshot, Some(ticket)) => {
                format!("probe {} {}", snapshot.generation(), Self::tell_start(ticket))
            }
            Decision::Fail(refusal) => format!("fail {:?}", refusal.retry_at.map(millis)),
            Decision::Start(ticket, _) => Self::tell_start(ticket),
        }
    }

    fn tell_start(ticket: &Ticket) -> String {
        let shown = ticket.refresh_token.as_ref().map(|token| token.expose_secret().to_owned());
        format!("start {} {shown:?}", ticket.id)
    }

    fn apply(&mut self, op: &Op) {
        let at = self.at();
        match *op {
            Op::Advance(seconds) => self.model.clock += seconds * 1000,
            Op::Call => {
                let told = self.state.acquire(at.instant);
                assert_eq!(self.tell(&told), self.model.call());
            }
            Op::Renew => {
                let told = self.state.renew(at.instant).map(|ticket| Self::tell_start(&ticket)).unwrap_or_default();
                assert_eq!(told, self.model.renew());
            }
            Op::Reject(age) => self.reject(age, at),
            Op::RejectAgain(age) => {
                let generation = self.model.generation.saturating_sub(age);
                self.state.record_second_rejection(generation, Route::numbered(1), at.instant);
                if generation == self.model.generation && self.model.token.is_some() {
                    self.model.early |= self.model.clock >= self.model.remembered || !self.model.proven;
                    self.model.remembered = self.model.clock + 600_000;
                }
            }
            Op::Accept(is_probe) => {
                let accepted = Acceptance { generation: self.model.generation, route: None, is_probe };
                assert_eq!(self.state.record_acceptance(accepted, at.instant), self.model.accept(is_probe));
            }
            Op::Dead => {
                if let Some(flight) = &mut self.model.flight {
                    assert!(self.state.set_presented(flight.id, None));
                    (flight.is_login, self.model.refresh) = (true, None);
                }
            }
            Op::Install(lifetime) => {
                let (token, refresh) = (self.model.number(), self.model.number());
                self.state.install(set(token, Some(refresh), lifetime), at);
                self.model.forget();
                self.model.put(token, lifetime);
                self.model.refresh = Some(refresh);
            }
            Op::Clear => {
                self.state.clear();
                self.model.forget();
                (self.model.token, self.model.rejected, self.model.proven, self.model.span) =
                    (None, false, false, None);
            }
            Op::Land(age, answer) => self.finish(self.model.flights.saturating_sub(age), answer, at),
        }
        self.agree();
    }

    fn reject(&mut self, age: u64, at: Now) {
        let generation = self.model.generation.saturating_sub(age);
        let told = self.state.record_rejection(generation, None, at.instant);
        let expected = self.model.reject(generation);
        assert_eq!(self.tell(&told), expected);
    }

    fn finish(&mut self, id: u64, answer: Answer, at: Now) {
        let model = &mut self.model;
        let (mut token, mut refresh, mut asked) = (None, None, 0);
        let result = match answer {
            Answer::Set { is_new, lifetime, refresh: brought } => {
                let number = if is_new { None } else { model.token };
                let number = number.unwrap_or_else(|| model.number());
                let same = model.refresh.filter(|_| brought == Some(false));
                refresh = brought.map(|_| same.unwrap_or_else(|| model.number()));
                token = Some((number, lifetime));
                Ok(set(number, refresh, lifetime))
            }
            Answer::Nothing => Ok(TokenSet::new()),
            Answer::Transient(seconds) => {
                asked = seconds;
                Err(Failure::transient("t").retry_after(Duration::from_secs(seconds)))
            }
            Answer::Ambiguous => Err(Failure::ambiguous("a")),
            Answer::Permanent => Err(Failure::permanent("p")),
        };
        let outcome = self.state.finish(id, result, at.instant, at);
        let Some(flight) = model.flight.take_if(|flight| flight.id == id) else {
            assert!(outcome.is_none(), "superseded");
            return;
        };
        let is_login = flight.is_login;
        let is_grant = matches!(answer, Answer::Set { .. } | Answer::Nothing);
        if is_grant && !is_login {
            model.is_single_use = refresh.is_some() && refresh != model.refresh;
        }
        if is_grant && (is_login || refresh.is_some()) {
            model.refresh = refresh;
        }
        match (answer, token) {
            (_, Some((number, lifetime))) if !model.rejected || model.token != Some(number) => {
                model.supersede(&flight);
                model.put(number, lifetime);
                assert_eq!(outcome.map(|outcome| outcome.ok()), Some(Some(model.generation)));
                return;
            }
            (Answer::Permanent, _) => {
                model.disprove(&flight);
                model.blocked = Some(None);
            }
            _ => {
                model.disprove(&flight);
                if matches!(answer, Answer::Ambiguous) && !is_login && model.is_single_use {
                    model.spent.extend(model.refresh.take());
                    model.to_end = true;
                }
                model.failures += 1;
                model.pause(model.failures as usize, asked);
            }
        }
        assert!(outcome.is_some_and(|outcome| outcome.is_err()));
    }

    fn agree(&self) {
        let current = self.state.current();
        assert_eq!(current.generation(), self.model.generation);
        let value = current.headers().first().map(|(_, value)| value.as_bytes().to_vec());
        assert_eq!(value, self.model.token.map(|token| format!("Bearer {}", secret('t', token)).into_bytes()));
        let usable = current.freshness_at(self.at().instant) != Freshness::Unusable;
        assert_eq!(usable, self.model.is_usable());
    }
}

fn set(token: u64, refresh: Option<u64>, lifetime: Option<u64>) -> TokenSet {
    let mut grant = TokenSet::bearer(secret('t', token)).expect("legal");
    if let Some(refresh) = refresh {
        grant = grant.refresh_token(secret('r', refresh));
    }
    match lifetime {
        Some(seconds) => grant.expires_in(Duration::from_secs(seconds)),
        None => grant,
    }
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 10_000, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn the_state_agrees_with_a_simple_model(ops in ops()) {
        let model = Model { is_single_use: true, ..Model::default() };
        let mut pair = Pair { state: State::new(false, true), model, zero: Instant::now() };
        for op in &ops {
            pair.apply(op);
        }
    }
}
