//! A snapshot of producers: what is read can be written, and read the same.
#![no_main]

use libfuzzer_sys::fuzz_target;
use ottla_core::batch::checksum::crc32c;
use ottla_core::batch::snapshot::{decode, encode};
use ottla_core::ids::TimestampMs;

fuzz_target!(|input: &[u8]| {
    let mut input = input.to_vec();
    if input.len() >= 10 {
        let checksum = crc32c(&input[6..]);
        input[2..6].copy_from_slice(&checksum.to_be_bytes());
    }
    if let Ok(states) = decode(&input, TimestampMs(0), i64::MAX) {
        let written = encode(&states);
        let again = decode(&written, TimestampMs(0), i64::MAX).expect("what was written can be read");
        assert_eq!(encode(&again), written);
    }
});
