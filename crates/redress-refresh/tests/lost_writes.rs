//! Stores that lose answers, fail at the end of a flight, or go back in time.
#![allow(clippy::unwrap_used, reason = "what helps a test is a test")]

mod common;
mod family;
mod faulty;

use std::sync::Arc;
use std::time::Duration;

use common::{Answer, Api, get, s, settle};
use family::{Family, Twist, process, wall};
use faulty::{Fault, Faulty};
use redress_classify::{Clock, Error};
use redress_refresh::RefreshLayer;
use tokio::task::JoinHandle;
use tokio::time::Instant;
use tower::{Layer, ServiceExt};

/// Processes with one account and one store.
struct Fleet {
    family: Arc<Family>,
    api: Api,
    store: Faulty,
}

impl Fleet {
    fn new() -> Self {
        let family = Family::new(true);
        Self { api: family.api(), family, store: Faulty::default() }
    }

    fn process(&self) -> RefreshLayer {
        process(&self.family, self.store.clone(), Clock::anchored(wall()))
    }

    /// A process that has logged in, later than any check of its record.
    async fn started(&self) -> RefreshLayer {
        let process = self.process();
        assert_eq!(self.send(&process).await, 200);
        tokio::time::sleep(s(60)).await;
        process
    }

    fn spawn(&self, process: &RefreshLayer) -> JoinHandle<Result<Answer, Error>> {
        tokio::spawn(process.layer(self.api.clone()).oneshot(get()))
    }

    async fn send(&self, process: &RefreshLayer) -> u16 {
        self.spawn(process).await.unwrap().map_or(0, |answer| answer.status().as_u16())
    }

    /// Begins a refresh, and returns while the issuer works.
    async fn refreshing(&self, process: &RefreshLayer) -> JoinHandle<Result<Answer, Error>> {
        self.family.revoke_access();
        let call = self.spawn(process);
        tokio::time::sleep(Duration::from_millis(500)).await;
        call
    }

    async fn text(&self) -> String {
        String::from_utf8(self.store.stored().await.unwrap().value().to_vec()).unwrap()
    }
}

#[tokio::test(start_paused = true)]
async fn a_lease_whose_answer_is_lost_is_the_lease_of_its_process() {
    let fleet = Fleet::new();
    let one = fleet.started().await;
    fleet.family.revoke_access();
    fleet.store.set(Fault::LosesAnswer);
    let start = Instant::now();
    assert_eq!((fleet.send(&one).await, start.elapsed()), (200, s(1)));
    assert_eq!((fleet.family.shown(), fleet.family.logins()), (vec!["r1".to_owned()], 1));
}

#[tokio::test(start_paused = true)]
async fn a_lease_that_was_written_before_the_store_failed_is_used_by_the_next_flight() {
    let fleet = Fleet::new();
    let one = fleet.started().await;
    fleet.family.revoke_access();
    fleet.store.set(Fault::DownAfterWrite);
    assert_eq!(fleet.send(&one).await, 401);
    assert!(fleet.text().await.contains("\"lease_ms\":35000"), "it was written");
    fleet.store.set(Fault::None);
    // The end of the cool-down, and not that of the lease.
    tokio::time::sleep(s(2)).await;
    assert_eq!(fleet.send(&one).await, 200);
    assert_eq!((fleet.family.shown(), fleet.family.logins()), (vec!["r1".to_owned()], 1));
    fleet.family.assert_whole();
}

#[tokio::test(start_paused = true)]
async fn a_set_whose_answer_is_lost_is_written_once() {
    for fault in [Fault::LosesAnswer, Fault::DownAfterWrite] {
        let fleet = Fleet::new();
        let one = fleet.started().await;
        let call = fleet.refreshing(&one).await;
        fleet.store.set(fault);
        assert_eq!(call.await.unwrap().unwrap().status(), 200);
        tokio::time::sleep(s(5)).await;
        fleet.store.set(Fault::None);
        let stored = fleet.store.stored().await.unwrap();
        tokio::time::sleep(s(60)).await;
        assert_eq!(fleet.store.stored().await.unwrap().version(), stored.version(), "{fault:?}");
        assert_eq!(fleet.send(&fleet.process()).await, 200);
        assert_eq!((fleet.family.shown().len(), fleet.family.logins()), (1, 1), "{fault:?}");
    }
}

#[tokio::test(start_paused = true)]
async fn a_set_that_cannot_be_written_is_offered_until_it_is() {
    for (fault, minutes) in [(Fault::Down, 10), (Fault::Hangs, 10), (Fault::Down, 180)] {
        let fleet = Fleet::new();
        let one = fleet.started().await;
        let call = fleet.refreshing(&one).await;
        let before = fleet.store.writes().len();
        fleet.store.set(fault);
        assert_eq!(call.await.unwrap().unwrap().status(), 200);
        for _ in 0..minutes {
            tokio::time::sleep(s(60)).await;
            // Its end is near after an hour.
            assert!(minutes > 50 || fleet.send(&one).await == 200, "it serves with the set meanwhile");
        }
        let offers = fleet.store.writes().split_off(before);
        assert!(offers.len() > 10 && offers.iter().all(|version| *version == offers[0]), "each time the same write");
        assert!(offers.len() <= 128 + 8, "{} offers", offers.len());
        fleet.store.set(Fault::None);
        if minutes > 60 {
            // The next flight offers it.
            fleet.send(&one).await;
            assert_eq!(fleet.family.shown(), ["r1", "r2"], "{fault:?}");
        } else {
            tokio::time::sleep(s(31)).await;
            assert!(fleet.text().await.contains("Bearer t2"), "{fault:?}");
            assert_eq!(fleet.send(&fleet.process()).await, 200, "{fault:?}");
            assert_eq!(fleet.family.shown(), ["r1"], "{fault:?}");
        }
        assert_eq!(fleet.family.logins(), 1, "{fault:?}");
        fleet.family.assert_whole();
    }
}

#[tokio::test(start_paused = true)]
async fn a_logout_or_an_install_ends_the_offers_of_a_set() {
    for is_install in [false, true] {
        let fleet = Fleet::new();
        let one = fleet.started().await;
        let call = fleet.refreshing(&one).await;
        fleet.store.set(Fault::Down);
        assert_eq!(call.await.unwrap().unwrap().status(), 200);
        tokio::time::sleep(s(5)).await;
        match is_install {
            true => one.tokens().install(common::grant("by-hand")),
            false => one.tokens().clear(),
        }
        settle().await;
        fleet.store.set(Fault::None);
        tokio::time::sleep(s(120)).await;
        assert!(!fleet.text().await.contains("Bearer t2"), "the old set is not offered");
        let _ = fleet.send(&one).await;
        settle().await;
        assert!(fleet.text().await.contains("Bearer t3"), "by a login: the set by hand is not good either");
        assert!(!fleet.family.shown().contains(&"r2".to_owned()), "installed: {is_install}");
    }
}

#[tokio::test(start_paused = true)]
async fn a_set_that_the_store_loses_is_written_again_within_a_second() {
    for to_nothing in [false, true] {
        let fleet = Fleet::new();
        let one = fleet.started().await;
        let earlier = fleet.store.stored().await.filter(|_| !to_nothing);
        assert_eq!(fleet.refreshing(&one).await.await.unwrap().unwrap().status(), 200);
        tokio::time::sleep(s(12)).await;
        fleet.store.restore(earlier.as_ref()).await;
        tokio::time::sleep(s(1)).await;
        assert!(fleet.text().await.contains("Bearer t2"));
        // A process that has seen nothing of it presents no spent token.
        let fresh = fleet.process();
        assert_eq!(fleet.send(&fresh).await, 200);
        fleet.family.revoke_access();
        tokio::time::sleep(s(10)).await;
        assert_eq!(fleet.send(&fresh).await, 200);
        assert_eq!((fleet.family.shown(), fleet.family.logins()), (vec!["r1".to_owned(), "r2".to_owned()], 1));
        fleet.family.assert_whole();
    }
}

#[tokio::test(start_paused = true)]
async fn the_newest_set_of_a_process_is_written_again_and_its_token_presented_once() {
    for to_nothing in [false, true] {
        let fleet = Fleet::new();
        let one = fleet.started().await;
        let earlier = fleet.store.stored().await.filter(|_| !to_nothing);
        assert_eq!(fleet.refreshing(&one).await.await.unwrap().unwrap().status(), 200);
        // Later than any check.
        tokio::time::sleep(s(60)).await;
        fleet.store.restore(earlier.as_ref()).await;
        fleet.family.revoke_access();
        let (start, call) = (Instant::now(), fleet.spawn(&one));
        tokio::time::sleep(s(1)).await;
        let text = fleet.text().await;
        assert!(text.contains("Bearer t2") && text.contains("\"lease_ms\":35000"), "{text}");
        assert_eq!((call.await.unwrap().unwrap().status().as_u16(), start.elapsed()), (200, s(6)));
        assert_eq!((fleet.family.shown(), fleet.family.logins()), (vec!["r1".to_owned(), "r2".to_owned()], 1));
        fleet.family.assert_whole();
    }
}

#[tokio::test(start_paused = true)]
async fn a_process_that_holds_a_newer_set_reports_it_to_one_that_holds_an_older_one() {
    let fleet = Fleet::new();
    let one = fleet.started().await;
    let other = fleet.process();
    assert_eq!(fleet.send(&other).await, 200);
    let earlier = fleet.store.stored().await.unwrap();
    // One more set, of which the second process has seen the lease.
    let refresh = fleet.refreshing(&one).await;
    let waiting = fleet.spawn(&other);
    settle().await;
    fleet.store.restore(Some(&earlier)).await;
    assert_eq!(refresh.await.unwrap().unwrap().status(), 200);
    assert_eq!(waiting.await.unwrap().unwrap().status(), 200);
    assert_eq!((fleet.family.shown(), fleet.family.logins()), (vec!["r1".to_owned()], 1));
    assert!(fleet.text().await.contains("Bearer t2"), "the lease was lost, and the set is written all the same");
}

#[tokio::test(start_paused = true)]
async fn a_process_that_only_knows_of_a_lost_lease_waits_as_long_as_a_lease_and_logs_in_after_the_grace() {
    // The record was written 60 s before, and the lease lasts 60 s or 65 s.
    for (grace, shown, logins) in [(0, 1, 2), (120, 1, 2), (300, 2, 1)] {
        let fleet = Fleet::new();
        fleet.family.inner.lock().unwrap().grace = s(grace);
        let one = fleet.started().await;
        let other = fleet.process().flight_timeout(s(60)).refresh_grace(s(grace));
        assert_eq!(fleet.send(&other).await, 200);
        let earlier = fleet.store.stored().await.unwrap();
        fleet.family.twist(Twist::Lose);
        let refresh = fleet.refreshing(&one).await;
        let patient = fleet.spawn(&other);
        settle().await;
        // The holder of the lease gets no answer, and is not heard of again.
        fleet.store.restore(Some(&earlier)).await;
        let start = Instant::now();
        assert_eq!(patient.await.unwrap().map_or(0, |answer| answer.status().as_u16()), 200, "{grace}");
        let _ = refresh.await;
        assert!(start.elapsed() >= s(60), "{:?}", start.elapsed());
        assert_eq!((fleet.family.shown(), fleet.family.logins()), (vec!["r1".to_owned(); shown], logins), "{grace}");
        fleet.family.assert_whole();
    }
}

#[tokio::test(start_paused = true)]
async fn no_call_waits_longer_than_its_deadline_for_a_store() {
    for fault in [Fault::Down, Fault::Hangs] {
        let fleet = Fleet::new();
        let one = fleet.started().await;
        fleet.family.revoke_access();
        fleet.store.set(fault);
        let mut request = get();
        request.extensions_mut().insert(redress_classify::Deadline::from_now(s(2)));
        let start = Instant::now();
        assert_eq!(one.layer(fleet.api.clone()).oneshot(request).await.unwrap().status(), 401, "{fault:?}");
        assert!(start.elapsed() <= s(2), "{fault:?}: {:?}", start.elapsed());
        let start = Instant::now();
        let _ = fleet.send(&one).await;
        assert!(start.elapsed() <= s(5), "{fault:?}: {:?}", start.elapsed());
    }
}
