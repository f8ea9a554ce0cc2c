//! The files that a dialect file extends: those in its own folder or below it.
//!
//! `Dialect::from_toml_with` reads no files; it asks a closure for them. This is the closure of the program. A dialect file may
//! come from another person, so that it must not lead to other files of the machine: a symbolic link out of the folder, a device
//! and a file without end are refused. The dialect parser refuses absolute paths and `..` before this module sees them.

use std::fs::{self, File};
use std::io::Read as _;
use std::path::{Path, PathBuf};

/// The largest extended file, in bytes; the largest known dialect has 60 KiB.
const MAX_BYTES: u64 = 16 * 1024 * 1024;

/// The folder of a dialect's file.
pub(crate) struct Folder(Option<PathBuf>);

impl Folder {
    /// Returns the folder in which a file lies; standard input lies in none.
    pub(crate) fn of(path: &Path) -> Self {
        let parent = path.parent().map(|parent| if parent == Path::new("") { Path::new(".") } else { parent });
        Self(parent.filter(|_| path != Path::new("-")).map(Path::to_owned))
    }

    /// Returns the text of a file in the folder or below it.
    ///
    /// # Errors
    /// A file outside of the folder after symbolic links were followed, a device or a pipe, a file of more than 16 MiB, and one
    /// that cannot be read or is not UTF-8.
    pub(crate) fn read(&self, name: &str) -> Result<String, String> {
        let Some(folder) = &self.0 else {
            return Err("standard input lies in no folder: give the path of the file instead of `-`".to_owned());
        };
        let folder = fs::canonicalize(folder).map_err(|error| error.to_string())?;
        let path = fs::canonicalize(folder.join(name)).map_err(|error| error.to_string())?;
        if !path.starts_with(&folder) {
            return Err(format!("it leads to {}, outside of {}", path.display(), folder.display()));
        }
        // A pipe or a device might never end.
        if !path.is_file() {
            return Err("it is not a regular file".to_owned());
        }
        let mut text = String::new();
        let file = File::open(&path).map_err(|error| error.to_string())?;
        file.take(MAX_BYTES + 1).read_to_string(&mut text).map_err(|error| error.to_string())?;
        if text.len() as u64 > MAX_BYTES {
            return Err(format!("it is larger than {} MiB", MAX_BYTES / 1024 / 1024));
        }
        Ok(text)
    }
}
