//! Reading a response body within a limit and a deadline.

use bytes::{Bytes, BytesMut};
use http_body::Body as _;
use http_body_util::BodyExt;
use redress_classify::Deadline;
use reqwest::Body;

use super::ClientError;

/// Reads a body to its end.
pub(super) async fn bytes(body: Body, limit: usize, deadline: Option<Deadline>) -> Result<Bytes, ClientError> {
    let Some(deadline) = deadline else { return collected(body, limit).await };
    let read = tokio::time::timeout_at(deadline.instant(), collected(body, limit));
    read.await.unwrap_or_else(|_| Err(ClientError::body_deadline()))
}

/// Collects the frames of data. A body that announces a length beyond the limit is refused unread.
async fn collected(mut body: Body, limit: usize) -> Result<Bytes, ClientError> {
    if body.size_hint().lower() > limit as u64 {
        return Err(ClientError::body_too_large(limit));
    }
    let mut whole = Chunks::default();
    while let Some(frame) = body.frame().await {
        let Ok(data) = frame.map_err(ClientError::body)?.into_data() else { continue };
        if data.len() > limit.saturating_sub(whole.len()) {
            return Err(ClientError::body_too_large(limit));
        }
        whole.push(data);
    }
    Ok(whole.into_bytes())
}

/// The data of a body. A single chunk, the usual case, is not copied.
#[derive(Default)]
struct Chunks {
    first: Bytes,
    all: BytesMut,
}

impl Chunks {
    fn len(&self) -> usize {
        self.first.len().max(self.all.len())
    }

    fn push(&mut self, data: Bytes) {
        if self.len() == 0 {
            self.first = data;
            return;
        }
        if self.all.is_empty() {
            self.all.extend_from_slice(&self.first);
        }
        self.all.extend_from_slice(&data);
    }

    fn into_bytes(self) -> Bytes {
        if self.all.is_empty() { self.first } else { self.all.freeze() }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn chunks_are_joined_in_order_and_a_single_one_is_not_copied() {
        let parts = [&b"ab"[..], b"", b"c", b"def"].map(Bytes::from_static);
        let mut chunks = Chunks::default();
        for part in &parts {
            chunks.push(part.clone());
        }
        assert_eq!(chunks.len(), 6);
        assert_eq!(chunks.into_bytes(), "abcdef");
        let mut single = Chunks::default();
        single.push(parts[0].clone());
        assert_eq!(single.into_bytes().as_ptr(), parts[0].as_ptr());
    }
}
