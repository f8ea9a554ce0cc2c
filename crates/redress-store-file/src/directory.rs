//! The directory of a store. All functions block.

use std::fs::{self, File, Metadata, TryLockError};
use std::io::{self, Read, Write as _};
use std::path::{Path, PathBuf};
use std::time::Duration;

use redress_store::{NewRecord, Record, Version, Written};
use zeroize::Zeroizing;

use crate::access::{self, Access};
use crate::clock::Moment;
use crate::error::Problem;
use crate::format::{self, LONGEST_FILE, LONGEST_VALUE, Stored};
use crate::name;

/// The suffix of a record.
const RECORD: &str = ".record";
/// The suffix of a record that is being written.
const TEMPORARY: &str = ".tmp";

/// A directory that was checked.
#[derive(Debug)]
pub(crate) struct Directory {
    path: PathBuf,
    access: Access,
    metadata: Metadata,
}

/// A record to write, which outlives the call that wants it.
pub(crate) struct Write {
    pub(crate) key: String,
    pub(crate) seen: Option<Version>,
    pub(crate) version: Version,
    pub(crate) value: Zeroizing<Vec<u8>>,
    pub(crate) lifetime: Option<Duration>,
}

/// A lock of the kernel, which ends with this value or with the process.
struct Locked {
    file: File,
}

impl Directory {
    pub(crate) fn open(path: &Path, access: Access) -> Result<Self, Problem> {
        let metadata = access.open_directory(path)?;
        let path = path.canonicalize().map_err(Problem::io(path, "find the whole path of"))?;
        Ok(Self { path, access, metadata })
    }

    pub(crate) fn path(&self) -> &Path {
        &self.path
    }

    pub(crate) fn record(&self, key: &str) -> PathBuf {
        self.file(&name::stem(key), RECORD)
    }

    pub(crate) fn lock_of(&self, key: &str) -> PathBuf {
        self.lock_file(&name::stem(key))
    }

    pub(crate) const fn is_for_group(&self) -> bool {
        matches!(self.access, Access::Group)
    }

    /// Reads a record without a lock: a file is replaced at once.
    pub(crate) fn load(&self, key: &str) -> Result<Option<Record>, Problem> {
        let path = self.record(key);
        let Some(stored) = self.read(&path)? else { return Ok(None) };
        if stored.key != key {
            return Err(Problem::Content { path, reason: "it is the record of another key" });
        }
        Ok(stored.at(Moment::now()))
    }

    /// Replaces a record if its version is the one that was seen. `None` if the lock is held.
    pub(crate) fn try_replace(&self, write: &Write) -> Result<Option<Written>, Problem> {
        let path = self.record(&write.key);
        if write.value.len() > LONGEST_VALUE {
            return Err(Problem::TooLong { path, len: write.value.len() });
        }
        let stem = name::stem(&write.key);
        let Some(_lock) = self.try_lock(&stem)? else { return Ok(None) };
        let stored = self.load(&write.key)?;
        if stored.as_ref().map(Record::version) != write.seen {
            return Ok(Some(Written::Refused(stored)));
        }
        let record = NewRecord::new(write.version, &write.value);
        let record = write.lifetime.map_or(record, |lifetime| record.lifetime(lifetime));
        let content = format::encode(&write.key, &record, Moment::now());
        let temporary = self.file(&stem, TEMPORARY);
        let placed = self.place(&temporary, &path, &content, write.lifetime.is_none());
        if placed.is_err() {
            let _ = fs::remove_file(&temporary);
        }
        placed.map(|()| Some(Written::Done))
    }

    /// Removes a record, and what a killed process left of its writing. `None` if the lock is held.
    pub(crate) fn try_remove(&self, key: &str) -> Result<Option<bool>, Problem> {
        let stem = name::stem(key);
        let Some(_lock) = self.try_lock(&stem)? else { return Ok(None) };
        remove(&self.file(&stem, TEMPORARY))?;
        let was_there = remove(&self.file(&stem, RECORD))?;
        access::sync_directory(&self.path).map_err(Problem::io(&self.path, "sync"))?;
        Ok(Some(was_there))
    }

    /// Returns the keys of all records whose lifetime has not passed, sorted.
    pub(crate) fn keys(&self) -> Result<Vec<String>, Problem> {
        let (mut keys, now) = (Vec::new(), Moment::now());
        for name in self.names()? {
            if name.ends_with(RECORD)
                && let Some(stored) = self.read(&self.path.join(&name))?
                && stored.at(now).is_some()
            {
                keys.push(stored.key);
            }
        }
        keys.sort_unstable();
        Ok(keys)
    }

    /// Removes the records whose lifetime has passed, and what killed processes left of their writing.
    ///
    /// It skips each file that is in use or cannot be read: the call that needs it gets the error.
    pub(crate) fn sweep(&self) -> Result<(), Problem> {
        let is_dead = |path: &Path| matches!(self.read(path), Ok(Some(stored)) if stored.at(Moment::now()).is_none());
        for name in self.names()? {
            let path = self.path.join(&name);
            if let Some(stem) = name.strip_suffix(TEMPORARY) {
                if let Ok(Some(_lock)) = self.try_lock(stem) {
                    let _ = remove(&path);
                }
            } else if let Some(stem) = name.strip_suffix(RECORD)
                && is_dead(&path)
                && let Ok(Some(_lock)) = self.try_lock(stem)
                && is_dead(&path)
            {
                let _ = remove(&path);
            }
        }
        Ok(())
    }

    /// Writes a file and puts it in the place of another one, at once.
    fn place(&self, temporary: &Path, path: &Path, content: &[u8], is_durable: bool) -> Result<(), Problem> {
        remove(temporary)?;
        let mut file = self.access.create(temporary, &self.metadata).map_err(Problem::io(temporary, "make"))?;
        file.write_all(content).map_err(Problem::io(temporary, "write"))?;
        if is_durable {
            file.sync_all().map_err(Problem::io(temporary, "sync"))?;
        }
        drop(file);
        fs::rename(temporary, path).map_err(Problem::io(path, "replace"))?;
        if is_durable {
            access::sync_directory(&self.path).map_err(Problem::io(&self.path, "sync"))?;
        }
        Ok(())
    }

    fn read(&self, path: &Path) -> Result<Option<Stored>, Problem> {
        let Some(file) = self.access.open(path, &self.metadata)? else { return Ok(None) };
        let len = file.metadata().map_err(Problem::io(path, "look at"))?.len();
        if len > LONGEST_FILE {
            return Err(Problem::Content { path: path.to_owned(), reason: "it is longer than a record can be" });
        }
        let mut content = Zeroizing::new(Vec::with_capacity(usize::try_from(len).unwrap_or(0).saturating_add(1)));
        file.take(LONGEST_FILE).read_to_end(&mut content).map_err(Problem::io(path, "read"))?;
        format::decode(&content).map(Some).map_err(|invalid| Problem::content(path, invalid))
    }

    /// Takes the lock of a name, `None` if it is held.
    fn try_lock(&self, stem: &str) -> Result<Option<Locked>, Problem> {
        let path = self.lock_file(stem);
        let file = match self.access.open(&path, &self.metadata)? {
            Some(file) => file,
            None => match self.access.create(&path, &self.metadata) {
                Ok(file) => file,
                // Another process has made it meanwhile.
                Err(error) if error.kind() == io::ErrorKind::AlreadyExists => return Ok(None),
                Err(error) => return Err(Problem::io(&path, "make")(error)),
            },
        };
        match file.try_lock() {
            Ok(()) => {}
            Err(TryLockError::WouldBlock) => return Ok(None),
            Err(TryLockError::Error(error)) => return Err(Problem::io(&path, "lock")(error)),
        }
        let locked = Locked { file };
        // Not if someone has removed the file between the two.
        let is_at = access::is_at(&locked.file, &path).map_err(Problem::io(&path, "look at"))?;
        Ok(is_at.then_some(locked))
    }

    fn names(&self) -> Result<Vec<String>, Problem> {
        let read = || fs::read_dir(&self.path)?.map(|entry| Ok(entry?.file_name())).collect::<io::Result<Vec<_>>>();
        let names = read().map_err(Problem::io(&self.path, "list"))?;
        Ok(names.into_iter().filter_map(|name| name.into_string().ok()).collect())
    }

    fn file(&self, stem: &str, suffix: &str) -> PathBuf {
        self.path.join(format!("{stem}{suffix}"))
    }

    fn lock_file(&self, stem: &str) -> PathBuf {
        self.path.join(format!("lock-{:02x}", name::lock_number(stem)))
    }
}

impl Drop for Locked {
    fn drop(&mut self) {
        // A child that was just forked still has the file open: closing it would not end the lock.
        let _ = self.file.unlock();
    }
}

/// Removes a file, and returns `false` if there is none.
fn remove(path: &Path) -> Result<bool, Problem> {
    match fs::remove_file(path) {
        Ok(()) => Ok(true),
        Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(false),
        Err(error) => Err(Problem::io(path, "remove")(error)),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_lock_ends_although_a_child_has_its_file_open() {
        let home = tempfile::tempdir().unwrap();
        let directory = Directory::open(&home.path().join("portal"), Access::User).unwrap();
        let lock = || directory.try_lock("user").unwrap();
        let locked = lock().or_else(lock).expect("the second look finds what the first has made");
        assert!(lock().is_none(), "it is held");
        // A process that is forked has a copy of the descriptor until it runs another program.
        let copy = locked.file.try_clone().unwrap();
        drop(locked);
        assert!(lock().is_some());
        drop(copy);
    }
}
