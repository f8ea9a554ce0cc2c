//! Two processes refresh one login, in each order of their calls to the store, with one fault at any of them: an answer is lost, a
//! process is killed before or after a call, or time passes until leases have ended.
#![allow(clippy::unwrap_used, reason = "what helps a test is a test")]

mod common;
mod family;

use std::future::pending;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use common::{get, s, settle};
use family::{Family, KEY, wall};
use redress_classify::{BoxError, Clock};
use redress_explore::{Choices, explore};
use redress_refresh::{Credentials, Failure, MemoryStore, RefreshLayer, SecretString, Store, TokenSet};
use redress_store::{NewRecord, Record, Version, Written};
use secrecy::ExposeSecret;
use tokio::runtime::Builder;
use tokio::sync::oneshot;
use tower::{Layer, ServiceExt};

/// More steps than any run takes: a process that waits for a lease of 35 s reads the record four times a second.
const MOST_STEPS: usize = 2_000;
/// Longer than a lease, and than a call to the store may take.
const LONG: Duration = s(40);

/// The answer to a call to the store.
#[derive(Clone, Copy, Debug)]
enum Fate {
    Works,
    AnswerLost,
}

/// A call to the store that waits for its turn.
struct Call {
    process: usize,
    go: oneshot::Sender<Fate>,
}

/// The calls of the processes, and which of the processes were killed.
#[derive(Default)]
struct World {
    /// The calls wait.
    is_stepped: bool,
    calls: Vec<Call>,
    killed: [bool; 3],
    faults: u32,
}

type Shared = Arc<Mutex<World>>;

/// The store as one process reaches it.
#[derive(Clone)]
struct Stepped {
    store: MemoryStore,
    process: usize,
    world: Shared,
}

impl Stepped {
    async fn turn(&self) -> Fate {
        let fate = {
            let mut world = self.world.lock().unwrap();
            if !world.is_stepped {
                return Fate::Works;
            }
            let (go, fate) = oneshot::channel();
            world.calls.push(Call { process: self.process, go });
            fate
        };
        match fate.await {
            Ok(fate) => fate,
            Err(_) => pending().await,
        }
    }
}

impl Store for Stepped {
    async fn load(&self, key: &str) -> Result<Option<Record>, BoxError> {
        match self.turn().await {
            Fate::Works => self.store.load(key).await,
            Fate::AnswerLost => Err("no answer".into()),
        }
    }

    async fn replace(&self, key: &str, seen: Option<Version>, record: &NewRecord<'_>) -> Result<Written, BoxError> {
        let fate = self.turn().await;
        let written = self.store.replace(key, seen, record).await;
        match fate {
            Fate::Works => written,
            Fate::AnswerLost => Err("no answer".into()),
        }
    }
}

/// The way of a process to the issuer, until it is killed.
struct Mortal {
    family: Arc<Family>,
    process: usize,
    world: Shared,
}

impl Mortal {
    async fn answer(&self, token: Option<&str>) -> Result<TokenSet, Failure> {
        if self.world.lock().unwrap().killed[self.process] {
            return pending().await;
        }
        self.family.answer(token).await
    }
}

impl Credentials for Mortal {
    async fn login(&self) -> Result<TokenSet, Failure> {
        self.answer(None).await
    }

    async fn refresh(&self, refresh_token: &SecretString) -> Result<TokenSet, Failure> {
        self.answer(Some(refresh_token.expose_secret())).await
    }
}

struct Login {
    family: Arc<Family>,
    store: MemoryStore,
    world: Shared,
    grace: Duration,
}

impl Login {
    fn new(grace: Duration) -> Self {
        let family = Family { rotates: true, delay: Duration::ZERO, inner: Mutex::default() };
        family.inner.lock().unwrap().grace = grace;
        Self { family: Arc::new(family), store: MemoryStore::new(), world: Arc::default(), grace }
    }

    fn process(&self, process: usize) -> RefreshLayer {
        let (family, world) = (Arc::clone(&self.family), Arc::clone(&self.world));
        let store = Stepped { store: self.store.clone(), process, world: Arc::clone(&world) };
        let credentials = Mortal { family, process, world };
        RefreshLayer::new(credentials, "https://api.example.com".parse().unwrap())
            .clock(Clock::anchored(wall()))
            .refresh_grace(self.grace)
            .store(store, KEY)
    }

    async fn send(layer: RefreshLayer, api: common::Api) -> u16 {
        layer.layer(api).oneshot(get()).await.map_or(0, |answer| answer.status().as_u16())
    }

    /// Takes one step, or lets some time pass if no call waits.
    async fn step(&self, choices: &mut Choices<'_>) {
        let (waiting, faults) = {
            let mut world = self.world.lock().unwrap();
            world.calls.retain(|call| !call.go.is_closed());
            (world.calls.len(), world.faults)
        };
        if waiting == 0 {
            return tokio::time::sleep(Duration::from_millis(50)).await;
        }
        let chosen = choices.choose(if faults > 0 { 4 * waiting + 1 } else { waiting });
        if chosen == 4 * waiting {
            self.world.lock().unwrap().faults -= 1;
            return tokio::time::sleep(LONG).await;
        }
        let mut world = self.world.lock().unwrap();
        let Call { process, go } = world.calls.remove(chosen % waiting);
        // The call, and the process after it: both well, no answer, killed before the call, killed after it.
        let (fate, is_killed) = match chosen / waiting {
            0 => (Some(Fate::Works), false),
            1 => (Some(Fate::AnswerLost), false),
            2 => (None, true),
            _ => (Some(Fate::Works), true),
        };
        world.faults -= u32::from(chosen >= waiting);
        if is_killed {
            world.killed[process] = true;
            world.calls.retain(|call| call.process != process);
        }
        let _ = fate.map(|fate| go.send(fate));
    }
}

/// Two processes find that the server has taken the access token back.
async fn run(choices: &mut Choices<'_>, grace: Duration, faults: u32) {
    fastrand::seed(7);
    let login = Login::new(grace);
    let layers = [login.process(0), login.process(1)];
    for layer in &layers {
        assert_eq!(Login::send(layer.clone(), login.family.api()).await, 200);
    }
    tokio::time::sleep(s(60)).await;
    login.family.revoke_access();
    {
        let mut world = login.world.lock().unwrap();
        (world.is_stepped, world.faults) = (true, faults);
    }
    let calls = layers.map(|layer| tokio::spawn(Login::send(layer, login.family.api())));
    for step in 0.. {
        settle().await;
        let killed = login.world.lock().unwrap().killed;
        if calls.iter().zip(killed).all(|(call, is_killed)| is_killed || call.is_finished()) {
            break;
        }
        assert!(step < MOST_STEPS, "a call does not end");
        login.step(choices).await;
    }
    let (killed, faults_left) = {
        let mut world = login.world.lock().unwrap();
        world.is_stepped = false;
        let (calls, killed) = (std::mem::take(&mut world.calls), world.killed);
        for call in calls.into_iter().filter(|call| !killed[call.process]) {
            let _ = call.go.send(Fate::Works);
        }
        (killed, world.faults)
    };
    if faults_left == faults {
        for call in calls {
            assert_eq!(call.await.unwrap(), 200);
        }
        assert_eq!((login.family.shown().len(), login.family.logins()), (1, 1));
    }
    // What is left of the flights ends, and the lease of one that was killed. Then another process works.
    tokio::time::sleep(LONG).await;
    assert_eq!(Login::send(login.process(2), login.family.api()).await, 200, "{killed:?}");
    login.family.assert_whole();
    assert!(login.family.logins() <= 2, "at most one login more: {}", login.family.logins());
}

fn explore_with(grace: Duration, faults: u32) -> usize {
    explore(|choices| {
        let runtime = Builder::new_current_thread().enable_time().start_paused(true).build().unwrap();
        runtime.block_on(run(choices, grace, faults));
    })
}

#[test]
fn in_each_order_of_two_processes_one_presents_the_refresh_token() {
    let runs = explore_with(Duration::ZERO, 0);
    println!("{runs} runs");
    assert!(runs > 10, "{runs}");
}

#[test]
fn with_a_fault_at_any_call_no_refresh_token_is_presented_twice() {
    let runs = explore_with(Duration::ZERO, 1);
    println!("{runs} runs");
    assert!(runs > 100, "{runs}");
}

#[test]
fn within_a_grace_a_fault_at_any_call_ends_no_session() {
    let runs = explore_with(s(120), 1);
    println!("{runs} runs");
    assert!(runs > 100, "{runs}");
}
