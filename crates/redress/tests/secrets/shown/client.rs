//! The client: what it builds, what it returns, and its error of each kind.

use std::convert::Infallible;

use http_body_util::Full;
use redress::{AttemptTimeout, Client, ClientError, RedressLayer};
use tower::service_fn;

use super::{BODY, Shown, dialect, keys, url};
use crate::{both, chain, debug};

/// A base URL with a secret in each of its parts.
const URL: &str = "http://user:c4n4ry-userinfo@api.example/c4n4ry-path";

/// An error whose code is the token of the request.
const QUOTED: &str = r#"{"error":"c4n4ry-token","code":"c4n4ry-token","message":"no such key"}"#;

fn layer() -> RedressLayer {
    RedressLayer::new(dialect()).credentials(keys(), url())
}

/// Sends a request that holds secrets to a server that quotes them.
async fn answered(status: u16, body: &'static str) -> Result<redress::ClientResponse, ClientError> {
    let transport = service_fn(move |_: http::Request<reqwest::Body>| async move {
        let response = http::Response::builder().status(status).header("set-cookie", "session=c4n4ry-cookie");
        Ok::<_, Infallible>(response.body(Full::new(body.as_bytes())).unwrap())
    });
    let client = Client::with_transport(layer(), transport).base_url(URL).unwrap();
    client.get("items").query(&[("token", "c4n4ry-query")]).bearer_auth("c4n4ry-token").send().await
}

pub(super) async fn of_client() -> Vec<Shown> {
    let client = Client::new(layer()).unwrap().base_url(URL).unwrap();
    let request = || client.post("items").query(&[("token", "c4n4ry-query")]).form(&[("secret", "c4n4ry-form")]);
    let mut errors = vec![
        request().header("x-key", "c4n4ry\n").send().await.unwrap_err(),
        request().query("c4n4ry").send().await.unwrap_err(),
        client.clone().base_url("c4n4ry").unwrap_err(),
        client.clone().base_url("http://api.example?c4n4ry").unwrap_err(),
        client.get("http://c4n4ry:port/").send().await.unwrap_err(),
        client
            .get("http://user:c4n4ry@127.0.0.1:1/c4n4ry?c4n4ry")
            .timeout(std::time::Duration::ZERO)
            .send()
            .await
            .unwrap_err(),
    ];
    let response = answered(200, "\"c4n4ry-value\"").await.unwrap();
    let shown = debug(&response);
    errors.push(response.json::<u32>().await.unwrap_err());
    errors.push(answered(200, "{\"c4n4ry\":").await.unwrap().json::<serde_json::Value>().await.unwrap_err());
    errors.push(answered(400, BODY).await.unwrap().error_for_api().unwrap_err());
    errors.push(answered(400, QUOTED).await.unwrap().error_for_api().unwrap_err());
    let failed = answered(400, BODY).await.unwrap();
    vec![
        ("redress::AttemptTimeout", debug(&AttemptTimeout::unlimited())),
        ("redress::Client", debug(&client)),
        ("redress::ClientError", errors.iter().map(|error| both(error) + &chain(error)).collect()),
        ("redress::ClientResponse", shown + &debug(&failed)),
        ("redress::RequestBuilder", debug(&request()) + &debug(&client.get("x").header("x", "c4n4ry\n"))),
        ("redress::ResponseFuture", {
            use tower::Service;
            let mut service = client.service().clone();
            debug(&service.call(request().build().unwrap()))
        }),
    ]
}
