use redress_sandbox::WakeCounter;

use super::*;
use crate::parking::tests::{S, parking};
use crate::scope::tests::{scoped, target};

const ALL: CooldownScope = CooldownScope::Call;

fn parked(lot: &Arc<Lot>, at: &Target, now: Instant) -> Guest {
    match lot.enter(at, None, now) {
        Entry::Parked(guest, _) => guest,
        other => panic!("it is parked: {other:?}"),
    }
}

#[test]
fn it_is_empty_again_once_the_last_cool_down_is_seen_to_have_ended() {
    let (lot, now) = (Lot::default(), Instant::now());
    let (a, b) = (target("a"), target("b"));
    assert!(lot.is_empty() && lot.parking(&a, now).is_none());
    assert!(lot.park(&a, ALL, parking(now, S), now) && !lot.park(&a, ALL, parking(now, S), now));
    assert!(lot.park(&b, ALL, parking(now, 2 * S), now) && !lot.is_empty());
    assert_eq!(lot.parking(&a, now), Some(parking(now, S)));
    assert!(lot.parking(&a, now + S).is_none() && !lot.is_empty(), "the other one is parked still");
    assert_eq!(lot.parking(&b, now + S), Some(parking(now, 2 * S)));
    assert!(lot.parking(&b, now + 2 * S).is_none() && lot.is_empty());
}

#[test]
fn a_call_in_two_releases_has_a_place_in_both_or_in_none() {
    let (lot, now) = (Arc::new(Lot::default()), Instant::now());
    let (one, other) = (scoped("GET", "/rooms/1"), scoped("GET", "/rooms/2"));
    let park = |said| {
        lot.park(&one, said, parking(now, S), now);
        parked(&lot, &one, now)
    };
    // Each crowd lives as long as one of its calls.
    let guests = [park(CooldownScope::Call), park(CooldownScope::Upstream)];
    let later = now + S;
    let places: Vec<_> = (0..4).map(|_| lot.pass(&one, later).unwrap().unwrap()).collect();
    assert!(places.iter().all(|place| place.members.len() == 2));
    let others: Vec<_> = (0..6).map(|_| lot.pass(&other, later).unwrap().unwrap()).collect();
    assert!(others.iter().all(|place| place.members.len() == 1), "they are in the release of the upstream alone");
    assert!(lot.pass(&one, later).is_none() && lot.pass(&other, later).is_none(), "ten are in flight");
    let taken = || {
        lot.lock().crowds.values().map(|crowd| format!("{crowd:?}")).filter(|crowd| crowd.contains("taken: 4")).count()
    };
    assert_eq!(taken(), 1, "a place that is missing in one crowd is taken in none");
    let Entry::Lined(waiting, _) = lot.enter(&one, None, later) else { panic!("it waits for a place") };
    assert!(matches!(waiting.look(&Context::from_waker(Waker::noop())), Line::Waits));
    drop(others);
    let Line::Placed(mut place, _) = waiting.look(&Context::from_waker(Waker::noop())) else { panic!("there is one") };
    let Entry::Placed(mut more) = lot.enter(&one, Some(&place), later) else {
        panic!("there is one in the scope, too")
    };
    place.add(&mut more);
    assert!(matches!(lot.enter(&one, Some(&place), later), Entry::Free), "it has both");
    drop((places, place, waiting, guests));
    assert!(lot.lock().crowds.is_empty());
}

#[test]
fn who_is_let_out_by_hand_is_woken_and_who_leaves_is_forgotten() {
    let (lot, now) = (Arc::new(Lot::default()), Instant::now());
    let (a, b) = (target("a"), target("b"));
    assert!(matches!(lot.enter(&a, None, now), Entry::Free));
    lot.park(&a, ALL, parking(now, S), now);
    lot.park(&b, ALL, parking(now, S), now);
    let guests: Vec<_> = [&a, &a, &a, &b].map(|at| parked(&lot, at, now)).into();
    let bells: Vec<_> = guests.iter().map(|_| WakeCounter::new()).collect();
    let wakers: Vec<_> = bells.iter().map(WakeCounter::waker).collect();
    for (guest, waker) in guests.iter().zip(&wakers).skip(1) {
        assert!(guest.is_held(&Context::from_waker(waker)));
    }
    lot.open(&a);
    let rings: Vec<_> = bells.iter().map(WakeCounter::count).collect();
    assert_eq!(rings, [0, 1, 1, 0], "the first one was never polled");
    let held: Vec<_> = guests.iter().map(|guest| guest.is_held(&Context::from_waker(Waker::noop()))).collect();
    assert_eq!(held, [false, false, false, true]);
    assert!(matches!(lot.enter(&a, None, now), Entry::Free) && matches!(lot.enter(&b, None, now), Entry::Parked(..)));
    assert_eq!(lot.lock().crowds.len(), 1);
    let text = format!("{lot:?}");
    assert!(text.starts_with("Lot { parkings: Parkings {") && text.ends_with("waiting: 1 }"), "{text}");
    drop(guests);
    assert!(lot.lock().crowds.is_empty());
}

#[test]
fn a_place_is_handed_on_once_also_by_one_who_is_dropped_before_noticing_it() {
    let (lot, now) = (Arc::new(Lot::default()), Instant::now());
    let a = target("a");
    lot.park(&a, ALL, parking(now, S), now);
    let guests: Vec<_> = (0..13).map(|_| parked(&lot, &a, now)).collect();
    let later = now + S;
    assert!(guests.iter().all(|guest| guest.line_up(now).is_none()), "the cool-down lasts");
    assert!(guests.iter().all(|guest| guest.line_up(later) == Some(S / 2)));
    let bells: Vec<_> = guests.iter().map(|_| WakeCounter::new()).collect();
    let look = |nth: usize| guests[nth].look(&Context::from_waker(&bells[nth].waker()));
    let mut lines: Vec<_> = (0..13).map(look).collect();
    let placed = lines.iter().filter(|line| matches!(line, Line::Placed(..))).count();
    assert_eq!(placed, 10);
    assert!(matches!(lines[10..], [Line::Waits, Line::Waits, Line::Waits]), "the first to come have the places");
    assert!(lot.pass(&a, later).is_none(), "nobody overtakes those who wait");
    let rings = || bells.iter().map(WakeCounter::count).sum::<usize>();
    lines.swap_remove(0);
    assert_eq!((bells[10].count(), rings()), (1, 1), "one place, one call");
    let mut guests = guests;
    drop(guests.remove(10));
    assert_eq!((bells[11].count(), rings()), (1, 2), "it hands the place on");
    assert!(matches!(guests[10].look(&Context::from_waker(Waker::noop())), Line::Placed(..)));
    assert_eq!(bells[12].count(), 1, "which was given back at once");
    drop(guests);
    assert!(!lot.is_empty() && !lot.lock().crowds.is_empty(), "some are in flight");
    drop(lines);
    assert!(lot.lock().crowds.is_empty());
    assert!(lot.parking(&a, later).is_none() && lot.is_empty());
}
