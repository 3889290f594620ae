//! The `.snapshot` file: the producers of a partition up to one offset (Kafka class `ProducerStateManager`, schema
//! `ProducerSnapshot`).
//!
//! int16 version 1; uint32 CRC-32C of all that follows; int32 number of entries; 46 bytes each: int64 producer id, int16
//! epoch, int32 last sequence, int64 last offset, int32 offset delta, int64 time, int32 coordinator epoch, int64 first
//! offset of the open transaction. Of a producer's batches only the newest is kept. Entries are written in the order
//! of producer ids, so that equal states give equal files.

use std::fmt;

use super::checksum::crc32c;
use super::producer::{Producer, ProducerStates, RememberedBatch};
use crate::ids::{Offset, ProducerEpoch, ProducerId, Sequence, TimestampMs};

const VERSION: i16 = 1;
const CHECKSUM_START: usize = 6;
const HEADER_BYTES: usize = 10;
const ENTRY_BYTES: usize = 46;

/// Why a snapshot cannot be used. It is then deleted, and an older one is tried.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum SnapshotFault {
    /// Another version than 1.
    Version(i16),
    /// The bytes are not those that were written.
    Checksum { stored: u32, computed: u32 },
    /// Fewer or more bytes than the number of entries asks for.
    Size { bytes: usize, entries: i32 },
    /// Too short to be a snapshot.
    Truncated(usize),
}

impl fmt::Display for SnapshotFault {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Version(version) => write!(f, "Snapshot contained an unknown file version {version}"),
            Self::Checksum { stored, computed } => write!(
                f,
                "Snapshot is corrupt (CRC is no longer valid). Stored crc: {stored}. Computed crc: {computed}"
            ),
            Self::Size { bytes, entries } => {
                write!(f, "Snapshot failed schema validation: {bytes} bytes for {entries} entries")
            }
            Self::Truncated(bytes) => write!(f, "Snapshot failed schema validation: {bytes} bytes"),
        }
    }
}

impl std::error::Error for SnapshotFault {}

/// The content of a snapshot file.
#[must_use]
pub fn encode(states: &ProducerStates) -> Vec<u8> {
    let mut entries: Vec<_> = states.iter().collect();
    entries.sort_unstable_by_key(|(id, _)| *id);
    let mut out = Vec::with_capacity(HEADER_BYTES + entries.len() * ENTRY_BYTES);
    out.extend_from_slice(&VERSION.to_be_bytes());
    out.extend_from_slice(&[0; 4]);
    out.extend_from_slice(&(entries.len() as i32).to_be_bytes());
    for (id, producer) in entries {
        let newest = producer.batches().last();
        let transaction = producer.transaction_first_offset().unwrap_or(Offset(-1));
        out.extend_from_slice(&id.0.to_be_bytes());
        out.extend_from_slice(&producer.epoch.0.to_be_bytes());
        out.extend_from_slice(&producer.last_sequence().0.to_be_bytes());
        out.extend_from_slice(&newest.map_or(-1, |batch| batch.last_offset.0).to_be_bytes());
        out.extend_from_slice(&newest.map_or(0, |batch| batch.offset_delta).to_be_bytes());
        out.extend_from_slice(&producer.last_timestamp.0.to_be_bytes());
        out.extend_from_slice(&producer.coordinator_epoch.to_be_bytes());
        out.extend_from_slice(&transaction.0.to_be_bytes());
    }
    let checksum = crc32c(&out[CHECKSUM_START..]);
    out[2..CHECKSUM_START].copy_from_slice(&checksum.to_be_bytes());
    out
}

/// Takes `N` bytes off the front; the caller has counted them.
fn take<const N: usize>(bytes: &mut &[u8]) -> [u8; N] {
    let mut out = [0; N];
    if let Some((taken, rest)) = bytes.split_first_chunk::<N>() {
        out = *taken;
        *bytes = rest;
    }
    out
}

/// The producers in a snapshot file, without those that have expired by `now`.
pub fn decode(bytes: &[u8], now: TimestampMs, expiration_ms: i64) -> Result<ProducerStates, SnapshotFault> {
    let truncated = SnapshotFault::Truncated(bytes.len());
    let mut rest = bytes;
    let version = i16::from_be_bytes(*bytes.first_chunk().ok_or(truncated)?);
    if version != VERSION {
        return Err(SnapshotFault::Version(version));
    }
    if bytes.len() < HEADER_BYTES {
        return Err(truncated);
    }
    let _version: [u8; 2] = take(&mut rest);
    let stored = u32::from_be_bytes(take(&mut rest));
    let computed = crc32c(rest);
    if stored != computed {
        return Err(SnapshotFault::Checksum { stored, computed });
    }
    let entries = i32::from_be_bytes(take(&mut rest));
    if usize::try_from(entries).ok().and_then(|entries| entries.checked_mul(ENTRY_BYTES)) != Some(rest.len()) {
        return Err(SnapshotFault::Size { bytes: bytes.len(), entries });
    }
    let mut states = ProducerStates::new();
    for mut entry in rest.chunks_exact(ENTRY_BYTES) {
        let entry = &mut entry;
        let producer_id = ProducerId(i64::from_be_bytes(take(entry)));
        let epoch = ProducerEpoch(i16::from_be_bytes(take(entry)));
        let last_sequence = Sequence(i32::from_be_bytes(take(entry)));
        let last_offset = Offset(i64::from_be_bytes(take(entry)));
        let offset_delta = i32::from_be_bytes(take(entry));
        let timestamp = TimestampMs(i64::from_be_bytes(take(entry)));
        let coordinator_epoch = i32::from_be_bytes(take(entry));
        let transaction = Some(Offset(i64::from_be_bytes(take(entry)))).filter(|offset| offset.0 >= 0);
        let newest =
            (last_offset.0 >= 0).then_some(RememberedBatch { last_sequence, offset_delta, last_offset, timestamp });
        let producer = Producer::of_snapshot(epoch, coordinator_epoch, timestamp);
        states.restore(producer_id, producer, transaction, newest);
    }
    states.expire(now, expiration_ms);
    Ok(states)
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    const FOR_EVER: i64 = i64::MAX;

    #[test]
    fn an_empty_snapshot_is_ten_bytes() {
        let bytes = encode(&ProducerStates::new());
        assert_eq!(bytes.len(), HEADER_BYTES);
        assert!(decode(&bytes, TimestampMs(0), FOR_EVER).unwrap().is_empty());
    }

    #[test]
    fn each_fault_is_told() {
        let good = encode(&ProducerStates::new());
        let fault = |bytes: &[u8]| decode(bytes, TimestampMs(0), FOR_EVER).unwrap_err();
        assert_eq!(fault(&[]), SnapshotFault::Truncated(0));
        assert_eq!(fault(&[0, 2]), SnapshotFault::Version(2));
        assert_eq!(fault(&good[..9]), SnapshotFault::Truncated(9));
        let mut flipped = good.clone();
        flipped[9] ^= 1;
        assert!(matches!(fault(&flipped), SnapshotFault::Checksum { .. }));
        let checksum = crc32c(&flipped[CHECKSUM_START..]);
        flipped[2..6].copy_from_slice(&checksum.to_be_bytes());
        assert_eq!(fault(&flipped), SnapshotFault::Size { bytes: 10, entries: 1 });
    }

    proptest! {
        #[test]
        fn any_bytes_are_answered(mut bytes: Vec<u8>, repair: bool) {
            if repair && bytes.len() >= HEADER_BYTES {
                bytes[..2].copy_from_slice(&VERSION.to_be_bytes());
                let entries = ((bytes.len() - HEADER_BYTES) / ENTRY_BYTES) as i32;
                bytes.truncate(HEADER_BYTES + entries as usize * ENTRY_BYTES);
                bytes[6..10].copy_from_slice(&entries.to_be_bytes());
                let checksum = crc32c(&bytes[CHECKSUM_START..]);
                bytes[2..6].copy_from_slice(&checksum.to_be_bytes());
                prop_assert!(decode(&bytes, TimestampMs(0), FOR_EVER).is_ok());
            } else {
                let _ = decode(&bytes, TimestampMs(0), FOR_EVER);
            }
        }
    }
}
