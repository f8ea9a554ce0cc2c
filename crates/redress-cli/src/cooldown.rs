//! The cool-down that a response begins: which later calls a Pace layer holds back.
//!
//! A rate limit often concerns a part of an API: GitHub's search, a channel of Discord. A dialect declares these parts as
//! [scopes](redress_envelope::Scope), by routes or by a header of the response. At 3 a.m. the question is whether the other calls
//! still go out; this module answers it.

use http::StatusCode;
use redress_classify::{Class, CooldownScope, Verdict};
use redress_envelope::{Dialect, Route};
use serde::Serialize;

use crate::exchange::Exchange;

/// The calls that wait until the cool-down ends.
#[derive(Debug, PartialEq, Eq, Serialize)]
pub(crate) struct Cooldown {
    pub(crate) by: ScopeSource,
    /// The name of the scope in the dialect; `None` for all calls to the host, and for a bucket that has no name there.
    pub(crate) scope: Option<String>,
    /// The routes of the scope.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub(crate) routes: Vec<String>,
    /// The names in braces whose values are counted apart.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub(crate) key: Vec<String>,
}

/// How the scope of a cool-down is known.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub(crate) enum ScopeSource {
    /// The dialect names no scope for the call, or the response concerns all calls: every call to the host waits.
    Host,
    /// The route of the call is in the scope.
    Route,
    /// The response names the scope, or the bucket of its route.
    Response,
}

impl Cooldown {
    /// Returns the cool-down that an error begins; `None` if it begins none.
    ///
    /// A rate limit begins one if the response or the dialect says for how long, and a 503 if it has a hint: the rule of
    /// `redress-pace`. An outage without a hint begins none, since nothing says when it ends.
    pub(crate) fn after_error(dialect: &Dialect, exchange: &Exchange<'_>, verdict: &Verdict) -> Option<Self> {
        let (has_hint, is_limited) = (verdict.hint().is_some(), verdict.class() == Class::RateLimited);
        let is_unavailable = exchange.head.status == StatusCode::SERVICE_UNAVAILABLE && has_hint;
        if is_limited && (has_hint || dialect.retry().throttle_wait.is_some()) {
            return Some(Self::new(dialect, exchange, verdict.cooldown_scope()));
        }
        is_unavailable.then(|| Self::new(dialect, exchange, CooldownScope::Upstream))
    }

    /// Returns the cool-down that a success with a hint begins.
    pub(crate) fn after_success(dialect: &Dialect, exchange: &Exchange<'_>) -> Self {
        Self::new(dialect, exchange, dialect.bucket_for_response(exchange.head.status, &exchange.head.headers))
    }

    /// States the cool-down of a scope that the response names, or of the scope of the call, or of the host.
    fn new(dialect: &Dialect, exchange: &Exchange<'_>, stated: CooldownScope) -> Self {
        let by_route = || dialect.scope_for_request(exchange.method.as_str(), exchange.uri.path());
        let (by, id) = match stated {
            CooldownScope::Named(id) => (ScopeSource::Response, Some(id)),
            CooldownScope::Bucket(_) if by_route().is_some() => (ScopeSource::Response, None),
            CooldownScope::Call => by_route().map_or((ScopeSource::Host, None), |id| (ScopeSource::Route, Some(id))),
            _ => (ScopeSource::Host, None),
        };
        let scope = id.and_then(|id| dialect.scope(id));
        Self {
            by,
            scope: scope.map(|scope| scope.name.clone()),
            routes: scope.map(|scope| scope.routes.iter().map(Route::to_string).collect()).unwrap_or_default(),
            key: scope.map(|scope| scope.key.clone()).unwrap_or_default(),
        }
    }
}
