//! Sends requests that succeed at once through the whole stack, to be run where system calls are counted: `scripts/clock` does.
//!
//! ```text
//! cargo run -p benches --bin success -- 1000
//! ```

use std::time::Duration;

use benches::call;
use benches::requests::Kind;
use bytes::Bytes;
use clap::Parser;
use redress::{Budget, Credentials, Failure, RedressLayer, TokenSet, dialects};
use redress_sandbox::FixedResponse;
use tower_layer::Layer;

/// Sends N requests with a token that will expire, under a budget, a deadline and an attempt timeout.
#[derive(Debug, Parser)]
struct Arguments {
    /// How many.
    #[arg(value_name = "N")]
    requests: usize,
}

/// A token that is there from the beginning and lasts an hour.
struct Held;

impl Credentials for Held {
    async fn login(&self) -> Result<TokenSet, Failure> {
        Err(Failure::permanent("nobody logs in here"))
    }

    fn initial(&self) -> Option<TokenSet> {
        TokenSet::bearer("token").ok().map(|grant| grant.refresh_token("r").expires_in(Duration::from_secs(3600)))
    }
}

fn main() {
    let Arguments { requests } = Arguments::parse();
    let layer = RedressLayer::new(dialects::veridia())
        .credentials(Held, "https://api.example".parse().expect("a legal origin"))
        .deadline(Duration::from_secs(20))
        .attempt_timeout(Duration::from_secs(5))
        .backoff(|backoff| backoff.budget(Budget::new()));
    let mut service = layer.layer(FixedResponse::new(Bytes::from_static(b"{}")));
    for _ in 0..requests {
        let response = call(&mut service, Kind::Static.request());
        assert!(response.status().is_success() && response.extensions().is_empty());
    }
}
