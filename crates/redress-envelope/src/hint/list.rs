//! Lists of delays and dates (RFC 9110 section 5.6.1), whose commas the dates
//! have too.

/// Splits a list at its commas, but for the one behind the weekday of an HTTP
/// date.
///
/// # Examples
/// `5, Sun, 06 Nov 1994 08:50:37 GMT` has two members.
pub(crate) fn members(text: &str) -> impl Iterator<Item = &str> {
    let mut rest = Some(text);
    let next = move || {
        let text = rest?;
        let comma_in = |text: &str| text.bytes().position(|byte| byte == b',');
        let comma = comma_in(text).and_then(|comma| {
            let is_date = is_weekday(trimmed(&text[..comma]));
            if is_date { comma_in(&text[comma + 1..]).map(|next| comma + 1 + next) } else { Some(comma) }
        });
        let (member, after) = match comma {
            Some(comma) => (&text[..comma], Some(&text[comma + 1..])),
            None => (text, None),
        };
        rest = after;
        Some(trimmed(member))
    };
    std::iter::from_fn(next).filter(|member| !member.is_empty())
}

/// Returns what stands before the first `mark`, an ASCII byte; all of a text
/// without one.
///
/// The texts of hints are so short that a loop takes less time than
/// `str::split`, which begins with a call of `memchr`.
pub(crate) fn before(text: &str, mark: u8) -> &str {
    text.bytes().position(|byte| byte == mark).map_or(text, |at| &text[..at])
}

/// Returns a text without blanks and quotation marks around it: some servers
/// write `Retry-After: "30"`.
pub(crate) fn unquoted(text: &str) -> &str {
    let text = trimmed(text);
    if !matches!(text.as_bytes(), [b'"' | b'\'', ..]) {
        return text;
    }
    let inside = |mark: char| text.strip_prefix(mark)?.strip_suffix(mark);
    inside('"').or_else(|| inside('\'')).map_or(text, trimmed)
}

/// Returns a text without spaces and tabs around it.
pub(crate) fn trimmed(text: &str) -> &str {
    let is_blank = |byte: u8| matches!(byte, b' ' | b'\t');
    let Some(first) = text.bytes().position(|byte| !is_blank(byte)) else { return "" };
    let end = text.bytes().rposition(|byte| !is_blank(byte)).map_or(text.len(), |last| last + 1);
    &text[first..end]
}

/// Returns `true` if a text is the name of a day of the week, short or in full.
fn is_weekday(text: &str) -> bool {
    const DAYS: [&str; 7] = ["monday", "tuesday", "wednesday", "thursday", "friday", "saturday", "sunday"];
    let is_day = |day: &str| {
        text.eq_ignore_ascii_case(day) || day.get(..3).is_some_and(|short| text.eq_ignore_ascii_case(short))
    };
    DAYS.into_iter().any(is_day)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_list_is_split_but_for_its_dates() {
        for (text, expected) in [
            ("5", &["5"][..]),
            ("5, 7", &["5", "7"]),
            (" 5 ,\t7,", &["5", "7"]),
            ("", &[]),
            (",, ,", &[]),
            ("Sun, 06 Nov 1994 08:50:37 GMT", &["Sun, 06 Nov 1994 08:50:37 GMT"]),
            ("5, sunday, 06-Nov-94 08:50:37 GMT, 7", &["5", "sunday, 06-Nov-94 08:50:37 GMT", "7"]),
            ("Sun Nov  6 08:50:37 1994, 5", &["Sun Nov  6 08:50:37 1994", "5"]),
            ("Sun,", &["Sun,"]),
            ("soon, 7", &["soon", "7"]),
        ] {
            assert_eq!(members(text).collect::<Vec<_>>(), expected, "{text:?}");
        }
    }

    #[test]
    fn one_pair_of_quotation_marks_is_taken_off() {
        for (text, expected) in [
            ("\"30\"", "30"),
            (" '30 s' ", "30 s"),
            ("\" 30 \"", "30"),
            ("\"\"30\"\"", "\"30\""),
            ("\"30'", "\"30'"),
            ("\"", "\""),
            ("\"\"", ""),
            ("30", "30"),
        ] {
            assert_eq!(unquoted(text), expected, "{text:?}");
        }
    }
}
