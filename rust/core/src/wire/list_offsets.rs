//! `ListOffsets` (2): which offset belongs to this time, or to this special place?
//!
//! v1 one offset with its time · v2 isolation level · v4 leader epochs (KIP-320) · v6 flexible · v7 max timestamp (KIP-734) ·
//! v8 earliest local (KIP-405) · v9 latest tiered (KIP-1005) · v10 timeout (KIP-1075) · v11 earliest pending upload (KIP-1023)

use super::common::{TopicRef, TopicsWriter};
use super::cursor::{Array, Cursor, Element, Fault, WireError};
use super::header::{APIS, Api, begin_response};
use super::writer::Writer;
use crate::error::ErrorCode;
use crate::ids::{BrokerId, LeaderEpoch, Offset, PartitionIndex, TimestampMs};

pub(super) const API: &Api = &APIS[2];

/// The times that ask for a place instead, each with the first version that has it.
pub mod special {
    /// The end that the asker may read to.
    pub const LATEST: i64 = -1;
    /// The first offset of the log.
    pub const EARLIEST: i64 = -2;
    /// The record with the largest time.
    pub const MAX_TIMESTAMP: i64 = -3;
    /// The first offset that is on this broker's disk.
    pub const EARLIEST_LOCAL: i64 = -4;
    /// The last offset in remote storage.
    pub const LATEST_TIERED: i64 = -5;
    /// The first offset that remote storage does not have yet.
    pub const EARLIEST_PENDING_UPLOAD: i64 = -6;

    /// The first version in which this time may be asked for; none for a negative number without a meaning.
    #[must_use]
    pub const fn version_min(timestamp: i64) -> Option<i16> {
        match timestamp {
            0.. | LATEST | EARLIEST => Some(1),
            MAX_TIMESTAMP => Some(7),
            EARLIEST_LOCAL => Some(8),
            LATEST_TIERED => Some(9),
            EARLIEST_PENDING_UPLOAD => Some(11),
            _ => None,
        }
    }
}

/// A request, checked to its end.
#[derive(Clone, Copy, PartialEq, Debug)]
pub struct ListOffsetsRequest<'a> {
    /// The follower; -1 is a consumer, -2 a debugging consumer.
    pub replica_id: BrokerId,
    /// 0 reads everything, 1 only what is committed (v2+).
    pub isolation_level: i8,
    /// The topics, in the order of the request.
    pub topics: Array<'a, ListOffsetsTopic<'a>>,
    /// How long to wait for remote storage (v10+), milliseconds.
    pub timeout_ms: i32,
}

/// The questions about one topic.
#[derive(Clone, Copy, PartialEq, Debug)]
pub struct ListOffsetsTopic<'a> {
    /// Its name.
    pub name: &'a str,
    /// The partitions, in the order of the request.
    pub partitions: Array<'a, ListOffsetsPartition>,
}

/// The question about one partition.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct ListOffsetsPartition {
    /// Which.
    pub index: PartitionIndex,
    /// The epoch of the leader that is asked (v4+); -1 does not say.
    pub current_leader_epoch: LeaderEpoch,
    /// The time, or one of [`special`].
    pub timestamp: i64,
}

impl<'a> ListOffsetsRequest<'a> {
    /// Reads the body. `body` is the cursor that the header left behind.
    pub fn decode(body: Cursor<'a>, version: i16) -> Result<Self, WireError> {
        if !API.has_version(version) {
            return Err(body.error(Fault::UnknownVersion { version }));
        }
        let mut cursor = body.flexible(API.is_flexible(version));
        let request = Self {
            replica_id: BrokerId(cursor.i32()?),
            isolation_level: if version >= 2 { cursor.i8()? } else { 0 },
            topics: Array::read(&mut cursor, version)?,
            timeout_ms: if version >= 10 { cursor.i32()? } else { 0 },
        };
        cursor.skip_tags()?;
        Ok(request)
    }
}

impl<'a> Element<'a> for ListOffsetsTopic<'a> {
    const BYTES_MIN: usize = 3;

    fn read(cursor: &mut Cursor<'a>, version: i16) -> Result<Self, WireError> {
        let read = Self { name: cursor.string()?, partitions: Array::read(cursor, version)? };
        cursor.skip_tags()?;
        Ok(read)
    }
}

impl<'a> Element<'a> for ListOffsetsPartition {
    const BYTES_MIN: usize = 12;

    fn read(cursor: &mut Cursor<'a>, version: i16) -> Result<Self, WireError> {
        let read = Self {
            index: PartitionIndex(cursor.i32()?),
            current_leader_epoch: if version >= 4 { LeaderEpoch(cursor.i32()?) } else { LeaderEpoch::NONE },
            timestamp: cursor.i64()?,
        };
        cursor.skip_tags()?;
        Ok(read)
    }
}

/// The answer about one partition.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct ListedOffset {
    /// Which.
    pub index: PartitionIndex,
    /// What went wrong, if anything.
    pub error: ErrorCode,
    /// The time of the record found, or -1.
    pub timestamp: TimestampMs,
    /// The offset found, or -1.
    pub offset: Offset,
    /// The epoch of the leader that wrote it (v4+), or -1.
    pub leader_epoch: LeaderEpoch,
}

impl ListedOffset {
    /// No offset, with or without an error.
    #[must_use]
    pub const fn none(index: PartitionIndex, error: ErrorCode) -> Self {
        Self { index, error, timestamp: TimestampMs::NONE, offset: Offset(-1), leader_epoch: LeaderEpoch::NONE }
    }
}

/// Writes the answer: for each topic [`ListOffsetsResponseWriter::topic`], then its partitions; at last
/// [`ListOffsetsResponseWriter::finish`].
#[derive(Debug)]
pub struct ListOffsetsResponseWriter<'o> {
    writer: Writer<'o>,
    version: i16,
    topics: TopicsWriter,
}

impl<'o> ListOffsetsResponseWriter<'o> {
    /// Begins a frame behind what `out` holds. The pause that the client is asked for (v2+) is in milliseconds.
    pub fn new(out: &'o mut Vec<u8>, correlation_id: i32, version: i16, throttle_time_ms: i32) -> Self {
        let mut writer = begin_response(out, API, version, correlation_id);
        if version >= 2 {
            writer.i32(throttle_time_ms);
        }
        let topics = TopicsWriter::begin(&mut writer, false);
        Self { writer, version, topics }
    }

    /// The partitions that follow are of this topic.
    pub fn topic(&mut self, name: &str) {
        self.topics.topic(&mut self.writer, TopicRef::Name(name));
    }

    /// The next partition of the topic.
    pub fn partition(&mut self, listed: &ListedOffset) {
        if !self.topics.partition() {
            return;
        }
        let writer = &mut self.writer;
        writer.i32(listed.index.0);
        writer.error(listed.error);
        writer.i64(listed.timestamp.0);
        writer.i64(listed.offset.0);
        if self.version >= 4 {
            writer.i32(listed.leader_epoch.0);
        }
        writer.no_tags();
    }

    /// Ends the frame.
    pub fn finish(mut self) {
        self.topics.end(&mut self.writer);
        self.writer.no_tags();
        self.writer.end_frame(0);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_special_time_has_its_version() {
        let first: Vec<_> = (-7..=1).map(special::version_min).collect();
        assert_eq!(first, [None, Some(11), Some(9), Some(8), Some(7), Some(1), Some(1), Some(1), Some(1)]);
    }
}
