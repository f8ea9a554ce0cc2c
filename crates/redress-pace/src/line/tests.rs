//! Tests of the line.

use proptest::prelude::*;
use redress_sandbox::WakeCounter;

use super::*;
use crate::health::tests::healthy;
use crate::window::tests::with_places;

const S: Duration = Duration::from_secs(1);
const MS: Duration = Duration::from_millis(1);
/// The jitter in the middle.
const MIDDLE: u32 = 1 << 31;

/// A line at an upstream with a latency of 100 ms, whose calls are polled by hand.
struct Scene {
    line: Line,
    health: Health,
    now: Instant,
    newest_first: bool,
}

impl Scene {
    /// Begins a release with this number of places.
    fn releasing(places: f64) -> Self {
        let (health, now) = healthy(100 * MS, 10 * MS);
        let line = Line::new(1, Phase::Release(with_places(places, &health, now)));
        Self { line, health, now, newest_first: false }
    }

    /// Begins an outage, whose first probe is due after 100 ms.
    fn shut() -> Self {
        let mut scene = Self::releasing(1.0);
        scene.line = Line::shut(1, Outage::new(&scene.health, false, scene.now, MIDDLE));
        scene
    }

    fn step<T>(&mut self, step: impl FnOnce(&mut Line, Moment<'_>) -> T) -> T {
        let moment = Moment { health: &self.health, now: self.now, random: MIDDLE, newest_first: self.newest_first };
        step(&mut self.line, moment)
    }

    /// Puts an idempotent call with this deadline into the queue.
    fn enqueue(&mut self, call: u64, deadline: Duration) -> Queued {
        self.enqueue_as(call, deadline, true, true)
    }

    fn enqueue_as(&mut self, call: u64, deadline: Duration, has_deadline: bool, is_idempotent: bool) -> Queued {
        let rank = (self.now + deadline, call);
        wake(self.step(|line, moment| line.enqueue(rank, has_deadline, is_idempotent, moment)));
        Queued { rank, wakes: WakeCounter::new() }
    }

    fn poll(&mut self, call: &Queued) -> WaitState {
        let poll = self.step(|line, moment| line.poll_wait(call.rank, &call.wakes.waker(), moment));
        wake(poll.wakers);
        poll.state
    }

    /// Returns the place of a call that was granted one.
    fn granted(&mut self, call: &Queued) -> (Place, Sending) {
        match self.poll(call) {
            WaitState::Ended(WaitEnd::Granted(place, sending)) => (place, sending),
            other => panic!("it has no place: {other:?}"),
        }
    }

    fn end(&mut self, place: Place, end: CallEnd) {
        wake(self.step(|line, moment| line.end(place, end, moment)));
    }

    fn remove(&mut self, call: &Queued) {
        wake(self.step(|line, moment| line.remove(call.rank, moment)).1);
    }

    fn end_outage(&mut self) {
        wake(self.step(|line, moment| line.end_outage(moment)));
    }
}

struct Queued {
    rank: Rank,
    wakes: WakeCounter,
}

fn wake(wakers: Vec<Waker>) {
    wakers.into_iter().for_each(Waker::wake);
}

#[test]
fn places_go_by_deadline_and_then_by_arrival_or_to_the_newest() {
    for (newest_first, order) in [(false, [3, 1, 2, 4]), (true, [4, 2, 1, 3])] {
        let mut scene = Scene { newest_first, ..Scene::releasing(1.0) };
        let (mut place, _) = scene.step(|line, moment| line.take(9, moment));
        let mut calls: Vec<_> =
            [(1, 20), (2, 20), (3, 10), (4, 30)].map(|(call, deadline)| scene.enqueue(call, deadline * S)).into();
        for expected in order {
            assert!(calls.iter().all(|call| matches!(scene.poll(call), WaitState::Waiting(_))));
            let next = calls.remove(calls.iter().position(|call| call.rank.1 == expected).unwrap());
            let before = next.wakes.count();
            scene.end(place, CallEnd::Unknown);
            assert_eq!(next.wakes.count(), before + 1);
            place = scene.granted(&next).0;
        }
    }
}

#[test]
fn an_idempotent_call_probes_before_the_others() {
    for (newest_first, order) in [(false, [3, 2, 1, 4]), (true, [2, 3, 4, 1])] {
        let mut scene = Scene { newest_first, ..Scene::shut() };
        let calls = [(1, 10, false), (2, 40, true), (3, 30, true), (4, 50, false)]
            .map(|(call, deadline, is_idempotent)| scene.enqueue_as(call, deadline * S, true, is_idempotent));
        for expected in order {
            scene.now = scene.line.outage().and_then(Outage::next_probe).unwrap();
            let next = &calls[expected - 1];
            let (place, sending) = scene.granted(next);
            assert_eq!(sending, Sending::Probe);
            scene.end(place, CallEnd::Failed);
        }
    }
    // In a release they go in the order of their deadlines.
    let mut scene = Scene { health: healthy(100 * MS, 110 * MS).0, ..Scene::shut() };
    let [late, soon] = [(1, 20, true), (2, 10, false)]
        .map(|(call, deadline, is_idempotent)| scene.enqueue_as(call, deadline * S, true, is_idempotent));
    scene.end_outage();
    assert_eq!(scene.granted(&soon).1, Sending::Release);
    assert!(matches!(scene.poll(&late), WaitState::Waiting(_)));
}

#[test]
fn a_call_that_probed_in_vain_probes_again_after_all_others() {
    for (newest_first, order) in [(false, [1, 2, 4, 3, 1]), (true, [3, 4, 2, 1, 3])] {
        let mut scene = Scene { newest_first, ..Scene::shut() };
        let deadlines = [10, 20, 40, 30];
        let mut calls = [1, 2, 3, 4].map(|call| scene.enqueue(call, deadlines[call as usize - 1] * S));
        let begin = scene.now;
        for (nth, expected) in order.into_iter().enumerate() {
            scene.now = scene.line.outage().and_then(Outage::next_probe).unwrap();
            let (place, _) = scene.granted(&calls[expected - 1]);
            scene.end(place, CallEnd::Failed);
            // It comes again with the same deadline, as the call of a broken route does.
            let left = begin + deadlines[expected - 1] * S - scene.now;
            calls[expected - 1] = scene.enqueue(10 + nth as u64, left);
        }
    }
}

#[test]
fn the_next_probe_is_later_after_one_that_ended_in_a_timeout() {
    for (end, expected) in [(CallEnd::Failed, S), (CallEnd::TimedOut, 2 * S)] {
        let mut scene = Scene { health: healthy(100 * MS, S).0, ..Scene::shut() };
        let call = scene.enqueue(1, 60 * S);
        scene.now += 5 * S;
        let (place, _) = scene.granted(&call);
        scene.end(place, end);
        let wait = scene.line.outage().and_then(Outage::next_probe).unwrap() - scene.now;
        assert!((expected.as_secs_f64() / wait.as_secs_f64() - 1.0).abs() < 0.03, "{end:?}: {wait:?}");
    }
}

#[test]
fn a_place_expires_after_four_times_the_latency_from_the_send() {
    let mut scene = Scene::releasing(1.0);
    let (place, _) = scene.step(|line, moment| line.take(1, moment));
    scene.now += 300 * MS;
    let now = scene.now;
    let place = scene.line.mark_sent(place, now);
    let waiting = scene.enqueue(2, 20 * S);
    let WaitState::Waiting(Some(at)) = scene.poll(&waiting) else { panic!("it has the timer") };
    assert!((399 * MS..401 * MS).contains(&(at - now)), "{:?}", at - now);
    scene.now = at - MS;
    assert!(!scene.step(|line, moment| line.has_place(moment)));
    assert_eq!(scene.poll(&waiting), WaitState::Waiting(Some(at)));
    scene.now = at;
    scene.granted(&waiting);
    assert_eq!(scene.line.in_flight(), 1);
    // The end of the call that hung frees no second place.
    scene.end(place, CallEnd::TimedOut);
    assert_eq!(scene.line.in_flight(), 1);
}

#[test]
fn the_call_that_goes_next_has_the_timer_and_each_change_wakes_it() {
    let mut scene = Scene::shut();
    let due = scene.now + 100 * MS;
    let late = scene.enqueue(1, 20 * S);
    assert_eq!(scene.poll(&late), WaitState::Waiting(Some(due)));
    let soon = scene.enqueue(2, 10 * S);
    assert_eq!(scene.poll(&soon), WaitState::Waiting(Some(due)));
    assert_eq!((scene.poll(&late), late.wakes.count()), (WaitState::Waiting(None), 0));
    scene.remove(&soon);
    assert_eq!(late.wakes.count(), 1, "it goes next now");
    assert_eq!(scene.poll(&late), WaitState::Waiting(Some(due)));
    // A call that is sent at once as the probe moves the time: the holder sees that when its timer fires.
    scene.now = due;
    assert!(!scene.step(|line, moment| line.has_place(moment)), "those that wait go first");
    let (probe, _) = scene.granted(&late);
    let next = scene.enqueue(3, 20 * S);
    let WaitState::Waiting(Some(replaced)) = scene.poll(&next) else { panic!("it has the timer") };
    assert_eq!(replaced, due + S);
    scene.end(probe, CallEnd::Failed);
    assert_eq!(next.wakes.count(), 1, "the next probe is due sooner");
    let WaitState::Waiting(Some(sooner)) = scene.poll(&next) else { panic!("it has the timer") };
    assert!(sooner < replaced);
    scene.end_outage();
    assert_eq!(next.wakes.count(), 2);
    scene.granted(&next);
}

#[test]
fn an_outage_without_probes_has_no_timer() {
    let mut scene = Scene::releasing(1.0);
    scene.line = Line::shut(1, Outage::by_hand(scene.now));
    let call = scene.enqueue(1, 20 * S);
    assert_eq!(scene.poll(&call), WaitState::Waiting(None));
    scene.now += 3_600 * S;
    assert!(!scene.step(|line, moment| line.has_place(moment)));
    assert_eq!(scene.poll(&call), WaitState::Waiting(None));
}

#[test]
fn the_beginning_of_an_outage_sends_calls_without_a_deadline_away() {
    let mut scene = Scene::releasing(1.0);
    let (place, _) = scene.step(|line, moment| line.take(9, moment));
    let without = scene.enqueue_as(1, 20 * S, false, true);
    let with = scene.enqueue(2, 30 * S);
    assert!(matches!(scene.poll(&without), WaitState::Waiting(Some(_))));
    assert_eq!(scene.poll(&with), WaitState::Waiting(None));
    let outage = Outage::new(&scene.health, false, scene.now, MIDDLE);
    wake(scene.step(|line, moment| line.begin_outage(outage, moment)));
    assert_eq!((without.wakes.count(), scene.poll(&without)), (1, WaitState::Gone));
    assert_eq!((with.wakes.count(), scene.poll(&with)), (1, WaitState::Waiting(Some(scene.now + 100 * MS))));
    assert_eq!((scene.line.waiting(), scene.line.in_flight(), scene.line.places()), (1, 1, None));
    // A call of the release that ends now is not the probe, and changes nothing.
    scene.end(place, CallEnd::Failed);
    assert_eq!(scene.poll(&with), WaitState::Waiting(Some(scene.now + 100 * MS)));
    scene.now += 100 * MS;
    assert_eq!(scene.granted(&with).1, Sending::Probe, "and the queue forgot the other one");
}

#[test]
fn the_end_of_an_outage_grants_the_places_of_the_release() {
    let mut scene = Scene::shut();
    scene.health = healthy(100 * MS, 29 * MS).0;
    let calls: Vec<_> = (1..=5).map(|call| scene.enqueue(call, 20 * S)).collect();
    calls.iter().for_each(|call| _ = scene.poll(call));
    scene.end_outage();
    let granted = calls.iter().filter(|call| matches!(scene.poll(call), WaitState::Ended(_))).count();
    assert_eq!((granted, scene.line.in_flight(), scene.line.waiting()), (4, 4, 1), "three places, rounded up");
}

#[test]
fn below_one_place_the_calls_go_one_at_a_time_with_pauses() {
    let mut scene = Scene::releasing(0.5);
    let now = scene.now;
    let first = scene.enqueue(1, 20 * S);
    let (place, _) = scene.granted(&first);
    scene.now += 50 * MS;
    let second = scene.enqueue(2, 20 * S);
    scene.end(place, CallEnd::Answered);
    let WaitState::Waiting(Some(at)) = scene.poll(&second) else { panic!("it has the timer") };
    assert!((195 * MS..205 * MS).contains(&(at - now)), "{:?}", at - now);
    scene.now = at;
    scene.granted(&second);
}

#[test]
fn a_call_without_time_for_an_answer_is_not_granted_a_place() {
    let mut scene = Scene::shut();
    let short = scene.enqueue(1, 199 * MS);
    let enough = scene.enqueue(2, 250 * MS);
    let without = scene.enqueue_as(3, 100 * MS, false, false);
    let calls = [&short, &enough, &without];
    calls.iter().for_each(|call| _ = scene.poll(call));
    scene.end_outage();
    assert_eq!(scene.poll(&short), WaitState::Ended(WaitEnd::TooLate));
    scene.granted(&enough);
    scene.granted(&without);
    assert_eq!(scene.line.in_flight(), 2);
}

#[test]
fn a_release_is_used_when_more_than_half_of_its_places_and_more_than_one_are_taken() {
    for (places, calls, is_used) in [(8.0, 4, false), (8.0, 5, true), (5.0, 2, false), (5.0, 3, true), (1.0, 1, false)]
    {
        let mut scene = Scene::releasing(places);
        for nth in 0..calls {
            let call = scene.enqueue(nth, S);
            scene.granted(&call);
        }
        assert_eq!(scene.line.is_half_used(), is_used, "{calls} of {places}");
    }
    assert!(!Scene::shut().line.is_half_used());
}

#[test]
fn a_call_that_is_dropped_with_a_grant_passes_it_on() {
    let mut scene = Scene::releasing(1.0);
    let (place, _) = scene.step(|line, moment| line.take(9, moment));
    let (first, second) = (scene.enqueue(1, 10 * S), scene.enqueue(2, 20 * S));
    assert!([&first, &second].iter().all(|call| matches!(scene.poll(call), WaitState::Waiting(_))));
    scene.end(place, CallEnd::Unknown);
    scene.remove(&first);
    assert_eq!((first.wakes.count(), second.wakes.count() > 0), (1, true));
    scene.granted(&second);
    scene.remove(&second);
    assert_eq!(scene.line.waiting(), 0);
}

#[test]
fn a_new_cool_down_empties_the_queue() {
    let mut scene = Scene::shut();
    let calls: Vec<_> = (1..=3).map(|call| scene.enqueue(call, 20 * S)).collect();
    calls.iter().for_each(|call| _ = scene.poll(call));
    scene.line.add(7);
    let cooling = WakeCounter::new();
    assert!(scene.line.poll_cooling(7, &cooling.waker()).is_some_and(|replaced| replaced.is_none()));
    wake(scene.line.requeue_all());
    assert!(calls.iter().all(|call| call.wakes.count() == 1 && scene.poll(call) == WaitState::Gone));
    assert_eq!((scene.line.waiting(), cooling.count()), (1, 0));
    let last = scene.enqueue(8, 20 * S);
    scene.poll(&last);
    wake(scene.line.requeue_everything());
    assert_eq!((last.wakes.count(), cooling.count(), scene.line.waiting()), (1, 1, 0));
    assert!(scene.line.poll_cooling(7, &cooling.waker()).is_none());
}

#[test]
fn a_release_is_over_a_second_after_the_last_call_waited() {
    let mut scene = Scene::releasing(1.0);
    assert!(!scene.line.is_over(scene.now + 3_600 * S), "it has not begun");
    let (place, _) = scene.step(|line, moment| line.take(9, moment));
    let waiting = scene.enqueue(1, 20 * S);
    scene.now += 200 * MS;
    scene.end(place, CallEnd::Answered);
    let (place, _) = scene.granted(&waiting);
    assert!(!scene.line.is_over(scene.now + 3_600 * S), "its one place is taken");
    scene.now += 100 * MS;
    scene.end(place, CallEnd::Answered);
    assert!(!scene.line.is_over(scene.now + 999 * MS) && scene.line.is_over(scene.now + S));
    let idle = scene.now;
    scene.now += 500 * MS;
    let (place, _) = scene.step(|line, moment| line.take(9, moment));
    scene.end(place, CallEnd::Answered);
    assert!(!scene.line.is_over(idle + S) && scene.line.is_over(scene.now + S));
}

#[test]
fn a_release_lasts_while_a_call_waits() {
    let mut scene = Scene::releasing(0.02);
    let (place, _) = scene.step(|line, moment| line.take(9, moment));
    scene.end(place, CallEnd::Answered);
    let pausing = scene.enqueue(1, 20 * S);
    assert!(!scene.line.is_over(scene.now + 3_600 * S), "it waits for the end of a pause");
    scene.remove(&pausing);
    assert!(scene.line.is_over(scene.now + S));
    scene.line.add(2);
    assert!(!scene.line.is_over(scene.now + S), "it waits for the end of a cool-down");
}

#[test]
fn an_outage_is_over_if_it_is_not_probed_for_an_hour() {
    let mut scene = Scene::shut();
    let due = scene.now + 100 * MS;
    assert!(!scene.line.is_over(due + 3_599 * S) && scene.line.is_over(due + 3_600 * S));
    let call = scene.enqueue(1, 10_000 * S);
    assert!(!scene.line.is_over(due + 3_600 * S), "a call waits");
    scene.remove(&call);
    assert!(scene.line.is_over(due + 3_600 * S));
    let by_hand = Line::shut(1, Outage::by_hand(scene.now));
    assert!(!by_hand.is_over(scene.now + 86_400 * S));
}

/// A step of a test.
#[derive(Clone, Copy, Debug)]
enum Step {
    Enqueue { deadline: u32, has_deadline: bool, is_idempotent: bool },
    Poll(usize),
    Remove(usize),
    Arrive,
    End(usize, CallEnd),
    BeginOutage,
    EndOutage,
    Pass(u32),
}

fn step() -> impl Strategy<Value = Step> {
    let end =
        prop_oneof![Just(CallEnd::Answered), Just(CallEnd::Failed), Just(CallEnd::TimedOut), Just(CallEnd::Unknown)];
    prop_oneof![
        4 => (1_u32..30_000, any::<bool>(), any::<bool>())
            .prop_map(|(deadline, has_deadline, is_idempotent)| Step::Enqueue { deadline, has_deadline, is_idempotent }),
        4 => (0_usize..50).prop_map(Step::Poll),
        1 => (0_usize..50).prop_map(Step::Remove),
        2 => Just(Step::Arrive),
        3 => (0_usize..50, end).prop_map(|(nth, end)| Step::End(nth, end)),
        1 => Just(Step::BeginOutage),
        1 => Just(Step::EndOutage),
        4 => (0_u32..400).prop_map(Step::Pass),
    ]
}

/// A call in the property below: as it was told at its last poll.
struct Told {
    call: Queued,
    wakes: usize,
    timer: Option<Instant>,
}

impl Told {
    fn is_woken(&self) -> bool {
        self.call.wakes.count() > self.wakes
    }
}

/// Makes a step. Each call that was enqueued is polled at once, as its future does.
fn make(scene: &mut Scene, calls: &mut Vec<Told>, flight: &mut Vec<Place>, nth: u64, step: Step) {
    match step {
        Step::Enqueue { deadline, has_deadline, is_idempotent } => {
            let is_shut = scene.line.outage().is_some();
            let call = scene.enqueue_as(nth, deadline * MS, has_deadline || is_shut, is_idempotent);
            calls.push(Told { call, wakes: 0, timer: None });
            poll(scene, calls, flight, calls.len() - 1);
        }
        Step::Poll(nth) if !calls.is_empty() => poll(scene, calls, flight, nth % calls.len()),
        Step::Remove(nth) if !calls.is_empty() => scene.remove(&calls.swap_remove(nth % calls.len()).call),
        Step::Arrive if scene.step(|line, moment| line.has_place(moment)) => {
            flight.push(scene.step(|line, moment| line.take(nth, moment)).0);
        }
        Step::End(nth, end) if !flight.is_empty() => scene.end(flight.swap_remove(nth % flight.len()), end),
        Step::BeginOutage if scene.line.outage().is_none() => {
            let outage = Outage::new(&scene.health, false, scene.now, MIDDLE);
            wake(scene.step(|line, moment| line.begin_outage(outage, moment)));
        }
        Step::EndOutage if scene.line.outage().is_some() => scene.end_outage(),
        Step::Pass(millis) => {
            scene.now += millis * MS;
            // Timers fire.
            while let Some(nth) = calls.iter().position(|told| told.timer.is_some_and(|at| at <= scene.now)) {
                poll(scene, calls, flight, nth);
            }
        }
        _ => {}
    }
}

/// Polls a call, and removes it if its wait has ended.
fn poll(scene: &mut Scene, calls: &mut Vec<Told>, flight: &mut Vec<Place>, nth: usize) {
    match scene.poll(&calls[nth].call) {
        WaitState::Waiting(timer) => {
            let told = &mut calls[nth];
            (told.timer, told.wakes) = (timer, told.call.wakes.count());
        }
        WaitState::Ended(WaitEnd::Granted(place, _)) => {
            flight.push(place);
            calls.swap_remove(nth);
        }
        WaitState::Ended(WaitEnd::TooLate) | WaitState::Gone => drop(calls.swap_remove(nth)),
    }
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 500, failure_persistence: None, ..ProptestConfig::default() })]

    /// Whatever happens, the call that goes next has the timer or was woken to take it, and each call that has left the queue was
    /// woken.
    #[test]
    fn no_call_is_forgotten(steps in prop::collection::vec(step(), 1..80), newest_first: bool, shut: bool) {
        let mut scene = Scene { newest_first, ..if shut { Scene::shut() } else { Scene::releasing(2.0) } };
        let (mut calls, mut flight) = (Vec::new(), Vec::new());
        for (nth, step) in steps.into_iter().enumerate() {
            make(&mut scene, &mut calls, &mut flight, nth as u64, step);
            let next = scene.line.next(newest_first);
            for told in calls.iter().filter(|told| !told.is_woken()) {
                prop_assert!(scene.line.queue.waker_mut(told.call.rank).is_some(), "{step:?}: it left, and was not woken");
                if next == Some(told.call.rank) {
                    let moment = Moment { health: &scene.health, now: scene.now, random: 0, newest_first };
                    let change = scene.line.next_change(moment);
                    let is_late = change.is_some_and(|change| told.timer.is_none_or(|at| at > change));
                    prop_assert!(!is_late, "{step:?}: {change:?}, {:?}", told.timer);
                }
            }
        }
        for told in &calls {
            let _state = scene.poll(&told.call);
            scene.remove(&told.call);
        }
        prop_assert_eq!(scene.line.waiting(), 0);
    }
}
