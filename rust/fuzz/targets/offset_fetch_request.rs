//! `OffsetFetch`.
#![no_main]

use libfuzzer_sys::fuzz_target;
use ottla_core::wire::offset_fetch::OffsetFetchRequest;
use ottla_fuzz::{allocation, request};

fuzz_target!(|input: &[u8]| {
    request(input, 9, |body, version| {
        let decoded = allocation::none_in(|| OffsetFetchRequest::decode(body, version));
        assert!(decoded.is_err() || !format!("{decoded:?}").is_empty());
    });
});
