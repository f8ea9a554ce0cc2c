//! References to symbols: `&lt;`, `&#60;`, `&#x3c;`.

/// How long a reference may be between `&` and `;`: none that is known is
/// longer, but for zeros in front.
pub(super) const MAX: usize = 16;

/// Returns the symbol that a reference stands for, given without `&` and `;`.
pub(super) fn symbol(name: &[u8]) -> Option<char> {
    match name {
        b"lt" => Some('<'),
        b"gt" => Some('>'),
        b"amp" => Some('&'),
        b"quot" => Some('"'),
        b"apos" => Some('\''),
        [b'#', b'x', digits @ ..] => numeric(digits, 16),
        [b'#', digits @ ..] => numeric(digits, 10),
        _ => None,
    }
}

/// Returns the symbol of that number, if XML allows it in a document (section
/// 2.2).
fn numeric(digits: &[u8], radix: u32) -> Option<char> {
    let digit = |byte: &u8| char::from(*byte).to_digit(radix);
    let number = digits.iter().try_fold(0_u32, |sum, byte| sum.checked_mul(radix)?.checked_add(digit(byte)?))?;
    let symbol = char::from_u32(number).filter(|_| !digits.is_empty())?;
    let is_allowed = matches!(symbol, '\t' | '\n' | '\r' | ' '..='\u{fffd}' | '\u{10000}'..);
    is_allowed.then_some(symbol)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_five_and_numbers_stand_for_their_symbols() {
        for (name, expected) in [
            ("lt", Some('<')),
            ("amp", Some('&')),
            ("#60", Some('<')),
            ("#x3C", Some('<')),
            ("#x3c", Some('<')),
            ("#0000000000060", Some('<')),
            ("#x10FFFF", Some('\u{10ffff}')),
            ("#x110000", None),
            ("#xD800", None),
            ("#0", None),
            ("#27", None),
            ("#", None),
            ("#x", None),
            ("#+60", None),
            ("#X3C", None),
            ("nbsp", None),
            ("LT", None),
            ("", None),
        ] {
            assert_eq!(symbol(name.as_bytes()), expected, "{name}");
        }
    }
}
