//! `redress store` over TLS, on servers that take nothing else.

use std::sync::Arc;
use std::time::{Duration, Instant};

use rcgen::{CertifiedKey, generate_simple_self_signed};
use redress_store::{NewRecord, Store, Version};
use redress_store_postgres::PostgresStore;
use redress_test_servers::{Folder, Postgres, Redis, free_port};
use rustls::crypto::ring::default_provider;
use rustls::pki_types::{CertificateDer, pem::PemObject};
use rustls::{ClientConfig, RootCertStore};
use tokio_postgres_rustls::MakeRustlsConnect;

use crate::run;

const PASSWORD: &str = "hunter2";
/// Longer than anything here takes.
const PATIENCE: Duration = Duration::from_secs(60);

fn rt() -> tokio::runtime::Runtime {
    tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap()
}

/// The certificate and the key of a server at `localhost`, in PEM.
fn identity() -> (String, String) {
    let CertifiedKey { cert, signing_key } = generate_simple_self_signed(["localhost".to_owned()]).unwrap();
    (cert.pem(), signing_key.serialize_pem())
}

/// Asserts that a URL is refused, without its password.
fn assert_refused(arguments: &[&str], reason: &str) {
    let said = run(&[&["store", "show"], arguments].concat(), "").failed();
    assert!(said.contains(reason) && !said.contains(PASSWORD), "{said}");
}

/// Writes a record over a connection of the test.
async fn write(url: &str, certificate: &str) {
    let mut roots = RootCertStore::empty();
    roots.add(CertificateDer::from_pem_slice(certificate.as_bytes()).unwrap()).unwrap();
    let builder = ClientConfig::builder_with_provider(Arc::new(default_provider()));
    let builder = builder.with_safe_default_protocol_versions().unwrap();
    let tls = MakeRustlsConnect::new(builder.with_root_certificates(roots).with_no_client_auth());
    let began = Instant::now();
    let client = loop {
        match tokio_postgres::connect(url, tls.clone()).await {
            Ok((client, connection)) => break (Arc::new(client), tokio::spawn(connection)).0,
            // It accepts connections before it accepts users.
            Err(error) => assert!(began.elapsed() < PATIENCE, "{error:?}"),
        }
        tokio::time::sleep(Duration::from_millis(10)).await;
    };
    let over = Arc::clone(&client);
    let store = PostgresStore::new(move |query| {
        let client = Arc::clone(&over);
        async move { query.run(&client).await }
    });
    client.batch_execute(&store.schema()).await.unwrap();
    let written = store.replace("portal/main/token", None, &NewRecord::new(Version::next(None), b"value")).await;
    assert!(written.unwrap().is_written());
}

#[test]
fn the_records_in_postgres_are_shown_and_removed_over_tls() {
    let (runtime, folder, (certificate, key)) = (rt(), Folder::new(), identity());
    let Some(server) = runtime.block_on(Postgres::start_over_tls(&certificate, &key)) else { return };
    let authority = folder.write("authority.pem", &certificate).display().to_string();
    let stranger = folder.write("stranger.pem", &identity().0).display().to_string();
    let plain = format!("postgres://postgres:{PASSWORD}@localhost:{}/postgres", server.port());
    let url = format!("{plain}?sslmode=require");
    runtime.block_on(write(&url, &certificate));
    for url in [&url, &plain] {
        let shown = run(&["store", "show", url, "--ca", &authority], "").quiet();
        assert!(shown.starts_with("portal/main/token\n"), "{shown}");
    }
    assert_refused(&[&url, "--ca", &stranger], "invalid peer certificate");
    assert_refused(&[&url], "invalid peer certificate");
    assert_refused(&[&plain], "28000");
    assert_refused(&[&url, "--ca", "/nowhere.pem"], "cannot read /nowhere.pem");
    let removed = run(&["store", "clear", &url, "portal/main/token", "--ca", &authority], "").quiet();
    assert_eq!(removed, "portal/main/token: removed\n");
}

#[test]
fn the_records_in_redis_are_shown_over_tls() {
    let (runtime, folder, (certificate, key)) = (rt(), Folder::new(), identity());
    let authority = folder.write("server.crt", &certificate).display().to_string();
    let (key, port) = (folder.write("server.key", &key).display().to_string(), free_port());
    let tls = ["--port", "0", "--tls-port", &port.to_string(), "--tls-auth-clients", "no", "--requirepass", PASSWORD]
        .map(str::to_owned);
    let files = ["--tls-cert-file", &authority, "--tls-key-file", &key, "--tls-ca-cert-file", &authority];
    let arguments: Vec<&str> = tls.iter().map(String::as_str).chain(files).collect();
    let Some(server) = runtime.block_on(Redis::start_on(port, &arguments)) else { return };
    let url = format!("rediss://:{PASSWORD}@localhost:{}/", server.port());
    assert_eq!(run(&["store", "show", &url, "--ca", &authority], "").quiet(), "");
    assert_refused(&[&url], "certificate");
    assert_refused(&[&url.replace("rediss:", "redis:"), "--ca", &authority], "rediss://");
}

#[test]
fn an_authority_that_is_none_is_refused() {
    let (home, url) = (Folder::new(), "postgres://postgres@localhost:1/postgres");
    let empty = home.write("empty.pem", "").display().to_string();
    assert_refused(&[url, "--ca", &empty], "there is no certificate in it");
    assert_refused(&[&home.path().display().to_string(), "--ca", &empty], "`--ca` needs the URL of a server");
}
