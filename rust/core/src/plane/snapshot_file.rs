//! Snapshots of the metadata log: files of batches named by where and in which epoch they end (KIP-630).
//!
//! Written as `.part`, flushed, renamed: a snapshot is there whole or not at all.

use std::io::{self, IoSlice};
use std::path::{Path, PathBuf};

use crate::batch::header::BatchHeader;
use crate::disk::{Disk, File, Open};
use crate::ids::{LeaderEpoch, Offset};
use crate::plane::command::SnapshotId;

const SUFFIX: &str = ".checkpoint";

fn path(directory: &str, id: SnapshotId, suffix: &str) -> PathBuf {
    Path::new(directory).join(format!("{:020}-{:010}{suffix}", id.offset.0, id.epoch.0))
}

fn parse(name: &str) -> Option<SnapshotId> {
    let (offset, epoch) = name.strip_suffix(SUFFIX)?.split_once('-')?;
    let well_formed = offset.len() == 20 && epoch.len() == 10;
    let id = SnapshotId { offset: Offset(offset.parse().ok()?), epoch: LeaderEpoch(epoch.parse().ok()?) };
    well_formed.then_some(id)
}

/// The snapshots of a directory, ascending, with their bytes; what a crash left half written is removed.
pub fn list(disk: &dyn Disk, directory: &str) -> io::Result<Vec<(SnapshotId, u64)>> {
    if !disk.exists(Path::new(directory))? {
        return Ok(Vec::new());
    }
    let mut found = Vec::new();
    for entry in disk.list(Path::new(directory))? {
        let path = Path::new(directory).join(&entry.name);
        if entry.name.ends_with(".checkpoint.part") || entry.name.ends_with(".checkpoint.deleted") {
            disk.remove_file(&path)?;
        } else if let Some(id) = parse(&entry.name) {
            found.push((id, disk.stat(&path)?.len));
        }
    }
    found.sort_unstable();
    Ok(found)
}

/// Writes a snapshot of these batches; one that exists is left alone. Blocks until it is durable.
pub fn write(disk: &dyn Disk, directory: &str, id: SnapshotId, batches: &[Vec<u8>]) -> io::Result<()> {
    let target = path(directory, id, SUFFIX);
    if disk.exists(&target)? {
        return Ok(());
    }
    disk.create_dir(Path::new(directory))?;
    let part = path(directory, id, ".checkpoint.part");
    let file = disk.open(&part, Open::Truncate)?;
    let mut position = 0;
    for batch in batches {
        file.write_at(position, &[IoSlice::new(batch)])?;
        position += batch.len() as u64;
    }
    file.sync()?;
    disk.rename(&part, &target)?;
    disk.sync_dir(Path::new(directory))?;
    disk.sync_dir(Path::new(""))
}

/// Reads whole batches from the one that holds `from` on: at least one, then as many as `bytes_max` takes. Batches are
/// checked against their sums; a snapshot that does not hold together is an error that names the byte.
pub fn read(disk: &dyn Disk, directory: &str, id: SnapshotId, from: Offset, bytes_max: usize) -> io::Result<Vec<Vec<u8>>> {
    let path = path(directory, id, SUFFIX);
    let file = disk.open(&path, Open::Read)?;
    let len = file.len()?;
    let (mut position, mut batches, mut taken) = (0, Vec::new(), 0);
    while position < len && (batches.is_empty() || taken < bytes_max) {
        let batch = read_batch(&*file, position, len).map_err(|error| {
            io::Error::new(error.kind(), format!("{}, byte {position}: {error}", path.display()))
        })?;
        position += batch.len() as u64;
        if BatchHeader::decode(&batch).is_some_and(|header| header.last_offset() >= from) {
            taken += batch.len();
            batches.push(batch);
        }
    }
    Ok(batches)
}

fn read_batch(file: &dyn File, position: u64, len: u64) -> io::Result<Vec<u8>> {
    let bad = |what: &str| io::Error::new(io::ErrorKind::InvalidData, what.to_owned());
    let mut head = [0; crate::batch::BATCH_HEADER_BYTES];
    let read = file.read_at(position, &mut head)?;
    let header = BatchHeader::decode(&head[..read]).ok_or_else(|| bad("a batch is cut short"))?;
    let size = header.size().filter(|size| position + *size as u64 <= len).ok_or_else(|| bad("a batch has a bad length"))?;
    let mut batch = vec![0; size];
    if file.read_at(position, &mut batch)? != size {
        return Err(bad("a batch is cut short"));
    }
    let sum = crate::batch::checksum::crc32c(&batch[crate::batch::header::CHECKSUM_START..]);
    if sum == header.checksum { Ok(batch) } else { Err(bad("the checksum of a batch does not hold")) }
}

/// Deletes the snapshots before `id`.
pub fn delete_before(disk: &dyn Disk, directory: &str, id: SnapshotId) -> io::Result<()> {
    for (known, _) in list(disk, directory)? {
        if known < id {
            disk.remove_file(&path(directory, known, SUFFIX))?;
        }
    }
    disk.sync_dir(Path::new(directory))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names() {
        let id = SnapshotId { offset: Offset(17), epoch: LeaderEpoch(3) };
        let name = "00000000000000000017-0000000003.checkpoint";
        assert_eq!(path("d", id, SUFFIX), Path::new("d").join(name));
        assert_eq!(parse(name), Some(id));
        assert_eq!(parse("17-3.checkpoint"), None);
        assert_eq!(parse("00000000000000000017-0000000003.checkpoint.part"), None);
    }
}
