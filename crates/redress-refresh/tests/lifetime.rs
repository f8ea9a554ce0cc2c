//! Implausible lifetimes count as unknown, in this process and in the others.
#![allow(clippy::unwrap_used, reason = "what helps a test is a test")]

mod common;
mod family;

use std::time::Duration;

use common::{Api, Issuer, Rig, Step, give, grant, s};
use family::{KEY, read};
use redress_refresh::MemoryStore;

#[tokio::test(start_paused = true)]
async fn a_lifetime_below_a_second_causes_no_refresh() {
    for lifetime in [Duration::ZERO, Duration::from_millis(1), Duration::from_millis(999)] {
        for held in [false, true] {
            let absurd = || grant("t1").refresh_token("r").expires_in(lifetime);
            let issuer = Issuer::new([Step::Give(absurd()), give("t2")]).taking(Duration::ZERO);
            let issuer = if held { issuer.holding(absurd()) } else { issuer };
            let rig = Rig::new(issuer, Api::accepting(&["t1"]));
            for _ in 0..600 {
                assert_eq!(rig.status().await, 200, "{lifetime:?}");
                tokio::time::sleep(s(1)).await;
            }
            assert_eq!(rig.issuer.asked().len(), usize::from(!held), "{lifetime:?}, held: {held}");
        }
    }
}

#[tokio::test(start_paused = true)]
async fn a_lifetime_of_a_second_is_believed() {
    let issuer = Issuer::new([Step::Give(grant("t2"))]).holding(grant("t1").expires_in(s(1)));
    let rig = Rig::new(issuer.taking(Duration::ZERO), Api::accepting(&["t1", "t2"]));
    tokio::time::sleep(s(2)).await;
    assert_eq!((rig.status().await, rig.api.tokens()), (200, vec!["t2".to_owned()]));
}

#[tokio::test(start_paused = true)]
async fn a_lifetime_below_a_second_is_not_written_to_the_store() {
    for is_installed in [false, true] {
        let absurd = || grant("t1").refresh_token("r").expires_in(Duration::ZERO);
        let store = MemoryStore::new();
        let mut rig = Rig::new(Issuer::new([Step::Give(absurd())]), Api::accepting(&["t1"]));
        rig.layer = rig.layer.store(store.clone(), KEY);
        if is_installed {
            rig.layer.tokens().install(absurd());
        }
        assert_eq!(rig.status().await, 200);
        tokio::time::sleep(s(1)).await;
        let record = read(&store).await.unwrap().text;
        assert!(record.contains(r#""expires_in_ms":null"#), "installed: {is_installed}: {record}");
    }
}
