//! `OffsetForLeaderEpoch` (23), from the follower's side.

use super::Call;
use crate::ids::{BrokerId, LeaderEpoch, Offset, PartitionIndex};
use crate::wire::cursor::{Array, Cursor, Element, Fault, WireError};
use crate::wire::offset_for_leader_epoch::{API, EndOfEpoch, OffsetForLeaderEpochPartition};

/// Encodes a request as a frame behind what `out` holds; what the version does not carry is left out.
pub fn encode_request(
    out: &mut Vec<u8>,
    call: &Call<'_>,
    replica_id: BrokerId,
    topics: &[(&str, &[OffsetForLeaderEpochPartition])],
) {
    let mut writer = call.begin(out, API);
    if call.version >= 3 {
        writer.i32(replica_id.0);
    }
    writer.length(Some(topics.len()));
    for (name, partitions) in topics {
        writer.string(name);
        writer.length(Some(partitions.len()));
        for partition in *partitions {
            writer.i32(partition.index.0);
            writer.i32(partition.current_leader_epoch.0);
            writer.i32(partition.leader_epoch.0);
            writer.no_tags();
        }
        writer.no_tags();
    }
    writer.no_tags();
    writer.end_frame(0);
}

/// An answer, checked to its end.
#[derive(Clone, Copy, PartialEq, Debug)]
pub struct OffsetForLeaderEpochResponse<'a> {
    /// How long to pause, milliseconds.
    pub throttle_time_ms: i32,
    /// The topics, in the order of the request.
    pub topics: Array<'a, EndOfEpochTopic<'a>>,
}

/// The answers about one topic.
#[derive(Clone, Copy, PartialEq, Debug)]
pub struct EndOfEpochTopic<'a> {
    /// Its name.
    pub name: &'a str,
    /// Its partitions.
    pub partitions: Array<'a, EndOfEpoch>,
}

impl<'a> OffsetForLeaderEpochResponse<'a> {
    /// Reads the body. `body` is the cursor that the header left behind.
    pub fn decode(body: Cursor<'a>, version: i16) -> Result<Self, WireError> {
        if !API.has_version(version) {
            return Err(body.error(Fault::UnknownVersion { version }));
        }
        let mut cursor = body.flexible(API.is_flexible(version));
        let read = Self { throttle_time_ms: cursor.i32()?, topics: Array::read(&mut cursor, version)? };
        cursor.skip_tags()?;
        Ok(read)
    }
}

impl<'a> Element<'a> for EndOfEpochTopic<'a> {
    const BYTES_MIN: usize = 3;

    fn read(cursor: &mut Cursor<'a>, version: i16) -> Result<Self, WireError> {
        let read = Self { name: cursor.string()?, partitions: Array::read(cursor, version)? };
        cursor.skip_tags()?;
        Ok(read)
    }
}

impl<'a> Element<'a> for EndOfEpoch {
    const BYTES_MIN: usize = 18;

    fn read(cursor: &mut Cursor<'a>, _version: i16) -> Result<Self, WireError> {
        let error = cursor.error_code()?;
        let read = Self {
            error,
            index: PartitionIndex(cursor.i32()?),
            leader_epoch: LeaderEpoch(cursor.i32()?),
            end_offset: Offset(cursor.i64()?),
        };
        cursor.skip_tags()?;
        Ok(read)
    }
}
