//! `OffsetCommit` (8), from the consumer's side.

use super::Call;
use crate::error::ErrorCode;
use crate::ids::PartitionIndex;
use crate::wire::common::TopicRef;
use crate::wire::cursor::{Array, Cursor, Element, Fault, WireError};
use crate::wire::offset_commit::{API, OffsetCommitPartition, RETENTION, TOPIC_IDS_FROM};

/// What to commit. The fields are those of [`crate::wire::offset_commit::OffsetCommitRequest`].
#[derive(Clone, Copy, PartialEq, Debug)]
pub struct Commit<'a> {
    /// The group.
    pub group_id: &'a str,
    /// The generation or the member's epoch; -1 outside a group.
    pub generation_id_or_member_epoch: i32,
    /// The member; empty outside a group.
    pub member_id: &'a str,
    /// The name that the member keeps over restarts (v7+).
    pub group_instance_id: Option<&'a str>,
    /// How long to keep the offsets (v2 to v4), milliseconds; -1 leaves that to the broker.
    pub retention_time_ms: i64,
    /// The topics, each with its partitions.
    pub topics: &'a [(TopicRef<'a>, &'a [OffsetCommitPartition<'a>])],
}

/// Encodes a request as a frame behind what `out` holds; what the version does not carry is left out.
pub fn encode_request(out: &mut Vec<u8>, call: &Call<'_>, commit: &Commit<'_>) {
    let mut writer = call.begin(out, API);
    writer.string(commit.group_id);
    writer.i32(commit.generation_id_or_member_epoch);
    writer.string(commit.member_id);
    if call.version >= 7 {
        writer.nullable_string(commit.group_instance_id);
    }
    if RETENTION.contains(&call.version) {
        writer.i64(commit.retention_time_ms);
    }
    writer.length(Some(commit.topics.len()));
    for (topic, partitions) in commit.topics {
        topic.write(&mut writer, call.version >= TOPIC_IDS_FROM);
        writer.length(Some(partitions.len()));
        for partition in *partitions {
            writer.i32(partition.index.0);
            writer.i64(partition.offset.0);
            if call.version >= 6 {
                writer.i32(partition.leader_epoch.0);
            }
            writer.nullable_string(partition.metadata);
            writer.no_tags();
        }
        writer.no_tags();
    }
    writer.no_tags();
    writer.end_frame(0);
}

/// An answer, checked to its end.
#[derive(Clone, Copy, PartialEq, Debug)]
pub struct OffsetCommitResponse<'a> {
    /// How long to pause, milliseconds; 0 before v3.
    pub throttle_time_ms: i32,
    /// The topics, in the order of the request.
    pub topics: Array<'a, CommittedTopic<'a>>,
}

/// How the commits of one topic went.
#[derive(Clone, Copy, PartialEq, Debug)]
pub struct CommittedTopic<'a> {
    /// Name up to v9, id from v10 on.
    pub topic: TopicRef<'a>,
    /// Its partitions.
    pub partitions: Array<'a, CommittedPartition>,
}

/// How the commit of one partition went.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct CommittedPartition {
    /// Which.
    pub index: PartitionIndex,
    /// What went wrong, if anything.
    pub error: ErrorCode,
}

impl<'a> OffsetCommitResponse<'a> {
    /// Reads the body. `body` is the cursor that the header left behind.
    pub fn decode(body: Cursor<'a>, version: i16) -> Result<Self, WireError> {
        if !API.has_version(version) {
            return Err(body.error(Fault::UnknownVersion { version }));
        }
        let mut cursor = body.flexible(API.is_flexible(version));
        let throttle_time_ms = if version >= 3 { cursor.i32()? } else { 0 };
        let read = Self { throttle_time_ms, topics: Array::read(&mut cursor, version)? };
        cursor.skip_tags()?;
        Ok(read)
    }
}

impl<'a> Element<'a> for CommittedTopic<'a> {
    const BYTES_MIN: usize = 3;

    fn read(cursor: &mut Cursor<'a>, version: i16) -> Result<Self, WireError> {
        let topic = TopicRef::read(cursor, version >= TOPIC_IDS_FROM)?;
        let partitions = Array::read(cursor, version)?;
        cursor.skip_tags()?;
        Ok(Self { topic, partitions })
    }
}

impl Element<'_> for CommittedPartition {
    const BYTES_MIN: usize = 6;

    fn read(cursor: &mut Cursor<'_>, _version: i16) -> Result<Self, WireError> {
        let read = Self { index: PartitionIndex(cursor.i32()?), error: cursor.error_code()? };
        cursor.skip_tags()?;
        Ok(read)
    }
}
