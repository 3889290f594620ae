//! Questions to the control plane: is this transaction open on these partitions?
//!
//! Prior art: Kafka's `AddPartitionsToTxnManager`, which sends one request per coordinator and keeps the callbacks of a
//! produce. Ours goes up as it is, one for each Produce that needs it; who answers may gather them by coordinator. The
//! request that asked holds its connection back meanwhile and has the deadline, so nothing here keeps time.
//!
//! Invariants: a question is answered once, or forgotten by who asked; of those open there are at most [`OPEN_MAX`], and
//! at most one for each connection.

use std::collections::HashMap;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicI64, Ordering};

use parking_lot::Mutex;

use crate::error::ErrorCode;
use crate::ids::{PartitionIndex, ProducerEpoch, ProducerId};
use crate::replication::waiting::Bell;

/// Questions open at a time: each holds a request of up to `socket.request.max.bytes`.
pub const OPEN_MAX: usize = 4096;
/// `request.timeout.ms`, after which a coordinator that says nothing is taken for one that is not there.
const TIMEOUT_MS: i64 = 30_000;

/// A question.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Question {
    /// What to answer under.
    pub id: u64,
    /// Whose transaction.
    pub transactional_id: Box<str>,
    /// The producer.
    pub producer_id: ProducerId,
    /// Its incarnation.
    pub producer_epoch: ProducerEpoch,
    /// Whether the partitions are to be added to the transaction (its second version), or must be in it already.
    pub add: bool,
    /// Which: at least one, each once.
    pub partitions: Vec<(Arc<str>, PartitionIndex)>,
}

/// A question that was asked. Dropping it forgets it.
#[derive(Debug)]
pub struct Asked {
    id: u64,
    questions: Arc<Questions>,
    verdict: Arc<Verdict>,
}

#[derive(Debug)]
struct Verdict {
    bell: Arc<Bell>,
    codes: Mutex<Option<Vec<ErrorCode>>>,
}

impl Asked {
    /// A code for each partition of the question; none while it is open. Gives them once.
    #[must_use]
    pub fn answer(&self) -> Option<Vec<ErrorCode>> {
        self.verdict.codes.lock().take()
    }

    /// Whether there is an answer that was not taken yet.
    #[must_use]
    pub fn is_answered(&self) -> bool {
        self.verdict.codes.lock().is_some()
    }
}

impl Drop for Asked {
    fn drop(&mut self) {
        self.questions.state.lock().open.remove(&self.id);
    }
}

#[derive(Debug, Default)]
struct State {
    /// Not taken up yet.
    queue: Vec<Question>,
    open: HashMap<u64, Arc<Verdict>>,
    given: u64,
}

/// The questions of one engine, and the rules for asking.
#[derive(Debug)]
pub struct Questions {
    state: Mutex<State>,
    verifies: AtomicBool,
    timeout_ms: AtomicI64,
}

impl Default for Questions {
    fn default() -> Self {
        Self { state: Mutex::default(), verifies: AtomicBool::new(true), timeout_ms: AtomicI64::new(TIMEOUT_MS) }
    }
}

impl Questions {
    /// `transaction.partition.verification.enable` and `request.timeout.ms`, from now on.
    pub fn configure(&self, verifies: bool, timeout_ms: i64) {
        self.verifies.store(verifies, Ordering::Relaxed);
        self.timeout_ms.store(timeout_ms, Ordering::Relaxed);
    }

    /// Whether transactions of the first version are verified. Those of the second are always, since asking adds to them.
    #[must_use]
    pub fn verifies(&self) -> bool {
        self.verifies.load(Ordering::Relaxed)
    }

    /// How long an answer may take.
    #[must_use]
    pub fn timeout_ms(&self) -> i64 {
        self.timeout_ms.load(Ordering::Relaxed)
    }

    /// Asks; `bell` rings with the answer. The question gets its id here. None when too many are open. The reader of the
    /// mailbox must be nudged afterwards.
    #[must_use]
    pub fn ask(self: &Arc<Self>, question: Question, bell: &Arc<Bell>) -> Option<Asked> {
        let verdict = Arc::new(Verdict { bell: bell.clone(), codes: Mutex::default() });
        let mut state = self.state.lock();
        if state.open.len() >= OPEN_MAX || state.queue.len() >= OPEN_MAX {
            return None;
        }
        state.given += 1;
        let id = state.given;
        state.open.insert(id, verdict.clone());
        state.queue.push(Question { id, ..question });
        Some(Asked { id, questions: self.clone(), verdict })
    }

    /// Takes up the questions that came, without those that nobody waits for any more.
    #[must_use]
    pub fn take(&self) -> Vec<Question> {
        let mut state = self.state.lock();
        let mut queue = std::mem::take(&mut state.queue);
        queue.retain(|question| state.open.contains_key(&question.id));
        queue
    }

    /// Answers with a code for each partition; an answer that nobody waits for is dropped.
    pub fn answer(&self, id: u64, codes: Vec<ErrorCode>) {
        let Some(verdict) = self.state.lock().open.remove(&id) else { return };
        *verdict.codes.lock() = Some(codes);
        verdict.bell.ring();
    }

    /// How many are open.
    #[must_use]
    pub fn open(&self) -> usize {
        self.state.lock().open.len()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn question() -> Question {
        Question {
            id: 0,
            transactional_id: "t".into(),
            producer_id: ProducerId(1),
            producer_epoch: ProducerEpoch(0),
            add: false,
            partitions: vec![("orders".into(), PartitionIndex(0))],
        }
    }

    #[test]
    fn a_question_is_answered_once() {
        let (questions, bell) = (Arc::new(Questions::default()), Arc::new(Bell::default()));
        let asked = questions.ask(question(), &bell).unwrap();
        let taken = questions.take();
        assert_eq!((taken.len(), questions.take().len()), (1, 0));
        assert!(!asked.is_answered());
        questions.answer(taken[0].id, vec![ErrorCode::None]);
        questions.answer(taken[0].id, vec![ErrorCode::NotCoordinator]);
        assert!(asked.is_answered());
        assert_eq!((asked.answer(), asked.answer()), (Some(vec![ErrorCode::None]), None));
    }

    #[test]
    fn what_nobody_waits_for_is_forgotten() {
        let (questions, bell) = (Arc::new(Questions::default()), Arc::new(Bell::default()));
        drop(questions.ask(question(), &bell).unwrap());
        assert_eq!((questions.open(), questions.take()), (0, Vec::new()));
        questions.answer(1, vec![ErrorCode::None]);
    }

    #[test]
    fn so_many_and_no_more() {
        let (questions, bell) = (Arc::new(Questions::default()), Arc::new(Bell::default()));
        let mut open: Vec<_> = (0..OPEN_MAX).map(|_| questions.ask(question(), &bell).unwrap()).collect();
        assert!(questions.ask(question(), &bell).is_none());
        open.pop();
        assert!(questions.ask(question(), &bell).is_none(), "what was not taken up counts, too");
        assert_eq!(questions.take().len(), OPEN_MAX - 1);
        assert!(questions.ask(question(), &bell).is_some());
    }
}
