use super::*;
use proptest::prelude::*;

const CODECS: [Codec; 5] = [Codec::None, Codec::Gzip, Codec::Snappy, Codec::Lz4, Codec::Zstd];
const COMPRESSING: [Codec; 4] = [Codec::Gzip, Codec::Snappy, Codec::Lz4, Codec::Zstd];

fn compressed(codec: Codec, input: &[u8]) -> Vec<u8> {
    let mut out = Vec::new();
    compress(codec, None, input, &mut out).unwrap();
    out
}

/// Reads through the window, in steps of at most `step` bytes.
fn streamed(
    scratch: &mut Scratch,
    codec: Codec,
    input: &[u8],
    limit: usize,
    step: usize,
) -> Result<Vec<u8>, CompressionFault> {
    let mut inflow = scratch.open(codec, input, limit)?;
    let mut out = Vec::new();
    while inflow.require(1)? {
        let now = inflow.available().len().min(step);
        out.extend_from_slice(&inflow.available()[..now]);
        inflow.consume(now);
    }
    Ok(out)
}

/// Both ways of reading, which must agree.
fn decompressed(codec: Codec, input: &[u8]) -> Result<Vec<u8>, CompressionFault> {
    let mut scratch = Scratch::default();
    let whole = scratch.decompress(codec, input, 10 << 20).map(<[u8]>::to_vec);
    assert_eq!(streamed(&mut scratch, codec, input, 10 << 20, usize::MAX), whole);
    whole
}

fn malformed(codec: Codec, input: &[u8]) -> &'static str {
    match decompressed(codec, input) {
        Err(CompressionFault::Malformed(rule)) => rule,
        other => panic!("{codec:?}: {other:?}"),
    }
}

/// Bytes that compress a little: runs of one byte between noise.
fn texture() -> impl Strategy<Value = Vec<u8>> {
    prop::collection::vec((any::<u8>(), 0_usize..3_000, prop::collection::vec(any::<u8>(), 0..300)), 0..40).prop_map(
        |parts| {
            let mut out = Vec::new();
            for (byte, run, noise) in parts {
                out.resize(out.len() + run, byte);
                out.extend(noise);
            }
            out
        },
    )
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(48))]

    #[test]
    fn what_is_compressed_comes_back(input in texture(), step in 1_usize..5_000, level in prop::option::of(-2..12)) {
        let mut scratch = Scratch::default();
        for codec in CODECS {
            let mut packed = Vec::new();
            compress(codec, level, &input, &mut packed).unwrap();
            prop_assert_eq!(scratch.decompress(codec, &packed, input.len()).unwrap(), &input);
            prop_assert_eq!(&streamed(&mut scratch, codec, &packed, input.len(), step).unwrap(), &input);
            if let Some(below) = input.len().checked_sub(1) {
                let too_large = CompressionFault::TooLarge { limit: below };
                prop_assert_eq!(scratch.decompress(codec, &packed, below).unwrap_err(), too_large);
                prop_assert_eq!(streamed(&mut scratch, codec, &packed, below, step).unwrap_err(), too_large);
            }
        }
    }

    #[test]
    fn any_bytes_are_answered(input: Vec<u8>) {
        let mut scratch = Scratch::default();
        for codec in COMPRESSING {
            let _ = scratch.decompress(codec, &input, 1 << 20);
            let _ = streamed(&mut scratch, codec, &input, 1 << 20, 100);
        }
    }

    #[test]
    fn mutated_streams_are_answered(
        input in texture(),
        changes in prop::collection::vec((any::<prop::sample::Index>(), any::<u8>()), 1..4),
        cut in prop::option::of(any::<prop::sample::Index>()),
    ) {
        let mut scratch = Scratch::default();
        for codec in COMPRESSING {
            let mut packed = compressed(codec, &input);
            for (at, to) in &changes {
                let at = at.index(packed.len());
                packed[at] = *to;
            }
            if let Some(cut) = cut {
                packed.truncate(cut.index(packed.len()));
            }
            let whole = scratch.decompress(codec, &packed, 1 << 20).map(<[u8]>::to_vec);
            let parts = streamed(&mut scratch, codec, &packed, 1 << 20, 1_000);
            prop_assert_eq!(whole.is_ok(), parts.is_ok());
            if let (Ok(whole), Ok(parts)) = (whole, parts) {
                prop_assert_eq!(whole, parts);
            }
            // A state that saw an error works on.
            let good = compressed(codec, b"good");
            prop_assert_eq!(scratch.decompress(codec, &good, 10).unwrap(), b"good");
        }
    }
}

#[test]
fn bombs_cost_no_more_than_the_limit() {
    let zeros = vec![0; 64 << 20];
    for codec in COMPRESSING {
        let packed = compressed(codec, &zeros);
        let mut scratch = Scratch::default();
        let limit = 1 << 20;
        let fault = streamed(&mut scratch, codec, &packed, limit, usize::MAX).unwrap_err();
        assert_eq!(fault, CompressionFault::TooLarge { limit });
        let held = scratch.bytes();
        // zstd asks for the window of its frame, 2 MiB at this level.
        assert!(held < 4 << 20, "{codec:?} holds {held} bytes");
        assert_eq!(scratch.decompress(codec, &packed, limit).unwrap_err(), CompressionFault::TooLarge { limit });
    }
}

#[test]
fn scratch_gives_back_what_it_does_not_usually_need() {
    let mut scratch = Scratch::default();
    let packed = compressed(Codec::Gzip, &vec![7; 20 << 20]);
    scratch.decompress(Codec::Gzip, &packed, 30 << 20).unwrap();
    assert!(scratch.bytes() > 16 << 20);
    scratch.trim();
    assert!(scratch.bytes() <= KEPT_BYTES + WINDOW_BYTES);
}

#[test]
fn gzip_takes_members_in_a_row_and_overlooks_what_follows() {
    let (one, two) = (compressed(Codec::Gzip, b"one"), compressed(Codec::Gzip, b"two"));
    assert_eq!(decompressed(Codec::Gzip, &[&one[..], &two].concat()).unwrap(), b"onetwo");
    assert_eq!(decompressed(Codec::Gzip, &[&one[..], b"garbage behind"].concat()).unwrap(), b"one");
    assert_eq!(malformed(Codec::Gzip, b""), "Not in GZIP format");
    assert_eq!(malformed(Codec::Gzip, b"not gzip at all"), "Not in GZIP format");
    assert_eq!(malformed(Codec::Gzip, &one[..one.len() - 9]), "Unexpected end of ZLIB input stream");
    assert_eq!(malformed(Codec::Gzip, &one[..one.len() - 1]), "Unexpected end of GZIP trailer");
    let mut flipped = one;
    *flipped.last_mut().unwrap() ^= 1;
    assert_eq!(malformed(Codec::Gzip, &flipped), "Corrupt GZIP trailer");
}

#[test]
fn gzip_passes_over_the_optional_parts_of_a_header() {
    let plain = compressed(Codec::Gzip, b"text");
    let mut full = vec![0x1f, 0x8b, 8, 2 | 4 | 8 | 16, 0, 0, 0, 0, 0, 255];
    full.extend(b"\x03\x00abcname\0comment\0\x12\x34");
    full.extend(&plain[10..]);
    assert_eq!(decompressed(Codec::Gzip, &full).unwrap(), b"text");
    assert_eq!(malformed(Codec::Gzip, &full[..20]), "Not in GZIP format");
}

#[test]
fn snappy_is_taken_framed_and_bare() {
    let input = [b"some text, some text".repeat(5_000), vec![1, 2, 3]].concat();
    let bare = snap::raw::Encoder::new().compress_vec(&input).unwrap();
    assert_eq!(decompressed(Codec::Snappy, &bare).unwrap(), input);
    let framed = compressed(Codec::Snappy, &input);
    assert_eq!(&framed[..16], b"\x82SNAPPY\0\0\0\0\x01\0\0\0\x01");
    assert_eq!(decompressed(Codec::Snappy, &framed).unwrap(), input);
    // Streams that were joined, and up to three bytes too many.
    let joined = [&framed[..], &compressed(Codec::Snappy, b"next"), &[0, 0, 0]].concat();
    assert_eq!(decompressed(Codec::Snappy, &joined).unwrap(), [&input[..], b"next"].concat());
    assert_eq!(malformed(Codec::Snappy, b""), "Cannot decompress empty stream");
    assert_eq!(malformed(Codec::Snappy, &framed[..framed.len() - 1]), "failed to read a snappy block");
    let mut old = framed;
    old[11] = 0;
    assert_eq!(malformed(Codec::Snappy, &old), "compressed with an incompatible snappy codec version");
}

#[test]
fn a_snappy_block_that_claims_more_than_it_can_hold_allocates_nothing() {
    // Says that 9 MiB follow, in three bytes.
    let mut lie = vec![0x80, 0x80, 0xC0, 0x04];
    lie.extend([0, 1, 2]);
    let mut scratch = Scratch::default();
    assert!(streamed(&mut scratch, Codec::Snappy, &lie, 10 << 20, 1).is_err());
    assert!(scratch.bytes() <= WINDOW_BYTES);
}

fn lz4_frame(flags: u8, sizes: u8, content_size: &[u8], blocks: &[u8]) -> Vec<u8> {
    let described = [&[flags, sizes][..], content_size].concat();
    let checksum = (twox_hash::XxHash32::oneshot(0, &described) >> 8) as u8;
    [&[4, 0x22, 0x4d, 0x18][..], &described, &[checksum], blocks].concat()
}

#[test]
fn lz4_frames_as_other_clients_write_them() {
    use lz4_flex::frame::{BlockMode, BlockSize, FrameEncoder, FrameInfo};
    use std::io::Write;

    let input = b"the same line again and again\n".repeat(20_000);
    for size in [BlockSize::Max64KB, BlockSize::Max256KB, BlockSize::Max1MB, BlockSize::Max4MB] {
        for checksums in [false, true] {
            let frame = FrameInfo::new()
                .block_mode(BlockMode::Independent)
                .block_size(size)
                .block_checksums(checksums)
                .content_checksum(checksums)
                .content_size(checksums.then_some(input.len() as u64));
            let mut encoder = FrameEncoder::with_frame_info(frame, Vec::new());
            encoder.write_all(&input).unwrap();
            let mut packed = encoder.finish().unwrap();
            assert_eq!(decompressed(Codec::Lz4, &packed).unwrap(), input);
            packed.extend(b"behind the end mark");
            assert_eq!(decompressed(Codec::Lz4, &packed).unwrap(), input);
        }
    }
}

#[test]
fn lz4_refuses_what_java_refuses() {
    let stored = [&3_u32.to_le_bytes()[..3], &[0x80], b"abc", &[0; 4]].concat();
    let good = lz4_frame(0x60, 0x40, &[], &stored);
    assert_eq!(decompressed(Codec::Lz4, &good).unwrap(), b"abc");
    assert_eq!(malformed(Codec::Lz4, &good[..good.len() - 1]), "Stream ended prematurely");
    assert_eq!(malformed(Codec::Lz4, &good[..6]), "Stream ended prematurely");
    let broken = |change: fn(&mut Vec<u8>)| {
        let mut bytes = good.clone();
        change(&mut bytes);
        malformed(Codec::Lz4, &bytes)
    };
    assert_eq!(broken(|bytes| bytes[0] = 5), "Stream unsupported (invalid magic bytes)");
    assert_eq!(broken(|bytes| bytes[6] ^= 1), "Stream frame descriptor corrupted");
    assert_eq!(malformed(Codec::Lz4, &lz4_frame(0x40, 0x40, &[], &stored)), "Dependent block stream is unsupported");
    assert_eq!(malformed(Codec::Lz4, &lz4_frame(0xA0, 0x40, &[], &stored)), "Version of the lz4 frame is unsupported");
    assert_eq!(malformed(Codec::Lz4, &lz4_frame(0x61, 0x40, &[], &stored)), "Reserved bits must be 0");
    assert_eq!(malformed(Codec::Lz4, &lz4_frame(0x60, 0x30, &[], &stored)), "Block size value must be between 4 and 7");
    let large = [&100_000_u32.to_le_bytes()[..], &vec![0; 100_000]].concat();
    assert_eq!(malformed(Codec::Lz4, &lz4_frame(0x60, 0x40, &[], &large)), "Block size exceeded max");
    let unchecked = [&stored[..7], &[1, 2, 3, 4], &[0; 4]].concat();
    assert_eq!(malformed(Codec::Lz4, &lz4_frame(0x70, 0x40, &[], &unchecked)), "Block checksum mismatch");
    // With the content's size in the header and its checksum at the end, neither of them looked at.
    assert_eq!(malformed(Codec::Lz4, &lz4_frame(0x6C, 0x40, &[9; 8], &stored)), "Stream ended prematurely");
    let ended = [&stored[..], &[1, 2, 3, 4]].concat();
    assert_eq!(decompressed(Codec::Lz4, &lz4_frame(0x6C, 0x40, &[9; 8], &ended)).unwrap(), b"abc");
}

#[test]
fn zstd_takes_frames_in_a_row_and_nothing_else() {
    let (one, two) = (compressed(Codec::Zstd, b"one"), compressed(Codec::Zstd, b"two"));
    assert_eq!(decompressed(Codec::Zstd, &[&one[..], &two].concat()).unwrap(), b"onetwo");
    assert_eq!(decompressed(Codec::Zstd, &[]).unwrap(), b"");
    assert_eq!(malformed(Codec::Zstd, &[&one[..], b"garbage behind"].concat()), "invalid zstd frame");
    assert_eq!(malformed(Codec::Zstd, &one[..one.len() - 1]), "Truncated source");
}

#[test]
fn zstd_windows_above_the_limit_are_refused() {
    // A frame header that asks for a window of 2^31 bytes, then an empty last block.
    let frame = [0x28, 0xB5, 0x2F, 0xFD, 0, (31 - 10) << 3, 1, 0, 0];
    assert_eq!(malformed(Codec::Zstd, &frame), "invalid zstd frame");
    let frame = [0x28, 0xB5, 0x2F, 0xFD, 0, (27 - 10) << 3, 1, 0, 0];
    assert_eq!(decompressed(Codec::Zstd, &frame).unwrap(), b"");
}
