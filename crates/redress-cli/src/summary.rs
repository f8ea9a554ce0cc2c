//! What a person is told about a response.

use anstyle::Style;
use http::header::RETRY_AFTER;
use http::response::Parts;
use redress_classify::{ApiError, EndReason, Recovery, Verdict, When};
use redress_envelope::Dialect;

use crate::exchange::{Exchange, Judgement};
use crate::output::{BAD, DIM, GOOD, LABEL, PLAIN, styled};
use crate::{phrases, text::escaped, time};

/// The widest value that still moves the column of locations.
const MAX_WIDTH: usize = 64;

/// Says of a hint that it is none.
const NO_HINT: &str = "not counted: it has passed, is more than 366 days ahead, or cannot be read";

/// One line: its name, its value, and where the value came from.
struct Row {
    label: &'static str,
    value: String,
    style: Style,
    location: String,
}

/// A part of an error that has a location.
#[derive(Clone, Copy)]
enum Part {
    Code,
    Message,
    RequestId,
}

/// Which of several responses one is.
#[derive(Clone, Copy)]
pub(crate) struct Position {
    pub(crate) nth: usize,
    pub(crate) count: usize,
}

/// Writes what a response means, as aligned lines.
pub(crate) fn told(dialect: &Dialect, exchange: &Exchange<'_>, judgement: &Judgement, place: Position) -> String {
    let (head, verdict) = (&exchange.head, judgement.verdict.as_ref());
    let status = head.status.as_u16();
    let mut rows = match verdict {
        Some(verdict) => meaning(dialect, head, verdict, judgement.stop),
        None => vec![
            Row::new("what", "success: no error", format!("status {status}")).in_style(GOOD),
            Row::new("do", "nothing", ""),
        ],
    };
    rows.extend(verdict.and_then(Verdict::api_error).map(words_of).unwrap_or_default());
    rows.push(Row::new("dialect", dialect.name(), ""));
    rows.extend(exchange.notes.iter().map(|note| Row::new("note", note, "")));
    let heading = place.heading(&phrases::of_route(dialect, &exchange.method, &exchange.uri));
    format!("{heading}{}", render(&rows))
}

/// Writes what takes the place of a response that cannot be used.
pub(crate) fn refused(problem: &str, place: Position) -> String {
    format!("{}{}", place.heading(""), render(&[Row::new("error", problem, "").in_style(BAD)]))
}

/// Says that all of the responses are successes.
pub(crate) fn no_errors(count: usize) -> String {
    let responses = if count == 1 { "response" } else { "responses" };
    format!("no error among {count} {responses}\n")
}

impl Position {
    /// Names one of several responses by its number and its call; a single one needs no name.
    fn heading(self, route: &str) -> String {
        if self.count < 2 {
            return String::new();
        }
        let number = styled(LABEL, &format!("response {} of {}", self.nth + 1, self.count));
        let space = if route.is_empty() { "" } else { "  " };
        format!("{number}{space}{}\n", escaped(route))
    }
}

fn meaning(dialect: &Dialect, head: &Parts, verdict: &Verdict, stop: Option<EndReason>) -> Vec<Row> {
    let status = head.status.as_u16();
    let (class, recovery) = (verdict.class(), verdict.recovery());
    let what = format!("{class}: {}", phrases::of_class(class));
    let mut rows = vec![
        Row::new("what", &what, phrases::of_decided_by(verdict.decided_by(), status)).in_style(BAD),
        Row::new("do", &format!("{recovery}: {}", phrases::of_recovery(recovery)), ""),
    ];
    let when = when(dialect, status, verdict);
    if when.is_some() && verdict.hint().is_none() && head.headers.contains_key(RETRY_AFTER) {
        rows.extend(when);
        rows.push(Row::new("", NO_HINT, "retry-after header"));
    } else {
        rows.extend(when);
    }
    rows.extend(stop.map(|stop| Row::new("but", phrases::of_stop(stop), "redress, by default").in_style(BAD)));
    let guidance = verdict.api_error().map(ApiError::guidance).unwrap_or_default();
    if !guidance.is_empty() {
        rows.push(Row::new("advice", guidance, "the dialect"));
    }
    rows.push(Row::new("status", &status.to_string(), ""));
    rows
}

/// Says when to come back: as the server asks, else as its dialect advises.
fn when(dialect: &Dialect, status: u16, verdict: &Verdict) -> Option<Row> {
    if let Some(hint) = verdict.hint() {
        let value = match hint.when() {
            When::After(delay) => format!("{} after the response", time::span(delay)),
            When::At(instant) => format!("at {}", time::rfc3339(instant)),
        };
        return Some(Row::new("when", &value, hint.source().to_string()));
    }
    if verdict.recovery() != Recovery::Retry {
        return None;
    }
    let advice = dialect.retry();
    let throttled = advice.throttle_wait.filter(|_| status == 429);
    let value = match (throttled, advice.schedule) {
        (Some(wait), _) => format!("{} after the response", time::span(wait)),
        (None, Some(schedule)) => phrases::of_schedule(&schedule),
        (None, None) => return Some(Row::new("when", "after a wait of your own: the response names none", "")),
    };
    Some(Row::new("when", &value, "the dialect"))
}

/// Lists what the server said.
fn words_of(error: &ApiError) -> Vec<Row> {
    let mut rows = Vec::new();
    let mut add = |label, value: Option<&str>, location: Option<String>| {
        rows.extend(value.map(|value| Row::new(label, value, location.unwrap_or_default())));
    };
    add("code", error.code(), location(error, Part::Code));
    add("reason", error.reason(), None);
    add("message", error.message(), location(error, Part::Message));
    add("request id", error.request_id(), location(error, Part::RequestId));
    for (nth, field) in error.fields().iter().enumerate() {
        let label = if nth == 0 { "fields" } else { "" };
        let colon = if field.path.is_empty() || field.message.is_empty() { "" } else { ": " };
        rows.push(Row::new(label, &format!("{}{colon}{}", field.path, field.message), ""));
    }
    rows
}

/// Returns where a part of an error stood, such as `error.code in the body` or `x-request-id header`.
fn location(error: &ApiError, part: Part) -> Option<String> {
    let location = match part {
        Part::Code => error.code_location(),
        Part::Message => error.message_location(),
        Part::RequestId => error.request_id_location(),
    };
    location.map(ToString::to_string)
}

fn render(rows: &[Row]) -> String {
    let label_width = rows.iter().map(|row| row.label.len()).max().unwrap_or_default();
    let widths = rows.iter().filter(|row| !row.location.is_empty()).map(Row::width);
    let width = widths.filter(|width| *width <= MAX_WIDTH).max().unwrap_or_default();
    let mut out = String::new();
    for row in rows {
        out.push_str(&styled(LABEL, row.label));
        out.push_str(&" ".repeat(label_width - row.label.len() + 2));
        out.push_str(&styled(row.style, &row.value));
        if !row.location.is_empty() {
            out.push_str(&" ".repeat(width.saturating_sub(row.width()) + 2));
            out.push_str(&styled(DIM, &row.location));
        }
        out.push('\n');
    }
    out
}

impl Row {
    fn new(label: &'static str, value: &str, location: impl Into<String>) -> Self {
        Self { label, value: escaped(value), style: PLAIN, location: escaped(&location.into()) }
    }

    fn in_style(mut self, style: Style) -> Self {
        self.style = style;
        self
    }

    fn width(&self) -> usize {
        self.value.chars().count()
    }
}
