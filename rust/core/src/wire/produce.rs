//! Produce (0): append these batches.
//!
//! v3 transactional id, magic 2 only · v5 log start offset in the answer · v7 zstd (KIP-110) · v8 record errors and a message
//! (KIP-467) · v9 flexible · v10 who leads now, and where (KIP-951) · v12 the broker adds partitions to the transaction
//! (KIP-890) · v13 topic ids (KIP-516)

use super::common::{LeaderIdAndEpoch, NodeEndpoint, TopicRef, TopicsWriter, write_endpoints_tag};
use super::cursor::{Array, Cursor, Element, Fault, WireError};
use super::header::{APIS, Api, begin_response};
use super::writer::Writer;
use crate::error::ErrorCode;
use crate::ids::{Offset, PartitionIndex, TimestampMs};

pub(super) const API: &Api = &APIS[0];
pub(super) const TOPIC_IDS_FROM: i16 = 13;

/// A produce request, checked to its end; the records stay where they are.
#[derive(Clone, Copy, PartialEq, Debug)]
pub struct ProduceRequest<'a> {
    /// Whose transaction the batches may belong to.
    pub transactional_id: Option<&'a str>,
    /// 0: none, not even an answer; 1: the leader's; -1: those of all in-sync replicas. Any other number is refused,
    /// but with an answer.
    pub acks: i16,
    /// How long to wait for acknowledgements, milliseconds.
    pub timeout_ms: i32,
    /// The topics, in the order of the request.
    pub topics: Array<'a, ProduceTopic<'a>>,
}

/// The batches for one topic.
#[derive(Clone, Copy, PartialEq, Debug)]
pub struct ProduceTopic<'a> {
    /// Name up to v12, id from v13 on.
    pub topic: TopicRef<'a>,
    /// The partitions, in the order of the request.
    pub partitions: Array<'a, ProducePartition<'a>>,
}

/// The batches for one partition.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct ProducePartition<'a> {
    /// Which.
    pub index: PartitionIndex,
    /// The batches, a range of the frame; nothing in them is checked.
    pub records: Option<&'a [u8]>,
}

impl<'a> ProduceRequest<'a> {
    /// Reads the body. `body` is the cursor that the header left behind.
    pub fn decode(body: Cursor<'a>, version: i16) -> Result<Self, WireError> {
        if !API.has_version(version) {
            return Err(body.error(Fault::UnknownVersion { version }));
        }
        let mut cursor = body.flexible(API.is_flexible(version));
        let request = Self {
            transactional_id: cursor.nullable_string()?,
            acks: cursor.i16()?,
            timeout_ms: cursor.i32()?,
            topics: Array::read(&mut cursor, version)?,
        };
        cursor.skip_tags()?;
        Ok(request)
    }

    /// All partitions with their topics, in the order of the request.
    pub fn partitions(&self) -> impl Iterator<Item = (TopicRef<'a>, ProducePartition<'a>)> + use<'a> {
        self.topics.iter().flat_map(|topic| topic.partitions.iter().map(move |partition| (topic.topic, partition)))
    }
}

impl<'a> Element<'a> for ProduceTopic<'a> {
    const BYTES_MIN: usize = 3;

    fn read(cursor: &mut Cursor<'a>, version: i16) -> Result<Self, WireError> {
        let topic = TopicRef::read(cursor, version >= TOPIC_IDS_FROM)?;
        let partitions = Array::read(cursor, version)?;
        cursor.skip_tags()?;
        Ok(Self { topic, partitions })
    }
}

impl<'a> Element<'a> for ProducePartition<'a> {
    const BYTES_MIN: usize = 6;

    fn read(cursor: &mut Cursor<'a>, _version: i16) -> Result<Self, WireError> {
        let index = PartitionIndex(cursor.i32()?);
        let records = cursor.nullable_bytes()?;
        cursor.skip_tags()?;
        Ok(Self { index, records })
    }
}

/// How the append to one partition went.
#[derive(Clone, Copy, PartialEq, Debug)]
pub struct Produced<'a> {
    /// Which.
    pub index: PartitionIndex,
    /// What went wrong, if anything.
    pub error: ErrorCode,
    /// Offset of the first record; -1 after an error.
    pub base_offset: Offset,
    /// The time of append with `LogAppendTime`, else -1.
    pub log_append_time: TimestampMs,
    /// First offset of the log (v5+); -1 after an error.
    pub log_start_offset: Offset,
    /// The records that caused the error (v8+).
    pub record_errors: &'a [RecordError<'a>],
    /// What went wrong, in words (v8+).
    pub error_message: Option<&'a str>,
    /// Who leads, when it is not us (v10+).
    pub current_leader: Option<LeaderIdAndEpoch>,
}

impl Produced<'_> {
    /// An append that failed as a whole, without words.
    #[must_use]
    pub const fn failed(index: PartitionIndex, error: ErrorCode) -> Self {
        Self {
            index,
            error,
            base_offset: Offset(-1),
            log_append_time: TimestampMs::NONE,
            log_start_offset: Offset(-1),
            record_errors: &[],
            error_message: None,
            current_leader: None,
        }
    }
}

/// A record that was refused.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct RecordError<'a> {
    /// Its place in the batch, from 0.
    pub batch_index: i32,
    /// Why.
    pub message: Option<&'a str>,
}

/// Writes the answer to a produce request as results come, into the buffer of the connection.
///
/// For each topic [`ProduceResponseWriter::topic`], then its partitions; at last [`ProduceResponseWriter::finish`].
#[derive(Debug)]
pub struct ProduceResponseWriter<'o> {
    writer: Writer<'o>,
    version: i16,
    topics: TopicsWriter,
}

impl<'o> ProduceResponseWriter<'o> {
    /// Begins a frame behind what `out` holds.
    pub fn new(out: &'o mut Vec<u8>, correlation_id: i32, version: i16) -> Self {
        let mut writer = begin_response(out, API, version, correlation_id);
        let topics = TopicsWriter::begin(&mut writer, version >= TOPIC_IDS_FROM);
        Self { writer, version, topics }
    }

    /// The partitions that follow are of this topic, named in the way of the version.
    pub fn topic(&mut self, topic: TopicRef<'_>) {
        self.topics.topic(&mut self.writer, topic);
    }

    /// The next partition of the topic.
    pub fn partition(&mut self, produced: &Produced<'_>) {
        if !self.topics.partition() {
            return;
        }
        let writer = &mut self.writer;
        writer.i32(produced.index.0);
        writer.error(produced.error);
        writer.i64(produced.base_offset.0);
        writer.i64(produced.log_append_time.0);
        if self.version >= 5 {
            writer.i64(produced.log_start_offset.0);
        }
        if self.version >= 8 {
            writer.length(Some(produced.record_errors.len()));
            for error in produced.record_errors {
                writer.i32(error.batch_index);
                writer.nullable_string(error.message);
                writer.no_tags();
            }
            writer.nullable_string(produced.error_message);
        }
        match produced.current_leader.filter(|leader| self.version >= 10 && *leader != LeaderIdAndEpoch::UNKNOWN) {
            Some(leader) => {
                writer.tag_count(1);
                writer.tag(0, |writer| leader.write(writer));
            }
            None => writer.no_tags(),
        }
    }

    /// Ends the frame: how long the client is asked to pause, milliseconds, and where the leaders named are (v10+).
    pub fn finish(mut self, throttle_time_ms: i32, endpoints: &[NodeEndpoint<'_>]) {
        self.topics.end(&mut self.writer);
        self.writer.i32(throttle_time_ms);
        write_endpoints_tag(&mut self.writer, if self.version >= 10 { endpoints } else { &[] });
        self.writer.end_frame(0);
    }
}
