//! The text of a transport error, and its source.

use std::error::Error as StdError;
use std::fmt;

use super::refusal::Refusal;
use super::{Kind, TransportError};

impl fmt::Display for TransportError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if let Kind::Timeout(Some(limit)) = self.kind {
            return write!(f, "timed out after {} s", limit.as_secs_f64());
        }
        f.write_str(match self.kind {
            Kind::Request => "invalid request: check its URI and headers",
            Kind::Connect => "could not connect",
            Kind::ConnectTimeout => "could not connect in time",
            Kind::Refused(Refusal::Certificate) => {
                "the server's certificate was not accepted: check its issuer, names and dates"
            }
            Kind::Refused(Refusal::Tls) => {
                "the server refused the TLS handshake: check the client's certificate and TLS settings"
            }
            Kind::Refused(Refusal::Proxy) => {
                "the proxy refused to connect: check its address, its credentials and the hosts it allows"
            }
            Kind::NotSent => "the request was not sent",
            Kind::RefusedStream => "the server refused the request before processing it",
            Kind::RateLimited => "the server asked for fewer requests and sent no response",
            Kind::Timeout(_) => "no response in time",
            Kind::Closed => "the connection closed before the response began",
            Kind::Body => "body broke off",
            Kind::Other => "connection failed",
        })
    }
}

impl StdError for TransportError {
    fn source(&self) -> Option<&(dyn StdError + 'static)> {
        Some(self.source.as_ref())
    }
}
