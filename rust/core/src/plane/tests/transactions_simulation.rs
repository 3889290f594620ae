//! Hundreds of lives of transactions on a few partitions, each drawn from a seed: producers of both versions, questions and answers
//! and markers that are delayed, repeated and lost, partitions that are told in advance, or late, or never, coordinators that time transactions out, clients that stop half way,
//! partitions that are given up, and deaths of the process at any point. `OTTLA_SIMULATION_SEEDS` says how many.
//!
//! The coordinator is a model of a few lines. After each step no transaction is open on a partition unless its coordinator knows
//! and will end it there; at the end nothing is open, and every record met the end that its transaction had.

use std::collections::{BTreeMap, BTreeSet, HashMap};

use super::*;
use crate::batch::control::EndMarker;
use crate::batch::header::BATCH_HEADER_BYTES;
use crate::batch::producer::Guard;
use crate::batch::records::Records;
use crate::disk_sim::Random;
use crate::log::OpenOptions;
use crate::plane::questions::Question;
use crate::replication::partition::Marker;
use crate::wire::client::produce::encode_request;

const PARTITIONS: usize = 3;
const PRODUCERS: usize = 3;
const STEPS: usize = 250;

/// Which transaction of which producer: what each record says.
type Tag = (u8, u32);

/// What the coordinator knows of a producer.
#[derive(Clone, Debug, PartialEq, Eq)]
enum Phase {
    Empty,
    Ongoing {
        tag: Tag,
        partitions: BTreeSet<usize>,
    },
    /// Decided; these partitions have not confirmed their markers yet.
    Ending {
        marker: Marker,
        partitions: BTreeSet<usize>,
    },
}

struct Coordinated {
    epoch: i16,
    second: bool,
    phase: Phase,
}

/// A producer as its application sees it.
struct Application {
    client: Client,
    epoch: i16,
    serial: u32,
    sequences: [i32; PARTITIONS],
    /// Where a batch is under way.
    outstanding: Option<usize>,
    wrote: bool,
    /// It must abort before it goes on.
    broken: bool,
}

struct World {
    random: Random,
    config: Arc<LogConfig>,
    broker: Broker,
    partitions: Vec<Arc<Partition>>,
    coordinator: Vec<Coordinated>,
    applications: Vec<Application>,
    coordinator_epoch: i32,
    /// On their way up, and down.
    asked: Vec<Question>,
    verdicts: Vec<(u64, Vec<ErrorCode>)>,
    /// Partitions that were added and have not been told, each with the guard that was taken before.
    expected: Vec<(usize, ProducerId, ProducerEpoch, Guard)>,
    /// On their way to a partition; they may come twice.
    markers: Vec<(usize, Marker)>,
    /// How each transaction ended.
    fates: HashMap<Tag, bool>,
    appended: usize,
    /// First batches about which nobody was asked.
    unasked: usize,
    now: u64,
}

fn tagged(application: &Application, producer: usize, partition: usize) -> Vec<u8> {
    let mut builder = BatchBuilder::new(BatchOptions {
        producer_id: ProducerId(producer as i64),
        producer_epoch: ProducerEpoch(application.epoch),
        base_sequence: Sequence(application.sequences[partition]),
        transactional: true,
        ..BatchOptions::default()
    });
    let mut value = vec![producer as u8];
    value.extend(application.serial.to_be_bytes());
    builder.add(at(0).wall, &RecordParts { value: Some(&value), ..RecordParts::default() });
    builder.finish().unwrap()
}

impl World {
    fn new(seed: u64) -> Self {
        let mut random = Random::new(seed);
        let config = LogConfig {
            segment_bytes: 600 + random.below(4000),
            replay_bytes: random.below(3000),
            retention_ms: None,
            producer_id_expiration_ms: i64::MAX,
            index_interval_bytes: random.below(300) as u32,
            ..LogConfig::default()
        };
        let broker = Broker::new();
        let partitions = broker.lead_with(PARTITIONS as i32, &[THIS], 1, config.clone());
        let coordinator =
            (0..PRODUCERS).map(|_| Coordinated { epoch: 0, second: random.once_in(2), phase: Phase::Empty });
        let coordinator = coordinator.collect();
        let applications = (0..PRODUCERS).map(|_| Application {
            client: Client::new(&broker),
            epoch: 0,
            serial: 0,
            sequences: [0; PARTITIONS],
            outstanding: None,
            wrote: false,
            broken: false,
        });
        let applications = applications.collect();
        Self {
            random,
            config: Arc::new(config),
            broker,
            partitions,
            coordinator,
            applications,
            coordinator_epoch: 0,
            asked: Vec::new(),
            verdicts: Vec::new(),
            expected: Vec::new(),
            markers: Vec::new(),
            fates: HashMap::new(),
            appended: 0,
            unasked: 0,
            now: 0,
        }
    }

    fn step(&mut self) {
        self.now += self.random.below(50);
        let producer = self.random.below(PRODUCERS as u64) as usize;
        match self.random.below(100) {
            0..40 => self.produce(producer),
            40..50 => self.decide(),
            50..55 => self.confirm(),
            55..70 => self.tell(),
            70..80 => self.end(producer),
            80..90 => self.deliver(),
            90..92 => self.time_out(producer),
            92..94 => self.disconnect(producer),
            94..95 => self.coordinator_epoch += 1,
            95..97 => self.flush(),
            97..98 => self.lead_again(),
            _ => self.crash(),
        }
        self.listen();
        self.check();
    }

    /// The next batch of a producer, or the same again.
    fn produce(&mut self, producer: usize) {
        let partition = self.random.below(PARTITIONS as u64) as usize;
        let application = &self.applications[producer];
        if application.outstanding.is_some() || application.broken {
            return;
        }
        let Coordinated { second, phase, .. } = &self.coordinator[producer];
        // A client of the first version adds the partition itself, unless it forgets. (It must not while the last transaction is
        // being ended: as with Kafka, what is still open here under the same epoch takes in more.)
        let forgets = !matches!(phase, Phase::Ending { .. }) && self.random.once_in(10);
        let epoch = application.epoch;
        if !second && !forgets {
            let who = (ProducerId(producer as i64), ProducerEpoch(epoch));
            let guard = self.partitions[partition].expect(who.0, who.1, at(self.now).wall);
            if self.add(producer, epoch, &[partition], true) != ErrorCode::None {
                return;
            }
            self.expected.extend(guard.map(|guard| (partition, who.0, who.1, guard)));
            if self.random.once_in(2) {
                self.confirm();
            }
        }
        self.send(producer, partition);
    }

    /// A partition hears that it was added, now or long after.
    fn confirm(&mut self) {
        if self.expected.is_empty() {
            return;
        }
        let which = self.random.below(self.expected.len() as u64) as usize;
        let (partition, producer_id, epoch, guard) = self.expected[which];
        self.partitions[partition].confirm(producer_id, epoch, guard);
        if !self.random.once_in(4) {
            self.expected.swap_remove(which);
        }
    }

    fn send(&mut self, producer: usize, partition: usize) {
        let version = if self.coordinator[producer].second { 12 } else { 11 };
        let records = tagged(&self.applications[producer], producer, partition);
        let application = &mut self.applications[producer];
        let call = application.client.call(version);
        let mut frame = Vec::new();
        let partitions = [(PartitionIndex(partition as i32), Some(&records[..]))];
        let id = format!("t{producer}");
        encode_request(&mut frame, &call, Some(&id), -1, 1_000, &[(TopicRef::Name("orders"), &partitions)]);
        application.outstanding = Some(partition);
        application.wrote = true;
        let now = at(self.now);
        let (id, epoch) = (ProducerId(producer as i64), ProducerEpoch(application.epoch));
        let was_open = self.partitions[partition].is_in_transaction(id, epoch);
        application.client.send(&self.broker, &frame, now).unwrap();
        let is_open = self.partitions[partition].is_in_transaction(id, epoch);
        self.unasked += usize::from(is_open && !was_open);
        self.asked.extend(self.broker.services.questions.take());
    }

    /// What the coordinator says to partitions that are to be in the transaction.
    fn add(&mut self, producer: usize, epoch: i16, partitions: &[usize], add: bool) -> ErrorCode {
        let tag = (producer as u8, self.applications[producer].serial);
        let Coordinated { epoch: known, phase, .. } = &mut self.coordinator[producer];
        if epoch != *known {
            return ErrorCode::ProducerFenced;
        }
        match phase {
            Phase::Ending { .. } => ErrorCode::ConcurrentTransactions,
            Phase::Ongoing { partitions: known, .. } if add => {
                known.extend(partitions);
                ErrorCode::None
            }
            Phase::Ongoing { partitions: known, .. } if partitions.iter().all(|one| known.contains(one)) => {
                ErrorCode::None
            }
            Phase::Empty if add => {
                *phase = Phase::Ongoing { tag, partitions: partitions.iter().copied().collect() };
                ErrorCode::None
            }
            Phase::Ongoing { .. } | Phase::Empty => ErrorCode::TransactionAbortable,
        }
    }

    /// The coordinator takes a question up, not always the first.
    fn decide(&mut self) {
        if self.asked.is_empty() {
            return;
        }
        let which = self.random.below(self.asked.len() as u64) as usize;
        let waits = &self.coordinator[self.asked[which].producer_id.0 as usize].phase;
        if self.asked[which].add && matches!(waits, Phase::Ending { .. }) && !self.random.once_in(4) {
            // It is kept until the last transaction is complete.
            return;
        }
        let question = self.asked.swap_remove(which);
        let partitions: Vec<usize> = question.partitions.iter().map(|(_, index)| index.0 as usize).collect();
        let verdict = if self.random.once_in(12) {
            ErrorCode::NotCoordinator
        } else {
            self.add(question.producer_id.0 as usize, question.producer_epoch.0, &partitions, question.add)
        };
        self.verdicts.push((question.id, vec![verdict; partitions.len()]));
    }

    fn tell(&mut self) {
        if self.verdicts.is_empty() {
            return;
        }
        let (id, codes) = self.verdicts.swap_remove(self.random.below(self.verdicts.len() as u64) as usize);
        self.broker.services.questions.answer(id, codes);
    }

    /// The clients take what was answered.
    fn listen(&mut self) {
        for producer in 0..PRODUCERS {
            let second = self.coordinator[producer].second;
            let version = if second { 12 } else { 11 };
            let now = at(self.now);
            let application = &mut self.applications[producer];
            application.client.settle(&self.broker, now);
            self.asked.extend(self.broker.services.questions.take());
            for frame in application.client.answers(now) {
                let Some(partition) = application.outstanding.take() else { panic!("an answer nobody waits for") };
                match produced(&frame, version).0 {
                    ErrorCode::None => {
                        application.sequences[partition] += 1;
                        self.appended += 1;
                    }
                    // The same is sent again, some time.
                    ErrorCode::NotEnoughReplicas
                    | ErrorCode::ConcurrentTransactions
                    | ErrorCode::NotLeaderOrFollower => {}
                    ErrorCode::InvalidProducerEpoch
                    | ErrorCode::InvalidTxnState
                    | ErrorCode::TransactionAbortable
                    | ErrorCode::OutOfOrderSequenceNumber => application.broken = true,
                    other => panic!("{other:?}"),
                }
            }
        }
    }

    /// The application commits, or aborts; a client that has a batch under way gives it up with the connection.
    fn end(&mut self, producer: usize) {
        let application = &mut self.applications[producer];
        let commit = !application.broken && application.outstanding.is_none() && !self.random.once_in(3);
        if application.outstanding.is_some() {
            if !application.broken && !self.random.once_in(4) {
                return;
            }
            self.disconnect(producer);
        }
        let second = self.coordinator[producer].second;
        let application = &mut self.applications[producer];
        let Coordinated { epoch, phase, .. } = &mut self.coordinator[producer];
        if matches!(phase, Phase::Ending { .. }) {
            return;
        }
        let fenced = application.epoch != *epoch;
        if let Phase::Ongoing { tag, partitions } = phase.clone() {
            let commit = commit && !fenced;
            // A fenced or broken client begins anew with a higher epoch, which ends the transaction under it.
            let raise = second || fenced || application.broken || !commit;
            if raise {
                *epoch += 1;
            }
            let version = if second { 2 } else { 0 };
            self.decided(producer, tag, commit, version, partitions);
        } else if fenced || application.broken || second {
            *epoch += 1;
        } else if !application.wrote {
            return;
        }
        let application = &mut self.applications[producer];
        if application.epoch != self.coordinator[producer].epoch {
            application.epoch = self.coordinator[producer].epoch;
            application.sequences = [0; PARTITIONS];
        }
        application.serial += 1;
        application.broken = false;
        application.wrote = false;
    }

    fn decided(&mut self, producer: usize, tag: Tag, commit: bool, version: i16, partitions: BTreeSet<usize>) {
        let marker = Marker {
            producer_id: ProducerId(producer as i64),
            producer_epoch: ProducerEpoch(self.coordinator[producer].epoch),
            coordinator_epoch: self.coordinator_epoch,
            commit,
            transaction_version: version,
        };
        assert_eq!(self.fates.insert(tag, commit), None);
        self.markers.extend(partitions.iter().map(|partition| (*partition, marker)));
        self.coordinator[producer].phase = Phase::Ending { marker, partitions };
    }

    /// A marker comes to its partition; its answer may be lost, and then it comes again.
    fn deliver(&mut self) {
        if self.markers.is_empty() {
            return;
        }
        let at_marker = self.random.below(self.markers.len() as u64) as usize;
        let (partition, mut marker) = self.markers[at_marker];
        let producer = marker.producer_id.0 as usize;
        let current = matches!(&self.coordinator[producer].phase,
            Phase::Ending { marker: known, partitions } if *known == marker && partitions.contains(&partition));
        if current {
            // Whoever coordinates now speaks under its own epoch.
            marker.coordinator_epoch = self.coordinator_epoch;
        }
        let wall = at(self.now).wall;
        let appended = self.partitions[partition].append_marker(LeaderEpoch::NONE, &marker, wall);
        let code = appended.map(drop).map_err(|refused| refused.code());
        if current {
            assert_eq!(code, Ok(()), "{marker:?}");
            if self.random.once_in(3) {
                return;
            }
            if let Phase::Ending { partitions, .. } = &mut self.coordinator[producer].phase {
                partitions.remove(&partition);
            }
        }
        self.settle(producer);
        // With the first version a late repeat could end the next transaction: it has no epoch to tell them apart.
        if marker.transaction_version < 2 || self.random.once_in(2) {
            self.markers.swap_remove(at_marker);
        }
    }

    fn settle(&mut self, producer: usize) {
        let phase = &mut self.coordinator[producer].phase;
        if matches!(phase, Phase::Ending { partitions, .. } if partitions.is_empty()) {
            *phase = Phase::Empty;
        }
    }

    /// The coordinator ends a transaction that took too long, whatever the client does just now.
    fn time_out(&mut self, producer: usize) {
        let Coordinated { epoch, phase, second } = &mut self.coordinator[producer];
        if let Phase::Ongoing { tag, partitions } = phase.clone() {
            *epoch += 1;
            let version = if *second { 2 } else { 0 };
            self.decided(producer, tag, false, version, partitions);
        }
    }

    fn disconnect(&mut self, producer: usize) {
        let application = &mut self.applications[producer];
        application.client.connection.release();
        application.client = Client::new(&self.broker);
        // What was under way may be in the log: it is sent again, or given up with the epoch.
        application.outstanding = None;
    }

    fn flush(&mut self) {
        for partition in &self.partitions {
            if let Ok(Some(plan)) = partition.with_log(Log::flush_plan) {
                let outcome = plan.run();
                partition.flushed(&plan, &outcome);
            }
        }
    }

    /// A partition is given up and led again, without anybody else in between.
    fn lead_again(&mut self) {
        let which = self.random.below(PARTITIONS as u64) as usize;
        self.partitions[which].stop();
        self.listen();
        let epoch = self.broker.services.view.load().topic("orders").unwrap().partitions[which].leader_epoch.0;
        let newer = leadership(epoch + self.now as i32 + 1, self.now as i32 + 1, &[THIS]);
        self.partitions[which].update(newer, at(self.now).wall);
    }

    /// The process dies: connections, questions and guards are gone, logs are recovered.
    fn crash(&mut self) {
        let disk = self.broker.disk.kill_process();
        let before: Vec<_> = self.partitions.iter().map(|one| one.with_log(|log| log.producers().clone())).collect();
        let broker = Broker::on(disk);
        let (partitions, settings) = (self.partitions.clone(), self.partitions[0].settings());
        self.partitions = broker.lead_from(
            &partitions,
            |directory, name| {
                let options =
                    OpenOptions { topic_id: Some(ORDERS), ..OpenOptions::new(self.config.clone(), at(self.now).wall) };
                Log::open(directory, name, &options).unwrap().0
            },
            &settings,
        );
        std::mem::replace(&mut self.broker, broker).services.cold.stop();
        for (partition, before) in self.partitions.iter().zip(before) {
            partition.with_log(|log| {
                for (id, known) in before.iter() {
                    let after = log.producers().get(id).expect("a producer is forgotten");
                    let facts = |one: &crate::batch::producer::Producer| {
                        (one.epoch, one.last_sequence(), one.transaction_first_offset(), one.coordinator_epoch)
                    };
                    assert_eq!(facts(after), facts(known), "producer {id}");
                }
            });
        }
        self.asked.clear();
        self.verdicts.clear();
        self.expected.clear();
        for producer in 0..PRODUCERS {
            self.applications[producer].client = Client::new(&self.broker);
            self.applications[producer].outstanding = None;
        }
    }

    /// No transaction is open where nobody will end it.
    fn check(&self) {
        for (index, partition) in self.partitions.iter().enumerate() {
            let (producers, end) = partition.with_log(|log| (log.producers().clone(), log.end()));
            let first = producers.first_undecided_offset();
            let read =
                partition.offset_of(-1, crate::replication::waiting::Isolation::LastStable, LeaderEpoch::NONE, false);
            assert_eq!(read.unwrap().unwrap().offset, first.unwrap_or(end));
            for (id, producer) in producers.iter().filter(|(_, known)| known.transaction_first_offset().is_some()) {
                let known = &self.coordinator[id.0 as usize];
                match &known.phase {
                    Phase::Ongoing { partitions, .. } => {
                        assert!(partitions.contains(&index), "{id} hangs on {index}: not in the transaction");
                        assert_eq!(producer.epoch.0, known.epoch, "{id} hangs on {index}: of another epoch");
                    }
                    Phase::Ending { partitions, .. } => {
                        assert!(partitions.contains(&index), "{id} hangs on {index}: its marker is done");
                    }
                    Phase::Empty => panic!("{id} hangs on {index}: its coordinator knows of no transaction"),
                }
            }
        }
    }

    /// Ends everything, and looks at what came of every record.
    fn finish(&mut self) {
        self.asked.clear();
        for producer in 0..PRODUCERS {
            self.disconnect(producer);
            self.time_out(producer);
        }
        for _ in 0..20_000 {
            if self.coordinator.iter().all(|known| known.phase == Phase::Empty) {
                break;
            }
            self.deliver();
            self.check();
        }
        for partition in &self.partitions {
            let (reader, end) = partition.with_log(|log| {
                assert_eq!(log.producers().first_undecided_offset(), None, "something hangs");
                (log.reader(), log.end())
            });
            let mut open: BTreeMap<i64, Vec<(Tag, i64)>> = BTreeMap::new();
            let mut aborted = Vec::new();
            for batch in reader.batches(Offset(0), end) {
                let batch = batch.unwrap();
                let header = batch.frame.header.unwrap();
                let records = &batch.bytes[BATCH_HEADER_BYTES..];
                let id = header.producer_id.0;
                if let Some(marker) = EndMarker::read(&header, records) {
                    let ended = open.remove(&id).unwrap_or_default();
                    for (tag, _) in &ended {
                        assert_eq!(self.fates.get(tag), Some(&!marker.aborted), "{tag:?} met the end of another");
                    }
                    if let (true, Some((_, first))) = (marker.aborted, ended.first()) {
                        aborted.push((id, *first, header.base_offset.0));
                    }
                    continue;
                }
                let value = Records::new(1, records).next().unwrap().unwrap().value.unwrap().to_vec();
                let tag = (value[0], u32::from_be_bytes(*value[1..].first_chunk().unwrap()));
                open.entry(id).or_default().push((tag, header.base_offset.0));
            }
            assert!(open.values().all(Vec::is_empty));
            self.check_aborted(&reader, end, &aborted);
        }
    }

    /// The index tells what the log tells, over all segments and from anywhere.
    fn check_aborted(&self, reader: &crate::log::LogReader, end: Offset, aborted: &[(i64, i64, i64)]) {
        let mut random = self.random.clone();
        for _ in 0..10 {
            let from = random.below(end.0 as u64 + 1) as i64;
            let upper = from + random.below((end.0 - from) as u64 + 1) as i64;
            let found = reader.aborted_transactions(Offset(from), Offset(upper)).unwrap();
            let found: Vec<_> =
                found.iter().map(|one| (one.producer_id.0, one.first_offset.0, one.last_offset.0)).collect();
            let expected: Vec<_> =
                aborted.iter().filter(|(_, first, last)| *last >= from && *first < upper).copied().collect();
            assert_eq!(found, expected, "{from}..{upper}");
        }
    }
}

#[test]
fn nothing_is_torn_and_nothing_hangs() {
    let seeds = std::env::var("OTTLA_SIMULATION_SEEDS").ok().and_then(|text| text.parse().ok()).unwrap_or(150);
    let first = std::env::var("OTTLA_SIMULATION_FIRST").ok().and_then(|text| text.parse().ok()).unwrap_or(0);
    let (mut appended, mut committed, mut unasked) = (0, 0, 0);
    for seed in first..first + seeds {
        let outcome = std::panic::catch_unwind(|| {
            let mut world = World::new(seed);
            (0..STEPS).for_each(|_| world.step());
            world.finish();
            world.broker.services.cold.stop();
            (world.appended, world.fates.values().filter(|fate| **fate).count(), world.unasked)
        });
        let (some, ended, first) = outcome.unwrap_or_else(|_| panic!("seed {seed}"));
        appended += some;
        committed += ended;
        unasked += first;
    }
    let seen = format!("{appended} batches, {committed} commits, {unasked} transactions that nobody was asked about");
    assert!(appended as u64 > seeds * 10 && committed as u64 > seeds && unasked as u64 > seeds, "{seen}");
}
