//! Walking over batches that lie one behind another: a segment, an answer to Fetch, a snapshot.
//!
//! Prior art: Kafka's `FileLogInputStream` and `DumpLogSegments`. Ours tells what is wrong as a value that names the byte,
//! and goes on behind a batch whose contents are bad: its length still says where the next one begins.
//!
//! Invariants: every step moves forward or ends; nothing outside `bytes` is looked at; a batch never decompresses to
//! more than the caller's limit.

use std::borrow::Cow;
use std::fmt;

use super::checksum::crc32c;
use super::compress::{CompressionFault, Scratch};
use super::header::{BATCH_HEADER_BYTES, BatchHeader, CHECKSUM_START, Codec, LENGTH_PREFIX_BYTES, magic_of};
use super::records::{Record, RecordFault, Records};

/// The format that is read.
const MAGIC: u8 = 2;
/// The byte of a batch that says its magic.
const MAGIC_AT: usize = 16;

/// What stands at a place in a row of batches.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Step<'a> {
    /// Nothing: the place is the end.
    End,
    /// The beginning of a batch that goes on beyond the bytes there are.
    CutOff {
        /// Bytes that the batch takes, as far as is known.
        size: usize,
    },
    /// A batch: its header, and its bytes from the header on.
    Batch(BatchHeader, &'a [u8]),
    /// Something that is no batch; where the next one would begin is unknown.
    Fault(FramingFault),
}

/// Why there is no batch where one should begin.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum FramingFault {
    /// The length field says less than the smallest batch.
    Length(i32),
    /// A format that is not read: 0 and 1 are message sets from before 2017.
    Magic(u8),
}

impl fmt::Display for FramingFault {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Length(0) => f.write_str("no batch: its length is 0 (a tail of zeros?)"),
            Self::Length(length) => write!(f, "no batch: its length is {length}"),
            Self::Magic(magic) => write!(f, "no batch that is read: its magic is {magic}, not {MAGIC}"),
        }
    }
}

/// What is wrong inside a batch. Positions are bytes from the beginning of the batch.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum ContentsFault {
    /// The bytes do not have the checksum that the header says.
    Checksum { stored: u32, computed: u32 },
    /// The attributes name a codec that does not exist.
    Codec(i16),
    /// The records do not decompress.
    Compression(CompressionFault),
    /// A record is malformed: which, from 0, and how many bytes of records precede it, decompressed.
    Record { index: usize, before: usize, compressed: bool, fault: RecordFault },
}

impl ContentsFault {
    /// Where in the batch it is: of compressed records, where they begin.
    #[must_use]
    pub const fn position(&self) -> usize {
        match *self {
            Self::Checksum { .. } => MAGIC_AT + 1,
            Self::Codec(_) => CHECKSUM_START,
            Self::Record { before, compressed: false, .. } => BATCH_HEADER_BYTES + before,
            Self::Compression(_) | Self::Record { .. } => BATCH_HEADER_BYTES,
        }
    }
}

impl fmt::Display for ContentsFault {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Checksum { stored, computed } => {
                write!(f, "wrong checksum: {stored:#010x} is stored, {computed:#010x} is computed")
            }
            Self::Codec(codec) => write!(f, "no codec has the number {codec}"),
            Self::Compression(fault) => fault.fmt(f),
            Self::Record { index, before, compressed: true, fault } => {
                write!(f, "record {index} of the batch, byte {before} of the decompressed records: {fault}")
            }
            Self::Record { index, fault, .. } => write!(f, "record {index} of the batch: {fault}"),
        }
    }
}

/// What stands at `position` of `bytes`.
#[must_use]
pub fn step(bytes: &[u8], position: usize) -> Step<'_> {
    let Some(rest) = bytes.get(position..) else { return Step::End };
    if rest.is_empty() {
        return Step::End;
    }
    let Some(length) = rest.get(8..).and_then(|rest| rest.first_chunk::<4>()) else {
        return Step::CutOff { size: BATCH_HEADER_BYTES };
    };
    let length = i32::from_be_bytes(*length);
    match magic_of(rest) {
        // The length is judged first: in zeros, and in noise, it is the length that says so.
        _ if length < (BATCH_HEADER_BYTES - LENGTH_PREFIX_BYTES) as i32 => Step::Fault(FramingFault::Length(length)),
        Some(magic) if magic != MAGIC => Step::Fault(FramingFault::Magic(magic)),
        _ => {
            let size = LENGTH_PREFIX_BYTES + length as usize;
            match (rest.get(..size), BatchHeader::decode(rest)) {
                (Some(batch), Some(header)) => Step::Batch(header, batch),
                _ => Step::CutOff { size },
            }
        }
    }
}

/// The records of a batch that [`step`] found, decompressed to at most `limit` bytes; its checksum is verified.
pub fn contents<'a>(
    header: &BatchHeader,
    batch: &'a [u8],
    scratch: &mut Scratch,
    limit: usize,
) -> Result<Cow<'a, [u8]>, ContentsFault> {
    let computed = crc32c(batch.get(CHECKSUM_START..).unwrap_or_default());
    if computed != header.checksum {
        return Err(ContentsFault::Checksum { stored: header.checksum, computed });
    }
    let codec = header.codec().ok_or(ContentsFault::Codec(header.attributes & 7))?;
    let body = batch.get(BATCH_HEADER_BYTES..).unwrap_or_default();
    if codec == Codec::None || header.record_count == 0 {
        return Ok(Cow::Borrowed(body));
    }
    let records = scratch.decompress(codec, body, limit).map(<[u8]>::to_vec).map_err(ContentsFault::Compression);
    scratch.trim();
    Ok(Cow::Owned(records?))
}

/// Calls `each` for every record of a batch, in order; ends at the first that is malformed.
pub fn for_each_record<'a>(
    header: &BatchHeader,
    records: &'a [u8],
    mut each: impl FnMut(Record<'a>),
) -> Result<(), ContentsFault> {
    let compressed = header.codec() != Some(Codec::None);
    let mut before = 0;
    for (index, record) in Records::new(header.record_count, records).enumerate() {
        match record {
            Ok(record) => {
                before += record.size;
                each(record);
            }
            Err(fault) => return Err(ContentsFault::Record { index, before, compressed, fault }),
        }
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::batch::build::{BatchBuilder, BatchOptions, RecordParts, seal};
    use crate::ids::TimestampMs;
    use crate::limits::DECOMPRESSED_BYTES_MAX;
    use proptest::prelude::*;

    fn batch(codec: Codec, values: &[&[u8]]) -> Vec<u8> {
        let mut builder = BatchBuilder::new(BatchOptions { codec, ..BatchOptions::default() });
        for value in values {
            builder.add(TimestampMs(1), &RecordParts { value: Some(value), ..RecordParts::default() });
        }
        builder.finish().unwrap()
    }

    fn values(bytes: &[u8], position: usize) -> Result<Vec<Vec<u8>>, ContentsFault> {
        let Step::Batch(header, batch) = step(bytes, position) else { panic!("no batch") };
        let records = contents(&header, batch, &mut Scratch::default(), DECOMPRESSED_BYTES_MAX)?;
        let mut found = Vec::new();
        for_each_record(&header, &records, |record| found.push(record.value.unwrap().to_vec()))?;
        Ok(found)
    }

    #[test]
    fn batches_are_found_one_behind_another() {
        for codec in [Codec::None, Codec::Gzip, Codec::Snappy, Codec::Lz4, Codec::Zstd] {
            let first = batch(codec, &[b"a", b"bb"]);
            let both = [first.clone(), batch(codec, &[b"ccc"])].concat();
            assert_eq!(values(&both, 0).unwrap(), [&b"a"[..], b"bb"]);
            assert_eq!(values(&both, first.len()).unwrap(), [b"ccc"]);
            assert_eq!(step(&both, both.len()), Step::End);
            assert_eq!(step(&both, both.len() + 1), Step::End);
        }
    }

    #[test]
    fn a_batch_that_goes_on_beyond_the_bytes_is_cut_off() {
        let whole = batch(Codec::None, &[b"value"]);
        for length in 1..whole.len() {
            let Step::CutOff { size } = step(&whole[..length], 0) else { panic!("at {length}") };
            assert_eq!(size, if length < LENGTH_PREFIX_BYTES { BATCH_HEADER_BYTES } else { whole.len() });
        }
    }

    #[test]
    fn what_is_no_batch_is_said() {
        assert_eq!(step(&[0; 100], 0), Step::Fault(FramingFault::Length(0)));
        let mut old = batch(Codec::None, &[b"v"]);
        old[MAGIC_AT] = 1;
        assert_eq!(step(&old, 0), Step::Fault(FramingFault::Magic(1)));
    }

    #[test]
    fn a_flipped_bit_is_a_wrong_checksum() {
        let mut bad = batch(Codec::None, &[b"value"]);
        *bad.last_mut().unwrap() ^= 1;
        let fault = values(&bad, 0).unwrap_err();
        assert!(matches!(fault, ContentsFault::Checksum { .. }));
        assert_eq!(fault.position(), 17);
    }

    #[test]
    fn a_malformed_record_is_named_with_its_byte() {
        let mut bad = batch(Codec::None, &[b"a", b"b"]);
        let Step::Batch(mut header, _) = step(&bad, 0) else { panic!("no batch") };
        let second = BATCH_HEADER_BYTES + (bad.len() - BATCH_HEADER_BYTES) / 2;
        bad[second] = 1;
        let sealed = seal(&mut header, &bad[BATCH_HEADER_BYTES..]).unwrap();
        bad[..BATCH_HEADER_BYTES].copy_from_slice(&sealed);
        let fault = values(&bad, 0).unwrap_err();
        assert_eq!(fault.position(), second);
        assert_eq!(fault.to_string(), "record 1 of the batch: Invalid record size: -1 is negative.");
    }

    #[test]
    fn a_bomb_stops_at_the_limit() {
        let zeros = vec![0; 1 << 20];
        let bomb = batch(Codec::Zstd, &[&zeros]);
        let Step::Batch(header, bytes) = step(&bomb, 0) else { panic!("no batch") };
        let fault = contents(&header, bytes, &mut Scratch::default(), 1000).unwrap_err();
        assert_eq!(fault, ContentsFault::Compression(CompressionFault::TooLarge { limit: 1000 }));
    }

    proptest! {
        #[test]
        fn noise_never_panics(bytes: Vec<u8>, position in 0_usize..70) {
            if let Step::Batch(header, batch) = step(&bytes, position) {
                prop_assert!(batch.len() >= BATCH_HEADER_BYTES);
                let _ = contents(&header, batch, &mut Scratch::default(), 1000);
            }
        }

        #[test]
        fn a_damaged_batch_never_panics(at in 0_usize..75, to: u8) {
            let mut bytes = batch(Codec::None, &[b"some", b"thing"]);
            let last = bytes.len() - 1;
            bytes[at.min(last)] = to;
            if let Step::Batch(mut header, whole) = step(&bytes, 0) {
                let body = whole[BATCH_HEADER_BYTES..].to_vec();
                let _ = seal(&mut header, &body);
                let _ = for_each_record(&header, &body, |_| {});
            }
        }
    }
}
