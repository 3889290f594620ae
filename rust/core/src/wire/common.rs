//! Small structs that several messages carry.

use super::cursor::{Cursor, Element, WireError};
use super::writer::{Moved, OpenArray, Writer};
use crate::ids::{BrokerId, LeaderEpoch, TopicId};

/// A topic as a request names it: by name in older versions, by id in newer.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug)]
pub enum TopicRef<'a> {
    /// By its name.
    Name(&'a str),
    /// By its id.
    Id(TopicId),
}

impl<'a> TopicRef<'a> {
    pub(super) fn read(cursor: &mut Cursor<'a>, by_id: bool) -> Result<Self, WireError> {
        if by_id { cursor.uuid().map(Self::Id) } else { cursor.string().map(Self::Name) }
    }

    /// What the version does not carry is written as nothing: an empty name, a zero id. Ours to avoid.
    pub(super) fn write(self, writer: &mut Writer<'_>, by_id: bool) {
        debug_assert_eq!(by_id, matches!(self, Self::Id(_)), "the version names topics in one way");
        match (self, by_id) {
            (Self::Id(id), true) => writer.uuid(id),
            (Self::Name(_), true) => writer.uuid(TopicId::ZERO),
            (Self::Name(name), false) => writer.string(name),
            (Self::Id(_), false) => writer.string(""),
        }
    }
}

/// Streams the two levels that most data-plane messages have: topics, each with its partitions.
#[derive(Debug)]
pub(super) struct TopicsWriter {
    topics: OpenArray,
    topic_count: usize,
    /// The partitions of the topic that is being written, and how many there are so far.
    partitions: Option<(OpenArray, usize)>,
    by_id: bool,
}

impl TopicsWriter {
    pub(super) fn begin(writer: &mut Writer<'_>, by_id: bool) -> Self {
        Self { topics: writer.begin_array(), topic_count: 0, partitions: None, by_id }
    }

    /// Ends the topic before and begins the next.
    pub(super) fn topic(&mut self, writer: &mut Writer<'_>, topic: TopicRef<'_>) -> Option<Moved> {
        let moved = self.end_topic(writer);
        topic.write(writer, self.by_id);
        self.partitions = Some((writer.begin_array(), 0));
        self.topic_count += 1;
        moved
    }

    /// Counts a partition that the caller writes; false, and a bug of the caller, when there is no topic yet.
    #[must_use]
    pub(super) fn partition(&mut self) -> bool {
        debug_assert!(self.partitions.is_some(), "a partition before its topic");
        if let Some((_, count)) = &mut self.partitions {
            *count += 1;
        }
        self.partitions.is_some()
    }

    fn end_topic(&mut self, writer: &mut Writer<'_>) -> Option<Moved> {
        let (partitions, count) = self.partitions.take()?;
        let moved = writer.end_array(partitions, count);
        writer.no_tags();
        moved
    }

    /// Ends the last topic, and the topics; says what moved, in this order.
    pub(super) fn end(mut self, writer: &mut Writer<'_>) -> [Option<Moved>; 2] {
        [self.end_topic(writer), writer.end_array(self.topics, self.topic_count)]
    }
}

/// Who leads a partition, told to a client that asked somebody else (KIP-951).
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct LeaderIdAndEpoch {
    /// The leader; -1 when there is none.
    pub leader: BrokerId,
    /// Its epoch.
    pub epoch: LeaderEpoch,
}

impl LeaderIdAndEpoch {
    pub(super) const UNKNOWN: Self = Self { leader: BrokerId(-1), epoch: LeaderEpoch::NONE };

    pub(super) fn read(cursor: &mut Cursor<'_>) -> Result<Self, WireError> {
        let read = Self { leader: BrokerId(cursor.i32()?), epoch: LeaderEpoch(cursor.i32()?) };
        cursor.skip_tags()?;
        Ok(read)
    }

    pub(super) fn write(self, writer: &mut Writer<'_>) {
        writer.i32(self.leader.0);
        writer.i32(self.epoch.0);
        writer.no_tags();
    }
}

/// Where a broker can be reached on the listener that the request came by.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct NodeEndpoint<'a> {
    /// The broker.
    pub node: BrokerId,
    /// Its name or address.
    pub host: &'a str,
    /// Its port; 32 bits on the wire.
    pub port: i32,
    /// Its rack, if it has one.
    pub rack: Option<&'a str>,
}

impl NodeEndpoint<'_> {
    fn write(&self, writer: &mut Writer<'_>) {
        writer.i32(self.node.0);
        writer.string(self.host);
        writer.i32(self.port);
        writer.nullable_string(self.rack);
        writer.no_tags();
    }
}

impl<'a> Element<'a> for NodeEndpoint<'a> {
    const BYTES_MIN: usize = 11;

    fn read(cursor: &mut Cursor<'a>, _version: i16) -> Result<Self, WireError> {
        let read = Self {
            node: BrokerId(cursor.i32()?),
            host: cursor.string()?,
            port: cursor.i32()?,
            rack: cursor.nullable_string()?,
        };
        cursor.skip_tags()?;
        Ok(read)
    }
}

/// The tagged fields of an answer whose only one, number 0, is the list of endpoints.
pub(super) fn write_endpoints_tag(writer: &mut Writer<'_>, endpoints: &[NodeEndpoint<'_>]) {
    if endpoints.is_empty() {
        writer.no_tags();
        return;
    }
    writer.tag_count(1);
    writer.tag(0, |writer| {
        writer.length(Some(endpoints.len()));
        for endpoint in endpoints {
            endpoint.write(writer);
        }
    });
}
