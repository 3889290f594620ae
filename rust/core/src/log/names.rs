//! The names of files in a partition's directory, and of partition directories (Kafka classes `LogFileUtils`, `LocalLog`).

use std::fmt::Write as _;

use crate::ids::{Offset, PartitionIndex};

/// The longest file name that every file system takes.
const NAME_BYTES_MAX: usize = 255;

/// What a file of a partition's directory holds; the stem of its name is an offset of 20 digits.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug)]
pub enum FileKind {
    /// Record batches.
    Log,
    /// Offset to position.
    OffsetIndex,
    /// Timestamp to offset.
    TimeIndex,
    /// Aborted transactions.
    TxnIndex,
    /// State of the producers before the offset.
    ProducerSnapshot,
}

impl FileKind {
    /// Every kind.
    pub const ALL: [Self; 5] = [Self::Log, Self::OffsetIndex, Self::TimeIndex, Self::TxnIndex, Self::ProducerSnapshot];

    /// The extension, with its dot.
    #[must_use]
    pub const fn extension(self) -> &'static str {
        match self {
            Self::Log => ".log",
            Self::OffsetIndex => ".index",
            Self::TimeIndex => ".timeindex",
            Self::TxnIndex => ".txnindex",
            Self::ProducerSnapshot => ".snapshot",
        }
    }

    /// The name of the file of this kind for a segment, such as `00000000000000000042.log`.
    #[must_use]
    pub fn name(self, base: Offset) -> String {
        format!("{:020}{}", base.0, self.extension())
    }
}

/// A suffix behind the name of a segment's file.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug)]
pub enum Suffix {
    /// In use.
    None,
    /// To be unlinked.
    Deleted,
    /// Being written by the cleaner or a split.
    Cleaned,
    /// Finished, to replace what is in its range.
    Swap,
}

impl Suffix {
    /// The text of the suffix, with its dot.
    #[must_use]
    pub const fn text(self) -> &'static str {
        match self {
            Self::None => "",
            Self::Deleted => ".deleted",
            Self::Cleaned => ".cleaned",
            Self::Swap => ".swap",
        }
    }
}

/// The name of a file in a partition's directory, taken apart.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct SegmentFileName {
    /// The offset in the name.
    pub base: Offset,
    /// What it holds.
    pub kind: FileKind,
    /// In which stage of its life.
    pub suffix: Suffix,
}

impl SegmentFileName {
    /// Takes a file name apart; none when it is not that of a segment's file.
    #[must_use]
    pub fn parse(name: &str) -> Option<Self> {
        let (name, suffix) = [Suffix::Deleted, Suffix::Cleaned, Suffix::Swap]
            .into_iter()
            .find_map(|suffix| Some((name.strip_suffix(suffix.text())?, suffix)))
            .unwrap_or((name, Suffix::None));
        let (digits, extension) = name.split_at_checked(20)?;
        let kind = FileKind::ALL.into_iter().find(|kind| kind.extension() == extension)?;
        if !digits.bytes().all(|byte| byte.is_ascii_digit()) {
            return None;
        }
        Some(Self { base: Offset(digits.parse().ok()?), kind, suffix })
    }
}

/// The stage in the life of a partition's directory.
#[derive(Clone, PartialEq, Eq, Debug)]
pub enum DirectoryStage {
    /// In use.
    Current,
    /// Being deleted.
    Deleted,
    /// A copy in progress, for a move between log directories.
    Future,
    /// Found at start and not assigned to this broker.
    Stray,
}

/// The name of a partition's directory, taken apart.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct PartitionDirectoryName {
    /// The topic. Cut short when the directory is being deleted or stray and the name was too long.
    pub topic: String,
    /// The partition.
    pub partition: PartitionIndex,
    /// In which stage of its life.
    pub stage: DirectoryStage,
}

impl PartitionDirectoryName {
    /// Takes the name of a directory apart; none when it is not that of a partition.
    #[must_use]
    pub fn parse(name: &str) -> Option<Self> {
        let stages = [
            ("-delete", DirectoryStage::Deleted),
            ("-future", DirectoryStage::Future),
            ("-stray", DirectoryStage::Stray),
        ];
        for (suffix, stage) in stages {
            let Some(rest) = name.strip_suffix(suffix) else { continue };
            let Some((rest, unique)) = rest.rsplit_once('.') else { continue };
            if unique.len() == 32 && unique.bytes().all(|byte| byte.is_ascii_hexdigit()) {
                let (topic, partition) = split(rest)?;
                return Some(Self { topic, partition, stage });
            }
        }
        let (topic, partition) = split(name)?;
        Some(Self { topic, partition, stage: DirectoryStage::Current })
    }
}

fn split(name: &str) -> Option<(String, PartitionIndex)> {
    let (topic, partition) = name.rsplit_once('-')?;
    let canonical = partition == "0" || !partition.starts_with(['0', '+', '-']);
    let partition: i32 = partition.parse().ok()?;
    (canonical && partition >= 0 && !topic.is_empty()).then(|| (topic.to_owned(), PartitionIndex(partition)))
}

/// The directory of a partition in use.
#[must_use]
pub fn partition_directory(topic: &str, partition: PartitionIndex) -> String {
    format!("{topic}-{partition}")
}

/// The directory of a partition that is being deleted; `unique` is random. The topic is cut so that the name fits.
#[must_use]
pub fn deleted_directory(topic: &str, partition: PartitionIndex, unique: u128) -> String {
    suffixed(topic, partition, unique, "-delete")
}

/// The directory of a partition that nobody assigned to this broker; `unique` is random.
#[must_use]
pub fn stray_directory(topic: &str, partition: PartitionIndex, unique: u128) -> String {
    suffixed(topic, partition, unique, "-stray")
}

fn suffixed(topic: &str, partition: PartitionIndex, unique: u128, suffix: &str) -> String {
    let mut tail = String::with_capacity(64);
    // Writing to a string cannot fail.
    let _ = write!(tail, "-{partition}.{unique:032x}{suffix}");
    let mut keep = topic.len().min(NAME_BYTES_MAX - tail.len());
    while !topic.is_char_boundary(keep) {
        keep -= 1;
    }
    format!("{}{tail}", &topic[..keep])
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_of_segment_files_are_taken_apart() {
        let name = SegmentFileName::parse("00000000000000000042.timeindex.swap").unwrap();
        assert_eq!(name, SegmentFileName { base: Offset(42), kind: FileKind::TimeIndex, suffix: Suffix::Swap });
        for kind in FileKind::ALL {
            let parsed = SegmentFileName::parse(&kind.name(Offset(i64::MAX))).unwrap();
            assert_eq!(parsed, SegmentFileName { base: Offset(i64::MAX), kind, suffix: Suffix::None });
        }
        for other in ["42.log", "leader-epoch-checkpoint", "0000000000000000004x.log", "00000000000000000042.bak", "é"]
        {
            assert_eq!(SegmentFileName::parse(other), None, "{other}");
        }
    }

    #[test]
    fn names_of_partition_directories_are_taken_apart() {
        let parsed = PartitionDirectoryName::parse("a.b-c-12").unwrap();
        assert_eq!((parsed.topic.as_str(), parsed.partition.0, parsed.stage), ("a.b-c", 12, DirectoryStage::Current));
        let name = deleted_directory("a.b-c", PartitionIndex(7), 0xabc);
        assert_eq!(name, "a.b-c-7.00000000000000000000000000000abc-delete");
        let parsed = PartitionDirectoryName::parse(&name).unwrap();
        assert_eq!((parsed.topic.as_str(), parsed.partition.0, parsed.stage), ("a.b-c", 7, DirectoryStage::Deleted));
        for other in ["orders", "-0", "orders-", "orders-x", "orders-01", "orders--1", "lost+found"] {
            let parsed = PartitionDirectoryName::parse(other);
            assert!(parsed.is_none() || other == "orders--1", "{other} {parsed:?}");
        }
    }

    #[test]
    fn a_long_topic_is_cut_to_fit() {
        let name = stray_directory(&"t".repeat(249), PartitionIndex(1_000_000), 1);
        assert_eq!(name.len(), 255);
        assert_eq!(PartitionDirectoryName::parse(&name).unwrap().stage, DirectoryStage::Stray);
    }
}
