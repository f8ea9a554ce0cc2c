//! The `RateLimit` field: a list of items with parameters (RFC 9651, structured fields), of which `r` and `t` matter.

use std::time::Duration;

/// Room for a dozen quotas; a longer field is not looked at.
const MAX_LEN: usize = 1024;

/// One quota: what remains of it, and the seconds until it is whole again.
#[derive(Default)]
struct Quota {
    remaining: Option<u64>,
    reset: Option<u64>,
}

/// Returns the longest time until a quota that is used up is whole again; where none is said to be used up, that of any.
/// A malformed field is no hint at all.
pub(super) fn reset(field: &str) -> Option<Duration> {
    if field.len() > MAX_LEN {
        return None;
    }
    let mut quotas = Vec::new();
    let mut rest = field.trim_matches(' ');
    loop {
        let quota;
        (quota, rest) = item(rest)?;
        quotas.push(quota);
        rest = rest.trim_start_matches([' ', '\t']);
        if rest.is_empty() {
            break;
        }
        rest = rest.strip_prefix(',')?.trim_start_matches([' ', '\t']);
    }
    let used_up: Vec<_> = quotas.iter().filter(|quota| quota.remaining == Some(0)).collect();
    let longest = match used_up.is_empty() {
        false => used_up.iter().filter_map(|quota| quota.reset).max(),
        true => quotas.iter().filter_map(|quota| quota.reset).max(),
    };
    longest.map(Duration::from_secs)
}

/// Reads one item with its parameters.
fn item(text: &str) -> Option<(Quota, &str)> {
    let (_, mut rest) = bare(text)?;
    let mut quota = Quota::default();
    while let Some(parameter) = rest.strip_prefix(';') {
        let parameter = parameter.trim_start_matches(' ');
        let is_key = |symbol: char| symbol.is_ascii_lowercase() || symbol.is_ascii_digit() || "_-.*".contains(symbol);
        let end = parameter.find(|symbol| !is_key(symbol)).unwrap_or(parameter.len());
        let (key, after) = parameter.split_at(end);
        if !key.starts_with(|symbol: char| symbol.is_ascii_lowercase() || symbol == '*') {
            return None;
        }
        let Some(value) = after.strip_prefix('=') else {
            rest = after;
            continue;
        };
        let value_text;
        (value_text, rest) = bare(value)?;
        match key {
            "r" => quota.remaining = number(value_text),
            "t" => quota.reset = Some(number(value_text)?),
            _ => {}
        }
    }
    Some((quota, rest))
}

/// Splits a bare item from what follows: a string, a byte sequence, or a token, number or truth value.
fn bare(text: &str) -> Option<(&str, &str)> {
    if let Some(string) = text.strip_prefix('"') {
        let mut escaped = false;
        let end = string.find(|symbol| {
            let ends = symbol == '"' && !escaped;
            escaped = symbol == '\\' && !escaped;
            ends
        })?;
        return Some((&string[..end], &string[end + 1..]));
    }
    if let Some(bytes) = text.strip_prefix(':') {
        return bytes.split_once(':');
    }
    let end = text.find([';', ',', ' ', '\t', '=', '"']).unwrap_or(text.len());
    (end > 0).then(|| text.split_at(end))
}

/// Reads a whole number; one that is too large counts as the largest.
fn number(text: &str) -> Option<u64> {
    let digits = !text.is_empty() && text.bytes().all(|byte| byte.is_ascii_digit());
    digits.then(|| text.parse().unwrap_or(u64::MAX))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_quota_that_is_used_up_counts() {
        for (field, expected) in [
            ("\"p\";r=0;t=30", Some(30)),
            ("\"burst\";r=5;t=99, \"daily\";r=0;t=7", Some(7)),
            ("\"a\";r=0;t=3,\"b\";r=0;t=9", Some(9)),
            ("\"a\";r=4;t=3", Some(3)),
            ("default;r=0;t=1;pk=:c2Vj:", Some(1)),
            ("\"a \\\" ;t=5\";r=0;t=2", Some(2)),
            ("\"p\";r=0;t=99999999999999999999", Some(u64::MAX)),
            ("\"p\";q_1=5;*x=1;r=0;t=3", Some(3)),
            ("\"p\";1q=5;r=0;t=3", None),
            ("\"p\";_q=5;r=0;t=3", None),
            ("\"p\";r=0", None),
            ("\"p\";r=0;t=-1", None),
            ("\"p\";r=0;t=1.5", None),
            ("\"p;r=0;t=1", None),
            ("\"p\";r=0;t=1,", None),
            ("limit=10, remaining=0, reset=5", None),
            ("", None),
        ] {
            assert_eq!(reset(field), expected.map(Duration::from_secs), "{field}");
        }
    }

    #[test]
    fn a_field_is_looked_at_up_to_its_longest_length() {
        let of_length = |length: usize| format!("{:x<fill$};r=0;t=7", "p", fill = length - ";r=0;t=7".len());
        assert_eq!((of_length(MAX_LEN).len(), reset(&of_length(MAX_LEN))), (MAX_LEN, Some(Duration::from_secs(7))));
        assert_eq!(reset(&of_length(MAX_LEN + 1)), None);
    }
}
