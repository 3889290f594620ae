//! Answers Metadata (3) from the View. A name that is unknown and may be created goes up, with the whole request.
//!
//! Kafka classes `KafkaApis.handleTopicMetadataRequest`, `KRaftMetadataCache`.

use std::collections::HashSet;

use crate::error::ErrorCode;
use crate::ids::{BrokerId, PartitionIndex, TopicId};
use crate::plane::incoming::{Handled, Incoming, malformed};
use crate::plane::link::Close;
use crate::plane::mailbox::ConnectionContext;
use crate::plane::output::Output;
use crate::plane::services::Services;
use crate::plane::view::{BrokerView, PartitionView, TopicView, View};
use crate::wire::Array;
use crate::wire::NodeEndpoint;
use crate::wire::metadata::{
    MetadataPartition, MetadataRequest, MetadataRequestTopic, MetadataResponseWriter, MetadataTopic,
    OPERATIONS_NOT_ASKED, encode_brokers,
};

/// The topics of the coordinators (Kafka class `Topic`).
const INTERNAL_TOPICS: [&str; 3] = ["__consumer_offsets", "__transaction_state", "__share_group_state"];

/// Longest name of a topic.
const NAME_BYTES_MAX: usize = 249;
/// All operations on a topic: Read, Write, Create, Delete, Alter, Describe, `DescribeConfigs`, `AlterConfigs` (`AclOperation`).
const TOPIC_OPERATIONS: i32 = 1 << 3 | 1 << 4 | 1 << 5 | 1 << 6 | 1 << 7 | 1 << 8 | 1 << 10 | 1 << 11;
/// All operations on the cluster: Create, Alter, Describe, `ClusterAction`, `DescribeConfigs`, `AlterConfigs`, `IdempotentWrite`.
const CLUSTER_OPERATIONS: i32 = 1 << 5 | 1 << 7 | 1 << 8 | 1 << 9 | 1 << 10 | 1 << 11 | 1 << 12;

/// Whether a topic may have this name (Kafka class `Topic`).
#[must_use]
pub fn is_topic_name(name: &str) -> bool {
    let legal = |byte: u8| byte.is_ascii_alphanumeric() || matches!(byte, b'.' | b'_' | b'-');
    !name.is_empty() && name.len() <= NAME_BYTES_MAX && name != "." && name != ".." && name.bytes().all(legal)
}

/// Where `broker` is reached by who came in by `context`'s listener.
#[must_use]
pub fn endpoint<'a>(broker: &'a BrokerView, context: &'a ConnectionContext) -> Option<NodeEndpoint<'a>> {
    let found = broker.endpoints.iter().find(|endpoint| endpoint.listener == context.listener)?;
    let (host, port) =
        if found.host.is_empty() { (&*context.local_host, context.local_port) } else { (&*found.host, found.port) };
    Some(NodeEndpoint { node: broker.id, host, port: i32::from(port), rack: broker.rack.as_deref() })
}

/// Answers.
pub fn handle(incoming: &Incoming<'_>, services: &Services, output: &mut Output) -> Result<Handled, Close> {
    let version = incoming.header.api_version;
    let request = MetadataRequest::decode(incoming.body, version).map_err(|error| malformed(incoming, &error))?;
    let view = services.view.load();
    if view.cluster.brokers.is_empty() && !view.cluster.cluster_id.is_empty() {
        // The last broker stops. Kafka closes its sockets about then: clients keep the addresses they know, where an
        // answer without any would take the last one from some of them (librdkafka).
        return Err(Close("the last broker of the cluster stops".to_owned()));
    }
    if may_create(&request, &view) {
        return incoming.pass_up(services);
    }
    // Ids and null names came with v12; v10 and v11 had the fields but did not work (KAFKA-12803).
    if let Some(asked) = request.topics.filter(|_| (10..12).contains(&version))
        && asked.iter().any(|topic| topic.id != TopicId::ZERO || topic.name.is_none())
    {
        refuse(incoming, asked, output);
        return Ok(Handled::Answered);
    }
    let context = &*incoming.link.context;
    let reached: Vec<NodeEndpoint<'_>> =
        view.cluster.brokers.iter().filter_map(|broker| endpoint(broker, context)).collect();
    let mut brokers = Vec::with_capacity(64);
    encode_brokers(&mut brokers, version, reached.iter().copied());
    let mut writer = MetadataResponseWriter::with_brokers(
        &mut output.bytes,
        incoming.header.correlation_id,
        version,
        0,
        &brokers,
        Some(&view.cluster.cluster_id),
        view.cluster.controller_id,
    );
    let topics = Topics { view: &view, reached: &reached, version, operations: topic_operations(&request) };
    match request.topics {
        None => view.topics().for_each(|topic| topics.write(&mut writer, topic)),
        Some(asked) => {
            let by_id = asked.iter().any(|topic| topic.id != TopicId::ZERO);
            let mut seen = HashSet::new();
            for topic in asked {
                // Where there are ids, names alone are not looked at.
                if by_id && topic.id == TopicId::ZERO {
                    continue;
                }
                if asked.len() > 1 && !seen.insert((topic.id, topic.name)) {
                    continue;
                }
                if by_id {
                    match view.topic_by_id(topic.id) {
                        Some(known) => topics.write(&mut writer, known),
                        None => failed(&mut writer, ErrorCode::UnknownTopicId, None, topic.id),
                    }
                } else {
                    let name = topic.name.unwrap_or_default();
                    match view.topic(name) {
                        Some(known) => topics.write(&mut writer, known),
                        None => topics.write_unknown(&mut writer, name),
                    }
                }
            }
        }
    }
    let cluster_operations =
        if request.include_cluster_authorized_operations { CLUSTER_OPERATIONS } else { OPERATIONS_NOT_ASKED };
    writer.finish(cluster_operations, ErrorCode::None);
    Ok(Handled::Answered)
}

fn topic_operations(request: &MetadataRequest<'_>) -> i32 {
    if request.include_topic_authorized_operations { TOPIC_OPERATIONS } else { OPERATIONS_NOT_ASKED }
}

/// Whether the request names a topic that does not exist and that asking for may create.
fn may_create(request: &MetadataRequest<'_>, view: &View) -> bool {
    let Some(topics) = request.topics else { return false };
    view.cluster.auto_create_topics
        && request.allow_auto_topic_creation
        && topics.iter().all(|topic| topic.id == TopicId::ZERO)
        && topics.iter().filter_map(|topic| topic.name).any(|name| is_topic_name(name) && view.topic(name).is_none())
}

/// Answers that the request as a whole is wrong: nothing but its topics.
fn refuse(incoming: &Incoming<'_>, asked: Array<'_, MetadataRequestTopic<'_>>, output: &mut Output) {
    let (version, correlation_id) = (incoming.header.api_version, incoming.header.correlation_id);
    let mut brokers = Vec::new();
    encode_brokers(&mut brokers, version, std::iter::empty());
    let mut writer = MetadataResponseWriter::with_brokers(
        &mut output.bytes,
        correlation_id,
        version,
        0,
        &brokers,
        None,
        BrokerId(-1),
    );
    for topic in asked {
        failed(&mut writer, ErrorCode::InvalidRequest, topic.name.or(Some("")), topic.id);
    }
    writer.finish(OPERATIONS_NOT_ASKED, ErrorCode::None);
}

fn failed(writer: &mut MetadataResponseWriter<'_>, error: ErrorCode, name: Option<&str>, id: TopicId) {
    let topic = MetadataTopic { error, name, id, is_internal: false, authorized_operations: OPERATIONS_NOT_ASKED };
    writer.topic(&topic, std::iter::empty());
}

struct Topics<'a> {
    view: &'a View,
    reached: &'a [NodeEndpoint<'a>],
    version: i16,
    operations: i32,
}

impl Topics<'_> {
    fn write(&self, writer: &mut MetadataResponseWriter<'_>, topic: &TopicView) {
        let header = MetadataTopic {
            error: ErrorCode::None,
            name: Some(&topic.name),
            id: topic.id,
            is_internal: topic.internal,
            authorized_operations: self.operations,
        };
        if self.version == 0 {
            // v0 hides replicas that are not alive: lists of their own are needed.
            let alive: Vec<_> = topic.partitions.iter().map(|partition| self.alive(partition)).collect();
            let partitions =
                alive.iter().enumerate().map(|(index, (error, leader, replicas, isr))| MetadataPartition {
                    error: *error,
                    index: PartitionIndex(index as i32),
                    leader: *leader,
                    leader_epoch: topic.partitions[index].leader_epoch,
                    replicas,
                    in_sync_replicas: isr,
                    offline_replicas: &[],
                });
            writer.topic(&header, partitions);
            return;
        }
        let partitions = topic.partitions.iter().enumerate().map(|(index, partition)| {
            let (error, leader) = self.leader(partition);
            MetadataPartition {
                error,
                index: PartitionIndex(index as i32),
                leader,
                leader_epoch: partition.leader_epoch,
                replicas: &partition.replicas,
                in_sync_replicas: &partition.isr,
                offline_replicas: &partition.offline,
            }
        });
        writer.topic(&header, partitions);
    }

    fn write_unknown(&self, writer: &mut MetadataResponseWriter<'_>, name: &str) {
        let legal = is_topic_name(name);
        let topic = MetadataTopic {
            error: if legal { ErrorCode::UnknownTopicOrPartition } else { ErrorCode::InvalidTopicException },
            name: Some(name),
            id: TopicId::ZERO,
            is_internal: INTERNAL_TOPICS.contains(&name),
            authorized_operations: self.operations,
        };
        writer.topic(&topic, std::iter::empty());
    }

    fn is_reached(&self, broker: BrokerId) -> bool {
        self.reached.iter().any(|endpoint| endpoint.node == broker)
    }

    fn leader(&self, partition: &PartitionView) -> (ErrorCode, BrokerId) {
        if self.is_reached(partition.leader) {
            return (ErrorCode::None, partition.leader);
        }
        let alive = self.view.cluster.brokers.iter().any(|broker| broker.id == partition.leader);
        let listener_missing = alive && self.version >= 6;
        (if listener_missing { ErrorCode::ListenerNotFound } else { ErrorCode::LeaderNotAvailable }, BrokerId(-1))
    }

    fn alive(&self, partition: &PartitionView) -> (ErrorCode, BrokerId, Vec<BrokerId>, Vec<BrokerId>) {
        let only_reached = |brokers: &[BrokerId]| -> Vec<BrokerId> {
            brokers.iter().copied().filter(|id| self.is_reached(*id)).collect()
        };
        let (replicas, isr) = (only_reached(&partition.replicas), only_reached(&partition.isr));
        let (error, leader) = self.leader(partition);
        let hidden = replicas.len() < partition.replicas.len() || isr.len() < partition.isr.len();
        let error = if error.is_none() && hidden { ErrorCode::ReplicaNotAvailable } else { error };
        (error, leader, replicas, isr)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_of_topics() {
        for name in ["a", "a.b_c-D9", &"x".repeat(249)] {
            assert!(is_topic_name(name), "{name}");
        }
        for name in ["", ".", "..", "a b", "ä", "a/b", &"x".repeat(250)] {
            assert!(!is_topic_name(name), "{name}");
        }
    }
}
