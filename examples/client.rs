//! A typed client for one API: requests and responses are types, and so are the errors that the program acts on.
//!
//! ```text
//! cargo run --example client
//! ```

use std::time::Duration;

use redress::{Client, ClientError, Dialect, Recovery, RedressLayer, StaticHeaders};
use redress_sandbox::{Fault, Sandbox};
use serde::{Deserialize, Serialize};

/// How this API reports errors. A program of its own keeps it in a file: `docs/first-dialect.md` says how to write one.
const SHOP: &str = r#"
name = "shop"
vendor = "Shop"

[read]
code = "error.code"
message = "error.message"

[codes.card_declined]
status = 402
class = "rejected"
recovery = "new_input"
guidance = "The card was declined. Ask for another one."
"#;

#[derive(Serialize)]
struct NewCharge<'a> {
    card: &'a str,
    cents: u32,
}

#[derive(Debug, Deserialize, PartialEq)]
struct Charge {
    id: String,
    cents: u32,
}

/// Why there is no charge, as far as the program acts on it.
#[derive(Debug)]
enum ChargeError {
    /// The user must give another card.
    Declined { message: String },
    /// The same order can be charged later, with the same key.
    TryLater(ClientError),
    /// A person must look at it.
    Other(ClientError),
}

struct Shop {
    client: Client,
}

impl Shop {
    fn new(url: &str, key: &str) -> Result<Self, Box<dyn std::error::Error>> {
        let keys = StaticHeaders::new().header("x-api-key", key)?;
        let layer = RedressLayer::new(Dialect::from_toml("shop.toml", SHOP)?)
            .credentials(keys, url.parse()?)
            .deadline(Duration::from_secs(20));
        Ok(Self { client: Client::new(layer)?.base_url(url)? })
    }

    /// Charges a card for an order. The order is the idempotency key: it is charged once, however often this is called.
    async fn charge(&self, order: &str, card: &str, cents: u32) -> Result<Charge, ChargeError> {
        let request = self.client.post("/charges").idempotency_key(order).json(&NewCharge { card, cents });
        let response = request.send().await.map_err(charge_error)?;
        response.json().await.map_err(charge_error)
    }

    async fn charges(&self, page: u32) -> Result<Vec<Charge>, ClientError> {
        self.client.get("/charges").query(&[("page", page)]).send().await?.json().await
    }
}

fn charge_error(error: ClientError) -> ChargeError {
    match (error.api_error().and_then(|error| error.code()), error.recovery()) {
        (Some("card_declined"), _) => {
            let message = error.api_error().and_then(|error| error.message()).unwrap_or("declined").to_owned();
            ChargeError::Declined { message }
        }
        (_, Some(Recovery::Retry)) => ChargeError::TryLater(error),
        _ => ChargeError::Other(error),
    }
}

/// The text for the program's log.
fn told(error: &ChargeError) -> String {
    match error {
        ChargeError::Declined { message } => format!("the card was declined: {message}"),
        ChargeError::TryLater(error) => format!("try later, after {:?}: {error}", error.retry_at()),
        ChargeError::Other(error) => error.to_string(),
    }
}

#[tokio::main(flavor = "current_thread")]
async fn main() -> Result<(), Box<dyn std::error::Error>> {
    let server = Sandbox::start_dialect(Dialect::from_toml("shop.toml", SHOP)?).await?;
    let charged = r#"{"id":"ch_1","cents":100}"#;
    server.script(
        "POST /charges",
        [
            Fault::answer().code("card_declined").message("insufficient funds"),
            Fault::drop(),
            Fault::answer().body(charged),
        ],
    );
    server.script("GET /charges", [Fault::answer().body(format!("[{charged}]")), Fault::error(404)]);
    let shop = Shop::new(&server.url(), "my-key")?;

    let declined = shop.charge("order-1", "4000", 100).await;
    assert!(
        matches!(&declined, Err(ChargeError::Declined { message }) if message == "insufficient funds"),
        "{declined:?}"
    );

    // The first answer is lost. The key makes it safe to send the charge again.
    let charge = shop.charge("order-2", "4242", 100).await.map_err(|error| told(&error))?;
    println!("charged {charge:?}");
    assert_eq!(shop.charges(1).await?, [charge]);

    // The text for the log, and the one for the vendor's support.
    let error = shop.charges(2).await.expect_err("there is no second page");
    println!("{error}\n{}", error.api_error().map(|error| error.report()).unwrap_or_default());
    assert_eq!(error.status().map(|status| status.as_u16()), Some(404));
    assert_eq!(server.log().len(), 5);
    Ok(())
}
