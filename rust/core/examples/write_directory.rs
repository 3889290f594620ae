//! Writes partition directories with everything that a log can hold, for Kafka's own tools to read:
//!
//! `cargo run -p ottla-core --example write_directory -- DIRECTORY`, and then, for each file of `DIRECTORY/*-0`,
//! `kafka-dump-log.sh --deep-iteration --files FILE`.

use std::error::Error;
use std::path::Path;
use std::sync::Arc;

use ottla_core::batch::build::{BatchBuilder, BatchOptions, RecordParts};
use ottla_core::batch::control::EndMarker;
use ottla_core::batch::header::{BATCH_HEADER_BYTES, BatchHeader, Codec};
use ottla_core::batch::producer::Origin;
use ottla_core::disk::Disk;
use ottla_core::disk_os::OsDisk;
use ottla_core::ids::{LeaderEpoch, Offset, ProducerEpoch, ProducerId, Sequence, TimestampMs, TopicId};
use ottla_core::log::{Log, LogConfig, LogDirectory};

const NOW: i64 = 1_750_000_000_000;

fn batch(options: BatchOptions, count: i64, time: i64) -> Result<Vec<u8>, Box<dyn Error>> {
    let mut builder = BatchBuilder::new(options);
    for at in 0..count {
        let (key, value) = (format!("key-{}", at % 7), format!("value {at} {}", "x".repeat(at as usize % 90)));
        let headers: &[(&[u8], Option<&[u8]>)] = &[(b"trace", Some(b"1")), (b"empty", None)];
        let parts = RecordParts { key: Some(key.as_bytes()), value: Some(value.as_bytes()), headers };
        builder.add(TimestampMs(time + at), &parts);
    }
    Ok(builder.finish()?)
}

fn append(log: &mut Log, bytes: &[u8], origin: Origin, epoch: i32, now: i64) -> Result<(), Box<dyn Error>> {
    let header = BatchHeader::decode(bytes).ok_or("no header")?;
    log.append(&header, &bytes[BATCH_HEADER_BYTES..], origin, LeaderEpoch(epoch), TimestampMs(now))?;
    Ok(())
}

fn main() -> Result<(), Box<dyn Error>> {
    let base = std::env::args().nth(1).ok_or("which directory?")?;
    let disk: Arc<dyn Disk> = OsDisk::open(Path::new(&base))?;
    let directory = LogDirectory::new(disk, 100);
    let config = Arc::new(LogConfig { segment_bytes: 40_000, index_interval_bytes: 1000, ..LogConfig::default() });
    for (topic, codec) in [
        ("plain", Codec::None),
        ("gzip", Codec::Gzip),
        ("snappy", Codec::Snappy),
        ("lz4", Codec::Lz4),
        ("zstd", Codec::Zstd),
    ] {
        let id = TopicId(*b"0123456789abcdef");
        let name = format!("{topic}-0");
        let mut log = Log::create(&directory, &name, id, Arc::clone(&config), Offset(0), TimestampMs(NOW))?;
        let mut sequences = [0; 3];
        for round in 0..240_i64 {
            let (epoch, time) = ((round / 60) as i32, NOW + round * 1000);
            let count = 1 + round % 23;
            let options = BatchOptions { codec, ..BatchOptions::default() };
            append(&mut log, &batch(options, count, time)?, Origin::Client, epoch, time)?;
            // An idempotent producer, and two with transactions, of which every other is aborted.
            let producer = round % 3;
            let sequence = &mut sequences[producer as usize];
            let options = BatchOptions {
                producer_id: ProducerId(1000 + producer),
                producer_epoch: ProducerEpoch(0),
                base_sequence: Sequence(*sequence),
                transactional: producer > 0,
                ..options
            };
            append(&mut log, &batch(options, count, time)?, Origin::Client, epoch, time)?;
            *sequence += count as i32;
            if producer > 0 && round % 4 == 3 {
                let marker = EndMarker { aborted: round % 8 == 3, coordinator_epoch: 5, timestamp: TimestampMs(time) };
                let bytes = marker.batch(options.producer_id, options.producer_epoch)?;
                append(&mut log, &bytes, Origin::Marker(marker, 0), epoch, time)?;
            }
            if round == 100 {
                log.flush()?;
            }
        }
        log.close()?;
        println!("{name}: {} records in {} segments, {} bytes", log.end(), log.segment_count(), log.size());
    }
    Ok(())
}
