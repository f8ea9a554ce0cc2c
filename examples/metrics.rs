//! Runs a stack through a bad quarter of an hour and prints what its metrics say. Needs no network, and waits in virtual
//! time only.
//!
//! ```text
//! cargo run --example metrics
//! ```

use std::collections::BTreeMap;
use std::error::Error;
use std::sync::Arc;
use std::sync::atomic::{AtomicU32, AtomicUsize, Ordering};
use std::time::Duration;

use http::{Request, Response};
use metrics_util::debugging::{DebugValue, DebuggingRecorder};
use redress::{Credentials, Failure, RedressLayer, TokenSet, dialects};
use tower::{Layer, Service, ServiceExt, service_fn};

/// The answers of the server, in order: status, `Retry-After`, body.
const SCRIPT: [(u16, Option<&str>, &str); 8] = [
    (200, None, r#"{"success":true}"#),
    (503, None, ""),
    (200, None, r#"{"success":true}"#),
    (429, Some("30"), r#"{"success":false,"error":{"code":"RATE_LIMIT_EXCEEDED","message":"slow down"}}"#),
    (200, None, r#"{"success":true}"#),
    (401, None, r#"{"success":false,"error":{"code":"TOKEN_EXPIRED","message":"expired"}}"#),
    (200, None, r#"{"success":true}"#),
    (402, None, r#"{"success":false,"error":{"code":"INSUFFICIENT_CREDITS","message":"top up"}}"#),
];

/// An issuer that hands out one token after the other.
struct Issuer(AtomicU32);

impl Credentials for Issuer {
    async fn login(&self) -> Result<TokenSet, Failure> {
        let nth = self.0.fetch_add(1, Ordering::Relaxed);
        Ok(TokenSet::bearer(format!("token-{nth}"))?.refresh_token(format!("refresh-{nth}")))
    }

    async fn refresh(&self, _: &redress::SecretString) -> Result<TokenSet, Failure> {
        self.login().await
    }
}

#[tokio::main(flavor = "current_thread", start_paused = true)]
async fn main() -> Result<(), Box<dyn Error>> {
    let recorder = DebuggingRecorder::new();
    let snapshotter = recorder.snapshotter();
    recorder.install()?;
    redress::describe_metrics();

    let layer = RedressLayer::new(dialects::maleslab())
        .credentials(Issuer(AtomicU32::new(1)), "https://api.maleslab.example".parse()?)
        .deadline(Duration::from_secs(120));
    // The stack clones its transport; all clones go on in the same script.
    let asked = Arc::new(AtomicUsize::new(0));
    let mut api = layer.layer(service_fn(move |_: Request<String>| {
        let (status, wait, body) = SCRIPT[asked.fetch_add(1, Ordering::Relaxed)];
        let mut response = Response::builder().status(status);
        if let Some(wait) = wait {
            response = response.header("retry-after", wait);
        }
        std::future::ready(response.body(body.to_owned()))
    }));
    for path in ["/v1/a", "/v1/b", "/v1/c", "/v1/d", "/v1/e"] {
        let request = Request::get(format!("https://api.maleslab.example{path}")).body(String::new())?;
        api.ready().await?.call(request).await?;
    }

    let mut lines = BTreeMap::new();
    for (key, unit, _, value) in snapshotter.snapshot().into_vec() {
        let labels: Vec<_> = key.key().labels().map(|label| format!("{}={}", label.key(), label.value())).collect();
        let unit = unit.map_or("", |unit| unit.as_canonical_label());
        lines.insert((key.key().name().to_owned(), labels.join(" ")), format!("{} {unit}", text(&value)));
    }
    let widest = |of: fn(&(String, String)) -> &String| lines.keys().map(|key| of(key).len()).max().unwrap_or(0);
    let (names, labels) = (widest(|key| &key.0), widest(|key| &key.1));
    for ((name, label), value) in &lines {
        println!("{name:names$}  {label:labels$}  {}", value.trim_end());
    }
    Ok(())
}

fn text(value: &DebugValue) -> String {
    match value {
        DebugValue::Counter(count) => count.to_string(),
        DebugValue::Gauge(level) => level.to_string(),
        DebugValue::Histogram(values) => {
            let values: Vec<_> = values.iter().map(|value| format!("{:.1}", value.into_inner())).collect();
            values.join(", ")
        }
    }
}
