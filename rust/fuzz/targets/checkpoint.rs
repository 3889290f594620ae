//! Checkpoint files, and the names of files and directories: what is read, written again, reads the same.
#![no_main]

use libfuzzer_sys::fuzz_target;
use ottla_core::log::checkpoint::{format_epochs, format_offsets, parse_epochs, parse_offsets};
use ottla_core::log::names::{PartitionDirectoryName, SegmentFileName};

fuzz_target!(|input: &[u8]| {
    match parse_offsets(input) {
        Ok(offsets) => {
            let rows: Vec<_> = offsets.iter().map(|((topic, index), offset)| (&**topic, *index, *offset)).collect();
            let again = parse_offsets(format_offsets(rows.into_iter()).as_bytes());
            assert_eq!(again.as_ref(), Ok(&offsets));
        }
        Err(error) => assert!(!error.to_string().is_empty()),
    }
    match parse_epochs(input) {
        Ok(epochs) => {
            assert!(epochs.entries().is_sorted_by(|a, b| a.epoch < b.epoch && a.start < b.start));
            let again = parse_epochs(format_epochs(&epochs).as_bytes());
            assert_eq!(again.as_ref(), Ok(&epochs));
        }
        Err(error) => assert!(!error.to_string().is_empty()),
    }
    if let Ok(name) = std::str::from_utf8(input) {
        if let Some(file) = SegmentFileName::parse(name) {
            assert!(file.base.0 >= 0);
        }
        if let Some(directory) = PartitionDirectoryName::parse(name) {
            assert!(directory.partition.0 >= 0 && !directory.topic.is_empty());
        }
    }
});
