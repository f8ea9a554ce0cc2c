//! Groups of servers: a fail-over by Sentinel, and the nodes of a cluster.

use std::time::Duration;

use redis::cluster::ClusterClient;
use redis::sentinel::{SentinelClient, SentinelServerType};
use redis::{Client, Value};
use redress_store::{NewRecord, Store, Version, conformance};
use redress_store_redis::RedisStoreBuilder;
use redress_test_servers::{Redis, Sentinel};
use tokio::time::timeout;

/// Longer than anything here takes.
const PATIENCE: Duration = Duration::from_secs(60);

/// Repeats a check until it holds.
async fn eventually(rule: &str, mut check: impl AsyncFnMut() -> bool) {
    let holds = async {
        while !check().await {
            tokio::time::sleep(Duration::from_millis(20)).await;
        }
    };
    assert!(timeout(PATIENCE, holds).await.is_ok(), "{rule}");
}

async fn command(server: &Redis, words: &str) -> String {
    let mut connection = Client::open(server.url())
        .expect("the server answers")
        .get_multiplexed_async_connection()
        .await
        .expect("the server answers");
    let words: Vec<&str> = words.split(' ').collect();
    match redis::cmd(words[0]).arg(&words[1..]).query_async::<Value>(&mut connection).await.expect("the server answers")
    {
        Value::BulkString(text) => String::from_utf8(text).expect("the server answers"),
        other => format!("{other:?}"),
    }
}

#[tokio::test]
async fn a_fail_over_by_sentinel_is_followed() {
    let Some(master) = Redis::start(&[]).await else { return };
    let port = master.port().to_string();
    let Some(replica) = Redis::start(&["--replicaof", "127.0.0.1", &port]).await else { return };
    eventually("the replica follows", async || command(&replica, "ROLE").await.contains("connected")).await;
    let Some(sentinel) = Sentinel::start(&master).await else { return };
    let client =
        SentinelClient::build(vec![sentinel.url()], String::from("mymaster"), None, SentinelServerType::Master);
    let store = RedisStoreBuilder::from_sentinel(client.unwrap()).build();
    let version = Version::next(None);
    eventually("Sentinel knows the master", async || {
        store.replace("key", None, &NewRecord::new(version, b"value")).await.is_ok()
    })
    .await;
    eventually("the replica has the record", async || command(&replica, "DBSIZE").await.contains('1')).await;
    // Sentinel asks the master for its replicas each 10 s.
    let watch = Client::open(sentinel.url()).unwrap();
    eventually("Sentinel knows the replica", async || {
        let mut connection = watch.get_multiplexed_async_connection().await.unwrap();
        let mut command = redis::cmd("SENTINEL");
        let replicas = command.arg(&["REPLICAS", "mymaster"]).query_async::<Vec<Value>>(&mut connection).await;
        replicas.is_ok_and(|replicas| !replicas.is_empty())
    })
    .await;

    drop(master);
    let next = Version::next(Some(version));
    eventually("the new master is written to", async || {
        let _ = store.replace("key", Some(version), &NewRecord::new(next, b"value")).await;
        store.load("key").await.is_ok_and(|record| record.is_some_and(|record| record.version() == next))
    })
    .await;
    assert!(command(&replica, "ROLE").await.contains("master"));
}

#[tokio::test]
async fn the_store_keeps_the_rules_in_a_cluster() {
    let arguments = ["--cluster-enabled", "yes", "--cluster-node-timeout", "2000"];
    let Some(one) = Redis::start(&arguments).await else { return };
    let Some(other) = Redis::start(&arguments).await else { return };
    command(&one, "CLUSTER ADDSLOTSRANGE 0 8191").await;
    command(&other, "CLUSTER ADDSLOTSRANGE 8192 16383").await;
    command(&one, &format!("CLUSTER MEET 127.0.0.1 {}", other.port())).await;
    for server in [&one, &other] {
        eventually("the cluster is up", async || command(server, "CLUSTER INFO").await.contains("cluster_state:ok"))
            .await;
    }
    let client = ClusterClient::new([one.url()]).unwrap();
    let store = RedisStoreBuilder::from_cluster(client).subscriptions(Client::open(one.url()).unwrap());
    conformance::check(store.connect().await.unwrap()).await;
    for server in [&one, &other] {
        assert!(!command(server, "DBSIZE").await.contains("int(0)"), "both nodes have records");
    }

    // A node that evicts is found among the others.
    command(&other, "CONFIG SET maxmemory-policy allkeys-lfu").await;
    let refused = RedisStoreBuilder::from_cluster(ClusterClient::new([one.url()]).unwrap()).connect().await;
    assert!(refused.unwrap_err().to_string().contains("allkeys-lfu"));
}
