//! Taking records back: a follower's truncation, and beginning anew at another offset.
//!
//! The one dangerous order is a crash in between: what is left must never look as if flushed records were lost, and what was
//! cut must never come back behind new records. So the recovery point goes down first, readers lose sight next, files go
//! from the side that leaves no hole, and the cut is flushed before anything is written behind it.

use std::io;
use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::Ordering;

use super::errors::TruncateError;
use super::leftovers;
use super::names::{FileKind, SegmentFileName};
use super::segment::Segment;
use super::writer::{Active, Log, first_timestamp, remove_if_there, remove_segment};
use crate::ids::{Offset, TimestampMs};

impl Log {
    /// Says that a truncation down to `to` is coming: from now on [`Self::durable_end`] is no higher, and the caller writes
    /// the recovery-point checkpoint before it truncates, or a crash in between would look like lost data.
    pub fn begin_truncation(&mut self, to: Offset) {
        self.flush.lower(to);
    }

    /// Removes everything from `to` on; the batch that holds `to` goes whole, so the end may come to lie below. Blocks for as
    /// long as flushing the cut takes. When the start comes to lie lower, too, the caller writes the log-start checkpoint. Refused when the flushed part would be touched: see [`Self::begin_truncation`].
    pub fn truncate_to(&mut self, to: Offset, now: TimestampMs) -> Result<(), TruncateError> {
        if to >= self.end() {
            return Ok(());
        }
        let segments = Vec::clone(&self.shared.segments.load());
        let Some(first) = segments.first() else { return Ok(()) };
        if first.base > to {
            return self.truncate_fully_and_start_at(to, now);
        }
        let keep = segments.partition_point(|segment| segment.base <= to);
        let Some(last) = segments.get(keep - 1).map(Arc::clone) else { return Ok(()) };
        let cut = last.locate(to, last.size())?;
        let (position, end) = cut.map_or((last.size(), to.min(last.next_offset())), |b| (b.position, b.base_offset));
        if end < self.durable_end() {
            return Err(TruncateError::Durable { lower_to: end });
        }
        self.flush.truncated(end, now);
        // Readers first: nobody finds what is about to go. Then the newest files, so that a crash leaves no hole.
        self.shared.end.store(end.0, Ordering::Release);
        self.shared.segments.store(Arc::new(segments[..keep].to_vec()));
        for segment in segments[keep..].iter().rev() {
            remove_segment(&self.shared.home, segment)?;
        }
        self.remove_snapshots_on_disk(|at| at > end)?;
        self.cut_segment(&last, position, end, now)?;
        if self.epochs.truncate_from_end(end) {
            self.flush.epochs_changed(now);
        }
        if self.start() > end {
            self.shared.start.store(end.0, Ordering::Release);
        }
        self.reload_producers(now)?;
        Ok(())
    }

    /// Cuts the segment that becomes, or is, the active one.
    fn cut_segment(&mut self, segment: &Arc<Segment>, position: u64, end: Offset, now: TimestampMs) -> io::Result<()> {
        let file = segment.log_file()?;
        segment.forget_tail();
        segment.publish(position, end);
        file.set_len(position)?;
        // Or a power failure could bring the old batches back behind new ones.
        file.sync()?;
        let bytes_since_index = segment.cut_indexes(position, u64::from(self.config.index_interval_bytes))?;
        segment.truncate_aborted(end)?;
        segment.sync_indexes()?;
        self.active = Active {
            segment: Arc::clone(segment),
            bytes_since_index,
            first_timestamp: first_timestamp(segment)?,
            created: now,
        };
        Ok(())
    }

    /// Removes everything; the next record gets `start`, durably. Blocks for as long as the disk takes.
    pub fn truncate_fully_and_start_at(&mut self, start: Offset, now: TimestampMs) -> Result<(), TruncateError> {
        let old = Vec::clone(&self.shared.segments.load());
        let beyond = start >= self.end();
        let first = old.first().map_or(start, |segment| segment.base);
        if !beyond && self.durable_end() > first.min(start) {
            return Err(TruncateError::Durable { lower_to: first.min(start) });
        }
        self.flush.truncated(start, now);
        if old.iter().all(|segment| segment.base != start) {
            // Beyond the end the new segment comes first, then the old ones go from the front: a crash in between leaves a log
            // that still reaches what was flushed.
            let segment = Segment::create(&self.shared.home, start)?;
            self.replace_all(segment, start, now);
            let mut order: Vec<_> = old.iter().collect();
            if !beyond {
                order.reverse();
            }
            for segment in order {
                remove_segment(&self.shared.home, segment)?;
            }
        } else {
            for segment in old.iter().rev() {
                remove_segment(&self.shared.home, segment)?;
            }
            let segment = Segment::create(&self.shared.home, start)?;
            self.replace_all(segment, start, now);
        }
        // Segments that were retired and not yet renamed.
        for name in leftovers::list(&self.shared.home)? {
            if SegmentFileName::parse(&name).is_some_and(|parsed| parsed.base != start) {
                remove_if_there(&self.shared.home, &name)?;
            }
        }
        self.remove_snapshots_on_disk(|_| true)?;
        if self.flush.take_parent_dirty() {
            self.shared.home.disk().sync_dir(Path::new(""))?;
        }
        self.retiring.clear();
        self.producers.clear();
        self.epochs.clear();
        self.flush.epochs_changed(now);
        self.flush.restarted(start);
        Ok(())
    }

    fn replace_all(&mut self, segment: Arc<Segment>, start: Offset, now: TimestampMs) {
        self.shared.segments.store(Arc::new(vec![Arc::clone(&segment)]));
        self.shared.start.store(start.0, Ordering::Release);
        self.shared.end.store(start.0, Ordering::Release);
        self.active = Active { segment, bytes_since_index: 0, first_timestamp: None, created: now };
        self.flush.names_changed();
    }

    /// Removes also those snapshots that nobody remembers, durably: they are of records that are no more.
    fn remove_snapshots_on_disk(&mut self, doomed: impl Fn(Offset) -> bool) -> io::Result<()> {
        let names = leftovers::list(&self.shared.home)?;
        self.snapshots = leftovers::files(&names, FileKind::ProducerSnapshot).collect();
        self.snapshots.sort_unstable();
        self.remove_snapshots(doomed)?;
        self.shared.home.disk().sync_dir(&self.shared.home.root())
    }
}
