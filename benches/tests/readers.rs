//! All readers find the same in the same body; what differs is what it takes them.

use benches::bodies::{SUCCESSES, vlens_success};
use benches::compare::Group;
use benches::readers::{Vendor, redress, serde_borrowed, serde_value, simd};
use serde_json::Value;

/// Documented forms beyond those that are measured: what the structs declare is read by them.
const MORE: [(Vendor, &str); 6] = [
    (
        Vendor::Vlens,
        r#"{"data":null,"error_code":400,"error_message":"Ung\u00fcltig \"so\"","error_descriptions":[{"field":"a\/b","message":"is\nmissing"},{"field":"c","message":"too long"}]}"#,
    ),
    (
        Vendor::Veridia,
        r#"{"error":"invalid_body","message":"no","requestId":"1","detail":{"reason":"selfie_not_uploaded"}}"#,
    ),
    (Vendor::Veridia, r#"{"error":"internal","message":"oops","requestId":"9f51"}"#),
    (Vendor::Maleslab, r#"{"success":false,"error":{"code":"TOKEN_EXPIRED","message":"run out"},"request_id":"r"}"#),
    (Vendor::Verilock, r#"{"error":"rate_limit_exceeded","message":"slow down","details":{"retry_after":30}}"#),
    (Vendor::Verilock, r#"{"error":"validation_error","message":"no","details":{"a":["x","\u00e9"],"b":[]}}"#),
];

#[test]
fn all_readers_find_the_same_in_an_error() {
    let measured = Vendor::ALL.map(|vendor| (vendor, vendor.error()));
    for (vendor, body) in measured.into_iter().chain(MORE) {
        let found = redress::answer(vendor, body.as_bytes());
        assert!(found.message.is_some(), "{body}");
        assert_eq!(sorted(serde_value::answer(vendor, body.as_bytes())), sorted(found.clone()), "{body}");
        assert_eq!(serde_borrowed::answer(vendor, body.as_bytes()), found, "{body}");
        assert_eq!(simd::answer(vendor, body.as_bytes()), found, "{body}");
    }
}

/// A `Value` sorts the members of an object.
fn sorted(mut answer: benches::readers::Answer) -> benches::readers::Answer {
    answer.fields.sort();
    answer
}

#[test]
fn what_is_expected_of_an_error_is_what_it_says() {
    for vendor in Vendor::ALL {
        let (found, expected) = (redress::answer(vendor, vendor.error().as_bytes()), vendor.expected());
        assert_eq!(found.code.as_deref(), expected.code);
        assert_eq!(found.message.as_deref(), Some(expected.message));
        assert_eq!(expected.number.map(|number| number.to_string()).is_some(), vendor == Vendor::Vlens);
    }
}

#[test]
fn every_case_finds_what_is_expected() {
    for subject in Group::Envelope.subjects() {
        assert_eq!(subject.cases.len(), 6);
        subject.cases.iter().for_each(|case| assert!(!case.time(1).is_zero()));
    }
}

#[test]
fn every_claim_is_about_what_is_measured() {
    let subjects = Group::Envelope.subjects();
    for claim in Group::Envelope.claims() {
        let subject = subjects.iter().find(|subject| subject.name == claim.subject).unwrap();
        for name in [claim.fast, claim.slow] {
            assert!(subject.cases.iter().any(|case| case.name() == name), "{claim:?}");
        }
    }
}

#[test]
fn a_success_is_as_long_as_wanted_and_the_same_every_time() {
    for (name, size) in SUCCESSES {
        let body = vlens_success(size);
        assert!(body.len() <= size && body.len() + 4 > size, "{name}: {} bytes", body.len());
        assert_eq!(body, vlens_success(size));
    }
}

#[test]
fn half_of_a_success_is_base64_and_the_rest_has_escapes() {
    for (name, size) in SUCCESSES.into_iter().filter(|(_, size)| *size >= 1 << 14) {
        let text = vlens_success(size);
        let body: Value = serde_json::from_str(&text).unwrap();
        let pictures = body["data"].as_array().unwrap().iter().map(|record| record["image"].as_str().unwrap().len());
        let (base64, half) = (pictures.sum::<usize>(), size / 2);
        assert!(base64.abs_diff(half) < size / 20, "{name}: {base64} bytes of base64");
        for escape in ["\\u", "\\\"", "\\/", "\\n"] {
            assert!(text.contains(escape), "{name}: {escape}");
        }
    }
}
