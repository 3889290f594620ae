//! What coordinators do about transactions: write in them, end them, and look who is writing.
//!
//! Prior art: Kafka's `KafkaApis.handleWriteTxnMarkersRequest`, which appends the markers of a request as one produce with acks=all,
//! and `CoordinatorPartitionWriter` for the offsets of a transaction. Ours does both on the thread of the coordinators' logs:
//! a marker and the batches of its transaction are written in the order in which they were begun. The markers of one Command
//! are written one by one, each under its partition's lock, and awaited together.
//!
//! Invariants: a Command has one end; a row that was refused wrote nothing; one that timed out may be in the log all the same,
//! and comes again without harm.

use std::sync::Arc;

use super::coordinator_log::{CoordinatorLogs, KeyedRecord, LogRefusal, Place, Written};
use crate::batch::Codec;
use crate::batch::build::BatchOptions;
use crate::batch::producer::{Claim, Claimed, Guard, Proof};
use crate::error::ErrorCode;
use crate::ids::{LeaderEpoch, PartitionIndex, ProducerEpoch, ProducerId, Sequence, TimestampMs, TopicId};
use crate::plane::clock::{Instant, Now};
use crate::plane::command::{Done, DoneValue, Ticket};
use crate::plane::services::Services;
use crate::replication::partition::{ActiveProducer, Marker, Partition};
use crate::replication::waiting::{Awaited, ProduceWaiter};

/// Who writes in a transaction, and what it shows for it.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Writer {
    /// The producer.
    pub producer_id: ProducerId,
    /// Its incarnation.
    pub producer_epoch: ProducerEpoch,
    /// What was taken before its coordinator was asked.
    pub proof: Proof,
}

/// A marker for a partition of any topic but a coordinator's.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct MarkerRow {
    /// The topic.
    pub topic_id: TopicId,
    /// The partition.
    pub index: PartitionIndex,
    /// What ends there.
    pub marker: Marker,
}

/// A producer's transaction that is open on a partition once what the coordinator writes is committed.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Opening {
    /// Topic, as the coordinator knows it.
    pub topic: Box<str>,
    /// The partition.
    pub index: PartitionIndex,
    /// The producer.
    pub producer_id: ProducerId,
    /// Its incarnation.
    pub producer_epoch: ProducerEpoch,
}

/// An [`Opening`] of a partition that is led here: its first Produce need not ask.
#[derive(Debug)]
pub(super) struct Expected {
    partition: Arc<Partition>,
    producer_id: ProducerId,
    producer_epoch: ProducerEpoch,
    guard: Guard,
}

impl Expected {
    /// It is committed.
    pub(super) fn confirm(&self) {
        self.partition.confirm(self.producer_id, self.producer_epoch, self.guard);
    }
}

/// An order about transactions.
#[derive(Debug)]
pub enum TransactionCommand {
    /// Must the coordinator be asked before this producer writes here?
    Claim(Place, ProducerId, ProducerEpoch),
    /// Append the records as one batch of a transaction; done when they are committed.
    Append {
        /// Where.
        place: Place,
        /// What, in this order; at least one.
        records: Vec<KeyedRecord>,
        /// How they are compressed, unless the topic has a codec of its own.
        codec: Codec,
        /// In whose transaction.
        writer: Writer,
        /// How long it may take to be committed.
        timeout_ms: i64,
    },
    /// End a transaction in a coordinator's log; done when that is committed.
    Mark {
        /// Where.
        place: Place,
        /// What ends.
        marker: Marker,
        /// How long it may take to be committed.
        timeout_ms: i64,
    },
    /// End transactions on partitions that are led here, under whatever epoch; done when all that were written are committed.
    Markers {
        /// Each with its outcome.
        rows: Vec<MarkerRow>,
        /// How long it may take to be committed.
        timeout_ms: i64,
    },
    /// Who writes to these partitions.
    Producers(Vec<(TopicId, PartitionIndex)>),
}

impl TransactionCommand {
    /// Whether it ends with a [`TransactionOutcome`].
    pub(super) const fn has_own_outcome(&self) -> bool {
        matches!(self, Self::Claim(..) | Self::Markers { .. } | Self::Producers(_))
    }
}

/// What came of a [`TransactionCommand`] that is not about a coordinator's log alone.
#[derive(Clone, PartialEq, Eq, Debug)]
pub enum TransactionOutcome {
    /// Of [`TransactionCommand::Claim`].
    Claimed(Result<Proof, LogRefusal>),
    /// Of [`TransactionCommand::Markers`], by row.
    Codes(Vec<ErrorCode>),
    /// Of [`TransactionCommand::Producers`], by partition.
    Producers(Vec<Result<Vec<ActiveProducer>, ErrorCode>>),
}

/// Markers of one Command that are written and wait.
#[derive(Debug)]
pub(super) struct Marking {
    ticket: Ticket,
    codes: Vec<ErrorCode>,
    /// Which rows wait, on which partition, for what.
    awaited: Vec<(usize, Arc<Partition>, Awaited)>,
    waiter: Arc<ProduceWaiter>,
    deadline: Instant,
}

impl Marking {
    pub(super) fn deadline(&self) -> Instant {
        self.deadline
    }

    /// Tells the end if it has come.
    pub(super) fn settle(&mut self, services: &Services, now: Instant) -> bool {
        if !self.waiter.is_complete() && now < self.deadline {
            return false;
        }
        self.release();
        for (row, code) in self.codes.iter_mut().enumerate().filter(|(_, code)| code.is_none()) {
            *code = self.waiter.outcome(row).unwrap_or(ErrorCode::RequestTimedOut);
        }
        let codes = std::mem::take(&mut self.codes);
        done(services, self.ticket, TransactionOutcome::Codes(codes));
        true
    }

    /// Ends it without an outcome.
    pub(super) fn close(&self, services: &Services, reason: &str) {
        services.mailbox.done(Done { ticket: self.ticket, result: Err(reason.to_owned()) });
        self.release();
    }

    fn release(&self) {
        for (_, partition, awaited) in &self.awaited {
            partition.stop_waiting_appended(*awaited, &self.waiter);
        }
    }
}

fn done(services: &Services, ticket: Ticket, outcome: TransactionOutcome) {
    services.mailbox.done(Done { ticket, result: Ok(DoneValue::Transactions(outcome)) });
}

impl CoordinatorLogs {
    /// Begins an order about transactions.
    pub(super) fn transact(&mut self, ticket: Ticket, command: TransactionCommand, now: Now) {
        match command {
            TransactionCommand::Claim(place, producer_id, producer_epoch) => {
                let claim = Claim { producer_id, producer_epoch, sequence: Sequence::NONE, second_version: false };
                let claimed = self.claim(place, &claim, now);
                done(&self.services, ticket, TransactionOutcome::Claimed(claimed));
            }
            TransactionCommand::Append { place, records, codec, writer, timeout_ms } => {
                let Writer { producer_id, producer_epoch, proof } = writer;
                // Each begins with sequence 0, as Kafka's coordinators write it; nobody checks that of them.
                let (base_sequence, transactional) = (Sequence(0), true);
                let options = BatchOptions {
                    codec,
                    producer_id,
                    producer_epoch,
                    base_sequence,
                    transactional,
                    ..BatchOptions::default()
                };
                let proof = if self.services.questions.verifies() { proof } else { Proof::Waived };
                let written = self.find(place).and_then(|partition| {
                    let appended = self.write(&partition, place, options, proof, &records, now.wall)?;
                    Ok(Written::plain(appended, partition))
                });
                self.wait(ticket, place, written, timeout_ms, now);
            }
            TransactionCommand::Mark { place, marker, timeout_ms } => {
                let station = self.services.desks.station(place.topic_id, place.index);
                let order = station.as_ref().map(|station| station.in_order());
                let written = self.find(place).and_then(|partition| {
                    let appended = partition.append_marker(place.leader_epoch, &marker, now.wall);
                    let refused = |refused| LogRefusal::refused(&refused, &partition, place);
                    Ok(Written::plain(appended.map_err(refused)?, partition))
                });
                drop(order);
                self.wait(ticket, place, written, timeout_ms, now);
            }
            TransactionCommand::Markers { rows, timeout_ms } => self.mark_all(ticket, &rows, timeout_ms, now),
            TransactionCommand::Producers(partitions) => {
                let producers = |(topic_id, index)| self.hosted(topic_id, index)?.active_producers();
                let found = partitions.into_iter().map(producers).collect();
                done(&self.services, ticket, TransactionOutcome::Producers(found));
            }
        }
    }

    /// Takes guards for what is about to be written. To be called before the write: whoever ends the transaction has read that,
    /// so the marker comes later and takes the guard away.
    pub(super) fn expect(&self, openings: &[Opening], now: TimestampMs) -> Vec<Expected> {
        if openings.is_empty() || !self.services.questions.verifies() {
            return Vec::new();
        }
        let view = self.services.view.load();
        let expected = |opening: &Opening| {
            let Opening { topic, index, producer_id, producer_epoch } = opening;
            let partition = self.services.hosted.find(view.topic(topic)?.id, *index).ok()?;
            let guard = partition.expect(*producer_id, *producer_epoch, now)?;
            Some(Expected { partition, producer_id: *producer_id, producer_epoch: *producer_epoch, guard })
        };
        openings.iter().filter_map(expected).collect()
    }

    fn claim(&self, place: Place, claim: &Claim, now: Now) -> Result<Proof, LogRefusal> {
        let partition = self.find(place)?;
        match partition.claim(place.leader_epoch, claim, now.wall) {
            Ok(Claimed::Open) => Ok(Proof::None),
            Ok(Claimed::Guard(guard) | Claimed::Confirmed(guard)) => Ok(Proof::Guard(guard)),
            Ok(Claimed::Full) => Err(LogRefusal {
                code: ErrorCode::CoordinatorNotAvailable,
                message: format!("too many transactions of {partition} wait for their coordinators"),
            }),
            Err(refused) => Err(LogRefusal::refused(&refused, &partition, place)),
        }
    }

    fn mark_all(&mut self, ticket: Ticket, rows: &[MarkerRow], timeout_ms: i64, now: Now) {
        let waiter = ProduceWaiter::new(self.bell.clone(), rows.len());
        let mut marking = Marking {
            ticket,
            codes: Vec::with_capacity(rows.len()),
            awaited: Vec::new(),
            waiter,
            deadline: now.instant.after_ms(timeout_ms),
        };
        for (at, row) in rows.iter().enumerate() {
            let code = self.mark_one(at, row, now, &mut marking);
            marking.codes.push(code.err().unwrap_or(ErrorCode::None));
        }
        marking.waiter.seal();
        if marking.awaited.is_empty() {
            return done(&self.services, ticket, TransactionOutcome::Codes(marking.codes));
        }
        self.markings.push(marking);
    }

    fn mark_one(&self, at: usize, row: &MarkerRow, now: Now, marking: &mut Marking) -> Result<(), ErrorCode> {
        let partition = self.hosted(row.topic_id, row.index)?;
        let appended = partition.append_marker(LeaderEpoch::NONE, &row.marker, now.wall);
        let appended = appended.map_err(|refused| refused.code())?;
        for awaited in appended.awaited() {
            partition.wait_appended(awaited, at, &marking.waiter);
            marking.awaited.push((at, partition.clone(), awaited));
        }
        Ok(())
    }

    /// A partition that is led here. One of a topic that is gone is told from one that is led elsewhere: nobody need send
    /// its marker again.
    fn hosted(&self, topic_id: TopicId, index: PartitionIndex) -> Result<Arc<Partition>, ErrorCode> {
        self.services.hosted.find(topic_id, index).map_err(|code| {
            let known = self.services.view.load();
            let known = known.topic_by_id(topic_id).map(|topic| topic.partitions.len());
            let exists = known.is_some_and(|count| usize::try_from(index.0).is_ok_and(|at| at < count));
            if exists { code } else { ErrorCode::UnknownTopicOrPartition }
        })
    }
}
