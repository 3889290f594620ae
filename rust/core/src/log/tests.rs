//! The log as a whole: append, read, roll, reopen.

use std::sync::Arc;

use super::*;
use crate::batch::build::{BatchBuilder, BatchOptions, RecordParts};
use crate::batch::header::{BATCH_HEADER_BYTES, BatchHeader};
use crate::batch::producer::Origin;
use crate::disk::Disk;
use crate::disk_sim::SimDisk;
use crate::ids::{LeaderEpoch, Offset, TimestampMs, TopicId};

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
    let noise: Vec<u8> = (0..960_u32).map(|at| (at * 7919 >> 3) as u8 | 0x40).collect();
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
