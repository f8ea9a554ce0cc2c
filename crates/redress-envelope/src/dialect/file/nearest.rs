//! The known word that a misspelt one stands for: the suggestion in errors
//! about keys and values.

/// The longest words that are compared, in bytes: the time grows with the
/// product of both lengths, and no key or value of a dialect is longer.
const MAX_BYTES: usize = 32;

/// Returns the known word that is most like an unknown one; `None` if none is
/// near enough to be meant.
///
/// A word is near if at most a third of it must be changed, or if it begins with
/// the unknown one, which has three letters or more. Case is ignored. Of several
/// words that are equally near, the first one is returned.
pub(super) fn nearest<'k>(unknown: &str, known: impl IntoIterator<Item = &'k str>) -> Option<&'k str> {
    if unknown.is_empty() || unknown.len() > MAX_BYTES {
        return None;
    }
    let unknown = unknown.to_ascii_lowercase();
    let near = known.into_iter().filter(|name| name.len() <= MAX_BYTES).filter_map(|name| {
        let most = unknown.len().max(name.len()) / 3;
        let lower = name.to_ascii_lowercase();
        let is_begun = unknown.len() >= 3 && lower.starts_with(&unknown);
        if !is_begun && unknown.len().abs_diff(name.len()) > most {
            return None;
        }
        let changes = distance(unknown.as_bytes(), lower.as_bytes());
        (is_begun || changes <= most).then_some((changes, name))
    });
    near.min_by_key(|(changes, _)| *changes).map(|(_, name)| name)
}

/// Returns how many bytes must be inserted, removed, replaced or swapped with
/// the next one to turn one word into the other: the optimal string alignment
/// distance, a variant of Damerau's and Levenshtein's.
fn distance(from: &[u8], to: &[u8]) -> usize {
    let mut before_last = vec![0; to.len() + 1];
    let mut last: Vec<usize> = (0..=to.len()).collect();
    for (row, byte) in from.iter().enumerate() {
        let mut next = vec![row + 1];
        for (column, other) in to.iter().enumerate() {
            let replaced = last[column] + usize::from(byte != other);
            let mut least = replaced.min(last[column + 1] + 1).min(next[column] + 1);
            if row > 0 && column > 0 && *byte == to[column - 1] && from[row - 1] == *other {
                least = least.min(before_last[column - 1] + 1);
            }
            next.push(least);
        }
        before_last = std::mem::replace(&mut last, next);
    }
    last[to.len()]
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_distance_counts_each_kind_of_change() {
        for (from, to, expected) in [
            ("", "", 0),
            ("", "abc", 3),
            ("abc", "", 3),
            ("same", "same", 0),
            ("isfalse", "is_false", 1),
            ("stripee", "stripe", 1),
            ("jitter", "jotter", 1),
            ("nmae", "name", 1),
            ("kitten", "sitting", 3),
            ("ca", "abc", 3),
        ] {
            assert_eq!(distance(from.as_bytes(), to.as_bytes()), expected, "{from} {to}");
            assert_eq!(distance(to.as_bytes(), from.as_bytes()), expected, "{to} {from}");
        }
    }

    #[test]
    fn the_nearest_word_is_found_if_it_is_near_enough() {
        let known = ["name", "per_s", "is_false", "stripe", "strict", "not_found"];
        for (unknown, expected) in [
            ("nmae", Some("name")),
            ("Name", Some("name")),
            ("per", Some("per_s")),
            ("pe", None),
            ("isfalse", Some("is_false")),
            ("stripe_", Some("stripe")),
            ("strip", Some("stripe")),
            ("notfound", Some("not_found")),
            ("é", None),
            ("x", None),
            ("", None),
            ("nobody", None),
        ] {
            assert_eq!(nearest(unknown, known), expected, "{unknown}");
        }
        let long = "n".repeat(MAX_BYTES + 1);
        assert_eq!(nearest(&long, [long.as_str()]), None);
    }
}
