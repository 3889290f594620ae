//! Remembering more than a snapshot holds.
//!
//! A snapshot has the newest batch of each producer; a client that resends what was in flight when the broker went
//! away begins with older ones. What lies in the log before the snapshot is read again, and recalled here.

use super::{Producer, ProducerStates};

impl ProducerStates {
    /// Takes over the remembered batches of `replayed`, which saw the log up to the same offset but from a later beginning:
    /// for each producer whose newest batch is the same, and of which more is remembered there.
    pub fn recall(&mut self, replayed: &Self) {
        for (producer_id, known) in &mut self.producers {
            let Some(other) = replayed.producers.get(producer_id) else { continue };
            // The time of the newest is not compared: in a snapshot it may be that of a marker.
            let newest = |producer: &Producer| {
                producer.batches().last().map(|batch| (batch.last_sequence, batch.last_offset, batch.offset_delta))
            };
            let same = known.epoch == other.epoch && newest(known) == newest(other);
            if same && other.remembered > known.remembered {
                known.batches = other.batches;
                known.remembered = other.remembered;
            }
        }
    }
}
