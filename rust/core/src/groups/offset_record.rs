//! A committed offset as a record of `__consumer_offsets`: what its key and its value look like.
//!
//! The declarations in Python are the one truth (`records/consumer_offsets.py`), and tests hold this codec to them. It is
//! written by hand since a log holds millions of these records and each commit writes one for every partition.
//!
//! Keys are of type 1; type 0 is the oldest, with values of its own, and read only. Values are written in version 4, those
//! with an expiry of their own in version 1, which has neither leader epoch nor topic id.

use std::borrow::Cow;

use crate::ids::{LeaderEpoch, Offset, PartitionIndex, TimestampMs, TopicId};
use crate::wire::writer::Writer;
use crate::wire::{Cursor, Fault, WireError};

/// The type of the key of an offset as it was before version 1 of its value.
const LEGACY: i16 = 0;
const OFFSET: i16 = 1;
const VERSION: i16 = 4;
const VERSION_WITH_EXPIRY: i16 = 1;
/// The first version with tagged fields.
const FLEXIBLE_FROM: i16 = 4;
const TOPIC_ID_TAG: u32 = 0;

/// The longest text of a record: lengths are of 16 bits.
pub const TEXT_BYTES_MAX: usize = i16::MAX as usize;

/// Whose offset it is.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct OffsetKey<'a> {
    /// The group that committed it.
    pub group: Cow<'a, str>,
    /// The topic that was read.
    pub topic: Cow<'a, str>,
    /// The partition of it.
    pub partition: PartitionIndex,
}

/// How far a group has read a partition.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct OffsetValue<'a> {
    /// The next record to read.
    pub offset: Offset,
    /// Of the last record that was read; -1 where that is not known.
    pub leader_epoch: LeaderEpoch,
    /// Whatever the client wanted to remember.
    pub metadata: Cow<'a, str>,
    /// When it was committed.
    pub commit_timestamp: TimestampMs,
    /// When it expires whatever the group does; -1 when nobody said so.
    pub expire_timestamp: TimestampMs,
    /// Of the topic; zero where that is not known.
    pub topic_id: TopicId,
}

/// A text that no record can hold.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct TextTooLong {
    /// Which.
    pub what: &'static str,
    /// How long it is.
    pub bytes: usize,
}

impl std::fmt::Display for TextTooLong {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "the {} has {} bytes, a record holds at most {TEXT_BYTES_MAX}", self.what, self.bytes)
    }
}

impl std::error::Error for TextTooLong {}

/// What a record of a coordinator's topic turns out to be.
#[derive(Clone, PartialEq, Eq, Debug)]
pub enum Read<'a> {
    /// An offset; without a value it is deleted.
    Offset(OffsetKey<'a>, Option<OffsetValue<'a>>),
    /// Something else.
    Other,
}

/// Reads a record. Bytes behind what is known are left alone. An error is of bytes that are none, or of a version that
/// this release does not know.
pub fn read<'a>(key: &'a [u8], value: Option<&'a [u8]>) -> Result<Read<'a>, WireError> {
    let mut cursor = Cursor::new(key);
    let kind = cursor.i16()?;
    if kind != OFFSET && kind != LEGACY {
        return Ok(Read::Other);
    }
    let key = OffsetKey {
        group: cursor.mended_string()?,
        topic: cursor.mended_string()?,
        partition: PartitionIndex(cursor.i32()?),
    };
    let value = value.map(|value| read_value(value, kind == LEGACY)).transpose()?;
    Ok(Read::Offset(key, value))
}

fn read_value(value: &[u8], legacy: bool) -> Result<OffsetValue<'_>, WireError> {
    let mut cursor = Cursor::new(value);
    let start = cursor;
    let version = cursor.i16()?;
    let known = if legacy { 0..=0 } else { 0..=VERSION };
    if !known.contains(&version) {
        return Err(start.error(Fault::UnknownVersion { version }));
    }
    let mut cursor = cursor.flexible(version >= FLEXIBLE_FROM);
    let mut value = OffsetValue {
        offset: Offset(cursor.i64()?),
        leader_epoch: if version >= 3 { LeaderEpoch(cursor.i32()?) } else { LeaderEpoch::NONE },
        metadata: cursor.mended_string()?,
        commit_timestamp: TimestampMs(cursor.i64()?),
        expire_timestamp: if version == VERSION_WITH_EXPIRY { TimestampMs(cursor.i64()?) } else { TimestampMs::NONE },
        topic_id: TopicId::ZERO,
    };
    cursor.tags(|tag, content| {
        if tag == TOPIC_ID_TAG {
            value.topic_id = content.uuid()?;
        }
        Ok(tag == TOPIC_ID_TAG)
    })?;
    Ok(value)
}

/// The bytes of a key.
pub fn write_key(group: &str, topic: &str, partition: PartitionIndex) -> Result<Vec<u8>, TextTooLong> {
    require("name of the group", group)?;
    require("name of the topic", topic)?;
    let mut out = Vec::with_capacity(10 + group.len() + topic.len());
    let mut writer = Writer::bare(&mut out, false);
    writer.i16(OFFSET);
    writer.string(group);
    writer.string(topic);
    writer.i32(partition.0);
    Ok(out)
}

/// The bytes of a value. What its version cannot say is left out.
pub fn write_value(value: &OffsetValue<'_>) -> Result<Vec<u8>, TextTooLong> {
    require("metadata", &value.metadata)?;
    let version = if value.expire_timestamp == TimestampMs::NONE { VERSION } else { VERSION_WITH_EXPIRY };
    let mut out = Vec::with_capacity(48 + value.metadata.len());
    let mut writer = Writer::bare(&mut out, version >= FLEXIBLE_FROM);
    writer.i16(version);
    writer.i64(value.offset.0);
    if version >= 3 {
        writer.i32(value.leader_epoch.0);
    }
    writer.string(&value.metadata);
    writer.i64(value.commit_timestamp.0);
    if version == VERSION_WITH_EXPIRY {
        writer.i64(value.expire_timestamp.0);
    } else if value.topic_id == TopicId::ZERO {
        writer.no_tags();
    } else {
        writer.tag_count(1);
        writer.tag(TOPIC_ID_TAG, |writer| writer.uuid(value.topic_id));
    }
    Ok(out)
}

fn require(what: &'static str, text: &str) -> Result<(), TextTooLong> {
    if text.len() > TEXT_BYTES_MAX { Err(TextTooLong { what, bytes: text.len() }) } else { Ok(()) }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn values() -> impl Strategy<Value = OffsetValue<'static>> {
        let expiry = prop_oneof![3 => Just(-1), 1 => any::<i64>()];
        (any::<i64>(), any::<i32>(), ".{0,20}", any::<i64>(), expiry, any::<[u8; 16]>()).prop_map(
            |(offset, leader_epoch, metadata, committed, expires, topic_id)| OffsetValue {
                offset: Offset(offset),
                leader_epoch: LeaderEpoch(leader_epoch),
                metadata: metadata.into(),
                commit_timestamp: TimestampMs(committed),
                expire_timestamp: TimestampMs(expires),
                topic_id: TopicId(topic_id),
            },
        )
    }

    proptest! {
        #[test]
        fn what_is_written_is_read(group in ".{0,20}", topic in ".{0,20}", partition: i32, value in values()) {
            let key = write_key(&group, &topic, PartitionIndex(partition)).unwrap();
            let written = write_value(&value).unwrap();
            let held = if value.expire_timestamp == TimestampMs::NONE {
                value
            } else {
                OffsetValue { leader_epoch: LeaderEpoch::NONE, topic_id: TopicId::ZERO, ..value }
            };
            let place = OffsetKey { group: group.into(), topic: topic.into(), partition: PartitionIndex(partition) };
            prop_assert_eq!(read(&key, Some(&written)), Ok(Read::Offset(place.clone(), Some(held))));
            prop_assert_eq!(read(&key, None), Ok(Read::Offset(place, None)));
            for cut in 0..key.len() {
                prop_assert!(read(&key[..cut], None).is_err());
            }
            for cut in 0..written.len() {
                prop_assert!(read(&key, Some(&written[..cut])).is_err());
            }
        }

        #[test]
        fn anything_may_stand_in_a_log(key: Vec<u8>, value: Option<Vec<u8>>) {
            let _ = read(&key, value.as_deref());
            let framed: Vec<u8> = [&[0, 1, 0, 0, 0, 0], &key[..]].concat();
            let _ = read(&framed, value.as_deref());
        }
    }

    #[test]
    fn text_that_no_record_holds_is_refused() {
        let long = "x".repeat(TEXT_BYTES_MAX + 1);
        let error = write_key(&long, "t", PartitionIndex(0)).unwrap_err();
        assert_eq!(error, TextTooLong { what: "name of the group", bytes: TEXT_BYTES_MAX + 1 });
        assert!(write_key(&long[1..], "t", PartitionIndex(0)).is_ok());
    }
}
