//! Produce in transactions, and markers, with the coordinator played by hand.

use std::collections::HashMap;

use super::*;
use crate::batch::Codec;
use crate::batch::producer::Proof;
use crate::plane::command::{DoneValue, Ticket};
use crate::plane::coordinator_log::{CoordinatorCommand, CoordinatorLogs, KeyedRecord, LogRefusal, Place};
use crate::plane::coordinator_transactions::{MarkerRow, Opening, TransactionCommand, TransactionOutcome, Writer};
use crate::plane::questions::Question;
use crate::replication::partition::Marker;
use crate::replication::waiting::{Bell, FetchWaiter, Isolation};
use crate::wire::client::produce::encode_request;

const OLD: i16 = 10;
const ABORTABLE: i16 = 11;
const NEW: i16 = 12;
const P: i64 = 7;

/// A batch of one record of producer [`P`].
fn transactional(epoch: i16, sequence: i32) -> Vec<u8> {
    let mut builder = BatchBuilder::new(BatchOptions {
        producer_id: ProducerId(P),
        producer_epoch: ProducerEpoch(epoch),
        base_sequence: Sequence(sequence),
        transactional: true,
        ..BatchOptions::default()
    });
    builder.add(at(0).wall, &RecordParts { value: Some(b"value"), ..RecordParts::default() });
    builder.finish().unwrap()
}

/// A produce request for partitions of `orders`, in the transaction of `t`.
fn in_transaction(call: &Call<'_>, acks: i16, batches: &[(i32, Vec<u8>)]) -> Vec<u8> {
    let mut frame = Vec::new();
    let partitions: Vec<_> =
        batches.iter().map(|(index, records)| (PartitionIndex(*index), Some(&records[..]))).collect();
    encode_request(&mut frame, call, Some("t"), acks, 1_000, &[(TopicRef::Name("orders"), &partitions)]);
    frame
}

/// Errors, words and base offsets of the partitions of an answer.
fn all_produced(frame: &[u8], version: i16) -> Vec<(ErrorCode, Option<String>, i64)> {
    let response = ProduceResponse::decode(body(frame, keys::PRODUCE, version), version).unwrap();
    let partitions = response.topics.iter().flat_map(|topic| topic.partitions.iter());
    partitions.map(|p| (p.error, p.error_message.map(str::to_owned), p.base_offset.0)).collect()
}

fn marker(epoch: i16, coordinator_epoch: i32, commit: bool, transaction_version: i16) -> Marker {
    let (producer_id, producer_epoch) = (ProducerId(P), ProducerEpoch(epoch));
    Marker { producer_id, producer_epoch, coordinator_epoch, commit, transaction_version }
}

fn mark(partition: &Partition, epoch: i16, commit: bool) -> Result<Offset, ErrorCode> {
    let appended = partition.append_marker(LeaderEpoch::NONE, &marker(epoch, 0, commit, 0), at(0).wall);
    appended.map(|appended| appended.base_offset).map_err(|refused| refused.code())
}

/// A broker, a client in a transaction, and what its coordinator says.
struct Scene {
    broker: Broker,
    client: Client,
    partitions: Vec<Arc<Partition>>,
}

impl Scene {
    fn new() -> Self {
        let broker = Broker::new();
        let partitions = broker.lead(3);
        let client = Client::new(&broker);
        Self { broker, client, partitions }
    }

    fn send(&mut self, version: i16, batches: &[(i32, Vec<u8>)]) {
        let call = self.client.call(version);
        self.client.send(&self.broker, &in_transaction(&call, -1, batches), at(0)).unwrap();
    }

    fn question(&self) -> Question {
        let mut questions = self.broker.services.questions.take();
        assert_eq!(questions.len(), 1, "one question for a request");
        questions.remove(0)
    }

    fn answer(&mut self, question: &Question, code: ErrorCode) {
        self.broker.services.questions.answer(question.id, vec![code; question.partitions.len()]);
        assert!(self.client.settle(&self.broker, at(1)));
    }

    fn answered(&mut self, version: i16) -> Vec<(ErrorCode, Option<String>, i64)> {
        let answers = self.client.answers(at(1));
        assert_eq!(answers.len(), 1);
        all_produced(&answers[0], version)
    }

    /// Sends one batch, lets the coordinator say `verdict`, and tells what the client hears.
    fn ask(&mut self, version: i16, batch: Vec<u8>, verdict: ErrorCode) -> (ErrorCode, Option<String>, i64) {
        self.send(version, &[(0, batch)]);
        let question = self.question();
        self.answer(&question, verdict);
        self.answered(version).remove(0)
    }

    fn end(&self, index: usize) -> i64 {
        self.partitions[index].with_log(|log| log.end().0)
    }
}

#[test]
fn the_first_batch_asks_and_the_next_ones_do_not() {
    for (version, add) in [(OLD, false), (ABORTABLE, false), (NEW, true)] {
        let mut scene = Scene::new();
        scene.send(version, &[(0, transactional(0, 0)), (2, transactional(0, 0))]);
        let question = scene.question();
        assert_eq!((&*question.transactional_id, question.add), ("t", add));
        assert_eq!((question.producer_id, question.producer_epoch), (ProducerId(P), ProducerEpoch(0)));
        let asked: Vec<_> = question.partitions.iter().map(|(topic, index)| (&**topic, index.0)).collect();
        assert_eq!(asked, [("orders", 0), ("orders", 2)]);
        assert_eq!((scene.end(0), scene.client.answers(at(0)).len()), (0, 0), "nothing happens before the answer");
        scene.answer(&question, ErrorCode::None);
        assert_eq!(scene.answered(version), [(ErrorCode::None, None, 0), (ErrorCode::None, None, 0)]);

        scene.send(version, &[(0, transactional(0, 1)), (2, transactional(0, 1))]);
        assert_eq!(scene.broker.services.questions.open(), 0);
        assert_eq!(scene.answered(version), [(ErrorCode::None, None, 1), (ErrorCode::None, None, 1)]);
        // Only the partition that is new to the transaction is asked about.
        scene.send(version, &[(0, transactional(0, 2)), (1, transactional(0, 0))]);
        let question = scene.question();
        assert_eq!(question.partitions.len(), 1);
        scene.answer(&question, ErrorCode::None);
        assert_eq!(scene.answered(version), [(ErrorCode::None, None, 2), (ErrorCode::None, None, 0)]);
    }
}

#[test]
fn what_the_coordinator_says_is_told_as_the_version_knows_it() {
    let not_in_it = "Partition was not added to the transaction";
    let underlying = |error: &str| {
        format!("Unable to verify the partition has been added to the transaction. Underlying error: {error}")
    };
    let retriable = |error: &str| (ErrorCode::NotEnoughReplicas, Some(underlying(error)));
    let plain = |code| (code, None);
    let in_words = |code| (code, Some(not_in_it.to_owned()));
    for (verdict, old, abortable, new) in [
        (
            ErrorCode::InvalidTxnState,
            in_words(ErrorCode::InvalidTxnState),
            in_words(ErrorCode::InvalidTxnState),
            in_words(ErrorCode::InvalidTxnState),
        ),
        (
            ErrorCode::TransactionAbortable,
            in_words(ErrorCode::InvalidTxnState),
            plain(ErrorCode::TransactionAbortable),
            plain(ErrorCode::TransactionAbortable),
        ),
        (
            ErrorCode::ConcurrentTransactions,
            retriable("CONCURRENT_TRANSACTIONS"),
            retriable("CONCURRENT_TRANSACTIONS"),
            plain(ErrorCode::ConcurrentTransactions),
        ),
        (
            ErrorCode::ProducerFenced,
            plain(ErrorCode::InvalidProducerEpoch),
            plain(ErrorCode::InvalidProducerEpoch),
            plain(ErrorCode::InvalidProducerEpoch),
        ),
        (
            ErrorCode::InvalidProducerIdMapping,
            plain(ErrorCode::InvalidProducerIdMapping),
            plain(ErrorCode::InvalidProducerIdMapping),
            plain(ErrorCode::InvalidProducerIdMapping),
        ),
        (
            ErrorCode::NotCoordinator,
            retriable("NOT_COORDINATOR"),
            retriable("NOT_COORDINATOR"),
            retriable("NOT_COORDINATOR"),
        ),
        (
            ErrorCode::CoordinatorLoadInProgress,
            retriable("COORDINATOR_LOAD_IN_PROGRESS"),
            retriable("COORDINATOR_LOAD_IN_PROGRESS"),
            retriable("COORDINATOR_LOAD_IN_PROGRESS"),
        ),
    ] {
        for (version, (code, words)) in [(OLD, old), (ABORTABLE, abortable), (NEW, new)] {
            let mut scene = Scene::new();
            assert_eq!(scene.ask(version, transactional(0, 0), verdict), (code, words, -1), "{verdict:?} v{version}");
            assert_eq!(scene.end(0), 0, "nothing was written");
        }
    }
}

#[test]
fn one_partition_refused_and_the_others_appended() {
    let mut scene = Scene::new();
    scene.send(NEW, &[(0, transactional(0, 0)), (7, transactional(0, 0)), (1, transactional(0, 0))]);
    let question = scene.question();
    assert_eq!(question.partitions.len(), 2, "there is no partition 7");
    let codes = vec![ErrorCode::None, ErrorCode::TransactionAbortable];
    scene.broker.services.questions.answer(question.id, codes);
    assert!(scene.client.settle(&scene.broker, at(1)));
    let codes: Vec<_> = scene.answered(NEW).into_iter().map(|(code, _, _)| code).collect();
    assert_eq!(codes, [ErrorCode::None, ErrorCode::UnknownTopicOrPartition, ErrorCode::TransactionAbortable]);
    assert_eq!((scene.end(0), scene.end(1)), (1, 0));
}

/// Law 4: what comes behind on the connection is neither appended nor answered before.
#[test]
fn while_a_request_is_verified_no_later_one_of_the_connection_appends() {
    let mut scene = Scene::new();
    scene.send(OLD, &[(0, transactional(0, 0))]);
    scene.send(OLD, &[(0, transactional(0, 1))]);
    let call = scene.client.call(OLD);
    let plain = produce(&call, -1, 1_000, 1, &batch(10, None));
    scene.client.send(&scene.broker, &plain, at(0)).unwrap();
    assert_eq!((scene.end(0), scene.end(1)), (0, 0));
    assert!(!scene.client.connection.wants_input());
    // Others are not held back.
    let mut other = Client::new(&scene.broker);
    let call = other.call(OLD);
    other.send(&scene.broker, &produce(&call, -1, 1_000, 2, &batch(10, None)), at(0)).unwrap();
    assert_eq!(other.answered(at(0)), [1]);
    let question = scene.question();
    scene.answer(&question, ErrorCode::None);
    assert_eq!(scene.client.answered(at(1)), [1, 2, 3], "in the order of the requests");
    assert_eq!((scene.end(0), scene.end(1)), (2, 1));
}

/// The request in front waits for its replicas; the verdict about the one behind is acted on all the same.
#[test]
fn a_verified_request_appends_while_an_earlier_one_waits() {
    let broker = Broker::new();
    let partition = broker.lead_with(1, &[THIS, OTHER], 1, LogConfig::default()).remove(0);
    let mut client = Client::new(&broker);
    let call = client.call(NEW);
    client.send(&broker, &produce(&call, -1, 1_000, 0, &batch(10, None)), at(0)).unwrap();
    let call = client.call(NEW);
    client.send(&broker, &in_transaction(&call, -1, &[(0, transactional(0, 0))]), at(0)).unwrap();
    assert_eq!(partition.with_log(|log| log.end()), Offset(1));
    let question = broker.services.questions.take().remove(0);
    broker.services.questions.answer(question.id, vec![ErrorCode::None]);
    assert!(client.settle(&broker, at(1)));
    assert_eq!((partition.with_log(|log| log.end()), client.answered(at(1)).len()), (Offset(2), 0));
    partition.follower_reached(OTHER, Offset(2));
    assert!(client.settle(&broker, at(2)));
    assert_eq!(client.answered(at(2)), [1, 2]);
}

#[test]
fn a_coordinator_that_says_nothing_is_not_waited_for_for_ever() {
    let mut scene = Scene::new();
    scene.broker.services.questions.configure(true, 500);
    scene.send(NEW, &[(0, transactional(0, 0))]);
    let question = scene.question();
    assert_eq!(scene.client.connection.deadline(&scene.broker.services), Some(at(500).instant));
    assert!(!scene.client.settle(&scene.broker, at(499)));
    assert!(scene.client.settle(&scene.broker, at(500)));
    let (code, words, _) = scene.answered(NEW).remove(0);
    assert_eq!(code, ErrorCode::NotEnoughReplicas);
    assert!(words.unwrap().ends_with("NETWORK_EXCEPTION"));
    assert_eq!(scene.broker.services.questions.open(), 0);
    // The answer comes too late, and the client asks again.
    scene.broker.services.questions.answer(question.id, vec![ErrorCode::None]);
    assert_eq!(scene.ask(NEW, transactional(0, 0), ErrorCode::None), (ErrorCode::None, None, 0));
}

#[test]
fn a_connection_that_goes_forgets_its_question() {
    let mut scene = Scene::new();
    scene.send(NEW, &[(0, transactional(0, 0))]);
    assert_eq!(scene.broker.services.questions.open(), 1);
    scene.client.connection.release();
    assert_eq!((scene.broker.services.questions.open(), scene.broker.services.questions.take().len()), (0, 0));
    assert_eq!(scene.end(0), 0);
}

#[test]
fn too_many_questions_are_refused_with_an_error_that_is_tried_again() {
    let mut scene = Scene::new();
    let bell = Arc::new(Bell::default());
    let filler = |n| Question {
        id: 0,
        transactional_id: "other".into(),
        producer_id: ProducerId(n),
        producer_epoch: ProducerEpoch(0),
        add: false,
        partitions: Vec::new(),
    };
    let questions = scene.broker.services.questions.clone();
    let open: Vec<_> =
        (0..crate::plane::questions::OPEN_MAX as i64).map(|n| questions.ask(filler(n), &bell).unwrap()).collect();
    scene.send(OLD, &[(0, transactional(0, 0))]);
    let (code, words, _) = scene.answered(OLD).remove(0);
    assert_eq!(code, ErrorCode::NotEnoughReplicas);
    assert!(words.unwrap().ends_with("COORDINATOR_NOT_AVAILABLE"));
    drop(open);
}

#[test]
fn verification_can_be_turned_off_for_the_first_version() {
    let mut scene = Scene::new();
    scene.broker.services.questions.configure(false, 500);
    scene.send(ABORTABLE, &[(0, transactional(0, 0))]);
    assert_eq!(scene.answered(ABORTABLE), [(ErrorCode::None, None, 0)]);
    // The second version asks in any case: it adds the partition with it.
    scene.send(NEW, &[(1, transactional(0, 0))]);
    let question = scene.question();
    scene.answer(&question, ErrorCode::None);
    assert_eq!(scene.answered(NEW), [(ErrorCode::None, None, 0)]);
}

#[test]
fn what_is_refused_without_asking() {
    let mut scene = Scene::new();
    let mut other =
        BatchOptions { producer_id: ProducerId(P + 1), producer_epoch: ProducerEpoch(0), ..BatchOptions::default() };
    (other.base_sequence, other.transactional) = (Sequence(0), true);
    let mut builder = BatchBuilder::new(other);
    builder.add(at(0).wall, &RecordParts::default());
    scene.send(NEW, &[(0, transactional(0, 0)), (1, builder.finish().unwrap())]);
    let mapping = (ErrorCode::InvalidProducerIdMapping, None, -1);
    assert_eq!(scene.answered(NEW), [mapping.clone(), mapping], "two producers in one request");
    let call = scene.client.call(NEW);
    let nameless = produce(&call, -1, 1_000, 0, &transactional(0, 0));
    scene.client.send(&scene.broker, &nameless, at(0)).unwrap();
    assert_eq!(scene.answered(NEW)[0].0, ErrorCode::TransactionalIdAuthorizationFailed);
    let call = scene.client.call(NEW);
    let acks = in_transaction(&call, 2, &[(0, transactional(0, 0))]);
    scene.client.send(&scene.broker, &acks, at(0)).unwrap();
    assert_eq!(scene.answered(NEW)[0].0, ErrorCode::InvalidRequiredAcks);
    scene.partitions[0].stop();
    scene.send(NEW, &[(0, transactional(0, 0))]);
    assert_eq!(scene.answered(NEW)[0].0, ErrorCode::NotLeaderOrFollower);
    assert_eq!(scene.broker.services.questions.open(), 0);
}

/// KAFKA-14884 through the whole path: the verdict is on its way while the marker is written.
#[test]
fn kafka_14884_a_marker_overtakes_the_verdict() {
    for (version, commit) in [(OLD, false), (ABORTABLE, false), (ABORTABLE, true)] {
        let mut scene = Scene::new();
        scene.send(version, &[(0, transactional(0, 0))]);
        let question = scene.question();
        mark(&scene.partitions[0], 0, commit).unwrap();
        scene.answer(&question, ErrorCode::None);
        assert_eq!(scene.answered(version)[0].0, ErrorCode::InvalidTxnState);
        assert_eq!(scene.end(0), 1, "the marker alone");
        let end = scene.partitions[0].with_log(|log| log.producers().first_undecided_offset());
        assert_eq!(end, None, "nothing is left hanging");
    }
}

/// With the second version the marker was that of the last transaction: the coordinator is asked once more, under a new guard.
#[test]
fn a_marker_that_overtakes_the_verdict_of_the_second_version_makes_the_broker_ask_again() {
    for (verdict, code, end) in
        [(ErrorCode::None, ErrorCode::None, 3), (ErrorCode::TransactionAbortable, ErrorCode::TransactionAbortable, 2)]
    {
        let mut scene = Scene::new();
        assert_eq!(scene.ask(NEW, transactional(0, 0), ErrorCode::None).0, ErrorCode::None);
        scene.broker.services.questions.configure(true, 500);
        scene.send(NEW, &[(0, transactional(1, 0))]);
        let first = scene.question();
        scene.partitions[0].append_marker(LeaderEpoch::NONE, &marker(1, 0, true, 2), at(0).wall).unwrap();
        scene.answer(&first, ErrorCode::None);
        assert_eq!((scene.client.answers(at(1)).len(), scene.end(0)), (0, 2));
        let second = scene.question();
        assert_eq!(Question { id: first.id, ..second.clone() }, first);
        assert_eq!(
            scene.client.connection.deadline(&scene.broker.services),
            Some(at(500).instant),
            "no longer than before"
        );
        scene.answer(&second, verdict);
        assert_eq!((scene.answered(NEW)[0].0, scene.end(0)), (code, end));
        assert_eq!(scene.broker.services.questions.open(), 0);
    }
}

/// KAFKA-19690: who was fenced while it was verified hears that.
#[test]
fn kafka_19690_a_fenced_producer_hears_that_it_is_fenced() {
    let mut scene = Scene::new();
    scene.send(NEW, &[(0, transactional(0, 0))]);
    let question = scene.question();
    mark(&scene.partitions[0], 1, false).unwrap();
    scene.answer(&question, ErrorCode::None);
    assert_eq!(scene.answered(NEW)[0].0, ErrorCode::InvalidProducerEpoch);
    assert_eq!(scene.broker.services.questions.open(), 0);
    // And the next time nobody is asked at all.
    scene.send(NEW, &[(0, transactional(0, 0))]);
    assert_eq!(scene.answered(NEW)[0], (ErrorCode::InvalidProducerEpoch, None, -1));
}

/// KAFKA-18575: `CONCURRENT_TRANSACTIONS` while the last transaction is completed; then the same batch again.
#[test]
fn kafka_18575_the_next_transaction_waits_for_the_end_of_the_last() {
    let mut scene = Scene::new();
    assert_eq!(scene.ask(NEW, transactional(0, 0), ErrorCode::None).0, ErrorCode::None);
    let refused = scene.ask(NEW, transactional(1, 0), ErrorCode::ConcurrentTransactions);
    assert_eq!(refused, (ErrorCode::ConcurrentTransactions, None, -1));
    let ended = scene.partitions[0].append_marker(LeaderEpoch::NONE, &marker(1, 0, true, 2), at(0).wall);
    assert!(ended.is_ok());
    assert_eq!(scene.ask(NEW, transactional(1, 0), ErrorCode::None), (ErrorCode::None, None, 2));
}

#[test]
fn a_partition_that_went_while_it_was_verified() {
    let mut scene = Scene::new();
    scene.send(NEW, &[(0, transactional(0, 0)), (1, transactional(0, 0))]);
    let question = scene.question();
    scene.partitions[0].stop();
    scene.broker.services.hosted.remove(ORDERS, PartitionIndex(1));
    scene.broker.install(ViewDelta { removed: vec![ORDERS], ..ViewDelta::default() });
    scene.answer(&question, ErrorCode::None);
    let codes: Vec<_> = scene.answered(NEW).into_iter().map(|(code, _, _)| code).collect();
    assert_eq!(codes, [ErrorCode::UnknownTopicOrPartition; 2]);
}

/// A partition that was led elsewhere in between may have seen a marker there: its guards are worth nothing.
#[test]
fn guards_do_not_outlive_a_time_without_leadership() {
    for version in [OLD, NEW] {
        let mut scene = Scene::new();
        scene.send(version, &[(0, transactional(0, 0))]);
        let question = scene.question();
        scene.partitions[0].stop();
        assert!(scene.partitions[0].update(leadership(2, 2, &[THIS]), at(0).wall));
        scene.answer(&question, ErrorCode::None);
        if version == NEW {
            let again = scene.question();
            scene.answer(&again, ErrorCode::None);
        }
        let expected = if version == NEW { ErrorCode::None } else { ErrorCode::InvalidTxnState };
        assert_eq!(scene.answered(version)[0].0, expected);
    }
}

#[test]
fn acks_zero_in_a_transaction() {
    let mut scene = Scene::new();
    let call = scene.client.call(NEW);
    scene.client.send(&scene.broker, &in_transaction(&call, 0, &[(0, transactional(0, 0))]), at(0)).unwrap();
    let question = scene.question();
    scene.answer(&question, ErrorCode::None);
    assert_eq!((scene.end(0), scene.client.answers(at(1)).len()), (1, 0));
    let call = scene.client.call(NEW);
    scene.client.send(&scene.broker, &in_transaction(&call, 0, &[(1, transactional(0, 0))]), at(0)).unwrap();
    let question = scene.question();
    scene.broker.services.questions.answer(question.id, vec![ErrorCode::ProducerFenced]);
    let closed = scene.client.connection.settle(&scene.broker.services, at(1)).unwrap_err();
    assert!(closed.0.contains("acks=0"), "{}", closed.0);
}

/// The thread of the coordinators' logs, stepped by hand.
struct Thread {
    services: Arc<Services>,
    logs: CoordinatorLogs,
    next: Ticket,
    ended: HashMap<Ticket, DoneValue>,
}

impl Thread {
    fn new(broker: &Broker) -> Self {
        let pool = Arc::new(Pool::start("test", 1).unwrap());
        let services = broker.services.clone();
        let logs = CoordinatorLogs::new(services.clone(), pool);
        Self { services, logs, next: 1, ended: HashMap::new() }
    }

    fn begin(&mut self, command: TransactionCommand) -> Ticket {
        self.begin_any(CoordinatorCommand::Transact(command))
    }

    fn begin_any(&mut self, command: CoordinatorCommand) -> Ticket {
        self.next += 1;
        self.logs.carry_out(self.next, command, at(0));
        self.next
    }

    /// The coordinator, whose own log is partition 2, writes that [`P`] is in a transaction on partition 0.
    fn open(&mut self, leader_epoch: i32) -> Ticket {
        let record = KeyedRecord { key: b"t".to_vec(), value: Some(b"ongoing".to_vec()), timestamp: at(0).wall };
        let opening = Opening {
            topic: "orders".into(),
            index: PartitionIndex(0),
            producer_id: ProducerId(P),
            producer_epoch: ProducerEpoch(0),
        };
        let absent = Opening { index: PartitionIndex(9), ..opening.clone() };
        self.begin_any(CoordinatorCommand::Append {
            place: Place { topic_id: ORDERS, index: PartitionIndex(2), leader_epoch: LeaderEpoch(leader_epoch) },
            records: vec![record],
            codec: Codec::None,
            timeout_ms: 1_000,
            openings: vec![absent, opening],
            replies: Vec::new(),
        })
    }

    fn outcome(&mut self, ticket: Ticket, now: Now) -> Option<DoneValue> {
        self.logs.settle(now.instant);
        for done in self.services.mailbox.drain(0).done {
            assert!(self.ended.insert(done.ticket, done.result.unwrap()).is_none(), "two ends");
        }
        self.ended.remove(&ticket)
    }

    fn codes(&mut self, ticket: Ticket, now: Now) -> Option<Vec<ErrorCode>> {
        self.outcome(ticket, now).map(|value| match value {
            DoneValue::Transactions(TransactionOutcome::Codes(codes)) => codes,
            other => panic!("{other:?}"),
        })
    }

    fn markers(&mut self, rows: &[(i32, Marker)]) -> Ticket {
        let row = |(index, marker): &(i32, Marker)| MarkerRow {
            topic_id: ORDERS,
            index: PartitionIndex(*index),
            marker: *marker,
        };
        let rows = rows.iter().map(row).collect();
        self.begin(TransactionCommand::Markers { rows, timeout_ms: 1_000 })
    }

    fn ended_with(&mut self, ticket: Ticket) -> Result<(), LogRefusal> {
        match self.outcome(ticket, at(0)).expect("nothing waits") {
            DoneValue::Coordinator(outcome) => outcome.map(drop),
            other => panic!("{other:?}"),
        }
    }
}

/// Opens a transaction of [`P`] on a partition, without asking anybody.
fn open(partition: &Partition, epoch: i16, sequence: i32) -> Offset {
    let records = transactional(epoch, sequence);
    let header = crate::batch::validate::parse_single(&records, NEW).unwrap();
    let mut scratch = crate::batch::compress::Scratch::default();
    let rules = partition.settings();
    let checked = crate::batch::validate::check(&records, header, &rules.produce, at(0).wall, &mut scratch).unwrap();
    let acks = crate::replication::partition::Acks::All;
    partition.append(&checked, Proof::Waived, acks, at(0).wall).unwrap().base_offset
}

#[test]
fn many_markers_are_one_command_with_a_code_each() {
    let broker = Broker::new();
    let partitions = broker.lead(10);
    for partition in &partitions {
        open(partition, 3, 0);
    }
    partitions[4].stop();
    broker.services.hosted.fail(ORDERS, PartitionIndex(5), "orders".into());
    let mut logs = Thread::new(&broker);
    let mut rows: Vec<_> = (0..10).map(|index| (index, marker(3, 0, index % 2 == 0, 0))).collect();
    rows[6].1 = marker(2, 0, true, 0);
    rows[7].1 = marker(3, 0, true, 2);
    rows.push((99, marker(3, 0, true, 0)));
    let ticket = logs.markers(&rows);
    let none = ErrorCode::None;
    let expected = [
        none,
        none,
        none,
        none,
        ErrorCode::NotLeaderOrFollower,
        ErrorCode::KafkaStorageError,
        ErrorCode::InvalidProducerEpoch,
        ErrorCode::InvalidProducerEpoch,
        none,
        none,
        ErrorCode::UnknownTopicOrPartition,
    ];
    assert_eq!(logs.codes(ticket, at(0)).unwrap(), expected);
    for (index, partition) in partitions.iter().enumerate() {
        let (end, open) = partition.with_log(|log| (log.end(), log.producers().first_undecided_offset()));
        let marked = expected[index].is_none();
        assert_eq!((end, open), if marked { (Offset(2), None) } else { (Offset(1), Some(Offset(0))) });
    }
}

#[test]
fn markers_wait_until_all_in_sync_replicas_have_them() {
    let broker = Broker::new();
    let partitions = broker.lead_with(2, &[THIS, OTHER], 1, LogConfig::default());
    for partition in &partitions {
        open(partition, 0, 0);
    }
    let mut logs = Thread::new(&broker);
    let ticket = logs.markers(&[(0, marker(0, 0, true, 0)), (1, marker(0, 0, true, 0))]);
    assert_eq!(logs.codes(ticket, at(0)), None);
    partitions[0].follower_reached(OTHER, Offset(2));
    assert_eq!(logs.codes(ticket, at(0)), None);
    assert_eq!(logs.logs.deadline(), Some(at(1_000).instant));
    assert_eq!(logs.codes(ticket, at(1_000)), Some(vec![ErrorCode::None, ErrorCode::RequestTimedOut]));
    assert_eq!((partitions[0].waiting(), partitions[1].waiting()), (0, 0));
    // It comes again, to the same end.
    let ticket = logs.markers(&[(1, marker(0, 0, true, 0))]);
    partitions[1].follower_reached(OTHER, Offset(3));
    assert_eq!(logs.codes(ticket, at(0)), Some(vec![ErrorCode::None]));
    assert_eq!(partitions[1].with_log(|log| log.producers().last_stable_offset(Offset(3))), Offset(3));
}

#[test]
fn a_partition_given_up_fails_its_marker_alone() {
    let broker = Broker::new();
    let partitions = broker.lead_with(2, &[THIS, OTHER], 1, LogConfig::default());
    let mut logs = Thread::new(&broker);
    let ticket = logs.markers(&[(0, marker(0, 0, true, 0)), (1, marker(0, 0, true, 0))]);
    partitions[0].stop();
    partitions[1].follower_reached(OTHER, Offset(1));
    assert_eq!(logs.codes(ticket, at(0)), Some(vec![ErrorCode::NotLeaderOrFollower, ErrorCode::None]));
}

#[test]
fn too_few_replicas_take_no_markers() {
    let broker = Broker::new();
    let partition = broker.lead_with(1, &[THIS, OTHER], 2, LogConfig::default()).remove(0);
    assert!(partition.update(Leadership { isr: vec![THIS], ..leadership(0, 1, &[THIS, OTHER]) }, at(0).wall));
    let mut logs = Thread::new(&broker);
    let ticket = logs.markers(&[(0, marker(0, 0, true, 0))]);
    assert_eq!(logs.codes(ticket, at(0)), Some(vec![ErrorCode::NotEnoughReplicas]));
    assert_eq!(partition.with_log(|log| log.end()), Offset(0));
}

#[test]
fn an_older_coordinator_is_fenced() {
    let broker = Broker::new();
    let partition = broker.lead(1).remove(0);
    let mut logs = Thread::new(&broker);
    let mut outcome = |epoch, coordinator_epoch| {
        let ticket = logs.markers(&[(0, marker(epoch, coordinator_epoch, false, 0))]);
        logs.codes(ticket, at(0)).unwrap()[0]
    };
    assert_eq!(outcome(0, 5), ErrorCode::None);
    assert_eq!(outcome(0, 4), ErrorCode::TransactionCoordinatorFenced);
    assert_eq!(outcome(0, -1), ErrorCode::TransactionCoordinatorFenced);
    assert_eq!(outcome(0, 5), ErrorCode::None, "what is sent again is written again");
    assert_eq!(outcome(1, 6), ErrorCode::None);
    assert_eq!(partition.with_log(|log| log.end()), Offset(3));
}

#[test]
fn an_engine_that_stops_ends_markers() {
    let broker = Broker::new();
    let partition = broker.lead_with(1, &[THIS, OTHER], 1, LogConfig::default()).remove(0);
    let mut logs = Thread::new(&broker);
    let ticket = logs.markers(&[(0, marker(0, 0, true, 0))]);
    logs.logs.close();
    let done = logs.services.mailbox.drain(0).done.remove(0);
    assert_eq!((done.ticket, done.result), (ticket, Err("the data plane was closed".to_owned())));
    assert_eq!(partition.waiting(), 0);
}

#[test]
fn who_writes_to_a_partition() {
    let broker = Broker::new();
    let partitions = broker.lead(2);
    open(&partitions[0], 3, 0);
    open(&partitions[0], 3, 1);
    partitions[1].stop();
    let mut logs = Thread::new(&broker);
    let asked = [0, 1, 9].map(|index| (ORDERS, PartitionIndex(index))).to_vec();
    let ticket = logs.begin(TransactionCommand::Producers(asked.clone()));
    let Some(DoneValue::Transactions(TransactionOutcome::Producers(found))) = logs.outcome(ticket, at(0)) else {
        panic!("no producers")
    };
    let [Ok(producers), Err(stopped), Err(unknown)] = &found[..] else { panic!("{found:?}") };
    assert_eq!((*stopped, *unknown), (ErrorCode::NotLeaderOrFollower, ErrorCode::UnknownTopicOrPartition));
    let [producer] = &producers[..] else { panic!("{producers:?}") };
    assert_eq!((producer.producer_id, producer.producer_epoch), (ProducerId(P), ProducerEpoch(3)));
    assert_eq!((producer.last_sequence, producer.coordinator_epoch), (Sequence(1), -1));
    assert_eq!((producer.transaction_start, producer.last_timestamp), (Some(Offset(0)), at(0).wall));
    partitions[0].append_marker(LeaderEpoch::NONE, &marker(4, 8, true, 2), at(5).wall).unwrap();
    let after = partitions[0].active_producers().unwrap().remove(0);
    assert_eq!(
        (after.producer_epoch, after.last_sequence, after.coordinator_epoch),
        (ProducerEpoch(4), Sequence(-1), 8)
    );
    assert_eq!((after.transaction_start, after.last_timestamp), (None, at(5).wall));
}

#[test]
fn a_coordinator_writes_in_a_transaction() {
    let broker = Broker::new();
    let partition = broker.lead(1).remove(0);
    let mut logs = Thread::new(&broker);
    let place = Place { topic_id: ORDERS, index: PartitionIndex(0), leader_epoch: LeaderEpoch(0) };
    let claim = |logs: &mut Thread, epoch| {
        let ticket = logs.begin(TransactionCommand::Claim(place, ProducerId(P), ProducerEpoch(epoch)));
        match logs.outcome(ticket, at(0)) {
            Some(DoneValue::Transactions(TransactionOutcome::Claimed(claimed))) => claimed,
            other => panic!("{other:?}"),
        }
    };
    let append = |logs: &mut Thread, proof| {
        let records = vec![KeyedRecord { key: b"k".to_vec(), value: Some(b"v".to_vec()), timestamp: at(0).wall }];
        let writer = Writer { producer_id: ProducerId(P), producer_epoch: ProducerEpoch(0), proof };
        let ticket =
            logs.begin(TransactionCommand::Append { place, records, codec: Codec::None, writer, timeout_ms: 1_000 });
        logs.ended_with(ticket).map_err(|refusal| refusal.code)
    };
    let end = |logs: &mut Thread, epoch| {
        let ticket =
            logs.begin(TransactionCommand::Mark { place, marker: marker(epoch, 0, true, 0), timeout_ms: 1_000 });
        logs.ended_with(ticket).map_err(|refusal| refusal.code)
    };
    assert_eq!(append(&mut logs, Proof::None), Err(ErrorCode::InvalidTxnState));
    let proof = claim(&mut logs, 0).unwrap();
    assert_eq!(append(&mut logs, proof), Ok(()));
    assert_eq!(claim(&mut logs, 0), Ok(Proof::None), "it is open");
    assert_eq!(append(&mut logs, Proof::None), Ok(()));
    let header = partition.with_log(|log| log.reader().batches(Offset(1), log.end()).next_frame());
    let header = header.unwrap().unwrap().header.unwrap();
    assert!(header.is_transactional() && !header.is_control());
    assert_eq!((header.producer_id, header.base_sequence), (ProducerId(P), Sequence(0)));
    assert_eq!(end(&mut logs, 0), Ok(()));
    assert_eq!(append(&mut logs, proof), Err(ErrorCode::InvalidTxnState), "the guard went with the marker");
    let stale = claim(&mut logs, 0).unwrap();
    assert_eq!(end(&mut logs, 1), Ok(()));
    assert_eq!(append(&mut logs, stale), Err(ErrorCode::InvalidProducerEpoch));
    assert_eq!(claim(&mut logs, 0).unwrap_err().code, ErrorCode::InvalidProducerEpoch);
    assert_eq!(end(&mut logs, 0), Err(ErrorCode::InvalidProducerEpoch));
    logs.services.questions.configure(false, 1_000);
    assert_eq!(end(&mut logs, 1), Ok(()));
}

/// The last stable offset moves when the high watermark passes the marker, and wakes who reads what is committed.
#[test]
fn a_reader_of_what_is_committed_is_woken_by_the_end_of_a_transaction() {
    let broker = Broker::new();
    let partition = broker.lead_with(1, &[THIS, OTHER], 1, LogConfig::default()).remove(0);
    open(&partition, 0, 0);
    partition.follower_reached(OTHER, Offset(1));
    let waiter = FetchWaiter::new(Arc::new(Bell::default()), 1);
    assert!(partition.wait_readable(Isolation::LastStable, Offset(0), &waiter).is_some());
    mark(&partition, 0, false).unwrap();
    assert!(!waiter.has_fired(), "the marker may still be lost");
    partition.follower_reached(OTHER, Offset(2));
    assert!(waiter.has_fired());
}

#[test]
fn a_partition_beside_its_coordinator_knows_before_it_would_ask() {
    let mut scene = Scene::new();
    let mut thread = Thread::new(&scene.broker);
    let refused = thread.open(7);
    assert!(thread.ended_with(refused).is_err(), "it does not lead its own log");
    assert_eq!(scene.ask(OLD, transactional(0, 0), ErrorCode::TransactionAbortable).0, ErrorCode::InvalidTxnState);

    let opened = thread.open(0);
    assert_eq!(thread.ended_with(opened), Ok(()));
    scene.send(OLD, &[(0, transactional(0, 0))]);
    assert_eq!(scene.broker.services.questions.open(), 0);
    assert_eq!(scene.answered(OLD), [(ErrorCode::None, None, 0)]);

    // A batch of it that comes when it has ended opens nothing, and neither does what was said of it.
    let opened = thread.open(0);
    assert_eq!(thread.ended_with(opened), Ok(()));
    assert_eq!(mark(&scene.partitions[0], 0, true), Ok(Offset(1)));
    assert_eq!(scene.ask(OLD, transactional(0, 1), ErrorCode::TransactionAbortable).0, ErrorCode::InvalidTxnState);
    assert_eq!(scene.partitions[0].with_log(|log| log.producers().first_undecided_offset()), None);

    // The second version adds by asking; and who never verifies is told nothing.
    let opened = thread.open(0);
    assert_eq!(thread.ended_with(opened), Ok(()));
    assert_eq!(scene.ask(NEW, transactional(0, 1), ErrorCode::ProducerFenced).0, ErrorCode::InvalidProducerEpoch);
    assert_eq!(mark(&scene.partitions[0], 0, true), Ok(Offset(2)));
    scene.broker.services.questions.configure(false, 1_000);
    let opened = thread.open(0);
    assert_eq!(thread.ended_with(opened), Ok(()));
    scene.broker.services.questions.configure(true, 1_000);
    assert_eq!(scene.ask(OLD, transactional(0, 1), ErrorCode::NotCoordinator).0, ErrorCode::NotEnoughReplicas);
}

#[test]
fn what_is_not_committed_opens_nothing_and_a_marker_meanwhile_takes_it() {
    let broker = Broker::new();
    let partitions = broker.lead_with(3, &[THIS, OTHER], 1, LogConfig::default());
    let mut scene = Scene { client: Client::new(&broker), broker, partitions };
    let mut thread = Thread::new(&scene.broker);
    let opened = thread.open(0);
    assert_eq!(thread.outcome(opened, at(0)), None, "it waits for a replica");
    scene.send(OLD, &[(0, transactional(0, 0))]);
    let question = scene.question();
    scene.answer(&question, ErrorCode::NotCoordinator);
    drop(scene.answered(OLD));
    mark(&scene.partitions[0], 0, false).unwrap();
    scene.partitions[2].follower_reached(OTHER, Offset(1));
    assert_eq!(thread.ended_with(opened), Ok(()));
    assert_eq!(scene.ask(OLD, transactional(0, 0), ErrorCode::NotCoordinator).0, ErrorCode::NotEnoughReplicas);

    let opened = thread.open(0);
    scene.partitions[2].follower_reached(OTHER, Offset(2));
    assert_eq!(thread.ended_with(opened), Ok(()));
    scene.send(OLD, &[(0, transactional(0, 0))]);
    assert_eq!(scene.broker.services.questions.open(), 0);
}
