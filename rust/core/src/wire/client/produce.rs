//! Produce (0), from the producer's side.

use super::Call;
use crate::error::ErrorCode;
use crate::ids::{Offset, PartitionIndex, TimestampMs};
use crate::wire::common::{LeaderIdAndEpoch, NodeEndpoint, TopicRef};
use crate::wire::cursor::{Array, Cursor, Element, Fault, WireError};
use crate::wire::produce::{API, RecordError, TOPIC_IDS_FROM};

/// The batches of each partition of a topic; null is possible on the wire, though of no use.
pub type PartitionRecords<'a> = (PartitionIndex, Option<&'a [u8]>);

/// Encodes a request as a frame behind what `out` holds.
pub fn encode_request(
    out: &mut Vec<u8>,
    call: &Call<'_>,
    transactional_id: Option<&str>,
    acks: i16,
    timeout_ms: i32,
    topics: &[(TopicRef<'_>, &[PartitionRecords<'_>])],
) {
    let mut writer = call.begin(out, API);
    writer.nullable_string(transactional_id);
    writer.i16(acks);
    writer.i32(timeout_ms);
    writer.length(Some(topics.len()));
    for (topic, partitions) in topics {
        topic.write(&mut writer, call.version >= TOPIC_IDS_FROM);
        writer.length(Some(partitions.len()));
        for (index, records) in *partitions {
            writer.i32(index.0);
            writer.nullable_bytes(*records);
            writer.no_tags();
        }
        writer.no_tags();
    }
    writer.no_tags();
    writer.end_frame(0);
}

/// An answer, checked to its end.
#[derive(Clone, Copy, PartialEq, Debug)]
pub struct ProduceResponse<'a> {
    /// The topics, in the order of the request.
    pub topics: Array<'a, ProducedTopic<'a>>,
    /// How long to pause, milliseconds.
    pub throttle_time_ms: i32,
    /// Where the leaders named are (v10+).
    pub node_endpoints: Array<'a, NodeEndpoint<'a>>,
}

/// How the appends to one topic went.
#[derive(Clone, Copy, PartialEq, Debug)]
pub struct ProducedTopic<'a> {
    /// Name up to v12, id from v13 on.
    pub topic: TopicRef<'a>,
    /// Its partitions.
    pub partitions: Array<'a, ProducedPartition<'a>>,
}

/// How the append to one partition went: [`crate::wire::produce::Produced`], as it was read. What the version does not
/// carry has its default.
#[derive(Clone, Copy, PartialEq, Debug)]
pub struct ProducedPartition<'a> {
    /// Which.
    pub index: PartitionIndex,
    /// What went wrong, if anything.
    pub error: ErrorCode,
    /// Offset of the first record, or -1.
    pub base_offset: Offset,
    /// The time of append, or -1.
    pub log_append_time: TimestampMs,
    /// First offset of the log (v5+), or -1.
    pub log_start_offset: Offset,
    /// The records that caused the error (v8+).
    pub record_errors: Array<'a, RecordError<'a>>,
    /// What went wrong, in words (v8+).
    pub error_message: Option<&'a str>,
    /// Who leads (v10+).
    pub current_leader: Option<LeaderIdAndEpoch>,
}

impl<'a> ProduceResponse<'a> {
    /// Reads the body. `body` is the cursor that the header left behind.
    pub fn decode(body: Cursor<'a>, version: i16) -> Result<Self, WireError> {
        if !API.has_version(version) {
            return Err(body.error(Fault::UnknownVersion { version }));
        }
        let mut cursor = body.flexible(API.is_flexible(version));
        let topics = Array::read(&mut cursor, version)?;
        let throttle_time_ms = cursor.i32()?;
        let mut node_endpoints = Array::empty();
        cursor.tags(|tag, content| {
            if tag != 0 || version < 10 {
                return Ok(false);
            }
            node_endpoints = Array::read(content, version)?;
            Ok(true)
        })?;
        Ok(Self { topics, throttle_time_ms, node_endpoints })
    }
}

impl<'a> Element<'a> for ProducedTopic<'a> {
    const BYTES_MIN: usize = 3;

    fn read(cursor: &mut Cursor<'a>, version: i16) -> Result<Self, WireError> {
        let topic = TopicRef::read(cursor, version >= TOPIC_IDS_FROM)?;
        let partitions = Array::read(cursor, version)?;
        cursor.skip_tags()?;
        Ok(Self { topic, partitions })
    }
}

impl<'a> Element<'a> for ProducedPartition<'a> {
    const BYTES_MIN: usize = 22;

    fn read(cursor: &mut Cursor<'a>, version: i16) -> Result<Self, WireError> {
        let mut read = Self {
            index: PartitionIndex(cursor.i32()?),
            error: cursor.error_code()?,
            base_offset: Offset(cursor.i64()?),
            log_append_time: TimestampMs(cursor.i64()?),
            log_start_offset: Offset(if version >= 5 { cursor.i64()? } else { -1 }),
            record_errors: if version >= 8 { Array::read(cursor, version)? } else { Array::empty() },
            error_message: if version >= 8 { cursor.nullable_string()? } else { None },
            current_leader: None,
        };
        cursor.tags(|tag, content| {
            if tag != 0 || version < 10 {
                return Ok(false);
            }
            read.current_leader = Some(LeaderIdAndEpoch::read(content)?);
            Ok(true)
        })?;
        Ok(read)
    }
}

impl<'a> Element<'a> for RecordError<'a> {
    const BYTES_MIN: usize = 5;

    fn read(cursor: &mut Cursor<'a>, _version: i16) -> Result<Self, WireError> {
        let read = Self { batch_index: cursor.i32()?, message: cursor.nullable_string()? };
        cursor.skip_tags()?;
        Ok(read)
    }
}
