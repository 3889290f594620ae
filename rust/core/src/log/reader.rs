//! Reading a log without its lock.
//!
//! Prior art: Kafka's readers share the segment map and go through the log's lock only for the metadata of offsets. Ours load an immutable list of segments; what they
//! may see is bounded by the sizes published in it and by the offset that the caller gives. A truncation under a
//! reader shows as fewer bytes than promised, never as other bytes than were written.

use std::io;
use std::sync::Arc;
use std::sync::atomic::Ordering;

use super::errors::ReadError;
use super::names::FileKind;
use super::scan::{BULK_CHUNK_BYTES, Frame, LOOKUP_CHUNK_BYTES, Scanner};
use super::segment::{Located, Segment, damaged};
use super::txn_index::AbortedTransaction;
use super::writer::Shared;
use crate::batch::compress::Scratch;
use crate::batch::header::{BATCH_HEADER_BYTES, BatchHeader};
use crate::batch::records::Records;
use crate::disk::File;
use crate::ids::{LeaderEpoch, Offset, TimestampMs};
use crate::limits::DECOMPRESSED_BYTES_MAX;

/// An offset, and where in the files it is.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct LogPosition {
    /// The offset.
    pub offset: Offset,
    /// Base offset of its segment.
    pub segment: Offset,
    /// Position in the segment's file.
    pub position: u64,
}

/// Up to where a reader may read, exclusive.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Upper {
    /// An offset; where it is must be looked up.
    Offset(Offset),
    /// An offset whose place is known, as that of the end of the log.
    Position(LogPosition),
}

impl Upper {
    /// The offset.
    #[must_use]
    pub const fn offset(&self) -> Offset {
        match self {
            Self::Offset(offset) => *offset,
            Self::Position(position) => position.offset,
        }
    }
}

/// A range of a segment's file that holds batches: the first is whole, the last may be cut.
#[derive(Clone, Debug)]
pub struct FileRange {
    /// The file, which stays open as long as this lives, even when the segment is deleted.
    pub file: Arc<dyn File>,
    /// The first byte.
    pub position: u64,
    /// How many bytes.
    pub len: usize,
    /// Base offset of the first batch.
    pub first_batch_base: Offset,
    /// Bytes of the first batch.
    pub first_batch_size: u32,
    /// Base offset of the segment.
    pub segment: Offset,
    /// Whether the range ends where the reader's bound or the segment does: there was room for more.
    pub reaches_bound: bool,
}

/// A record that was looked for by its time.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct FoundRecord {
    /// Its offset.
    pub offset: Offset,
    /// Its time.
    pub timestamp: TimestampMs,
    /// The epoch of the leader that appended it.
    pub leader_epoch: LeaderEpoch,
}

/// One batch, all its bytes.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct RawBatch {
    /// Where it stands and what its header says.
    pub frame: Frame,
    /// All its bytes, header included.
    pub bytes: Vec<u8>,
}

/// Reads a log. Cheap to clone; lives on when the log is gone, and then finds what is left.
#[derive(Clone, Debug)]
pub struct LogReader {
    shared: Arc<Shared>,
}

impl LogReader {
    pub(crate) fn new(shared: Arc<Shared>) -> Self {
        Self { shared }
    }

    /// The first offset that may be read.
    #[must_use]
    pub fn start(&self) -> Offset {
        Offset(self.shared.start.load(Ordering::Acquire))
    }

    /// The end of the log.
    #[must_use]
    pub fn end(&self) -> Offset {
        Offset(self.shared.end.load(Ordering::Acquire))
    }

    pub(crate) fn segments(&self) -> Arc<Vec<Arc<Segment>>> {
        self.shared.segments.load_full()
    }

    /// Bytes of all segments.
    #[must_use]
    pub fn size(&self) -> u64 {
        self.shared.segments.load().iter().map(|segment| segment.size()).sum()
    }

    /// Finds the batches from the one that holds `from` up to `upper`, at most `max_bytes` of them, within one segment. The first batch
    /// comes whole: when it is larger than `max_bytes` it comes if `at_least_one_batch`, or else nothing does. None when
    /// there is nothing below `upper`. May read a few KiB of index and headers.
    pub fn read(
        &self,
        from: Offset,
        upper: Upper,
        max_bytes: usize,
        at_least_one_batch: bool,
    ) -> Result<Option<FileRange>, ReadError> {
        self.within(from)?;
        let Some((segment, found, bound)) = self.find(from, &upper)? else { return Ok(None) };
        let fits = if found.size as usize > max_bytes {
            if !at_least_one_batch {
                return Ok(None);
            }
            found.size as usize
        } else {
            max_bytes
        };
        let there = usize::try_from(bound - found.position).unwrap_or(usize::MAX);
        Ok(Some(FileRange {
            file: segment.log_file().map_err(|error| self.gone(&segment, from, error))?,
            position: found.position,
            len: there.min(fits),
            first_batch_base: found.base_offset,
            first_batch_size: found.size,
            segment: segment.base,
            reaches_bound: there <= fits,
        }))
    }

    /// Bytes between an offset and a bound, as far as they lie in one segment; for those who wait for more. At a batch's
    /// beginning nothing is read.
    pub fn bytes_between(&self, from: Offset, upper: Upper) -> Result<u64, ReadError> {
        self.within(from)?;
        Ok(self.find(from, &upper)?.map_or(0, |(_, found, bound)| bound - found.position))
    }

    fn within(&self, from: Offset) -> Result<(), ReadError> {
        let (start, end) = (self.start(), self.end());
        if from < start || from > end { Err(ReadError::OutOfRange { offset: from, start, end }) } else { Ok(()) }
    }

    /// A segment that went away under a reader is an offset out of range; anything else is the disk's fault.
    fn gone(&self, segment: &Segment, from: Offset, error: io::Error) -> ReadError {
        if segment.is_retired() {
            ReadError::OutOfRange { offset: from, start: self.start(), end: self.end() }
        } else {
            ReadError::Io(error)
        }
    }

    /// The first batch at or behind `from` and below `upper`, and where in its segment the bound is.
    fn find(&self, from: Offset, upper: &Upper) -> Result<Option<(Arc<Segment>, Located, u64)>, ReadError> {
        if from >= upper.offset() {
            return Ok(None);
        }
        let segments = self.shared.segments.load();
        let first = segments.partition_point(|segment| segment.base <= from).saturating_sub(1);
        for (at, segment) in segments.iter().enumerate().skip(first) {
            let next = segments.get(at + 1).map(|segment| segment.base);
            let bound = bound_in(segment, next, upper).map_err(|error| self.gone(segment, from, error))?;
            if bound == 0 && segment.base > from {
                return Ok(None);
            }
            let found = segment.locate(from, bound).map_err(|error| self.gone(segment, from, error))?;
            if let Some(found) = found {
                return Ok(Some((Arc::clone(segment), found, bound)));
            }
        }
        Ok(None)
    }

    /// Walks whole batches from the one that holds `from` up to `upper`, over all segments. Reads from the disk as it goes.
    pub fn batches(&self, from: Offset, upper: Offset) -> Batches {
        let segments = self.shared.segments.load_full();
        let at = segments.partition_point(|segment| segment.base <= from).saturating_sub(1);
        Batches { segments, at, from, upper: upper.min(self.end()), scanner: None }
    }

    /// The transactions aborted among the batches from `from` up to `upper`, as a reader of committed records must know
    /// them. Reads transaction indexes.
    pub fn aborted_transactions(&self, from: Offset, upper: Offset) -> io::Result<Vec<AbortedTransaction>> {
        let segments = self.shared.segments.load();
        let first = segments.partition_point(|segment| segment.base <= from).saturating_sub(1);
        let mut found = Vec::new();
        for segment in segments.iter().skip(first) {
            let (mut some, done) = segment.aborted_among(from, upper)?;
            found.append(&mut some);
            if done {
                break;
            }
        }
        Ok(found)
    }

    /// An offset that no record of the range reaches, as low as the index tells: for what must be known about the records.
    #[must_use]
    pub fn upper_bound(&self, range: &FileRange) -> Offset {
        let segments = self.shared.segments.load();
        let at = segments.partition_point(|segment| segment.base <= range.segment).saturating_sub(1);
        let Some(segment) = segments.get(at).filter(|segment| segment.base == range.segment) else {
            return self.end();
        };
        segment.offset_behind(range.position + range.len as u64).unwrap_or_else(|| segment.next_offset())
    }

    /// The first record at or behind the start of the log that is not earlier than `timestamp`. Reads and decompresses
    /// a few batches: not for network threads.
    pub fn offset_for_timestamp(&self, timestamp: TimestampMs) -> Result<Option<FoundRecord>, ReadError> {
        let segments = self.shared.segments.load();
        let start = self.start();
        let candidates = segments.iter().filter(|s| s.next_offset() > start && s.largest().timestamp >= timestamp);
        for segment in candidates {
            let position = segment.position_before(timestamp, start);
            let found = search(
                segment,
                position,
                |header| header.max_timestamp >= timestamp,
                |offset, time| time >= timestamp && offset >= start,
            );
            if let Some(found) = found.map_err(|error| self.gone(segment, start, error))? {
                return Ok(Some(found));
            }
        }
        Ok(None)
    }

    /// The first record with the largest time of the log; none when no record has a time. Reads and decompresses a
    /// batch: not for network threads.
    pub fn max_timestamp(&self) -> Result<Option<FoundRecord>, ReadError> {
        let segments = self.shared.segments.load();
        // Of equal ones the first segment counts.
        let start = self.start();
        let readable = segments.iter().rev().filter(|segment| segment.next_offset() > start);
        let best = readable.max_by_key(|segment| segment.largest().timestamp);
        let Some(segment) = best.filter(|segment| segment.largest().timestamp > TimestampMs::NONE) else {
            return Ok(None);
        };
        let timestamp = segment.largest().timestamp;
        let position = segment.position_before(timestamp, segment.base);
        let found = search(segment, position, |header| header.max_timestamp == timestamp, |_, time| time == timestamp);
        found.map_err(|error| self.gone(segment, segment.base, error))
    }
}

/// Where in a segment the reader must stop.
fn bound_in(segment: &Segment, next: Option<Offset>, upper: &Upper) -> io::Result<u64> {
    let size = segment.size();
    match upper {
        Upper::Position(bound) if bound.segment == segment.base => Ok(bound.position.min(size)),
        _ if upper.offset() <= segment.base => Ok(0),
        _ if next.is_some_and(|next| next <= upper.offset()) || upper.offset() >= segment.next_offset() => Ok(size),
        _ => Ok(segment.locate(upper.offset(), size)?.map_or(size, |batch| batch.position)),
    }
}

/// The first record from `position` on in a batch that `candidate` takes, and that `wanted` takes by offset and time.
fn search(
    segment: &Segment,
    position: u64,
    candidate: impl Fn(&BatchHeader) -> bool,
    wanted: impl Fn(Offset, TimestampMs) -> bool,
) -> io::Result<Option<FoundRecord>> {
    let mut scanner = Scanner::new(segment.log_file()?, position, segment.size(), LOOKUP_CHUNK_BYTES);
    let mut scratch = Scratch::default();
    while let Some(frame) = scanner.next()? {
        let frame = frame.map_err(|fault| damaged(&segment.name(FileKind::Log), scanner.position(), fault))?;
        let Some(header) = frame.header else {
            // A legacy message stands for itself: its wrapper's time and offset.
            if wanted(frame.last_offset, frame.max_timestamp) {
                let (offset, timestamp) = (frame.last_offset, frame.max_timestamp);
                return Ok(Some(FoundRecord { offset, timestamp, leader_epoch: LeaderEpoch::NONE }));
            }
            continue;
        };
        if !candidate(&header) {
            continue;
        }
        let bytes = scanner.bytes(&frame)?.get(BATCH_HEADER_BYTES..).unwrap_or_default();
        let invalid = |reason: &dyn std::fmt::Display| {
            let name = segment.name(FileKind::Log);
            io::Error::new(io::ErrorKind::InvalidData, format!("{name}, byte {}: {reason}", frame.position))
        };
        let codec = header.codec().ok_or_else(|| invalid(&"an unknown codec"))?;
        let records = scratch.decompress(codec, bytes, DECOMPRESSED_BYTES_MAX).map_err(|fault| invalid(&fault))?;
        for record in Records::new(header.record_count, records) {
            let record = record.map_err(|fault| invalid(&fault))?;
            let offset = header.base_offset.plus(i64::from(record.offset_delta));
            let timestamp = if header.is_log_append_time() {
                header.max_timestamp
            } else {
                TimestampMs(header.base_timestamp.0.saturating_add(record.timestamp_delta))
            };
            if wanted(offset, timestamp) {
                return Ok(Some(FoundRecord { offset, timestamp, leader_epoch: header.leader_epoch }));
            }
        }
    }
    Ok(None)
}

/// Batches of a log, one behind the other. An error ends it.
#[derive(Debug)]
pub struct Batches {
    segments: Arc<Vec<Arc<Segment>>>,
    at: usize,
    from: Offset,
    upper: Offset,
    scanner: Option<Scanner>,
}

impl Batches {
    /// The header of the next batch, without its bytes.
    pub fn next_frame(&mut self) -> io::Result<Option<Frame>> {
        while self.from < self.upper {
            let Some(segment) = self.segments.get(self.at) else { return Ok(None) };
            if self.scanner.is_none() {
                let found = segment.locate(self.from, segment.size())?;
                let position = found.map_or(segment.size(), |batch| batch.position);
                self.scanner = Some(Scanner::new(segment.log_file()?, position, segment.size(), BULK_CHUNK_BYTES));
            }
            let Some(scanner) = &mut self.scanner else { return Ok(None) };
            match scanner.next()? {
                Some(Ok(frame)) if frame.base_offset >= self.upper => return Ok(None),
                Some(Ok(frame)) => {
                    self.from = frame.next_offset();
                    return Ok(Some(frame));
                }
                Some(Err(fault)) => return Err(damaged(&segment.name(FileKind::Log), scanner.position(), fault)),
                None => {
                    self.scanner = None;
                    self.at += 1;
                }
            }
        }
        Ok(None)
    }

    /// All bytes of the batch that [`Self::next_frame`] gave last.
    pub fn bytes(&mut self, frame: &Frame) -> io::Result<&[u8]> {
        match &mut self.scanner {
            Some(scanner) => scanner.bytes(frame),
            None => Ok(&[]),
        }
    }
}

impl Iterator for Batches {
    type Item = io::Result<RawBatch>;

    fn next(&mut self) -> Option<Self::Item> {
        let next = self.next_frame().and_then(|frame| match frame {
            Some(frame) => Ok(Some(RawBatch { frame, bytes: self.bytes(&frame)?.to_vec() })),
            None => Ok(None),
        });
        if next.is_err() {
            self.upper = self.from;
        }
        next.transpose()
    }
}
