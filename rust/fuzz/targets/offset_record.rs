//! Committed offsets as records: the first byte is the length of the key, the rest key and value. What is read can be
//! written, and reads the same; a table takes what is read, and nothing else.
#![no_main]

use libfuzzer_sys::fuzz_target;
use ottla_core::groups::offset_record::{Read, read, write_key, write_value};
use ottla_core::groups::offsets::{Applied, OffsetTable};

fuzz_target!(|input: &[u8]| {
    let Some((&length, bytes)) = input.split_first() else { return };
    let (key, value) = bytes.split_at(bytes.len().min(usize::from(length)));
    let mut table = OffsetTable::default();
    let applied = table.apply(key, Some(value));
    match read(key, Some(value)) {
        Ok(Read::Offset(place, Some(offset))) => {
            assert_eq!(applied, Ok(Applied::Put(place.group.clone())));
            let held: Vec<_> = table.committed(&place.group).collect();
            assert_eq!(held, [(&*place.topic, place.partition, offset.clone())]);
            // What was mended can be longer than a record may say.
            let Ok(key) = write_key(&place.group, &place.topic, place.partition) else { return };
            let Ok(value) = write_value(&offset) else { return };
            let Ok(Read::Offset(again, Some(written))) = read(&key, Some(&value)) else { panic!("what was written is read") };
            assert_eq!((again, written.offset, &written.metadata), (place, offset.offset, &offset.metadata));
        }
        Ok(_) => assert!(applied == Ok(Applied::Other) && table.is_empty()),
        Err(error) => assert!(!error.to_string().is_empty() && applied.is_err() && table.is_empty()),
    }
});
