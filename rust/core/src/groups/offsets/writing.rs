//! Offsets on their way to the log: written first, held afterwards, and in between overruled by whatever comes later in the
//! log and is known here already.

use std::collections::HashMap;

use super::{Held, OffsetTable, Place};
use crate::groups::offset_record::{OffsetKey, OffsetValue};
use crate::ids::{PartitionIndex, TopicId};

/// What became of a place while a commit for it was being written.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
enum Later {
    /// Something is pending for it, which the commit, being older, does not strike out.
    Pending,
    /// Another offset, or none: the commit is the past.
    Decided,
}

/// The one commit of a table that is being written, seen from the table.
#[derive(Debug, Default)]
pub(super) struct Writing {
    /// Where it goes, each with the id of its topic; none while no commit is under way.
    places: Vec<(Place, TopicId)>,
    later: HashMap<Place, Later>,
}

impl Writing {
    /// Something was decided about a place.
    pub(super) fn decided(&mut self, place: Place) {
        if !self.places.is_empty() {
            self.later.insert(place, Later::Decided);
        }
    }

    /// Something is pending for a place.
    pub(super) fn pending(&mut self, place: Place) {
        if !self.places.is_empty() {
            self.later.entry(place).or_insert(Later::Pending);
        }
    }
}

/// A commit that is being written; to be given back to [`OffsetTable::end_write`], whatever came of it.
#[must_use]
#[derive(Debug)]
pub struct Write(Vec<(Place, Held)>);

impl OffsetTable {
    /// A commit goes to the log now. What is applied from here on comes behind it there. One at a time.
    pub fn begin_write<'a>(&mut self, offsets: impl Iterator<Item = (OffsetKey<'a>, OffsetValue<'a>)>) -> Write {
        debug_assert!(self.writing.places.is_empty(), "one commit is written at a time");
        // The names are held from now on, so that places stay what they are.
        let write = Write(offsets.map(|(key, value)| (self.hold(&key), Held::new(&value))).collect());
        self.writing.places.extend(write.0.iter().map(|(place, held)| (*place, held.topic_id)));
        write
    }

    /// What of the group is being written, topic, partition and the topic's id: unless something is decided about it
    /// meanwhile, it will be committed.
    pub fn being_written(&self, group: &str) -> impl Iterator<Item = (&str, PartitionIndex, TopicId)> {
        let group = if self.writing.places.is_empty() { None } else { self.groups.find(group) };
        let ours = self.writing.places.iter().filter(move |(place, _)| Some(place.group) == group);
        let open = ours.filter(|(place, _)| self.writing.later.get(place) != Some(&Later::Decided));
        open.map(|(place, id)| (self.topics.name(place.topic), place.partition, *id))
    }

    /// It is in the log, or was refused. A table that was put in the place of this one meanwhile knows nothing of it.
    pub fn end_write(&mut self, write: Write, is_written: bool) {
        if self.writing.places.is_empty() {
            return;
        }
        let later = std::mem::take(&mut self.writing).later;
        for (place, held) in write.0 {
            match later.get(&place) {
                _ if !is_written => self.release(place),
                None => self.put_at(place, held),
                Some(Later::Pending) => {
                    if self.committed.insert(place, held).is_some() {
                        self.release(place);
                    }
                }
                Some(Later::Decided) => self.release(place),
            }
        }
    }
}
