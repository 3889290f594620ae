//! Against the dumbest way to say what counts.

use std::collections::HashSet;
use std::path::Path;
use std::sync::Arc;

use proptest::prelude::*;

use super::*;
use crate::batch::build::{BatchBuilder, BatchOptions, RecordParts};
use crate::batch::header::{BATCH_HEADER_BYTES, Codec};
use crate::batch::producer::Origin;
use crate::disk::Disk;
use crate::disk_sim::SimDisk;
use crate::ids::{LeaderEpoch, TopicId};
use crate::log::{Log, LogConfig, LogDirectory};

const NOW: TimestampMs = TimestampMs(1_000_000);
const EPOCH: ProducerEpoch = ProducerEpoch(3);

fn log(disk: &Arc<SimDisk>, segment_bytes: u64) -> Log {
    let config = Arc::new(LogConfig { segment_bytes, index_interval_bytes: 100, ..LogConfig::default() });
    let directory = LogDirectory::new(Arc::clone(disk) as Arc<dyn Disk>, 3);
    Log::create(&directory, "groups-0", TopicId([7; 16]), config, Offset(0), NOW).unwrap()
}

fn append(log: &mut Log, batch: &[u8]) {
    let header = BatchHeader::decode(batch).unwrap();
    log.append(&header, &batch[BATCH_HEADER_BYTES..], Origin::Replication, LeaderEpoch(0), NOW).unwrap();
}

type KeyAndValue<'a> = (&'a [u8], Option<&'a [u8]>);

fn batch(options: BatchOptions, records: &[KeyAndValue<'_>]) -> Vec<u8> {
    let mut builder = BatchBuilder::new(options);
    for (at, (key, value)) in records.iter().enumerate() {
        let parts = RecordParts { key: Some(key), value: *value, headers: &[] };
        builder.add(TimestampMs(NOW.0 + at as i64), &parts);
    }
    builder.finish().unwrap()
}

fn transaction(producer: i64) -> BatchOptions {
    let (producer_id, producer_epoch) = (ProducerId(producer), EPOCH);
    BatchOptions { producer_id, producer_epoch, transactional: true, ..BatchOptions::default() }
}

fn marker(producer: i64, aborted: bool) -> Vec<u8> {
    // A transaction ends under the next epoch (KIP-890).
    let epoch = ProducerEpoch(EPOCH.0 + 1);
    EndMarker { aborted, coordinator_epoch: 0, timestamp: NOW }.batch(ProducerId(producer), epoch).unwrap()
}

fn all(latest: &mut Latest) -> Vec<LatestRecord> {
    all_beside(latest, None)
}

fn all_beside(latest: &mut Latest, mut taker: Option<&mut Taker>) -> Vec<LatestRecord> {
    let mut found = Vec::new();
    loop {
        match latest.step(taker.as_mut().map(|taker| &mut **taker as &mut dyn Intake)).unwrap() {
            Step::More => {}
            Step::Records(records) => {
                assert!(!records.is_empty() && records.len() <= PORTION_RECORDS);
                found.extend(records);
            }
            Step::End => {
                assert_eq!(latest.step(None).unwrap(), Step::End);
                return found;
            }
        }
    }
}

fn load(log: &Log) -> Vec<LatestRecord> {
    all(&mut Latest::new(log.reader(), log.end()))
}

/// Key, value if any, whose open transaction.
fn short(records: &[LatestRecord]) -> Vec<(String, Option<String>, Option<i64>)> {
    let text = |bytes: &[u8]| String::from_utf8(bytes.to_vec()).unwrap();
    let row = |r: &LatestRecord| {
        (text(&r.key), r.value.as_deref().map(text), r.producer_id.is_some().then_some(r.producer_id.0))
    };
    records.iter().map(row).collect()
}

#[test]
fn of_each_key_the_last_value_is_given_where_it_stands() {
    let disk = SimDisk::new(1);
    let mut log = log(&disk, 1 << 20);
    append(&mut log, &batch(BatchOptions::default(), &[(b"a", Some(b"1")), (b"b", Some(b"2")), (b"c", Some(b"3"))]));
    append(&mut log, &batch(BatchOptions::default(), &[(b"b", Some(b"4")), (b"c", None), (b"d", None)]));
    let record = |key: &[u8], value: &[u8], offset, timestamp| LatestRecord {
        key: key.to_vec(),
        value: Some(value.to_vec()),
        timestamp: TimestampMs(timestamp),
        offset: Offset(offset),
        producer_id: ProducerId::NONE,
        producer_epoch: ProducerEpoch::NONE,
    };
    assert_eq!(load(&log), [record(b"a", b"1", 0, NOW.0), record(b"b", b"4", 3, NOW.0)]);
}

#[test]
fn an_open_transaction_supersedes_nothing_and_is_given_whole() {
    let disk = SimDisk::new(1);
    let mut log = log(&disk, 1 << 20);
    append(&mut log, &batch(BatchOptions::default(), &[(b"a", Some(b"1")), (b"b", Some(b"1")), (b"c", Some(b"1"))]));
    append(&mut log, &batch(transaction(7), &[(b"a", Some(b"old"))]));
    append(&mut log, &marker(7, false));
    append(&mut log, &batch(transaction(8), &[(b"b", Some(b"never"))]));
    append(&mut log, &marker(8, true));
    append(&mut log, &batch(transaction(7), &[(b"a", None), (b"a", Some(b"new"))]));
    let some = |text: &str| Some(text.to_owned());
    let expected = [
        ("b".to_owned(), some("1"), None),
        ("c".to_owned(), some("1"), None),
        ("a".to_owned(), some("old"), None),
        ("a".to_owned(), None, Some(7)),
        ("a".to_owned(), some("new"), Some(7)),
    ];
    assert_eq!(short(&load(&log)), expected);
    assert_eq!(load(&log)[4].producer_epoch, EPOCH);
    append(&mut log, &marker(7, false));
    assert_eq!(short(&load(&log))[2..], [("a".to_owned(), some("new"), None)]);
}

#[test]
fn a_tombstone_that_deletes_what_is_pending_is_given() {
    let disk = SimDisk::new(1);
    let mut log = log(&disk, 1 << 20);
    append(&mut log, &batch(BatchOptions::default(), &[(b"a", Some(b"1")), (b"b", Some(b"1"))]));
    append(&mut log, &batch(transaction(7), &[(b"a", Some(b"2"))]));
    append(&mut log, &batch(BatchOptions::default(), &[(b"a", None), (b"b", None)]));
    let found = short(&load(&log));
    assert_eq!(found, [("a".to_owned(), Some("2".to_owned()), Some(7)), ("a".to_owned(), None, None)]);
    append(&mut log, &marker(7, true));
    assert_eq!(load(&log), []);
}

#[test]
fn the_higher_offset_counts_however_late_a_transaction_was_committed() {
    let disk = SimDisk::new(1);
    let mut log = log(&disk, 1 << 20);
    append(&mut log, &batch(transaction(7), &[(b"a", Some(b"earlier")), (b"b", Some(b"earlier"))]));
    append(&mut log, &batch(BatchOptions::default(), &[(b"a", Some(b"later")), (b"b", None)]));
    append(&mut log, &marker(7, false));
    assert_eq!(short(&load(&log)), [("a".to_owned(), Some("later".to_owned()), None)]);
}

#[test]
fn work_comes_in_portions_and_steps() {
    let disk = SimDisk::new(1);
    let mut log = log(&disk, 1 << 30);
    let keys: Vec<String> = (0..1300).map(|key| key.to_string()).collect();
    let records: Vec<KeyAndValue<'_>> = keys.iter().map(|key| (key.as_bytes(), Some(&b"v"[..]))).collect();
    append(&mut log, &batch(BatchOptions::default(), &records));
    let mut latest = Latest::new(log.reader(), log.end());
    for expected in [512, 512, 276] {
        let Step::Records(records) = latest.step(None).unwrap() else { panic!("no portion") };
        assert_eq!(records.len(), expected);
    }
    assert_eq!(latest.step(None).unwrap(), Step::End);

    let large = vec![1; 1 << 20];
    for key in [b"x", b"y", b"z"].iter().cycle().take(12) {
        append(&mut log, &batch(BatchOptions::default(), &[(&key[..], Some(&large))]));
    }
    let mut latest = Latest::new(log.reader(), log.end());
    let (mut steps, mut large_portions) = (0, 0);
    loop {
        match latest.step(None).unwrap() {
            Step::More => steps += 1,
            Step::Records(records) => {
                let large = records.iter().filter(|record| record.value.as_ref() == Some(&large)).count();
                assert!(large <= 1, "a large value fills a portion");
                large_portions += large;
            }
            Step::End => break,
        }
    }
    assert_eq!(large_portions, 3);
    assert!(steps >= 3, "12 MiB are more than one step");
}

#[test]
fn a_compressed_batch_and_the_time_of_append() {
    let disk = SimDisk::new(1);
    let mut log = log(&disk, 1 << 20);
    let codecs = [Codec::Gzip, Codec::Snappy, Codec::Lz4, Codec::Zstd];
    for (at, codec) in codecs.into_iter().enumerate() {
        let log_append_time = (codec == Codec::Zstd).then_some(TimestampMs(77));
        let options = BatchOptions { codec, log_append_time, ..BatchOptions::default() };
        append(&mut log, &batch(options, &[(&[at as u8], Some(b"value")), (b"last", Some(&[at as u8]))]));
    }
    let found = load(&log);
    assert_eq!(found.iter().map(|record| record.offset.0).collect::<Vec<_>>(), [0, 2, 4, 6, 7]);
    assert_eq!(found[4].value, Some(vec![3]));
    assert_eq!((found[2].timestamp, found[3].timestamp), (NOW, TimestampMs(77)));
}

#[test]
fn records_before_the_start_are_gone() {
    let disk = SimDisk::new(1);
    let mut log = log(&disk, 1 << 20);
    append(&mut log, &batch(BatchOptions::default(), &[(b"a", Some(b"1")), (b"b", Some(b"1"))]));
    log.high_watermark_moved(log.end());
    log.advance_log_start(Offset(1), NOW);
    assert_eq!(short(&load(&log)), [("b".to_owned(), Some("1".to_owned()), None)]);
}

#[test]
fn a_damaged_batch_is_named() {
    let disk = SimDisk::new(1);
    let mut log = log(&disk, 1 << 20);
    let first = batch(BatchOptions::default(), &[(b"a", Some(b"1"))]);
    append(&mut log, &first);
    append(&mut log, &batch(BatchOptions::default(), &[(b"a", Some(b"2"))]));
    let last_bit = 8 * (2 * first.len() as u64) - 1;
    disk.flip_bit(Path::new("groups-0/00000000000000000000.log"), last_bit);
    let error = Latest::new(log.reader(), log.end()).step(None).unwrap_err();
    assert_eq!(error.kind(), io::ErrorKind::InvalidData);
    let expected = format!("the batch at offset 1, byte {} of its segment: wrong checksum", first.len());
    assert!(error.to_string().starts_with(&expected), "{error}");
}

/// Takes what begins with a small byte, and notes what it was offered; values of 13 cannot be read.
#[derive(Debug, Default)]
struct Taker {
    taken: Vec<(Vec<u8>, Option<Vec<u8>>, i64)>,
    ends: Vec<(i64, bool)>,
}

const TAKEN_BELOW: u8 = 3;

impl Intake for Taker {
    fn take(&mut self, key: &[u8], value: Option<&[u8]>, producer_id: ProducerId) -> Taking {
        match (key.first(), value.and_then(<[u8]>::first)) {
            (Some(key), _) if *key >= TAKEN_BELOW => return Taking::Other,
            (_, Some(13)) => return Taking::Unreadable,
            _ => {}
        }
        self.taken.push((key.to_vec(), value.map(<[u8]>::to_vec), producer_id.0));
        Taking::Taken
    }

    fn end(&mut self, producer_id: ProducerId, aborted: bool) {
        self.ends.push((producer_id.0, aborted));
    }
}

#[test]
fn what_is_taken_after_something_unreadable_supersedes_it() {
    let disk = SimDisk::new(1);
    let mut log = log(&disk, 1 << 20);
    append(&mut log, &batch(BatchOptions::default(), &[(&[0], Some(&[13])), (&[1], Some(&[13])), (&[9], Some(b"x"))]));
    append(&mut log, &batch(BatchOptions::default(), &[(&[0], Some(&[14]))]));
    let mut taker = Taker::default();
    let found = all_beside(&mut Latest::new(log.reader(), log.end()), Some(&mut taker));
    assert_eq!(found.iter().map(|record| record.key[0]).collect::<Vec<_>>(), [1, 9]);
    assert_eq!(taker.taken, [(vec![0], Some(vec![14]), -1)]);
}

/// What happens to the log.
#[derive(Clone, Debug)]
enum Op {
    Plain(Vec<(u8, Option<u8>)>, Codec),
    InTransaction(u8, Vec<(u8, Option<u8>)>, Codec),
    End(u8, bool),
}

fn ops() -> impl Strategy<Value = Op> {
    let records = || proptest::collection::vec((0..6_u8, proptest::option::weighted(0.8, any::<u8>())), 1..5);
    let codec = || prop_oneof![4 => Just(Codec::None), 1 => Just(Codec::Lz4)];
    prop_oneof![
        3 => (records(), codec()).prop_map(|(records, codec)| Op::Plain(records, codec)),
        3 => (0..3_u8, records(), codec()).prop_map(|(producer, records, codec)| Op::InTransaction(producer, records, codec)),
        2 => (0..3_u8, any::<bool>()).prop_map(|(producer, aborted)| Op::End(producer, aborted)),
    ]
}

/// A record of the model.
#[derive(Clone, Debug)]
struct Known {
    offset: i64,
    key: u8,
    value: Option<u8>,
    producer: Option<u8>,
}

/// All that was written.
#[derive(Debug, Default)]
struct Model {
    records: Vec<Known>,
    ends: Vec<(i64, u8, bool)>,
}

impl Model {
    fn add(&mut self, log: &mut Log, op: &Op) {
        let base = log.end().0;
        let bytes = match op {
            Op::Plain(records, codec) => {
                self.note(base, records, None);
                build(BatchOptions { codec: *codec, ..BatchOptions::default() }, records)
            }
            Op::InTransaction(producer, records, codec) => {
                self.note(base, records, Some(*producer));
                build(BatchOptions { codec: *codec, ..transaction(i64::from(*producer)) }, records)
            }
            Op::End(producer, aborted) => {
                self.ends.push((base, *producer, *aborted));
                marker(i64::from(*producer), *aborted)
            }
        };
        append(log, &bytes);
    }

    fn note(&mut self, base: i64, records: &[(u8, Option<u8>)], producer: Option<u8>) {
        let place = |(at, (key, value)): (i64, &(u8, Option<u8>))| Known {
            offset: base + at,
            key: *key,
            value: *value,
            producer,
        };
        self.records.extend((0..).zip(records).map(place));
    }

    /// None while the transaction is open.
    fn counts(&self, record: &Known, end: i64) -> Option<bool> {
        let Some(producer) = record.producer else { return Some(true) };
        let ends = |known: &&(i64, u8, bool)| known.1 == producer && known.0 > record.offset && known.0 < end;
        self.ends.iter().find(ends).map(|known| !known.2)
    }

    fn latest(&self, start: i64, end: i64) -> Vec<LatestRecord> {
        let there: Vec<&Known> = self.records.iter().filter(|known| (start..end).contains(&known.offset)).collect();
        let given = |known: &&Known| match self.counts(known, end) {
            None => true,
            Some(false) => false,
            Some(true) => {
                let newer = |other: &&Known| other.key == known.key && other.offset > known.offset;
                let superseded = there.iter().copied().filter(newer).any(|other| self.counts(other, end) == Some(true));
                let pending = || there.iter().any(|other| other.key == known.key && self.counts(other, end).is_none());
                (known.value.is_some() || pending()) && !superseded
            }
        };
        let record = |known: &Known| {
            let open = known.producer.filter(|_| self.counts(known, end).is_none());
            LatestRecord {
                key: vec![known.key; 3],
                value: known.value.map(|value| vec![value; 20]),
                timestamp: TimestampMs(known.offset),
                offset: Offset(known.offset),
                producer_id: open.map_or(ProducerId::NONE, |id| ProducerId(i64::from(id))),
                producer_epoch: open.map_or(ProducerEpoch::NONE, |_| EPOCH),
            }
        };
        there.iter().copied().filter(given).map(record).collect()
    }
}

fn build(options: BatchOptions, records: &[(u8, Option<u8>)]) -> Vec<u8> {
    let parts: Vec<(Vec<u8>, Option<Vec<u8>>)> =
        records.iter().map(|(key, value)| (vec![*key; 3], value.map(|value| vec![value; 20]))).collect();
    let records: Vec<KeyAndValue<'_>> = parts.iter().map(|(key, value)| (&key[..], value.as_deref())).collect();
    batch(options, &records)
}

proptest! {
    #[test]
    fn as_the_model_says(
        before in proptest::collection::vec(ops(), 0..40),
        after in proptest::collection::vec(ops(), 0..10),
        segment_bytes in 400_u64..3000,
        start in 0.0..1.0_f64,
    ) {
        let disk = SimDisk::new(1);
        let mut log = log(&disk, segment_bytes);
        let mut model = Model::default();
        for op in &before {
            model.add(&mut log, op);
        }
        let start = Offset((log.end().0 as f64 * start.max(0.5) * 2.0 - log.end().0 as f64) as i64);
        log.high_watermark_moved(log.end());
        log.advance_log_start(start, NOW);
        let end = log.end();
        let mut latest = Latest::new(log.reader(), end);
        for op in &after {
            model.add(&mut log, op);
        }
        let mut taker = Taker::default();
        let beside = all_beside(&mut Latest::new(log.reader(), end), Some(&mut taker));
        let mut found = all(&mut latest);
        let others = |key: &[u8], value: Option<&[u8]>| key[0] >= TAKEN_BELOW || value.is_some_and(|value| value[0] == 13);
        let is_other = |record: &&LatestRecord| record.key[0] >= TAKEN_BELOW;
        let given: Vec<_> = found.iter().filter(is_other).cloned().collect();
        prop_assert_eq!(beside.into_iter().filter(|record| is_other(&record)).collect::<Vec<_>>(), given);
        let taken: Vec<_> = (model.records.iter().filter(|known| (start.0..end.0).contains(&known.offset)))
            .map(|known| (vec![known.key; 3], known.value.map(|value| vec![value; 20]), known.producer))
            .filter(|(key, value, _)| !others(key, value.as_deref()))
            .map(|(key, value, producer)| (key, value, producer.map_or(-1, i64::from)))
            .collect();
        prop_assert_eq!(taker.taken, taken);
        let ends = model.ends.iter().filter(|(at, ..)| (start.0..end.0).contains(at));
        prop_assert_eq!(taker.ends, ends.map(|(_, producer, aborted)| (i64::from(*producer), *aborted)).collect::<Vec<_>>());
        prop_assert!(found.is_sorted_by_key(|record| record.offset));
        let times: HashSet<bool> = found.iter().map(|record| record.timestamp >= NOW).collect();
        prop_assert!(!times.contains(&false));
        for record in &mut found {
            record.timestamp = TimestampMs(record.offset.0);
        }
        prop_assert_eq!(found, model.latest(start.0, end.0));
    }
}
