use std::io;

use redress_sandbox::strict_mock::StrictMock;
use redress_sandbox::{Sandbox, Vendor};
use serde_json::Value;
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
async fn a_dropped_sandbox_closes_its_port() {
    let sandbox = Sandbox::start(Vendor::Ranex).await.unwrap();
    let addr = sandbox.addr();
    TcpStream::connect(addr).await.unwrap();
    drop(sandbox);
    tokio::task::yield_now().await;
    assert!(TcpStream::connect(addr).await.is_err());
}

#[tokio::test]
async fn an_address_that_others_can_reach_is_refused() {
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
async fn witnesses_of_other_vendors_are_zero() {
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
