use super::*;
use crate::ids::{LeaderEpoch, Offset, PartitionIndex};
use crate::wire::client::Call;
use crate::wire::client::offset_fetch::{GroupQuestion, OffsetFetchResponse, encode_request};
use crate::wire::offset_fetch::{
    API, FetchedOffset, GROUP_ERROR_SINCE, GROUPS_SINCE, OffsetFetchRequest, OffsetFetchResponseWriter, TOPIC_IDS_FROM,
    write_partitions,
};

#[derive(Clone, PartialEq, Debug)]
pub(super) struct Request {
    groups: Vec<Question>,
    require_stable: bool,
}

#[derive(Clone, PartialEq, Debug)]
struct Question {
    group_id: String,
    member_id: Option<String>,
    member_epoch: i32,
    topics: Option<Vec<(Topic, Vec<PartitionIndex>)>>,
}

impl Question {
    fn plain(group_id: &str, topics: Option<Vec<(Topic, Vec<PartitionIndex>)>>) -> Self {
        Self { group_id: group_id.into(), member_id: None, member_epoch: -1, topics }
    }
}

impl Message for Request {
    const NAME: &'static str = "OffsetFetchRequest";
    const API: &'static Api = API;

    fn any(version: i16) -> BoxedStrategy<Self> {
        let topic = (Topic::any(version >= TOPIC_IDS_FROM), vec(any::<i32>().prop_map(PartitionIndex), 0..4));
        let topics = vec(topic, 0..4);
        let topics = if version >= 2 { nullable(topics) } else { topics.prop_map(Some).boxed() };
        let member = since(version >= 9, nullable(text()), None);
        let group = (text(), member, since(version >= 9, any::<i32>(), -1), topics).prop_map(
            |(group_id, member_id, member_epoch, topics)| Question { group_id, member_id, member_epoch, topics },
        );
        let count = if version < GROUPS_SINCE { 1..2 } else { 0..4 };
        (vec(group, count), since(version >= 7, any::<bool>(), false))
            .prop_map(|(groups, require_stable)| Self { groups, require_stable })
            .boxed()
    }

    fn golden(version: i16, kind: Kind) -> Self {
        let has_groups = version >= GROUPS_SINCE;
        if kind == Kind::Least {
            let one = Question::plain("", if version >= 2 { None } else { Some(Vec::new()) });
            return Self { groups: if has_groups { Vec::new() } else { vec![one] }, require_stable: false };
        }
        let [a, b] = Topic::golden(version >= TOPIC_IDS_FROM);
        let asked = if kind == Kind::Many { (0..200).collect() } else { vec![0, 7] };
        let asked = asked.into_iter().map(PartitionIndex).collect();
        let mut workers = Question::plain("workers", Some(vec![(a, asked), (b, Vec::new())]));
        if version >= 9 {
            (workers.member_id, workers.member_epoch) = (Some("member-1".into()), 41);
        }
        let mut groups = vec![workers];
        if has_groups {
            groups.push(Question::plain("group-empty", Some(Vec::new())));
            let more = 0..if kind == Kind::Many { 200 } else { 1 };
            groups.extend(more.map(|index| Question::plain(&format!("group-{index}"), None)));
        }
        Self { groups, require_stable: version >= 7 }
    }

    fn encode(&self, version: i16, client_id: Option<&str>) -> Vec<u8> {
        let topics: Vec<Option<Vec<_>>> = self
            .groups
            .iter()
            .map(|group| group.topics.as_ref().map(|topics| topics.iter().map(|(a, b)| (a.borrow(), &**b)).collect()))
            .collect();
        let groups: Vec<_> = self
            .groups
            .iter()
            .zip(&topics)
            .map(|(group, topics)| GroupQuestion {
                group_id: &group.group_id,
                member_id: group.member_id.as_deref(),
                member_epoch: group.member_epoch,
                topics: topics.as_deref(),
            })
            .collect();
        let mut out = Vec::new();
        let call = Call { version, correlation_id: CORRELATION, client_id };
        encode_request(&mut out, &call, &groups, self.require_stable);
        out
    }

    fn decode(frame: &[u8], version: i16) -> Result<Self, WireError> {
        let request = OffsetFetchRequest::decode(request_body(frame, API, version)?, version)?;
        let groups: Vec<_> = request
            .groups
            .iter()
            .map(|group| Question {
                group_id: group.group_id.into(),
                member_id: group.member_id.map(Into::into),
                member_epoch: group.member_epoch,
                topics: group.topics.map(|topics| {
                    topics.iter().map(|topic| (topic.topic.into(), topic.partitions.iter().collect())).collect()
                }),
            })
            .collect();
        assert_eq!((request.groups.len(), request.groups.is_empty()), (groups.len(), groups.is_empty()));
        let only = request.groups.only().map(|group| group.group_id.to_owned());
        assert_eq!(only, groups.first().filter(|_| groups.len() == 1).map(|group| group.group_id.clone()));
        Ok(Self { groups, require_stable: request.require_stable })
    }
}

/// What is borrowed in the partition stands beside, owned: its metadata.
type Partition = (FetchedOffset<'static>, Option<String>);

/// The id of a group, its topics, its error.
type Group = (String, Vec<(Topic, Vec<Partition>)>, ErrorCode);

#[derive(Clone, PartialEq, Debug)]
pub(super) struct Response {
    throttle_time_ms: i32,
    groups: Vec<Group>,
}

fn partition(version: i16, index: i32, offset: i64, epoch: i32, error: ErrorCode) -> FetchedOffset<'static> {
    let leader_epoch = LeaderEpoch(if version >= 5 { epoch } else { -1 });
    let offset = Offset(offset);
    FetchedOffset { offset, leader_epoch, metadata: None, ..FetchedOffset::none(PartitionIndex(index), error) }
}

impl Message for Response {
    const NAME: &'static str = "OffsetFetchResponse";
    const API: &'static Api = API;

    fn any(version: i16) -> BoxedStrategy<Self> {
        let partition = (any::<i32>(), any::<i64>(), any::<i32>(), any_code(), nullable(text())).prop_map(
            move |(index, offset, epoch, error, metadata)| (partition(version, index, offset, epoch, error), metadata),
        );
        let has_groups = version >= GROUPS_SINCE;
        let topic = (Topic::any(version >= TOPIC_IDS_FROM), vec(partition, 0..4));
        let error = since(version >= GROUP_ERROR_SINCE, any_code(), ErrorCode::None);
        let group = (since(has_groups, text(), String::new()), vec(topic, 0..4), error);
        (since(version >= 3, any::<i32>(), 0), vec(group, if has_groups { 0..4 } else { 1..2 }))
            .prop_map(|(throttle_time_ms, groups)| Self { throttle_time_ms, groups })
            .boxed()
    }

    fn golden(version: i16, kind: Kind) -> Self {
        let has_groups = version >= GROUPS_SINCE;
        if kind == Kind::Least {
            let one = (String::new(), Vec::new(), ErrorCode::None);
            return Self { throttle_time_ms: 0, groups: if has_groups { Vec::new() } else { vec![one] } };
        }
        let [a, b] = Topic::golden(version >= TOPIC_IDS_FROM);
        let fetched = |index: i32| {
            let error = if index == 1 { ErrorCode::UnstableOffsetCommit } else { ErrorCode::None };
            let metadata = Some("größe".to_owned()).filter(|_| index == 0);
            (partition(version, index, 3000 + i64::from(index), 200 + index, error), metadata)
        };
        let topics = vec![(a, (0..if kind == Kind::Many { 200 } else { 2 }).map(fetched).collect()), (b, Vec::new())];
        let loading = if version >= GROUP_ERROR_SINCE { ErrorCode::CoordinatorLoadInProgress } else { ErrorCode::None };
        let group_id = if has_groups { "workers".to_owned() } else { String::new() };
        let mut groups = vec![(group_id, topics, loading)];
        if has_groups {
            let more = 0..if kind == Kind::Many { 200 } else { 1 };
            groups.extend(more.map(|index| (format!("group-{index}"), Vec::new(), ErrorCode::GroupIdNotFound)));
        }
        Self { throttle_time_ms: if version >= 3 { 250 } else { 0 }, groups }
    }

    fn encode(&self, version: i16, _client_id: Option<&str>) -> Vec<u8> {
        let mut out = Vec::new();
        let (throttle, count) = (self.throttle_time_ms, self.groups.len());
        let mut writer = OffsetFetchResponseWriter::new(&mut out, CORRELATION, version, throttle, count);
        for (group_id, topics, error) in &self.groups {
            writer.group(group_id, topics.len());
            for (topic, partitions) in topics {
                let partitions = partitions
                    .iter()
                    .map(|(fetched, metadata)| FetchedOffset { metadata: metadata.as_deref(), ..*fetched });
                writer.topic(topic.borrow(), |out| write_partitions(out, version, partitions));
            }
            writer.end_group(*error);
        }
        writer.finish();
        out
    }

    fn decode(frame: &[u8], version: i16) -> Result<Self, WireError> {
        let response = OffsetFetchResponse::decode(response_body(frame, API, version)?, version)?;
        let own = |fetched: FetchedOffset<'_>| {
            let (index, offset, epoch) = (fetched.index.0, fetched.offset.0, fetched.leader_epoch.0);
            (partition(version, index, offset, epoch, fetched.error), fetched.metadata.map(Into::into))
        };
        let groups = response.groups().map(|group| {
            let topics = group.topics.iter().map(|topic| {
                let partitions = topic.partitions.iter().map(own);
                (topic.topic.into(), partitions.collect())
            });
            (group.group_id.to_owned(), topics.collect(), group.error)
        });
        Ok(Self { throttle_time_ms: response.throttle_time_ms, groups: groups.collect() })
    }
}

#[test]
fn v1_has_to_name_its_topics() {
    let mut request = Request::golden(2, Kind::Least).encode(2, None);
    request[4 + 3] = 1;
    assert_eq!(Request::decode(&request[4..], 1).map_err(|error| error.what), Err(Fault::Null));
}
