//! The log as a whole: append, read, roll, reopen.

mod aborted;

use std::io::IoSlice;
use std::path::Path;
use std::sync::Arc;

use super::*;
use crate::batch::build::{BatchBuilder, BatchOptions, RecordParts};
use crate::batch::header::{BATCH_HEADER_BYTES, BatchHeader};
use crate::batch::producer::Origin;
use crate::disk::{Disk, Open};
use crate::disk_sim::{Faults, SimDisk};
use crate::ids::{LeaderEpoch, Offset, PartitionIndex, ProducerEpoch, ProducerId, Sequence, TimestampMs, TopicId};

const NOW: TimestampMs = TimestampMs(1_000_000);
const TOPIC: TopicId = TopicId(*b"0123456789abcdef");

pub(super) fn batch(options: BatchOptions, timestamps: &[i64], value: &[u8]) -> Vec<u8> {
    let mut builder = BatchBuilder::new(options);
    for &timestamp in timestamps {
        builder.add(TimestampMs(timestamp), &RecordParts { value: Some(value), ..RecordParts::default() });
    }
    builder.finish().unwrap()
}

fn append(log: &mut Log, bytes: &[u8]) -> Appended {
    let header = BatchHeader::decode(bytes).unwrap();
    let outcome = log.append(&header, &bytes[BATCH_HEADER_BYTES..], Origin::Client, LeaderEpoch(0), NOW).unwrap();
    match outcome {
        Outcome::Appended(appended) => appended,
        Outcome::Duplicate(_) => panic!("a duplicate"),
    }
}

fn small_segments() -> Arc<LogConfig> {
    Arc::new(LogConfig { segment_bytes: 1000, index_interval_bytes: 200, ..LogConfig::default() })
}

fn create(disk: &Arc<SimDisk>, config: &Arc<LogConfig>) -> Log {
    let directory = LogDirectory::new(Arc::clone(disk) as Arc<dyn Disk>, 10);
    Log::create(&directory, "orders-0", TOPIC, Arc::clone(config), Offset(0), NOW).unwrap()
}

fn open(disk: &Arc<SimDisk>, config: &Arc<LogConfig>, change: impl FnOnce(&mut OpenOptions)) -> (Log, RecoveryReport) {
    let directory = LogDirectory::new(Arc::clone(disk) as Arc<dyn Disk>, 10);
    let mut options = OpenOptions::new(Arc::clone(config), NOW);
    options.topic_id = Some(TOPIC);
    change(&mut options);
    Log::open(&directory, "orders-0", &options).unwrap()
}

fn read(reader: &LogReader, from: i64, max_bytes: usize) -> Option<(FileRange, Vec<u8>)> {
    let range = reader.read(Offset(from), Upper::Offset(reader.end()), max_bytes, true).unwrap()?;
    let mut bytes = vec![0; range.len];
    assert_eq!(range.file.read_at(range.position, &mut bytes).unwrap(), range.len);
    Some((range, bytes))
}

#[test]
fn what_is_appended_is_read_and_survives() {
    let disk = SimDisk::new(1);
    let config = small_segments();
    let mut log = create(&disk, &config);
    let mut bases = Vec::new();
    for n in 0..40 {
        let appended = append(&mut log, &batch(BatchOptions::default(), &[n, n + 1], &[n as u8; 50]));
        assert_eq!(appended.last_offset.0, appended.base_offset.0 + 1);
        bases.push(appended.base_offset.0);
    }
    assert_eq!(log.end(), Offset(80));
    assert!(log.segment_count() > 4);
    let check = |log: &Log| {
        let reader = log.reader();
        for from in 0..80 {
            let (range, bytes) = read(&reader, from, 1).unwrap();
            let header = BatchHeader::decode(&bytes).unwrap();
            assert_eq!(header.base_offset.0, from / 2 * 2);
            assert_eq!(range.len, header.size().unwrap());
            assert_eq!(header.leader_epoch, LeaderEpoch(0));
            let (range, bytes) = read(&reader, from, 100_000).unwrap();
            assert!(range.reaches_bound && bytes.len() <= 1000);
        }
        assert!(read(&reader, 80, 100).is_none());
        assert!(matches!(
            reader.read(Offset(81), Upper::Offset(Offset(90)), 1, true),
            Err(ReadError::OutOfRange { .. })
        ));
        let all: Vec<_> = reader.batches(Offset(0), Offset(80)).map(Result::unwrap).collect();
        assert_eq!(all.iter().map(|batch| batch.frame.base_offset.0).collect::<Vec<_>>(), bases);
        assert!(all.iter().all(|batch| batch.frame.checksum_holds(&batch.bytes)));
    };
    check(&log);
    drop(log);
    let disk = disk.kill_process();
    let (mut log, report) = open(&disk, &config, |_| ());
    assert_eq!(report.cut, None);
    assert_eq!(log.topic_id(), TOPIC);
    check(&log);
    append(&mut log, &batch(BatchOptions::default(), &[7], b"more"));
    log.close().unwrap();
    drop(log);
    let disk = disk.lose_power();
    let (log, report) = open(&disk, &config, |options| options.clean = true);
    assert_eq!((log.end(), report.bytes_scanned < 1000), (Offset(81), true));
}

/// An index that is noise, or has lost its entries, is made again even where the batches themselves are trusted.
#[test]
fn indexes_that_cannot_be_right_are_rebuilt_below_the_recovery_point_too() {
    let noise: Vec<u8> = (0..960_u32).map(|at| ((at * 7919) >> 3) as u8 | 0x40).collect();
    for (name, content) in [
        ("00000000000000000000.timeindex", &noise[..]),
        ("00000000000000000000.timeindex", &[]),
        ("00000000000000000000.index", &noise[..]),
    ] {
        let disk = SimDisk::new(1);
        let config = small_segments();
        let mut log = create(&disk, &config);
        for n in 0..40 {
            append(&mut log, &batch(BatchOptions::default(), &[n + 1, n + 2], &[n as u8; 50]));
        }
        assert!(log.segment_count() > 3);
        let end = log.end();
        drop(log);
        let disk = disk.kill_process();
        let path = std::path::Path::new("orders-0").join(name);
        let file = disk.open(&path, crate::disk::Open::Truncate).unwrap();
        if !content.is_empty() {
            file.write_at(0, &[std::io::IoSlice::new(content)]).unwrap();
        }
        let (log, report) = open(&disk, &config, |options| options.recovery_point = end);
        assert!(report.rebuilt.contains(&name.to_owned()), "{name}: {:?}", report.rebuilt);
        for n in 0..40 {
            let found = log.reader().offset_for_timestamp(TimestampMs(n + 2)).unwrap().unwrap();
            assert_eq!(found.offset, Offset(2 * n + 1), "{name}");
        }
        assert_eq!(log.reader().max_timestamp().unwrap().unwrap().offset, Offset(79));
    }
}
/// Kafka's own directories, on a simulated disk: as a clean stop and as the death of the process left them.
fn kafkas(state: &str) -> Arc<SimDisk> {
    let root = std::path::Path::new(env!("CARGO_MANIFEST_DIR")).join("../../tests/golden/kafka-directory").join(state);
    let disk = SimDisk::new(1);
    disk.create_dir(Path::new("golden-0")).unwrap();
    for directory in ["", "golden-0"] {
        for entry in std::fs::read_dir(root.join(directory)).unwrap().map(Result::unwrap) {
            if entry.file_type().unwrap().is_file() {
                let path = Path::new(directory).join(entry.file_name());
                let file = disk.open(&path, Open::Create).unwrap();
                file.write_at(0, &[IoSlice::new(&std::fs::read(entry.path()).unwrap())]).unwrap();
            }
        }
    }
    disk
}

/// The settings that the topic had.
fn kafkas_config() -> Arc<LogConfig> {
    Arc::new(LogConfig { index_interval_bytes: 500, producer_id_expiration_ms: i64::MAX, ..LogConfig::default() })
}

fn open_kafkas(disk: &Arc<SimDisk>) -> (Log, RecoveryReport) {
    let directory = LogDirectory::new(Arc::clone(disk) as Arc<dyn Disk>, 10);
    let golden = ("golden".to_owned(), PartitionIndex(0));
    let options = OpenOptions {
        clean: directory.clean_shutdown().unwrap().is_some(),
        recovery_point: directory
            .read_checkpoint(OffsetCheckpoint::RecoveryPoint)
            .unwrap()
            .get(&golden)
            .copied()
            .unwrap_or_default(),
        ..OpenOptions::new(kafkas_config(), NOW)
    };
    Log::open(&directory, "golden-0", &options).unwrap()
}

#[test]
fn kafkas_directory_is_opened_as_it_is() {
    let disk = kafkas("clean");
    let before = disk.content();
    let directory = LogDirectory::new(Arc::clone(&disk) as Arc<dyn Disk>, 10);
    assert_eq!(directory.clean_shutdown().unwrap(), Some(18));
    let (log, report) = open_kafkas(&disk);
    assert_eq!((log.start(), log.end(), log.segment_count()), (Offset(0), Offset(264), 7));
    assert_eq!((report.cut, report.rebuilt), (None, vec![]));
    assert_eq!(disk.content(), before);
    assert_eq!(log.epochs().entries(), [EpochEntry { epoch: LeaderEpoch(0), start: Offset(0) }]);
    assert!(!log.producers().is_empty());
    let batches: Vec<RawBatch> = log.reader().batches(Offset(0), Offset(264)).map(Result::unwrap).collect();
    assert!(batches.iter().all(|batch| batch.frame.checksum_holds(&batch.bytes)));
    let codecs: std::collections::BTreeSet<u8> =
        batches.iter().map(|batch| batch.frame.header.unwrap().codec().unwrap() as u8).collect();
    assert_eq!(codecs.into_iter().collect::<Vec<_>>(), [0, 1, 2, 3, 4]);
    for offset in 0..264 {
        let (_, bytes) = read(&log.reader(), offset, 1).unwrap();
        let header = BatchHeader::decode(&bytes).unwrap();
        assert!((header.base_offset.0..=header.last_offset().0).contains(&offset));
    }
    let last = batches.last().unwrap().frame.max_timestamp;
    assert_eq!(log.reader().max_timestamp().unwrap().unwrap().timestamp, last);
    let verified = verify::verify(&directory, "golden-0").unwrap();
    assert_eq!(verified.findings, []);
    assert!(verified.batches > 70 && verified.index_entries > 20);
}

#[test]
fn kafkas_directory_is_recovered_to_what_kafka_would_have_left() {
    let disk = kafkas("killed");
    let (mut log, report) = open_kafkas(&disk);
    assert_eq!((log.start(), log.end(), report.cut), (Offset(0), Offset(264), None));
    log.close().unwrap();
    let is_ours =
        |path: &Path| path.extension().is_some_and(|kind| ["log", "index", "timeindex"].iter().any(|k| kind == *k));
    let of = |disk: &SimDisk| -> Vec<_> { disk.content().into_iter().filter(|(path, _)| is_ours(path)).collect() };
    assert_eq!(of(&disk), of(&kafkas("clean")));
}

#[test]
fn indexes_made_anew_are_kafkas_own_byte_for_byte() {
    let (disk, clean) = (kafkas("killed"), kafkas("clean").content());
    for path in disk.content().into_keys() {
        if path.extension().is_some_and(|kind| kind == "index" || kind == "timeindex") {
            disk.remove_file(&path).unwrap();
        }
    }
    let (mut log, _) = open_kafkas(&disk);
    log.close().unwrap();
    let found = disk.content();
    let indexes =
        clean.iter().filter(|(path, _)| path.extension().is_some_and(|kind| kind == "index" || kind == "timeindex"));
    for (path, bytes) in indexes {
        assert_eq!(found.get(path), Some(bytes), "{}", path.display());
    }
}

/// A log of 40 batches, flushed up to the 30th, and where each batch begins.
fn partly_flushed(disk: &Arc<SimDisk>, config: &Arc<LogConfig>) -> Log {
    let mut log = create(disk, config);
    for n in 0..40 {
        append(&mut log, &batch(BatchOptions::default(), &[n], &[n as u8; 50]));
        if n == 29 {
            log.flush().unwrap();
        }
    }
    assert_eq!(log.durable_end(), Offset(30));
    log
}

#[test]
fn damage_above_the_recovery_point_is_cut_and_below_it_is_refused() {
    let config = Arc::new(LogConfig { index_interval_bytes: 200, ..LogConfig::default() });
    let size = batch(BatchOptions::default(), &[0], &[0; 50]).len() as u64;
    for damaged in [3, 29, 30, 35, 39] {
        let disk = SimDisk::new(1);
        drop(partly_flushed(&disk, &config));
        let disk = disk.kill_process();
        let name = Path::new("orders-0").join("00000000000000000000.log");
        disk.flip_bit(&name, (damaged * size + 70) * 8);
        let directory = LogDirectory::new(Arc::clone(&disk) as Arc<dyn Disk>, 10);
        let options = OpenOptions { recovery_point: Offset(30), ..OpenOptions::new(Arc::clone(&config), NOW) };
        let (log, report) = Log::open(&directory, "orders-0", &options).unwrap();
        if damaged >= 30 {
            assert_eq!(log.end(), Offset(damaged as i64));
            let cut = report.cut.unwrap();
            assert_eq!((cut.position, cut.fault), (damaged * size, Fault::Checksum));
            assert_eq!(verify::verify(&directory, "orders-0").unwrap().findings, []);
        } else {
            // What was flushed is not read again; whoever looks at everything finds it.
            assert_eq!((log.end(), report.cut), (Offset(40), None));
            let findings = verify::verify(&directory, "orders-0").unwrap().findings;
            assert_eq!(findings.iter().map(|finding| finding.position).collect::<Vec<_>>(), [damaged * size]);
        }
    }
    // A file that is shorter than what was flushed.
    let disk = SimDisk::new(1);
    drop(partly_flushed(&disk, &config));
    let disk = disk.kill_process();
    let name = Path::new("orders-0").join("00000000000000000000.log");
    disk.open(&name, Open::Write).unwrap().set_len(20 * size + 5).unwrap();
    let directory = LogDirectory::new(Arc::clone(&disk) as Arc<dyn Disk>, 10);
    let options = OpenOptions { recovery_point: Offset(30), ..OpenOptions::new(config, NOW) };
    let before = disk.content()[&name].clone();
    let error = Log::open(&directory, "orders-0", &options).unwrap_err();
    let text = error.to_string();
    assert!(
        matches!(error, OpenError::Corrupt { position, fault: Fault::Torn, .. } if position == 20 * size),
        "{text}"
    );
    assert!(text.contains("00000000000000000000.log, byte"), "{text}");
    assert_eq!(disk.content()[&name], before);
}

#[test]
fn a_full_disk_refuses_writes_and_takes_them_again() {
    let disk = SimDisk::new(5);
    let mut log = create(&disk, &small_segments());
    let bytes = batch(BatchOptions::default(), &[1], &[7; 100]);
    append(&mut log, &bytes);
    disk.set_faults(Faults { capacity: Some(disk.used() + 50), ..Faults::default() });
    let header = BatchHeader::decode(&bytes).unwrap();
    let refused = log.append(&header, &bytes[BATCH_HEADER_BYTES..], Origin::Client, LeaderEpoch(0), NOW).unwrap_err();
    assert!(matches!(refused, AppendError::Full { .. }));
    assert_eq!(refused.code(), crate::error::ErrorCode::KafkaStorageError);
    assert_eq!((log.end(), log.size()), (Offset(1), bytes.len() as u64));
    assert!(read(&log.reader(), 0, 10).is_some());
    disk.set_faults(Faults::default());
    assert!(log.shared.home.directory.look_for_room().unwrap());
    append(&mut log, &bytes);
    assert_eq!(log.end(), Offset(2));
}

#[test]
fn assigned_batches_keep_their_offsets_and_spread_over_segments() {
    let disk = SimDisk::new(6);
    let mut log = create(&disk, &small_segments());
    let mut bytes = Vec::new();
    for n in 0..30 {
        let (base_offset, leader_epoch) = (Offset(n * 3), LeaderEpoch((n / 10) as i32));
        bytes.extend(batch(BatchOptions { base_offset, leader_epoch, ..BatchOptions::default() }, &[n], &[1; 100]));
    }
    let whole = bytes.len();
    bytes.extend_from_slice(&bytes.clone()[..70]);
    let batches = AssignedBatches::parse(&bytes).unwrap();
    assert_eq!(batches.frames().len(), 30);
    let appended = log.append_assigned(&batches, NOW).unwrap().unwrap();
    assert_eq!((appended.base_offset, appended.last_offset, appended.size), (Offset(0), Offset(87), whole as u64));
    assert!(log.segment_count() > 3);
    assert_eq!(log.epochs().entries().iter().map(|entry| entry.start.0).collect::<Vec<_>>(), [0, 30, 60]);
    let found: Vec<u8> = log.reader().batches(Offset(0), log.end()).flat_map(|batch| batch.unwrap().bytes).collect();
    assert_eq!(found, bytes[..whole]);
    assert!(matches!(log.append_assigned(&batches, NOW), Err(AppendError::Offsets { .. })));
    bytes[80] ^= 1;
    assert_eq!(AssignedBatches::parse(&bytes).unwrap_err(), Fault::Checksum);
}

#[test]
fn a_swap_half_done_is_finished() {
    let disk = SimDisk::new(7);
    let config = small_segments();
    let mut log = create(&disk, &config);
    for n in 0..30 {
        append(&mut log, &batch(BatchOptions::default(), &[n], &[n as u8; 100]));
    }
    log.close().unwrap();
    let bases: Vec<Offset> = log.reader().segments().iter().map(|segment| segment.base).collect();
    drop(log);
    // The cleaner merged the first two segments into one, and the broker died before the originals went.
    let path = |base: Offset, suffix: &str| Path::new("orders-0").join(format!("{:020}.log{suffix}", base.0));
    let merged = [&disk.content()[&path(bases[0], "")][..], &disk.content()[&path(bases[1], "")]].concat();
    disk.open(&path(bases[0], ".swap"), Open::Create).unwrap().write_at(0, &[IoSlice::new(&merged)]).unwrap();
    disk.open(&path(bases[2], ".cleaned"), Open::Create).unwrap();
    disk.open(&path(Offset(99), ".deleted"), Open::Create).unwrap();
    let (log, _) = open(&disk.kill_process(), &config, |_| ());
    assert_eq!(log.end(), Offset(30));
    assert_eq!(log.segment_count(), bases.len() - 1);
    assert_eq!(log.reader().batches(Offset(0), Offset(30)).count(), 30);
    let names: Vec<_> = disk.content().into_keys().map(|path| path.to_string_lossy().into_owned()).collect();
    assert!(!names.iter().any(|name| name.ends_with("swap") || name.ends_with("cleaned") || name.ends_with("deleted")));
}

#[test]
fn a_directory_is_locked_marked_and_checkpointed() {
    let disk = SimDisk::new(8);
    let directory = LogDirectory::new(Arc::clone(&disk) as Arc<dyn Disk>, 10);
    directory.lock().unwrap();
    let other = LogDirectory::new(Arc::clone(&disk) as Arc<dyn Disk>, 10);
    let refused = other.lock().unwrap_err().to_string();
    assert!(refused.contains("simulated is in use by another broker"), "{refused}");
    assert_eq!(directory.clean_shutdown().unwrap(), None);
    directory.mark_clean_shutdown(42).unwrap();
    assert_eq!(directory.clean_shutdown().unwrap(), Some(42));
    directory.clear_clean_shutdown().unwrap();
    directory.clear_clean_shutdown().unwrap();
    assert_eq!(directory.clean_shutdown().unwrap(), None);
    let points = [("orders", PartitionIndex(0), Offset(7))];
    directory.write_checkpoint(OffsetCheckpoint::RecoveryPoint, points.into_iter()).unwrap();
    let read = directory.read_checkpoint(OffsetCheckpoint::RecoveryPoint).unwrap();
    assert_eq!(read.into_iter().collect::<Vec<_>>(), [(("orders".to_owned(), PartitionIndex(0)), Offset(7))]);
    assert!(directory.read_checkpoint(OffsetCheckpoint::Cleaner).unwrap().is_empty());
    assert!(directory.reserve_headroom().unwrap());
    let used = disk.used();
    directory.release_headroom().unwrap();
    assert!(disk.used() < used);
    disk.set_faults(Faults { capacity: Some(disk.used()), ..Faults::default() });
    assert!(!directory.reserve_headroom().unwrap());
}

#[test]
fn another_topics_directory_is_refused() {
    let disk = SimDisk::new(9);
    drop(create(&disk, &small_segments()));
    let directory = LogDirectory::new(disk.kill_process(), 10);
    let options = OpenOptions { topic_id: Some(TopicId([7; 16])), ..OpenOptions::new(small_segments(), NOW) };
    assert!(matches!(Log::open(&directory, "orders-0", &options), Err(OpenError::TopicId { found: TOPIC, .. })));
}

#[test]
fn a_directory_that_is_renamed_under_its_user_is_found_again() {
    let disk = SimDisk::new(1);
    let directory = LogDirectory::new(Arc::clone(&disk) as Arc<dyn Disk>, 10);
    let mut log = Log::create(&directory, "orders-0", TOPIC, small_segments(), Offset(0), NOW).unwrap();
    append(&mut log, &batch(BatchOptions::default(), &[1], b"value"));
    let plan = log.flush_plan().unwrap().unwrap();
    let home = super::directory::Home::new(&directory, "orders-0");
    // The topic is deleted between the look at the name and the use of it.
    let seen = std::sync::Mutex::new(Vec::new());
    let found = home.at_root(|root| {
        seen.lock().unwrap().push(root.to_owned());
        if seen.lock().unwrap().len() == 1 {
            home.rename("orders-0.gone-delete").unwrap();
        }
        directory.disk().stat(&root.join("partition.metadata"))
    });
    assert!(found.unwrap().len > 0);
    assert_eq!(seen.into_inner().unwrap().len(), 2);
    let missing = home.at_root(|root| directory.disk().stat(&root.join("nothing")));
    assert_eq!(missing.unwrap_err().kind(), std::io::ErrorKind::NotFound);

    home.rename("orders-0").unwrap();
    log.rename("orders-0.gone-delete").unwrap();
    let outcome = plan.run();
    log.flushed(&plan, &outcome);
    assert!(outcome.is_ok() && directory.poisoned().is_none());
    assert_eq!(log.durable_end(), Offset(1));
}

#[test]
fn a_full_disk_ends_no_flush_for_good() {
    let disk = SimDisk::new(1);
    let directory = LogDirectory::new(Arc::clone(&disk) as Arc<dyn Disk>, 10);
    let config = Arc::new(LogConfig { replay_bytes: 1, ..LogConfig::default() });
    let mut log = Log::create(&directory, "orders-0", TOPIC, config, Offset(0), NOW).unwrap();
    log.begin_epoch(LeaderEpoch(3), NOW);
    let id = BatchOptions { producer_id: ProducerId(9), producer_epoch: ProducerEpoch(0), ..BatchOptions::default() };
    append(&mut log, &batch(BatchOptions { base_sequence: Sequence(0), ..id }, &[1], b"value"));
    let unflushed = directory.window.bytes();
    disk.set_faults(Faults { capacity: Some(disk.used()), ..Faults::default() });
    let error = log.flush().unwrap_err();
    assert!(super::directory::is_full(&error), "{error}");
    assert_eq!((log.durable_end(), directory.window.bytes()), (Offset(0), unflushed));
    assert!(directory.poisoned().is_none());
    assert!(!disk.content().keys().any(|path| path.extension().is_some_and(|is| is == "snapshot")));

    disk.set_faults(Faults::default());
    log.flush().unwrap();
    assert_eq!((log.durable_end(), directory.window.bytes()), (Offset(1), 0));
    let content = disk.content();
    assert!(content.contains_key(std::path::Path::new("orders-0/00000000000000000001.snapshot")));
    assert!(content.contains_key(std::path::Path::new("orders-0/leader-epoch-checkpoint")));
}

/// Kafka rebuilds, and says so, what has no index files below the recovery point or after a clean stop.
#[test]
fn index_files_are_there_when_the_checkpoints_say_that_all_is_well() {
    let disk = SimDisk::new(1);
    let config = small_segments();
    let names = |disk: &SimDisk| -> Vec<String> {
        let content = disk.content();
        let names = content.keys().filter_map(|path| Some(path.file_name()?.to_string_lossy().into_owned()));
        names.filter(|name| name.ends_with("index")).collect()
    };
    let both = ["00000000000000000000.index", "00000000000000000000.timeindex"];
    let mut log = create(&disk, &config);
    log.begin_epoch(LeaderEpoch(0), NOW);
    log.flush().unwrap();
    assert!(names(&disk).is_empty(), "a partition without records costs two files, not four");
    append(&mut log, &batch(BatchOptions::default(), &[1], b"small"));
    assert!(names(&disk).is_empty());
    log.flush().unwrap();
    assert_eq!(names(&disk), both);
    assert_eq!(log.durable_end(), Offset(1));
    assert_eq!(names(&disk.lose_power()), both);

    let disk = SimDisk::new(1);
    create(&disk, &config).close().unwrap();
    assert_eq!(names(&disk), both);
    let (mut log, report) = open(&disk.kill_process(), &config, |options| options.clean = true);
    assert!(report.rebuilt.is_empty());
    log.close().unwrap();
}

/// What a killed Kafka leaves of its active segment; behind the entries Kafka itself would read zeros after our clean stop.
#[test]
fn indexes_that_were_sized_ahead_are_cut_to_their_entries() {
    for (recovery_point, clean) in [(0, false), (80, false), (80, true)] {
        let disk = SimDisk::new(1);
        let config = Arc::new(LogConfig { index_interval_bytes: 200, ..LogConfig::default() });
        let mut log = create(&disk, &config);
        for n in 0..40 {
            append(&mut log, &batch(BatchOptions::default(), &[n + 1, n + 2], &[n as u8; 50]));
        }
        log.close().unwrap();
        let files = ["index", "timeindex"].map(|kind| format!("orders-0/00000000000000000000.{kind}"));
        let before = disk.content();
        for name in &files {
            disk.open(Path::new(name), Open::Write).unwrap().set_len(24 * 1000).unwrap();
        }
        let disk = disk.kill_process();
        let (mut log, _) = open(&disk, &config, |options| {
            options.recovery_point = Offset(recovery_point);
            options.clean = clean;
        });
        log.close().unwrap();
        for name in &files {
            assert_eq!(disk.content()[Path::new(name)], before[Path::new(name)], "{name}, {recovery_point}, {clean}");
        }
    }
}

#[test]
fn a_full_disk_refuses_records_until_there_is_room_for_more_than_them() {
    let disk = SimDisk::new(4);
    let mut log = create(&disk, &Arc::new(LogConfig::default()));
    let directory = Arc::clone(&log.shared.home.directory);
    let full = |disk: &SimDisk, more| Faults { capacity: Some(disk.used() + more), ..Faults::default() };
    assert!(directory.reserve_headroom().unwrap());
    append(&mut log, &batch(BatchOptions::default(), &[1], &[1; 100]));
    disk.set_faults(full(&disk, 1000));
    let bytes = batch(BatchOptions::default(), &[1], &[1; 2000]);
    let mut try_append = |bytes: &[u8]| {
        let header = BatchHeader::decode(bytes).unwrap();
        log.append(&header, &bytes[BATCH_HEADER_BYTES..], Origin::Client, LeaderEpoch(0), NOW).map(drop)
    };
    assert!(matches!(try_append(&bytes), Err(AppendError::Full { .. })));
    // Not even what would fit, also when the headroom is free: it is for checkpoints.
    let small = batch(BatchOptions::default(), &[1], b"small");
    assert!(matches!(try_append(&small), Err(AppendError::Full { .. })));
    disk.set_faults(full(&disk, 10));
    let points = [("orders", PartitionIndex(0), Offset(1))];
    directory.write_checkpoint(OffsetCheckpoint::RecoveryPoint, points.into_iter()).unwrap();
    assert!(matches!(try_append(&small), Err(AppendError::Full { .. })));
    assert!(!directory.look_for_room().unwrap());
    disk.set_faults(full(&disk, 3 << 20));
    assert!(directory.look_for_room().unwrap() && !directory.refuses_records());
    try_append(&bytes).unwrap();
    assert_eq!(log.end(), Offset(2));
    assert!(directory.poisoned().is_none());
}

/// A descriptor is closed for want of room, opened by whoever needs it next, and then used by somebody else.
#[test]
fn a_lookup_leaves_the_indexes_to_the_writer() {
    for open_files_max in 1..4 {
        let disk = SimDisk::new(1);
        let directory = LogDirectory::new(Arc::clone(&disk) as Arc<dyn Disk>, open_files_max);
        let config = Arc::new(LogConfig { index_interval_bytes: 0, ..LogConfig::default() });
        let create = |name| Log::create(&directory, name, TOPIC, Arc::clone(&config), Offset(0), NOW).unwrap();
        let (mut log, mut other) = (create("orders-0"), create("orders-1"));
        for n in 0..100 {
            append(&mut log, &batch(BatchOptions::default(), &[n + 1], b"value"));
            log.flush().unwrap();
            // Takes the descriptors of the first.
            append(&mut other, &batch(BatchOptions::default(), &[n + 1], b"value"));
            other.flush().unwrap();
            let found = log.reader().offset_for_timestamp(TimestampMs(n + 1)).unwrap().unwrap();
            assert_eq!(found.offset, Offset(n));
        }
        assert_eq!(directory.poisoned(), None);
    }
}
