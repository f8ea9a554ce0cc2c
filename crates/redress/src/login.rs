//! Logging in, and renewing what the login gave, over the same transport as the calls.
//!
//! Each of these is [`Credentials`](redress_refresh::Credentials) over a transport. Its requests go through a small stack of
//! their own: the dialect's classifier and retries, no credentials. They go to the one URL that was given, over https or to
//! this very machine. Give it a transport that follows no redirects, as the adapters `Hyper` and `Reqwest::new` of this
//! crate: a follower would carry a refresh token to wherever it is sent.

mod exchange;
mod json;
mod lifetime;
mod oauth2;

pub use json::JsonLogin;
pub use oauth2::{ClientAuthentication, OAuth2};
