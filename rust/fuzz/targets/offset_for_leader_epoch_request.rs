//! `OffsetForLeaderEpoch`.
#![no_main]

use libfuzzer_sys::fuzz_target;
use ottla_core::wire::offset_for_leader_epoch::OffsetForLeaderEpochRequest;
use ottla_fuzz::{allocation, request};

fuzz_target!(|input: &[u8]| {
    request(input, 23, |body, version| {
        let decoded = allocation::none_in(|| OffsetForLeaderEpochRequest::decode(body, version));
        assert!(decoded.is_err() || !format!("{decoded:?}").is_empty());
    });
});
