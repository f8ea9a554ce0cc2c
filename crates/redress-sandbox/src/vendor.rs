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

/// An identity-verification vendor that a sandbox can imitate.
///
/// The text form is the name in lower case, also in JSON.
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
// Exhaustive: a test that runs against each vendor must not skip a new one.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Vendor {
    /// Errors are signalled by `error_code` in the body, also at status 200. Bearer tokens in addition
    /// to an `ApiKey` header.
    Vlens,
    /// Errors are signalled by the string `error`. Bearer keys, credits, limits per minute.
    Veridia,
    /// Errors are signalled by the status; the body has only a `message`. A key and a secret.
    Ranex,
    /// Errors are signalled by `error.code`. An API key or bearer tokens.
    Maleslab,
    /// Errors are signalled by the status and the string `error`; the form of `details` depends on the
    /// status. An API key.
    Verilock,
}

/// The error for an unknown vendor name. Its text lists the known names.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct UnknownVendor(String);

impl Vendor {
    /// All vendors.
    pub const ALL: [Self; 5] = [Self::Vlens, Self::Veridia, Self::Ranex, Self::Maleslab, Self::Verilock];

    /// Returns the name in lower case.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Vlens => "vlens",
            Self::Veridia => "veridia",
            Self::Ranex => "ranex",
            Self::Maleslab => "maleslab",
            Self::Verilock => "verilock",
        }
    }

    /// Returns the credentials that the sandbox accepts. They are public and the same in every sandbox.
    ///
    /// # Examples
    /// ```
    /// use redress_sandbox::Vendor;
    ///
    /// let key = Vendor::Verilock.credentials().iter().find(|credential| credential.limits.is_empty()).unwrap();
    /// assert_eq!((key.place, key.name, key.value), ("header", "X-API-Key", "sandbox-api-key"));
    /// ```
    pub const fn credentials(self) -> &'static [Credential] {
        match self {
            Self::Vlens => vlens::CREDENTIALS,
            Self::Veridia => veridia::CREDENTIALS,
            Self::Ranex => ranex::CREDENTIALS,
            Self::Maleslab => maleslab::CREDENTIALS,
            Self::Verilock => verilock::CREDENTIALS,
        }
    }

    /// Creates the state of a new server.
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

/// The server of one vendor: routes, wording and state.
pub(crate) trait Api: Send + Sync + 'static {
    fn router(self: Arc<Self>) -> Router;

    /// Returns the vendor's error for a status or a code. At least one of them is given.
    fn problem(&self, status: Option<StatusCode>, code: Option<Code>) -> Problem;

    /// Applies the vendor's envelope to an outcome.
    fn body(&self, outcome: &Outcome, call: &Call) -> Bytes;

    /// Returns `true` if every response carries an `X-Request-Id` header.
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
        self.tokens()?.status(bearer(headers)?).generation()
    }
}

/// Data about the call that some envelopes contain.
#[derive(Debug)]
pub(crate) struct Call {
    pub(crate) id: String,
    pub(crate) timestamp: String,
}

/// Counts of the vendor's state; zero for resources that the vendor does not have.
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
    fn a_vendor_parses_from_its_display_name() {
        for vendor in Vendor::ALL {
            assert_eq!(vendor.to_string().parse(), Ok(vendor));
            assert_eq!(serde_json::to_value(vendor).unwrap(), vendor.name());
        }
        let error = "Vlens".parse::<Vendor>().unwrap_err();
        assert!(error.to_string().contains("vlens, veridia, ranex, maleslab, verilock"));
    }
}
