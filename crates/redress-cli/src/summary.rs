//! The summary of a response for a terminal: aligned rows of label, value and source.
//!
//! ```text
//! class     rate_limited: too many requests in too short a time  status 429
//! recovery  retry: send the same request again after a wait
//! wait      30 s after the response                              retry-after header
//! cooldown  all calls to the host wait
//! ```
//!
//! The labels are the names of the library (`class`, `recovery`), so that a row leads to the method that returns its value. The
//! source says where in the response a value stood, so that a wrong dialect is easy to correct. The rows that matter most come
//! first: what it is, what to do, when, and who else waits.
//!
//! Several responses, as from a HAR file, have a heading each:
//!
//! ```text
//! response 1 of 2  GET /
//! class     rate_limited: too many requests in too short a time  status 429
//! recovery  retry: send the same request again after a wait
//! wait      1 h after the response                               retry-after header
//! ```

use anstyle::Style;
use http::header::RETRY_AFTER;
use redress_classify::{ApiError, Recovery, RetryHint, Verdict, When};
use redress_envelope::Dialect;

use crate::cooldown::{Cooldown, ScopeSource};
use crate::exchange::{Exchange, Judgement};
use crate::output::{BAD, DIM, GOOD, LABEL, PLAIN, styled};
use crate::text::escaped;
use crate::{phrases, time};

/// The widest value that still moves the column of origins.
const MAX_WIDTH: usize = 64;

/// Explains why a `Retry-After` is not taken as a hint.
///
/// It stands in the place of the hint, so that the reader sees that the header was found.
const IGNORED_HINT: &str = "ignored: it has passed, is more than 366 days ahead, or cannot be read";

/// One line: its name, its value, and where the value came from.
struct Row {
    /// The name of the value; empty if the row continues the one above it.
    label: &'static str,
    /// The value, escaped.
    value: String,
    style: Style,
    /// The place in the response where the value stood, or who states it.
    origin: String,
}

/// A part of an error that has an origin.
#[derive(Clone, Copy)]
enum Part {
    Code,
    Message,
    RequestId,
}

/// Which of several responses one is.
#[derive(Clone, Copy)]
pub(crate) struct Position {
    /// The position, counted from 0.
    pub(crate) nth: usize,
    /// The number of all responses of the input.
    pub(crate) count: usize,
}

/// Writes the meaning of a response as aligned rows.
///
/// A single response has no heading. Several are numbered and separated by an empty line, as in a HAR file.
pub(crate) fn of_response(
    dialect: &Dialect,
    exchange: &Exchange<'_>,
    judgement: &Judgement,
    position: Position,
) -> String {
    let mut rows = match &judgement.verdict {
        Some(verdict) => of_error(dialect, exchange, verdict, judgement),
        None => of_success(exchange, judgement),
    };
    rows.extend(judgement.verdict.as_ref().and_then(Verdict::api_error).map(server_words).unwrap_or_default());
    rows.push(Row::new("dialect", dialect.name(), ""));
    rows.extend(exchange.notes.iter().map(|note| Row::new("note", note, "")));
    let heading = position.heading(&phrases::of_route(dialect, &exchange.method, &exchange.uri));
    format!("{heading}{}", render(&rows))
}

/// Writes what takes the place of a response that cannot be used.
///
/// It has the number of the response, too, so that the numbers of the others stay right.
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
    ///
    /// The call is that of the input, or of the options of the command line.
    fn heading(self, route: &str) -> String {
        if self.count < 2 {
            return String::new();
        }
        let number = styled(LABEL, &format!("response {} of {}", self.nth + 1, self.count));
        let space = if route.is_empty() { "" } else { "  " };
        format!("{number}{space}{}\n", escaped(route))
    }
}

/// Writes the rows of a success: its status, and the pause that it asks for.
fn of_success(exchange: &Exchange<'_>, judgement: &Judgement) -> Vec<Row> {
    let source = match &exchange.event {
        Some(name) => format!("event {name}"),
        None => format!("status {}", exchange.head.status.as_u16()),
    };
    let mut rows = vec![Row::new("class", "none: the response is a success", source).in_style(GOOD)];
    if let Some(hint) = &judgement.success_hint {
        rows.push(wait_of(hint.hint()));
    }
    rows.extend(judgement.cooldown.as_ref().map(cooldown_row));
    rows
}

/// Writes the rows of an error, the most urgent ones first.
fn of_error(dialect: &Dialect, exchange: &Exchange<'_>, verdict: &Verdict, judgement: &Judgement) -> Vec<Row> {
    let (class, recovery, status) = (verdict.class(), verdict.recovery(), exchange.head.status.as_u16());
    let decided_by = phrases::of_decided_by(verdict.decided_by(), status, exchange.event.is_some());
    let mut rows = vec![
        Row::new("class", &format!("{class}: {}", phrases::of_class(class)), decided_by).in_style(BAD),
        Row::new("recovery", &format!("{recovery}: {}", phrases::of_recovery(recovery)), ""),
    ];
    let wait = wait(dialect, status, verdict);
    let has_bad_hint = wait.is_some() && verdict.hint().is_none() && exchange.head.headers.contains_key(RETRY_AFTER);
    rows.extend(wait);
    if has_bad_hint {
        rows.push(Row::new("", IGNORED_HINT, "retry-after header"));
    }
    rows.extend(judgement.cooldown.as_ref().map(cooldown_row));
    let no_retry = judgement.no_retry.map(phrases::of_no_retry);
    rows.extend(no_retry.map(|why| Row::new("no retry", why, "redress, by default").in_style(BAD)));
    let guidance = verdict.api_error().map(ApiError::guidance).unwrap_or_default();
    if !guidance.is_empty() {
        rows.push(Row::new("guidance", guidance, "the dialect"));
    }
    rows.push(match &exchange.event {
        Some(name) => Row::new("event", name, ""),
        None => Row::new("status", &status.to_string(), ""),
    });
    rows
}

/// Returns the wait before the next attempt: as the server asks, else as the dialect advises.
///
/// A hint of the server wins. Without one the row names the advice of the dialect: the wait after throttling, else
/// the schedule. A failure that is not retried has no row.
fn wait(dialect: &Dialect, status: u16, verdict: &Verdict) -> Option<Row> {
    if let Some(hint) = verdict.hint() {
        return Some(wait_of(hint));
    }
    if verdict.recovery() != Recovery::Retry {
        return None;
    }
    let advice = dialect.retry();
    let throttled = advice.throttle_wait.filter(|_| status == 429);
    let value = match (throttled, advice.schedule) {
        (Some(wait), _) => format!("{} after the response", time::span(wait)),
        (None, Some(schedule)) => phrases::of_schedule(&schedule),
        (None, None) => return Some(Row::new("wait", "not stated: use an exponential backoff with jitter", "")),
    };
    Some(Row::new("wait", &value, "the dialect"))
}

/// Writes the wait of a hint, and where the hint stood.
fn wait_of(hint: &RetryHint) -> Row {
    let value = match hint.when() {
        When::After(delay) => format!("{} after the response", time::span(delay)),
        When::At(instant) => format!("until {}", time::rfc3339(instant)),
    };
    Row::new("wait", &value, hint.source().to_string())
}

/// Writes the calls that wait, and how the scope is known.
fn cooldown_row(cooldown: &Cooldown) -> Row {
    let source = match cooldown.by {
        ScopeSource::Host => "",
        ScopeSource::Route => "by the route of the call",
        ScopeSource::Response => "named by the response",
    };
    Row::new("cooldown", &phrases::of_cooldown(cooldown), source)
}

/// Lists the words of the server: code, message, request id, fields.
///
/// All of them are escaped: control characters, which could move the cursor or change colours, are shown as `\u{1b}`.
fn server_words(error: &ApiError) -> Vec<Row> {
    let mut rows = Vec::new();
    let mut add = |label, value: Option<&str>, origin: Option<String>| {
        rows.extend(value.map(|value| Row::new(label, value, origin.unwrap_or_default())));
    };
    add("code", error.code(), origin(error, Part::Code));
    add("reason", error.reason(), None);
    add("message", error.message(), origin(error, Part::Message));
    add("request id", error.request_id(), origin(error, Part::RequestId));
    for (nth, field) in error.fields().iter().enumerate() {
        let label = if nth == 0 { "fields" } else { "" };
        let colon = if field.path.is_empty() || field.message.is_empty() { "" } else { ": " };
        rows.push(Row::new(label, &format!("{}{colon}{}", field.path, field.message), ""));
    }
    rows
}

/// Returns where a part of an error stood, such as `error.code in the body` or `x-request-id header`.
fn origin(error: &ApiError, part: Part) -> Option<String> {
    let origin = match part {
        Part::Code => error.code_location(),
        Part::Message => error.message_location(),
        Part::RequestId => error.request_id_location(),
    };
    origin.map(ToString::to_string)
}

/// Aligns the rows; a long value does not push the sources of the others to the right.
///
/// The second column is as wide as the widest value of at most 64 symbols; the source of a longer value follows it
/// after two blanks.
fn render(rows: &[Row]) -> String {
    let label_width = rows.iter().map(|row| row.label.len()).max().unwrap_or_default();
    let widths = rows.iter().filter(|row| !row.origin.is_empty()).map(Row::width);
    let width = widths.filter(|width| *width <= MAX_WIDTH).max().unwrap_or_default();
    let mut out = String::new();
    for row in rows {
        out.push_str(&styled(LABEL, row.label));
        out.push_str(&" ".repeat(label_width - row.label.len() + 2));
        out.push_str(&styled(row.style, &row.value));
        if !row.origin.is_empty() {
            out.push_str(&" ".repeat(width.saturating_sub(row.width()) + 2));
            out.push_str(&styled(DIM, &row.origin));
        }
        out.push('\n');
    }
    out
}

impl Row {
    /// Makes a row; value and source are escaped, since they may be text of the server.
    fn new(label: &'static str, value: &str, origin: impl Into<String>) -> Self {
        Self { label, value: escaped(value), style: PLAIN, origin: escaped(&origin.into()) }
    }

    /// Sets the style of the value.
    fn in_style(mut self, style: Style) -> Self {
        self.style = style;
        self
    }

    /// Returns the width of the value in symbols.
    fn width(&self) -> usize {
        self.value.chars().count()
    }
}
