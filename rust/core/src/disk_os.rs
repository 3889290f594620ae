//! The real disk: every file system call that the data plane makes.
//!
//! Prior art: Kafka goes through `java.nio` and `mmap`; ours is positional reads and writes on plain descriptors, relative to
//! one open directory, so that a path is resolved from there alone and a renamed parent does not matter.
//! Invariants: nothing here retries a failed flush, and nothing leaves a descriptor that a child process would inherit.

use std::fs;
use std::io::{self, IoSlice};
use std::num::NonZeroU64;
use std::os::fd::{AsFd, BorrowedFd, OwnedFd};
use std::path::{Path, PathBuf};
use std::sync::Arc;

use rustix::fs::{Advice, AtFlags, FileType, FlockOperation, Mode, OFlags};
use rustix::io::Errno;

use crate::disk::{Disk, Entry, File, Open, Stat};

/// The most slices that one call of `pwritev` takes everywhere (`IOV_MAX` of POSIX is at least 16; Linux has 1,024).
const SLICES_MAX: usize = 16;
/// A path of a Kafka directory is made of a few names of at most 255 bytes.
const FILE_MODE: u32 = 0o644;
const DIRECTORY_MODE: u32 = 0o755;

/// A directory of the operating system.
#[derive(Debug)]
pub struct OsDisk {
    base: PathBuf,
    directory: OwnedFd,
}

impl OsDisk {
    /// Opens the directory, making it and its parents when missing. Blocks.
    pub fn open(base: &Path) -> io::Result<Arc<Self>> {
        fs::create_dir_all(base)?;
        let directory = rustix::fs::open(base, OFlags::RDONLY | OFlags::DIRECTORY | OFlags::CLOEXEC, Mode::empty())?;
        Ok(Arc::new(Self { base: base.to_owned(), directory }))
    }
}

fn uninterrupted<T>(mut call: impl FnMut() -> rustix::io::Result<T>) -> io::Result<T> {
    loop {
        match call() {
            Err(Errno::INTR) => {}
            Err(errno) => return Err(errno.into()),
            Ok(value) => return Ok(value),
        }
    }
}

impl Disk for OsDisk {
    fn open(&self, path: &Path, how: Open) -> io::Result<Arc<dyn File>> {
        let flags = OFlags::CLOEXEC
            | match how {
                Open::Read => OFlags::RDONLY,
                Open::Write => OFlags::RDWR,
                Open::Create => OFlags::RDWR | OFlags::CREATE,
                Open::Truncate => OFlags::RDWR | OFlags::CREATE | OFlags::TRUNC,
            };
        let mode = Mode::from_raw_mode(FILE_MODE);
        let descriptor = uninterrupted(|| rustix::fs::openat(&self.directory, path, flags, mode))?;
        Ok(Arc::new(OsFile { descriptor }))
    }

    fn exists(&self, path: &Path) -> io::Result<bool> {
        match rustix::fs::statat(&self.directory, path, AtFlags::empty()) {
            Ok(_) => Ok(true),
            Err(Errno::NOENT | Errno::NOTDIR) => Ok(false),
            Err(errno) => Err(errno.into()),
        }
    }

    fn stat(&self, path: &Path) -> io::Result<Stat> {
        Ok(stat_of(&rustix::fs::statat(&self.directory, path, AtFlags::empty())?))
    }

    fn lock(&self, path: &Path) -> io::Result<Arc<dyn File>> {
        let file = self.open(path, Open::Create)?;
        let Some(descriptor) = file.descriptor() else { return Ok(file) };
        // Two locks: `flock` keeps out a second broker in this very process, and the record lock is the one that Java takes.
        for held in [
            rustix::fs::flock(descriptor, FlockOperation::NonBlockingLockExclusive),
            rustix::fs::fcntl_lock(descriptor, FlockOperation::NonBlockingLockExclusive),
        ] {
            match held {
                Ok(()) => {}
                Err(Errno::WOULDBLOCK | Errno::ACCESS) => {
                    let message = match holder_of(descriptor) {
                        Some(process) => format!("held by process {process}"),
                        None => "held by another process".to_owned(),
                    };
                    return Err(io::Error::new(io::ErrorKind::WouldBlock, message));
                }
                Err(errno) => return Err(errno.into()),
            }
        }
        Ok(file)
    }

    fn list(&self, path: &Path) -> io::Result<Vec<Entry>> {
        let directory = if path.as_os_str().is_empty() { Path::new(".") } else { path };
        let flags = OFlags::RDONLY | OFlags::DIRECTORY | OFlags::CLOEXEC;
        let descriptor = uninterrupted(|| rustix::fs::openat(&self.directory, directory, flags, Mode::empty()))?;
        let mut entries = Vec::new();
        for found in rustix::fs::Dir::new(descriptor)? {
            let found = found?;
            let name = found.file_name().to_string_lossy().into_owned();
            if name == "." || name == ".." {
                continue;
            }
            let is_dir = match found.file_type() {
                FileType::Directory => true,
                FileType::Unknown | FileType::Symlink => {
                    let stat = rustix::fs::statat(&self.directory, directory.join(&name), AtFlags::empty());
                    stat.is_ok_and(|stat| FileType::from_raw_mode(stat.st_mode) == FileType::Directory)
                }
                _ => false,
            };
            entries.push(Entry { name, is_dir });
        }
        entries.sort_unstable();
        Ok(entries)
    }

    fn create_dir(&self, path: &Path) -> io::Result<()> {
        match rustix::fs::mkdirat(&self.directory, path, Mode::from_raw_mode(DIRECTORY_MODE)) {
            Err(Errno::EXIST) if fs::metadata(self.base.join(path))?.is_dir() => Ok(()),
            other => Ok(other?),
        }
    }

    fn rename(&self, from: &Path, to: &Path) -> io::Result<()> {
        Ok(rustix::fs::renameat(&self.directory, from, &self.directory, to)?)
    }

    fn remove_file(&self, path: &Path) -> io::Result<()> {
        Ok(rustix::fs::unlinkat(&self.directory, path, AtFlags::empty())?)
    }

    fn remove_dir_all(&self, path: &Path) -> io::Result<()> {
        fs::remove_dir_all(self.base.join(path))
    }

    fn sync_dir(&self, path: &Path) -> io::Result<()> {
        if path.as_os_str().is_empty() {
            return Ok(rustix::fs::fsync(&self.directory)?);
        }
        let flags = OFlags::RDONLY | OFlags::DIRECTORY | OFlags::CLOEXEC;
        let descriptor = uninterrupted(|| rustix::fs::openat(&self.directory, path, flags, Mode::empty()))?;
        Ok(rustix::fs::fsync(descriptor)?)
    }

    fn space(&self) -> io::Result<(u64, u64)> {
        let volume = rustix::fs::fstatvfs(&self.directory)?;
        Ok((volume.f_blocks.saturating_mul(volume.f_frsize), volume.f_bavail.saturating_mul(volume.f_frsize)))
    }

    fn describe(&self) -> String {
        self.base.display().to_string()
    }
}

/// The process that holds a lock on the file, as the kernel's table of locks has it; none where there is no such table.
fn holder_of(descriptor: BorrowedFd<'_>) -> Option<u32> {
    let inode = rustix::fs::fstat(descriptor).ok()?.st_ino;
    let table = fs::read_to_string("/proc/locks").ok()?;
    // «1: FLOCK  ADVISORY  WRITE 4242 fd:01:12345 0 EOF»
    table.lines().find_map(|line| {
        let mut fields = line.split_whitespace().skip(4);
        let process = fields.next()?.parse().ok()?;
        let held = fields.next()?.rsplit(':').next()?.parse::<u64>().ok()?;
        (held == inode).then_some(process)
    })
}

#[allow(clippy::useless_conversion, reason = "seconds have 32 bits on some platforms")]
fn stat_of(stat: &rustix::fs::Stat) -> Stat {
    let modified_ms = stat.st_mtime.saturating_mul(1000).saturating_add(stat.st_mtime_nsec as i64 / 1_000_000);
    Stat { len: stat.st_size as u64, modified_ms }
}

/// A file of the operating system.
#[derive(Debug)]
struct OsFile {
    descriptor: OwnedFd,
}

impl OsFile {
    fn write_once(&self, position: u64, parts: &[IoSlice<'_>]) -> rustix::io::Result<usize> {
        #[cfg(not(target_vendor = "apple"))]
        return rustix::io::pwritev(&self.descriptor, parts, position);
        #[cfg(target_vendor = "apple")]
        return rustix::io::pwrite(&self.descriptor, parts.first().map_or(&[], |part| &**part), position);
    }
}

impl File for OsFile {
    fn write_at(&self, mut position: u64, parts: &[IoSlice<'_>]) -> io::Result<()> {
        for group in parts.chunks(SLICES_MAX) {
            let mut slices = [IoSlice::new(&[]); SLICES_MAX];
            slices[..group.len()].copy_from_slice(group);
            let mut left = &mut slices[..group.len()];
            IoSlice::advance_slices(&mut left, 0);
            while !left.is_empty() {
                let written = uninterrupted(|| self.write_once(position, left))?;
                if written == 0 {
                    return Err(io::ErrorKind::WriteZero.into());
                }
                position += written as u64;
                IoSlice::advance_slices(&mut left, written);
            }
        }
        Ok(())
    }

    fn read_at(&self, mut position: u64, into: &mut [u8]) -> io::Result<usize> {
        let mut filled = 0;
        while filled < into.len() {
            let read = uninterrupted(|| rustix::io::pread(&self.descriptor, &mut into[filled..], position))?;
            if read == 0 {
                break;
            }
            filled += read;
            position += read as u64;
        }
        Ok(filled)
    }

    fn len(&self) -> io::Result<u64> {
        Ok(rustix::fs::fstat(&self.descriptor)?.st_size as u64)
    }

    fn set_len(&self, len: u64) -> io::Result<()> {
        uninterrupted(|| rustix::fs::ftruncate(&self.descriptor, len))
    }

    fn sync(&self) -> io::Result<()> {
        #[cfg(not(target_vendor = "apple"))]
        rustix::fs::fdatasync(&self.descriptor)?;
        #[cfg(target_vendor = "apple")]
        rustix::fs::fcntl_fullfsync(&self.descriptor)?;
        Ok(())
    }

    fn modified_ms(&self) -> io::Result<i64> {
        Ok(stat_of(&rustix::fs::fstat(&self.descriptor)?).modified_ms)
    }

    fn descriptor(&self) -> Option<BorrowedFd<'_>> {
        Some(self.descriptor.as_fd())
    }

    #[cfg(target_os = "linux")]
    fn is_resident(&self, position: u64, len: usize) -> bool {
        use std::io::IoSliceMut;
        let probe = |position: u64| {
            let mut byte = [0];
            let parts = &mut [IoSliceMut::new(&mut byte)];
            // Only «would block» says that the page is missing; a file system without the flag is taken to be memory.
            rustix::io::preadv2(&self.descriptor, parts, position, rustix::io::ReadWriteFlags::NOWAIT)
                != Err(Errno::AGAIN)
        };
        len == 0 || (probe(position) && probe(position.saturating_add(len as u64 - 1)))
    }

    #[cfg(not(target_vendor = "apple"))]
    fn read_ahead(&self, position: u64, len: usize) {
        // Advice: whatever the answer, the read that follows is right.
        let _ = rustix::fs::fadvise(&self.descriptor, position, NonZeroU64::new(len as u64), Advice::WillNeed);
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::disk::{read_all, replace};

    fn scratch() -> (PathBuf, Arc<OsDisk>) {
        use std::sync::atomic::{AtomicU32, Ordering};
        static NEXT: AtomicU32 = AtomicU32::new(0);
        let name = format!("ottla-disk-{}-{}", std::process::id(), NEXT.fetch_add(1, Ordering::Relaxed));
        let base = std::env::temp_dir().join(name);
        let disk = OsDisk::open(&base).unwrap();
        (base, disk)
    }

    #[test]
    fn many_parts_land_one_behind_the_other() {
        let (base, disk) = scratch();
        let file = disk.open(Path::new("a"), Open::Create).unwrap();
        let parts: Vec<Vec<u8>> = (0..40u8).map(|n| vec![n; usize::from(n % 3)]).collect();
        let slices: Vec<IoSlice<'_>> = parts.iter().map(|part| IoSlice::new(part)).collect();
        file.write_at(5, &slices).unwrap();
        let mut expected = vec![0; 5];
        expected.extend(parts.concat());
        assert_eq!(read_all(&*disk, Path::new("a"), 1000).unwrap(), expected);
        assert!(file.is_resident(0, expected.len()));
        file.read_ahead(0, 10);
        fs::remove_dir_all(base).unwrap();
    }

    #[test]
    fn names_are_made_listed_renamed_and_removed() {
        let (base, disk) = scratch();
        disk.create_dir(Path::new("d")).unwrap();
        disk.create_dir(Path::new("d")).unwrap();
        replace(&*disk, Path::new("d/f"), b"text").unwrap();
        assert_eq!(disk.list(Path::new("")).unwrap(), [Entry { name: "d".into(), is_dir: true }]);
        assert_eq!(disk.stat(Path::new("d/f")).unwrap().len, 4);
        disk.rename(Path::new("d"), Path::new("e")).unwrap();
        assert!(!disk.exists(Path::new("d/f")).unwrap() && disk.exists(Path::new("e/f")).unwrap());
        disk.remove_file(Path::new("e/f")).unwrap();
        let missing = disk.remove_file(Path::new("e/f")).unwrap_err();
        assert_eq!(missing.kind(), io::ErrorKind::NotFound);
        disk.remove_dir_all(Path::new("e")).unwrap();
        disk.sync_dir(Path::new("")).unwrap();
        let (total, usable) = disk.space().unwrap();
        assert!(usable <= total);
        fs::remove_dir_all(base).unwrap();
    }

    #[test]
    fn a_second_lock_is_refused_even_in_one_process() {
        let (base, disk) = scratch();
        let held = disk.lock(Path::new(".lock")).unwrap();
        let refused = disk.lock(Path::new(".lock")).unwrap_err();
        assert_eq!(refused.kind(), io::ErrorKind::WouldBlock);
        drop(held);
        disk.lock(Path::new(".lock")).unwrap();
        fs::remove_dir_all(base).unwrap();
    }
}
