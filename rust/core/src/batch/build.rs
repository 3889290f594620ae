//! Building batches: what the control plane appends, control batches, and what validation must rewrite
//! (Kafka class `MemoryRecordsBuilder`).
//!
//! Records get the offset deltas 0, 1, 2, … in the order given. The first record's time is the base timestamp.

use super::checksum::crc32c_of_parts;
use super::compress::{self, CompressionFault};
use super::header::{
    BATCH_HEADER_BYTES, BatchHeader, CHECKSUM_START, CONTROL, Codec, LENGTH_PREFIX_BYTES, LOG_APPEND_TIME,
    TRANSACTIONAL,
};
use super::records::Header;
use super::varint::{varint_len, varlong_len, write_varint, write_varlong};
use crate::ids::{LeaderEpoch, Offset, ProducerEpoch, ProducerId, Sequence, TimestampMs};

/// What a record holds apart from its place and time.
#[derive(Clone, Copy, Debug, Default)]
pub struct RecordParts<'a> {
    /// The key.
    pub key: Option<&'a [u8]>,
    /// The value.
    pub value: Option<&'a [u8]>,
    /// The headers, in order.
    pub headers: &'a [Header<'a>],
}

pub(super) fn nullable_len(bytes: Option<&[u8]>) -> usize {
    bytes.map_or(1, |bytes| varint_len(bytes.len() as i32) + bytes.len())
}

pub(super) fn write_nullable(out: &mut Vec<u8>, bytes: Option<&[u8]>) {
    match bytes {
        None => write_varint(out, -1),
        Some(bytes) => {
            write_varint(out, bytes.len() as i32);
            out.extend_from_slice(bytes);
        }
    }
}

/// Bytes of a record after its length prefix.
pub(super) fn body_len(offset_delta: i32, timestamp_delta: i64, parts: &RecordParts<'_>) -> usize {
    let headers: usize = parts.headers.iter().map(|(key, value)| nullable_len(Some(key)) + nullable_len(*value)).sum();
    1 + varlong_len(timestamp_delta)
        + varint_len(offset_delta)
        + nullable_len(parts.key)
        + nullable_len(parts.value)
        + varint_len(parts.headers.len() as i32)
        + headers
}

/// Appends one record as it stands in a batch.
pub fn write_record(out: &mut Vec<u8>, offset_delta: i32, timestamp_delta: i64, parts: &RecordParts<'_>) {
    write_varint(out, body_len(offset_delta, timestamp_delta, parts) as i32);
    out.push(0);
    write_varlong(out, timestamp_delta);
    write_varint(out, offset_delta);
    write_nullable(out, parts.key);
    write_nullable(out, parts.value);
    write_varint(out, parts.headers.len() as i32);
    for (key, value) in parts.headers {
        write_nullable(out, Some(key));
        write_nullable(out, *value);
    }
}

/// What applies to a batch as a whole. The default is an uncompressed batch without a producer.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct BatchOptions {
    /// Offset of the first record; the log sets its own on append.
    pub base_offset: Offset,
    /// Epoch of the leader that appends; -1 from producers.
    pub leader_epoch: LeaderEpoch,
    /// How to compress.
    pub codec: Codec,
    /// The codec's level; none is the codec's own default.
    pub level: Option<i32>,
    /// Who produces.
    pub producer_id: ProducerId,
    /// In which incarnation.
    pub producer_epoch: ProducerEpoch,
    /// Sequence number of the first record.
    pub base_sequence: Sequence,
    /// Whether the batch belongs to a transaction.
    pub transactional: bool,
    /// Whether the batch holds markers.
    pub control: bool,
    /// The time of append, which then stands for the time of every record.
    pub log_append_time: Option<TimestampMs>,
}

impl Default for BatchOptions {
    fn default() -> Self {
        Self {
            base_offset: Offset(0),
            leader_epoch: LeaderEpoch::NONE,
            codec: Codec::None,
            level: None,
            producer_id: ProducerId::NONE,
            producer_epoch: ProducerEpoch::NONE,
            base_sequence: Sequence::NONE,
            transactional: false,
            control: false,
            log_append_time: None,
        }
    }
}

impl BatchOptions {
    fn attributes(&self) -> i16 {
        let mut attributes = self.codec as i16;
        if self.log_append_time.is_some() {
            attributes |= LOG_APPEND_TIME;
        }
        if self.transactional {
            attributes |= TRANSACTIONAL;
        }
        if self.control {
            attributes |= CONTROL;
        }
        attributes
    }
}

/// A batch in the making. Records are kept uncompressed until [`BatchBuilder::finish`].
#[derive(Clone, Debug)]
pub struct BatchBuilder {
    options: BatchOptions,
    records: Vec<u8>,
    count: i32,
    base_timestamp: TimestampMs,
    max_timestamp: TimestampMs,
}

impl BatchBuilder {
    /// An empty batch.
    #[must_use]
    pub fn new(options: BatchOptions) -> Self {
        Self {
            options,
            records: Vec::new(),
            count: 0,
            base_timestamp: TimestampMs::NONE,
            max_timestamp: TimestampMs::NONE,
        }
    }

    /// How many records it holds.
    #[must_use]
    pub const fn count(&self) -> i32 {
        self.count
    }

    /// Whether it holds no record.
    #[must_use]
    pub const fn is_empty(&self) -> bool {
        self.count == 0
    }

    /// Bytes of the batch if it were finished uncompressed.
    #[must_use]
    pub fn size(&self) -> usize {
        BATCH_HEADER_BYTES + self.records.len()
    }

    /// Bytes of the batch if this record were added and it were finished uncompressed.
    #[must_use]
    pub fn size_with(&self, timestamp: TimestampMs, parts: &RecordParts<'_>) -> usize {
        let body = body_len(self.count, self.delta(timestamp), parts);
        self.size() + varint_len(i32::try_from(body).unwrap_or(i32::MAX)) + body
    }

    fn delta(&self, timestamp: TimestampMs) -> i64 {
        let base = if self.count == 0 { timestamp } else { self.base_timestamp };
        // Wraps like Kafka's reader, which adds it back.
        timestamp.0.wrapping_sub(base.0)
    }

    /// Adds a record. The caller bounds sizes: a batch over 2 GiB fails in [`BatchBuilder::finish`].
    pub fn add(&mut self, timestamp: TimestampMs, parts: &RecordParts<'_>) {
        let delta = self.delta(timestamp);
        if self.count == 0 {
            self.base_timestamp = timestamp;
        }
        self.max_timestamp = self.max_timestamp.max(timestamp);
        write_record(&mut self.records, self.count, delta, parts);
        self.count += 1;
    }

    /// The whole batch: header, checksum, compressed records.
    pub fn finish(self) -> Result<Vec<u8>, CompressionFault> {
        let mut out = vec![0; BATCH_HEADER_BYTES];
        compress::compress(self.options.codec, self.options.level, &self.records, &mut out)?;
        let mut header = BatchHeader {
            base_offset: self.options.base_offset,
            batch_length: 0,
            leader_epoch: self.options.leader_epoch,
            checksum: 0,
            attributes: self.options.attributes(),
            last_offset_delta: self.count - 1,
            base_timestamp: self.base_timestamp,
            max_timestamp: self.options.log_append_time.unwrap_or(self.max_timestamp),
            producer_id: self.options.producer_id,
            producer_epoch: self.options.producer_epoch,
            base_sequence: self.options.base_sequence,
            record_count: self.count,
        };
        let sealed = seal(&mut header, &out[BATCH_HEADER_BYTES..])?;
        out[..BATCH_HEADER_BYTES].copy_from_slice(&sealed);
        Ok(out)
    }
}

/// Sets length and checksum of a header for the records that follow it, and gives the header's bytes.
pub fn seal(header: &mut BatchHeader, records: &[u8]) -> Result<[u8; BATCH_HEADER_BYTES], CompressionFault> {
    let length = BATCH_HEADER_BYTES - LENGTH_PREFIX_BYTES + records.len();
    header.batch_length = i32::try_from(length).map_err(|_| CompressionFault::Unencodable)?;
    let encoded = header.encode();
    header.checksum = crc32c_of_parts(&[&encoded[CHECKSUM_START..], records]);
    Ok(header.encode())
}
