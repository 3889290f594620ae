//! One connection as everybody else sees it: who is at the other end, how to wake it, answer it, or end it.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};

use parking_lot::Mutex;

use crate::plane::clock::Instant;
use crate::plane::mailbox::ConnectionContext;
use crate::plane::output::Output;
use crate::plane::standing::Standing;
use crate::replication::waiting::Bell;

/// Why a connection ends. For the log: nobody but the client's own requests is hurt.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Close(pub String);

/// What is known of a connection outside the task that serves it.
#[derive(Debug)]
pub struct Link {
    /// Who is at the other end.
    pub context: Arc<ConnectionContext>,
    /// Wakes the task.
    pub bell: Arc<Bell>,
    answers: Mutex<Vec<(u64, Answer)>>,
    kicked: AtomicBool,
    last_active: AtomicU64,
}

/// An answer that was made elsewhere.
#[derive(Debug)]
pub enum Answer {
    /// The body after the response header.
    Body(Vec<u8>),
    /// The same, and any later request of the same bytes gets it too, as long as it stands.
    Standing(Vec<u8>, Arc<Standing>),
    /// A whole frame.
    Frame(Output),
    /// There is none from there: the connection handles the request itself, once more.
    Again,
    /// There is none: close the connection.
    Close(String),
}

impl Link {
    /// A link for `context`.
    #[must_use]
    pub fn new(context: ConnectionContext) -> Arc<Self> {
        Arc::new(Self {
            context: Arc::new(context),
            bell: Arc::default(),
            answers: Mutex::default(),
            kicked: AtomicBool::new(false),
            last_active: AtomicU64::new(0),
        })
    }

    /// Answers the request that stands in `slot`. An answer for a slot that is gone is dropped.
    pub fn answer(&self, slot: u64, answer: Answer) {
        self.answers.lock().push((slot, answer));
        self.bell.ring();
    }

    /// The answers that came since this was asked last, each with its slot.
    #[must_use]
    pub fn take_answers(&self) -> Vec<(u64, Answer)> {
        std::mem::take(&mut *self.answers.lock())
    }

    /// Ends the connection soon.
    pub fn kick(&self) {
        self.kicked.store(true, Ordering::Release);
        self.bell.ring();
    }

    /// The client was heard, or took something.
    pub fn used(&self, now: Instant) {
        self.last_active.store(now.0, Ordering::Relaxed);
    }

    /// When that was last.
    #[must_use]
    pub fn last_active(&self) -> Instant {
        Instant(self.last_active.load(Ordering::Relaxed))
    }

    /// Whether somebody wants the connection to end.
    #[must_use]
    pub fn is_kicked(&self) -> bool {
        self.kicked.load(Ordering::Acquire)
    }
}
