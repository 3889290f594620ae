//! What of a log is not yet on the disk, and getting it there.
//!
//! The writer notes what changed; a flusher takes a [`FlushPlan`] under the partition's lock, runs it outside any lock, and hands it
//! back. Only then `durable_end` moves: data, indexes, side files and names are on the disk below it. A failed flush poisons the
//! directory and is never tried again: the kernel has marked the pages clean. A side file for which the disk has no room is
//! no failed flush: it is written again with the next one.

use std::io::{self, IoSlice};
use std::sync::Arc;

use super::checkpoint;
use super::directory::{Home, is_full};
use super::names::FileKind;
use super::segment::Segment;
use super::window::{FlushNeed, Unflushed};
use super::writer::{EPOCHS_FILE, Log, remove_if_there};
use crate::batch::snapshot;
use crate::disk::{self, File, Open};
use crate::ids::{Offset, TimestampMs};

/// How often the flusher looks by itself: what is due sooner wakes it.
pub const LOOKS_EVERY_MS: i64 = 1_000;

/// What the writer remembers of what is not flushed.
#[derive(Debug)]
pub(crate) struct FlushState {
    durable_end: Offset,
    unflushed: Unflushed,
    /// Bytes since the side files were written.
    side_bytes: u64,
    /// Small files written and not flushed.
    files: Vec<String>,
    epochs_dirty: bool,
    names_dirty: bool,
    parent_dirty: bool,
    /// What the plan that is out makes durable, and up to where.
    running: Option<(Offset, Unflushed)>,
    /// The lowest truncation since the plan was made.
    floor: Option<Offset>,
}

impl FlushState {
    pub(crate) fn new(durable_end: Offset) -> Self {
        Self {
            durable_end,
            unflushed: Unflushed::default(),
            side_bytes: 0,
            files: Vec::new(),
            epochs_dirty: false,
            names_dirty: false,
            parent_dirty: false,
            running: None,
            floor: None,
        }
    }

    pub(crate) fn durable_end(&self) -> Offset {
        self.durable_end
    }

    fn touch(&mut self, now: TimestampMs) {
        self.unflushed.since.get_or_insert(now);
    }

    fn appended(&mut self, bytes: u64, batches: u64, records: u64, now: TimestampMs) {
        self.touch(now);
        self.unflushed.bytes += bytes;
        self.unflushed.batches += batches;
        self.unflushed.records += records;
        self.side_bytes = self.side_bytes.saturating_add(bytes);
    }

    pub(crate) fn epochs_changed(&mut self, now: TimestampMs) {
        self.epochs_dirty = true;
        self.touch(now);
    }

    pub(crate) fn rolled(&mut self, now: TimestampMs) {
        self.unflushed.rolled = true;
        self.touch(now);
    }

    /// The next flush writes the side files, however little came.
    pub(crate) fn want_side_files(&mut self, now: TimestampMs) {
        self.side_bytes = u64::MAX;
        self.touch(now);
    }

    pub(crate) fn names_changed(&mut self) {
        self.names_dirty = true;
    }

    pub(crate) fn directory_created(&mut self) {
        self.names_dirty = true;
        self.parent_dirty = true;
    }

    /// Whether the directory's own name is not durable yet; the caller makes it so.
    pub(crate) fn take_parent_dirty(&mut self) -> bool {
        std::mem::take(&mut self.parent_dirty)
    }

    pub(crate) fn add_file(&mut self, name: String) {
        self.names_dirty = true;
        self.files.push(name);
    }

    pub(crate) fn truncated(&mut self, end: Offset, now: TimestampMs) {
        self.touch(now);
        self.names_dirty = true;
        self.lower(end);
    }

    pub(crate) fn lower(&mut self, to: Offset) {
        self.durable_end = self.durable_end.min(to);
        self.floor = Some(self.floor.map_or(to, |floor| floor.min(to)));
    }

    /// The log is empty and begins at `start`: nothing below can be lost.
    pub(crate) fn restarted(&mut self, start: Offset) {
        self.durable_end = start;
    }
}

/// What was not flushed of a log that is gone counts no more.
impl Drop for Log {
    fn drop(&mut self) {
        let running = self.flush.running.map_or(0, |(_, flushed)| flushed.bytes);
        self.shared.home.directory.window.shrank(self.flush.unflushed.bytes + running);
    }
}

/// Files and names to flush, and up to which offset that makes the log durable.
#[derive(Debug)]
pub struct FlushPlan {
    home: Arc<Home>,
    /// Data and indexes.
    files: Vec<Arc<dyn File>>,
    /// Small files that were written already.
    names: Vec<String>,
    /// Small files to write.
    contents: Vec<(String, Vec<u8>)>,
    /// Snapshots that newer ones replace.
    obsolete: Vec<String>,
    epochs: Option<String>,
    sync_names: bool,
    sync_parent: bool,
    upto: Offset,
    bytes: u64,
}

impl FlushPlan {
    /// Everything below is durable once the plan ran.
    #[must_use]
    pub fn upto(&self) -> Offset {
        self.upto
    }

    /// Bytes of batches that become durable.
    #[must_use]
    pub fn bytes(&self) -> u64 {
        self.bytes
    }

    /// Waits for the disk. A failure poisons the directory, unless the disk is merely full. Never under a lock, never on a
    /// network thread.
    pub fn run(&self) -> io::Result<()> {
        if let Some(reason) = self.home.directory.poisoned() {
            return Err(io::Error::other(reason.to_owned()));
        }
        let poison = |error: &io::Error| {
            self.home.directory.poison(&format!("cannot flush {}: {error}", self.home.describe("")));
        };
        self.sync().inspect_err(poison)?;
        let beside = self.write_side_files().inspect_err(|error| {
            if !is_full(error) {
                poison(error);
            }
        });
        self.sync_names().inspect_err(poison)?;
        beside
    }

    fn sync(&self) -> io::Result<()> {
        for file in &self.files {
            file.sync()?;
        }
        for name in &self.names {
            match self.home.open(name, Open::Read) {
                Ok(file) => file.sync()?,
                // Replaced or removed since.
                Err(error) if error.kind() == io::ErrorKind::NotFound => {}
                Err(error) => return Err(error),
            }
        }
        Ok(())
    }

    /// Writes and flushes what is made for this flush; a file that did not fit is taken away again.
    fn write_side_files(&self) -> io::Result<()> {
        for (name, content) in &self.contents {
            let file = self.home.open(name, Open::Truncate)?;
            if let Err(error) = file.write_at(0, &[IoSlice::new(content)]) {
                remove_if_there(&self.home, name)?;
                return Err(error);
            }
            file.sync().map_err(io::Error::other)?;
        }
        if let Some(epochs) = &self.epochs {
            let epochs = epochs.as_bytes();
            self.home.at_root(|root| disk::replace(self.home.disk(), &root.join(EPOCHS_FILE), epochs))?;
        }
        Ok(())
    }

    fn sync_names(&self) -> io::Result<()> {
        if self.sync_names {
            self.home.at_root(|root| self.home.disk().sync_dir(root))?;
        }
        if self.sync_parent {
            self.home.disk().sync_dir(std::path::Path::new(""))?;
        }
        for name in &self.obsolete {
            // One that stays does no harm: the next start removes it.
            let _ = self.home.disk().remove_file(&self.home.path(name));
        }
        Ok(())
    }
}

impl Log {
    /// What of the log is not flushed, and not about to be.
    #[must_use]
    pub fn unflushed(&self) -> Unflushed {
        self.flush.unflushed
    }

    /// In how many milliseconds the log must be flushed, by its settings and by the bounds of its directory: 0 is now, none
    /// when there is nothing, or a flush is running.
    #[must_use]
    pub fn flush_due_in_ms(&self, now: TimestampMs) -> Option<i64> {
        let policy = self.shared.home.directory.window.policy();
        let due = policy.due_in_ms(&self.flush.unflushed, self.config.flush_messages, self.config.flush_ms, now);
        due.filter(|_| self.flush.running.is_none())
    }

    /// Accounts for what was appended, and wakes the flusher when half of a bound is reached.
    pub(crate) fn note_append(&mut self, bytes: u64, batches: u64, records: u64, now: TimestampMs) {
        let first = self.flush.unflushed.since.is_none();
        self.flush.appended(bytes, batches, records, now);
        let window = &self.shared.home.directory.window;
        let half = window.policy().directory_bytes_max / 2;
        let soon = |due: i64| due == 0 || (first && due < LOOKS_EVERY_MS);
        if window.grew(bytes) >= half || self.flush_due_in_ms(now).is_some_and(soon) {
            window.alarm().ring();
        }
    }

    /// What must be flushed before the batches below `next` are acknowledged: those that `flush.messages` wants on the disk,
    /// and whatever makes room where the bound of the log or of its directory is reached. `repeated`: they were appended before.
    pub fn flush_need(&mut self, next: Offset, repeated: bool) -> Option<FlushNeed> {
        let window = &self.shared.home.directory.window;
        let flush = &mut self.flush;
        if flush.durable_end >= next {
            return None;
        }
        let running = flush.running.map_or(0, |(_, unflushed)| unflushed.bytes);
        let holds = flush.unflushed.bytes + running > window.policy().log_bytes_max
            || window.bytes() > window.policy().directory_bytes_max;
        // Whether a batch was flushed when it came first is not known any more.
        let wants = |messages: u64| repeated || flush.unflushed.records >= messages;
        let upto = match flush.running {
            _ if self.config.flush_messages.is_some_and(wants) => next,
            Some((upto, _)) if holds => upto,
            None if holds => next,
            _ => return None,
        };
        if flush.running.is_none_or(|(ends, _)| upto > ends) {
            flush.unflushed.awaited = true;
            window.alarm().ring();
        }
        Some(FlushNeed { upto, holds })
    }

    /// What to flush; none when everything is durable, or a plan is out already. Blocks for page-cache writes at most.
    pub fn flush_plan(&mut self) -> io::Result<Option<FlushPlan>> {
        if self.flush.running.is_some() || self.flush.unflushed.since.is_none() {
            return Ok(None);
        }
        let side_files = self.flush.side_bytes >= self.config.replay_bytes;
        self.plan_flush(side_files).map(Some)
    }

    fn plan_flush(&mut self, side_files: bool) -> io::Result<FlushPlan> {
        let end = self.end();
        let durable = self.flush.durable_end;
        let mut contents = Vec::new();
        let mut obsolete = Vec::new();
        // Index entries below the durable end are durable, too: recovery trusts them.
        if self.active.segment.size() > 0 {
            self.flush.names_dirty |= self.active.segment.make_index_files()?;
        }
        self.active.segment.write_indexes()?;
        if side_files {
            self.flush.side_bytes = 0;
            if !self.is_raft() {
                contents.push((FileKind::ProducerSnapshot.name(end), snapshot::encode(&self.producers)));
                self.flush.names_dirty = true;
                self.snapshot_exists(end);
                obsolete = self.obsolete_snapshots();
            }
        }
        self.active.segment.write_aborted()?;
        let segments = self.shared.segments.load();
        let written =
            |segment: &&Arc<Segment>| segment.next_offset() > durable || segment.base == self.active.segment.base;
        let mut files =
            segments.iter().filter(written).map(|segment| segment.log_file()).collect::<io::Result<Vec<_>>>()?;
        for segment in segments.iter() {
            let beside = segment.take_dirty_files()?;
            // They may be new.
            self.flush.names_dirty |= !beside.is_empty();
            files.extend(beside);
        }
        let flush = &mut self.flush;
        let flushed = std::mem::take(&mut flush.unflushed);
        flush.running = Some((end, flushed));
        flush.floor = None;
        Ok(FlushPlan {
            home: Arc::clone(&self.shared.home),
            files,
            names: std::mem::take(&mut flush.files),
            contents,
            obsolete,
            epochs: std::mem::take(&mut flush.epochs_dirty).then(|| checkpoint::format_epochs(&self.epochs)),
            sync_names: std::mem::take(&mut flush.names_dirty),
            sync_parent: std::mem::take(&mut flush.parent_dirty),
            upto: end,
            bytes: flushed.bytes,
        })
    }

    /// The plan ran, and this was the outcome: moves `durable_end`. After a failure it stays where it is: for ever, unless the
    /// disk was merely full; then the next plan does it all again.
    pub fn flushed(&mut self, plan: &FlushPlan, outcome: &io::Result<()>) {
        let flush = &mut self.flush;
        let flushed = flush.running.take().map_or_else(Unflushed::default, |(_, flushed)| flushed);
        if outcome.is_err() {
            flush.unflushed = flush.unflushed.and(flushed);
            flush.epochs_dirty |= plan.epochs.is_some();
            if !plan.contents.is_empty() {
                flush.side_bytes = u64::MAX;
                self.snapshots
                    .retain(|at| !plan.contents.iter().any(|(name, _)| *name == FileKind::ProducerSnapshot.name(*at)));
            }
            return;
        }
        self.shared.home.directory.window.shrank(flushed.bytes);
        let upto = flush.floor.take().map_or(plan.upto, |floor| floor.min(plan.upto));
        flush.durable_end = flush.durable_end.max(upto);
    }

    /// Flushes everything now. Blocks for as long as the disk takes: for the end of a raft append, a shutdown, a test.
    pub fn flush(&mut self) -> io::Result<()> {
        let Some(plan) = self.flush_plan()? else { return Ok(()) };
        let outcome = plan.run();
        self.flushed(&plan, &outcome);
        outcome
    }

    /// Closes the log well: indexes complete, everything flushed. Afterwards a clean-shutdown marker may be written. Blocks.
    pub fn close(&mut self) -> io::Result<()> {
        let segment = Arc::clone(&self.active.segment);
        // Also those of a log without records; that their names are not flushed for that alone costs nothing but a remark.
        segment.finish_indexes()?;
        let has_snapshot = self.is_raft() || self.snapshots.last() == Some(&self.end());
        if self.flush.unflushed.since.is_some() || (segment.size() > 0 && !has_snapshot) {
            let plan = self.plan_flush(true)?;
            let outcome = plan.run();
            self.flushed(&plan, &outcome);
            outcome?;
        }
        for segment in self.shared.segments.load().iter() {
            segment.close_files();
        }
        Ok(())
    }

    /// Snapshots that are neither among the newest two nor at the base of a segment; they are forgotten here.
    fn obsolete_snapshots(&mut self) -> Vec<String> {
        let segments = self.shared.segments.load();
        let newest = self.snapshots.len().saturating_sub(2);
        let (old, _) = self.snapshots.split_at(newest);
        let is_base = |at: &Offset| segments.binary_search_by_key(at, |segment| segment.base).is_ok();
        let doomed: Vec<Offset> = old.iter().copied().filter(|at| !is_base(at)).collect();
        self.snapshots.retain(|at| !doomed.contains(at));
        doomed.into_iter().map(|at| FileKind::ProducerSnapshot.name(at)).collect()
    }
}
