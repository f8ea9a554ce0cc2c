//! tower-resilience: its retry alone, and four of its layers in the order in which its guide puts them for clients of
//! other people's APIs.

use std::fmt::Debug;
use std::time::Duration;

use http::Response;
use tower::ServiceBuilder;
use tower_resilience_circuitbreaker::CircuitBreakerLayer;
use tower_resilience_ratelimiter::RateLimiterLayer;
use tower_resilience_retry::RetryLayer;
use tower_resilience_timelimiter::TimeLimiterLayer;
use tower_service::Service;

use crate::requests::Sent;

/// More than any benchmark sends in a second.
const PLENTY: usize = 1_000_000_000;

/// Retries with the recommended settings: three attempts, 100 ms doubled.
pub fn retry<S, R>(transport: S) -> impl Service<Sent, Response = Response<R>, Error = S::Error>
where
    S: Service<Sent, Response = Response<R>, Error: Send, Future: Send> + Clone + Send + 'static,
    R: Send + 'static,
{
    ServiceBuilder::new().layer(attempts()).service(transport)
}

/// Retries over a circuit breaker, a rate limit and a time limit for each attempt.
///
/// # Panics
/// Never: the settings are legal.
pub fn stack<S, R>(transport: S) -> impl Service<Sent, Response = Response<R>, Error: Debug>
where
    S: Service<Sent, Response = Response<R>, Error: Debug + Send, Future: Send> + Clone + Send + 'static,
    R: Send + 'static,
{
    ServiceBuilder::new()
        .layer(attempts())
        .layer(CircuitBreakerLayer::standard().build().expect("legal settings"))
        .layer(RateLimiterLayer::per_second(PLENTY).build().expect("legal settings"))
        .layer(TimeLimiterLayer::builder().timeout_duration(Duration::from_secs(10)).build())
        .service(transport)
}

fn attempts<R, E>() -> RetryLayer<Sent, Response<R>, E> {
    let is_failure = |response: &Response<R>| response.status().is_server_error();
    RetryLayer::exponential_backoff().retry_on_response(is_failure).build()
}
