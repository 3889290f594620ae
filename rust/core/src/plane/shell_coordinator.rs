//! The thread of the coordinators' logs.

use std::io;
use std::sync::Arc;
use std::sync::mpsc::{self, Receiver, RecvTimeoutError, Sender};
use std::task::{Context, Wake, Waker};
use std::thread::JoinHandle;

use parking_lot::Mutex;

use crate::plane::clock::{Clock, SystemClock};
use crate::plane::command::Ticket;
use crate::plane::coordinator_log::{CoordinatorCommand, CoordinatorLogs};
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
        let logs = CoordinatorLogs::new(services.clone(), pool.clone());
        let (clock, ringer) = (clock.clone(), Arc::new(Ringer(orders.clone())));
        let work = move || keep(logs, &clock, ringer, &taken);
        let thread = std::thread::Builder::new().name("ottla-coord".to_owned()).spawn(work)?;
        Ok(Self { orders, pool, thread: Mutex::new(Some(thread)) })
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

fn keep(mut logs: CoordinatorLogs, clock: &SystemClock, ringer: Arc<Ringer>, orders: &Receiver<Message>) {
    let waker = Waker::from(ringer);
    let context = Context::from_waker(&waker);
    loop {
        // First the ear, then the look: what comes to its end after this line rings.
        logs.listen(&context);
        logs.settle(clock.now().instant);
        let first = match logs.deadline() {
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
                Message::Begin(ticket, command) => logs.carry_out(ticket, command, clock.now()),
                Message::Rung => {}
                Message::Stop => return logs.close(),
            }
        }
    }
    logs.close();
}
