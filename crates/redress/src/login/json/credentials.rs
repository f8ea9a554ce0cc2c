//! The calls of a JSON login, and the token sets of their responses.

use std::time::Duration;

use http::Response;
use http::header::AUTHORIZATION;
use redress_classify::BoxError;
use redress_refresh::{Credentials, Explanation, Failure, Purpose, TokenSet};
use secrecy::SecretString;
use tower_service::Service;

use super::pointer::Pointer;
use super::{JsonCall, JsonLogin, TokenPlace};
use crate::login::exchange::{Answer, no_access_token, token_set};
use crate::login::lifetime;

type Request = http::Request<String>;

impl<S> JsonLogin<S> {
    /// Returns the token set of a response.
    fn token_set(&self, answer: &Answer) -> Result<TokenSet, Failure> {
        let access_token = self.access_token.text(&answer.body);
        let refresh_token = self.renewal.as_ref().and_then(|renewal| match &renewal.refresh_token {
            Some(pointer) => pointer.text(&answer.body),
            None => access_token,
        });
        let headers = access_token.ok_or_else(no_access_token).and_then(|token| self.credentials(token));
        token_set(headers, refresh_token, self.lifetime(answer, access_token))
    }

    fn credentials(&self, token: &str) -> Result<TokenSet, Failure> {
        let (name, prefix) = &self.token_header;
        let mut set = match prefix.as_str() {
            "Bearer " if *name == AUTHORIZATION => TokenSet::bearer(token)?,
            _ => TokenSet::new().header(name.clone(), format!("{prefix}{token}"))?,
        };
        for (name, value) in &self.headers {
            set = set.header(name.clone(), value.clone())?;
        }
        Ok(set)
    }

    fn lifetime(&self, answer: &Answer, access_token: Option<&str>) -> Option<Duration> {
        let member = |pointer: &Option<Pointer>| pointer.as_ref().and_then(|pointer| pointer.find(&answer.body));
        let stated = member(&self.expires_in).and_then(lifetime::from_seconds);
        let dated = || member(&self.expires_at).and_then(|date| lifetime::from_date(date, answer.server_now));
        let of_jwt = || access_token.and_then(|token| lifetime::from_jwt(token, Some(answer.server_now)));
        stated.or_else(dated).or_else(of_jwt)
    }
}

impl<S, R> JsonLogin<S>
where
    S: Service<Request, Response = Response<R>> + Clone + Send + Sync + 'static,
    S::Error: Into<BoxError>,
    S::Future: Send,
    R: http_body::Body + Unpin + Send,
    R::Data: Send,
    R::Error: Into<BoxError> + Send,
{
    async fn call(
        &self,
        call: &JsonCall,
        token: Option<(&TokenPlace, &SecretString)>,
        purpose: Purpose,
    ) -> Result<TokenSet, Failure> {
        let request = call.request(&self.headers, token);
        let secrets = call.secrets().chain(token.map(|(_, token)| token));
        let failure = |response: &Response<_>| Failure::from_response(response, purpose);
        let answer = self.exchange.send(request, secrets, purpose, failure).await;
        let set = answer.and_then(|answer| self.token_set(&answer));
        set.map_err(|failure| failure.with_endpoint(call.uri()))
    }
}

impl<S, R> Credentials for JsonLogin<S>
where
    S: Service<Request, Response = Response<R>> + Clone + Send + Sync + 'static,
    S::Error: Into<BoxError>,
    S::Future: Send,
    R: http_body::Body + Unpin + Send,
    R::Data: Send,
    R::Error: Into<BoxError> + Send,
{
    async fn login(&self) -> Result<TokenSet, Failure> {
        self.call(&self.login, None, Purpose::Login).await
    }

    async fn refresh(&self, refresh_token: &SecretString) -> Result<TokenSet, Failure> {
        let Some(renewal) = &self.renewal else {
            return Err(Failure::invalid_grant(Explanation::new("the login has no refresh call")));
        };
        self.call(&renewal.call, Some((&renewal.sent_as, refresh_token)), Purpose::Refresh).await
    }
}

#[cfg(test)]
mod tests {
    use redress_classify::dialects;

    use super::*;

    #[test]
    fn a_bearer_token_has_no_blank_and_a_token_in_another_header_may_have_one() {
        for (name, prefix, token, is_accepted) in [
            ("authorization", "Bearer ", "word", true),
            ("authorization", "Bearer ", "two words", false),
            ("authorization", "Token ", "two words", true),
            ("x-auth-token", "Bearer ", "two words", true),
            ("x-auth-token", "", "two words", true),
        ] {
            let call = JsonCall::post("https://id.example/login").unwrap();
            let login = JsonLogin::new((), dialects::generic(), call, "/token").unwrap();
            let login = login.token_header(name, prefix).unwrap();
            assert_eq!(login.credentials(token).is_ok(), is_accepted, "{name}: {prefix}{token}");
        }
    }
}
