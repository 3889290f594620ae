//! Is the transaction of a batch known to its coordinator? Guards that join the question to the append (KIP-890; Kafka
//! classes `VerificationGuard`, `VerificationStateEntry`).
//!
//! A guard is taken before the coordinator is asked, and shown at the append. A marker, or the first append of the
//! transaction, takes it away: a verdict that a marker has overtaken opens nothing (KAFKA-14884). Guards belong to a partition
//! and a producer, not to a request; they are no part of the log, so they live beside [`ProducerStates`].
//!
//! Where the coordinator is on this broker it can say yes before it is asked: a guard is taken ([`Guards::expect`]) before its
//! decision is written, and confirmed once that is committed. What a marker takes away is the same then, so such a yes is worth
//! neither more nor less than an answer.
//!
//! Order of the checks, as Kafka's: a repeat of what is in the log, the epoch (KAFKA-19690: a fenced producer must hear that it
//! is fenced), the guard, then the sequence. Invariant: no guard is given twice.

use std::collections::HashMap;

use super::{Origin, Producer, ProducerRefusal, ProducerStates, Reason, duplicate, refusal};
use crate::batch::header::BatchHeader;
use crate::ids::{ProducerEpoch, ProducerId, Sequence, TimestampMs};

/// Guards that a partition holds at most: clients choose producer ids, and each costs some 60 bytes until it expires.
const GUARDS_MAX: usize = 65_536;
/// Beyond so many none is taken in advance: the others are for those who ask.
const EXPECTED_MAX: usize = GUARDS_MAX / 2;
/// Above all others: nobody has claimed yet.
const NOT_CLAIMED: Sequence = Sequence(i32::MAX);

/// Shows that what was asked is still so.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Guard(pub u64);

/// What a batch shows for its transaction.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Proof {
    /// Nothing: its transaction must be open on the partition already.
    None,
    /// This was taken before its coordinator said yes.
    Guard(Guard),
    /// Nothing, and nothing is asked for (`transaction.partition.verification.enable`).
    Waived,
}

/// Who is about to write in a transaction, and how its batches begin.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Claim {
    /// The producer.
    pub producer_id: ProducerId,
    /// Its incarnation.
    pub producer_epoch: ProducerEpoch,
    /// Sequence number of its first record; -1 for coordinators, which have none.
    pub sequence: Sequence,
    /// Whether it is a client of the second version of transactions, whose sequences begin at 0 with each.
    pub second_version: bool,
}

/// What a claim comes to.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Claimed {
    /// The transaction is open on this partition: nobody need be asked.
    Open,
    /// The coordinator must be asked; show this afterwards.
    Guard(Guard),
    /// The coordinator has said yes already: show this.
    Confirmed(Guard),
    /// There are too many guards: try again.
    Full,
}

#[derive(Clone, Copy, Debug)]
struct Entry {
    guard: Guard,
    since: TimestampMs,
    epoch: ProducerEpoch,
    /// The lowest seen while the coordinator is asked: a later batch must not overtake an earlier one.
    lowest_sequence: Sequence,
    second_version: bool,
    /// The incarnation whose transaction is open here according to its coordinator.
    confirmed: Option<ProducerEpoch>,
}

/// The guards of one partition.
#[derive(Debug, Default)]
pub struct Guards {
    entries: HashMap<ProducerId, Entry>,
    given: u64,
}

impl Guards {
    /// How many are out.
    #[must_use]
    pub fn len(&self) -> usize {
        self.entries.len()
    }

    /// Whether none is out.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.entries.is_empty()
    }

    /// Must the coordinator be asked? Gives the reason when the producer was fenced already.
    pub fn claim(&mut self, known: &ProducerStates, claim: &Claim, now: TimestampMs) -> Result<Claimed, Reason> {
        let Claim { producer_id, producer_epoch: epoch, sequence, second_version } = *claim;
        let producer = known.get(producer_id).unwrap_or(&Producer::UNKNOWN);
        if epoch < producer.epoch {
            return Err(Reason::Fenced { epoch, known: producer.epoch });
        }
        if producer.is_in_transaction(epoch) {
            return Ok(Claimed::Open);
        }
        if self.entries.len() >= GUARDS_MAX && !self.entries.contains_key(&producer_id) {
            return Ok(Claimed::Full);
        }
        let entry = self.entry(producer_id, epoch, now);
        if entry.lowest_sequence == NOT_CLAIMED {
            entry.second_version = second_version;
        }
        if epoch > entry.epoch || (epoch == entry.epoch && sequence < entry.lowest_sequence) {
            entry.epoch = epoch;
            entry.lowest_sequence = sequence;
        }
        // With the second version to ask is to add.
        let confirmed = !second_version && entry.confirmed == Some(epoch);
        Ok(if confirmed { Claimed::Confirmed(entry.guard) } else { Claimed::Guard(entry.guard) })
    }

    /// Takes a guard before the coordinator writes that the producer's transaction is open here; none where nobody would be
    /// asked, or there are too many.
    pub fn expect(
        &mut self,
        known: &ProducerStates,
        producer_id: ProducerId,
        epoch: ProducerEpoch,
        now: TimestampMs,
    ) -> Option<Guard> {
        let producer = known.get(producer_id).unwrap_or(&Producer::UNKNOWN);
        let is_asked = epoch >= producer.epoch && !producer.is_in_transaction(epoch);
        let has_room = self.entries.len() < EXPECTED_MAX || self.entries.contains_key(&producer_id);
        (is_asked && has_room).then(|| self.entry(producer_id, epoch, now).guard)
    }

    /// What was expected is committed: nobody need ask for this incarnation as long as the guard holds.
    pub fn confirm(&mut self, producer_id: ProducerId, epoch: ProducerEpoch, guard: Guard) {
        if let Some(entry) = self.entries.get_mut(&producer_id).filter(|entry| entry.guard == guard) {
            entry.confirmed = Some(epoch);
        }
    }

    /// The entry of a producer, which is new where there was none.
    fn entry(&mut self, producer_id: ProducerId, epoch: ProducerEpoch, since: TimestampMs) -> &mut Entry {
        let given = &mut self.given;
        self.entries.entry(producer_id).or_insert_with(|| {
            *given += 1;
            let (guard, lowest_sequence) = (Guard(*given), NOT_CLAIMED);
            Entry { guard, since, epoch, lowest_sequence, second_version: false, confirmed: None }
        })
    }

    /// May a batch be appended, as far as its verification goes? `header` carries the offsets that it would get. To be
    /// asked before [`ProducerStates::verdict`], under the same lock.
    pub fn check(
        &self,
        known: &ProducerStates,
        header: &BatchHeader,
        origin: Origin,
        proof: Proof,
    ) -> Result<(), ProducerRefusal> {
        let from_client = origin == Origin::Client;
        let concerned = header.producer_id.is_some() && (from_client || origin == Origin::Coordinator);
        if !concerned || (!header.is_transactional() && self.entries.is_empty()) {
            return Ok(());
        }
        let producer = known.get(header.producer_id).unwrap_or(&Producer::UNKNOWN);
        if from_client && duplicate(producer, header).is_some() {
            return Ok(());
        }
        let entry = self.entries.get(&header.producer_id);
        let epoch = header.producer_epoch;
        if header.is_transactional() && !producer.is_in_transaction(epoch) {
            if epoch < producer.epoch {
                return Err(refusal(header, Reason::Fenced { epoch, known: producer.epoch }));
            }
            let verified = match proof {
                Proof::Waived => true,
                Proof::Guard(guard) => self.holds(header.producer_id, guard),
                Proof::None => false,
            };
            if !verified {
                return Err(refusal(header, Reason::NotVerified));
            }
        }
        // Without an entry, or below the known epoch, the producer's state has the word.
        let Some(entry) = entry.filter(|_| from_client && epoch >= producer.epoch) else { return Ok(()) };
        let sequence = header.base_sequence;
        if entry.second_version && sequence != Sequence(0) && producer.batches().is_empty() {
            return Err(refusal(header, Reason::NotFromZero { sequence }));
        }
        if sequence > entry.lowest_sequence {
            return Err(refusal(header, Reason::Overtakes { sequence, earliest: entry.lowest_sequence }));
        }
        Ok(())
    }

    /// Whether a guard is still worth something.
    #[must_use]
    pub fn holds(&self, producer_id: ProducerId, guard: Guard) -> bool {
        self.entries.get(&producer_id).is_some_and(|entry| entry.guard == guard)
    }

    /// A batch was appended: if it opened or ended the producer's transaction, its guard has done its work.
    pub fn appended(&mut self, header: &BatchHeader) {
        if header.is_transactional() && !self.entries.is_empty() {
            self.entries.remove(&header.producer_id);
        }
    }

    /// Takes all guards away: somebody else may have led the partition since they were given.
    pub fn revoke(&mut self) {
        self.entries = HashMap::new();
    }

    /// Forgets guards that nobody showed for `expiration_ms`.
    pub fn expire(&mut self, now: TimestampMs, expiration_ms: i64) {
        self.entries.retain(|_, entry| now.0.saturating_sub(entry.since.0) < expiration_ms);
    }
}

#[cfg(test)]
mod tests;
