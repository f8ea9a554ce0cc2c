//! What the public values are to serde: their words in `snake_case`, and nothing that a reader of JSON would not expect.

use std::time::{Duration, SystemTime};

use redress_envelope::{Class, DecidedBy, FieldError, HintSource, Recovery, RetryHint, When};
use serde::de::value::{BoolDeserializer, Error as ValueError};
use serde::de::{DeserializeOwned, IntoDeserializer};
use serde::{Deserialize, Serialize};
use serde_json::{Value, from_str, from_value, json, to_value};

fn both_ways<T: Serialize + DeserializeOwned + PartialEq + std::fmt::Debug>(value: &T, expected: Value) {
    assert_eq!(to_value(value).expect("it is written"), expected);
    assert_eq!(&from_str::<T>(&expected.to_string()).expect("it is read"), value, "{expected}");
    assert_eq!(&from_value::<T>(expected).expect("it is read"), value);
}

#[test]
fn words_are_written_and_read_in_snake_case() {
    for class in Class::ALL {
        both_ways(&class, json!(class.as_str()));
    }
    for recovery in Recovery::ALL {
        both_ways(&recovery, json!(recovery.as_str()));
    }
    for decided_by in [
        DecidedBy::Rule,
        DecidedBy::Code,
        DecidedBy::Header,
        DecidedBy::Status,
        DecidedBy::Signal,
        DecidedBy::Transport,
    ] {
        both_ways(&decided_by, json!(decided_by.as_str()));
    }
    for wrong in [json!("rate-limited"), json!("RateLimited"), json!(""), json!(3), json!(null), json!(["status"])] {
        assert!(from_value::<Class>(wrong.clone()).is_err(), "{wrong}");
        assert!(from_value::<Recovery>(wrong.clone()).is_err(), "{wrong}");
        assert!(from_value::<DecidedBy>(wrong.clone()).is_err(), "{wrong}");
    }
}

#[test]
fn the_source_of_a_hint_names_its_kind_and_its_place() {
    both_ways(&HintSource::RetryAfter, json!("retry_after"));
    both_ways(&HintSource::Header("x-reset".to_owned()), json!({"header": "x-reset"}));
    both_ways(&HintSource::Body("error.wait".to_owned()), json!({"body": "error.wait"}));
    for wrong in [json!("header"), json!("cookie"), json!({}), json!({"body": 1}), json!({"cookie": "a"}), json!(1)] {
        assert!(from_value::<HintSource>(wrong.clone()).is_err(), "{wrong}");
    }
}

#[test]
fn a_hint_is_written_as_a_delay_or_a_date_with_its_source() {
    let delay = RetryHint::new(When::After(Duration::from_millis(1_500)), HintSource::RetryAfter);
    assert_eq!(to_value(delay).unwrap(), json!({"after_ms": 1500, "at": null, "source": "retry_after"}));
    let endless = RetryHint::new(When::After(Duration::MAX), HintSource::RetryAfter);
    assert_eq!(to_value(endless).unwrap()["after_ms"], json!(u64::MAX));
    let at = SystemTime::UNIX_EPOCH + Duration::from_secs(60);
    let date = RetryHint::new(When::At(at), HintSource::Body("error.until".to_owned()));
    let expected = json!({"after_ms": null, "at": "1970-01-01T00:01:00.000Z", "source": {"body": "error.until"}});
    assert_eq!(to_value(date).unwrap(), expected);
}

#[test]
fn a_field_error_is_an_object_of_path_and_message() {
    let field = FieldError { path: "a/b".into(), message: "is \"missing\"".into() };
    both_ways(&field, json!({"path": "a/b", "message": "is \"missing\""}));
    let more = json!({"message": "m", "other": [1, {"path": "x"}], "path": "p"});
    let expected = FieldError { path: "p".into(), message: "m".into() };
    assert_eq!(from_value::<FieldError<'static>>(more).unwrap(), expected);
    for wrong in [json!({"path": "p"}), json!({"message": "m"}), json!({"path": 1, "message": "m"}), json!("p")] {
        assert!(from_value::<FieldError<'static>>(wrong.clone()).is_err(), "{wrong}");
    }
    assert!(from_str::<FieldError<'static>>(r#"{"path":"p","path":"q","message":"m"}"#).is_err());
}

#[test]
fn a_value_of_another_type_is_an_error_that_says_what_is_expected() {
    let truth: BoolDeserializer<ValueError> = true.into_deserializer();
    let error = HintSource::deserialize(truth).unwrap_err();
    assert_eq!(error.to_string(), "invalid type: boolean `true`, expected the source of a hint");
    let error = FieldError::deserialize(truth).unwrap_err();
    assert_eq!(error.to_string(), "invalid type: boolean `true`, expected a field and what is wrong with it");
}
