//! The answer, written by the leader around records that it does not touch, and read by the follower.
//!
//! Records go from the file to the socket. So the answer is encoded with gaps: [`EncodedFetch`] holds the bytes between
//! the records and says where each gap is, and the lengths inside already count what will fill it.

use std::ops::Range;

use super::{API, TOPIC_IDS_FROM};
use crate::error::ErrorCode;
use crate::ids::{BrokerId, LeaderEpoch, Offset, PartitionIndex, ProducerId};
use crate::wire::common::{LeaderIdAndEpoch, NodeEndpoint, TopicRef, TopicsWriter, write_endpoints_tag};
use crate::wire::cursor::{Array, Cursor, Element, Fault, WireError};
use crate::wire::header::begin_response;
use crate::wire::writer::{Moved, Writer};

/// Where the follower's log parts from the leader's (v12+).
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct EpochEndOffset {
    /// The largest epoch that both may share.
    pub epoch: LeaderEpoch,
    /// Where that epoch ends in the leader's log.
    pub end_offset: Offset,
}

/// A snapshot of the metadata log that the follower should fetch instead (v12+).
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct SnapshotId {
    /// The first offset that it does not contain.
    pub end_offset: Offset,
    /// The epoch of the record before that.
    pub epoch: LeaderEpoch,
}

/// A transaction whose records among those returned shall be skipped.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct AbortedTransaction {
    /// Whose.
    pub producer_id: ProducerId,
    /// Its first offset.
    pub first_offset: Offset,
}

/// What is answered for one partition, without its records. `A` is what the aborted transactions are: a slice when
/// written, an array of the message when read.
#[derive(Clone, Copy, PartialEq, Debug)]
pub struct Fetched<A> {
    /// Which.
    pub index: PartitionIndex,
    /// What went wrong, if anything.
    pub error: ErrorCode,
    /// What all in-sync replicas have; -1 after most errors.
    pub high_watermark: Offset,
    /// What no open transaction precedes; -1 when not known.
    pub last_stable_offset: Offset,
    /// First offset of the log (v5+); -1 when not known.
    pub log_start_offset: Offset,
    /// Where the follower must truncate (v12+).
    pub diverging_epoch: Option<EpochEndOffset>,
    /// Who leads, when it is not us (v12+).
    pub current_leader: Option<LeaderIdAndEpoch>,
    /// The snapshot to fetch first (v12+).
    pub snapshot_id: Option<SnapshotId>,
    /// Aborted transactions; none for those who read everything.
    pub aborted_transactions: Option<A>,
    /// Who should be asked instead (v11+); -1 is nobody.
    pub preferred_read_replica: BrokerId,
}

impl<A> Fetched<A> {
    /// A partition that cannot be read.
    #[must_use]
    pub const fn failed(index: PartitionIndex, error: ErrorCode) -> Self {
        Self {
            index,
            error,
            high_watermark: Offset(-1),
            last_stable_offset: Offset(-1),
            log_start_offset: Offset(-1),
            diverging_epoch: None,
            current_leader: None,
            snapshot_id: None,
            aborted_transactions: None,
            preferred_read_replica: BrokerId(-1),
        }
    }
}

/// A piece of an answer, in the order of sending.
#[derive(Clone, PartialEq, Eq, Debug)]
pub enum Part {
    /// These bytes of [`EncodedFetch::bytes`].
    Bytes(Range<usize>),
    /// The records of the partition that was the `slot`-th, from 0, to be written with more than 0 bytes of records:
    /// exactly `len` bytes.
    Records {
        /// Which records.
        slot: usize,
        /// Bytes.
        len: u32,
    },
}

/// A gap in an answer: before the byte at `at` go `len` bytes of records.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
struct Gap {
    at: usize,
    len: u32,
}

/// An answer with gaps where the records go.
#[derive(Clone, PartialEq, Eq, Debug, Default)]
pub struct EncodedFetch {
    /// The bytes between the records, with the length of the frame in front.
    pub bytes: Vec<u8>,
    gaps: Vec<Gap>,
}

impl EncodedFetch {
    /// The pieces to send, in order: bytes and records in turn; no piece is empty.
    pub fn parts(&self) -> impl Iterator<Item = Part> + '_ {
        let ends = self.gaps.iter().map(|gap| (gap.at, Some(gap.len))).chain([(self.bytes.len(), None)]);
        let mut start = 0;
        ends.enumerate().flat_map(move |(slot, (end, len))| {
            let bytes = Some(Part::Bytes(start..end)).filter(|_| start < end);
            start = end;
            bytes.into_iter().chain(len.map(|len| Part::Records { slot, len }))
        })
    }

    /// Bytes that go over the wire: those held here and all records.
    #[must_use]
    pub fn total_bytes(&self) -> u64 {
        self.bytes.len() as u64 + self.gaps.iter().map(|gap| u64::from(gap.len)).sum::<u64>()
    }

    /// Forgets the answer and keeps the memory, for the next.
    pub fn clear(&mut self) {
        self.bytes.clear();
        self.gaps.clear();
    }
}

/// Writes the answer to a fetch request.
///
/// For each topic [`FetchResponseWriter::topic`], then its partitions; at last [`FetchResponseWriter::finish`]. What the
/// version does not carry is left out.
#[derive(Debug)]
pub struct FetchResponseWriter<'o> {
    writer: Writer<'o>,
    gaps: &'o mut Vec<Gap>,
    version: i16,
    topics: TopicsWriter,
    records_bytes: usize,
}

impl<'o> FetchResponseWriter<'o> {
    /// Begins an answer in `out`, whose memory is reused. `error` is the session's (v7+); with one there are no topics.
    pub fn new(
        out: &'o mut EncodedFetch,
        correlation_id: i32,
        version: i16,
        throttle_time_ms: i32,
        error: ErrorCode,
        session_id: i32,
    ) -> Self {
        out.clear();
        let mut writer = begin_response(&mut out.bytes, API, version, correlation_id);
        writer.i32(throttle_time_ms);
        if version >= 7 {
            writer.error(error);
            writer.i32(session_id);
        }
        let topics = TopicsWriter::begin(&mut writer, version >= TOPIC_IDS_FROM);
        Self { writer, gaps: &mut out.gaps, version, topics, records_bytes: 0 }
    }

    /// The partitions that follow are of this topic, named in the way of the version.
    pub fn topic(&mut self, topic: TopicRef<'_>) {
        let moved = self.topics.topic(&mut self.writer, topic);
        shift(self.gaps, moved);
    }

    /// The next partition of the topic, with `records_len` bytes of records to be sent in their place; none is a null.
    /// Together the records of an answer must stay below 2 GiB: the request's `max_bytes` sees to that, but for one batch.
    pub fn partition(&mut self, fetched: &Fetched<&[AbortedTransaction]>, records_len: Option<u32>) {
        if !self.topics.partition() {
            return;
        }
        let (writer, version) = (&mut self.writer, self.version);
        writer.i32(fetched.index.0);
        writer.error(fetched.error);
        writer.i64(fetched.high_watermark.0);
        writer.i64(fetched.last_stable_offset.0);
        if version >= 5 {
            writer.i64(fetched.log_start_offset.0);
        }
        writer.length(fetched.aborted_transactions.map(<[_]>::len));
        for aborted in fetched.aborted_transactions.unwrap_or_default() {
            writer.i64(aborted.producer_id.0);
            writer.i64(aborted.first_offset.0);
            writer.no_tags();
        }
        if version >= 11 {
            writer.i32(fetched.preferred_read_replica.0);
        }
        writer.length(records_len.map(|len| len as usize));
        if let Some(len) = records_len.filter(|len| *len > 0) {
            self.gaps.push(Gap { at: writer.position(), len });
            self.records_bytes += len as usize;
        }
        if version >= 12 {
            write_partition_tags(writer, fetched);
        }
    }

    /// Ends the answer: where the leaders named are (v16+).
    pub fn finish(mut self, endpoints: &[NodeEndpoint<'_>]) {
        for moved in self.topics.end(&mut self.writer) {
            shift(self.gaps, moved);
        }
        write_endpoints_tag(&mut self.writer, if self.version >= 16 { endpoints } else { &[] });
        self.writer.end_frame(self.records_bytes);
    }
}

/// Gaps behind a length that grew have moved with the bytes around them.
fn shift(gaps: &mut [Gap], moved: Option<Moved>) {
    let Some(moved) = moved else { return };
    for gap in gaps.iter_mut().rev().take_while(|gap| gap.at >= moved.from) {
        gap.at += moved.by;
    }
}

fn write_partition_tags<A>(writer: &mut Writer<'_>, fetched: &Fetched<A>) {
    let diverging = fetched.diverging_epoch.filter(|end| (end.epoch, end.end_offset) != (LeaderEpoch(-1), Offset(-1)));
    let leader = fetched.current_leader.filter(|leader| *leader != LeaderIdAndEpoch::UNKNOWN);
    let snapshot = fetched.snapshot_id.filter(|id| (id.epoch, id.end_offset) != (LeaderEpoch(-1), Offset(-1)));
    writer.tag_count(u32::from(diverging.is_some()) + u32::from(leader.is_some()) + u32::from(snapshot.is_some()));
    if let Some(diverging) = diverging {
        writer.tag(0, |writer| {
            writer.i32(diverging.epoch.0);
            writer.i64(diverging.end_offset.0);
            writer.no_tags();
        });
    }
    if let Some(leader) = leader {
        writer.tag(1, |writer| leader.write(writer));
    }
    if let Some(snapshot) = snapshot {
        writer.tag(2, |writer| {
            writer.i64(snapshot.end_offset.0);
            writer.i32(snapshot.epoch.0);
            writer.no_tags();
        });
    }
}

/// The aborted transactions of an answer that was read.
pub type Aborted<'a> = Array<'a, AbortedTransaction>;

/// An answer, checked to its end; the records stay where they are.
#[derive(Clone, Copy, PartialEq, Debug)]
pub struct FetchResponse<'a> {
    /// How long to pause, milliseconds.
    pub throttle_time_ms: i32,
    /// What went wrong with the session (v7+).
    pub error: ErrorCode,
    /// The session, or 0 (v7+).
    pub session_id: i32,
    /// The topics.
    pub topics: Array<'a, FetchedTopic<'a>>,
    /// Where the leaders named are (v16+).
    pub node_endpoints: Array<'a, NodeEndpoint<'a>>,
}

/// What was read from one topic.
#[derive(Clone, Copy, PartialEq, Debug)]
pub struct FetchedTopic<'a> {
    /// Name up to v12, id from v13 on.
    pub topic: TopicRef<'a>,
    /// Its partitions.
    pub partitions: Array<'a, FetchedPartition<'a>>,
}

/// What was read from one partition.
#[derive(Clone, Copy, PartialEq, Debug)]
pub struct FetchedPartition<'a> {
    /// All but the records. What the version does not carry has its default.
    pub fetched: Fetched<Aborted<'a>>,
    /// The batches, a range of the frame, the last of them perhaps cut short; nothing in them is checked.
    pub records: Option<&'a [u8]>,
}

impl<'a> FetchResponse<'a> {
    /// Reads the body. `body` is the cursor that the header left behind.
    pub fn decode(body: Cursor<'a>, version: i16) -> Result<Self, WireError> {
        if !API.has_version(version) {
            return Err(body.error(Fault::UnknownVersion { version }));
        }
        let mut cursor = body.flexible(API.is_flexible(version));
        let throttle_time_ms = cursor.i32()?;
        let (error, session_id) =
            if version >= 7 { (cursor.error_code()?, cursor.i32()?) } else { (ErrorCode::None, 0) };
        let topics = Array::read(&mut cursor, version)?;
        let mut node_endpoints = Array::empty();
        cursor.tags(|tag, content| {
            if tag != 0 || version < 16 {
                return Ok(false);
            }
            node_endpoints = Array::read(content, version)?;
            Ok(true)
        })?;
        Ok(Self { throttle_time_ms, error, session_id, topics, node_endpoints })
    }
}

impl<'a> Element<'a> for FetchedTopic<'a> {
    const BYTES_MIN: usize = 3;

    fn read(cursor: &mut Cursor<'a>, version: i16) -> Result<Self, WireError> {
        let topic = TopicRef::read(cursor, version >= TOPIC_IDS_FROM)?;
        let partitions = Array::read(cursor, version)?;
        cursor.skip_tags()?;
        Ok(Self { topic, partitions })
    }
}

impl<'a> Element<'a> for FetchedPartition<'a> {
    const BYTES_MIN: usize = 24;

    fn read(cursor: &mut Cursor<'a>, version: i16) -> Result<Self, WireError> {
        let mut fetched = Fetched::failed(PartitionIndex(cursor.i32()?), cursor.error_code()?);
        fetched.high_watermark = Offset(cursor.i64()?);
        fetched.last_stable_offset = Offset(cursor.i64()?);
        if version >= 5 {
            fetched.log_start_offset = Offset(cursor.i64()?);
        }
        fetched.aborted_transactions = Array::read_nullable(cursor, version)?;
        if version >= 11 {
            fetched.preferred_read_replica = BrokerId(cursor.i32()?);
        }
        let records = cursor.nullable_bytes()?;
        cursor.tags(|tag, content| {
            match tag {
                0 => {
                    let (epoch, end_offset) = (LeaderEpoch(content.i32()?), Offset(content.i64()?));
                    content.skip_tags()?;
                    fetched.diverging_epoch = Some(EpochEndOffset { epoch, end_offset });
                }
                1 => fetched.current_leader = Some(LeaderIdAndEpoch::read(content)?),
                2 => {
                    let (end_offset, epoch) = (Offset(content.i64()?), LeaderEpoch(content.i32()?));
                    content.skip_tags()?;
                    fetched.snapshot_id = Some(SnapshotId { end_offset, epoch });
                }
                _ => return Ok(false),
            }
            Ok(true)
        })?;
        Ok(Self { fetched, records })
    }
}

impl<'a> Element<'a> for AbortedTransaction {
    const BYTES_MIN: usize = 16;

    fn read(cursor: &mut Cursor<'a>, _version: i16) -> Result<Self, WireError> {
        let read = Self { producer_id: ProducerId(cursor.i64()?), first_offset: Offset(cursor.i64()?) };
        cursor.skip_tags()?;
        Ok(read)
    }
}
