//! The request, read by the leader and written by the follower.

use super::{API, TOPIC_IDS_FROM};
use crate::ids::{BrokerId, LeaderEpoch, Offset, PartitionIndex, TopicId};
use crate::wire::common::{TopicRef, TopicsWriter};
use crate::wire::cursor::{Array, Cursor, Element, Fault, WireError};
use crate::wire::header::begin_request;
use crate::wire::writer::Writer;

/// The high watermark of those who do not tell theirs.
pub const UNKNOWN_HIGH_WATERMARK: Offset = Offset(i64::MAX);

/// What a fetch request says beside its topics.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct FetchRequestHead<'a> {
    /// The cluster that the follower takes this one for (v12+).
    pub cluster_id: Option<&'a str>,
    /// The follower; -1 is a consumer, -2 a debugging consumer.
    pub replica_id: BrokerId,
    /// The broker epoch of the follower (v15+), or -1.
    pub replica_epoch: i64,
    /// How long to wait for `min_bytes`, milliseconds.
    pub max_wait_ms: i32,
    /// The fewest bytes worth an answer.
    pub min_bytes: i32,
    /// The most bytes of records that the answer should hold.
    pub max_bytes: i32,
    /// 0 reads everything, 1 only what is committed.
    pub isolation_level: i8,
    /// The fetch session, or 0 (v7+).
    pub session_id: i32,
    /// The request's number in its session; 0 asks for a new one, -1 for none (v7+).
    pub session_epoch: i32,
    /// The consumer's rack, or nothing (v11+).
    pub rack_id: &'a str,
}

impl Default for FetchRequestHead<'_> {
    /// Kafka's defaults: a consumer without a session, at once.
    fn default() -> Self {
        Self {
            cluster_id: None,
            replica_id: BrokerId(-1),
            replica_epoch: -1,
            max_wait_ms: 0,
            min_bytes: 0,
            max_bytes: i32::MAX,
            isolation_level: 0,
            session_id: 0,
            session_epoch: -1,
            rack_id: "",
        }
    }
}

/// A fetch request, checked to its end.
#[derive(Clone, Copy, PartialEq, Debug)]
pub struct FetchRequest<'a> {
    /// All but the topics. What the version does not carry has its default.
    pub head: FetchRequestHead<'a>,
    /// The topics to read; in a session, those new or changed.
    pub topics: Array<'a, FetchTopic<'a>>,
    /// The partitions to take out of the session (v7+).
    pub forgotten: Array<'a, ForgottenTopic<'a>>,
}

/// The partitions of one topic to read.
#[derive(Clone, Copy, PartialEq, Debug)]
pub struct FetchTopic<'a> {
    /// Name up to v12, id from v13 on.
    pub topic: TopicRef<'a>,
    /// The partitions, in the order of the request.
    pub partitions: Array<'a, FetchPartition>,
}

/// One partition to read, and from where.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct FetchPartition {
    /// Which.
    pub index: PartitionIndex,
    /// The epoch of the leader that is asked (v9+); -1 does not say.
    pub current_leader_epoch: LeaderEpoch,
    /// The first offset wanted.
    pub fetch_offset: Offset,
    /// The epoch of the last record that the follower has (v12+), or -1.
    pub last_fetched_epoch: LeaderEpoch,
    /// The first offset of the follower's log (v5+); -1 from consumers.
    pub log_start_offset: Offset,
    /// The most bytes to read.
    pub max_bytes: i32,
    /// The directory that the follower keeps the partition in (v17+), or zero.
    pub replica_directory_id: TopicId,
    /// The high watermark that the follower knows (v18+), or [`UNKNOWN_HIGH_WATERMARK`].
    pub high_watermark: Offset,
}

impl Default for FetchPartition {
    /// Kafka's defaults.
    fn default() -> Self {
        Self {
            index: PartitionIndex(0),
            current_leader_epoch: LeaderEpoch::NONE,
            fetch_offset: Offset(0),
            last_fetched_epoch: LeaderEpoch::NONE,
            log_start_offset: Offset(-1),
            max_bytes: 0,
            replica_directory_id: TopicId::ZERO,
            high_watermark: UNKNOWN_HIGH_WATERMARK,
        }
    }
}

/// Partitions of one topic that the session shall forget.
#[derive(Clone, Copy, PartialEq, Debug)]
pub struct ForgottenTopic<'a> {
    /// Name up to v12, id from v13 on.
    pub topic: TopicRef<'a>,
    /// The indexes of the partitions.
    pub partitions: Array<'a, PartitionIndex>,
}

impl<'a> FetchRequest<'a> {
    /// Reads the body. `body` is the cursor that the header left behind.
    pub fn decode(body: Cursor<'a>, version: i16) -> Result<Self, WireError> {
        if !API.has_version(version) {
            return Err(body.error(Fault::UnknownVersion { version }));
        }
        let mut cursor = body.flexible(API.is_flexible(version));
        let mut head = FetchRequestHead::default();
        if version < 15 {
            head.replica_id = BrokerId(cursor.i32()?);
        }
        head.max_wait_ms = cursor.i32()?;
        head.min_bytes = cursor.i32()?;
        head.max_bytes = cursor.i32()?;
        head.isolation_level = cursor.i8()?;
        if version >= 7 {
            head.session_id = cursor.i32()?;
            head.session_epoch = cursor.i32()?;
        }
        let topics = Array::read(&mut cursor, version)?;
        let forgotten = if version >= 7 { Array::read(&mut cursor, version)? } else { Array::empty() };
        if version >= 11 {
            head.rack_id = cursor.string()?;
        }
        cursor.tags(|tag, content| {
            match tag {
                0 => head.cluster_id = content.nullable_string()?,
                1 if version >= 15 => {
                    head.replica_id = BrokerId(content.i32()?);
                    head.replica_epoch = content.i64()?;
                    content.skip_tags()?;
                }
                _ => return Ok(false),
            }
            Ok(true)
        })?;
        Ok(Self { head, topics, forgotten })
    }

    /// All partitions with their topics, in the order of the request.
    pub fn partitions(&self) -> impl Iterator<Item = (TopicRef<'a>, FetchPartition)> + use<'a> {
        self.topics.iter().flat_map(|topic| topic.partitions.iter().map(move |partition| (topic.topic, partition)))
    }
}

impl<'a> Element<'a> for FetchTopic<'a> {
    const BYTES_MIN: usize = 3;

    fn read(cursor: &mut Cursor<'a>, version: i16) -> Result<Self, WireError> {
        let topic = TopicRef::read(cursor, version >= TOPIC_IDS_FROM)?;
        let partitions = Array::read(cursor, version)?;
        cursor.skip_tags()?;
        Ok(Self { topic, partitions })
    }
}

impl<'a> Element<'a> for FetchPartition {
    const BYTES_MIN: usize = 16;

    fn read(cursor: &mut Cursor<'a>, version: i16) -> Result<Self, WireError> {
        let mut read = Self { index: PartitionIndex(cursor.i32()?), ..Self::default() };
        if version >= 9 {
            read.current_leader_epoch = LeaderEpoch(cursor.i32()?);
        }
        read.fetch_offset = Offset(cursor.i64()?);
        if version >= 12 {
            read.last_fetched_epoch = LeaderEpoch(cursor.i32()?);
        }
        if version >= 5 {
            read.log_start_offset = Offset(cursor.i64()?);
        }
        read.max_bytes = cursor.i32()?;
        cursor.tags(|tag, content| {
            match tag {
                0 if version >= 17 => read.replica_directory_id = content.uuid()?,
                1 if version >= 18 => read.high_watermark = Offset(content.i64()?),
                _ => return Ok(false),
            }
            Ok(true)
        })?;
        Ok(read)
    }
}

impl<'a> Element<'a> for ForgottenTopic<'a> {
    const BYTES_MIN: usize = 3;

    fn read(cursor: &mut Cursor<'a>, version: i16) -> Result<Self, WireError> {
        let topic = TopicRef::read(cursor, version >= TOPIC_IDS_FROM)?;
        let partitions = Array::read(cursor, version)?;
        cursor.skip_tags()?;
        Ok(Self { topic, partitions })
    }
}

/// Writes a fetch request, into the buffer of the connection to the leader.
///
/// For each topic [`FetchRequestWriter::topic`], then its partitions; then the topics that the session shall forget; at
/// last [`FetchRequestWriter::finish`]. What the version does not carry is left out.
#[derive(Debug)]
pub struct FetchRequestWriter<'o, 'h> {
    writer: Writer<'o>,
    version: i16,
    head: FetchRequestHead<'h>,
    topics: TopicsWriter,
}

impl<'o, 'h> FetchRequestWriter<'o, 'h> {
    /// Begins a frame behind what `out` holds.
    pub fn new(
        out: &'o mut Vec<u8>,
        correlation_id: i32,
        client_id: Option<&str>,
        version: i16,
        head: FetchRequestHead<'h>,
    ) -> Self {
        let mut writer = begin_request(out, API, version, correlation_id, client_id);
        if version < 15 {
            writer.i32(head.replica_id.0);
        }
        writer.i32(head.max_wait_ms);
        writer.i32(head.min_bytes);
        writer.i32(head.max_bytes);
        writer.i8(head.isolation_level);
        if version >= 7 {
            writer.i32(head.session_id);
            writer.i32(head.session_epoch);
        }
        let topics = TopicsWriter::begin(&mut writer, version >= TOPIC_IDS_FROM);
        Self { writer, version, head, topics }
    }

    /// The partitions that follow are of this topic, named in the way of the version.
    pub fn topic(&mut self, topic: TopicRef<'_>) {
        self.topics.topic(&mut self.writer, topic);
    }

    /// The next partition of the topic.
    pub fn partition(&mut self, partition: &FetchPartition) {
        if !self.topics.partition() {
            return;
        }
        let (writer, version) = (&mut self.writer, self.version);
        writer.i32(partition.index.0);
        if version >= 9 {
            writer.i32(partition.current_leader_epoch.0);
        }
        writer.i64(partition.fetch_offset.0);
        if version >= 12 {
            writer.i32(partition.last_fetched_epoch.0);
        }
        if version >= 5 {
            writer.i64(partition.log_start_offset.0);
        }
        writer.i32(partition.max_bytes);
        let directory = version >= 17 && partition.replica_directory_id != TopicId::ZERO;
        let high_watermark = version >= 18 && partition.high_watermark != UNKNOWN_HIGH_WATERMARK;
        writer.tag_count(u32::from(directory) + u32::from(high_watermark));
        if directory {
            writer.tag(0, |writer| writer.uuid(partition.replica_directory_id));
        }
        if high_watermark {
            writer.tag(1, |writer| writer.i64(partition.high_watermark.0));
        }
    }

    /// Ends the frame: the partitions that the session shall forget (v7+), by topic.
    pub fn finish(self, forgotten: &[(TopicRef<'_>, &[PartitionIndex])]) {
        let (mut writer, head, version) = (self.writer, self.head, self.version);
        self.topics.end(&mut writer);
        if version >= 7 {
            writer.length(Some(forgotten.len()));
            for (topic, partitions) in forgotten {
                topic.write(&mut writer, version >= TOPIC_IDS_FROM);
                writer.partitions(partitions);
                writer.no_tags();
            }
        }
        if version >= 11 {
            writer.string(head.rack_id);
        }
        let cluster_id = head.cluster_id.filter(|_| version >= 12);
        let replica = version >= 15 && (head.replica_id, head.replica_epoch) != (BrokerId(-1), -1);
        writer.tag_count(u32::from(cluster_id.is_some()) + u32::from(replica));
        if let Some(cluster_id) = cluster_id {
            writer.tag(0, |writer| writer.string(cluster_id));
        }
        if replica {
            writer.tag(1, |writer| {
                writer.i32(head.replica_id.0);
                writer.i64(head.replica_epoch);
                writer.no_tags();
            });
        }
        writer.end_frame(0);
    }
}
