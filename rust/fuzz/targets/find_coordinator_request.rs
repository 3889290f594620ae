//! `FindCoordinator`.
#![no_main]

use libfuzzer_sys::fuzz_target;
use ottla_core::wire::find_coordinator::FindCoordinatorRequest;
use ottla_fuzz::{allocation, request};

fuzz_target!(|input: &[u8]| {
    request(input, 10, |body, version| {
        let decoded = allocation::none_in(|| FindCoordinatorRequest::decode(body, version));
        assert!(decoded.is_err() || !format!("{decoded:?}").is_empty());
    });
});
