//! `OffsetFetch` (9): the partitions of an answer. The request, and what stands around these, goes through the
//! interpreter of the declarations: the coordinator of groups decides, and only the long part of its answer comes from here.
//!
//! v5 leader epoch · v6 flexible; those of v8 and later look the same

use super::header::{APIS, Api};
use super::writer::Writer;
use crate::error::ErrorCode;
use crate::ids::{LeaderEpoch, Offset, PartitionIndex};

const API: &Api = &APIS[5];

/// The answer about one partition.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct FetchedOffset<'a> {
    /// Which.
    pub index: PartitionIndex,
    /// The next record to read, or -1.
    pub offset: Offset,
    /// Of the last record that was read (v5+), or -1.
    pub leader_epoch: LeaderEpoch,
    /// What the client wanted to remember.
    pub metadata: &'a str,
    /// What went wrong, if anything.
    pub error: ErrorCode,
}

impl FetchedOffset<'_> {
    /// No offset, with or without an error.
    #[must_use]
    pub const fn none(index: PartitionIndex, error: ErrorCode) -> Self {
        Self { index, offset: Offset(-1), leader_epoch: LeaderEpoch::NONE, metadata: "", error }
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
        writer.string(partition.metadata);
        writer.error(partition.error);
        writer.no_tags();
    }
}
