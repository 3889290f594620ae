//! A coordinator's log that is being read: portion by portion, on pool threads.
//!
//! A portion is asked for when the one before was applied, so that at most one of each load is in memory. Work is cut into
//! steps of some megabytes, between which loads take turns on the pool and look whether they are still wanted: a partition
//! that is given up, or led under another epoch, ends its load with the next step.
//!
//! Invariants: what was given is committed when the end is told, since nobody may act on what could still be lost; of a
//! load one portion at a time is under way, and it is answered once, also when its job ends in a panic.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use parking_lot::Mutex;

use crate::error::ErrorCode;
use crate::log::ReadError;
use crate::log::latest::{Intake, Latest, Step};
use crate::plane::command::{Done, Ticket};
use crate::plane::coordinator_log::{CoordinatorOutcome, LogRefusal, Place, SharedIntake, end};
use crate::plane::pool::Pool;
use crate::plane::services::Services;
use crate::replication::partition::Partition;
use crate::replication::waiting::{Awaited, Bell, ProduceWaiter};

#[derive(Debug)]
enum State {
    Walking(Box<Latest>),
    /// Everything was given.
    Walked,
    Refused(LogRefusal),
}

/// One load.
#[derive(Debug)]
pub(super) struct Load {
    place: Place,
    partition: Arc<Partition>,
    /// What takes records before they come up.
    intake: Option<SharedIntake>,
    bell: Arc<Bell>,
    /// That everything below the end is committed.
    awaited: Awaited,
    committed: Arc<ProduceWaiter>,
    closed: AtomicBool,
    /// A portion is under way.
    busy: AtomicBool,
    /// Who was given everything and waits for the end.
    parked: Mutex<Option<Ticket>>,
    state: Mutex<State>,
}

enum Progress {
    More,
    Answer(CoordinatorOutcome),
    /// All was given, and not all of that is committed.
    Parked,
}

impl Load {
    /// Notes where the log ends; nothing is read yet. The bell rings when [`Load::settle`] has something to do.
    pub(super) fn begin(
        partition: Arc<Partition>,
        place: Place,
        intake: Option<SharedIntake>,
        bell: &Arc<Bell>,
    ) -> Result<Self, LogRefusal> {
        let whole = partition.whole(place.leader_epoch);
        let (reader, log_end) = whole.map_err(|code| LogRefusal::of(code, &partition, place))?;
        let committed = ProduceWaiter::new(bell.clone(), 1);
        let awaited = Awaited::Replicated(log_end);
        partition.wait_appended(awaited, 0, &committed);
        committed.seal();
        Ok(Self {
            place,
            partition,
            intake,
            bell: bell.clone(),
            awaited,
            committed,
            closed: AtomicBool::new(false),
            busy: AtomicBool::new(false),
            parked: Mutex::default(),
            state: Mutex::new(State::Walking(Box::new(Latest::new(reader, log_end)))),
        })
    }

    /// Begins with a portion, which ends `ticket`.
    pub(super) fn begin_next(self: &Arc<Self>, services: &Arc<Services>, pool: &Arc<Pool>, ticket: Ticket) {
        if self.busy.swap(true, Ordering::AcqRel) {
            let result = Err(format!("a portion of {} is being read already", self.partition));
            return services.mailbox.done(Done { ticket, result });
        }
        let turn = Turn { load: self.clone(), services: services.clone(), pool: pool.clone(), ticket: Some(ticket) };
        pool.submit(Box::new(move || turn.run()));
    }

    /// Nobody wants it any more: the next step ends it.
    pub(super) fn close(&self, services: &Services) {
        self.closed.store(true, Ordering::Release);
        self.partition.stop_waiting_appended(self.awaited, &self.committed);
        let parked = self.parked.lock().take();
        if let Some(ticket) = parked {
            end(services, ticket, Err(self.unwanted()));
        }
    }

    /// Tells the end to who waits for it, when it has come.
    pub(super) fn settle(&self, services: &Services) {
        let Some(outcome) = self.committed() else { return };
        let parked = self.parked.lock().take();
        if let Some(ticket) = parked {
            self.busy.store(false, Ordering::Release);
            end(services, ticket, outcome);
        }
    }

    /// Whether everything below the end is committed; none when that is not known yet.
    fn committed(&self) -> Option<CoordinatorOutcome> {
        Some(match self.committed.outcome(0)? {
            // The high watermark passed it, which is what counts, whoever is in sync now.
            ErrorCode::None | ErrorCode::NotEnoughReplicasAfterAppend => Ok(Vec::new()),
            code => Err(LogRefusal::of(code, &self.partition, self.place)),
        })
    }

    fn unwanted(&self) -> LogRefusal {
        let message = format!("the load of {} was closed", self.partition);
        LogRefusal { code: ErrorCode::NotLeaderOrFollower, message }
    }

    fn step(&self) -> Progress {
        let mut state = self.state.lock();
        if let State::Refused(refusal) = &*state {
            return Progress::Answer(Err(refusal.clone()));
        }
        match self.walk(&mut state) {
            Ok(progress) => progress,
            Err(refusal) => {
                *state = State::Refused(refusal.clone());
                Progress::Answer(Err(refusal))
            }
        }
    }

    fn walk(&self, state: &mut State) -> Result<Progress, LogRefusal> {
        if self.closed.load(Ordering::Acquire) {
            return Err(self.unwanted());
        }
        let leads = self.partition.leads(self.place.leader_epoch);
        leads.map_err(|code| LogRefusal::of(code, &self.partition, self.place))?;
        if let State::Walking(latest) = state {
            let mut intake = self.intake.as_ref().map(|intake| intake.lock());
            let stepped = latest.step(intake.as_deref_mut().map(|intake| intake as &mut dyn Intake));
            drop(intake);
            let stepped = stepped.map_err(|error| {
                let message = format!("cannot read {}: {error}", self.partition);
                LogRefusal { code: ReadError::from(error).code(), message }
            });
            match stepped? {
                Step::More => return Ok(Progress::More),
                Step::Records(records) => return Ok(Progress::Answer(Ok(records))),
                Step::End => *state = State::Walked,
            }
        }
        self.committed().map_or(Ok(Progress::Parked), |outcome| outcome.map(|end| Progress::Answer(Ok(end))))
    }
}

/// A portion under way.
struct Turn {
    load: Arc<Load>,
    services: Arc<Services>,
    pool: Arc<Pool>,
    /// None once somebody else is to answer it.
    ticket: Option<Ticket>,
}

impl Turn {
    fn run(mut self) {
        match self.load.step() {
            Progress::More => {
                let pool = self.pool.clone();
                pool.submit(Box::new(move || self.run()));
            }
            Progress::Answer(outcome) => {
                if let Some(ticket) = self.ticket.take() {
                    self.load.busy.store(false, Ordering::Release);
                    end(&self.services, ticket, outcome);
                }
            }
            Progress::Parked => {
                *self.load.parked.lock() = self.ticket.take();
                // What it waits for may have come since it looked, or the load may have been closed.
                self.load.bell.ring();
                if self.load.closed.load(Ordering::Acquire) {
                    self.load.close(&self.services);
                }
            }
        }
    }
}

impl Drop for Turn {
    fn drop(&mut self) {
        if let Some(ticket) = self.ticket.take() {
            self.load.busy.store(false, Ordering::Release);
            let result = Err(format!("{} was not read: the job ended in a panic, or was dropped", self.load.partition));
            self.services.mailbox.done(Done { ticket, result });
        }
    }
}
