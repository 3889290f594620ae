//! Time as a value. Cores are given a [`Now`]; shells own a [`Clock`].

use std::time::{Duration, SystemTime, UNIX_EPOCH};

use crate::ids::TimestampMs;

/// A moment of a clock that never goes back: milliseconds since the engine started.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Debug, Default)]
pub struct Instant(pub u64);

impl Instant {
    /// So many milliseconds later; negative counts as none.
    #[must_use]
    pub fn after_ms(self, milliseconds: i64) -> Self {
        Self(self.0.saturating_add(u64::try_from(milliseconds).unwrap_or(0)))
    }
}

/// The time at which something is handled.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub struct Now {
    /// For records.
    pub wall: TimestampMs,
    /// For deadlines.
    pub instant: Instant,
}

/// Tells the time.
pub trait Clock: Send + Sync + std::fmt::Debug {
    /// The present.
    fn now(&self) -> Now;
}

/// The machine's clocks.
#[derive(Debug)]
pub struct SystemClock {
    start: std::time::Instant,
}

impl Default for SystemClock {
    fn default() -> Self {
        Self { start: std::time::Instant::now() }
    }
}

impl SystemClock {
    /// How long until `deadline`; zero when it is past.
    #[must_use]
    pub fn until(&self, deadline: Instant) -> Duration {
        Duration::from_millis(deadline.0).saturating_sub(self.start.elapsed())
    }
}

impl Clock for SystemClock {
    fn now(&self) -> Now {
        let wall = SystemTime::now().duration_since(UNIX_EPOCH).map_or(0, |since| since.as_millis() as i64);
        Now { wall: TimestampMs(wall), instant: Instant(self.start.elapsed().as_millis() as u64) }
    }
}
