//! The kinds of calls to an issuer.

use std::fmt;

/// The kind of a call to an issuer. There are only these two, so that the enum is exhaustive.
///
/// # Examples
/// ```
/// use redress_refresh::Purpose;
///
/// assert_eq!(Purpose::Login.to_string(), "login");
/// ```
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Purpose {
    /// A login, which presents no refresh token.
    Login,
    /// A refresh, which presents a refresh token.
    Refresh,
}

impl Purpose {
    pub(crate) const fn name(self) -> &'static str {
        match self {
            Self::Login => "login",
            Self::Refresh => "refresh",
        }
    }
}

impl fmt::Display for Purpose {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name())
    }
}
