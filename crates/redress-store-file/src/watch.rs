//! Whether a file was replaced, told without reading it.

use std::fs::{self, Metadata};
use std::path::PathBuf;
use std::time::SystemTime;

/// Looks at one file again and again.
pub(crate) struct Watch {
    path: PathBuf,
    seen: Option<Stamp>,
    /// How often in a row the stamp was the same.
    looks: u8,
}

/// The properties that differ after a replacement of the file. `None` inside stands for an absent file.
#[derive(Clone, Copy, PartialEq, Eq)]
struct Stamp(Option<(Option<SystemTime>, u64, u64)>);

impl Watch {
    pub(crate) const fn new(path: PathBuf) -> Self {
        Self { path, seen: None, looks: 0 }
    }

    /// Returns `true` if the file may be another one than at the last call: then the caller reads it after this call.
    ///
    /// Each stamp is read twice, at two looks. Times of files count in ticks of up to 10 ms, and the number of a file is given
    /// anew once the file is gone: two replacements within a tick can end with the stamp of the first. The second reading is
    /// later than that tick. The call does not block for long: the kernel answers from memory.
    pub(crate) fn must_read(&mut self) -> bool {
        let stamp = Some(Stamp(
            fs::symlink_metadata(&self.path).ok().map(|found| (found.modified().ok(), found.len(), number(&found))),
        ));
        self.looks = if self.seen == stamp { self.looks.saturating_add(1) } else { 0 };
        self.seen = stamp;
        self.looks < 2
    }
}

#[cfg(unix)]
fn number(found: &Metadata) -> u64 {
    std::os::unix::fs::MetadataExt::ino(found)
}

#[cfg(not(unix))]
const fn number(_found: &Metadata) -> u64 {
    0
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_file_is_read_at_two_looks_after_each_change() {
        let directory = tempfile::tempdir().unwrap();
        let path = directory.path().join("file");
        let mut watch = Watch::new(path.clone());
        let mut looks = || std::array::from_fn::<_, 4, _>(|_| watch.must_read());
        assert_eq!(looks(), [true, true, false, false], "no file");
        fs::write(&path, "1").unwrap();
        assert_eq!(looks(), [true, true, false, false], "a file");
        let other = directory.path().join("other");
        fs::write(&other, "2").unwrap();
        fs::rename(&other, &path).unwrap();
        assert_eq!(looks(), [true, true, false, false], "another file of this size");
        fs::remove_file(&path).unwrap();
        assert_eq!(looks(), [true, true, false, false], "no file again");
    }
}
