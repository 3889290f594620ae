//! One entry of `log.dirs`: its lock, identity, checkpoints and partitions (Kafka class `LogManager`, KIP-858).
//!
//! A directory that failed once (an I/O error, a failed flush) is poisoned for the life of the process: nothing more is written, since what the
//! kernel still holds is unknown. A full disk is no failure: writes are refused, reads and deletes go on, and a headroom
//! file given back makes sure that deleting and checkpointing still work.

use std::fmt;
use std::io;
use std::path::{Path, PathBuf};
use std::sync::{Arc, OnceLock};

use parking_lot::RwLock;

use super::checkpoint::{self, CheckpointError, OffsetsByPartition};
use super::files::OpenFiles;
use super::headroom::Headroom;
use super::names::PartitionDirectoryName;
use super::window::{FlushPolicy, FlushWindow};
use crate::disk::{self, Disk, File, Open};
use crate::ids::{Offset, PartitionIndex};

/// Present when all logs of the directory were closed well.
pub const CLEAN_SHUTDOWN_FILE: &str = ".kafka_cleanshutdown";
/// Held locked while a broker uses the directory.
pub const LOCK_FILE: &str = ".lock";
/// The largest checkpoint file: a million partitions with names of full length.
const CHECKPOINT_BYTES_MAX: u64 = 512 << 20;
const SMALL_FILE_BYTES_MAX: u64 = 1 << 20;

/// The checkpoints of offsets in a log directory.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug)]
pub enum OffsetCheckpoint {
    /// Everything below is durable.
    RecoveryPoint,
    /// First offset that may be read, where it is above the first segment.
    LogStart,
    /// High watermark.
    Replication,
    /// First offset that the cleaner has not seen.
    Cleaner,
}

impl OffsetCheckpoint {
    /// The name of the file.
    #[must_use]
    pub const fn file_name(self) -> &'static str {
        match self {
            Self::RecoveryPoint => "recovery-point-offset-checkpoint",
            Self::LogStart => "log-start-offset-checkpoint",
            Self::Replication => "replication-offset-checkpoint",
            Self::Cleaner => "cleaner-offset-checkpoint",
        }
    }
}

/// A log directory cannot be used.
#[derive(Debug)]
pub enum DirectoryError {
    /// Another broker uses it.
    Locked {
        /// The directory.
        directory: String,
        /// The operating system's word on who.
        holder: String,
    },
    /// The disk said no.
    Io {
        /// What was tried, and where.
        doing: String,
        /// What it said.
        source: io::Error,
    },
    /// A file of the directory cannot be understood.
    Malformed {
        /// The file, with its directory.
        file: String,
        /// What is wrong with it.
        reason: String,
    },
}

impl fmt::Display for DirectoryError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Locked { directory, holder } => {
                write!(
                    f,
                    "log directory {directory} is in use by another broker ({LOCK_FILE} is {holder}); stop it, or give this one a directory of its own"
                )
            }
            Self::Io { doing, source } => write!(f, "cannot {doing}: {source}"),
            Self::Malformed { file, reason } => write!(f, "cannot understand {file}: {reason}"),
        }
    }
}

impl std::error::Error for DirectoryError {}

/// A directory that partitions live in. Shared by all of them.
#[derive(Debug)]
pub struct LogDirectory {
    disk: Arc<dyn Disk>,
    pub(crate) files: OpenFiles,
    /// What of all its logs is not flushed.
    pub window: FlushWindow,
    pub(crate) headroom: Headroom,
    poison: OnceLock<String>,
    lock: OnceLock<Arc<dyn File>>,
}

/// What stands in a log directory under one name.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct PartitionDirectory {
    /// The name of the directory.
    pub directory: String,
    /// The name, taken apart.
    pub name: PartitionDirectoryName,
}

impl LogDirectory {
    /// A directory on `disk`, of which at most `open_files_max` files are kept open between uses. Does nothing yet.
    #[must_use]
    pub fn new(disk: Arc<dyn Disk>, open_files_max: usize) -> Arc<Self> {
        Self::with_policy(disk, open_files_max, FlushPolicy::default())
    }

    /// A directory with bounds of its own on what is not flushed.
    #[must_use]
    pub fn with_policy(disk: Arc<dyn Disk>, open_files_max: usize, policy: FlushPolicy) -> Arc<Self> {
        let (files, window) = (OpenFiles::new(open_files_max), FlushWindow::new(policy));
        let (headroom, poison, lock) = (Headroom::default(), OnceLock::new(), OnceLock::new());
        Arc::new(Self { disk, files, window, headroom, poison, lock })
    }

    /// The disk below.
    #[must_use]
    pub fn disk(&self) -> &dyn Disk {
        &*self.disk
    }

    /// The path, as people know it.
    #[must_use]
    pub fn describe(&self) -> String {
        self.disk.describe()
    }

    /// Takes the lock of the directory until this is dropped. Blocks shortly.
    pub fn lock(&self) -> Result<(), DirectoryError> {
        match self.disk.lock(Path::new(LOCK_FILE)) {
            Ok(file) => {
                // A second call finds the lock held by the first.
                let _ = self.lock.set(file);
                Ok(())
            }
            Err(error) if error.kind() == io::ErrorKind::WouldBlock => {
                Err(DirectoryError::Locked { directory: self.describe(), holder: error.to_string() })
            }
            Err(source) => Err(self.io("lock", LOCK_FILE, source)),
        }
    }

    /// Marks the directory as failed; the first reason stays. Whoever flushes is woken, to tell those who wait.
    pub fn poison(&self, reason: &str) {
        let _ = self.poison.set(reason.to_owned());
        self.window.alarm().ring();
    }

    /// Why the directory failed, if it did.
    #[must_use]
    pub fn poisoned(&self) -> Option<&str> {
        self.poison.get().map(String::as_str)
    }

    /// The directories of partitions, whatever their stage, and the names of other directories, which stop a start of Kafka
    /// unless they are its own.
    pub fn partitions(&self) -> Result<(Vec<PartitionDirectory>, Vec<String>), DirectoryError> {
        let entries = self.disk.list(Path::new("")).map_err(|source| self.io("list", "", source))?;
        let (mut partitions, mut others) = (Vec::new(), Vec::new());
        for entry in entries.into_iter().filter(|entry| entry.is_dir) {
            match PartitionDirectoryName::parse(&entry.name) {
                Some(name) => partitions.push(PartitionDirectory { directory: entry.name, name }),
                None => others.push(entry.name),
            }
        }
        Ok((partitions, others))
    }

    /// Renames the directory of a partition that is not open (see [`crate::log::Log::rename`]) and makes the new name
    /// durable. Blocks.
    pub fn rename(&self, from: &str, to: &str) -> Result<(), DirectoryError> {
        self.disk.rename(Path::new(from), Path::new(to)).map_err(|source| self.io("rename", from, source))?;
        self.flush_names()
    }

    /// Makes the names of partitions' directories durable. Blocks.
    pub fn flush_names(&self) -> Result<(), DirectoryError> {
        self.disk.sync_dir(Path::new("")).map_err(|source| self.io("flush", "", source))
    }

    /// Removes the directory of a partition and all that it holds. Blocks.
    pub fn remove(&self, directory: &str) -> Result<(), DirectoryError> {
        match self.disk.remove_dir_all(Path::new(directory)) {
            Err(error) if error.kind() != io::ErrorKind::NotFound => Err(self.io("remove", directory, error)),
            _ => Ok(()),
        }
    }

    /// Reads a checkpoint; a missing file is empty. A malformed one is an error: for [`OffsetCheckpoint::RecoveryPoint`] and
    /// [`OffsetCheckpoint::LogStart`] the caller goes on with an empty one (everything is recovered), the others stop the directory.
    pub fn read_checkpoint(&self, which: OffsetCheckpoint) -> Result<OffsetsByPartition, DirectoryError> {
        let name = which.file_name();
        let Some(content) = self.read(name, CHECKPOINT_BYTES_MAX)? else { return Ok(OffsetsByPartition::new()) };
        checkpoint::parse_offsets(&content).map_err(|error: CheckpointError| self.malformed(name, &error))
    }

    /// Replaces a checkpoint in one step, durably. Blocks.
    pub fn write_checkpoint<'a>(
        &self,
        which: OffsetCheckpoint,
        offsets: impl ExactSizeIterator<Item = (&'a str, PartitionIndex, Offset)>,
    ) -> Result<(), DirectoryError> {
        self.replace(which.file_name(), checkpoint::format_offsets(offsets).as_bytes())
    }

    /// Whether the directory was left in good order, and the broker epoch of that time (-1 when it cannot be read).
    /// The marker stays until [`Self::clear_clean_shutdown`].
    pub fn clean_shutdown(&self) -> Result<Option<i64>, DirectoryError> {
        let Some(content) = self.read(CLEAN_SHUTDOWN_FILE, SMALL_FILE_BYTES_MAX)? else { return Ok(None) };
        Ok(Some(broker_epoch_of(&content).unwrap_or(-1)))
    }

    /// Removes the marker of a clean shutdown, durably: from now on a crash is a crash. Blocks.
    pub fn clear_clean_shutdown(&self) -> Result<(), DirectoryError> {
        match self.disk.remove_file(Path::new(CLEAN_SHUTDOWN_FILE)) {
            Ok(()) => self.disk.sync_dir(Path::new("")).map_err(|source| self.io("flush", "", source)),
            Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(()),
            Err(source) => Err(self.io("remove", CLEAN_SHUTDOWN_FILE, source)),
        }
    }

    /// Writes the marker, once all logs are closed and flushed. Blocks.
    pub fn mark_clean_shutdown(&self, broker_epoch: i64) -> Result<(), DirectoryError> {
        self.replace(CLEAN_SHUTDOWN_FILE, format!("{{\"version\":0,\"brokerEpoch\":{broker_epoch}}}").as_bytes())
    }

    /// Reads a small file of the directory; none when it is missing. Blocks.
    pub fn read_small(&self, name: &str) -> Result<Option<Vec<u8>>, DirectoryError> {
        self.read(name, SMALL_FILE_BYTES_MAX)
    }

    /// Replaces a small file in one step, durably, at the cost of the headroom when the disk is full. Blocks.
    pub fn replace(&self, name: &str, content: &[u8]) -> Result<(), DirectoryError> {
        let replaced = self.with_headroom(|| disk::replace(&*self.disk, Path::new(name), content));
        replaced.map_err(|source| self.io("replace", name, source))
    }

    fn read(&self, name: &str, limit: u64) -> Result<Option<Vec<u8>>, DirectoryError> {
        match disk::read_all(&*self.disk, Path::new(name), limit) {
            Ok(content) => Ok(Some(content)),
            Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(None),
            Err(source) => Err(self.io("read", name, source)),
        }
    }

    fn io(&self, verb: &str, name: &str, source: io::Error) -> DirectoryError {
        let at = if name.is_empty() { self.describe() } else { format!("{}/{name}", self.describe()) };
        DirectoryError::Io { doing: format!("{verb} {at}"), source }
    }

    fn malformed(&self, name: &str, error: &dyn fmt::Display) -> DirectoryError {
        DirectoryError::Malformed { file: format!("{}/{name}", self.describe()), reason: error.to_string() }
    }
}

/// Whether the error says that the disk, or our share of it, is full.
#[must_use]
pub fn is_full(error: &io::Error) -> bool {
    matches!(error.kind(), io::ErrorKind::StorageFull | io::ErrorKind::QuotaExceeded)
}

fn broker_epoch_of(content: &[u8]) -> Option<i64> {
    let text = std::str::from_utf8(content).ok()?;
    let (_, rest) = text.split_once("\"brokerEpoch\"")?;
    let rest = rest.trim_start().strip_prefix(':')?.trim_start();
    let end = rest.find(|c: char| c != '-' && !c.is_ascii_digit()).unwrap_or(rest.len());
    rest[..end].parse().ok()
}

/// The directory of one partition: where its files are opened, also after it was renamed.
#[derive(Debug)]
pub(crate) struct Home {
    pub(crate) directory: Arc<LogDirectory>,
    path: RwLock<PathBuf>,
}

impl Home {
    pub(crate) fn new(directory: &Arc<LogDirectory>, name: &str) -> Arc<Self> {
        Arc::new(Self { directory: Arc::clone(directory), path: RwLock::new(PathBuf::from(name)) })
    }

    /// The directory itself.
    pub(crate) fn root(&self) -> PathBuf {
        self.path.read().clone()
    }

    pub(crate) fn path(&self, name: &str) -> PathBuf {
        self.path.read().join(name)
    }

    pub(crate) fn open(&self, name: &str, how: Open) -> io::Result<Arc<dyn File>> {
        self.at_root(|root| self.directory.disk.open(&root.join(name), how))
    }

    /// Works on a path of the directory. What is not found because the directory was renamed meanwhile is looked for
    /// under its new name: a flush must not fail, and poison everything, because a topic is deleted under it.
    pub(crate) fn at_root<T>(&self, work: impl Fn(&Path) -> io::Result<T>) -> io::Result<T> {
        loop {
            let root = self.root();
            match work(&root) {
                Err(error) if error.kind() == io::ErrorKind::NotFound && self.root() != root => {}
                outcome => return outcome,
            }
        }
    }

    pub(crate) fn disk(&self) -> &dyn Disk {
        &*self.directory.disk
    }

    /// Gives the directory another name. Nobody sees the old one on the disk and the new one here, or the reverse.
    pub(crate) fn rename(&self, to: &str) -> io::Result<()> {
        let mut path = self.path.write();
        self.disk().rename(&path, Path::new(to))?;
        *path = PathBuf::from(to);
        Ok(())
    }

    /// The file for people: with the log directory in front.
    pub(crate) fn describe(&self, name: &str) -> String {
        format!("{}/{}", self.directory.describe(), self.path(name).display())
    }
}
