use redress_envelope::{Dialect, dialects};
use redress_sandbox::{Fault, Sandbox, Script};
use serde_json::{Value, json};

use crate::client::Caller;

#[tokio::test]
async fn code_and_message_are_written_at_the_paths_of_the_dialect() {
    for (name, code, expected) in [
        ("maleslab", "INVALID_TOKEN", json!({"error": {"code": "INVALID_TOKEN"}})),
        ("jsonapi", "E1", json!({"errors": [{"code": "E1", "detail": "Gone wrong."}]})),
        ("salesforce", "MALFORMED_ID", json!([{"errorCode": "MALFORMED_ID", "message": "Gone wrong."}])),
        ("facebook", "190", json!({"error": {"code": "190", "message": "Gone wrong."}})),
    ] {
        let dialect = dialects::by_name(name).unwrap();
        let sandbox = Sandbox::start_dialect(dialect).await.unwrap();
        sandbox.script("POST /a", [Fault::error(418).code(code).message("Gone wrong.")]);
        let caller = Caller::new(&sandbox);
        let answer = caller.send("POST /a", Value::Null).await;
        assert_eq!(answer.status, 418);
        assert!(contains(&answer.json(), &expected), "{name}: {}", answer.json());
        let next = caller.send("POST /a", Value::Null).await;
        assert_eq!((next.status, next.json()), (200, json!({})));
        let log = sandbox.log();
        assert_eq!((log[0].vendor.as_str(), log[0].status, log[0].code.clone()), (name, Some(418), Some(code.into())));
        assert_eq!(sandbox.vendor(), None);
    }
}

/// Whether a value has all that another one has.
fn contains(value: &Value, part: &Value) -> bool {
    match (value, part) {
        (Value::Object(value), Value::Object(part)) => {
            part.iter().all(|(name, part)| value.get(name).is_some_and(|value| contains(value, part)))
        }
        (Value::Array(value), Value::Array(part)) => value.iter().zip(part).all(|(value, part)| contains(value, part)),
        (value, part) => value == part,
    }
}

#[tokio::test]
async fn a_code_has_the_status_that_the_dialect_documents() {
    let toml = "name = \"a\"\n[read]\ncode = \"c\"\n[codes.E1]\nstatus = 409\nclass = \"conflict\"\n\
        [codes.7]\nclass = \"rate_limited\"\n";
    let sandbox = Sandbox::start_dialect(Dialect::from_toml("a.toml", toml).unwrap()).await.unwrap();
    let faults = [Fault::answer().code("E1"), Fault::answer().code(7), Fault::answer().code("new")];
    sandbox.script("*", faults);
    let caller = Caller::new(&sandbox);
    for (status, body) in [(409, json!({"c": "E1"})), (429, json!({"c": 7})), (400, json!({"c": "new"}))] {
        let answer = caller.send("GET /", Value::Null).await;
        assert_eq!((answer.status, answer.json()), (status, body));
    }
}

#[test]
fn a_script_is_checked_against_the_dialect() {
    let check = |dialect: &str, answer: &str| {
        let script = Script::parse("s.toml", &format!("[[fault]]\nroute = \"*\"\n{answer}")).unwrap();
        script.check(&dialects::by_name(dialect).unwrap()).map_err(|error| (error.line(), error.to_string()))
    };
    for (dialect, answer) in [
        ("maleslab", "code = \"INVALID_TOKEN\"\nmessage = \"x\""),
        ("ranex", "status = 503"),
        ("ranex", "status = 503\nmessage = \"Busy.\""),
        ("vlens", "status = 200\ncode = 1050"),
        ("ranex", "status = 200\nbody = \"\""),
        ("ranex", "kind = \"drop\""),
    ] {
        assert_eq!(check(dialect, answer), Ok(()), "{dialect} {answer}");
    }
    for (dialect, answer, expected) in [
        ("ranex", "status = 503\ncode = \"E1\"", "s.toml:1: `ranex` cannot read this `code`"),
        ("maleslab", "status = 200\ncode = \"E1\"", "s.toml:1: a 200 OK with these words is a success"),
    ] {
        let (line, text) = check(dialect, answer).unwrap_err();
        assert!(line == Some(1) && text.starts_with(expected), "{text}");
    }
}
