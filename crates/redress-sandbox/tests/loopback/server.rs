use std::io;

use redress_sandbox::strict_mock::StrictMock;
use redress_sandbox::{Sandbox, Vendor};
use serde_json::Value;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;

use crate::client::Caller;

#[tokio::test]
async fn a_client_that_keeps_its_connection_is_counted_once() {
    let sandbox = Sandbox::start(Vendor::Verilock).await.unwrap();
    let caller = Caller::new(&sandbox);
    caller.send("GET /v1/sessions", Value::Null).await;
    caller.send("GET /v1/sessions", Value::Null).await;
    assert_eq!(sandbox.connections(), 1);
    Caller::new(&sandbox).send("GET /v1/sessions", Value::Null).await;
    assert_eq!(sandbox.connections(), 2);
}

#[tokio::test]
async fn a_body_above_the_size_limit_is_refused() {
    const MIB: usize = 1024 * 1024;
    for vendor in Vendor::ALL {
        let sandbox = Sandbox::start(vendor).await.unwrap();
        let caller = Caller::new(&sandbox);
        // A text in JSON has two quotation marks.
        for (length, too_large) in [(MIB - 2, false), (MIB - 1, true), (8 * MIB, true)] {
            let answer = caller.send("POST /v1/nothing", Value::String("x".repeat(length))).await;
            assert_eq!(answer.status == 413, too_large, "{vendor} {length}: {}", answer.status);
        }
        assert_eq!(sandbox.log().iter().filter(|entry| entry.status == Some(413)).count(), 2);
    }
}

#[tokio::test]
async fn a_chunked_body_is_refused_at_the_size_limit() {
    let sandbox = Sandbox::start(Vendor::Ranex).await.unwrap();
    let mut stream = TcpStream::connect(sandbox.addr()).await.unwrap();
    stream.write_all(b"POST /x HTTP/1.1\r\nhost: a\r\ntransfer-encoding: chunked\r\n\r\n").await.unwrap();
    let chunk = [b"10000\r\n", &[b'x'; 0x10000][..], b"\r\n"].concat();
    for _ in 0..17 {
        stream.write_all(&chunk).await.unwrap();
    }
    // The body has no end, and the answer is there.
    let mut answer = [0; 12];
    stream.read_exact(&mut answer).await.unwrap();
    assert_eq!(&answer, b"HTTP/1.1 413");
}

#[tokio::test]
async fn a_dropped_sandbox_closes_its_port() {
    let sandbox = Sandbox::start(Vendor::Ranex).await.unwrap();
    let addr = sandbox.addr();
    TcpStream::connect(addr).await.unwrap();
    drop(sandbox);
    tokio::task::yield_now().await;
    assert!(TcpStream::connect(addr).await.is_err());
}

#[tokio::test]
async fn a_non_loopback_address_is_refused() {
    let error = Sandbox::listen(Vendor::Ranex, "0.0.0.0:0".parse().unwrap()).await.unwrap_err();
    assert_eq!(error.kind(), io::ErrorKind::InvalidInput);
    assert!(error.to_string().contains("0.0.0.0:0 is not a loopback address"), "{error}");
}

#[tokio::test]
async fn a_sandbox_shows_its_address_and_its_credentials() {
    for vendor in Vendor::ALL {
        let sandbox = Sandbox::start(vendor).await.unwrap();
        let table = sandbox.to_string();
        assert!(table.starts_with(&format!("{vendor} listens on http://127.0.0.1:")), "{table}");
        for credential in vendor.credentials() {
            assert!(table.contains(credential.name) && table.contains(credential.value), "{table}");
        }
    }
}

#[tokio::test]
async fn counters_of_other_vendors_are_zero() {
    let sandbox = Sandbox::start(Vendor::Verilock).await.unwrap();
    sandbox.expire_tokens();
    sandbox.set_credits(7);
    assert_eq!((sandbox.applicants(), sandbox.generation(), sandbox.credits()), (0, 0, 0));
}

#[test]
fn sandboxes_and_mocks_can_be_shared_between_threads() {
    fn shareable<T: Send + Sync>() {}
    shareable::<Sandbox>();
    shareable::<StrictMock<String, String>>();
}
