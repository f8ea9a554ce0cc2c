//! The body of reqwest's requests.

use bytes::Bytes;
use reqwest::Body;

use super::CloneBody;

/// A buffered body is copied byte for byte, since reqwest lends its buffer and does not share it; one that streams has no
/// copy. `Full<Bytes>` is shared and costs less.
impl CloneBody for Body {
    fn try_clone(&self) -> Option<Self> {
        self.as_bytes().map(|bytes| Self::from(Bytes::copy_from_slice(bytes)))
    }
}
