//! Both ways to combine the stack with reqwest-middleware: as a middleware, and over a client with middleware.

mod body;
mod middleware;
mod transport;

use redress::TransportError;
use redress::transport::Reqwest;
use reqwest_middleware::Error;

pub use self::middleware::RedressMiddleware;
pub use self::transport::MiddlewareTransport;

/// Returns how far a request got. After a redirect no failure proves that it was not sent.
fn transport_error(error: Error, may_redirect: bool) -> TransportError {
    let found = match error {
        Error::Reqwest(error) => Reqwest::convert_error(error),
        // A middleware may fail before it sends the request or after.
        Error::Middleware(error) => TransportError::other(error),
    };
    if may_redirect { found.maybe_processed() } else { found }
}
