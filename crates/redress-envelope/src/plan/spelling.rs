//! The ways to write a name of several words.

/// How the names in paths match those of a body.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) enum Spelling {
    /// Byte for byte.
    #[default]
    Exact,
    /// A name stands for every usual way to write its words.
    Any,
}

impl Spelling {
    pub(crate) const ALL: [(&str, Self); 2] = [("exact", Self::Exact), ("any", Self::Any)];

    /// Returns each way to write a name in a path.
    pub(super) fn of(self, name: &str) -> Vec<String> {
        match self {
            Self::Exact => vec![name.to_owned()],
            Self::Any => spellings(name),
        }
    }
}

/// Returns every usual way to write a name: `error_code`, `errorCode`,
/// `ErrorCode`, `error-code`, `errorcode`, `ERROR_CODE`, `ERRORCODE`, `Error_Code`;
/// with `ID` for a last word `id`, too. Two of them differ in nothing but case and what lies between
/// the words.
///
/// A name with other symbols than letters, digits, `_` and `-` in it, or with
/// one of these at an end, is written in one way.
fn spellings(name: &str) -> Vec<String> {
    let words = words(name);
    if words.is_empty() {
        return vec![name.to_owned()];
    }
    let humps: Vec<_> = words.iter().map(|word| capitalized(word)).collect();
    let pascal = humps.concat();
    let camel = [&words[0], &*humps[1..].concat()].concat();
    let snake = words.join("_");
    let (shouted, kebab, flat) = (snake.to_ascii_uppercase(), words.join("-"), words.concat());
    let (shouted_flat, title) = (flat.to_ascii_uppercase(), humps.join("_"));
    let mut all = vec![name.to_owned(), snake, camel, pascal, kebab, flat, shouted, shouted_flat, title];
    if words.len() > 1 && words.last().is_some_and(|word| word == "id") {
        let with_id = |name: &String| format!("{}ID", &name[..name.len() - 2]);
        let shouted = [with_id(&all[2]), with_id(&all[3])];
        all.extend(shouted);
    }
    let mut once = Vec::new();
    for name in all {
        if !once.contains(&name) {
            once.push(name);
        }
    }
    once
}

/// Returns the words of a name in lower case; none for a name that is written
/// in one way.
fn words(name: &str) -> Vec<String> {
    let plain = name.bytes().all(|byte| byte.is_ascii_alphanumeric() || byte == b'_' || byte == b'-');
    if !plain || name.is_empty() || name.starts_with(['_', '-']) || name.ends_with(['_', '-']) {
        return Vec::new();
    }
    let mut words: Vec<String> = Vec::new();
    let mut begins = true;
    let mut after_lower = false;
    for symbol in name.chars() {
        if matches!(symbol, '_' | '-') {
            begins = true;
            continue;
        }
        if begins || (symbol.is_ascii_uppercase() && after_lower) {
            words.push(String::new());
        }
        if let Some(word) = words.last_mut() {
            word.push(symbol.to_ascii_lowercase());
        }
        (begins, after_lower) = (false, !symbol.is_ascii_uppercase());
    }
    words
}

fn capitalized(word: &str) -> String {
    let (first, rest) = word.split_at(1);
    first.to_ascii_uppercase() + rest
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_name_is_written_in_every_usual_way() {
        let all = [
            "error_code",
            "errorCode",
            "ErrorCode",
            "error-code",
            "errorcode",
            "ERROR_CODE",
            "ERRORCODE",
            "Error_Code",
        ];
        for name in ["error_code", "errorCode", "ErrorCode", "error-code", "ERROR_CODE", "Error_Code"] {
            let mut found = spellings(name);
            assert_eq!(found[0], name);
            found.sort();
            let mut expected = all.to_vec();
            expected.sort_unstable();
            assert_eq!(found, expected, "{name}");
        }
        assert!(["requestID", "RequestID"].iter().all(|name| spellings("request_id").contains(&(*name).to_owned())));
        assert_eq!(spellings("message"), ["message", "Message", "MESSAGE"]);
        for name in ["_embedded", "@type", "odata.error", "", "é", "-"] {
            assert_eq!(spellings(name), [name]);
        }
    }
}
