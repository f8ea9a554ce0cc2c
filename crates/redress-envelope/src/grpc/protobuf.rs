//! A reader of the wire format of Protocol Buffers (protobuf.dev, "Encoding").
//!
//! It knows no schema: a message is a sequence of numbered fields. Groups, which
//! proto3 does not have, and anything malformed end the sequence.

/// The longest varint: 64 bits, seven in each byte.
const MAX_VARINT: usize = 10;

/// A value of a field.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Value<'b> {
    /// A varint: the integers and truth values of a schema.
    Varint(u64),
    /// A text, bytes, a message, or a packed list.
    Bytes(&'b [u8]),
    /// Four or eight bytes, which no detail has.
    Fixed,
}

/// The fields of a message, in the order of its bytes.
#[derive(Clone, Debug)]
pub(super) struct Fields<'b> {
    rest: &'b [u8],
}

impl<'b> Fields<'b> {
    /// Begins to read a message, which may be one of several in another.
    pub(super) const fn new(message: &'b [u8]) -> Self {
        Self { rest: message }
    }

    /// Reads a field: its number, and the value by its wire type; `None` for a
    /// malformed one.
    fn field(&mut self) -> Option<(u64, Value<'b>)> {
        let tag = self.varint()?;
        let value = match tag & 7 {
            0 => Value::Varint(self.varint()?),
            1 => self.take(8).map(|_| Value::Fixed)?,
            2 => {
                let len = self.varint()?;
                Value::Bytes(self.take(usize::try_from(len).ok()?)?)
            }
            5 => self.take(4).map(|_| Value::Fixed)?,
            _ => return None,
        };
        Some((tag >> 3, value))
    }

    /// Reads a varint: seven bits in each byte, the lowest first. The tenth byte has
    /// room for one bit; more are dropped.
    fn varint(&mut self) -> Option<u64> {
        let mut number = 0_u64;
        for nth in 0..MAX_VARINT {
            let (byte, rest) = self.rest.split_first()?;
            self.rest = rest;
            number |= u64::from(byte & 0x7f) << (7 * nth).min(63);
            if byte & 0x80 == 0 {
                return Some(number);
            }
        }
        None
    }

    /// Takes bytes off the front; `None` if there are too few.
    fn take(&mut self, len: usize) -> Option<&'b [u8]> {
        let (taken, rest) = self.rest.split_at_checked(len)?;
        self.rest = rest;
        Some(taken)
    }
}

impl<'b> Iterator for Fields<'b> {
    type Item = (u64, Value<'b>);

    fn next(&mut self) -> Option<Self::Item> {
        if self.rest.is_empty() {
            return None;
        }
        let field = self.field();
        if field.is_none() {
            self.rest = &[];
        }
        field
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn read(message: &[u8]) -> Vec<(u64, Value<'_>)> {
        Fields::new(message).collect()
    }

    #[test]
    fn the_examples_of_the_documentation_are_read() {
        assert_eq!(read(b"\x08\x96\x01"), [(1, Value::Varint(150))]);
        assert_eq!(read(b"\x12\x07testing"), [(2, Value::Bytes(b"testing"))]);
        assert_eq!(read(b"\x1a\x03\x08\x96\x01"), [(3, Value::Bytes(b"\x08\x96\x01"))]);
        assert_eq!(read(b"\x09testtest\x10\x01"), [(1, Value::Fixed), (2, Value::Varint(1))]);
        assert_eq!(read(b"\x0dtest\x10\x01"), [(1, Value::Fixed), (2, Value::Varint(1))]);
        let minus_two = b"\x08\xfe\xff\xff\xff\xff\xff\xff\xff\xff\x01";
        assert_eq!(read(minus_two), [(1, Value::Varint(u64::MAX - 1))]);
    }

    #[test]
    fn a_message_is_read_up_to_its_first_mistake() {
        for (rest, name) in [
            (&b"\x12"[..], "no length"),
            (b"\x12\x05abcd", "a length past the end"),
            (b"\x12\xff\xff\xff\xff\xff\xff\xff\xff\xff\x01", "a length past all memory"),
            (b"\x08\x80", "a cut varint"),
            (b"\x08\x80\x80\x80\x80\x80\x80\x80\x80\x80\x80\x01", "a varint of 11 bytes"),
            (b"\x0d\x01\x02\x03", "a cut fixed32"),
            (b"\x09\x01\x02\x03\x04\x05\x06\x07", "a cut fixed64"),
            (b"\x0b\x0c", "a group"),
            (b"\x0f", "wire type 7"),
        ] {
            let message = [b"\x08\x05", rest].concat();
            assert_eq!(read(&message), [(1, Value::Varint(5))], "{name}");
        }
        assert_eq!(read(b"\x0d\x01\x02\x03\x04\x08\x01"), [(1, Value::Fixed), (1, Value::Varint(1))]);
    }

    proptest! {
        #[test]
        fn any_bytes_end_in_no_more_fields_than_bytes(bytes in prop::collection::vec(any::<u8>(), 0..256)) {
            prop_assert!(Fields::new(&bytes).count() <= bytes.len() / 2 + 1);
        }

        #[test]
        fn what_was_written_is_read(numbers in prop::collection::vec((1_u64..100, any::<u64>()), 0..20)) {
            let mut message = Vec::new();
            for (field, number) in &numbers {
                for mut rest in [field << 3, *number] {
                    while rest >= 0x80 {
                        message.push(rest as u8 | 0x80);
                        rest >>= 7;
                    }
                    message.push(rest as u8);
                }
            }
            let expected: Vec<_> = numbers.iter().map(|(field, number)| (*field, Value::Varint(*number))).collect();
            prop_assert_eq!(read(&message), expected);
        }
    }
}
