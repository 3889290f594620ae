//! The logs of coordinators: batches in as a leader with acks=all, and everything out that counts.
//!
//! Prior art: Kafka's `CoordinatorPartitionWriter`, which goes through `ReplicaManager.appendRecords` on a thread of its own,
//! and `CoordinatorLoaderImpl` on another. Ours is one thread, so that appends are written in the order in which they were begun
//! and a load sees every append begun before it; whatever takes longer than a write to the page cache is left to a
//! pool ([`coordinator_load`](crate::plane::coordinator_load)). A batch takes the way of a Produce: the topic's rules, the
//! partition's lock, the same waiting for replicas and for the bound on what is not flushed, the same waking of readers.
//!
//! Invariants: under another leader epoch than the one meant nothing is written or read; every Command has one end, a
//! Load at once, an append when it is committed, refused or out of time. Bounds: as many appends wait as the control plane has
//! begun, one batch each; a coordinator begins one at a time for each partition.

use std::collections::HashMap;
use std::sync::Arc;
use std::task::Context;

use parking_lot::Mutex;

use crate::batch::build::{BatchBuilder, BatchOptions, RecordParts};
use crate::batch::compress::Scratch;
use crate::batch::header::Codec;
use crate::batch::producer::{Origin, Proof};
use crate::batch::validate;
use crate::error::ErrorCode;
use crate::ids::{LeaderEpoch, PartitionIndex, TimestampMs, TopicId};
use crate::log::latest::{Intake, LatestRecord};
use crate::plane::clock::{Instant, Now};
use crate::plane::command::{Done, DoneValue, Ticket};
use crate::plane::coordinator_load::Load;
use crate::plane::coordinator_transactions::{Expected, Marking, Opening, TransactionCommand};
use crate::plane::link::Answer;
use crate::plane::mailbox::RequestId;
use crate::plane::pool::Pool;
use crate::plane::services::Services;
use crate::replication::partition::{Acks, Appended, Partition, Refused};
use crate::replication::waiting::{Awaited, Bell, ProduceWaiter};

/// The version of Produce whose rules hold for a batch from here: the newest.
const RULES_VERSION: i16 = i16::MAX;

/// A partition under the leader epoch that its coordinator was elected with.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Place {
    /// The coordinator's topic.
    pub topic_id: TopicId,
    /// Its partition.
    pub index: PartitionIndex,
    /// The only epoch under which anything is done.
    pub leader_epoch: LeaderEpoch,
}

/// A record to write.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct KeyedRecord {
    /// Its key.
    pub key: Vec<u8>,
    /// Its value; none is a tombstone.
    pub value: Option<Vec<u8>>,
    /// Its time.
    pub timestamp: TimestampMs,
}

/// An intake that whoever orders a load keeps a hand on; it is not looked at before the load has ended.
pub type SharedIntake = Arc<Mutex<dyn Intake>>;

/// An order of a coordinator. They begin in the order of submission.
#[derive(Debug)]
pub enum CoordinatorCommand {
    /// Append the records as one batch; done when they are committed.
    Append {
        /// Where.
        place: Place,
        /// What, in this order; at least one.
        records: Vec<KeyedRecord>,
        /// How they are compressed, unless the topic has a codec of its own.
        codec: Codec,
        /// How long it may take to be committed.
        timeout_ms: i64,
        /// What holds elsewhere once they are.
        openings: Vec<Opening>,
        /// Bodies of responses that go out then, before the control plane hears of it.
        replies: Vec<(RequestId, Vec<u8>)>,
    },
    /// Begin to read what the log holds now, into an intake first where there is one; done at once. The ticket names the
    /// load.
    Load(Place, Option<SharedIntake>),
    /// Some records more of a load; an empty answer is the end, and says that all of it is committed.
    Next(Ticket),
    /// Forget a load. One that is not known is forgotten already.
    Close(Ticket),
    /// Something about transactions.
    Transact(TransactionCommand),
}

/// Why a log did not do what it was asked.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct LogRefusal {
    /// Kafka's code.
    pub code: ErrorCode,
    /// For people.
    pub message: String,
}

/// What came of a [`CoordinatorCommand`]; records only of a [`CoordinatorCommand::Next`].
pub type CoordinatorOutcome = Result<Vec<LatestRecord>, LogRefusal>;

impl LogRefusal {
    pub(super) fn of(code: ErrorCode, partition: &Partition, place: Place) -> Self {
        let epoch = place.leader_epoch;
        let (code, reason) = match code {
            ErrorCode::FencedLeaderEpoch | ErrorCode::UnknownLeaderEpoch | ErrorCode::NotLeaderOrFollower => {
                (ErrorCode::NotLeaderOrFollower, format!("is not led here under leader epoch {epoch}"))
            }
            ErrorCode::NotEnoughReplicas | ErrorCode::NotEnoughReplicasAfterAppend => {
                (code, "has fewer in-sync replicas than min.insync.replicas".to_owned())
            }
            ErrorCode::KafkaStorageError => (code, "is in a log directory that failed".to_owned()),
            other => (other, format!("failed: {}", other.name())),
        };
        Self { code, message: format!("{partition} {reason}") }
    }

    pub(super) fn refused(refused: &Refused, partition: &Partition, place: Place) -> Self {
        match refused.message(partition) {
            Some(message) => Self { code: refused.code(), message },
            None => Self::of(refused.code(), partition, place),
        }
    }
}

/// A batch that is in the log, and not committed yet.
#[derive(Debug)]
pub(super) struct Written {
    appended: Appended,
    partition: Arc<Partition>,
    follows: Follows,
}

/// What a batch leads to when it is committed, and only then.
#[derive(Debug, Default)]
struct Follows {
    expected: Vec<Expected>,
    replies: Vec<(RequestId, Vec<u8>)>,
}

impl Follows {
    fn come(self, services: &Services) {
        self.expected.iter().for_each(Expected::confirm);
        services.outstanding.answer_all(self.replies.into_iter().map(|(request, body)| (request, Answer::Body(body))));
    }
}

impl Written {
    /// One that leads to nothing else.
    pub(super) fn plain(appended: Appended, partition: Arc<Partition>) -> Self {
        Self { appended, partition, follows: Follows::default() }
    }
}

/// An append that is written and waits.
#[derive(Debug)]
struct Waiting {
    ticket: Ticket,
    place: Place,
    partition: Arc<Partition>,
    awaited: Vec<Awaited>,
    waiter: Arc<ProduceWaiter>,
    deadline: Instant,
    timeout_ms: i64,
    follows: Follows,
}

impl Waiting {
    /// How it ended, if it did.
    fn ended(&self, now: Instant) -> Option<CoordinatorOutcome> {
        if !self.waiter.is_complete() && now < self.deadline {
            return None;
        }
        Some(match self.waiter.outcome(0) {
            Some(ErrorCode::None) => Ok(Vec::new()),
            Some(code) => Err(LogRefusal::of(code, &self.partition, self.place)),
            None => {
                let (partition, timeout_ms) = (&self.partition, self.timeout_ms);
                let message = format!("what was written to {partition} was not committed within {timeout_ms} ms");
                Err(LogRefusal { code: ErrorCode::RequestTimedOut, message })
            }
        })
    }

    fn release(&self) {
        for awaited in &self.awaited {
            self.partition.stop_waiting_appended(*awaited, &self.waiter);
        }
    }
}

/// The logs of the coordinators on this broker. One thread owns it; it writes to the page cache at most.
#[derive(Debug)]
pub struct CoordinatorLogs {
    pub(super) services: Arc<Services>,
    pool: Arc<Pool>,
    pub(super) bell: Arc<Bell>,
    appends: Vec<Waiting>,
    pub(super) markings: Vec<Marking>,
    loads: HashMap<Ticket, Result<Arc<Load>, LogRefusal>>,
    scratch: Scratch,
}

impl CoordinatorLogs {
    /// Nothing is under way. Logs are read on the threads of `pool`.
    #[must_use]
    pub fn new(services: Arc<Services>, pool: Arc<Pool>) -> Self {
        let (appends, markings, loads) = (Vec::new(), Vec::new(), HashMap::new());
        Self { services, pool, bell: Arc::default(), appends, markings, loads, scratch: Scratch::default() }
    }

    /// Leaves `context` to be woken when [`CoordinatorLogs::settle`] has something to do.
    pub fn listen(&self, context: &Context<'_>) {
        self.bell.listen(context);
    }

    /// When to settle at the latest.
    #[must_use]
    pub fn deadline(&self) -> Option<Instant> {
        let markings = self.markings.iter().map(Marking::deadline);
        self.appends.iter().map(|waiting| waiting.deadline).chain(markings).min()
    }

    /// Begins a command.
    pub fn carry_out(&mut self, ticket: Ticket, command: CoordinatorCommand, now: Now) {
        match command {
            CoordinatorCommand::Append { place, records, codec, timeout_ms, openings, replies } => {
                let follows = Follows { expected: self.expect(&openings, now.wall), replies };
                let written = self.find(place).and_then(|partition| {
                    let options = BatchOptions { codec, ..BatchOptions::default() };
                    let appended = self.write(&partition, place, options, Proof::None, &records, now.wall);
                    appended.map(|appended| Written { appended, partition, follows })
                });
                self.wait(ticket, place, written, timeout_ms, now);
            }
            CoordinatorCommand::Transact(command) => self.transact(ticket, command, now),
            CoordinatorCommand::Load(place, intake) => {
                let station = self.services.desks.station(place.topic_id, place.index);
                // What a desk of before is writing is to be read.
                let _order = station.as_ref().map(|station| station.in_order());
                let begun = self.find(place);
                let begun = begun.and_then(|partition| Load::begin(partition, place, intake, &self.bell));
                self.loads.insert(ticket, begun.map(Arc::new));
                end(&self.services, ticket, Ok(Vec::new()));
            }
            CoordinatorCommand::Next(load) => match self.loads.get(&load) {
                Some(Ok(load)) => load.begin_next(&self.services, &self.pool, ticket),
                Some(Err(refusal)) => end(&self.services, ticket, Err(refusal.clone())),
                None => {
                    let result = Err(format!("no load {load} is under way"));
                    self.services.mailbox.done(Done { ticket, result });
                }
            },
            CoordinatorCommand::Close(load) => {
                if let Some(Ok(load)) = self.loads.remove(&load) {
                    load.close(&self.services);
                    // A million keys take their time to be freed.
                    self.pool.submit(Box::new(move || drop(load)));
                }
                end(&self.services, ticket, Ok(Vec::new()));
            }
        }
    }

    /// Ends what has come to its end.
    pub fn settle(&mut self, now: Instant) {
        let services = &self.services;
        self.appends.retain_mut(|waiting| {
            let Some(outcome) = waiting.ended(now) else { return true };
            waiting.release();
            if outcome.is_ok() {
                std::mem::take(&mut waiting.follows).come(services);
            }
            end(services, waiting.ticket, outcome);
            false
        });
        self.markings.retain_mut(|marking| !marking.settle(services, now));
        for load in self.loads.values().flatten() {
            load.settle(services);
        }
    }

    /// Whoever waits is refused. Tickets first: what follows may find things half done.
    pub fn fail(&mut self, refusal: &LogRefusal) {
        let appends = std::mem::take(&mut self.appends);
        for waiting in &appends {
            end(&self.services, waiting.ticket, Err(refusal.clone()));
        }
        for marking in self.markings.drain(..) {
            marking.close(&self.services, &refusal.message);
        }
        for load in self.loads.drain().filter_map(|(_, load)| load.ok()) {
            load.close(&self.services);
        }
        appends.iter().for_each(Waiting::release);
    }

    /// The engine stops: nobody waits any longer.
    pub fn close(&mut self) {
        for waiting in self.appends.drain(..) {
            waiting.release();
            let result = Err("the data plane was closed".to_owned());
            self.services.mailbox.done(Done { ticket: waiting.ticket, result });
        }
        for marking in self.markings.drain(..) {
            marking.close(&self.services, "the data plane was closed");
        }
        for load in self.loads.drain().filter_map(|(_, load)| load.ok()) {
            load.close(&self.services);
        }
    }

    pub(super) fn find(&self, place: Place) -> Result<Arc<Partition>, LogRefusal> {
        let Place { topic_id, index, .. } = place;
        self.services.hosted.find(topic_id, index).map_err(|code| {
            let view = self.services.view.load();
            let (code, name) = match view.topic_by_id(topic_id) {
                Some(topic) => (code, topic.name.to_string()),
                None if code == ErrorCode::NotLeaderOrFollower => {
                    (ErrorCode::UnknownTopicOrPartition, format!("{topic_id:?}"))
                }
                None => (code, format!("{topic_id:?}")),
            };
            LogRefusal { code, message: format!("{name}-{index} is not here, or its log cannot be used") }
        })
    }

    /// Ends a command when what it wrote is committed.
    pub(super) fn wait(
        &mut self,
        ticket: Ticket,
        place: Place,
        written: Result<Written, LogRefusal>,
        timeout_ms: i64,
        now: Now,
    ) {
        let Written { appended, partition, follows } = match written {
            Ok(written) => written,
            Err(refusal) => return end(&self.services, ticket, Err(refusal)),
        };
        let awaited: Vec<Awaited> = appended.awaited().collect();
        if awaited.is_empty() {
            follows.come(&self.services);
            return end(&self.services, ticket, Ok(Vec::new()));
        }
        let waiter = ProduceWaiter::new(self.bell.clone(), 1);
        for awaited in &awaited {
            partition.wait_appended(*awaited, 0, &waiter);
        }
        waiter.seal();
        let deadline = now.instant.after_ms(timeout_ms);
        self.appends.push(Waiting { ticket, place, partition, awaited, waiter, deadline, timeout_ms, follows });
    }

    /// Writes one batch to the page cache.
    pub(super) fn write(
        &mut self,
        partition: &Partition,
        place: Place,
        options: BatchOptions,
        proof: Proof,
        records: &[KeyedRecord],
        now: TimestampMs,
    ) -> Result<Appended, LogRefusal> {
        let station = self.services.desks.station(place.topic_id, place.index);
        let _order = station.as_ref().map(|station| station.in_order());
        let written = write_batch(partition, place.leader_epoch, options, proof, records, now, &mut self.scratch);
        written.map_err(|refused| LogRefusal::refused(&refused, partition, place))
    }
}

/// Writes one batch of a coordinator to the page cache, if this broker leads the partition under `epoch`.
pub(super) fn write_batch(
    partition: &Partition,
    epoch: LeaderEpoch,
    options: BatchOptions,
    proof: Proof,
    records: &[KeyedRecord],
    now: TimestampMs,
    scratch: &mut Scratch,
) -> Result<Appended, Refused> {
    partition.admits_under(epoch, Acks::All)?;
    let mut builder = BatchBuilder::new(options);
    for KeyedRecord { key, value, timestamp } in records {
        let parts = RecordParts { key: Some(key), value: value.as_deref(), headers: &[] };
        builder.add(*timestamp, &parts);
    }
    let batch = builder.finish().map_err(|fault| Refused::Batch(fault.into()))?;
    let header = validate::parse_single(&batch, RULES_VERSION)?;
    let rules = partition.settings();
    let checked = validate::check_own(&batch, header, &rules.produce, now, scratch)?;
    partition.append_under(epoch, Origin::Coordinator, proof, &checked, Acks::All, now)
}

pub(super) fn end(services: &Services, ticket: Ticket, outcome: CoordinatorOutcome) {
    services.mailbox.done(Done { ticket, result: Ok(DoneValue::Coordinator(outcome)) });
}
