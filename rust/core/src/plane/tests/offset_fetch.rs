//! What is answered about committed offsets without the control plane.

use std::thread;
use std::time::Duration;

use super::offset_commit::{Host, MEMBER, send};
use super::*;
use crate::groups::offset_record::{OffsetValue, write_key, write_value};
use crate::wire::client::offset_fetch::{GroupQuestion, OffsetFetchResponse, encode_request};

const NEWEST: i16 = 10;
const UNSTABLE: ErrorCode = ErrorCode::UnstableOffsetCommit;

/// Asks about a group; what comes back at once, by partition: offset and error.
fn ask(
    host: &Host,
    client: &mut Client,
    version: i16,
    groups: &[GroupQuestion<'_>],
    require_stable: bool,
) -> Option<Vec<(i32, i64, ErrorCode)>> {
    let mut frame = Vec::new();
    encode_request(&mut frame, &client.call(version), groups, require_stable);
    client.send(&host.broker, &frame, at(1)).unwrap();
    let answer = client.answers(at(1)).pop()?;
    let response = OffsetFetchResponse::decode(body(&answer, keys::OFFSET_FETCH, version), version).unwrap();
    let group = response.groups().next().unwrap();
    assert_eq!((group.group_id, group.error), (if version >= 8 { "g" } else { "" }, ErrorCode::None));
    let partitions = group.topics.iter().flat_map(|topic| topic.partitions.iter());
    Some(partitions.map(|partition| (partition.index.0, partition.offset.0, partition.error)).collect())
}

fn orders(version: i16) -> TopicRef<'static> {
    if version >= NEWEST { TopicRef::Id(ORDERS) } else { TopicRef::Name("orders") }
}

fn about<'a>(topics: &'a [(TopicRef<'a>, &'a [PartitionIndex])]) -> GroupQuestion<'a> {
    GroupQuestion { group_id: "g", member_id: None, member_epoch: -1, topics: Some(topics) }
}

/// A host, where the group has committed 42 for partition 1.
fn host() -> Host {
    let host = Host::new();
    host.grant();
    send(&host, &mut host.client(), 9, 1, 42);
    host
}

const INDEXES: &[PartitionIndex] = &[PartitionIndex(1), PartitionIndex(0)];
const KNOWN: &[(i32, i64, ErrorCode)] = &[(1, 42, ErrorCode::None), (0, -1, ErrorCode::None)];

#[test]
fn one_group_is_answered_in_every_version() {
    let host = host();
    for version in 1..=NEWEST {
        let topics: &[(TopicRef<'_>, &[PartitionIndex])] = &[(orders(version), INDEXES)];
        let mut client = host.client();
        assert_eq!(ask(&host, &mut client, version, &[about(topics)], false).as_deref(), Some(KNOWN), "v{version}");
        assert!(host.asked().is_empty());
    }
}

#[test]
fn an_open_transaction_makes_offsets_unstable() {
    let host = host();
    let value = OffsetValue {
        offset: Offset(50),
        leader_epoch: LeaderEpoch(0),
        metadata: "".into(),
        commit_timestamp: at(1).wall,
        expire_timestamp: TimestampMs::NONE,
        topic_id: ORDERS,
    };
    let key = write_key("g", "orders", PartitionIndex(1)).unwrap();
    let value = write_value(&value).unwrap();
    host.desk.lock().offsets.apply_pending(ProducerId(7), &key, Some(&value)).unwrap();
    let topics: &[(TopicRef<'_>, &[PartitionIndex])] = &[(orders(9), INDEXES)];
    let asked = |require_stable| ask(&host, &mut host.client(), 9, &[about(topics)], require_stable).unwrap();
    assert_eq!(asked(false), KNOWN);
    assert_eq!(asked(true), [(1, -1, UNSTABLE), (0, -1, ErrorCode::None)]);
    host.desk.lock().offsets.end_transaction(ProducerId(7), true);
    assert_eq!(asked(true), [(1, 50, ErrorCode::None), (0, -1, ErrorCode::None)]);
}

#[test]
fn what_is_not_usual_goes_up() {
    let host = host();
    let topics: &[(TopicRef<'_>, &[PartitionIndex])] = &[(orders(9), INDEXES)];
    let unknown: &[(TopicRef<'_>, &[PartitionIndex])] = &[(TopicRef::Id(TopicId([9; 16])), INDEXES)];
    let all = GroupQuestion { topics: None, ..about(topics) };
    for (version, groups) in [
        (9, vec![all]),
        (9, vec![about(topics), GroupQuestion { group_id: "h", ..about(topics) }]),
        (10, vec![about(unknown)]),
        (9, vec![GroupQuestion { member_id: Some("n"), member_epoch: 3, ..about(topics) }]),
        (9, vec![GroupQuestion { member_id: Some("m"), member_epoch: 2, ..about(topics) }]),
        (9, vec![GroupQuestion { member_id: Some("m"), member_epoch: -1, ..about(topics) }]),
        (9, vec![GroupQuestion { member_id: None, member_epoch: 3, ..about(topics) }]),
    ] {
        assert_eq!(ask(&host, &mut host.client(), version, &groups, false), None, "{groups:?}");
        assert!(!host.asked().pop().unwrap().asks_leave);
    }
    let member = GroupQuestion { member_id: Some("m"), member_epoch: 3, ..about(topics) };
    assert_eq!(ask(&host, &mut host.client(), 9, &[member], false).as_deref(), Some(KNOWN));
    host.desk.lock().withdraw("g");
    assert_eq!(ask(&host, &mut host.client(), 9, &[member], false), None);
    // A topic of which the View knows nothing may be one that is gone, of a name that somebody remembers.
    let gone: &[(TopicRef<'_>, &[PartitionIndex])] = &[(TopicRef::Name("gone"), &INDEXES[..1])];
    let answer = ask(&host, &mut host.client(), 9, &[about(gone)], false);
    assert_eq!(answer, Some(vec![(1, -1, ErrorCode::None)]));
}

#[test]
fn whoever_has_no_members_has_none_that_may_read() {
    let host = host();
    host.desk.lock().grant(&crate::plane::desk::Committer { member_id: "", epoch: -1, ..MEMBER });
    let topics: &[(TopicRef<'_>, &[PartitionIndex])] = &[(orders(9), INDEXES)];
    let nobody = GroupQuestion { member_id: Some(""), member_epoch: -1, ..about(topics) };
    assert_eq!(ask(&host, &mut host.client(), 9, &[nobody], false), None);
}

#[test]
fn what_is_applied_and_not_committed_is_not_told() {
    let host = host();
    let topics: &[(TopicRef<'_>, &[PartitionIndex])] = &[(orders(9), INDEXES)];
    let asked = || ask(&host, &mut host.client(), 9, &[about(topics)], false);
    host.desk.lock().unsettle("g");
    let mark = host.desk.lock().seal().unwrap();
    assert_eq!(asked(), None);
    let mut client = host.client();
    send(&host, &mut client, 9, 0, 1);
    assert!(client.answers(at(1)).is_empty());
    host.desk.lock().settle(mark);
    assert_eq!(asked().as_deref(), Some(KNOWN));
    drop(host.desk.lock().close());
    assert_eq!(asked(), None);
}

#[test]
fn nothing_is_told_under_another_leader_epoch() {
    let host = host();
    let topics: &[(TopicRef<'_>, &[PartitionIndex])] = &[(orders(9), INDEXES)];
    host.partition.update(leadership(1, 1, &[THIS]), at(0).wall);
    assert_eq!(ask(&host, &mut host.client(), 9, &[about(topics)], false), None);
    host.partition.stop();
    assert_eq!(ask(&host, &mut host.client(), 9, &[about(topics)], false), None);
}

#[test]
fn a_partition_that_is_busy_with_its_disk_keeps_nobody_from_the_desk() {
    let host = host();
    let topics: &[(TopicRef<'_>, &[PartitionIndex])] = &[(orders(9), INDEXES)];
    thread::scope(|scope| {
        host.partition
            .with_log(|_| {
                let reading = scope.spawn(|| ask(&host, &mut host.client(), 9, &[about(topics)], false));
                for _ in 0..2_000 {
                    assert!(
                        host.desk.try_lock_for(Duration::from_secs(5)).is_some(),
                        "held while the partition is busy"
                    );
                    thread::yield_now();
                }
                reading
            })
            .join()
            .map(|answer| assert_eq!(answer.as_deref(), Some(KNOWN)))
            .unwrap();
    });
}
