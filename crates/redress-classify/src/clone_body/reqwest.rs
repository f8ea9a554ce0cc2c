//! `CloneBody` for the body of reqwest's requests.

use bytes::Bytes;
use reqwest::Body;

use super::CloneBody;

/// Copies a buffered body byte for byte, since reqwest lends its buffer and does not share it. A streaming body cannot be
/// cloned. `Full<Bytes>` shares its bytes and costs less.
impl CloneBody for Body {
    fn try_clone(&self) -> Option<Self> {
        self.as_bytes().map(|bytes| Self::from(Bytes::copy_from_slice(bytes)))
    }

    fn bytes_in_memory(&self) -> u64 {
        self.as_bytes().map_or(0, |bytes| bytes.len() as u64)
    }
}
