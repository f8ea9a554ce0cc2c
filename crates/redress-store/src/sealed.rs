//! The form of an encrypted value.
//!
//! Four bytes say that the value is encrypted, and in which form: `rdx1`. Then the nonce follows, 24 random bytes, and then the
//! value under XChaCha20-Poly1305 with its tag of 16 bytes. Associated data are these four bytes, the version of the record, and
//! its key in the store: a value does not open under another one.

use std::error::Error as StdError;
use std::fmt;

use chacha20poly1305::aead::{AeadInOut, Generate};
use chacha20poly1305::{KeyInit, XChaCha20Poly1305, XNonce};
use zeroize::Zeroizing;

use crate::BoxError;
use crate::record_key::RecordKey;
use crate::version::Version;

/// The first bytes of an encrypted value.
const MARK: &[u8; 4] = b"rdx1";
const NONCE_LEN: usize = 24;

/// Why the value of a record does not open. It contains no byte of the value or of a key.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum NotOpened {
    /// The value is not encrypted.
    Plain,
    /// The value is encrypted, and no key opens it.
    NoKey,
}

/// Encrypts the value of a record.
pub(crate) fn seal(record_key: &RecordKey, key: &str, version: Version, value: &[u8]) -> Result<Vec<u8>, BoxError> {
    let nonce = XNonce::try_generate().map_err(|error| format!("no random nonce: {error}"))?;
    let mut text = Zeroizing::new(value.to_vec());
    cipher(record_key)
        .encrypt_in_place(&nonce, &associated_data(key, version), &mut *text)
        .map_err(|_| "the value is too long to be encrypted")?;
    Ok([MARK.as_slice(), nonce.as_slice(), text.as_slice()].concat())
}

/// Decrypts the value of a record with the first key that opens it.
pub(crate) fn open<'a>(
    mut record_keys: impl Iterator<Item = &'a RecordKey>,
    key: &str,
    version: Version,
    value: &[u8],
) -> Result<Vec<u8>, NotOpened> {
    let sealed = value.strip_prefix(MARK).ok_or(NotOpened::Plain)?;
    let (nonce, text) = sealed.split_first_chunk::<NONCE_LEN>().ok_or(NotOpened::NoKey)?;
    let (nonce, associated_data) = (XNonce::from(*nonce), associated_data(key, version));
    let opened = record_keys.find_map(|record_key| {
        let mut text = text.to_vec();
        cipher(record_key).decrypt_in_place(&nonce, &associated_data, &mut text).is_ok().then_some(text)
    });
    opened.ok_or(NotOpened::NoKey)
}

fn cipher(record_key: &RecordKey) -> XChaCha20Poly1305 {
    XChaCha20Poly1305::new(record_key.bytes().into())
}

/// The key is last: what stands before it has a fixed length, so that no two keys and versions have the same bytes.
fn associated_data(key: &str, version: Version) -> Vec<u8> {
    [MARK.as_slice(), &version.number().to_be_bytes(), &version.id().to_be_bytes(), key.as_bytes()].concat()
}

impl fmt::Display for NotOpened {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Plain => "the record is not encrypted, and plain records are not read",
            Self::NoKey => {
                "the record is encrypted, and no key opens it: another key wrote it, or it was changed or moved in the store"
            }
        })
    }
}

impl StdError for NotOpened {}
