//! The service config of gRPC: read from JSON, with the bounds of gRFC A6.

use std::time::Duration;

use redress::grpc::{GrpcCode, MethodConfig, RetryPolicy, service_config};
use serde_json::{Value, json};

fn policy() -> Value {
    json!({
        "maxAttempts": 4,
        "initialBackoff": "0.1s",
        "maxBackoff": "1s",
        "backoffMultiplier": 2,
        "retryableStatusCodes": ["UNAVAILABLE"],
    })
}

fn with(policy: &Value) -> String {
    json!({ "methodConfig": [{ "name": [{ "service": "a.B" }], "retryPolicy": policy }] }).to_string()
}

fn mistakes(json: &str) -> Vec<String> {
    service_config(json).map_or_else(|error| error.mistakes().map(str::to_owned).collect(), |_| Vec::new())
}

#[test]
fn a_policy_has_a_wait_for_each_retry() {
    for (attempts, initial, longest, factor, expected_ms) in [
        (json!(2), "0.1s", "1s", json!(2), vec![100]),
        (json!(4), "0.1s", "1s", json!(2), vec![100, 200, 400]),
        (json!(5), "0.5s", "1s", json!(3), vec![500, 1_000, 1_000, 1_000]),
        (json!(50), "0.01s", "10s", json!(1.5), vec![10, 15, 22, 33]),
        (json!(3), "2s", "1s", json!(0.5), vec![1_000, 1_000]),
        (
            json!(5),
            "1s",
            "315576000000s",
            json!(1e300),
            vec![1_000, 315_576_000_000_000, 315_576_000_000_000, 315_576_000_000_000],
        ),
    ] {
        let mut policy = policy();
        policy["maxAttempts"] = attempts;
        policy["initialBackoff"] = json!(initial);
        policy["maxBackoff"] = json!(longest);
        policy["backoffMultiplier"] = factor;
        let config = service_config(&with(&policy)).expect("it is right");
        let read = config.for_path("/a.B/C").and_then(MethodConfig::policy).expect("a policy");
        let retries = read.max_attempts().get() - 1;
        let waits: Vec<_> = (1..=retries).map(|nth| read.wait(nth).as_millis()).collect();
        assert_eq!(waits, expected_ms, "{policy}");
    }
}

#[test]
fn names_choose_methods_and_an_empty_one_chooses_all() {
    let config = json!({
        "loadBalancingConfig": [{ "round_robin": {} }],
        "methodConfig": [
            { "name": [{ "service": "a.B", "method": "C" }, { "service": "a.D" }], "timeout": "1s", "waitForReady": true },
            { "name": [{}], "retryPolicy": policy() },
            { "timeout": "9s" },
        ],
    });
    let config = service_config(&config.to_string()).expect("it is right");
    let second = Some(Duration::from_secs(1));
    let read = |path: &str| config.for_path(path).map(|method| (method.deadline(), method.policy().is_some()));
    assert_eq!(read("/a.B/C"), Some((second, false)));
    assert_eq!(read("/a.D/X"), Some((second, false)));
    assert_eq!(read("/a.B/X"), Some((None, true)));
}

#[test]
fn codes_are_names_in_any_case_or_numbers() {
    let mut policy = policy();
    policy["retryableStatusCodes"] = json!(["unavailable", "Aborted", 8]);
    let config = service_config(&with(&policy)).expect("it is right");
    let read = config.for_path("/a.B/C").and_then(MethodConfig::policy).expect("a policy");
    let retried: Vec<_> = GrpcCode::ALL.into_iter().filter(|code| RetryPolicy::retries(read, *code)).collect();
    assert_eq!(retried, [GrpcCode::ResourceExhausted, GrpcCode::Aborted, GrpcCode::Unavailable]);
}

#[test]
fn throttling_has_its_bounds() {
    let throttling = |tokens: Value, ratio: Value| {
        json!({ "retryThrottling": { "maxTokens": tokens, "tokenRatio": ratio } }).to_string()
    };
    for (tokens, ratio) in [(1, 0.001), (10, 0.1), (1_000, 5.0)] {
        let config = service_config(&throttling(json!(tokens), json!(ratio))).expect("it is right");
        assert!(config.retry_throttling().is_some_and(|throttling| throttling.allows_retries()));
    }
    // Six failures leave four of ten tokens, and retries need more than half.
    for (ratio, expected) in [(1.001, 1), (1.0, 2), (0.334, 3), (0.1, 11), (0.001, 1_001)] {
        let config = service_config(&throttling(json!(10), json!(ratio))).expect("it is right");
        let bucket = config.retry_throttling().expect("it has one");
        for _ in 0..6 {
            bucket.record_failure();
        }
        let successes = (1..2_000).find(|_| {
            bucket.record_success();
            bucket.allows_retries()
        });
        assert_eq!(successes, Some(expected), "{ratio}");
    }
    let tokens = "retryThrottling.maxTokens: expected a whole number from 1 to 1000, found";
    let ratio = "retryThrottling.tokenRatio: expected a number of at least 0.001, found";
    for (json, expected) in [
        (throttling(json!(0), json!(0.1)), vec![format!("{tokens} 0")]),
        (throttling(json!(1_001), json!(0.1)), vec![format!("{tokens} 1001")]),
        (throttling(json!(1.5), json!(0.1)), vec![format!("{tokens} 1.5")]),
        (throttling(json!(10), json!(0)), vec![format!("{ratio} 0")]),
        (throttling(json!(10), json!(0.0009)), vec![format!("{ratio} 0.0009")]),
        (throttling(json!(null), json!("0.1")), vec![format!("{tokens} none"), format!("{ratio} \"0.1\"")]),
        ("{\"retryThrottling\": 1}".to_owned(), vec!["retryThrottling: expected an object, found 1".to_owned()]),
    ] {
        assert_eq!(mistakes(&json), expected, "{json}");
    }
}

#[test]
fn each_mistake_is_named_with_its_place() {
    let place = "methodConfig[0].retryPolicy";
    for (key, value, expected) in [
        ("maxAttempts", json!(1), "expected a whole number of 2 or more, found 1"),
        ("maxAttempts", json!("4"), "expected a whole number of 2 or more, found \"4\""),
        ("maxAttempts", json!(null), "expected a whole number of 2 or more, found none"),
        ("initialBackoff", json!("0s"), "expected a duration above 0 such as \"0.1s\", found \"0s\""),
        ("initialBackoff", json!("-1s"), "expected a duration above 0 such as \"0.1s\", found \"-1s\""),
        ("maxBackoff", json!(1), "expected a duration above 0 such as \"0.1s\", found 1"),
        ("backoffMultiplier", json!(0), "expected a number above 0, found 0"),
        ("backoffMultiplier", json!(-2), "expected a number above 0, found -2"),
        ("retryableStatusCodes", json!([]), "expected an array of one code or more, found []"),
    ] {
        let mut policy = policy();
        policy[key] = value;
        assert_eq!(mistakes(&with(&policy)), [format!("{place}.{key}: {expected}")]);
    }
    let mut unknown = policy();
    unknown["retryableStatusCodes"] = json!(["UNAVAILABLE", "GONE", "OK"]);
    let expected = |nth, code| {
        format!("{place}.retryableStatusCodes[{nth}]: expected the name or number of an error code, found \"{code}\"")
    };
    assert_eq!(mistakes(&with(&unknown)), [expected(1, "GONE"), expected(2, "OK")]);
}

#[test]
fn a_config_of_another_shape_is_refused() {
    for (json, expected) in [
        ("[]", "service config: expected an object, found []"),
        (r#"{"methodConfig": {}}"#, "methodConfig: expected an array, found {}"),
        (r#"{"methodConfig": [1]}"#, "methodConfig[0]: expected an object, found 1"),
        (r#"{"methodConfig": [{"name": {}}]}"#, "methodConfig[0].name: expected an array, found {}"),
        (r#"{"methodConfig": [{"name": ["a"]}]}"#, "methodConfig[0].name[0]: expected an object, found \"a\""),
        (
            r#"{"methodConfig": [{"name": [{"service": 1}]}]}"#,
            "methodConfig[0].name[0].service: expected a name, found 1",
        ),
        (
            r#"{"methodConfig": [{"name": [{"service": "a"}, {"service": "a"}]}]}"#,
            "methodConfig[0].name: `a/` has a config already",
        ),
        (
            r#"{"methodConfig": [{"name": [{}], "hedgingPolicy": {"maxAttempts": 2}}]}"#,
            "methodConfig[0].hedgingPolicy: hedging is not supported: use a `retryPolicy`",
        ),
        (
            r#"{"methodConfig": [{"name": [{}], "retryPolicy": 1}]}"#,
            "methodConfig[0].retryPolicy: expected an object, found 1",
        ),
    ] {
        assert_eq!(mistakes(json), [expected], "{json}");
    }
    assert!(mistakes("{").concat().contains("line 1"), "{:?}", mistakes("{"));
    assert!(mistakes("{}").is_empty() && mistakes(r#"{"methodConfig": null, "retryThrottling": null}"#).is_empty());
}

#[test]
fn the_text_of_the_error_has_a_line_for_each_mistake() {
    let json = json!({ "methodConfig": 1, "retryThrottling": 2 }).to_string();
    let error = service_config(&json).expect_err("two mistakes");
    let lines = "methodConfig: expected an array, found 1\nretryThrottling: expected an object, found 2";
    assert_eq!(error.to_string(), lines);
}
