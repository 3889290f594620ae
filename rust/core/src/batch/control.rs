//! Control records: the end of a transaction, and what a quorum writes for itself (Kafka classes `ControlRecordType`,
//! `EndTransactionMarker`, `ControlRecordUtils`).
//!
//! Key: int16 version 0, int16 type. A marker's value: int16 version 0, int32 coordinator epoch. The values of the
//! quorum's records are messages that begin with their own version.

use super::build::{BatchBuilder, BatchOptions, RecordParts};
use super::compress::CompressionFault;
use super::header::BatchHeader;
use super::records::Records;
use crate::ids::{BrokerId, LeaderEpoch, Offset, ProducerEpoch, ProducerId, TimestampMs};

/// What a control record is. The discriminant is the type in its key.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
#[repr(i16)]
pub enum ControlType {
    /// The transaction was aborted.
    Abort = 0,
    /// The transaction was committed.
    Commit = 1,
    /// A leader of the quorum began its epoch.
    LeaderChange = 2,
    /// A snapshot begins.
    SnapshotHeader = 3,
    /// A snapshot is complete.
    SnapshotFooter = 4,
    /// The level of `kraft.version`.
    KraftVersion = 5,
    /// The voters of the quorum.
    KraftVoters = 6,
}

impl ControlType {
    /// The type that a control record's key names; none for types that are not known, which readers pass over.
    #[must_use]
    pub fn of_key(key: &[u8]) -> Option<Self> {
        let [v0, v1, t0, t1, ..] = *key else { return None };
        if i16::from_be_bytes([v0, v1]) < 0 {
            return None;
        }
        Some(match i16::from_be_bytes([t0, t1]) {
            0 => Self::Abort,
            1 => Self::Commit,
            2 => Self::LeaderChange,
            3 => Self::SnapshotHeader,
            4 => Self::SnapshotFooter,
            5 => Self::KraftVersion,
            6 => Self::KraftVoters,
            _ => return None,
        })
    }

    /// The key of such a record.
    #[must_use]
    pub const fn key(self) -> [u8; 4] {
        let [high, low] = (self as i16).to_be_bytes();
        [0, 0, high, low]
    }
}

/// The end of a transaction on one partition.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct EndMarker {
    /// Aborted, or else committed.
    pub aborted: bool,
    /// Epoch of the transaction coordinator that decided; an older one is refused.
    pub coordinator_epoch: i32,
    /// When it was written.
    pub timestamp: TimestampMs,
}

impl EndMarker {
    /// The marker in a control batch whose records are `records`; none when the batch is empty, as compaction leaves it,
    /// malformed, or holds another control record.
    #[must_use]
    pub fn read(header: &BatchHeader, records: &[u8]) -> Option<Self> {
        if !header.is_control() {
            return None;
        }
        let record = Records::new(header.record_count, records).next()?.ok()?;
        let aborted = match ControlType::of_key(record.key?)? {
            ControlType::Abort => true,
            ControlType::Commit => false,
            _ => return None,
        };
        let [_, _, a, b, c, d, ..] = *record.value? else { return None };
        let timestamp = if header.is_log_append_time() {
            header.max_timestamp
        } else {
            TimestampMs(header.base_timestamp.0.wrapping_add(record.timestamp_delta))
        };
        Some(Self { aborted, coordinator_epoch: i32::from_be_bytes([a, b, c, d]), timestamp })
    }

    /// The control batch that ends the transaction of a producer.
    pub fn batch(&self, producer_id: ProducerId, producer_epoch: ProducerEpoch) -> Result<Vec<u8>, CompressionFault> {
        self.batch_of(producer_id, producer_epoch, None)
    }

    /// The same for a topic with `LogAppendTime`, if there is a time of append.
    pub fn batch_of(
        &self,
        producer_id: ProducerId,
        producer_epoch: ProducerEpoch,
        log_append_time: Option<TimestampMs>,
    ) -> Result<Vec<u8>, CompressionFault> {
        let transactional = true;
        let options =
            BatchOptions { producer_id, producer_epoch, transactional, log_append_time, ..BatchOptions::default() };
        let [a, b, c, d] = self.coordinator_epoch.to_be_bytes();
        let kind = if self.aborted { ControlType::Abort } else { ControlType::Commit };
        control_batch(options, self.timestamp, &[(kind, &[0, 0, a, b, c, d])])
    }
}

/// A control batch of `records`, in order; `options` say the rest.
pub fn control_batch(
    options: BatchOptions,
    timestamp: TimestampMs,
    records: &[(ControlType, &[u8])],
) -> Result<Vec<u8>, CompressionFault> {
    let mut builder = BatchBuilder::new(BatchOptions { control: true, ..options });
    for (kind, value) in records {
        builder.add(timestamp, &RecordParts { key: Some(&kind.key()), value: Some(value), headers: &[] });
    }
    builder.finish()
}

/// The options of a batch of a quorum's log.
#[must_use]
pub fn quorum_options(base_offset: Offset, leader_epoch: LeaderEpoch) -> BatchOptions {
    BatchOptions { base_offset, leader_epoch, ..BatchOptions::default() }
}

/// The value of a `LeaderChange` record, version 0: who leads, who votes, who granted the vote.
#[must_use]
pub fn leader_change(leader: BrokerId, voters: &[BrokerId], granting: &[BrokerId]) -> Vec<u8> {
    let mut out = vec![0, 0];
    out.extend_from_slice(&leader.0.to_be_bytes());
    for ids in [voters, granting] {
        write_unsigned(&mut out, ids.len() as u32 + 1);
        for id in ids {
            out.extend_from_slice(&id.0.to_be_bytes());
            out.push(0);
        }
    }
    out.push(0);
    out
}

/// The value of a `SnapshotHeader` record, version 0, with the time of the last record that the snapshot covers.
#[must_use]
pub fn snapshot_header(last_contained: TimestampMs) -> Vec<u8> {
    let mut out = vec![0, 0];
    out.extend_from_slice(&last_contained.0.to_be_bytes());
    out.push(0);
    out
}

/// The value of a `SnapshotFooter` record, version 0.
#[must_use]
pub const fn snapshot_footer() -> [u8; 3] {
    [0, 0, 0]
}

/// The length of a compact array, plus one, as an unsigned varint.
fn write_unsigned(out: &mut Vec<u8>, mut value: u32) {
    while value >= 0x80 {
        out.push(value as u8 | 0x80);
        value >>= 7;
    }
    out.push(value as u8);
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::batch::header::BATCH_HEADER_BYTES;

    #[test]
    fn a_marker_survives() {
        for aborted in [true, false] {
            let marker = EndMarker { aborted, coordinator_epoch: 77, timestamp: TimestampMs(1_700_000_000_123) };
            let batch = marker.batch(ProducerId(4), ProducerEpoch(2)).unwrap();
            let header = BatchHeader::decode(&batch).unwrap();
            assert!(header.is_control() && header.is_transactional());
            assert_eq!((header.producer_id, header.producer_epoch), (ProducerId(4), ProducerEpoch(2)));
            assert_eq!(header.base_sequence.0, -1);
            assert_eq!(EndMarker::read(&header, &batch[BATCH_HEADER_BYTES..]), Some(marker));
        }
    }

    #[test]
    fn what_is_no_marker_is_none() {
        let batch = control_batch(
            quorum_options(Offset(9), LeaderEpoch(3)),
            TimestampMs(5),
            &[(ControlType::SnapshotFooter, &snapshot_footer())],
        )
        .unwrap();
        let header = BatchHeader::decode(&batch).unwrap();
        assert_eq!((header.base_offset, header.leader_epoch), (Offset(9), LeaderEpoch(3)));
        assert_eq!(EndMarker::read(&header, &batch[BATCH_HEADER_BYTES..]), None);
        assert_eq!(EndMarker::read(&BatchHeader { record_count: 0, ..header }, &[]), None);
        assert_eq!(ControlType::of_key(&[0, 0, 0, 9]), None);
        assert_eq!(ControlType::of_key(&[0, 0, 0]), None);
    }

    #[test]
    fn values_of_the_quorum() {
        assert_eq!(
            leader_change(BrokerId(1), &[BrokerId(1), BrokerId(2)], &[BrokerId(1)]),
            [0, 0, 0, 0, 0, 1, 3, 0, 0, 0, 1, 0, 0, 0, 0, 2, 0, 2, 0, 0, 0, 1, 0, 0]
        );
        assert_eq!(snapshot_header(TimestampMs(258)), [0, 0, 0, 0, 0, 0, 0, 0, 1, 2, 0]);
    }
}
