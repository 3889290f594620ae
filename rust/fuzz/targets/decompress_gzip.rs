//! Decompression: gzip.
#![no_main]

use libfuzzer_sys::fuzz_target;
use ottla_core::batch::Codec;

fuzz_target!(|input: &[u8]| ottla_fuzz::decompress(input, Codec::Gzip));
