//! Snappy as the `snappy-java` streams frame it («xerial»), which is what Kafka's own clients write, and bare, as some
//! others do: bytes without the frame's magic are taken for one raw block, as `SnappyInputStream` takes them.
//!
//! Frame: 16 bytes of header (magic, version, least compatible version), then blocks of a big-endian length and a raw
//! snappy block each. A header may appear again between blocks, where streams were joined.

use snap::raw::{Decoder, Encoder, decompress_len, max_compress_len};

use super::{CompressionFault, hand_over};

const MAGIC: [u8; 8] = [0x82, b'S', b'N', b'A', b'P', b'P', b'Y', 0];
const HEADER_BYTES: usize = 16;
const VERSION: i32 = 1;
/// Bytes that go into one block when writing, as in snappy-java.
const BLOCK_BYTES: usize = 32 << 10;
/// The most bytes that one byte of a snappy block can stand for: a copy of 64 takes three.
const EXPANSION_MAX: usize = 22;

pub(super) struct Reader<'s, 'i> {
    input: &'i [u8],
    framed: bool,
    block: &'s mut Vec<u8>,
    start: usize,
    end: usize,
    limit: usize,
}

impl<'s, 'i> Reader<'s, 'i> {
    pub(super) fn new(input: &'i [u8], block: &'s mut Vec<u8>, limit: usize) -> Result<Self, CompressionFault> {
        if input.is_empty() {
            return Err(CompressionFault::Malformed("Cannot decompress empty stream"));
        }
        let mut reader = Self { input, framed: false, block, start: 0, end: 0, limit };
        if input.len() >= HEADER_BYTES && input.starts_with(&MAGIC) {
            reader.framed = true;
            reader.skip_header()?;
        }
        Ok(reader)
    }

    fn skip_header(&mut self) -> Result<(), CompressionFault> {
        let header = self.input.first_chunk::<HEADER_BYTES>().filter(|header| header.starts_with(&MAGIC));
        let Some([.., a, b, c, d, _, _, _, _]) = header else {
            return Err(CompressionFault::Malformed("encountered an invalid snappy header"));
        };
        if i32::from_be_bytes([*a, *b, *c, *d]) < VERSION {
            return Err(CompressionFault::Malformed("compressed with an incompatible snappy codec version"));
        }
        self.input = &self.input[HEADER_BYTES..];
        Ok(())
    }

    /// The next block as it is compressed; none at the end. Up to three bytes too many are overlooked, as in Java.
    fn next_block(&mut self) -> Result<Option<&'i [u8]>, CompressionFault> {
        if !self.framed {
            let all = std::mem::take(&mut self.input);
            return Ok((!all.is_empty()).then_some(all));
        }
        loop {
            let Some((length, rest)) = self.input.split_first_chunk::<4>() else { return Ok(None) };
            if MAGIC.starts_with(length) {
                self.skip_header()?;
                continue;
            }
            let length = usize::try_from(i32::from_be_bytes(*length))
                .map_err(|_| CompressionFault::Malformed("negative length of a snappy block"))?;
            let (block, rest) =
                rest.split_at_checked(length).ok_or(CompressionFault::Malformed("failed to read a snappy block"))?;
            self.input = rest;
            return Ok(Some(block));
        }
    }

    pub(super) fn read(&mut self, out: &mut [u8]) -> Result<usize, CompressionFault> {
        const INVALID: CompressionFault = CompressionFault::Malformed("invalid snappy block");
        while self.start == self.end {
            let Some(input) = self.next_block()? else { return Ok(0) };
            let len = decompress_len(input).map_err(|_| INVALID)?;
            if len > self.limit {
                return Err(CompressionFault::TooLarge { limit: self.limit });
            }
            if len > input.len().saturating_mul(EXPANSION_MAX) {
                return Err(INVALID);
            }
            if let Some(direct) = out.get_mut(..len).filter(|direct| !direct.is_empty()) {
                return Decoder::new().decompress(input, direct).map_err(|_| INVALID);
            }
            if self.block.len() < len {
                self.block.resize(len, 0);
            }
            Decoder::new().decompress(input, &mut self.block[..len]).map_err(|_| INVALID)?;
            (self.start, self.end) = (0, len);
        }
        let mut left = &self.block[self.start..self.end];
        let given = hand_over(&mut left, out);
        self.start += given;
        Ok(given)
    }
}

pub(super) fn write(input: &[u8], out: &mut Vec<u8>) -> Result<(), CompressionFault> {
    out.extend_from_slice(&MAGIC);
    out.extend_from_slice(&VERSION.to_be_bytes());
    out.extend_from_slice(&VERSION.to_be_bytes());
    let mut encoder = Encoder::new();
    for block in input.chunks(BLOCK_BYTES) {
        let start = out.len();
        out.resize(start + 4 + max_compress_len(block.len()), 0);
        let written = encoder.compress(block, &mut out[start + 4..]).map_err(|_| CompressionFault::Unencodable)?;
        out[start..start + 4].copy_from_slice(&(written as i32).to_be_bytes());
        out.truncate(start + 4 + written);
    }
    Ok(())
}
