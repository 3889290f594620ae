//! The thread of the coordinators' logs.
//!
//! Invariant: every Command has exactly one end, also when the thread panics. What a panic left half done is not relied on
//! any more: whoever waits is refused, and so is everybody who comes, until the broker starts anew.

use std::io;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::Arc;
use std::sync::mpsc::{self, Receiver, RecvTimeoutError, Sender};
use std::task::{Context, Wake, Waker};
use std::thread::JoinHandle;

use parking_lot::Mutex;

use crate::error::ErrorCode;
use crate::plane::clock::{Clock, Instant, Now, SystemClock};
use crate::plane::command::{Done, Ticket};
use crate::plane::coordinator_log::{CoordinatorCommand, CoordinatorLogs, LogRefusal, end};
use crate::plane::mailbox::Subject;
use crate::plane::panics;
use crate::plane::pool::Pool;
use crate::plane::services::Services;

/// Threads that read logs: one may wait for the disk while another decompresses.
const LOAD_THREADS: usize = 2;

#[derive(Debug)]
enum Message {
    Begin(Ticket, CoordinatorCommand),
    /// The bell rang: something has come to its end.
    Rung,
    Stop,
}

struct Ringer(Sender<Message>);

impl Wake for Ringer {
    fn wake(self: Arc<Self>) {
        // After the stop nobody listens.
        let _ = self.0.send(Message::Rung);
    }
}

/// The thread, and those that read for it.
#[derive(Debug)]
pub(super) struct CoordinatorThread {
    orders: Sender<Message>,
    pool: Arc<Pool>,
    thread: Mutex<Option<JoinHandle<()>>>,
}

impl CoordinatorThread {
    pub(super) fn start(services: &Arc<Services>, clock: &Arc<SystemClock>) -> io::Result<Self> {
        let pool = Arc::new(Pool::start("ottla-load", LOAD_THREADS)?);
        let (orders, taken) = mpsc::channel();
        let logs = Guarded::new(CoordinatorLogs::new(services.clone(), pool.clone()), services.clone());
        let (clock, ringer) = (clock.clone(), Arc::new(Ringer(orders.clone())));
        let work = move || keep(logs, &clock, ringer, &taken);
        let thread = std::thread::Builder::new().name("ottla-coord".to_owned()).spawn(work)?;
        Ok(Self { orders, pool, thread: Mutex::new(Some(thread)) })
    }

    pub(super) fn pool(&self) -> &Arc<Pool> {
        &self.pool
    }

    /// Begins a command; false when the thread has stopped. Never blocks.
    pub(super) fn submit(&self, ticket: Ticket, command: CoordinatorCommand) -> bool {
        self.orders.send(Message::Begin(ticket, command)).is_ok()
    }

    /// Ends and joins the threads.
    pub(super) fn stop(&self) {
        let Some(thread) = self.thread.lock().take() else { return };
        let _ = self.orders.send(Message::Stop);
        drop(thread.join());
        self.pool.stop();
    }
}

/// A Command while it is carried out: how to end it if that goes wrong.
#[derive(Clone, Copy)]
struct InHand {
    ticket: Ticket,
    /// It ends with something else than what logs say, or with words alone.
    has_own_outcome: bool,
}

impl InHand {
    const fn of(ticket: Ticket, command: &CoordinatorCommand) -> Self {
        let has_own_outcome = match command {
            CoordinatorCommand::Transact(command) => command.has_own_outcome(),
            _ => false,
        };
        Self { ticket, has_own_outcome }
    }

    fn refuse(self, services: &Services, refusal: &LogRefusal) {
        if self.has_own_outcome {
            services.mailbox.done(Done { ticket: self.ticket, result: Err(refusal.message.clone()) });
        } else {
            end(services, self.ticket, Err(refusal.clone()));
        }
    }
}

/// The logs, until a panic.
struct Guarded {
    logs: CoordinatorLogs,
    services: Arc<Services>,
    /// What everybody is told after a panic.
    refusal: Option<LogRefusal>,
}

impl Guarded {
    const fn new(logs: CoordinatorLogs, services: Arc<Services>) -> Self {
        Self { logs, services, refusal: None }
    }

    fn carry_out(&mut self, ticket: Ticket, command: CoordinatorCommand, now: Now) {
        let in_hand = InHand::of(ticket, &command);
        match &self.refusal {
            Some(refusal) => in_hand.refuse(&self.services, refusal),
            None => self.attempt(Some(in_hand), |logs| logs.carry_out(ticket, command, now)),
        }
    }

    fn settle(&mut self, now: Instant) {
        if self.refusal.is_none() {
            self.attempt(None, |logs| logs.settle(now));
        }
    }

    /// Works with the logs. The Command in hand ends with the work.
    fn attempt(&mut self, in_hand: Option<InHand>, work: impl FnOnce(&mut CoordinatorLogs)) {
        let Err(panic) = catch_unwind(AssertUnwindSafe(|| work(&mut self.logs))) else { return };
        let text = panics::text(&*panic);
        let message = format!("a panic in the thread of the coordinators' logs ({text}): restart the broker");
        let refusal = LogRefusal { code: ErrorCode::KafkaStorageError, message };
        self.services.mailbox.fact(Subject::CoordinatorLogsFailed, refusal.message.clone());
        if let Some(in_hand) = in_hand {
            in_hand.refuse(&self.services, &refusal);
        }
        // Another panic changes nothing: the tickets have their ends by then.
        drop(catch_unwind(AssertUnwindSafe(|| self.logs.fail(&refusal))));
        self.refusal = Some(refusal);
    }
}

fn keep(mut guarded: Guarded, clock: &SystemClock, ringer: Arc<Ringer>, orders: &Receiver<Message>) {
    let waker = Waker::from(ringer);
    let context = Context::from_waker(&waker);
    loop {
        // First the ear, then the look: what comes to its end after this line rings.
        guarded.logs.listen(&context);
        guarded.settle(clock.now().instant);
        let first = match guarded.logs.deadline() {
            None => orders.recv().map_err(|_| RecvTimeoutError::Disconnected),
            Some(deadline) => orders.recv_timeout(clock.until(deadline)),
        };
        let first = match first {
            Ok(message) => message,
            Err(RecvTimeoutError::Timeout) => continue,
            Err(RecvTimeoutError::Disconnected) => break,
        };
        for message in std::iter::once(first).chain(orders.try_iter()) {
            match message {
                Message::Begin(ticket, command) => guarded.carry_out(ticket, command, clock.now()),
                Message::Rung => {}
                Message::Stop => return guarded.logs.close(),
            }
        }
    }
    guarded.logs.close();
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::plane::command::DoneValue;
    use crate::plane::tests::coordinator_log::{append, load, logs_of_two_replicas, markers, start_of_test};

    /// Tickets that ended since the last time, each with the code it was refused with.
    fn ends(services: &Services) -> Vec<(Ticket, ErrorCode)> {
        let code = |done: Done| match done.result {
            Ok(DoneValue::Coordinator(outcome)) => {
                (done.ticket, outcome.map_or_else(|no| no.code, |_| ErrorCode::None))
            }
            other => panic!("{other:?}"),
        };
        let mut ends: Vec<_> = services.mailbox.drain(0).done.into_iter().map(code).collect();
        ends.sort_unstable_by_key(|(ticket, _)| *ticket);
        ends
    }

    #[test]
    fn a_panic_ends_every_ticket_and_refuses_what_comes() {
        let (services, pool, logs) = logs_of_two_replicas();
        let mut guarded = Guarded::new(logs, services.clone());
        let now = start_of_test();
        guarded.carry_out(1, append("a"), now);
        guarded.carry_out(2, load(), now);
        guarded.carry_out(3, CoordinatorCommand::Next(2), now);
        let mut seen = Vec::new();
        while seen.len() < 2 {
            seen.append(&mut ends(&services));
        }
        assert_eq!(seen, [(2, ErrorCode::None), (3, ErrorCode::None)], "the append waits for a replica");
        guarded.carry_out(4, CoordinatorCommand::Next(2), now);
        pool.stop();
        assert_eq!(ends(&services), [], "and so does the end of the load");

        guarded.attempt(Some(InHand { ticket: 5, has_own_outcome: false }), |_| panic!("planted in {}", "orders-0"));
        let fact = "a panic in the thread of the coordinators' logs (planted in orders-0): restart the broker";
        let drained = services.mailbox.drain(0);
        assert_eq!(drained.facts, [(Subject::CoordinatorLogsFailed, fact.to_owned())]);
        for done in drained.done {
            services.mailbox.done(done);
        }
        let refused = ErrorCode::KafkaStorageError;
        assert_eq!(ends(&services), [(1, refused), (4, ErrorCode::NotLeaderOrFollower), (5, refused)]);

        guarded.carry_out(6, append("b"), now);
        guarded.carry_out(7, load(), now);
        guarded.carry_out(8, CoordinatorCommand::Close(2), now);
        guarded.settle(now.instant);
        assert_eq!(ends(&services), [(6, refused), (7, refused), (8, refused)]);
        assert_eq!(guarded.logs.deadline(), None);
    }

    #[test]
    fn a_panic_ends_markers_that_wait_and_refuses_those_that_come() {
        let (services, pool, logs) = logs_of_two_replicas();
        let mut guarded = Guarded::new(logs, services.clone());
        let now = start_of_test();
        guarded.carry_out(1, markers(), now);
        assert!(services.mailbox.drain(0).done.is_empty(), "they wait for a replica");
        guarded.attempt(None, |_| panic!("planted"));
        guarded.carry_out(2, markers(), now);
        let ended = services.mailbox.drain(0).done;
        assert_eq!(
            ended.iter().map(|done| (done.ticket, done.result.is_err())).collect::<Vec<_>>(),
            [(1, true), (2, true)]
        );
        assert_eq!(guarded.logs.deadline(), None, "or the thread would look for ever at what nobody settles");
        pool.stop();
    }

    #[test]
    fn a_panic_while_something_is_settled_ends_what_waits() {
        let (services, pool, logs) = logs_of_two_replicas();
        let mut guarded = Guarded::new(logs, services.clone());
        guarded.carry_out(1, append("a"), start_of_test());
        guarded.attempt(None, |_| std::panic::panic_any(7));
        assert_eq!(ends(&services), [(1, ErrorCode::KafkaStorageError)]);
        pool.stop();
    }
}
