//! `ListOffsets`.
#![no_main]

use libfuzzer_sys::fuzz_target;
use ottla_core::wire::list_offsets::ListOffsetsRequest;
use ottla_fuzz::{allocation, request};

fuzz_target!(|input: &[u8]| {
    request(input, 2, |body, version| {
        let decoded = allocation::none_in(|| ListOffsetsRequest::decode(body, version));
        assert!(decoded.is_err() || !format!("{decoded:?}").is_empty());
    });
});
