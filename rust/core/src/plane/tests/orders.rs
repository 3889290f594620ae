use super::*;
use crate::log::names::DirectoryStage;
use crate::plane::clock::SystemClock;
use crate::plane::command::{Command, Done, DoneValue, Lead, Ticket};
use crate::plane::conductor::Conductor;
use crate::plane::maintenance::{Maintenance, Periods};
use crate::plane::orders::Orders;

/// Commands that are carried out on one thread, which waits until all of them are there.
pub(in crate::plane) struct Engine {
    services: Arc<Services>,
    directory: Arc<LogDirectory>,
    pub(in crate::plane) orders: Arc<Orders>,
    pub(in crate::plane) jobs: Arc<Pool>,
    hold: Option<std::sync::mpsc::Sender<()>>,
    settings: Arc<TopicSettings>,
}

impl Engine {
    pub(in crate::plane) fn new() -> Self {
        let broker = Broker::new();
        let settings = broker.lead(1)[0].settings();
        let Broker { services, directory, .. } = broker;
        let maintenance = Arc::new(Maintenance::new(services.clone(), directory.clone(), Periods::default()));
        let clock = Arc::new(SystemClock::default());
        let conductor = Arc::new(Conductor::new(services.clone(), directory.clone(), maintenance, clock));
        let jobs = Arc::new(Pool::start("test", 1).unwrap());
        let orders = Orders::new(conductor, services.clone(), jobs.clone());
        let mut engine = Self { services, directory, orders, jobs, hold: None, settings };
        engine.hold();
        engine
    }

    pub(in crate::plane) fn leads(&self, topic: &str, id: u8, partitions: i32) -> Command {
        let lead = |index| Lead {
            topic_id: TopicId([id; 16]),
            topic: topic.into(),
            index: PartitionIndex(index),
            leadership: leadership(0, 0, &[THIS]),
            settings: self.settings.clone(),
        };
        Command::Lead((0..partitions).map(lead).collect())
    }

    pub(in crate::plane) fn deletes(topic: &str, id: u8, partitions: i32) -> Command {
        let partition = |index| (TopicId([id; 16]), topic.into(), PartitionIndex(index));
        Command::Stop { partitions: (0..partitions).map(partition).collect(), delete: true }
    }

    fn lead(&self, ticket: Ticket, topic: &str, id: u8, partitions: i32) {
        self.orders.submit(ticket, self.leads(topic, id, partitions));
    }

    fn delete(&self, ticket: Ticket, topic: &str, id: u8, partitions: i32) {
        self.orders.submit(ticket, Self::deletes(topic, id, partitions));
    }

    /// The thread waits again until everything is there.
    fn hold(&mut self) {
        let (hold, held) = std::sync::mpsc::channel();
        self.jobs.submit(Box::new(move || {
            let _released = held.recv();
        }));
        self.hold = Some(hold);
    }

    /// Lets the thread go to work; what the Commands ended with, in the order of their ends.
    pub(in crate::plane) fn done(&mut self) -> Vec<Done> {
        self.hold.take();
        self.orders.wait_idle();
        self.services.mailbox.drain(0).done
    }

    /// As [`Engine::done`] when all went well: the tickets.
    fn ended(&mut self) -> Vec<Ticket> {
        let done = self.done();
        for done in &done {
            let well = match &done.result {
                Ok(DoneValue::Led(outcomes)) => outcomes.iter().all(|outcome| outcome.error.is_none()),
                other => other.is_ok(),
            };
            assert!(well, "{done:?}");
        }
        done.iter().map(|done| done.ticket).collect()
    }
}

impl Drop for Engine {
    fn drop(&mut self) {
        self.hold.take();
        self.jobs.stop();
    }
}

#[test]
fn a_large_topic_does_not_hold_up_a_small_one() {
    let mut engine = Engine::new();
    engine.lead(1, "large", 1, 200);
    engine.lead(2, "small", 2, 1);
    engine.delete(3, "large", 1, 200);
    engine.lead(4, "other", 3, 1);
    assert_eq!(engine.ended(), [2, 4, 1, 3]);
}

#[test]
fn a_large_deletion_does_not_hold_up_others() {
    let mut engine = Engine::new();
    engine.lead(1, "large", 1, 200);
    engine.lead(2, "empty", 4, 0);
    engine.delete(3, "empty", 4, 0);
    assert_eq!(engine.ended(), [2, 3, 1]);
    engine.hold();
    engine.delete(4, "large", 1, 200);
    engine.lead(5, "small", 2, 1);
    engine.delete(6, "small", 2, 1);
    engine.orders.submit(7, Command::DescribeLogs);
    assert_eq!(engine.ended(), [5, 7, 6, 4]);
    let (found, _) = engine.directory.partitions().unwrap();
    let deleted = found.iter().filter(|found| found.name.stage == DirectoryStage::Deleted).count();
    assert_eq!(deleted, 201);
}

#[test]
fn a_topic_that_is_made_again_finds_the_older_one_gone() {
    let mut engine = Engine::new();
    engine.lead(1, "again", 1, 20);
    engine.delete(2, "again", 1, 20);
    engine.lead(3, "again", 2, 20);
    assert_eq!(engine.ended(), [1, 2, 3]);
    assert!(engine.services.hosted.get(TopicId([1; 16]), PartitionIndex(7)).is_none());
    assert!(engine.services.hosted.get(TopicId([2; 16]), PartitionIndex(7)).is_some());
    let (found, _) = engine.directory.partitions().unwrap();
    let of_seven = found.iter().filter(|found| found.name.topic == "again" && found.name.partition.0 == 7);
    assert_eq!(of_seven.count(), 2, "the one to be deleted and the one in use");
}

#[test]
fn what_is_set_aside_is_looked_for_when_all_before_is_done() {
    let mut engine = Engine::new();
    engine.lead(1, "kept", 1, 30);
    engine
        .orders
        .submit(2, Command::StrayLogs { keep: (0..30).map(|at| (TopicId([1; 16]), PartitionIndex(at))).collect() });
    engine.lead(3, "later", 2, 1);
    assert_eq!(engine.ended(), [1, 2, 3]);
    let (found, _) = engine.directory.partitions().unwrap();
    assert_eq!(found.iter().filter(|found| found.name.topic == "kept").count(), 30);
}
