//! The result of a route handler, before the vendor's envelope is applied.

use std::borrow::Cow;

use axum::response::{IntoResponse, Response};
use http::StatusCode;
use serde_json::Value;

use crate::code::Code;
use crate::retry_after::RetryAfter;

/// The result of a route handler. It reaches the server in the extensions of the response.
#[derive(Debug, Clone)]
pub(crate) enum Outcome {
    Success(Success),
    Problem(Problem),
}

#[derive(Debug, Clone)]
pub(crate) struct Success {
    pub(crate) status: StatusCode,
    pub(crate) data: Value,
}

#[derive(Debug, Clone)]
pub(crate) struct Problem {
    pub(crate) status: StatusCode,
    pub(crate) code: Option<Code>,
    pub(crate) message: Cow<'static, str>,
    /// Boxed to keep the error variant of a handler's result small.
    pub(crate) details: Option<Box<Value>>,
    pub(crate) retry_after: Option<RetryAfter>,
}

/// One row of a vendor's table of errors.
#[derive(Debug)]
pub(crate) struct Row {
    status: StatusCode,
    code: Code,
    message: &'static str,
}

impl Outcome {
    pub(crate) fn status(&self) -> StatusCode {
        match self {
            Self::Success(success) => success.status,
            Self::Problem(problem) => problem.status,
        }
    }

    pub(crate) fn code(&self) -> Option<&Code> {
        match self {
            Self::Success(_) => None,
            Self::Problem(problem) => problem.code.as_ref(),
        }
    }

    pub(crate) fn retry_after(&self) -> Option<&RetryAfter> {
        match self {
            Self::Success(_) => None,
            Self::Problem(problem) => problem.retry_after.as_ref(),
        }
    }
}

impl Success {
    pub(crate) fn new(status: StatusCode, data: Value) -> Self {
        Self { status, data }
    }

    pub(crate) fn ok(data: Value) -> Self {
        Self::new(StatusCode::OK, data)
    }

    pub(crate) fn created(data: Value) -> Self {
        Self::new(StatusCode::CREATED, data)
    }
}

impl Problem {
    /// Creates an error without a code.
    pub(crate) fn new(status: StatusCode, message: impl Into<Cow<'static, str>>) -> Self {
        Self { status, code: None, message: message.into(), details: None, retry_after: None }
    }

    /// Looks up an error in the vendor's table by code, and otherwise by status. A given status takes
    /// precedence over that of the table.
    ///
    /// `unlisted` returns the code for a status that the table does not have.
    pub(crate) fn find(
        rows: &[Row],
        status: Option<StatusCode>,
        code: Option<Code>,
        unlisted: fn(StatusCode) -> Code,
    ) -> Self {
        let row = rows.iter().find(|row| match &code {
            Some(code) => row.code == *code,
            None => Some(row.status) == status,
        });
        let status = status.or(row.map(|row| row.status)).unwrap_or(StatusCode::INTERNAL_SERVER_ERROR);
        let code = code.or_else(|| row.map(|row| row.code.clone()));
        let message = row.map_or_else(|| status.canonical_reason().unwrap_or("Error"), |row| row.message);
        Self { code: Some(code.unwrap_or_else(|| unlisted(status))), ..Self::new(status, message) }
    }

    pub(crate) fn message(mut self, message: impl Into<Cow<'static, str>>) -> Self {
        self.message = message.into();
        self
    }

    pub(crate) fn details(mut self, details: Value) -> Self {
        self.details = Some(Box::new(details));
        self
    }

    pub(crate) fn retry_after(mut self, seconds: u64) -> Self {
        self.retry_after = Some(seconds.into());
        self
    }
}

impl Row {
    pub(crate) const fn text(status: StatusCode, code: &'static str, message: &'static str) -> Self {
        Self { status, code: Code::Text(Cow::Borrowed(code)), message }
    }

    pub(crate) const fn number(status: StatusCode, code: i64, message: &'static str) -> Self {
        Self { status, code: Code::Number(code), message }
    }
}

impl IntoResponse for Outcome {
    fn into_response(self) -> Response {
        let mut response = self.status().into_response();
        response.extensions_mut().insert(self);
        response
    }
}

impl IntoResponse for Success {
    fn into_response(self) -> Response {
        Outcome::Success(self).into_response()
    }
}

impl IntoResponse for Problem {
    fn into_response(self) -> Response {
        Outcome::Problem(self).into_response()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    static ROWS: [Row; 2] = [
        Row::text(StatusCode::UNAUTHORIZED, "dead", "Dead."),
        Row::text(StatusCode::UNAUTHORIZED, "unknown", "Unknown."),
    ];

    fn find(status: Option<u16>, code: Option<&str>) -> (u16, String, String) {
        let status = status.map(|status| StatusCode::from_u16(status).unwrap());
        let problem = Problem::find(&ROWS, status, code.map(Code::from), |_| Code::from("other"));
        (problem.status.as_u16(), problem.code.unwrap().to_string(), problem.message.into_owned())
    }

    #[test]
    fn an_error_is_found_by_code_or_by_status() {
        let cases = [
            (Some(401), None, (401, "dead", "Dead."), "the first of its status"),
            (None, Some("unknown"), (401, "unknown", "Unknown."), "the documented status"),
            (Some(400), Some("unknown"), (400, "unknown", "Unknown."), "another status"),
            (Some(503), None, (503, "other", "Service Unavailable"), "a status not listed"),
            (None, Some("new"), (500, "new", "Internal Server Error"), "a code not listed"),
        ];
        for (status, code, (wanted_status, wanted_code, message), name) in cases {
            let wanted = (wanted_status, wanted_code.to_owned(), message.to_owned());
            assert_eq!(find(status, code), wanted, "{name}");
        }
    }
}
