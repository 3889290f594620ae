//! What a producer sent, checked and made ready for the log.
//!
//! Prior art: Kafka spreads this over `ProduceRequest.validateRecords`, `UnifiedLog.analyzeAndValidateRecords` and
//! `LogValidator`, and works on the request's buffer in place. Ours gives a new header and borrows the records unless they
//! must be rewritten, so the caller can check before it takes the partition's lock: the offset and the leader epoch
//! are set afterwards, outside the checksum.
//!
//! The order of checks and the codes are Kafka's. Two refusals are ours alone: a compressed batch whose records
//! together exceed the bound that Kafka puts on each of them, since time and memory must be bounded; and a compressed
//! record that does not fill exactly its length, which Kafka stores and then no consumer can read. And where Kafka's
//! rebuilding of a batch fails for a bug (the same codec with offsets out of order, times below -1), ours succeeds.

mod refusal;
mod walk;

use std::borrow::Cow;

use super::build::{RecordParts, seal};
use super::checksum::{crc32c, crc32c_of_parts};
use super::compress::{self, Scratch};
use super::header::{
    BATCH_HEADER_BYTES, BatchHeader, CHECKSUM_START, CONTROL, Codec, DELETE_HORIZON, LENGTH_PREFIX_BYTES,
    LOG_APPEND_TIME, TRANSACTIONAL, magic_of,
};
use super::records::{Record, RecordFault, Records};
use super::varint::{varint_len, write_varint, write_varlong};
use crate::ids::TimestampMs;

pub use refusal::{RECORD_REFUSALS_MAX, RecordRefusal, RecordRefused, Refusal, Rejected};
use walk::{Examined, Examiner};

/// The least that a length field may say: the overhead of a record of magic 0.
const RECORD_BYTES_MIN: i32 = 14;
/// Magic 2, the only one that is produced.
const MAGIC: u8 = 2;
/// The first version of Produce whose clients know zstd.
const ZSTD_SINCE_VERSION: i16 = 7;

/// Which time a record carries (`message.timestamp.type`).
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub enum TimestampType {
    /// The producer's.
    #[default]
    CreateTime,
    /// The broker's, when it appends.
    LogAppendTime,
}

/// How a batch is to be stored (`compression.type` and the codecs' levels).
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub enum Target {
    /// As it was sent.
    #[default]
    Producer,
    /// In one codec, whatever was sent.
    Codec {
        /// The codec.
        codec: Codec,
        /// Its level; none is its default.
        level: Option<i32>,
    },
}

/// What a topic asks of produced batches.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct ProduceRules {
    /// The largest batch, header included, as sent and as stored (`max.message.bytes`).
    pub max_message_bytes: usize,
    /// The largest batch that a segment takes (`segment.bytes`).
    pub segment_bytes: usize,
    /// How to store.
    pub target: Target,
    /// Whose time counts.
    pub timestamp_type: TimestampType,
    /// How far back a record's time may lie, in milliseconds (`message.timestamp.before.max.ms`).
    pub timestamp_before_max_ms: i64,
    /// How far ahead a record's time may lie, in milliseconds (`message.timestamp.after.max.ms`).
    pub timestamp_after_max_ms: i64,
    /// Whether records need keys (`cleanup.policy` includes compact).
    pub compacted: bool,
    /// The most bytes that a batch may decompress to (`max.decompressed.message.bytes`).
    pub decompressed_bytes_max: usize,
}

/// A batch that may be appended.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Checked<'a> {
    /// The header as it will be stored, but for base offset and leader epoch: both are outside the checksum.
    pub header: BatchHeader,
    /// What follows the 61 bytes of the header; borrowed unless it had to be written anew.
    pub records: Cow<'a, [u8]>,
    /// Offset of the first record with the largest time, minus base offset. With `LogAppendTime`, of the last record.
    pub max_timestamp_delta: i32,
}

impl Checked<'_> {
    /// The time of append, for the answer; -1 when the producer's time counts.
    #[must_use]
    pub const fn log_append_time(&self) -> TimestampMs {
        if self.header.is_log_append_time() { self.header.max_timestamp } else { TimestampMs::NONE }
    }
}

/// The size of the first batch in `bytes`; none when no whole batch is there, which is no fault: what follows the last
/// whole batch is cut off silently.
fn first_batch(bytes: &[u8]) -> Result<Option<usize>, Refusal> {
    let Some(length) = bytes.get(8..LENGTH_PREFIX_BYTES) else { return Ok(None) };
    let length = i32::from_be_bytes([length[0], length[1], length[2], length[3]]);
    if length < RECORD_BYTES_MIN {
        return Err(Refusal::LengthTooSmall { length, least: RECORD_BYTES_MIN });
    }
    let Some(magic) = magic_of(bytes) else { return Ok(None) };
    if magic > MAGIC {
        return Err(Refusal::UnknownMagic(magic as i8));
    }
    let size = LENGTH_PREFIX_BYTES + length as usize;
    Ok((size <= bytes.len()).then_some(size))
}

/// Step 1: finds the one batch of a partition in a Produce request of `version`. Bytes after it that are no
/// whole batch are overlooked; the batch's own size is [`BatchHeader::size`].
pub fn parse_single(records: &[u8], version: i16) -> Result<BatchHeader, Rejected> {
    let size = first_batch(records)?.ok_or(Refusal::NoBatch { version })?;
    let (batch, rest) = records.split_at_checked(size).ok_or(Refusal::NoBatch { version })?;
    if magic_of(batch) != Some(MAGIC) {
        return Err(Refusal::WrongMagic { version }.into());
    }
    let header = BatchHeader::decode(batch).ok_or(Refusal::Corrupt { stored: 0 })?;
    if version < ZSTD_SINCE_VERSION && header.codec() == Some(Codec::Zstd) {
        return Err(Refusal::ZstdTooNew { version }.into());
    }
    if first_batch(rest)?.is_some() {
        return Err(Refusal::ManyBatches { version }.into());
    }
    Ok(header)
}

/// Steps 3 to 8: checks the batch that [`parse_single`] found at the front of `records` and makes it ready to append at
/// time `now`. Works in `scratch` only when the batch is compressed or must be rewritten; takes no time beyond
/// what `rules` bound.
pub fn check<'a>(
    records: &'a [u8],
    header: BatchHeader,
    rules: &ProduceRules,
    now: TimestampMs,
    scratch: &mut Scratch,
) -> Result<Checked<'a>, Rejected> {
    let body = check_whole(records, &header, rules)?;
    let codec = header.codec().ok_or(Refusal::UnknownCodec(header.attributes & 7))?;
    check_header(&header)?;
    if header.is_control() {
        return Err(Refusal::Control.into());
    }
    if header.producer_id.is_some() && header.base_sequence.0 < 0 {
        return Err(Refusal::Sequence { sequence: header.base_sequence, producer_id: header.producer_id }.into());
    }
    check_records(body, header, codec, rules, now, scratch)
}

/// The same for a batch that a coordinator made: in a transaction it has a producer, but no sequence.
pub fn check_own<'a>(
    records: &'a [u8],
    header: BatchHeader,
    rules: &ProduceRules,
    now: TimestampMs,
    scratch: &mut Scratch,
) -> Result<Checked<'a>, Rejected> {
    let body = check_whole(records, &header, rules)?;
    let codec = header.codec().ok_or(Refusal::UnknownCodec(header.attributes & 7))?;
    check_header(&header)?;
    check_records(body, header, codec, rules, now, scratch)
}

fn check_records<'a>(
    body: &'a [u8],
    header: BatchHeader,
    codec: Codec,
    rules: &ProduceRules,
    now: TimestampMs,
    scratch: &mut Scratch,
) -> Result<Checked<'a>, Rejected> {
    let checked = match rules.target {
        Target::Codec { codec: target, level } if target != codec => {
            check_and_rebuild(body, header, codec, (target, level), rules, now, scratch)
        }
        target => {
            let level = if let Target::Codec { level, .. } = target { level } else { None };
            check_in_place(body, header, codec, level, rules, now, scratch)
        }
    };
    scratch.trim();
    let checked = checked?;
    let size = BATCH_HEADER_BYTES + checked.records.len();
    if size > rules.max_message_bytes {
        return Err(Refusal::TooLarge { size, most: rules.max_message_bytes }.into());
    }
    if size > rules.segment_bytes {
        return Err(Refusal::LargerThanSegment { size, most: rules.segment_bytes }.into());
    }
    Ok(checked)
}

/// Base offset, size and checksum; gives the bytes after the header.
fn check_whole<'a>(records: &'a [u8], header: &BatchHeader, rules: &ProduceRules) -> Result<&'a [u8], Refusal> {
    if header.base_offset.0 != 0 {
        return Err(Refusal::BaseOffset(header.base_offset));
    }
    let corrupt = Refusal::Corrupt { stored: header.checksum };
    let batch = header.size().and_then(|size| records.get(..size)).ok_or(corrupt)?;
    if batch.len() > rules.max_message_bytes {
        return Err(Refusal::TooLarge { size: batch.len(), most: rules.max_message_bytes });
    }
    let covered = batch.get(CHECKSUM_START..).ok_or(corrupt)?;
    if crc32c(covered) != header.checksum {
        return Err(corrupt);
    }
    batch.get(BATCH_HEADER_BYTES..).ok_or(corrupt)
}

/// What the header says about its records.
fn check_header(header: &BatchHeader) -> Result<(), Refusal> {
    let count = i64::from(header.last_offset_delta) + 1;
    if count <= 0 {
        return Err(Refusal::OffsetRange { last: header.last_offset() });
    }
    if header.record_count <= 0 {
        return Err(Refusal::Count(header.record_count));
    }
    if count != i64::from(header.record_count) {
        return Err(Refusal::OffsetsAndCount { last: header.last_offset(), count: header.record_count });
    }
    Ok(())
}

fn check_in_place<'a>(
    body: &'a [u8],
    mut header: BatchHeader,
    codec: Codec,
    level: Option<i32>,
    rules: &ProduceRules,
    now: TimestampMs,
    scratch: &mut Scratch,
) -> Result<Checked<'a>, Rejected> {
    let mut examiner = Examiner::new(&header, rules, now);
    if codec == Codec::None {
        walk::records(body, header.record_count, &mut examiner)?;
    } else {
        let mut inflow = scratch.open(codec, body, rules.decompressed_bytes_max)?;
        walk::stream(&mut inflow, header.record_count, rules.decompressed_bytes_max, &mut examiner)?;
    }
    let examined = examiner.finish()?;
    if codec != Codec::None && !examined.consecutive {
        scratch.decompress(codec, body, rules.decompressed_bytes_max)?;
        return rebuild(None, header, (codec, level), &examined, rules, now, scratch);
    }
    let (log_append_time, max_timestamp, max_timestamp_delta) = stored_time(&header, &examined, rules, now);
    if (header.attributes & LOG_APPEND_TIME) != log_append_time || header.max_timestamp != max_timestamp {
        let kept = 7 | TRANSACTIONAL | CONTROL | DELETE_HORIZON;
        header.attributes = header.attributes & kept | log_append_time;
        header.max_timestamp = max_timestamp;
        header.checksum = crc32c_of_parts(&[&header.encode()[CHECKSUM_START..], body]);
    }
    Ok(Checked { header, records: Cow::Borrowed(body), max_timestamp_delta })
}

fn check_and_rebuild<'a>(
    body: &'a [u8],
    header: BatchHeader,
    codec: Codec,
    target: (Codec, Option<i32>),
    rules: &ProduceRules,
    now: TimestampMs,
    scratch: &mut Scratch,
) -> Result<Checked<'a>, Rejected> {
    let mut examiner = Examiner::new(&header, rules, now);
    let plain = if codec == Codec::None {
        walk::records(body, header.record_count, &mut examiner)?;
        Some(body)
    } else {
        let plain = scratch.decompress(codec, body, rules.decompressed_bytes_max)?;
        walk::records(plain, header.record_count, &mut examiner)?;
        None
    };
    rebuild(plain, header, target, &examiner.finish()?, rules, now, scratch)
}

/// The attribute bit, the largest time and where it is, as they will be stored.
fn stored_time(
    header: &BatchHeader,
    examined: &Examined,
    rules: &ProduceRules,
    now: TimestampMs,
) -> (i16, TimestampMs, i32) {
    match rules.timestamp_type {
        TimestampType::LogAppendTime => (LOG_APPEND_TIME, now, header.last_offset_delta),
        TimestampType::CreateTime => (0, examined.max_timestamp, examined.max_timestamp_delta),
    }
}

/// Writes the batch anew. Without `plain`, the records are what `scratch` holds decompressed.
fn rebuild<'a>(
    plain: Option<&[u8]>,
    mut header: BatchHeader,
    (codec, level): (Codec, Option<i32>),
    examined: &Examined,
    rules: &ProduceRules,
    now: TimestampMs,
    scratch: &mut Scratch,
) -> Result<Checked<'a>, Rejected> {
    let Scratch { inflated, rewritten, .. } = scratch;
    let mut plain = plain.unwrap_or(inflated);
    if !examined.consecutive {
        rewritten.clear();
        number_anew(plain, header.record_count, rewritten)?;
        plain = rewritten;
    }
    let mut records = Vec::with_capacity(if codec == Codec::None { plain.len() } else { plain.len() / 2 });
    compress::compress(codec, level, plain, &mut records)?;
    let (log_append_time, max_timestamp, max_timestamp_delta) = stored_time(&header, examined, rules, now);
    header.attributes = codec as i16 | log_append_time | header.attributes & TRANSACTIONAL;
    header.max_timestamp = max_timestamp;
    seal(&mut header, &records)?;
    Ok(Checked { header, records: Cow::Owned(records), max_timestamp_delta })
}

/// Appends the records with the offset deltas 0, 1, 2, ….
fn number_anew(plain: &[u8], count: i32, out: &mut Vec<u8>) -> Result<(), RecordFault> {
    for (record, offset_delta) in Records::new(count, plain).zip(0..) {
        write_record_at(out, offset_delta, &record?);
    }
    Ok(())
}

fn write_record_at(out: &mut Vec<u8>, offset_delta: i32, record: &Record<'_>) {
    let parts = RecordParts { key: record.key, value: record.value, headers: &[] };
    let headers = record.headers.as_bytes();
    let count = record.headers.len() as i32;
    // The size of the record without headers has one byte for their count, which is zero there.
    let without = super::build::body_len(offset_delta, record.timestamp_delta, &parts);
    let size = without - 1 + varint_len(count) + headers.len();
    write_varint(out, size as i32);
    out.push(0);
    write_varlong(out, record.timestamp_delta);
    write_varint(out, offset_delta);
    super::build::write_nullable(out, record.key);
    super::build::write_nullable(out, record.value);
    write_varint(out, count);
    out.extend_from_slice(headers);
}

#[cfg(test)]
mod tests;
