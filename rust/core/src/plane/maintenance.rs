//! What has to be done now and then: flush, checkpoints, retention, removal of what was deleted, silent producers.
//!
//! One thread per directory, which may block. It looks at every partition about once a second, and whenever an append rings:
//! half of a bound on what is not flushed is reached, or somebody waits for the disk.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;
use std::time::Duration;

use parking_lot::Mutex;

use crate::ids::{Offset, PartitionIndex};
use crate::log::directory::is_full;
use crate::log::{LOOKS_EVERY_MS, LogDirectory, OffsetCheckpoint, Retired};
use crate::plane::clock::{Clock, Instant, Now};
use crate::plane::mailbox::Subject;
use crate::plane::services::Services;
use crate::replication::partition::Partition;

/// Flushed bytes after which the recovery points are written without waiting for their time: a start reads no more again.
const CHECKPOINT_BYTES: u64 = 64 << 20;
/// Directories removed at a time: each takes about a millisecond, and whoever waits for a flush waits for them.
pub(crate) const REMOVALS_PER_LOOK: usize = 32;
/// How often silent producers are forgotten, as Kafka.
const PRODUCERS_MS: i64 = 600_000;

/// How often what is done. What is shorter than a second is done whenever the directory is looked at.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Periods {
    /// `replica.high.watermark.checkpoint.interval.ms`.
    pub high_watermarks_ms: i64,
    /// `log.flush.offset.checkpoint.interval.ms`.
    pub recovery_points_ms: i64,
    /// `log.flush.start.offset.checkpoint.interval.ms`.
    pub log_starts_ms: i64,
    /// `log.retention.check.interval.ms`.
    pub retention_ms: i64,
    /// `log.segment.delete.delay.ms`: how long a deleted directory stays, for readers that still send from it.
    pub delete_delay_ms: i64,
}

impl Default for Periods {
    /// Kafka's defaults.
    fn default() -> Self {
        Self {
            high_watermarks_ms: 5_000,
            recovery_points_ms: 60_000,
            log_starts_ms: 60_000,
            retention_ms: 300_000,
            delete_delay_ms: 60_000,
        }
    }
}

#[derive(Debug, Default)]
struct Work {
    stopped: bool,
    /// Those who wait were told that the directory failed.
    failed: bool,
    /// What went wrong the last time it was tried: it is told once, not whenever it is tried again.
    told: BTreeMap<&'static str, String>,
    /// Bytes flushed since the recovery points were written.
    flushed_bytes: u64,
    /// Directories to remove, by the time when.
    removals: BTreeSet<(Instant, String)>,
    /// Segments to remove, and the time when.
    retired: Vec<(Instant, Retired)>,
    last: Last,
    written: Written,
    /// The headroom is given back, and the control plane knows that the disk is full.
    full: bool,
}

/// When each was done last.
#[derive(Clone, Copy, Debug, Default)]
struct Last {
    high_watermarks: u64,
    recovery_points: u64,
    log_starts: u64,
    retention: u64,
    producers: u64,
}

type Offsets = BTreeMap<(Arc<str>, PartitionIndex), Offset>;

/// What the checkpoint files hold, to write only what changed.
#[derive(Debug, Default)]
struct Written {
    recovery: Offsets,
    start: Offsets,
    high_watermark: Offsets,
}

/// The maintenance of one directory.
#[derive(Debug)]
pub struct Maintenance {
    services: Arc<Services>,
    directory: Arc<LogDirectory>,
    periods: Periods,
    work: Mutex<Work>,
}

impl Maintenance {
    /// Nothing is done before [`Maintenance::run`].
    #[must_use]
    pub fn new(services: Arc<Services>, directory: Arc<LogDirectory>, periods: Periods) -> Self {
        Self { services, directory, periods, work: Mutex::default() }
    }

    /// Ends [`Maintenance::run`].
    pub fn stop(&self) {
        self.work.lock().stopped = true;
        self.directory.window.alarm().ring();
    }

    /// Removes a directory when nobody can be reading from it any more.
    pub fn remove_later(&self, directory: String, now: Instant) {
        self.work.lock().removals.insert((now.after_ms(self.periods.delete_delay_ms), directory));
    }

    /// Works until it is stopped. Blocks.
    pub fn run(&self, clock: &dyn Clock) {
        let reserved = self.directory.reserve_headroom();
        self.report("headroom", reserved.map(drop).map_err(|error| format!("cannot set space aside: {error}")));
        let mut patience = Duration::ZERO;
        loop {
            self.directory.window.alarm().wait(patience);
            if self.work.lock().stopped {
                return;
            }
            let now = clock.now();
            let partitions = self.services.hosted.all();
            self.mind_full_disk(&partitions, now);
            patience = self.flush(&partitions, now);
            if self.housekeeping(&partitions, now) {
                patience = Duration::ZERO;
            }
            self.tell_failure(&partitions);
        }
    }

    /// Flushes what is due; says how long nothing will be.
    fn flush(&self, partitions: &[Arc<Partition>], now: Now) -> Duration {
        let mut open = Vec::new();
        let mut unflushed = Vec::new();
        let mut due_ms = Vec::new();
        for partition in partitions {
            let (state, due) = partition.with_log(|log| (log.unflushed(), log.flush_due_in_ms(now.wall)));
            if let Some(due) = due {
                open.push(partition);
                unflushed.push(state);
                due_ms.push(due);
            }
        }
        let chosen = self.directory.window.policy().choose(&unflushed, |at| due_ms.get(at) == Some(&0));
        let flushed: u64 =
            chosen.iter().filter_map(|at| open.get(*at)).map(|partition| self.flush_one(partition)).sum();
        let since_checkpoint = {
            let mut work = self.work.lock();
            work.flushed_bytes += flushed;
            work.flushed_bytes
        };
        if since_checkpoint >= CHECKPOINT_BYTES {
            self.write(OffsetCheckpoint::RecoveryPoint);
        }
        let next_ms = due_ms.into_iter().filter(|due| *due > 0).min().unwrap_or(LOOKS_EVERY_MS).min(LOOKS_EVERY_MS);
        Duration::from_millis(next_ms.unsigned_abs())
    }

    /// Flushes one log; says how many bytes became durable.
    fn flush_one(&self, partition: &Partition) -> u64 {
        let plan = partition.with_log(crate::log::Log::flush_plan);
        let error = match plan {
            Ok(None) => return 0,
            Ok(Some(plan)) => {
                let outcome = plan.run();
                partition.flushed(&plan, &outcome);
                match outcome {
                    Ok(()) => return plan.bytes(),
                    Err(error) => error,
                }
            }
            Err(error) => error,
        };
        if is_full(&error) && self.directory.poisoned().is_none() {
            // Nothing is lost: it is tried again, with the headroom.
            self.directory.note_full();
            return 0;
        }
        self.report("flush", Err(format!("cannot flush {partition} in {}: {error}", self.directory.describe())));
        0
    }

    /// After the directory failed, once: tells the control plane, and whoever waits for one of its partitions.
    fn tell_failure(&self, partitions: &[Arc<Partition>]) {
        let Some(reason) = self.directory.poisoned() else { return };
        if std::mem::replace(&mut self.work.lock().failed, true) {
            return;
        }
        self.services.mailbox.fact(Subject::LogDirectoryFailed, reason.to_owned());
        for partition in partitions {
            partition.fail();
        }
    }

    /// When the disk is full: gives the headroom to what must go on and lets go of what need not be kept; from then on looks
    /// for room.
    fn mind_full_disk(&self, partitions: &[Arc<Partition>], now: Now) {
        if !self.directory.refuses_records() {
            return;
        }
        let known = std::mem::replace(&mut self.work.lock().full, true);
        let what = if known {
            match self.directory.look_for_room() {
                Ok(false) => return,
                Ok(true) => {
                    self.work.lock().full = false;
                    Ok("there is room again: records are taken")
                }
                Err(error) => Err(error),
            }
        } else {
            let released = self.directory.release_headroom();
            for partition in partitions {
                self.retain(partition, now);
            }
            released.map(|()| "records are refused until there is room, reads and deletes go on")
        };
        let directory = self.directory.describe();
        if let Ok(what) = what {
            self.services.mailbox.fact(Subject::LogDirectoryFull, format!("{directory}: {what}"));
        }
        let outcome = what.map(|_| ()).map_err(|error| format!("cannot look for room in {directory}: {error}"));
        self.report("room", outcome);
    }

    /// Does what it is time for; whether something is left that is not to be waited for.
    fn housekeeping(&self, partitions: &[Arc<Partition>], now: Now) -> bool {
        let mut last = self.work.lock().last;
        let is_time = |since: &mut u64, period_ms: i64| {
            let due = now.instant.0.saturating_sub(*since) >= u64::try_from(period_ms).unwrap_or(0);
            if due {
                *since = now.instant.0;
            }
            due
        };
        if is_time(&mut last.high_watermarks, self.periods.high_watermarks_ms) {
            self.write(OffsetCheckpoint::Replication);
        }
        if is_time(&mut last.recovery_points, self.periods.recovery_points_ms) {
            self.write(OffsetCheckpoint::RecoveryPoint);
        }
        if is_time(&mut last.log_starts, self.periods.log_starts_ms) {
            self.write(OffsetCheckpoint::LogStart);
        }
        if is_time(&mut last.retention, self.periods.retention_ms) {
            for partition in partitions {
                self.retain(partition, now);
            }
        }
        if is_time(&mut last.producers, PRODUCERS_MS) {
            for partition in partitions {
                partition.expire_producers(now.wall);
            }
        }
        self.work.lock().last = last;
        self.remove_due(now.instant)
    }

    fn retain(&self, partition: &Partition, now: Now) {
        match partition.retire(now.wall) {
            Ok(None) => {}
            Ok(Some(retired)) => {
                let delay_ms = partition.settings().log.file_delete_delay_ms;
                self.work.lock().retired.push((now.instant.after_ms(delay_ms), retired));
            }
            Err(error) if is_full(&error) => self.directory.note_full(),
            Err(error) => {
                let subject = Subject::PartitionFailed(partition.topic.clone(), partition.index.0);
                self.services.mailbox.fact(subject, format!("cannot delete old segments of {partition}: {error}"));
            }
        }
    }

    /// Removes what nobody can be reading any more; whether some of it is left for the next time.
    fn remove_due(&self, now: Instant) -> bool {
        let due: Vec<Retired> = {
            let mut work = self.work.lock();
            let (due, rest) = std::mem::take(&mut work.retired).into_iter().partition(|(at, _)| *at <= now);
            work.retired = rest;
            let due: Vec<(Instant, Retired)> = due;
            due.into_iter().map(|(_, retired)| retired).collect()
        };
        for retired in due {
            let outcome = retired.unlink().map_err(|error| format!("cannot remove old segments: {error}"));
            self.report("segments", outcome);
        }
        for _ in 0..REMOVALS_PER_LOOK {
            let directory = {
                let mut work = self.work.lock();
                match work.removals.first() {
                    Some((due, _)) if *due <= now => work.removals.pop_first(),
                    _ => return false,
                }
            };
            if let Some((_, directory)) = directory {
                self.report("directories", self.directory.remove(&directory).map_err(|error| error.to_string()));
            }
        }
        true
    }

    /// Tells the control plane what did not go well, once until it goes well; of a directory that failed, that alone.
    fn report(&self, what: &'static str, outcome: Result<(), String>) {
        let mut work = self.work.lock();
        match outcome {
            Ok(()) => {
                work.told.remove(what);
            }
            Err(error) => {
                let known = work.told.insert(what, error.clone());
                if known.as_ref() != Some(&error) && self.directory.poisoned().is_none() {
                    self.services.mailbox.fact(Subject::LogDirectoryFailed, error);
                }
            }
        }
    }

    /// Writes a checkpoint. One for which there is no room is written later: the old one stays, and is true.
    fn write(&self, which: OffsetCheckpoint) {
        let outcome = self.checkpoint(which);
        if outcome.is_ok() || !self.directory.refuses_records() {
            self.report(which.file_name(), outcome);
        }
    }

    /// Writes all checkpoints.
    pub fn write_checkpoints(&self, _now: Now) -> Result<(), String> {
        for which in [OffsetCheckpoint::RecoveryPoint, OffsetCheckpoint::LogStart, OffsetCheckpoint::Replication] {
            self.checkpoint(which)?;
        }
        Ok(())
    }

    fn checkpoint(&self, which: OffsetCheckpoint) -> Result<(), String> {
        let partitions = self.services.hosted.all();
        let offset = |partition: &Partition| match which {
            OffsetCheckpoint::Replication => Some(partition.high_watermark()),
            OffsetCheckpoint::LogStart => partition.with_log(|log| (log.start() > Offset(0)).then(|| log.start())),
            _ => Some(partition.with_log(|log| log.durable_end())),
        };
        let offsets: Offsets =
            partitions.iter().filter_map(|known| Some(((known.topic.clone(), known.index), offset(known)?))).collect();
        let mut work = self.work.lock();
        let written = match which {
            OffsetCheckpoint::Replication => &mut work.written.high_watermark,
            OffsetCheckpoint::LogStart => &mut work.written.start,
            _ => &mut work.written.recovery,
        };
        if *written != offsets {
            let rows: Vec<_> = offsets.iter().map(|((topic, index), offset)| (&**topic, *index, *offset)).collect();
            self.directory.write_checkpoint(which, rows.into_iter()).map_err(|error| error.to_string())?;
            *written = offsets;
        }
        if which == OffsetCheckpoint::RecoveryPoint {
            work.flushed_bytes = 0;
        }
        Ok(())
    }
}
