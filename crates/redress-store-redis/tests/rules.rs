//! The rules of a store on a real server, which each test starts.

use std::time::Duration;

use futures_util::StreamExt;
use redis::Client;
use redress_store::{NewRecord, Store, Version, Written, conformance};
use redress_store_redis::{RedisStore, RedisStoreBuilder, RedisStoreError};
use redress_test_servers::Redis;
use tokio::time::timeout;

/// Longer than anything here takes.
const PATIENCE: Duration = Duration::from_secs(30);
/// A poll interval that no test waits for.
const NEVER: Duration = Duration::from_secs(3600);

#[tokio::test]
async fn the_store_keeps_the_rules_on_one_thread() {
    let Some(server) = Redis::start(&[]).await else { return };
    conformance::check(RedisStore::connect(&server.url()).await.unwrap()).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn the_store_keeps_the_rules_on_several_threads() {
    let Some(server) = Redis::start(&[]).await else { return };
    conformance::check(RedisStore::connect(&server.url()).await.unwrap()).await;
}

#[tokio::test]
async fn the_store_keeps_the_rules_over_any_connections_and_without_messages() {
    let Some(server) = Redis::start(&[]).await else { return };
    let client = Client::open(server.url()).unwrap();
    let shared = client.get_multiplexed_async_connection().await.unwrap();
    let store = RedisStoreBuilder::from_connections(move || std::future::ready(Ok(shared.clone()))).build();
    conformance::check(store).await;
}

#[tokio::test]
async fn a_change_by_another_process_is_reported_at_once() {
    let Some(server) = Redis::start(&[]).await else { return };
    let client = Client::open(server.url()).unwrap();
    let waiting = RedisStoreBuilder::from_client(client).poll_interval(NEVER).connect().await.unwrap();
    let writing = RedisStore::connect(&server.url()).await.unwrap();
    let mut seen = None;
    for _ in 0..20 {
        let version = Version::next(seen);
        let write = async {
            let written = writing.replace("key", seen, &NewRecord::new(version, b"value")).await;
            assert!(written.unwrap().is_written());
        };
        let read = async {
            while waiting.load("key").await.unwrap().map(|record| record.version()) != Some(version) {
                waiting.changed("key", seen).await;
            }
        };
        assert!(timeout(PATIENCE, async { tokio::join!(read, write) }).await.is_ok(), "{version}");
        seen = Some(version);
    }
}

#[tokio::test]
async fn a_server_that_evicts_is_refused_and_named() {
    for policy in ["allkeys-lru", "volatile-ttl"] {
        let Some(server) = Redis::start(&["--maxmemory-policy", policy]).await else { return };
        let refused = RedisStore::connect(&server.url()).await.unwrap_err();
        assert!(matches!(&refused, RedisStoreError::Evicting { policy: found } if found == policy), "{refused:?}");
        for part in [policy, "maxmemory-policy", "CONFIG SET maxmemory-policy noeviction"] {
            assert!(refused.to_string().contains(part), "{refused}");
        }
        let client = Client::open(server.url()).unwrap();
        let lazy = RedisStoreBuilder::from_client(client.clone()).build();
        assert!(lazy.load("key").await.is_err());
        let allowed = RedisStoreBuilder::from_client(client.clone()).allow_eviction().connect().await.unwrap();
        assert!(allowed.load("key").await.unwrap().is_none());

        // The command that the error names is the remedy, also for a store that was refused.
        let mut connection = client.get_multiplexed_async_connection().await.unwrap();
        let set = ["SET", "maxmemory-policy", "noeviction"];
        redis::cmd("CONFIG").arg(&set).query_async::<()>(&mut connection).await.unwrap();
        assert!(RedisStore::connect(&server.url()).await.is_ok());
        let mended = async {
            while lazy.load("key").await.is_err() {
                tokio::task::yield_now().await;
            }
        };
        assert!(timeout(PATIENCE, mended).await.is_ok());
    }
}

#[tokio::test]
async fn a_server_that_tells_neither_its_policy_nor_its_id_is_used() {
    let Some(server) = Redis::start(&["--rename-command", "INFO", ""]).await else { return };
    let store = RedisStore::connect(&server.url()).await.unwrap();
    assert!(store.load("key").await.unwrap().is_none());
    assert!(store.replace("key", None, &NewRecord::new(Version::next(None), b"value")).await.unwrap().is_written());
    assert!(!store.load("key").await.unwrap().unwrap().is_of_former_server());
}

#[tokio::test]
async fn the_value_is_in_the_record_and_nowhere_else() {
    let Some(server) = Redis::start(&["--requirepass", "hunter2"]).await else { return };
    let url = format!("redis://:hunter2@127.0.0.1:{}/", server.port());
    let client = Client::open(url.as_str()).unwrap();
    let mut seen = client.get_async_monitor().await.unwrap().into_on_message::<String>();
    let store = RedisStore::connect(&url).await.unwrap();
    let written = store.replace("portal/user-7", None, &NewRecord::new(Version::next(None), b"s3cret")).await.unwrap();
    assert!(written.is_written());
    let record = store.load("portal/user-7").await.unwrap();
    timeout(Duration::from_millis(20), store.changed("portal/user-7", None)).await.unwrap_or_default();
    let refused = store.replace("portal/user-7", None, &NewRecord::new(Version::next(None), b"other")).await.unwrap();
    assert!(matches!(refused, Written::Refused(Some(_))));

    let mut connection = client.get_multiplexed_async_connection().await.unwrap();
    redis::cmd("ECHO").arg("the-end").query_async::<()>(&mut connection).await.unwrap();
    let mut lines = Vec::new();
    while !lines.last().is_some_and(|line: &String| line.contains("the-end")) {
        lines.push(timeout(PATIENCE, seen.next()).await.unwrap().unwrap());
    }
    let commands: String = lines.iter().filter(|line| line.contains("s3cret")).cloned().collect();
    assert!(commands.matches("s3cret").count() >= 1, "the value is written in clear: {lines:?}");
    for line in lines.iter().filter(|line| line.contains("s3cret")) {
        let is_write = ["EVALSHA", "HSET"].iter().any(|name| line.contains(name));
        assert!(is_write && line.matches("s3cret").count() == 1, "{line}");
    }
    let shown = format!("{record:?}{store:?}{refused:?}");
    assert!(!shown.contains("hunter2") && !shown.contains("s3cret") && !lines.concat().contains("hunter2"), "{shown}");

    let wrong = format!("redis://:hunter3@127.0.0.1:{}/", server.port());
    let refused = RedisStore::connect(&wrong).await.unwrap_err();
    assert!(!format!("{refused} {refused:?}").contains("hunter"), "{refused}");
    let invalid = RedisStore::connect("redis://:hunter2@127.0.0.1:port/").await.unwrap_err();
    assert!(!format!("{invalid} {invalid:?}").contains("hunter"), "{invalid}");
}

#[tokio::test]
async fn an_error_of_the_server_does_not_quote_the_value() {
    let Some(server) = Redis::start(&["--rename-command", "EVALSHA", ""]).await else { return };
    let store = RedisStore::connect(&server.url()).await.unwrap();
    let version = Version::next(None);
    let error = store.replace("key", None, &NewRecord::new(version, b"s3cret")).await.unwrap_err();
    assert_eq!(error.to_string(), "the server answered with the error ERR");
    assert!(error.source().is_none() && !format!("{error:?}").contains("s3cret"), "{error:?}");

    // The server quotes it.
    let mut connection = Client::open(server.url()).unwrap().get_multiplexed_async_connection().await.unwrap();
    let quoted = redis::cmd("EVALSHA").arg("s3cret").query_async::<()>(&mut connection).await.unwrap_err();
    assert!(quoted.to_string().contains("s3cret"), "{quoted}");
}

#[tokio::test]
async fn a_key_that_holds_something_else_is_an_error() {
    let Some(server) = Redis::start(&[]).await else { return };
    let store = RedisStore::connect(&server.url()).await.unwrap();
    let mut connection = Client::open(server.url()).unwrap().get_multiplexed_async_connection().await.unwrap();
    redis::cmd("SET").arg(&["redress:{text}", "1"]).query_async::<()>(&mut connection).await.unwrap();
    redis::cmd("HSET").arg(&["redress:{hash}", "value", "1"]).query_async::<()>(&mut connection).await.unwrap();
    for key in ["text", "hash"] {
        let error = store.load(key).await.unwrap_err();
        assert_eq!(error.downcast_ref(), Some(&RedisStoreError::NotARecord), "{key}: {error:?}");
        let write = store.replace(key, Some(Version::next(None)), &NewRecord::new(Version::next(None), b"2")).await;
        assert!(!matches!(write, Ok(Written::Done)), "{key}: {write:?}");
    }
}

#[tokio::test]
async fn a_record_is_removed_after_its_lifetime_and_a_very_long_one_is_kept() {
    let Some(server) = Redis::start(&[]).await else { return };
    let store = RedisStore::connect(&server.url()).await.unwrap();
    for (key, lifetime, expected) in
        [("day", Duration::from_secs(86_400), 86_399_000..=86_400_000), ("ever", Duration::MAX, -1..=-1)]
    {
        let record = NewRecord::new(Version::next(None), b"value").lifetime(lifetime);
        assert!(store.replace(key, None, &record).await.unwrap().is_written());
        let mut connection = Client::open(server.url()).unwrap().get_multiplexed_async_connection().await.unwrap();
        let name = format!("redress:{{{key}}}");
        let left: i64 = redis::cmd("PTTL").arg(name).query_async(&mut connection).await.unwrap();
        assert!(expected.contains(&left), "{key}: {left}");
    }
}

#[tokio::test]
async fn the_rights_of_the_readme_are_enough_and_those_to_publish_are_not_needed() {
    let Some(server) = Redis::start(&[]).await else { return };
    let mut connection = Client::open(server.url()).unwrap().get_multiplexed_async_connection().await.unwrap();
    let rights = rights_of_the_readme();
    for (name, without) in [("all", None), ("silent", Some("-publish")), ("deaf", Some("-subscribe"))] {
        let user: Vec<&str> = rights.iter().map(String::as_str).chain(without).collect();
        let acl =
            redis::cmd("ACL").arg(&["SETUSER", name, "on", ">pw"]).arg(&user).query_async::<()>(&mut connection).await;
        acl.unwrap();
        let client = Client::open(format!("redis://{name}:pw@127.0.0.1:{}/", server.port())).unwrap();
        let store =
            RedisStoreBuilder::from_client(client).poll_interval(Duration::from_millis(20)).connect().await.unwrap();
        let record = NewRecord::new(Version::next(None), b"value").lifetime(PATIENCE);
        let written = store.replace(name, None, &record).await;
        assert!(written.unwrap().is_written(), "{name}");
        assert!(store.load(name).await.unwrap().is_some(), "{name}");
        assert!(timeout(PATIENCE, store.changed(name, Some(record.version()))).await.is_ok(), "{name}");
    }
    let log: Vec<redis::Value> = redis::cmd("ACL").arg("LOG").query_async(&mut connection).await.unwrap();
    let refused = format!("{log:?}");
    assert!(refused.contains("publish") && refused.contains("subscribe"), "the rights matter: {refused}");
    assert!(!refused.contains("'all'") && !refused.contains("\"all\""), "{refused}");
}

#[tokio::test]
async fn keys_are_listed_below_the_prefix_alone_and_a_record_is_removed() {
    let Some(server) = Redis::start(&[]).await else { return };
    let client = || Client::open(server.url()).unwrap();
    let store = RedisStoreBuilder::from_client(client()).prefix("[a]*:").connect().await.unwrap();
    let other = RedisStoreBuilder::from_client(client()).prefix("a-b:").connect().await.unwrap();
    let keys: Vec<String> = (0..2_500).map(|nth| format!("portal/{{user}}-{nth:04}")).collect();
    for key in &keys {
        assert!(store.replace(key, None, &NewRecord::new(Version::next(None), b"value")).await.unwrap().is_written());
    }
    other.replace("foreign", None, &NewRecord::new(Version::next(None), b"value")).await.unwrap();
    assert_eq!(store.keys().await.unwrap(), keys);
    assert_eq!(other.keys().await.unwrap(), ["foreign"]);

    assert!(store.remove(&keys[0]).await.unwrap() && !store.remove(&keys[0]).await.unwrap());
    assert!(store.load(&keys[0]).await.unwrap().is_none());
    assert_eq!(store.keys().await.unwrap(), keys[1..]);
}

/// The rules of the user in the README, from the keys on.
fn rights_of_the_readme() -> Vec<String> {
    let readme = include_str!("../README.md");
    let (_, rules) = readme.split_once("ACL SETUSER redress on '>PASSWORD' ").expect("the README has the rules");
    let (rules, _) = rules.split_once('`').expect("the README has the rules");
    rules.split_whitespace().map(|rule| rule.trim_matches('\'').to_owned()).collect()
}
