use super::*;
use crate::ids::{LeaderEpoch, Offset, PartitionIndex, ProducerId};
use crate::wire::common::LeaderIdAndEpoch;
use crate::wire::fetch::{
    API, AbortedTransaction, EncodedFetch, EpochEndOffset, FetchPartition, FetchRequest, FetchRequestHead,
    FetchRequestWriter, FetchResponse, FetchResponseWriter, Fetched, FetchedPartition, Part, SnapshotId,
    UNKNOWN_HIGH_WATERMARK,
};

#[derive(Clone, PartialEq, Debug)]
pub(super) struct Request {
    head: FetchRequestHead<'static>,
    cluster_id: Option<String>,
    rack_id: String,
    topics: Vec<(Topic, Vec<FetchPartition>)>,
    forgotten: Vec<(Topic, Vec<PartitionIndex>)>,
}

fn any_asked(version: i16) -> BoxedStrategy<FetchPartition> {
    (
        any::<(i32, i64, i32)>(),
        since(version >= 9, any::<i32>(), -1),
        since(version >= 12, any::<i32>(), -1),
        since(version >= 5, any::<i64>(), -1),
        since(version >= 17, prop_oneof![Just(TopicId::ZERO), uuid()], TopicId::ZERO),
        since(version >= 18, prop_oneof![Just(i64::MAX), any::<i64>()], UNKNOWN_HIGH_WATERMARK.0),
    )
        .prop_map(|((index, offset, max_bytes), current, last, log_start, replica_directory_id, high)| FetchPartition {
            index: PartitionIndex(index),
            current_leader_epoch: LeaderEpoch(current),
            fetch_offset: Offset(offset),
            last_fetched_epoch: LeaderEpoch(last),
            log_start_offset: Offset(log_start),
            max_bytes,
            replica_directory_id,
            high_watermark: Offset(high),
        })
        .boxed()
}

fn any_head(version: i16) -> BoxedStrategy<FetchRequestHead<'static>> {
    (
        any::<(i32, i32, i32, i32, i8)>(),
        since(version >= 15, any::<i64>(), -1),
        since(version >= 7, any::<(i32, i32)>(), (0, -1)),
    )
        .prop_map(
            |(
                (replica, max_wait_ms, min_bytes, max_bytes, isolation_level),
                replica_epoch,
                (session_id, session_epoch),
            )| {
                FetchRequestHead {
                    cluster_id: None,
                    replica_id: BrokerId(replica),
                    replica_epoch,
                    max_wait_ms,
                    min_bytes,
                    max_bytes,
                    isolation_level,
                    session_id,
                    session_epoch,
                    rack_id: "",
                }
            },
        )
        .boxed()
}

impl Message for Request {
    const NAME: &'static str = "FetchRequest";
    const API: &'static Api = API;

    fn any(version: i16) -> BoxedStrategy<Self> {
        let by_id = version >= 13;
        let topics = vec((Topic::any(by_id), vec(any_asked(version), 0..4)), 0..4);
        let forgotten = vec((Topic::any(by_id), vec(any::<i32>().prop_map(PartitionIndex), 0..4)), 0..3);
        (
            any_head(version),
            since(version >= 12, nullable(text()), None),
            since(version >= 11, text(), String::new()),
            topics,
            since(version >= 7, forgotten, Vec::new()),
        )
            .prop_map(|(head, cluster_id, rack_id, topics, forgotten)| Self {
                head,
                cluster_id,
                rack_id,
                topics,
                forgotten,
            })
            .boxed()
    }

    fn golden(version: i16, kind: Kind) -> Self {
        let mut request = Self {
            head: FetchRequestHead::default(),
            cluster_id: None,
            rack_id: String::new(),
            topics: Vec::new(),
            forgotten: Vec::new(),
        };
        if kind == Kind::Least {
            return request;
        }
        request.head = FetchRequestHead {
            replica_id: BrokerId(5),
            replica_epoch: if version >= 15 { 6 } else { -1 },
            max_wait_ms: 500,
            min_bytes: 2,
            max_bytes: 3000,
            isolation_level: 1,
            session_id: if version >= 7 { 8 } else { 0 },
            session_epoch: if version >= 7 { 9 } else { -1 },
            ..FetchRequestHead::default()
        };
        request.rack_id = if version >= 11 { "rack-9".into() } else { String::new() };
        request.cluster_id = Some("cluster-1".to_owned()).filter(|_| version >= 12);
        let [a, b] = Topic::golden(version >= 13);
        if version >= 7 {
            request.forgotten = vec![(b.clone(), vec![PartitionIndex(3), PartitionIndex(1)])];
        }
        let plain = |index: i32, offset: i64, max_bytes| FetchPartition {
            index: PartitionIndex(index),
            fetch_offset: Offset(offset),
            max_bytes,
            ..FetchPartition::default()
        };
        let mut full = plain(1, 101, 102);
        full.current_leader_epoch = LeaderEpoch(if version >= 9 { 103 } else { -1 });
        full.last_fetched_epoch = LeaderEpoch(if version >= 12 { 104 } else { -1 });
        full.log_start_offset = Offset(if version >= 5 { 105 } else { -1 });
        if version >= 17 {
            full.replica_directory_id = TopicId(std::array::from_fn(|index| 0x21 + index as u8));
        }
        full.high_watermark = if version >= 18 { Offset(106) } else { UNKNOWN_HIGH_WATERMARK };
        let asked = match kind {
            Kind::Many => (0..200).map(|index| plain(index, index.into(), 1)).collect(),
            _ => vec![full, plain(2, 201, 202)],
        };
        request.topics = vec![(a, asked), (b, Vec::new())];
        request
    }

    fn encode(&self, version: i16, client_id: Option<&str>) -> Vec<u8> {
        let mut out = Vec::new();
        let head = FetchRequestHead { cluster_id: self.cluster_id.as_deref(), rack_id: &self.rack_id, ..self.head };
        let mut writer = FetchRequestWriter::new(&mut out, CORRELATION, client_id, version, head);
        for (topic, partitions) in &self.topics {
            writer.topic(topic.borrow());
            for partition in partitions {
                writer.partition(partition);
            }
        }
        let forgotten: Vec<_> =
            self.forgotten.iter().map(|(topic, partitions)| (topic.borrow(), &**partitions)).collect();
        writer.finish(&forgotten);
        out
    }

    fn decode(frame: &[u8], version: i16) -> Result<Self, WireError> {
        let request = FetchRequest::decode(request_body(frame, API, version)?, version)?;
        let flat = request.topics.iter().flat_map(|topic| topic.partitions);
        assert!(flat.eq(request.partitions().map(|(_, partition)| partition)));
        Ok(Self {
            head: FetchRequestHead { cluster_id: None, rack_id: "", ..request.head },
            cluster_id: request.head.cluster_id.map(Into::into),
            rack_id: request.head.rack_id.into(),
            topics: request
                .topics
                .iter()
                .map(|topic| (topic.topic.into(), topic.partitions.iter().collect()))
                .collect(),
            forgotten: request
                .forgotten
                .iter()
                .map(|topic| (topic.topic.into(), topic.partitions.iter().collect()))
                .collect(),
        })
    }
}

type Partition = (Fetched<Vec<AbortedTransaction>>, Option<Vec<u8>>);

#[derive(Clone, PartialEq, Debug)]
pub(super) struct Response {
    throttle_time_ms: i32,
    error: ErrorCode,
    session_id: i32,
    topics: Vec<(Topic, Vec<Partition>)>,
    endpoints: Vec<Endpoint>,
}

fn any_fetched(version: i16) -> BoxedStrategy<Partition> {
    let flexible = version >= 12;
    let diverging = (0..i32::MAX, any::<i64>())
        .prop_map(|(epoch, end)| EpochEndOffset { epoch: LeaderEpoch(epoch), end_offset: Offset(end) });
    let leader = (0..i32::MAX, any::<i32>())
        .prop_map(|(leader, epoch)| LeaderIdAndEpoch { leader: BrokerId(leader), epoch: LeaderEpoch(epoch) });
    let snapshot = (0..i64::MAX, any::<i32>())
        .prop_map(|(end, epoch)| SnapshotId { end_offset: Offset(end), epoch: LeaderEpoch(epoch) });
    let aborted = any::<(i64, i64)>().prop_map(|(producer, first)| AbortedTransaction {
        producer_id: ProducerId(producer),
        first_offset: Offset(first),
    });
    (
        (any::<(i32, i64, i64)>(), any_code(), since(version >= 5, any::<i64>(), -1)),
        since(flexible, nullable(diverging), None),
        since(flexible, nullable(leader), None),
        since(flexible, nullable(snapshot), None),
        nullable(vec(aborted, 0..3)),
        since(version >= 11, any::<i32>(), -1),
        nullable(vec(any::<u8>(), 0..60)),
    )
        .prop_map(
            |(((index, high, stable), error, start), diverging, leader, snapshot, aborted, preferred, records)| {
                let fetched = Fetched {
                    high_watermark: Offset(high),
                    last_stable_offset: Offset(stable),
                    log_start_offset: Offset(start),
                    diverging_epoch: diverging,
                    current_leader: leader,
                    snapshot_id: snapshot,
                    aborted_transactions: aborted,
                    preferred_read_replica: BrokerId(preferred),
                    ..Fetched::failed(PartitionIndex(index), error)
                };
                (fetched, records)
            },
        )
        .boxed()
}

fn own_partition(partition: FetchedPartition<'_>) -> Partition {
    let from = partition.fetched;
    let fetched = Fetched {
        index: from.index,
        error: from.error,
        high_watermark: from.high_watermark,
        last_stable_offset: from.last_stable_offset,
        log_start_offset: from.log_start_offset,
        diverging_epoch: from.diverging_epoch,
        current_leader: from.current_leader,
        snapshot_id: from.snapshot_id,
        aborted_transactions: from.aborted_transactions.map(|aborted| aborted.iter().collect()),
        preferred_read_replica: from.preferred_read_replica,
    };
    (fetched, partition.records.map(Into::into))
}

fn golden_partitions(version: i16) -> [Partition; 4] {
    let plain =
        |index, high, error| Fetched { high_watermark: Offset(high), ..Fetched::failed(PartitionIndex(index), error) };
    let mut full = plain(1, 101, ErrorCode::None);
    full.last_stable_offset = Offset(102);
    let aborted =
        |producer, first| AbortedTransaction { producer_id: ProducerId(producer), first_offset: Offset(first) };
    full.aborted_transactions = Some(vec![aborted(103, 104), aborted(105, 106)]);
    full.log_start_offset = Offset(if version >= 5 { 107 } else { -1 });
    full.preferred_read_replica = BrokerId(if version >= 11 { 108 } else { -1 });
    let mut moved = plain(2, -1, ErrorCode::NotLeaderOrFollower);
    if version >= 12 {
        moved.diverging_epoch = Some(EpochEndOffset { epoch: LeaderEpoch(201), end_offset: Offset(202) });
        moved.current_leader = Some(LeaderIdAndEpoch { leader: BrokerId(203), epoch: LeaderEpoch(204) });
        moved.snapshot_id = Some(SnapshotId { end_offset: Offset(205), epoch: LeaderEpoch(206) });
    }
    let mut nothing = plain(0, 301, ErrorCode::None);
    nothing.aborted_transactions = Some(Vec::new());
    [
        (full, Some(b"some records".into())),
        (moved, Some(Vec::new())),
        (nothing, None),
        (plain(4, 401, ErrorCode::None), Some(b"more".into())),
    ]
}

impl Message for Response {
    const NAME: &'static str = "FetchResponse";
    const API: &'static Api = API;

    fn any(version: i16) -> BoxedStrategy<Self> {
        let topics = vec((Topic::any(version >= 13), vec(any_fetched(version), 0..4)), 0..4);
        let session = since(version >= 7, (any_code(), any::<i32>()), (ErrorCode::None, 0));
        (any::<i32>(), session, topics, endpoints(version >= 16))
            .prop_map(|(throttle_time_ms, (error, session_id), topics, endpoints)| Self {
                throttle_time_ms,
                error,
                session_id,
                topics,
                endpoints,
            })
            .boxed()
    }

    fn golden(version: i16, kind: Kind) -> Self {
        let mut response = Self {
            throttle_time_ms: 0,
            error: ErrorCode::None,
            session_id: 0,
            topics: Vec::new(),
            endpoints: Vec::new(),
        };
        if kind == Kind::Least {
            return response;
        }
        response.throttle_time_ms = 250;
        if version >= 7 {
            (response.error, response.session_id) = (ErrorCode::InvalidFetchSessionEpoch, 8);
        }
        let [a, b] = Topic::golden(version >= 13);
        if kind == Kind::Many {
            let plain = |index: i32| Fetched {
                high_watermark: Offset(index.into()),
                ..Fetched::failed(PartitionIndex(index), ErrorCode::None)
            };
            let records = |index: i32| Some(b"r".repeat(index as usize % 3));
            response.topics =
                vec![(a, (0..200).map(|index| (plain(index), records(index))).collect()), (b, Vec::new())];
            return response;
        }
        let [full, moved, nothing, more] = golden_partitions(version);
        response.topics = vec![(a, vec![full, moved]), (b, vec![nothing, more])];
        if version >= 16 {
            response.endpoints = vec![(203, "host-203".into(), 9093, None)];
        }
        response
    }

    /// As the plane sends it: the pieces in turn.
    fn encode(&self, version: i16, _client_id: Option<&str>) -> Vec<u8> {
        let mut encoded = EncodedFetch::default();
        let mut writer = FetchResponseWriter::new(
            &mut encoded,
            CORRELATION,
            version,
            self.throttle_time_ms,
            self.error,
            self.session_id,
        );
        let mut slots = Vec::new();
        for (topic, partitions) in &self.topics {
            writer.topic(topic.borrow());
            for (from, records) in partitions {
                let fetched = Fetched {
                    index: from.index,
                    error: from.error,
                    high_watermark: from.high_watermark,
                    last_stable_offset: from.last_stable_offset,
                    log_start_offset: from.log_start_offset,
                    diverging_epoch: from.diverging_epoch,
                    current_leader: from.current_leader,
                    snapshot_id: from.snapshot_id,
                    aborted_transactions: from.aborted_transactions.as_deref(),
                    preferred_read_replica: from.preferred_read_replica,
                };
                writer.partition(&fetched, records.as_ref().map(|records| records.len() as u32));
                slots.extend(records.as_ref().filter(|records| !records.is_empty()));
            }
        }
        writer.finish(&borrow_endpoints(&self.endpoints));
        let mut out = Vec::new();
        for part in encoded.parts() {
            let before = out.len();
            match part {
                Part::Bytes(range) => out.extend_from_slice(&encoded.bytes[range]),
                Part::Records { slot, len } => {
                    assert_eq!(slots[slot].len(), len as usize);
                    out.extend_from_slice(slots[slot]);
                }
            }
            assert!(out.len() > before, "an empty piece");
        }
        assert_eq!(out.len() as u64, encoded.total_bytes());
        out
    }

    fn decode(frame: &[u8], version: i16) -> Result<Self, WireError> {
        let response = FetchResponse::decode(response_body(frame, API, version)?, version)?;
        let topics = response
            .topics
            .iter()
            .map(|topic| (topic.topic.into(), topic.partitions.iter().map(own_partition).collect()));
        Ok(Self {
            throttle_time_ms: response.throttle_time_ms,
            error: response.error,
            session_id: response.session_id,
            topics: topics.collect(),
            endpoints: response.node_endpoints.iter().map(own_endpoint).collect(),
        })
    }
}
