//! The vendors' error bodies, and Vlens successes of several sizes.

mod success;

pub use success::vlens_success;

/// An error body of each vendor, in its documented form.
pub const ERRORS: [(&str, &str); 5] = [
    (
        "vlens",
        r#"{"data":null,"error_code":1050,"error_message":"The picture is too dark to be read","error_descriptions":null}"#,
    ),
    (
        "veridia",
        r#"{"error":"invalid_body","message":"The body breaks the schema","requestId":"9f511d92ac11236d-SJC","detail":{"fieldErrors":{"country":["two characters expected"]}}}"#,
    ),
    ("ranex", r#"{"message":"externalUserId is missing"}"#),
    (
        "maleslab",
        r#"{"success":false,"error":{"code":"VALIDATION_ERROR","message":"Two fields are wrong","details":[{"field":"name","message":"name is missing"},{"field":"collection_id","message":"not a UUID"}]},"request_id":"req_01j8","timestamp":"2026-01-15T11:22:33Z"}"#,
    ),
    (
        "verilock",
        r#"{"error":"validation_error","message":"The data is wrong","details":{"redirect_url":["not a URL"],"document_type":["unknown"]}}"#,
    ),
];

/// The Vlens successes that are measured: the name, and about how many bytes.
pub const SUCCESSES: [(&str, usize); 5] = [
    ("vlens_ok_1k", 1 << 10),
    ("vlens_ok_16k", 1 << 14),
    ("vlens_ok_64k", 1 << 16),
    ("vlens_ok_256k", 1 << 18),
    ("vlens_ok_4m", 1 << 22),
];
