//! `OffsetCommit`.
#![no_main]

use libfuzzer_sys::fuzz_target;
use ottla_core::wire::offset_commit::OffsetCommitRequest;
use ottla_fuzz::{allocation, request};

fuzz_target!(|input: &[u8]| {
    request(input, 8, |body, version| {
        let decoded = allocation::none_in(|| OffsetCommitRequest::decode(body, version));
        assert!(decoded.is_err() || !format!("{decoded:?}").is_empty());
    });
});
