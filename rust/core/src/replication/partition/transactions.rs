//! What transactions ask of a partition: verification before the first append, markers, and who is writing.
//!
//! Kafka classes `UnifiedLog.maybeStartTransactionVerification`, `KafkaApis.handleWriteTxnMarkers`,
//! `Partition.activeProducerState`.

use super::{Acks, Appended, Partition, Refused, State};
use crate::batch::control::EndMarker;
use crate::batch::header::BatchHeader;
use crate::batch::producer::{Claim, Claimed, Guard, Origin, ProducerRefusal, Proof};
use crate::batch::validate::{Checked, TimestampType};
use crate::error::ErrorCode;
use crate::ids::{LeaderEpoch, Offset, ProducerEpoch, ProducerId, Sequence, TimestampMs};

/// The end of one producer's transaction, as its coordinator decided it.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Marker {
    /// Whose transaction.
    pub producer_id: ProducerId,
    /// Under which epoch; of the second version, one above that of the data.
    pub producer_epoch: ProducerEpoch,
    /// Epoch of the coordinator.
    pub coordinator_epoch: i32,
    /// Committed, or else aborted.
    pub commit: bool,
    /// The `transaction.version` under whose rules the epoch is checked.
    pub transaction_version: i16,
}

/// A producer that a partition knows, as `DescribeProducers` shows it.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct ActiveProducer {
    /// Its id.
    pub producer_id: ProducerId,
    /// Its incarnation.
    pub producer_epoch: ProducerEpoch,
    /// Sequence number of its last record; -1 when it is known by a marker alone.
    pub last_sequence: Sequence,
    /// The time of its last batch or marker.
    pub last_timestamp: TimestampMs,
    /// Epoch of the coordinator that wrote its last marker; -1 before.
    pub coordinator_epoch: i32,
    /// Where its open transaction begins; none when none is open.
    pub transaction_start: Option<Offset>,
}

impl Partition {
    /// Must the coordinator be asked before a producer writes in its transaction? Kafka's order: leadership, epoch, and then
    /// whether the transaction is open here.
    pub fn claim(&self, meant: LeaderEpoch, claim: &Claim, now: TimestampMs) -> Result<Claimed, Refused> {
        let mut state = self.state.lock();
        state.leads(meant).map_err(Refused::Code)?;
        let State { log, guards, .. } = &mut *state;
        guards.claim(log.producers(), claim, now).map_err(|reason| {
            Refused::Producer(ProducerRefusal { producer_id: claim.producer_id, offset: log.end(), reason })
        })
    }

    /// Whether this incarnation of a producer has a transaction open here, and this broker leads.
    #[must_use]
    pub fn is_in_transaction(&self, producer_id: ProducerId, epoch: ProducerEpoch) -> bool {
        let state = self.state.lock();
        let open = state.log.producers().get(producer_id).is_some_and(|known| known.is_in_transaction(epoch));
        open && state.leads(LeaderEpoch::NONE).is_ok()
    }

    /// Takes a guard before the coordinator, which is here, writes that the producer's transaction is open on this partition;
    /// none where this broker does not lead, or nobody would be asked.
    #[must_use]
    pub fn expect(&self, producer_id: ProducerId, epoch: ProducerEpoch, now: TimestampMs) -> Option<Guard> {
        let mut state = self.state.lock();
        state.leads(LeaderEpoch::NONE).ok()?;
        let State { log, guards, .. } = &mut *state;
        guards.expect(log.producers(), producer_id, epoch, now)
    }

    /// What was expected is committed: the first batch of the transaction need not be asked about, as long as the guard holds.
    pub fn confirm(&self, producer_id: ProducerId, epoch: ProducerEpoch, guard: Guard) {
        self.state.lock().guards.confirm(producer_id, epoch, guard);
    }

    /// Whether a guard is still worth something: no marker came since it was taken.
    #[must_use]
    pub fn holds(&self, producer_id: ProducerId, guard: Guard) -> bool {
        self.state.lock().guards.holds(producer_id, guard)
    }

    /// Ends a producer's transaction on this partition, as with acks=all. A marker for which no transaction is open is
    /// written too: it may come again, and it carries the epoch.
    pub fn append_marker(&self, meant: LeaderEpoch, marker: &Marker, now: TimestampMs) -> Result<Appended, Refused> {
        let Marker { producer_id, producer_epoch, coordinator_epoch, commit, transaction_version } = *marker;
        if !producer_id.is_some() || producer_epoch < ProducerEpoch(0) {
            // As Kafka, which fails to build such a batch.
            return Err(Refused::Code(ErrorCode::UnknownServerError));
        }
        let end = EndMarker { aborted: !commit, coordinator_epoch, timestamp: now };
        let appended_at = (self.settings().produce.timestamp_type == TimestampType::LogAppendTime).then_some(now);
        let batch = end.batch_of(producer_id, producer_epoch, appended_at);
        let batch = batch.map_err(|fault| Refused::Batch(fault.into()))?;
        // Our own bytes: were they no batch, it would be as if the disk had returned something else.
        let unreadable = || Refused::Code(ErrorCode::CorruptMessage);
        let header = BatchHeader::decode(&batch).ok_or_else(unreadable)?;
        let records = batch.get(crate::batch::header::BATCH_HEADER_BYTES..).ok_or_else(unreadable)?;
        let checked = Checked { header, records: records.into(), max_timestamp_delta: 0 };
        let origin = Origin::Marker(end, transaction_version);
        self.append_under(meant, origin, Proof::None, &checked, Acks::All, now)
    }

    /// The producers that the partition knows, in no order.
    pub fn active_producers(&self) -> Result<Vec<ActiveProducer>, ErrorCode> {
        let state = self.state.lock();
        state.leads(LeaderEpoch::NONE)?;
        let producers = state.log.producers().iter().map(|(producer_id, producer)| ActiveProducer {
            producer_id,
            producer_epoch: producer.epoch,
            last_sequence: producer.last_sequence(),
            last_timestamp: producer.last_timestamp,
            coordinator_epoch: producer.coordinator_epoch,
            transaction_start: producer.transaction_first_offset(),
        });
        Ok(producers.collect())
    }

    /// Forgets producers and guards that were silent for `producer.id.expiration.ms`; says how many producers.
    pub fn expire_producers(&self, now: TimestampMs) -> usize {
        let State { log, guards, .. } = &mut *self.state.lock();
        guards.expire(now, log.config().producer_id_expiration_ms);
        log.expire_producers(now)
    }
}

impl State {
    /// Whether a batch of a transaction may be appended, as far as its coordinator's knowledge goes.
    pub(super) fn check_verified(&self, header: &BatchHeader, origin: Origin, proof: Proof) -> Result<(), Refused> {
        if !header.producer_id.is_some() {
            return Ok(());
        }
        let header = BatchHeader { base_offset: self.log.end(), ..*header };
        self.guards.check(self.log.producers(), &header, origin, proof).map_err(Refused::Producer)
    }
}
