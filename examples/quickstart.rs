//! Calls an API with a bearer token. The server answers the first request with a 429, which is waited out.
//!
//! ```text
//! cargo run --example quickstart
//! ```

use std::time::Duration;

use redress::{Client, RedressLayer, StaticHeaders, dialects};
use redress_sandbox::{Fault, Sandbox};

#[tokio::main(flavor = "current_thread")]
async fn main() -> Result<(), Box<dyn std::error::Error>> {
    // A server on this machine, in the place of your API.
    let server = Sandbox::start_dialect(dialects::generic()).await?;
    let items = Fault::answer().body(r#"["apple","pear"]"#);
    server.script("GET /v1/items", [Fault::error(429).retry_after("1"), items]);
    let url = server.url();

    let token = StaticHeaders::new().header("authorization", "Bearer my-token")?;
    let layer =
        RedressLayer::new(dialects::generic()).credentials(token, url.parse()?).deadline(Duration::from_secs(20));
    let client = Client::new(layer)?.base_url(format!("{url}/v1"))?;

    let items: Vec<String> = client.get("/items").query(&[("limit", 10)]).send().await?.json().await?;
    println!("{items:?}");

    assert_eq!(items, ["apple", "pear"]);
    assert_eq!(server.log().len(), 2, "the 429 and the answer");
    Ok(())
}
