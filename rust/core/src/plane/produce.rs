//! Handles Produce (0): parse, check, append, and wait for replication where acks=all asks for it.
//!
//! Kafka classes `KafkaApis.handleProduceRequest`, `ReplicaManager.appendRecords`, `DelayedProduce`. Ours checks a batch
//! before it takes the partition's lock; under the lock only offsets are assigned and bytes written. Partitions of one
//! request succeed and fail independently.

mod verify;

use std::cell::RefCell;
use std::sync::Arc;

use crate::batch::BatchHeader;
use crate::batch::compress::Scratch;
use crate::batch::producer::Proof;
use crate::batch::validate;
use crate::error::ErrorCode;
use crate::ids::{Offset, PartitionIndex, TimestampMs};
use crate::plane::clock::{Instant, Now};
use crate::plane::incoming::{Handled, Incoming, Waiting, malformed};
use crate::plane::leaders::Leaders;
use crate::plane::link::{Close, Link};
use crate::plane::output::Output;
use crate::plane::services::Services;
use crate::plane::session::TopicKey;
use crate::plane::view::{TopicView, View};
use crate::replication::partition::{Acks, Appended, Partition, Refused};
use crate::replication::waiting::{Awaited, ProduceWaiter};
use crate::wire::produce::{ProducePartition, ProduceRequest, ProduceResponseWriter, Produced, RecordError};
use crate::wire::{LeaderIdAndEpoch, TopicRef};
use verify::{Before, Routed, Standing, Standings, route};

thread_local! {
    /// Room to decompress into, kept per network thread: a batch is checked on one thread from end to end.
    static SCRATCH: RefCell<Scratch> = RefCell::new(Scratch::default());
}

/// How long an append that waits for the disk is not answered at most: the timeout of a request is meant for replication.
const FLUSH_PATIENCE_MS: i64 = 30_000;
/// The client id that may write to internal topics.
const ADMIN_CLIENT_ID: &str = "__admin_client";

/// How one partition fared.
#[derive(Debug)]
struct Outcome {
    index: PartitionIndex,
    error: ErrorCode,
    base_offset: Offset,
    log_append_time: TimestampMs,
    log_start: Offset,
    refused: Option<Box<(Refused, String)>>,
    /// Why not, where the log has no part in it.
    words: Option<Box<str>>,
    leader: Option<LeaderIdAndEpoch>,
}

impl Outcome {
    fn failed(index: PartitionIndex, error: ErrorCode) -> Self {
        Self {
            index,
            error,
            base_offset: Offset(-1),
            log_append_time: TimestampMs::NONE,
            log_start: Offset(-1),
            refused: None,
            words: None,
            leader: None,
        }
    }

    fn refused(index: PartitionIndex, refused: Refused, partition: String) -> Self {
        let error = refused.code();
        Self { refused: Some(Box::new((refused, partition))), ..Self::failed(index, error) }
    }

    fn appended(index: PartitionIndex, appended: &Appended) -> Self {
        Self {
            base_offset: appended.base_offset,
            log_append_time: appended.log_append_time,
            log_start: appended.log_start,
            ..Self::failed(index, ErrorCode::None)
        }
    }

    fn write(&self, writer: &mut ProduceResponseWriter<'_>) {
        let mut produced: Produced<'_> = Produced {
            index: self.index,
            error: self.error,
            base_offset: self.base_offset,
            log_append_time: self.log_append_time,
            log_start_offset: self.log_start,
            record_errors: &[],
            error_message: self.words.as_deref(),
            current_leader: self.leader,
        };
        let Some((refused, partition)) = self.refused.as_deref() else { return writer.partition(&produced) };
        let message = refused.message(partition);
        let words: Vec<String> = refused.records().iter().map(|record| record.refusal.message(partition)).collect();
        let records = refused.records().iter().zip(&words);
        let errors: Vec<_> = records
            .map(|(record, words)| RecordError { batch_index: record.batch_index, message: Some(words) })
            .collect();
        produced.record_errors = &errors;
        produced.error_message = message.as_deref();
        writer.partition(&produced);
    }
}

/// A produce that waits until its partitions are replicated, or flushed.
#[derive(Debug)]
struct Replicating {
    waiter: Arc<ProduceWaiter>,
    /// Whether the bound on what is not flushed is reached.
    holds: bool,
    /// Whether no answer is owed.
    silent: bool,
    deadline: Instant,
    version: i16,
    correlation_id: i32,
    topics: Vec<(TopicKey, usize)>,
    outcomes: Vec<Outcome>,
    registered: Vec<(Arc<Partition>, Awaited)>,
}

impl Waiting for Replicating {
    fn complete(
        &mut self,
        services: &Services,
        link: &Arc<Link>,
        now: Now,
        output: &mut Output,
    ) -> Result<bool, Close> {
        if !self.waiter.is_complete() {
            if now.instant < self.deadline {
                return Ok(false);
            }
            self.release();
        }
        if self.silent {
            return Ok(true);
        }
        let view = services.view.load();
        let topics = self.topics.iter().flat_map(|(topic, partitions)| std::iter::repeat_n(topic, *partitions));
        for (slot, (topic, outcome)) in topics.zip(&mut self.outcomes).enumerate() {
            if outcome.error.is_none() {
                // The batch stays, whatever the error: as in Kafka, its offset is told.
                outcome.error = self.waiter.outcome(slot).unwrap_or(ErrorCode::RequestTimedOut);
                if outcome.error == ErrorCode::NotLeaderOrFollower {
                    outcome.leader = route(&view, topic.as_ref(), outcome.index).ok().map(|routed| routed.leader);
                }
            }
        }
        let leaders = Leaders::of(&view, &link.context, self.outcomes.iter().filter_map(|outcome| outcome.leader));
        let mut writer = ProduceResponseWriter::new(&mut output.bytes, self.correlation_id, self.version);
        let mut outcomes = self.outcomes.iter();
        for (topic, partitions) in &self.topics {
            writer.topic(topic.as_ref());
            outcomes.by_ref().take(*partitions).for_each(|outcome| outcome.write(&mut writer));
        }
        writer.finish(0, &leaders.endpoints());
        Ok(true)
    }

    fn deadline(&self) -> Instant {
        self.deadline
    }

    fn holds(&self) -> bool {
        self.holds
    }

    fn release(&mut self) {
        for (partition, awaited) in self.registered.drain(..) {
            partition.stop_waiting_appended(awaited, &self.waiter);
        }
    }
}

/// Whether a topic is one that this client may not write to.
fn is_closed_to(topic: &TopicView, incoming: &Incoming<'_>) -> bool {
    topic.internal && incoming.header.client_id != ADMIN_CLIENT_ID
}

/// The partitions of a request that wait.
#[derive(Debug)]
struct Registered {
    waiter: Arc<ProduceWaiter>,
    holds: bool,
    partitions: Vec<(Arc<Partition>, Awaited)>,
}

/// Handles one request.
pub fn handle(incoming: &Incoming<'_>, services: &Services, output: &mut Output) -> Result<Handled, Close> {
    let version = incoming.header.api_version;
    let request = ProduceRequest::decode(incoming.body, version).map_err(|error| malformed(incoming, &error))?;
    let view = services.view.load();
    match verify::before(incoming, &request, services, &view) {
        Before::Append(standings) => append_all(incoming, &request, services, &view, &standings, output),
        Before::Wait(verifying) => Ok(Handled::Undecided(verifying)),
    }
}

/// Appends what may be appended, and answers or waits.
fn append_all(
    incoming: &Incoming<'_>,
    request: &ProduceRequest<'_>,
    services: &Services,
    view: &View,
    standings: &Standings,
    output: &mut Output,
) -> Result<Handled, Close> {
    let version = incoming.header.api_version;
    let batch = Batch { incoming, services, view, version, acks: Acks::from_wire(request.acks) };
    let mut outcomes = Vec::with_capacity(request.topics.len());
    let mut registered: Option<Registered> = None;
    for (topic, partition) in request.partitions() {
        let slot = outcomes.len();
        outcomes.push(match standings.at(slot) {
            Standing::Refused(error, words) => Outcome { words, ..Outcome::failed(partition.index, error) },
            Standing::Shows(proof) => batch.append(topic, &partition, proof, slot, request, &mut registered),
        });
    }
    let silent = request.acks == 0;
    if let Some(Registered { waiter, holds, partitions: registered }) = registered {
        waiter.seal();
        let topics = request.topics.iter().map(|topic| (topic.topic.into(), topic.partitions.len())).collect();
        let patience_ms = if batch.acks == Acks::All { 0 } else { FLUSH_PATIENCE_MS };
        let deadline = incoming.now.instant.after_ms(i64::from(request.timeout_ms).max(patience_ms));
        let correlation_id = incoming.header.correlation_id;
        let refused = if silent { refuse_silently(incoming, &outcomes) } else { Ok(()) };
        let mut waiting =
            Replicating { waiter, holds, silent, deadline, version, correlation_id, topics, outcomes, registered };
        return match refused {
            Ok(()) => Ok(Handled::Waits(Box::new(waiting))),
            Err(close) => {
                waiting.release();
                Err(close)
            }
        };
    }
    if silent {
        return refuse_silently(incoming, &outcomes).map(|()| Handled::Silent);
    }
    let leaders = Leaders::of(view, &incoming.link.context, outcomes.iter().filter_map(|outcome| outcome.leader));
    let mut writer = ProduceResponseWriter::new(&mut output.bytes, incoming.header.correlation_id, version);
    let mut results = outcomes.iter();
    for topic in request.topics {
        writer.topic(topic.topic);
        results.by_ref().take(topic.partitions.len()).for_each(|outcome| outcome.write(&mut writer));
    }
    writer.finish(0, &leaders.endpoints());
    Ok(Handled::Answered)
}

/// The log start that goes with a refusal: Kafka tells it where the records or the producer are at fault, and not where
/// size, checksum or disk are.
fn told_with(error: ErrorCode, hosted: &Partition) -> Offset {
    match error {
        ErrorCode::InvalidRecord
        | ErrorCode::InvalidTimestamp
        | ErrorCode::UnsupportedCompressionType
        | ErrorCode::OutOfOrderSequenceNumber
        | ErrorCode::InvalidProducerEpoch
        | ErrorCode::InvalidTxnState
        | ErrorCode::UnknownServerError => hosted.log_start(),
        _ => Offset(-1),
    }
}

/// acks=0 owes no answer; a failure is told by ending the connection.
fn refuse_silently(incoming: &Incoming<'_>, outcomes: &[Outcome]) -> Result<(), Close> {
    match outcomes.iter().find(|outcome| !outcome.error.is_none()) {
        None => Ok(()),
        Some(failed) => Err(Close(format!(
            "produce with acks=0 of client {} failed on partition {}: {}",
            incoming.header.client_id, failed.index, failed.error
        ))),
    }
}

/// What the partitions of one request have in common.
struct Batch<'a> {
    incoming: &'a Incoming<'a>,
    services: &'a Services,
    view: &'a View,
    version: i16,
    acks: Acks,
}

impl Batch<'_> {
    fn append(
        &self,
        topic: TopicRef<'_>,
        partition: &ProducePartition<'_>,
        proof: Proof,
        slot: usize,
        request: &ProduceRequest<'_>,
        registered: &mut Option<Registered>,
    ) -> Outcome {
        let index = partition.index;
        let Routed { topic: known, leader } = match route(self.view, topic, index) {
            Ok(routed) => routed,
            Err(error) => return Outcome::failed(index, error),
        };
        let records = partition.records.unwrap_or_default();
        let header = match validate::parse_single(records, self.version) {
            Ok(header) => header,
            Err(rejected) => return Outcome::refused(index, rejected.into(), format!("{}-{index}", known.name)),
        };
        if !(-1..=1).contains(&request.acks) {
            return Outcome::failed(index, ErrorCode::InvalidRequiredAcks);
        }
        if is_closed_to(known, self.incoming) {
            return Outcome::failed(index, ErrorCode::InvalidTopicException);
        }
        let not_leader = || Outcome { leader: Some(leader), ..Outcome::failed(index, ErrorCode::NotLeaderOrFollower) };
        let hosted = match self.services.hosted.find(known.id, index) {
            Ok(hosted) => hosted,
            Err(ErrorCode::NotLeaderOrFollower) => return not_leader(),
            Err(error) => return Outcome::failed(index, error),
        };
        let outcome = match self.append_to(&hosted, (records, header), proof, slot, request, registered) {
            Ok(outcome) => outcome,
            Err(refused) if refused.code() == ErrorCode::NotLeaderOrFollower => return not_leader(),
            Err(refused) => Outcome {
                log_start: told_with(refused.code(), &hosted),
                ..Outcome::refused(index, refused, hosted.to_string())
            },
        };
        if outcome.error == ErrorCode::KafkaStorageError && self.version < 4 {
            return Outcome { error: ErrorCode::NotLeaderOrFollower, ..outcome };
        }
        outcome
    }

    fn append_to(
        &self,
        hosted: &Arc<Partition>,
        (records, header): (&[u8], BatchHeader),
        proof: Proof,
        slot: usize,
        request: &ProduceRequest<'_>,
        registered: &mut Option<Registered>,
    ) -> Result<Outcome, Refused> {
        hosted.admits(self.acks)?;
        let settings = hosted.settings();
        let now = self.incoming.now.wall;
        let appended = SCRATCH.with_borrow_mut(|scratch| {
            let checked = validate::check(records, header, &settings.produce, now, scratch)?;
            hosted.append(&checked, proof, self.acks, now)
        })?;
        let all = self.acks == Acks::All;
        for awaited in appended.awaited().filter(|awaited| all || matches!(awaited, Awaited::Flushed(_))) {
            let registered = registered.get_or_insert_with(|| {
                let slots = request.topics.iter().map(|topic| topic.partitions.len()).sum();
                let waiter = ProduceWaiter::new(self.incoming.link.bell.clone(), slots);
                Registered { waiter, holds: false, partitions: Vec::new() }
            });
            registered.holds |= appended.flush.is_some_and(|need| need.holds);
            hosted.wait_appended(awaited, slot, &registered.waiter);
            registered.partitions.push((hosted.clone(), awaited));
        }
        Ok(Outcome::appended(hosted.index, &appended))
    }
}
