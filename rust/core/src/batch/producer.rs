//! Who produced what on one partition: the state that makes repeats harmless and transactions visible at once
//! (Kafka classes `ProducerStateManager`, `ProducerAppendInfo`, `ProducerStateEntry`; KIP-98, KIP-360, KIP-890).
//!
//! Kafka decides and applies in one object per append and merges it into the map afterwards. Ours splits the two:
//! [`ProducerStates::verdict`] only looks, [`ProducerStates::apply`] only records, so that the log can be written between them,
//! and the replay of a log at recovery is `apply` alone.
//!
//! Invariants: an entry has an open transaction exactly when `ongoing` holds that transaction's first offset under its
//! producer; what is in `unreplicated` has ended below the log's end but not yet below the high watermark. An entry has its
//! batches inline: a producer costs no allocation of its own.

mod recall;
mod verification;

use std::collections::{BTreeMap, HashMap};
use std::fmt::{self, Display};

use super::control::EndMarker;
use super::header::BatchHeader;
use crate::error::ErrorCode;
use crate::ids::{Offset, ProducerEpoch, ProducerId, Sequence, TimestampMs};
use crate::limits::PRODUCER_BATCHES_REMEMBERED;

pub use verification::{Claim, Claimed, Guard, Guards, Proof};

/// Where a batch comes from.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Origin {
    /// A Produce request: everything is checked.
    Client,
    /// A coordinator's own records: the epoch is checked, the sequence is not.
    Coordinator,
    /// A coordinator ends a transaction, under the rules of a `transaction.version`.
    Marker(EndMarker, i16),
    /// The leader, which has checked: epochs are not.
    Replication,
}

/// A batch that is remembered.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct RememberedBatch {
    /// Sequence number of the last record.
    pub last_sequence: Sequence,
    /// Last offset minus first offset.
    pub offset_delta: i32,
    /// Offset of the last record.
    pub last_offset: Offset,
    /// The batch's largest time.
    pub timestamp: TimestampMs,
}

impl RememberedBatch {
    const NONE: Self =
        Self { last_sequence: Sequence::NONE, offset_delta: 0, last_offset: Offset(-1), timestamp: TimestampMs::NONE };

    fn of(header: &BatchHeader) -> Self {
        Self {
            last_sequence: header.last_sequence(),
            offset_delta: header.last_offset_delta,
            last_offset: header.last_offset(),
            timestamp: header.max_timestamp,
        }
    }

    /// Sequence number of the first record; `i32::MAX` precedes 0.
    #[must_use]
    pub const fn first_sequence(&self) -> Sequence {
        let first = self.last_sequence.0 as i64 - self.offset_delta as i64;
        Sequence(if first < 0 { (first + i32::MAX as i64 + 1) as i32 } else { first as i32 })
    }

    /// Offset of the first record.
    #[must_use]
    pub const fn first_offset(&self) -> Offset {
        Offset(self.last_offset.0.saturating_sub(self.offset_delta as i64))
    }
}

/// What is known of one producer.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Producer {
    /// Its incarnation.
    pub epoch: ProducerEpoch,
    /// Epoch of the coordinator that wrote the last marker; -1 before.
    pub coordinator_epoch: i32,
    /// The largest time of its last batch, or the time of its last marker.
    pub last_timestamp: TimestampMs,
    /// Where its open transaction begins.
    transaction_first_offset: Option<Offset>,
    /// Oldest first; `remembered` of them count.
    batches: [RememberedBatch; PRODUCER_BATCHES_REMEMBERED],
    remembered: u8,
}

impl Producer {
    const UNKNOWN: Self = Self {
        epoch: ProducerEpoch::NONE,
        coordinator_epoch: -1,
        last_timestamp: TimestampMs::NONE,
        transaction_first_offset: None,
        batches: [RememberedBatch::NONE; PRODUCER_BATCHES_REMEMBERED],
        remembered: 0,
    };

    /// Where its open transaction on this partition begins; none when there is none.
    #[must_use]
    pub const fn transaction_first_offset(&self) -> Option<Offset> {
        self.transaction_first_offset
    }

    /// Whether this incarnation has a transaction open on this partition.
    #[must_use]
    pub fn is_in_transaction(&self, epoch: ProducerEpoch) -> bool {
        self.transaction_first_offset.is_some() && self.epoch == epoch
    }

    /// The remembered batches, oldest first; empty when the producer is known by a marker alone.
    #[must_use]
    pub fn batches(&self) -> &[RememberedBatch] {
        &self.batches[..usize::from(self.remembered)]
    }

    /// Sequence number of its last record; -1 when no batch is remembered.
    #[must_use]
    pub fn last_sequence(&self) -> Sequence {
        self.batches().last().map_or(Sequence::NONE, |batch| batch.last_sequence)
    }

    fn enter_epoch(&mut self, epoch: ProducerEpoch) {
        if self.epoch != epoch {
            self.epoch = epoch;
            self.remembered = 0;
        }
    }

    fn remember(&mut self, batch: RememberedBatch) {
        let count = usize::from(self.remembered);
        if count == self.batches.len() {
            self.batches.copy_within(1.., 0);
            self.batches[count - 1] = batch;
        } else {
            self.batches[count] = batch;
            self.remembered += 1;
        }
    }

    fn is_expired(&self, now: TimestampMs, expiration_ms: i64) -> bool {
        self.transaction_first_offset.is_none() && now.0.saturating_sub(self.last_timestamp.0) >= expiration_ms
    }
}

/// May a batch be appended?
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Verdict {
    /// Yes.
    Append,
    /// It is in the log already: answer with this batch's offsets and write nothing.
    Duplicate(RememberedBatch),
}

/// Why a batch may not be appended.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct ProducerRefusal {
    /// The producer.
    pub producer_id: ProducerId,
    /// The offset that the batch would have had.
    pub offset: Offset,
    /// What is wrong.
    pub reason: Reason,
}

/// What is wrong with a producer's batch.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Reason {
    /// A newer incarnation of the producer is known; for a marker, under the rules of this `transaction.version`, which is
    /// -1 for data.
    Epoch { epoch: ProducerEpoch, known: ProducerEpoch, transaction_version: i16 },
    /// A new incarnation begins with sequence 0.
    FirstSequence { epoch: ProducerEpoch, sequence: Sequence, known: ProducerEpoch },
    /// The batch does not follow the producer's last one.
    Sequence { sequence: Sequence, last: Sequence },
    /// A batch outside of a transaction while the producer has one open.
    NotTransactional,
    /// A marker by a coordinator that another one has replaced.
    CoordinatorEpoch { epoch: i32, known: i32 },
    /// A batch of a transaction that is not open here, by an incarnation that a newer one has replaced.
    Fenced { epoch: ProducerEpoch, known: ProducerEpoch },
    /// A batch of a transaction that is not open here, and not known to be open at its coordinator.
    NotVerified,
    /// With the second version of transactions, what nothing is known of begins with sequence 0.
    NotFromZero { sequence: Sequence },
    /// An earlier batch of the producer waits for its coordinator.
    Overtakes { sequence: Sequence, earliest: Sequence },
}

impl ProducerRefusal {
    /// The code for the answer.
    #[must_use]
    pub const fn code(&self) -> ErrorCode {
        match self.reason {
            Reason::Epoch { .. } | Reason::Fenced { .. } => ErrorCode::InvalidProducerEpoch,
            Reason::FirstSequence { .. }
            | Reason::Sequence { .. }
            | Reason::NotFromZero { .. }
            | Reason::Overtakes { .. } => ErrorCode::OutOfOrderSequenceNumber,
            Reason::NotTransactional | Reason::NotVerified => ErrorCode::InvalidTxnState,
            Reason::CoordinatorEpoch { .. } => ErrorCode::TransactionCoordinatorFenced,
        }
    }

    /// What is wrong with the batch for `partition` (as `topic-index`).
    #[must_use]
    pub fn message(&self, partition: &dyn Display) -> String {
        let Self { producer_id, offset, reason } = self;
        match reason {
            Reason::Epoch { epoch, known, transaction_version } => {
                let relation = if *transaction_version >= 2 { "<=" } else { "<" };
                format!(
                    "Epoch of producer {producer_id} at offset {offset} in {partition} is {epoch}, which is \
                     {relation} the last seen epoch {known} (TV{transaction_version})"
                )
            }
            Reason::FirstSequence { epoch, sequence, known } => format!(
                "Invalid sequence number for new epoch of producer {producer_id} at offset {offset} in partition \
                 {partition}: {epoch} (request epoch), {sequence} (seq. number), {known} (current producer epoch)"
            ),
            Reason::Sequence { sequence, last } => format!(
                "Out of order sequence number for producer {producer_id} at offset {offset} in partition \
                 {partition}: {sequence} (incoming seq. number), {last} (current end sequence number)"
            ),
            Reason::NotTransactional => {
                format!("Expected transactional write from producer {producer_id} at offset {offset} in {partition}")
            }
            Reason::CoordinatorEpoch { epoch, known } => format!(
                "Invalid coordinator epoch for producerId {producer_id} at offset {offset} in partition {partition}: \
                 {epoch} (zombie), {known} (current)"
            ),
            Reason::Fenced { epoch, known } => {
                format!("Epoch of producer {producer_id} is {epoch}, which is smaller than the last seen epoch {known}")
            }
            Reason::NotVerified => "Record was not part of an ongoing transaction".to_owned(),
            Reason::NotFromZero { sequence } => format!(
                "Invalid sequence number for producer {producer_id} at offset {offset} in partition {partition}: \
                 {sequence} (incoming seq. number). Expected sequence 0 for transactions v2 idempotent producer \
                 with no existing state."
            ),
            Reason::Overtakes { sequence, earliest } => format!(
                "Out of order sequence number for producer {producer_id} at offset {offset} in partition \
                 {partition}: {sequence} (incoming seq. number), {earliest} (earliest seen sequence)"
            ),
        }
    }
}

impl fmt::Display for ProducerRefusal {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.message(&"the partition"))
    }
}

impl std::error::Error for ProducerRefusal {}

/// A transaction that a marker has ended on this partition.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct CompletedTransaction {
    /// Whose.
    pub producer_id: ProducerId,
    /// Offset of its first record.
    pub first_offset: Offset,
    /// Offset of the marker.
    pub last_offset: Offset,
    /// Aborted (then it goes into the transaction index), or else committed.
    pub aborted: bool,
    /// Where the oldest transaction still open begins, or else the offset after the marker: for the transaction index.
    pub last_stable_offset: Offset,
}

/// The producers of one partition.
#[derive(Clone, PartialEq, Eq, Debug, Default)]
pub struct ProducerStates {
    producers: HashMap<ProducerId, Producer>,
    /// Open transactions: first offset, producer.
    ongoing: BTreeMap<Offset, ProducerId>,
    /// Ended ones whose marker may not be below the high watermark yet: first offset, offset of the marker.
    unreplicated: BTreeMap<Offset, Offset>,
}

impl ProducerStates {
    /// No producer is known.
    #[must_use]
    pub fn new() -> Self {
        Self::default()
    }

    /// How many producers are known.
    #[must_use]
    pub fn len(&self) -> usize {
        self.producers.len()
    }

    /// Whether no producer is known.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.producers.is_empty()
    }

    /// What is known of a producer.
    #[must_use]
    pub fn get(&self, producer_id: ProducerId) -> Option<&Producer> {
        self.producers.get(&producer_id)
    }

    /// All producers, in no order.
    pub fn iter(&self) -> impl Iterator<Item = (ProducerId, &Producer)> {
        self.producers.iter().map(|(id, producer)| (*id, producer))
    }

    /// Bytes that the state takes, about.
    #[must_use]
    pub fn memory_bytes(&self) -> usize {
        // One byte of control per slot; tree nodes are at least half full.
        let slot = size_of::<(ProducerId, Producer)>() + 1;
        let node = 2 * size_of::<(Offset, Offset)>();
        size_of::<Self>() + self.producers.capacity() * slot + (self.ongoing.len() + self.unreplicated.len()) * node
    }

    /// May the batch be appended? `header` carries the offsets that it would get. Changes nothing.
    pub fn verdict(&self, header: &BatchHeader, origin: Origin) -> Result<Verdict, ProducerRefusal> {
        if !header.producer_id.is_some() {
            return Ok(Verdict::Append);
        }
        let known = self.producers.get(&header.producer_id).unwrap_or(&Producer::UNKNOWN);
        if origin == Origin::Client
            && let Some(batch) = duplicate(known, header)
        {
            return Ok(Verdict::Duplicate(batch));
        }
        let checked = match origin {
            Origin::Client => check_epoch(known, header).and_then(|()| check_sequence(known, header)),
            Origin::Coordinator => check_epoch(known, header),
            Origin::Marker(marker, version) => {
                return check_marker(known, header, marker, version)
                    .map(|()| Verdict::Append)
                    .map_err(|reason| refusal(header, reason));
            }
            Origin::Replication => Ok(()),
        };
        checked
            .and_then(|()| check_transaction(known, header))
            .map(|()| Verdict::Append)
            .map_err(|reason| refusal(header, reason))
    }

    /// Takes note of a batch that is in the log; at recovery, of each in turn. `marker` is what [`EndMarker::read`] found
    /// in it, if it is a control batch. Gives the transaction that the marker ended.
    pub fn apply(&mut self, header: &BatchHeader, marker: Option<EndMarker>) -> Option<CompletedTransaction> {
        if !header.producer_id.is_some() {
            return None;
        }
        if header.is_control() {
            return self.apply_marker(header, marker?);
        }
        let producer = self.producers.entry(header.producer_id).or_insert(Producer::UNKNOWN);
        producer.enter_epoch(header.producer_epoch);
        producer.remember(RememberedBatch::of(header));
        producer.last_timestamp = header.max_timestamp;
        if header.is_transactional() && producer.transaction_first_offset.is_none() {
            producer.transaction_first_offset = Some(header.base_offset);
            self.ongoing.insert(header.base_offset, header.producer_id);
        }
        None
    }

    fn apply_marker(&mut self, header: &BatchHeader, marker: EndMarker) -> Option<CompletedTransaction> {
        let producer_id = header.producer_id;
        let producer = self.producers.entry(producer_id).or_insert(Producer::UNKNOWN);
        producer.enter_epoch(header.producer_epoch);
        producer.coordinator_epoch = marker.coordinator_epoch;
        producer.last_timestamp = marker.timestamp;
        let first_offset = producer.transaction_first_offset.take()?;
        let last_offset = header.base_offset;
        self.ongoing.remove(&first_offset);
        self.unreplicated.insert(first_offset, last_offset);
        let oldest = self.ongoing.keys().next().copied();
        Some(CompletedTransaction {
            producer_id,
            first_offset,
            last_offset,
            aborted: marker.aborted,
            last_stable_offset: oldest.unwrap_or_else(|| header.next_offset()),
        })
    }

    /// Where the oldest open transaction begins; none when none is open.
    #[must_use]
    pub fn first_undecided_offset(&self) -> Option<Offset> {
        self.ongoing.keys().next().copied()
    }

    /// Where the oldest transaction begins that is open, or whose marker is not known to be below the high watermark.
    #[must_use]
    pub fn first_unstable_offset(&self) -> Option<Offset> {
        let ended = self.unreplicated.keys().next().copied();
        self.first_undecided_offset().into_iter().chain(ended).min()
    }

    /// Up to where readers of committed records may read: see [`ProducerStates::advance`], which must have heard of
    /// this high watermark.
    #[must_use]
    pub fn last_stable_offset(&self, high_watermark: Offset) -> Offset {
        self.first_unstable_offset().map_or(high_watermark, |unstable| unstable.min(high_watermark))
    }

    /// The high watermark has moved to here (or the log start, which is never above it): transactions whose marker lies
    /// below are settled.
    pub fn advance(&mut self, high_watermark: Offset) {
        self.unreplicated.retain(|_, marker| *marker >= high_watermark);
    }

    /// Forgets producers that were silent for `expiration_ms` and have no transaction open; says how many.
    pub fn expire(&mut self, now: TimestampMs, expiration_ms: i64) -> usize {
        let before = self.producers.len();
        self.producers.retain(|_, producer| !producer.is_expired(now, expiration_ms));
        before - self.producers.len()
    }

    /// Forgets everything: before the log is cut and its producers are read again.
    pub fn clear(&mut self) {
        *self = Self::default();
    }

    /// Takes in a producer from a snapshot, which has its newest batch alone.
    pub(super) fn restore(
        &mut self,
        producer_id: ProducerId,
        producer: Producer,
        transaction_first_offset: Option<Offset>,
        newest: Option<RememberedBatch>,
    ) {
        let mut producer = Producer { transaction_first_offset, remembered: 0, ..producer };
        if let Some(batch) = newest {
            producer.remember(batch);
        }
        let replaced = self.producers.insert(producer_id, producer);
        if let Some(first_offset) = replaced.and_then(|producer| producer.transaction_first_offset) {
            self.ongoing.remove(&first_offset);
        }
        if let Some(first_offset) = transaction_first_offset {
            self.ongoing.insert(first_offset, producer_id);
        }
    }
}

impl Producer {
    /// A producer as a snapshot has it, without batch and transaction.
    pub(super) const fn of_snapshot(epoch: ProducerEpoch, coordinator_epoch: i32, last_timestamp: TimestampMs) -> Self {
        Self { epoch, coordinator_epoch, last_timestamp, ..Self::UNKNOWN }
    }
}

const fn refusal(header: &BatchHeader, reason: Reason) -> ProducerRefusal {
    ProducerRefusal { producer_id: header.producer_id, offset: header.base_offset, reason }
}

fn duplicate(known: &Producer, header: &BatchHeader) -> Option<RememberedBatch> {
    if known.epoch != header.producer_epoch {
        return None;
    }
    let (first, last) = (header.base_sequence, header.last_sequence());
    known.batches().iter().find(|batch| batch.first_sequence() == first && batch.last_sequence == last).copied()
}

fn check_epoch(known: &Producer, header: &BatchHeader) -> Result<(), Reason> {
    if header.producer_epoch < known.epoch {
        let (epoch, known) = (header.producer_epoch, known.epoch);
        return Err(Reason::Epoch { epoch, known, transaction_version: -1 });
    }
    Ok(())
}

fn check_sequence(known: &Producer, header: &BatchHeader) -> Result<(), Reason> {
    if known.epoch == ProducerEpoch::NONE {
        // Nothing is known: the state may have expired, so any sequence will do.
        return Ok(());
    }
    let sequence = header.base_sequence;
    if known.epoch != header.producer_epoch {
        if sequence != Sequence(0) {
            return Err(Reason::FirstSequence { epoch: header.producer_epoch, sequence, known: known.epoch });
        }
        return Ok(());
    }
    let last = known.last_sequence();
    if sequence != last.plus(1) {
        return Err(Reason::Sequence { sequence, last });
    }
    Ok(())
}

fn check_transaction(known: &Producer, header: &BatchHeader) -> Result<(), Reason> {
    if known.transaction_first_offset.is_some() && !header.is_transactional() {
        return Err(Reason::NotTransactional);
    }
    Ok(())
}

/// A marker of the second version of transactions raises the epoch. It may come again: with the epoch that is known
/// and no transaction open, or with the last epoch there is (KIP-890, KIP-1228).
fn check_marker(known: &Producer, header: &BatchHeader, marker: EndMarker, version: i16) -> Result<(), Reason> {
    let epoch = header.producer_epoch;
    let too_low = if version >= 2 {
        let again =
            epoch == known.epoch && (known.transaction_first_offset.is_none() || epoch == ProducerEpoch(i16::MAX));
        epoch <= known.epoch && !again
    } else {
        epoch < known.epoch
    };
    if too_low {
        return Err(Reason::Epoch { epoch, known: known.epoch, transaction_version: version });
    }
    if known.coordinator_epoch > marker.coordinator_epoch {
        return Err(Reason::CoordinatorEpoch { epoch: marker.coordinator_epoch, known: known.coordinator_epoch });
    }
    Ok(())
}

#[cfg(test)]
mod tests;
