//! Takes Commands in, has them carried out, and reports the end of each.
//!
//! Prior art: Kafka carries out its deltas on one thread, partition by partition. Here a Command is cut into pieces that a
//! pool works on; Commands of different topics are in work together and take turns piece by piece, so that a topic of
//! thousands of partitions holds up no other. What may be in work together says [`Schedule`].
//!
//! Invariant: every Command has exactly one end, also when a piece of it panics.

use std::collections::{HashSet, VecDeque};
use std::sync::Arc;

use parking_lot::{Condvar, Mutex};

use crate::ids::{PartitionIndex, TopicId};
use crate::plane::command::{Command, Done, DoneValue, Lead, LeadOutcome, Ticket};
use crate::plane::conductor::{Conductor, Stopped};
use crate::plane::pool::Pool;
use crate::plane::schedule::{Number, Rotation, Schedule, Scope};
use crate::plane::services::Services;

/// Partitions of one piece: each costs some file operations, and whoever comes next waits for one piece of each other.
const PARTITIONS_PER_PIECE: usize = 8;
const NOT_DONE: &str = "its job ended in a panic, or was dropped";

#[derive(Debug)]
enum Piece {
    /// Some partitions of a [`Command::Lead`].
    Leads(Vec<Lead>, LeadShare),
    /// Some partitions of a [`Command::Stop`], and whether to delete them.
    Stops(Vec<(TopicId, Arc<str>, PartitionIndex)>, bool, StopShare),
    /// The end of a [`Command::Stop`].
    EndOfStop(Stopped, Arc<Underway>),
    /// Any other Command.
    Whole(Command, Arc<Underway>),
}

#[derive(Debug, Default)]
struct State {
    schedule: Schedule<(Ticket, Command)>,
    pieces: Rotation<Piece>,
}

/// The Commands of one engine.
#[derive(Debug)]
pub struct Orders {
    conductor: Arc<Conductor>,
    services: Arc<Services>,
    jobs: Arc<Pool>,
    state: Mutex<State>,
    idle: Condvar,
}

/// A Command that is in work; it ends when the last piece lets go of it.
#[derive(Debug)]
struct Underway {
    orders: Arc<Orders>,
    number: Number,
    ticket: Ticket,
    progress: Mutex<Progress>,
}

/// What the pieces of a Command have brought so far.
#[derive(Debug)]
enum Progress {
    Led(Vec<LeadOutcome>),
    Stopped(Stopped),
    Ended(Result<DoneValue, String>),
}

impl Progress {
    /// Of what has only one piece left.
    fn not_done() -> Self {
        Self::Ended(Err(format!("the command was not carried out: {NOT_DONE}")))
    }
}

impl Drop for Underway {
    fn drop(&mut self) {
        let result = match std::mem::replace(self.progress.get_mut(), Progress::not_done()) {
            Progress::Led(outcomes) => Ok(DoneValue::Led(outcomes)),
            Progress::Ended(result) => result,
            Progress::Stopped(stopped) => {
                let rest = self.orders.underway(self.number, self.ticket, Progress::not_done());
                self.orders.put([Piece::EndOfStop(stopped, rest)].into());
                return;
            }
        };
        self.orders.services.mailbox.done(Done { ticket: self.ticket, result });
        self.orders.finish(self.number);
    }
}

/// One piece's share of a [`Command::Lead`]. However the piece ends, each of its logs has an outcome.
#[derive(Debug)]
struct LeadShare {
    logs: Vec<(TopicId, PartitionIndex)>,
    outcomes: Vec<LeadOutcome>,
    underway: Arc<Underway>,
}

impl Drop for LeadShare {
    fn drop(&mut self) {
        for (topic_id, index) in self.logs.drain(..).skip(self.outcomes.len()) {
            let error = Some(format!("the log was not opened: {NOT_DONE}"));
            self.outcomes.push(LeadOutcome { topic_id, index, recovered_bytes: 0, error });
        }
        if let Progress::Led(all) = &mut *self.underway.progress.lock() {
            all.append(&mut self.outcomes);
        }
    }
}

/// One piece's share of a [`Command::Stop`]. However the piece ends, what it renamed is known.
#[derive(Debug)]
struct StopShare {
    stopped: Stopped,
    is_done: bool,
    underway: Arc<Underway>,
}

impl Drop for StopShare {
    fn drop(&mut self) {
        if !self.is_done {
            self.stopped.failed.push(format!("not all partitions were given up: {NOT_DONE}"));
        }
        if let Progress::Stopped(all) = &mut *self.underway.progress.lock() {
            all.renamed.append(&mut self.stopped.renamed);
            all.failed.append(&mut self.stopped.failed);
        }
    }
}

impl Orders {
    /// Has Commands carried out by `conductor` on the threads of `jobs`.
    #[must_use]
    pub fn new(conductor: Arc<Conductor>, services: Arc<Services>, jobs: Arc<Pool>) -> Arc<Self> {
        Arc::new(Self { conductor, services, jobs, state: Mutex::default(), idle: Condvar::new() })
    }

    /// Takes a Command; its end comes through the mailbox. Never blocks.
    pub fn submit(self: &Arc<Self>, ticket: Ticket, command: Command) {
        let scope = scope(&command);
        let started = self.state.lock().schedule.add(scope, (ticket, command));
        self.begin(started);
    }

    /// Blocks until every Command has ended.
    pub fn wait_idle(&self) {
        let mut state = self.state.lock();
        while !state.schedule.is_empty() {
            self.idle.wait(&mut state);
        }
    }

    fn begin(self: &Arc<Self>, started: Vec<(Number, (Ticket, Command))>) {
        for (number, (ticket, command)) in started {
            self.put(self.pieces(number, ticket, command));
        }
    }

    fn put(self: &Arc<Self>, pieces: VecDeque<Piece>) {
        let count = pieces.len();
        self.state.lock().pieces.push(pieces);
        for _ in 0..count {
            let this = self.clone();
            // Whichever it is that is next when a thread is free: the pool's own order would be that of arrival.
            self.jobs.submit(Box::new(move || this.work()));
        }
    }

    fn finish(self: &Arc<Self>, number: Number) {
        let started = {
            let mut state = self.state.lock();
            let started = state.schedule.finish(number);
            if state.schedule.is_empty() {
                self.idle.notify_all();
            }
            started
        };
        self.begin(started);
    }

    fn underway(self: &Arc<Self>, number: Number, ticket: Ticket, progress: Progress) -> Arc<Underway> {
        Arc::new(Underway { orders: self.clone(), number, ticket, progress: Mutex::new(progress) })
    }

    fn pieces(self: &Arc<Self>, number: Number, ticket: Ticket, command: Command) -> VecDeque<Piece> {
        match command {
            Command::Lead(leads) => {
                let underway = self.underway(number, ticket, Progress::Led(Vec::with_capacity(leads.len())));
                let piece = |leads: Vec<Lead>| {
                    let logs = leads.iter().map(|lead| (lead.topic_id, lead.index)).collect();
                    let outcomes = Vec::with_capacity(leads.len());
                    Piece::Leads(leads, LeadShare { logs, outcomes, underway: underway.clone() })
                };
                cut(leads).map(piece).collect()
            }
            Command::Stop { partitions, delete } => {
                let underway = self.underway(number, ticket, Progress::Stopped(Stopped::default()));
                let share = || StopShare { stopped: Stopped::default(), is_done: false, underway: underway.clone() };
                cut(partitions).map(|some| Piece::Stops(some, delete, share())).collect()
            }
            command => [Piece::Whole(command, self.underway(number, ticket, Progress::not_done()))].into(),
        }
    }

    fn work(&self) {
        let piece = self.state.lock().pieces.pop();
        match piece {
            None => {}
            Some(Piece::Leads(leads, mut share)) => {
                if let Err(error) = self.conductor.lead(leads, &mut share.outcomes) {
                    *share.underway.progress.lock() = Progress::Ended(Err(error));
                }
            }
            Some(Piece::Stops(partitions, delete, mut share)) => {
                self.conductor.stop(&partitions, delete, &mut share.stopped);
                share.is_done = true;
            }
            Some(Piece::EndOfStop(stopped, underway)) => {
                let result = self.conductor.end_stop(stopped);
                *underway.progress.lock() = Progress::Ended(result);
            }
            Some(Piece::Whole(command, underway)) => {
                let result = self.conductor.carry_out(command);
                *underway.progress.lock() = Progress::Ended(result);
            }
        }
    }
}

fn cut<T>(all: Vec<T>) -> impl Iterator<Item = Vec<T>> {
    let mut rest = all.into_iter();
    std::iter::from_fn(move || {
        let some: Vec<T> = rest.by_ref().take(PARTITIONS_PER_PIECE).collect();
        (!some.is_empty()).then_some(some)
    })
}

/// What a Command is about.
fn scope(command: &Command) -> Scope {
    match command {
        Command::Lead(leads) => distinct(leads.iter().map(|lead| &lead.topic)),
        Command::Stop { partitions, .. } => distinct(partitions.iter().map(|(_, topic, _)| topic)),
        Command::Configure { topic, .. } => distinct(std::iter::once(topic)),
        Command::DescribeLogs | Command::Metadata(_) | Command::Coordinator(_) => Scope::Topics(Vec::new()),
        Command::StrayLogs { .. } => Scope::Everything,
    }
}

fn distinct<'a>(topics: impl Iterator<Item = &'a Arc<str>>) -> Scope {
    let mut seen = HashSet::new();
    Scope::Topics(topics.filter(|topic| seen.insert(Arc::clone(topic))).cloned().collect())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::plane::tests::orders::Engine;

    /// Puts a Command in work of which the first piece panics.
    fn submit_that_panics(engine: &Engine, ticket: Ticket, command: Command) {
        let scope = scope(&command);
        let started = engine.orders.state.lock().schedule.add(scope, (ticket, command));
        for (number, (ticket, command)) in started {
            let mut pieces = engine.orders.pieces(number, ticket, command);
            let first = pieces.pop_front();
            engine.jobs.submit(Box::new(move || {
                let _in_hand = first;
                panic!("a log that nobody can read");
            }));
            engine.orders.put(pieces);
        }
    }

    #[test]
    fn a_piece_that_panics_does_not_take_the_end_of_its_command() {
        let mut engine = Engine::new();
        submit_that_panics(&engine, 1, engine.leads("one", 1, 12));
        let done = engine.done();
        let [Done { ticket: 1, result: Ok(DoneValue::Led(outcomes)) }] = &done[..] else { panic!("{done:?}") };
        let mut seen: Vec<_> = outcomes.iter().map(|led| (led.index.0, led.error.is_none())).collect();
        seen.sort_unstable();
        assert_eq!(seen, (0..12).map(|index| (index, index >= 8)).collect::<Vec<_>>());

        submit_that_panics(&engine, 2, Engine::deletes("one", 1, 12));
        submit_that_panics(&engine, 3, Command::DescribeLogs);
        engine.orders.submit(4, engine.leads("one", 2, 1));
        for done in engine.done() {
            match (done.ticket, &done.result) {
                (2 | 3, Err(error)) => assert!(error.contains(NOT_DONE), "{error}"),
                (4, Ok(DoneValue::Led(outcomes))) => assert_eq!(outcomes.len(), 1),
                _ => panic!("{done:?}"),
            }
        }
    }
}
