//! A produced batch: what passes the checks can be read by every consumer. The first byte chooses the topic's rules.
#![no_main]

use libfuzzer_sys::fuzz_target;
use ottla_core::batch::Codec;
use ottla_core::batch::compress::Scratch;
use ottla_core::batch::records::Records;
use ottla_core::batch::validate::{ProduceRules, Target, TimestampType, check, parse_single};
use ottla_core::ids::TimestampMs;

fuzz_target!(|input: &[u8]| {
    let Some((&choice, batch)) = input.split_first() else { return };
    let mut batch = batch.to_vec();
    if choice & 0x20 == 0 {
        ottla_fuzz::repair_batch(&mut batch);
    }
    let target = Codec::from_attributes(i16::from(choice & 7))
        .map_or(Target::Producer, |codec| Target::Codec { codec, level: None });
    let rules = ProduceRules {
        max_message_bytes: 1 << 20,
        segment_bytes: 1 << 20,
        target,
        timestamp_type: if choice & 8 == 0 { TimestampType::CreateTime } else { TimestampType::LogAppendTime },
        timestamp_before_max_ms: i64::MAX,
        timestamp_after_max_ms: i64::MAX,
        compacted: choice & 16 != 0,
        decompressed_bytes_max: 1 << 20,
    };
    let mut scratch = Scratch::default();
    let checked = parse_single(&batch, 13)
        .and_then(|header| check(&batch, header, &rules, TimestampMs(1_700_000_000_000), &mut scratch));
    match checked {
        Err(rejected) => assert!(!rejected.message(&"topic-0").is_empty()),
        Ok(checked) => {
            let (header, records) = (checked.header, checked.records.into_owned());
            let codec = header.codec().expect("a codec");
            let plain = scratch.decompress(codec, &records, 2 << 20).expect("what was checked can be decompressed");
            let read = Records::new(header.record_count, plain).inspect(|record| assert!(record.is_ok(), "{record:?}"));
            assert_eq!(read.count(), header.record_count as usize);
        }
    }
});
