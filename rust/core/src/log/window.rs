//! What a loss of power may take: how much of a directory is not flushed, and the bound on it.
//!
//! The bound is kept in two steps. At half of it the flusher is woken; when it cannot keep up and the bound is reached,
//! appends are acknowledged no earlier than a flush makes room again, so that producers send no faster than the disk takes.

use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::time::Duration;

use parking_lot::{Condvar, Mutex};

use crate::ids::{Offset, TimestampMs};

/// Limits on what a power failure may take.
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
    /// Whether somebody waits for the flush.
    pub awaited: bool,
}

impl Unflushed {
    /// Both together.
    #[must_use]
    pub fn and(self, other: Self) -> Self {
        Self {
            bytes: self.bytes + other.bytes,
            batches: self.batches + other.batches,
            records: self.records + other.records,
            since: match (self.since, other.since) {
                (Some(one), Some(two)) => Some(one.min(two)),
                (one, two) => one.or(two),
            },
            rolled: self.rolled || other.rolled,
            awaited: self.awaited || other.awaited,
        }
    }
}

/// What must be flushed before an append is acknowledged.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct FlushNeed {
    /// Where `durable_end` must be.
    pub upto: Offset,
    /// Whether the bound is reached, so that no more is taken from whoever sent this.
    pub holds: bool,
}

impl FlushPolicy {
    /// In how many milliseconds a log is to be flushed, by what it alone is allowed: 0 is now, none when there is nothing.
    #[must_use]
    pub fn due_in_ms(&self, log: &Unflushed, messages: Option<u64>, ms: Option<i64>, now: TimestampMs) -> Option<i64> {
        let since = log.since?;
        if log.rolled
            || log.awaited
            || log.bytes >= self.log_bytes_max / 2
            || messages.is_some_and(|messages| log.records >= messages)
        {
            return Some(0);
        }
        let age_ms_max = ms.map_or(self.age_ms_max, |ms| ms.min(self.age_ms_max));
        Some(age_ms_max.saturating_sub(now.0.saturating_sub(since.0)).max(0))
    }

    /// Which logs of a directory to flush, by index: those that are due, and then the largest until the rest is within half
    /// of the directory's share.
    #[must_use]
    pub fn choose(&self, logs: &[Unflushed], due: impl Fn(usize) -> bool) -> Vec<usize> {
        let (mut chosen, mut others): (Vec<usize>, Vec<usize>) = (0..logs.len()).partition(|&at| due(at));
        let bytes = |at: usize| logs.get(at).map_or(0, |log| log.bytes);
        let mut left: u64 = others.iter().map(|&at| bytes(at)).sum();
        others.sort_by_key(|&at| std::cmp::Reverse(bytes(at)));
        for at in others {
            if left < self.directory_bytes_max / 2 {
                break;
            }
            left -= bytes(at);
            chosen.push(at);
        }
        chosen
    }
}

/// Rung by whoever appends when the flusher has something to do; ringing twice before it looks is ringing once.
#[derive(Debug, Default)]
pub struct Alarm {
    rung: AtomicBool,
    lock: Mutex<()>,
    heard: Condvar,
}

impl Alarm {
    /// Wakes the flusher. Takes a lock that is held for moments only, and only where it was not rung already.
    pub fn ring(&self) {
        if !self.rung.swap(true, Ordering::AcqRel) {
            // Whoever is about to sleep holds the lock, and has looked before this or will be notified.
            drop(self.lock.lock());
            self.heard.notify_one();
        }
    }

    /// Blocks until it is rung, or for `patience`.
    pub fn wait(&self, patience: Duration) {
        let mut lock = self.lock.lock();
        if !self.rung.load(Ordering::Acquire) {
            self.heard.wait_for(&mut lock, patience);
        }
        self.rung.store(false, Ordering::Release);
    }
}

/// The unflushed bytes of a directory, their bound, and the bell of its flusher.
#[derive(Debug, Default)]
pub struct FlushWindow {
    policy: FlushPolicy,
    bytes: AtomicU64,
    alarm: Alarm,
}

impl FlushWindow {
    /// An empty window with bounds of its own.
    #[must_use]
    pub fn new(policy: FlushPolicy) -> Self {
        Self { policy, ..Self::default() }
    }

    /// The bounds.
    #[must_use]
    pub fn policy(&self) -> &FlushPolicy {
        &self.policy
    }

    /// Unflushed bytes of all logs.
    #[must_use]
    pub fn bytes(&self) -> u64 {
        self.bytes.load(Ordering::Relaxed)
    }

    /// The bell of the flusher.
    #[must_use]
    pub fn alarm(&self) -> &Alarm {
        &self.alarm
    }

    /// Bytes were appended; says how many are unflushed now.
    pub(crate) fn grew(&self, bytes: u64) -> u64 {
        self.bytes.fetch_add(bytes, Ordering::Relaxed) + bytes
    }

    /// Bytes became durable, or their log is gone.
    pub(crate) fn shrank(&self, bytes: u64) {
        self.bytes.fetch_sub(bytes, Ordering::Relaxed);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const POLICY: FlushPolicy = FlushPolicy { log_bytes_max: 100, directory_bytes_max: 300, age_ms_max: 1_000 };

    fn log(bytes: u64) -> Unflushed {
        Unflushed { bytes, records: bytes, since: Some(TimestampMs(5_000)), ..Unflushed::default() }
    }

    #[test]
    fn a_log_is_due_by_size_by_age_and_by_its_own_settings() {
        let due = |log: &Unflushed, messages, ms, now| POLICY.due_in_ms(log, messages, ms, TimestampMs(now));
        assert_eq!(due(&Unflushed::default(), Some(1), Some(1), 9_000), None, "nothing came");
        assert_eq!(due(&log(49), None, None, 5_000), Some(1_000));
        assert_eq!(due(&log(50), None, None, 5_000), Some(0), "half of what it may have");
        assert_eq!(due(&log(1), None, None, 5_400), Some(600));
        assert_eq!(due(&log(1), None, Some(500), 5_400), Some(100), "flush.ms");
        assert_eq!(due(&log(1), None, Some(i64::MAX), 7_000), Some(0), "flush.ms cannot make it wait longer");
        assert_eq!(due(&log(3), Some(3), None, 5_000), Some(0), "flush.messages");
        assert_eq!(due(&Unflushed { awaited: true, ..log(1) }, None, None, 5_000), Some(0));
        assert_eq!(due(&Unflushed { rolled: true, ..log(1) }, None, None, 5_000), Some(0));
        assert_eq!(due(&log(1), None, None, 0), Some(6_000), "a clock that was set back only makes it wait");
    }

    #[test]
    fn the_largest_logs_make_room_in_the_directory() {
        let logs = [10, 40, 80, 45, 20].map(log);
        assert_eq!(POLICY.choose(&logs, |at| at == 2), [2], "115 bytes are left");
        assert_eq!(POLICY.choose(&logs, |_| false), [2], "195 are too many");
        let many = [60; 5].map(log);
        assert_eq!(POLICY.choose(&many, |_| false).len(), 3);
    }

    #[test]
    fn an_alarm_that_rang_before_is_heard_at_once() {
        let alarm = Alarm::default();
        alarm.ring();
        alarm.ring();
        // Would block for an hour otherwise.
        alarm.wait(Duration::from_secs(3_600));
        alarm.wait(Duration::ZERO);
    }
}
