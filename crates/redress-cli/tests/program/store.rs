//! `redress store`, on the records that the layers write.

use std::num::NonZeroU32;
use std::path::Path;
use std::time::{Duration, Instant};

use http::{Request, Response};
use redress::{Credentials, Failure, Limit, RedressLayer, TokenSet, dialects};
use redress_store::{Entry, NewRecord, Store, StoreHandle, Version, stable_hash};
use redress_store_file::FileStore;
use tower::{Layer, ServiceExt, service_fn};

use crate::{program, run};

const KEY: &str = "portal/main";
/// Longer than anything here takes.
const PATIENCE: Duration = Duration::from_secs(60);

/// Credentials that only a login of a person renews.
struct Portal;

impl Credentials for Portal {
    async fn login(&self) -> Result<TokenSet, Failure> {
        Ok(TokenSet::bearer("s3cret-access").unwrap().refresh_token("s3cret-refresh").expires_in(PATIENCE))
    }
}

fn rt() -> tokio::runtime::Runtime {
    tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap()
}

/// Writes records of all four kinds as a process with a stack does.
async fn call_with_a_stack(store: impl Store + Clone) {
    let forty = NonZeroU32::new(40).unwrap();
    let limit = Limit::all_routes(forty, Duration::from_secs(60));
    let layer = RedressLayer::new(dialects::generic())
        .credentials(Portal, "https://api.example".parse().unwrap())
        .share(store.clone(), KEY)
        // The hint of the server ends later, so that the call fails at once.
        .deadline(Duration::from_secs(20))
        .pace(|pace| pace.limit(limit));
    let server = service_fn(|request: Request<String>| async move {
        let status = if request.uri().path() == "/limited" { 429 } else { 200 };
        Response::builder().status(status).header("retry-after", "50").body(String::new())
    });
    let stack = layer.layer(server);
    let call = |path: &str| Request::get(format!("https://api.example{path}")).body(String::new()).unwrap();
    stack.clone().oneshot(call("/")).await.unwrap();
    let _ = stack.clone().oneshot(call("/limited")).await;
    let entry = Entry::new(StoreHandle::new(store), KEY);
    let began = Instant::now();
    let limit = format!("limit/40-60000-{:016x}/api.example:443", stable_hash(""));
    for kind in ["token", "cooldown/api.example:443", &limit, "budget/api.example:443"] {
        while entry.child(kind).load().await.unwrap().is_none() {
            assert!(began.elapsed() < PATIENCE, "{kind} is not written");
            tokio::time::sleep(Duration::from_millis(5)).await;
        }
    }
}

/// A directory with the records of a stack.
fn directory() -> tempfile::TempDir {
    let home = tempfile::tempdir().unwrap();
    let store = FileStore::open(home.path().join("store")).unwrap();
    rt().block_on(call_with_a_stack(store));
    home
}

fn path(home: &tempfile::TempDir) -> String {
    home.path().join("store").to_str().unwrap().to_owned()
}

/// Asserts that a text shows all four kinds and nothing of a credential.
fn assert_shows_all(text: &str) {
    for fact in [
        "portal/main/token\n  kind           token\n  version        ",
        "\n  headers        authorization\n  refresh token  yes, not shown\n  lease          none\n",
        "expires in ",
        "kind           cool-downs",
        "left after rate_limited: all",
        "kind           limit",
        "permits held",
        "kind           budget",
        "tokens, settlement ",
    ] {
        assert!(text.contains(fact), "{fact}\n{text}");
    }
    assert!(!text.contains("s3cret") && !text.contains("unknown"), "{text}");
}

#[test]
fn each_kind_of_record_is_shown_as_the_layers_write_it_and_no_credential() {
    let home = directory();
    let out = run(&["store", "show", &path(&home)], "").quiet();
    assert_shows_all(&out);
    // From standard input, and one kind alone.
    let below = run(&["store", "show", "-", "portal/main/cooldown"], path(&home)).quiet();
    assert!(below.starts_with("portal/main/cooldown/api.example:443\n") && !below.contains("token"), "{below}");
    assert_eq!(run(&["store", "show", &path(&home), "portal/mai"], "").quiet(), "");
}

#[test]
fn the_json_has_numbers_for_each_kind_and_no_credential() {
    let home = directory();
    let out = run(&["store", "show", "--json", &path(&home)], "").quiet();
    assert!(!out.contains("s3cret"), "{out}");
    let records: Vec<serde_json::Value> = out.lines().map(|line| serde_json::from_str(line).unwrap()).collect();
    let of =
        |kind: &str| records.iter().find(|record| record["kind"] == kind).unwrap_or_else(|| panic!("{kind}: {out}"));
    let token = of("token");
    assert_eq!((&token["key"], &token["has_refresh_token"]), (&"portal/main/token".into(), &true.into()));
    assert_eq!(token["headers"], serde_json::json!(["authorization"]));
    assert!(token["expires_in_ms"].as_u64().unwrap() <= 60_000, "{token}");
    assert!(token["version"].as_str().unwrap().parse::<Version>().is_ok() && token["age_ms"].is_u64(), "{token}");
    let left = of("cooldowns")["cooldowns"][0]["left_ms"].as_u64().unwrap();
    assert!((1..=50_000).contains(&left), "{left}");
    assert!(of("limit")["leases"][0]["permits"].is_u64() && of("budget")["leases"][0]["tokens"].is_u64(), "{out}");
}

#[test]
fn other_values_are_named_and_not_shown() {
    let home = tempfile::tempdir().unwrap();
    let store = FileStore::open(home.path().join("store")).unwrap();
    let write = async |key: &str, value: &[u8]| {
        store.replace(key, None, &NewRecord::new(Version::next(None), value)).await.unwrap();
    };
    rt().block_on(async {
        write("a", b"rdx1 s3cret").await;
        write("b", b"redress-limit 2\ns3cret").await;
        write("c\x1b[2J", b"s3cret").await;
        write("d", br#"{"v":3,"generation":7,"access":[["x","s3cret"]],"refresh":"s3cret"}"#).await;
        write("e", b"redress-limit 1\n5 0\ns3cret").await;
    });
    let out = run(&["store", "show", &path(&home)], "").quiet();
    let kinds: Vec<&str> = out.lines().filter_map(|line| line.trim().strip_prefix("kind           ")).collect();
    let later = "of a later version of redress";
    assert_eq!(kinds, ["encrypted: not shown", later, "unknown", later, "unknown"], "{out}");
    assert!(!out.contains("s3cret") && out.contains("c\\u{1b}[2J\n"), "{out}");
}

#[test]
fn a_record_is_removed_and_one_that_is_not_there_is_named() {
    let home = directory();
    let cooldown = "portal/main/cooldown/api.example:443";
    let out = run(&["store", "clear", &path(&home), cooldown], "").quiet();
    assert_eq!(out, format!("{cooldown}: removed\n"));
    let again = run(&["store", "clear", &path(&home), cooldown, "portal/main/token"], "");
    assert_eq!((again.code, again.err.as_str()), (Some(1), ""));
    assert_eq!(again.out, format!("{cooldown}: no such record\nportal/main/token: removed\n"));
    assert!(!run(&["store", "show", &path(&home)], "").quiet().contains(cooldown));
}

#[test]
fn records_whose_lifetime_has_passed_are_removed() {
    let home = tempfile::tempdir().unwrap();
    let store = FileStore::open(home.path().join("store")).unwrap();
    let files = || std::fs::read_dir(home.path().join("store")).unwrap();
    let records = || files().filter(|file| is_record(&file.as_ref().unwrap().path())).count();
    rt().block_on(async {
        let short = NewRecord::new(Version::next(None), b"").lifetime(Duration::from_millis(1));
        store.replace("short", None, &short).await.unwrap();
        store.replace("long", None, &NewRecord::new(Version::next(None), b"")).await.unwrap();
        tokio::time::sleep(Duration::from_millis(2)).await;
    });
    assert_eq!(records(), 2);
    assert_eq!(run(&["store", "clear", "--ended", &path(&home)], "").quiet(), "");
    assert_eq!(records(), 1);
}

fn is_record(path: &Path) -> bool {
    path.extension().is_some_and(|extension| extension == "record")
}

#[test]
fn a_store_that_cannot_be_read_is_named_without_its_password() {
    let home = tempfile::tempdir().unwrap();
    let missing = path(&home);
    assert_eq!(run(&["store", "show", &missing], "").failed(), format!("redress: there is no directory {missing}\n"));
    assert!(!Path::new(&missing).exists(), "it is not made");
    for url in [
        "mysql://user:s3cret@host/",
        "redis://user:s3cret@127.0.0.1:1/",
        "redis://user:s3cret@",
        "postgres://user:s3cret@127.0.0.1:1/db",
        "postgres://user:s3cret@[/db?port=s3cret",
    ] {
        let error = run(&["store", "show", url], "").failed();
        assert!(error.starts_with("redress: ") && !error.contains("s3cret"), "{url}: {error}");
    }
    assert!(!run(&["store", "clear", &missing], "").failed().is_empty(), "a key or --ended is needed");
    let mut command = program(&["store", "show", "-"]);
    assert!(crate::finish(&mut command, "mysql://s3cret\n").failed().contains("unknown store `mysql://`"));
}

#[cfg(feature = "redis")]
#[test]
fn the_records_in_redis_are_shown_and_removed() {
    use redress_store_redis::RedisStore;
    let runtime = rt();
    let Some(server) = runtime.block_on(redress_test_servers::Redis::start(&[])) else { return };
    runtime.block_on(async {
        call_with_a_stack(StoreHandle::new(RedisStore::connect(&server.url()).await.unwrap())).await;
    });
    assert_shows_all(&run(&["store", "show", &server.url()], "").quiet());
    assert_eq!(run(&["store", "show", "--prefix", "other:", &server.url()], "").quiet(), "");
    let out = run(&["store", "clear", &server.url(), "portal/main/token"], "").quiet();
    assert_eq!(out, "portal/main/token: removed\n");
    assert_eq!(run(&["store", "clear", &server.url(), "--ended"], "").quiet(), "");
}

#[cfg(all(unix, feature = "postgres"))]
#[test]
fn the_records_in_postgres_are_shown_and_removed() {
    use redress_store_postgres::PostgresStore;
    let runtime = rt();
    let Some(server) = runtime.block_on(redress_test_servers::Postgres::start()) else { return };
    let url = format!("postgres://postgres@127.0.0.1:{}/postgres", server.port());
    let began = Instant::now();
    runtime.block_on(async {
        let client = loop {
            match tokio_postgres::connect(&url, tokio_postgres::NoTls).await {
                Ok((client, connection)) => {
                    tokio::spawn(connection);
                    break std::sync::Arc::new(client);
                }
                // It accepts connections before it accepts users.
                Err(error) => assert!(began.elapsed() < PATIENCE, "{error}"),
            }
            tokio::time::sleep(Duration::from_millis(10)).await;
        };
        let over = std::sync::Arc::clone(&client);
        let store = PostgresStore::new(move |query| {
            let client = std::sync::Arc::clone(&over);
            async move { query.run(&client).await }
        });
        client.batch_execute(&store.schema()).await.unwrap();
        call_with_a_stack(StoreHandle::new(store)).await;
    });
    assert_shows_all(&run(&["store", "show", &url], "").quiet());
    let missing = run(&["store", "show", "--table", "other", &url], "").failed();
    assert!(missing.contains("42P01"), "{missing}");
    let out = run(&["store", "clear", &url, "portal/main/token"], "").quiet();
    assert_eq!(out, "portal/main/token: removed\n");
    assert_eq!(run(&["store", "clear", &url, "--ended"], "").quiet(), "");
}

#[cfg(not(feature = "tls"))]
#[test]
fn a_program_without_tls_says_so() {
    for arguments in [&["rediss://:hunter2@localhost:1/"][..], &["postgres://localhost/db", "--ca", "a.pem"]] {
        let said = run(&[&["store", "show"], arguments].concat(), "").failed();
        assert!(said.contains("built without its feature `tls`") && !said.contains("hunter2"), "{said}");
    }
}
