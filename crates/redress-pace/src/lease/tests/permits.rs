//! The permits of one process, as its calls see them.

use std::pin::pin;
use std::task::{Context, Waker};

use super::super::Permits;
use super::*;

fn permits() -> Permits {
    Permits::new(Rule::new(NonZeroU32::new(1_000).unwrap(), Duration::from_secs(1)))
}

fn is_woken(permits: &Permits) -> bool {
    let wake = permits.wake();
    pin!(wake.notified()).poll(&mut Context::from_waker(Waker::noop())).is_ready()
}

/// Makes a renewal for a number of calls that wait, and returns its request.
fn renew(permits: &mut Permits, record: &mut LimitRecord, waiting: u32, now: u64) -> Request {
    let renewal = permits.begin(true, now).0.unwrap();
    let (request, grant) = permits.ask(renewal, record, (waiting, false), now);
    permits.granted(&request, (grant, record.clone()), now);
    request
}

#[test]
fn a_call_without_a_permit_wakes_the_task_and_waits_for_it() {
    let (mut permits, mut record) = (permits(), LimitRecord::default());
    assert!(!permits.try_send(1_000) && is_woken(&permits));
    assert!(permits.earliest(0, 1_000) > 1_000 && is_woken(&permits));
    assert_eq!(renew(&mut permits, &mut record, 3, 1_000).want, 3);
    for (ahead, is_now) in [(0, true), (1, true), (2, true), (3, false), (9, false)] {
        assert_eq!(permits.earliest(ahead, 1_001) == 1_001, is_now, "{ahead}");
    }
    assert!((0..3).all(|_| permits.try_send(1_001)));
    assert!(!permits.try_send(1_001));
}

#[test]
fn after_a_cool_down_a_renewal_is_slow_for_a_tenth_of_the_window() {
    for (now, is_slow) in [(1_999, false), (2_000, true), (2_101, true), (2_102, false)] {
        let (mut permits, mut record) = (permits(), LimitRecord::default());
        permits.start_slowly(2_000);
        permits.start_slowly(1_000);
        assert_eq!(renew(&mut permits, &mut record, 3, now).is_slow, is_slow, "{now}");
    }
}

#[test]
fn a_renewal_that_others_kept_from_being_written_is_tried_again_after_a_pause() {
    let mut permits = permits();
    assert!(permits.begin(true, 1_000).0.is_some());
    permits.crowded(1_000);
    let (renewal, pause) = permits.begin(true, 1_001);
    assert!(renewal.is_none() && (1..100).contains(&pause), "{pause}");
    assert!(permits.begin(true, 1_001 + pause).0.is_some());
}
