//! Writes a dialect for an API of your own and reads an error with it. Needs no network.
//!
//! ```text
//! cargo run --example own_dialect
//! ```

use std::time::SystemTime;

use http::HeaderMap;
use redress::layers::{Envelope, Head};
use redress::{Dialect, dialects};

const ACME: &str = r#"
name = "acme"
vendor = "Acme"

[error]
is_false = "ok"

[read]
code = "fault.id"
message = ["fault.text", "fault.title"]
fields = [{ list = "fault.inputs", path = "name", message = "why" }]
hints = [{ body = "fault.wait", unit = "ms" }]

[retry]
idempotent = ["POST /orders/{id}/confirm"]

[codes.E17]
class = "rejected"
recovery = "new_input"
guidance = "The address does not exist. Ask for another one."
"#;

fn main() -> Result<(), Box<dyn std::error::Error>> {
    let acme = Dialect::from_toml("acme.toml", ACME)?;
    let body =
        br#"{"ok":false,"fault":{"id":"E17","title":"No such street","inputs":[{"name":"street","why":"unknown"}]}}"#;
    let headers = HeaderMap::new();
    let head = Head::new(200, &headers, SystemTime::UNIX_EPOCH);
    let envelope = Envelope::read(&acme, &head, [&body[..]]);
    let meaning = acme.meaning(&head, &envelope);
    println!("message   {}", envelope.message.as_deref().unwrap_or("-"));
    for field in &envelope.fields {
        println!("field     {}: {}", field.path, field.message);
    }
    println!("meaning   {}, {}: {}", meaning.class, meaning.recovery, meaning.guidance);

    // A few codes more for a shipped dialect: its unpublished ones, say.
    let vlens = dialects::vlens().extend("our-vlens.toml", "[codes.4011]\nclass = \"token_expired\"\n")?;
    println!("vlens     {} codes with ours", vlens.codes().count());

    // A mistake is named with file, line, key and what was expected.
    let mistake = Dialect::from_toml("acme.toml", &ACME.replace("\"rejected\"", "\"refused\""));
    println!("mistake   {}", mistake.expect_err("there is no such class"));
    Ok(())
}
