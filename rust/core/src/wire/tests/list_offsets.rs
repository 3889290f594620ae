use super::*;
use crate::ids::{LeaderEpoch, Offset, PartitionIndex, TimestampMs};
use crate::wire::client::Call;
use crate::wire::client::list_offsets::{ListOffsetsResponse, encode_request};
use crate::wire::list_offsets::{
    API, ListOffsetsPartition, ListOffsetsRequest, ListOffsetsResponseWriter, ListedOffset,
};

#[derive(Clone, PartialEq, Debug)]
pub(super) struct Request {
    replica_id: i32,
    isolation_level: i8,
    topics: Vec<(String, Vec<ListOffsetsPartition>)>,
    timeout_ms: i32,
}

impl Message for Request {
    const NAME: &'static str = "ListOffsetsRequest";
    const API: &'static Api = API;

    fn any(version: i16) -> BoxedStrategy<Self> {
        let partition =
            (any::<(i32, i64)>(), since(version >= 4, any::<i32>(), -1)).prop_map(|((index, timestamp), epoch)| {
                ListOffsetsPartition {
                    index: PartitionIndex(index),
                    current_leader_epoch: LeaderEpoch(epoch),
                    timestamp,
                }
            });
        (
            any::<i32>(),
            since(version >= 2, any::<i8>(), 0),
            vec((text(), vec(partition, 0..4)), 0..4),
            since(version >= 10, any::<i32>(), 0),
        )
            .prop_map(|(replica_id, isolation_level, topics, timeout_ms)| Self {
                replica_id,
                isolation_level,
                topics,
                timeout_ms,
            })
            .boxed()
    }

    fn golden(version: i16, kind: Kind) -> Self {
        let mut request = Self { replica_id: -1, isolation_level: 0, topics: Vec::new(), timeout_ms: 0 };
        if kind == Kind::Least {
            return request;
        }
        request.isolation_level = i8::from(version >= 2);
        request.timeout_ms = if version >= 10 { 1234 } else { 0 };
        let partition = |index: i32| ListOffsetsPartition {
            index: PartitionIndex(index),
            current_leader_epoch: LeaderEpoch(if version >= 4 { 100 + index } else { -1 }),
            timestamp: -2 + i64::from(index),
        };
        let count = if kind == Kind::Many { 200 } else { 2 };
        request.topics = vec![("alpha".into(), (0..count).map(partition).collect()), ("beta".into(), Vec::new())];
        request
    }

    fn encode(&self, version: i16, client_id: Option<&str>) -> Vec<u8> {
        let topics: Vec<_> = self.topics.iter().map(|(name, partitions)| (&**name, &**partitions)).collect();
        let mut out = Vec::new();
        let call = Call { version, correlation_id: CORRELATION, client_id };
        encode_request(&mut out, &call, BrokerId(self.replica_id), self.isolation_level, &topics, self.timeout_ms);
        out
    }

    fn decode(frame: &[u8], version: i16) -> Result<Self, WireError> {
        let request = ListOffsetsRequest::decode(request_body(frame, API, version)?, version)?;
        Ok(Self {
            replica_id: request.replica_id.0,
            isolation_level: request.isolation_level,
            topics: request.topics.iter().map(|topic| (topic.name.into(), topic.partitions.iter().collect())).collect(),
            timeout_ms: request.timeout_ms,
        })
    }
}

#[derive(Clone, PartialEq, Debug)]
pub(super) struct Response {
    throttle_time_ms: i32,
    topics: Vec<(String, Vec<ListedOffset>)>,
}

impl Message for Response {
    const NAME: &'static str = "ListOffsetsResponse";
    const API: &'static Api = API;

    fn any(version: i16) -> BoxedStrategy<Self> {
        let partition = (any::<(i32, i64, i64)>(), any_code(), since(version >= 4, any::<i32>(), -1)).prop_map(
            |((index, timestamp, offset), error, epoch)| ListedOffset {
                index: PartitionIndex(index),
                error,
                timestamp: TimestampMs(timestamp),
                offset: Offset(offset),
                leader_epoch: LeaderEpoch(epoch),
            },
        );
        (since(version >= 2, any::<i32>(), 0), vec((text(), vec(partition, 0..4)), 0..4))
            .prop_map(|(throttle_time_ms, topics)| Self { throttle_time_ms, topics })
            .boxed()
    }

    fn golden(version: i16, kind: Kind) -> Self {
        if kind == Kind::Least {
            return Self { throttle_time_ms: 0, topics: Vec::new() };
        }
        let partition = |index: i32| ListedOffset {
            index: PartitionIndex(index),
            error: if index == 1 { ErrorCode::OffsetNotAvailable } else { ErrorCode::None },
            timestamp: TimestampMs(1000 + i64::from(index)),
            offset: Offset(2000 + i64::from(index)),
            leader_epoch: LeaderEpoch(if version >= 4 { 100 + index } else { -1 }),
        };
        let count = if kind == Kind::Many { 200 } else { 2 };
        Self {
            throttle_time_ms: if version >= 2 { 250 } else { 0 },
            topics: vec![("alpha".into(), (0..count).map(partition).collect()), ("beta".into(), Vec::new())],
        }
    }

    fn encode(&self, version: i16, _client_id: Option<&str>) -> Vec<u8> {
        let mut out = Vec::new();
        let mut writer = ListOffsetsResponseWriter::new(&mut out, CORRELATION, version, self.throttle_time_ms);
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
        let response = ListOffsetsResponse::decode(response_body(frame, API, version)?, version)?;
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
