//! Zstandard (RFC 8878), one or more frames, as `zstd-jni` reads them: bytes after a frame must be another frame.

use zstd::zstd_safe::{DCtx, DParameter, InBuffer, OutBuffer, ResetDirective};

use super::CompressionFault;

/// The largest window a frame may ask for, as a power of two: the library's own bound for streams, which the highest
/// level that Kafka's producers offer just reaches. The memory is touched only as far as a batch fills it.
const WINDOW_LOG_MAX: u32 = 27;
/// Kafka's default level.
const DEFAULT_LEVEL: i32 = 3;

pub(super) struct Reader<'s, 'i> {
    input: &'i [u8],
    state: &'s mut DCtx<'static>,
    between_frames: bool,
}

/// Bytes that a decoder's state holds.
pub(super) fn state_bytes(state: &DCtx<'static>) -> usize {
    state.sizeof()
}

impl<'s, 'i> Reader<'s, 'i> {
    pub(super) fn new(input: &'i [u8], state: &'s mut Option<DCtx<'static>>) -> Result<Self, CompressionFault> {
        let refused = |_| CompressionFault::Malformed("the zstd decoder could not be prepared");
        let state = match state {
            Some(state) => state,
            None => state.insert(DCtx::create()),
        };
        state.reset(ResetDirective::SessionOnly).map_err(refused)?;
        state.set_parameter(DParameter::WindowLogMax(WINDOW_LOG_MAX)).map_err(refused)?;
        Ok(Self { input, state, between_frames: true })
    }

    pub(super) fn read(&mut self, out: &mut [u8]) -> Result<usize, CompressionFault> {
        loop {
            if self.between_frames && self.input.is_empty() {
                return Ok(0);
            }
            let mut source = InBuffer::around(self.input);
            let mut target = OutBuffer::around(&mut *out);
            let expected = self
                .state
                .decompress_stream(&mut target, &mut source)
                .map_err(|_| CompressionFault::Malformed("invalid zstd frame"))?;
            let (taken, given) = (source.pos(), target.pos());
            self.input = &self.input[taken..];
            self.between_frames = expected == 0;
            if given > 0 {
                return Ok(given);
            }
            if taken == 0 && !self.between_frames {
                return Err(CompressionFault::Malformed("Truncated source"));
            }
        }
    }
}

pub(super) fn write(level: Option<i32>, input: &[u8], out: &mut Vec<u8>) -> Result<(), CompressionFault> {
    let compressed =
        zstd::bulk::compress(input, level.unwrap_or(DEFAULT_LEVEL)).map_err(|_| CompressionFault::Unencodable)?;
    out.extend_from_slice(&compressed);
    Ok(())
}
