use super::*;
use crate::ids::{LeaderEpoch, Offset, PartitionIndex};
use crate::wire::client::Call;
use crate::wire::client::offset_commit::{Commit, OffsetCommitResponse, encode_request};
use crate::wire::offset_commit::{API, OffsetCommitPartition, OffsetCommitRequest, TOPIC_IDS_FROM, encode_response};

#[derive(Clone, PartialEq, Debug)]
pub(super) struct Request {
    group_id: String,
    generation: i32,
    member_id: String,
    instance_id: Option<String>,
    retention_time_ms: i64,
    topics: Vec<(Topic, Vec<Partition>)>,
}

#[derive(Clone, PartialEq, Debug)]
struct Partition {
    index: i32,
    offset: i64,
    leader_epoch: i32,
    metadata: Option<String>,
}

impl Partition {
    fn borrow(&self) -> OffsetCommitPartition<'_> {
        OffsetCommitPartition {
            index: PartitionIndex(self.index),
            offset: Offset(self.offset),
            leader_epoch: LeaderEpoch(self.leader_epoch),
            metadata: self.metadata.as_deref(),
        }
    }
}

fn any_partition(version: i16) -> BoxedStrategy<Partition> {
    (any::<i32>(), any::<i64>(), since(version >= 6, any::<i32>(), -1), nullable(text()))
        .prop_map(|(index, offset, leader_epoch, metadata)| Partition { index, offset, leader_epoch, metadata })
        .boxed()
}

impl Message for Request {
    const NAME: &'static str = "OffsetCommitRequest";
    const API: &'static Api = API;

    fn any(version: i16) -> BoxedStrategy<Self> {
        let topic = (Topic::any(version >= TOPIC_IDS_FROM), vec(any_partition(version), 0..4));
        let instance = since(version >= 7, nullable(text()), None);
        let retention = since(version <= 4, any::<i64>(), -1);
        (text(), any::<i32>(), text(), instance, retention, vec(topic, 0..4))
            .prop_map(|(group_id, generation, member_id, instance_id, retention_time_ms, topics)| Self {
                group_id,
                generation,
                member_id,
                instance_id,
                retention_time_ms,
                topics,
            })
            .boxed()
    }

    fn golden(version: i16, kind: Kind) -> Self {
        if kind == Kind::Least {
            return Self {
                group_id: String::new(),
                generation: -1,
                member_id: String::new(),
                instance_id: None,
                retention_time_ms: -1,
                topics: Vec::new(),
            };
        }
        let [a, b] = Topic::golden(version >= TOPIC_IDS_FROM);
        let partition = |index, offset, metadata: Option<&str>| Partition {
            index,
            offset,
            leader_epoch: -1,
            metadata: metadata.map(Into::into),
        };
        let topics = if kind == Kind::Many {
            vec![(a, (0..200).map(|index| partition(index, 3000 + i64::from(index), Some("m"))).collect()), (b, vec![])]
        } else {
            let first =
                Partition { leader_epoch: if version >= 6 { 12 } else { -1 }, ..partition(0, 1001, Some("größe")) };
            vec![(a, vec![first, partition(7, i64::MAX, None)]), (b, vec![partition(3, -1, Some(""))])]
        };
        Self {
            group_id: "workers".into(),
            generation: 41,
            member_id: "member-1".into(),
            instance_id: Some("instance-1".into()).filter(|_| version >= 7),
            retention_time_ms: if version <= 4 { 86_400_000 } else { -1 },
            topics,
        }
    }

    fn encode(&self, version: i16, client_id: Option<&str>) -> Vec<u8> {
        let partitions: Vec<Vec<_>> =
            self.topics.iter().map(|(_, partitions)| partitions.iter().map(Partition::borrow).collect()).collect();
        let topics: Vec<_> =
            self.topics.iter().zip(&partitions).map(|((topic, _), list)| (topic.borrow(), &**list)).collect();
        let mut out = Vec::new();
        let commit = Commit {
            group_id: &self.group_id,
            generation_id_or_member_epoch: self.generation,
            member_id: &self.member_id,
            group_instance_id: self.instance_id.as_deref(),
            retention_time_ms: self.retention_time_ms,
            topics: &topics,
        };
        encode_request(&mut out, &Call { version, correlation_id: CORRELATION, client_id }, &commit);
        out
    }

    fn decode(frame: &[u8], version: i16) -> Result<Self, WireError> {
        let request = OffsetCommitRequest::decode(request_body(frame, API, version)?, version)?;
        let own = |partition: OffsetCommitPartition<'_>| Partition {
            index: partition.index.0,
            offset: partition.offset.0,
            leader_epoch: partition.leader_epoch.0,
            metadata: partition.metadata.map(Into::into),
        };
        let topics =
            request.topics.iter().map(|topic| (topic.topic.into(), topic.partitions.iter().map(own).collect()));
        Ok(Self {
            group_id: request.group_id.into(),
            generation: request.generation_id_or_member_epoch,
            member_id: request.member_id.into(),
            instance_id: request.group_instance_id.map(Into::into),
            retention_time_ms: request.retention_time_ms,
            topics: topics.collect(),
        })
    }
}

#[derive(Clone, PartialEq, Debug)]
pub(super) struct Response {
    throttle_time_ms: i32,
    topics: Vec<(Topic, Vec<(PartitionIndex, ErrorCode)>)>,
}

impl Message for Response {
    const NAME: &'static str = "OffsetCommitResponse";
    const API: &'static Api = API;

    fn any(version: i16) -> BoxedStrategy<Self> {
        let partition = (any::<i32>().prop_map(PartitionIndex), any_code());
        let topic = (Topic::any(version >= TOPIC_IDS_FROM), vec(partition, 0..4));
        (since(version >= 3, any::<i32>(), 0), vec(topic, 0..4))
            .prop_map(|(throttle_time_ms, topics)| Self { throttle_time_ms, topics })
            .boxed()
    }

    fn golden(version: i16, kind: Kind) -> Self {
        if kind == Kind::Least {
            return Self { throttle_time_ms: 0, topics: Vec::new() };
        }
        let [a, b] = Topic::golden(version >= TOPIC_IDS_FROM);
        let partition =
            |index| (PartitionIndex(index), if index == 1 { ErrorCode::RebalanceInProgress } else { ErrorCode::None });
        let count = if kind == Kind::Many { 200 } else { 2 };
        Self {
            throttle_time_ms: if version >= 3 { 250 } else { 0 },
            topics: vec![(a, (0..count).map(partition).collect()), (b, Vec::new())],
        }
    }

    fn encode(&self, version: i16, _client_id: Option<&str>) -> Vec<u8> {
        let mut out = Vec::new();
        let topics = self.topics.iter().map(|(topic, partitions)| (topic.borrow(), partitions.iter().copied()));
        encode_response(&mut out, CORRELATION, version, self.throttle_time_ms, topics);
        out
    }

    fn decode(frame: &[u8], version: i16) -> Result<Self, WireError> {
        let response = OffsetCommitResponse::decode(response_body(frame, API, version)?, version)?;
        let topics = response.topics.iter().map(|topic| {
            let partitions = topic.partitions.iter().map(|partition| (partition.index, partition.error));
            (topic.topic.into(), partitions.collect())
        });
        Ok(Self { throttle_time_ms: response.throttle_time_ms, topics: topics.collect() })
    }
}

#[test]
fn metadata_that_is_not_utf8_is_told_apart() {
    let mut request = Request::golden(10, Kind::Full);
    request.topics.truncate(1);
    let mut frame = request.encode(10, None);
    let at = frame.windows(2).rposition(|pair| pair == "ö".as_bytes()).unwrap();
    frame[at] = 0xff;
    assert_eq!(Request::decode(&frame[4..], 10).map_err(|error| error.what), Err(Fault::NotUtf8));
}
