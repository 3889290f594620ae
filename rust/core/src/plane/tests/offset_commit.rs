//! Commits that are carried out without the control plane, which is played by hand.

use std::thread;
use std::time::Duration;

use super::coordinator_log::Coordinator;
use super::*;
use crate::batch::Codec;
use crate::batch::compress::Scratch;
use crate::batch::producer::Proof;
use crate::batch::walk::{self, Step};
use crate::disk_sim::Faults;
use crate::groups::offset_record::{OffsetKey, OffsetValue, write_key, write_value};
use crate::groups::offsets::OffsetTable;
use crate::plane::coordinator_log::{CoordinatorCommand, KeyedRecord, Place, write_batch};
use crate::plane::desk::{Committer, Filling, Rules};
use crate::plane::desks::SharedDesk;
use crate::plane::link::Answer;
use crate::plane::mailbox::Request;
use crate::wire::client::offset_commit::{Commit, OffsetCommitResponse, encode_request};
use crate::wire::offset_commit::OffsetCommitPartition;

const OFFSETS: TopicId = TopicId(*b"consumer-offsets");
const EPOCH: LeaderEpoch = LeaderEpoch(0);
const RULES: Rules = Rules { leader_epoch: EPOCH, metadata_chars_max: 5, timeout_ms: 500, codec: Codec::None };
pub(super) const MEMBER: Committer<'static> =
    Committer { group: "g", member_id: "m", instance_id: None, epoch: 3, version: 2 };
const NEWEST: i16 = 10;

/// A broker that leads `orders` and the only partition of `__consumer_offsets`, with an open desk there.
pub(super) struct Host {
    pub(super) broker: Broker,
    pub(super) partition: Arc<Partition>,
    pub(super) desk: SharedDesk,
}

impl Host {
    pub(super) fn new() -> Self {
        Self::with(&[THIS], LogConfig::default())
    }

    fn with(isr: &[BrokerId], config: LogConfig) -> Self {
        let broker = Broker::new();
        let orders = broker.lead(2).remove(0);
        let config = Arc::new(config);
        let settings = TopicSettings { log: config.clone(), ..TopicSettings::clone(&orders.settings()) };
        let log = Log::create(&broker.directory, "__consumer_offsets-0", OFFSETS, config, Offset(0), at(0).wall);
        let identity = Identity {
            topic_id: OFFSETS,
            topic: "__consumer_offsets".into(),
            index: PartitionIndex(0),
            this_broker: THIS,
        };
        let lead = Partition::lead(identity, Arc::new(settings), leadership(0, 0, isr), Offset(0), log.unwrap());
        let partition = Arc::new(lead);
        broker.services.hosted.insert(partition.clone());
        let view = PartitionView {
            leader: THIS,
            leader_epoch: EPOCH,
            replicas: isr.into(),
            isr: isr.into(),
            offline: [].into(),
        };
        let change = TopicChange {
            id: OFFSETS,
            name: "__consumer_offsets".into(),
            internal: true,
            partition_count: 1,
            partitions: vec![(0, view)],
        };
        broker.install(ViewDelta { topics: vec![change], ..ViewDelta::default() });
        let desk = SharedDesk::default();
        desk.lock().open(RULES);
        broker.services.desks.put(OFFSETS, PartitionIndex(0), desk.clone());
        Self { broker, partition, desk }
    }

    pub(super) fn grant(&self) {
        self.desk.lock().grant(&MEMBER);
    }

    pub(super) fn client(&self) -> Client {
        Client::new(&self.broker)
    }

    /// What went up, all of it.
    pub(super) fn asked(&self) -> Vec<Request> {
        self.broker.services.mailbox.drain(100).requests
    }

    fn log_end(&self) -> Offset {
        self.partition.with_log(|log| log.end())
    }

    fn committed(&self) -> Vec<(String, i32, i64)> {
        held(&self.desk.lock().offsets)
    }
}

fn held(table: &OffsetTable) -> Vec<(String, i32, i64)> {
    let row = |(topic, index, value): (&str, PartitionIndex, OffsetValue<'_>)| (topic.into(), index.0, value.offset.0);
    table.committed("g").map(row).collect()
}

fn of(index: i32, offset: i64, metadata: Option<&str>) -> OffsetCommitPartition<'_> {
    OffsetCommitPartition {
        index: PartitionIndex(index),
        offset: Offset(offset),
        leader_epoch: LeaderEpoch(4),
        metadata,
    }
}

fn frame(client: &mut Client, version: i16, commit: &Commit<'_>) -> Vec<u8> {
    let mut frame = Vec::new();
    encode_request(&mut frame, &client.call(version), commit);
    frame
}

/// What [`MEMBER`] commits.
fn commit<'a>(topics: &'a [(TopicRef<'a>, &'a [OffsetCommitPartition<'a>])]) -> Commit<'a> {
    Commit {
        group_id: MEMBER.group,
        generation_id_or_member_epoch: MEMBER.epoch,
        member_id: MEMBER.member_id,
        group_instance_id: None,
        retention_time_ms: -1,
        topics,
    }
}

/// Sends a commit of one partition.
pub(super) fn send(host: &Host, client: &mut Client, version: i16, index: i32, offset: i64) {
    let topic = if version >= 10 { TopicRef::Id(ORDERS) } else { TopicRef::Name("orders") };
    let frame = frame(client, version, &commit(&[(topic, &[of(index, offset, None)])]));
    client.send(&host.broker, &frame, at(1)).unwrap();
}

/// The codes of all partitions of the only answer, if there is one.
fn codes(client: &mut Client, version: i16) -> Option<Vec<(i32, ErrorCode)>> {
    let answer = client.answers(at(2)).pop()?;
    let response = OffsetCommitResponse::decode(body(&answer, keys::OFFSET_COMMIT, version), version).unwrap();
    let partitions = response.topics.iter().flat_map(|topic| topic.partitions.iter());
    Some(partitions.map(|partition| (partition.index.0, partition.error)).collect())
}

fn done(index: i32) -> Vec<(i32, ErrorCode)> {
    vec![(index, ErrorCode::None)]
}

/// Lets other threads go on until something holds; not for ever.
fn wait_for(mut holds: impl FnMut() -> bool) {
    let until = std::time::Instant::now() + Duration::from_secs(30);
    while !holds() {
        assert!(std::time::Instant::now() < until, "it never comes");
        thread::yield_now();
    }
}

#[test]
fn whoever_may_commits_with_the_records_of_kafka() {
    for version in 2..=NEWEST {
        let host = Host::new();
        host.grant();
        let mut client = host.client();
        send(&host, &mut client, version, 1, 42);
        assert_eq!(codes(&mut client, version), Some(done(1)), "v{version}");
        assert!(host.asked().is_empty());
        assert_eq!(host.committed(), [("orders".to_owned(), 1, 42)]);
        let batches = host.partition.with_log(|log| log.reader().batches(Offset(0), log.end()));
        let raw: Vec<_> = batches.map(Result::unwrap).collect();
        let Step::Batch(header, bytes) = walk::step(&raw[0].bytes, 0) else { panic!("no batch") };
        assert_eq!((raw.len(), header.record_count, header.producer_id), (1, 1, ProducerId::NONE));
        let content = walk::contents(&header, bytes, &mut Scratch::default(), 1000).unwrap();
        let value = OffsetValue {
            offset: Offset(42),
            leader_epoch: LeaderEpoch(if version >= 6 { 4 } else { -1 }),
            metadata: "".into(),
            commit_timestamp: at(1).wall,
            expire_timestamp: TimestampMs::NONE,
            topic_id: ORDERS,
        };
        let value = write_value(&value).unwrap();
        let mut seen = 0;
        walk::for_each_record(&header, &content, |record| {
            assert_eq!(record.key, Some(&b"\0\x01\0\x01g\0\x06orders\0\0\0\x01"[..]));
            assert_eq!(record.value, Some(&value[..]));
            seen += 1;
        })
        .unwrap();
        assert_eq!(seen, 1);
        assert_eq!(host.desk.lock().last_commit("g", "m"), Some(at(1).instant));
    }
}

#[test]
fn whoever_is_not_known_to_be_allowed_asks_for_leave() {
    let host = Host::new();
    let mut client = host.client();
    send(&host, &mut client, NEWEST, 0, 7);
    let [request] = &host.asked()[..] else { panic!("one goes up") };
    assert!(request.asks_leave);
    host.grant();
    host.broker.services.outstanding.answer(request.id, Answer::Again);
    assert!(client.settle(&host.broker, at(2)));
    assert_eq!(codes(&mut client, NEWEST), Some(done(0)));
    send(&host, &mut client, NEWEST, 0, 8);
    assert_eq!((codes(&mut client, NEWEST), host.committed()), (Some(done(0)), vec![("orders".to_owned(), 0, 8)]));
    assert_eq!(host.desk.lock().withdraw("g"), [("m".into(), at(1).instant)]);
    send(&host, &mut client, NEWEST, 0, 9);
    assert_eq!((codes(&mut client, NEWEST), host.asked().len(), host.log_end()), (None, 1, Offset(2)));
}

#[test]
fn whoever_is_sent_back_often_enough_is_left_to_the_control_plane() {
    let host = Host::new();
    let mut client = host.client();
    send(&host, &mut client, NEWEST, 0, 7);
    let mut asked = Vec::new();
    for _ in 0..4 {
        let [request] = &host.asked()[..] else { panic!("one goes up") };
        asked.push(request.asks_leave);
        host.broker.services.outstanding.answer(request.id, Answer::Again);
        client.settle(&host.broker, at(2));
    }
    let [last] = &host.asked()[..] else { panic!("one goes up") };
    assert_eq!((asked, last.asks_leave), (vec![true; 4], false));
    // Nothing else of the connection went before it; and what is sent back although it did not ask ends the connection.
    host.broker.services.outstanding.answer(last.id, Answer::Again);
    assert!(client.connection.settle(&host.broker.services, at(2)).is_err());
}

#[test]
fn what_is_sent_back_keeps_its_place_among_answers() {
    let host = Host::new();
    let mut client = host.client();
    let call = client.call(12);
    client.send(&host.broker, &super::fetch::wait_at_end(&call, 1, 500), at(1)).unwrap();
    send(&host, &mut client, NEWEST, 0, 7);
    let [request] = &host.asked()[..] else { panic!("one goes up") };
    host.grant();
    host.broker.services.outstanding.answer(request.id, Answer::Again);
    client.settle(&host.broker, at(2));
    assert_eq!((client.answered(at(2)), host.committed().len()), (vec![], 1));
    client.settle(&host.broker, at(600));
    assert_eq!(client.answered(at(600)), [1, 2]);
    // And for a client that is gone nothing is carried out.
    host.desk.lock().withdraw("g");
    send(&host, &mut client, NEWEST, 0, 8);
    let [request] = &host.asked()[..] else { panic!("one goes up") };
    host.grant();
    client.connection.release();
    host.broker.services.outstanding.answer(request.id, Answer::Again);
    client.connection.settle(&host.broker.services, at(601)).unwrap();
    assert_eq!(host.log_end(), Offset(1));
}

#[test]
fn only_exactly_who_was_allowed_commits() {
    let host = Host::new();
    host.desk.lock().grant(&Committer { instance_id: Some("i"), version: 8, ..MEMBER });
    let topics: &[(TopicRef<'_>, &[OffsetCommitPartition<'_>])] = &[(TopicRef::Name("orders"), &[of(0, 1, None)])];
    let right = Commit { group_instance_id: Some("i"), ..commit(topics) };
    for (version, wrong) in [
        (7, right),
        (8, Commit { group_instance_id: None, ..right }),
        (8, Commit { group_instance_id: Some("j"), ..right }),
        (8, Commit { generation_id_or_member_epoch: 2, ..right }),
        (8, Commit { generation_id_or_member_epoch: 4, ..right }),
        (8, Commit { member_id: "n", ..right }),
        (8, Commit { member_id: "", ..right }),
        (8, Commit { group_id: "h", ..right }),
    ] {
        let mut client = host.client();
        let frame = frame(&mut client, version, &wrong);
        client.send(&host.broker, &frame, at(1)).unwrap();
        assert_eq!(codes(&mut client, version), None, "{wrong:?}");
        assert!(host.asked().pop().unwrap().asks_leave);
    }
    let mut client = host.client();
    let frame = frame(&mut client, 9, &right);
    client.send(&host.broker, &frame, at(1)).unwrap();
    assert_eq!(codes(&mut client, 9), Some(done(0)));
}

#[test]
fn metadata_that_is_too_large_is_refused_by_itself() {
    let host = Host::new();
    host.grant();
    let mut client = host.client();
    // Five characters of Java each, but the last; of up to 15 bytes.
    let partitions =
        [of(0, 1, Some("\u{4e2d}\u{4e2d}\u{4e2d}\u{4e2d}\u{4e2d}")), of(1, 2, Some("\u{1f600}\u{1f600}ab"))];
    let topics: [(TopicRef<'_>, &[OffsetCommitPartition<'_>]); 1] = [(TopicRef::Name("orders"), &partitions)];
    let commit = commit(&topics);
    let request = frame(&mut client, 8, &commit);
    client.send(&host.broker, &request, at(1)).unwrap();
    let expected = vec![(0, ErrorCode::None), (1, ErrorCode::OffsetMetadataTooLarge)];
    assert_eq!((codes(&mut client, 8), host.committed()), (Some(expected), vec![("orders".to_owned(), 0, 1)]));
    let request = frame(&mut client, 8, &Commit { topics: &[(TopicRef::Name("orders"), &partitions[1..])], ..commit });
    client.send(&host.broker, &request, at(1)).unwrap();
    assert_eq!(codes(&mut client, 8), Some(vec![(1, ErrorCode::OffsetMetadataTooLarge)]));
    assert_eq!(host.log_end(), Offset(1), "nothing to write");
}

#[test]
fn what_is_not_usual_goes_up_for_good() {
    let one: &[OffsetCommitPartition<'_>] = &[of(0, 1, None)];
    let sent = |host: &Host, version: i16, commit: Commit<'_>, mend: &dyn Fn(&mut Vec<u8>)| {
        host.grant();
        let mut client = host.client();
        let mut request = frame(&mut client, version, &commit);
        mend(&mut request);
        client.send(&host.broker, &request, at(1)).unwrap();
        assert_eq!((codes(&mut client, version), host.log_end()), (None, Offset(0)));
        let asks_leave = host.asked().pop().unwrap().asks_leave;
        assert!(!asks_leave, "{commit:?}");
    };
    let (host, nothing) = (Host::new(), |_: &mut Vec<u8>| {});
    let orders = TopicRef::Name("orders");
    sent(&host, 4, Commit { retention_time_ms: 1, ..commit(&[(orders, one)]) }, &nothing);
    sent(&host, 9, commit(&[]), &nothing);
    sent(&host, 9, commit(&[(orders, &[])]), &nothing);
    sent(&host, 9, commit(&[(orders, one), (TopicRef::Name("other"), one)]), &nothing);
    sent(&host, 10, commit(&[(TopicRef::Id(TopicId([9; 16])), one)]), &nothing);
    sent(&host, 9, commit(&[(orders, &[of(0, 1, None), of(2, 1, None)])]), &nothing);
    sent(&host, 9, commit(&[(orders, &[of(-1, 1, None)])]), &nothing);
    let not_text = |request: &mut Vec<u8>| {
        let at = request.windows(3).position(|bytes| bytes == b"xyz").unwrap();
        request[at] = 0xff;
    };
    sent(&host, 8, commit(&[(orders, &[of(0, 1, Some("xyz"))])]), &not_text);
    sent(&host, 8, Commit { member_id: "xyz", ..commit(&[(orders, one)]) }, &not_text);
    sent(&Host::with(&[THIS, OTHER], LogConfig::default()), 9, commit(&[(orders, one)]), &nothing);
}

#[test]
fn a_log_that_cannot_be_written_is_left_to_the_control_plane() {
    let host = Host::new();
    host.grant();
    let mut client = host.client();
    send(&host, &mut client, 9, 0, 1);
    assert_eq!(codes(&mut client, 9), Some(done(0)));
    host.broker.disk.set_faults(Faults { write_error_once_in: 1, ..Faults::default() });
    send(&host, &mut client, 9, 1, 2);
    assert_eq!(codes(&mut client, 9), Some(vec![(1, ErrorCode::NotCoordinator)]));
    assert_eq!(host.committed(), [("orders".to_owned(), 0, 1)]);
    assert!(host.desk.lock().offsets.being_written("g").next().is_none());
    send(&host, &mut client, 9, 1, 2);
    assert!(host.asked().pop().unwrap().asks_leave, "no longer granted");
    assert_eq!(host.desk.lock().withdraw("g").len(), 1, "when it committed is not forgotten");
}

#[test]
fn nobody_commits_under_another_leader_epoch() {
    let host = Host::new();
    host.grant();
    host.partition.update(leadership(1, 1, &[THIS]), at(0).wall);
    let mut client = host.client();
    send(&host, &mut client, 9, 0, 1);
    assert_eq!(codes(&mut client, 9), Some(vec![(0, ErrorCode::NotCoordinator)]));
    assert_eq!((host.committed(), host.log_end()), (vec![], Offset(0)));
}

#[test]
fn with_flush_messages_the_answer_waits_for_the_flush() {
    let host = Host::with(&[THIS], LogConfig { flush_messages: Some(1), ..LogConfig::default() });
    host.grant();
    let mut client = host.client();
    send(&host, &mut client, 9, 0, 1);
    client.settle(&host.broker, at(2));
    assert_eq!(codes(&mut client, 9), None);
    let plan = host.partition.with_log(Log::flush_plan).unwrap().unwrap();
    host.partition.flushed(&plan, &plan.run());
    client.settle(&host.broker, at(3));
    assert_eq!(codes(&mut client, 9), Some(done(0)));
    send(&host, &mut client, 9, 0, 2);
    client.settle(&host.broker, at(501));
    assert_eq!(codes(&mut client, 9), Some(vec![(0, ErrorCode::CoordinatorNotAvailable)]), "out of time");
    assert_eq!(host.partition.waiting(), 0);
}

#[test]
fn what_is_being_written_is_read_by_the_next_coordinator() {
    let host = Host::new();
    let (old, next) = (host.desk.clone(), SharedDesk::default());
    let mut log = Coordinator::on(host.broker.services.clone(), host.partition.clone());
    let key = OffsetKey { group: "g".into(), topic: "orders".into(), partition: PartitionIndex(0) };
    let value = OffsetValue {
        offset: Offset(5),
        leader_epoch: EPOCH,
        metadata: "".into(),
        commit_timestamp: at(1).wall,
        expire_timestamp: TimestampMs::NONE,
        topic_id: ORDERS,
    };
    let record = KeyedRecord {
        key: write_key("g", "orders", PartitionIndex(0)).unwrap(),
        value: Some(write_value(&value).unwrap()),
        timestamp: at(1).wall,
    };
    // A commit as far as its batch, by hand; then the coordinator is given up, and comes back.
    let station = host.broker.services.desks.station(OFFSETS, PartitionIndex(0)).unwrap();
    let order = station.in_order();
    let write = old.lock().offsets.begin_write([(key, value)].into_iter());
    drop(old.lock().close());
    host.broker.services.desks.put(OFFSETS, PartitionIndex(0), next.clone());
    let intake = Arc::new(parking_lot::Mutex::new(Filling(next.clone())));
    let place = Place { topic_id: OFFSETS, index: PartitionIndex(0), leader_epoch: EPOCH };
    thread::scope(|scope| {
        let loading = scope.spawn(move || {
            let load = log.begin(CoordinatorCommand::Load(place, Some(intake)));
            let end = log.begin(CoordinatorCommand::Next(load));
            wait_for(|| log.outcome(end, at(2)).is_some());
        });
        for _ in 0..1_000 {
            assert!(next.try_lock().is_some());
            thread::yield_now();
        }
        let (options, mut scratch) = (BatchOptions::default(), Scratch::default());
        let partition = &host.partition;
        write_batch(partition, EPOCH, options, Proof::None, &[record], at(1).wall, &mut scratch).unwrap();
        old.lock().offsets.end_write(write, true);
        drop(order);
        loading.join().unwrap();
    });
    assert_eq!(held(&next.lock().offsets), [("orders".to_owned(), 0, 5)]);
    assert!(old.lock().offsets.is_empty(), "what was held was given back when it was closed");
    let filling = parking_lot::Mutex::new(Filling(next.clone()));
    let _step = filling.lock();
    assert!(next.try_lock().is_some(), "a load that reads its log holds no desk");
}
