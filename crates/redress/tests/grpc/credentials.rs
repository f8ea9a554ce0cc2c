//! The refresh of credentials on `UNAUTHENTICATED`.

use std::sync::Arc;
use std::sync::atomic::{AtomicU32, Ordering};

use redress::{Credentials, EndReason, Failure, TokenSet};

use super::server::{Answer, start, status};
use super::{call, end, layer, send};

const UNAUTHENTICATED: u8 = 16;

/// An issuer that gives `t1`, then `t2`, and so on.
#[derive(Clone, Default)]
struct Issuer(Arc<AtomicU32>);

impl Credentials for Issuer {
    async fn login(&self) -> Result<TokenSet, Failure> {
        Ok(TokenSet::bearer(format!("t{}", self.0.fetch_add(1, Ordering::Relaxed) + 1))?)
    }
}

#[tokio::test]
async fn unauthenticated_in_head_or_trailers_refreshes_and_the_call_is_sent_again() {
    for shape in [Answer::Head, Answer::Trailers] {
        let (url, log) = start(vec![shape(status(UNAUTHENTICATED)), Answer::Message(status(0))]).await;
        let issuer = Issuer::default();
        let layer = layer().credentials(issuer.clone(), url.parse().unwrap());
        // A POST that may not be repeated: the server rejected it.
        let outcome = send(&layer, call(&url)).await;
        assert_eq!(end(&outcome), Some(EndReason::Success));
        assert_eq!(log.values("authorization"), ["Bearer t1", "Bearer t2"]);
        assert_eq!(log.values("grpc-previous-rpc-attempts"), ["-", "1"]);
        assert_eq!(issuer.0.load(Ordering::Relaxed), 2);
    }
}

#[tokio::test]
async fn unauthenticated_after_a_message_comes_up() {
    let (url, log) = start(vec![Answer::Message(status(UNAUTHENTICATED))]).await;
    let layer = layer().credentials(Issuer::default(), url.parse().unwrap());
    let answered = send(&layer, call(&url)).await.expect("a response");
    assert_eq!((log.len(), answered.verdict.is_none()), (1, true));
}
