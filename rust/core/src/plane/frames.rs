//! From a stream of bytes to frames: int32 length, then so many bytes.
//!
//! Frames that came in whole are handled where they were read; only what is left over is kept. Memory follows what
//! arrived, never what a length claims.

/// A length that no frame can have; the connection ends.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct BadLength {
    /// What the client sent.
    pub length: i32,
    /// What is accepted.
    pub limit: usize,
}

impl std::fmt::Display for BadLength {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "frame length {} is not between 0 and {} (socket.request.max.bytes)", self.length, self.limit)
    }
}

/// Room that is made for a frame ahead of its bytes; beyond it the buffer grows as they come.
const AHEAD_BYTES: usize = 1024 * 1024;

/// Bytes that arrived and were not handled yet.
#[derive(Debug, Default)]
pub struct Frames {
    kept: Vec<u8>,
    start: usize,
}

/// A frame, and what is behind it.
pub type FrameAndRest<'a> = (&'a [u8], &'a [u8]);

/// Splits the first frame off `bytes`; none when it is not whole.
pub fn split_frame(bytes: &[u8], limit: usize) -> Result<Option<FrameAndRest<'_>>, BadLength> {
    let Some((prefix, rest)) = bytes.split_first_chunk::<4>() else { return Ok(None) };
    let length = i32::from_be_bytes(*prefix);
    let wanted = usize::try_from(length).ok().filter(|wanted| *wanted <= limit).ok_or(BadLength { length, limit })?;
    Ok(rest.split_at_checked(wanted))
}

impl Frames {
    /// Whether nothing is kept.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.start == self.kept.len()
    }

    /// Keeps `bytes` for later.
    pub fn keep(&mut self, bytes: &[u8]) {
        self.compact();
        self.kept.extend_from_slice(bytes);
    }

    /// The kept bytes, not yet split.
    #[must_use]
    pub fn kept(&self) -> &[u8] {
        &self.kept[self.start..]
    }

    /// `count` of the kept bytes were handled.
    pub fn consume(&mut self, count: usize) {
        self.start += count;
        debug_assert!(self.start <= self.kept.len());
        if self.is_empty() {
            self.start = 0;
            if self.kept.capacity() > 4 * AHEAD_BYTES {
                self.kept = Vec::new();
            } else {
                self.kept.clear();
            }
        }
    }

    /// A buffer to read more of an incomplete frame into, with room for its rest as far as it is prudent; none when
    /// nothing is kept.
    pub fn room(&mut self) -> Option<&mut Vec<u8>> {
        if self.is_empty() {
            return None;
        }
        self.compact();
        let missing = match self.kept.first_chunk::<4>() {
            Some(prefix) => {
                (usize::try_from(i32::from_be_bytes(*prefix)).unwrap_or(0) + 4).saturating_sub(self.kept.len())
            }
            None => 4,
        };
        self.kept.reserve(missing.clamp(64, AHEAD_BYTES));
        Some(&mut self.kept)
    }

    /// Gives back memory that an idle connection does not need.
    pub fn shrink(&mut self) {
        if self.is_empty() && self.kept.capacity() > 0 {
            *self = Self::default();
        }
    }

    fn compact(&mut self) {
        if self.start > 0 {
            self.kept.drain(..self.start);
            self.start = 0;
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn lying_lengths_are_refused_before_any_memory_is_taken() {
        assert_eq!(split_frame(&[0xff, 0, 0, 0], 100).unwrap_err().length, -0x0100_0000);
        assert_eq!(split_frame(&[0x7f, 0xff, 0xff, 0xff], 100).unwrap_err().length, i32::MAX);
        assert_eq!(split_frame(&[0, 0], 100), Ok(None));
        assert_eq!(split_frame(&[0, 0, 0, 0, 9], 100), Ok(Some((&[][..], &[9][..]))));
    }

    #[test]
    fn room_is_bounded_by_prudence() {
        let mut frames = Frames::default();
        frames.keep(&[0x06, 0, 0, 0, 1]);
        assert!(frames.room().unwrap().capacity() <= 4 * AHEAD_BYTES);
    }

    proptest! {
        /// However the stream is cut, the same frames come out.
        #[test]
        fn cuts_do_not_matter(frames in proptest::collection::vec(proptest::collection::vec(any::<u8>(), 0..40), 0..20),
                              cuts in proptest::collection::vec(1usize..30, 1..40)) {
            let mut stream = Vec::new();
            for frame in &frames {
                stream.extend((frame.len() as i32).to_be_bytes());
                stream.extend(frame);
            }
            let (mut kept, mut seen, mut rest, mut cuts) = (Frames::default(), Vec::new(), &stream[..], cuts.iter().cycle());
            while !rest.is_empty() {
                let (piece, later) = rest.split_at((*cuts.next().unwrap()).min(rest.len()));
                rest = later;
                kept.keep(piece);
                while let Some((frame, left)) = split_frame(kept.kept(), 1000).unwrap() {
                    seen.push(frame.to_vec());
                    let used = kept.kept().len() - left.len();
                    kept.consume(used);
                }
            }
            prop_assert_eq!(seen, frames);
            prop_assert!(kept.is_empty());
        }
    }
}
