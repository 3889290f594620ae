//! What of a log is old enough to go (Kafka class `UnifiedLog.deleteOldSegments`).
//!
//! The decision is a pure function of facts; the deed has three steps: out of the list under the lock, renamed to `.deleted`, and
//! after `file.delete.delay.ms` unlinked. A crash in between leaves whole segments or leftovers that the next start removes.
//! Invariants: only what lies below the high watermark goes, from the front, up to the first that stays; an empty active
//! segment stays; names of new segments are durable before those of old ones go.

use std::io;
use std::sync::Arc;
use std::sync::atomic::Ordering;

use super::config::{LogConfig, Mode};
use super::directory::Home;
use super::names::{FileKind, Suffix};
use super::reader::LogReader;
use super::segment::Segment;
use super::writer::{Log, remove_if_there};
use crate::disk::Open;
use crate::ids::{Offset, TimestampMs};

/// What retention must know of a segment.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct SegmentFacts {
    /// Its base offset.
    pub base: Offset,
    /// Base offset of the next one, or the end of the log.
    pub end: Offset,
    /// Bytes.
    pub size: u64,
    /// The largest time of a record; when it was last written if no record has a time.
    pub largest: TimestampMs,
}

/// What retention must know of a log.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct RetentionFacts {
    /// Oldest first.
    pub segments: Vec<SegmentFacts>,
    /// The first offset that may be read.
    pub log_start: Offset,
    /// Nothing at or above goes.
    pub high_watermark: Offset,
}

/// Why a segment goes.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Reason {
    /// All of it lies below the start of the log.
    LogStart,
    /// The log is larger than `retention.bytes`.
    Size,
    /// Its newest record is older than `retention.ms`.
    Time,
}

/// Which segments go, from the front, and why.
#[must_use]
pub fn plan(facts: &RetentionFacts, config: &LogConfig, now: TimestampMs) -> Vec<(Offset, Reason)> {
    let mut planning = Planning { facts, at: 0, doomed: Vec::new() };
    planning.pass(Reason::LogStart, |segment, is_last| !is_last && segment.end <= facts.log_start);
    if config.delete_policy && config.mode == Mode::Partition {
        if let Some(limit) = config.retention_bytes {
            let size: u64 = facts.segments[planning.at..].iter().map(|segment| segment.size).sum();
            let mut excess = size.saturating_sub(limit);
            planning.pass(Reason::Size, |segment, _| {
                let goes = excess > 0 && excess >= segment.size;
                excess = excess.saturating_sub(segment.size);
                goes
            });
        }
        if let Some(retention_ms) = config.retention_ms {
            planning.pass(Reason::Time, |segment, _| now.0.saturating_sub(segment.largest.0) > retention_ms);
        }
    }
    planning.doomed
}

struct Planning<'a> {
    facts: &'a RetentionFacts,
    /// The first segment that stays, so far.
    at: usize,
    doomed: Vec<(Offset, Reason)>,
}

impl Planning<'_> {
    /// Dooms segments for one reason, up to the first that stays. `goes` is told whether a segment is the last.
    fn pass(&mut self, reason: Reason, mut goes: impl FnMut(&SegmentFacts, bool) -> bool) {
        while let Some(segment) = self.facts.segments.get(self.at) {
            let is_last = self.at + 1 == self.facts.segments.len();
            let may_go = self.facts.high_watermark >= segment.end && !(is_last && segment.size == 0);
            if !may_go || !goes(segment, is_last) {
                break;
            }
            self.doomed.push((segment.base, reason));
            self.at += 1;
        }
    }
}

/// Segments taken out of their log, on their way to deletion. Dropping this leaves the files to the next start.
#[derive(Debug)]
pub struct Retired {
    home: Arc<Home>,
    segments: Vec<Arc<Segment>>,
    /// The snapshot of the producers that must be durable first.
    snapshot: Option<Offset>,
}

impl Retired {
    /// How many segments.
    #[must_use]
    pub fn len(&self) -> usize {
        self.segments.len()
    }

    /// Whether there are none.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.segments.is_empty()
    }

    /// Bytes of batches that will be free.
    #[must_use]
    pub fn bytes(&self) -> u64 {
        self.segments.iter().map(|segment| segment.size()).sum()
    }

    /// Renames the files, once what replaces them is durable. Blocks: pool threads only, outside any lock.
    pub fn rename(&self) -> io::Result<()> {
        if let Some(at) = self.snapshot {
            match self.home.open(&FileKind::ProducerSnapshot.name(at), Open::Read) {
                // A newer one replaced it since.
                Err(error) if error.kind() == io::ErrorKind::NotFound => {}
                file => file?.sync()?,
            }
        }
        self.home.at_root(|root| self.home.disk().sync_dir(root))?;
        for segment in &self.segments {
            segment.close_files();
            for kind in FileKind::ALL {
                let name = segment.name(kind);
                let to = self.home.path(&format!("{name}{}", Suffix::Deleted.text()));
                match self.home.disk().rename(&self.home.path(&name), &to) {
                    Err(error) if error.kind() != io::ErrorKind::NotFound => return Err(error),
                    _ => {}
                }
            }
        }
        self.home.at_root(|root| self.home.disk().sync_dir(root))?;
        self.segments.iter().for_each(|segment| segment.set_renamed());
        Ok(())
    }

    /// Unlinks the renamed files, after `file.delete.delay.ms`. Blocks: pool threads only, outside any lock.
    pub fn unlink(&self) -> io::Result<()> {
        for segment in &self.segments {
            for kind in FileKind::ALL {
                remove_if_there(&self.home, &format!("{}{}", segment.name(kind), Suffix::Deleted.text()))?;
            }
        }
        Ok(())
    }
}

impl LogReader {
    /// What retention must know. May ask the disk for the time of files whose records have none.
    pub fn retention_facts(&self, high_watermark: Offset) -> io::Result<RetentionFacts> {
        let segments = self.segments();
        let mut facts = Vec::with_capacity(segments.len());
        for (at, segment) in segments.iter().enumerate() {
            let mut largest = segment.largest().timestamp;
            if largest == TimestampMs::NONE {
                largest = TimestampMs(segment.log_file()?.modified_ms()?);
            }
            let end = segments.get(at + 1).map_or_else(|| self.end(), |next| next.base);
            facts.push(SegmentFacts { base: segment.base, end, size: segment.size(), largest });
        }
        Ok(RetentionFacts { segments: facts, log_start: self.start(), high_watermark })
    }
}

impl Log {
    /// Takes the planned segments out of the log, as far as they still are its first ones and what follows them can stand alone:
    /// it is flushed up to there, and a snapshot knows the producers. What cannot go yet goes another time. Rolls first when
    /// nothing would be left. The start of the log moves up to what is left. Blocks for page-cache writes at most.
    pub fn retire(&mut self, plan: &[(Offset, Reason)], now: TimestampMs) -> io::Result<Retired> {
        let old = self.shared.segments.load_full();
        let mut count = old.iter().zip(plan).take_while(|(segment, (base, _))| segment.base == *base).count();
        if count == old.len() && self.durable_end() == self.end() {
            self.roll(self.end(), now)?;
        }
        let segments = self.shared.segments.load_full();
        while count > 0 && !segments.get(count).is_some_and(|first| self.can_begin_at(first.base)) {
            count -= 1;
        }
        let (retired, kept) = segments.split_at(count);
        // Those whose files still have their names go first: or a start would find a hole behind them.
        self.retiring.retain(|segment| !segment.is_renamed());
        self.retiring.extend_from_slice(retired);
        let mut snapshot = None;
        if let Some(first) = kept.first().filter(|_| count > 0) {
            snapshot = self.snapshots.iter().find(|at| **at >= first.base).copied();
            self.shared.segments.store(Arc::new(kept.to_vec()));
            if first.base > self.start() {
                self.shared.start.store(first.base.0, Ordering::Release);
            }
            if self.epochs.truncate_from_start(self.start()) {
                self.flush.epochs_changed(now);
            }
            for segment in retired {
                segment.retire();
            }
            self.snapshots.retain(|at| !retired.iter().any(|segment| segment.base == *at));
        } else if !plan.is_empty() {
            self.flush.want_side_files(now);
        }
        Ok(Retired { home: Arc::clone(&self.shared.home), segments: self.retiring.clone(), snapshot })
    }

    /// Whether a start that finds `base` as the first segment would know all that it needs.
    fn can_begin_at(&self, base: Offset) -> bool {
        let durable = self.durable_end();
        base <= durable && (self.is_raft() || self.snapshots.iter().any(|at| (base..=durable).contains(at)))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn facts(segments: &[(i64, u64, i64)], end: i64, log_start: i64, high_watermark: i64) -> RetentionFacts {
        let ends = segments.iter().skip(1).map(|segment| segment.0).chain([end]);
        let segments = segments.iter().zip(ends).map(|(&(base, size, largest), end)| SegmentFacts {
            base: Offset(base),
            end: Offset(end),
            size,
            largest: TimestampMs(largest),
        });
        let (log_start, high_watermark) = (Offset(log_start), Offset(high_watermark));
        RetentionFacts { segments: segments.collect(), log_start, high_watermark }
    }

    fn config(retention_ms: Option<i64>, retention_bytes: Option<u64>) -> LogConfig {
        LogConfig { retention_ms, retention_bytes, ..LogConfig::default() }
    }

    fn bases(plan: &[(Offset, Reason)]) -> Vec<(i64, Reason)> {
        plan.iter().map(|&(base, reason)| (base.0, reason)).collect()
    }

    #[test]
    fn what_lies_below_the_start_goes_whatever_the_policy() {
        let facts = facts(&[(0, 10, 0), (5, 10, 0), (9, 10, 0)], 12, 9, 12);
        let config = LogConfig { delete_policy: false, ..config(Some(1), Some(0)) };
        let expected = [(0, Reason::LogStart), (5, Reason::LogStart)];
        assert_eq!(bases(&plan(&facts, &config, TimestampMs(1000))), expected);
        let config = LogConfig { delete_policy: true, mode: Mode::Raft, ..config };
        assert_eq!(bases(&plan(&facts, &config, TimestampMs(1000))), expected);
    }

    #[test]
    fn size_never_goes_below_the_limit() {
        let facts = facts(&[(0, 10, 0), (5, 10, 0), (9, 10, 0)], 12, 0, 12);
        let sized = |limit| bases(&plan(&facts, &config(None, Some(limit)), TimestampMs(0))).len();
        assert_eq!([30, 29, 21, 20, 11, 10, 1, 0].map(sized), [0, 0, 0, 1, 1, 2, 2, 3]);
    }

    #[test]
    fn time_takes_the_active_segment_too_but_not_an_empty_one() {
        let now = TimestampMs(1000);
        let timed = |facts: &RetentionFacts| bases(&plan(facts, &config(Some(100), None), now)).len();
        assert_eq!(timed(&facts(&[(0, 10, 1), (5, 10, 899), (9, 10, 900)], 12, 0, 12)), 2);
        assert_eq!(timed(&facts(&[(0, 10, 1), (5, 10, 950), (9, 10, 1)], 12, 0, 12)), 1);
        assert_eq!(timed(&facts(&[(0, 10, 1), (5, 10, 1)], 9, 0, 9)), 2);
        assert_eq!(timed(&facts(&[(0, 10, 1), (5, 0, 1)], 5, 0, 5)), 1);
        assert_eq!(timed(&facts(&[(0, 10, 5000)], 5, 0, 5)), 0);
    }

    #[test]
    fn nothing_above_the_high_watermark_goes() {
        let facts = facts(&[(0, 10, 1), (5, 10, 1), (9, 10, 1)], 12, 9, 8);
        assert_eq!(bases(&plan(&facts, &config(Some(1), Some(0)), TimestampMs(1000))), [(0, Reason::LogStart)]);
    }
}
