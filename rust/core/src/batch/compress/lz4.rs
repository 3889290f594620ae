//! The LZ4 frame format as Kafka's `Lz4BlockInputStream` reads it: one frame of independent blocks, header and block
//! checksums verified, content size and content checksum passed over, bytes after the end mark ignored. Frames of
//! blocks that depend on each other are refused, since no Java consumer could read them.

use std::io::Write;

use lz4_flex::block::decompress_into;
use lz4_flex::frame::{BlockMode, BlockSize, FrameEncoder, FrameInfo};
use twox_hash::XxHash32;

use super::{CompressionFault, hand_over};

const MAGIC: [u8; 4] = 0x184D_2204_u32.to_le_bytes();
const FLAG_BLOCK_INDEPENDENCE: u8 = 1 << 5;
const FLAG_BLOCK_CHECKSUM: u8 = 1 << 4;
const FLAG_CONTENT_SIZE: u8 = 1 << 3;
const FLAG_CONTENT_CHECKSUM: u8 = 1 << 2;
const FLAGS_RESERVED: u8 = 3;
const UNCOMPRESSED: u32 = 1 << 31;
/// The most bytes that one byte of a block can stand for: each byte of a match length adds 255.
const EXPANSION_MAX: usize = 256;

const TRUNCATED: CompressionFault = CompressionFault::Malformed("Stream ended prematurely");

pub(super) struct Reader<'s, 'i> {
    input: &'i [u8],
    flags: u8,
    block_bytes_max: usize,
    /// What is left of a block that was stored uncompressed.
    stored: &'i [u8],
    block: &'s mut Vec<u8>,
    start: usize,
    end: usize,
    ended: bool,
}

impl<'s, 'i> Reader<'s, 'i> {
    pub(super) fn new(input: &'i [u8], block: &'s mut Vec<u8>) -> Result<Self, CompressionFault> {
        if input.len() < 7 {
            return Err(TRUNCATED);
        }
        let Some(descriptor) = input.strip_prefix(&MAGIC) else {
            return Err(CompressionFault::Malformed("Stream unsupported (invalid magic bytes)"));
        };
        let &[flags, sizes, ..] = descriptor else { return Err(TRUNCATED) };
        if flags & FLAGS_RESERVED != 0 || sizes & 0b1000_1111 != 0 {
            return Err(CompressionFault::Malformed("Reserved bits must be 0"));
        }
        if flags & FLAG_BLOCK_INDEPENDENCE == 0 {
            return Err(CompressionFault::Malformed("Dependent block stream is unsupported"));
        }
        if flags >> 6 != 1 {
            return Err(CompressionFault::Malformed("Version of the lz4 frame is unsupported"));
        }
        let block_bytes_max = match sizes >> 4 {
            size @ 4..=7 => 1 << (2 * size + 8),
            _ => return Err(CompressionFault::Malformed("Block size value must be between 4 and 7")),
        };
        let described = if flags & FLAG_CONTENT_SIZE == 0 { 2 } else { 10 };
        let (described, rest) = descriptor.split_at_checked(described).ok_or(TRUNCATED)?;
        let (checksum, rest) = rest.split_first().ok_or(TRUNCATED)?;
        if *checksum != (XxHash32::oneshot(0, described) >> 8) as u8 {
            return Err(CompressionFault::Malformed("Stream frame descriptor corrupted"));
        }
        Ok(Self { input: rest, flags, block_bytes_max, stored: &[], block, start: 0, end: 0, ended: false })
    }

    fn take<const N: usize>(&mut self) -> Result<[u8; N], CompressionFault> {
        let (taken, rest) = self.input.split_first_chunk::<N>().ok_or(TRUNCATED)?;
        self.input = rest;
        Ok(*taken)
    }

    /// Decodes the next block, straight to `out` if it surely fits there; says how many bytes went to `out`.
    fn read_block(&mut self, out: &mut [u8]) -> Result<usize, CompressionFault> {
        let word = u32::from_le_bytes(self.take()?);
        let size = (word & !UNCOMPRESSED) as usize;
        if size == 0 {
            self.ended = true;
            if self.flags & FLAG_CONTENT_CHECKSUM != 0 {
                self.take::<4>()?;
            }
            return Ok(0);
        }
        if size > self.block_bytes_max {
            return Err(CompressionFault::Malformed("Block size exceeded max"));
        }
        let (data, rest) = self.input.split_at_checked(size).ok_or(TRUNCATED)?;
        self.input = rest;
        if self.flags & FLAG_BLOCK_CHECKSUM != 0 && self.take()? != XxHash32::oneshot(0, data).to_le_bytes() {
            return Err(CompressionFault::Malformed("Block checksum mismatch"));
        }
        if word & UNCOMPRESSED != 0 {
            self.stored = data;
            return Ok(0);
        }
        let most = self.block_bytes_max.min(size.saturating_mul(EXPANSION_MAX));
        let invalid = |_| CompressionFault::Malformed("invalid lz4 block");
        if let Some(direct) = out.get_mut(..most) {
            return decompress_into(data, direct).map_err(invalid);
        }
        if self.block.len() < most {
            self.block.resize(most, 0);
        }
        self.start = 0;
        self.end = decompress_into(data, &mut self.block[..most]).map_err(invalid)?;
        Ok(0)
    }

    pub(super) fn read(&mut self, out: &mut [u8]) -> Result<usize, CompressionFault> {
        loop {
            if !self.stored.is_empty() {
                return Ok(hand_over(&mut self.stored, out));
            }
            if self.start < self.end {
                let mut left = &self.block[self.start..self.end];
                let given = hand_over(&mut left, out);
                self.start += given;
                return Ok(given);
            }
            if self.ended {
                return Ok(0);
            }
            let direct = self.read_block(out)?;
            if direct > 0 {
                return Ok(direct);
            }
        }
    }
}

pub(super) fn write(input: &[u8], out: &mut Vec<u8>) -> Result<(), CompressionFault> {
    let frame = FrameInfo::new().block_mode(BlockMode::Independent).block_size(BlockSize::Max64KB);
    let mut encoder = FrameEncoder::with_frame_info(frame, out);
    encoder.write_all(input).map_err(|_| CompressionFault::Unencodable)?;
    encoder.finish().map_err(|_| CompressionFault::Unencodable)?;
    Ok(())
}
