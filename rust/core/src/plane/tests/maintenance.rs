use std::sync::atomic::AtomicU64;
use std::sync::mpsc::{Receiver, Sender, channel};
use std::thread::JoinHandle;

use super::*;
use crate::disk_sim::Faults;
use crate::plane::clock::Clock;
use crate::plane::maintenance::{Maintenance, Periods, REMOVALS_PER_LOOK};

/// Seconds pass only when it is looked at, and then ten; at each look it says how many directories there are.
#[derive(Debug)]
struct Steps {
    looks: AtomicU64,
    disk: Arc<SimDisk>,
    told: Sender<usize>,
}

impl Clock for Steps {
    fn now(&self) -> Now {
        // Nobody listens any more when a test ends.
        let _ = self.told.send(self.disk.list("".as_ref()).unwrap().iter().filter(|entry| entry.is_dir).count());
        at(10_000 * self.looks.fetch_add(1, Ordering::SeqCst))
    }
}

/// The maintenance of a broker, on its own thread.
struct Keeper {
    maintenance: Arc<Maintenance>,
    directory: Arc<LogDirectory>,
    services: Arc<Services>,
    looks: Receiver<usize>,
    thread: Option<JoinHandle<()>>,
}

impl Keeper {
    fn start(broker: &Broker) -> Self {
        let periods = Periods { recovery_points_ms: i64::MAX, ..Periods::default() };
        let (services, directory) = (broker.services.clone(), broker.directory.clone());
        let maintenance = Arc::new(Maintenance::new(services.clone(), directory.clone(), periods));
        let (told, looks) = channel();
        let clock = Steps { looks: AtomicU64::new(0), disk: broker.disk.clone(), told };
        let keeping = maintenance.clone();
        let thread = std::thread::spawn(move || keeping.run(&clock));
        Self { maintenance, directory, services, looks, thread: Some(thread) }
    }

    /// Has everything looked at, with ten seconds gone; what was told meanwhile.
    fn look(&self) -> Vec<String> {
        while self.looks.try_recv().is_ok() {}
        // The second begins when the first has ended.
        for _ in 0..2 {
            self.directory.window.alarm().ring();
            self.looks.recv().unwrap();
        }
        self.services
            .mailbox
            .drain(0)
            .facts
            .into_iter()
            .map(|(subject, text)| format!("{}: {text}", subject.name()))
            .collect()
    }
}

impl Drop for Keeper {
    fn drop(&mut self) {
        self.maintenance.stop();
        drop(self.thread.take().map(JoinHandle::join));
    }
}

#[test]
fn a_directory_that_failed_is_told_once_and_whoever_waits_for_it_at_once() {
    let broker = Broker::new();
    broker.lead_with(1, &[THIS, OTHER], 1, LogConfig::default());
    let mut client = Client::new(&broker);
    let call = client.call(9);
    client.send(&broker, &produce(&call, -1, 30_000, 0, &batch(10, None)), at(0)).unwrap();
    let keeper = Keeper::start(&broker);
    keeper.look();
    assert!(!client.settle(&broker, at(1)), "it waits for the follower");
    broker.directory.poison("the disk is on fire");
    assert_eq!(keeper.look(), ["log directory failed: the disk is on fire"]);
    assert!(client.settle(&broker, at(2)));
    assert_eq!(produced(&client.answers(at(2))[0], 9).0, ErrorCode::KafkaStorageError);
    for _ in 0..3 {
        assert_eq!(keeper.look(), [""; 0]);
    }
}

#[test]
fn what_goes_on_failing_is_told_once() {
    let broker = Broker::new();
    broker.lead(2);
    let fails = Faults { sync_error_once_in: 1, ..Faults::default() };
    let checkpoint = |told: Vec<String>| told.iter().filter(|text| text.contains("replication-offset")).count();
    let looks = |keeper: &Keeper| -> usize { (0..3).map(|_| checkpoint(keeper.look())).sum() };
    broker.disk.set_faults(fails);
    let keeper = Keeper::start(&broker);
    assert_eq!(looks(&keeper), 1);
    broker.disk.set_faults(Faults::default());
    assert_eq!(looks(&keeper), 0);
    broker.disk.set_faults(fails);
    broker.services.hosted.remove(ORDERS, PartitionIndex(0)).unwrap();
    assert_eq!(looks(&keeper), 1, "it went well in between");
    assert_eq!(broker.directory.poisoned(), None);
}

#[test]
fn removing_many_directories_gives_way_to_whoever_waits() {
    const COUNT: usize = 5 * REMOVALS_PER_LOOK;
    let broker = Broker::new();
    for partition in broker.lead(COUNT as i32) {
        broker.services.hosted.remove(ORDERS, partition.index).unwrap();
    }
    let keeper = Keeper::start(&broker);
    for index in 0..COUNT {
        keeper.maintenance.remove_later(format!("orders-{index}"), at(0).instant);
    }
    let (mut left, mut looks) = (COUNT, 0);
    while left > 0 {
        let now = keeper.looks.recv_timeout(std::time::Duration::from_secs(30)).unwrap();
        assert!(left - now <= REMOVALS_PER_LOOK, "{left} directories, then {now}");
        left = now;
        looks += 1;
        // Up to the time when they are due; then it goes on by itself.
        if now == COUNT {
            keeper.directory.window.alarm().ring();
        }
    }
    assert!(looks >= 5);
}
