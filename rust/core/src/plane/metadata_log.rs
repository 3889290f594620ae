//! `__cluster_metadata-0` for the control plane: batches in, records out, snapshots, the quorum state.
//!
//! One thread owns it and may block. An append is done when it is durable (law of raft: before that nobody acts on it).
//! On a full disk it waits for room: an append that failed could never be followed by another.

use std::io;
use std::sync::Arc;
use std::time::Duration;

use crate::batch::build::{BatchBuilder, BatchOptions, RecordParts};
use crate::batch::header::{BATCH_HEADER_BYTES, BatchHeader};
use crate::batch::producer::Origin;
use crate::batch::records::Records;
use crate::ids::{Offset, TimestampMs, TopicId};
use crate::log::directory::is_full;
use crate::log::snapshot_file::{SnapshotReader, SnapshotWriter};
use crate::log::{AppendError, Log, LogConfig, LogDirectory, Mode, OpenOptions, retention, snapshot_file};
use crate::plane::command::{DoneValue, MetadataCommand, MetadataLogState, NewBatch, ReadRecord, SnapshotId};

/// The directory of the metadata log.
pub const METADATA_DIRECTORY: &str = "__cluster_metadata-0";
/// Kafka's `metadata.log.segment.bytes`.
const SEGMENT_BYTES: u64 = 1 << 30;
/// Between two tries on a full disk.
const FULL_DISK_PAUSE: Duration = Duration::from_millis(100);
const QUORUM_STATE: &str = "__cluster_metadata-0/quorum-state";

/// The metadata log, opened by [`MetadataCommand::Open`].
#[derive(Debug)]
pub struct MetadataLog {
    directory: Arc<LogDirectory>,
    log: Option<Log>,
}

impl MetadataLog {
    /// Not opened yet.
    #[must_use]
    pub fn new(directory: Arc<LogDirectory>) -> Self {
        Self { directory, log: None }
    }

    fn log(&mut self) -> Result<&mut Log, String> {
        self.log.as_mut().ok_or_else(|| "the metadata log was not opened".to_owned())
    }

    /// Writes one batch to the page cache; [`MetadataLog::flush`] makes it durable.
    pub fn append(&mut self, batch: &NewBatch, now: TimestampMs) -> Result<DoneValue, String> {
        let log = self.log()?;
        if log.end() != batch.base_offset {
            return Err(format!(
                "a batch for offset {} of the metadata log, which ends at {}",
                batch.base_offset,
                log.end()
            ));
        }
        let bytes = build(batch).map_err(|error| format!("cannot build a metadata batch: {error}"))?;
        let header = BatchHeader::decode(&bytes).ok_or("a batch without header")?;
        let directory = self.directory.clone();
        loop {
            let log = self.log()?;
            match log.append(&header, &bytes[BATCH_HEADER_BYTES..], Origin::Coordinator, batch.epoch, now) {
                Ok(_) => return Ok(DoneValue::Size(log.size())),
                Err(AppendError::Full { .. }) if goes_on(&directory) => {}
                Err(error) => return Err(format!("cannot append to the metadata log: {error}")),
            }
        }
    }

    /// Makes everything durable. Blocks for as long as the disk takes.
    pub fn flush(&mut self) -> Result<(), String> {
        let directory = self.directory.clone();
        loop {
            match self.log()?.flush() {
                Err(error) if is_full(&error) && directory.poisoned().is_none() && goes_on(&directory) => {}
                Err(error) => {
                    return Err(format!("cannot flush {}/{METADATA_DIRECTORY}: {error}", directory.describe()));
                }
                Ok(()) => return Ok(()),
            }
        }
    }

    /// Carries out anything but an append. Blocks.
    pub fn carry_out(&mut self, command: MetadataCommand, now: TimestampMs) -> Result<DoneValue, String> {
        match command {
            MetadataCommand::Open => self.open(now),
            MetadataCommand::Append(batch) => {
                let value = self.append(&batch, now)?;
                self.flush().map(|()| value)
            }
            MetadataCommand::Read(from, bytes_max) => self.read(from, bytes_max),
            MetadataCommand::TruncatePrefix(start) => self.truncate_prefix(start, now),
            MetadataCommand::Snapshots => Ok(DoneValue::Snapshots(self.snapshots()?)),
            MetadataCommand::WriteSnapshot(id, batches) => self.write_snapshot(id, &batches),
            MetadataCommand::ReadSnapshot(id, from, bytes_max) => self.read_snapshot(id, from, bytes_max),
            MetadataCommand::DeleteSnapshotsBefore(id) => {
                let deleted = self.delete_snapshots_before(id);
                deleted.map(|()| DoneValue::Nothing).map_err(|error| format!("cannot delete old snapshots: {error}"))
            }
            MetadataCommand::ReadQuorumState => {
                let content = self.directory.read_small(QUORUM_STATE);
                content.map(DoneValue::Content).map_err(|error| error.to_string())
            }
            MetadataCommand::WriteQuorumState(content) => {
                let written = self.directory.replace(QUORUM_STATE, &content);
                written.map(|()| DoneValue::Nothing).map_err(|error| error.to_string())
            }
        }
    }

    fn open(&mut self, now: TimestampMs) -> Result<DoneValue, String> {
        let config = Arc::new(LogConfig { mode: Mode::Raft, segment_bytes: SEGMENT_BYTES, ..LogConfig::default() });
        let id = TopicId::METADATA;
        let tidied = snapshot_file::tidy(&self.directory, METADATA_DIRECTORY);
        tidied.or_else(ignore_missing).map_err(|error| format!("cannot tidy {METADATA_DIRECTORY}: {error}"))?;
        let exists = self.directory.disk().exists(METADATA_DIRECTORY.as_ref()).map_err(|error| error.to_string())?;
        let log = if exists {
            // As Kafka: the whole log is checked at every start. It is short, since snapshots cut it.
            let options = OpenOptions { topic_id: Some(id), ..OpenOptions::new(config, now) };
            let opened = Log::open(&self.directory, METADATA_DIRECTORY, &options);
            opened.map_err(|error| error.to_string())?.0
        } else {
            let created = Log::create(&self.directory, METADATA_DIRECTORY, id, config, Offset(0), now);
            created.map_err(|error| format!("cannot create {METADATA_DIRECTORY}: {error}"))?
        };
        let state = MetadataLogState {
            log_start: log.start(),
            log_end: log.end(),
            last_epoch: log.epochs().latest().map(|latest| latest.epoch).unwrap_or_default(),
            bytes: log.size(),
            snapshots: self.snapshots()?,
        };
        self.log = Some(log);
        Ok(DoneValue::MetadataLog(state))
    }

    fn read(&mut self, from: Offset, bytes_max: usize) -> Result<DoneValue, String> {
        let log = self.log()?;
        let mut batches = log.reader().batches(from, log.end());
        let (mut records, mut bytes) = (Vec::new(), 0);
        while bytes < bytes_max {
            let Some(batch) = batches.next() else { break };
            let batch = batch.map_err(|error| format!("cannot read the metadata log: {error}"))?;
            bytes += batch.bytes.len();
            decode(&batch.bytes, from, &mut records)?;
        }
        Ok(DoneValue::Records(records))
    }

    fn truncate_prefix(&mut self, start: Offset, now: TimestampMs) -> Result<DoneValue, String> {
        let log = self.log()?;
        let cut = if start > log.end() {
            log.truncate_fully_and_start_at(start, now).map_err(|error| error.to_string())
        } else {
            log.advance_log_start(start, now);
            remove_retired(log, now).map_err(|error| error.to_string())
        };
        cut.map_err(|error| format!("cannot cut the metadata log at {start}: {error}"))?;
        Ok(DoneValue::Size(log.size()))
    }

    fn snapshots(&self) -> Result<Vec<(SnapshotId, u64)>, String> {
        let directory = &self.directory;
        let listed = || -> io::Result<Vec<(SnapshotId, u64)>> {
            if !directory.disk().exists(METADATA_DIRECTORY.as_ref())? {
                return Ok(Vec::new());
            }
            let ids = snapshot_file::list(directory, METADATA_DIRECTORY)?;
            ids.into_iter().map(|id| Ok((id, SnapshotReader::open(directory, METADATA_DIRECTORY, id)?.len()))).collect()
        };
        listed().map_err(|error| format!("cannot list snapshots: {error}"))
    }

    fn write_snapshot(&self, id: SnapshotId, batches: &[NewBatch]) -> Result<DoneValue, String> {
        let write = || -> io::Result<()> {
            if self.directory.disk().exists(&std::path::Path::new(METADATA_DIRECTORY).join(id.file_name()))? {
                return Ok(());
            }
            let mut writer = SnapshotWriter::create(&self.directory, METADATA_DIRECTORY, id, 0)?;
            for batch in batches {
                writer.append(&build(batch).map_err(io::Error::other)?)?;
            }
            writer.finish()
        };
        write().map(|()| DoneValue::Nothing).map_err(|error| format!("cannot write a metadata snapshot: {error}"))
    }

    fn read_snapshot(&self, id: SnapshotId, from: Offset, bytes_max: usize) -> Result<DoneValue, String> {
        let failed = |error: io::Error| format!("cannot read a metadata snapshot: {error}");
        let reader = SnapshotReader::open(&self.directory, METADATA_DIRECTORY, id).map_err(failed)?;
        let (mut records, mut bytes, mut bad) = (Vec::new(), 0, None);
        let walked = reader.for_each(|frame, batch| {
            if frame.last_offset >= from && bytes < bytes_max && bad.is_none() {
                bytes += batch.len();
                bad = decode(batch, from, &mut records).err();
            }
        });
        walked.map_err(failed)?;
        bad.map_or(Ok(DoneValue::Records(records)), Err)
    }

    fn delete_snapshots_before(&self, id: SnapshotId) -> io::Result<()> {
        for known in snapshot_file::list(&self.directory, METADATA_DIRECTORY)? {
            if known < id {
                snapshot_file::delete(&self.directory, METADATA_DIRECTORY, known)?;
            }
        }
        Ok(())
    }

    /// Closes the log well.
    pub fn close(&mut self) {
        if let Some(mut log) = self.log.take() {
            // A failure costs a recovery at the next start, which is made anyway.
            drop(log.close());
        }
    }
}

/// The disk is full, and the metadata log has its part of the headroom first; else it waits. Whether to try again.
fn goes_on(directory: &LogDirectory) -> bool {
    directory.note_full();
    directory.release_headroom().is_ok() && directory.wait_for_room(FULL_DISK_PAUSE)
}

fn ignore_missing(error: io::Error) -> io::Result<()> {
    if error.kind() == io::ErrorKind::NotFound { Ok(()) } else { Err(error) }
}

/// Removes the segments wholly below the start of the log; nobody but this thread reads them.
fn remove_retired(log: &mut Log, now: TimestampMs) -> io::Result<()> {
    let facts = log.reader().retention_facts(log.end())?;
    let retired = log.retire(&retention::plan(&facts, log.config(), now), now)?;
    if !retired.is_empty() {
        log.flush()?;
        retired.rename()?;
        retired.unlink()?;
    }
    Ok(())
}

fn build(batch: &NewBatch) -> Result<Vec<u8>, crate::batch::compress::CompressionFault> {
    let mut options = crate::batch::control::quorum_options(batch.base_offset, batch.epoch);
    options.control = batch.control;
    let mut builder = BatchBuilder::new(BatchOptions { ..options });
    for record in &batch.records {
        let parts =
            RecordParts { key: record.key.as_deref(), value: record.value.as_deref(), ..RecordParts::default() };
        builder.add(batch.timestamp, &parts);
    }
    builder.finish()
}

/// Adds the records of a batch that are not before `from`.
fn decode(batch: &[u8], from: Offset, into: &mut Vec<ReadRecord>) -> Result<(), String> {
    let header = BatchHeader::decode(batch).ok_or("a batch without header")?;
    let body = batch.get(BATCH_HEADER_BYTES..).unwrap_or_default();
    for record in Records::new(header.record_count, body) {
        let record = record.map_err(|fault| format!("a record at offset {}: {fault}", header.base_offset))?;
        let offset = header.base_offset.plus(i64::from(record.offset_delta));
        if offset >= from {
            into.push(ReadRecord {
                offset,
                leader_epoch: header.leader_epoch,
                timestamp: TimestampMs(header.base_timestamp.0.saturating_add(record.timestamp_delta)),
                control: header.is_control(),
                key: record.key.map(<[u8]>::to_vec),
                value: record.value.map(<[u8]>::to_vec),
            });
        }
    }
    Ok(())
}
