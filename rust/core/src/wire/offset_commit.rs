//! `OffsetCommit` (8): remember how far a group has read.
//!
//! v2 to v4 retention time · v3 throttle · v6 leader epoch · v7 group instance id (KIP-345) · v8 flexible ·
//! v9 member epochs (KIP-848) · v10 topic ids (KIP-516)

use super::common::{TopicRef, TopicsWriter};
use super::cursor::{Array, Cursor, Element, Fault, WireError};
use super::header::{APIS, Api, begin_response};
use crate::error::ErrorCode;
use crate::ids::{LeaderEpoch, Offset, PartitionIndex};

pub(super) const API: &Api = &APIS[4];
pub(super) const TOPIC_IDS_FROM: i16 = 10;

/// The versions that say how long the offsets are kept.
pub(super) const RETENTION: std::ops::RangeInclusive<i16> = 2..=4;

/// A request, checked to its end.
#[derive(Clone, Copy, PartialEq, Debug)]
pub struct OffsetCommitRequest<'a> {
    /// The group.
    pub group_id: &'a str,
    /// The generation of a classic group, the member's epoch of a consumer group; -1 outside both.
    pub generation_id_or_member_epoch: i32,
    /// The member; empty outside a group.
    pub member_id: &'a str,
    /// The name that the member keeps over restarts (v7+).
    pub group_instance_id: Option<&'a str>,
    /// How long to keep the offsets (v2 to v4), milliseconds; -1 leaves that to the broker.
    pub retention_time_ms: i64,
    /// The topics, in the order of the request.
    pub topics: Array<'a, OffsetCommitTopic<'a>>,
}

/// The offsets of one topic.
#[derive(Clone, Copy, PartialEq, Debug)]
pub struct OffsetCommitTopic<'a> {
    /// Name up to v9, id from v10 on.
    pub topic: TopicRef<'a>,
    /// The partitions, in the order of the request.
    pub partitions: Array<'a, OffsetCommitPartition<'a>>,
}

/// The offset of one partition.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct OffsetCommitPartition<'a> {
    /// Which.
    pub index: PartitionIndex,
    /// The next record to read. Nothing is checked: negative numbers come through.
    pub offset: Offset,
    /// Of the last record that was read (v6+), or -1.
    pub leader_epoch: LeaderEpoch,
    /// What the client wants to remember.
    pub metadata: Option<&'a str>,
}

impl<'a> OffsetCommitRequest<'a> {
    /// Reads the body. `body` is the cursor that the header left behind.
    ///
    /// Metadata is any text to Kafka, which mends what is not UTF-8. Here that is [`Fault::NotUtf8`], and the request
    /// one for the interpreter of the declarations, which mends too.
    pub fn decode(body: Cursor<'a>, version: i16) -> Result<Self, WireError> {
        if !API.has_version(version) {
            return Err(body.error(Fault::UnknownVersion { version }));
        }
        let mut cursor = body.flexible(API.is_flexible(version));
        let request = Self {
            group_id: cursor.string()?,
            generation_id_or_member_epoch: cursor.i32()?,
            member_id: cursor.string()?,
            group_instance_id: if version >= 7 { cursor.nullable_string()? } else { None },
            retention_time_ms: if RETENTION.contains(&version) { cursor.i64()? } else { -1 },
            topics: Array::read(&mut cursor, version)?,
        };
        cursor.skip_tags()?;
        Ok(request)
    }
}

impl<'a> Element<'a> for OffsetCommitTopic<'a> {
    const BYTES_MIN: usize = 3;

    fn read(cursor: &mut Cursor<'a>, version: i16) -> Result<Self, WireError> {
        let topic = TopicRef::read(cursor, version >= TOPIC_IDS_FROM)?;
        let partitions = Array::read(cursor, version)?;
        cursor.skip_tags()?;
        Ok(Self { topic, partitions })
    }
}

impl<'a> Element<'a> for OffsetCommitPartition<'a> {
    const BYTES_MIN: usize = 14;

    fn read(cursor: &mut Cursor<'a>, version: i16) -> Result<Self, WireError> {
        let read = Self {
            index: PartitionIndex(cursor.i32()?),
            offset: Offset(cursor.i64()?),
            leader_epoch: if version >= 6 { LeaderEpoch(cursor.i32()?) } else { LeaderEpoch::NONE },
            metadata: cursor.nullable_string()?,
        };
        cursor.skip_tags()?;
        Ok(read)
    }
}

/// Writes the answer as a frame behind what `out` holds: for each topic, named in the way of the version, which of its
/// partitions were committed. The pause that the client is asked for (v3+) is in milliseconds.
pub fn encode_response<'t, P>(
    out: &mut Vec<u8>,
    correlation_id: i32,
    version: i16,
    throttle_time_ms: i32,
    topics: impl IntoIterator<Item = (TopicRef<'t>, P)>,
) where
    P: IntoIterator<Item = (PartitionIndex, ErrorCode)>,
{
    let mut writer = begin_response(out, API, version, correlation_id);
    if version >= 3 {
        writer.i32(throttle_time_ms);
    }
    let mut streamed = TopicsWriter::begin(&mut writer, version >= TOPIC_IDS_FROM);
    for (topic, partitions) in topics {
        streamed.topic(&mut writer, topic);
        for (index, error) in partitions {
            if streamed.partition() {
                writer.i32(index.0);
                writer.error(error);
                writer.no_tags();
            }
        }
    }
    streamed.end(&mut writer);
    writer.no_tags();
    writer.end_frame(0);
}
