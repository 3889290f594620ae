//! What readers of committed records are told of aborted transactions, beside a model that looks at every batch.

use std::sync::Arc;

use super::batch;
use crate::batch::build::BatchOptions;
use crate::batch::control::EndMarker;
use crate::batch::header::{BATCH_HEADER_BYTES, BatchHeader};
use crate::batch::producer::Origin;
use crate::disk::Disk;
use crate::disk_sim::{Random, SimDisk};
use crate::ids::{LeaderEpoch, Offset, ProducerEpoch, ProducerId, Sequence, TimestampMs, TopicId};
use crate::log::{Log, LogConfig, LogDirectory, LogReader, OpenOptions, Outcome, Upper};

const NOW: TimestampMs = TimestampMs(1_000_000);
const TOPIC: TopicId = TopicId([7; 16]);
const PRODUCERS: i64 = 4;

/// Producer, first offset, offset of the marker.
type Aborted = (i64, i64, i64);

struct Written {
    disk: Arc<SimDisk>,
    config: Arc<LogConfig>,
    log: Log,
    aborted: Vec<Aborted>,
}

/// A log of many short transactions that overlap, every other one aborted.
fn written(seed: u64, segment_bytes: u64, batches: usize) -> Written {
    let mut random = Random::new(seed);
    let disk = SimDisk::new(seed);
    let config = Arc::new(LogConfig { segment_bytes, index_interval_bytes: 200, ..LogConfig::default() });
    let directory = LogDirectory::new(Arc::clone(&disk) as Arc<dyn Disk>, 10);
    let mut log = Log::create(&directory, "orders-0", TOPIC, config.clone(), Offset(0), NOW).unwrap();
    let mut aborted = Vec::new();
    let mut open = [None; PRODUCERS as usize];
    let mut sequences = [0; PRODUCERS as usize];
    let mut put = |bytes: &[u8], origin| {
        let header = BatchHeader::decode(bytes).unwrap();
        let outcome = log.append(&header, &bytes[BATCH_HEADER_BYTES..], origin, LeaderEpoch(0), NOW).unwrap();
        let Outcome::Appended(appended) = outcome else { panic!("a repeat") };
        appended.base_offset.0
    };
    for _ in 0..batches {
        let at = random.below(PRODUCERS as u64) as usize;
        let (producer_id, producer_epoch) = (ProducerId(at as i64), ProducerEpoch(0));
        if let (Some(first), true) = (open[at], random.once_in(2)) {
            let marker = EndMarker { aborted: random.once_in(2), coordinator_epoch: 0, timestamp: NOW };
            let base = put(&marker.batch(producer_id, producer_epoch).unwrap(), Origin::Marker(marker, 0));
            if marker.aborted {
                aborted.push((at as i64, first, base));
            }
            open[at] = None;
            continue;
        }
        let options = BatchOptions {
            producer_id,
            producer_epoch,
            base_sequence: Sequence(sequences[at]),
            transactional: true,
            ..BatchOptions::default()
        };
        sequences[at] += 1;
        let base = put(&batch(options, &[NOW.0], &vec![1; random.below(60) as usize]), Origin::Client);
        open[at].get_or_insert(base);
    }
    Written { disk, config, log, aborted }
}

fn told(reader: &LogReader, from: i64, upper: i64) -> Vec<Aborted> {
    let found = reader.aborted_transactions(Offset(from), Offset(upper)).unwrap();
    found.iter().map(|one| (one.producer_id.0, one.first_offset.0, one.last_offset.0)).collect()
}

fn expected(aborted: &[Aborted], from: i64, upper: i64) -> Vec<Aborted> {
    aborted.iter().filter(|(_, first, last)| *last >= from && *first < upper).copied().collect()
}

#[test]
fn they_are_found_in_one_long_index_and_over_many_short_ones() {
    for (seed, segment_bytes) in [(1, 1 << 20), (2, 1_500), (3, 20_000)] {
        let Written { disk, config, log, aborted } = written(seed, segment_bytes, 3_000);
        assert!(aborted.len() > 300);
        let mut random = Random::new(seed);
        let reopened = LogDirectory::new(Arc::clone(&disk.kill_process()) as Arc<dyn Disk>, 10);
        let (again, _) = Log::open(&reopened, "orders-0", &OpenOptions::new(config, NOW)).unwrap();
        for reader in [log.reader(), again.reader()] {
            for _ in 0..500 {
                let from = random.below(3_000) as i64;
                let upper = from + random.below(200) as i64 + 1;
                assert_eq!(told(&reader, from, upper), expected(&aborted, from, upper), "{from}..{upper}");
            }
            assert_eq!(told(&reader, 0, 3_000), aborted);
        }
    }
}

#[test]
fn of_what_is_read_all_are_told_and_few_more() {
    for segment_bytes in [1 << 20, 3_000] {
        let Written { log, aborted, .. } = written(5, segment_bytes, 3_000);
        let reader = log.reader();
        for from in (0..3_000).step_by(17) {
            let range = reader.read(Offset(from), Upper::Offset(log.end()), 700, true).unwrap().unwrap();
            let mut bytes = vec![0; range.len];
            range.file.read_at(range.position, &mut bytes).unwrap();
            let mut last = from;
            let mut rest = &bytes[..];
            while let Some(header) = BatchHeader::decode(rest) {
                last = header.last_offset().0;
                let Some(behind) = header.size().and_then(|size| rest.get(size..)) else { break };
                rest = behind;
            }
            let upper = reader.upper_bound(&range).0;
            assert!((last + 1..last + 8).contains(&upper), "{upper} for what ends with {last}");
            let told = told(&reader, from, upper);
            assert_eq!(told, expected(&aborted, from, upper));
            assert!(told.len() < 20, "{} of {}", told.len(), aborted.len());
        }
    }
}
