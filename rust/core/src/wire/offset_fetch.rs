//! `OffsetFetch` (9): how far has a group read?
//!
//! v2 null topics ask for all, error of the group · v3 throttle · v5 leader epoch · v6 flexible · v7 require stable
//! (KIP-447) · v8 many groups (KIP-709) · v9 member id and epoch (KIP-848) · v10 topic ids (KIP-516)

use super::common::TopicRef;
use super::cursor::{Array, Cursor, Element, Fault, WireError};
use super::header::{APIS, Api, begin_response};
use super::writer::Writer;
use crate::error::ErrorCode;
use crate::ids::{LeaderEpoch, Offset, PartitionIndex};

pub(super) const API: &Api = &APIS[5];
pub(super) const TOPIC_IDS_FROM: i16 = 10;

/// The first version with many groups.
pub(super) const GROUPS_SINCE: i16 = 8;

/// The first version with an error of the group. In v1 each partition has to carry it.
pub const GROUP_ERROR_SINCE: i16 = 2;

/// A request, checked to its end.
#[derive(Clone, Copy, PartialEq, Debug)]
pub struct OffsetFetchRequest<'a> {
    /// The groups that are asked about.
    pub groups: Groups<'a>,
    /// Whether only what no open transaction may change counts (v7+).
    pub require_stable: bool,
}

/// One group before v8, then as many as one likes, none included.
#[derive(Clone, Copy, PartialEq, Debug)]
pub enum Groups<'a> {
    /// The only one.
    One(OffsetFetchGroup<'a>),
    /// In the order of the request.
    Many(Array<'a, OffsetFetchGroup<'a>>),
}

impl<'a> Groups<'a> {
    /// How many there are.
    #[must_use]
    pub const fn len(&self) -> usize {
        match self {
            Self::One(_) => 1,
            Self::Many(groups) => groups.len(),
        }
    }

    /// Whether there are none.
    #[must_use]
    pub const fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// The group, when it is the only one.
    #[must_use]
    pub fn only(&self) -> Option<OffsetFetchGroup<'a>> {
        self.iter().next().filter(|_| self.len() == 1)
    }

    /// All of them, in the order of the request.
    pub fn iter(&self) -> impl Iterator<Item = OffsetFetchGroup<'a>> + use<'a> {
        let (one, many) = match *self {
            Self::One(group) => (Some(group), None),
            Self::Many(groups) => (None, Some(groups)),
        };
        one.into_iter().chain(many.into_iter().flatten())
    }
}

/// What is asked about one group.
#[derive(Clone, Copy, PartialEq, Debug)]
pub struct OffsetFetchGroup<'a> {
    /// The group.
    pub group_id: &'a str,
    /// The member that asks (v9+).
    pub member_id: Option<&'a str>,
    /// Its epoch (v9+), or -1.
    pub member_epoch: i32,
    /// The topics, in the order of the request; none asks for all that is committed (v2+).
    pub topics: Option<Array<'a, OffsetFetchTopic<'a>>>,
}

/// What is asked about one topic.
#[derive(Clone, Copy, PartialEq, Debug)]
pub struct OffsetFetchTopic<'a> {
    /// Name up to v9, id from v10 on.
    pub topic: TopicRef<'a>,
    /// The partitions, in the order of the request.
    pub partitions: Array<'a, PartitionIndex>,
}

impl<'a> OffsetFetchRequest<'a> {
    /// Reads the body. `body` is the cursor that the header left behind.
    pub fn decode(body: Cursor<'a>, version: i16) -> Result<Self, WireError> {
        if !API.has_version(version) {
            return Err(body.error(Fault::UnknownVersion { version }));
        }
        let mut cursor = body.flexible(API.is_flexible(version));
        let groups = if version >= GROUPS_SINCE {
            Groups::Many(Array::read(&mut cursor, version)?)
        } else {
            let group_id = cursor.string()?;
            let topics = if version >= 2 {
                Array::read_nullable(&mut cursor, version)?
            } else {
                Some(Array::read(&mut cursor, version)?)
            };
            Groups::One(OffsetFetchGroup { group_id, member_id: None, member_epoch: -1, topics })
        };
        let require_stable = if version >= 7 { cursor.bool()? } else { false };
        cursor.skip_tags()?;
        Ok(Self { groups, require_stable })
    }
}

impl<'a> Element<'a> for OffsetFetchGroup<'a> {
    const BYTES_MIN: usize = 3;

    fn read(cursor: &mut Cursor<'a>, version: i16) -> Result<Self, WireError> {
        let read = Self {
            group_id: cursor.string()?,
            member_id: if version >= 9 { cursor.nullable_string()? } else { None },
            member_epoch: if version >= 9 { cursor.i32()? } else { -1 },
            topics: Array::read_nullable(cursor, version)?,
        };
        cursor.skip_tags()?;
        Ok(read)
    }
}

impl<'a> Element<'a> for OffsetFetchTopic<'a> {
    const BYTES_MIN: usize = 3;

    fn read(cursor: &mut Cursor<'a>, version: i16) -> Result<Self, WireError> {
        let topic = TopicRef::read(cursor, version >= TOPIC_IDS_FROM)?;
        let partitions = Array::read(cursor, version)?;
        cursor.skip_tags()?;
        Ok(Self { topic, partitions })
    }
}

/// The answer about one partition.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct FetchedOffset<'a> {
    /// Which.
    pub index: PartitionIndex,
    /// The next record to read, or -1.
    pub offset: Offset,
    /// Of the last record that was read (v5+), or -1.
    pub leader_epoch: LeaderEpoch,
    /// What the client wanted to remember. Brokers of today do not say null.
    pub metadata: Option<&'a str>,
    /// What went wrong, if anything.
    pub error: ErrorCode,
}

impl FetchedOffset<'_> {
    /// No offset, with or without an error.
    #[must_use]
    pub const fn none(index: PartitionIndex, error: ErrorCode) -> Self {
        Self { index, offset: Offset(-1), leader_epoch: LeaderEpoch::NONE, metadata: Some(""), error }
    }
}

/// Writes the partitions of one topic behind what `out` holds, their number in front.
pub fn write_partitions<'a>(
    out: &mut Vec<u8>,
    version: i16,
    partitions: impl ExactSizeIterator<Item = FetchedOffset<'a>>,
) {
    let mut writer = Writer::bare(out, API.is_flexible(version));
    writer.length(Some(partitions.len()));
    for partition in partitions {
        writer.i32(partition.index.0);
        writer.i64(partition.offset.0);
        if version >= 5 {
            writer.i32(partition.leader_epoch.0);
        }
        writer.nullable_string(partition.metadata);
        writer.error(partition.error);
        writer.no_tags();
    }
}

/// Writes the answer: for each group [`OffsetFetchResponseWriter::group`], its topics, and
/// [`OffsetFetchResponseWriter::end_group`]; at last [`OffsetFetchResponseWriter::finish`]. All numbers are told before.
#[derive(Debug)]
pub struct OffsetFetchResponseWriter<'o> {
    writer: Writer<'o>,
    version: i16,
    groups_left: usize,
    topics_left: usize,
}

impl<'o> OffsetFetchResponseWriter<'o> {
    /// Begins a frame behind what `out` holds, with so many groups to come: one, before v8. The pause that the client
    /// is asked for (v3+) is in milliseconds.
    pub fn new(
        out: &'o mut Vec<u8>,
        correlation_id: i32,
        version: i16,
        throttle_time_ms: i32,
        group_count: usize,
    ) -> Self {
        debug_assert!(version >= GROUPS_SINCE || group_count == 1, "{group_count} groups in v{version}");
        let mut writer = begin_response(out, API, version, correlation_id);
        if version >= 3 {
            writer.i32(throttle_time_ms);
        }
        if version >= GROUPS_SINCE {
            writer.length(Some(group_count));
        }
        Self { writer, version, groups_left: group_count, topics_left: 0 }
    }

    /// Begins a group with so many topics to come. Its id is not told before v8.
    pub fn group(&mut self, group_id: &str, topic_count: usize) {
        debug_assert!(self.groups_left > 0 && self.topics_left == 0, "a group that was not announced");
        if self.version >= GROUPS_SINCE {
            self.writer.string(group_id);
        }
        self.writer.length(Some(topic_count));
        self.topics_left = topic_count;
    }

    /// The next topic of the group, named in the way of the version. `partitions` gets the buffer, and calls
    /// [`write_partitions`] once, in the same version.
    pub fn topic(&mut self, topic: TopicRef<'_>, partitions: impl FnOnce(&mut Vec<u8>)) {
        debug_assert!(self.topics_left > 0, "a topic that was not announced");
        self.topics_left = self.topics_left.saturating_sub(1);
        topic.write(&mut self.writer, self.version >= TOPIC_IDS_FROM);
        partitions(self.writer.buffer());
        self.writer.no_tags();
    }

    /// Ends the group with what went wrong as a whole, if anything. v1 cannot say ([`GROUP_ERROR_SINCE`]).
    pub fn end_group(&mut self, error: ErrorCode) {
        debug_assert!(self.topics_left == 0, "{} topics are missing", self.topics_left);
        self.groups_left = self.groups_left.saturating_sub(1);
        if self.version >= GROUP_ERROR_SINCE {
            self.writer.error(error);
        }
        if self.version >= GROUPS_SINCE {
            self.writer.no_tags();
        }
    }

    /// Ends the frame.
    pub fn finish(mut self) {
        debug_assert!(self.groups_left == 0, "{} groups are missing", self.groups_left);
        self.writer.no_tags();
        self.writer.end_frame(0);
    }
}
