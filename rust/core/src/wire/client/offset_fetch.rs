//! `OffsetFetch` (9), from the consumer's side.

use super::Call;
use crate::error::ErrorCode;
use crate::ids::{LeaderEpoch, Offset, PartitionIndex};
use crate::wire::common::TopicRef;
use crate::wire::cursor::{Array, Cursor, Element, Fault, WireError};
use crate::wire::offset_fetch::{API, FetchedOffset, GROUP_ERROR_SINCE, GROUPS_SINCE, TOPIC_IDS_FROM};
use crate::wire::writer::Writer;

/// What to ask about one group. The fields are those of [`crate::wire::offset_fetch::OffsetFetchGroup`].
#[derive(Clone, Copy, PartialEq, Debug)]
pub struct GroupQuestion<'a> {
    /// The group.
    pub group_id: &'a str,
    /// The member that asks (v9+).
    pub member_id: Option<&'a str>,
    /// Its epoch (v9+), or -1.
    pub member_epoch: i32,
    /// The topics, each with its partitions; none asks for all that is committed (v2+).
    pub topics: Option<&'a [(TopicRef<'a>, &'a [PartitionIndex])]>,
}

/// Encodes a request as a frame behind what `out` holds: about the last group before v8. What the version does not
/// carry is left out.
pub fn encode_request(out: &mut Vec<u8>, call: &Call<'_>, groups: &[GroupQuestion<'_>], require_stable: bool) {
    let mut writer = call.begin(out, API);
    if call.version >= GROUPS_SINCE {
        writer.length(Some(groups.len()));
        for group in groups {
            writer.string(group.group_id);
            if call.version >= 9 {
                writer.nullable_string(group.member_id);
                writer.i32(group.member_epoch);
            }
            write_topics(&mut writer, call.version, group);
            writer.no_tags();
        }
    } else if let Some(group) = groups.last() {
        writer.string(group.group_id);
        write_topics(&mut writer, call.version, group);
    }
    if call.version >= 7 {
        writer.bool(require_stable);
    }
    writer.no_tags();
    writer.end_frame(0);
}

fn write_topics(writer: &mut Writer<'_>, version: i16, group: &GroupQuestion<'_>) {
    debug_assert!(version >= 2 || group.topics.is_some(), "v1 cannot ask for all");
    writer.length(group.topics.map(<[_]>::len));
    for (topic, partitions) in group.topics.unwrap_or_default() {
        topic.write(writer, version >= TOPIC_IDS_FROM);
        writer.partitions(partitions);
        writer.no_tags();
    }
}

/// An answer, checked to its end.
#[derive(Clone, Copy, PartialEq, Debug)]
pub struct OffsetFetchResponse<'a> {
    /// How long to pause, milliseconds; 0 before v3.
    pub throttle_time_ms: i32,
    one: Option<FetchedGroup<'a>>,
    many: Option<Array<'a, FetchedGroup<'a>>>,
}

/// The answer about one group.
#[derive(Clone, Copy, PartialEq, Debug)]
pub struct FetchedGroup<'a> {
    /// The group; empty before v8.
    pub group_id: &'a str,
    /// Its topics.
    pub topics: Array<'a, FetchedTopic<'a>>,
    /// What went wrong as a whole (v2+), if anything.
    pub error: ErrorCode,
}

/// The answer about one topic.
#[derive(Clone, Copy, PartialEq, Debug)]
pub struct FetchedTopic<'a> {
    /// Name up to v9, id from v10 on.
    pub topic: TopicRef<'a>,
    /// Its partitions.
    pub partitions: Array<'a, FetchedOffset<'a>>,
}

impl<'a> OffsetFetchResponse<'a> {
    /// About each group, in the order of the request; one without an id before v8.
    pub fn groups(&self) -> impl Iterator<Item = FetchedGroup<'a>> + use<'a> {
        self.one.into_iter().chain(self.many.into_iter().flatten())
    }

    /// Reads the body. `body` is the cursor that the header left behind.
    pub fn decode(body: Cursor<'a>, version: i16) -> Result<Self, WireError> {
        if !API.has_version(version) {
            return Err(body.error(Fault::UnknownVersion { version }));
        }
        let mut cursor = body.flexible(API.is_flexible(version));
        let throttle_time_ms = if version >= 3 { cursor.i32()? } else { 0 };
        let (one, many) = if version >= GROUPS_SINCE {
            (None, Some(Array::read(&mut cursor, version)?))
        } else {
            let topics = Array::read(&mut cursor, version)?;
            let error = if version >= GROUP_ERROR_SINCE { cursor.error_code()? } else { ErrorCode::None };
            (Some(FetchedGroup { group_id: "", topics, error }), None)
        };
        cursor.skip_tags()?;
        Ok(Self { throttle_time_ms, one, many })
    }
}

impl<'a> Element<'a> for FetchedGroup<'a> {
    const BYTES_MIN: usize = 5;

    fn read(cursor: &mut Cursor<'a>, version: i16) -> Result<Self, WireError> {
        let (group_id, topics) = (cursor.string()?, Array::read(cursor, version)?);
        let read = Self { group_id, topics, error: cursor.error_code()? };
        cursor.skip_tags()?;
        Ok(read)
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

impl<'a> Element<'a> for FetchedOffset<'a> {
    const BYTES_MIN: usize = 16;

    fn read(cursor: &mut Cursor<'a>, version: i16) -> Result<Self, WireError> {
        let read = Self {
            index: PartitionIndex(cursor.i32()?),
            offset: Offset(cursor.i64()?),
            leader_epoch: if version >= 5 { LeaderEpoch(cursor.i32()?) } else { LeaderEpoch::NONE },
            metadata: cursor.nullable_string()?,
            error: cursor.error_code()?,
        };
        cursor.skip_tags()?;
        Ok(read)
    }
}
