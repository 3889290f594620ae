//! Carries out the Commands of the control plane: opens, creates, renames and describes logs. Blocks on the disk; in which
//! order, and what side by side, is the business of [`Orders`](crate::plane::orders::Orders).

use std::collections::{HashMap, HashSet};
use std::sync::Arc;

use parking_lot::Mutex;

use crate::error::ErrorCode;
use crate::ids::{LeaderEpoch, Offset, PartitionIndex, TopicId};
use crate::log::checkpoint::OffsetsByPartition;
use crate::log::directory::PartitionDirectory;
use crate::log::{Log, LogDirectory, OffsetCheckpoint, OpenOptions, PARTITION_METADATA_FILE, names};
use crate::plane::clock::{Clock, Now, SystemClock};
use crate::plane::command::{Command, DoneValue, Lead, LeadOutcome, LogDescription};
use crate::plane::maintenance::Maintenance;
use crate::plane::metadata_log::METADATA_DIRECTORY;
use crate::plane::services::{Host, Services};
use crate::replication::partition::{Identity, Partition, TopicSettings};

/// What was known of the directory's logs when the engine started.
#[derive(Debug, Default)]
struct Checkpoints {
    clean: bool,
    recovery: OffsetsByPartition,
    start: OffsetsByPartition,
    high_watermark: OffsetsByPartition,
}

/// What came of giving partitions up.
#[derive(Debug, Default)]
pub struct Stopped {
    /// Directories that were given the name of one to be deleted.
    pub renamed: Vec<String>,
    /// What could not be done, for people.
    pub failed: Vec<String>,
}

/// Carries out Commands.
#[derive(Debug)]
pub struct Conductor {
    services: Arc<Services>,
    directory: Arc<LogDirectory>,
    maintenance: Arc<Maintenance>,
    clock: Arc<SystemClock>,
    checkpoints: Mutex<Option<Arc<Checkpoints>>>,
}

impl Conductor {
    /// A conductor for one directory.
    #[must_use]
    pub fn new(
        services: Arc<Services>,
        directory: Arc<LogDirectory>,
        maintenance: Arc<Maintenance>,
        clock: Arc<SystemClock>,
    ) -> Self {
        Self { services, directory, maintenance, clock, checkpoints: Mutex::default() }
    }

    /// Carries out one Command. Blocks until it is done.
    pub fn carry_out(&self, command: Command) -> Result<DoneValue, String> {
        match command {
            Command::Lead(leads) => {
                let mut outcomes = Vec::with_capacity(leads.len());
                self.lead(leads, &mut outcomes).map(|()| DoneValue::Led(outcomes))
            }
            Command::Stop { partitions, delete } => {
                let mut stopped = Stopped::default();
                self.stop(&partitions, delete, &mut stopped);
                self.end_stop(stopped)
            }
            Command::Configure { topic_id, settings, .. } => {
                self.configure(topic_id, &settings);
                Ok(DoneValue::Nothing)
            }
            Command::DescribeLogs => self.describe(),
            Command::StrayLogs { keep } => self.set_strays_aside(&keep).map(DoneValue::Strays),
            Command::Metadata(_) | Command::Coordinator(_) => Err("this is for another thread".to_owned()),
        }
    }

    /// Reads the checkpoints once, and takes the clean-shutdown marker away: from now on a crash is a crash.
    fn checkpoints(&self) -> Result<Arc<Checkpoints>, String> {
        let mut known = self.checkpoints.lock();
        if let Some(known) = &*known {
            return Ok(known.clone());
        }
        let directory = &self.directory;
        let clean = directory.clean_shutdown().map_err(|error| error.to_string())?.is_some();
        directory.clear_clean_shutdown().map_err(|error| error.to_string())?;
        // Of these two a damaged file only means that everything is checked again.
        let lenient = |which| directory.read_checkpoint(which).unwrap_or_default();
        let read = Arc::new(Checkpoints {
            clean,
            recovery: lenient(OffsetCheckpoint::RecoveryPoint),
            start: lenient(OffsetCheckpoint::LogStart),
            high_watermark: lenient(OffsetCheckpoint::Replication),
        });
        *known = Some(read.clone());
        Ok(read)
    }

    /// Opens or creates logs; each has its outcome. An error is one of the directory, and none was opened.
    pub fn lead(&self, leads: Vec<Lead>, outcomes: &mut Vec<LeadOutcome>) -> Result<(), String> {
        let checkpoints = self.checkpoints()?;
        for lead in leads {
            outcomes.push(self.lead_one(lead, &checkpoints));
        }
        Ok(())
    }

    /// The View knows how many partitions a topic has: not all that are hosted are looked at for one of thousands of topics.
    fn configure(&self, topic_id: TopicId, settings: &Arc<TopicSettings>) {
        let count = self.services.view.load().topic_by_id(topic_id).map_or(0, |topic| topic.partitions.len());
        for index in (0..count).filter_map(|index| i32::try_from(index).ok()) {
            if let Some(partition) = self.services.hosted.get(topic_id, PartitionIndex(index)) {
                partition.configure(settings.clone());
            }
        }
    }

    fn lead_one(&self, lead: Lead, checkpoints: &Checkpoints) -> LeadOutcome {
        let (topic_id, index) = (lead.topic_id, lead.index);
        let outcome = |recovered_bytes, error| LeadOutcome { topic_id, index, recovered_bytes, error };
        if let Some(known) = self.services.hosted.get(topic_id, index) {
            let updated = known.update(lead.leadership, self.clock.now().wall);
            return outcome(0, (!updated).then(|| format!("{known}: an older replica state than is known")));
        }
        let (log, recovered, high_watermark) = match self.open(&lead, checkpoints) {
            Ok(opened) => opened,
            Err(error) => {
                self.services.hosted.fail(topic_id, index, lead.topic);
                return outcome(0, Some(error));
            }
        };
        let epoch = lead.leadership.leader_epoch;
        let mut log = log;
        if epoch > log.epochs().latest().map_or(LeaderEpoch::NONE, |latest| latest.epoch) {
            log.begin_epoch(epoch, self.clock.now().wall);
        }
        let identity = Identity { topic_id, topic: lead.topic, index, this_broker: self.services.node_id };
        let partition = Partition::lead(identity, lead.settings, lead.leadership, high_watermark, log);
        self.services.hosted.insert(Arc::new(partition));
        outcome(recovered, None)
    }

    fn open(&self, lead: &Lead, checkpoints: &Checkpoints) -> Result<(Log, u64, Offset), String> {
        let name = names::partition_directory(&lead.topic, lead.index);
        let now = self.clock.now().wall;
        let (directory, config) = (&self.directory, lead.settings.log.clone());
        let exists =
            directory.disk().exists(name.as_ref()).map_err(|error| format!("cannot look for {name}: {error}"))?;
        if !exists {
            let create = || Log::create(directory, &name, lead.topic_id, config.clone(), Offset(0), now);
            let created = directory.with_headroom(create);
            let log = created.map_err(|error| format!("cannot create {}/{name}: {error}", directory.describe()))?;
            return Ok((log, 0, Offset(0)));
        }
        let key = (lead.topic.to_string(), lead.index);
        let options = OpenOptions {
            topic_id: Some(lead.topic_id),
            clean: checkpoints.clean,
            recovery_point: checkpoints.recovery.get(&key).copied().unwrap_or_default(),
            log_start: checkpoints.start.get(&key).copied().unwrap_or_default(),
            gaps_allowed: lead.settings.produce.compacted,
            ..OpenOptions::new(config, now)
        };
        let (log, report) = Log::open(directory, &name, &options).map_err(|error| error.to_string())?;
        // After a clean stop the end of the last segment is found by its headers: nothing is checked.
        let checked = if checkpoints.clean { 0 } else { report.bytes_scanned };
        Ok((log, checked, checkpoints.high_watermark.get(&key).copied().unwrap_or_default()))
    }

    /// Gives partitions up; with `delete` their directories get the names of what is to be deleted. Nothing of that is
    /// durable before [`Conductor::end_stop`].
    pub fn stop(&self, partitions: &[(TopicId, Arc<str>, PartitionIndex)], delete: bool, stopped: &mut Stopped) {
        let now = self.clock.now();
        for (topic, _, index) in partitions {
            if !delete {
                // It stays hosted: what it holds is still flushed, closed well at the end, and may be led again.
                if let Some(partition) = self.services.hosted.get(*topic, *index) {
                    partition.stop();
                }
                continue;
            }
            self.services.desks.forget(*topic, *index);
            let Some(host) = self.services.hosted.remove(*topic, *index) else { continue };
            let unique = u128::from_be_bytes(topic.0) ^ u128::from(now.wall.0 as u64);
            let outcome = match host {
                Host::Working(partition) => {
                    partition.stop();
                    let to = names::deleted_directory(&partition.topic, *index, unique);
                    partition.with_log(|log| log.rename(&to)).map(|()| Some(to)).map_err(|error| {
                        let from = names::partition_directory(&partition.topic, *index);
                        format!("cannot rename {}/{from}: {error}", self.directory.describe())
                    })
                }
                Host::Failed(name) => self.rename_failed(*topic, &name, *index, unique),
            };
            match outcome {
                Ok(to) => stopped.renamed.extend(to),
                Err(error) => stopped.failed.push(error),
            }
        }
    }

    /// Makes the new names durable, once for all: a topic of thousands of partitions is deleted in one go.
    pub fn end_stop(&self, stopped: Stopped) -> Result<DoneValue, String> {
        let Stopped { renamed, mut failed } = stopped;
        if !renamed.is_empty()
            && let Err(error) = self.directory.flush_names()
        {
            failed.push(error.to_string());
        }
        let now = self.clock.now().instant;
        for directory in renamed {
            self.maintenance.remove_later(directory, now);
        }
        if failed.is_empty() { Ok(DoneValue::Nothing) } else { Err(failed.join("; ")) }
    }

    /// Gives the directory of a log that could not be opened the name of one to be deleted, if there is one and it is of
    /// this topic.
    fn rename_failed(
        &self,
        topic: TopicId,
        name: &str,
        index: PartitionIndex,
        unique: u128,
    ) -> Result<Option<String>, String> {
        let from = names::partition_directory(name, index);
        let exists = self.directory.disk().exists(from.as_ref()).map_err(|error| error.to_string())?;
        if !exists || self.topic_of(&from).is_some_and(|written| written != topic) {
            return Ok(None);
        }
        let to = names::deleted_directory(name, index, unique);
        self.directory.rename(&from, &to).map(|()| Some(to)).map_err(|error| error.to_string())
    }

    /// The topic that the directory of a partition says it belongs to.
    fn topic_of(&self, directory: &str) -> Option<TopicId> {
        let content = self.directory.read_small(&format!("{directory}/{PARTITION_METADATA_FILE}"));
        let text = content.ok().flatten().and_then(|content| String::from_utf8(content).ok())?;
        text.lines().find_map(|line| TopicId::parse(line.strip_prefix("topic_id: ")?.trim()))
    }

    fn describe(&self) -> Result<DoneValue, String> {
        let hosted = self.services.hosted.all();
        let logs = hosted.iter().map(|partition| {
            let (bytes, log_start, log_end) = partition.with_log(|log| (log.size(), log.start(), log.end()));
            LogDescription {
                topic_id: partition.topic_id,
                topic: partition.topic.clone(),
                index: partition.index,
                bytes,
                log_start,
                log_end,
            }
        });
        let logs = logs.collect();
        let space = self.directory.disk().space().map_err(|error| error.to_string())?;
        Ok(DoneValue::Logs(self.directory.describe(), space, logs))
    }

    /// Renames the logs that do not belong here, as Kafka does with strays, and goes on with interrupted deletions.
    fn set_strays_aside(&self, keep: &HashSet<(TopicId, PartitionIndex)>) -> Result<Vec<String>, String> {
        let hosted: HashMap<(String, PartitionIndex), (TopicId, PartitionIndex)> = self
            .services
            .hosted
            .all()
            .iter()
            .map(|known| ((known.topic.to_string(), known.index), (known.topic_id, known.index)))
            .collect();
        // The last Command of a start: a broker without partitions has opened its directory, too.
        self.checkpoints()?;
        let (partitions, _) = self.directory.partitions().map_err(|error| error.to_string())?;
        let mut strays = Vec::new();
        let now = self.clock.now();
        for found in partitions {
            if found.directory == METADATA_DIRECTORY {
                continue;
            }
            match found.name.stage {
                names::DirectoryStage::Deleted => self.maintenance.remove_later(found.directory, now.instant),
                names::DirectoryStage::Current => {
                    let key = (found.name.topic.clone(), found.name.partition);
                    if hosted.get(&key).is_some_and(|id| keep.contains(id)) || self.is_failed(&found, keep) {
                        continue;
                    }
                    let unique = u128::from(now.wall.0 as u64) << 64 | strays.len() as u128;
                    let to = names::stray_directory(&found.name.topic, found.name.partition, unique);
                    self.directory.rename(&found.directory, &to).map_err(|error| error.to_string())?;
                    strays.push(to);
                }
                _ => {}
            }
        }
        Ok(strays)
    }

    /// Whether a directory is that of a partition which belongs here, and of which the log cannot be used: it stays for
    /// whoever puts it right. (One of an older topic of the same name does not.)
    fn is_failed(&self, found: &PartitionDirectory, keep: &HashSet<(TopicId, PartitionIndex)>) -> bool {
        let view = self.services.view.load();
        let Some(topic) = view.topic(&found.name.topic) else { return false };
        let id = (topic.id, found.name.partition);
        if !keep.contains(&id) || !matches!(self.services.hosted.find(id.0, id.1), Err(ErrorCode::KafkaStorageError)) {
            return false;
        }
        self.topic_of(&found.directory).is_none_or(|written| written == topic.id)
    }

    /// Closes every log; when all are closed well, writes the checkpoints and the marker of a clean shutdown. Returns what
    /// did not go well.
    pub fn close_all(&self, broker_epoch: i64, now: Now) -> Vec<String> {
        let mut failed = Vec::new();
        // A directory of which nothing was opened is as it was found.
        if self.checkpoints.lock().is_none() {
            return failed;
        }
        for partition in self.services.hosted.all() {
            partition.stop();
            if let Err(error) = partition.with_log(Log::close) {
                failed.push(format!("cannot close {partition}: {error}"));
            }
        }
        if let Err(error) = self.maintenance.write_checkpoints(now) {
            failed.push(error);
        }
        if failed.is_empty()
            && let Err(error) = self.directory.mark_clean_shutdown(broker_epoch)
        {
            failed.push(error.to_string());
        }
        failed
    }
}
