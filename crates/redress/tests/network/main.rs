//! hyper's client over a simulated network: messages are lost and late, hosts crash, and time is virtual.
//!
//! The network is turmoil's, and every run is made of a seed. `REDRESS_SEEDS` sets how many there are; `-- --nocapture` shows
//! what became of them.
#![allow(clippy::unwrap_used, reason = "what helps a test is a test")]

mod black_hole;
mod chaos;
mod connector;
mod idle;
mod upstream;
mod wire;

use http::Request;

/// The upstream's name, its address in URLs, and the caller's name.
const UPSTREAM: &str = "upstream";
const URL: &str = "http://127.0.0.1";
const CALLER: &str = "caller";

/// The header that tells the calls apart.
const CALL: &str = "x-call";

fn request(method: &str, call: u32) -> Request<String> {
    let request = Request::builder().method(method).uri(format!("{URL}/v1/things")).header(CALL, call);
    request.body("payload".to_owned()).unwrap()
}

fn call_of<B>(request: &Request<B>) -> u32 {
    request.headers()[CALL].to_str().unwrap().parse().unwrap()
}

/// How many seeds a test runs: `REDRESS_SEEDS`, or its own number.
fn seeds(default: u64) -> u64 {
    std::env::var("REDRESS_SEEDS").ok().map_or(default, |text| text.parse().expect("REDRESS_SEEDS is a number"))
}
