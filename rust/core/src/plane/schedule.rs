//! Which Commands may be in work together, and whose turn it is on a thread.
//!
//! Prior art: the dependency queues of database lock managers, and fair queueing. A Command names the topics it is about;
//! those of one topic are carried out in their order, those of different topics side by side. Topics are told apart by name,
//! since a directory is: a topic that is made again under its name must find the older one's directory gone.
//!
//! Invariants: two Commands in work never share a topic; what concerns everything is in work alone, after all that came
//! before and before all that comes after; adding and finishing cost as much as a Command has topics, however many wait.

use std::collections::{HashMap, VecDeque};
use std::sync::Arc;

/// What a Command is about.
#[derive(Clone, PartialEq, Eq, Debug)]
pub enum Scope {
    /// Partitions of these topics, each named once; none at all is in nobody's way.
    Topics(Vec<Arc<str>>),
    /// The whole directory.
    Everything,
}

/// Names an entry of a [`Schedule`].
pub type Number = u64;

#[derive(Debug)]
struct Entry<T> {
    topics: Vec<Arc<str>>,
    /// In how many of them another is first.
    behind: usize,
    /// Until it starts.
    what: Option<T>,
}

/// The order in which things are done; it only says what may start, and is told what has ended.
#[derive(Debug)]
pub struct Schedule<T> {
    next: Number,
    /// What waits behind others or is in work.
    entries: HashMap<Number, Entry<T>>,
    queues: HashMap<Arc<str>, VecDeque<Number>>,
    /// What came after something that concerns everything, and that itself at the front until it starts.
    held: VecDeque<(Scope, T)>,
    /// Something that concerns everything is in work.
    alone: bool,
}

impl<T> Default for Schedule<T> {
    fn default() -> Self {
        Self { next: 0, entries: HashMap::new(), queues: HashMap::new(), held: VecDeque::new(), alone: false }
    }
}

impl<T> Schedule<T> {
    /// Whether nothing waits and nothing is in work.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.entries.is_empty() && self.held.is_empty()
    }

    /// Adds one; returns what may start now.
    pub fn add(&mut self, scope: Scope, what: T) -> Vec<(Number, T)> {
        let mut started = Vec::new();
        self.held.push_back((scope, what));
        self.advance(&mut started);
        started
    }

    /// What was started under `number` has ended; returns what may start now.
    pub fn finish(&mut self, number: Number) -> Vec<(Number, T)> {
        let mut started = Vec::new();
        let Some(ended) = self.entries.remove(&number) else { return started };
        self.alone = false;
        for topic in &ended.topics {
            let Some(queue) = self.queues.get_mut(topic) else { continue };
            queue.pop_front();
            let Some(first) = queue.front().copied() else {
                self.queues.remove(topic);
                continue;
            };
            if let Some(entry) = self.entries.get_mut(&first) {
                entry.behind -= 1;
                if entry.behind == 0 {
                    started.extend(entry.what.take().map(|what| (first, what)));
                }
            }
        }
        self.advance(&mut started);
        started
    }

    /// Takes in what is held, up to something that concerns everything and must wait.
    fn advance(&mut self, started: &mut Vec<(Number, T)>) {
        while !self.alone {
            let Some((scope, _)) = self.held.front() else { return };
            if *scope == Scope::Everything && !self.entries.is_empty() {
                return;
            }
            let Some((scope, what)) = self.held.pop_front() else { return };
            let number = self.next;
            self.next += 1;
            let topics = match scope {
                Scope::Topics(topics) => topics,
                Scope::Everything => {
                    self.alone = true;
                    Vec::new()
                }
            };
            let mut behind = 0;
            for topic in &topics {
                let queue = self.queues.entry(topic.clone()).or_default();
                behind += usize::from(!queue.is_empty());
                queue.push_back(number);
            }
            let mut entry = Entry { topics, behind, what: Some(what) };
            if behind == 0 {
                started.extend(entry.what.take().map(|what| (number, what)));
            }
            self.entries.insert(number, entry);
        }
    }
}

/// Pieces of work of several owners, taken in turn: one with many pieces holds up nobody for longer than one of them.
#[derive(Debug)]
pub struct Rotation<T> {
    owners: VecDeque<VecDeque<T>>,
}

impl<T> Default for Rotation<T> {
    fn default() -> Self {
        Self { owners: VecDeque::new() }
    }
}

impl<T> Rotation<T> {
    /// Adds an owner with its pieces, in their order.
    pub fn push(&mut self, pieces: VecDeque<T>) {
        if !pieces.is_empty() {
            self.owners.push_back(pieces);
        }
    }

    /// The next piece of whoever's turn it is.
    pub fn pop(&mut self) -> Option<T> {
        let mut owner = self.owners.pop_front()?;
        let piece = owner.pop_front();
        if !owner.is_empty() {
            self.owners.push_back(owner);
        }
        piece
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn scope(topics: &[u8]) -> Scope {
        let mut topics: Vec<Arc<str>> = topics.iter().map(|topic| topic.to_string().into()).collect();
        topics.dedup();
        Scope::Topics(topics)
    }

    fn whats<T>(started: Vec<(Number, T)>) -> Vec<T> {
        started.into_iter().map(|(_, what)| what).collect()
    }

    #[test]
    fn topics_keep_their_order_and_do_not_wait_for_each_other() {
        let mut schedule = Schedule::default();
        assert_eq!(schedule.add(scope(&[1]), "lead 1"), [(0, "lead 1")]);
        assert_eq!(schedule.add(scope(&[1, 2]), "stop 1, 2"), []);
        assert_eq!(schedule.add(scope(&[2]), "lead 2"), [], "it came after one that waits");
        assert_eq!(schedule.add(scope(&[3]), "lead 3"), [(3, "lead 3")]);
        assert_eq!(schedule.add(scope(&[]), "describe"), [(4, "describe")]);
        assert_eq!(whats(schedule.finish(0)), ["stop 1, 2"]);
        assert_eq!(whats(schedule.finish(1)), ["lead 2"]);
        for number in [2, 3, 4] {
            assert!(!schedule.is_empty());
            assert_eq!(schedule.finish(number), []);
        }
        assert!(schedule.is_empty() && schedule.queues.is_empty());
    }

    #[test]
    fn what_concerns_everything_is_alone() {
        let mut schedule = Schedule::default();
        schedule.add(scope(&[1]), "lead 1");
        assert_eq!(schedule.add(Scope::Everything, "strays"), []);
        assert_eq!(schedule.add(scope(&[2]), "lead 2"), []);
        assert_eq!(whats(schedule.finish(0)), ["strays"]);
        assert_eq!(schedule.add(scope(&[]), "describe"), []);
        assert_eq!(whats(schedule.finish(1)), ["lead 2", "describe"]);
    }

    #[test]
    fn many_pieces_hold_up_nobody() {
        let mut rotation = Rotation::default();
        rotation.push((0..4).map(|piece| ("big", piece)).collect());
        assert_eq!(rotation.pop(), Some(("big", 0)));
        rotation.push([("small", 0)].into());
        rotation.push(VecDeque::new());
        let order: Vec<_> = std::iter::from_fn(|| rotation.pop()).collect();
        assert_eq!(order, [("big", 1), ("small", 0), ("big", 2), ("big", 3)]);
    }

    fn scopes() -> impl Strategy<Value = Option<Vec<u8>>> {
        prop_oneof![1 => Just(None), 8 => proptest::collection::btree_set(0..5_u8, 0..4).prop_map(|set| Some(set.into_iter().collect()))]
    }

    proptest! {
        /// Against the rule itself: one may be in work as soon as no earlier one that is not finished is in its way.
        #[test]
        fn all_that_may_start_has_started(wanted in proptest::collection::vec(scopes(), 1..40), turns in proptest::collection::vec(any::<(bool, usize)>(), 120)) {
            let in_the_way = |one: &Option<Vec<u8>>, other: &Option<Vec<u8>>| match (one, other) {
                (Some(one), Some(other)) => one.iter().any(|topic| other.contains(topic)),
                _ => true,
            };
            let mut schedule = Schedule::default();
            let (mut added, mut running, mut finished) = (0, Vec::<(Number, usize)>::new(), vec![false; wanted.len()]);
            for (adds, pick) in turns {
                if adds && added < wanted.len() {
                    let scope = wanted[added].as_ref().map_or(Scope::Everything, |topics| scope(topics));
                    running.extend(schedule.add(scope, added));
                    added += 1;
                } else if !running.is_empty() {
                    let (number, which) = running.swap_remove(pick % running.len());
                    finished[which] = true;
                    running.extend(schedule.finish(number));
                }
                let mut expected: Vec<usize> = (0..added).filter(|&at| !finished[at]).filter(|&at| {
                    (0..at).all(|earlier| finished[earlier] || !in_the_way(&wanted[earlier], &wanted[at]))
                }).collect();
                let mut started: Vec<usize> = running.iter().map(|(_, which)| *which).collect();
                started.sort_unstable();
                expected.sort_unstable();
                prop_assert_eq!(started, expected);
            }
        }
    }
}
