//! The vendors' error bodies, and Vlens successes of several sizes.

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

/// Returns a Vlens success of about so many bytes, payload first: nested records with escapes, half of it base64.
#[must_use]
pub fn vlens_success(bytes: usize) -> String {
    let record = r#"{"id":"d41d8cd9","name":"Zo\u00eb \"Z\" O\/Hara","score":0.9731,"tags":["front","id"],"box":[12,44,310,207],"image":""#;
    let base64 = "iVBORw0KGgoAAAANSUhEUgAAAAEAAAABCAYAAAAfFcSJ".repeat(3);
    let mut body = String::from(r#"{"data":["#);
    while body.len() < bytes {
        body.push_str(record);
        body.push_str(&base64);
        body.push_str("\"},");
    }
    body.pop();
    body.push_str(r#"],"error_code":null,"error_message":null,"error_descriptions":null}"#);
    body
}
