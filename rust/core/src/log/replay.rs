//! The producers of a log, read back: the newest snapshot that can be read, and what the log holds behind it.
//!
//! Also what a snapshot leaves out, and the aborted transactions that a crash took from the indexes.

use std::io;

use super::names::FileKind;
use super::recovery::SIDE_FILE_BYTES_MAX;
use super::txn_index::AbortedTransaction;
use super::writer::Log;
use crate::batch::control::EndMarker;
use crate::batch::header::BATCH_HEADER_BYTES;
use crate::batch::producer::ProducerStates;
use crate::batch::snapshot;
use crate::disk;
use crate::ids::{Offset, TimestampMs};

/// How much of the log before a producer snapshot is read for the batches that it left out: the few that one client may have
/// in flight, among those of others.
const RECALL_BYTES: u64 = 4 << 20;

impl Log {
    /// Reads the state of the producers as of the end, after the log was opened or cut. Gives the offset from which the log was read for
    /// it, and the aborted transactions that ended there.
    pub(crate) fn reload_producers(&mut self, now: TimestampMs) -> io::Result<(Offset, Vec<AbortedTransaction>)> {
        if self.is_raft() {
            return Ok((self.end(), Vec::new()));
        }
        let (states, from) = self.snapshot_before(self.end(), now)?;
        let mut producers = states.unwrap_or_default();
        self.recall(&mut producers, from)?;
        let aborted = self.replay(&mut producers, from)?;
        self.producers = producers;
        Ok((from, aborted))
    }

    /// Snapshots at `from` and behind may be torn, or whole and not yet flushed: the first go, the second are flushed next.
    pub(super) fn distrust_snapshots(&mut self, from: Offset, now: TimestampMs) -> io::Result<()> {
        let doubtful: Vec<Offset> = self.snapshots.iter().copied().filter(|at| *at >= from).collect();
        for at in doubtful {
            let name = FileKind::ProducerSnapshot.name(at);
            let content = disk::read_all(self.shared.home.disk(), &self.shared.home.path(&name), SIDE_FILE_BYTES_MAX)?;
            if snapshot::decode(&content, now, i64::MAX).is_ok() {
                self.flush.add_file(name);
            } else {
                self.remove_snapshots(|other| other == at)?;
            }
        }
        Ok(())
    }

    /// The newest snapshot that can be read and is not behind `upto`, and its offset; without one the first offset that can
    /// be read. One from before the first segment is of no use: between the two something would be missing.
    pub(super) fn snapshot_before(
        &mut self,
        upto: Offset,
        now: TimestampMs,
    ) -> io::Result<(Option<ProducerStates>, Offset)> {
        let first = self.first_readable();
        while let Some(&at) = self.snapshots.iter().rev().find(|at| **at <= upto && **at >= first) {
            let path = self.shared.home.path(&FileKind::ProducerSnapshot.name(at));
            let content = match disk::read_all(self.shared.home.disk(), &path, SIDE_FILE_BYTES_MAX) {
                // It went with its segment.
                Err(error) if error.kind() == io::ErrorKind::NotFound => Vec::new(),
                other => other?,
            };
            if let Ok(states) = snapshot::decode(&content, now, self.config.producer_id_expiration_ms) {
                return Ok((Some(states), at));
            }
            self.remove_snapshots(|other| other == at)?;
        }
        Ok((None, first))
    }

    /// The beginning of the segment that holds the start of the log: what lies before may be damaged.
    pub(crate) fn first_readable(&self) -> Offset {
        let (start, segments) = (self.start(), self.shared.segments.load());
        let at = segments.partition_point(|segment| segment.base <= start);
        at.checked_sub(1).and_then(|at| segments.get(at)).map_or(start, |segment| segment.base)
    }

    /// Applies what the log holds from `from` on; gives the aborted transactions that ended there.
    pub(super) fn replay(&self, producers: &mut ProducerStates, from: Offset) -> io::Result<Vec<AbortedTransaction>> {
        let mut aborted = Vec::new();
        let mut batches = self.reader().batches(from, self.end());
        while let Some(frame) = batches.next_frame()? {
            let Some(header) = frame.header.filter(|header| header.producer_id.is_some()) else { continue };
            let marker = if header.is_control() {
                let bytes = batches.bytes(&frame)?;
                EndMarker::read(&header, bytes.get(BATCH_HEADER_BYTES..).unwrap_or_default())
            } else {
                None
            };
            aborted
                .extend(producers.apply(&header, marker).filter(|ended| ended.aborted).map(AbortedTransaction::from));
        }
        Ok(aborted)
    }

    /// Adds to the transaction indexes what they lack of `aborted`, all of which ended at `from` or behind.
    pub(super) fn complete_aborted(&mut self, aborted: &[AbortedTransaction], from: Offset) -> io::Result<()> {
        let (segments, end) = (self.shared.segments.load_full(), self.end());
        for segment in segments.iter().filter(|segment| segment.next_offset() >= from) {
            if segment.truncate_aborted(end)? {
                // Or they could come back when other records have their offsets.
                segment.sync_indexes()?;
            }
            let inside = |ended: &&AbortedTransaction| {
                ended.last_offset >= segment.base && ended.last_offset < segment.next_offset()
            };
            let mut known = segment.aborted()?;
            let missing = aborted
                .iter()
                .filter(inside)
                .filter(|ended| known.binary_search_by_key(&ended.last_offset, |known| known.last_offset).is_err());
            let missing: Vec<AbortedTransaction> = missing.copied().collect();
            let Some(first) = missing.first() else { continue };
            // They go in order: what stands behind the first that is missing is written again.
            let behind = known.partition_point(|known| known.last_offset < first.last_offset);
            let mut rest = known.split_off(behind);
            rest.extend(&missing);
            rest.sort_unstable_by_key(|ended| ended.last_offset);
            segment.truncate_aborted(first.last_offset)?;
            for ended in rest {
                segment.push_aborted(ended)?;
            }
        }
        Ok(())
    }

    /// A snapshot has one batch of each producer. A client that sends again what was in flight when we went away begins up
    /// to four batches before: they are read from the log just before the snapshot.
    pub(super) fn recall(&self, producers: &mut ProducerStates, snapshot: Offset) -> io::Result<()> {
        let end = snapshot.min(self.end());
        let (mut from, mut left) = (self.first_readable(), RECALL_BYTES);
        if producers.is_empty() || from >= end {
            return Ok(());
        }
        let segments = self.shared.segments.load_full();
        for segment in segments.iter().rev().filter(|segment| segment.base < end) {
            let size = segment.locate(end, segment.size())?.map_or(segment.size(), |batch| batch.position);
            if size > left {
                from = from.max(segment.offset_at(size - left));
                break;
            }
            left -= size;
            if segment.base <= from {
                break;
            }
        }
        let mut replayed = ProducerStates::new();
        let mut batches = self.reader().batches(from, end);
        while let Some(frame) = batches.next_frame()? {
            if let Some(header) = frame.header.filter(|header| header.producer_id.is_some() && !header.is_control()) {
                replayed.apply(&header, None);
            }
        }
        producers.recall(&replayed);
        Ok(())
    }
}
