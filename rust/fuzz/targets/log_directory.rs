//! A partition's directory with anything in its files: segment, indexes, producer snapshot, leader epochs, metadata. It
//! opens or is refused, and what opened can be read, looked up, and opened again with the same end.
//!
//! The input: one byte of choices; then each file, a length of two bytes before it.
#![no_main]

use std::io::IoSlice;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use libfuzzer_sys::fuzz_target;
use ottla_core::disk::{Disk, Open};
use ottla_core::disk_sim::SimDisk;
use ottla_core::ids::{Offset, TimestampMs};
use ottla_core::log::{Log, LogConfig, LogDirectory, OpenOptions, Upper};

const PARTITION: &str = "topic-0";
const FILES: [&str; 7] = [
    "00000000000000000000.log",
    "00000000000000000000.index",
    "00000000000000000000.timeindex",
    "00000000000000000000.txnindex",
    "00000000000000000001.snapshot",
    "leader-epoch-checkpoint",
    "partition.metadata",
];

fn split(mut input: &[u8]) -> [&[u8]; FILES.len()] {
    std::array::from_fn(|_| {
        let Some((len, rest)) = input.split_first_chunk() else { return std::mem::take(&mut input) };
        let (content, rest) = rest.split_at(rest.len().min(u16::from_be_bytes(*len).into()));
        input = rest;
        content
    })
}

fn disk(files: [&[u8]; FILES.len()], repaired: bool) -> Arc<SimDisk> {
    let disk = SimDisk::new(0);
    disk.create_dir(Path::new(PARTITION)).expect("a directory in memory");
    for (index, (name, content)) in FILES.iter().zip(files).enumerate() {
        // No file is a case of its own.
        if content.is_empty() && index > 0 {
            continue;
        }
        let mut content = content.to_vec();
        if index == 0 && repaired {
            ottla_fuzz::repair_checksums(&mut content);
        }
        let path: PathBuf = [PARTITION, name].iter().collect();
        let file = disk.open(&path, Open::Truncate).expect("a file in memory");
        file.write_at(0, &[IoSlice::new(&content)]).expect("a write to memory");
    }
    disk
}

/// Reads all of the log in every way.
fn exercise(log: &Log) {
    let reader = log.reader();
    let (start, end) = (reader.start(), reader.end());
    assert!(start <= end, "{start} is behind {end}");
    let mut batches = reader.batches(start, end);
    while let Ok(Some(frame)) = batches.next_frame() {
        let size = batches.bytes(&frame).map(<[u8]>::len);
        assert!(size.is_ok(), "{size:?}");
    }
    for offset in [start, Offset(start.0 + (end.0 - start.0) / 2), end] {
        let range = reader.read(offset, Upper::Offset(end), 4096, true);
        assert!(range.is_err() || format!("{range:?}").len() > 1);
        let _ = reader.bytes_between(offset, Upper::Offset(end));
        let _ = reader.aborted_transactions(offset, end);
    }
    for timestamp in [i64::MIN, 0, 1_700_000_000_000, i64::MAX] {
        let _ = reader.offset_for_timestamp(TimestampMs(timestamp));
    }
    let _ = reader.max_timestamp();
}

fuzz_target!(|input: &[u8]| {
    let Some((&choice, files)) = input.split_first() else { return };
    let disk = disk(split(files), choice & 1 == 0);
    let options = OpenOptions {
        clean: choice & 2 != 0,
        recovery_point: Offset((choice >> 3).into()),
        gaps_allowed: choice & 4 != 0,
        ..OpenOptions::new(Arc::new(LogConfig::default()), TimestampMs(1_700_000_000_000))
    };
    let open = || Log::open(&LogDirectory::new(Arc::clone(&disk) as Arc<dyn Disk>, 16), PARTITION, &options);
    match open() {
        Err(error) => assert!(!error.to_string().is_empty()),
        Ok((log, _)) => {
            exercise(&log);
            let end = log.end();
            drop(log);
            match open() {
                Ok((again, _)) => assert_eq!(again.end(), end, "the end moved"),
                Err(error) => panic!("opened once, then refused: {error}"),
            }
        }
    }
});
