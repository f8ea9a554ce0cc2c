//! A table that tells most names apart from those a plan asks for at any depth,
//! by their last two letters and their length.

/// The shortest name that is asked for, by the last five bits of each of its last
/// two bytes: a letter has the same in either case.
#[derive(Clone, Debug)]
pub(super) struct LastLetters([u8; PAIRS]);

const PAIRS: usize = 1 << 10;
/// No name ends so.
const NONE: u8 = u8::MAX;

impl LastLetters {
    /// Tells apart from whole names, and from ends of names in small letters and
    /// digits.
    pub(super) fn new<'n>(names: impl Iterator<Item = &'n [u8]>, ends: impl Iterator<Item = &'n [u8]>) -> Self {
        let mut shortest = [NONE; PAIRS];
        for name in names.chain(ends) {
            let len = u8::try_from(name.len()).unwrap_or(NONE - 1).min(NONE - 1);
            match name.last_chunk() {
                Some(last) => {
                    let known = &mut shortest[pair(*last)];
                    *known = len.min(*known);
                }
                // Any byte may precede the only letter.
                None => shortest.iter_mut().for_each(|known| *known = len.min(*known)),
            }
        }
        Self(shortest)
    }

    /// Returns `true` if the name is none of the names and has none of the ends.
    #[inline(always)]
    pub(super) fn excludes(&self, name: &[u8]) -> bool {
        let Some(last) = name.last_chunk() else { return false };
        let shortest = self.0[pair(*last)];
        // Between the letters of an end anything else may stand.
        last.iter().all(u8::is_ascii_alphanumeric) && (shortest == NONE || name.len() < usize::from(shortest))
    }
}

#[inline(always)]
fn pair([before, last]: [u8; 2]) -> usize {
    usize::from(before & 31) << 5 | usize::from(last & 31)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn excluded(name: &str) -> bool {
        let names = ["request_id", "requestId", "\u{e9}t\u{e9}"];
        let ends = ["error", "errorcode"];
        LastLetters::new(names.map(str::as_bytes).into_iter(), ends.map(str::as_bytes).into_iter())
            .excludes(name.as_bytes())
    }

    #[test]
    fn no_name_that_is_asked_for_is_excluded() {
        let asked = [
            "request_id",
            "requestId",
            "\u{e9}t\u{e9}",
            "error",
            "ERROR",
            "apiError",
            "api_error_",
            "error-code",
            "err.or",
            "ErrorCode",
            "error_code",
            "erro-r",
        ];
        for name in asked {
            assert!(!excluded(name), "{name}");
        }
    }

    #[test]
    fn other_endings_and_shorter_names_are_excluded() {
        for name in ["name", "size", "id", "code", "uuid", "or"] {
            assert!(excluded(name), "{name}");
        }
    }

    #[test]
    fn an_end_of_one_letter_excludes_no_longer_name() {
        let last = LastLetters::new(std::iter::empty(), [&b"e"[..]].into_iter());
        assert!(!last.excludes(b"code") && !last.excludes(b"e"));
    }
}
