//! The store on real servers, which each test starts.
#![cfg(unix)]

use std::sync::Arc;
use std::time::Duration;

use redress_store::{BoxError, Entry, NewRecord, Record, Store, StoreHandle, Version, Written, conformance};
use redress_store_postgres::{PostgresStore, PostgresStoreError};
use redress_test_servers::{PgBouncer, Postgres, Proxy};
use tokio::sync::Mutex;
use tokio::time::{Instant, timeout};
use tokio_postgres::{Client, Config, NoTls};

/// Longer than anything here takes.
const PATIENCE: Duration = Duration::from_secs(30);

async fn connect(port: u16) -> Result<Client, tokio_postgres::Error> {
    let (client, connection) =
        tokio_postgres::connect(&format!("host=127.0.0.1 port={port} user=postgres dbname=postgres"), NoTls).await?;
    tokio::spawn(connection);
    Ok(client)
}

/// A pool of one connection, which is opened again after a loss.
fn over(port: u16) -> PostgresStore {
    let pool: Arc<Mutex<Option<Arc<Client>>>> = Arc::default();
    PostgresStore::new(move |query| {
        let pool = Arc::clone(&pool);
        async move {
            let client = {
                let mut pool = pool.lock().await;
                match pool.take().filter(|client| !client.is_closed()) {
                    Some(client) => Arc::clone(pool.insert(client)),
                    None => Arc::clone(pool.insert(Arc::new(connect(port).await?))),
                }
            };
            Ok::<_, BoxError>(query.run(&client).await?)
        }
    })
}

/// Starts a server with the table.
async fn server() -> Option<Postgres> {
    let server = Postgres::start().await?;
    let client = timeout(PATIENCE, async {
        loop {
            match connect(server.port()).await {
                Ok(client) => return client,
                // It accepts connections before it accepts users.
                Err(_) => tokio::time::sleep(Duration::from_millis(10)).await,
            }
        }
    });
    let client = client.await.expect("the server starts");
    client.batch_execute(&over(server.port()).schema()).await.expect("the schema is valid");
    Some(server)
}

async fn write(store: &PostgresStore, key: &str, seen: Option<Version>) -> Version {
    let version = Version::next(seen);
    let written = store.replace(key, seen, &NewRecord::new(version, b"value")).await;
    assert!(written.expect("the server answers").is_written());
    version
}

/// Repeats a check until it holds.
async fn eventually(rule: &str, mut check: impl AsyncFnMut() -> bool) {
    let holds = async {
        while !check().await {
            tokio::time::sleep(Duration::from_millis(20)).await;
        }
    };
    assert!(timeout(PATIENCE, holds).await.is_ok(), "{rule}");
}

#[tokio::test]
async fn the_store_keeps_the_rules_on_one_thread() {
    let Some(server) = server().await else { return };
    conformance::check(over(server.port())).await;
    conformance::check(over(server.port()).without_timeline()).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn the_store_keeps_the_rules_over_several_connections() {
    let Some(server) = server().await else { return };
    let port = server.port();
    conformance::check(PostgresStore::new(move |query| async move {
        let client = connect(port).await?;
        query.run(&client).await
    }))
    .await;
}

#[tokio::test]
async fn the_store_keeps_the_rules_through_pgbouncer_in_transaction_mode() {
    let Some(server) = server().await else { return };
    let Some(bouncer) = PgBouncer::start(&server).await else { return };
    let port = bouncer.port();
    // Each query comes from another client, and all share one connection to the server.
    conformance::check(PostgresStore::new(move |query| async move {
        let client = connect(port).await?;
        query.run(&client).await
    }))
    .await;
    conformance::check(over(port)).await;
}

/// A store that listens over a direct connection, and would else wait for an hour.
fn listening(pool: u16, server: u16) -> PostgresStore {
    let server: Config =
        format!("host=127.0.0.1 port={server} user=postgres dbname=postgres").parse().expect("it is a configuration");
    over(pool).listen(server, NoTls).poll_interval(Duration::from_secs(3600))
}

/// Waits until the record has another version.
async fn notices(store: &PostgresStore, seen: Option<Version>) -> bool {
    let noticed = async {
        while store.load("key").await.is_ok_and(|record| record.map(|record| record.version()) == seen) {
            store.changed("key", seen).await;
        }
    };
    timeout(PATIENCE, noticed).await.is_ok()
}

#[tokio::test]
async fn a_change_by_another_process_is_reported_at_once_also_through_pgbouncer() {
    let Some(server) = server().await else { return };
    let Some(bouncer) = PgBouncer::start(&server).await else { return };
    let waiting = listening(server.port(), server.port());
    let writing = listening(bouncer.port(), server.port());
    let mut seen = None;
    for _ in 0..20 {
        let write = async {
            // The other one waits by now.
            tokio::time::sleep(Duration::from_millis(30)).await;
            write(&writing, "key", seen).await
        };
        let (is_noticed, version) = tokio::join!(notices(&waiting, seen), write);
        assert!(is_noticed, "{version}");
        seen = Some(version);
    }
}

#[tokio::test]
async fn a_listener_that_is_cut_listens_again() {
    let Some(server) = server().await else { return };
    let (waiting, admin) = (listening(server.port(), server.port()), connect(server.port()).await.unwrap());
    let writing = over(server.port());
    let listeners = "SELECT pid FROM pg_stat_activity WHERE query LIKE 'LISTEN%'";
    let mut seen = write(&writing, "key", None).await;
    for round in 0..3 {
        eventually("it listens", async || {
            let _ = timeout(Duration::from_millis(1), waiting.changed("key", Some(seen))).await;
            admin.query(listeners, &[]).await.unwrap().len() == 1
        })
        .await;
        let cut = format!("SELECT pg_terminate_backend(pid) FROM ({listeners}) AS listeners");
        assert_eq!(admin.query(&cut, &[]).await.unwrap().len(), 1);
        // This process sends no notification: only the new connection tells of a change.
        seen = {
            let next = write(&writing, "key", Some(seen)).await;
            assert!(notices(&waiting, Some(seen)).await, "{round}");
            next
        };
    }
    drop(waiting);
    eventually("its connection is closed", async || admin.query(listeners, &[]).await.unwrap().is_empty()).await;
}

#[tokio::test]
async fn the_store_keeps_the_rules_while_it_listens() {
    let Some(server) = server().await else { return };
    conformance::check(listening(server.port(), server.port()).poll_interval(Duration::from_millis(250))).await;
}

#[tokio::test]
async fn of_writers_that_wait_for_each_other_one_succeeds_and_the_others_get_its_record() {
    let Some(server) = server().await else { return };
    let port = server.port();
    let store = Arc::new(PostgresStore::new(move |query| async move {
        let client = connect(port).await?;
        query.run(&client).await
    }));
    let mut seen = None;
    for _ in 0..10 {
        // The row is locked until all writers wait for it.
        let mut client = connect(port).await.unwrap();
        let lock = client.transaction().await.unwrap();
        lock.batch_execute("LOCK TABLE redress_records IN SHARE MODE").await.unwrap();
        let writers: Vec<_> = (0..6)
            .map(|_| {
                let (store, version) = (Arc::clone(&store), Version::next(seen));
                tokio::spawn(async move {
                    (version, store.replace("key", seen, &NewRecord::new(version, b"value")).await.unwrap())
                })
            })
            .collect();
        tokio::time::sleep(Duration::from_millis(100)).await;
        lock.commit().await.unwrap();
        let (mut written, mut refused) = (Vec::new(), Vec::new());
        for writer in writers {
            match writer.await.unwrap() {
                (version, Written::Done) => written.push(version),
                (_, Written::Refused(record)) => refused.push(record.unwrap().version()),
            }
        }
        assert!(written.len() == 1 && refused.iter().all(|version| *version == written[0]), "{written:?} {refused:?}");
        seen = Some(written[0]);
    }
}

#[tokio::test]
async fn a_write_whose_answer_is_lost_is_recognized() {
    let Some(server) = server().await else { return };
    let proxy = Proxy::start(server.port()).await;
    let store = over(proxy.port());
    let first = write(&store, "key", None).await;
    // The task that removes ended records has had its answer.
    tokio::time::sleep(Duration::from_millis(200)).await;
    proxy.drop_answer();
    let lost = store.replace("key", Some(first), &NewRecord::new(Version::next(Some(first)), b"second")).await;
    assert!(matches!(lost.unwrap_err().downcast_ref(), Some(PostgresStoreError::Connection(_))));
    let second = store.load("key").await.unwrap().unwrap().version();
    assert_eq!(second.number(), 2);

    let entry = Entry::new(StoreHandle::new(store), "key");
    proxy.drop_answer();
    assert!(entry.replace(Some(second), b"third", None).await.unwrap().is_written());
    let record = entry.load().await.unwrap().unwrap();
    assert_eq!((record.value(), record.version().number()), (b"third".as_slice(), 3));
}

#[tokio::test]
async fn a_server_that_hangs_is_an_error_after_2_s_and_used_again_later() {
    let Some(server) = server().await else { return };
    let proxy = Proxy::start(server.port()).await;
    let store = over(proxy.port());
    let version = write(&store, "key", None).await;
    proxy.hold_answers();
    tokio::time::pause();
    let began = Instant::now();
    let error = store.load("key").await.unwrap_err();
    assert!(matches!(error.downcast_ref(), Some(PostgresStoreError::Timeout)), "{error:?}");
    // The clock was paused within a millisecond, the timer's own step.
    assert!((1999..=2001).contains(&began.elapsed().as_millis()), "{:?}", began.elapsed());
    tokio::time::resume();
    proxy.pass();
    eventually("it is used again", async || {
        store.load("key").await.is_ok_and(|record| record.is_some_and(|record| record.version() == version))
    })
    .await;
}

#[tokio::test]
async fn a_server_that_crashed_and_was_started_again_is_used_and_has_its_records() {
    let Some(mut server) = server().await else { return };
    let store = over(server.port());
    let version = write(&store, "key", None).await;
    server.stop();
    assert!(store.load("key").await.is_err() && store.load("key").await.is_err());
    server.start_again().await;
    eventually("it is used again", async || store.load("key").await.is_ok()).await;
    assert_eq!(store.load("key").await.unwrap().map(|record| record.version()), Some(version));
}

#[tokio::test]
async fn a_promoted_standby_that_lagged_shows_a_lower_number() {
    let Some(primary) = server().await else { return };
    let link = Proxy::start(primary.port()).await;
    let store = over(primary.port());
    let first = write(&store, "key", None).await;
    let Some(standby) = Postgres::standby_of(link.port()).await else { return };
    let lagging = over(standby.port());
    let read = async || lagging.load("key").await.ok().flatten().map(|record| record.version());
    eventually("the standby has the record", async || read().await == Some(first)).await;
    let next = NewRecord::new(Version::next(Some(first)), b"next");
    let refused = lagging.replace("key", Some(first), &next).await.unwrap_err();
    assert_eq!(refused.to_string(), "the server answered with the error 25006");

    link.hold_answers();
    let last = write(&store, "key", Some(write(&store, "key", Some(first)).await)).await;
    drop(primary);
    link.refuse();
    connect(standby.port()).await.unwrap().query("SELECT pg_promote()", &[]).await.unwrap();
    let found = read().await.unwrap();
    assert_eq!((found, found.number(), last.number()), (first, 1, 3));
    let next = NewRecord::new(Version::next(Some(last)), b"next");
    let refused = lagging.replace("key", Some(last), &next).await.unwrap();
    let is_marked = |record: &Record| record.version() == first && record.is_of_former_server();
    assert!(matches!(refused, Written::Refused(Some(record)) if is_marked(&record)), "another timeline wrote it");
    let second = write(&lagging, "key", Some(first)).await;
    assert!(lagging.load("key").await.unwrap().unwrap().is_of_former_server(), "this write did not know of it");
    let third = NewRecord::new(Version::next(Some(second)), b"value");
    let refused = lagging.replace("key", Some(second), &third.seen_marked(false)).await.unwrap();
    assert!(matches!(refused, Written::Refused(Some(record)) if record.is_of_former_server()));
    let third = third.seen_marked(true);
    assert!(lagging.replace("key", Some(second), &third).await.unwrap().is_written());
    assert!(!lagging.load("key").await.unwrap().unwrap().is_of_former_server());
}

#[tokio::test]
async fn a_record_whose_lifetime_has_passed_is_gone_and_its_row_is_removed_later() {
    let Some(server) = server().await else { return };
    let (store, client) = (over(server.port()), connect(server.port()).await.unwrap());
    let count = async || -> i64 { client.query_one("SELECT count(*) FROM redress_records", &[]).await.unwrap().get(0) };
    let short = |version| NewRecord::new(version, b"short").lifetime(Duration::from_micros(1));
    let old = Version::next(None);
    for key in ["one", "two"] {
        assert!(store.replace(key, None, &short(old)).await.unwrap().is_written());
        assert!(store.load(key).await.unwrap().is_none());
    }
    // It is replaced as if there were none, and only so.
    let refused = store.replace("one", Some(old), &NewRecord::new(Version::next(Some(old)), b"next")).await.unwrap();
    assert!(matches!(refused, Written::Refused(None)), "{refused:?}");
    write(&store, "one", None).await;
    assert!(store.load("one").await.unwrap().is_some());

    // Another process removes it with its first write. Its next removal is a minute later.
    let other = over(server.port());
    write(&other, "three", None).await;
    eventually("the row is removed", async || count().await == 2).await;
    assert!(other.replace("four", None, &short(Version::next(None))).await.unwrap().is_written());
    write(&other, "five", None).await;
    tokio::time::sleep(Duration::from_millis(200)).await;
    assert_eq!(count().await, 4);
}

#[tokio::test]
async fn keys_are_listed_and_records_are_removed() {
    let Some(server) = server().await else { return };
    let store = over(server.port());
    for key in ["b/2", "a-1", "b"] {
        write(&store, key, None).await;
    }
    for nth in 0..1_200 {
        let short = NewRecord::new(Version::next(None), b"short").lifetime(Duration::from_micros(1));
        store.replace(&format!("short-{nth}"), None, &short).await.unwrap();
    }
    assert_eq!(store.keys().await.unwrap(), ["a-1", "b", "b/2"]);
    assert!(store.remove("b").await.unwrap() && !store.remove("b").await.unwrap());
    assert_eq!(store.keys().await.unwrap(), ["a-1", "b/2"]);
    // The first write removed the few that had ended by then.
    assert!(store.remove_ended().await.unwrap() > 1_000, "more than one statement removes");
    assert_eq!(store.remove_ended().await.unwrap(), 0);
    assert_eq!(store.keys().await.unwrap(), ["a-1", "b/2"]);
}

#[tokio::test]
async fn a_table_that_does_not_exist_is_named_and_another_name_works() {
    let Some(server) = server().await else { return };
    let store = over(server.port()).table("app.other \"records\"");
    let error = store.load("key").await.unwrap_err();
    assert!(error.to_string().contains("42P01: the table does not exist, see PostgresStore::schema"), "{error}");
    let client = connect(server.port()).await.unwrap();
    client.batch_execute("CREATE SCHEMA app").await.unwrap();
    for _ in 0..2 {
        client.batch_execute(&store.schema()).await.unwrap();
    }
    write(&store, "key", None).await;
    assert!(store.load("key").await.unwrap().is_some());
    assert!(over(server.port()).load("key").await.unwrap().is_none());
}

#[tokio::test]
async fn no_error_and_no_debug_text_shows_the_value_or_a_password() {
    let Some(server) = server().await else { return };
    let client = connect(server.port()).await.unwrap();
    client.batch_execute("ALTER TABLE redress_records ADD CHECK (value <> 's3cret')").await.unwrap();
    let store = over(server.port());
    let record = NewRecord::new(Version::next(None), b"s3cret");
    let error = store.replace("key", None, &record).await.unwrap_err();
    assert_eq!(error.to_string(), "the server answered with the error 23514");
    let shown = format!("{error:?}{store:?}{:?}", error.source().map(ToString::to_string));
    assert!(!shown.contains("s3cret") && !shown.contains("733363726574"), "{shown}");

    // The server quotes the row.
    let insert = "INSERT INTO redress_records VALUES ('key', 'version', 's3cret', now())";
    let quoted = client.batch_execute(insert).await.unwrap_err();
    assert!(format!("{quoted:?}").contains("733363726574"), "{quoted:?}");
}
