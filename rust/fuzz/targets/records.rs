//! The records of an uncompressed batch, as they lie. The first byte is their number.
#![no_main]

use libfuzzer_sys::fuzz_target;
use ottla_core::batch::records::Records;
use ottla_fuzz::allocation;

fuzz_target!(|input: &[u8]| {
    let Some((&count, bytes)) = input.split_first() else { return };
    allocation::none_in(|| {
        let mut size = 0;
        for record in Records::new(i32::from(count as i8), bytes).flatten() {
            let headers =
                record.headers.into_iter().map(|(key, value)| key.len() + value.map_or(0, <[u8]>::len)).sum::<usize>();
            assert!(headers + record.key.map_or(0, <[u8]>::len) + record.value.map_or(0, <[u8]>::len) < record.size);
            size += record.size;
        }
        assert!(size <= bytes.len());
    });
});
