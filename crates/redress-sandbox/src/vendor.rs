//! The five vendors.

pub(crate) mod maleslab;
pub(crate) mod ranex;
pub(crate) mod veridia;
pub(crate) mod verilock;
pub(crate) mod vlens;

use std::fmt;
use std::str::FromStr;
use std::sync::Arc;

use axum::Router;
use bytes::Bytes;
use http::{HeaderMap, StatusCode};
use serde::{Deserialize, Serialize};

use crate::code::Code;
use crate::credential::Credential;
use crate::limits::Limits;
use crate::outcome::{Outcome, Problem};
use crate::tokens::{Tokens, bearer};

/// An identity-verification vendor that a sandbox can play.
///
/// Its text form, also in JSON, is the name in lower case.
///
/// # Examples
///
/// ```
/// use redress_sandbox::Vendor;
///
/// assert_eq!("verilock".parse(), Ok(Vendor::Verilock));
/// assert_eq!(Vendor::Vlens.to_string(), "vlens");
/// assert!("acme".parse::<Vendor>().is_err());
/// ```
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Vendor {
    /// Signals errors by `error_code` in the body, also at status 200. Bearer tokens beside an `ApiKey`.
    Vlens,
    /// Signals errors by the string `error`. Bearer keys, credits, limits per minute.
    Veridia,
    /// Signals errors by status; the body has only a `message`. A key and a secret.
    Ranex,
    /// Signals errors by `error.code`. An API key or bearer tokens.
    Maleslab,
    /// Signals errors by status and the string `error`; the shape of `details` depends on it. An API key.
    Verilock,
}

/// The name of no vendor.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct UnknownVendor(String);

impl Vendor {
    /// All vendors.
    pub const ALL: [Self; 5] = [Self::Vlens, Self::Veridia, Self::Ranex, Self::Maleslab, Self::Verilock];

    /// Returns the vendor's name, in lower case.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Vlens => "vlens",
            Self::Veridia => "veridia",
            Self::Ranex => "ranex",
            Self::Maleslab => "maleslab",
            Self::Verilock => "verilock",
        }
    }

    /// Returns what the sandbox accepts as credentials. They are the same in every sandbox, and no secrets.
    pub const fn credentials(self) -> &'static [Credential] {
        match self {
            Self::Vlens => vlens::CREDENTIALS,
            Self::Veridia => veridia::CREDENTIALS,
            Self::Ranex => ranex::CREDENTIALS,
            Self::Maleslab => maleslab::CREDENTIALS,
            Self::Verilock => verilock::CREDENTIALS,
        }
    }

    /// Makes a fresh server state.
    pub(crate) fn api(self) -> Arc<dyn Api> {
        match self {
            Self::Vlens => Arc::new(vlens::Vlens::new()),
            Self::Veridia => Arc::new(veridia::Veridia::new()),
            Self::Ranex => Arc::new(ranex::Ranex::default()),
            Self::Maleslab => Arc::new(maleslab::Maleslab::new()),
            Self::Verilock => Arc::new(verilock::Verilock::default()),
        }
    }
}

impl fmt::Display for Vendor {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(self.name())
    }
}

impl FromStr for Vendor {
    type Err = UnknownVendor;

    fn from_str(text: &str) -> Result<Self, UnknownVendor> {
        let found = Self::ALL.into_iter().find(|vendor| vendor.name() == text);
        found.ok_or_else(|| UnknownVendor(text.to_owned()))
    }
}

impl fmt::Display for UnknownVendor {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let names = Vendor::ALL.map(Vendor::name).join(", ");
        write!(f, "unknown vendor `{}`, expected one of {names}", self.0)
    }
}

impl std::error::Error for UnknownVendor {}

/// One vendor's server: its routes, its words, its state.
pub(crate) trait Api: Send + Sync + 'static {
    fn router(self: Arc<Self>) -> Router;

    /// Finds the vendor's words for a status or a code that a fault or the router names. At least one is given.
    fn problem(&self, status: Option<StatusCode>, code: Option<Code>) -> Problem;

    /// Puts the vendor's envelope around an outcome.
    fn body(&self, outcome: &Outcome, call: &Call) -> Bytes;

    /// Whether every response carries an `X-Request-Id` header.
    fn names_requests(&self) -> bool {
        false
    }

    fn tokens(&self) -> Option<&Tokens> {
        None
    }

    fn limits(&self) -> Option<&Limits> {
        None
    }

    fn tally(&self) -> Tally {
        Tally::default()
    }

    fn set_credits(&self, _credits: u64) {}

    fn set_errors_at_status(&self, _at_status: bool) {}

    /// Returns the generation of the access token that a request presents.
    fn generation(&self, headers: &HeaderMap) -> Option<u64> {
        self.tokens()?.standing(bearer(headers)?).generation()
    }
}

/// What an envelope says about the call itself.
#[derive(Debug)]
pub(crate) struct Call {
    pub(crate) id: String,
    pub(crate) timestamp: String,
}

/// What a vendor's state holds; zero for what the vendor does not have.
#[derive(Debug, Default)]
pub(crate) struct Tally {
    pub(crate) applicants: usize,
    pub(crate) verifications: usize,
    pub(crate) documents: usize,
    pub(crate) sessions: usize,
    pub(crate) collections: usize,
    pub(crate) faces: usize,
    pub(crate) credits: u64,
}

/// Serialises an envelope.
fn json(value: &impl Serialize) -> Bytes {
    serde_json::to_vec(value).expect("envelopes are structs and JSON values, which always serialise").into()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_vendor_is_read_from_the_name_it_is_shown_by() {
        for vendor in Vendor::ALL {
            assert_eq!(vendor.to_string().parse(), Ok(vendor));
            assert_eq!(serde_json::to_value(vendor).unwrap(), vendor.name());
        }
        let error = "Vlens".parse::<Vendor>().unwrap_err();
        assert!(error.to_string().contains("vlens, veridia, ranex, maleslab, verilock"));
    }
}
