//! One partition on this broker: its log, its role, and the lock that decides.
//!
//! Prior art: Kafka's `Partition` with `UnifiedLog`, under three locks. Ours has one, held for the few microseconds of an
//! append to the page cache and never across a read. Law 3: role, epochs, ISR, watermarks and producer state live here and
//! change only under this lock, by Command or by append; a Command of an older epoch changes nothing.
//!
//! Invariants: `log start <= last stable offset <= high watermark <= log end`; within a leader epoch the high watermark
//! never goes back; nobody waits on a partition that this broker does not lead.

mod transactions;

use std::fmt;
use std::sync::Arc;

use arc_swap::ArcSwap;
use parking_lot::Mutex;

use crate::batch::producer::{Guards, Origin, ProducerRefusal, Proof};
use crate::batch::validate::{Checked, ProduceRules, RecordRefused, Rejected};
use crate::error::ErrorCode;
use crate::ids::{BrokerId, LeaderEpoch, Offset, PartitionIndex, TimestampMs, TopicId};
use crate::log::{
    AppendError, FileRange, FlushNeed, FlushPlan, Log, LogConfig, LogReader, Outcome, Retired, Upper, retention,
};
use crate::replication::waiting::{Awaited, FetchWaiter, Isolation, ProduceWaiter, WaitKey, Waiters};
use crate::replication::watermark::{effective_min_isr, high_watermark};
use crate::wire::fetch::{AbortedTransaction, EpochEndOffset};

pub use transactions::{ActiveProducer, Marker};

/// The settings of a topic that the data plane acts on; one copy shared by its partitions.
#[derive(Clone, Debug)]
pub struct TopicSettings {
    /// What Produce checks and rewrites.
    pub produce: ProduceRules,
    /// How logs roll, flush and are retained.
    pub log: Arc<LogConfig>,
    /// `min.insync.replicas`.
    pub min_insync_replicas: usize,
}

/// Who must have a batch before its producer hears of it.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Acks {
    /// Nobody.
    None,
    /// The leader.
    Leader,
    /// All in-sync replicas.
    All,
}

impl Acks {
    /// As the request says it; numbers that are refused count as the leader.
    #[must_use]
    pub const fn from_wire(acks: i16) -> Self {
        match acks {
            0 => Self::None,
            -1 => Self::All,
            _ => Self::Leader,
        }
    }
}

/// Why an append was refused.
#[derive(Debug)]
pub enum Refused {
    /// Something that has no words beyond its name.
    Code(ErrorCode),
    /// The batch is not acceptable.
    Batch(Rejected),
    /// The producer's numbers are not.
    Producer(ProducerRefusal),
    /// The disk said no; for people.
    Disk(ErrorCode, String),
}

impl Refused {
    /// For the wire.
    #[must_use]
    pub fn code(&self) -> ErrorCode {
        match self {
            Self::Code(code) | Self::Disk(code, _) => *code,
            Self::Batch(rejected) => rejected.code(),
            Self::Producer(refusal) => refusal.code(),
        }
    }

    /// The records that caused it.
    #[must_use]
    pub fn records(&self) -> &[RecordRefused] {
        if let Self::Batch(rejected) = self { &rejected.records } else { &[] }
    }

    /// In words, about `partition`.
    #[must_use]
    pub fn message(&self, partition: &dyn fmt::Display) -> Option<String> {
        match self {
            Self::Code(_) => None,
            Self::Disk(_, message) => Some(message.clone()),
            Self::Batch(rejected) => Some(rejected.message(partition)),
            Self::Producer(refusal) => Some(refusal.message(partition)),
        }
    }
}

impl From<Rejected> for Refused {
    fn from(rejected: Rejected) -> Self {
        Self::Batch(rejected)
    }
}

/// An append that succeeded, or was found to have succeeded before.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Appended {
    /// Offset of the first record.
    pub base_offset: Offset,
    /// The offset after the last record.
    pub next_offset: Offset,
    /// The time of append with `LogAppendTime`, else -1.
    pub log_append_time: TimestampMs,
    /// First offset of the log.
    pub log_start: Offset,
    /// Under which epoch it was appended.
    pub leader_epoch: LeaderEpoch,
    /// Whether all in-sync replicas have it already.
    pub replicated: bool,
    /// What must be on the disk before it is acknowledged.
    pub flush: Option<FlushNeed>,
}

impl Appended {
    /// What must come before it is acknowledged to somebody who asks for all.
    pub fn awaited(&self) -> impl Iterator<Item = Awaited> + use<> {
        let replication = (!self.replicated).then_some(Awaited::Replicated(self.next_offset));
        replication.into_iter().chain(self.flush.map(|need| Awaited::Flushed(need.upto)))
    }
}

/// What a reader wants.
#[derive(Clone, Copy, Debug)]
pub struct ReadRequest {
    /// Who reads: a broker, -1 a consumer, -2 a debugging consumer.
    pub replica: BrokerId,
    /// How far it may read.
    pub isolation: Isolation,
    /// From here on.
    pub from: Offset,
    /// The epoch of the leader it means, or -1.
    pub current_leader_epoch: LeaderEpoch,
    /// The epoch of the last record it has, if it says so.
    pub last_fetched_epoch: Option<LeaderEpoch>,
    /// At most so many bytes.
    pub bytes_max: usize,
    /// Whether the first batch is given whole, however large.
    pub whole_first_batch: bool,
}

/// What was there to read.
#[derive(Clone, Debug)]
pub struct Reading {
    /// What all in-sync replicas have.
    pub high_watermark: Offset,
    /// What no open transaction precedes.
    pub last_stable_offset: Offset,
    /// First offset of the log.
    pub log_start: Offset,
    /// How far this reader may read.
    pub end: Offset,
    /// The records; none when there are none.
    pub range: Option<FileRange>,
    /// Aborted transactions among the records, for readers of what is committed.
    pub aborted: Option<Vec<AbortedTransaction>>,
    /// Where the reader's log parts from this one.
    pub diverging: Option<EpochEndOffset>,
}

impl Reading {
    /// Bytes of records.
    #[must_use]
    pub fn bytes(&self) -> usize {
        self.range.as_ref().map_or(0, |range| range.len)
    }
}

/// An offset that was asked for.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct FoundOffset {
    /// The time of its record, or -1.
    pub timestamp: TimestampMs,
    /// The offset.
    pub offset: Offset,
    /// Its epoch, or -1.
    pub leader_epoch: LeaderEpoch,
}

/// Which partition, on which broker.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Identity {
    /// Its topic.
    pub topic_id: TopicId,
    /// The name of its topic.
    pub topic: Arc<str>,
    /// Its index.
    pub index: PartitionIndex,
    /// The broker that hosts it.
    pub this_broker: BrokerId,
}

/// The replica state that a Command brings.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Leadership {
    /// The epoch of the leader, this broker.
    pub leader_epoch: LeaderEpoch,
    /// The version of the replica state.
    pub partition_epoch: i32,
    /// All replicas.
    pub replicas: Vec<BrokerId>,
    /// Those in sync.
    pub isr: Vec<BrokerId>,
}

/// More bytes than any reader waits for.
const ANY_BYTES: i64 = i64::MAX / 2;

/// How many bytes readers gain when watermarks move.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
enum Gain {
    /// One batch was appended at this offset, of so many bytes.
    Batch { base: Offset, bytes: i64 },
    /// It is not known: everybody looks.
    Any,
}

impl Gain {
    /// For readers whose end was `before`: more than the batch when the end had lagged behind the log.
    fn bytes(self, before: Offset) -> i64 {
        match self {
            Self::Batch { base, bytes } if before == base => bytes,
            Self::Batch { .. } | Self::Any => ANY_BYTES,
        }
    }
}

#[derive(Clone, Copy, PartialEq, Eq, Debug)]
enum Role {
    /// This broker leads since `epoch_start`.
    Leader { epoch_start: Offset },
    /// The partition was given up.
    Stopped,
}

/// What stands under the lock.
#[derive(Debug)]
struct State {
    role: Role,
    leadership: Leadership,
    /// Committed members and those whose joining is on its way; what the high watermark counts.
    maximal_isr: Vec<BrokerId>,
    /// How far the other replicas have come.
    follower_ends: Vec<(BrokerId, Offset)>,
    log: Log,
    /// Transactions whose coordinator is being asked.
    guards: Guards,
    high_watermark: Offset,
    last_stable: Offset,
    waiters: Waiters,
}

/// A partition that is hosted here.
#[derive(Debug)]
pub struct Partition {
    /// Its topic.
    pub topic_id: TopicId,
    /// The name of its topic.
    pub topic: Arc<str>,
    /// Its index.
    pub index: PartitionIndex,
    this_broker: BrokerId,
    settings: ArcSwap<TopicSettings>,
    state: Mutex<State>,
}

/// `topic-index`, as people and directories name it.
impl fmt::Display for Partition {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}-{}", self.topic, self.index)
    }
}

impl Partition {
    /// A partition that this broker leads, with its recovered log. `high_watermark` is what was checkpointed; the only
    /// in-sync replica has replicated all that it has.
    #[must_use]
    pub fn lead(
        identity: Identity,
        settings: Arc<TopicSettings>,
        leadership: Leadership,
        high_watermark: Offset,
        mut log: Log,
    ) -> Self {
        let Identity { topic_id, topic, index, this_broker } = identity;
        let start = log.start();
        let high_watermark = high_watermark.clamp(start, log.end());
        // Said here, since `advance` does not when the checkpoint is at the end of the log already: the transactions
        // whose markers were read back from the log are settled.
        log.high_watermark_moved(high_watermark);
        let mut state = State {
            role: Role::Leader { epoch_start: log.end() },
            maximal_isr: leadership.isr.clone(),
            leadership,
            follower_ends: Vec::new(),
            high_watermark,
            last_stable: start,
            log,
            guards: Guards::default(),
            waiters: Waiters::default(),
        };
        state.advance(this_broker, settings.min_insync_replicas, Gain::Any);
        Self { topic_id, topic, index, this_broker, settings: ArcSwap::new(settings), state: Mutex::new(state) }
    }

    /// The topic's settings.
    #[must_use]
    pub fn settings(&self) -> Arc<TopicSettings> {
        self.settings.load_full()
    }

    /// The topic's settings changed.
    pub fn configure(&self, settings: Arc<TopicSettings>) {
        let mut state = self.state.lock();
        state.log.reconfigure(settings.log.clone());
        self.settings.store(settings);
        state.advance(self.this_broker, self.settings.load().min_insync_replicas, Gain::Any);
    }

    /// New replica state under which this broker leads, or leads again. False when it is older than what is known.
    pub fn update(&self, leadership: Leadership, now: TimestampMs) -> bool {
        let mut state = self.state.lock();
        let known = &state.leadership;
        let newer =
            (leadership.leader_epoch, leadership.partition_epoch) >= (known.leader_epoch, known.partition_epoch);
        if !newer {
            return false;
        }
        if state.role == Role::Stopped {
            state.guards.revoke();
        }
        if leadership.leader_epoch > state.leadership.leader_epoch || state.role == Role::Stopped {
            state.role = Role::Leader { epoch_start: state.log.end() };
            let latest = state.log.epochs().latest().map_or(LeaderEpoch::NONE, |latest| latest.epoch);
            if leadership.leader_epoch > latest {
                state.log.begin_epoch(leadership.leader_epoch, now);
            }
        }
        state.maximal_isr.clone_from(&leadership.isr);
        state.leadership = leadership;
        state.advance(self.this_broker, self.settings.load().min_insync_replicas, Gain::Any);
        true
    }

    /// Gives the partition up: nobody reads or writes it any more, who waits is told.
    pub fn stop(&self) {
        let mut state = self.state.lock();
        state.role = Role::Stopped;
        state.waiters.release(ErrorCode::NotLeaderOrFollower);
    }

    /// The directory of the log failed: who waits is told.
    pub fn fail(&self) {
        self.state.lock().waiters.release(ErrorCode::KafkaStorageError);
    }

    /// A flush of the log ran: who waited for it is told.
    pub fn flushed(&self, plan: &FlushPlan, outcome: &std::io::Result<()>) {
        let mut state = self.state.lock();
        state.log.flushed(plan, outcome);
        let durable_end = state.log.durable_end();
        state.waiters.flushed(durable_end);
    }

    /// Works on the log under the lock, for maintenance: flush, retention, close.
    pub fn with_log<T>(&self, work: impl FnOnce(&mut Log) -> T) -> T {
        work(&mut self.state.lock().log)
    }

    /// Takes the segments out of the log that its settings no longer keep. Their files go when readers have had time to
    /// leave. Blocks on the disk for a moment: pool threads only.
    pub fn retire(&self, now: TimestampMs) -> std::io::Result<Option<Retired>> {
        let (reader, high_watermark, config) = {
            let state = self.state.lock();
            (state.log.reader(), state.high_watermark, state.log.config().clone())
        };
        let plan = retention::plan(&reader.retention_facts(high_watermark)?, &config, now);
        if plan.is_empty() {
            return Ok(None);
        }
        let retired = self.state.lock().log.retire(&plan, now)?;
        retired.rename()?;
        Ok((!retired.is_empty()).then_some(retired))
    }

    /// First offset of the log.
    #[must_use]
    pub fn log_start(&self) -> Offset {
        self.state.lock().log.start()
    }

    /// The high watermark.
    #[must_use]
    pub fn high_watermark(&self) -> Offset {
        self.state.lock().high_watermark
    }

    /// Whether this broker leads under the epoch that is meant.
    pub fn leads(&self, meant: LeaderEpoch) -> Result<(), ErrorCode> {
        self.state.lock().leads(meant)
    }

    /// Whether what is written is committed at once, since nobody else is in sync.
    #[must_use]
    pub fn has_no_followers(&self) -> bool {
        *self.state.lock().maximal_isr == [self.this_broker]
    }

    /// All that is in the log, committed or not, for the leader itself under the epoch that is meant: the log, and where it
    /// ends now.
    pub fn whole(&self, meant: LeaderEpoch) -> Result<(LogReader, Offset), ErrorCode> {
        let state = self.state.lock();
        state.leads(meant)?;
        Ok((state.log.reader(), state.log.end()))
    }

    /// Whether a batch may be appended at all, before it is looked at.
    pub fn admits(&self, acks: Acks) -> Result<(), Refused> {
        self.admits_under(LeaderEpoch::NONE, acks)
    }

    /// The same for somebody who knows under which epoch.
    pub fn admits_under(&self, meant: LeaderEpoch, acks: Acks) -> Result<(), Refused> {
        let state = self.state.lock();
        state.leads(meant).map_err(Refused::Code)?;
        if acks == Acks::All && !state.has_min_isr(self.settings.load().min_insync_replicas) {
            return Err(Refused::Code(ErrorCode::NotEnoughReplicas));
        }
        Ok(())
    }

    /// Appends a checked batch of a client: one write to the page cache under the lock. `proof` is what it shows if it
    /// belongs to a transaction.
    pub fn append(
        &self,
        checked: &Checked<'_>,
        proof: Proof,
        acks: Acks,
        now: TimestampMs,
    ) -> Result<Appended, Refused> {
        self.append_under(LeaderEpoch::NONE, Origin::Client, proof, checked, acks, now)
    }

    /// The same for anybody, and only under the epoch that is meant.
    pub fn append_under(
        &self,
        meant: LeaderEpoch,
        origin: Origin,
        proof: Proof,
        checked: &Checked<'_>,
        acks: Acks,
        now: TimestampMs,
    ) -> Result<Appended, Refused> {
        let min_isr = self.settings.load().min_insync_replicas;
        let mut state = self.state.lock();
        state.leads(meant).map_err(Refused::Code)?;
        if acks == Acks::All && !state.has_min_isr(min_isr) {
            return Err(Refused::Code(ErrorCode::NotEnoughReplicas));
        }
        let leader_epoch = state.leadership.leader_epoch;
        let (header, records) = (&checked.header, &*checked.records);
        state.check_verified(header, origin, proof)?;
        let outcome = state.log.append(header, records, origin, leader_epoch, now);
        let outcome = outcome.map_err(|error| refused(self, error))?;
        let (base_offset, next_offset, log_append_time) = match outcome {
            Outcome::Appended(appended) => {
                let gain = Gain::Batch { base: appended.base_offset, bytes: appended.size as i64 };
                state.guards.appended(header);
                state.advance(self.this_broker, min_isr, gain);
                (appended.base_offset, appended.last_offset.plus(1), checked.log_append_time())
            }
            // As Kafka: the remembered time is told whatever the topic's timestamp type.
            Outcome::Duplicate(known) => (known.first_offset(), known.last_offset.plus(1), known.timestamp),
        };
        let replicated = state.high_watermark >= next_offset;
        let log_start = state.log.start();
        let flush = state.log.flush_need(next_offset, matches!(outcome, Outcome::Duplicate(_)));
        Ok(Appended { base_offset, next_offset, log_append_time, log_start, leader_epoch, replicated, flush })
    }

    /// Registers a produce that waits after its append. It ends at once when there is nothing to wait for any more, or when
    /// the partition was given up since, or its disk failed. A newer epoch of the same leader ends nothing, as in Kafka.
    pub fn wait_appended(&self, awaited: Awaited, slot: usize, waiter: &Arc<ProduceWaiter>) {
        let min_isr = self.settings.load().min_insync_replicas;
        let mut state = self.state.lock();
        if let Err(error) = state.leads(LeaderEpoch::NONE) {
            return waiter.refuse(slot, error);
        }
        state.waiters.add_produce(awaited, slot, waiter.clone());
        state.complete_produces(min_isr);
        let durable_end = state.log.durable_end();
        state.waiters.flushed(durable_end);
    }

    /// Takes a produce out again.
    pub fn stop_waiting_appended(&self, awaited: Awaited, waiter: &Arc<ProduceWaiter>) {
        self.state.lock().waiters.remove_produce(awaited, waiter);
    }

    /// Registers a fetch that waits for the end to pass `seen`. None when it already has.
    pub fn wait_readable(&self, isolation: Isolation, seen: Offset, waiter: &Arc<FetchWaiter>) -> Option<WaitKey> {
        let mut state = self.state.lock();
        if state.leads(LeaderEpoch::NONE).is_err() || state.end(isolation) != seen {
            return None;
        }
        Some(state.waiters.add_fetch(isolation, waiter.clone()))
    }

    /// Takes a fetch out again.
    pub fn stop_waiting(&self, key: WaitKey, waiter: &Arc<FetchWaiter>) {
        self.state.lock().waiters.remove_fetch(key, waiter);
    }

    /// Finds what a reader wants. Never waits for the disk but for index pages; records themselves are not touched.
    pub fn read(&self, request: &ReadRequest) -> Result<Reading, ErrorCode> {
        let state = self.state.lock();
        state.leads(request.current_leader_epoch)?;
        let follows = |replica| replica != self.this_broker && state.leadership.replicas.contains(&replica);
        if request.replica.0 >= 0 && !follows(request.replica) {
            return Err(ErrorCode::NotLeaderOrFollower);
        }
        let diverging = state.diverging(request)?;
        let (log_start, log_end) = (state.log.start(), state.log.end());
        let mut reading = Reading {
            high_watermark: state.high_watermark,
            last_stable_offset: state.last_stable,
            log_start,
            end: state.end(request.isolation),
            range: None,
            aborted: (request.isolation == Isolation::LastStable).then(Vec::new),
            diverging,
        };
        if reading.diverging.is_some() {
            return Ok(reading);
        }
        if request.from < log_start || request.from > log_end {
            return Err(ErrorCode::OffsetOutOfRange);
        }
        if request.from >= reading.end {
            return Ok(reading);
        }
        let at_end = reading.end == log_end;
        let upper = if at_end { Upper::Position(state.log.end_position()) } else { Upper::Offset(reading.end) };
        let reader = state.log.reader();
        drop(state);
        find(&reader, request, upper, &mut reading)?;
        Ok(reading)
    }

    /// Finds the offset for a time or a special place (`ListOffsets`). Blocks on the disk for times and for the largest
    /// time. None: there is no such offset.
    pub fn offset_of(
        &self,
        timestamp: i64,
        isolation: Isolation,
        current_leader_epoch: LeaderEpoch,
        _any_replica: bool,
    ) -> Result<Option<FoundOffset>, ErrorCode> {
        use crate::wire::list_offsets::special;
        let state = self.state.lock();
        state.leads(current_leader_epoch)?;
        let Role::Leader { epoch_start } = state.role else { return Err(ErrorCode::NotLeaderOrFollower) };
        // A new leader does not know yet how far its predecessor had committed.
        let unsure = isolation != Isolation::LogEnd && state.high_watermark < epoch_start;
        let (start, end) = (state.log.start(), state.end(isolation));
        let leader_epoch = state.leadership.leader_epoch;
        let place = |offset: Offset, leader_epoch| FoundOffset { timestamp: TimestampMs::NONE, offset, leader_epoch };
        match timestamp {
            special::LATEST if unsure => return Err(ErrorCode::OffsetNotAvailable),
            special::LATEST => return Ok(Some(place(end, leader_epoch))),
            special::EARLIEST | special::EARLIEST_LOCAL => {
                let first = state.log.epochs().entries().first().filter(|first| first.start <= start);
                return Ok(Some(place(start, first.map_or(LeaderEpoch::NONE, |first| first.epoch))));
            }
            special::LATEST_TIERED | special::EARLIEST_PENDING_UPLOAD => return Ok(None),
            _ => {}
        }
        let reader = state.log.reader();
        drop(state);
        let found = if timestamp == special::MAX_TIMESTAMP {
            reader.max_timestamp()
        } else {
            reader.offset_for_timestamp(TimestampMs(timestamp))
        };
        match found.map_err(|error| error.code())?.filter(|found| found.offset < end) {
            Some(found) => Ok(Some(FoundOffset {
                timestamp: found.timestamp,
                offset: found.offset,
                leader_epoch: found.leader_epoch,
            })),
            None if unsure => Err(ErrorCode::OffsetNotAvailable),
            None => Ok(None),
        }
    }

    /// Where the largest epoch not above `epoch` ends; none when no such epoch is known.
    pub fn end_of_epoch(
        &self,
        epoch: LeaderEpoch,
        current_leader_epoch: LeaderEpoch,
    ) -> Result<Option<(LeaderEpoch, Offset)>, ErrorCode> {
        let state = self.state.lock();
        state.leads(current_leader_epoch)?;
        Ok(state.end_of_epoch(epoch))
    }
}

/// Finds the records, outside the lock.
fn find(reader: &LogReader, request: &ReadRequest, upper: Upper, reading: &mut Reading) -> Result<(), ErrorCode> {
    let range = reader.read(request.from, upper, request.bytes_max, request.whole_first_batch);
    reading.range = range.map_err(|error| error.code())?;
    if let (Some(aborted), Some(range)) = (&mut reading.aborted, &reading.range) {
        // Not all that lie before the end: who has far to catch up would be told the same ones again and again.
        let listed = reader.aborted_transactions(request.from, reader.upper_bound(range).min(reading.end));
        for transaction in listed.map_err(|_| ErrorCode::KafkaStorageError)? {
            let (producer_id, first_offset) = (transaction.producer_id, transaction.first_offset);
            aborted.push(AbortedTransaction { producer_id, first_offset });
        }
    }
    Ok(())
}

fn refused(partition: &Partition, error: AppendError) -> Refused {
    match error {
        AppendError::Producer(refusal) => Refused::Producer(refusal),
        other => Refused::Disk(other.code(), format!("cannot append to {partition}: {other}")),
    }
}

impl State {
    /// Whether this broker leads, under the epoch that the client means, with a log that can be used.
    fn leads(&self, meant: LeaderEpoch) -> Result<(), ErrorCode> {
        if self.log.is_poisoned() {
            return Err(ErrorCode::KafkaStorageError);
        }
        if meant != LeaderEpoch::NONE && meant < self.leadership.leader_epoch {
            return Err(ErrorCode::FencedLeaderEpoch);
        }
        if meant > self.leadership.leader_epoch {
            return Err(ErrorCode::UnknownLeaderEpoch);
        }
        if self.role == Role::Stopped {
            return Err(ErrorCode::NotLeaderOrFollower);
        }
        Ok(())
    }

    fn has_min_isr(&self, min_insync_replicas: usize) -> bool {
        self.leadership.isr.len() >= effective_min_isr(min_insync_replicas, self.leadership.replicas.len())
    }

    fn end(&self, isolation: Isolation) -> Offset {
        match isolation {
            Isolation::LogEnd => self.log.end(),
            Isolation::HighWatermark => self.high_watermark,
            Isolation::LastStable => self.last_stable,
        }
    }

    fn end_of_epoch(&self, epoch: LeaderEpoch) -> Option<(LeaderEpoch, Offset)> {
        if epoch == self.leadership.leader_epoch {
            return Some((epoch, self.log.end()));
        }
        self.log.epochs().end_offset_for(epoch, self.log.end())
    }

    /// Where the log of a reader that names its last epoch parts from this one (KIP-595).
    fn diverging(&self, request: &ReadRequest) -> Result<Option<EpochEndOffset>, ErrorCode> {
        let Some(last) = request.last_fetched_epoch else { return Ok(None) };
        let (epoch, end_offset) = self.end_of_epoch(last).ok_or(ErrorCode::OffsetOutOfRange)?;
        if request.from < self.log.start() {
            return Err(ErrorCode::OffsetOutOfRange);
        }
        let diverges = epoch < last || end_offset < request.from;
        Ok(diverges.then_some(EpochEndOffset { epoch, end_offset }))
    }

    /// After the log, the ISR or a follower moved: moves the watermarks, and tells who waits for them.
    fn advance(&mut self, this_broker: BrokerId, min_insync_replicas: usize, gain: Gain) {
        let before = (self.high_watermark, self.last_stable);
        if self.has_min_isr(min_insync_replicas) {
            let start = self.log.start();
            let others =
                self.maximal_isr.iter().filter(|member| **member != this_broker).map(|member| {
                    self.follower_ends.iter().find(|(id, _)| id == member).map_or(start, |(_, end)| *end)
                });
            self.high_watermark = high_watermark(self.high_watermark, self.log.end(), others);
        }
        if self.high_watermark > before.0 {
            self.log.high_watermark_moved(self.high_watermark);
        }
        self.last_stable = self.log.producers().last_stable_offset(self.high_watermark);
        if self.waiters.is_empty() {
            return;
        }
        match gain {
            Gain::Batch { bytes, .. } => self.waiters.advance(Isolation::LogEnd, bytes),
            Gain::Any => self.waiters.advance(Isolation::LogEnd, ANY_BYTES),
        }
        if self.high_watermark > before.0 {
            self.waiters.advance(Isolation::HighWatermark, gain.bytes(before.0));
            self.complete_produces(min_insync_replicas);
        }
        if self.last_stable > before.1 {
            self.waiters.advance(Isolation::LastStable, gain.bytes(before.1));
        }
    }

    fn complete_produces(&mut self, min_insync_replicas: usize) {
        let enough = self.maximal_isr.len() >= effective_min_isr(min_insync_replicas, self.leadership.replicas.len());
        let outcome = if enough { ErrorCode::None } else { ErrorCode::NotEnoughReplicasAfterAppend };
        self.waiters.replicated(self.high_watermark, outcome);
    }
}

#[cfg(test)]
mod tests;
