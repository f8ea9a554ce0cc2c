//! tower's `Retry` with a policy like that of its documentation, alone and over tower-http's `AddAuthorization` and
//! tower's `Timeout`.

use std::future::{Ready, ready};
use std::sync::Arc;
use std::time::Duration;

use http::{HeaderValue, Request, Response, StatusCode, header};
use tower::retry::budget::{Budget, TpsBudget};
use tower::retry::{Policy, Retry};
use tower::timeout::Timeout;
use tower_http::auth::AddAuthorization;

use crate::stacks::TOKEN;

/// Tries again at once, twice at most, what the status says to try again.
///
/// tower has no policy of its own for responses. This one decides as the peers do: the server errors and 429.
#[derive(Clone, Debug)]
pub struct Attempts {
    left: u32,
    budget: Option<Arc<TpsBudget>>,
    /// The credentials that follow a 401.
    renewed: Option<HeaderValue>,
}

impl Attempts {
    /// Takes retries from no budget.
    #[must_use]
    pub const fn unbounded() -> Self {
        Self { left: 2, budget: None, renewed: None }
    }

    /// Takes retries from tower's budget: 20 % of the requests of 10 s, and 10 per second.
    #[must_use]
    pub fn budgeted() -> Self {
        Self { budget: Some(Arc::new(TpsBudget::default())), ..Self::unbounded() }
    }

    /// As [`budgeted`](Self::budgeted), with a budget that allows a retry for each success.
    #[must_use]
    pub fn ample() -> Self {
        let budget = TpsBudget::new(Duration::from_secs(10), 1_000, 1.0);
        Self { budget: Some(Arc::new(budget)), ..Self::unbounded() }
    }

    /// Puts other credentials on what was answered with 401, and tries again.
    ///
    /// # Panics
    /// Never: the token is legal.
    #[must_use]
    pub fn renewing() -> Self {
        let bearer = format!("Bearer {TOKEN}").parse().expect("a legal token");
        Self { renewed: Some(bearer), ..Self::unbounded() }
    }

    fn wants<B, R, E>(&self, request: &mut Request<B>, result: &Result<Response<R>, E>) -> bool {
        let Ok(response) = result else { return true };
        let status = response.status();
        match &self.renewed {
            Some(bearer) if status == StatusCode::UNAUTHORIZED => {
                request.headers_mut().insert(header::AUTHORIZATION, bearer.clone());
                true
            }
            _ => status.is_server_error() || status == StatusCode::TOO_MANY_REQUESTS,
        }
    }
}

impl<B: Clone, R, E> Policy<Request<B>, Response<R>, E> for Attempts {
    type Future = Ready<()>;

    fn retry(&mut self, request: &mut Request<B>, result: &mut Result<Response<R>, E>) -> Option<Ready<()>> {
        if !self.wants(request, result) {
            if let Some(budget) = &self.budget {
                budget.deposit();
            }
            return None;
        }
        self.left = self.left.checked_sub(1)?;
        let is_allowed = self.budget.as_ref().is_none_or(|budget| budget.withdraw());
        is_allowed.then(|| ready(()))
    }

    fn clone_request(&mut self, request: &Request<B>) -> Option<Request<B>> {
        Some(request.clone())
    }
}

/// Retries.
pub const fn retry<S>(policy: Attempts, transport: S) -> Retry<Attempts, S> {
    Retry::new(policy, transport)
}

/// Retries what carries a token and has five seconds for each attempt.
pub fn retry_auth_timeout<S>(policy: Attempts, transport: S) -> Retry<Attempts, AddAuthorization<Timeout<S>>> {
    let timeout = Timeout::new(transport, Duration::from_secs(5));
    Retry::new(policy, AddAuthorization::bearer(timeout, TOKEN))
}
