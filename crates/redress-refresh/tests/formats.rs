//! Records of other formats: two adjacent ones share a store while a new version is rolled out.
#![allow(clippy::unwrap_used, reason = "what helps a test is a test")]

mod common;
mod family;

use common::{failure, get, s, settle};
use family::{Family, process, read, wall, write};
use redress_classify::Clock;
use redress_refresh::MemoryStore;
use tower::{Layer, ServiceExt};

/// The record of the family's first pair, as a process of that format writes it.
fn of_format(number: u8) -> String {
    format!(
        r#"{{"v":{number},"generation":5,"access":[["authorization","Bearer t1"]],"refresh":"r1","expires_in_ms":3600000,"lease_ms":null,"scope":["a"],"id_token":{{"x":[1]}}}}"#
    )
}

#[tokio::test(start_paused = true)]
async fn a_record_of_the_next_format_is_adopted_and_renewed() {
    let (family, store) = (Family::new(true), MemoryStore::new());
    drop(family.give(&mut family.inner.lock().unwrap()));
    write(&store, &of_format(2)).await;
    let layer = process(&family, store.clone(), Clock::anchored(wall()));
    let send = || layer.layer(family.api()).oneshot(get());
    assert_eq!(send().await.unwrap().status(), 200);
    assert_eq!(read(&store).await.unwrap().text, of_format(2), "to read it changes nothing");
    tokio::time::sleep(s(60)).await;
    family.revoke_access();
    assert_eq!(
        (send().await.unwrap().status().as_u16(), family.shown(), family.logins()),
        (200, vec!["r1".to_owned()], 0)
    );
    settle().await;
    let written = read(&store).await.unwrap();
    assert_eq!((written.number("v"), written.generation()), (Some(1), 6));
    assert!(!written.text.contains("id_token"), "members of a format that is unknown belong to the set before");
}

#[tokio::test(start_paused = true)]
async fn a_record_of_a_later_format_is_neither_used_nor_overwritten() {
    let (family, store) = (Family::new(true), MemoryStore::new());
    write(&store, &of_format(3)).await;
    let layer = process(&family, store.clone(), Clock::anchored(wall()));
    let error = layer.layer(family.api()).oneshot(get()).await.unwrap_err();
    assert!(failure(&error).is_transient());
    assert_eq!((family.logins(), family.shown().len()), (0, 0));
    assert_eq!(read(&store).await.unwrap().text, of_format(3));
}
