//! The `RateLimit` field (RFC 9651, structured fields): a list of items with
//! the parameters `r` and `t`, or, up to draft 07, a dictionary with the
//! members `remaining` and `reset`.

use std::time::SystemTime;

use super::When;
use super::number::Number;

/// Room for a dozen quotas; a longer field is not looked at.
const MAX_LEN: usize = 1024;

/// The rest of a quota until it is whole again.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Quota {
    /// Nothing: a request before then is rejected.
    UsedUp,
    /// Something.
    Left,
    /// The response does not say.
    Unknown,
}

impl Quota {
    /// Returns what is left of two quotas that both count: nothing, if that is said
    /// of one.
    pub(crate) fn of_both(self, other: Self) -> Self {
        if self == Self::UsedUp { self } else { other }
    }

    /// Reads when a quota of a `RateLimit` field is whole again: the longest that
    /// is used up, else the longest of all.
    pub(crate) fn of_field(field: &str, now: SystemTime) -> Option<(Self, When)> {
        window(field.trim_matches([' ', '\t']), now)
    }
}

/// One quota: what remains of it, and when it is whole again.
#[derive(Clone, Copy, Default)]
struct Item {
    remaining: Option<u64>,
    reset: Option<When>,
}

/// Returns the longest time until a quota that is used up is whole again; where
/// none is said to be used up, that of any. A malformed field and an
/// implausible time give `None`.
pub(super) fn reset(field: &str, now: SystemTime) -> Option<When> {
    window(field, now).map(|(_, when)| when)
}

/// Returns that time, and what is left until then of the quota that it belongs
/// to.
fn window(field: &str, now: SystemTime) -> Option<(Quota, When)> {
    if field.len() > MAX_LEN {
        return None;
    }
    let quotas = quotas(field)?;
    let longest = |quotas: &mut dyn Iterator<Item = &Item>| {
        let plausible = quotas.filter_map(|quota| quota.reset).filter(|when| when.is_plausible(now));
        plausible.reduce(|a, b| if b.delay(now) > a.delay(now) { b } else { a })
    };
    if quotas.iter().any(|quota| quota.remaining == Some(0)) {
        let when = longest(&mut quotas.iter().filter(|quota| quota.remaining == Some(0)))?;
        return Some((Quota::UsedUp, when));
    }
    let is_known = quotas.iter().all(|quota| quota.remaining.is_some());
    Some((if is_known { Quota::Left } else { Quota::Unknown }, longest(&mut quotas.iter())?))
}

/// Reads every quota of a field: one for each item, and one that all members of
/// a dictionary are parts of.
fn quotas(field: &str) -> Option<Vec<Item>> {
    let (mut items, mut dictionary) = (Vec::new(), None);
    let mut rest = field.trim_matches(' ');
    loop {
        let (name, after) = bare(rest)?;
        if let Some(value) = after.strip_prefix('=').filter(|_| !rest.starts_with(['"', ':'])) {
            let (value, after) = bare(value)?;
            let quota = dictionary.get_or_insert_with(Item::default);
            quota.set(name, value)?;
            // Some servers separate the members by semicolons.
            rest = parameters(after, quota)?;
        } else {
            let mut quota = Item::default();
            rest = parameters(after, &mut quota)?;
            items.push(quota);
        }
        rest = rest.trim_start_matches([' ', '\t']);
        if rest.is_empty() {
            break;
        }
        rest = rest.strip_prefix(',')?.trim_start_matches([' ', '\t']);
    }
    items.extend(dictionary);
    Some(items)
}

impl Item {
    /// Takes a member or parameter; `None` when a time is not a whole number.
    fn set(&mut self, key: &str, value: &str) -> Option<()> {
        match key {
            "r" | "remaining" => self.remaining = number(value),
            "t" | "reset" => {
                number(value)?;
                self.reset = Number::parse(value).map(Number::seconds);
            }
            _ => {}
        }
        Some(())
    }
}

/// Reads the parameters behind an item, and returns what follows.
fn parameters<'t>(text: &'t str, quota: &mut Item) -> Option<&'t str> {
    let mut rest = text;
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
        quota.set(key, value_text)?;
    }
    Some(rest)
}

/// Splits a bare item from what follows: a string, a byte sequence, or a token,
/// number or truth value.
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
    use std::time::Duration;

    use super::*;

    fn reset(field: &str) -> Option<Duration> {
        let now = SystemTime::UNIX_EPOCH;
        super::reset(field, now).map(|when| when.delay(now))
    }

    #[test]
    fn the_quota_that_is_used_up_counts() {
        for (field, expected) in [
            ("\"p\";r=0;t=30", Some(30)),
            ("\"burst\";r=5;t=99, \"daily\";r=0;t=7", Some(7)),
            ("\"a\";r=0;t=3,\"b\";r=0;t=9", Some(9)),
            ("\"a\";r=4;t=3", Some(3)),
            ("default;r=0;t=1;pk=:c2Vj:", Some(1)),
            ("\"a \\\" ;t=5\";r=0;t=2", Some(2)),
            ("\"p\";r=0;t=99999999999999999999", None),
            ("\"p\";r=0;t=99999999999999999999,\"q\";r=0;t=4,\"z\";r=1;t=9", Some(4)),
            ("\"p\";q_1=5;*x=1;r=0;t=3", Some(3)),
            ("\"p\";1q=5;r=0;t=3", None),
            ("\"p\";_q=5;r=0;t=3", None),
            ("\"p\";r=0", None),
            ("\"p\";r=0;t=-1", None),
            ("\"p\";r=0;t=1.5", None),
            ("\"p;r=0;t=1", None),
            ("\"p\";r=0;t=1,", None),
            ("limit=10, remaining=0, reset=5", Some(5)),
            ("limit=10,remaining=0,reset=5", Some(5)),
            ("limit=10;w=60, remaining=0, reset=5", Some(5)),
            ("limit=10; remaining=0; reset=5", Some(5)),
            ("remaining=0, reset=5, limit=10, policy=\"p\"", Some(5)),
            ("limit=10, remaining=0, reset=99999999999999999999", None),
            ("limit=10, remaining=0, reset=1.5", None),
            ("limit=10, remaining=0", None),
            ("limit=10, remaining=0, reset=", None),
            ("limit=10, remaining=0, reset=5,", None),
            ("\"limit\"=10, \"reset\"=5", None),
            ("limit=9, remaining=7, reset=80, \"p\";r=0;t=5", Some(5)),
            ("", None),
        ] {
            assert_eq!(reset(field), expected.map(Duration::from_secs), "{field}");
        }
    }

    #[test]
    fn a_quota_is_used_up_left_or_unknown() {
        for (field, expected) in [
            ("\"p\";r=0;t=30", Quota::UsedUp),
            ("\"p\";r=00;t=30", Quota::UsedUp),
            ("\"p\";r=0;t=30,\"q\";r=5;t=30", Quota::UsedUp),
            ("\"p\";r=5;t=30", Quota::Left),
            ("limit=10, remaining=0, reset=5", Quota::UsedUp),
            ("limit=10, remaining=7, reset=5", Quota::Left),
            ("limit=10, reset=5", Quota::Unknown),
            ("\"p\";r=5;t=30,\"q\";t=30", Quota::Unknown),
            ("\"p\";t=30", Quota::Unknown),
            ("\"p\";r=x;t=30", Quota::Unknown),
        ] {
            let found = window(field, SystemTime::UNIX_EPOCH).map(|(quota, _)| quota);
            assert_eq!(found, Some(expected), "{field}");
        }
    }

    #[test]
    fn a_field_is_looked_at_up_to_its_longest_length() {
        let of_length = |length: usize| format!("{:x<fill$};r=0;t=7", "p", fill = length - ";r=0;t=7".len());
        assert_eq!((of_length(MAX_LEN).len(), reset(&of_length(MAX_LEN))), (MAX_LEN, Some(Duration::from_secs(7))));
        assert_eq!(reset(&of_length(MAX_LEN + 1)), None);
    }
}
