//! The committed offsets of one partition of `__consumer_offsets`, as state: what records make of them, and nothing that
//! decides.
//!
//! Prior art: Kafka's `OffsetMetadataManager.Offsets` and `OpenTransactions`, hash maps with snapshots, each offset an
//! object with the position of its record, by which a marker finds out whether a later commit has overtaken it. Ours is one
//! ordered map for all groups and topics, some 110 bytes an offset however few a group has, names kept once each. Positions
//! are not kept: a commit strikes out what is pending for its partition from before it, which comes to the same.
//! Ordered, it can be walked in pieces while it changes.
//!
//! Invariants: an offset is what the bytes of its record say, whoever brings them; a name is held once for every offset and
//! for every partition for which something is pending; every pending offset is known by its place and by its
//! producer; of a partition's pending offsets, the order is that of their records. What is held is what the log up to its end
//! says, but for one commit at a time that is being written.

use std::borrow::Cow;
use std::collections::{BTreeMap, BTreeSet, HashMap, btree_map};
use std::fmt;
use std::ops::Bound;

use super::names::{NameId, Names};
use super::offset_record::{self, OffsetKey, OffsetValue, Read};
use crate::ids::{LeaderEpoch, Offset, PartitionIndex, ProducerId, TimestampMs, TopicId};
use crate::log::latest::{Intake, Taking};
use crate::wire::WireError;

mod answers;
mod writing;

pub use answers::{Question, write_missing};
pub use writing::Write;

#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug)]
struct Place {
    group: NameId,
    topic: NameId,
    partition: PartitionIndex,
}

/// An offset as it is kept.
#[derive(Clone, PartialEq, Eq, Debug)]
struct Held {
    offset: Offset,
    commit_timestamp: TimestampMs,
    topic_id: TopicId,
    leader_epoch: LeaderEpoch,
    more: Option<Box<More>>,
}

/// What few offsets have.
#[derive(Clone, PartialEq, Eq, Debug)]
struct More {
    metadata: Box<str>,
    expire_timestamp: TimestampMs,
}

const _: () = assert!(size_of::<Held>() == 48 && size_of::<Place>() == 12);

impl Held {
    fn new(value: &OffsetValue<'_>) -> Self {
        let OffsetValue { offset, leader_epoch, ref metadata, commit_timestamp, expire_timestamp, topic_id } = *value;
        let more = (!metadata.is_empty() || expire_timestamp != TimestampMs::NONE)
            .then(|| Box::new(More { metadata: (**metadata).into(), expire_timestamp }));
        Self { offset, commit_timestamp, topic_id, leader_epoch, more }
    }

    fn metadata(&self) -> &str {
        self.more.as_ref().map_or("", |more| &more.metadata)
    }

    fn value(&self) -> OffsetValue<'_> {
        OffsetValue {
            offset: self.offset,
            leader_epoch: self.leader_epoch,
            metadata: self.metadata().into(),
            commit_timestamp: self.commit_timestamp,
            expire_timestamp: self.more.as_ref().map_or(TimestampMs::NONE, |more| more.expire_timestamp),
            topic_id: self.topic_id,
        }
    }

    fn is_of_another(&self, topic_id: TopicId) -> bool {
        self.topic_id != topic_id && self.topic_id != TopicId::ZERO && topic_id != TopicId::ZERO
    }
}

/// What producers with an open transaction will have committed for a partition; nothing where a later commit has
/// overtaken it: the transaction is open all the same.
type Pending = Vec<(ProducerId, Option<Held>)>;

/// What [`OffsetTable::apply`] made of a record.
#[derive(Clone, PartialEq, Eq, Debug)]
pub enum Applied<'a> {
    /// The group has committed something, or is about to.
    Put(Cow<'a, str>),
    /// What the group had committed there is gone.
    Removed(Cow<'a, str>),
    /// It is no offset: nothing changed.
    Other,
}

/// Offsets by group, topic and partition, and those of open transactions.
#[derive(Default)]
pub struct OffsetTable {
    groups: Names,
    topics: Names,
    committed: BTreeMap<Place, Held>,
    pending: BTreeMap<Place, Pending>,
    by_producer: HashMap<ProducerId, BTreeSet<Place>>,
    writing: writing::Writing,
}

impl fmt::Debug for OffsetTable {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let (committed, pending) = (self.committed.len(), self.pending.len());
        f.debug_struct("OffsetTable").field("committed", &committed).field("pending", &pending).finish_non_exhaustive()
    }
}

impl OffsetTable {
    /// How many offsets are committed.
    #[must_use]
    pub fn len(&self) -> usize {
        self.committed.len()
    }

    /// Whether none is.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.committed.is_empty()
    }

    // --- records

    /// A record that belongs to no transaction, or to one that was committed. An error changes nothing.
    pub fn apply<'a>(&mut self, key: &'a [u8], value: Option<&'a [u8]>) -> Result<Applied<'a>, WireError> {
        self.apply_of(ProducerId::NONE, key, value)
    }

    /// A record of a transaction that is open as far as its log was read: it counts when that is committed. A deletion
    /// counts at once, as in Kafka, which never writes one in a transaction.
    pub fn apply_pending<'a>(
        &mut self,
        producer_id: ProducerId,
        key: &'a [u8],
        value: Option<&'a [u8]>,
    ) -> Result<Applied<'a>, WireError> {
        self.apply_of(producer_id, key, value)
    }

    /// The producer's transaction has ended: what it left pending is committed or forgotten.
    pub fn end_transaction(&mut self, producer_id: ProducerId, committed: bool) {
        for place in self.by_producer.remove(&producer_id).unwrap_or_default() {
            let Some(pending) = self.pending.get_mut(&place) else { continue };
            let Some(at) = pending.iter().position(|(producer, _)| *producer == producer_id) else { continue };
            let (_, held) = pending.remove(at);
            let was_last = pending.is_empty();
            let mut is_new = false;
            if let Some(held) = held.filter(|_| committed) {
                for (_, earlier) in pending.iter_mut().take(at) {
                    *earlier = None;
                }
                self.writing.decided(place);
                is_new = self.committed.insert(place, held).is_none();
            }
            if was_last {
                self.pending.remove(&place);
            }
            match (is_new, was_last) {
                (true, false) => self.hold_again(place),
                (false, true) => self.release(place),
                // Nobody uses the names any more or less, or the use of the one goes over to the other.
                _ => {}
            }
        }
    }

    fn apply_of<'a>(
        &mut self,
        producer_id: ProducerId,
        key: &'a [u8],
        value: Option<&'a [u8]>,
    ) -> Result<Applied<'a>, WireError> {
        Ok(match offset_record::read(key, value)? {
            Read::Other => Applied::Other,
            Read::Offset(key, None) => {
                self.remove(&key);
                Applied::Removed(key.group)
            }
            Read::Offset(key, Some(value)) if producer_id.is_some() => {
                self.put_pending(producer_id, &key, Held::new(&value));
                Applied::Put(key.group)
            }
            Read::Offset(key, Some(value)) => {
                self.put(&key, Held::new(&value));
                Applied::Put(key.group)
            }
        })
    }

    fn put(&mut self, key: &OffsetKey<'_>, held: Held) {
        let place = self.hold(key);
        self.writing.decided(place);
        self.put_at(place, held);
    }

    /// At a place whose names are held for it.
    fn put_at(&mut self, place: Place, held: Held) {
        if self.committed.insert(place, held).is_some() {
            self.release(place);
        }
        if let Some(pending) = self.pending.get_mut(&place) {
            for (_, earlier) in pending {
                *earlier = None;
            }
        }
    }

    fn put_pending(&mut self, producer_id: ProducerId, key: &OffsetKey<'_>, held: Held) {
        let place = self.hold(key);
        self.writing.pending(place);
        match self.pending.entry(place) {
            btree_map::Entry::Vacant(entry) => drop(entry.insert(vec![(producer_id, Some(held))])),
            btree_map::Entry::Occupied(mut entry) => {
                let pending = entry.get_mut();
                // To the end: the order is that of the records.
                pending.retain(|(producer, _)| *producer != producer_id);
                pending.push((producer_id, Some(held)));
                self.release(place);
            }
        }
        self.by_producer.entry(producer_id).or_default().insert(place);
    }

    /// It is deleted, with what is pending for it.
    fn remove(&mut self, key: &OffsetKey<'_>) {
        let Some(place) = self.find(&key.group, &key.topic, key.partition) else { return };
        self.writing.decided(place);
        if self.committed.remove(&place).is_some() {
            self.release(place);
        }
        let Some(pending) = self.pending.remove(&place) else { return };
        for (producer_id, _) in pending {
            if let Some(places) = self.by_producer.get_mut(&producer_id) {
                places.remove(&place);
                if places.is_empty() {
                    self.by_producer.remove(&producer_id);
                }
            }
        }
        self.release(place);
    }

    fn hold(&mut self, key: &OffsetKey<'_>) -> Place {
        let (group, topic) = (self.groups.hold(&key.group), self.topics.hold(&key.topic));
        Place { group, topic, partition: key.partition }
    }

    fn hold_again(&mut self, place: Place) {
        self.groups.hold_again(place.group);
        self.topics.hold_again(place.topic);
    }

    fn release(&mut self, place: Place) {
        self.groups.release(place.group);
        self.topics.release(place.topic);
    }

    // --- looking

    fn find(&self, group: &str, topic: &str, partition: PartitionIndex) -> Option<Place> {
        let (group, topic) = (self.groups.find(group)?, self.topics.find(topic)?);
        Some(Place { group, topic, partition })
    }

    /// The groups that have committed something, or are about to, in no order that means something.
    pub fn groups(&self) -> impl Iterator<Item = &str> {
        self.groups.iter()
    }

    /// Whether the group has committed something, or is about to.
    #[must_use]
    pub fn has_any(&self, group: &str) -> bool {
        self.groups.find(group).is_some()
    }

    /// Whether a transaction is open that is about to commit this.
    #[must_use]
    pub fn is_pending(&self, group: &str, topic: &str, partition: PartitionIndex) -> bool {
        !self.pending.is_empty()
            && self.find(group, topic, partition).is_some_and(|place| self.pending.contains_key(&place))
    }

    /// Whether there is something to delete.
    #[must_use]
    pub fn is_known(&self, group: &str, topic: &str, partition: PartitionIndex) -> bool {
        self.find(group, topic, partition)
            .is_some_and(|place| self.committed.contains_key(&place) || self.pending.contains_key(&place))
    }

    /// The topics of which the group has committed a partition.
    pub fn topics(&self, group: &str) -> impl Iterator<Item = &str> {
        let group = self.groups.find(group);
        let mut next = group.and_then(|group| self.first_from(Bound::Included(start_of(group, NameId::FIRST))));
        std::iter::from_fn(move || {
            let place = next.filter(|place| Some(place.group) == group)?;
            next = self.first_from(Bound::Excluded(Place { partition: LAST, ..place }));
            Some(self.topics.name(place.topic))
        })
    }

    fn first_from(&self, from: Bound<Place>) -> Option<Place> {
        self.committed.range((from, Bound::Unbounded)).next().map(|(place, _)| *place)
    }

    /// What the group has committed of the topic, behind partition `after` where one is given, in the order of partitions.
    pub fn offsets(
        &self,
        group: &str,
        topic: &str,
        after: Option<PartitionIndex>,
    ) -> impl Iterator<Item = (PartitionIndex, OffsetValue<'_>)> {
        let found = self.find(group, topic, after.unwrap_or(FIRST));
        let range = found.map(|place| {
            let from = if after.is_some() { Bound::Excluded(place) } else { Bound::Included(place) };
            self.committed.range((from, Bound::Included(Place { partition: LAST, ..place })))
        });
        range.into_iter().flatten().map(|(place, held)| (place.partition, held.value()))
    }

    /// Everything the group has committed, by topic.
    pub fn committed(&self, group: &str) -> impl Iterator<Item = (&str, PartitionIndex, OffsetValue<'_>)> {
        let range = self.groups.find(group).map(|group| self.committed.range(of_group(group)));
        let known = range.into_iter().flatten();
        known.map(|(place, held)| (self.topics.name(place.topic), place.partition, held.value()))
    }

    /// The partitions for which a transaction is open, by topic, each with the ids of the topic that may come of it.
    pub fn pending(&self, group: &str) -> impl Iterator<Item = (&str, PartitionIndex, impl Iterator<Item = TopicId>)> {
        let range = self.groups.find(group).map(|group| self.pending.range(of_group(group)));
        range.into_iter().flatten().map(|(place, pending)| {
            let ids = pending.iter().filter_map(|(_, held)| held.as_ref()).map(|held| held.topic_id);
            (self.topics.name(place.topic), place.partition, ids)
        })
    }
}

impl Intake for OffsetTable {
    fn take(&mut self, key: &[u8], value: Option<&[u8]>, producer_id: ProducerId) -> Taking {
        match self.apply_of(producer_id, key, value) {
            Ok(Applied::Put(_) | Applied::Removed(_)) => Taking::Taken,
            Ok(Applied::Other) => Taking::Other,
            Err(_) => Taking::Unreadable,
        }
    }

    fn end(&mut self, producer_id: ProducerId, aborted: bool) {
        self.end_transaction(producer_id, !aborted);
    }
}

const FIRST: PartitionIndex = PartitionIndex(i32::MIN);
const LAST: PartitionIndex = PartitionIndex(i32::MAX);

const fn start_of(group: NameId, topic: NameId) -> Place {
    Place { group, topic, partition: FIRST }
}

fn of_group(group: NameId) -> std::ops::RangeInclusive<Place> {
    start_of(group, NameId::FIRST)..=Place { group, topic: NameId::LAST, partition: LAST }
}

#[cfg(test)]
mod tests;
