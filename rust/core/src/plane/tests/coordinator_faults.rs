//! Lives of one coordinator's partition on a disk that fails, fills up, loses power: what was acknowledged is loaded, each life
//! under the next leader epoch.

use super::coordinator_log::{Coordinator, place};
use super::*;
use crate::batch::Codec;
use crate::disk_sim::{Faults, Random};
use crate::log::OpenOptions;
use crate::plane::coordinator_log::{CoordinatorCommand, KeyedRecord, LogRefusal};

const SEEDS: u64 = 60;
const STEPS: u64 = 150;
const NAME: &str = "orders-0";

type Row = (String, Option<String>);

struct World {
    random: Random,
    disk: Arc<SimDisk>,
    directory: Arc<LogDirectory>,
    settings: Arc<TopicSettings>,
    coordinator: Coordinator,
    epoch: i32,
    /// What was acknowledged, by offset.
    model: Vec<Row>,
    /// What was refused last and may be in the log all the same.
    perhaps: Vec<Row>,
}

fn lead(directory: &Arc<LogDirectory>, settings: &Arc<TopicSettings>, epoch: i32) -> Coordinator {
    let (config, now) = (settings.log.clone(), at(0).wall);
    let mut log = if epoch == 0 {
        Log::create(directory, NAME, ORDERS, config, Offset(0), now).unwrap()
    } else {
        let options = OpenOptions { topic_id: Some(ORDERS), ..OpenOptions::new(config, now) };
        Log::open(directory, NAME, &options).unwrap().0
    };
    log.begin_epoch(LeaderEpoch(epoch), now);
    let identity = Identity { topic_id: ORDERS, topic: "orders".into(), index: PartitionIndex(0), this_broker: THIS };
    let leadership = leadership(epoch, epoch, &[THIS]);
    let partition = Arc::new(Partition::lead(identity, settings.clone(), leadership, Offset(0), log));
    let services = Broker::new().services;
    services.hosted.insert(partition.clone());
    Coordinator::on(services, partition)
}

impl World {
    fn new(seed: u64) -> Self {
        let mut random = Random::new(seed);
        let disk = SimDisk::new(random.bits());
        let template = Broker::new().lead(1)[0].settings();
        let log =
            LogConfig { segment_bytes: 500 + random.below(3_000), index_interval_bytes: 100, ..LogConfig::default() };
        let settings = Arc::new(TopicSettings { log: Arc::new(log), ..TopicSettings::clone(&template) });
        let directory = LogDirectory::new(Arc::clone(&disk) as Arc<dyn Disk>, 3);
        let coordinator = lead(&directory, &settings, 0);
        let (model, perhaps) = (Vec::new(), Vec::new());
        let mut world = Self { random, disk, directory, settings, coordinator, epoch: 0, model, perhaps };
        world.append();
        world.flush();
        world
    }

    fn append(&mut self) {
        let rows: Vec<Row> = (0..=self.random.below(4))
            .map(|_| {
                let key = format!("key {}", self.random.below(8));
                (key, (!self.random.once_in(5)).then(|| format!("value {}", self.random.below(1000))))
            })
            .collect();
        let record = |(key, value): &Row| KeyedRecord {
            key: key.clone().into(),
            value: value.clone().map(Into::into),
            timestamp: at(0).wall,
        };
        let records = rows.iter().map(record).collect();
        let place = place(LeaderEpoch(self.epoch));
        let ticket = self.coordinator.begin(CoordinatorCommand::Append {
            place,
            records,
            codec: Codec::None,
            timeout_ms: 1,
            openings: Vec::new(),
            replies: Vec::new(),
        });
        match self.coordinator.outcome(ticket, at(0)).expect("nothing to wait for") {
            Ok(_) => self.model.extend(rows),
            Err(LogRefusal { code, .. }) => {
                assert_eq!(code, ErrorCode::KafkaStorageError);
                self.perhaps = rows;
                if self.directory.poisoned().is_some() {
                    return self.restart(true);
                }
            }
        }
        assert_eq!(self.coordinator.log_end().0 as usize, self.model.len(), "a failed append leaves nothing");
    }

    fn flush(&mut self) {
        let partition = &self.coordinator.partition;
        if let Ok(Some(plan)) = partition.with_log(Log::flush_plan) {
            let outcome = plan.run();
            partition.flushed(&plan, &outcome);
        }
        if self.directory.poisoned().is_some() {
            self.restart(true);
        }
    }

    fn change_faults(&mut self) {
        let mut faults = Faults::default();
        match self.random.below(4) {
            0 => faults.capacity = Some(self.disk.used() + self.random.below(2_000)),
            1 => faults.write_error_once_in = 2 + self.random.below(20),
            2 => faults.sync_error_once_in = 2 + self.random.below(10),
            _ => {}
        }
        self.disk.set_faults(faults);
        self.directory.take_records();
    }

    fn restart(&mut self, power_lost: bool) {
        let durable = self.coordinator.partition.with_log(|log| log.durable_end()).0 as usize;
        let kept = if power_lost { durable } else { self.model.len() };
        self.disk.set_faults(Faults::default());
        self.disk = if power_lost { self.disk.lose_power() } else { self.disk.kill_process() };
        self.directory = LogDirectory::new(Arc::clone(&self.disk) as Arc<dyn Disk>, 3);
        self.epoch += 1;
        self.coordinator = lead(&self.directory, &self.settings, self.epoch);
        let end = self.coordinator.log_end().0 as usize;
        assert!(end >= kept, "{end} of {kept}");
        let perhaps = std::mem::take(&mut self.perhaps);
        if end > self.model.len() {
            self.model.extend(perhaps);
        }
        assert!(end <= self.model.len());
        self.model.truncate(end);
        self.check();
    }

    fn check(&mut self) {
        let newest = |at: usize, key: &str| self.model[at + 1..].iter().all(|(other, _)| other != key);
        let rows = self.model.iter().enumerate().filter(|(at, (key, _))| newest(*at, key));
        let expected: Vec<_> = rows.filter_map(|(_, (key, value))| Some((key.clone(), value.clone()?))).collect();
        assert_eq!(self.coordinator.load(LeaderEpoch(self.epoch)).unwrap(), expected);
    }
}

#[test]
fn what_was_acknowledged_is_loaded() {
    let mut lives = 0;
    for seed in 0..SEEDS {
        let mut world = World::new(seed);
        for _ in 0..STEPS {
            match world.random.below(20) {
                0 => world.restart(false),
                1 => world.restart(true),
                2 | 3 => world.change_faults(),
                4..=6 => world.flush(),
                7 => world.check(),
                _ => world.append(),
            }
        }
        world.restart(false);
        lives += world.epoch;
    }
    assert!(lives > SEEDS as i32 * 10, "{lives} lives");
}
