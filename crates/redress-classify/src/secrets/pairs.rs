//! A filter that tells most texts without a secret by a look at every fourth byte, without an allocation.

use zeroize::Zeroizing;

use super::MIN_DERIVED;

/// The pairs of neighbouring bytes in the forms of all secrets, in lower case, as a set of hashes.
#[derive(Default)]
pub(super) struct Pairs {
    /// 4,096 bits, or none: a token of 100 letters sets 2 % of them.
    bits: Option<Box<Zeroizing<[u64; WORDS]>>>,
}

/// The number of hashes.
const BITS: usize = 4096;
/// The number of words that hold them.
const WORDS: usize = BITS / u64::BITS as usize;
/// The number of pairs in the shortest form.
const RUN: usize = MIN_DERIVED - 1;

impl Pairs {
    pub(super) fn add(&mut self, form: &[u8]) {
        let bits = self.bits.get_or_insert_with(|| Box::new(Zeroizing::new([0; WORDS])));
        for pair in form.windows(2) {
            let hash = hash([pair[0], pair[1]]);
            bits[hash / 64] |= 1 << (hash % 64);
        }
    }

    /// Returns `false` if a text holds neither a form, nor a part of one that is as long as the shortest form.
    ///
    /// Either is a run of known pairs. One pair of such a run lies at a multiple of its length.
    pub(super) fn may_be_in(&self, text: &[u8]) -> bool {
        let Some(bits) = &self.bits else { return false };
        let holds = |pair: &[u8; 2]| {
            let hash = hash(*pair);
            bits[hash / 64] & (1 << (hash % 64)) != 0
        };
        let is_known = |at: &usize| text.get(*at..).and_then(<[u8]>::first_chunk).is_some_and(holds);
        let is_run = |at: usize| {
            let before = (at.saturating_sub(RUN - 1)..at).rev().take_while(is_known).count();
            before + (at..at + RUN).take_while(is_known).count() >= RUN
        };
        text.chunks(RUN).enumerate().any(|(nth, run)| run.first_chunk().is_some_and(holds) && is_run(nth * RUN))
    }
}

/// Returns the hash of a pair, without regard to case: the upper bits of its product with the golden ratio, which spreads the
/// letters and digits of most texts over all of them.
fn hash(pair: [u8; 2]) -> usize {
    // A letter of either case has this bit in lower case; that other bytes become equal by it does no harm.
    let pair = u16::from_le_bytes(pair) | 0x2020;
    (u32::from(pair).wrapping_mul(0x9E37_79B1) >> (u32::BITS - BITS.ilog2())) as usize
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn a_form_and_its_parts_are_found_anywhere_in_any_case() {
        let mut pairs = Pairs::default();
        assert!(!pairs.may_be_in(b"s3cret-token"));
        pairs.add(b"s3cret-token");
        for before in 0..9 {
            for part in ["s3cret-token", "T-TOK", "s3cre", "token"] {
                let text = format!("{}{part}", &"xyzxyzxyz"[..before]);
                assert!(pairs.may_be_in(text.as_bytes()) && pairs.may_be_in(format!("{text}xyz").as_bytes()), "{text}");
            }
        }
        for text in ["", "s", "toke", "s3cr", "no such secret", "s3cr3t"] {
            assert!(!pairs.may_be_in(text.as_bytes()), "{text}");
        }
    }

    /// A hash by a shift of each byte took the first text for a part of the token.
    #[test]
    fn ids_and_words_of_an_error_are_no_part_of_a_token() {
        let mut pairs = Pairs::default();
        pairs.add(b"eyJzdWIiOiIxMjM0NTY3ODkwIn0.dozjgNryP4J3jVmNHl0w5N_XgL0n3I9PlFUP0THsR8U");
        for text in ["/v1/reports/rp_0000000000000000", r#"{"requestId":"9f511d92ac11236d-SJC"}"#] {
            assert!(!pairs.may_be_in(text.as_bytes()), "{text}");
        }
    }

    proptest! {
        #[test]
        fn no_part_of_a_form_is_missed(
            form in prop::collection::vec(any::<u8>(), 5..40),
            (from, to) in (0..35_usize, 5..40_usize),
            before in prop::collection::vec(any::<u8>(), 0..12),
            after in prop::collection::vec(any::<u8>(), 0..12),
        ) {
            let from = from.min(form.len() - 5);
            let part = &form[from..form.len().min(from + to)];
            let mut pairs = Pairs::default();
            pairs.add(&form);
            prop_assert!(pairs.may_be_in(&[&before[..], part, &after[..]].concat()));
        }
    }
}
