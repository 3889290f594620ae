//! One segment of a log: a file of batches, its two indexes, its aborted transactions (Kafka class `LogSegment`).
//!
//! The writer alone changes a segment, under its partition's lock; readers share it by `Arc` and see, in this order, bytes, index,
//! size, end. Ours differs from Kafka's in that a segment holds no descriptor and no memory for what it does not use: an idle one is a few
//! hundred bytes. Invariants: `size` counts whole batches alone; a reader never looks behind the size it loaded.

use std::io;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicI64, AtomicU64, Ordering};

use parking_lot::Mutex;

use super::directory::Home;
use super::files::LazyFile;
use super::index::{Entry, Index, OffsetEntry, TimeEntry};
use super::names::FileKind;
use super::scan::{Fault, Frame, LOOKUP_CHUNK_BYTES, Scanner};
use super::txn_index::{self, AbortedTransaction, TXN_ENTRY_BYTES};
use crate::disk::{File, Open};
use crate::ids::{Offset, TimestampMs};

/// Batches at the end of the active segment whose place is known without a search.
const TAIL_BATCHES: usize = 16;

/// A batch found in a segment.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) struct Located {
    pub(crate) position: u64,
    pub(crate) size: u32,
    pub(crate) base_offset: Offset,
    pub(crate) last_offset: Offset,
}

impl From<&Frame> for Located {
    fn from(frame: &Frame) -> Self {
        let Frame { position, size, base_offset, last_offset, .. } = *frame;
        Self { position, size, base_offset, last_offset }
    }
}

/// The largest time in a segment, and the last offset of the batch that has it.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) struct Largest {
    pub(crate) timestamp: TimestampMs,
    pub(crate) offset: Offset,
}

/// The transaction index: entries in the file, and those that could not be written because the disk is full.
#[derive(Debug, Default)]
struct Aborted {
    written: u32,
    pending: Vec<AbortedTransaction>,
    dirty: bool,
}

/// The last few batches, oldest overwritten first.
#[derive(Debug, Default)]
struct Tail {
    batches: Vec<Located>,
    next: usize,
}

#[derive(Debug)]
pub(crate) struct Segment {
    pub(crate) base: Offset,
    home: Arc<Home>,
    log: LazyFile,
    offset_file: LazyFile,
    time_file: LazyFile,
    size: AtomicU64,
    /// The offset after the last record.
    next: AtomicI64,
    pub(crate) offsets: Index<OffsetEntry>,
    pub(crate) times: Index<TimeEntry>,
    /// The files of both indexes exist, if only empty.
    has_index_files: AtomicBool,
    largest: Mutex<Largest>,
    aborted: Mutex<Aborted>,
    tail: Mutex<Tail>,
    /// Taken out of its log: its files are renamed or gone.
    retired: AtomicBool,
    /// And the files have their new names, durably.
    renamed: AtomicBool,
}

impl Segment {
    /// Makes the file of an empty segment. The name is not durable until the directory is flushed.
    pub(crate) fn create(home: &Arc<Home>, base: Offset) -> io::Result<Arc<Self>> {
        let segment = Self::of(home, base, 0, base, Index::empty(), Index::empty(), 0);
        segment.log.get(&home.directory.files, || home.open(&FileKind::Log.name(base), Open::Truncate))?;
        Ok(Arc::new(segment))
    }

    /// A segment whose files exist as far as said.
    pub(crate) fn of(
        home: &Arc<Home>,
        base: Offset,
        size: u64,
        next: Offset,
        offsets: Index<OffsetEntry>,
        times: Index<TimeEntry>,
        aborted: u32,
    ) -> Self {
        let last = times.last();
        let largest = Largest {
            timestamp: last.map_or(TimestampMs::NONE, |entry| entry.timestamp),
            offset: last.map_or(base, |entry| base.plus(i64::from(entry.relative))),
        };
        Self {
            base,
            home: Arc::clone(home),
            log: LazyFile::default(),
            offset_file: LazyFile::default(),
            time_file: LazyFile::default(),
            size: AtomicU64::new(size),
            next: AtomicI64::new(next.0),
            offsets,
            times,
            has_index_files: AtomicBool::new(false),
            largest: Mutex::new(largest),
            aborted: Mutex::new(Aborted { written: aborted, ..Aborted::default() }),
            tail: Mutex::default(),
            retired: AtomicBool::new(false),
            renamed: AtomicBool::new(false),
        }
    }

    pub(crate) fn size(&self) -> u64 {
        self.size.load(Ordering::Acquire)
    }

    pub(crate) fn next_offset(&self) -> Offset {
        Offset(self.next.load(Ordering::Acquire))
    }

    /// Makes what was written visible to readers; cuts when it is less than before.
    pub(crate) fn publish(&self, size: u64, next: Offset) {
        self.size.store(size, Ordering::Release);
        self.next.store(next.0, Ordering::Release);
    }

    pub(crate) fn largest(&self) -> Largest {
        *self.largest.lock()
    }

    fn set_largest(&self, largest: Largest) {
        *self.largest.lock() = largest;
    }

    pub(crate) fn retire(&self) {
        self.retired.store(true, Ordering::Release);
    }

    pub(crate) fn set_renamed(&self) {
        self.renamed.store(true, Ordering::Release);
    }

    pub(crate) fn is_renamed(&self) -> bool {
        self.renamed.load(Ordering::Acquire)
    }

    pub(crate) fn is_retired(&self) -> bool {
        self.retired.load(Ordering::Acquire)
    }

    pub(crate) fn name(&self, kind: FileKind) -> String {
        kind.name(self.base)
    }

    /// The file of batches, opened if need be.
    pub(crate) fn log_file(&self) -> io::Result<Arc<dyn File>> {
        self.log.get(&self.home.directory.files, || self.home.open(&self.name(FileKind::Log), Open::Write))
    }

    /// Never opened for reading alone: whoever writes next may be given the same descriptor.
    pub(crate) fn offset_file(&self, how: Open) -> io::Result<Arc<dyn File>> {
        self.offset_file.get(&self.home.directory.files, || self.home.open(&self.name(FileKind::OffsetIndex), how))
    }

    pub(crate) fn time_file(&self, how: Open) -> io::Result<Arc<dyn File>> {
        self.time_file.get(&self.home.directory.files, || self.home.open(&self.name(FileKind::TimeIndex), how))
    }

    /// Lets go of all descriptors; those in use elsewhere live on.
    pub(crate) fn close_files(&self) {
        self.log.close();
        self.offset_file.close();
        self.time_file.close();
    }

    /// An offset relative to the base, if an index can hold it.
    pub(crate) fn relative(&self, offset: Offset) -> Option<u32> {
        let relative = offset.0.checked_sub(self.base.0)?;
        u32::try_from(relative).ok().filter(|relative| i32::try_from(*relative).is_ok())
    }

    /// Accounts for a batch: the largest time, index entries when `bytes_since_index` passed the interval, the tail. Says how many
    /// bytes there are now since the last entry. What is visible to readers moves with [`Self::publish`].
    pub(crate) fn account(&self, frame: &Frame, bytes_since_index: u64, interval: u64) -> u64 {
        {
            let mut largest = self.largest.lock();
            if frame.max_timestamp > largest.timestamp {
                *largest = Largest { timestamp: frame.max_timestamp, offset: frame.last_offset };
            }
        }
        let mut since = bytes_since_index;
        if since > interval {
            let position = u32::try_from(frame.position).ok();
            if let (Some(relative), Some(position)) = (self.relative(frame.last_offset), position) {
                self.offsets.push(OffsetEntry { relative, position });
                self.push_largest_time();
            }
            since = 0;
        }
        self.remember(frame.into());
        since + u64::from(frame.size)
    }

    /// Adds the largest time to the time index, if it is larger than the last entry's.
    pub(crate) fn push_largest_time(&self) {
        let Largest { timestamp, offset } = self.largest();
        let (Some(relative), true) = (self.relative(offset), timestamp > TimestampMs::NONE) else { return };
        self.times.push(TimeEntry { timestamp, relative });
    }

    /// Writes the entries that wait. An error leaves them waiting.
    pub(crate) fn write_indexes(&self) -> io::Result<()> {
        if self.times.has_pending() {
            self.times.write(&*self.time_file(Open::Create)?)?;
        }
        if self.offsets.has_pending() {
            self.offsets.write(&*self.offset_file(Open::Create)?)?;
        }
        Ok(())
    }

    /// Gives the time index its final entry and makes both files exist, as Kafka does at roll and close.
    pub(crate) fn finish_indexes(&self) -> io::Result<()> {
        self.push_largest_time();
        self.make_index_files()?;
        self.write_indexes()?;
        self.write_aborted()
    }

    /// Makes the files of both indexes exist; says whether they may be new. Kafka takes a segment below the recovery point, or
    /// after a clean stop, for damaged when it has none, however small it is. A new segment has none: many never get a record.
    pub(crate) fn make_index_files(&self) -> io::Result<bool> {
        if self.has_index_files.load(Ordering::Acquire) {
            return Ok(false);
        }
        for kind in [FileKind::TimeIndex, FileKind::OffsetIndex] {
            self.home.open(&self.name(kind), Open::Create)?;
        }
        self.set_index_files();
        Ok(true)
    }

    /// Both index files were found.
    pub(crate) fn set_index_files(&self) {
        self.has_index_files.store(true, Ordering::Release);
    }

    /// Flushes the index files: after entries were taken back, which must not come back.
    pub(crate) fn sync_indexes(&self) -> io::Result<()> {
        for file in self.take_dirty_files()? {
            file.sync()?;
        }
        Ok(())
    }

    /// Drops index entries of batches at `position` and behind, and walks what is left behind the last one: for the largest
    /// time, the tail, and the bytes since the last entry, which it gives.
    pub(crate) fn cut_indexes(&self, position: u64, interval: u64) -> io::Result<u64> {
        let (offset_file, time_file) = (self.offset_file(Open::Create)?, self.time_file(Open::Create)?);
        let offsets = self.offsets.entries(Some(&*offset_file))?;
        let keep = offsets.iter().take_while(|entry| u64::from(entry.position) < position).count();
        let last = keep.checked_sub(1).and_then(|at| offsets.get(at));
        let times = self.times.entries(Some(&*time_file))?;
        let keep_times = times.iter().take_while(|entry| last.is_some_and(|last| entry.relative <= last.relative));
        self.cut_indexes_to(keep, keep_times.count())?;
        let begin = last.map_or(0, |entry| u64::from(entry.position));
        let mut scanner = Scanner::new(self.log_file()?, begin, position, LOOKUP_CHUNK_BYTES);
        let mut since = 0;
        while let Some(Ok(frame)) = scanner.next()? {
            since = self.account(&frame, since, interval);
        }
        Ok(since)
    }

    /// Keeps so many entries of the offset index and the time index, and takes the largest time from them.
    pub(crate) fn cut_indexes_to(&self, offsets: usize, times: usize) -> io::Result<()> {
        self.offsets.truncate(Some(&self.offset_file(Open::Create)?), offsets)?;
        self.times.truncate(Some(&self.time_file(Open::Create)?), times)?;
        let last = self.times.last();
        self.set_largest(Largest {
            timestamp: last.map_or(TimestampMs::NONE, |entry| entry.timestamp),
            offset: last.map_or(self.base, |entry| self.base.plus(i64::from(entry.relative))),
        });
        Ok(())
    }

    pub(crate) fn remember(&self, batch: Located) {
        let mut tail = self.tail.lock();
        if tail.batches.len() < TAIL_BATCHES {
            tail.batches.push(batch);
        } else {
            let next = tail.next;
            if let Some(slot) = tail.batches.get_mut(next) {
                *slot = batch;
            }
            tail.next = (next + 1) % TAIL_BATCHES;
        }
    }

    pub(crate) fn forget_tail(&self) {
        *self.tail.lock() = Tail::default();
    }

    /// The batch among the last few that holds `offset`, or is the first behind it.
    fn in_tail(&self, offset: Offset) -> Option<Located> {
        let tail = self.tail.lock();
        let mut ordered = tail.batches[tail.next..].iter().chain(&tail.batches[..tail.next]);
        let first = ordered.next()?;
        if offset < first.base_offset {
            return None;
        }
        if offset <= first.last_offset {
            return Some(*first);
        }
        ordered.find(|batch| offset <= batch.last_offset).copied()
    }

    /// The first batch whose last offset is `offset` or later, and that begins before `limit`.
    pub(crate) fn locate(&self, offset: Offset, limit: u64) -> io::Result<Option<Located>> {
        if let Some(found) = self.in_tail(offset) {
            return Ok((found.position < limit).then_some(found));
        }
        let entry = self.offsets.last_where(
            || self.offset_file(Open::Write),
            |entry| i64::from(entry.relative) <= offset.0.saturating_sub(self.base.0),
        );
        // An index that cannot be read costs a scan, not the answer.
        let position = entry.ok().flatten().map_or(0, |entry| u64::from(entry.position));
        let mut scanner = Scanner::new(self.log_file()?, position, limit, LOOKUP_CHUNK_BYTES);
        while let Some(frame) = scanner.next()? {
            match frame {
                Ok(frame) if frame.last_offset >= offset => return Ok(Some((&frame).into())),
                Ok(_) => {}
                Err(fault) => return Err(damaged(&self.name(FileKind::Log), scanner.position(), fault)),
            }
        }
        Ok(None)
    }

    /// An offset whose batch begins at `position` or shortly before: the base when no index entry is that low.
    pub(crate) fn offset_at(&self, position: u64) -> Offset {
        let entry =
            self.offsets.last_where(|| self.offset_file(Open::Write), |entry| u64::from(entry.position) <= position);
        entry.ok().flatten().map_or(self.base, |entry| self.base.plus(i64::from(entry.relative)))
    }

    /// The offset of a batch that begins at `position` or shortly behind it; none when no index entry is that high.
    pub(crate) fn offset_behind(&self, position: u64) -> Option<Offset> {
        let entry = self
            .offsets
            .first_where_not(|| self.offset_file(Open::Write), |entry| u64::from(entry.position) < position);
        entry.ok().flatten().map(|entry| self.base.plus(i64::from(entry.relative)))
    }

    /// Where a search for the first record not earlier than `timestamp` may begin.
    pub(crate) fn position_before(&self, timestamp: TimestampMs, from: Offset) -> u64 {
        let entry = self.times.last_where(|| self.time_file(Open::Write), |entry| entry.timestamp <= timestamp);
        let relative = entry.ok().flatten().map_or(0, |entry| i64::from(entry.relative));
        let wanted = relative.max(from.0.saturating_sub(self.base.0));
        let entry =
            self.offsets.last_where(|| self.offset_file(Open::Write), |entry| i64::from(entry.relative) <= wanted);
        entry.ok().flatten().map_or(0, |entry| u64::from(entry.position))
    }

    /// Whether an index is full, so that the segment must roll. One slot of the time index stays free for its final entry.
    pub(crate) fn indexes_full(&self, index_bytes: u32) -> bool {
        self.offsets.len() >= index_bytes as usize / OffsetEntry::BYTES
            || self.times.len() + 1 >= index_bytes as usize / TimeEntry::BYTES
    }

    /// Adds to the transaction index; the file is made with the first entry. An error leaves the entry waiting.
    pub(crate) fn push_aborted(&self, entry: AbortedTransaction) -> io::Result<()> {
        self.aborted.lock().pending.push(entry);
        self.write_aborted()
    }

    pub(crate) fn write_aborted(&self) -> io::Result<()> {
        let mut aborted = self.aborted.lock();
        if aborted.pending.is_empty() {
            return Ok(());
        }
        let file = self.home.open(&self.name(FileKind::TxnIndex), Open::Create)?;
        let bytes: Vec<u8> = aborted.pending.iter().flat_map(AbortedTransaction::encode).collect();
        file.write_at(u64::from(aborted.written) * TXN_ENTRY_BYTES as u64, &[io::IoSlice::new(&bytes)])?;
        aborted.written += aborted.pending.len() as u32;
        aborted.pending = Vec::new();
        aborted.dirty = true;
        Ok(())
    }

    /// The aborted transactions that ended in this segment.
    pub(crate) fn aborted(&self) -> io::Result<Vec<AbortedTransaction>> {
        let aborted = self.aborted.lock();
        let mut bytes = vec![0; aborted.written as usize * TXN_ENTRY_BYTES];
        let mut read = 0;
        if aborted.written > 0 {
            read = self.home.open(&self.name(FileKind::TxnIndex), Open::Read)?.read_at(0, &mut bytes)?;
        }
        let written = bytes[..read].chunks_exact(TXN_ENTRY_BYTES).filter_map(AbortedTransaction::decode);
        Ok(written.chain(aborted.pending.iter().copied()).collect())
    }

    /// Those of the aborted transactions that overlap `from..upper`, and whether no later segment has more of them. Of the
    /// file a few entries are read, and those that count.
    pub(crate) fn aborted_among(&self, from: Offset, upper: Offset) -> io::Result<(Vec<AbortedTransaction>, bool)> {
        let (written, pending) = {
            let aborted = self.aborted.lock();
            (aborted.written, aborted.pending.clone())
        };
        let mut found = Vec::new();
        if written > 0 {
            let file = self.home.open(&self.name(FileKind::TxnIndex), Open::Read)?;
            if txn_index::overlapping(&*file, written, from, upper, &mut found)? {
                return Ok((found, true));
            }
        }
        for entry in pending.iter().filter(|entry| entry.last_offset >= from) {
            if entry.first_offset < upper {
                found.push(*entry);
            }
            if entry.last_stable_offset >= upper {
                return Ok((found, true));
            }
        }
        Ok((found, false))
    }

    /// Keeps the aborted transactions that ended before `end`, and cuts what else is in the file; says whether there was any.
    pub(crate) fn truncate_aborted(&self, end: Offset) -> io::Result<bool> {
        let kept = self.aborted()?.iter().take_while(|entry| entry.last_offset < end).count() as u32;
        let mut aborted = self.aborted.lock();
        let written = aborted.written.min(kept);
        aborted.pending.truncate((kept - written) as usize);
        if written < std::mem::replace(&mut aborted.written, written) {
            let file = self.home.open(&self.name(FileKind::TxnIndex), Open::Write)?;
            file.set_len(u64::from(written) * TXN_ENTRY_BYTES as u64)?;
            aborted.dirty = true;
            return Ok(true);
        }
        Ok(false)
    }

    /// What the process before us wrote to the transaction index may not be on the disk.
    pub(crate) fn distrust_aborted(&self) {
        self.aborted.lock().dirty = true;
    }

    /// The side files that were written since this was last asked, opened for a flush.
    pub(crate) fn take_dirty_files(&self) -> io::Result<Vec<Arc<dyn File>>> {
        let mut files = Vec::new();
        if self.times.take_dirty() {
            files.push(self.time_file(Open::Create)?);
        }
        if self.offsets.take_dirty() {
            files.push(self.offset_file(Open::Create)?);
        }
        if std::mem::take(&mut self.aborted.lock().dirty) {
            files.push(self.home.open(&self.name(FileKind::TxnIndex), Open::Create)?);
        }
        Ok(files)
    }
}

/// What stands at a position of a log file is not what must stand there.
pub(crate) fn damaged(name: &str, position: u64, fault: Fault) -> io::Error {
    io::Error::new(io::ErrorKind::InvalidData, format!("{name}, byte {position}: {fault}"))
}
