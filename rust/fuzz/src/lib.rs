//! What the fuzz targets share: the allocator that watches, and how an input becomes a request.
//!
//! The targets are built with coverage counters and without a sanitizer, on the stable toolchain. So what they can find
//! is what shows by itself: panics, overflows, failed assertions, hangs, and memory that no input of this size may ask for.

pub mod allocation;

use ottla_core::batch::checksum::crc32c;
use ottla_core::batch::header::{BATCH_HEADER_BYTES, CHECKSUM_START, LENGTH_PREFIX_BYTES};
use ottla_core::batch::{BatchHeader, Codec};
use ottla_core::wire::{Cursor, RequestHeader, api_of};

/// What an input may make a codec put out: a few windows of the stream.
const DECOMPRESSED_BYTES_MAX: usize = 1 << 18;

/// Hands the body and the version of a request of this API to `decode`. The key, and a version that does not exist,
/// are put right first: the search shall spend its time behind the header.
pub fn request(input: &[u8], key: i16, decode: impl FnOnce(Cursor<'_>, i16)) {
    let (Some(api), Some(rest)) = (api_of(key), input.get(4..)) else { return };
    let mut version = i16::from_be_bytes([input[2], input[3]]);
    if !api.has_version(version) {
        version = api.version_min + version.rem_euclid(api.version_max - api.version_min + 1);
    }
    let frame = [&key.to_be_bytes(), &version.to_be_bytes(), rest].concat();
    if let Ok((header, body)) = RequestHeader::decode(&frame) {
        assert_eq!((header.api.key, header.api_version), (key, version));
        decode(body, version);
    }
}

/// Decompresses in both ways that there are, the whole and the stream, and compares.
pub fn decompress(input: &[u8], codec: Codec) {
    use ottla_core::batch::compress::Scratch;
    let mut scratch = Scratch::default();
    let whole = scratch.decompress(codec, input, DECOMPRESSED_BYTES_MAX).map(<[u8]>::to_vec);
    scratch.trim();
    let streamed = {
        let mut streamed = Vec::new();
        scratch.open(codec, input, DECOMPRESSED_BYTES_MAX).and_then(|mut inflow| {
            while inflow.require(1)? {
                let available = inflow.available();
                streamed.extend_from_slice(available);
                let count = available.len();
                inflow.consume(count);
            }
            Ok(streamed)
        })
    };
    assert_eq!(
        whole.is_ok(),
        streamed.is_ok(),
        "{:?} as a whole, {:?} as a stream",
        whole.as_ref().err(),
        streamed.as_ref().err()
    );
    if let (Ok(whole), Ok(streamed)) = (whole, streamed) {
        assert!(whole.len() <= DECOMPRESSED_BYTES_MAX && whole == streamed);
    }
    scratch.trim();
    assert!(scratch.bytes() < 64 << 20, "{} bytes kept", scratch.bytes());
}

/// Puts length, magic and checksum of a batch right, so that what lies behind them is reached.
pub fn repair_batch(batch: &mut [u8]) {
    if batch.len() < BATCH_HEADER_BYTES {
        return;
    }
    let length = (batch.len() - LENGTH_PREFIX_BYTES) as u32;
    batch[..8].fill(0);
    batch[8..12].copy_from_slice(&length.to_be_bytes());
    batch[16] = 2;
    let checksum = crc32c(&batch[CHECKSUM_START..]);
    batch[17..21].copy_from_slice(&checksum.to_be_bytes());
    debug_assert!(BatchHeader::decode(batch).is_some_and(|header| header.size() == Some(batch.len())));
}

/// Puts the checksums right of all batches that stand behind each other in a segment.
pub fn repair_checksums(mut segment: &mut [u8]) {
    while let Some(size) = BatchHeader::decode(segment).and_then(|header| header.size()) {
        let Some((batch, rest)) = segment.split_at_mut_checked(size) else { return };
        let checksum = crc32c(&batch[CHECKSUM_START..]);
        batch[17..21].copy_from_slice(&checksum.to_be_bytes());
        segment = rest;
    }
}
