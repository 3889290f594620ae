//! The 61 bytes before the records of a batch of magic 2 (Kafka class `DefaultRecordBatch`).
//!
//! Base offset and leader epoch stand before the checksum, so that the leader sets them without touching the rest.

use crate::ids::{LeaderEpoch, Offset, ProducerEpoch, ProducerId, Sequence, TimestampMs};

/// Bytes of a batch before its records; an empty batch has exactly these.
pub const BATCH_HEADER_BYTES: usize = 61;
/// Bytes before those that the length field counts: base offset and the length itself.
pub const LENGTH_PREFIX_BYTES: usize = 12;
/// Where the bytes begin that the checksum covers.
pub const CHECKSUM_START: usize = 21;

/// How the records of a batch are compressed.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug, Default)]
#[repr(u8)]
pub enum Codec {
    /// As they are.
    #[default]
    None = 0,
    /// RFC 1952.
    Gzip = 1,
    /// Snappy, in xerial's framing or raw.
    Snappy = 2,
    /// The LZ4 frame format.
    Lz4 = 3,
    /// RFC 8878.
    Zstd = 4,
}

impl Codec {
    /// The codec of a batch's attributes, if it is one that we know.
    #[must_use]
    pub const fn from_attributes(attributes: i16) -> Option<Self> {
        match attributes & 7 {
            0 => Some(Self::None),
            1 => Some(Self::Gzip),
            2 => Some(Self::Snappy),
            3 => Some(Self::Lz4),
            4 => Some(Self::Zstd),
            _ => None,
        }
    }
}

/// The header of a batch, decoded. Nothing of it is checked beyond the magic and that there were enough bytes.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct BatchHeader {
    /// Offset of the first record.
    pub base_offset: Offset,
    /// Bytes after the length field: the whole batch has 12 more.
    pub batch_length: i32,
    /// Epoch of the leader that appended it; -1 from producers.
    pub leader_epoch: LeaderEpoch,
    /// CRC-32C of everything from [`CHECKSUM_START`] on.
    pub checksum: u32,
    /// Codec, timestamp type, transactional, control, delete horizon.
    pub attributes: i16,
    /// Last offset minus base offset; compaction keeps it.
    pub last_offset_delta: i32,
    /// Time of the first record, or the delete horizon.
    pub base_timestamp: TimestampMs,
    /// Largest time of a record; the time of append with `LogAppendTime`.
    pub max_timestamp: TimestampMs,
    /// Who produced it.
    pub producer_id: ProducerId,
    /// In which incarnation.
    pub producer_epoch: ProducerEpoch,
    /// Sequence number of the first record.
    pub base_sequence: Sequence,
    /// Number of records that follow.
    pub record_count: i32,
}

/// Attribute bit: record times are the time of append, held in `max_timestamp`.
pub const LOG_APPEND_TIME: i16 = 1 << 3;
/// Attribute bit: part of a transaction.
pub const TRANSACTIONAL: i16 = 1 << 4;
/// Attribute bit: markers, not data.
pub const CONTROL: i16 = 1 << 5;
/// Attribute bit: `base_timestamp` is a delete horizon.
pub const DELETE_HORIZON: i16 = 1 << 6;

fn at<const N: usize>(bytes: &[u8; BATCH_HEADER_BYTES], start: usize) -> [u8; N] {
    let mut out = [0; N];
    out.copy_from_slice(&bytes[start..start + N]);
    out
}

impl BatchHeader {
    /// Decodes the first 61 bytes of `bytes`; none when there are fewer. The magic is not looked at: see [`magic_of`].
    #[must_use]
    pub fn decode(bytes: &[u8]) -> Option<Self> {
        let b = bytes.first_chunk::<BATCH_HEADER_BYTES>()?;
        Some(Self {
            base_offset: Offset(i64::from_be_bytes(at(b, 0))),
            batch_length: i32::from_be_bytes(at(b, 8)),
            leader_epoch: LeaderEpoch(i32::from_be_bytes(at(b, 12))),
            checksum: u32::from_be_bytes(at(b, 17)),
            attributes: i16::from_be_bytes(at(b, 21)),
            last_offset_delta: i32::from_be_bytes(at(b, 23)),
            base_timestamp: TimestampMs(i64::from_be_bytes(at(b, 27))),
            max_timestamp: TimestampMs(i64::from_be_bytes(at(b, 35))),
            producer_id: ProducerId(i64::from_be_bytes(at(b, 43))),
            producer_epoch: ProducerEpoch(i16::from_be_bytes(at(b, 51))),
            base_sequence: Sequence(i32::from_be_bytes(at(b, 53))),
            record_count: i32::from_be_bytes(at(b, 57)),
        })
    }

    /// The 61 bytes, with magic 2.
    #[must_use]
    pub fn encode(&self) -> [u8; BATCH_HEADER_BYTES] {
        let mut out = [0; BATCH_HEADER_BYTES];
        out[0..8].copy_from_slice(&self.base_offset.0.to_be_bytes());
        out[8..12].copy_from_slice(&self.batch_length.to_be_bytes());
        out[12..16].copy_from_slice(&self.leader_epoch.0.to_be_bytes());
        out[16] = 2;
        out[17..21].copy_from_slice(&self.checksum.to_be_bytes());
        out[21..23].copy_from_slice(&self.attributes.to_be_bytes());
        out[23..27].copy_from_slice(&self.last_offset_delta.to_be_bytes());
        out[27..35].copy_from_slice(&self.base_timestamp.0.to_be_bytes());
        out[35..43].copy_from_slice(&self.max_timestamp.0.to_be_bytes());
        out[43..51].copy_from_slice(&self.producer_id.0.to_be_bytes());
        out[51..53].copy_from_slice(&self.producer_epoch.0.to_be_bytes());
        out[53..57].copy_from_slice(&self.base_sequence.0.to_be_bytes());
        out[57..61].copy_from_slice(&self.record_count.to_be_bytes());
        out
    }

    /// The whole batch in bytes; none when the length field is negative or below that of an empty batch.
    #[must_use]
    pub const fn size(&self) -> Option<usize> {
        let least = (BATCH_HEADER_BYTES - LENGTH_PREFIX_BYTES) as i32;
        if self.batch_length < least { None } else { Some(self.batch_length as usize + LENGTH_PREFIX_BYTES) }
    }

    /// Offset of the last record. Saturates, since the fields come from outside.
    #[must_use]
    pub const fn last_offset(&self) -> Offset {
        Offset(self.base_offset.0.saturating_add(self.last_offset_delta as i64))
    }

    /// The offset after the last record.
    #[must_use]
    pub const fn next_offset(&self) -> Offset {
        Offset(self.last_offset().0.saturating_add(1))
    }

    /// Sequence number of the last record; -1 when the batch has none.
    #[must_use]
    pub const fn last_sequence(&self) -> Sequence {
        if self.base_sequence.0 < 0 || self.last_offset_delta < 0 {
            Sequence::NONE
        } else {
            self.base_sequence.plus(self.last_offset_delta)
        }
    }

    /// The codec; none when the attributes name one that does not exist.
    #[must_use]
    pub const fn codec(&self) -> Option<Codec> {
        Codec::from_attributes(self.attributes)
    }

    /// Whether the batch belongs to a transaction.
    #[must_use]
    pub const fn is_transactional(&self) -> bool {
        self.attributes & TRANSACTIONAL != 0
    }

    /// Whether the batch holds markers instead of data.
    #[must_use]
    pub const fn is_control(&self) -> bool {
        self.attributes & CONTROL != 0
    }

    /// Whether record times are the time of append.
    #[must_use]
    pub const fn is_log_append_time(&self) -> bool {
        self.attributes & LOG_APPEND_TIME != 0
    }
}

/// The magic byte, which stands at the same place in every format; none when there are too few bytes.
#[must_use]
pub fn magic_of(bytes: &[u8]) -> Option<u8> {
    bytes.get(16).copied()
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    proptest! {
        #[test]
        fn encoding_is_the_inverse_of_decoding(mut bytes in proptest::collection::vec(any::<u8>(), BATCH_HEADER_BYTES)) {
            bytes[16] = 2;
            let header = BatchHeader::decode(&bytes).unwrap();
            prop_assert_eq!(&header.encode()[..], &bytes[..]);
        }
    }

    #[test]
    fn a_short_header_is_none() {
        assert!(BatchHeader::decode(&[0; 60]).is_none());
    }
}
