//! Who may use the files: owners, modes and kinds.

use std::fs::{self, File, Metadata, OpenOptions};
use std::io;
use std::path::Path;

use crate::error::Problem;

#[cfg(not(unix))]
use portable as system;
#[cfg(unix)]
use unix as system;

/// With whom the files are shared.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Access {
    /// With the processes of the same user: modes 0700 and 0600.
    User,
    /// With the processes of users in the group of the directory: modes 0770 and 0660.
    Group,
}

impl Access {
    /// Makes the directory if there is none, and checks it.
    pub(crate) fn open_directory(self, path: &Path) -> Result<Metadata, Problem> {
        if !path.try_exists().map_err(Problem::io(path, "look for"))? {
            system::create_directory(path, self).map_err(Problem::io(path, "make the directory"))?;
        }
        let directory = fs::metadata(path).map_err(Problem::io(path, "look at"))?;
        if !directory.is_dir() {
            return Err(Problem::Kind { path: path.to_owned(), wanted: "a directory" });
        }
        system::check(path, &directory, self, None)?;
        system::check_file_system(path)?;
        Ok(directory)
    }

    /// Opens a file to read it, `None` if there is none. A symbolic link is refused.
    pub(crate) fn open(self, path: &Path, directory: &Metadata) -> Result<Option<File>, Problem> {
        let opened = match fs::symlink_metadata(path) {
            Ok(found) if !found.is_file() => {
                return Err(Problem::Kind { path: path.to_owned(), wanted: "a regular file" });
            }
            Ok(_) => system::no_follow(OpenOptions::new().read(true)).open(path),
            Err(error) => Err(error),
        };
        match opened {
            Ok(file) => {
                let found = file.metadata().map_err(Problem::io(path, "look at"))?;
                system::check(path, &found, self, Some(directory))?;
                Ok(Some(file))
            }
            Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(None),
            Err(error) => Err(Problem::io(path, "open")(error)),
        }
    }

    /// Makes a file, which must not exist.
    pub(crate) fn create(self, path: &Path, directory: &Metadata) -> io::Result<File> {
        system::create_file(path, self, directory)
    }
}

/// Returns `true` if the path still leads to this file.
pub(crate) fn is_at(file: &File, path: &Path) -> io::Result<bool> {
    match fs::symlink_metadata(path) {
        Ok(found) => Ok(system::is_same(&file.metadata()?, &found)),
        Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(false),
        Err(error) => Err(error),
    }
}

/// Makes the names in a directory durable.
pub(crate) fn sync_directory(path: &Path) -> io::Result<()> {
    if cfg!(unix) { File::open(path)?.sync_all() } else { Ok(()) }
}

#[cfg(unix)]
mod unix {
    use std::fs::{DirBuilder, File, Metadata, OpenOptions, Permissions};
    use std::io;
    use std::os::unix::fs::{DirBuilderExt, MetadataExt, OpenOptionsExt, PermissionsExt, fchown};
    use std::path::Path;

    use rustix::fs::OFlags;
    use rustix::process::geteuid;

    use super::Access;
    use crate::error::Problem;

    impl Access {
        /// The mode of files, that of the directory, and the bits of either that must not be set.
        const fn modes(self) -> (u32, u32, u32) {
            match self {
                Self::User => (0o600, 0o700, 0o077),
                Self::Group => (0o660, 0o770, 0o007),
            }
        }
    }

    pub(super) fn create_directory(path: &Path, access: Access) -> io::Result<()> {
        DirBuilder::new().recursive(true).mode(0o700).create(path)?;
        if access == Access::Group {
            // Another process, of another user, may have made it at the same time.
            let _ = std::fs::set_permissions(path, Permissions::from_mode(0o770));
        }
        Ok(())
    }

    pub(super) fn no_follow(options: &mut OpenOptions) -> &mut OpenOptions {
        options.custom_flags(OFlags::NOFOLLOW.bits().cast_signed())
    }

    /// The mode that is asked for can be narrowed by the umask, and the group be that of the process.
    pub(super) fn create_file(path: &Path, access: Access, directory: &Metadata) -> io::Result<File> {
        let (mode, ..) = access.modes();
        let file = OpenOptions::new().write(true).create_new(true).mode(mode).open(path)?;
        if access == Access::Group {
            if file.metadata()?.gid() != directory.gid() {
                fchown(&file, None, Some(directory.gid()))?;
            }
            file.set_permissions(Permissions::from_mode(mode))?;
        }
        Ok(file)
    }

    /// Checks a directory, or a file in one.
    pub(super) fn check(
        path: &Path,
        found: &Metadata,
        access: Access,
        directory: Option<&Metadata>,
    ) -> Result<(), Problem> {
        let (file_mode, directory_mode, forbidden) = access.modes();
        let mode = if directory.is_some() { file_mode } else { directory_mode };
        let (is_owned, owner) = match (access, directory) {
            (Access::User, _) => (found.uid() == geteuid().as_raw(), format!("owner {}", geteuid().as_raw())),
            (Access::Group, Some(directory)) => (found.gid() == directory.gid(), format!("group {}", directory.gid())),
            (Access::Group, None) => (true, format!("group {}", found.gid())),
        };
        if is_owned && found.mode() & forbidden == 0 {
            return Ok(());
        }
        Err(Problem::Access {
            path: path.to_owned(),
            found: format!("owner {}, group {} and mode {:04o}", found.uid(), found.gid(), found.mode() & 0o7777),
            wanted: format!("{owner} and mode {mode:04o}"),
        })
    }

    pub(super) fn is_same(one: &Metadata, other: &Metadata) -> bool {
        (one.dev(), one.ino()) == (other.dev(), other.ino())
    }

    #[cfg(target_os = "linux")]
    pub(super) fn check_file_system(path: &Path) -> Result<(), Problem> {
        let kind =
            rustix::fs::statfs(path).map_err(|error| Problem::io(path, "ask for the file system of")(error.into()))?;
        match super::network(kind.f_type as u64 & 0xffff_ffff) {
            Some(name) => Err(Problem::Network { path: path.to_owned(), name }),
            None => Ok(()),
        }
    }

    #[cfg(not(target_os = "linux"))]
    pub(super) fn check_file_system(_path: &Path) -> Result<(), Problem> {
        Ok(())
    }
}

/// Names a network file system by its number in Linux (`include/uapi/linux/magic.h`). FUSE is not among them: it may be either.
#[cfg(target_os = "linux")]
const fn network(magic: u64) -> Option<&'static str> {
    match magic {
        0x6969 => Some("NFS"),
        0xff53_4d42 | 0xfe53_4d42 | 0x517b => Some("SMB"),
        0x5346_414f | 0x6b41_4653 => Some("AFS"),
        0x0102_1997 => Some("9P"),
        0x00c3_6400 => Some("Ceph"),
        0x7375_7245 => Some("Coda"),
        0x0bd0_0bd0 => Some("Lustre"),
        _ => None,
    }
}

#[cfg(not(unix))]
mod portable {
    use std::fs::{self, File, Metadata, OpenOptions};
    use std::io;
    use std::path::Path;

    use super::Access;
    use crate::error::Problem;

    pub(super) fn create_directory(path: &Path, _access: Access) -> io::Result<()> {
        fs::create_dir_all(path)
    }

    pub(super) fn no_follow(options: &mut OpenOptions) -> &mut OpenOptions {
        options
    }

    pub(super) fn create_file(path: &Path, _access: Access, _directory: &Metadata) -> io::Result<File> {
        OpenOptions::new().write(true).create_new(true).open(path)
    }

    pub(super) fn check(
        _path: &Path,
        _found: &Metadata,
        _access: Access,
        _directory: Option<&Metadata>,
    ) -> Result<(), Problem> {
        Ok(())
    }

    pub(super) fn check_file_system(_path: &Path) -> Result<(), Problem> {
        Ok(())
    }

    pub(super) fn is_same(_one: &Metadata, _other: &Metadata) -> bool {
        true
    }
}

#[cfg(all(test, target_os = "linux"))]
mod tests {
    use super::network;

    #[test]
    fn network_file_systems_are_told_from_local_ones() {
        assert_eq!((network(0x6969), network(0xff53_4d42)), (Some("NFS"), Some("SMB")));
        // ext4, XFS, Btrfs, tmpfs, overlayfs, ZFS.
        for local in [0xef53, 0x5846_5342, 0x9123_683e, 0x0102_1994, 0x794c_7630, 0x2fc1_2fc1] {
            assert_eq!(network(local), None, "{local:x}");
        }
    }
}
