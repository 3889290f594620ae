use super::*;
use crate::ids::{LeaderEpoch, Offset, PartitionIndex, TimestampMs};
use crate::wire::client::Call;
use crate::wire::client::produce::{ProduceResponse, ProducedPartition, encode_request};
use crate::wire::common::LeaderIdAndEpoch;
use crate::wire::produce::{API, ProduceRequest, ProduceResponseWriter, Produced, RecordError};

type Records = (PartitionIndex, Option<Vec<u8>>);

#[derive(Clone, PartialEq, Debug)]
pub(super) struct Request {
    transactional_id: Option<String>,
    acks: i16,
    timeout_ms: i32,
    topics: Vec<(Topic, Vec<Records>)>,
}

impl Message for Request {
    const NAME: &'static str = "ProduceRequest";
    const API: &'static Api = API;

    fn any(version: i16) -> BoxedStrategy<Self> {
        let partition = (any::<i32>().prop_map(PartitionIndex), nullable(vec(any::<u8>(), 0..40)));
        let topic = (Topic::any(version >= 13), vec(partition, 0..4));
        (nullable(text()), any::<i16>(), any::<i32>(), vec(topic, 0..4))
            .prop_map(|(transactional_id, acks, timeout_ms, topics)| Self {
                transactional_id,
                acks,
                timeout_ms,
                topics,
            })
            .boxed()
    }

    fn golden(version: i16, kind: Kind) -> Self {
        let mut request = Self { transactional_id: None, acks: -1, timeout_ms: 1500, topics: Vec::new() };
        if kind == Kind::Least {
            return request;
        }
        request.transactional_id = Some("transactions".into());
        let [a, b] = Topic::golden(version >= 13);
        let records = |index, text: &str| (PartitionIndex(index), Some(text.into()));
        request.topics = match kind {
            Kind::Many => vec![(a, (0..200).map(|index| records(index, "r")).collect()), (b, Vec::new())],
            _ => vec![(a, vec![records(0, "batch"), (PartitionIndex(7), None)]), (b, vec![records(3, "")])],
        };
        request
    }

    fn encode(&self, version: i16, client_id: Option<&str>) -> Vec<u8> {
        let partitions: Vec<Vec<_>> = self
            .topics
            .iter()
            .map(|(_, partitions)| partitions.iter().map(|(index, records)| (*index, records.as_deref())).collect())
            .collect();
        let topics: Vec<_> = self
            .topics
            .iter()
            .zip(&partitions)
            .map(|((topic, _), partitions)| (topic.borrow(), &**partitions))
            .collect();
        let mut out = Vec::new();
        let call = Call { version, correlation_id: CORRELATION, client_id };
        encode_request(&mut out, &call, self.transactional_id.as_deref(), self.acks, self.timeout_ms, &topics);
        out
    }

    fn decode(frame: &[u8], version: i16) -> Result<Self, WireError> {
        let request = ProduceRequest::decode(request_body(frame, API, version)?, version)?;
        let flat = request.topics.iter().flat_map(|topic| topic.partitions).map(|partition| partition.index);
        assert!(flat.eq(request.partitions().map(|(_, partition)| partition.index)));
        let topics = request.topics.iter().map(|topic| {
            let partitions =
                topic.partitions.iter().map(|partition| (partition.index, partition.records.map(Into::into)));
            (topic.topic.into(), partitions.collect())
        });
        Ok(Self {
            transactional_id: request.transactional_id.map(Into::into),
            acks: request.acks,
            timeout_ms: request.timeout_ms,
            topics: topics.collect(),
        })
    }
}

/// What is borrowed there stands beside, owned: the record errors, and the message.
type Partition = (Produced<'static>, Vec<(i32, Option<String>)>, Option<String>);

#[derive(Clone, PartialEq, Debug)]
pub(super) struct Response {
    topics: Vec<(Topic, Vec<Partition>)>,
    throttle_time_ms: i32,
    endpoints: Vec<Endpoint>,
}

fn any_partition(version: i16) -> BoxedStrategy<Partition> {
    let leader = (0..i32::MAX, any::<i32>())
        .prop_map(|(leader, epoch)| LeaderIdAndEpoch { leader: BrokerId(leader), epoch: LeaderEpoch(epoch) });
    (
        any::<i32>(),
        any_code(),
        any::<[i64; 2]>(),
        since(version >= 5, any::<i64>(), -1),
        since(version >= 8, vec((any::<i32>(), nullable(text())), 0..4), Vec::new()),
        since(version >= 8, nullable(text()), None),
        since(version >= 10, nullable(leader), None),
    )
        .prop_map(|(index, error, [base_offset, time], log_start_offset, record_errors, message, current_leader)| {
            let produced = Produced {
                base_offset: Offset(base_offset),
                log_append_time: TimestampMs(time),
                log_start_offset: Offset(log_start_offset),
                current_leader,
                ..Produced::failed(PartitionIndex(index), error)
            };
            (produced, record_errors, message)
        })
        .boxed()
}

fn own_partition(partition: ProducedPartition<'_>) -> Partition {
    let record_errors = partition.record_errors.iter().map(|error| (error.batch_index, error.message.map(Into::into)));
    let produced = Produced {
        base_offset: partition.base_offset,
        log_append_time: partition.log_append_time,
        log_start_offset: partition.log_start_offset,
        current_leader: partition.current_leader,
        ..Produced::failed(partition.index, partition.error)
    };
    (produced, record_errors.collect(), partition.error_message.map(Into::into))
}

fn golden_partitions(version: i16) -> [Partition; 3] {
    let failed = |index, error| Produced::failed(PartitionIndex(index), error);
    let log_start = |offset| Offset(if version >= 5 { offset } else { -1 });
    let good = Produced {
        base_offset: Offset(1001),
        log_append_time: TimestampMs(1002),
        log_start_offset: log_start(1003),
        ..failed(1, ErrorCode::None)
    };
    let bad = Produced { log_start_offset: log_start(5), ..failed(2, ErrorCode::InvalidRecord) };
    let (errors, message) = if version >= 8 {
        (vec![(4, Some("no key".into())), (5, None)], Some("two records are bad".into()))
    } else {
        (Vec::new(), None)
    };
    let leader = LeaderIdAndEpoch { leader: BrokerId(11), epoch: LeaderEpoch(12) };
    let moved = Produced {
        current_leader: Some(leader).filter(|_| version >= 10),
        ..failed(0, ErrorCode::NotLeaderOrFollower)
    };
    [(good, Vec::new(), None), (bad, errors, message), (moved, Vec::new(), None)]
}

impl Message for Response {
    const NAME: &'static str = "ProduceResponse";
    const API: &'static Api = API;

    fn any(version: i16) -> BoxedStrategy<Self> {
        let topic = (Topic::any(version >= 13), vec(any_partition(version), 0..4));
        (vec(topic, 0..4), any::<i32>(), endpoints(version >= 10))
            .prop_map(|(topics, throttle_time_ms, endpoints)| Self { topics, throttle_time_ms, endpoints })
            .boxed()
    }

    fn golden(version: i16, kind: Kind) -> Self {
        let mut response = Self { topics: Vec::new(), throttle_time_ms: 0, endpoints: Vec::new() };
        if kind == Kind::Least {
            return response;
        }
        response.throttle_time_ms = 250;
        let [a, b] = Topic::golden(version >= 13);
        let [good, bad, moved] = golden_partitions(version);
        if kind == Kind::Many {
            let plain = |index: i32| Produced {
                base_offset: Offset(i64::from(index)),
                ..Produced::failed(PartitionIndex(index), ErrorCode::None)
            };
            response.topics =
                vec![(a, (0..200).map(|index| (plain(index), Vec::new(), None)).collect()), (b, Vec::new())];
            return response;
        }
        response.topics = vec![(a, vec![good, bad]), (b, vec![moved])];
        if version >= 10 {
            response.endpoints =
                vec![(11, "host-11".into(), 9093, Some("rack-1".into())), (13, "host-13".into(), 9094, None)];
        }
        response
    }

    fn encode(&self, version: i16, _client_id: Option<&str>) -> Vec<u8> {
        let mut out = Vec::new();
        let mut writer = ProduceResponseWriter::new(&mut out, CORRELATION, version);
        for (topic, partitions) in &self.topics {
            writer.topic(topic.borrow());
            for (partition, record_errors, message) in partitions {
                let errors: Vec<_> = record_errors
                    .iter()
                    .map(|(batch_index, message)| RecordError {
                        batch_index: *batch_index,
                        message: message.as_deref(),
                    })
                    .collect();
                writer.partition(&Produced { record_errors: &errors, error_message: message.as_deref(), ..*partition });
            }
        }
        writer.finish(self.throttle_time_ms, &borrow_endpoints(&self.endpoints));
        out
    }

    fn decode(frame: &[u8], version: i16) -> Result<Self, WireError> {
        let response = ProduceResponse::decode(response_body(frame, API, version)?, version)?;
        let topics = response
            .topics
            .iter()
            .map(|topic| (topic.topic.into(), topic.partitions.iter().map(own_partition).collect()));
        Ok(Self {
            topics: topics.collect(),
            throttle_time_ms: response.throttle_time_ms,
            endpoints: response.node_endpoints.iter().map(own_endpoint).collect(),
        })
    }
}
