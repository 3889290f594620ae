//! The header of any request.
#![no_main]

use libfuzzer_sys::fuzz_target;
use ottla_core::wire::RequestHeader;

fuzz_target!(|input: &[u8]| {
    if let Ok((header, body)) = RequestHeader::decode(input) {
        assert!(body.position() + body.remaining() == input.len());
        assert_eq!(body.is_flexible(), header.api.is_flexible(header.api_version));
    }
});
