//! Logins: [`Credentials`](redress_refresh::Credentials) that call a token endpoint over the transport of the API.
//!
//! [`JsonLogin`] is for APIs with a login of their own, [`OAuth2`] for OAuth 2.0 servers. Their requests go through a small
//! stack without credentials: the classifier and the retries of a dialect. They go to the URLs that were given, over https,
//! or over http to this machine. The transport must not follow redirects, as the adapters `Hyper` and `Reqwest::new` of
//! this crate do not: a redirect would carry the refresh token to another host.

mod error;
mod exchange;
mod json;
mod lifetime;
mod oauth2;

pub use error::InvalidLogin;
pub use json::{JsonCall, JsonLogin, TokenPlace};
pub use oauth2::{ClientAuthentication, OAuth2};
