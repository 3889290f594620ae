//! The high watermark: how far a partition is replicated, as a function of plain numbers.
//!
//! Prior art: Kafka's `Partition.maybeIncrementLeaderHW`. Invariant: within a leader epoch it never goes back.

use crate::ids::Offset;

/// The smallest end offset among the in-sync replicas, `leader_end` among them. `followers` holds the end offsets of
/// the other members of the *maximal* ISR (committed members and those whose joining is on its way), since a member
/// that may already be counted on must not be left behind.
#[must_use]
pub fn high_watermark(current: Offset, leader_end: Offset, followers: impl Iterator<Item = Offset>) -> Offset {
    followers.fold(leader_end, Offset::min).max(current)
}

/// How many in-sync replicas a write with acks=all needs: `min.insync.replicas`, but never more than there are replicas.
#[must_use]
pub const fn effective_min_isr(min_insync_replicas: usize, replica_count: usize) -> usize {
    if min_insync_replicas < replica_count { min_insync_replicas } else { replica_count }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn a_lone_leader_commits_what_it_appends() {
        assert_eq!(high_watermark(Offset(3), Offset(7), std::iter::empty()), Offset(7));
    }

    proptest! {
        #[test]
        fn agrees_with_sorting(current in 0i64..50, ends in proptest::collection::vec(0i64..100, 1..8)) {
            let mut sorted = ends.clone();
            sorted.sort_unstable();
            let followers = ends[1..].iter().copied().map(Offset);
            let expected = sorted[0].max(current);
            prop_assert_eq!(high_watermark(Offset(current), Offset(ends[0]), followers), Offset(expected));
        }
    }
}
