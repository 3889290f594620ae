//! Metadata (3): which topics and brokers are there, and who leads which partition?
//!
//! v0 an empty list asks for all topics · v1 null does, racks, controller, internal flag · v2 cluster id · v4 whether to
//! create what is missing · v5 offline replicas · v7 leader epoch · v8 authorised operations · v9 flexible · v10 topic ids in the
//! answer · v11 no cluster operations · v12 asked by topic id · v13 error of the whole (KIP-1102)
//!
//! A topic is encoded by itself, so that its bytes can be kept per (state of the topic, version) and sent again.

use super::common::NodeEndpoint;
use super::cursor::{Array, Cursor, Element, Fault, WireError};
use super::header::{APIS, Api, begin_response};
use super::writer::{OpenArray, Writer};
use crate::error::ErrorCode;
use crate::ids::{BrokerId, LeaderEpoch, PartitionIndex, TopicId};

pub(super) const API: &Api = &APIS[3];

/// What the fields of authorised operations say when they were not asked for.
pub const OPERATIONS_NOT_ASKED: i32 = i32::MIN;

/// A request, checked to its end.
#[derive(Clone, Copy, PartialEq, Debug)]
#[allow(clippy::struct_excessive_bools)] // three flags of the protocol
pub struct MetadataRequest<'a> {
    /// The topics asked for; none asks for all. (In v0 an empty list does: here it is none, too.)
    pub topics: Option<Array<'a, MetadataRequestTopic<'a>>>,
    /// Whether missing topics may be created (v4+); before, always.
    pub allow_auto_topic_creation: bool,
    /// Whether to tell what the asker may do with the cluster (v8 to v10).
    pub include_cluster_authorized_operations: bool,
    /// Whether to tell what the asker may do with each topic (v8+).
    pub include_topic_authorized_operations: bool,
}

/// A topic that is asked for.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct MetadataRequestTopic<'a> {
    /// Its id (v10+), or zero. Only from v12 on may it be used.
    pub id: TopicId,
    /// Its name; none (v10+) when asked for by id.
    pub name: Option<&'a str>,
}

impl<'a> MetadataRequest<'a> {
    /// Reads the body. `body` is the cursor that the header left behind.
    pub fn decode(body: Cursor<'a>, version: i16) -> Result<Self, WireError> {
        if !API.has_version(version) {
            return Err(body.error(Fault::UnknownVersion { version }));
        }
        let mut cursor = body.flexible(API.is_flexible(version));
        let topics = match version {
            0 => Some(Array::read(&mut cursor, version)?).filter(|topics| !topics.is_empty()),
            _ => Array::read_nullable(&mut cursor, version)?,
        };
        let request = Self {
            topics,
            allow_auto_topic_creation: version < 4 || cursor.bool()?,
            include_cluster_authorized_operations: (8..=10).contains(&version) && cursor.bool()?,
            include_topic_authorized_operations: version >= 8 && cursor.bool()?,
        };
        cursor.skip_tags()?;
        Ok(request)
    }
}

impl<'a> Element<'a> for MetadataRequestTopic<'a> {
    const BYTES_MIN: usize = 2;

    fn read(cursor: &mut Cursor<'a>, version: i16) -> Result<Self, WireError> {
        let read = if version >= 10 {
            Self { id: cursor.uuid()?, name: cursor.nullable_string()? }
        } else {
            Self { id: TopicId::ZERO, name: Some(cursor.string()?) }
        };
        cursor.skip_tags()?;
        Ok(read)
    }
}

/// A topic in the answer, without its partitions.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct MetadataTopic<'a> {
    /// What went wrong, if anything.
    pub error: ErrorCode,
    /// Its name; none for an id that is not known. Only v12 and above can say so.
    pub name: Option<&'a str>,
    /// Its id (v10+); zero for a name that is not known.
    pub id: TopicId,
    /// Whether it is one of Kafka's own (v1+).
    pub is_internal: bool,
    /// What the asker may do (v8+), or [`OPERATIONS_NOT_ASKED`].
    pub authorized_operations: i32,
}

/// A partition in the answer.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct MetadataPartition<'a> {
    /// What is wrong with it, if anything.
    pub error: ErrorCode,
    /// Which.
    pub index: PartitionIndex,
    /// Who leads it, or -1.
    pub leader: BrokerId,
    /// In which epoch (v7+).
    pub leader_epoch: LeaderEpoch,
    /// Who has it, the preferred leader first.
    pub replicas: &'a [BrokerId],
    /// Who of them is in sync.
    pub in_sync_replicas: &'a [BrokerId],
    /// Who of them is not there (v5+).
    pub offline_replicas: &'a [BrokerId],
}

/// Encodes one topic of the answer in `version`, behind what `out` holds: what [`MetadataResponseWriter::fragment`] takes.
pub fn encode_topic<'p>(
    out: &mut Vec<u8>,
    version: i16,
    topic: &MetadataTopic<'_>,
    partitions: impl ExactSizeIterator<Item = MetadataPartition<'p>>,
) {
    write_topic(&mut Writer::bare(out, API.is_flexible(version)), version, topic, partitions);
}

fn write_topic<'p>(
    writer: &mut Writer<'_>,
    version: i16,
    topic: &MetadataTopic<'_>,
    partitions: impl ExactSizeIterator<Item = MetadataPartition<'p>>,
) {
    debug_assert!(version >= 12 || topic.name.is_some(), "a topic without a name, before v12");
    writer.error(topic.error);
    writer.nullable_string(topic.name.or(if version >= 12 { None } else { Some("") }));
    if version >= 10 {
        writer.uuid(topic.id);
    }
    if version >= 1 {
        writer.bool(topic.is_internal);
    }
    writer.length(Some(partitions.len()));
    for partition in partitions {
        write_partition(writer, version, &partition);
    }
    if version >= 8 {
        writer.i32(topic.authorized_operations);
    }
    writer.no_tags();
}

fn write_partition(writer: &mut Writer<'_>, version: i16, partition: &MetadataPartition<'_>) {
    writer.error(partition.error);
    writer.i32(partition.index.0);
    writer.i32(partition.leader.0);
    if version >= 7 {
        writer.i32(partition.leader_epoch.0);
    }
    writer.brokers(partition.replicas);
    writer.brokers(partition.in_sync_replicas);
    if version >= 5 {
        writer.brokers(partition.offline_replicas);
    }
    writer.no_tags();
}

/// Encodes the list of brokers in `version`, behind what `out` holds: what [`MetadataResponseWriter::with_brokers`] takes.
pub fn encode_brokers<'b>(out: &mut Vec<u8>, version: i16, brokers: impl ExactSizeIterator<Item = NodeEndpoint<'b>>) {
    let mut writer = Writer::bare(out, API.is_flexible(version));
    writer.length(Some(brokers.len()));
    for broker in brokers {
        writer.i32(broker.node.0);
        writer.string(broker.host);
        writer.i32(broker.port);
        if version >= 1 {
            writer.nullable_string(broker.rack);
        }
        writer.no_tags();
    }
}

/// Writes the answer: brokers first, then each topic by [`MetadataResponseWriter::topic`] or, encoded before, by
/// [`MetadataResponseWriter::fragment`]; at last [`MetadataResponseWriter::finish`].
#[derive(Debug)]
pub struct MetadataResponseWriter<'o> {
    writer: Writer<'o>,
    version: i16,
    topics: OpenArray,
    topic_count: usize,
}

impl<'o> MetadataResponseWriter<'o> {
    /// Begins a frame behind what `out` holds. `brokers` was encoded by [`encode_brokers`] in the same version. The
    /// pause that the client is asked for (v3+) is in milliseconds.
    pub fn with_brokers(
        out: &'o mut Vec<u8>,
        correlation_id: i32,
        version: i16,
        throttle_time_ms: i32,
        brokers: &[u8],
        cluster_id: Option<&str>,
        controller: BrokerId,
    ) -> Self {
        let mut writer = begin_response(out, API, version, correlation_id);
        if version >= 3 {
            writer.i32(throttle_time_ms);
        }
        writer.raw(brokers);
        if version >= 2 {
            writer.nullable_string(cluster_id);
        }
        if version >= 1 {
            writer.i32(controller.0);
        }
        let topics = writer.begin_array();
        Self { writer, version, topics, topic_count: 0 }
    }

    /// The next topic.
    pub fn topic<'p>(
        &mut self,
        topic: &MetadataTopic<'_>,
        partitions: impl ExactSizeIterator<Item = MetadataPartition<'p>>,
    ) {
        write_topic(&mut self.writer, self.version, topic, partitions);
        self.topic_count += 1;
    }

    /// The next topic, encoded by [`encode_topic`] in the same version.
    pub fn fragment(&mut self, topic: &[u8]) {
        self.writer.raw(topic);
        self.topic_count += 1;
    }

    /// Ends the frame: what the asker may do with the cluster (v8 to v10), or [`OPERATIONS_NOT_ASKED`], and the error of
    /// the whole (v13+).
    pub fn finish(mut self, cluster_authorized_operations: i32, error: ErrorCode) {
        self.writer.end_array(self.topics, self.topic_count);
        if (8..=10).contains(&self.version) {
            self.writer.i32(cluster_authorized_operations);
        }
        if self.version >= 13 {
            self.writer.error(error);
        }
        self.writer.no_tags();
        self.writer.end_frame(0);
    }
}
