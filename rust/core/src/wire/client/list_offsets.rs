//! `ListOffsets` (2), from the consumer's side.

use super::Call;
use crate::ids::{BrokerId, LeaderEpoch, Offset, PartitionIndex, TimestampMs};
use crate::wire::cursor::{Array, Cursor, Element, Fault, WireError};
use crate::wire::list_offsets::{API, ListOffsetsPartition, ListedOffset};

/// Encodes a request as a frame behind what `out` holds; what the version does not carry is left out.
pub fn encode_request(
    out: &mut Vec<u8>,
    call: &Call<'_>,
    replica_id: BrokerId,
    isolation_level: i8,
    topics: &[(&str, &[ListOffsetsPartition])],
    timeout_ms: i32,
) {
    let mut writer = call.begin(out, API);
    writer.i32(replica_id.0);
    if call.version >= 2 {
        writer.i8(isolation_level);
    }
    writer.length(Some(topics.len()));
    for (name, partitions) in topics {
        writer.string(name);
        writer.length(Some(partitions.len()));
        for partition in *partitions {
            writer.i32(partition.index.0);
            if call.version >= 4 {
                writer.i32(partition.current_leader_epoch.0);
            }
            writer.i64(partition.timestamp);
            writer.no_tags();
        }
        writer.no_tags();
    }
    if call.version >= 10 {
        writer.i32(timeout_ms);
    }
    writer.no_tags();
    writer.end_frame(0);
}

/// An answer, checked to its end.
#[derive(Clone, Copy, PartialEq, Debug)]
pub struct ListOffsetsResponse<'a> {
    /// How long to pause, milliseconds (v2+).
    pub throttle_time_ms: i32,
    /// The topics, in the order of the request.
    pub topics: Array<'a, ListedTopic<'a>>,
}

/// The answers about one topic.
#[derive(Clone, Copy, PartialEq, Debug)]
pub struct ListedTopic<'a> {
    /// Its name.
    pub name: &'a str,
    /// Its partitions.
    pub partitions: Array<'a, ListedOffset>,
}

impl<'a> ListOffsetsResponse<'a> {
    /// Reads the body. `body` is the cursor that the header left behind.
    pub fn decode(body: Cursor<'a>, version: i16) -> Result<Self, WireError> {
        if !API.has_version(version) {
            return Err(body.error(Fault::UnknownVersion { version }));
        }
        let mut cursor = body.flexible(API.is_flexible(version));
        let throttle_time_ms = if version >= 2 { cursor.i32()? } else { 0 };
        let topics = Array::read(&mut cursor, version)?;
        cursor.skip_tags()?;
        Ok(Self { throttle_time_ms, topics })
    }
}

impl<'a> Element<'a> for ListedTopic<'a> {
    const BYTES_MIN: usize = 3;

    fn read(cursor: &mut Cursor<'a>, version: i16) -> Result<Self, WireError> {
        let read = Self { name: cursor.string()?, partitions: Array::read(cursor, version)? };
        cursor.skip_tags()?;
        Ok(read)
    }
}

impl<'a> Element<'a> for ListedOffset {
    const BYTES_MIN: usize = 22;

    fn read(cursor: &mut Cursor<'a>, version: i16) -> Result<Self, WireError> {
        let read = Self {
            index: PartitionIndex(cursor.i32()?),
            error: cursor.error_code()?,
            timestamp: TimestampMs(cursor.i64()?),
            offset: Offset(cursor.i64()?),
            leader_epoch: if version >= 4 { LeaderEpoch(cursor.i32()?) } else { LeaderEpoch::NONE },
        };
        cursor.skip_tags()?;
        Ok(read)
    }
}
