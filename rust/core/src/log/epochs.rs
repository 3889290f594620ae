//! Which leader epoch began at which offset (Kafka class `LeaderEpochFileCache`, KIP-101, KIP-279).
//!
//! Invariant: epochs and start offsets both strictly increase.

use crate::ids::{LeaderEpoch, Offset};

/// The epochs of a log, oldest first.
#[derive(Clone, PartialEq, Eq, Debug, Default)]
pub struct EpochCache {
    entries: Vec<EpochEntry>,
}

/// A leader epoch and the offset of its first record.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct EpochEntry {
    /// The epoch.
    pub epoch: LeaderEpoch,
    /// Its first offset.
    pub start: Offset,
}

impl EpochCache {
    /// The epochs of a checkpoint file, which must be in order; entries that are not end the list.
    #[must_use]
    pub fn from_entries(entries: impl IntoIterator<Item = EpochEntry>) -> Self {
        let mut cache = Self::default();
        for entry in entries {
            cache.assign(entry.epoch, entry.start);
        }
        cache
    }

    /// All entries, oldest first.
    #[must_use]
    pub fn entries(&self) -> &[EpochEntry] {
        &self.entries
    }

    /// The newest epoch.
    #[must_use]
    pub fn latest(&self) -> Option<EpochEntry> {
        self.entries.last().copied()
    }

    /// Says that `epoch` begins at `start`; true when that was news. Entries that contradict it go: those of the same or a later
    /// epoch, and those that begin at `start` or behind.
    pub fn assign(&mut self, epoch: LeaderEpoch, start: Offset) -> bool {
        if epoch.0 < 0 || start.0 < 0 {
            return false;
        }
        if let Some(last) = self.latest()
            && epoch == last.epoch
            && start >= last.start
        {
            return false;
        }
        self.entries.retain(|entry| entry.epoch < epoch && entry.start < start);
        self.entries.push(EpochEntry { epoch, start });
        true
    }

    /// The largest known epoch not above `epoch`, and where it ends: the start of the next, or `log_end` for the newest. None
    /// when nothing is known of it.
    #[must_use]
    pub fn end_offset_for(&self, epoch: LeaderEpoch, log_end: Offset) -> Option<(LeaderEpoch, Offset)> {
        if epoch.0 < 0 {
            return None;
        }
        let after = self.entries.partition_point(|entry| entry.epoch <= epoch);
        let next = self.entries.get(after);
        match after.checked_sub(1).and_then(|at| self.entries.get(at)) {
            Some(entry) => {
                // Above the newest epoch nothing can be said: that leader is not known here.
                if next.is_none() && entry.epoch < epoch {
                    return None;
                }
                Some((entry.epoch, next.map_or(log_end, |next| next.start)))
            }
            // Older than all that is known: the asked epoch itself, ending where the first known one begins.
            None => next.map(|next| (epoch, next.start)),
        }
    }

    /// The epoch under which the record at `offset` was appended.
    #[must_use]
    pub fn epoch_for(&self, offset: Offset) -> Option<LeaderEpoch> {
        let after = self.entries.partition_point(|entry| entry.start <= offset);
        after.checked_sub(1).and_then(|at| self.entries.get(at)).map(|entry| entry.epoch)
    }

    /// Forgets epochs that begin at `end` or later; true when there were any.
    pub fn truncate_from_end(&mut self, end: Offset) -> bool {
        let before = self.entries.len();
        self.entries.retain(|entry| entry.start < end);
        before != self.entries.len()
    }

    /// Forgets epochs that ended at `start` or before; the one that holds `start` begins there from now on. True when
    /// something changed.
    pub fn truncate_from_start(&mut self, start: Offset) -> bool {
        let after = self.entries.partition_point(|entry| entry.start <= start);
        let Some(holds) = after.checked_sub(1) else { return false };
        let moved = self.entries.get(holds).is_some_and(|entry| entry.start < start);
        if let Some(entry) = self.entries.get_mut(holds) {
            entry.start = start;
        }
        self.entries.drain(..holds);
        moved || holds > 0
    }

    /// Forgets everything.
    pub fn clear(&mut self) {
        self.entries.clear();
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn cache(entries: &[(i32, i64)]) -> EpochCache {
        EpochCache::from_entries(
            entries.iter().map(|&(epoch, start)| EpochEntry { epoch: LeaderEpoch(epoch), start: Offset(start) }),
        )
    }

    #[test]
    fn an_epoch_ends_where_the_next_begins() {
        let cache = cache(&[(2, 10), (4, 20), (7, 35)]);
        let end = |epoch| cache.end_offset_for(LeaderEpoch(epoch), Offset(50)).map(|(epoch, end)| (epoch.0, end.0));
        assert_eq!(end(-1), None);
        assert_eq!(end(1), Some((1, 10)));
        assert_eq!(end(2), Some((2, 20)));
        assert_eq!(end(3), Some((2, 20)));
        assert_eq!(end(6), Some((4, 35)));
        assert_eq!(end(7), Some((7, 50)));
        assert_eq!(end(8), None);
    }

    #[test]
    fn contradicting_entries_go() {
        let mut cache = cache(&[(2, 10), (4, 20), (7, 35)]);
        assert!(!cache.assign(LeaderEpoch(7), Offset(40)));
        assert!(cache.assign(LeaderEpoch(8), Offset(20)));
        assert_eq!(cache, self::cache(&[(2, 10), (8, 20)]));
        assert!(!cache.assign(LeaderEpoch(-1), Offset(30)));
    }

    proptest! {
        #[test]
        fn agrees_with_a_list_of_the_epoch_of_each_offset(
            steps in proptest::collection::vec((0..4_i32, 1..5_i64), 1..20), cut in 0..60_i64, from_start: bool,
        ) {
            let (mut epoch, mut model, mut cache) = (0, Vec::new(), EpochCache::default());
            for (step, count) in steps {
                epoch += step;
                cache.assign(LeaderEpoch(epoch), Offset(model.len() as i64));
                model.extend(std::iter::repeat_n(epoch, count as usize));
            }
            let cut = cut.min(model.len() as i64 - 1);
            let (low, high) = if from_start { (cut, model.len() as i64) } else { (0, cut) };
            if from_start { cache.truncate_from_start(Offset(cut)); } else { cache.truncate_from_end(Offset(cut)); }
            for offset in low..high {
                prop_assert_eq!(cache.epoch_for(Offset(offset)), Some(LeaderEpoch(model[offset as usize])));
            }
            for pair in cache.entries().windows(2) {
                prop_assert!(pair[0].epoch < pair[1].epoch && pair[0].start < pair[1].start);
            }
        }
    }
}
