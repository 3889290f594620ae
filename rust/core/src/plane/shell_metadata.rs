//! The thread of the metadata log.
//!
//! Appends that wait together are made durable together.
//!
//! Invariant: every Command has exactly one end, also when the thread panics. What a panic left half done is not relied on
//! any more: whoever waits is refused, and so is everybody who comes, until the broker starts anew.

use std::io;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::Arc;
use std::sync::mpsc::{self, Receiver, Sender};
use std::thread::JoinHandle;

use parking_lot::Mutex;

use crate::ids::TimestampMs;
use crate::plane::clock::{Clock, SystemClock};
use crate::plane::command::{Done, DoneValue, MetadataCommand, Ticket};
use crate::plane::mailbox::Subject;
use crate::plane::metadata_log::MetadataLog;
use crate::plane::panics;
use crate::plane::services::Services;

type Order = (Ticket, MetadataCommand);

/// The thread.
#[derive(Debug)]
pub(super) struct MetadataThread {
    orders: Mutex<Option<Sender<Order>>>,
    thread: Mutex<Option<JoinHandle<()>>>,
}

impl MetadataThread {
    pub(super) fn start(log: MetadataLog, services: &Arc<Services>, clock: &Arc<SystemClock>) -> io::Result<Self> {
        let (orders, taken) = mpsc::channel();
        let (mut guarded, clock) = (Guarded::new(log, services.clone()), clock.clone());
        let work = move || keep(&mut guarded, &clock, &taken);
        let thread = std::thread::Builder::new().name("ottla-metadata".to_owned()).spawn(work)?;
        Ok(Self { orders: Mutex::new(Some(orders)), thread: Mutex::new(Some(thread)) })
    }

    /// Begins a command; false when the thread has stopped. Never blocks.
    pub(super) fn submit(&self, ticket: Ticket, command: MetadataCommand) -> bool {
        self.orders.lock().as_ref().is_some_and(|orders| orders.send((ticket, command)).is_ok())
    }

    /// Finishes what was begun, and joins the thread. Who waits for room on the disk must have been told to end.
    pub(super) fn stop(&self) {
        drop(self.orders.lock().take());
        if let Some(thread) = self.thread.lock().take() {
            drop(thread.join());
        }
    }
}

fn keep(guarded: &mut Guarded, clock: &SystemClock, orders: &Receiver<Order>) {
    while let Ok(first) = orders.recv() {
        for (ticket, command) in std::iter::once(first).chain(orders.try_iter()) {
            guarded.carry_out(ticket, command, clock.now().wall);
        }
        guarded.finish();
    }
    guarded.close();
}

/// The log, until a panic.
struct Guarded {
    log: MetadataLog,
    services: Arc<Services>,
    /// Appends that are not durable yet, and what came of each so far.
    appended: Vec<(Ticket, Result<DoneValue, String>)>,
    /// What everybody is told after a panic.
    refusal: Option<String>,
}

impl Guarded {
    const fn new(log: MetadataLog, services: Arc<Services>) -> Self {
        Self { log, services, appended: Vec::new(), refusal: None }
    }

    fn carry_out(&mut self, ticket: Ticket, command: MetadataCommand, now: TimestampMs) {
        if let MetadataCommand::Append(batch) = command {
            let result = self.attempt(|log| log.append(&batch, now));
            self.appended.push((ticket, result));
            return;
        }
        self.finish();
        let result = self.attempt(|log| log.carry_out(command, now));
        self.services.mailbox.done(Done { ticket, result });
    }

    /// Makes durable what was appended, and says so.
    fn finish(&mut self) {
        if self.appended.is_empty() {
            return;
        }
        let flushed = self.attempt(MetadataLog::flush);
        for (ticket, result) in self.appended.drain(..) {
            let result = result.and_then(|value| flushed.clone().map(|()| value));
            self.services.mailbox.done(Done { ticket, result });
        }
    }

    fn close(&mut self) {
        // What a panic left is recovered at the next start; there is nobody left to be told.
        drop(self.attempt(|log| {
            log.close();
            Ok(())
        }));
    }

    /// Works with the log; after a panic nobody does any more.
    fn attempt<T>(&mut self, work: impl FnOnce(&mut MetadataLog) -> Result<T, String>) -> Result<T, String> {
        if let Some(refusal) = &self.refusal {
            return Err(refusal.clone());
        }
        catch_unwind(AssertUnwindSafe(|| work(&mut self.log))).unwrap_or_else(|panic| {
            let text = panics::text(&*panic);
            let refusal = format!("a panic in the thread of the metadata log ({text}): restart the broker");
            self.services.mailbox.fact(Subject::MetadataLogFailed, refusal.clone());
            self.refusal = Some(refusal.clone());
            Err(refusal)
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::ids::{LeaderEpoch, Offset};
    use crate::plane::command::{NewBatch, NewRecord};
    use crate::plane::tests::services_and_directory;

    const NOW: TimestampMs = TimestampMs(1_000_000);
    const PANIC: &str = "a panic in the thread of the metadata log (planted in the log): restart the broker";

    fn opened() -> Guarded {
        let (services, directory) = services_and_directory();
        let mut guarded = Guarded::new(MetadataLog::new(directory), services);
        guarded.carry_out(1, MetadataCommand::Open, NOW);
        assert_eq!(ends(&guarded), [(1, None)]);
        guarded
    }

    fn append(at: i64) -> MetadataCommand {
        MetadataCommand::Append(NewBatch {
            base_offset: Offset(at),
            epoch: LeaderEpoch(1),
            timestamp: NOW,
            control: false,
            records: vec![NewRecord { key: None, value: Some(vec![0; 10]) }],
        })
    }

    /// Tickets that ended since the last time, each with why it came to nothing.
    fn ends(guarded: &Guarded) -> Vec<(Ticket, Option<String>)> {
        guarded.services.mailbox.drain(0).done.into_iter().map(|done| (done.ticket, done.result.err())).collect()
    }

    fn plant(guarded: &mut Guarded) {
        let planted: Result<(), String> = guarded.attempt(|_| panic!("planted in {}", "the log"));
        assert_eq!(planted, Err(PANIC.to_owned()));
    }

    #[test]
    fn a_panic_ends_every_ticket_once_is_told_and_refuses_what_comes() {
        let mut guarded = opened();
        guarded.carry_out(2, append(0), NOW);
        guarded.carry_out(3, append(1), NOW);
        assert_eq!(ends(&guarded), [], "they are not durable yet");
        plant(&mut guarded);
        let drained = guarded.services.mailbox.drain(0);
        assert_eq!(drained.facts, [(Subject::MetadataLogFailed, PANIC.to_owned())]);
        assert!(drained.done.is_empty(), "they end with the flush that does not come");
        guarded.carry_out(4, append(2), NOW);
        guarded.finish();
        guarded.carry_out(5, MetadataCommand::Snapshots, NOW);
        guarded.finish();
        let refused = |ticket| (ticket, Some(PANIC.to_owned()));
        assert_eq!(ends(&guarded), [2, 3, 4, 5].map(refused), "what was not flushed is not durable");
        guarded.close();
    }

    #[test]
    fn a_thread_that_panicked_still_takes_orders_and_ends() {
        let (services, directory) = services_and_directory();
        let clock = Arc::new(SystemClock::default());
        let (orders, taken) = mpsc::channel();
        let mut guarded = Guarded::new(MetadataLog::new(directory), services.clone());
        plant(&mut guarded);
        for ticket in 1..=3 {
            orders.send((ticket, append(0))).unwrap();
        }
        drop(orders);
        keep(&mut guarded, &clock, &taken);
        assert_eq!(ends(&guarded), [1, 2, 3].map(|ticket| (ticket, Some(PANIC.to_owned()))));
    }

    #[test]
    fn appends_that_wait_together_end_together() {
        let mut guarded = opened();
        guarded.carry_out(2, append(0), NOW);
        guarded.carry_out(3, append(7), NOW);
        guarded.carry_out(4, append(1), NOW);
        guarded.finish();
        let wrong = "a batch for offset 7 of the metadata log, which ends at 1".to_owned();
        assert_eq!(ends(&guarded), [(2, None), (3, Some(wrong)), (4, None)]);
    }
}
