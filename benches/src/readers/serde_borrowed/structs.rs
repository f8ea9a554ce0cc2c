//! The structs.

use serde::Deserialize;
use serde::de::IgnoredAny;

use super::parts::{Details, Field, Text, list, map, text};
use crate::readers::{Answer, Expected, Found};

/// Whether a Vlens answer is a success.
#[derive(Debug, Deserialize)]
pub(in crate::readers) struct Status {
    #[serde(rename = "data")]
    _data: IgnoredAny,
    pub(in crate::readers) error_code: Option<u64>,
}

#[derive(Debug, Deserialize)]
pub(in crate::readers) struct Vlens<'a> {
    error_code: Option<u64>,
    #[serde(borrow)]
    error_message: Option<Text<'a>>,
    #[serde(borrow)]
    error_descriptions: Option<Vec<Field<'a>>>,
}

#[derive(Debug, Deserialize)]
pub(in crate::readers) struct Veridia<'a> {
    #[serde(borrow)]
    error: Option<Text<'a>>,
    #[serde(borrow)]
    message: Option<Text<'a>>,
    #[serde(borrow, rename = "requestId")]
    request_id: Option<Text<'a>>,
    #[serde(borrow, default)]
    detail: VeridiaDetail<'a>,
}

#[derive(Debug, Default, Deserialize)]
struct VeridiaDetail<'a> {
    #[serde(borrow)]
    reason: Option<Text<'a>>,
    #[serde(borrow, default, rename = "fieldErrors")]
    field_errors: Details<'a>,
}

#[derive(Debug, Deserialize)]
pub(in crate::readers) struct Ranex<'a> {
    #[serde(borrow)]
    message: Option<Text<'a>>,
}

#[derive(Debug, Deserialize)]
pub(in crate::readers) struct Maleslab<'a> {
    #[serde(borrow)]
    error: MaleslabError<'a>,
    #[serde(borrow)]
    request_id: Option<Text<'a>>,
}

#[derive(Debug, Deserialize)]
struct MaleslabError<'a> {
    #[serde(borrow)]
    code: Option<Text<'a>>,
    #[serde(borrow)]
    message: Option<Text<'a>>,
    #[serde(borrow, default)]
    details: Vec<Field<'a>>,
}

#[derive(Debug, Deserialize)]
pub(in crate::readers) struct Verilock<'a> {
    #[serde(borrow)]
    error: Option<Text<'a>>,
    #[serde(borrow)]
    message: Option<Text<'a>>,
    #[serde(borrow, default)]
    details: Details<'a>,
}

impl Found for Vlens<'_> {
    fn says(&self, expected: &Expected) -> bool {
        self.error_code == expected.number && Text::is(&self.error_message, expected.message)
    }

    fn answer(&self) -> Answer {
        Answer {
            code: self.error_code.map(|code| code.to_string()),
            message: text(&self.error_message),
            fields: list(self.error_descriptions.as_deref().unwrap_or_default()),
            ..Answer::default()
        }
    }
}

impl Found for Veridia<'_> {
    fn says(&self, expected: &Expected) -> bool {
        says(&self.error, &self.message, expected)
    }

    fn answer(&self) -> Answer {
        Answer {
            code: text(&self.error),
            message: text(&self.message),
            request_id: text(&self.request_id),
            reason: text(&self.detail.reason),
            fields: map(&self.detail.field_errors),
            ..Answer::default()
        }
    }
}

impl Found for Ranex<'_> {
    fn says(&self, expected: &Expected) -> bool {
        Text::is(&self.message, expected.message)
    }

    fn answer(&self) -> Answer {
        Answer { message: text(&self.message), ..Answer::default() }
    }
}

impl Found for Maleslab<'_> {
    fn says(&self, expected: &Expected) -> bool {
        says(&self.error.code, &self.error.message, expected)
    }

    fn answer(&self) -> Answer {
        Answer {
            code: text(&self.error.code),
            message: text(&self.error.message),
            request_id: text(&self.request_id),
            fields: list(&self.error.details),
            ..Answer::default()
        }
    }
}

impl Found for Verilock<'_> {
    fn says(&self, expected: &Expected) -> bool {
        says(&self.error, &self.message, expected)
    }

    fn answer(&self) -> Answer {
        Answer {
            code: text(&self.error),
            message: text(&self.message),
            fields: map(&self.details),
            retry_after: self.details.retry_after,
            ..Answer::default()
        }
    }
}

fn says(code: &Option<Text<'_>>, message: &Option<Text<'_>>, expected: &Expected) -> bool {
    expected.code.is_some_and(|expected| Text::is(code, expected)) && Text::is(message, expected.message)
}
