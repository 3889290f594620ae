//! Metadata.
#![no_main]

use libfuzzer_sys::fuzz_target;
use ottla_core::wire::metadata::MetadataRequest;
use ottla_fuzz::{allocation, request};

fuzz_target!(|input: &[u8]| {
    request(input, 3, |body, version| {
        let decoded = allocation::none_in(|| MetadataRequest::decode(body, version));
        assert!(decoded.is_err() || !format!("{decoded:?}").is_empty());
    });
});
