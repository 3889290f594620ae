//! `OffsetForLeaderEpoch` (23): where did this epoch of the leader end? Asked by followers and consumers that may have
//! records which the leader has lost (KIP-101, KIP-279).
//!
//! v2 current leader epoch (KIP-320) · v3 replica id (KIP-392) · v4 flexible

use super::common::{TopicRef, TopicsWriter};
use super::cursor::{Array, Cursor, Element, Fault, WireError};
use super::header::{APIS, Api, begin_response};
use super::writer::Writer;
use crate::error::ErrorCode;
use crate::ids::{BrokerId, LeaderEpoch, Offset, PartitionIndex};

pub(super) const API: &Api = &APIS[19];

/// A request, checked to its end.
#[derive(Clone, Copy, PartialEq, Debug)]
pub struct OffsetForLeaderEpochRequest<'a> {
    /// The follower (v3+); -1 is a consumer, -2, also before v3, one that may see everything.
    pub replica_id: BrokerId,
    /// The topics, in the order of the request.
    pub topics: Array<'a, OffsetForLeaderEpochTopic<'a>>,
}

/// The questions about one topic.
#[derive(Clone, Copy, PartialEq, Debug)]
pub struct OffsetForLeaderEpochTopic<'a> {
    /// Its name.
    pub name: &'a str,
    /// The partitions, in the order of the request.
    pub partitions: Array<'a, OffsetForLeaderEpochPartition>,
}

/// The question about one partition.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct OffsetForLeaderEpochPartition {
    /// Which.
    pub index: PartitionIndex,
    /// The epoch of the leader that is asked; -1 does not say.
    pub current_leader_epoch: LeaderEpoch,
    /// The epoch in question.
    pub leader_epoch: LeaderEpoch,
}

impl<'a> OffsetForLeaderEpochRequest<'a> {
    /// Reads the body. `body` is the cursor that the header left behind.
    pub fn decode(body: Cursor<'a>, version: i16) -> Result<Self, WireError> {
        if !API.has_version(version) {
            return Err(body.error(Fault::UnknownVersion { version }));
        }
        let mut cursor = body.flexible(API.is_flexible(version));
        let request = Self {
            replica_id: BrokerId(if version >= 3 { cursor.i32()? } else { -2 }),
            topics: Array::read(&mut cursor, version)?,
        };
        cursor.skip_tags()?;
        Ok(request)
    }
}

impl<'a> Element<'a> for OffsetForLeaderEpochTopic<'a> {
    const BYTES_MIN: usize = 3;

    fn read(cursor: &mut Cursor<'a>, version: i16) -> Result<Self, WireError> {
        let read = Self { name: cursor.string()?, partitions: Array::read(cursor, version)? };
        cursor.skip_tags()?;
        Ok(read)
    }
}

impl<'a> Element<'a> for OffsetForLeaderEpochPartition {
    const BYTES_MIN: usize = 12;

    fn read(cursor: &mut Cursor<'a>, _version: i16) -> Result<Self, WireError> {
        let read = Self {
            index: PartitionIndex(cursor.i32()?),
            current_leader_epoch: LeaderEpoch(cursor.i32()?),
            leader_epoch: LeaderEpoch(cursor.i32()?),
        };
        cursor.skip_tags()?;
        Ok(read)
    }
}

/// The answer about one partition.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct EndOfEpoch {
    /// Which.
    pub index: PartitionIndex,
    /// What went wrong, if anything.
    pub error: ErrorCode,
    /// The largest epoch known that is not above the one in question, or -1.
    pub leader_epoch: LeaderEpoch,
    /// Where it ends, or -1.
    pub end_offset: Offset,
}

impl EndOfEpoch {
    /// No answer, with or without an error.
    #[must_use]
    pub const fn none(index: PartitionIndex, error: ErrorCode) -> Self {
        Self { index, error, leader_epoch: LeaderEpoch::NONE, end_offset: Offset(-1) }
    }
}

/// Writes the answer: for each topic [`OffsetForLeaderEpochResponseWriter::topic`], then its partitions; at last
/// [`OffsetForLeaderEpochResponseWriter::finish`].
#[derive(Debug)]
pub struct OffsetForLeaderEpochResponseWriter<'o> {
    writer: Writer<'o>,
    topics: TopicsWriter,
}

impl<'o> OffsetForLeaderEpochResponseWriter<'o> {
    /// Begins a frame behind what `out` holds. The pause that the client is asked for is in milliseconds.
    pub fn new(out: &'o mut Vec<u8>, correlation_id: i32, version: i16, throttle_time_ms: i32) -> Self {
        let mut writer = begin_response(out, API, version, correlation_id);
        writer.i32(throttle_time_ms);
        let topics = TopicsWriter::begin(&mut writer, false);
        Self { writer, topics }
    }

    /// The partitions that follow are of this topic.
    pub fn topic(&mut self, name: &str) {
        self.topics.topic(&mut self.writer, TopicRef::Name(name));
    }

    /// The next partition of the topic.
    pub fn partition(&mut self, end: &EndOfEpoch) {
        if !self.topics.partition() {
            return;
        }
        let writer = &mut self.writer;
        writer.error(end.error);
        writer.i32(end.index.0);
        writer.i32(end.leader_epoch.0);
        writer.i64(end.end_offset.0);
        writer.no_tags();
    }

    /// Ends the frame.
    pub fn finish(mut self) {
        self.topics.end(&mut self.writer);
        self.writer.no_tags();
        self.writer.end_frame(0);
    }
}
