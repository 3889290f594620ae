//! `ApiVersions`: the first bytes of every connection.
#![no_main]

use libfuzzer_sys::fuzz_target;
use ottla_core::wire::api_versions::ApiVersionsRequest;
use ottla_fuzz::{allocation, request};

fuzz_target!(|input: &[u8]| {
    request(input, 18, |body, version| {
        let decoded = allocation::none_in(|| ApiVersionsRequest::decode(body, version));
        assert!(decoded.is_err() || !format!("{decoded:?}").is_empty());
    });
});
