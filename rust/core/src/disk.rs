//! The disk as a trait, so that torn writes, lost flushes and full disks can be simulated from a seed.
//!
//! Prior art: Kafka's `FileRecords` and `Utils.atomicMoveWithFallback`, `FoundationDB`'s `IAsyncFile`, `TigerBeetle`'s storage
//! simulator. Ours is blocking and positional: a caller on a network thread only writes to the page cache or reads
//! what it knows to be resident; everything else runs on a bounded pool.
//!
//! Paths are relative to the directory that the [`Disk`] was opened on.

use std::fmt::Debug;
use std::io::{self, IoSlice};
use std::os::fd::BorrowedFd;
use std::path::Path;
use std::sync::Arc;

/// How [`Disk::open`] treats a file that exists or does not.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Open {
    /// The file must exist; opened for reading alone.
    Read,
    /// The file must exist; opened for reading and writing.
    Write,
    /// Created when missing, kept when it exists; opened for reading and writing.
    Create,
    /// Created when missing, emptied when it exists; opened for reading and writing.
    Truncate,
}

/// One open file. Shared between threads; positions are explicit, so readers never disturb the writer.
pub trait File: Send + Sync + Debug {
    /// Writes all of `parts`, one behind the other, from `position` on. When it fails, any prefix may have been written:
    /// the caller truncates back to what it had.
    fn write_at(&self, position: u64, parts: &[IoSlice<'_>]) -> io::Result<()>;

    /// Reads into `into` from `position` on, and says how many bytes there were: fewer only at the end of the file.
    fn read_at(&self, position: u64, into: &mut [u8]) -> io::Result<usize>;

    /// Length in bytes.
    fn len(&self) -> io::Result<u64>;

    /// Whether the file holds nothing.
    fn is_empty(&self) -> io::Result<bool> {
        Ok(self.len()? == 0)
    }

    /// Cuts the file, or extends it with zeros.
    fn set_len(&self, len: u64) -> io::Result<()>;

    /// Makes data and length durable (`fdatasync`). Blocks for as long as the disk takes: pool threads only. After a
    /// failure the state of the file is unknown and the directory must be given up; it is never tried again.
    fn sync(&self) -> io::Result<()>;

    /// Time of the last modification, milliseconds since 1970.
    fn modified_ms(&self) -> io::Result<i64>;

    /// The descriptor, for `sendfile`; a simulated file has none and is read instead.
    fn descriptor(&self) -> Option<BorrowedFd<'_>> {
        None
    }

    /// Whether the range can be read without waiting for the disk. A simulated file always can.
    fn is_resident(&self, _position: u64, _len: usize) -> bool {
        true
    }

    /// Asks the kernel to read the range ahead; advice, so it cannot fail.
    fn read_ahead(&self, _position: u64, _len: usize) {}
}

/// What a directory holds under one name.
#[derive(Clone, PartialEq, Eq, PartialOrd, Ord, Debug)]
pub struct Entry {
    /// The bare name.
    pub name: String,
    /// Whether it is a directory.
    pub is_dir: bool,
}

/// What is known of a name without opening it.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Stat {
    /// Length in bytes; of a directory, nothing sensible.
    pub len: u64,
    /// Time of the last modification, milliseconds since 1970.
    pub modified_ms: i64,
}

/// A directory tree: one per entry of `log.dirs`. Every call may block; only [`Disk::open`] with [`Open::Create`],
/// [`Disk::rename`] and the writes of [`File`] are made from network threads, when a segment rolls.
pub trait Disk: Send + Sync + Debug {
    /// Opens a file.
    fn open(&self, path: &Path, how: Open) -> io::Result<Arc<dyn File>>;
    /// Whether the path exists.
    fn exists(&self, path: &Path) -> io::Result<bool>;
    /// Length and time of the file of that name; a missing one is an error of kind `NotFound`.
    fn stat(&self, path: &Path) -> io::Result<Stat>;
    /// Takes the lock that the file stands for, creating the file when missing; held until the returned file is dropped.
    /// When another holds it: an error of kind `WouldBlock` whose text names the holder if it is known.
    fn lock(&self, path: &Path) -> io::Result<Arc<dyn File>>;
    /// The entries of a directory, sorted by name.
    fn list(&self, path: &Path) -> io::Result<Vec<Entry>>;
    /// Makes a directory; one that exists is left alone.
    fn create_dir(&self, path: &Path) -> io::Result<()>;
    /// Renames a file or directory, replacing a file of that name.
    fn rename(&self, from: &Path, to: &Path) -> io::Result<()>;
    /// Removes a file; a missing one is an error of kind `NotFound`.
    fn remove_file(&self, path: &Path) -> io::Result<()>;
    /// Removes a directory and all that it holds.
    fn remove_dir_all(&self, path: &Path) -> io::Result<()>;
    /// Makes names durable: creations, renames and removals in this directory.
    fn sync_dir(&self, path: &Path) -> io::Result<()>;
    /// Bytes (total, usable) of the volume.
    fn space(&self) -> io::Result<(u64, u64)>;
    /// The directory as people know it, for error messages.
    fn describe(&self) -> String;
}

/// Replaces a small file in one step that a crash cannot tear: writes `<path>.tmp`, flushes it, renames it over `path`
/// and flushes the directory.
pub fn replace(disk: &dyn Disk, path: &Path, content: &[u8]) -> io::Result<()> {
    let mut temporary = path.as_os_str().to_owned();
    temporary.push(".tmp");
    let temporary = Path::new(&temporary);
    let file = disk.open(temporary, Open::Truncate)?;
    file.write_at(0, &[IoSlice::new(content)])?;
    file.sync()?;
    disk.rename(temporary, path)?;
    disk.sync_dir(path.parent().unwrap_or(Path::new("")))
}

/// Reads a whole small file, at most `limit` bytes of it.
pub fn read_all(disk: &dyn Disk, path: &Path, limit: u64) -> io::Result<Vec<u8>> {
    let file = disk.open(path, Open::Read)?;
    let len = file.len()?;
    if len > limit {
        let message = format!("{} holds {len} bytes, at most {limit} are read", path.display());
        return Err(io::Error::new(io::ErrorKind::InvalidData, message));
    }
    let mut content = vec![0; len as usize];
    let read = file.read_at(0, &mut content)?;
    content.truncate(read);
    Ok(content)
}
