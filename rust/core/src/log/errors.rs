//! What may go wrong with a log, one type per operation.

use std::fmt;
use std::io;

use super::scan::Fault;
use crate::batch::producer::ProducerRefusal;
use crate::error::ErrorCode;
use crate::ids::{Offset, TopicId};

/// A batch was not appended; the log is as it was.
#[derive(Debug)]
pub enum AppendError {
    /// The producer's epoch or sequence does not fit.
    Producer(ProducerRefusal),
    /// The batch is larger than a segment may be.
    TooLarge {
        /// Bytes of the batch.
        size: u64,
        /// `segment.bytes`.
        segment_bytes: u64,
    },
    /// Assigned offsets lie below the end of the log.
    Offsets {
        /// The first offset of the batches.
        first: Offset,
        /// The end of the log.
        end: Offset,
    },
    /// The disk is full. Reads and deletes go on, and so do writes once there is room.
    Full {
        /// The log directory.
        directory: String,
    },
    /// The disk failed, and the directory with it.
    Failed {
        /// What was tried, and where.
        doing: String,
        /// What the disk said.
        source: io::Error,
    },
    /// The directory failed before.
    Poisoned(String),
}

impl AppendError {
    /// The code a client gets.
    #[must_use]
    pub const fn code(&self) -> ErrorCode {
        match self {
            Self::Producer(refusal) => refusal.code(),
            Self::TooLarge { .. } => ErrorCode::RecordListTooLarge,
            Self::Offsets { .. } => ErrorCode::UnknownServerError,
            Self::Full { .. } | Self::Failed { .. } | Self::Poisoned(_) => ErrorCode::KafkaStorageError,
        }
    }
}

impl fmt::Display for AppendError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Producer(refusal) => fmt::Display::fmt(refusal, f),
            Self::TooLarge { size, segment_bytes } => write!(
                f,
                "{size} bytes in one batch, a segment takes {segment_bytes} (segment.bytes): send smaller batches (batch.size)"
            ),
            Self::Offsets { first, end } => write!(f, "offset {first} was to be appended, the log ends at {end}"),
            Self::Full { directory } => {
                write!(f, "the disk of {directory} is full: writes are refused until there is room, reads go on")
            }
            Self::Failed { doing, source } => write!(f, "{doing}: {source}"),
            Self::Poisoned(reason) => write!(f, "the log directory failed earlier: {reason}"),
        }
    }
}

impl std::error::Error for AppendError {}

/// A log was not truncated.
#[derive(Debug)]
pub enum TruncateError {
    /// The flushed part would be touched, and a crash would look like lost data: first
    /// [`begin_truncation`](super::Log::begin_truncation) to this offset, then the recovery-point checkpoint, then again.
    Durable {
        /// How low the recovery point must be.
        lower_to: Offset,
    },
    /// The disk said no; the log must be given up, and recovered.
    Io(io::Error),
}

impl From<io::Error> for TruncateError {
    fn from(error: io::Error) -> Self {
        Self::Io(error)
    }
}

impl fmt::Display for TruncateError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Durable { lower_to } => write!(f, "the recovery point must be lowered to {lower_to} first"),
            Self::Io(error) => fmt::Display::fmt(error, f),
        }
    }
}

impl std::error::Error for TruncateError {}

/// Nothing was read.
#[derive(Debug)]
pub enum ReadError {
    /// The offset is below the start of the log or above its end.
    OutOfRange {
        /// The offset asked for.
        offset: Offset,
        /// The first that may be read.
        start: Offset,
        /// The end of the log.
        end: Offset,
    },
    /// The disk said no, or the bytes are no batches; the text names file and byte.
    Io(io::Error),
}

impl From<io::Error> for ReadError {
    fn from(error: io::Error) -> Self {
        Self::Io(error)
    }
}

impl ReadError {
    /// The code a client gets.
    #[must_use]
    pub fn code(&self) -> ErrorCode {
        match self {
            Self::OutOfRange { .. } => ErrorCode::OffsetOutOfRange,
            Self::Io(error) if error.kind() == io::ErrorKind::InvalidData => ErrorCode::CorruptMessage,
            Self::Io(_) => ErrorCode::KafkaStorageError,
        }
    }
}

impl fmt::Display for ReadError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::OutOfRange { offset, start, end } => {
                write!(f, "offset {offset} is not in the log, which is {start} to {end}")
            }
            Self::Io(error) => fmt::Display::fmt(error, f),
        }
    }
}

impl std::error::Error for ReadError {}

/// A log was not opened. Others of its directory may be fine.
#[derive(Debug)]
pub enum OpenError {
    /// What was flushed is not there, or not what was written. The files are left as they are, for repair.
    Corrupt {
        /// The file, with its directory.
        file: String,
        /// The first byte that is wrong.
        position: u64,
        /// What is wrong there.
        fault: Fault,
        /// Up to this offset everything was flushed.
        recovery_point: Offset,
    },
    /// The directory belongs to another topic.
    TopicId {
        /// The directory of the partition.
        directory: String,
        /// The topic it belongs to.
        found: TopicId,
        /// The topic that was expected.
        expected: TopicId,
    },
    /// The disk said no.
    Io {
        /// The directory of the partition.
        directory: String,
        /// What it said.
        source: io::Error,
    },
}

impl fmt::Display for OpenError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Corrupt { file, position, fault, recovery_point } => write!(
                f,
                "{file}, byte {position}: {fault}, though everything below offset {recovery_point} was flushed; restore the file, \
                 or move the partition's directory away to begin empty"
            ),
            Self::TopicId { directory, found, expected } => {
                write!(f, "{directory} belongs to the topic with id {found}, not {expected}")
            }
            Self::Io { directory, source } => write!(f, "cannot open the log in {directory}: {source}"),
        }
    }
}

impl std::error::Error for OpenError {}
