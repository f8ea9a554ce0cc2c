//! The content of a record's file. The documentation of the crate describes it.

use std::time::Duration;

use redress_store::{NewRecord, Record, Version};
use sha2::{Digest, Sha256};
use zeroize::Zeroizing;

use crate::clock::{Moment, Uptime};
use crate::name::{escape, hex, unescape};

/// The first line but for its number, which is that of the format.
const NAME: &str = "redress-store-file ";
const FORMAT: &str = "1";
/// The longest value, 1 MiB. Tokens and counters take less than 64 KiB; the bound keeps a wrong file from filling the memory.
pub(crate) const LONGEST_VALUE: usize = 1 << 20;
/// The longest file: a value, a long key with each byte escaped, and the other lines.
pub(crate) const LONGEST_FILE: u64 = 2 << 20;

/// A record as it stands in a file.
pub(crate) struct Stored {
    pub(crate) key: String,
    version: Version,
    written: Moment,
    /// In milliseconds.
    lifetime: Option<u64>,
    value: Zeroizing<Vec<u8>>,
}

/// Why a content is not a record.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Invalid {
    /// It is not the content of a record in any format.
    Foreign,
    /// It has another format than this version of the crate writes.
    Format,
    /// A line is missing or wrong.
    Line,
    /// The checksum is that of another content.
    Checksum,
}

/// Writes a record.
pub(crate) fn encode(key: &str, record: &NewRecord<'_>, written: Moment) -> Zeroizing<Vec<u8>> {
    let key = escape(key, |byte| !byte.is_ascii_control() && byte != b'%');
    let lifetime = record.end_of_life().map_or_else(|| "none".to_owned(), |lifetime| millis_up(lifetime).to_string());
    let Moment { wall, uptime } = written;
    let uptime = uptime.map_or_else(String::new, |uptime| format!("uptime {uptime}\n"));
    let version = record.version();
    let head = format!("{NAME}{FORMAT}\nkey {key}\nversion {version}\nwritten {wall}\n{uptime}lifetime {lifetime}\n");
    let sum = format!("sha256 {}\n\n", checksum(head.as_bytes(), record.value()));
    let mut content = Zeroizing::new(Vec::with_capacity(head.len() + sum.len() + record.value().len()));
    content.extend_from_slice(head.as_bytes());
    content.extend_from_slice(sum.as_bytes());
    content.extend_from_slice(record.value());
    content
}

/// Reads a record, and compares its checksum.
pub(crate) fn decode(content: &[u8]) -> Result<Stored, Invalid> {
    let mut rest = content;
    let format = line(&mut rest, NAME).ok_or(Invalid::Foreign)?;
    if format != FORMAT {
        return Err(Invalid::Format);
    }
    let stored = (|| {
        let key = unescape(line(&mut rest, "key ")?)?;
        let version = line(&mut rest, "version ")?.parse().ok()?;
        let wall = line(&mut rest, "written ")?.parse().ok()?;
        // Not each system has one.
        let uptime = match line(&mut rest, "uptime ") {
            None => None,
            Some(uptime) => Some(Uptime::parse(uptime)?),
        };
        let lifetime = match line(&mut rest, "lifetime ")? {
            "none" => None,
            lifetime => Some(lifetime.parse().ok()?),
        };
        let head = &content[..content.len() - rest.len()];
        let sum = line(&mut rest, "sha256 ")?;
        let value = rest.strip_prefix(b"\n")?;
        let stored =
            Stored { key, version, written: Moment { wall, uptime }, lifetime, value: Zeroizing::new(value.to_vec()) };
        Some((stored, checksum(head, value) == sum))
    })();
    match stored {
        Some((stored, true)) => Ok(stored),
        Some(_) => Err(Invalid::Checksum),
        None => Err(Invalid::Line),
    }
}

impl Stored {
    /// Returns the record, `None` if its lifetime has passed at `now`.
    pub(crate) fn at(&self, now: Moment) -> Option<Record> {
        let age = now.since(self.written);
        let is_dead = self.lifetime.is_some_and(|lifetime| age >= lifetime);
        (!is_dead).then(|| Record::new(self.version, self.value.to_vec(), Duration::from_millis(age)))
    }
}

/// Takes a line off, and returns it without its name.
fn line<'a>(rest: &mut &'a [u8], name: &str) -> Option<&'a str> {
    let end = rest.iter().position(|&byte| byte == b'\n')?;
    let line = rest[..end].strip_prefix(name.as_bytes())?;
    *rest = &rest[end + 1..];
    std::str::from_utf8(line).ok()
}

fn checksum(head: &[u8], value: &[u8]) -> String {
    hex(&Sha256::new().chain_update(head).chain_update(value).finalize())
}

/// Rounds up: a record stays at least for its lifetime.
fn millis_up(duration: Duration) -> u64 {
    u64::try_from(duration.as_nanos().div_ceil(1_000_000)).unwrap_or(u64::MAX)
}

#[cfg(test)]
mod tests {
    use super::*;

    const fn wall(wall: u64) -> Moment {
        Moment { wall, uptime: None }
    }

    fn record(value: &[u8]) -> NewRecord<'_> {
        NewRecord::new(Version::from_parts(3, 7), value)
    }

    #[test]
    fn the_format_is_the_documented_one() {
        let uptime = Uptime::parse("8c2d51f0a6e44b0f9d3e7b1a2c4f6e80 5000");
        let written = Moment { wall: 1_796_000_000_123, uptime };
        let content = encode("portal/user 7\n", &record(b"value\n").lifetime(Duration::from_micros(1500)), written);
        let head = "redress-store-file 1\nkey portal/user 7%0a\nversion 3-00000000000000000000000000000007\n\
                    written 1796000000123\nuptime 8c2d51f0a6e44b0f9d3e7b1a2c4f6e80 5000\nlifetime 2\n";
        let sum = hex(&Sha256::digest(format!("{head}value\n")));
        assert_eq!(*content, format!("{head}sha256 {sum}\n\nvalue\n").into_bytes());
        assert_eq!(decode(&content).map(|stored| stored.written), Ok(written));
    }

    #[test]
    fn a_content_that_was_changed_or_cut_anywhere_is_not_read() {
        let content = encode("portal/user-7", &record(b"value"), wall(5));
        assert!(decode(&content).is_ok());
        for place in 0..content.len() {
            assert!(decode(&content[..place]).is_err(), "cut at {place}");
            for bit in 0..8 {
                let mut changed = content.to_vec();
                changed[place] ^= 1 << bit;
                assert!(decode(&changed).is_err(), "bit {bit} of byte {place}");
            }
        }
        assert_eq!(decode(&[&content[..], b"x"].concat()).err(), Some(Invalid::Checksum));
        assert_eq!(decode(b"").err(), Some(Invalid::Foreign));
        assert_eq!(decode(b"redress-store-file 2\nanything").err(), Some(Invalid::Format));
    }

    #[test]
    fn the_age_is_zero_after_the_clock_was_set_back_and_the_record_dies_with_its_lifetime() {
        let stored = decode(&encode("k", &record(b"v").lifetime(Duration::from_secs(2)), wall(10_000))).unwrap();
        let age = |now| stored.at(wall(now)).map(|record| record.age());
        assert_eq!(age(0), Some(Duration::ZERO));
        assert_eq!(age(11_999), Some(Duration::from_millis(1999)));
        assert_eq!(age(12_000), None);
        let forever = decode(&encode("k", &record(b"v"), wall(0))).unwrap();
        assert!(forever.at(wall(u64::MAX)).is_some());
        let long = decode(&encode("k", &record(b"v").lifetime(Duration::MAX), wall(0))).unwrap();
        assert!(long.at(wall(u64::MAX - 1)).is_some());
    }
}
