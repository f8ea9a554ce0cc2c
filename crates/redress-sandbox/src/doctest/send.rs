// The client of the examples in this crate, which include this file. Sends a request with the credentials of the vendor.
use http_body_util::{BodyExt, Full};
use hyper_util::{client::legacy::Client, rt::TokioExecutor};
type Result<T> = std::result::Result<T, Box<dyn std::error::Error>>;
async fn send(sandbox: &Sandbox, call: &str, body: &'static str) -> Result<http::Response<String>> {
    let (method, path) = call.split_once(' ').expect("a method and a path");
    let mut request = http::Request::builder().method(method).uri(format!("{}{path}", sandbox.url()));
    for credential in sandbox.vendor().map_or(&[][..], Vendor::credentials) {
        if credential.place == "header" && !request.headers_ref().unwrap().contains_key(credential.name) {
            request = request.header(credential.name, credential.value);
        }
    }
    let client = Client::builder(TokioExecutor::new()).build_http();
    let (head, body) = client.request(request.body(Full::<bytes::Bytes>::from(body))?).await?.into_parts();
    Ok(http::Response::from_parts(head, String::from_utf8(body.collect().await?.to_bytes().into())?))
}
