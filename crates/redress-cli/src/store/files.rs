//! Records in the files of a directory.

use std::path::Path;

use redress_store::BoxError;
use redress_store_file::FileStore;

use super::{Records, failed};
use crate::failure::Failure;
use crate::text::escaped;

/// Opens a directory that exists: a store that is shown is not made by that.
pub(super) fn open(path: &Path, is_for_group: bool) -> Result<FileStore, Failure> {
    if !path.is_dir() {
        return Err(Failure::Message(format!("there is no directory {}", escaped(&path.display().to_string()))));
    }
    if is_for_group { FileStore::open_for_group(path) } else { FileStore::open(path) }.map_err(failed)
}

impl Records for FileStore {
    async fn keys(&self) -> Result<Vec<String>, BoxError> {
        self.keys().await
    }

    async fn remove(&self, key: &str) -> Result<bool, BoxError> {
        self.remove(key).await
    }

    /// It was done when the directory was opened.
    async fn remove_ended(&self) -> Result<(), BoxError> {
        Ok(())
    }
}
