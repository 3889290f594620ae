//! What is held, as the long part of an answer to `OffsetFetch`.

use std::collections::{BTreeMap, btree_map};

use super::{FIRST, Held, LAST, OffsetTable, Place};
use crate::error::ErrorCode;
use crate::ids::{PartitionIndex, TopicId};
use crate::wire::offset_fetch::{FetchedOffset, write_partitions};

/// How many offsets are passed over before the next is looked up from the top.
const NEAR: usize = 8;

/// What is asked about a topic.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Question<'a> {
    /// The group.
    pub group: &'a str,
    /// The name of the topic.
    pub topic: &'a str,
    /// Its id; zero where that is not known.
    pub topic_id: TopicId,
    /// Whether only what no open transaction may change counts.
    pub require_stable: bool,
}

/// Writes partitions without offsets, with or without an error, as part of an answer to `OffsetFetch`.
pub fn write_missing(out: &mut Vec<u8>, version: i16, partitions: &[i32], error: ErrorCode) {
    write_partitions(out, version, partitions.iter().map(|&index| FetchedOffset::none(PartitionIndex(index), error)));
}

impl OffsetTable {
    /// Writes the partitions of one topic of an answer to `OffsetFetch`: those that are asked for, or all that are
    /// committed. What has no offset, or one of another topic of that name, is -1; where a transaction is open and
    /// `require_stable`, it is `UNSTABLE_OFFSET_COMMIT`.
    pub fn write_fetched(&self, out: &mut Vec<u8>, version: i16, question: &Question<'_>, partitions: Option<&[i32]>) {
        let Some(first) = self.find(question.group, question.topic, FIRST) else {
            return write_missing(out, version, partitions.unwrap_or_default(), ErrorCode::None);
        };
        if let Some(partitions) = partitions {
            let mut near = Near::new(&self.committed, first);
            let asked = partitions.iter().map(|&index| {
                let place = Place { partition: PartitionIndex(index), ..first };
                self.answer(question, place, near.find(place))
            });
            write_partitions(out, version, asked);
        } else {
            let last = Place { partition: LAST, ..first };
            let all: Vec<_> = self.committed.range(first..=last).collect();
            let all = all.into_iter().map(|(place, held)| self.answer(question, *place, Some(held)));
            write_partitions(out, version, all);
        }
    }

    fn answer<'t>(&self, question: &Question<'_>, place: Place, held: Option<&'t Held>) -> FetchedOffset<'t> {
        if question.require_stable && self.pending.contains_key(&place) {
            return FetchedOffset::none(place.partition, ErrorCode::UnstableOffsetCommit);
        }
        match held {
            Some(held) if !held.is_of_another(question.topic_id) => FetchedOffset {
                index: place.partition,
                offset: held.offset,
                leader_epoch: held.leader_epoch,
                metadata: Some(held.metadata()),
                error: ErrorCode::None,
            },
            _ => FetchedOffset::none(place.partition, ErrorCode::None),
        }
    }
}

/// Looks up partitions of one topic: what stands a little behind the last one is found by walking there, since clients ask
/// in order.
struct Near<'t> {
    table: &'t BTreeMap<Place, Held>,
    range: btree_map::Range<'t, Place, Held>,
    /// The first of `range` that was seen and is not passed.
    next: Option<(&'t Place, &'t Held)>,
    /// Everything up to this was passed; nothing, before the first look.
    passed: Option<Place>,
}

impl<'t> Near<'t> {
    fn new(table: &'t BTreeMap<Place, Held>, from: Place) -> Self {
        Self { table, range: table.range(from..), next: None, passed: None }
    }

    fn find(&mut self, place: Place) -> Option<&'t Held> {
        let ahead = self.passed.is_none_or(|passed| passed < place);
        self.passed = Some(place);
        for _ in 0..if ahead { NEAR } else { 0 } {
            match self.next.take().or_else(|| self.range.next()) {
                Some((at, _)) if *at < place => {}
                Some((at, held)) if *at == place => return Some(held),
                behind => {
                    self.next = behind;
                    return None;
                }
            }
        }
        self.range = self.table.range(place..);
        self.next = self.range.next();
        self.next.take_if(|(at, _)| **at == place).map(|(_, held)| held)
    }
}
