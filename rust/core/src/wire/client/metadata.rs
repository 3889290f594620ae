//! Metadata (3), from the client's side.

use super::Call;
use crate::error::ErrorCode;
use crate::ids::{BrokerId, LeaderEpoch, PartitionIndex, TopicId};
use crate::wire::common::NodeEndpoint;
use crate::wire::cursor::{Array, Cursor, Element, Fault, WireError};
use crate::wire::metadata::{API, MetadataRequestTopic, MetadataTopic, OPERATIONS_NOT_ASKED};

/// What a request asks for.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct MetadataQuestion<'a> {
    /// The topics asked for; none asks for all.
    pub topics: Option<&'a [MetadataRequestTopic<'a>]>,
    /// Whether missing topics may be created (v4+).
    pub allow_auto_topic_creation: bool,
    /// Whether to tell what we may do with the cluster (v8 to v10).
    pub include_cluster_authorized_operations: bool,
    /// Whether to tell what we may do with each topic (v8+).
    pub include_topic_authorized_operations: bool,
}

/// Encodes a request as a frame behind what `out` holds; what the version does not carry is left out.
pub fn encode_request(out: &mut Vec<u8>, call: &Call<'_>, question: &MetadataQuestion<'_>) {
    let version = call.version;
    let mut writer = call.begin(out, API);
    writer.length(question.topics.map(<[_]>::len).or(if version == 0 { Some(0) } else { None }));
    for topic in question.topics.unwrap_or_default() {
        if version >= 10 {
            writer.uuid(topic.id);
            writer.nullable_string(topic.name);
        } else {
            writer.string(topic.name.unwrap_or_default());
        }
        writer.no_tags();
    }
    if version >= 4 {
        writer.bool(question.allow_auto_topic_creation);
    }
    if (8..=10).contains(&version) {
        writer.bool(question.include_cluster_authorized_operations);
    }
    if version >= 8 {
        writer.bool(question.include_topic_authorized_operations);
    }
    writer.no_tags();
    writer.end_frame(0);
}

/// An answer, checked to its end; what the version does not carry has its default.
#[derive(Clone, Copy, PartialEq, Debug)]
pub struct MetadataResponse<'a> {
    /// How long to pause, milliseconds (v3+).
    pub throttle_time_ms: i32,
    /// The brokers that are alive.
    pub brokers: Array<'a, KnownBroker<'a>>,
    /// The cluster (v2+).
    pub cluster_id: Option<&'a str>,
    /// Who to send administration to (v1+), or -1.
    pub controller: BrokerId,
    /// The topics.
    pub topics: Array<'a, KnownTopic<'a>>,
    /// What we may do with the cluster (v8 to v10).
    pub cluster_authorized_operations: i32,
    /// The error of the whole (v13+).
    pub error: ErrorCode,
}

/// A broker.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct KnownBroker<'a>(pub NodeEndpoint<'a>);

/// A topic.
#[derive(Clone, Copy, PartialEq, Debug)]
pub struct KnownTopic<'a> {
    /// All but its partitions.
    pub topic: MetadataTopic<'a>,
    /// Its partitions.
    pub partitions: Array<'a, KnownPartition<'a>>,
}

/// A partition: [`crate::wire::metadata::MetadataPartition`], as it was read.
#[derive(Clone, Copy, PartialEq, Debug)]
pub struct KnownPartition<'a> {
    /// What is wrong with it, if anything.
    pub error: ErrorCode,
    /// Which.
    pub index: PartitionIndex,
    /// Who leads it, or -1.
    pub leader: BrokerId,
    /// In which epoch (v7+), or -1.
    pub leader_epoch: LeaderEpoch,
    /// Who has it.
    pub replicas: Array<'a, BrokerId>,
    /// Who of them is in sync.
    pub in_sync_replicas: Array<'a, BrokerId>,
    /// Who of them is not there (v5+).
    pub offline_replicas: Array<'a, BrokerId>,
}

impl<'a> MetadataResponse<'a> {
    /// Reads the body. `body` is the cursor that the header left behind.
    pub fn decode(body: Cursor<'a>, version: i16) -> Result<Self, WireError> {
        if !API.has_version(version) {
            return Err(body.error(Fault::UnknownVersion { version }));
        }
        let mut cursor = body.flexible(API.is_flexible(version));
        let read = Self {
            throttle_time_ms: if version >= 3 { cursor.i32()? } else { 0 },
            brokers: Array::read(&mut cursor, version)?,
            cluster_id: if version >= 2 { cursor.nullable_string()? } else { None },
            controller: BrokerId(if version >= 1 { cursor.i32()? } else { -1 }),
            topics: Array::read(&mut cursor, version)?,
            cluster_authorized_operations: if (8..=10).contains(&version) {
                cursor.i32()?
            } else {
                OPERATIONS_NOT_ASKED
            },
            error: if version >= 13 { cursor.error_code()? } else { ErrorCode::None },
        };
        cursor.skip_tags()?;
        Ok(read)
    }
}

impl<'a> Element<'a> for KnownBroker<'a> {
    const BYTES_MIN: usize = 10;

    fn read(cursor: &mut Cursor<'a>, version: i16) -> Result<Self, WireError> {
        let read = NodeEndpoint {
            node: BrokerId(cursor.i32()?),
            host: cursor.string()?,
            port: cursor.i32()?,
            rack: if version >= 1 { cursor.nullable_string()? } else { None },
        };
        cursor.skip_tags()?;
        Ok(Self(read))
    }
}

impl<'a> Element<'a> for KnownTopic<'a> {
    const BYTES_MIN: usize = 8;

    fn read(cursor: &mut Cursor<'a>, version: i16) -> Result<Self, WireError> {
        let error = cursor.error_code()?;
        let name = if version >= 12 { cursor.nullable_string()? } else { Some(cursor.string()?) };
        let id = if version >= 10 { cursor.uuid()? } else { TopicId::ZERO };
        let is_internal = version >= 1 && cursor.bool()?;
        let partitions = Array::read(cursor, version)?;
        let authorized_operations = if version >= 8 { cursor.i32()? } else { OPERATIONS_NOT_ASKED };
        cursor.skip_tags()?;
        Ok(Self { topic: MetadataTopic { error, name, id, is_internal, authorized_operations }, partitions })
    }
}

impl<'a> Element<'a> for KnownPartition<'a> {
    const BYTES_MIN: usize = 17;

    fn read(cursor: &mut Cursor<'a>, version: i16) -> Result<Self, WireError> {
        let read = Self {
            error: cursor.error_code()?,
            index: PartitionIndex(cursor.i32()?),
            leader: BrokerId(cursor.i32()?),
            leader_epoch: if version >= 7 { LeaderEpoch(cursor.i32()?) } else { LeaderEpoch::NONE },
            replicas: Array::read(cursor, version)?,
            in_sync_replicas: Array::read(cursor, version)?,
            offline_replicas: if version >= 5 { Array::read(cursor, version)? } else { Array::empty() },
        };
        cursor.skip_tags()?;
        Ok(read)
    }
}
