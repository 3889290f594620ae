//! What coordinators write and read, with replicas played by hand.

use std::collections::HashMap;
use std::sync::mpsc;

use super::*;
use crate::batch::Codec;
use crate::batch::compress::Scratch;
use crate::batch::walk::{self, Step};
use crate::plane::command::{DoneValue, Ticket};
use crate::plane::coordinator_log::{
    CoordinatorCommand, CoordinatorLogs, CoordinatorOutcome, KeyedRecord, LogRefusal, Place,
};
use crate::plane::coordinator_transactions::{MarkerRow, TransactionCommand};
use crate::plane::link::Answer;
use crate::plane::mailbox::RequestId;
use crate::replication::partition::Marker;
use crate::replication::waiting::{Bell, FetchWaiter, Isolation};

const EPOCH: LeaderEpoch = LeaderEpoch(0);

fn record(key: &str, value: &str) -> KeyedRecord {
    KeyedRecord { key: key.into(), value: Some(value.into()), timestamp: at(0).wall }
}

pub(super) fn place(leader_epoch: LeaderEpoch) -> Place {
    Place { topic_id: ORDERS, index: PartitionIndex(0), leader_epoch }
}

/// Logs of a partition with another replica in sync, which never comes; and who reads for them.
pub(in crate::plane) fn logs_of_two_replicas() -> (Arc<Services>, Arc<Pool>, CoordinatorLogs) {
    let Coordinator { services, pool, logs, .. } = Coordinator::new(&[THIS, OTHER], 1, LogConfig::default());
    (services, pool, logs)
}

/// An append of one record.
pub(in crate::plane) fn append(key: &str) -> CoordinatorCommand {
    let records = vec![record(key, "value")];
    CoordinatorCommand::Append {
        place: place(EPOCH),
        records,
        codec: Codec::None,
        timeout_ms: 5_000,
        openings: Vec::new(),
        replies: Vec::new(),
    }
}

/// The end of a transaction in its partition, as data partitions get it.
pub(in crate::plane) fn markers() -> CoordinatorCommand {
    let Place { topic_id, index, .. } = place(EPOCH);
    let marker = Marker {
        producer_id: ProducerId(7),
        producer_epoch: ProducerEpoch(0),
        coordinator_epoch: 0,
        commit: true,
        transaction_version: 1,
    };
    let rows = vec![MarkerRow { topic_id, index, marker }];
    CoordinatorCommand::Transact(TransactionCommand::Markers { rows, timeout_ms: 5_000 })
}

/// The beginning of a load.
pub(in crate::plane) fn load() -> CoordinatorCommand {
    CoordinatorCommand::Load(place(EPOCH), None)
}

/// A moment for those who do not care.
pub(in crate::plane) fn start_of_test() -> Now {
    at(0)
}

/// The thread of the logs, stepped by hand, and one thread that reads.
pub(super) struct Coordinator {
    services: Arc<Services>,
    pub(super) partition: Arc<Partition>,
    pool: Arc<Pool>,
    logs: CoordinatorLogs,
    next: Ticket,
    ended: HashMap<Ticket, Result<CoordinatorOutcome, String>>,
}

impl Coordinator {
    fn new(isr: &[BrokerId], min_insync_replicas: usize, config: LogConfig) -> Self {
        let broker = Broker::new();
        let partition = broker.lead_with(1, isr, min_insync_replicas, config).remove(0);
        Self::on(broker.services, partition)
    }

    /// The coordinator of a partition that is hosted already.
    pub(super) fn on(services: Arc<Services>, partition: Arc<Partition>) -> Self {
        let pool = Arc::new(Pool::start("test", 1).unwrap());
        let logs = CoordinatorLogs::new(services.clone(), pool.clone());
        Self { services, partition, pool, logs, next: 1, ended: HashMap::new() }
    }

    fn alone() -> Self {
        Self::new(&[THIS], 1, LogConfig::default())
    }

    pub(super) fn begin(&mut self, command: CoordinatorCommand) -> Ticket {
        let ticket = self.next;
        self.next += 1;
        self.logs.carry_out(ticket, command, at(0));
        ticket
    }

    fn begin_append(&mut self, leader_epoch: LeaderEpoch, key: &str) -> Ticket {
        self.begin_answered(leader_epoch, key, Vec::new())
    }

    fn begin_answered(&mut self, leader_epoch: LeaderEpoch, key: &str, replies: Vec<(RequestId, Vec<u8>)>) -> Ticket {
        let records = vec![record(key, "value")];
        self.begin(CoordinatorCommand::Append {
            place: place(leader_epoch),
            records,
            codec: Codec::None,
            timeout_ms: 5_000,
            openings: Vec::new(),
            replies,
        })
    }

    fn settle(&mut self, now: Now) {
        self.logs.settle(now.instant);
        for done in self.services.mailbox.drain(0).done {
            let outcome = done.result.map(|value| match value {
                DoneValue::Coordinator(outcome) => outcome,
                other => panic!("{other:?}"),
            });
            assert!(self.ended.insert(done.ticket, outcome).is_none(), "two ends");
        }
    }

    /// What came of a command; none while it is under way.
    pub(super) fn outcome(&mut self, ticket: Ticket, now: Now) -> Option<CoordinatorOutcome> {
        self.settle(now);
        self.ended.remove(&ticket).map(|ended| ended.unwrap())
    }

    fn code(&mut self, ticket: Ticket) -> Option<ErrorCode> {
        self.outcome(ticket, at(0)).map(|outcome| outcome.map_or_else(|refusal| refusal.code, |_| ErrorCode::None))
    }

    /// Lets the thread that reads do what there is to do.
    fn let_read(&self) {
        for _ in 0..10 {
            let (done, wait) = mpsc::channel();
            self.pool.submit(Box::new(move || done.send(()).unwrap()));
            wait.recv().unwrap();
        }
    }

    fn next_portion(&mut self, load: Ticket) -> Option<CoordinatorOutcome> {
        let ticket = self.begin(CoordinatorCommand::Next(load));
        self.let_read();
        self.outcome(ticket, at(0))
    }

    /// Keys and values of everything.
    pub(super) fn load(&mut self, leader_epoch: LeaderEpoch) -> Result<Vec<(String, String)>, LogRefusal> {
        let load = self.begin(CoordinatorCommand::Load(place(leader_epoch), None));
        let mut found = Vec::new();
        loop {
            let portion = self.next_portion(load).expect("nothing waits")?;
            if portion.is_empty() {
                break;
            }
            let text = |bytes: Vec<u8>| String::from_utf8(bytes).unwrap();
            found.extend(portion.into_iter().map(|record| (text(record.key), text(record.value.unwrap()))));
        }
        self.begin(CoordinatorCommand::Close(load));
        Ok(found)
    }

    pub(super) fn log_end(&self) -> Offset {
        self.partition.with_log(|log| log.end())
    }
}

fn pair(key: &str) -> (String, String) {
    (key.to_owned(), "value".to_owned())
}

#[test]
fn one_batch_is_written_as_a_coordinator_writes_it() {
    let mut coordinator = Coordinator::alone();
    let tombstone = KeyedRecord { key: b"b".to_vec(), value: None, timestamp: TimestampMs(at(0).wall.0 + 7) };
    let records = vec![record("a", "1"), tombstone, record("c", "3")];
    let ticket = coordinator.begin(CoordinatorCommand::Append {
        place: place(EPOCH),
        records,
        codec: Codec::None,
        timeout_ms: 0,
        openings: Vec::new(),
        replies: Vec::new(),
    });
    assert_eq!(coordinator.outcome(ticket, at(0)), Some(Ok(Vec::new())), "who is alone has committed");
    let batches = coordinator.partition.with_log(|log| log.reader().batches(Offset(0), log.end()));
    let raw: Vec<_> = batches.map(Result::unwrap).collect();
    assert_eq!(raw.len(), 1);
    let Step::Batch(header, bytes) = walk::step(&raw[0].bytes, 0) else { panic!("no batch") };
    assert_eq!((header.attributes, header.producer_id, header.record_count), (0, ProducerId::NONE, 3));
    assert_eq!((header.leader_epoch, header.max_timestamp), (EPOCH, TimestampMs(at(0).wall.0 + 7)));
    let records = walk::contents(&header, bytes, &mut Scratch::default(), 1000).unwrap();
    let mut values = Vec::new();
    walk::for_each_record(&header, &records, |record| values.push(record.value.map(<[u8]>::to_vec))).unwrap();
    assert_eq!(values, [Some(b"1".to_vec()), None, Some(b"3".to_vec())]);
    let expected = [("a".to_owned(), "1".to_owned()), ("c".to_owned(), "3".to_owned())];
    assert_eq!(coordinator.load(EPOCH).unwrap(), expected);
}

#[test]
fn a_batch_is_compressed_as_the_coordinator_says_unless_the_topic_says_otherwise() {
    let written = |codec: Codec, target: Target| {
        let mut coordinator = Coordinator::alone();
        let settings = coordinator.partition.settings();
        let produce = ProduceRules { target, ..settings.produce };
        coordinator.partition.configure(Arc::new(TopicSettings { produce, ..TopicSettings::clone(&settings) }));
        let records = vec![record("a", "1"), record("b", "2")];
        let append = CoordinatorCommand::Append {
            place: place(EPOCH),
            records,
            codec,
            timeout_ms: 0,
            openings: Vec::new(),
            replies: Vec::new(),
        };
        let ticket = coordinator.begin(append);
        assert_eq!(coordinator.outcome(ticket, at(0)), Some(Ok(Vec::new())));
        let batch = coordinator.partition.with_log(|log| log.reader().batches(Offset(0), log.end()).next());
        let attributes = batch.unwrap().unwrap().frame.header.unwrap().attributes;
        let expected = [("a".to_owned(), "1".to_owned()), ("b".to_owned(), "2".to_owned())];
        assert_eq!(coordinator.load(EPOCH).unwrap(), expected, "{codec:?}");
        Codec::from_attributes(attributes).unwrap()
    };
    for codec in [Codec::None, Codec::Gzip, Codec::Snappy, Codec::Lz4, Codec::Zstd] {
        assert_eq!(written(codec, Target::Producer), codec);
    }
    assert_eq!(written(Codec::Lz4, Target::Codec { codec: Codec::Zstd, level: None }), Codec::Zstd);
}

#[test]
fn an_append_ends_when_all_in_sync_replicas_have_it() {
    let mut coordinator = Coordinator::new(&[THIS, OTHER], 1, LogConfig::default());
    let (first, second) = (coordinator.begin_append(EPOCH, "a"), coordinator.begin_append(EPOCH, "b"));
    assert_eq!((coordinator.code(first), coordinator.code(second)), (None, None));
    coordinator.partition.follower_reached(OTHER, Offset(1));
    assert_eq!((coordinator.code(first), coordinator.code(second)), (Some(ErrorCode::None), None));
    coordinator.partition.follower_reached(OTHER, Offset(2));
    assert_eq!(coordinator.code(second), Some(ErrorCode::None));
    assert_eq!(coordinator.partition.waiting(), 0);
    assert_eq!(coordinator.logs.deadline(), None);
}

#[test]
fn responses_leave_when_the_batch_they_wait_for_is_committed() {
    let broker = Broker::new();
    let partition = broker.lead_with(1, &[THIS, OTHER], 1, LogConfig::default()).remove(0);
    let link = Client::new(&broker).link;
    let mut coordinator = Coordinator::on(broker.services.clone(), partition);
    let response = |slot: u64, body: &str| (broker.services.outstanding.expect(&link, slot), body.as_bytes().to_vec());
    let left = || {
        let answers = link.take_answers().into_iter().map(|(slot, answer)| match answer {
            Answer::Body(body) => (slot, String::from_utf8(body).unwrap()),
            other => panic!("{other:?}"),
        });
        answers.collect::<Vec<_>>()
    };
    let gone = (RequestId(u64::MAX), Vec::new());
    let first = coordinator.begin_answered(EPOCH, "a", vec![response(1, "one"), gone, response(2, "two")]);
    let second = coordinator.begin_answered(EPOCH, "b", vec![response(3, "three")]);
    let fenced = coordinator.begin_answered(LeaderEpoch(9), "c", vec![response(4, "four")]);
    assert_eq!((coordinator.code(first), coordinator.code(second), left()), (None, None, vec![]));
    coordinator.partition.follower_reached(OTHER, Offset(1));
    assert_eq!(coordinator.code(first), Some(ErrorCode::None));
    assert_eq!(left(), [(1, "one".to_owned()), (2, "two".to_owned())]);
    assert_eq!(coordinator.outcome(second, at(5_000)).unwrap().unwrap_err().code, ErrorCode::RequestTimedOut);
    assert_eq!(coordinator.code(fenced), Some(ErrorCode::NotLeaderOrFollower));
    assert!(left().is_empty(), "whoever settles those answers them");

    let alone = Coordinator::alone();
    let link = Client::new(&broker).link;
    let request = alone.services.outstanding.expect(&link, 5);
    let mut coordinator = alone;
    let at_once = coordinator.begin_answered(EPOCH, "a", vec![(request, b"five".to_vec())]);
    assert_eq!(link.take_answers().len(), 1, "before the ticket ends");
    assert_eq!(coordinator.code(at_once), Some(ErrorCode::None));
}

#[test]
fn an_append_that_takes_too_long_is_in_the_log_all_the_same() {
    let mut coordinator = Coordinator::new(&[THIS, OTHER], 1, LogConfig::default());
    let ticket = coordinator.begin_append(EPOCH, "a");
    assert_eq!(coordinator.logs.deadline(), Some(at(5_000).instant));
    assert_eq!(coordinator.outcome(ticket, at(4_999)), None);
    let refusal = coordinator.outcome(ticket, at(5_000)).unwrap().unwrap_err();
    assert_eq!(refusal.code, ErrorCode::RequestTimedOut);
    assert_eq!(refusal.message, "what was written to orders-0 was not committed within 5000 ms");
    assert_eq!((coordinator.partition.waiting(), coordinator.log_end()), (0, Offset(1)));
}

#[test]
fn too_few_replicas_before_and_after() {
    let mut coordinator = Coordinator::new(&[THIS, OTHER], 2, LogConfig::default());
    let waits = coordinator.begin_append(EPOCH, "a");
    let mut shrunk = leadership(0, 1, &[THIS, OTHER]);
    shrunk.isr = vec![THIS];
    assert!(coordinator.partition.update(shrunk, at(0).wall));
    let refused = coordinator.begin_append(EPOCH, "b");
    assert_eq!(coordinator.code(refused), Some(ErrorCode::NotEnoughReplicas));
    assert_eq!((coordinator.code(waits), coordinator.log_end()), (None, Offset(1)));
}

#[test]
fn under_another_epoch_nothing_is_written_or_read() {
    let mut coordinator = Coordinator::alone();
    let ticket = coordinator.begin_append(EPOCH, "a");
    assert_eq!(coordinator.code(ticket), Some(ErrorCode::None));
    assert!(coordinator.partition.update(leadership(2, 2, &[THIS]), at(0).wall));
    for epoch in [0, 1, 3] {
        let ticket = coordinator.begin_append(LeaderEpoch(epoch), "b");
        let refusal = coordinator.outcome(ticket, at(0)).unwrap().unwrap_err();
        assert_eq!(refusal.code, ErrorCode::NotLeaderOrFollower);
        assert_eq!(refusal.message, format!("orders-0 is not led here under leader epoch {epoch}"));
        assert_eq!(coordinator.load(LeaderEpoch(epoch)).unwrap_err(), refusal);
    }
    assert_eq!(coordinator.log_end(), Offset(1));
    assert_eq!(coordinator.load(LeaderEpoch(2)).unwrap(), [pair("a")]);
}

#[test]
fn who_gives_the_partition_up_lets_nobody_wait() {
    let mut coordinator = Coordinator::new(&[THIS, OTHER], 1, LogConfig::default());
    let append = coordinator.begin_append(EPOCH, "a");
    let load = coordinator.begin(CoordinatorCommand::Load(place(EPOCH), None));
    assert_eq!(coordinator.next_portion(load).unwrap().unwrap().len(), 1);
    assert_eq!(coordinator.next_portion(load), None, "the record is not committed");
    let end = coordinator.next - 1;
    coordinator.partition.stop();
    assert_eq!(coordinator.code(append), Some(ErrorCode::NotLeaderOrFollower));
    assert_eq!(coordinator.code(end), Some(ErrorCode::NotLeaderOrFollower));
    let ticket = coordinator.begin_append(EPOCH, "b");
    assert_eq!(coordinator.code(ticket), Some(ErrorCode::NotLeaderOrFollower));
}

#[test]
fn what_is_not_here_is_said() {
    let mut coordinator = Coordinator::alone();
    let mut code = |topic_id, index| {
        let place = Place { topic_id, index: PartitionIndex(index), leader_epoch: EPOCH };
        let ticket = coordinator.begin(CoordinatorCommand::Load(place, None));
        assert_eq!(coordinator.code(ticket), Some(ErrorCode::None));
        let ticket = coordinator.begin(CoordinatorCommand::Next(ticket));
        coordinator.code(ticket)
    };
    assert_eq!(code(TopicId([9; 16]), 0), Some(ErrorCode::UnknownTopicOrPartition));
    assert_eq!(code(ORDERS, 1), Some(ErrorCode::NotLeaderOrFollower));
    coordinator.services.hosted.fail(ORDERS, PartitionIndex(0), "orders".into());
    let ticket = coordinator.begin_append(EPOCH, "a");
    assert_eq!(coordinator.code(ticket), Some(ErrorCode::KafkaStorageError));
}

#[test]
fn a_batch_that_the_topic_does_not_take_is_refused() {
    let mut coordinator = Coordinator::alone();
    let records = vec![record("a", &"v".repeat(1_048_588))];
    let ticket = coordinator.begin(CoordinatorCommand::Append {
        place: place(EPOCH),
        records,
        codec: Codec::None,
        timeout_ms: 1,
        openings: Vec::new(),
        replies: Vec::new(),
    });
    assert_eq!(coordinator.code(ticket), Some(ErrorCode::MessageTooLarge));
    assert_eq!(coordinator.log_end(), Offset(0));
}

#[test]
fn flush_messages_holds_for_coordinators_too() {
    let every = LogConfig { flush_messages: Some(1), ..LogConfig::default() };
    let mut coordinator = Coordinator::new(&[THIS], 1, every);
    let ticket = coordinator.begin_append(EPOCH, "a");
    assert_eq!(coordinator.code(ticket), None);
    let plan = coordinator.partition.with_log(Log::flush_plan).unwrap().unwrap();
    let outcome = plan.run();
    coordinator.partition.flushed(&plan, &outcome);
    assert_eq!(coordinator.code(ticket), Some(ErrorCode::None));
    let ticket = coordinator.begin_append(EPOCH, "b");
    coordinator.partition.fail();
    assert_eq!(coordinator.code(ticket), Some(ErrorCode::KafkaStorageError));
}

#[test]
fn a_reader_who_waits_is_woken() {
    let mut coordinator = Coordinator::alone();
    for isolation in [Isolation::LogEnd, Isolation::HighWatermark, Isolation::LastStable] {
        let waiter = FetchWaiter::new(Arc::new(Bell::default()), 1);
        let end = coordinator.log_end();
        assert!(coordinator.partition.wait_readable(isolation, end, &waiter).is_some());
        coordinator.begin_append(EPOCH, "a");
        assert!(waiter.has_fired());
    }
}

#[test]
fn a_load_sees_what_was_begun_before_it_and_ends_when_that_is_committed() {
    let mut coordinator = Coordinator::new(&[THIS, OTHER], 1, LogConfig::default());
    coordinator.begin_append(EPOCH, "a");
    let load = coordinator.begin(CoordinatorCommand::Load(place(EPOCH), None));
    coordinator.begin_append(EPOCH, "a");
    let portion = coordinator.next_portion(load).unwrap().unwrap();
    assert_eq!(portion.iter().map(|record| record.offset.0).collect::<Vec<_>>(), [0]);
    assert_eq!(coordinator.next_portion(load), None);
    let end = coordinator.next - 1;
    let refused = coordinator.begin(CoordinatorCommand::Next(load));
    coordinator.settle(at(0));
    assert!(coordinator.ended.remove(&refused).unwrap().unwrap_err().contains("already"));
    coordinator.partition.follower_reached(OTHER, Offset(1));
    assert_eq!(coordinator.outcome(end, at(0)), Some(Ok(Vec::new())));
    assert_eq!(coordinator.next_portion(load), Some(Ok(Vec::new())), "the end stays the end");
}

#[test]
fn closing_frees_what_a_load_holds() {
    let mut coordinator = Coordinator::new(&[THIS, OTHER], 1, LogConfig::default());
    coordinator.begin_append(EPOCH, "a");
    coordinator.partition.follower_reached(OTHER, Offset(1));
    coordinator.begin_append(EPOCH, "b");
    coordinator.settle(at(0));
    let held = Arc::strong_count(&coordinator.partition);
    let waiting = coordinator.partition.waiting();
    for portions in 0..3 {
        let load = coordinator.begin(CoordinatorCommand::Load(place(EPOCH), None));
        for _ in 0..portions {
            coordinator.next_portion(load);
        }
        for _ in 0..2 {
            let ticket = coordinator.begin(CoordinatorCommand::Close(load));
            assert_eq!(coordinator.code(ticket), Some(ErrorCode::None));
        }
        coordinator.let_read();
        assert_eq!(Arc::strong_count(&coordinator.partition), held);
        assert_eq!(coordinator.partition.waiting(), waiting);
        let ticket = coordinator.begin(CoordinatorCommand::Next(load));
        coordinator.settle(at(0));
        assert!(coordinator.ended.remove(&ticket).unwrap().is_err());
    }
}

#[test]
fn an_engine_that_stops_lets_nobody_wait() {
    let mut coordinator = Coordinator::new(&[THIS, OTHER], 1, LogConfig::default());
    let append = coordinator.begin_append(EPOCH, "a");
    let load = coordinator.begin(CoordinatorCommand::Load(place(EPOCH), None));
    coordinator.next_portion(load);
    assert_eq!(coordinator.next_portion(load), None);
    let end = coordinator.next - 1;
    coordinator.logs.close();
    coordinator.settle(at(0));
    assert!(coordinator.ended.remove(&append).unwrap().is_err());
    assert!(coordinator.ended.remove(&end).unwrap().unwrap().is_err());
    assert_eq!(coordinator.partition.waiting(), 0);
}
