//! CRC-32C (Castagnoli), which guards batches and producer snapshots.
//!
//! The polynomial arithmetic is the `crc-fast` crate's, which picks the widest instructions of the machine at run time;
//! the tests hold it against a bitwise implementation on all small lengths and alignments.

use crc_fast::{CrcAlgorithm, Digest};

/// CRC-32C of `bytes`.
#[must_use]
pub fn crc32c(bytes: &[u8]) -> u32 {
    crc_fast::crc32_iscsi(bytes)
}

/// CRC-32C of `parts`, one behind the other, without joining them in memory.
#[must_use]
pub fn crc32c_of_parts(parts: &[&[u8]]) -> u32 {
    let mut digest = Digest::new(CrcAlgorithm::Crc32Iscsi);
    for part in parts {
        digest.update(part);
    }
    digest.finalize() as u32
}

#[cfg(test)]
mod tests {
    use super::*;

    fn bitwise(bytes: &[u8]) -> u32 {
        let mut crc = u32::MAX;
        for byte in bytes {
            crc ^= u32::from(*byte);
            for _ in 0..8 {
                crc = if crc & 1 == 1 { (crc >> 1) ^ 0x82F6_3B78 } else { crc >> 1 };
            }
        }
        !crc
    }

    fn noise(len: usize) -> Vec<u8> {
        let mut state = 0x9E37_79B9_7F4A_7C15_u64;
        (0..len)
            .map(|_| {
                state = state.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
                (state >> 56) as u8
            })
            .collect()
    }

    #[test]
    fn the_check_value_of_the_catalogue() {
        assert_eq!(crc32c(b"123456789"), 0xE306_9283);
        assert_eq!(crc32c(b""), 0);
    }

    #[test]
    fn agrees_with_a_bitwise_implementation_at_each_length_and_alignment() {
        let bytes = noise(1100);
        for start in 0..17 {
            for len in (0..300).chain((300..1080).step_by(37)) {
                let slice = &bytes[start..start + len];
                assert_eq!(crc32c(slice), bitwise(slice), "start {start}, length {len}");
            }
        }
        for len in [4_095, 4_096, 65_536, 100_003] {
            let bytes = noise(len);
            assert_eq!(crc32c(&bytes), bitwise(&bytes), "length {len}");
        }
    }

    #[test]
    fn parts_make_the_whole() {
        let bytes = noise(777);
        for cut in 0..bytes.len() {
            let (head, tail) = bytes.split_at(cut);
            assert_eq!(crc32c_of_parts(&[head, &[], tail]), crc32c(&bytes), "cut {cut}");
        }
    }
}
