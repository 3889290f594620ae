//! Snapshots of a raft log: `<end offset>-<epoch>.checkpoint` beside its segments (KIP-630, Kafka class `FileRawSnapshotWriter`).
//!
//! A file of batches that covers everything below its end offset. It is written under another name, flushed, and renamed:
//! a snapshot that is there is whole.

use std::io::{self, IoSlice};
use std::path::{Path, PathBuf};
use std::sync::Arc;

use super::directory::LogDirectory;
use super::scan::{BULK_CHUNK_BYTES, Frame, Scanner};
use super::segment::damaged;
use crate::disk::{File, Open};
use crate::ids::{LeaderEpoch, Offset};

const EXTENSION: &str = ".checkpoint";
const PART: &str = ".part";
const DELETED: &str = ".deleted";

/// Which part of a raft log a snapshot stands for.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug)]
pub struct SnapshotId {
    /// It covers the offsets below.
    pub end_offset: Offset,
    /// The epoch of the last one of them.
    pub epoch: LeaderEpoch,
}

impl SnapshotId {
    /// The name of its file.
    #[must_use]
    pub fn file_name(self) -> String {
        format!("{:020}-{:010}{EXTENSION}", self.end_offset.0, self.epoch.0)
    }

    /// The snapshot of a file name; none when it is not that of a finished snapshot.
    #[must_use]
    pub fn parse(name: &str) -> Option<Self> {
        let (offset, epoch) = name.strip_suffix(EXTENSION)?.split_once('-')?;
        let digits = |text: &str| text.bytes().all(|byte| byte.is_ascii_digit());
        if offset.len() != 20 || epoch.len() != 10 || !digits(offset) || !digits(epoch) {
            return None;
        }
        Some(Self { end_offset: Offset(offset.parse().ok()?), epoch: LeaderEpoch(epoch.parse().ok()?) })
    }
}

/// A snapshot in the making. When it is dropped unfinished, its file stays until the next [`tidy`].
#[derive(Debug)]
pub struct SnapshotWriter {
    directory: Arc<LogDirectory>,
    partition: PathBuf,
    id: SnapshotId,
    part: PathBuf,
    file: Arc<dyn File>,
    len: u64,
}

impl SnapshotWriter {
    /// Begins a snapshot beside the log in `partition`; `unique` tells attempts apart.
    pub fn create(directory: &Arc<LogDirectory>, partition: &str, id: SnapshotId, unique: u64) -> io::Result<Self> {
        let partition = PathBuf::from(partition);
        let name = id.file_name();
        let stem = name.strip_suffix(EXTENSION).unwrap_or(&name);
        let part = partition.join(format!("{stem}-{unique}{EXTENSION}{PART}"));
        let file = directory.disk().open(&part, Open::Truncate)?;
        Ok(Self { directory: Arc::clone(directory), partition, id, part, file, len: 0 })
    }

    /// Bytes so far, for the position that a fetched snapshot goes on from.
    #[must_use]
    pub fn len(&self) -> u64 {
        self.len
    }

    /// Whether nothing was written yet.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.len == 0
    }

    /// Appends whole batches, or, of a fetched snapshot, any bytes.
    pub fn append(&mut self, bytes: &[u8]) -> io::Result<()> {
        self.file.write_at(self.len, &[IoSlice::new(bytes)])?;
        self.len += bytes.len() as u64;
        Ok(())
    }

    /// Makes the snapshot durable and gives it its name. Blocks for as long as the disk takes.
    pub fn finish(self) -> io::Result<()> {
        self.file.sync()?;
        self.directory.disk().rename(&self.part, &self.partition.join(self.id.file_name()))?;
        self.directory.disk().sync_dir(&self.partition)
    }
}

/// A finished snapshot.
#[derive(Debug)]
pub struct SnapshotReader {
    name: String,
    file: Arc<dyn File>,
    len: u64,
}

impl SnapshotReader {
    /// Opens a snapshot.
    pub fn open(directory: &LogDirectory, partition: &str, id: SnapshotId) -> io::Result<Self> {
        let name = id.file_name();
        let file = directory.disk().open(&Path::new(partition).join(&name), Open::Read)?;
        let len = file.len()?;
        Ok(Self { name, file, len })
    }

    /// Its bytes.
    #[must_use]
    pub fn file(&self) -> &Arc<dyn File> {
        &self.file
    }

    /// How many bytes.
    #[must_use]
    pub fn len(&self) -> u64 {
        self.len
    }

    /// Whether there are none.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.len == 0
    }

    /// Calls `each` with every batch in turn, once its checksum was found right. An error names file and byte.
    pub fn for_each(&self, mut each: impl FnMut(&Frame, &[u8])) -> io::Result<()> {
        let mut scanner = Scanner::new(Arc::clone(&self.file), 0, self.len, BULK_CHUNK_BYTES);
        while let Some(frame) = scanner.next()? {
            let position = scanner.position();
            let frame = frame.map_err(|fault| damaged(&self.name, position, fault))?;
            let bytes = scanner.bytes(&frame)?;
            if !frame.checksum_holds(bytes) {
                return Err(damaged(&self.name, frame.position, super::scan::Fault::Checksum));
            }
            each(&frame, bytes);
        }
        Ok(())
    }
}

/// The snapshots beside a log, oldest first.
pub fn list(directory: &LogDirectory, partition: &str) -> io::Result<Vec<SnapshotId>> {
    let entries = directory.disk().list(Path::new(partition))?;
    let mut found: Vec<SnapshotId> = entries.iter().filter_map(|entry| SnapshotId::parse(&entry.name)).collect();
    found.sort_unstable();
    Ok(found)
}

/// Deletes a snapshot: renamed first, so that a crash leaves no torn one. Blocks.
pub fn delete(directory: &LogDirectory, partition: &str, id: SnapshotId) -> io::Result<()> {
    let path = Path::new(partition).join(id.file_name());
    let doomed = Path::new(partition).join(format!("{}{DELETED}", id.file_name()));
    directory.disk().rename(&path, &doomed)?;
    directory.disk().remove_file(&doomed)
}

/// Removes unfinished and half-deleted snapshots, before the log is opened.
pub fn tidy(directory: &LogDirectory, partition: &str) -> io::Result<()> {
    for entry in directory.disk().list(Path::new(partition))? {
        let is_leftover = [PART, DELETED]
            .iter()
            .any(|suffix| entry.name.strip_suffix(suffix).is_some_and(|name| name.ends_with(EXTENSION)));
        if is_leftover {
            directory.disk().remove_file(&Path::new(partition).join(&entry.name))?;
        }
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::batch::build::BatchOptions;
    use crate::disk::Disk;
    use crate::disk_sim::SimDisk;
    use crate::log::tests::batch;

    #[test]
    fn a_snapshot_is_whole_or_not_there() {
        let id = SnapshotId { end_offset: Offset(42), epoch: LeaderEpoch(3) };
        assert_eq!(id.file_name(), "00000000000000000042-0000000003.checkpoint");
        assert_eq!(SnapshotId::parse(&id.file_name()), Some(id));
        for seed in 0..50 {
            let disk = SimDisk::new(seed);
            let directory = LogDirectory::new(Arc::clone(&disk) as Arc<dyn Disk>, 10);
            disk.create_dir(Path::new("m")).unwrap();
            disk.sync_dir(Path::new("")).unwrap();
            let mut writer = SnapshotWriter::create(&directory, "m", id, seed).unwrap();
            let batches: Vec<Vec<u8>> = (0..5).map(|n| batch(BatchOptions::default(), &[n], &[1; 300])).collect();
            for batch in &batches {
                writer.append(batch).unwrap();
            }
            let finishes = seed % 2 == 0;
            if finishes {
                writer.finish().unwrap();
            }
            let directory = LogDirectory::new(disk.lose_power(), 10);
            tidy(&directory, "m").unwrap();
            assert_eq!(list(&directory, "m").unwrap(), if finishes { vec![id] } else { vec![] });
            if finishes {
                let mut found = Vec::new();
                SnapshotReader::open(&directory, "m", id)
                    .unwrap()
                    .for_each(|_, bytes| found.push(bytes.to_vec()))
                    .unwrap();
                assert_eq!(found, batches);
                delete(&directory, "m", id).unwrap();
                assert!(list(&directory, "m").unwrap().is_empty());
            }
        }
    }
}
