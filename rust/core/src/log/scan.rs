//! Walking the batches of a segment, header by header.
//!
//! One walker serves lookups (a few headers behind an index entry), recovery (every byte, checksums too) and dumps. Batches of magic 2 are ours;
//! those of magic 0 and 1 (Kafka class `LegacyRecord`) may lie in old segments and are stepped over and checked, not decoded.

use std::fmt;
use std::io;
use std::sync::Arc;

use crc_fast::CrcAlgorithm;

use crate::batch::checksum::crc32c;
use crate::batch::header::{BATCH_HEADER_BYTES, BatchHeader, CHECKSUM_START, LENGTH_PREFIX_BYTES, magic_of};
use crate::disk::File;
use crate::ids::{LeaderEpoch, Offset, TimestampMs};

/// Bytes of a legacy entry up to its magic byte, and the least that one has in all (magic 0: no key, no value).
const LEGACY_BYTES_MIN: usize = LENGTH_PREFIX_BYTES + 14;
const LEGACY_CHECKSUM_START: usize = 16;
/// Header bytes that decide everything: enough for each format.
const PEEK_BYTES: usize = BATCH_HEADER_BYTES;

/// Bytes read at a time by lookups: what lies between two index entries of small batches.
pub(crate) const LOOKUP_CHUNK_BYTES: usize = 4096;
/// Bytes read at a time by those who read everything.
pub(crate) const BULK_CHUNK_BYTES: usize = 256 * 1024;

/// A batch where it stands in a file.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Frame {
    /// Position of its first byte in the file.
    pub position: u64,
    /// Bytes of the whole batch.
    pub size: u32,
    /// The format: 0, 1 or 2.
    pub magic: u8,
    /// Offset of the first record; in a compressed legacy batch that of the last.
    pub base_offset: Offset,
    /// Offset of the last record.
    pub last_offset: Offset,
    /// Largest time of a record.
    pub max_timestamp: TimestampMs,
    /// The whole header, of magic 2.
    pub header: Option<BatchHeader>,
}

impl Frame {
    /// The offset after the last record.
    #[must_use]
    pub const fn next_offset(&self) -> Offset {
        Offset(self.last_offset.0.saturating_add(1))
    }

    /// Position of the byte after it.
    #[must_use]
    pub const fn end(&self) -> u64 {
        self.position + self.size as u64
    }

    /// Epoch of the leader that appended it; -1 in legacy formats.
    #[must_use]
    pub const fn leader_epoch(&self) -> LeaderEpoch {
        match self.header {
            Some(header) => header.leader_epoch,
            None => LeaderEpoch::NONE,
        }
    }

    /// Decodes the frame that begins with `bytes`, of which there are `left` to the end of the file.
    pub(crate) fn decode(bytes: &[u8], position: u64, left: u64) -> Result<Self, Fault> {
        if left < LEGACY_BYTES_MIN as u64 {
            return Err(Fault::Torn);
        }
        let Some((offset, rest)) = bytes.split_first_chunk::<8>() else { return Err(Fault::Torn) };
        let Some((length, _)) = rest.split_first_chunk::<4>() else { return Err(Fault::Torn) };
        let (offset, length) = (i64::from_be_bytes(*offset), i32::from_be_bytes(*length));
        let Some(magic @ 0..=2) = magic_of(bytes) else { return Err(Fault::Magic) };
        let least = if magic == 2 { BATCH_HEADER_BYTES } else { LEGACY_BYTES_MIN + 8 * usize::from(magic) };
        let size = i64::from(length) + LENGTH_PREFIX_BYTES as i64;
        if size < least as i64 || offset < 0 {
            return Err(Fault::Length);
        }
        let size = size as u32;
        if u64::from(size) > left {
            return Err(Fault::Torn);
        }
        let frame = Self {
            position,
            size,
            magic,
            base_offset: Offset(offset),
            last_offset: Offset(offset),
            max_timestamp: TimestampMs::NONE,
            header: None,
        };
        if magic < 2 {
            let timestamp = bytes.get(18..26).and_then(|bytes| bytes.first_chunk::<8>());
            let timestamp =
                timestamp.filter(|_| magic == 1).map_or(TimestampMs::NONE, |t| TimestampMs(i64::from_be_bytes(*t)));
            return Ok(Self { max_timestamp: timestamp, ..frame });
        }
        let header = BatchHeader::decode(bytes).ok_or(Fault::Torn)?;
        if header.last_offset_delta < 0 {
            return Err(Fault::Length);
        }
        Ok(Self {
            last_offset: header.last_offset(),
            max_timestamp: header.max_timestamp,
            header: Some(header),
            ..frame
        })
    }

    /// Whether the checksum of the batch, of which these are all bytes, is right.
    #[must_use]
    pub fn checksum_holds(&self, batch: &[u8]) -> bool {
        match &self.header {
            Some(header) => batch.get(CHECKSUM_START..).is_some_and(|covered| crc32c(covered) == header.checksum),
            None => match (batch.get(12..16).and_then(|bytes| bytes.first_chunk()), batch.get(LEGACY_CHECKSUM_START..))
            {
                (Some(stored), Some(covered)) => {
                    crc_fast::checksum(CrcAlgorithm::Crc32IsoHdlc, covered) == u64::from(u32::from_be_bytes(*stored))
                }
                _ => false,
            },
        }
    }
}

/// Why the bytes at a position are no batch, or not the one that must stand there.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Fault {
    /// The file ends before the batch does.
    Torn,
    /// A format that does not exist.
    Magic,
    /// A size or offset that no batch can have.
    Length,
    /// The checksum is wrong.
    Checksum,
    /// Offsets go back, or lie outside the segment.
    Offsets,
    /// The leader epoch goes back.
    Epoch,
    /// The file ends before the offset up to which it was flushed.
    Missing,
    /// The name of the next segment leaves a hole behind this one.
    Hole,
}

impl fmt::Display for Fault {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Torn => "the file ends in the middle of a batch",
            Self::Magic => "no batch format that exists",
            Self::Length => "a batch length or offset that cannot be",
            Self::Checksum => "a batch with a wrong checksum",
            Self::Offsets => "offsets go back",
            Self::Epoch => "the leader epoch goes back",
            Self::Missing => "the file ends before the offset up to which it was flushed",
            Self::Hole => "records are missing before the next segment",
        })
    }
}

/// Walks the batches of a file from a position on.
#[derive(Debug)]
pub(crate) struct Scanner {
    file: Arc<dyn File>,
    position: u64,
    end: u64,
    chunk: usize,
    buffer: Vec<u8>,
    /// Position in the file of the first byte of the buffer.
    buffered: u64,
    /// Where the last batch ends that the caller found good.
    kept: u64,
}

impl Scanner {
    /// Walks `position..end`, reading `chunk` bytes or more at a time.
    pub(crate) fn new(file: Arc<dyn File>, position: u64, end: u64, chunk: usize) -> Self {
        Self { file, position, end, chunk: chunk.max(PEEK_BYTES), buffer: Vec::new(), buffered: 0, kept: position }
    }

    /// Where the next batch would begin.
    pub(crate) fn position(&self) -> u64 {
        self.position
    }

    /// The caller found the batch good.
    pub(crate) fn keep(&mut self, frame: &Frame) {
        self.kept = frame.end();
    }

    /// Where the last batch ends that was kept, or where the walk began.
    pub(crate) fn kept(&self) -> u64 {
        self.kept
    }

    /// The next batch, or what stands in its place; none at the end. After a fault there is no going on.
    pub(crate) fn next(&mut self) -> io::Result<Option<Result<Frame, Fault>>> {
        let left = self.end.saturating_sub(self.position);
        if left == 0 {
            return Ok(None);
        }
        let position = self.position;
        let bytes = self.fill(position, left.min(PEEK_BYTES as u64) as usize)?;
        let frame = Frame::decode(bytes, position, left);
        if let Ok(frame) = &frame {
            self.position = frame.end();
        }
        Ok(Some(frame))
    }

    /// All bytes of a batch that was just walked over; fewer when the file was cut meanwhile.
    pub(crate) fn bytes(&mut self, frame: &Frame) -> io::Result<&[u8]> {
        self.fill(frame.position, frame.size as usize)
    }

    fn fill(&mut self, position: u64, len: usize) -> io::Result<&[u8]> {
        let have = position.checked_sub(self.buffered).map(|start| start as usize);
        let inside = have.is_some_and(|start| start + len <= self.buffer.len());
        let start = if let (true, Some(start)) = (inside, have) {
            start
        } else {
            let wanted = (self.end.saturating_sub(position)).min(self.chunk.max(len) as u64) as usize;
            self.buffer.resize(wanted, 0);
            let read = self.file.read_at(position, &mut self.buffer)?;
            self.buffer.truncate(read);
            self.buffered = position;
            0
        };
        let end = (start + len).min(self.buffer.len());
        Ok(&self.buffer[start.min(end)..end])
    }
}
