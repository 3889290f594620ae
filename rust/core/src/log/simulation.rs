//! Thousands of lives of one log, each drawn from a seed: appends, rolls, flushes, retention, truncation, full and failing
//! disks, deaths of the process and of the machine. `OTTLA_SIMULATION_SEEDS` says how many; `OTTLA_SIMULATION_FIRST` where to begin.
//!
//! The model is a list of what was acknowledged, and the offset up to which the log said it was durable.

use std::sync::Arc;

use super::retention::plan;
use super::tests::batch;
use super::*;
use crate::batch::build::BatchOptions;
use crate::batch::control::EndMarker;
use crate::batch::header::{BATCH_HEADER_BYTES, BatchHeader, Codec};
use crate::batch::producer::{CompletedTransaction, Origin, ProducerStates};
use crate::disk::Disk;
use crate::disk_sim::{Faults, Random, SimDisk};
use crate::ids::{LeaderEpoch, Offset, PartitionIndex, ProducerEpoch, ProducerId, Sequence, TimestampMs, TopicId};

const TOPIC: TopicId = TopicId(*b"0123456789abcdef");
const NAME: &str = "orders-0";
const STEPS: u64 = 120;
/// Producers from here on write transactions.
const TRANSACTIONAL_FROM: i64 = 3;
const PRODUCERS: i64 = 5;

/// A batch that was acknowledged.
#[derive(Clone, Debug)]
struct Acknowledged {
    header: BatchHeader,
    bytes: Vec<u8>,
    /// Times of its records.
    times: Vec<i64>,
    marker: Option<EndMarker>,
}

/// What a client knows of itself.
#[derive(Clone, Copy, Debug, Default)]
struct Client {
    epoch: i16,
    next_sequence: i32,
    in_transaction: bool,
}

struct World {
    random: Random,
    disk: Arc<SimDisk>,
    directory: Arc<LogDirectory>,
    config: Arc<LogConfig>,
    log: Log,
    acknowledged: Vec<Acknowledged>,
    /// The end of the log, which batches need not reach after a truncation.
    end: Offset,
    /// The highest start that the log ever had: of what lies below, some may be forgotten.
    start: Offset,
    clients: [Client; PRODUCERS as usize],
    leader_epoch: LeaderEpoch,
    now: i64,
    /// A flush failed: the kernel holds bytes that will never reach the disk, so the machine must go, too.
    flush_failed: bool,
    /// The log may have begun anew here, or not: the disk failed in between.
    maybe_restarted_at: Option<Offset>,
    lives: u32,
    trace: Vec<String>,
}

#[derive(Clone, Copy, PartialEq, Eq, Debug)]
enum End {
    Closed,
    Killed,
    PowerLost,
}

impl World {
    fn new(seed: u64) -> Self {
        let mut random = Random::new(seed);
        let disk = SimDisk::new(random.bits());
        let config = Arc::new(LogConfig {
            segment_bytes: 1500 + random.below(20_000),
            index_interval_bytes: random.below(400) as u32,
            segment_ms: 1000 + random.below(100_000) as i64,
            retention_ms: None,
            retention_bytes: Some(5000 + random.below(40_000)),
            producer_id_expiration_ms: i64::MAX,
            replay_bytes: random.below(10_000),
            ..LogConfig::default()
        });
        let directory = LogDirectory::new(Arc::clone(&disk) as Arc<dyn Disk>, 1 + random.below(6) as usize);
        let start = Offset(if random.once_in(2) { 0 } else { random.below(1 << 40) as i64 });
        let now = 1_000_000;
        let log = Log::create(&directory, NAME, TOPIC, Arc::clone(&config), start, TimestampMs(now)).unwrap();
        let starts = [("orders", PartitionIndex(0), start)];
        directory.write_checkpoint(OffsetCheckpoint::LogStart, starts.into_iter()).unwrap();
        if start > Offset(0) {
            disk.sync_dir(std::path::Path::new(NAME)).unwrap();
            disk.sync_dir(std::path::Path::new("")).unwrap();
        }
        Self {
            random,
            disk,
            directory,
            config,
            log,
            acknowledged: Vec::new(),
            end: start,
            start,
            clients: [Client::default(); PRODUCERS as usize],
            leader_epoch: LeaderEpoch(0),
            now,
            flush_failed: false,
            maybe_restarted_at: None,
            lives: 0,
            trace: Vec::new(),
        }
    }

    fn now(&self) -> TimestampMs {
        TimestampMs(self.now)
    }

    fn step(&mut self) {
        self.now += self.random.below(400) as i64;
        match self.random.below(100) {
            0..66 => self.append(),
            66..70 => self.resend(),
            70..78 => self.flush(),
            78..81 => self.retain(),
            81..83 => self.advance_start(),
            83..84 => self.truncate(),
            84..85 => self.start_elsewhere(),
            85..88 => self.change_faults(),
            88..91 => self.lag_behind(),
            91..93 => self.restart(End::Closed),
            93..97 => self.restart(End::Killed),
            _ => self.restart(End::PowerLost),
        }
    }

    /// One batch, of a client with or without idempotence, or a marker.
    fn append(&mut self) {
        let which = self.random.below(PRODUCERS as u64 + 1) as i64;
        let mut options = BatchOptions::default();
        let mut marker = None;
        if which < PRODUCERS {
            let client = &mut self.clients[which as usize];
            if !client.in_transaction && self.random.once_in(20) {
                *client = Client { epoch: client.epoch + 1, ..Client::default() };
            }
            options.producer_id = ProducerId(which);
            options.producer_epoch = ProducerEpoch(client.epoch);
            options.transactional = which >= TRANSACTIONAL_FROM;
            options.base_sequence = Sequence(client.next_sequence);
            if client.in_transaction && self.random.once_in(3) {
                let aborted = self.random.once_in(2);
                marker = Some(EndMarker { aborted, coordinator_epoch: 0, timestamp: TimestampMs(self.now) });
            }
        }
        options.codec = if self.random.once_in(3) { Codec::Lz4 } else { Codec::None };
        let count = 1 + self.random.below(4);
        let times: Vec<i64> = (0..count).map(|_| self.now - self.random.below(500) as i64).collect();
        let value = vec![self.random.bits() as u8; self.random.below(300) as usize];
        let (bytes, times) = match &marker {
            Some(marker) => (marker.batch(options.producer_id, options.producer_epoch).unwrap(), vec![self.now]),
            None => (batch(options, &times, &value), times),
        };
        let header = BatchHeader::decode(&bytes).unwrap();
        let records = &bytes[BATCH_HEADER_BYTES..];
        let origin = marker.map_or(Origin::Client, |marker| Origin::Marker(marker, 0));
        let before = self.log.end();
        match self.log.append(&header, records, origin, self.leader_epoch, self.now()) {
            Ok(Outcome::Appended(appended)) => {
                assert_eq!(appended.base_offset, before);
                assert_eq!(appended.end, self.log.end_position());
                let header = BatchHeader { base_offset: before, leader_epoch: self.leader_epoch, ..header };
                let bytes = [&header.encode()[..], records].concat();
                self.acknowledged.push(Acknowledged { header, bytes, times, marker });
                self.end = header.next_offset();
                if which < PRODUCERS {
                    let client = &mut self.clients[which as usize];
                    client.in_transaction = which >= TRANSACTIONAL_FROM && marker.is_none();
                    if marker.is_none() {
                        client.next_sequence += header.record_count;
                    }
                }
            }
            Ok(Outcome::Duplicate(batch)) => panic!("new, but taken for {batch:?}"),
            Err(AppendError::Full { .. }) => assert_eq!(self.log.end(), before),
            Err(AppendError::Failed { .. } | AppendError::Poisoned(_)) => {
                assert_eq!(self.log.end(), before);
                self.restart(End::Killed);
            }
            Err(AppendError::Producer(_)) => {
                // As in Kafka: of a producer that is known by a marker alone, no sequence can go on.
                let known = self.log.producers().get(options.producer_id).unwrap();
                assert!(known.batches().is_empty());
                let client = &mut self.clients[which as usize];
                *client = Client { epoch: client.epoch + 1, ..Client::default() };
            }
            Err(error) => panic!("{error}"),
        }
    }

    /// A batch that a client did not hear of: one of its last ones must be known.
    fn resend(&mut self) {
        let which = ProducerId(self.random.below(PRODUCERS as u64) as i64);
        let epoch = ProducerEpoch(self.clients[which.0 as usize].epoch);
        let of_client = |batch: &&Acknowledged| {
            batch.header.producer_id == which
                && batch.header.producer_epoch == epoch
                && batch.marker.is_none()
                && batch.header.base_offset >= self.log.first_readable()
        };
        let mine: Vec<&Acknowledged> = self.acknowledged.iter().filter(of_client).collect();
        let back = self.random.below(5) as usize;
        let Some(chosen) = mine.len().checked_sub(back + 1).and_then(|at| mine.get(at)) else { return };
        let (header, records) = (chosen.header, chosen.bytes[BATCH_HEADER_BYTES..].to_vec());
        match self.log.append(&header, &records, Origin::Client, self.leader_epoch, self.now()) {
            Ok(Outcome::Duplicate(batch)) => assert_eq!(batch.first_offset(), header.base_offset),
            Err(AppendError::Poisoned(_)) => self.restart(End::Killed),
            other => panic!("sent again, {back} back, and not known: {other:?}"),
        }
    }

    fn flush(&mut self) {
        let plan = match self.log.flush_plan() {
            Ok(Some(plan)) => plan,
            Ok(None) => return,
            Err(_) => return self.flush_impossible(),
        };
        for _ in 0..self.random.below(3) {
            let before = self.lives;
            self.append();
            if self.lives != before {
                // The process died under the plan.
                return;
            }
        }
        let outcome = plan.run();
        let before = self.log.durable_end();
        self.log.flushed(&plan, &outcome);
        if outcome.is_ok() {
            assert!(self.log.durable_end() >= plan.upto());
            self.write_recovery_point();
        } else {
            assert_eq!(self.log.durable_end(), before);
            if self.directory.poisoned().is_none() {
                // There was no room for a side file: the log goes on, and the next flush makes up for this one.
                return self.flush_impossible();
            }
            self.flush_failed = true;
            self.restart(End::PowerLost);
        }
    }

    /// The disk is full, and nothing more can be written until something goes.
    fn flush_impossible(&mut self) {
        self.disk.set_faults(Faults::default());
    }

    fn write_recovery_point(&mut self) -> bool {
        self.trace.push(format!("recovery point {}", self.log.durable_end()));
        let offsets = [("orders", PartitionIndex(0), self.log.durable_end())];
        let written = self.directory.write_checkpoint(OffsetCheckpoint::RecoveryPoint, offsets.into_iter());
        written.is_ok()
    }

    fn retain(&mut self) {
        let facts = self.log.reader().retention_facts(self.log.end()).unwrap();
        let doomed = plan(&facts, &self.config, self.now());
        let Ok(retired) = self.log.retire(&doomed, self.now()) else { return };
        self.trace.push(format!("retired {doomed:?}"));
        if !self.random.once_in(4) && retired.rename().is_ok() && !self.random.once_in(3) {
            retired.unlink().unwrap();
        }
    }

    fn advance_start(&mut self) {
        let (start, end) = (self.log.start(), self.log.end());
        let to = start.plus(self.random.below((end.0 - start.0 + 1) as u64) as i64);
        self.log.advance_log_start(to, self.now());
        self.start = self.start.max(to);
        if self.random.once_in(2) {
            let offsets = [("orders", PartitionIndex(0), self.log.start())];
            drop(self.directory.write_checkpoint(OffsetCheckpoint::LogStart, offsets.into_iter()));
        }
    }

    fn truncate(&mut self) {
        let start = self.log.start();
        let span = (self.log.end().0 - start.0) as u64;
        let to = self.log.end().plus(-(self.random.below(span.min(30) + 1) as i64)).max(start);
        self.trace.push(format!("truncate {} to {to}", self.log.end()));
        let mut outcome = self.log.truncate_to(to, self.now());
        if let Err(TruncateError::Durable { lower_to }) = outcome {
            self.log.begin_truncation(lower_to);
            if !self.write_recovery_point() {
                return self.restart(End::PowerLost);
            }
            outcome = self.log.truncate_to(to, self.now());
        }
        if outcome.is_err() {
            return self.restart(End::PowerLost);
        }
        let end = self.log.end();
        assert!(end <= to);
        self.forget_from(end);
        if self.log.start() < start {
            let starts = [("orders", PartitionIndex(0), self.log.start())];
            if self.directory.write_checkpoint(OffsetCheckpoint::LogStart, starts.into_iter()).is_err() {
                self.disk.set_faults(Faults::default());
                self.directory.write_checkpoint(OffsetCheckpoint::LogStart, starts.into_iter()).unwrap();
                self.restart(End::PowerLost);
            }
        }
    }

    fn forget_from(&mut self, end: Offset) {
        self.acknowledged.retain(|batch| batch.header.last_offset() < end);
        self.end = end;
        self.reset_clients();
    }

    fn start_elsewhere(&mut self) {
        let end = self.log.end();
        let to = Offset((end.0 + self.random.below(200) as i64 - 50).max(0));
        // A checkpoint of the log that was must not outlive it.
        let starts = [("orders", PartitionIndex(0), to.min(self.log.start()))];
        if self.directory.write_checkpoint(OffsetCheckpoint::LogStart, starts.into_iter()).is_err() {
            return self.restart(End::PowerLost);
        }
        self.trace.push(format!("start at {to} instead of {} to {end}", self.log.start()));
        let mut outcome = self.log.truncate_fully_and_start_at(to, self.now());
        if let Err(TruncateError::Durable { lower_to }) = outcome {
            self.log.begin_truncation(lower_to);
            if !self.write_recovery_point() {
                return self.restart(End::PowerLost);
            }
            outcome = self.log.truncate_fully_and_start_at(to, self.now());
        }
        if outcome.is_err() {
            self.maybe_restarted_at = Some(to);
            return self.restart(End::PowerLost);
        }
        assert_eq!((self.log.start(), self.log.end()), (to, to));
        self.acknowledged.clear();
        (self.start, self.end) = (to, to);
        self.reset_clients();
        let starts = [("orders", PartitionIndex(0), to)];
        let started = self.directory.write_checkpoint(OffsetCheckpoint::LogStart, starts.into_iter());
        if self.log.flush().is_err() || started.is_err() || !self.write_recovery_point() {
            self.disk.set_faults(Faults::default());
            self.restart(End::PowerLost);
        }
    }

    fn change_faults(&mut self) {
        let mut faults = Faults::default();
        match self.random.below(4) {
            0 => faults.capacity = Some(self.disk.used() + self.random.below(3000)),
            1 => faults.write_error_once_in = 2 + self.random.below(50),
            2 => faults.sync_error_once_in = 2 + self.random.below(20),
            _ => {}
        }
        self.disk.set_faults(faults);
        self.directory.take_records();
    }

    /// A plan is made and its flusher never comes back.
    fn lag_behind(&mut self) {
        if self.random.once_in(4) {
            drop(self.log.flush_plan());
            for _ in 0..self.random.below(10) {
                let before = self.lives;
                self.append();
                if self.lives != before {
                    return;
                }
            }
            self.restart(End::Killed);
        }
    }

    /// Clients begin anew after the log forgot some of what they sent.
    fn reset_clients(&mut self) {
        let mut states = ProducerStates::new();
        for batch in &self.acknowledged {
            states.apply(&batch.header, batch.marker);
        }
        for (at, client) in self.clients.iter_mut().enumerate() {
            let known = states.get(ProducerId(at as i64));
            // Under a new epoch, unless its transaction must end first.
            *client = match known.filter(|known| known.transaction_first_offset().is_some()) {
                Some(known) => Client {
                    epoch: known.epoch.0,
                    next_sequence: known.last_sequence().plus(1).0,
                    in_transaction: true,
                },
                None => Client { epoch: client.epoch + 1, ..Client::default() },
            };
        }
    }

    fn restart(&mut self, mut how: End) {
        self.start = self.start.max(self.log.start());
        self.lives += 1;
        if how == End::Closed {
            let closed = self.log.close().is_ok();
            let marked = closed && self.write_recovery_point() && self.directory.mark_clean_shutdown(7).is_ok();
            if !marked {
                self.flush_failed |= self.directory.poisoned().is_some();
                how = End::Killed;
            }
        }
        if self.flush_failed && how == End::Killed {
            how = End::PowerLost;
        }
        self.flush_failed = false;
        let durable = self.log.durable_end();
        self.trace.push(format!("{how:?} end={} durable={durable} start={}", self.log.end(), self.log.start()));
        if how == End::PowerLost {
            self.disk = self.disk.lose_power();
        } else {
            self.disk.set_faults(Faults::default());
            self.disk = self.disk.kill_process();
        }
        let files = 1 + self.random.below(6) as usize;
        self.directory = LogDirectory::new(Arc::clone(&self.disk) as Arc<dyn Disk>, files);
        if how == End::PowerLost && !self.disk.exists(std::path::Path::new(NAME)).unwrap() {
            // The machine went before the first flush.
            assert!(self.acknowledged.is_empty() || durable <= self.acknowledged[0].header.base_offset);
            let start = self.acknowledged.first().map_or(self.end, |batch| batch.header.base_offset);
            let (config, now) = (Arc::clone(&self.config), self.now());
            self.log = Log::create(&self.directory, NAME, TOPIC, config, start, now).unwrap();
            self.start = start;
            self.forget_from(start);
            return;
        }
        let options = self.options(how);
        for (path, content) in self.disk.content() {
            if path.extension().is_some_and(|extension| extension == "log") {
                self.trace.push(format!("   {} {}", path.display(), content.len()));
            }
        }
        let (log, report) = Log::open(&self.directory, NAME, &options).unwrap_or_else(|error| panic!("{error}"));
        self.trace.push(format!("-> {}..{} {report:?}", log.start(), log.end()));
        self.check_reopened(how, durable, &log, &report);
        self.log = log;
        self.check();
        if self.random.once_in(4) {
            self.check_opening_twice(how);
        }
        self.directory.clear_clean_shutdown().unwrap();
        self.leader_epoch.0 += i32::from(self.random.once_in(2));
        self.log.begin_epoch(self.leader_epoch, self.now());
    }

    fn options(&self, how: End) -> OpenOptions {
        let offset_of = |which| {
            let offsets = self.directory.read_checkpoint(which).unwrap();
            offsets.get(&("orders".to_owned(), PartitionIndex(0))).copied().unwrap_or(Offset(0))
        };
        let clean = self.directory.clean_shutdown().unwrap().is_some();
        assert!(clean || how != End::Closed);
        OpenOptions {
            config: Arc::clone(&self.config),
            topic_id: Some(TOPIC),
            clean,
            recovery_point: offset_of(OffsetCheckpoint::RecoveryPoint),
            log_start: offset_of(OffsetCheckpoint::LogStart),
            gaps_allowed: false,
            now: self.now(),
        }
    }

    fn check_reopened(&mut self, how: End, durable: Offset, log: &Log, report: &RecoveryReport) {
        if how != End::PowerLost {
            assert_eq!(log.end(), self.end, "a dead process loses nothing");
            assert_eq!(report.cut, None);
            return;
        }
        let end = log.end();
        let restarted_at = self.maybe_restarted_at.take();
        if restarted_at == Some(end) && log.start() == end {
            self.acknowledged.clear();
            (self.start, self.end) = (end, end);
            return self.reset_clients();
        }
        if report.restarted {
            assert!(durable <= end);
        } else {
            assert!(end >= durable && end <= self.end, "{durable} <= {end} <= {}", self.end);
        }
        if end != self.end {
            self.acknowledged.retain(|batch| batch.header.last_offset() < end && !report.restarted);
            self.end = end;
            self.reset_clients();
        }
    }

    /// The log holds what was acknowledged, and finds it by every way there is.
    fn check(&mut self) {
        let mut random = Random::new(self.random.bits());
        let reader = self.log.reader();
        let (start, end) = (self.log.start(), self.log.end());
        let first = self.log.first_readable();
        let found: Vec<RawBatch> = reader.batches(first, end).map(Result::unwrap).collect();
        // What lies below the start may be gone, but what is there is what was written.
        let is_kept = |batch: &&Acknowledged| {
            let base = batch.header.base_offset;
            batch.header.last_offset() >= start || found.iter().any(|found| found.frame.base_offset == base)
        };
        let kept: Vec<&Acknowledged> = self.acknowledged.iter().filter(is_kept).collect();
        let bases = |batch: &RawBatch| batch.frame.base_offset.0;
        let expected: Vec<i64> = kept.iter().map(|batch| batch.header.base_offset.0).collect();
        assert_eq!(found.iter().map(bases).collect::<Vec<_>>(), expected);
        for (found, kept) in found.iter().zip(&kept) {
            assert_eq!(found.bytes, kept.bytes);
            assert!(found.frame.checksum_holds(&found.bytes));
            let epoch = self.log.epochs().epoch_for(kept.header.base_offset);
            let expected = (kept.header.base_offset, Some(kept.header.leader_epoch));
            let found = (kept.header.base_offset, epoch);
            assert!(kept.header.base_offset < self.start || found == expected, "{found:?} {:?}", self.log.epochs());
        }
        for segment in reader.segments().iter().filter(|segment| segment.next_offset() > self.start) {
            check_indexes(segment, &found);
        }
        self.check_reads(&mut random, &reader, &kept);
        if start >= self.start {
            // A segment that was retired and came back has the indexes of the day it went.
            self.check_times(&mut random, &reader, &kept);
        }
        // A start that came back from higher up has forgotten the producers below, as Kafka has.
        let bases: Vec<Offset> = reader.segments().iter().map(|segment| segment.base).collect();
        let at = bases.partition_point(|base| *base <= self.start).saturating_sub(1);
        self.check_producers(first.max(bases[at]));
    }

    fn check_reads(&self, random: &mut Random, reader: &LogReader, kept: &[&Acknowledged]) {
        let (start, end) = (self.log.start(), self.log.end());
        for _ in 0..10 {
            let from = start.plus(random.below((end.0 - start.0 + 1) as u64) as i64);
            let upper = start.plus(random.below((end.0 - start.0 + 1) as u64) as i64);
            let max = random.below(3000) as usize;
            let range = reader.read(from, Upper::Offset(upper), max, true).unwrap();
            let expected = kept.iter().position(|batch| batch.header.last_offset() >= from);
            let expected = expected.filter(|at| from < upper && kept[*at].header.last_offset() < upper);
            assert_eq!(range.is_some(), expected.is_some(), "{from} {upper}");
            let (Some(range), Some(at)) = (range, expected) else { continue };
            let mut bytes = vec![0; range.len];
            assert_eq!(range.file.read_at(range.position, &mut bytes).unwrap(), range.len);
            let below = kept[at..].iter().take_while(|batch| batch.header.last_offset() < upper);
            let all: Vec<u8> = below.flat_map(|batch| batch.bytes.iter().copied()).collect();
            assert!(all.starts_with(&bytes));
            assert!(bytes.len() >= kept[at].bytes.len() && bytes.len() <= max.max(kept[at].bytes.len()));
            assert!(range.reaches_bound || bytes.len() == max.max(kept[at].bytes.len()));
        }
    }

    fn check_times(&self, random: &mut Random, reader: &LogReader, kept: &[&Acknowledged]) {
        let start = self.log.start();
        let records: Vec<(Offset, i64)> = kept
            .iter()
            .flat_map(|batch| {
                let base = batch.header.base_offset;
                batch.times.iter().enumerate().map(move |(at, time)| (base.plus(at as i64), *time))
            })
            .collect();
        for _ in 0..4 {
            let wanted = self.now - random.below(60_000) as i64;
            let expected = records.iter().find(|(offset, time)| *offset >= start && *time >= wanted);
            let found = reader.offset_for_timestamp(TimestampMs(wanted)).unwrap();
            assert_eq!(found.map(|found| (found.offset, found.timestamp.0)), expected.copied(), "{wanted}");
        }
        let readable =
            reader.segments().iter().find(|segment| segment.next_offset() > start).map(|segment| segment.base);
        let largest = records.iter().filter(|(offset, _)| readable.is_some_and(|base| *offset >= base));
        let largest = largest.rev().max_by_key(|(_, time)| *time);
        let found = reader.max_timestamp().unwrap();
        assert_eq!(found.map(|found| (found.offset, found.timestamp.0)), largest.copied());
    }

    fn check_producers(&self, first: Offset) {
        let mut states = ProducerStates::new();
        let mut aborted: Vec<CompletedTransaction> = Vec::new();
        for batch in &self.acknowledged {
            aborted.extend(states.apply(&batch.header, batch.marker).filter(|ended| ended.aborted));
        }
        for (id, expected) in states.iter() {
            let Some(newest) = expected.batches().last().filter(|newest| newest.first_offset() >= first) else {
                continue;
            };
            let found = self.log.producers().get(id).unwrap_or_else(|| panic!("producer {id} is not known"));
            assert_eq!((found.epoch, found.last_sequence()), (expected.epoch, expected.last_sequence()));
            let lasts = |producer: &crate::batch::producer::Producer| {
                let there = producer.batches().iter().filter(|batch| batch.first_offset() >= first);
                there.map(|batch| batch.last_offset).collect::<Vec<_>>()
            };
            assert_eq!(lasts(found), lasts(expected), "{id} {newest:?}");
            let (open, model) = (found.transaction_first_offset(), expected.transaction_first_offset());
            assert!(open == model || model.is_some_and(|model| model < first), "{open:?} {model:?}");
        }
        let (start, end) = (self.log.start(), self.log.end());
        let found = self.log.reader().aborted_transactions(start, end).unwrap();
        let expected: Vec<AbortedTransaction> = aborted.into_iter().map(Into::into).collect();
        let same_end = |one: &AbortedTransaction, other: &AbortedTransaction| {
            (one.producer_id, one.last_offset) == (other.producer_id, other.last_offset)
        };
        for found in &found {
            let expected = expected.iter().find(|expected| same_end(expected, found));
            let expected = expected.unwrap_or_else(|| panic!("{found:?} was never aborted"));
            // Of one that began before what can be read, a part may be forgotten.
            assert!(found.first_offset == expected.first_offset || expected.first_offset < first, "{found:?}");
        }
        for expected in expected.iter().filter(|ended| ended.first_offset >= first && ended.last_offset >= start) {
            assert!(found.iter().any(|found| same_end(found, expected)), "{expected:?} was forgotten");
        }
    }

    /// A second opening finds nothing left to do, and the same log.
    fn check_opening_twice(&mut self, how: End) {
        let (start, end) = (self.log.start(), self.log.end());
        let content = |disk: &SimDisk| {
            let mut content = disk.content();
            // Index entries may wait in memory; what they are is checked elsewhere.
            content.retain(|path, _| {
                path.extension().is_some_and(|extension| extension == "log" || extension == "txnindex")
            });
            content
        };
        let before = content(&self.disk);
        self.disk = self.disk.kill_process();
        self.directory = LogDirectory::new(Arc::clone(&self.disk) as Arc<dyn Disk>, 3);
        let (log, report) = Log::open(&self.directory, NAME, &self.options(how)).unwrap();
        assert_eq!((log.start(), log.end(), report.cut), (start, end, None));
        assert_eq!(content(&self.disk), before);
        self.log = log;
        self.check();
    }
}

/// Every entry points to the batch that it says, and the largest time is the largest.
fn check_indexes(segment: &super::segment::Segment, found: &[RawBatch]) {
    use crate::disk::Open;
    let end = segment.next_offset();
    let inside: Vec<&RawBatch> =
        found.iter().filter(|batch| batch.frame.base_offset >= segment.base && batch.frame.last_offset < end).collect();
    let file = segment.offset_file(Open::Create).unwrap();
    let entries = segment.offsets.entries(Some(&*file)).unwrap();
    for entry in &entries {
        let batch = inside.iter().find(|batch| batch.frame.position == u64::from(entry.position));
        let last = batch.map(|batch| batch.frame.last_offset);
        assert_eq!(last, Some(segment.base.plus(i64::from(entry.relative))));
    }
    assert!(entries.windows(2).all(|pair| pair[0].relative < pair[1].relative && pair[0].position < pair[1].position));
    let file = segment.time_file(Open::Create).unwrap();
    for entry in segment.times.entries(Some(&*file)).unwrap() {
        let upto =
            inside.iter().filter(|batch| batch.frame.last_offset <= segment.base.plus(i64::from(entry.relative)));
        assert_eq!(upto.map(|batch| batch.frame.max_timestamp).max(), Some(entry.timestamp));
    }
    let largest = inside.iter().map(|batch| batch.frame.max_timestamp).max().unwrap_or(TimestampMs::NONE);
    if segment.largest().timestamp != largest {
        let file = segment.time_file(Open::Create).unwrap();
        eprintln!("{entries:?} {:?}", segment.times.entries(Some(&*file)).unwrap());
        for batch in &inside {
            let frame = batch.frame;
            eprintln!("{}..={} {} {}", frame.base_offset, frame.last_offset, frame.position, frame.max_timestamp);
        }
    }
    assert_eq!(segment.largest().timestamp, largest, "of segment {}", segment.base);
}

impl Drop for World {
    /// What led to a failure.
    fn drop(&mut self) {
        if std::thread::panicking() {
            for line in &self.trace {
                eprintln!("{line}");
            }
        }
    }
}

fn live(seed: u64) -> World {
    let mut world = World::new(seed);
    for _ in 0..STEPS {
        world.step();
    }
    world.restart(End::Killed);
    if let Ok(()) = world.log.close() {
        // Below the start of the log anything may be.
        if world.log.first_base() == world.log.first_readable() {
            assert_eq!(verify::verify(&world.directory, NAME).unwrap().findings, []);
        }
    }
    world
}

fn number(name: &str, default: u64) -> u64 {
    std::env::var(name).ok().and_then(|text| text.parse().ok()).unwrap_or(default)
}

#[test]
fn no_life_of_a_log_loses_what_was_promised() {
    let first = number("OTTLA_SIMULATION_FIRST", 0);
    for seed in first..first + number("OTTLA_SIMULATION_SEEDS", 1500) {
        let outcome = std::panic::catch_unwind(|| drop(live(seed)));
        assert!(outcome.is_ok(), "seed {seed}: run again with OTTLA_SIMULATION_FIRST={seed} OTTLA_SIMULATION_SEEDS=1");
    }
}

#[test]
fn one_seed_is_one_life() {
    for seed in 0..20 {
        let (one, other) = (live(seed), live(seed));
        assert_eq!(one.disk.content(), other.disk.content());
        assert_eq!(one.trace, other.trace);
    }
}
