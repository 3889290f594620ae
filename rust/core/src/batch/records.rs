//! The records of a batch, read where they lie (Kafka class `DefaultRecord`).
//!
//! A record: varint of the bytes that follow; attributes (one byte, unused); varlong timestamp delta; varint offset
//! delta; key, value (varint length, negative for null); varint header count; per header key and value likewise.
//!
//! Nothing is copied and nothing is trusted: each malformed record is refused as Kafka refuses it, in its words.

use std::fmt;

use super::varint::{VarintFault, read_varint, read_varlong};

/// One record of a batch, borrowed.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Record<'a> {
    /// Bytes that the record takes, its length prefix included.
    pub size: usize,
    /// Offset minus base offset. Nothing keeps producers from sending any number here.
    pub offset_delta: i32,
    /// Time minus base timestamp, in milliseconds.
    pub timestamp_delta: i64,
    /// The key.
    pub key: Option<&'a [u8]>,
    /// The value; none is a tombstone on a compacted topic.
    pub value: Option<&'a [u8]>,
    /// The headers.
    pub headers: Headers<'a>,
}

/// The headers of a record, which were walked once and found sound; iterating them again cannot fail.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub struct Headers<'a> {
    count: usize,
    bytes: &'a [u8],
}

/// A header: its key, meant to be UTF-8 but not checked to be, and its value.
pub type Header<'a> = (&'a [u8], Option<&'a [u8]>);

impl<'a> Headers<'a> {
    /// How many there are.
    #[must_use]
    pub const fn len(&self) -> usize {
        self.count
    }

    /// Whether there is none.
    #[must_use]
    pub const fn is_empty(&self) -> bool {
        self.count == 0
    }

    /// The bytes of the headers as they stand in the record, after their count.
    #[must_use]
    pub const fn as_bytes(&self) -> &'a [u8] {
        self.bytes
    }
}

impl<'a> IntoIterator for Headers<'a> {
    type Item = Header<'a>;
    type IntoIter = HeaderIter<'a>;

    fn into_iter(self) -> HeaderIter<'a> {
        HeaderIter { left: self.count, bytes: self.bytes }
    }
}

/// Iterates the headers of a record, in order.
#[derive(Clone, Debug)]
pub struct HeaderIter<'a> {
    left: usize,
    bytes: &'a [u8],
}

impl<'a> Iterator for HeaderIter<'a> {
    type Item = Header<'a>;

    fn next(&mut self) -> Option<Header<'a>> {
        self.left = self.left.checked_sub(1)?;
        read_header(&mut self.bytes).ok()
    }

    fn size_hint(&self) -> (usize, Option<usize>) {
        (self.left, Some(self.left))
    }
}

impl ExactSizeIterator for HeaderIter<'_> {}

/// Why a record, or the row of records, is malformed. `Display` gives Kafka's words.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum RecordFault {
    /// The batch ends inside a length.
    PrematureEnd,
    /// The batch announces a negative number of records.
    NegativeCount(i32),
    /// The length of the record is negative.
    NegativeSize(i32),
    /// The record is longer than may be decompressed.
    TooLarge { size: i32, most: usize },
    /// The record is longer than what is left of the batch.
    BeyondBatch { size: i32, left: usize },
    /// The number of headers is negative.
    NegativeHeaderCount(i32),
    /// More headers than bytes are left.
    HeadersBeyondRecord(i32),
    /// A header without a key.
    NegativeHeaderKey(i32),
    /// A length within the record leads beyond the batch, or an integer does not end.
    Structure,
    /// The fields take more or fewer bytes than the record's length says.
    SizeMismatch { size: i32, read: usize },
    /// Bytes follow the last record.
    BytesRemain,
}

impl fmt::Display for RecordFault {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::PrematureEnd => f.write_str("Incorrect declared batch size, premature EOF reached"),
            Self::NegativeCount(count) => write!(f, "Found invalid record count {count} in magic v2 batch"),
            Self::NegativeSize(size) => write!(f, "Invalid record size: {size} is negative."),
            Self::TooLarge { size, most } => {
                write!(f, "Invalid record size: {size} exceeds the configured maximum record size of {most}.")
            }
            Self::BeyondBatch { size, left } => write!(
                f,
                "Invalid record size: expected {size} bytes in record payload, but instead the buffer has only {left} remaining bytes."
            ),
            Self::NegativeHeaderCount(count) => write!(f, "Found invalid number of record headers {count}"),
            Self::HeadersBeyondRecord(count) => write!(
                f,
                "Found invalid number of record headers. {count} is larger than the remaining size of the buffer"
            ),
            Self::NegativeHeaderKey(size) => write!(f, "Invalid negative header key size {size}"),
            Self::Structure => f.write_str("Found invalid record structure"),
            Self::SizeMismatch { size, read } => write!(
                f,
                "Invalid record size: expected to read {size} bytes in record payload, but instead read {read}"
            ),
            Self::BytesRemain => f.write_str("Incorrect declared batch size, records still remaining in file"),
        }
    }
}

impl std::error::Error for RecordFault {}

impl From<VarintFault> for RecordFault {
    fn from(_: VarintFault) -> Self {
        Self::Structure
    }
}

/// Takes `size` bytes off the front; a negative size is a null.
#[inline]
fn take<'a>(bytes: &mut &'a [u8], size: i32) -> Result<Option<&'a [u8]>, RecordFault> {
    let Ok(size) = usize::try_from(size) else { return Ok(None) };
    let (taken, rest) = bytes.split_at_checked(size).ok_or(RecordFault::Structure)?;
    *bytes = rest;
    Ok(Some(taken))
}

fn read_header<'a>(bytes: &mut &'a [u8]) -> Result<Header<'a>, RecordFault> {
    let key_size = read_varint(bytes)?;
    let key = take(bytes, key_size)?.ok_or(RecordFault::NegativeHeaderKey(key_size))?;
    let value_size = read_varint(bytes)?;
    Ok((key, take(bytes, value_size)?))
}

/// Reads the length that opens a record and moves `bytes` behind it.
#[inline]
pub(super) fn read_record_size(bytes: &mut &[u8]) -> Result<i32, RecordFault> {
    let size = read_varint(bytes).map_err(|fault| match fault {
        VarintFault::Truncated => RecordFault::PrematureEnd,
        VarintFault::TooLong => RecordFault::Structure,
    })?;
    if size < 0 { Err(RecordFault::NegativeSize(size)) } else { Ok(size) }
}

/// Reads one record from the front of `bytes` and moves `bytes` behind it.
#[inline]
pub fn read_record<'a>(bytes: &mut &'a [u8]) -> Result<Record<'a>, RecordFault> {
    let start = bytes.len();
    let mut rest = *bytes;
    let size = read_record_size(&mut rest)?;
    let body = rest.len();
    if body < size as usize {
        return Err(RecordFault::BeyondBatch { size, left: body });
    }
    rest = rest.get(1..).ok_or(RecordFault::Structure)?;
    let timestamp_delta = read_varlong(&mut rest)?;
    let offset_delta = read_varint(&mut rest)?;
    let key_size = read_varint(&mut rest)?;
    let key = take(&mut rest, key_size)?;
    let value_size = read_varint(&mut rest)?;
    let value = take(&mut rest, value_size)?;
    let count = read_varint(&mut rest)?;
    let headers = if count == 0 { Headers::default() } else { read_headers(&mut rest, count)? };
    let read = body - rest.len();
    if read != size as usize {
        return Err(RecordFault::SizeMismatch { size, read });
    }
    *bytes = rest;
    Ok(Record { size: start - rest.len(), offset_delta, timestamp_delta, key, value, headers })
}

fn read_headers<'a>(bytes: &mut &'a [u8], count: i32) -> Result<Headers<'a>, RecordFault> {
    let Ok(headers) = usize::try_from(count) else { return Err(RecordFault::NegativeHeaderCount(count)) };
    if headers > bytes.len() {
        return Err(RecordFault::HeadersBeyondRecord(count));
    }
    let all = *bytes;
    for _ in 0..headers {
        read_header(bytes)?;
    }
    Ok(Headers { count: headers, bytes: &all[..all.len() - bytes.len()] })
}

/// Iterates the records of an uncompressed batch. The first fault ends it. As in Kafka, bytes behind the last record
/// are reported in that record's place; a batch without records is not looked into.
#[derive(Clone, Debug)]
pub struct Records<'a> {
    bytes: &'a [u8],
    left: i32,
}

impl<'a> Records<'a> {
    /// The records of a batch: `count` as its header says, `bytes` what follows the header.
    #[must_use]
    pub const fn new(count: i32, bytes: &'a [u8]) -> Self {
        Self { bytes, left: count }
    }
}

impl<'a> Iterator for Records<'a> {
    type Item = Result<Record<'a>, RecordFault>;

    fn next(&mut self) -> Option<Self::Item> {
        if self.left == 0 {
            return None;
        }
        if self.left < 0 {
            let count = std::mem::take(&mut self.left);
            return Some(Err(RecordFault::NegativeCount(count)));
        }
        self.left -= 1;
        let mut result = read_record(&mut self.bytes);
        if self.left == 0 && result.is_ok() && !self.bytes.is_empty() {
            result = Err(RecordFault::BytesRemain);
        }
        if result.is_err() {
            self.left = 0;
        }
        Some(result)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::batch::build::{RecordParts, write_record};
    use proptest::prelude::*;

    fn record(value: &[u8], headers: &[Header<'_>]) -> Vec<u8> {
        let mut out = Vec::new();
        write_record(&mut out, 3, -7, &RecordParts { key: None, value: Some(value), headers });
        out
    }

    fn fault(bytes: &[u8]) -> RecordFault {
        Records::new(1, bytes).next().unwrap().unwrap_err()
    }

    #[test]
    fn a_record_is_read_where_it_lies() {
        let bytes = record(b"value", &[(b"a", None), (b"bc", Some(b"d"))]);
        let mut records = Records::new(1, &bytes);
        let record = records.next().unwrap().unwrap();
        assert_eq!(record.size, bytes.len());
        assert_eq!((record.offset_delta, record.timestamp_delta), (3, -7));
        assert_eq!((record.key, record.value), (None, Some(&b"value"[..])));
        let headers: Vec<_> = record.headers.into_iter().collect();
        assert_eq!(headers, [(&b"a"[..], None), (&b"bc"[..], Some(&b"d"[..]))]);
        assert!(records.next().is_none());
    }

    #[test]
    fn each_malformed_record_is_refused_for_its_own_fault() {
        let good = record(b"v", &[]);
        // length 14 (7), attributes, time, offset, key -1, value 1 'v', headers 0
        assert_eq!(good, [14, 0, 13, 6, 1, 2, b'v', 0]);
        assert_eq!(fault(&[]), RecordFault::PrematureEnd);
        assert_eq!(fault(&[0x80]), RecordFault::PrematureEnd);
        assert_eq!(fault(&[0xff; 6]), RecordFault::Structure);
        assert_eq!(fault(&[1, 0, 13, 6, 1, 2, b'v', 0]), RecordFault::NegativeSize(-1));
        assert_eq!(fault(&[16, 0, 13, 6, 1, 2, b'v', 0]), RecordFault::BeyondBatch { size: 8, left: 7 });
        assert_eq!(fault(&[12, 0, 13, 6, 1, 2, b'v', 0]), RecordFault::SizeMismatch { size: 6, read: 7 });
        assert_eq!(fault(&[14, 0, 13, 6, 1, 20, b'v', 0]), RecordFault::Structure);
        assert_eq!(fault(&[14, 0, 13, 6, 1, 2, b'v', 1]), RecordFault::NegativeHeaderCount(-1));
        assert_eq!(fault(&[14, 0, 13, 6, 1, 2, b'v', 2]), RecordFault::HeadersBeyondRecord(1));
        assert_eq!(fault(&[18, 0, 13, 6, 1, 2, b'v', 2, 1, 0]), RecordFault::NegativeHeaderKey(-1));
        assert_eq!(fault(&[&good[..], &[0]].concat()), RecordFault::BytesRemain);
        assert_eq!(Records::new(-2, &good).next().unwrap().unwrap_err(), RecordFault::NegativeCount(-2));
        assert_eq!(Records::new(2, &good).last().unwrap().unwrap_err(), RecordFault::PrematureEnd);
        assert!(Records::new(0, &good).next().is_none());
    }

    #[test]
    fn any_negative_length_is_a_null() {
        let mut bytes = &[12, 0, 0, 0, 3, 5, 0][..];
        let record = read_record(&mut bytes).unwrap();
        assert_eq!((record.key, record.value), (None, None));
    }

    proptest! {
        #[test]
        fn reading_never_panics_and_never_loops(count: i32, bytes: Vec<u8>) {
            let mut seen = 0;
            for record in Records::new(count, &bytes) {
                seen += 1;
                if let Ok(record) = record {
                    prop_assert_eq!(record.headers.into_iter().count(), record.headers.len());
                }
            }
            prop_assert!(seen <= bytes.len() + 1);
        }

        #[test]
        fn mutated_records_never_panic(value: Vec<u8>, at: prop::sample::Index, to: u8) {
            let mut bytes = record(&value, &[(b"k", Some(&value))]);
            let at = at.index(bytes.len());
            bytes[at] = to;
            let _ = Records::new(1, &bytes).count();
        }
    }
}
