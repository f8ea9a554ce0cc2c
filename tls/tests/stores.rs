//! The stores over TLS, on servers that take nothing else. Without the programs of the servers the tests are skipped and say so.

use std::sync::Arc;
use std::time::Duration;

use rcgen::{CertifiedKey, generate_simple_self_signed};
use redis::{Client, TlsCertificates};
use redress_store::{BoxError, NewRecord, Store, Version, conformance};
use redress_store_postgres::PostgresStore;
use redress_store_redis::{RedisStore, RedisStoreBuilder, RedisStoreError};
use redress_test_servers::{Folder, Postgres, Redis, free_port};
use rustls::crypto::ring::default_provider;
use rustls::{ClientConfig, RootCertStore};
use tokio::time::{Instant, timeout};
use tokio_postgres::{Config, NoTls};
use tokio_postgres_rustls::MakeRustlsConnect;

const PASSWORD: &str = "hunter2";
/// A poll interval that no test waits for.
const NEVER: Duration = Duration::from_secs(3600);
/// Longer than anything here takes.
const PATIENCE: Duration = Duration::from_secs(30);

/// The certificate and the key of a server at `localhost`, in PEM.
fn identity() -> (String, String) {
    let CertifiedKey { cert, signing_key } = generate_simple_self_signed(["localhost".to_owned()]).unwrap();
    (cert.pem(), signing_key.serialize_pem())
}

/// Fails unless a change by one store is noticed by the other, which does not poll.
async fn assert_noticed(waiting: &impl Store, writing: &impl Store) {
    let mut seen = None;
    for _ in 0..5 {
        let version = Version::next(seen);
        let write = async {
            let written = writing.replace("noticed", seen, &NewRecord::new(version, b"value")).await;
            assert!(written.unwrap().is_written());
        };
        let read = async {
            while waiting.load("noticed").await.unwrap().map(|record| record.version()) != Some(version) {
                waiting.changed("noticed", seen).await;
            }
        };
        assert!(timeout(PATIENCE, async { tokio::join!(read, write) }).await.is_ok());
        seen = Some(version);
    }
}

/// A Redis server without a port for plain connections.
async fn redis_server(folder: &Folder, (certificate, key): (&str, &str)) -> Option<Redis> {
    let certificate = folder.write("server.crt", certificate).display().to_string();
    let (key, port) = (folder.write("server.key", key).display().to_string(), free_port());
    let tls = ["--port", "0", "--tls-port", &port.to_string(), "--tls-auth-clients", "no", "--requirepass", PASSWORD]
        .map(str::to_owned);
    let files = ["--tls-cert-file", &certificate, "--tls-key-file", &key, "--tls-ca-cert-file", &certificate];
    let arguments: Vec<&str> = tls.iter().map(String::as_str).chain(files).collect();
    Redis::start_on(port, &arguments).await
}

#[tokio::test]
async fn redis_keeps_the_rules_over_tls_and_notices_changes() {
    let (folder, (certificate, key)) = (Folder::new(), identity());
    let Some(server) = redis_server(&folder, (&certificate, &key)).await else { return };
    let url = format!("rediss://:{PASSWORD}@localhost:{}/", server.port());
    let trusted = TlsCertificates { client_tls: None, root_cert: Some(certificate.into_bytes()) };
    let client = Client::build_with_tls(url, trusted).unwrap();
    conformance::check(connected(|| RedisStoreBuilder::from_client(client.clone())).await).await;
    let store = || RedisStoreBuilder::from_client(client.clone()).poll_interval(NEVER);
    assert_noticed(&connected(store).await, &connected(store).await).await;
}

/// A store that is connected, also on a machine that is too slow for a handshake in 1 s.
async fn connected(store: impl Fn() -> RedisStoreBuilder) -> RedisStore {
    let connected = async {
        loop {
            match store().connect().await {
                Err(RedisStoreError::Timeout) => {}
                connected => break connected,
            }
        }
    };
    timeout(PATIENCE, connected).await.expect("the server runs").unwrap()
}

#[tokio::test]
async fn a_redis_server_of_another_certificate_is_refused_without_a_secret() {
    let (folder, (certificate, key), (stranger, _)) = (Folder::new(), identity(), identity());
    let Some(server) = redis_server(&folder, (&certificate, &key)).await else { return };
    let url = format!("rediss://:{PASSWORD}@localhost:{}/", server.port());
    let trusted = TlsCertificates { client_tls: None, root_cert: Some(stranger.into_bytes()) };
    let client = Client::build_with_tls(url.as_str(), trusted).unwrap();
    let plain = url.replace("rediss:", "redis:");
    for refused in [
        RedisStoreBuilder::from_client(client).connect().await.map(drop),
        RedisStore::connect(&url).await.map(drop),
        RedisStore::connect(&plain).await.map(drop),
    ] {
        let error = refused.unwrap_err();
        assert!(!format!("{error} {error:?}").contains(PASSWORD), "{error}");
    }
}

/// A connector that trusts one certificate, in PEM.
fn connector(trusted: &str) -> MakeRustlsConnect {
    let mut roots = RootCertStore::empty();
    let trusted = rustls::pki_types::pem::PemObject::from_pem_slice(trusted.as_bytes()).unwrap();
    roots.add(trusted).unwrap();
    let builder = ClientConfig::builder_with_provider(Arc::new(default_provider()));
    let builder = builder.with_safe_default_protocol_versions().unwrap();
    MakeRustlsConnect::new(builder.with_root_certificates(roots).with_no_client_auth())
}

/// A store over a connection for each query.
fn postgres(server: Config, tls: MakeRustlsConnect) -> PostgresStore {
    PostgresStore::new(move |query| {
        let (server, tls) = (server.clone(), tls.clone());
        async move {
            let (client, connection) = server.connect(tls).await?;
            tokio::spawn(connection);
            Ok::<_, BoxError>(query.run(&client).await?)
        }
    })
}

fn config(port: u16) -> Config {
    let text = format!("host=localhost port={port} user=postgres password={PASSWORD} dbname=postgres sslmode=require");
    text.parse().unwrap()
}

#[tokio::test]
async fn postgres_keeps_the_rules_over_tls_and_notices_changes() {
    let (certificate, key) = identity();
    let Some(server) = Postgres::start_over_tls(&certificate, &key).await else { return };
    let (config, tls) = (config(server.port()), connector(&certificate));
    let began = Instant::now();
    let client = loop {
        match config.connect(tls.clone()).await {
            Ok((client, connection)) => break (client, tokio::spawn(connection)).0,
            // It accepts connections before it accepts users.
            Err(error) => assert!(began.elapsed() < PATIENCE, "{error:?}"),
        }
        tokio::time::sleep(Duration::from_millis(10)).await;
    };
    let store = || postgres(config.clone(), tls.clone()).listen(config.clone(), tls.clone()).poll_interval(NEVER);
    client.batch_execute(&store().schema()).await.unwrap();
    conformance::check(postgres(config.clone(), tls.clone())).await;
    assert_noticed(&store(), &store()).await;

    let error = postgres(config.clone(), connector(&identity().0)).load("key").await.unwrap_err();
    assert!(error.to_string().starts_with("the connection to the server failed"), "{error}");
    assert!(!format!("{error} {error:?}").contains(PASSWORD), "{error:?}");
    let mut plain = config.clone();
    plain.ssl_mode(tokio_postgres::config::SslMode::Disable);
    let refused = plain.connect(NoTls).await.err().and_then(|error| error.code().cloned());
    assert_eq!(refused.map(|code| code.code().to_owned()).as_deref(), Some("28000"), "no plain connection");
}
