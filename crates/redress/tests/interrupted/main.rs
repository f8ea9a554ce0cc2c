//! Calls that are dropped, and calls whose own code panics: what they leave behind is nothing.
#![allow(clippy::unwrap_used, reason = "what helps a test is a test")]

mod body;
mod drops;
mod panics;
mod scenarios;

use http::{Request, Response};
use redress::login::JsonLogin;
use redress::{Class, CloneBody, Code, Dialect, dialects};
use redress_sandbox::strict_mock::{Answer, Handle, StrictMock};

use self::body::Slow;

type Mock = StrictMock<Request<Upload>, Response<Slow>>;
type Logins = StrictMock<Request<String>, Response<Slow>>;

const URL: &str = "https://api.example";
const EXPIRED: &str = r#"{"data":null,"error_code":4011,"error_message":"expired"}"#;
const LOGIN: &str = r#"{"data":{"accessToken":"first","refreshToken":"r1","expiresIn":3600},"error_code":null}"#;
const REFRESH: &str = r#"{"data":{"accessToken":"second","refreshToken":"r2","expiresIn":3600},"error_code":null}"#;
const SUCCESS: &str = r#"{"data":1,"error_code":null}"#;

/// A request body that may be one that cannot be copied.
#[derive(Clone, Debug)]
struct Upload {
    can_be_copied: bool,
}

impl CloneBody for Upload {
    fn try_clone(&self) -> Option<Self> {
        self.can_be_copied.then(|| self.clone())
    }
}

fn request(method: &str) -> Request<Upload> {
    Request::builder().method(method).uri(format!("{URL}/v1/things")).body(Upload { can_be_copied: true }).unwrap()
}

fn answer(status: u16, text: &'static str) -> Answer<Response<Slow>> {
    Answer::ok(Response::builder().status(status).body(Slow::whole(text)).unwrap())
}

fn dialect() -> Dialect {
    dialects::vlens().with_code(Code::new("4011", Class::TokenExpired))
}

fn mock(answers: Vec<Answer<Response<Slow>>>) -> (Mock, Handle<Request<Upload>>) {
    // A call that has to wait for a token gives its place back, on purpose.
    let mock = StrictMock::scripted(answers).allow_abandoned();
    let handle = mock.handle();
    (mock, handle)
}

fn login(answers: Vec<Answer<Response<Slow>>>) -> (JsonLogin<Logins>, Handle<Request<String>>) {
    let logins = StrictMock::scripted(answers).allow_abandoned();
    let handle = logins.handle();
    (JsonLogin::vlens(logins, URL, "key", "user", "password").unwrap(), handle)
}
