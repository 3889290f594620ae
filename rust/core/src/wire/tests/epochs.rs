use super::*;
use crate::ids::{LeaderEpoch, Offset, PartitionIndex};
use crate::wire::client::Call;
use crate::wire::client::offset_for_leader_epoch::{OffsetForLeaderEpochResponse, encode_request};
use crate::wire::offset_for_leader_epoch::{
    API, EndOfEpoch, OffsetForLeaderEpochPartition, OffsetForLeaderEpochRequest, OffsetForLeaderEpochResponseWriter,
};

#[derive(Clone, PartialEq, Debug)]
pub(super) struct Request {
    replica_id: i32,
    topics: Vec<(String, Vec<OffsetForLeaderEpochPartition>)>,
}

impl Message for Request {
    const NAME: &'static str = "OffsetForLeaderEpochRequest";
    const API: &'static Api = API;

    fn any(version: i16) -> BoxedStrategy<Self> {
        let partition = any::<[i32; 3]>().prop_map(|[index, current, epoch]| OffsetForLeaderEpochPartition {
            index: PartitionIndex(index),
            current_leader_epoch: LeaderEpoch(current),
            leader_epoch: LeaderEpoch(epoch),
        });
        (since(version >= 3, any::<i32>(), -2), vec((text(), vec(partition, 0..4)), 0..4))
            .prop_map(|(replica_id, topics)| Self { replica_id, topics })
            .boxed()
    }

    fn golden(version: i16, kind: Kind) -> Self {
        if kind == Kind::Least {
            return Self { replica_id: -2, topics: Vec::new() };
        }
        let partition = |index: i32| OffsetForLeaderEpochPartition {
            index: PartitionIndex(index),
            current_leader_epoch: LeaderEpoch(100 + index),
            leader_epoch: LeaderEpoch(200 + index),
        };
        let count = if kind == Kind::Many { 200 } else { 2 };
        Self {
            replica_id: if version >= 3 { 4 } else { -2 },
            topics: vec![("alpha".into(), (0..count).map(partition).collect()), ("beta".into(), Vec::new())],
        }
    }

    fn encode(&self, version: i16, client_id: Option<&str>) -> Vec<u8> {
        let topics: Vec<_> = self.topics.iter().map(|(name, partitions)| (&**name, &**partitions)).collect();
        let mut out = Vec::new();
        let call = Call { version, correlation_id: CORRELATION, client_id };
        encode_request(&mut out, &call, BrokerId(self.replica_id), &topics);
        out
    }

    fn decode(frame: &[u8], version: i16) -> Result<Self, WireError> {
        let request = OffsetForLeaderEpochRequest::decode(request_body(frame, API, version)?, version)?;
        Ok(Self {
            replica_id: request.replica_id.0,
            topics: request.topics.iter().map(|topic| (topic.name.into(), topic.partitions.iter().collect())).collect(),
        })
    }
}

#[derive(Clone, PartialEq, Debug)]
pub(super) struct Response {
    throttle_time_ms: i32,
    topics: Vec<(String, Vec<EndOfEpoch>)>,
}

impl Message for Response {
    const NAME: &'static str = "OffsetForLeaderEpochResponse";
    const API: &'static Api = API;

    fn any(_version: i16) -> BoxedStrategy<Self> {
        let partition = (any::<(i32, i32, i64)>(), any_code()).prop_map(|((index, epoch, end), error)| EndOfEpoch {
            index: PartitionIndex(index),
            error,
            leader_epoch: LeaderEpoch(epoch),
            end_offset: Offset(end),
        });
        (any::<i32>(), vec((text(), vec(partition, 0..4)), 0..4))
            .prop_map(|(throttle_time_ms, topics)| Self { throttle_time_ms, topics })
            .boxed()
    }

    fn golden(_version: i16, kind: Kind) -> Self {
        if kind == Kind::Least {
            return Self { throttle_time_ms: 0, topics: Vec::new() };
        }
        let partition = |index: i32| EndOfEpoch {
            index: PartitionIndex(index),
            error: if index == 1 { ErrorCode::FencedLeaderEpoch } else { ErrorCode::None },
            leader_epoch: LeaderEpoch(200 + index),
            end_offset: Offset(3000 + i64::from(index)),
        };
        let count = if kind == Kind::Many { 200 } else { 2 };
        Self {
            throttle_time_ms: 250,
            topics: vec![("alpha".into(), (0..count).map(partition).collect()), ("beta".into(), Vec::new())],
        }
    }

    fn encode(&self, version: i16, _client_id: Option<&str>) -> Vec<u8> {
        let mut out = Vec::new();
        let mut writer = OffsetForLeaderEpochResponseWriter::new(&mut out, CORRELATION, version, self.throttle_time_ms);
        for (name, partitions) in &self.topics {
            writer.topic(name);
            for partition in partitions {
                writer.partition(partition);
            }
        }
        writer.finish();
        out
    }

    fn decode(frame: &[u8], version: i16) -> Result<Self, WireError> {
        let response = OffsetForLeaderEpochResponse::decode(response_body(frame, API, version)?, version)?;
        Ok(Self {
            throttle_time_ms: response.throttle_time_ms,
            topics: response
                .topics
                .iter()
                .map(|topic| (topic.name.into(), topic.partitions.iter().collect()))
                .collect(),
        })
    }
}
