//! Kafka's checkpoint files: a version, a count, one entry a line (Kafka class `CheckpointFile`).
//!
//! An empty file has no entries. A wrong version, count or line is an error, since the file is replaced in one step and can
//! never be torn: what it says then, nobody knows.

use std::collections::BTreeMap;
use std::fmt;
use std::fmt::Write as _;

use super::epochs::{EpochCache, EpochEntry};
use crate::ids::{LeaderEpoch, Offset, PartitionIndex};

/// Offsets by topic and partition: recovery points, log starts, high watermarks, first dirty offsets.
pub type OffsetsByPartition = BTreeMap<(String, PartitionIndex), Offset>;

/// A checkpoint file cannot be read.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct CheckpointError {
    /// The line, from 1.
    pub line: usize,
    /// What is wrong there.
    pub reason: &'static str,
}

impl fmt::Display for CheckpointError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "line {}: {}", self.line, self.reason)
    }
}

impl std::error::Error for CheckpointError {}

/// The text of a checkpoint of offsets.
#[must_use]
pub fn format_offsets<'a>(offsets: impl ExactSizeIterator<Item = (&'a str, PartitionIndex, Offset)>) -> String {
    let mut text = format!("0\n{}\n", offsets.len());
    for (topic, partition, offset) in offsets {
        // Writing to a string cannot fail.
        let _ = writeln!(text, "{topic} {partition} {offset}");
    }
    text
}

/// Reads a checkpoint of offsets.
pub fn parse_offsets(content: &[u8]) -> Result<OffsetsByPartition, CheckpointError> {
    parse(content, |fields| match fields {
        [topic, partition, offset] => {
            Some((((*topic).to_owned(), PartitionIndex(number(partition)?)), Offset(number(offset)?)))
        }
        _ => None,
    })
    .map(|entries| entries.into_iter().collect())
}

/// The text of `leader-epoch-checkpoint`.
#[must_use]
pub fn format_epochs(epochs: &EpochCache) -> String {
    let mut text = format!("0\n{}\n", epochs.entries().len());
    for entry in epochs.entries() {
        let _ = writeln!(text, "{} {}", entry.epoch, entry.start);
    }
    text
}

/// Reads `leader-epoch-checkpoint`.
pub fn parse_epochs(content: &[u8]) -> Result<EpochCache, CheckpointError> {
    let entries = parse(content, |fields| match fields {
        [epoch, start] => Some(EpochEntry { epoch: LeaderEpoch(number(epoch)?), start: Offset(number(start)?) }),
        _ => None,
    })?;
    Ok(EpochCache::from_entries(entries))
}

fn number<T: std::str::FromStr>(text: &str) -> Option<T> {
    text.parse().ok()
}

fn parse<T>(content: &[u8], entry: impl Fn(&[&str]) -> Option<T>) -> Result<Vec<T>, CheckpointError> {
    let error = |line, reason| CheckpointError { line, reason };
    let text = std::str::from_utf8(content).map_err(|_| error(1, "not UTF-8"))?;
    let mut lines = text.lines().enumerate().map(|(at, line)| (at + 1, line));
    let Some((_, version)) = lines.next() else { return Ok(Vec::new()) };
    if version != "0" {
        return Err(error(1, "the version is not 0"));
    }
    let (_, count) = lines.next().ok_or(error(2, "the number of entries is missing"))?;
    let count: usize = number(count).ok_or(error(2, "the number of entries is no number"))?;
    let mut entries = Vec::new();
    let mut last = 2;
    for (at, line) in lines {
        let fields: Vec<&str> = line.split(' ').collect();
        entries.push(entry(&fields).ok_or(error(at, "a malformed entry"))?);
        last = at;
    }
    if entries.len() == count {
        Ok(entries)
    } else {
        Err(error(last, "more or fewer entries than the second line says"))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn offsets_are_written_as_kafka_writes_them() {
        let entries = [("a-b", PartitionIndex(0), Offset(12)), ("c", PartitionIndex(11), Offset(0))];
        let text = format_offsets(entries.into_iter());
        assert_eq!(text, "0\n2\na-b 0 12\nc 11 0\n");
        let parsed = parse_offsets(text.as_bytes()).unwrap();
        assert_eq!(parsed.len(), 2);
        assert_eq!(parsed[&("c".to_owned(), PartitionIndex(11))], Offset(0));
        assert!(parse_offsets(b"").unwrap().is_empty());
    }

    #[test]
    fn epochs_survive_the_file() {
        let epochs = parse_epochs(b"0\n2\n0 0\n3 17\n").unwrap();
        assert_eq!(epochs.latest(), Some(EpochEntry { epoch: LeaderEpoch(3), start: Offset(17) }));
        assert_eq!(format_epochs(&epochs), "0\n2\n0 0\n3 17\n");
    }

    #[test]
    fn what_is_wrong_is_named_by_its_line() {
        for (text, line) in [
            ("1\n0\n", 1),
            ("0\n", 2),
            ("0\nx\n", 2),
            ("0\n1\na 0\n", 3),
            ("0\n1\na 0 x\n", 3),
            ("0\n2\na 0 1\n", 3),
            ("0\n0\na 0 1\n", 3),
            ("0\n1\na 0 1 2\n", 3),
        ] {
            assert_eq!(parse_offsets(text.as_bytes()).unwrap_err().line, line, "{text:?}");
        }
        assert_eq!(parse_offsets(&[0xff]).unwrap_err().line, 1);
    }
}
