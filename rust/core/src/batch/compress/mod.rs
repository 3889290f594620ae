//! Compression: four codecs behind one stream that never holds more than its window.
//!
//! Prior art: Kafka's `Compression` classes, which wrap Java streams and take buffers from a per-thread supplier. Ours
//! decodes from the borrowed batch into a window of a [`Scratch`] that its owner keeps between batches, so that the
//! usual batch allocates nothing, and a batch made to explode costs at most `limit` bytes of work.
//!
//! What is accepted is what Kafka's readers accept, no less and no more: a stored batch is handed to consumers as it
//! came, so leniency here would be a broken consumer there.

mod gzip;
mod lz4;
mod snappy;
mod zstd;

use std::fmt;

use super::header::Codec;

/// Bytes decompressed ahead of the reader; more than a block of any codec as producers write them.
const WINDOW_BYTES: usize = 128 << 10;

/// A [`Scratch`] gives memory above this back when a batch is done.
const KEPT_BYTES: usize = 4 << 20;

/// Why bytes could not be decompressed or compressed.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum CompressionFault {
    /// The bytes are not of the codec; says which rule they break.
    Malformed(&'static str),
    /// More bytes would come out than the limit allows.
    TooLarge { limit: usize },
    /// What was to be compressed does not fit a batch.
    Unencodable,
}

impl fmt::Display for CompressionFault {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Malformed(rule) => write!(f, "Failed to decompress record stream: {rule}"),
            Self::TooLarge { limit } => write!(f, "Record batch decompresses to more than {limit} bytes"),
            Self::Unencodable => f.write_str("Records do not fit a batch"),
        }
    }
}

impl std::error::Error for CompressionFault {}

/// Buffers and codec states for reading batches, kept by their owner (one per thread) from one batch to the next.
/// Empty until first used.
#[derive(Default)]
pub struct Scratch {
    window: Vec<u8>,
    states: States,
    /// Whole decompressed batches, of those that must be rebuilt.
    pub(super) inflated: Vec<u8>,
    /// Records written anew, of those that must be rebuilt.
    pub(super) rewritten: Vec<u8>,
}

#[derive(Default)]
struct States {
    block: Vec<u8>,
    inflate: Option<flate2::Decompress>,
    zstd: Option<::zstd::zstd_safe::DCtx<'static>>,
}

impl fmt::Debug for Scratch {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Scratch").field("bytes", &self.bytes()).finish()
    }
}

impl Scratch {
    /// Bytes held between batches.
    #[must_use]
    pub fn bytes(&self) -> usize {
        let zstd = self.states.zstd.as_ref().map_or(0, zstd::state_bytes);
        let buffers = [&self.window, &self.states.block, &self.inflated, &self.rewritten];
        zstd + buffers.iter().map(|buffer| buffer.capacity()).sum::<usize>()
    }

    /// Opens compressed bytes for reading, at most `limit` bytes of what comes out.
    pub fn open<'s, 'i>(
        &'s mut self,
        codec: Codec,
        input: &'i [u8],
        limit: usize,
    ) -> Result<Inflow<'s, 'i>, CompressionFault> {
        self.window.resize(WINDOW_BYTES, 0);
        let decoder = Decoder::open(&mut self.states, codec, input, limit)?;
        Ok(Inflow { decoder, window: &mut self.window, start: 0, end: 0, left: limit, limit, ended: false })
    }

    /// Decompresses all of `input`, at most `limit` bytes, into a buffer that [`Scratch::trim`] empties.
    pub fn decompress(&mut self, codec: Codec, input: &[u8], limit: usize) -> Result<&[u8], CompressionFault> {
        self.inflated.clear();
        let mut decoder = Decoder::open(&mut self.states, codec, input, limit)?;
        let mut filled = 0;
        loop {
            if filled == self.inflated.len() {
                // One byte more than allowed, so that the limit itself can be told from what lies above it.
                let most = limit.saturating_add(1);
                self.inflated.resize(filled.saturating_mul(2).max(WINDOW_BYTES).min(most), 0);
            }
            let read = decoder.read(&mut self.inflated[filled..])?;
            filled += read;
            if filled > limit {
                return Err(CompressionFault::TooLarge { limit });
            }
            if read == 0 {
                self.inflated.truncate(filled);
                return Ok(&self.inflated);
            }
        }
    }

    /// Gives back what an unusually large batch made it hold. Called when a batch is done.
    pub fn trim(&mut self) {
        for buffer in [&mut self.states.block, &mut self.inflated, &mut self.rewritten] {
            buffer.clear();
            buffer.shrink_to(KEPT_BYTES);
        }
        if self.states.zstd.as_ref().is_some_and(|state| zstd::state_bytes(state) > KEPT_BYTES) {
            self.states.zstd = None;
        }
    }
}

/// One codec at work. `read` fills a part of `out`, at least one byte, or says 0 at the end of the stream.
enum Decoder<'s, 'i> {
    Stored(&'i [u8]),
    Gzip(gzip::Reader<'s, 'i>),
    Snappy(snappy::Reader<'s, 'i>),
    Lz4(lz4::Reader<'s, 'i>),
    Zstd(zstd::Reader<'s, 'i>),
}

impl<'s, 'i> Decoder<'s, 'i> {
    fn open(states: &'s mut States, codec: Codec, input: &'i [u8], limit: usize) -> Result<Self, CompressionFault> {
        Ok(match codec {
            Codec::None => Self::Stored(input),
            Codec::Gzip => {
                let inflate = states.inflate.get_or_insert_with(|| flate2::Decompress::new(false));
                Self::Gzip(gzip::Reader::new(input, inflate))
            }
            Codec::Snappy => Self::Snappy(snappy::Reader::new(input, &mut states.block, limit)?),
            Codec::Lz4 => Self::Lz4(lz4::Reader::new(input, &mut states.block)?),
            Codec::Zstd => Self::Zstd(zstd::Reader::new(input, &mut states.zstd)?),
        })
    }

    fn read(&mut self, out: &mut [u8]) -> Result<usize, CompressionFault> {
        match self {
            Self::Stored(left) => Ok(hand_over(left, out)),
            Self::Gzip(reader) => reader.read(out),
            Self::Snappy(reader) => reader.read(out),
            Self::Lz4(reader) => reader.read(out),
            Self::Zstd(reader) => reader.read(out),
        }
    }
}

/// Moves as many bytes as fit from the front of `left` to `out`.
fn hand_over(left: &mut &[u8], out: &mut [u8]) -> usize {
    let count = left.len().min(out.len());
    let (now, later) = left.split_at(count);
    out[..count].copy_from_slice(now);
    *left = later;
    count
}

/// Decompressed bytes, seen through a window that moves forward.
pub struct Inflow<'s, 'i> {
    decoder: Decoder<'s, 'i>,
    window: &'s mut [u8],
    start: usize,
    end: usize,
    left: usize,
    limit: usize,
    ended: bool,
}

impl Inflow<'_, '_> {
    /// The bytes in the window that have not been consumed.
    #[inline]
    #[must_use]
    pub fn available(&self) -> &[u8] {
        &self.window[self.start..self.end]
    }

    /// Moves past `count` bytes of [`Inflow::available`].
    #[inline]
    pub fn consume(&mut self, count: usize) {
        self.start = (self.start + count).min(self.end);
    }

    /// The most bytes that can be available at once.
    #[must_use]
    pub fn window_bytes(&self) -> usize {
        self.window.len()
    }

    /// Makes more bytes available; says false when the stream has ended or the window is full.
    pub fn fill(&mut self) -> Result<bool, CompressionFault> {
        if self.start > 0 {
            self.window.copy_within(self.start..self.end, 0);
            self.end -= self.start;
            self.start = 0;
        }
        if self.ended || self.end == self.window.len() {
            return Ok(false);
        }
        let read = self.decoder.read(&mut self.window[self.end..])?;
        if read > self.left {
            return Err(CompressionFault::TooLarge { limit: self.limit });
        }
        self.left -= read;
        self.end += read;
        self.ended = read == 0;
        Ok(!self.ended)
    }

    /// Makes at least `count` bytes available, if so many are left and fit the window; says whether they are.
    pub fn require(&mut self, count: usize) -> Result<bool, CompressionFault> {
        while self.end - self.start < count {
            if !self.fill()? {
                return Ok(false);
            }
        }
        Ok(true)
    }

    /// Moves past `count` bytes; says false when the stream ends before.
    pub fn skip(&mut self, mut count: usize) -> Result<bool, CompressionFault> {
        loop {
            let step = count.min(self.end - self.start);
            self.consume(step);
            count -= step;
            if count == 0 {
                return Ok(true);
            }
            if !self.fill()? {
                return Ok(false);
            }
        }
    }

    /// Whether nothing is left. Reads on to find out, so trailing garbage is noticed where the codec would notice it.
    pub fn at_end(&mut self) -> Result<bool, CompressionFault> {
        Ok(!self.require(1)?)
    }
}

/// Appends `input`, compressed, to `out`. Without a level, the codec's own default; the codecs that have none ignore
/// it: lz4 is written by the fast method whatever the level.
pub fn compress(codec: Codec, level: Option<i32>, input: &[u8], out: &mut Vec<u8>) -> Result<(), CompressionFault> {
    match codec {
        Codec::None => {
            out.extend_from_slice(input);
            Ok(())
        }
        Codec::Gzip => gzip::write(level, input, out),
        Codec::Snappy => snappy::write(input, out),
        Codec::Lz4 => lz4::write(input, out),
        Codec::Zstd => zstd::write(level, input, out),
    }
}

#[cfg(test)]
mod tests;
