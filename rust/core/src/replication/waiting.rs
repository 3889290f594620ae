//! Waiting without threads: what a connection waits for rings its bell.
//!
//! Prior art: Kafka's purgatories (`DelayedProduce`, `DelayedFetch`), which are global and keyed by partition name. Ours
//! hang on the partition itself, under the lock that moves the watermark, so that a move and a registration cannot
//! miss each other. Deadlines are not kept here: the connection that waits has them.

use std::collections::VecDeque;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicI64, AtomicU32, AtomicUsize, Ordering};
use std::task::{Context, Waker};

use parking_lot::Mutex;
use slab::Slab;

use crate::error::ErrorCode;
use crate::ids::Offset;

/// Wakes the one task that serves a connection; ringing twice before it listens is ringing once.
#[derive(Debug, Default)]
pub struct Bell {
    rung: AtomicBool,
    waker: Mutex<Option<Waker>>,
}

impl Bell {
    /// Wakes the listener. Never blocks on more than the exchange of a pointer.
    pub fn ring(&self) {
        if !self.rung.swap(true, Ordering::AcqRel) {
            let waker = self.waker.lock().take();
            if let Some(waker) = waker {
                waker.wake();
            }
        }
    }

    /// Leaves `context` to be woken, and says whether the bell was rung since it was last asked.
    pub fn listen(&self, context: &Context<'_>) -> bool {
        {
            let mut waker = self.waker.lock();
            if !waker.as_ref().is_some_and(|known| known.will_wake(context.waker())) {
                *waker = Some(context.waker().clone());
            }
        }
        // After the waker is in place: a ring before this line is seen here, one after it finds the waker.
        self.rung.swap(false, Ordering::AcqRel)
    }
}

/// A Fetch that waits for bytes: any of its partitions may complete it.
#[derive(Debug)]
pub struct FetchWaiter {
    bell: Arc<Bell>,
    /// Bytes still missing to the request's `min_bytes`; counted down by each partition that becomes readable further.
    missing: AtomicI64,
    fired: AtomicBool,
}

impl FetchWaiter {
    /// A waiter for `missing` more bytes.
    #[must_use]
    pub fn new(bell: Arc<Bell>, missing: i64) -> Arc<Self> {
        Arc::new(Self { bell, missing: AtomicI64::new(missing), fired: AtomicBool::new(false) })
    }

    /// Whether it is time to read again.
    #[must_use]
    pub fn has_fired(&self) -> bool {
        self.fired.load(Ordering::Acquire)
    }

    fn gain(&self, bytes: i64) {
        if self.missing.fetch_sub(bytes, Ordering::AcqRel) <= bytes {
            self.fire();
        }
    }

    /// Completes the wait whatever is missing: a role changed, the partition is gone.
    pub fn fire(&self) {
        if !self.fired.swap(true, Ordering::AcqRel) {
            self.bell.ring();
        }
    }
}

/// What came of one partition of a produce: in the lower half the error code, success until something failed, above it for how
/// many things it still waits.
#[derive(Debug, Default)]
struct Slot(AtomicU32);

impl Slot {
    const ONE_WAIT: u32 = 1 << 16;

    fn expect(&self) {
        self.0.fetch_add(Self::ONE_WAIT, Ordering::AcqRel);
    }

    fn complete(&self, outcome: ErrorCode) {
        // The low half is 0 until the first failure, which stays.
        let code = u32::from(outcome.code() as u16);
        let after = |known: u32| (known - Self::ONE_WAIT) | if known as u16 == 0 { code } else { 0 };
        let _ = self.0.fetch_update(Ordering::AcqRel, Ordering::Acquire, |known| Some(after(known)));
    }

    fn outcome(&self) -> Option<ErrorCode> {
        let known = self.0.load(Ordering::Acquire);
        let code = ErrorCode::from_code(known as u16 as i16).unwrap_or(ErrorCode::UnknownServerError);
        (known < Self::ONE_WAIT || !code.is_none()).then_some(code)
    }
}

/// What an append waits for before it is acknowledged.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Awaited {
    /// That all in-sync replicas have everything below.
    Replicated(Offset),
    /// That everything below is on the disk.
    Flushed(Offset),
}

/// A Produce that waits until each of its partitions is replicated, or flushed, or both.
#[derive(Debug)]
pub struct ProduceWaiter {
    bell: Arc<Bell>,
    remaining: AtomicUsize,
    /// One per partition of the request, in its order.
    outcomes: Box<[Slot]>,
}

impl ProduceWaiter {
    /// A waiter with `slots` outcomes, of which none is waited for yet.
    #[must_use]
    pub fn new(bell: Arc<Bell>, slots: usize) -> Arc<Self> {
        let outcomes = (0..slots).map(|_| Slot::default()).collect();
        // One more than there are partitions to wait for, until `seal`: no early completion while registering.
        Arc::new(Self { bell, remaining: AtomicUsize::new(1), outcomes })
    }

    /// One more thing to wait for.
    fn expect(&self, slot: usize) {
        if let Some(slot) = self.outcomes.get(slot) {
            slot.expect();
        }
        self.remaining.fetch_add(1, Ordering::AcqRel);
    }

    /// A partition that there is nothing to wait for at any more.
    pub fn refuse(&self, slot: usize, outcome: ErrorCode) {
        self.expect(slot);
        self.complete(slot, outcome);
    }

    /// All partitions are registered.
    pub fn seal(&self) {
        self.arrive();
    }

    /// Whether all partitions have arrived.
    #[must_use]
    pub fn is_complete(&self) -> bool {
        self.remaining.load(Ordering::Acquire) == 0
    }

    /// What came of the partition at `slot`; none while it is waited for.
    #[must_use]
    pub fn outcome(&self, slot: usize) -> Option<ErrorCode> {
        self.outcomes.get(slot)?.outcome()
    }

    fn complete(&self, slot: usize, outcome: ErrorCode) {
        if let Some(slot) = self.outcomes.get(slot) {
            slot.complete(outcome);
        }
        self.arrive();
    }

    fn arrive(&self) {
        if self.remaining.fetch_sub(1, Ordering::AcqRel) == 1 {
            self.bell.ring();
        }
    }
}

/// Which end a reader may read to.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Isolation {
    /// Replicas, and consumers that debug: the log end.
    LogEnd,
    /// Consumers that read uncommitted: the high watermark.
    HighWatermark,
    /// Consumers that read committed: the last stable offset.
    LastStable,
}

/// The key under which a waiting fetch is registered, to take it out again.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct WaitKey(usize);

/// Produces that wait for something to reach an offset, by ascending offset.
#[derive(Debug, Default)]
struct Produces(VecDeque<(Offset, usize, Arc<ProduceWaiter>)>);

impl Produces {
    /// Mostly the largest so far, but connections come here in another order than they appended, and a repeated batch waits
    /// for an old offset.
    fn add(&mut self, needed: Offset, slot: usize, waiter: Arc<ProduceWaiter>) {
        waiter.expect(slot);
        let place = self.0.partition_point(|(known, _, _)| *known <= needed);
        self.0.insert(place, (needed, slot, waiter));
    }

    fn remove(&mut self, needed: Offset, waiter: &Arc<ProduceWaiter>) {
        let first = self.0.partition_point(|(known, _, _)| *known < needed);
        let mut same = self.0.range(first..).take_while(|(known, _, _)| *known == needed);
        if let Some(place) = same.position(|(_, _, known)| Arc::ptr_eq(known, waiter)) {
            self.0.remove(first + place);
        }
    }

    fn reached(&mut self, offset: Offset, outcome: ErrorCode) {
        while self.0.front().is_some_and(|(needed, _, _)| *needed <= offset)
            && let Some((_, slot, waiter)) = self.0.pop_front()
        {
            waiter.complete(slot, outcome);
        }
    }

    fn release(&mut self, outcome: ErrorCode) {
        for (_, slot, waiter) in self.0.drain(..) {
            waiter.complete(slot, outcome);
        }
    }
}

/// Those who wait on one partition. Lives under the partition's lock.
#[derive(Debug, Default)]
pub struct Waiters {
    fetches: Slab<(Isolation, Arc<FetchWaiter>)>,
    replicated: Produces,
    flushed: Produces,
}

impl Waiters {
    /// Whether nobody waits.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// How many wait.
    #[must_use]
    pub fn len(&self) -> usize {
        self.fetches.len() + self.replicated.0.len() + self.flushed.0.len()
    }

    /// Registers a fetch.
    pub fn add_fetch(&mut self, isolation: Isolation, waiter: Arc<FetchWaiter>) -> WaitKey {
        WaitKey(self.fetches.insert((isolation, waiter)))
    }

    /// Takes a fetch out again; a key that is no longer its own is left alone.
    pub fn remove_fetch(&mut self, key: WaitKey, waiter: &Arc<FetchWaiter>) {
        if self.fetches.get(key.0).is_some_and(|(_, known)| Arc::ptr_eq(known, waiter)) {
            self.fetches.remove(key.0);
            if self.fetches.is_empty() {
                self.fetches.shrink_to_fit();
            }
        }
    }

    /// Registers a produce, whose partition stands at `slot` of its request.
    pub fn add_produce(&mut self, awaited: Awaited, slot: usize, waiter: Arc<ProduceWaiter>) {
        match awaited {
            Awaited::Replicated(needed) => self.replicated.add(needed, slot, waiter),
            Awaited::Flushed(needed) => self.flushed.add(needed, slot, waiter),
        }
    }

    /// Takes a produce out again whose client waits no longer; one that is complete is gone already.
    pub fn remove_produce(&mut self, awaited: Awaited, waiter: &Arc<ProduceWaiter>) {
        match awaited {
            Awaited::Replicated(needed) => self.replicated.remove(needed, waiter),
            Awaited::Flushed(needed) => self.flushed.remove(needed, waiter),
        }
    }

    /// The end for readers of `isolation` moved on by `bytes`.
    pub fn advance(&self, isolation: Isolation, bytes: i64) {
        for (_, (wanted, waiter)) in &self.fetches {
            if *wanted == isolation {
                waiter.gain(bytes);
            }
        }
    }

    /// The high watermark reached `watermark`: produces up to there end with `outcome` (success, or too few replicas).
    pub fn replicated(&mut self, watermark: Offset, outcome: ErrorCode) {
        self.replicated.reached(watermark, outcome);
    }

    /// Everything below `durable_end` is on the disk.
    pub fn flushed(&mut self, durable_end: Offset) {
        self.flushed.reached(durable_end, ErrorCode::None);
    }

    /// The role changed, the partition or its disk is gone: everybody looks again, produces fail.
    pub fn release(&mut self, outcome: ErrorCode) {
        for (_, (_, waiter)) in &self.fetches {
            waiter.fire();
        }
        self.replicated.release(outcome);
        self.flushed.release(outcome);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn rung(bell: &Bell) -> bool {
        bell.rung.load(Ordering::Acquire)
    }

    #[test]
    fn a_fetch_fires_when_enough_bytes_have_come() {
        let bell = Arc::new(Bell::default());
        let waiter = FetchWaiter::new(bell.clone(), 100);
        let mut waiters = Waiters::default();
        waiters.add_fetch(Isolation::HighWatermark, waiter.clone());
        waiters.advance(Isolation::HighWatermark, 60);
        assert!(!waiter.has_fired());
        waiters.advance(Isolation::LogEnd, 60);
        assert!(!waiter.has_fired());
        waiters.advance(Isolation::HighWatermark, 40);
        assert!(waiter.has_fired() && rung(&bell));
    }

    #[test]
    fn a_produce_completes_when_each_partition_arrived() {
        let bell = Arc::new(Bell::default());
        let waiter = ProduceWaiter::new(bell.clone(), 2);
        let (mut first, mut second) = (Waiters::default(), Waiters::default());
        first.add_produce(Awaited::Replicated(Offset(5)), 0, waiter.clone());
        second.add_produce(Awaited::Replicated(Offset(9)), 1, waiter.clone());
        waiter.seal();
        first.replicated(Offset(5), ErrorCode::None);
        assert!(!waiter.is_complete() && !rung(&bell) && waiter.outcome(1).is_none());
        second.release(ErrorCode::NotLeaderOrFollower);
        assert!(waiter.is_complete() && rung(&bell));
        assert_eq!(waiter.outcome(0), Some(ErrorCode::None));
        assert_eq!(waiter.outcome(1), Some(ErrorCode::NotLeaderOrFollower));
    }

    #[test]
    fn a_produce_may_wait_for_its_replicas_and_for_the_disk() {
        for (failing, expected) in [(false, ErrorCode::None), (true, ErrorCode::NotEnoughReplicasAfterAppend)] {
            let waiter = ProduceWaiter::new(Arc::default(), 1);
            let mut waiters = Waiters::default();
            waiters.add_produce(Awaited::Replicated(Offset(5)), 0, waiter.clone());
            waiters.add_produce(Awaited::Flushed(Offset(5)), 0, waiter.clone());
            waiter.seal();
            waiters.flushed(Offset(4));
            let outcome = if failing { ErrorCode::NotEnoughReplicasAfterAppend } else { ErrorCode::None };
            waiters.replicated(Offset(5), outcome);
            assert_eq!(waiter.outcome(0), failing.then_some(expected), "only a failure is known before all is there");
            assert!(!waiter.is_complete());
            waiters.flushed(Offset(5));
            assert!(waiter.is_complete() && waiters.is_empty());
            assert_eq!(waiter.outcome(0), Some(expected), "a later success hides no failure");
        }
    }

    #[test]
    fn a_stale_key_removes_nobody_else() {
        let bell = Arc::new(Bell::default());
        let (one, two) = (FetchWaiter::new(bell.clone(), 1), FetchWaiter::new(bell, 1));
        let mut waiters = Waiters::default();
        let key = waiters.add_fetch(Isolation::LogEnd, one.clone());
        waiters.remove_fetch(key, &one);
        waiters.add_fetch(Isolation::LogEnd, two.clone());
        waiters.remove_fetch(key, &one);
        assert!(!waiters.is_empty());
        waiters.release(ErrorCode::None);
        assert!(two.has_fired());
    }
}
