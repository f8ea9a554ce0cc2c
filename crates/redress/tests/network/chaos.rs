//! Whatever network and upstream do, the rules hold.
//!
//! A seed makes a run: what the upstream answers, when messages are held or lost, when the upstream crashes and comes back,
//! what is called. Nothing is said about how a call ends; only about what must never be.

use std::collections::BTreeMap;
use std::fmt::Write;
use std::future::Future;
use std::num::NonZeroU32;
use std::sync::atomic::{AtomicU32, Ordering};
use std::sync::{Mutex, mpsc};
use std::time::Duration;
use tokio::time::Instant;

use redress::layers::UpstreamHealth;
use redress::{
    Attempt, Budget, Class, Credentials, EndReason, Error, Failure, Phase, Record, RedressLayer, ResponseExt, Schedule,
    SecretString, TokenSet, dialects,
};
use tower::{Layer, ServiceExt};

use super::upstream::{Answer, Upstream};
use super::wire::{Event, Wire};
use super::{CALLER, UPSTREAM, URL, request, seeds};

const CALLS: u32 = 6;
const ATTEMPTS: usize = 3;
const CAPACITY: u32 = 60;
const TIMEOUT: Duration = Duration::from_millis(60);
const DEADLINE: Duration = Duration::from_millis(150);
/// A step of the simulation, and of tokio's timers.
const TICK: Duration = Duration::from_millis(1);

/// One call and its end.
struct Ended {
    call: u32,
    method: &'static str,
    result: Result<u16, Error>,
    record: Option<Record>,
    /// `true` if the upstream of the response limits the rate of requests.
    is_throttled: bool,
    took: Duration,
}

/// The state after all calls have ended.
struct Run {
    seed: u64,
    ended: Vec<Ended>,
    wire: Wire,
    upstream: Upstream,
    level: u32,
    is_sequential: bool,
}

/// Gives new tokens, late or never.
struct Issuer {
    random: Mutex<fastrand::Rng>,
    given: AtomicU32,
}

impl Credentials for Issuer {
    async fn login(&self) -> Result<TokenSet, Failure> {
        let (delay, fails) = {
            let mut random = self.random.lock().unwrap();
            (random.u64(0..20), random.u32(0..16) == 0)
        };
        tokio::time::sleep(Duration::from_millis(delay)).await;
        if fails {
            return Err(Failure::transient("not now"));
        }
        let nth = self.given.fetch_add(1, Ordering::Relaxed);
        Ok(TokenSet::bearer(format!("token{nth}"))?.refresh_token("once"))
    }

    fn refresh(&self, _: &SecretString) -> impl Future<Output = Result<TokenSet, Failure>> + Send {
        self.login()
    }
}

fn script(mut random: fastrand::Rng) -> impl FnMut() -> Answer + Send {
    move || {
        let hint = Duration::from_millis(random.u64(5..80));
        match random.u32(0..20) {
            0..8 => Answer::Done(Duration::from_millis(random.u64(0..30))),
            8..10 => Answer::Broken,
            10 => Answer::Cut,
            11 => Answer::Silent,
            12..14 => Answer::Refused(503, Some(hint)),
            14..16 => Answer::Refused(429, Some(hint)),
            16..17 => Answer::Refused(429, None),
            _ => Answer::Expired,
        }
    }
}

fn layer(seed: u64, budget: &Budget) -> RedressLayer {
    let issuer = Issuer { random: Mutex::new(fastrand::Rng::with_seed(seed)), given: AtomicU32::new(0) };
    let quick = Schedule {
        base: Duration::from_millis(5),
        factor: NonZeroU32::new(2).unwrap(),
        cap: Duration::from_millis(20),
    };
    let jitter = Mutex::new(fastrand::Rng::with_seed(seed));
    let random = move || jitter.lock().unwrap().u32(..);
    let layer = RedressLayer::new(dialects::generic()).credentials(issuer, URL.parse().unwrap());
    let layer = if is_straight(seed) { layer } else { layer.never_straight() };
    layer.attempt_timeout(TIMEOUT).deadline(DEADLINE).backoff(|backoff| {
        // The health of the upstream is a matter of timing: a first success is worth the same whatever it is.
        let backoff = backoff.healthy_refill(Budget::FIRST_ATTEMPT_REFILL);
        backoff.budget(budget.clone()).transient_backoff(quick).throttling_backoff(quick).random(random)
    })
}

async fn call(layer: RedressLayer, wire: Wire, method: &'static str, call: u32) -> Ended {
    let begun = Instant::now();
    let result = layer.layer(wire).oneshot(request(method, call)).await;
    let took = begun.elapsed();
    let record = match &result {
        Ok(response) => response.record().cloned(),
        Err(error) => error.record().cloned(),
    };
    let health = result.as_ref().ok().and_then(UpstreamHealth::of_response);
    let is_throttled = health == Some(UpstreamHealth::Throttled);
    Ended { call, method, result: result.map(|response| response.status().as_u16()), record, is_throttled, took }
}

async fn caller(seed: u64, done: mpsc::Sender<(Vec<Ended>, Wire, u32)>) -> turmoil::Result {
    let mut random = fastrand::Rng::with_seed(seed);
    let budget = Budget::with_capacity(CAPACITY);
    let (layer, wire) = (layer(seed, &budget), Wire::new());
    let mut ended = Vec::new();
    let mut running = Vec::new();
    for nth in 0..CALLS {
        let method = if random.bool() { "POST" } else { "GET" };
        let call = call(layer.clone(), wire.clone(), method, nth);
        if is_sequential(seed) {
            ended.push(call.await);
        } else {
            running.push(tokio::spawn(call));
        }
    }
    for call in running {
        ended.push(call.await?);
    }
    assert_eq!(wire.in_flight(), 0, "seed {seed}: all calls have ended");
    let sends: Vec<_> = (0..CALLS).map(|call| wire.sends(call)).collect();
    tokio::time::sleep(Duration::from_millis(100)).await;
    assert_eq!((0..CALLS).map(|call| wire.sends(call)).collect::<Vec<_>>(), sends, "seed {seed}: nothing is sent late");
    done.send((ended, wire, budget.level()))?;
    Ok(())
}

/// The first attempts of half of the seeds go straight to the transport.
const fn is_straight(seed: u64) -> bool {
    (seed / 2).is_multiple_of(2)
}

/// Half of the seeds make one call after the other, so that the budget can be counted exactly.
const fn is_sequential(seed: u64) -> bool {
    seed.is_multiple_of(2)
}

fn run(seed: u64) -> Run {
    // Then the random numbers of the Refresh layer are the same in each run, too.
    fastrand::seed(seed);
    let mut random = fastrand::Rng::with_seed(seed ^ 0x5eed);
    let upstream = Upstream::new(script(fastrand::Rng::with_seed(seed.rotate_left(32))));
    let mut sim = turmoil::Builder::new()
        .rng_seed(seed)
        .tick_duration(TICK)
        .simulation_duration(Duration::from_secs(30))
        .min_message_latency(TICK)
        .max_message_latency(TICK * 8)
        .fail_rate([0.0, 0.01, 0.03][random.usize(0..3)])
        .repair_rate(0.5)
        .build();
    let host = upstream.clone();
    sim.host(UPSTREAM, move || host.clone().run());
    let (sender, done) = mpsc::channel();
    sim.client(CALLER, caller(seed, sender));
    let mut is_up = true;
    while !sim.step().unwrap_or_else(|error| panic!("seed {seed}: {error}")) {
        if random.u32(0..40) > 0 {
            continue;
        }
        match random.u32(0..6) {
            0 => sim.hold(CALLER, UPSTREAM),
            1 if is_up => {
                sim.crash(UPSTREAM);
                is_up = false;
            }
            2 => sim.partition(CALLER, UPSTREAM),
            _ => {
                sim.release(CALLER, UPSTREAM);
                sim.repair(CALLER, UPSTREAM);
                if !is_up {
                    sim.bounce(UPSTREAM);
                    is_up = true;
                }
            }
        }
    }
    let (ended, wire, level) = done.recv().expect("the caller came to its end");
    Run { seed, ended, wire, upstream, level, is_sequential: is_sequential(seed) }
}

/// Returns the cost of the retry after an attempt. After a 429 it depends on whether the upstream limits the rate of requests for
/// longer, which is a matter of timing.
fn cost(attempt: &Attempt) -> u32 {
    let is_limited = attempt.verdict.as_ref().is_some_and(|verdict| verdict.class() == Class::RateLimited);
    let taken = attempt.budget_before.zip(attempt.budget_after).map(|(before, after)| before - after);
    if is_limited && taken != Some(Budget::TRANSIENT_COST) { Budget::THROTTLING_COST } else { Budget::TRANSIENT_COST }
}

impl Ended {
    /// Returns the attempts, and how many requests beside them were resends after a refresh, or in an outage.
    fn attempts(&self) -> (usize, usize, usize) {
        let Some(record) = &self.record else { return (1, 0, 0) };
        let replays = record.attempts().iter().filter(|attempt| attempt.is_resend).count();
        let outage = record.attempts().windows(2).filter(|pair| pair[0].wait.is_none() && !pair[1].is_resend).count();
        (record.attempts().len() - replays - outage, replays, outage)
    }

    /// Returns what the retries took: whatever was followed by another attempt that a layer below did not hold back, unless
    /// that was free.
    fn spent(&self) -> Vec<u32> {
        let Some(record) = &self.record else { return Vec::new() };
        let is_held = self.result.as_ref().is_err_and(|error| !error.is_transport());
        let not_sent =
            |attempt: &Attempt| attempt.verdict.as_ref().is_some_and(|verdict| verdict.phase() == Phase::NotSent);
        // An attempt after which a wait was decided did reach the transport, which found no connection: it has spent.
        let last = record.attempts().last().filter(|last| is_held && not_sent(last) && last.wait.is_none());
        let is_last = |attempt: &Attempt| last.is_some_and(|last| std::ptr::eq(last, attempt));
        let followed =
            record.attempts().windows(2).filter(|pair| !pair[1].is_resend && !pair[1].is_probe && !is_last(&pair[1]));
        followed.map(|pair| cost(&pair[0])).collect()
    }

    /// Returns what the call gave back by its success.
    fn earned(&self) -> u32 {
        if matches!(self.result, Ok(200)) {
            let last = self.spent().last().copied().filter(|_| !self.is_throttled);
            last.unwrap_or(Budget::FIRST_ATTEMPT_REFILL)
        } else {
            0
        }
    }

    fn kind(&self) -> String {
        match &self.result {
            Ok(status) => status.to_string(),
            Err(error) if error.is_deadline() => "deadline".to_owned(),
            Err(error) if error.is_timeout() => "timeout".to_owned(),
            Err(error) if error.is_credentials() => "no credentials".to_owned(),
            Err(error) => error.phase().to_string(),
        }
    }
}

impl Run {
    fn check(&self) {
        let seed = self.seed;
        for ended in &self.ended {
            let (call, sends, effects) = (ended.call, self.wire.sends(ended.call), self.upstream.effects(ended.call));
            let (attempts, replays, outage) = ended.attempts();
            let shown = || format!("seed {seed} call {call} {}: {:?} {:?}", ended.method, ended.result, ended.record);
            assert!(attempts <= ATTEMPTS && replays <= 1, "{}", shown());
            assert!(sends <= attempts + replays + outage, "{sends} sends, {}", shown());
            assert!(ended.took <= DEADLINE + TICK, "took {:?}, {}", ended.took, shown());
            match &ended.result {
                Ok(200) => assert!(effects > 0, "{}", shown()),
                Err(error) if error.is_deadline() => assert!(ended.took + TICK >= DEADLINE, "{}", shown()),
                _ => {}
            }
            if ended.result.as_ref().is_err_and(|error| error.phase() == Phase::NotSent) {
                assert_eq!(effects, 0, "{}", shown());
            }
            assert!(effects <= if ended.method == "POST" { 1 } else { sends }, "done {effects} times, {}", shown());
            self.check_hints(call);
        }
        self.check_budget();
    }

    /// Nothing is sent before the server's hint.
    fn check_hints(&self, call: u32) {
        let mut earliest = None;
        for line in self.wire.lines(call) {
            match line.event {
                Event::Sent => assert!(earliest <= Some(line.at), "seed {} call {call}: too early", self.seed),
                Event::Answered(_, hint) => earliest = hint.map(|hint| line.at + hint),
                Event::Failed => earliest = None,
            }
        }
    }

    fn check_budget(&self) {
        let shown =
            || self.ended.iter().map(|ended| format!("\n{:?} {:?}", ended.result, ended.record)).collect::<String>();
        if self.is_sequential {
            let counted = self.ended.iter().fold(CAPACITY, |level, ended| {
                let spent: u32 = ended.spent().iter().sum();
                (level - spent + ended.earned()).min(CAPACITY)
            });
            assert_eq!(self.level, counted, "seed {}: {}", self.seed, shown());
            return;
        }
        let spent: u32 = self.ended.iter().flat_map(Ended::spent).sum();
        let earned: u32 = self.ended.iter().map(Ended::earned).sum();
        let bounds = CAPACITY.saturating_sub(spent)..=(CAPACITY + earned - spent).min(CAPACITY);
        assert!(spent <= CAPACITY + earned, "seed {}: more was spent than there was", self.seed);
        assert!(bounds.contains(&self.level), "seed {}: {} of {bounds:?}{}", self.seed, self.level, shown());
    }

    /// Tells the run in words.
    fn story(&self) -> String {
        let mut story = String::new();
        for ended in &self.ended {
            let sends = self.wire.sends(ended.call);
            let _ = writeln!(story, "{} {} {sends} {:?}", ended.method, ended.kind(), ended.took);
        }
        story
    }
}

#[test]
fn in_random_chaos_the_rules_hold() {
    let count = seeds(1_000);
    let (mut kinds, mut stops) = (BTreeMap::new(), BTreeMap::new());
    let (mut retries, mut replays) = (0, 0);
    for seed in 0..count {
        let run = run(seed);
        run.check();
        for ended in &run.ended {
            *kinds.entry(ended.kind()).or_insert(0_u32) += 1;
            if let Some(record) = &ended.record {
                *stops.entry(record.end_reason().to_string()).or_insert(0_u32) += 1;
            }
            let (attempts, free, again) = ended.attempts();
            retries += attempts - 1;
            replays += free + again;
        }
    }
    println!(
        "{count} seeds, {CALLS} calls each; they ended in {kinds:?}, because {stops:?}; {retries} retries, {replays} replays"
    );
    if count < 100 {
        return;
    }
    for kind in ["200", "401", "429", "503", "deadline", "timeout", "no credentials", "maybe_processed", "not_sent"] {
        assert!(kinds.contains_key(kind), "no call ended in {kind}: {kinds:?}");
    }
    for stop in
        [EndReason::Success, EndReason::NotIdempotent, EndReason::MaxAttempts, EndReason::Budget, EndReason::Deadline]
    {
        assert!(stops.contains_key(&stop.to_string()), "no call stopped because {stop}: {stops:?}");
    }
}

#[test]
fn the_same_seed_makes_the_same_run() {
    // tokio wakes calls that wait for one refresh in an order of its own.
    for seed in (0..40).filter(|seed| is_sequential(*seed)) {
        assert_eq!(run(seed).story(), run(seed).story(), "seed {seed}");
    }
}
