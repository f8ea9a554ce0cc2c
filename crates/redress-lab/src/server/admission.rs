//! Admission control: refuses requests before any work, by token, rate limit and quota.
//!
//! The order is that of common gateways: authentication first, so a request without a valid token uses
//! up no limit.

use std::time::Duration;

use bytes::Bytes;
use http::Response;

use crate::scenario::{LimitSpec, QuotaSpec, Scenario, TokenSpec};

/// The checks of a scenario, each `None` if the scenario has none of its kind.
#[derive(Debug)]
pub(crate) struct Admission {
    token: Option<TokenSpec>,
    limit: Option<(LimitSpec, Window)>,
    quota: Option<(QuotaSpec, u64)>,
}

/// The current fixed window of a rate limit, and the number of requests admitted in it.
#[derive(Debug, Default)]
struct Window {
    nth: u128,
    used: u32,
}

impl Admission {
    pub(crate) fn new(scenario: &Scenario) -> Self {
        Self {
            token: scenario.token.clone(),
            limit: scenario.limit.clone().map(|limit| (limit, Window::default())),
            quota: scenario.quota.clone().map(|quota| (quota, 0)),
        }
    }

    /// Admits and counts a request, or returns the response that refuses it.
    pub(crate) fn admit(&mut self, at: Duration, token: Option<Duration>) -> Option<Response<Bytes>> {
        if let Some(spec) = &self.token {
            let is_good = token.is_some_and(|issued| at < issued + spec.lives);
            if !is_good {
                return Some(spec.answer.response(401, None));
            }
        }
        if let Some((limit, window)) = &mut self.limit {
            let nth = at.as_nanos() / limit.per.as_nanos();
            if window.nth != nth {
                *window = Window { nth, used: 0 };
            }
            if window.used >= limit.requests {
                let into = u64::try_from(at.as_nanos() % limit.per.as_nanos()).unwrap_or(u64::MAX);
                let rest = limit.per.saturating_sub(Duration::from_nanos(into));
                return Some(limit.answer.response(429, limit.hint.then_some(rest)));
            }
            window.used += 1;
        }
        if let Some((quota, used)) = &mut self.quota {
            if *used >= quota.requests {
                return Some(quota.answer.response(402, None));
            }
            *used += 1;
        }
        None
    }
}
