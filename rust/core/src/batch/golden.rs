//! Batches and a snapshot that Kafka's own classes wrote (`tests/golden/batches`), read and written again.

use std::path::PathBuf;

use super::build::{BatchBuilder, BatchOptions, RecordParts};
use super::checksum::crc32c;
use super::compress::Scratch;
use super::control::{
    ControlType, EndMarker, control_batch, leader_change, quorum_options, snapshot_footer, snapshot_header,
};
use super::header::{BATCH_HEADER_BYTES, BatchHeader, CHECKSUM_START, Codec};
use super::producer::ProducerStates;
use super::records::{Header, Records};
use super::snapshot;
use super::validate::{ProduceRules, Target, TimestampType, check, parse_single};
use crate::ids::{BrokerId, LeaderEpoch, Offset, ProducerEpoch, ProducerId, Sequence, TimestampMs};

const TIME: i64 = 1_700_000_000_000;
const CODECS: [(&str, Codec); 5] = [
    ("none", Codec::None),
    ("gzip", Codec::Gzip),
    ("snappy", Codec::Snappy),
    ("lz4", Codec::Lz4),
    ("zstd", Codec::Zstd),
];

fn golden(name: &str) -> Vec<u8> {
    let path = PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("../../tests/golden/batches").join(name);
    std::fs::read(&path).unwrap_or_else(|fault| panic!("{}: {fault}", path.display()))
}

#[derive(PartialEq, Eq, Debug)]
struct Expected {
    timestamp: i64,
    key: Option<Vec<u8>>,
    value: Option<Vec<u8>>,
    headers: Vec<(Vec<u8>, Option<Vec<u8>>)>,
}

fn expected(timestamp: i64, key: Option<&str>, value: Option<Vec<u8>>) -> Expected {
    Expected { timestamp, key: key.map(|key| key.as_bytes().to_vec()), value, headers: Vec::new() }
}

/// The records of a case, as `GoldenBatches.java` makes them.
fn case(name: &str) -> Vec<Expected> {
    let text = |text: &str| Some(text.as_bytes().to_vec());
    match name {
        "one" => vec![expected(TIME, None, text("hello"))],
        "three" => {
            let headers = vec![(b"trace".to_vec(), text("abc")), (b"empty".to_vec(), None)];
            vec![
                Expected { headers, ..expected(TIME + 5, Some("k0"), text("v0")) },
                expected(TIME, Some(""), None),
                expected(TIME + 70_000, None, text("")),
            ]
        }
        "many" => (0..200)
            .map(|i| {
                let value = format!("{{\"flight\":{},\"tail\":\"N{}\"}}", i * 37 % 101, i * 7_919 % 1_000);
                expected(TIME + i, Some(&format!("N{}", i % 13)), text(&value))
            })
            .collect(),
        "large" => (0..3)
            .map(|i| {
                let value = (0..100_000 * (i + 1)).map(|j| (j / 500 * (i + 3)) as u8).collect();
                expected(TIME + i, Some("large"), Some(value))
            })
            .collect(),
        _ => panic!("{name}"),
    }
}

fn read(header: &BatchHeader, records: &[u8]) -> Vec<Expected> {
    let mut scratch = Scratch::default();
    let plain = scratch.decompress(header.codec().unwrap(), records, 1 << 20).unwrap();
    Records::new(header.record_count, plain)
        .map(|record| {
            let record = record.unwrap();
            let owned = |bytes: &[u8]| bytes.to_vec();
            Expected {
                timestamp: header.base_timestamp.0 + record.timestamp_delta,
                key: record.key.map(owned),
                value: record.value.map(owned),
                headers: record.headers.into_iter().map(|(key, value)| (owned(key), value.map(owned))).collect(),
            }
        })
        .collect()
}

fn rules() -> ProduceRules {
    ProduceRules {
        max_message_bytes: 10 << 20,
        segment_bytes: 1 << 30,
        target: Target::Producer,
        timestamp_type: TimestampType::CreateTime,
        timestamp_before_max_ms: i64::MAX,
        timestamp_after_max_ms: 3_600_000,
        compacted: false,
        decompressed_bytes_max: 100 << 20,
    }
}

fn built(name: &str, options: BatchOptions) -> Vec<u8> {
    let mut builder = BatchBuilder::new(options);
    for record in case(name) {
        let headers: Vec<Header<'_>> = record.headers.iter().map(|(key, value)| (&key[..], value.as_deref())).collect();
        let parts = RecordParts { key: record.key.as_deref(), value: record.value.as_deref(), headers: &headers };
        let predicted = builder.size_with(TimestampMs(record.timestamp), &parts);
        builder.add(TimestampMs(record.timestamp), &parts);
        assert_eq!(builder.size(), predicted);
    }
    builder.finish().unwrap()
}

#[test]
fn kafkas_batches_are_read() {
    for (label, codec) in CODECS {
        for name in ["one", "three", "many", "large"] {
            if (codec, name) == (Codec::None, "large") {
                continue;
            }
            let batch = golden(&format!("{label}-{name}.bin"));
            let header = parse_single(&batch, 13).unwrap();
            assert_eq!((header.size(), header.codec()), (Some(batch.len()), Some(codec)));
            assert_eq!(header.encode(), batch[..BATCH_HEADER_BYTES]);
            assert_eq!(crc32c(&batch[CHECKSUM_START..]), header.checksum);
            assert_eq!(read(&header, &batch[BATCH_HEADER_BYTES..]), case(name), "{label}-{name}");
        }
    }
}

#[test]
fn kafkas_batches_pass_as_they_are_and_can_be_rebuilt() {
    let mut scratch = Scratch::default();
    for (label, codec) in CODECS {
        for name in ["one", "three", "many", "large"] {
            if (codec, name) == (Codec::None, "large") {
                continue;
            }
            let batch = golden(&format!("{label}-{name}.bin"));
            let header = parse_single(&batch, 13).unwrap();
            let checked = check(&batch, header, &rules(), TimestampMs(TIME), &mut scratch).unwrap();
            assert_eq!(checked.header, header, "{label}-{name}");
            assert!(matches!(checked.records, std::borrow::Cow::Borrowed(_)));
            let times: Vec<i64> = case(name).iter().map(|record| record.timestamp).collect();
            assert_eq!(header.max_timestamp.0, *times.iter().max().unwrap());
            assert_eq!(times[checked.max_timestamp_delta as usize], header.max_timestamp.0);
            for (_, target) in CODECS {
                let rules = ProduceRules { target: Target::Codec { codec: target, level: None }, ..rules() };
                let checked = check(&batch, header, &rules, TimestampMs(TIME), &mut scratch).unwrap();
                assert_eq!(checked.header.codec(), Some(target));
                assert_eq!(read(&checked.header, &checked.records), case(name), "{label}-{name} to {target:?}");
            }
        }
    }
}

#[test]
fn uncompressed_batches_are_built_as_kafka_builds_them() {
    for name in ["one", "three", "many"] {
        assert_eq!(built(name, BatchOptions::default()), golden(&format!("none-{name}.bin")), "{name}");
    }
    let transactional = BatchOptions {
        base_offset: Offset(7),
        leader_epoch: LeaderEpoch(11),
        producer_id: ProducerId(4_001),
        producer_epoch: ProducerEpoch(3),
        base_sequence: Sequence(i32::MAX - 1),
        transactional: true,
        ..BatchOptions::default()
    };
    assert_eq!(built("three", transactional), golden("transactional.bin"));
    let log_append_time = BatchOptions {
        base_offset: Offset(9),
        log_append_time: Some(TimestampMs(TIME + 123)),
        ..BatchOptions::default()
    };
    assert_eq!(built("three", log_append_time), golden("log-append-time.bin"));
}

#[test]
fn compressed_batches_are_built_so_that_they_read_the_same() {
    for (_, codec) in CODECS {
        for name in ["one", "three", "many", "large"] {
            let batch = built(name, BatchOptions { codec, ..BatchOptions::default() });
            let header = parse_single(&batch, 13).unwrap();
            check(&batch, header, &rules(), TimestampMs(TIME), &mut Scratch::default()).unwrap();
            assert_eq!(read(&header, &batch[BATCH_HEADER_BYTES..]), case(name), "{codec:?} {name}");
        }
    }
}

#[test]
fn control_batches_are_kafkas() {
    let place = |batch: &mut Vec<u8>, offset: i64, epoch: i32| {
        batch[..8].copy_from_slice(&offset.to_be_bytes());
        batch[12..16].copy_from_slice(&epoch.to_be_bytes());
    };
    for (name, aborted, coordinator_epoch, id, epoch, offset) in
        [("abort", true, 17, 4_001, 3, 55), ("commit", false, 0, 4_002, 0, 56)]
    {
        let marker = EndMarker { aborted, coordinator_epoch, timestamp: TimestampMs(TIME) };
        let theirs = golden(&format!("marker-{name}.bin"));
        let header = BatchHeader::decode(&theirs).unwrap();
        assert_eq!(EndMarker::read(&header, &theirs[BATCH_HEADER_BYTES..]), Some(marker));
        let mut ours = marker.batch(ProducerId(id), ProducerEpoch(epoch)).unwrap();
        place(&mut ours, offset, 6);
        assert_eq!(ours, theirs, "{name}");
    }
    let quorum = |offset, records: &[(ControlType, &[u8])]| {
        control_batch(quorum_options(Offset(offset), LeaderEpoch(4)), TimestampMs(TIME), records).unwrap()
    };
    let change = leader_change(BrokerId(1), &[BrokerId(1), BrokerId(2)], &[BrokerId(1)]);
    assert_eq!(quorum(20, &[(ControlType::LeaderChange, &change)]), golden("leader-change.bin"));
    let header = snapshot_header(TimestampMs(TIME - 1));
    assert_eq!(quorum(0, &[(ControlType::SnapshotHeader, &header)]), golden("snapshot-header.bin"));
    assert_eq!(quorum(8, &[(ControlType::SnapshotFooter, &snapshot_footer())]), golden("snapshot-footer.bin"));
}

#[test]
fn kafkas_snapshot_is_read_and_written() {
    let theirs = golden("producers.snapshot");
    let states: ProducerStates = snapshot::decode(&theirs, TimestampMs(TIME), i64::MAX).unwrap();
    assert_eq!(snapshot::encode(&states), theirs);
    let one = states.get(ProducerId(1)).unwrap();
    assert_eq!(one.batches()[0].first_sequence(), Sequence(32));
    assert_eq!(one.batches()[0].first_offset(), Offset(132));
    let two = states.get(ProducerId(2)).unwrap();
    assert_eq!((two.epoch, two.coordinator_epoch), (ProducerEpoch(5), 3));
    assert_eq!(two.transaction_first_offset(), Some(Offset(150)));
    assert_eq!(states.first_unstable_offset(), Some(Offset(150)));
    assert!(states.get(ProducerId(3)).unwrap().batches().is_empty());
    // A day later the first and the third have expired; the second has a transaction open.
    let later = TimestampMs(TIME + 86_400_002);
    let states = snapshot::decode(&theirs, later, 86_400_000).unwrap();
    assert_eq!(states.iter().map(|(id, _)| id).collect::<Vec<_>>(), [ProducerId(2)]);
}
