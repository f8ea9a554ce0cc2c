//! The text for a support ticket.

use std::fmt::Write as _;
use std::time::Duration;

use redress_envelope::{HintSource, format_date};

use super::{Details, Word};
use crate::printable::escaped;

/// The maximum number of characters of one value in a report.
const MAX_VALUE: usize = 512;

pub(super) fn write(details: &Details) -> String {
    let reason = details.word(Word::Reason).map(|reason| format!(" ({reason})")).unwrap_or_default();
    let code = details.word(Word::Code).map(|code| format!("{code}{reason}"));
    let mut body = escaped(details.texts.body(), usize::MAX);
    if details.body_cut {
        body.push_str(" ... (cut)");
    }
    let mut rows = vec![
        ("vendor", Some(details.dialect.vendor().to_owned())),
        ("call", Some(format!("{} {}", details.method, details.texts.path()))),
        ("time", Some(format_date(details.time))),
        ("status", Some(details.status.to_string())),
        ("code", code),
        ("request id", details.word(Word::RequestId).map(str::to_owned)),
        ("retry-after", wait(details)),
    ];
    if let Some(reason) = &details.not_refreshed {
        rows.push(("refresh", Some(reason.clone())));
    }
    let mut report = String::new();
    for (name, value) in rows {
        let value = value.map_or_else(|| "-".to_owned(), |value| escaped(&value, MAX_VALUE));
        let _ = writeln!(report, "{name:<12}{value}");
    }
    let body = if body.is_empty() { "(empty)" } else { &body };
    let _ = write!(report, "{:<12}{body}", "body");
    report
}

/// Returns the wait that the server asks for with its place in the response, and the `Retry-After` header as it came.
fn wait(details: &Details) -> Option<String> {
    let header = details.word(Word::RetryAfter);
    let Some(hint) = &details.facts.hint else { return header.map(str::to_owned) };
    let (delay, source) = (in_seconds(hint.delay()), hint.hint().source());
    Some(match (header, source) {
        (Some(header), HintSource::RetryAfter) if is_number(header) => format!("{header} ({source})"),
        (Some(header), HintSource::RetryAfter) => format!("{header}: {delay} ({source})"),
        (Some(header), _) => format!("{header}; {delay} ({source})"),
        (None, _) => format!("{delay} ({source})"),
    })
}

fn is_number(text: &str) -> bool {
    !text.is_empty() && text.bytes().all(|byte| byte.is_ascii_digit())
}

fn in_seconds(delay: Duration) -> String {
    if delay.subsec_nanos() == 0 { format!("{} s", delay.as_secs()) } else { format!("{:.3} s", delay.as_secs_f64()) }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn formats_a_delay_in_seconds() {
        for (delay, text) in [
            (Duration::ZERO, "0 s"),
            (Duration::from_secs(20), "20 s"),
            (Duration::from_millis(1_500), "1.500 s"),
            (Duration::from_secs(86_400), "86400 s"),
        ] {
            assert_eq!(in_seconds(delay), text);
        }
        assert!(is_number("20") && !is_number("") && !is_number("20, 30"));
    }
}
