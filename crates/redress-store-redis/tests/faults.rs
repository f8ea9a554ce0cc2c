//! Servers that are slow, down, or have lost writes, and connections that break off.

use std::time::Duration;

use redis::Client;
use redis::aio::MultiplexedConnection;
use redress_store::{Entry, NewRecord, Record, Store, StoreHandle, Version, Written};
use redress_store_redis::{RedisStore, RedisStoreBuilder, RedisStoreError};
use redress_test_servers::{Proxy, Redis};
use tokio::time::{Instant, timeout};

/// Longer than anything here takes.
const PATIENCE: Duration = Duration::from_secs(30);
/// A poll interval that no test waits for.
const NEVER: Duration = Duration::from_secs(3600);

/// Repeats a check until it holds.
async fn eventually(rule: &str, mut check: impl AsyncFnMut() -> bool) {
    let holds = async {
        while !check().await {
            tokio::time::sleep(Duration::from_millis(20)).await;
        }
    };
    assert!(timeout(PATIENCE, holds).await.is_ok(), "{rule}");
}

/// The milliseconds that have passed on a paused clock, which was paused within one: the timer's own step.
fn passed(began: Instant) -> u128 {
    began.elapsed().as_millis().saturating_sub(1).next_multiple_of(10)
}

async fn direct(server: &Redis) -> MultiplexedConnection {
    Client::open(server.url())
        .expect("the server answers")
        .get_multiplexed_async_connection()
        .await
        .expect("the server answers")
}

async fn command(connection: &mut MultiplexedConnection, words: &str) -> String {
    let words: Vec<&str> = words.split(' ').collect();
    let answer = redis::cmd(words[0]).arg(&words[1..]).query_async::<redis::Value>(connection).await;
    format!("{:?}", answer.expect("the server answers"))
}

async fn write(store: &RedisStore, key: &str, seen: Option<Version>) -> Version {
    let version = Version::next(seen);
    assert!(
        store.replace(key, seen, &NewRecord::new(version, b"value")).await.expect("the server answers").is_written()
    );
    version
}

fn through(proxy: &Proxy) -> String {
    format!("redis://127.0.0.1:{}/", proxy.port())
}

#[tokio::test]
async fn a_write_whose_answer_is_lost_is_recognized() {
    let Some(server) = Redis::start(&[]).await else { return };
    let proxy = Proxy::start(server.port()).await;
    let entry = Entry::new(StoreHandle::new(RedisStore::connect(&through(&proxy)).await.unwrap()), "key");
    // The script is known to the server, so that the next answer is the one to the write.
    assert!(entry.replace(None, b"first", None).await.unwrap().is_written());
    let seen = entry.load().await.unwrap().map(|record| record.version());
    proxy.drop_answer();
    assert!(entry.replace(seen, b"second", None).await.unwrap().is_written());
    let record = entry.load().await.unwrap().unwrap();
    assert_eq!((record.value(), record.version().number()), (b"second".as_slice(), 2));
}

#[tokio::test]
async fn a_write_without_an_answer_is_an_error() {
    let Some(server) = Redis::start(&[]).await else { return };
    let proxy = Proxy::start(server.port()).await;
    let store = RedisStore::connect(&through(&proxy)).await.unwrap();
    let first = write(&store, "key", None).await;
    proxy.drop_answer();
    let lost = store.replace("key", Some(first), &NewRecord::new(Version::next(Some(first)), b"second")).await;
    let error = lost.unwrap_err();
    assert!(matches!(error.downcast_ref(), Some(RedisStoreError::Connection(_))), "{error:?}");
    assert_eq!(store.load("key").await.unwrap().map(|record| record.version().number()), Some(2));
}

#[tokio::test]
async fn a_server_that_hangs_is_an_error_after_500_ms_and_used_again_later() {
    let Some(server) = Redis::start(&[]).await else { return };
    let store = RedisStore::connect(&server.url()).await.unwrap();
    let version = write(&store, "key", None).await;
    server.process().pause();
    tokio::time::pause();
    let began = Instant::now();
    let error = store.load("key").await.unwrap_err();
    assert_eq!((error.downcast_ref(), passed(began)), (Some(&RedisStoreError::Timeout), 500));
    // The next call opens another connection, which hangs too; those after it fail at once.
    let began = Instant::now();
    let error = store.load("key").await.unwrap_err();
    assert_eq!((error.downcast_ref(), passed(began)), (Some(&RedisStoreError::Timeout), 1000));
    let began = Instant::now();
    assert!(store.load("key").await.is_err() && began.elapsed().is_zero());
    tokio::time::resume();
    server.process().resume();
    eventually("it is used again", async || {
        store.load("key").await.is_ok_and(|record| record.is_some_and(|record| record.version() == version))
    })
    .await;
}

#[tokio::test]
async fn a_server_that_was_started_again_is_used() {
    let Some(server) = Redis::start(&[]).await else { return };
    let (port, url) = (server.port(), server.url());
    let store = RedisStore::connect(&url).await.unwrap();
    write(&store, "key", None).await;
    drop(server);
    assert!(store.load("key").await.is_err() && store.load("key").await.is_err());
    let Some(_server) = Redis::start_on(port, &[]).await else { return };
    eventually("the server is used again", async || store.load("key").await.is_ok()).await;
    // Its records are gone.
    assert!(store.load("key").await.unwrap().is_none());
}

#[tokio::test]
async fn a_subscription_that_is_cut_is_made_again() {
    let Some(server) = Redis::start(&[]).await else { return };
    let client = Client::open(server.url()).unwrap();
    let store = RedisStoreBuilder::from_client(client).poll_interval(NEVER).connect().await.unwrap();
    let (other, mut admin) = (RedisStore::connect(&server.url()).await.unwrap(), direct(&server).await);
    let mut seen = write(&other, "key", None).await;
    for round in 0..3 {
        eventually("it is subscribed", async || {
            let _ = timeout(Duration::from_millis(1), store.changed("key", Some(seen))).await;
            command(&mut admin, "PUBSUB NUMSUB redress:{key}").await.contains("int(1)")
        })
        .await;
        command(&mut admin, "CLIENT KILL TYPE pubsub").await;
        let next = write(&other, "key", Some(seen)).await;
        let noticed = async {
            while store.load("key").await.unwrap().map(|record| record.version()) == Some(seen) {
                store.changed("key", Some(seen)).await;
            }
        };
        assert!(timeout(PATIENCE, noticed).await.is_ok(), "{round}");
        seen = next;
    }
}

#[tokio::test]
async fn a_change_is_noticed_by_polling_while_there_is_no_subscription() {
    let Some(server) = Redis::start(&[]).await else { return };
    let proxy = Proxy::start(server.port()).await;
    let client = Client::open(server.url()).unwrap();
    let store = RedisStoreBuilder::from_client(client).subscriptions(Client::open(through(&proxy)).unwrap());
    let store = store.connect().await.unwrap();
    let other = RedisStore::connect(&server.url()).await.unwrap();
    proxy.refuse();
    let first = write(&other, "key", None).await;
    let second = Version::next(Some(first));
    let noticed = async {
        while store.load("key").await.unwrap().map(|record| record.version()) != Some(second) {
            store.changed("key", Some(first)).await;
        }
    };
    let written = async { other.replace("key", Some(first), &NewRecord::new(second, b"value")).await.unwrap() };
    let (noticed, written) = tokio::join!(timeout(PATIENCE, noticed), written);
    assert!(noticed.is_ok() && written.is_written());

    // One wait lasts for one poll interval.
    store.load("key").await.unwrap();
    tokio::time::pause();
    let began = Instant::now();
    store.changed("key", Some(second)).await;
    assert_eq!(passed(began), 250);
}

#[tokio::test]
async fn a_promoted_replica_that_lagged_shows_a_lower_number() {
    let Some(master) = Redis::start(&[]).await else { return };
    let link = Proxy::start(master.port()).await;
    let Some(replica) = Redis::start(&["--replicaof", "127.0.0.1", &link.port().to_string()]).await else { return };
    let store = RedisStore::connect(&master.url()).await.unwrap();
    let first = write(&store, "key", None).await;
    let (lagging, mut admin) = (RedisStore::connect(&replica.url()).await.unwrap(), direct(&replica).await);
    let read = async || lagging.load("key").await.ok().flatten().map(|record: Record| record.version());
    eventually("the replica has the record", async || read().await == Some(first)).await;
    let refused = lagging.replace("key", Some(first), &NewRecord::new(Version::next(None), b"")).await.unwrap_err();
    assert_eq!(refused.downcast_ref(), Some(&RedisStoreError::Server("READONLY".to_owned())));

    link.hold_answers();
    let last = write(&store, "key", Some(write(&store, "key", Some(first)).await)).await;
    drop(master);
    link.refuse();
    command(&mut admin, "REPLICAOF NO ONE").await;
    eventually("the replica is read", async || read().await.is_some()).await;
    let found = read().await.unwrap();
    assert_eq!((found, found.number(), last.number()), (first, 1, 3));
    let next = Version::next(Some(last));
    let refused = lagging.replace("key", Some(last), &NewRecord::new(next, b"")).await.unwrap();
    assert!(matches!(refused, Written::Refused(Some(record)) if record.version() == first));
}

#[tokio::test]
async fn a_record_of_a_former_server_is_marked_until_it_is_written_again() {
    let Some(master) = Redis::start(&[]).await else { return };
    let Some(replica) = Redis::start(&["--replicaof", "127.0.0.1", &master.port().to_string()]).await else { return };
    let store = RedisStore::connect(&master.url()).await.unwrap();
    let first = write(&store, "key", None).await;
    assert!(!store.load("key").await.unwrap().unwrap().is_of_former_server());
    let (promoted, mut admin) = (RedisStore::connect(&replica.url()).await.unwrap(), direct(&replica).await);
    let has_it = async || promoted.load("key").await.is_ok_and(|record| record.is_some());
    eventually("the replica has the record", has_it).await;
    drop(master);
    command(&mut admin, "REPLICAOF NO ONE").await;
    eventually("the replica is read", has_it).await;
    assert!(promoted.load("key").await.unwrap().unwrap().is_of_former_server());
    let refused = promoted.replace("key", None, &NewRecord::new(Version::next(None), b"")).await.unwrap();
    assert!(matches!(refused, Written::Refused(Some(record)) if record.is_of_former_server()));
    let second = write(&promoted, "key", Some(first)).await;
    assert!(promoted.load("key").await.unwrap().unwrap().is_of_former_server(), "this write did not know of it");
    let third = NewRecord::new(Version::next(Some(second)), b"value");
    let refused = promoted.replace("key", Some(second), &third.seen_marked(false)).await.unwrap();
    assert!(matches!(refused, Written::Refused(Some(record)) if record.is_of_former_server()));
    let third = third.seen_marked(true);
    assert!(promoted.replace("key", Some(second), &third).await.unwrap().is_written());
    assert!(!promoted.load("key").await.unwrap().unwrap().is_of_former_server());
    let refused = promoted.replace("key", None, &NewRecord::new(Version::next(None), b"")).await.unwrap();
    let is_plain = |record: &Record| record.version() == third.version() && !record.is_of_former_server();
    assert!(matches!(refused, Written::Refused(Some(record)) if is_plain(&record)));
}
