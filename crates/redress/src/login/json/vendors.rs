//! The JSON logins of vendors.

use redress_classify::dialects;
use redress_envelope::Dialect;

use super::{JsonCall, JsonLogin, TokenPlace};
use crate::login::error::InvalidLogin;

impl<S> JsonLogin<S> {
    /// Logs in to Vlens: `POST /api/credentials/Login`, then `POST /api/credentials/RefreshToken`.
    ///
    /// Vlens documents the two routes and not their bodies. This sends `username` and `password`, or `refreshToken`, and
    /// reads `data.accessToken`, `data.refreshToken` and `data.expiresIn`. The token set has two headers, `ApiKey` and
    /// `Authorization`.
    ///
    /// # Errors
    /// Returns an error if `base` is not a URL, or not an https one (http is for loopback addresses), or if no header can
    /// carry `api_key`.
    ///
    /// # Examples
    /// ```
    /// use redress::login::JsonLogin;
    /// use redress::transport::Reqwest;
    ///
    /// # fn login(transport: Reqwest) -> Result<impl redress::Credentials, redress::BoxError> {
    /// let login = JsonLogin::vlens(transport, "https://api.vlens.example", "api key", "user", "password")?;
    /// # Ok(login) }
    /// ```
    pub fn vlens(
        transport: S,
        base: &str,
        api_key: &str,
        username: &str,
        password: &str,
    ) -> Result<Self, InvalidLogin> {
        let login = JsonCall::post(&at(base, "/api/credentials/Login"))?
            .secret("/username", username)?
            .secret("/password", password)?;
        let refresh = JsonCall::post(&at(base, "/api/credentials/RefreshToken"))?;
        Self::new(transport, dialects::vlens(), login, "/data/accessToken")?
            .refresh(refresh, TokenPlace::Member("/refreshToken".to_owned()), "/data/refreshToken")?
            .expires_in("/data/expiresIn")?
            .header("apikey", api_key)
    }

    /// Logs in to Maleslab: `POST /api/v1/auth/login`, then `POST /api/v1/auth/refresh`.
    ///
    /// Maleslab documents that a token is refreshed and not how. The routes and the members `email`, `password`,
    /// `refresh_token`, `data.access_token`, `data.refresh_token` and `data.expires_in` follow its other names.
    ///
    /// # Errors
    /// Returns an error if `base` is not a URL, or not an https one; http is for loopback addresses.
    ///
    /// # Examples
    /// ```
    /// use redress::login::JsonLogin;
    ///
    /// # let transport = ();
    /// let login = JsonLogin::maleslab(transport, "https://api.maleslab.example", "mail@example.com", "password");
    /// assert!(login.is_ok());
    /// ```
    pub fn maleslab(transport: S, base: &str, email: &str, password: &str) -> Result<Self, InvalidLogin> {
        let login =
            JsonCall::post(&at(base, "/api/v1/auth/login"))?.secret("/email", email)?.secret("/password", password)?;
        let refresh = JsonCall::post(&at(base, "/api/v1/auth/refresh"))?;
        Self::new(transport, dialects::maleslab(), login, "/data/access_token")?
            .refresh(refresh, TokenPlace::Member("/refresh_token".to_owned()), "/data/refresh_token")?
            .expires_in("/data/expires_in")
    }

    /// Logs in to an API with Django's Simple JWT: `POST /api/token/`, then `POST /api/token/refresh/`.
    ///
    /// These are the routes of its documentation, with its members `username`, `password`, `access` and `refresh`; the
    /// lifetime is in the access token. The errors are read by the dialect `drf`, of Django REST framework: the code
    /// `token_not_valid` refuses a refresh token. A wrong password has no code, so that the login then cools down for a minute.
    ///
    /// # Errors
    /// Returns an error if `base` is not a URL, or not an https one; http is for loopback addresses.
    ///
    /// # Examples
    /// ```
    /// use redress::login::JsonLogin;
    ///
    /// # let transport = ();
    /// let login = JsonLogin::simplejwt(transport, "https://api.example", "user", "password");
    /// assert!(login.is_ok());
    /// ```
    pub fn simplejwt(transport: S, base: &str, username: &str, password: &str) -> Result<Self, InvalidLogin> {
        let login =
            JsonCall::post(&at(base, "/api/token/"))?.secret("/username", username)?.secret("/password", password)?;
        let refresh = JsonCall::post(&at(base, "/api/token/refresh/"))?;
        Self::new(transport, drf(), login, "/access")?.refresh(
            refresh,
            TokenPlace::Member("/refresh".to_owned()),
            "/refresh",
        )
    }
}

fn at(base: &str, path: &str) -> String {
    format!("{}{path}", base.trim_end_matches('/'))
}

fn drf() -> Dialect {
    dialects::by_name("drf").expect("it is among the shipped dialects")
}
