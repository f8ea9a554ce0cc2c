//! The state of the imitated vendor: switches that a test sets, and counters that show the effects of requests.
//!
//! The counters detect work that was done twice. A test compares them with the number of calls, not with the number of
//! requests in the log.

use std::time::Duration;

use super::Sandbox;
use crate::tokens::Tokens;

impl Sandbox {
    /// Expires all access tokens issued so far (vlens, maleslab). Refresh tokens stay valid, so a
    /// client must refresh.
    ///
    /// # Examples
    ///
    /// ```
    /// use redress_sandbox::{Sandbox, Vendor};
    ///
    /// # use http_body_util::{BodyExt, Full};
    /// # use hyper_util::{client::legacy::Client, rt::TokioExecutor};
    /// # #[tokio::main(flavor = "current_thread")]
    /// # async fn main() -> Result<(), Box<dyn std::error::Error>> {
    /// # let client = Client::builder(TokioExecutor::new()).build_http();
    /// let sandbox = Sandbox::start(Vendor::Vlens).await?;
    /// let login = http::Request::post(format!("{}/api/credentials/Login", sandbox.url()))
    ///     .header("ApiKey", "sandbox-api-key")
    ///     .body(Full::<bytes::Bytes>::from(r#"{"username":"sandbox","password":"sandbox"}"#))?;
    /// assert_eq!(client.request(login).await?.status(), 200);
    /// assert_eq!(sandbox.generation(), 1);
    ///
    /// sandbox.expire_tokens();
    /// // A protected route now answers with `redress_sandbox::vlens::ACCESS_TOKEN_EXPIRED`.
    /// # Ok(())
    /// # }
    /// ```
    pub fn expire_tokens(&self) {
        if let Some(tokens) = self.server.api.tokens() {
            tokens.expire();
        }
    }

    /// Revokes all refresh tokens issued so far (vlens, maleslab). Access tokens stay valid until they
    /// expire; then a client must log in.
    pub fn revoke_refresh_tokens(&self) {
        if let Some(tokens) = self.server.api.tokens() {
            tokens.revoke_refresh_tokens();
        }
    }

    /// Returns the generation of the newest access token: 0 before the first, and one more with each
    /// login or refresh. It counts refreshes.
    pub fn generation(&self) -> u64 {
        self.server.api.tokens().map_or(0, Tokens::generation)
    }

    /// Revokes all tokens of a login once one of its refresh tokens is used again (vlens, maleslab), as OAuth 2.0 Security
    /// (RFC 9700, section 4.14.2) recommends. Within the grace after its first use a refresh token gets another pair, as
    /// issuers do for clients that lost an answer. Without it, a second use is refused and nothing else happens.
    ///
    /// # Examples
    ///
    /// ```
    /// use redress_sandbox::{Sandbox, Vendor};
    /// use std::time::Duration;
    ///
    /// # #[tokio::main(flavor = "current_thread")]
    /// # async fn main() -> std::io::Result<()> {
    /// let sandbox = Sandbox::start(Vendor::Vlens).await?;
    /// sandbox.detect_reuse(Duration::from_secs(30));
    /// assert_eq!((sandbox.logins(), sandbox.reused_refresh_tokens()), (0, 0));
    /// # Ok(())
    /// # }
    /// ```
    pub fn detect_reuse(&self, grace: Duration) {
        if let Some(tokens) = self.server.api.tokens() {
            tokens.detect_reuse(grace);
        }
    }

    /// Returns how often a refresh token was used again, outside the grace of [`detect_reuse`](Self::detect_reuse) (vlens,
    /// maleslab).
    pub fn reused_refresh_tokens(&self) -> u64 {
        self.server.api.tokens().map_or(0, Tokens::reused)
    }

    /// Returns the number of logins that succeeded (vlens, maleslab).
    pub fn logins(&self) -> u64 {
        self.server.api.tokens().map_or(0, Tokens::logins)
    }

    /// Sets where vlens reports business and token errors: at a fitting status, or at 200 (the
    /// default).
    ///
    /// # Examples
    ///
    /// ```
    /// use redress_sandbox::{Sandbox, Vendor};
    ///
    /// # include!(concat!(env!("CARGO_MANIFEST_DIR"), "/src/doctest/send.rs"));
    /// # #[tokio::main(flavor = "current_thread")]
    /// # async fn main() -> Result<()> {
    /// let sandbox = Sandbox::start(Vendor::Vlens).await?;
    /// let login = r#"{"username":"sandbox","password":"wrong"}"#;
    /// assert_eq!(send(&sandbox, "POST /api/credentials/Login", login).await?.status(), 200);
    /// sandbox.errors_at_status(true);
    /// assert_eq!(send(&sandbox, "POST /api/credentials/Login", login).await?.status(), 401);
    /// # Ok(())
    /// # }
    /// ```
    pub fn errors_at_status(&self, at_status: bool) {
        self.server.api.set_errors_at_status(at_status);
    }

    /// Removes the rate limits per minute (veridia, ranex), for tests with many requests.
    ///
    /// # Examples
    ///
    /// ```
    /// use redress_sandbox::{Sandbox, Vendor};
    ///
    /// # include!(concat!(env!("CARGO_MANIFEST_DIR"), "/src/doctest/send.rs"));
    /// # #[tokio::main(flavor = "current_thread")]
    /// # async fn main() -> Result<()> {
    /// let sandbox = Sandbox::start(Vendor::Ranex).await?;
    /// for _ in 0..20 {
    ///     assert_eq!(send(&sandbox, "POST /v1/auth/token", "").await?.status(), 200);
    /// }
    /// assert_eq!(send(&sandbox, "POST /v1/auth/token", "").await?.status(), 429, "20 per minute");
    /// sandbox.lift_limits();
    /// assert_eq!(send(&sandbox, "POST /v1/auth/token", "").await?.status(), 200);
    /// # Ok(())
    /// # }
    /// ```
    pub fn lift_limits(&self) {
        if let Some(limits) = self.server.api.limits() {
            limits.lift();
        }
    }

    /// Sets the number of verifications that can still be started (veridia). Default: one million.
    ///
    /// # Examples
    ///
    /// ```
    /// use redress_sandbox::{Sandbox, Vendor};
    ///
    /// # include!(concat!(env!("CARGO_MANIFEST_DIR"), "/src/doctest/send.rs"));
    /// # #[tokio::main(flavor = "current_thread")]
    /// # async fn main() -> Result<()> {
    /// let sandbox = Sandbox::start(Vendor::Veridia).await?;
    /// sandbox.set_credits(1);
    /// let init = r#"{"userRef":"user-1","country":"ES","documentType":"dni"}"#;
    /// assert!(send(&sandbox, "POST /v1/verify/init", init).await?.status().is_success());
    /// assert_eq!((sandbox.credits(), sandbox.verifications()), (0, 1));
    /// assert_eq!(send(&sandbox, "POST /v1/verify/init", init).await?.status(), 403);
    /// # Ok(())
    /// # }
    /// ```
    pub fn set_credits(&self, credits: u64) {
        self.server.api.set_credits(credits);
    }

    /// Returns the number of verifications that can still be started (veridia).
    pub fn credits(&self) -> u64 {
        self.server.api.tally().credits
    }

    /// Returns the number of applicants (ranex). Creation is idempotent: a repeated request must not
    /// add one.
    ///
    /// # Examples
    ///
    /// ```
    /// use redress_sandbox::{Sandbox, Vendor};
    ///
    /// # include!(concat!(env!("CARGO_MANIFEST_DIR"), "/src/doctest/send.rs"));
    /// # #[tokio::main(flavor = "current_thread")]
    /// # async fn main() -> Result<()> {
    /// let sandbox = Sandbox::start(Vendor::Ranex).await?;
    /// let create = r#"{"externalUserId":"user-1"}"#;
    /// assert_eq!(send(&sandbox, "POST /v1/applicants", create).await?.status(), 201);
    /// assert_eq!(send(&sandbox, "POST /v1/applicants", create).await?.status(), 200, "the same applicant");
    /// assert_eq!(sandbox.applicants(), 1);
    /// # Ok(())
    /// # }
    /// ```
    pub fn applicants(&self) -> usize {
        self.server.api.tally().applicants
    }

    /// Returns the number of verifications started (ranex, veridia). Each request adds one, also a
    /// repeated one.
    pub fn verifications(&self) -> usize {
        self.server.api.tally().verifications
    }

    /// Returns the number of documents (ranex). Each request adds one, also a repeated one.
    pub fn documents(&self) -> usize {
        self.server.api.tally().documents
    }

    /// Returns the number of sessions (verilock).
    pub fn sessions(&self) -> usize {
        self.server.api.tally().sessions
    }

    /// Returns the number of collections (maleslab).
    pub fn collections(&self) -> usize {
        self.server.api.tally().collections
    }

    /// Returns the number of faces in all collections (maleslab).
    pub fn faces(&self) -> usize {
        self.server.api.tally().faces
    }
}
