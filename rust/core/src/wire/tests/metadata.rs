use super::*;
use crate::ids::{LeaderEpoch, PartitionIndex};
use crate::wire::client::Call;
use crate::wire::client::metadata::{KnownPartition, MetadataQuestion, MetadataResponse, encode_request};
use crate::wire::metadata::{
    API, MetadataPartition, MetadataRequest, MetadataRequestTopic, MetadataResponseWriter, MetadataTopic,
    OPERATIONS_NOT_ASKED, encode_brokers, encode_topic,
};

#[derive(Clone, PartialEq, Debug)]
pub(super) struct Request {
    topics: Option<Vec<(TopicId, Option<String>)>>,
    allow_auto_topic_creation: bool,
    cluster_operations: bool,
    topic_operations: bool,
}

impl Message for Request {
    const NAME: &'static str = "MetadataRequest";
    const API: &'static Api = API;

    fn any(version: i16) -> BoxedStrategy<Self> {
        let name = if version >= 10 { nullable(text()) } else { text().prop_map(Some).boxed() };
        let topic = (since(version >= 10, uuid(), TopicId::ZERO), name);
        // In v0 there is no empty list of topics: it asks for all.
        let topics = nullable(vec(topic, usize::from(version == 0)..4));
        (
            topics,
            since(version >= 4, any::<bool>(), true),
            since((8..=10).contains(&version), any::<bool>(), false),
            since(version >= 8, any::<bool>(), false),
        )
            .prop_map(|(topics, allow_auto_topic_creation, cluster_operations, topic_operations)| Self {
                topics,
                allow_auto_topic_creation,
                cluster_operations,
                topic_operations,
            })
            .boxed()
    }

    fn golden(version: i16, kind: Kind) -> Self {
        if kind == Kind::Least {
            return Self {
                topics: None,
                allow_auto_topic_creation: true,
                cluster_operations: false,
                topic_operations: false,
            };
        }
        let count = if kind == Kind::Many { 200 } else { 2 };
        let mut topics: Vec<_> = (0..count).map(|index| (TopicId::ZERO, Some(format!("topic-{index}")))).collect();
        if version >= 10 {
            topics.push((ID_A, None));
        }
        Self {
            topics: Some(topics),
            allow_auto_topic_creation: version < 4,
            cluster_operations: (8..=10).contains(&version),
            topic_operations: version >= 8,
        }
    }

    fn encode(&self, version: i16, client_id: Option<&str>) -> Vec<u8> {
        let topics: Option<Vec<_>> = self.topics.as_ref().map(|topics| {
            topics.iter().map(|(id, name)| MetadataRequestTopic { id: *id, name: name.as_deref() }).collect()
        });
        let question = MetadataQuestion {
            topics: topics.as_deref(),
            allow_auto_topic_creation: self.allow_auto_topic_creation,
            include_cluster_authorized_operations: self.cluster_operations,
            include_topic_authorized_operations: self.topic_operations,
        };
        let mut out = Vec::new();
        encode_request(&mut out, &Call { version, correlation_id: CORRELATION, client_id }, &question);
        out
    }

    fn decode(frame: &[u8], version: i16) -> Result<Self, WireError> {
        let request = MetadataRequest::decode(request_body(frame, API, version)?, version)?;
        let own = |topic: MetadataRequestTopic<'_>| (topic.id, topic.name.map(Into::into));
        Ok(Self {
            topics: request.topics.map(|topics| topics.iter().map(own).collect()),
            allow_auto_topic_creation: request.allow_auto_topic_creation,
            cluster_operations: request.include_cluster_authorized_operations,
            topic_operations: request.include_topic_authorized_operations,
        })
    }
}

#[derive(Clone, PartialEq, Debug)]
struct Partition {
    error: ErrorCode,
    index: i32,
    leader: i32,
    leader_epoch: i32,
    /// Replicas, in sync, offline.
    brokers: [Vec<BrokerId>; 3],
}

#[derive(Clone, PartialEq, Debug)]
struct KnownTopic {
    error: ErrorCode,
    name: Option<String>,
    id: TopicId,
    is_internal: bool,
    partitions: Vec<Partition>,
    operations: i32,
}

#[derive(Clone, PartialEq, Debug)]
pub(super) struct Response {
    throttle_time_ms: i32,
    brokers: Vec<Endpoint>,
    cluster_id: Option<String>,
    controller: i32,
    topics: Vec<KnownTopic>,
    cluster_operations: i32,
    error: ErrorCode,
}

impl Partition {
    fn any(version: i16) -> BoxedStrategy<Self> {
        let brokers = || vec(any::<i32>().prop_map(BrokerId), 0..4);
        (
            any_code(),
            any::<(i32, i32)>(),
            since(version >= 7, any::<i32>(), -1),
            (brokers(), brokers(), since(version >= 5, brokers(), Vec::new())),
        )
            .prop_map(|(error, (index, leader), leader_epoch, (replicas, in_sync, offline))| Self {
                error,
                index,
                leader,
                leader_epoch,
                brokers: [replicas, in_sync, offline],
            })
            .boxed()
    }

    fn borrow(&self) -> MetadataPartition<'_> {
        let [replicas, in_sync_replicas, offline_replicas] = &self.brokers;
        MetadataPartition {
            error: self.error,
            index: PartitionIndex(self.index),
            leader: BrokerId(self.leader),
            leader_epoch: LeaderEpoch(self.leader_epoch),
            replicas,
            in_sync_replicas,
            offline_replicas,
        }
    }
}

impl From<KnownPartition<'_>> for Partition {
    fn from(partition: KnownPartition<'_>) -> Self {
        let brokers = [partition.replicas, partition.in_sync_replicas, partition.offline_replicas];
        Self {
            error: partition.error,
            index: partition.index.0,
            leader: partition.leader.0,
            leader_epoch: partition.leader_epoch.0,
            brokers: brokers.map(|brokers| brokers.iter().collect()),
        }
    }
}

impl KnownTopic {
    fn any(version: i16) -> BoxedStrategy<Self> {
        let name = if version >= 12 { nullable(text()) } else { text().prop_map(Some).boxed() };
        (
            any_code(),
            name,
            since(version >= 10, uuid(), TopicId::ZERO),
            since(version >= 1, any::<bool>(), false),
            vec(Partition::any(version), 0..4),
            since(version >= 8, any::<i32>(), OPERATIONS_NOT_ASKED),
        )
            .prop_map(|(error, name, id, is_internal, partitions, operations)| Self {
                error,
                name,
                id,
                is_internal,
                partitions,
                operations,
            })
            .boxed()
    }
}

impl Message for Response {
    const NAME: &'static str = "MetadataResponse";
    const API: &'static Api = API;

    fn any(version: i16) -> BoxedStrategy<Self> {
        let rack = since(version >= 1, nullable(text()), None);
        (
            since(version >= 3, any::<i32>(), 0),
            vec((any::<i32>(), text(), any::<i32>(), rack), 0..3),
            since(version >= 2, nullable(text()), None),
            since(version >= 1, any::<i32>(), -1),
            vec(KnownTopic::any(version), 0..4),
            since((8..=10).contains(&version), any::<i32>(), OPERATIONS_NOT_ASKED),
            since(version >= 13, any_code(), ErrorCode::None),
        )
            .prop_map(|(throttle_time_ms, brokers, cluster_id, controller, topics, cluster_operations, error)| Self {
                throttle_time_ms,
                brokers,
                cluster_id,
                controller,
                topics,
                cluster_operations,
                error,
            })
            .boxed()
    }

    fn golden(version: i16, kind: Kind) -> Self {
        let mut response = Self {
            throttle_time_ms: 0,
            brokers: Vec::new(),
            cluster_id: None,
            controller: -1,
            topics: Vec::new(),
            cluster_operations: OPERATIONS_NOT_ASKED,
            error: ErrorCode::None,
        };
        if kind == Kind::Least {
            return response;
        }
        response.throttle_time_ms = if version >= 3 { 250 } else { 0 };
        let rack = Some("rack-2".to_owned()).filter(|_| version >= 1);
        response.brokers = vec![(1, "host-1".into(), 9092, None), (2, "host-2".into(), 9093, rack)];
        response.cluster_id = Some("cluster-1".to_owned()).filter(|_| version >= 2);
        response.controller = if version >= 1 { 2 } else { -1 };
        response.cluster_operations = if (8..=10).contains(&version) { 3400 } else { OPERATIONS_NOT_ASKED };
        response.error = if version >= 13 { ErrorCode::RebootstrapRequired } else { ErrorCode::None };
        let partition = |index: i32| Partition {
            error: if index == 1 { ErrorCode::LeaderNotAvailable } else { ErrorCode::None },
            index,
            leader: 1,
            leader_epoch: if version >= 7 { 100 + index } else { -1 },
            brokers: [
                vec![BrokerId(1), BrokerId(2)],
                vec![BrokerId(1)],
                if version >= 5 { vec![BrokerId(2)] } else { Vec::new() },
            ],
        };
        let missing = |error, name: Option<&str>, id| KnownTopic {
            error,
            name: name.map(Into::into),
            id,
            is_internal: false,
            partitions: Vec::new(),
            operations: OPERATIONS_NOT_ASKED,
        };
        let alpha = KnownTopic {
            id: if version >= 10 { ID_A } else { TopicId::ZERO },
            is_internal: version >= 1,
            partitions: (0..if kind == Kind::Many { 200 } else { 2 }).map(partition).collect(),
            operations: if version >= 8 { 264 } else { OPERATIONS_NOT_ASKED },
            ..missing(ErrorCode::None, Some("alpha"), TopicId::ZERO)
        };
        response.topics = vec![alpha, missing(ErrorCode::UnknownTopicOrPartition, Some("beta"), TopicId::ZERO)];
        if version >= 12 {
            response.topics.push(missing(ErrorCode::UnknownTopicId, None, ID_B));
        }
        response
    }

    fn encode(&self, version: i16, _client_id: Option<&str>) -> Vec<u8> {
        let mut brokers = Vec::new();
        encode_brokers(&mut brokers, version, borrow_endpoints(&self.brokers).into_iter());
        let mut out = Vec::new();
        let mut writer = MetadataResponseWriter::with_brokers(
            &mut out,
            CORRELATION,
            version,
            self.throttle_time_ms,
            &brokers,
            self.cluster_id.as_deref(),
            BrokerId(self.controller),
        );
        for (place, known) in self.topics.iter().enumerate() {
            let topic = MetadataTopic {
                error: known.error,
                name: known.name.as_deref(),
                id: known.id,
                is_internal: known.is_internal,
                authorized_operations: known.operations,
            };
            let partitions = known.partitions.iter().map(Partition::borrow);
            // Both ways give the same.
            if place % 2 == 0 {
                writer.topic(&topic, partitions);
            } else {
                let mut fragment = Vec::new();
                encode_topic(&mut fragment, version, &topic, partitions);
                writer.fragment(&fragment);
            }
        }
        writer.finish(self.cluster_operations, self.error);
        out
    }

    fn decode(frame: &[u8], version: i16) -> Result<Self, WireError> {
        let response = MetadataResponse::decode(response_body(frame, API, version)?, version)?;
        let topics = response.topics.iter().map(|known| KnownTopic {
            error: known.topic.error,
            name: known.topic.name.map(Into::into),
            id: known.topic.id,
            is_internal: known.topic.is_internal,
            partitions: known.partitions.iter().map(Into::into).collect(),
            operations: known.topic.authorized_operations,
        });
        Ok(Self {
            throttle_time_ms: response.throttle_time_ms,
            brokers: response.brokers.iter().map(|broker| own_endpoint(broker.0)).collect(),
            cluster_id: response.cluster_id.map(Into::into),
            controller: response.controller.0,
            topics: topics.collect(),
            cluster_operations: response.cluster_authorized_operations,
            error: response.error,
        })
    }
}
