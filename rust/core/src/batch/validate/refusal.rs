//! Why a produced batch is refused: Kafka's codes and Kafka's words.

use std::fmt::{self, Display};

use crate::batch::compress::CompressionFault;
use crate::batch::records::RecordFault;
use crate::error::ErrorCode;
use crate::ids::{Offset, ProducerId, Sequence, TimestampMs};

/// How many refused records of one batch are listed. Kafka lists all; a batch made for it would ask for gigabytes.
pub const RECORD_REFUSALS_MAX: usize = 10_000;

/// How many refused records the message for the whole batch shows.
const RECORD_REFUSALS_SHOWN: usize = 3;

/// A refused batch: the reason, and which records are to blame.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Rejected {
    /// Why.
    pub refusal: Refusal,
    /// The refused records, at most [`RECORD_REFUSALS_MAX`]; empty when the batch as a whole is to blame.
    pub records: Vec<RecordRefused>,
}

impl<T: Into<Refusal>> From<T> for Rejected {
    fn from(refusal: T) -> Self {
        Self { refusal: refusal.into(), records: Vec::new() }
    }
}

impl Rejected {
    /// The code for the answer.
    #[must_use]
    pub const fn code(&self) -> ErrorCode {
        self.refusal.code()
    }

    /// What is wrong with the batch for `partition` (as `topic-index`).
    #[must_use]
    pub fn message(&self, partition: &dyn Display) -> String {
        let Refusal::Records { count } = self.refusal else { return self.refusal.message(partition) };
        let shown: Vec<String> = self
            .records
            .iter()
            .take(RECORD_REFUSALS_SHOWN)
            .map(|record| {
                let (index, message) = (record.batch_index, record.refusal.message(partition));
                format!("RecordError(batchIndex={index}, message='{message}')")
            })
            .collect();
        format!(
            "One or more records have been rejected due to {count} record errors in total, and only showing the \
             first three errors at most: [{}]",
            shown.join(", ")
        )
    }
}

/// A record that is refused, for the `record_errors` of the answer.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct RecordRefused {
    /// Which record of the batch, from 0.
    pub batch_index: i32,
    /// Why.
    pub refusal: RecordRefusal,
}

/// Why a record is refused.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum RecordRefusal {
    /// A compacted topic takes no record without a key.
    NoKey,
    /// The time lies outside of what the topic takes.
    Timestamp { timestamp: TimestampMs, offset: i64, earliest: TimestampMs, latest: TimestampMs },
    /// The producer claims that the broker set the time.
    LogAppendTime { whole: bool, offset: i64, timestamp: TimestampMs, key_size: i32, value_size: i32 },
}

impl RecordRefusal {
    /// What is wrong with the record of `partition`.
    #[must_use]
    pub fn message(&self, partition: &dyn Display) -> String {
        match self {
            Self::NoKey => {
                format!("Compacted topic cannot accept message without key in topic partition {partition}")
            }
            Self::Timestamp { timestamp, offset, earliest, latest } => format!(
                "Timestamp {timestamp} of message with offset {offset} is out of range. The timestamp should be \
                 within [{earliest}, {latest}]"
            ),
            Self::LogAppendTime { whole, offset, timestamp, key_size, value_size } => format!(
                "Invalid timestamp type in message {}Record(offset={offset}, timestamp={timestamp}, \
                 key={key_size} bytes, value={value_size} bytes). Producer should not set timestamp type to \
                 LogAppendTime.",
                if *whole { "Default" } else { "PartialDefault" }
            ),
        }
    }
}

/// Why a batch is refused.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Refusal {
    /// There is no whole batch.
    NoBatch { version: i16 },
    /// There is more than one.
    ManyBatches { version: i16 },
    /// The batch is of an older format.
    WrongMagic { version: i16 },
    /// The client of this version of the request cannot read zstd.
    ZstdTooNew { version: i16 },
    /// The length field says less than the smallest record.
    LengthTooSmall { length: i32, least: i32 },
    /// The format does not exist.
    UnknownMagic(i8),
    /// Producers count from 0.
    BaseOffset(Offset),
    /// The batch, as sent or as it would be stored, is above `max.message.bytes`.
    TooLarge { size: usize, most: usize },
    /// The checksum is wrong, or the length field is.
    Corrupt { stored: u32 },
    /// The codec does not exist.
    UnknownCodec(i16),
    /// The last offset lies before the first.
    OffsetRange { last: Offset },
    /// There is no record, or fewer.
    Count(i32),
    /// Offsets and number of records disagree.
    OffsetsAndCount { last: Offset, count: i32 },
    /// Markers are the broker's to write.
    Control,
    /// A producer with an id numbers its records.
    Sequence { sequence: Sequence, producer_id: ProducerId },
    /// A record is malformed.
    Malformed(RecordFault),
    /// The records cannot be decompressed or compressed.
    Compression(CompressionFault),
    /// Records are refused, none of them for its time.
    Records { count: usize },
    /// Records are refused, at least one of them for its time.
    Timestamps,
    /// The batch does not fit a segment.
    LargerThanSegment { size: usize, most: usize },
}

impl From<RecordFault> for Refusal {
    fn from(fault: RecordFault) -> Self {
        Self::Malformed(fault)
    }
}

impl From<CompressionFault> for Refusal {
    fn from(fault: CompressionFault) -> Self {
        Self::Compression(fault)
    }
}

impl Refusal {
    /// The code for the answer.
    #[must_use]
    pub const fn code(&self) -> ErrorCode {
        match self {
            Self::NoBatch { .. }
            | Self::ManyBatches { .. }
            | Self::WrongMagic { .. }
            | Self::BaseOffset(_)
            | Self::OffsetRange { .. }
            | Self::Count(_)
            | Self::OffsetsAndCount { .. }
            | Self::Control
            | Self::Sequence { .. }
            | Self::Malformed(_)
            | Self::Compression(CompressionFault::TooLarge { .. })
            | Self::Records { .. } => ErrorCode::InvalidRecord,
            Self::ZstdTooNew { .. } => ErrorCode::UnsupportedCompressionType,
            Self::LengthTooSmall { .. } | Self::UnknownMagic(_) | Self::Corrupt { .. } => ErrorCode::CorruptMessage,
            Self::TooLarge { .. } => ErrorCode::MessageTooLarge,
            Self::LargerThanSegment { .. } => ErrorCode::RecordListTooLarge,
            Self::Timestamps => ErrorCode::InvalidTimestamp,
            // Kafka's decompressors throw what no code is assigned to.
            Self::UnknownCodec(_)
            | Self::Compression(CompressionFault::Malformed(_) | CompressionFault::Unencodable) => {
                ErrorCode::UnknownServerError
            }
        }
    }

    fn message(&self, partition: &dyn Display) -> String {
        struct In<'a>(&'a Refusal, &'a dyn Display);
        impl Display for In<'_> {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                self.0.write(self.1, f)
            }
        }
        In(self, partition).to_string()
    }

    fn write(&self, partition: &dyn Display, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::NoBatch { version } => {
                write!(f, "Produce requests with version {version} must have at least one record batch per partition")
            }
            Self::ManyBatches { version } => write!(
                f,
                "Produce requests with version {version} are only allowed to contain exactly one record batch per \
                 partition"
            ),
            Self::WrongMagic { version } => write!(
                f,
                "Produce requests with version {version} are only allowed to contain record batches with magic \
                 version 2"
            ),
            Self::ZstdTooNew { version } => {
                write!(f, "Produce requests with version {version} are not allowed to use ZStandard compression")
            }
            Self::LengthTooSmall { length, least } => {
                write!(f, "Record size {length} is less than the minimum record overhead ({least})")
            }
            Self::UnknownMagic(magic) => write!(f, "Invalid magic found in record: {magic}"),
            Self::BaseOffset(offset) => write!(
                f,
                "The baseOffset of the record batch in the append to {partition} should be 0, but it is {offset}"
            ),
            Self::TooLarge { size, most } => write!(
                f,
                "The record batch size in the append to {partition} is {size} bytes which exceeds the maximum \
                 configured value of {most} (max.message.bytes)."
            ),
            Self::Corrupt { stored } => {
                write!(f, "Record is corrupt (stored crc = {stored}) in topic partition {partition}.")
            }
            Self::UnknownCodec(codec) => write!(f, "Unknown compression type id: {codec}"),
            Self::OffsetRange { last } => {
                write!(f, "Batch has an invalid offset range: [0, {last}] in topic partition {partition}")
            }
            Self::Count(count) => {
                write!(f, "Invalid reported count for record batch: {count} in topic partition {partition}")
            }
            Self::OffsetsAndCount { last, count } => write!(
                f,
                "Inconsistent batch offset range [0, {last}] and count of records {count} in topic partition {partition}"
            ),
            Self::Control => {
                write!(f, "Clients are not allowed to write control records in topic partition {partition}")
            }
            Self::Sequence { sequence, producer_id } => write!(
                f,
                "Invalid sequence number {sequence} in record batch with producerId {producer_id} in topic partition \
                 {partition}"
            ),
            Self::Malformed(fault) => write!(f, "{fault} in topic partition {partition}"),
            Self::Compression(fault) => write!(f, "{fault} in topic partition {partition}"),
            Self::Records { count } => {
                write!(f, "One or more records have been rejected due to {count} record errors in total")
            }
            Self::Timestamps => f.write_str("One or more records have been rejected due to invalid timestamp"),
            Self::LargerThanSegment { size, most } => write!(
                f,
                "Message batch size is {size} bytes in append to partition {partition}, which exceeds the maximum \
                 configured segment size of {most}."
            ),
        }
    }
}
