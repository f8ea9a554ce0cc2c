//! The records as text and as JSON.

use std::time::Duration;

use redress_store::{BoxError, Record};
use serde::Serialize;

use super::Records;
use super::contents::{Budget, Contents, Limit, Token};
use crate::output::{LABEL, styled};
use crate::text::escaped;
use crate::{json, time};

/// The width of the labels, that of the longest.
const WIDTH: usize = 13;

/// A record as JSON.
#[derive(Serialize)]
struct Shown<'r> {
    key: &'r str,
    version: String,
    age_ms: u64,
    #[serde(flatten)]
    contents: &'r Contents,
}

/// Returns the text of the records with these keys, or below them; without keys of all.
pub(super) async fn records(store: &impl Records, keys: &[String], as_json: bool) -> Result<String, BoxError> {
    let mut out = String::new();
    for key in store.keys().await? {
        let is_asked = |asked: &String| key.strip_prefix(asked.as_str()).is_some_and(is_below);
        if !keys.is_empty() && !keys.iter().any(is_asked) {
            continue;
        }
        // One that ended since is left out.
        let Some(record) = store.load(&key).await? else { continue };
        let contents = Contents::read(&record);
        out += &if as_json { json_line(&key, &record, &contents) } else { block(&key, &record, &contents) };
    }
    Ok(out)
}

/// Returns `true` for the rest of a key behind itself, or behind a key above it.
fn is_below(rest: &str) -> bool {
    rest.is_empty() || rest.starts_with('/')
}

fn json_line(key: &str, record: &Record, contents: &Contents) -> String {
    let version = record.version().to_string();
    json::line(&Shown { key, version, age_ms: time::millis(record.age()), contents })
}

/// The key, and a line for each fact below it.
fn block(key: &str, record: &Record, contents: &Contents) -> String {
    let mut out = styled(LABEL, &escaped(key)) + "\n";
    let version = format!("{}, written {} ago", record.version(), time::span(record.age()));
    let own = [("kind", contents.kind().to_owned()), ("version", version)];
    for (label, fact) in own.into_iter().chain(facts(contents)) {
        out += &format!("  {label:<WIDTH$}  {}\n", escaped(&fact));
    }
    out
}

fn facts(contents: &Contents) -> Vec<(&'static str, String)> {
    match contents {
        Contents::Token(token) => of_token(token),
        Contents::Cooldowns { cooldowns } if cooldowns.is_empty() => vec![("cool-down", "none is left".to_owned())],
        Contents::Cooldowns { cooldowns } => {
            let fact = |left_ms, class, gate| format!("{} left after {class}: {gate}", span(left_ms));
            cooldowns.iter().map(|held| ("cool-down", fact(held.left_ms, &held.class, &held.gate))).collect()
        }
        Contents::Limit(limit) => of_limit(limit),
        Contents::Budget(budget) => of_budget(budget),
        Contents::Encrypted | Contents::LaterFormat | Contents::Unknown => Vec::new(),
    }
}

fn of_token(token: &Token) -> Vec<(&'static str, String)> {
    let expiry = match token.expires_in_ms {
        _ if token.headers.is_empty() => "no credentials".to_owned(),
        None => "expiry unknown".to_owned(),
        Some(0) => "expired".to_owned(),
        Some(left) => format!("expires in {}", span(left)),
    };
    let lease = token
        .lease_left_ms
        .map_or("none".to_owned(), |left| format!("of the process that wrote this version, for {}", span(left)));
    let mut facts = vec![
        ("generation", format!("{}, {expiry}", token.generation)),
        ("headers", token.headers.join(", ")),
        ("refresh token", if token.has_refresh_token { "yes, not shown" } else { "no" }.to_owned()),
        ("lease", lease),
    ];
    facts.extend(token.presented_ms_ago.map(|ago| ("presented", format!("maybe, since {} ago", span(ago)))));
    facts.retain(|(_, fact)| !fact.is_empty());
    facts
}

fn of_limit(limit: &Limit) -> Vec<(&'static str, String)> {
    let held: u64 = limit.leases.iter().map(|lease| u64::from(lease.permits)).sum();
    let mut facts = vec![("requests", format!("{} sent, {held} permits held", limit.sent))];
    facts.extend((limit.closed_ms > 0).then(|| ("closed", format!("for {}", span(limit.closed_ms)))));
    facts.extend(limit.leases.iter().map(|lease| {
        let end = if lease.left_ms == 0 { "ended".to_owned() } else { format!("for {}", span(lease.left_ms)) };
        ("lease", format!("{}: {} permits, {end}, report {}", lease.holder, lease.permits, lease.report))
    }));
    facts
}

fn of_budget(budget: &Budget) -> Vec<(&'static str, String)> {
    let held: u64 = budget.leases.iter().map(|share| u64::from(share.tokens)).sum();
    let mut facts = vec![("tokens", format!("{} free, {held} held, epoch {}", budget.free, budget.epoch))];
    facts.extend((budget.shut_ms > 0).then(|| ("shut", format!("for {}", span(budget.shut_ms)))));
    facts.extend(budget.leases.iter().map(|share| {
        let ago = span(share.settled_ms_ago);
        ("lease", format!("{}: {} tokens, settlement {} {ago} ago", share.holder, share.tokens, share.settlement))
    }));
    facts
}

fn span(millis: u64) -> String {
    time::span(Duration::from_millis(millis))
}
