//! Loom models of the gates: the flags that calls read without the lock, and the state behind it. `scripts/loom` runs them.

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use loom::model::Builder;
use loom::thread;
use redress_classify::dialects;

use super::*;
use crate::PaceLayer;
use crate::cooldown::tests::{S, cooldown};
use crate::scope::tests::target;
use crate::settings::Settings;

const ALL: CooldownScope = CooldownScope::Call;

/// Runs a model in all interleavings of its threads, and prints their number.
///
/// With three threads there may be very many: the environment variable `LOOM_MAX_PREEMPTIONS` bounds the number of preemptions.
fn explore(threads: usize, name: &str, model: impl Fn(Scene) + Send + Sync + 'static) {
    let executions = Arc::new(AtomicUsize::new(0));
    let counted = executions.clone();
    let mut builder = Builder::new();
    builder.preemption_bound = builder.preemption_bound.filter(|_| threads > 2);
    builder.check(move || {
        counted.fetch_add(1, Ordering::Relaxed);
        model(Scene::new());
    });
    println!("loom: {name}, {threads} threads: {} executions", executions.load(Ordering::Relaxed));
}

/// The gates of a layer, with two upstreams that have answered.
#[derive(Clone)]
struct Scene {
    settings: Arc<Settings>,
    now: Instant,
}

impl Scene {
    fn new() -> Self {
        let settings = PaceLayer::new(dialects::generic()).random(|| 0).settings().clone();
        let scene = Self { settings: Arc::new(settings), now: Instant::now() };
        for name in ["a", "b"] {
            let sent = Some(Sent { at: scene.now, calls: 1 });
            record(&scene.settings, &target(name), None, sent, CallResult::Answered, (scene.now, 0));
        }
        scene
    }

    fn end(&self, name: &str, result: CallResult) -> Option<Transition> {
        record(&self.settings, &target(name), None, None, result, (self.now, 0)).transition
    }

    fn fail(&self, name: &str) -> Option<Transition> {
        self.end(name, CallResult::Failed { is_timeout: false })
    }

    /// Ends a call that is answered and was not timed. Returns `false` if that was not recorded.
    fn answer(&self, name: &str) -> bool {
        let is_recorded = !self.settings.gates.ignores_answers();
        if is_recorded {
            self.end(name, CallResult::Answered);
        }
        is_recorded
    }

    /// Returns `true` if each answer must be recorded because of this upstream.
    fn needs_each_answer(&self, name: &str) -> bool {
        self.settings.gates.lock().health[&target(name).partition].needs_each_answer()
    }

    /// Asserts that the flag of all answers is set exactly if an upstream needs it, and that of activity if a line or a
    /// cool-down is left.
    fn assert_flags(&self) {
        let needed = ["a", "b"].into_iter().filter(|name| self.needs_each_answer(name)).count();
        let state = self.settings.gates.lock();
        assert_eq!(state.recorded, needed);
        let is_active = self.settings.gates.sampling.is_active();
        let records = self.settings.gates.sampling.records_each_answer();
        assert_eq!(records, needed > 0 || is_active);
        assert!(is_active || state.lines.is_empty());
    }
}

#[test]
fn an_answer_that_ends_after_a_failure_was_recorded_ends_its_run() {
    explore(2, "a failure, and an answer after it", |scene| {
        let other = scene.clone();
        let is_recorded = Arc::new(sync::AtomicBool::new(false));
        let flag = is_recorded.clone();
        let failing = thread::spawn(move || {
            other.fail("a");
            flag.store(true, Ordering::Release);
        });
        let was_recorded = is_recorded.load(Ordering::Acquire);
        let answered = scene.answer("a");
        failing.join().unwrap();
        assert!(answered || !was_recorded, "the answer was not recorded");
        // It came before the failure, or ended its run.
        assert!(!was_recorded || !scene.needs_each_answer("a"));
        assert!(answered || scene.needs_each_answer("a"), "without the answer the run goes on");
        scene.assert_flags();
    });
}

#[test]
fn the_third_failure_shuts_the_gate_unless_an_answer_comes_first() {
    explore(2, "the third failure in a row, and an answer", |scene| {
        assert_eq!([scene.fail("a"), scene.fail("a")], [None, None]);
        let other = scene.clone();
        let failing = thread::spawn(move || other.fail("a"));
        let opened = scene.end("a", CallResult::Answered);
        let shut = failing.join().unwrap();
        match (shut, opened) {
            (Some(Transition::Shut), Some(Transition::Opened { .. })) => assert!(!scene.needs_each_answer("a")),
            (None, None) => assert!(scene.needs_each_answer("a"), "the failure began a run"),
            other => panic!("no order gives {other:?}"),
        }
        scene.assert_flags();
    });
}

#[test]
fn two_failures_of_threads_are_both_counted() {
    explore(3, "two failures and an answer", |scene| {
        assert_eq!(scene.fail("a"), None);
        let threads = [scene.clone(), scene.clone()].map(|scene| thread::spawn(move || scene.fail("a")));
        let answered = scene.answer("a");
        let shut = threads.map(|thread| thread.join().unwrap()).iter().filter(|ended| ended.is_some()).count();
        assert!(answered, "a run had begun");
        let is_shut = scene.settings.gates.lock().outage_at(&target("a")).is_some();
        // Three in a row shut it, and then the answer opens it; an answer between them ends the run.
        let lines = scene.settings.gates.lock().lines.len();
        let runs = (shut, is_shut, lines, scene.needs_each_answer("a"));
        assert!([(1, false, 1, false), (0, false, 0, true)].contains(&runs), "{runs:?}");
        scene.assert_flags();
    });
}

#[test]
fn the_flag_is_set_while_one_of_two_upstreams_needs_it() {
    explore(2, "runs of failures of two upstreams", |scene| {
        let other = scene.clone();
        let thread = thread::spawn(move || {
            other.fail("b");
            assert!(other.answer("b"), "its own run needs it");
        });
        scene.fail("a");
        assert!(scene.settings.gates.sampling.records_each_answer());
        thread.join().unwrap();
        assert!(scene.needs_each_answer("a") && !scene.needs_each_answer("b"));
        scene.assert_flags();
        assert!(scene.answer("a") && !scene.answer("a"), "the run is over");
        scene.assert_flags();
    });
}

#[test]
fn a_cool_down_that_begins_while_another_is_found_over_holds_calls() {
    explore(2, "the end of one cool-down and the beginning of another", |scene| {
        let gates = &scene.settings.gates;
        gates.cool_down(&target("a"), ALL, cooldown(scene.now, S), scene.now);
        let (other, later) = (scene.clone(), scene.now + S);
        let thread = thread::spawn(move || {
            other.settings.gates.cool_down(&target("b"), ALL, cooldown(later, S), later);
            assert!(other.settings.gates.cooldown(&target("b"), later).is_some());
        });
        assert!(gates.cooldown(&target("a"), later).is_none());
        thread.join().unwrap();
        assert!(gates.cooldown(&target("b"), later).is_some());
        assert!(gates.cooldown(&target("b"), later + S).is_none() && gates.is_inactive());
        scene.assert_flags();
    });
}
