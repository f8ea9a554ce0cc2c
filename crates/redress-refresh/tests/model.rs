//! The whole layer under random sequences of calls, cancellations, revocations, installs and clears, with an issuer that
//! responds, refuses, hangs or panics; as one process, and as several over one store.
#![allow(clippy::unwrap_used, reason = "what helps a test is a test")]

mod common;

use std::collections::{HashMap, HashSet, VecDeque};
use std::sync::{Arc, Mutex};
use std::time::{Duration, SystemTime};

use common::{Answer, Api, answer, bearer};
use http::Request;
use proptest::prelude::*;
use proptest::test_runner::{Config, TestRunner};
use redress_classify::{Clock, Error};
use redress_refresh::{Credentials, Failure, MemoryStore, RefreshLayer, SecretString, TokenSet};
use secrecy::ExposeSecret;
use tokio::task::JoinHandle;
use tower::{Layer, ServiceExt};

#[derive(Clone, Debug)]
enum Op {
    /// A request to that process, dropped after that number of milliseconds if there is one.
    Call(u8, Option<u16>),
    /// The API takes the present token back.
    Revoke,
    Install(u8),
    Clear(u8),
    /// The next action of the issuer.
    Plan(Plan),
    Advance(u32),
}

#[derive(Clone, Copy, Debug)]
enum Plan {
    /// It returns a pair that lasts that number of seconds.
    Give(Option<u16>),
    /// It gives a pair that the API does not take.
    GiveBad,
    /// It gives the same access token, and a new refresh token.
    GiveSame,
    Refuse,
    Dead,
    /// These three use the refresh token up.
    Ambiguous,
    Hang,
    Panic,
}

/// Reads a step out of a number: a strategy of strategies takes ten times as long.
fn op(number: u32) -> Op {
    let rest = number / 19;
    let process = (rest % 3) as u8;
    match number % 19 {
        0..6 => Op::Call(process, (rest / 3).is_multiple_of(3).then_some((rest / 9 % 2500) as u16)),
        6..9 => Op::Revoke,
        9 => Op::Install(process),
        10 => Op::Clear(process),
        11..15 => Op::Plan(plan(rest)),
        _ => Op::Advance([0, 500, 1500, 3000, 31_000, 3_600_000][(rest % 6) as usize]),
    }
}

fn plan(number: u32) -> Plan {
    match number % 8 {
        0 => Plan::Give([None, Some(0), Some(40), Some(3600)][(number / 8 % 4) as usize]),
        1 => Plan::GiveBad,
        2 => Plan::GiveSame,
        3 => Plan::Refuse,
        4 => Plan::Dead,
        5 => Plan::Ambiguous,
        6 => Plan::Hang,
        _ => Plan::Panic,
    }
}

fn ops(longest: usize) -> impl Strategy<Value = Vec<Op>> {
    prop::collection::vec(any::<u32>(), 1..longest).prop_map(|numbers| numbers.into_iter().map(op).collect())
}

/// The issuer and the API, and all that they find wrong.
#[derive(Default)]
struct World {
    number: u64,
    /// The access token that the API takes.
    valid: String,
    latest: String,
    plans: VecDeque<Plan>,
    spent: HashSet<String>,
    /// The calls under way, by what was current when they began: an install or a clear supersedes them.
    under_way: HashMap<u64, usize>,
    epoch: u64,
    /// Whether an install or a clear is on its way to the store that the processes share.
    is_settling: bool,
    sent: HashMap<u64, usize>,
    wrong: Vec<String>,
}

impl World {
    fn pair(&mut self) -> TokenSet {
        self.number += 1;
        self.latest = format!("t{}", self.number);
        self.valid.clone_from(&self.latest);
        TokenSet::bearer(self.latest.as_str()).unwrap().refresh_token(format!("r{}", self.number))
    }

    /// Returns the result of a call; `None` if it hangs.
    fn judge(&mut self, shown: Option<&str>, plan: Plan) -> Option<Result<TokenSet, Failure>> {
        if let Some(token) = shown {
            if self.spent.contains(token) {
                self.wrong.push(format!("{token} was shown although it was spent"));
            }
            if !matches!(plan, Plan::Refuse | Plan::Dead) {
                self.spent.insert(token.to_owned());
            }
        }
        match plan {
            Plan::Refuse => return Some(Err(Failure::transient("503"))),
            Plan::Dead => return Some(Err(Failure::invalid_grant("invalid_grant"))),
            _ => {}
        }
        let before = self.latest.clone();
        let grant = self.pair();
        match plan {
            Plan::Give(Some(lifetime)) => Some(Ok(grant.expires_in(Duration::from_secs(lifetime.into())))),
            Plan::GiveBad => {
                self.valid.clear();
                Some(Ok(grant))
            }
            Plan::GiveSame if !before.is_empty() => {
                self.latest.clone_from(&before);
                self.valid.clear();
                Some(Ok(TokenSet::bearer(before).unwrap().refresh_token(format!("r{}", self.number))))
            }
            Plan::Ambiguous => Some(Err(Failure::ambiguous("cut"))),
            Plan::Hang => None,
            _ => Some(Ok(grant)),
        }
    }
}

#[derive(Clone)]
struct Issuer(Arc<Mutex<World>>);

/// Counts a call as long as it is under way, however it ends.
struct UnderWay(Arc<Mutex<World>>, u64);

impl UnderWay {
    fn new(world: &Arc<Mutex<World>>) -> Self {
        let mut inner = world.lock().unwrap();
        let epoch = inner.epoch;
        let count = inner.under_way.entry(epoch).or_default();
        *count += 1;
        if *count > 1 && !inner.is_settling {
            inner.wrong.push("two calls at once".to_owned());
        }
        Self(Arc::clone(world), epoch)
    }
}

impl Drop for UnderWay {
    fn drop(&mut self) {
        *self.0.lock().unwrap().under_way.get_mut(&self.1).unwrap() -= 1;
    }
}

impl Issuer {
    async fn answer(&self, shown: Option<&str>) -> Result<TokenSet, Failure> {
        let _under_way = UnderWay::new(&self.0);
        let (plan, result) = {
            let mut world = self.0.lock().unwrap();
            let plan = world.plans.pop_front().unwrap_or(Plan::Give(None));
            let result = world.judge(shown, plan);
            (plan, result)
        };
        tokio::time::sleep(Duration::from_secs(1)).await;
        if matches!(plan, Plan::Panic) {
            // As a panic, but without its message.
            std::panic::resume_unwind(Box::new("as told"));
        }
        match result {
            Some(result) => result,
            None => std::future::pending().await,
        }
    }
}

impl Credentials for Issuer {
    async fn login(&self) -> Result<TokenSet, Failure> {
        match self.answer(None).await {
            Err(failure) if failure.is_invalid_grant() => Err(Failure::transient("no login has a dead grant")),
            result => result,
        }
    }

    async fn refresh(&self, refresh_token: &SecretString) -> Result<TokenSet, Failure> {
        self.answer(Some(refresh_token.expose_secret())).await
    }
}

/// The layers, and the calls that were not given up.
struct Play {
    world: Arc<Mutex<World>>,
    layers: Vec<RefreshLayer>,
    generations: Vec<u64>,
    api: Api,
    calls: Vec<JoinHandle<Result<Answer, Error>>>,
    requests: u64,
}

impl Play {
    fn new(processes: usize) -> Self {
        let world = Arc::<Mutex<World>>::default();
        let (store, clock) =
            (MemoryStore::new(), Clock::anchored(SystemTime::UNIX_EPOCH + Duration::from_secs(1_700_000_000)));
        let layer = || {
            let layer = RefreshLayer::new(Issuer(Arc::clone(&world)), "https://api.example.com".parse().unwrap());
            if processes > 1 { layer.clock(clock.clone()).store(store.clone(), "key") } else { layer }
        };
        let layers: Vec<_> = (0..processes).map(|_| layer()).collect();
        let seen = Arc::clone(&world);
        let api = Api::new(move |headers| {
            let mut world = seen.lock().unwrap();
            let id: u64 = headers["x-id"].to_str().unwrap().parse().unwrap();
            let count = world.sent.entry(id).or_default();
            *count += 1;
            if *count > 2 {
                world.wrong.push(format!("request {id} was sent again more than once"));
            }
            match bearer(headers) {
                None => {
                    world.wrong.push("sent without credentials".to_owned());
                    answer(500)
                }
                Some(token) => answer(if token == world.valid { 200 } else { 401 }),
            }
        });
        let api = api.taking(Duration::from_millis(200));
        Self { world, generations: vec![0; processes], layers, api, calls: Vec::new(), requests: 0 }
    }

    fn call(&mut self, process: u8) -> JoinHandle<Result<Answer, Error>> {
        self.requests += 1;
        let request =
            Request::post("https://api.example.com/").header("x-id", self.requests).body(String::new()).unwrap();
        tokio::spawn(self.layer(process).layer(self.api.clone()).oneshot(request))
    }

    fn layer(&self, process: u8) -> &RefreshLayer {
        &self.layers[usize::from(process) % self.layers.len()]
    }

    async fn apply(&mut self, op: &Op) {
        match *op {
            Op::Call(process, None) => {
                let call = self.call(process);
                self.calls.push(call);
            }
            Op::Call(process, Some(patience)) => {
                let call = self.call(process);
                tokio::spawn(async move {
                    tokio::time::sleep(Duration::from_millis(patience.into())).await;
                    call.abort();
                });
            }
            Op::Revoke => self.world.lock().unwrap().valid.clear(),
            Op::Install(process) => {
                let grant = {
                    let mut world = self.world.lock().unwrap();
                    world.epoch += 1;
                    world.pair()
                };
                self.layer(process).tokens().install(grant);
                self.deliver().await;
            }
            Op::Clear(process) => {
                self.world.lock().unwrap().epoch += 1;
                self.layer(process).tokens().clear();
                self.deliver().await;
            }
            Op::Plan(plan) => self.world.lock().unwrap().plans.push_back(plan),
            Op::Advance(millis) => tokio::time::sleep(Duration::from_millis(millis.into())).await,
        }
        for (layer, last) in self.layers.iter().zip(&mut self.generations) {
            let generation = layer.tokens().generation();
            assert!(generation >= *last, "the generation fell from {last} to {generation}");
            *last = generation;
        }
    }

    /// Lets the store hear of an install or a clear. What begins until then is superseded as what began before: another
    /// process does not know yet, and the install or clear overwrites its intent.
    async fn deliver(&self) {
        if self.layers.len() > 1 {
            self.world.lock().unwrap().is_settling = true;
            tokio::time::sleep(Duration::from_millis(1)).await;
            let mut world = self.world.lock().unwrap();
            world.is_settling = false;
            world.epoch += 1;
        }
    }

    /// Lets everything come to its end, and has each process make a call that succeeds.
    async fn end(mut self) -> Result<(), TestCaseError> {
        self.world.lock().unwrap().plans.clear();
        tokio::time::sleep(Duration::from_secs(200)).await;
        prop_assert!(self.calls.iter().all(JoinHandle::is_finished), "a call is never woken");
        for call in std::mem::take(&mut self.calls) {
            prop_assert!(call.await.is_ok(), "a call panicked");
        }
        for process in 0..self.layers.len() {
            let mut works = false;
            for _ in 0..5 {
                let call = self.call(process as u8).await.unwrap();
                works = call.is_ok_and(|answer| answer.status() == 200);
                if works {
                    break;
                }
                tokio::time::sleep(Duration::from_secs(100)).await;
            }
            prop_assert!(works, "process {process} never works again");
        }
        let world = self.world.lock().unwrap();
        prop_assert!(world.wrong.is_empty(), "{:?}", world.wrong);
        prop_assert!(world.under_way.values().all(|count| *count == 0));
        Ok(())
    }
}

fn check(processes: usize, cases: u32, longest: usize) {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_time().start_paused(true).build().unwrap();
    let mut runner = TestRunner::new(Config { cases, failure_persistence: None, ..Config::default() });
    let outcome = runner.run(&ops(longest), |ops| {
        runtime.block_on(async {
            let mut play = Play::new(processes);
            for op in &ops {
                play.apply(op).await;
            }
            play.end().await
        })
    });
    if let Err(error) = outcome {
        panic!("{error}");
    }
}

#[test]
fn each_rejected_set_causes_one_flight_and_each_request_one_resend() {
    check(1, 10_000, 16);
}

#[test]
fn several_processes_over_one_store_keep_the_same_rules() {
    check(3, 2_000, 32);
}
