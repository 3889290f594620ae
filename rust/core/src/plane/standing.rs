//! Answers that stand: what a request got once, every later one of the same bytes on that connection gets here, without the
//! control plane, until that takes the answer back.
//!
//! Nearly all heartbeats of a group that nothing happens to are the same bytes with the same answer, and all that each of
//! them changes is when its member was heard last. So the control plane, with an answer that it would give again, hands
//! down a [`Standing`]: one word that holds when the answer was used last and whether it still stands. Prior art: leases;
//! ours may be ended by either side at any time, and it ends by itself.
//!
//! Invariants: a use is seen by whoever takes the answer back, or did not happen (one compare-and-swap decides); a request
//! is answered from here only when nothing before it on its connection waits for the control plane (law 4); a connection
//! keeps a limited number of answers, of limited requests, and they end with it.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use crate::plane::clock::Instant;
use crate::plane::output::Output;
use crate::wire::header::{Api, begin_response};

/// Answers that one connection keeps: a client has a connection to each coordinator, and is in a few groups. Of members
/// beyond that, all requests go up.
pub const STANDING_PER_CONNECTION_MAX: usize = 8;
/// A longer request is not kept: names of groups and members may have 32 KiB, and have some dozen bytes.
pub const STANDING_REQUEST_BYTES_MAX: usize = 1024;

/// Where a frame has its correlation id: the one part in which requests differ that ask for the same.
const CORRELATION_ID: std::ops::Range<usize> = 4..8;
const WITHDRAWN: u64 = 1;

/// Whether an answer stands, and when it was given last: one word between the control thread and a network thread.
#[derive(Debug)]
pub struct Standing {
    /// The moment of the last use, doubled; odd once it was withdrawn.
    word: AtomicU64,
    until: Instant,
}

impl Standing {
    /// An answer that was first given at `used`, and stands until shortly before `until` unless it is withdrawn.
    #[must_use]
    pub fn new(used: Instant, until: Instant) -> Arc<Self> {
        Arc::new(Self { word: AtomicU64::new(used.0 << 1), until })
    }

    /// Whether it stands.
    #[must_use]
    pub fn stands(&self, now: Instant) -> bool {
        now < self.until && self.word.load(Ordering::Acquire) & WITHDRAWN == 0
    }

    /// Gives the answer, if it stands: then whoever withdraws it later knows of this.
    fn give(&self, now: Instant) -> bool {
        if now >= self.until {
            return false;
        }
        let give = |word: u64| (word & WITHDRAWN == 0).then(|| word.max(now.0 << 1));
        self.word.fetch_update(Ordering::AcqRel, Ordering::Acquire, give).is_ok()
    }

    /// Takes it back, for good, and says when it was given last.
    pub fn withdraw(&self) -> Instant {
        Instant(self.word.fetch_or(WITHDRAWN, Ordering::AcqRel) >> 1)
    }

    /// When it was given last.
    #[must_use]
    pub fn used(&self) -> Instant {
        Instant(self.word.load(Ordering::Acquire) >> 1)
    }
}

/// An answer that one connection keeps.
#[derive(Debug)]
struct Kept {
    request: Box<[u8]>,
    api: &'static Api,
    version: i16,
    body: Box<[u8]>,
    standing: Arc<Standing>,
}

/// The answers that stand on one connection.
#[derive(Debug, Default)]
pub struct StandingAnswers {
    kept: Vec<Kept>,
    /// The request that the control plane is about to answer, under its number.
    asked: Option<(u64, Box<[u8]>)>,
}

impl StandingAnswers {
    /// A request went up: its answer may come to stand.
    pub fn asked(&mut self, number: u64, frame: &[u8]) {
        let fits = frame.len() <= STANDING_REQUEST_BYTES_MAX && frame.len() >= CORRELATION_ID.end;
        self.asked = fits.then(|| (number, frame.into()));
    }

    /// The answer to the request of this number stands from now on. Where there is no room it is given this once.
    pub fn keep(
        &mut self,
        number: u64,
        api: &'static Api,
        version: i16,
        body: &[u8],
        standing: Arc<Standing>,
        now: Instant,
    ) {
        let Some((_, request)) = self.asked.take_if(|(asked, _)| *asked == number) else { return };
        self.kept.retain(|kept| kept.standing.stands(now) && !is_same(&kept.request, &request));
        if self.kept.len() < STANDING_PER_CONNECTION_MAX {
            self.kept.push(Kept { request, api, version, body: body.into(), standing });
        }
    }

    /// Answers a request, if an answer to it stands.
    pub fn answer(&mut self, frame: &[u8], now: Instant, output: &mut Output) -> bool {
        let Some(at) = self.kept.iter().position(|kept| is_same(&kept.request, frame)) else { return false };
        let Some(correlation_id) = frame.get(CORRELATION_ID).and_then(<[u8]>::first_chunk) else { return false };
        let kept = &self.kept[at];
        if !kept.standing.give(now) {
            self.kept.swap_remove(at);
            return false;
        }
        let correlation_id = i32::from_be_bytes(*correlation_id);
        let mut writer = begin_response(&mut output.bytes, kept.api, kept.version, correlation_id);
        writer.raw(&kept.body);
        writer.end_frame(0);
        true
    }
}

/// Whether two frames are the same request: API, version, client id and body.
fn is_same(one: &[u8], other: &[u8]) -> bool {
    one.len() == other.len()
        && one.get(CORRELATION_ID.end..) == other.get(CORRELATION_ID.end..)
        && one.get(..CORRELATION_ID.start) == other.get(..CORRELATION_ID.start)
}
