//! Certificates and handshakes that are refused for good, and those that only break off.

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use rcgen::{BasicConstraints, CertificateParams, CertifiedIssuer, DnType, IsCa, KeyPair, date_time_ymd};
use redress::{EndReason, Error, Phase, Recovery};
use rustls::crypto::ring::default_provider;
use rustls::pki_types::{CertificateDer, PrivateKeyDer};
use rustls::server::WebPkiClientVerifier;
use rustls::version::{TLS12, TLS13};
use rustls::{ClientConfig, RootCertStore, ServerConfig};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpListener;
use tokio_rustls::TlsAcceptor;

use super::over_tls;
use super::stack::chain;

/// An authority that signs certificates.
pub(crate) struct Authority(CertifiedIssuer<'static, KeyPair>);

type Identity = (Vec<CertificateDer<'static>>, PrivateKeyDer<'static>);

impl Authority {
    pub(crate) fn new(name: &str) -> Self {
        let mut params = CertificateParams::new(Vec::new()).unwrap();
        params.distinguished_name.push(DnType::CommonName, name);
        params.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
        Self(CertifiedIssuer::self_signed(params, KeyPair::generate().unwrap()).unwrap())
    }

    pub(crate) fn root(&self) -> CertificateDer<'static> {
        self.0.der().clone()
    }

    /// Signs a certificate for a name; one that has expired long ago if told so.
    pub(crate) fn sign(&self, name: &str, expired: bool) -> Identity {
        let mut params = CertificateParams::new(vec![name.to_owned()]).unwrap();
        if expired {
            params.not_before = date_time_ymd(2001, 1, 1);
            params.not_after = date_time_ymd(2002, 1, 1);
        }
        let key = KeyPair::generate().unwrap();
        let certificate = params.signed_by(&key, &self.0).unwrap();
        (vec![certificate.der().clone()], PrivateKeyDer::Pkcs8(key.serialize_der().into()))
    }
}

/// A client that trusts these roots, and shows this certificate.
pub(crate) fn config(roots: &[CertificateDer<'static>], identity: Option<Identity>) -> ClientConfig {
    let mut store = RootCertStore::empty();
    store.add_parsable_certificates(roots.iter().cloned());
    let builder = ClientConfig::builder_with_provider(Arc::new(default_provider()));
    let builder = builder.with_safe_default_protocol_versions().unwrap().with_root_certificates(store);
    match identity {
        Some((chain, key)) => builder.with_client_auth_cert(chain, key).unwrap(),
        None => builder.with_no_client_auth(),
    }
}

/// A server that counts its connections, answers 200 over TLS, or cuts its handshakes where there is no TLS.
pub(crate) async fn start(tls: Option<ServerConfig>) -> (String, Arc<AtomicUsize>) {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let url = format!("https://localhost:{}", listener.local_addr().unwrap().port());
    let count = Arc::new(AtomicUsize::new(0));
    let counter = Arc::clone(&count);
    let acceptor = tls.map(|config| TlsAcceptor::from(Arc::new(config)));
    tokio::spawn(async move {
        while let Ok((mut stream, _)) = listener.accept().await {
            counter.fetch_add(1, Ordering::Relaxed);
            let Some(acceptor) = acceptor.clone() else {
                let _ = stream.read(&mut [0; 4096]).await;
                continue;
            };
            tokio::spawn(async move {
                let mut stream = acceptor.accept(stream).await.ok()?;
                let _length = stream.read(&mut [0; 4096]).await.ok()?;
                stream.write_all(b"HTTP/1.1 200 OK\r\ncontent-length: 0\r\n\r\n").await.ok()?;
                stream.shutdown().await.ok()
            });
        }
    });
    (url, count)
}

pub(crate) fn server((chain, key): Identity) -> ServerConfig {
    let builder = ServerConfig::builder_with_provider(Arc::new(default_provider()));
    let builder = builder.with_safe_default_protocol_versions().unwrap();
    builder.with_no_client_auth().with_single_cert(chain, key).unwrap()
}

/// A server that takes clients of this authority alone.
fn server_for(
    (chain, key): Identity,
    clients: &Authority,
    version: &'static rustls::SupportedProtocolVersion,
) -> ServerConfig {
    let mut roots = RootCertStore::empty();
    roots.add(clients.root()).unwrap();
    let provider = Arc::new(default_provider());
    let verifier = WebPkiClientVerifier::builder_with_provider(Arc::new(roots), Arc::clone(&provider)).build().unwrap();
    let builder = ServerConfig::builder_with_provider(provider).with_protocol_versions(&[version]).unwrap();
    builder.with_client_cert_verifier(verifier).with_single_cert(chain, key).unwrap()
}

/// A connector for hyper-util's client that speaks TLS with these settings.
pub(crate) fn connector<C>(client: &ClientConfig, inner: C) -> hyper_rustls::HttpsConnector<C> {
    let builder = hyper_rustls::HttpsConnectorBuilder::new().with_tls_config(client.clone());
    builder.https_only().enable_http1().wrap_connector(inner)
}

/// Each was tried once, told not to try again, and that the request is not at fault.
fn assert_final(name: &str, results: Vec<Result<u16, Error>>, connections: &AtomicUsize, words: &str) {
    assert_eq!(connections.load(Ordering::Relaxed), results.len(), "{name}: one over each adapter");
    for result in results {
        let error = result.expect_err(name);
        assert_eq!(error.recovery(), Recovery::Stop, "{name}: {}", chain(&error));
        let record = error.record().expect("an error has one");
        assert_eq!(
            (record.attempts().len(), record.end_reason()),
            (1, EndReason::NotRetryable),
            "{name}: {}",
            chain(&error)
        );
        assert!(chain(&error).contains(words), "{name}: {}", chain(&error));
        assert!(!chain(&error).contains("secret"), "{name}: {}", chain(&error));
    }
}

#[tokio::test]
async fn a_certificate_that_is_accepted_is_answered() {
    let authority = Authority::new("authority");
    let (url, connections) = start(Some(server(authority.sign("localhost", false)))).await;
    let results = over_tls(&url, &config(&[authority.root()], None)).await;
    assert_eq!(connections.load(Ordering::Relaxed), results.len());
    for result in results {
        assert_eq!(result.unwrap(), 200);
    }
}

#[tokio::test]
async fn a_certificate_that_is_not_accepted_is_tried_once_and_named() {
    let (authority, stranger) = (Authority::new("authority"), Authority::new("stranger"));
    for (name, identity) in [
        ("untrusted", stranger.sign("localhost", false)),
        ("expired", authority.sign("localhost", true)),
        ("another name", authority.sign("api.test", false)),
    ] {
        let (url, connections) = start(Some(server(identity))).await;
        let results = over_tls(&url, &config(&[authority.root()], None)).await;
        for result in &results {
            let error = result.as_ref().expect_err(name);
            assert!(error.phase() == Phase::NotSent && error.is_connect(), "{name}: {error:?}");
        }
        assert_final(name, results, &connections, "the server's certificate was not accepted");
    }
}

#[tokio::test]
async fn a_client_that_the_server_does_not_accept_is_tried_once() {
    let (authority, stranger) = (Authority::new("authority"), Authority::new("stranger"));
    for version in [&TLS12, &TLS13] {
        for (name, identity) in [("no certificate", None), ("a stranger's", Some(stranger.sign("client", false)))] {
            let tls = server_for(authority.sign("localhost", false), &authority, version);
            let (url, connections) = start(Some(tls)).await;
            let results = over_tls(&url, &config(&[authority.root()], identity)).await;
            assert_final(name, results, &connections, "the server refused the TLS handshake");
        }
    }
}

#[tokio::test]
async fn a_server_without_a_common_version_is_tried_once() {
    let authority = Authority::new("authority");
    let provider = Arc::new(default_provider());
    let (chain, key) = authority.sign("localhost", false);
    let builder = ServerConfig::builder_with_provider(Arc::clone(&provider)).with_protocol_versions(&[&TLS12]).unwrap();
    let (url, connections) = start(Some(builder.with_no_client_auth().with_single_cert(chain, key).unwrap())).await;
    let mut roots = RootCertStore::empty();
    roots.add(authority.root()).unwrap();
    let client = ClientConfig::builder_with_provider(provider).with_protocol_versions(&[&TLS13]).unwrap();
    let client = client.with_root_certificates(roots).with_no_client_auth();
    let results = over_tls(&url, &client).await;
    assert_final("no common version", results, &connections, "the server refused the TLS handshake");
}

#[tokio::test]
async fn a_handshake_that_is_cut_was_not_sent_and_is_tried_again() {
    let (url, connections) = start(None).await;
    let results = over_tls(&url, &config(&[], None)).await;
    assert_eq!(connections.load(Ordering::Relaxed), 3 * results.len());
    for result in results {
        let error = result.expect_err("it is cut");
        assert_eq!((error.phase(), error.recovery()), (Phase::NotSent, Recovery::Retry), "{}", chain(&error));
        assert_eq!(error.record().map(|record| record.attempts().len()), Some(3), "{}", chain(&error));
    }
}
