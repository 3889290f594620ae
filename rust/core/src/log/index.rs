//! The offset index and the time index of a segment: sorted entries of a fixed size (Kafka classes `OffsetIndex`, `TimeIndex`).
//!
//! Kafka maps these files and sizes them ahead. Ours are plain files: the newest entries wait in memory and are written
//! some at a time, lookups read the file. An index may lag behind its segment after a crash; recovery extends it. Any entry is a
//! true lower bound, so a missing one costs a longer scan and never a wrong answer.
//! Invariant: entries strictly increase in both columns, in the file and in what waits behind it.

use std::io::{self, IoSlice};
use std::sync::Arc;

use parking_lot::Mutex;

use crate::disk::File;
use crate::ids::TimestampMs;

/// Entries that wait in memory before they are written: with the default interval, one write per 256 KiB of records.
const PENDING_MAX: usize = 64;
/// Entries that wait at most while the disk is full; then every second one is dropped, which only makes scans longer.
const PENDING_LIMIT: usize = 1024;
/// Entries read in one piece at the end of a search.
const BLOCK_ENTRIES: u32 = 32;

/// How far a segment reaches, as far as it is known before its batches are walked.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Extent {
    /// From its base to that of the next segment.
    pub(crate) offsets: i64,
    /// Of its file of batches.
    pub(crate) bytes: u64,
}

/// One entry of an index.
pub(crate) trait Entry: Copy + PartialEq + std::fmt::Debug {
    /// Bytes in the file.
    const BYTES: usize;
    fn encode(self, into: &mut Vec<u8>);
    fn decode(bytes: &[u8]) -> Option<Self>;
    /// Whether `self` may stand behind `before`.
    fn follows(self, before: Self) -> bool;
    /// Whether it can be one of a segment of so many offsets and bytes.
    fn fits(self, extent: Extent) -> bool;
    /// Whether it can be an entry at all: what lies behind the last one of a file that Kafka sized ahead is all zeros.
    fn is_used(self) -> bool;
}

/// The batch that ends at `relative` (its last offset minus the segment's base) begins at `position`.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) struct OffsetEntry {
    pub(crate) relative: u32,
    pub(crate) position: u32,
}

impl Entry for OffsetEntry {
    const BYTES: usize = 8;

    fn encode(self, into: &mut Vec<u8>) {
        into.extend_from_slice(&self.relative.to_be_bytes());
        into.extend_from_slice(&self.position.to_be_bytes());
    }

    fn decode(bytes: &[u8]) -> Option<Self> {
        let (relative, rest) = bytes.split_first_chunk::<4>()?;
        let (position, _) = rest.split_first_chunk::<4>()?;
        Some(Self { relative: u32::from_be_bytes(*relative), position: u32::from_be_bytes(*position) })
    }

    fn follows(self, before: Self) -> bool {
        self.relative > before.relative && self.position > before.position
    }

    fn fits(self, extent: Extent) -> bool {
        i64::from(self.relative) < extent.offsets && u64::from(self.position) < extent.bytes
    }

    fn is_used(self) -> bool {
        self.position != 0 && i32::try_from(self.relative).is_ok()
    }
}

/// No record up to `relative` (last offset of a batch minus the segment's base) is later than `timestamp`.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) struct TimeEntry {
    pub(crate) timestamp: TimestampMs,
    pub(crate) relative: u32,
}

impl Entry for TimeEntry {
    const BYTES: usize = 12;

    fn encode(self, into: &mut Vec<u8>) {
        into.extend_from_slice(&self.timestamp.0.to_be_bytes());
        into.extend_from_slice(&self.relative.to_be_bytes());
    }

    fn decode(bytes: &[u8]) -> Option<Self> {
        let (timestamp, rest) = bytes.split_first_chunk::<8>()?;
        let (relative, _) = rest.split_first_chunk::<4>()?;
        let timestamp = TimestampMs(i64::from_be_bytes(*timestamp));
        Some(Self { timestamp, relative: u32::from_be_bytes(*relative) })
    }

    fn follows(self, before: Self) -> bool {
        self.timestamp > before.timestamp && self.relative >= before.relative
    }

    fn fits(self, extent: Extent) -> bool {
        i64::from(self.relative) < extent.offsets
    }

    fn is_used(self) -> bool {
        (self.timestamp.0 > 0 || self.relative > 0) && i32::try_from(self.relative).is_ok()
    }
}

/// An index: what is in the file, and what waits to be written behind it.
#[derive(Debug)]
pub(crate) struct Index<E> {
    state: Mutex<State<E>>,
}

#[derive(Debug)]
struct State<E> {
    /// Entries in the file.
    written: u32,
    last: Option<E>,
    pending: Vec<E>,
    /// Written since the last flush.
    dirty: bool,
}

impl<E: Entry> Index<E> {
    /// An index without entries.
    pub(crate) fn empty() -> Self {
        Self { state: Mutex::new(State { written: 0, last: None, pending: Vec::new(), dirty: false }) }
    }

    /// Takes a file as it is: the last entry is read, what Kafka left behind it as zeros is cut off, for Kafka itself takes
    /// them for entries after a clean stop. None
    /// when the file cannot be an index of the segment: its length is no multiple of an entry, or its last entry lies
    /// outside. (Noise is found by that; to read every entry would make a start as long as the data.)
    pub(crate) fn load(file: &dyn File, extent: Extent) -> io::Result<Option<Self>> {
        let len = file.len()?;
        if len % E::BYTES as u64 != 0 {
            return Ok(None);
        }
        let total = u32::try_from(len / E::BYTES as u64).unwrap_or(u32::MAX);
        let mut last = if total == 0 { None } else { read_entry::<E>(file, total - 1)? };
        let mut written = total;
        if last.is_some_and(|entry| !entry.is_used()) {
            written = partition_point(total, |at| Ok(read_entry::<E>(file, at)?.is_some_and(E::is_used)))?;
            last = if written == 0 { None } else { read_entry(file, written - 1)? };
        }
        let cut = written < total && last.is_none_or(|entry| entry.fits(extent));
        if cut {
            file.set_len(u64::from(written) * E::BYTES as u64)?;
        }
        if last.is_some_and(|entry| !entry.fits(extent)) {
            return Ok(None);
        }
        Ok(Some(Self { state: Mutex::new(State { written, last, pending: Vec::new(), dirty: cut }) }))
    }

    /// Every entry, in order.
    pub(crate) fn entries(&self, file: Option<&dyn File>) -> io::Result<Vec<E>> {
        let state = self.state.lock();
        let mut bytes = vec![0; state.written as usize * E::BYTES];
        let read = match file {
            Some(file) => file.read_at(0, &mut bytes)?,
            None => 0,
        };
        let mut entries: Vec<E> = bytes[..read].chunks_exact(E::BYTES).filter_map(E::decode).collect();
        entries.extend_from_slice(&state.pending);
        Ok(entries)
    }

    /// Number of entries, written or waiting.
    pub(crate) fn len(&self) -> usize {
        let state = self.state.lock();
        state.written as usize + state.pending.len()
    }

    /// The newest entry.
    pub(crate) fn last(&self) -> Option<E> {
        self.state.lock().last
    }

    /// Adds an entry, if it may stand behind the last one.
    pub(crate) fn push(&self, entry: E) {
        let mut state = self.state.lock();
        if state.last.is_some_and(|last| !entry.follows(last)) {
            return;
        }
        if state.pending.len() >= PENDING_LIMIT {
            let mut keep = false;
            state.pending.retain(|_| {
                keep = !keep;
                keep
            });
        }
        state.pending.push(entry);
        state.last = Some(entry);
    }

    /// Whether enough entries wait for a write to pay.
    pub(crate) fn wants_write(&self) -> bool {
        self.state.lock().pending.len() >= PENDING_MAX
    }

    /// Whether entries wait to be written.
    pub(crate) fn has_pending(&self) -> bool {
        !self.state.lock().pending.is_empty()
    }

    /// Writes what waits behind what the file holds.
    pub(crate) fn write(&self, file: &dyn File) -> io::Result<()> {
        let mut state = self.state.lock();
        if state.pending.is_empty() {
            return Ok(());
        }
        let mut bytes = Vec::with_capacity(state.pending.len() * E::BYTES);
        for entry in &state.pending {
            entry.encode(&mut bytes);
        }
        file.write_at(u64::from(state.written) * E::BYTES as u64, &[IoSlice::new(&bytes)])?;
        state.written = state.written.saturating_add(state.pending.len() as u32);
        state.pending = Vec::new();
        state.dirty = true;
        Ok(())
    }

    /// Whether something was written since this was last asked.
    pub(crate) fn take_dirty(&self) -> bool {
        std::mem::take(&mut self.state.lock().dirty)
    }

    /// Keeps the first `keep` entries and cuts the file behind them.
    pub(crate) fn truncate(&self, file: Option<&Arc<dyn File>>, keep: usize) -> io::Result<()> {
        let mut state = self.state.lock();
        let written = (state.written as usize).min(keep);
        state.pending.truncate(keep - written);
        state.written = written as u32;
        state.last = match (state.pending.last(), file) {
            (Some(last), _) => Some(*last),
            (None, Some(file)) if written > 0 => read_entry(&**file, written as u32 - 1)?,
            _ => None,
        };
        state.dirty = true;
        match file {
            Some(file) => file.set_len((written * E::BYTES) as u64),
            None => Ok(()),
        }
    }

    /// The last entry for which `holds`, given that it holds for none behind the first for which it does not.
    pub(crate) fn last_where(
        &self,
        file: impl FnOnce() -> io::Result<Arc<dyn File>>,
        holds: impl Fn(&E) -> bool,
    ) -> io::Result<Option<E>> {
        Ok(self.around(file, holds)?.0)
    }

    /// The entry behind that: the first for which `holds` does not hold.
    pub(crate) fn first_where_not(
        &self,
        file: impl FnOnce() -> io::Result<Arc<dyn File>>,
        holds: impl Fn(&E) -> bool,
    ) -> io::Result<Option<E>> {
        Ok(self.around(file, holds)?.1)
    }

    /// The last entry for which `holds`, and the first for which it does not.
    fn around(
        &self,
        file: impl FnOnce() -> io::Result<Arc<dyn File>>,
        holds: impl Fn(&E) -> bool,
    ) -> io::Result<(Option<E>, Option<E>)> {
        let (written, waiting) = {
            let state = self.state.lock();
            let waiting = state.pending.partition_point(&holds);
            if let Some(before) = waiting.checked_sub(1) {
                return Ok((state.pending.get(before).copied(), state.pending.get(waiting).copied()));
            }
            (state.written, state.pending.first().copied())
        };
        if written == 0 {
            return Ok((None, waiting));
        }
        let file = file()?;
        // Blocks first, each by its first entry; then one read of the block.
        let blocks = written.div_ceil(BLOCK_ENTRIES);
        let first_of = |block: u32| read_entry::<E>(&*file, block * BLOCK_ENTRIES);
        let behind = partition_point(blocks, |block| Ok(first_of(block)?.is_some_and(|entry| holds(&entry))))?;
        let next = || if behind < blocks { first_of(behind) } else { Ok(waiting) };
        let Some(block) = behind.checked_sub(1) else { return Ok((None, next()?)) };
        let mut bytes = [0; BLOCK_ENTRIES as usize * 12];
        let count = (written - block * BLOCK_ENTRIES).min(BLOCK_ENTRIES) as usize;
        let wanted = &mut bytes[..count * E::BYTES];
        let read = file.read_at(u64::from(block * BLOCK_ENTRIES) * E::BYTES as u64, wanted)?;
        let (mut last, mut first) = (None, None);
        for entry in wanted[..read].chunks_exact(E::BYTES).filter_map(E::decode) {
            if !holds(&entry) {
                first = Some(entry);
                break;
            }
            last = Some(entry);
        }
        Ok((last, if first.is_some() { first } else { next()? }))
    }
}

fn read_entry<E: Entry>(file: &dyn File, at: u32) -> io::Result<Option<E>> {
    let mut bytes = [0; 12];
    let wanted = &mut bytes[..E::BYTES];
    let read = file.read_at(u64::from(at) * E::BYTES as u64, wanted)?;
    Ok(E::decode(&wanted[..read]))
}

/// The first of `0..count` for which `holds` is false.
fn partition_point(count: u32, mut holds: impl FnMut(u32) -> io::Result<bool>) -> io::Result<u32> {
    let (mut low, mut high) = (0, count);
    while low < high {
        let middle = low + (high - low) / 2;
        if holds(middle)? {
            low = middle + 1;
        } else {
            high = middle;
        }
    }
    Ok(low)
}
