//! Gzip (RFC 1952) as `java.util.zip.GZIPInputStream` reads it: one or more members, each with its checksum; bytes
//! after a member that do not begin another one are ignored.

use std::io::Write;

use flate2::write::GzEncoder;
use flate2::{Compression, Crc, Decompress, FlushDecompress, Status};

use super::CompressionFault;

const HEADER_BYTES: usize = 10;
const TRAILER_BYTES: usize = 8;
const FLAG_HEADER_CHECKSUM: u8 = 2;
const FLAG_EXTRA: u8 = 4;
const FLAG_NAME: u8 = 8;
const FLAG_COMMENT: u8 = 16;

enum State {
    First,
    Body,
    Between,
    Ended,
}

pub(super) struct Reader<'s, 'i> {
    input: &'i [u8],
    inflate: &'s mut Decompress,
    checksum: Crc,
    state: State,
}

/// The bytes after a member's header; none when `input` does not begin with one.
fn after_header(input: &[u8]) -> Option<&[u8]> {
    let (fixed, mut rest) = input.split_first_chunk::<HEADER_BYTES>()?;
    let [0x1f, 0x8b, 8, flags, ..] = *fixed else { return None };
    if flags & FLAG_EXTRA != 0 {
        let (len, after) = rest.split_first_chunk::<2>()?;
        rest = after.get(usize::from(u16::from_le_bytes(*len))..)?;
    }
    for flag in [FLAG_NAME, FLAG_COMMENT] {
        if flags & flag != 0 {
            let end = rest.iter().position(|byte| *byte == 0)?;
            rest = &rest[end + 1..];
        }
    }
    if flags & FLAG_HEADER_CHECKSUM != 0 { rest.get(2..) } else { Some(rest) }
}

impl<'s, 'i> Reader<'s, 'i> {
    pub(super) fn new(input: &'i [u8], inflate: &'s mut Decompress) -> Self {
        Self { input, inflate, checksum: Crc::new(), state: State::First }
    }

    pub(super) fn read(&mut self, out: &mut [u8]) -> Result<usize, CompressionFault> {
        loop {
            match self.state {
                State::First | State::Between => match after_header(self.input) {
                    Some(body) => {
                        self.input = body;
                        self.inflate.reset(false);
                        self.checksum.reset();
                        self.state = State::Body;
                    }
                    None if matches!(self.state, State::First) => {
                        return Err(CompressionFault::Malformed("Not in GZIP format"));
                    }
                    None => self.state = State::Ended,
                },
                State::Body => {
                    if let Some(read) = self.read_body(out)? {
                        return Ok(read);
                    }
                }
                State::Ended => return Ok(0),
            }
        }
    }

    /// Bytes that came out, or none when the member ended without any.
    fn read_body(&mut self, out: &mut [u8]) -> Result<Option<usize>, CompressionFault> {
        let (taken, given) = (self.inflate.total_in(), self.inflate.total_out());
        let status = self
            .inflate
            .decompress(self.input, out, FlushDecompress::None)
            .map_err(|_| CompressionFault::Malformed("invalid deflate data"))?;
        let taken = (self.inflate.total_in() - taken) as usize;
        let given = (self.inflate.total_out() - given) as usize;
        self.input = self.input.get(taken..).unwrap_or_default();
        self.checksum.update(out.get(..given).unwrap_or_default());
        if status == Status::StreamEnd {
            self.check_trailer()?;
            self.state = State::Between;
        } else if taken == 0 && given == 0 {
            return Err(CompressionFault::Malformed("Unexpected end of ZLIB input stream"));
        }
        Ok((given > 0).then_some(given))
    }

    fn check_trailer(&mut self) -> Result<(), CompressionFault> {
        let truncated = CompressionFault::Malformed("Unexpected end of GZIP trailer");
        let (trailer, rest) = self.input.split_first_chunk::<TRAILER_BYTES>().ok_or(truncated)?;
        let expected = u64::from(self.checksum.sum()) | u64::from(self.checksum.amount()) << 32;
        if u64::from_le_bytes(*trailer) != expected {
            return Err(CompressionFault::Malformed("Corrupt GZIP trailer"));
        }
        self.input = rest;
        Ok(())
    }
}

pub(super) fn write(level: Option<i32>, input: &[u8], out: &mut Vec<u8>) -> Result<(), CompressionFault> {
    let level = match level {
        None | Some(-1) => Compression::default(),
        Some(level) => Compression::new(level.clamp(0, 9) as u32),
    };
    let mut encoder = GzEncoder::new(out, level);
    encoder.write_all(input).and_then(|()| encoder.finish()).map_err(|_| CompressionFault::Unencodable)?;
    Ok(())
}
