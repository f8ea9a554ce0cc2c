//! The names of headers that were sent again.

use std::fmt;
use std::sync::{Mutex, MutexGuard, PoisonError};

use http::HeaderName;
use http::header::InvalidHeaderName;

/// The names that are kept, in 32 bytes each and the memory of their texts. Most clients send fewer.
const MAX_NAMES: usize = 32;
/// The longest name that is kept, in bytes.
const MAX_LEN: usize = 64;

/// The names of the headers that the services of a layer have sent again.
///
/// A name that `http` does not know takes an allocation each time that it is made from bytes, and clients send the same names again and
/// again. Once the list is full, other names are made anew.
#[derive(Default)]
pub(crate) struct HeaderNames(Mutex<Vec<HeaderName>>);

/// The list of names, while the headers of one request are read.
pub(crate) struct Reader<'a> {
    names: MutexGuard<'a, Vec<HeaderName>>,
    /// The place behind the name that was found last: most requests have their headers in the same order.
    next: usize,
}

impl HeaderNames {
    pub(crate) fn reader(&self) -> Reader<'_> {
        Reader { names: self.0.lock().unwrap_or_else(PoisonError::into_inner), next: 0 }
    }
}

impl Reader<'_> {
    /// Returns the name that consists of these bytes, which are in lower case.
    ///
    /// # Errors
    /// If they are no name.
    pub(crate) fn name(&mut self, bytes: &[u8]) -> Result<HeaderName, InvalidHeaderName> {
        let is_name = |name: &&HeaderName| name.as_str().as_bytes() == bytes;
        if let Some(name) = self.names.get(self.next).filter(is_name) {
            self.next += 1;
            return Ok(name.clone());
        }
        self.find(bytes)
    }

    #[inline(never)]
    fn find(&mut self, bytes: &[u8]) -> Result<HeaderName, InvalidHeaderName> {
        let at = self.names.iter().position(|name| name.as_str().as_bytes() == bytes);
        let Some(at) = at else {
            let name = HeaderName::from_bytes(bytes)?;
            if self.names.len() < MAX_NAMES && bytes.len() <= MAX_LEN {
                self.names.push(name.clone());
                self.next = self.names.len();
            }
            return Ok(name);
        };
        self.next = at + 1;
        Ok(self.names[at].clone())
    }
}

impl fmt::Debug for HeaderNames {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("HeaderNames").finish_non_exhaustive()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_are_those_of_the_bytes_in_any_order() {
        let names = HeaderNames::default();
        for order in [["accept", "x-a", "x-b", "host"], ["x-b", "host", "x-b", "x-c"], ["x-c", "x-a", "accept", "x-b"]]
        {
            let mut reader = names.reader();
            for name in order {
                assert_eq!(reader.name(name.as_bytes()).unwrap(), name);
            }
        }
        assert_eq!(names.reader().names.len(), 5, "each is kept once");
        let mut reader = names.reader();
        for (name, next) in [("x-a", 2), ("x-b", 3), ("host", 4), ("accept", 1), ("x-a", 2), ("x-c", 5), ("x-d", 6)] {
            reader.name(name.as_bytes()).unwrap();
            assert_eq!(reader.next, next, "behind {name}");
        }
        drop(reader);
        names.reader().name(b"x\0").unwrap_err();
    }

    #[test]
    fn neither_long_names_nor_more_than_the_list_has_room_for_are_kept() {
        let names = HeaderNames::default();
        let long = "x".repeat(MAX_LEN + 1);
        assert_eq!(names.reader().name(long.as_bytes()).unwrap(), *long);
        assert!(names.reader().names.is_empty());
        for number in 0..2 * MAX_NAMES {
            let name = format!("x-{number}");
            assert_eq!(names.reader().name(name.as_bytes()).unwrap(), *name);
        }
        assert_eq!(names.reader().names.len(), MAX_NAMES);
    }
}
