//! The error of a login whose settings are wrong.

use std::error::Error as StdError;
use std::fmt;

/// A wrong setting of a login. The text contains no value of the setting, which may be secret.
///
/// # Examples
/// ```
/// use redress::login::JsonCall;
///
/// let error = JsonCall::post("http://api.example/session").unwrap_err();
/// assert_eq!(error.to_string(), "the URL of the login is not allowed: plain http is for loopback addresses only");
/// ```
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct InvalidLogin {
    text: String,
}

impl InvalidLogin {
    pub(super) fn new(text: impl Into<String>) -> Self {
        Self { text: text.into() }
    }
}

impl fmt::Display for InvalidLogin {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.text)
    }
}

impl StdError for InvalidLogin {}
