//! Carries out `OffsetCommit` (8) for members of whom the control plane has said that they may commit.
//!
//! Walk: decode, find topics in the View, let in by the desk, one batch to the log, into the table, answer. Whoever is not let
//! in goes up and asks for leave: the control plane refuses, or has it handled here once more. What is not usual goes up for
//! good: topics that are not there, a retention of its own, a log with other replicas (what is written is not committed
//! there yet, and the desk shows what is written). Kafka classes `KafkaApis.handleOffsetCommitRequest`,
//! `OffsetMetadataManager.commitOffset`.

use std::cell::RefCell;
use std::sync::Arc;

use crate::batch::build::BatchOptions;
use crate::batch::compress::Scratch;
use crate::batch::producer::Proof;
use crate::error::ErrorCode;
use crate::groups::offset_record::{OffsetKey, OffsetValue, TextTooLong, write_key, write_value};
use crate::ids::{PartitionIndex, TimestampMs, TopicId};
use crate::plane::clock::{Instant, Now};
use crate::plane::coordinator_log::{KeyedRecord, write_batch};
use crate::plane::desk::{Committer, Rules};
use crate::plane::desks::Home;
use crate::plane::incoming::{Handled, Incoming, Waiting};
use crate::plane::link::{Close, Link};
use crate::plane::output::Output;
use crate::plane::services::Services;
use crate::plane::session::TopicKey;
use crate::plane::view::{TopicView, View};
use crate::replication::partition::{Appended, Partition};
use crate::replication::waiting::{Awaited, ProduceWaiter};
use crate::wire::TopicRef;
use crate::wire::offset_commit::{OffsetCommitPartition, OffsetCommitRequest, encode_response};

thread_local! {
    /// Room to compress into, kept per network thread.
    static SCRATCH: RefCell<Scratch> = RefCell::new(Scratch::default());
}

/// What came of a commit that was let in.
enum Outcome {
    /// One code for all that was not refused by itself.
    Ended(ErrorCode),
    /// It is written and waits.
    Written(Owed),
}

/// Handles one request.
pub fn handle(incoming: &Incoming<'_>, services: &Services, output: &mut Output) -> Result<Handled, Close> {
    let view = services.view.load();
    // What cannot be read here may be read there: text that has to be mended.
    let request = OffsetCommitRequest::decode(incoming.body, incoming.header.api_version).ok();
    let Some(commit) = request.and_then(|request| Commit::of(incoming, request, &view)) else {
        return incoming.pass_up(services);
    };
    let Some(home) = Home::of(commit.request.group_id, &view, services) else {
        return incoming.ask_leave(services);
    };
    if !home.partition.has_no_followers() {
        return incoming.pass_up(services);
    }
    match commit.carry_out(&home) {
        None => incoming.ask_leave(services),
        Some((rules, Outcome::Ended(code))) => {
            commit.answer(code, rules, output);
            Ok(Handled::Answered)
        }
        Some((_, Outcome::Written(owed))) => Ok(Handled::Waits(Box::new(owed))),
    }
}

/// A commit that could be carried out here.
struct Commit<'a> {
    incoming: &'a Incoming<'a>,
    request: OffsetCommitRequest<'a>,
    /// The topics of the request.
    topics: Vec<&'a TopicView>,
}

impl<'a> Commit<'a> {
    /// None for what is not usual.
    fn of(incoming: &'a Incoming<'a>, request: OffsetCommitRequest<'a>, view: &'a View) -> Option<Self> {
        if request.retention_time_ms != -1 || request.topics.is_empty() {
            return None;
        }
        let mut topics = Vec::with_capacity(request.topics.len());
        for asked in request.topics {
            let topic = match asked.topic {
                TopicRef::Name(name) => view.topic(name)?,
                TopicRef::Id(id) => view.topic_by_id(id)?,
            };
            let is_there = |index: PartitionIndex| usize::try_from(index.0).is_ok_and(|at| at < topic.partitions.len());
            if asked.partitions.is_empty() || !asked.partitions.iter().all(|partition| is_there(partition.index)) {
                return None;
            }
            topics.push(&**topic);
        }
        Some(Self { incoming, request, topics })
    }

    fn partitions(&self) -> impl Iterator<Item = (&'a TopicView, OffsetCommitPartition<'a>)> {
        let topics = self.topics.iter().copied();
        topics
            .zip(self.request.topics)
            .flat_map(|(topic, asked)| asked.partitions.iter().map(move |each| (topic, each)))
    }

    fn key(&self, topic: &'a TopicView, index: PartitionIndex) -> OffsetKey<'a> {
        OffsetKey { group: self.request.group_id.into(), topic: (&*topic.name).into(), partition: index }
    }

    fn value(&self, topic_id: TopicId, partition: &OffsetCommitPartition<'a>) -> OffsetValue<'a> {
        OffsetValue {
            offset: partition.offset,
            leader_epoch: partition.leader_epoch,
            metadata: partition.metadata.unwrap_or_default().into(),
            commit_timestamp: self.incoming.now.wall,
            expire_timestamp: TimestampMs::NONE,
            topic_id,
        }
    }

    /// The offsets of those partitions whose metadata is not too large.
    fn offsets(&self, rules: Rules) -> impl Iterator<Item = (OffsetKey<'a>, OffsetValue<'a>)> {
        let fitting = self.partitions().filter(move |(_, partition)| !is_too_large(partition, rules));
        fitting.map(|(topic, partition)| (self.key(topic, partition.index), self.value(topic.id, &partition)))
    }

    fn records(&self, rules: Rules) -> Result<Vec<KeyedRecord>, TextTooLong> {
        let record = |(key, value): (OffsetKey<'_>, OffsetValue<'_>)| {
            let key = write_key(&key.group, &key.topic, key.partition)?;
            Ok(KeyedRecord { key, value: Some(write_value(&value)?), timestamp: self.incoming.now.wall })
        };
        self.offsets(rules).map(record).collect()
    }

    /// None when this member is not known to be allowed to.
    fn carry_out(&self, home: &Home) -> Option<(Rules, Outcome)> {
        let now = self.incoming.now;
        let member = Committer {
            group: self.request.group_id,
            member_id: self.request.member_id,
            instance_id: self.request.group_instance_id,
            epoch: self.request.generation_id_or_member_epoch,
            version: self.incoming.header.api_version,
        };
        let order = home.station.in_order();
        let (rules, write, records) = {
            let mut desk = home.desk.lock();
            let rules = desk.writer(&member, now.instant)?;
            let Ok(records) = self.records(rules) else {
                return Some((rules, Outcome::Ended(ErrorCode::UnknownServerError)));
            };
            if records.is_empty() {
                return Some((rules, Outcome::Ended(ErrorCode::None)));
            }
            (rules, desk.offsets.begin_write(self.offsets(rules)), records)
        };
        let options = BatchOptions { codec: rules.codec, ..BatchOptions::default() };
        let appended = SCRATCH.with_borrow_mut(|scratch| {
            write_batch(&home.partition, rules.leader_epoch, options, Proof::None, &records, now.wall, scratch)
        });
        let mut desk = home.desk.lock();
        desk.offsets.end_write(write, appended.is_ok());
        if appended.is_err() {
            // So that the control plane sees for itself, with the next one, what is wrong with the log.
            desk.suspend(self.request.group_id);
        }
        drop(desk);
        drop(order);
        let outcome = match appended {
            Ok(appended) => self.written(home, &appended, rules),
            Err(refused) => Outcome::Ended(told(refused.code())),
        };
        Some((rules, outcome))
    }

    /// It is in the log: what is still to come before the answer.
    fn written(&self, home: &Home, appended: &Appended, rules: Rules) -> Outcome {
        let awaited: Vec<Awaited> = appended.awaited().collect();
        if awaited.is_empty() {
            return Outcome::Ended(ErrorCode::None);
        }
        let incoming = self.incoming;
        let waiter = ProduceWaiter::new(incoming.link.bell.clone(), 1);
        for each in &awaited {
            home.partition.wait_appended(*each, 0, &waiter);
        }
        waiter.seal();
        let codes = self.codes(ErrorCode::None, rules);
        Outcome::Written(Owed {
            waiter,
            awaited,
            partition: home.partition.clone(),
            deadline: incoming.now.instant.after_ms(rules.timeout_ms),
            version: incoming.header.api_version,
            correlation_id: incoming.header.correlation_id,
            topics: codes.map(|(topic, codes)| (topic.into(), codes.collect())).collect(),
        })
    }

    /// What each partition is answered, if those that are not refused by themselves fared so.
    fn codes(
        &self,
        code: ErrorCode,
        rules: Rules,
    ) -> impl Iterator<Item = (TopicRef<'a>, impl Iterator<Item = (PartitionIndex, ErrorCode)>)> {
        self.request.topics.iter().map(move |asked| {
            let each = asked.partitions.iter().map(move |partition| {
                let refused = is_too_large(&partition, rules);
                (partition.index, if refused { ErrorCode::OffsetMetadataTooLarge } else { code })
            });
            (asked.topic, each)
        })
    }

    fn answer(&self, code: ErrorCode, rules: Rules, output: &mut Output) {
        let header = &self.incoming.header;
        encode_response(&mut output.bytes, header.correlation_id, header.api_version, 0, self.codes(code, rules));
    }
}

fn is_too_large(partition: &OffsetCommitPartition<'_>, rules: Rules) -> bool {
    let metadata = partition.metadata.unwrap_or_default();
    // No text has more characters of Java than bytes.
    metadata.len() > rules.metadata_chars_max && metadata.encode_utf16().count() > rules.metadata_chars_max
}

/// What clients are told when the log answered with `code` (Kafka class `CoordinatorOperationExceptionHelper`).
fn told(code: ErrorCode) -> ErrorCode {
    match code {
        ErrorCode::UnknownTopicOrPartition | ErrorCode::NotEnoughReplicas | ErrorCode::RequestTimedOut => {
            ErrorCode::CoordinatorNotAvailable
        }
        ErrorCode::NotLeaderOrFollower | ErrorCode::FencedLeaderEpoch | ErrorCode::KafkaStorageError => {
            ErrorCode::NotCoordinator
        }
        ErrorCode::MessageTooLarge | ErrorCode::RecordListTooLarge | ErrorCode::InvalidFetchSize => {
            ErrorCode::UnknownServerError
        }
        other => other,
    }
}

/// A commit that is in the log, and is answered when it is on the disk.
#[derive(Debug)]
struct Owed {
    waiter: Arc<ProduceWaiter>,
    awaited: Vec<Awaited>,
    partition: Arc<Partition>,
    deadline: Instant,
    version: i16,
    correlation_id: i32,
    topics: Vec<(TopicKey, Vec<(PartitionIndex, ErrorCode)>)>,
}

impl Waiting for Owed {
    fn complete(
        &mut self,
        _services: &Services,
        _link: &Arc<Link>,
        now: Now,
        output: &mut Output,
    ) -> Result<bool, Close> {
        if !self.waiter.is_complete() && now.instant < self.deadline {
            return Ok(false);
        }
        self.release();
        let code = told(self.waiter.outcome(0).unwrap_or(ErrorCode::RequestTimedOut));
        let topics = self.topics.iter().map(|(topic, codes)| {
            let codes = codes.iter().map(|&(index, refused)| (index, if refused.is_none() { code } else { refused }));
            (topic.as_ref(), codes)
        });
        encode_response(&mut output.bytes, self.correlation_id, self.version, 0, topics);
        Ok(true)
    }

    fn deadline(&self) -> Instant {
        self.deadline
    }

    fn release(&mut self) {
        for each in self.awaited.drain(..) {
            self.partition.stop_waiting_appended(each, &self.waiter);
        }
    }
}
