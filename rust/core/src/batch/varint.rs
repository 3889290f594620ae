//! Zig-zag variable-length integers, seven bits a byte, low group first (Kafka class `ByteUtils`).
//!
//! At most 5 bytes for 32 bits and 10 for 64; like Kafka, bits of the last byte that do not fit are dropped.

/// Why no integer could be read.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum VarintFault {
    /// The bytes end inside the integer.
    Truncated,
    /// The integer goes on after its last possible byte.
    TooLong,
}

const fn zigzag_decode_32(raw: u32) -> i32 {
    (raw >> 1) as i32 ^ -((raw & 1) as i32)
}

const fn zigzag_decode_64(raw: u64) -> i64 {
    (raw >> 1) as i64 ^ -((raw & 1) as i64)
}

const fn zigzag_encode_32(value: i32) -> u32 {
    ((value << 1) ^ (value >> 31)) as u32
}

const fn zigzag_encode_64(value: i64) -> u64 {
    ((value << 1) ^ (value >> 63)) as u64
}

/// Reads a 32-bit integer from the front of `bytes` and moves `bytes` behind it; they stay when it fails.
#[inline]
pub fn read_varint(bytes: &mut &[u8]) -> Result<i32, VarintFault> {
    if let [byte, rest @ ..] = *bytes
        && *byte < 0x80
    {
        *bytes = rest;
        return Ok(zigzag_decode_32(u32::from(*byte)));
    }
    let mut raw = 0_u32;
    for (index, byte) in bytes.iter().take(5).enumerate() {
        raw |= u32::from(byte & 0x7f) << (7 * index);
        if *byte < 0x80 {
            *bytes = &bytes[index + 1..];
            return Ok(zigzag_decode_32(raw));
        }
    }
    Err(if bytes.len() < 5 { VarintFault::Truncated } else { VarintFault::TooLong })
}

/// Reads a 64-bit integer from the front of `bytes` and moves `bytes` behind it; they stay when it fails.
#[inline]
pub fn read_varlong(bytes: &mut &[u8]) -> Result<i64, VarintFault> {
    if let [byte, rest @ ..] = *bytes
        && *byte < 0x80
    {
        *bytes = rest;
        return Ok(zigzag_decode_64(u64::from(*byte)));
    }
    let mut raw = 0_u64;
    for (index, byte) in bytes.iter().take(10).enumerate() {
        raw |= u64::from(byte & 0x7f) << (7 * index);
        if *byte < 0x80 {
            *bytes = &bytes[index + 1..];
            return Ok(zigzag_decode_64(raw));
        }
    }
    Err(if bytes.len() < 10 { VarintFault::Truncated } else { VarintFault::TooLong })
}

/// Appends a 32-bit integer.
pub fn write_varint(out: &mut Vec<u8>, value: i32) {
    let mut raw = zigzag_encode_32(value);
    while raw >= 0x80 {
        out.push(raw as u8 | 0x80);
        raw >>= 7;
    }
    out.push(raw as u8);
}

/// Appends a 64-bit integer.
pub fn write_varlong(out: &mut Vec<u8>, value: i64) {
    let mut raw = zigzag_encode_64(value);
    while raw >= 0x80 {
        out.push(raw as u8 | 0x80);
        raw >>= 7;
    }
    out.push(raw as u8);
}

/// How many bytes [`write_varint`] appends.
#[must_use]
pub const fn varint_len(value: i32) -> usize {
    let bits = 32 - (zigzag_encode_32(value) | 1).leading_zeros() as usize;
    bits.div_ceil(7)
}

/// How many bytes [`write_varlong`] appends.
#[must_use]
pub const fn varlong_len(value: i64) -> usize {
    let bits = 64 - (zigzag_encode_64(value) | 1).leading_zeros() as usize;
    bits.div_ceil(7)
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    proptest! {
        #[test]
        fn integers_survive(small: i32, large: i64, rest: Vec<u8>) {
            let mut bytes = Vec::new();
            write_varint(&mut bytes, small);
            prop_assert_eq!(bytes.len(), varint_len(small));
            write_varlong(&mut bytes, large);
            prop_assert_eq!(bytes.len(), varint_len(small) + varlong_len(large));
            bytes.extend(&rest);
            let mut left = &bytes[..];
            prop_assert_eq!(read_varint(&mut left), Ok(small));
            prop_assert_eq!(read_varlong(&mut left), Ok(large));
            prop_assert_eq!(left, &rest[..]);
        }

        #[test]
        fn reading_takes_no_more_than_it_may(bytes in proptest::collection::vec(prop_oneof![any::<u8>(), Just(0xff)], 0..12)) {
            let mut left = &bytes[..];
            match read_varint(&mut left) {
                Ok(_) => prop_assert!((1..=5).contains(&(bytes.len() - left.len()))),
                Err(VarintFault::Truncated) => prop_assert!(left.len() == bytes.len() && bytes.len() < 5),
                Err(VarintFault::TooLong) => prop_assert!(bytes.len() >= 5 && bytes[..5].iter().all(|b| *b >= 0x80)),
            }
            let mut left = &bytes[..];
            match read_varlong(&mut left) {
                Ok(_) => prop_assert!((1..=10).contains(&(bytes.len() - left.len()))),
                Err(VarintFault::Truncated) => prop_assert!(left.len() == bytes.len() && bytes.len() < 10),
                Err(VarintFault::TooLong) => prop_assert!(bytes.len() >= 10 && bytes[..10].iter().all(|b| *b >= 0x80)),
            }
        }
    }

    #[test]
    fn known_encodings() {
        for (value, expected) in [
            (0, &[0][..]),
            (-1, &[1]),
            (1, &[2]),
            (63, &[0x7e]),
            (-64, &[0x7f]),
            (64, &[0x80, 0x01]),
            (i32::MAX, &[0xfe, 0xff, 0xff, 0xff, 0x0f]),
            (i32::MIN, &[0xff, 0xff, 0xff, 0xff, 0x0f]),
        ] {
            let mut bytes = Vec::new();
            write_varint(&mut bytes, value);
            assert_eq!(bytes, expected);
        }
    }
}
