//! Every public type, printed with secrets in it.

mod client;
mod holders;
mod responses;

use std::collections::BTreeSet;
use std::time::Duration;

use redress::{
    Budget, Class, Clock, Code, Dialect, Idempotent, Origin, Recovery, StaticHeaders, TokenSet, dialects,
    login::ClientAuthentication,
};
use redress_sandbox::strict_mock::{Answer, StrictMock};

use super::{BODY, assert_silent, response, types};

/// A type and all that it prints.
type Shown = (&'static str, String);

/// Words and numbers alone: no text of a request, of a response or of a credential fits in.
const HOLDS_NO_TEXT: [&str; 55] = [
    "redress-backoff::Budget",
    "redress-backoff::Idempotent",
    "redress-backoff::Jitter",
    "redress-backoff::NoRetry",
    "redress-backoff::Reservation",
    "redress-backoff::RetryPolicy",
    "redress-backoff::RetryThrottling",
    "redress-classify::Clock",
    "redress-classify::Deadline",
    "redress-classify::ForeignHost",
    "redress-classify::SendState",
    "redress-classify::UpstreamHealth",
    "redress-classify::Phase",
    "redress-classify::Progress",
    "redress-classify::Refreshed",
    // The service inside it prints by itself.
    "redress-classify::ReplayBodies",
    "redress-classify::ReplayBodyLayer",
    "redress-classify::EndReason",
    "redress-classify::ResendCount",
    "redress-envelope::DecidedBy",
    "redress-envelope::Class",
    "redress-envelope::CooldownScope",
    "redress-envelope::Decision",
    "redress-envelope::GrpcCode",
    "redress-envelope::KeyFormat",
    "redress-envelope::Locations",
    "redress-envelope::PublishedLimit",
    "redress-envelope::Recovery",
    "redress-envelope::RetryAdvice",
    "redress-envelope::Schedule",
    "redress-envelope::ScopeId",
    "redress-envelope::Unit",
    "redress-envelope::Unreadable",
    "redress-envelope::When",
    "redress-pace::FailFast",
    "redress-pace::GatePhase",
    "redress-pace::GateStatus",
    "redress-refresh::InvalidOrigin",
    "redress-refresh::Purpose",
    // Of a feature that is off here; its own tests look at what they print.
    "redress-store::Encrypted",
    "redress-store::InvalidRecordKey",
    "redress-store::RecordKey",
    // A number of keys.
    "redress-store::Changes",
    "redress-store::InvalidVersion",
    "redress-store::Pauses",
    "redress-store::Unreadable",
    "redress-store::Version",
    // Opaque.
    "redress::ClientService",
    "redress::ClientTransport",
    "redress::login::ClientAuthentication",
    "redress::transport::ConnectTimeout",
    "redress::transport::ConnectTimeoutFuture",
    // Names of headers, of members and of routes, as a dialect has them.
    "redress-classify::WaitSource",
    "redress-envelope::HintSource",
    "redress-envelope::Location",
];

/// Text of a dialect's file or of a setting beside it, names of headers and routes: it is code and holds no secret.
const HOLDS_A_DIALECTS_TEXT: [&str; 17] = [
    // Names of services and methods in a service config.
    "redress-backoff::MethodConfig",
    "redress-backoff::ServiceConfig",
    "redress::grpc::ServiceConfigError",
    "redress-envelope::Code",
    "redress-envelope::Coverage",
    "redress-envelope::DialectError",
    "redress-envelope::IdempotencyHeader",
    "redress-envelope::Mistake",
    "redress-envelope::Reason",
    "redress-envelope::Route",
    "redress-envelope::Rule",
    "redress-envelope::Scope",
    "redress-envelope::Status",
    "redress-envelope::UnknownWord",
    "redress-pace::Limit",
    "redress::login::TokenPlace",
    // Text of the program itself.
    "redress-refresh::Explanation",
];

/// Types without `Debug` and `Display`; an alias for any error, and a trait of another crate.
const DOES_NOT_PRINT: [&str; 3] =
    ["redress-classify::BoxError", "redress-refresh::ExposeSecret", "redress-store::BoxError"];

type Bare = StrictMock<http::Request<String>, http::Response<http_body_util::Full<&'static [u8]>>>;

fn bare(status: u16) -> Bare {
    StrictMock::scripted([Answer::ok(response(status, BODY)), Answer::ok(response(status, BODY))]).allow_abandoned()
}

/// Answers once, and asks to wait.
fn hinted(status: u16, seconds: &'static str) -> Bare {
    let mut response = response(status, BODY);
    response.headers_mut().insert("retry-after", seconds.parse().unwrap());
    StrictMock::scripted([Answer::ok(response)]).allow_abandoned()
}

fn url() -> Origin {
    "https://api.example".parse().unwrap()
}

fn grant() -> TokenSet {
    let grant = TokenSet::bearer("c4n4ry-token").unwrap().header("x-api-key", "c4n4ry-key").unwrap();
    grant.refresh_token("c4n4ry-refresh").expires_in(Duration::from_secs(60))
}

fn keys() -> StaticHeaders {
    StaticHeaders::new().header("x-api-key", "c4n4ry-key").unwrap()
}

/// A dialect whose hooks have a secret in their path.
fn dialect() -> Dialect {
    let text = "name = \"hooks\"\n[secrets]\npaths = [\"/hooks/{id}/{secret}\"]\n";
    dialects::generic().extend("hooks.toml", text).unwrap().with_code(Code::new("refused", Class::Invalid))
}

async fn all() -> Vec<Shown> {
    let mut all = responses::of_reading();
    all.extend(responses::of_response().await);
    all.extend(responses::of_errors().await);
    all.extend(client::of_client().await);
    all.extend(holders::of_credentials());
    all.extend(holders::of_stack());
    all.extend(holders::of_keys().await);
    all.extend(holders::of_store().await);
    all.extend(holders::of_bodies().await);
    // Types without text print the names of their variants.
    let numbers = format!("{:?} {:?} {:?}", Budget::new(), Clock::system(), Idempotent(true));
    let numbers = format!("{numbers} {:?}", [ClientAuthentication::Basic, ClientAuthentication::Body]);
    assert_silent("what holds no text", &format!("{numbers} {:?} {:?}", Class::ALL, Recovery::ALL));
    all
}

#[tokio::test]
async fn no_public_type_prints_a_secret() {
    for (name, text) in all().await {
        assert!(!text.trim().is_empty(), "{name} prints nothing");
        assert_silent(name, &text);
    }
}

#[tokio::test]
async fn every_public_type_is_looked_at() {
    let types = types::all();
    let shown: Vec<_> = all().await.into_iter().map(|(name, _)| name).collect();
    let lists = [&HOLDS_NO_TEXT[..], &HOLDS_A_DIALECTS_TEXT, &DOES_NOT_PRINT, &shown];
    let listed: BTreeSet<String> = lists.concat().into_iter().map(str::to_owned).collect();
    assert_eq!(listed.len(), lists.iter().map(|list| list.len()).sum::<usize>(), "a type stands in two lists");
    let missing: Vec<_> = types.public.difference(&listed).collect();
    assert!(missing.is_empty(), "public types that this test does not look at: {missing:?}");
    let gone: Vec<_> = listed.difference(&types.public).collect();
    assert!(gone.is_empty(), "no public types: {gone:?}");
    let printing: Vec<_> = DOES_NOT_PRINT.into_iter().filter(|name| types.printable.contains(*name)).collect();
    assert!(printing.is_empty(), "they print by now: {printing:?}");
    assert!(types.printable.len() > shown.len(), "what prints is found: {:?}", types.printable);
}
