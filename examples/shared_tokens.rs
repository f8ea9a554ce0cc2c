//! Two stacks with one account share their tokens by a `Store`, as two processes do: one login, one refresh at a time.
//!
//! ```text
//! cargo run --example shared_tokens
//! ```
//!
//! The store is in memory here. For processes, take one of the crates `redress-store-*`, or implement `Store` over the database
//! that they share: a record of bytes, replaced by a compare-and-set on its version. `redress::conformance::check` tests such a
//! store.

use std::sync::Arc;
use std::sync::atomic::{AtomicU32, Ordering};

use http::header::AUTHORIZATION;
use http::{Request, Response, StatusCode};
use redress::{BoxError, Class, Code, Credentials, Failure, Origin, RedressLayer, TokenSet, dialects};
use redress::{ExposeSecret, MemoryStore, SecretString, Store};
use tower::{Layer, ServiceExt, service_fn};

/// An issuer whose refresh tokens are good for one use: a second use would end the session.
#[derive(Clone, Default)]
struct Issuer {
    issued: Arc<AtomicU32>,
    logins: Arc<AtomicU32>,
    /// The number of the first access token that is not revoked.
    valid: Arc<AtomicU32>,
}

impl Credentials for Issuer {
    async fn login(&self) -> Result<TokenSet, Failure> {
        self.logins.fetch_add(1, Ordering::Relaxed);
        self.issue()
    }

    async fn refresh(&self, refresh_token: &SecretString) -> Result<TokenSet, Failure> {
        let newest = format!("r{}", self.issued.load(Ordering::Relaxed));
        if refresh_token.expose_secret() != newest {
            return Err(Failure::invalid_grant("the refresh token was used before"));
        }
        self.issue()
    }
}

impl Issuer {
    fn issue(&self) -> Result<TokenSet, Failure> {
        let number = self.issued.fetch_add(1, Ordering::Relaxed) + 1;
        Ok(TokenSet::bearer(format!("t{number}"))?.refresh_token(format!("r{number}")))
    }

    /// Returns `true` if the API accepts the token of a request.
    fn accepts(&self, request: &Request<String>) -> bool {
        let value = request.headers().get(AUTHORIZATION).and_then(|value| value.to_str().ok());
        let number = value.and_then(|value| value.strip_prefix("Bearer t")?.parse::<u32>().ok());
        number.is_some_and(|number| number >= self.valid.load(Ordering::Relaxed))
    }
}

/// The stack of one process.
fn process(issuer: &Issuer, store: &MemoryStore) -> Result<RedressLayer, BoxError> {
    let dialect = dialects::generic().with_code(Code::new("expired", Class::TokenExpired));
    let layer = RedressLayer::new(dialect).credentials(issuer.clone(), "https://api.example".parse::<Origin>()?);
    // The key names the account. It is the same in all processes, and not a secret.
    Ok(layer.refresh(|refresh| refresh.store(store.clone(), "example/user-7")))
}

/// Calls the API through a stack.
async fn call(layer: &RedressLayer, issuer: &Issuer) -> Result<StatusCode, BoxError> {
    let api = service_fn(|request: Request<String>| async move {
        // Both requests below meet before one of them is answered.
        tokio::task::yield_now().await;
        let (status, body) = match issuer.accepts(&request) {
            true => (StatusCode::OK, "{}"),
            false => (StatusCode::UNAUTHORIZED, r#"{"code":"expired"}"#),
        };
        Response::builder().status(status).body(body.to_owned())
    });
    let request = Request::get("https://api.example/things").body(String::new())?;
    Ok(layer.layer(api).oneshot(request).await?.status())
}

#[tokio::main(flavor = "current_thread")]
async fn main() -> Result<(), BoxError> {
    let (issuer, store) = (Issuer::default(), MemoryStore::new());
    let (first, second) = (process(&issuer, &store)?, process(&issuer, &store)?);

    assert_eq!(call(&first, &issuer).await?, StatusCode::OK);
    assert_eq!(call(&second, &issuer).await?, StatusCode::OK);
    println!("{} login for two stacks", issuer.logins.load(Ordering::Relaxed));
    assert_eq!(issuer.logins.load(Ordering::Relaxed), 1, "the second stack adopts the tokens of the first");

    // The access token is revoked. Both stacks meet the 401 at the same time, and one of them refreshes.
    issuer.valid.store(2, Ordering::Relaxed);
    let (one, other) = tokio::join!(call(&first, &issuer), call(&second, &issuer));
    assert_eq!((one?, other?), (StatusCode::OK, StatusCode::OK));
    let refreshes = first.tokens().refreshes() + second.tokens().refreshes();
    println!("{refreshes} refresh for both");
    assert_eq!((refreshes, issuer.logins.load(Ordering::Relaxed)), (1, 1));

    let record = store.load("example/user-7").await?.ok_or("the store has no record")?;
    println!("the store holds a record of {} bytes, version {}", record.value().len(), record.version());
    assert_eq!(record.version().number(), 4, "two leases and two sets were written");
    Ok(())
}
