//! The common traits of the public types (C-COMMON-TRAITS of the Rust API guidelines): what they are, and that no type is
//! left out.
//!
//! Each list asserts when it is compiled. The first test compares its lists with the exports.

use std::collections::BTreeSet;
use std::error::Error as StdError;
use std::fmt::{Debug, Display};
use std::fs;
use std::hash::Hash;
use std::path::{Path, PathBuf};
use std::str::FromStr;

use http::{Request, Response};
use http_body_util::Full;
use hyper_util::client::legacy::connect::HttpConnector;
use redress::grpc::*;
use redress::layers::*;
use redress::login::*;
use redress::transport::*;
use redress::*;
use redress_sandbox::strict_mock::StrictMock;
use serde_core::Serialize;
use syn::{Item, UseTree, Visibility};

type Transport = StrictMock<Request<String>, Response<String>>;
type Layered<S> = <S as tower::Service<Request<String>>>::Future;

/// Checks the bound of a list for each type in it, and returns their names. A lifetime follows an `@`.
macro_rules! all {
    ($check:ident: $($type:ident $(@$life:lifetime)? $(<$($argument:ty),+>)?),+ $(,)?) => {{
        $($check::<$type $(<$life>)? $(<$($argument),+>)?>();)+
        [$(stringify!($type)),+]
    }};
}

fn printable_and_shared<T: Debug + Send + Sync>() {}
/// A future is polled by one task at a time, so that it need not be shared: a boxed one cannot.
fn printable_and_sent<T: Debug + Send>() {}
fn clone<T: Clone>() {}
fn comparable<T: Clone + PartialEq + Eq>() {}
fn key<T: Clone + Eq + Hash>() {}
fn default<T: Default>() {}
fn logged<T: Serialize>() {}
fn error<T: StdError + Send + Sync + 'static>() {}

/// Names among the exports that are not types of these crates: traits, aliases and foreign types.
const NOT_TYPES: [&str; 9] = [
    "BoxError",
    "CloneBody",
    "Credentials",
    "ExposeSecret",
    "FromCode",
    "RequestExt",
    "ResponseExt",
    "SecretString",
    "Store",
];

fn source(path: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("..").join(path)
}

fn parsed(path: &Path) -> syn::File {
    let text = fs::read_to_string(path).unwrap_or_else(|error| panic!("{}: {error}", path.display()));
    syn::parse_file(&text).unwrap_or_else(|error| panic!("{}: {error}", path.display()))
}

fn names(tree: &UseTree, found: &mut BTreeSet<String>) {
    match tree {
        UseTree::Path(path) => names(&path.tree, found),
        UseTree::Name(name) => drop(found.insert(name.ident.to_string())),
        UseTree::Rename(rename) => drop(found.insert(rename.rename.to_string())),
        UseTree::Group(group) => group.items.iter().for_each(|tree| names(tree, found)),
        UseTree::Glob(_) => panic!("a glob exports names that are not listed"),
    }
}

/// Returns the exported names that begin with a capital letter.
fn exported() -> BTreeSet<String> {
    let mut found = BTreeSet::new();
    for file in ["lib", "grpc", "layers", "login", "transport"] {
        for item in parsed(&source(&format!("redress/src/{file}.rs"))).items {
            if let Item::Use(item) = item
                && matches!(item.vis, Visibility::Public(_))
            {
                names(&item.tree, &mut found);
            }
        }
    }
    found.retain(|name| name.starts_with(char::is_uppercase));
    found
}

fn rust_files(folder: &Path, files: &mut Vec<PathBuf>) {
    for entry in fs::read_dir(folder).expect("the folder is there") {
        let path = entry.expect("the folder can be read").path();
        if path.is_dir() {
            rust_files(&path, files);
        } else if path.extension().is_some_and(|extension| extension == "rs") {
            files.push(path);
        }
    }
}

#[test]
fn every_exported_type_prints_and_is_shared_or_is_a_future_that_is_sent() {
    let listed = all![
        printable_and_shared: ApiError, Attempt, AttemptTimeout, Backoff<Transport>, BackoffLayer,
        Body<Full<bytes::Bytes>>, Budget, Budgets, Class, Classify<Transport>, ClassifyLayer, Client,
        ClientAuthentication, ClientError, ClientResponse, ClientService, ClientTransport, Clock, Code, ConnectTimeout<HttpConnector>,
        CooldownScope, Coverage, Deadline, DecidedBy, Decision, Dialect, DialectError, EndReason, Envelope@'static,
        Error, Explanation, FailFast, Failure, FieldError@'static, ForeignHost, Gate, GatePhase, GateStatus, GrpcCode, Head@'static, HintSource,
        Hyper<HttpConnector, Full<bytes::Bytes>>, IdempotencyHeader, IdempotencyKey, Idempotent, InvalidHeader,
        InvalidIdempotencyKey, InvalidLogin, InvalidOrigin, InvalidRoute, Jitter, JsonCall,
        JsonLogin<Transport>, KeyFormat, Limit, Location, Locations, Meaning, MemoryStore, MethodConfig, Mistake, NoRetry, OAuth2<Transport>,
        Origin, Pace<Transport>, PaceLayer, Phase, Progress, PublishedLimit, Purpose, Reason, Record,
        Recovery, Redress<Transport>, RedressLayer, Refresh<Classify<Transport>>, RefreshLayer, Refreshed,
        ReplayBodies<Transport>, ReplayBody<Full<bytes::Bytes>>, ReplayBodyLayer, ReplayError, RequestBuilder, Reqwest,
        ResendCount, Reservation, RetryAdvice, RetryHint, RetryPolicy, RetryThrottling,
        Route, Rule, Schedule, Scope, ScopeId, Secrets, SendState, ServiceConfig, ServiceConfigError, Signal, StaticHeaders, Status, StoreHandle, SuccessHint,
        TokenHandle, TokenPlace, TokenSet, TransportError, Unit, UnknownWord, Unreadable, Upstream,
        UpstreamHealth, Verdict, WaitSource, When,
    ];
    let futures = all![
        printable_and_sent: BackoffFuture<Classify<Transport>, String>, ClassifyFuture<Layered<Transport>, String>,
        ConnectTimeoutFuture<Layered<Transport>>, HyperFuture, PaceFuture<Transport, String>,
        RefreshFuture<Classify<Transport>, String>, ReqwestFuture, ResponseFuture<Transport, String, String>,
    ];
    let mut expected = exported();
    expected.retain(|name| !NOT_TYPES.contains(&name.as_str()));
    let listed: BTreeSet<_> = listed.into_iter().chain(futures).map(str::to_owned).collect();
    assert_eq!(listed, expected);
}

#[test]
fn services_layers_and_settings_are_cloned() {
    let names = all![
        clone: Backoff<Transport>, BackoffLayer, Budget, Budgets, Classify<Transport>, ClassifyLayer, Client,
        ClientService, ClientTransport, Clock, ConnectTimeout<HttpConnector>, Dialect, Failure, Gate, Head@'static,
        Hyper<HttpConnector, Full<bytes::Bytes>>, JsonCall, JsonLogin<Transport>, MemoryStore, OAuth2<Transport>,
        Pace<Transport>, PaceLayer, Progress, Redress<Transport>, RedressLayer, Refresh<Transport>, RefreshLayer,
        ReplayBodies<Transport>, ReplayBodyLayer, Reqwest, SendState, ServiceConfig, StaticHeaders, StoreHandle,
        TokenHandle, TokenSet,
    ];
    assert!(!names.is_empty());
}

#[test]
fn values_are_compared_and_small_ones_are_keys_of_maps() {
    let values = all![
        comparable: ApiError, Attempt, Code, Coverage, DialectError, Envelope@'static, IdempotencyHeader, InvalidHeader,
        InvalidLogin, InvalidOrigin, InvalidRoute, Meaning, MethodConfig, Mistake, PublishedLimit, Reason,
        Record, RetryAdvice, RetryPolicy, Rule, Scope, Status, SuccessHint, UnknownWord, Verdict,
    ];
    let keys = all![
        key: AttemptTimeout, Class, ClientAuthentication, GrpcCode, ResendCount, CooldownScope, Deadline, DecidedBy, Decision, EndReason, FailFast,
        FieldError@'static, ForeignHost, GatePhase, GateStatus, HintSource, IdempotencyKey, Idempotent, Jitter, KeyFormat, Limit, Location, Locations,
        NoRetry, Origin, Phase, Purpose, Recovery, Refreshed, RetryHint, Route, Schedule, ScopeId,
        TokenPlace, Unit, Unreadable, Upstream, UpstreamHealth, WaitSource, When,
    ];
    assert!(values.iter().all(|name| !keys.contains(name)));
}

#[test]
fn what_a_program_logs_is_serialized() {
    let names = all![
        logged: ApiError, Attempt, Class, DecidedBy, EndReason, Error, FieldError@'static, HintSource, Phase, Record,
        Recovery, RetryHint, SuccessHint, Verdict, WaitSource,
    ];
    assert!(!names.is_empty());
}

#[test]
fn types_with_an_obvious_value_have_a_default() {
    let names = all![
        default: Budget, Budgets, ClientAuthentication, Clock, CooldownScope, Envelope@'static, FailFast, ForeignHost, Jitter,
        KeyFormat, MemoryStore, NoRetry, Progress, Refreshed, RetryAdvice, Secrets, SendState, StaticHeaders, TokenSet,
    ];
    assert!(!names.is_empty());
}

#[test]
fn errors_implement_error_and_are_named_so() {
    let errors = all![
        error: ApiError, ClientError, DialectError, Error, Explanation, Failure, InvalidHeader, InvalidIdempotencyKey,
        InvalidLogin, InvalidOrigin, InvalidRoute, ReplayError, ServiceConfigError, TransportError,
        UnknownWord, Unreadable,
    ];
    let is_named_so = |name: &str| name.ends_with("Error") || name.starts_with("Invalid") || name.starts_with("Un");
    let others = ["FieldError", "Unit"];
    let named: BTreeSet<_> = exported().into_iter().filter(|name| is_named_so(name)).collect();
    for name in named.iter().filter(|name| !others.contains(&name.as_str()) && !NOT_TYPES.contains(&name.as_str())) {
        assert!(errors.contains(&name.as_str()), "{name} is named as an error");
    }
}

#[test]
fn an_error_names_its_source() {
    let transport = TransportError::connect("refused");
    assert_eq!(transport.source().map(ToString::to_string).as_deref(), Some("refused"));
    let error = Error::from_inner(transport.into());
    assert!(error.source().is_some_and(|source| source.is::<TransportError>()));
}

#[test]
fn a_text_that_is_read_is_written_again() {
    fn round<T: Display + FromStr<Err: Debug>>(text: &str) {
        assert_eq!(text.parse::<T>().expect("it is legal").to_string(), text);
    }
    Class::ALL.into_iter().for_each(|class| round::<Class>(class.as_str()));
    Recovery::ALL.into_iter().for_each(|recovery| round::<Recovery>(recovery.as_str()));
    round::<Route>("POST /v1/orders/{id}");
    round::<Origin>("https://api.example:8443");
}

#[test]
fn a_trait_that_users_meet_says_what_to_do_where_it_is_missing() {
    let exported = exported();
    let mut found = BTreeSet::new();
    for part in ["redress-classify", "redress-backoff", "redress-pace", "redress-refresh", "redress-store", "redress"] {
        let mut files = Vec::new();
        rust_files(&source(part).join("src"), &mut files);
        for item in files.iter().flat_map(|path| parsed(path).items) {
            let Item::Trait(item) = item else { continue };
            if !matches!(item.vis, Visibility::Public(_)) || !exported.contains(&item.ident.to_string()) {
                continue;
            }
            let is_explained = |attribute: &syn::Attribute| {
                let path: Vec<_> = attribute.path().segments.iter().map(|part| part.ident.to_string()).collect();
                path == ["diagnostic", "on_unimplemented"]
            };
            assert!(item.attrs.iter().any(is_explained), "{} has no `#[diagnostic::on_unimplemented]`", item.ident);
            found.insert(item.ident.to_string());
        }
    }
    let expected = ["CloneBody", "Credentials", "FromCode", "RequestExt", "ResponseExt", "Store"];
    assert_eq!(found.iter().map(String::as_str).collect::<Vec<_>>(), expected);
}
