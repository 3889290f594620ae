//! What of a log is not yet on the disk, and getting it there.
//!
//! The writer notes what changed; a flusher takes a [`FlushPlan`] under the partition's lock, runs it outside any lock, and hands it
//! back. Only then `durable_end` moves: data, indexes, side files and names are on the disk below it. A failed flush poisons the
//! directory and is never tried again: the kernel has marked the pages clean.

use std::io::{self, IoSlice};
use std::sync::Arc;

use super::checkpoint;
use super::directory::Home;
use super::names::FileKind;
use super::writer::{EPOCHS_FILE, Log};
use crate::batch::snapshot;
use crate::disk::{self, File, Open};
use crate::ids::{Offset, TimestampMs};

/// Limits on what a power failure may take, and the settings of the topic.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct FlushPolicy {
    /// Unflushed bytes of one log at most.
    pub log_bytes_max: u64,
    /// Unflushed bytes of all logs of a directory at most.
    pub directory_bytes_max: u64,
    /// Age of the oldest unflushed append at most.
    pub age_ms_max: i64,
}

impl Default for FlushPolicy {
    fn default() -> Self {
        Self { log_bytes_max: 64 << 20, directory_bytes_max: 1 << 30, age_ms_max: 30_000 }
    }
}

/// What of a log is not flushed.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub struct Unflushed {
    /// Bytes of batches.
    pub bytes: u64,
    /// Batches.
    pub batches: u64,
    /// Records, by offsets.
    pub records: u64,
    /// When the oldest of it came; none when there is nothing.
    pub since: Option<TimestampMs>,
    /// Whether a segment was completed and waits to be flushed.
    pub rolled: bool,
}

impl FlushPolicy {
    /// Whether a log must be flushed now, by what it alone is allowed.
    #[must_use]
    pub fn is_due(&self, log: &Unflushed, messages: Option<u64>, ms: Option<i64>, now: TimestampMs) -> bool {
        let Some(since) = log.since else { return false };
        let age_ms_max = ms.map_or(self.age_ms_max, |ms| ms.min(self.age_ms_max));
        log.rolled
            || log.bytes >= self.log_bytes_max
            || now.0.saturating_sub(since.0) >= age_ms_max
            || messages.is_some_and(|messages| log.records >= messages)
    }

    /// Which logs of a directory to flush, by index: those that are due, and then the largest until the rest is within
    /// the directory's share.
    #[must_use]
    pub fn choose(&self, logs: &[Unflushed], due: impl Fn(usize) -> bool) -> Vec<usize> {
        let mut chosen: Vec<usize> = (0..logs.len()).filter(|&at| due(at)).collect();
        let bytes = |at: usize| logs.get(at).map_or(0, |log| log.bytes);
        let mut left: u64 = logs.iter().map(|log| log.bytes).sum();
        left -= chosen.iter().map(|&at| bytes(at)).sum::<u64>();
        let mut others: Vec<usize> = (0..logs.len()).filter(|at| !chosen.contains(at)).collect();
        others.sort_by_key(|&at| std::cmp::Reverse(bytes(at)));
        for at in others {
            if left < self.directory_bytes_max {
                break;
            }
            left -= bytes(at);
            chosen.push(at);
        }
        chosen
    }
}

/// What the writer remembers of what is not flushed.
#[derive(Debug)]
#[expect(clippy::struct_excessive_bools, reason = "each names one thing that is to be flushed")]
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
    /// A plan is out.
    running: bool,
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
            running: false,
            floor: None,
        }
    }

    pub(crate) fn durable_end(&self) -> Offset {
        self.durable_end
    }

    fn touch(&mut self, now: TimestampMs) {
        self.unflushed.since.get_or_insert(now);
    }

    pub(crate) fn appended(&mut self, bytes: u64, batches: u64, records: u64, now: TimestampMs) {
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
    flushed: Unflushed,
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
        self.flushed.bytes
    }

    /// Waits for the disk. A failure poisons the directory. Never under a lock, never on a network thread.
    pub fn run(&self) -> io::Result<()> {
        if let Some(reason) = self.home.directory.poisoned() {
            return Err(io::Error::other(reason.to_owned()));
        }
        self.sync().inspect_err(|error| {
            self.home.directory.poison(&format!("cannot flush {}: {error}", self.home.describe("")));
        })
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
        for (name, content) in &self.contents {
            let file = self.home.open(name, Open::Truncate)?;
            file.write_at(0, &[IoSlice::new(content)])?;
            file.sync()?;
        }
        if let Some(epochs) = &self.epochs {
            let epochs = epochs.as_bytes();
            self.home.at_root(|root| disk::replace(self.home.disk(), &root.join(EPOCHS_FILE), epochs))?;
        }
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
    /// What of the log is not flushed.
    #[must_use]
    pub fn unflushed(&self) -> Unflushed {
        self.flush.unflushed
    }

    /// Whether the log must be flushed, by its settings and by `policy`.
    #[must_use]
    pub fn flush_is_due(&self, policy: &FlushPolicy, now: TimestampMs) -> bool {
        !self.flush.running
            && policy.is_due(&self.flush.unflushed, self.config.flush_messages, self.config.flush_ms, now)
    }

    /// What to flush; none when everything is durable, or a plan is out already. Blocks for page-cache writes at most.
    pub fn flush_plan(&mut self) -> io::Result<Option<FlushPlan>> {
        if self.flush.running || self.flush.unflushed.since.is_none() {
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
        let mut files = Vec::new();
        for segment in self.shared.segments.load().iter() {
            if segment.next_offset() > durable || segment.base == self.active.segment.base {
                files.push(segment.log_file()?);
            }
            let beside = segment.take_dirty_files()?;
            // They may be new.
            self.flush.names_dirty |= !beside.is_empty();
            files.extend(beside);
        }
        let flush = &mut self.flush;
        flush.running = true;
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
            flushed: std::mem::take(&mut flush.unflushed),
        })
    }

    /// The plan ran, and this was the outcome: moves `durable_end`. After a failure it stays where it is, for ever.
    pub fn flushed(&mut self, plan: &FlushPlan, outcome: &io::Result<()>) {
        self.flush.running = false;
        if outcome.is_err() {
            let unflushed = &mut self.flush.unflushed;
            unflushed.bytes += plan.flushed.bytes;
            unflushed.batches += plan.flushed.batches;
            unflushed.records += plan.flushed.records;
            unflushed.since = plan.flushed.since.or(unflushed.since);
            return;
        }
        let upto = self.flush.floor.take().map_or(plan.upto, |floor| floor.min(plan.upto));
        self.flush.durable_end = self.flush.durable_end.max(upto);
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
