//! `__cluster_metadata-0` for the control plane: batches in, records out, snapshots, the quorum state.
//!
//! One thread owns it and may block. An append is done when it is durable (law of raft: before that nobody acts on it).

use std::io;
use std::sync::Arc;

use crate::batch::build::{BatchBuilder, BatchOptions, RecordParts};
use crate::batch::header::{BATCH_HEADER_BYTES, BatchHeader};
use crate::batch::producer::Origin;
use crate::batch::records::Records;
use crate::ids::{Offset, TimestampMs, TopicId};
use crate::log::{Log, LogConfig, LogDirectory, Mode, OpenOptions};
use crate::plane::snapshot_file;
use crate::plane::command::{
    DoneValue, MetadataCommand, MetadataLogState, NewBatch, ReadRecord, SnapshotId,
};

/// The directory of the metadata log.
pub const METADATA_DIRECTORY: &str = "__cluster_metadata-0";
/// Kafka's `metadata.log.segment.bytes`.
const SEGMENT_BYTES: u64 = 1 << 30;
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
            return Err(format!("a batch for offset {} of the metadata log, which ends at {}", batch.base_offset, log.end()));
        }
        let bytes = build(batch).map_err(|error| format!("cannot build a metadata batch: {error}"))?;
        let header = BatchHeader::decode(&bytes).ok_or("a batch without header")?;
        let appended = log.append(&header, &bytes[BATCH_HEADER_BYTES..], Origin::Coordinator, batch.epoch, now);
        appended.map_err(|error| format!("cannot append to the metadata log: {error}"))?;
        Ok(DoneValue::Size(log.size()))
    }

    /// Makes everything durable. Blocks for as long as the disk takes.
    pub fn flush(&mut self) -> Result<(), String> {
        let where_ = self.directory.describe();
        self.log()?.flush().map_err(|error| format!("cannot flush {where_}/{METADATA_DIRECTORY}: {error}"))
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
                let deleted = snapshot_file::delete_before(self.directory.disk(), METADATA_DIRECTORY, id);
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
        let failed = |error: &dyn std::fmt::Display| format!("cannot cut the metadata log at {start}: {error}");
        if start > log.end() {
            log.truncate_fully_and_start_at(start, now).map_err(|error| failed(&error))?;
        } else {
            log.advance_log_start(start, now);
        }
        Ok(DoneValue::Size(log.size()))
    }

    fn snapshots(&self) -> Result<Vec<(SnapshotId, u64)>, String> {
        let listed = snapshot_file::list(self.directory.disk(), METADATA_DIRECTORY);
        listed.map_err(|error| format!("cannot list snapshots: {error}"))
    }

    fn write_snapshot(&self, id: SnapshotId, batches: &[NewBatch]) -> Result<DoneValue, String> {
        let built: io::Result<Vec<Vec<u8>>> =
            batches.iter().map(|batch| build(batch).map_err(io::Error::other)).collect();
        let written = built.and_then(|built| {
            snapshot_file::write(self.directory.disk(), METADATA_DIRECTORY, id, &built)
        });
        written.map(|()| DoneValue::Nothing).map_err(|error| format!("cannot write a metadata snapshot: {error}"))
    }

    fn read_snapshot(&self, id: SnapshotId, from: Offset, bytes_max: usize) -> Result<DoneValue, String> {
        let read = snapshot_file::read(self.directory.disk(), METADATA_DIRECTORY, id, from, bytes_max);
        let batches = read.map_err(|error| format!("cannot read a metadata snapshot: {error}"))?;
        let mut records = Vec::new();
        for batch in batches {
            decode(&batch, from, &mut records)?;
        }
        Ok(DoneValue::Records(records))
    }

    /// Closes the log well.
    pub fn close(&mut self) {
        if let Some(mut log) = self.log.take() {
            // A failure costs a recovery at the next start, which is made anyway.
            drop(log.close());
        }
    }
}

fn build(batch: &NewBatch) -> Result<Vec<u8>, crate::batch::compress::CompressionFault> {
    let mut options = crate::batch::control::quorum_options(batch.base_offset, batch.epoch);
    options.control = batch.control;
    let mut builder = BatchBuilder::new(BatchOptions { ..options });
    for record in &batch.records {
        let parts = RecordParts { key: record.key.as_deref(), value: record.value.as_deref(), ..RecordParts::default() };
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
