//! A type of its own for every number that could be taken for another.

use std::fmt;

macro_rules! number {
    ($(#[$doc:meta])* $name:ident($inner:ty)) => {
        $(#[$doc])*
        #[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug, Default)]
        #[repr(transparent)]
        pub struct $name(pub $inner);

        impl fmt::Display for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                fmt::Display::fmt(&self.0, f)
            }
        }

        impl From<$inner> for $name {
            fn from(value: $inner) -> Self {
                Self(value)
            }
        }
    };
}

number! {
    /// The position of a record in a partition. Ranges of offsets are half-open.
    Offset(i64)
}
number! {
    /// Counts the leaders that a partition has had; -1 is «not known».
    LeaderEpoch(i32)
}
number! {
    /// The index of a partition in its topic, from 0.
    PartitionIndex(i32)
}
number! {
    /// A node of the cluster; -1 is a consumer, -2 a debugging consumer.
    BrokerId(i32)
}
number! {
    /// Names a producer instance; -1 is a producer without one.
    ProducerId(i64)
}
number! {
    /// Counts the incarnations of a producer id; -1 is none.
    ProducerEpoch(i16)
}
number! {
    /// Numbers the records of a producer in a partition; after `i32::MAX` comes 0; -1 is none.
    Sequence(i32)
}
number! {
    /// Milliseconds since 1970 UTC; -1 is «no timestamp».
    TimestampMs(i64)
}

impl Offset {
    /// The offset `count` records later.
    #[must_use]
    pub const fn plus(self, count: i64) -> Self {
        Self(self.0 + count)
    }
}

impl LeaderEpoch {
    /// «Not known», or «do not check».
    pub const NONE: Self = Self(-1);
}

impl ProducerId {
    /// The producer is not idempotent.
    pub const NONE: Self = Self(-1);

    /// Whether a producer id was given.
    #[must_use]
    pub const fn is_some(self) -> bool {
        self.0 >= 0
    }
}

impl ProducerEpoch {
    /// No producer, no epoch.
    pub const NONE: Self = Self(-1);
}

impl Sequence {
    /// No sequence number.
    pub const NONE: Self = Self(-1);

    /// The sequence number `count` records later; 0 follows `i32::MAX`.
    #[must_use]
    pub const fn plus(self, count: i32) -> Self {
        if self.0 > i32::MAX - count { Self(count - (i32::MAX - self.0) - 1) } else { Self(self.0 + count) }
    }
}

impl TimestampMs {
    /// A record without a timestamp.
    pub const NONE: Self = Self(-1);
}

/// The identity of a topic, for as long as it exists; a topic made again under the same name has another.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Default)]
pub struct TopicId(pub [u8; 16]);

impl TopicId {
    /// «Not given».
    pub const ZERO: Self = Self([0; 16]);
    /// The topic id of `__cluster_metadata`.
    pub const METADATA: Self = Self([0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 1]);
}

impl TopicId {
    /// Reads the URL-safe base64 text that Kafka prints, 22 characters.
    #[must_use]
    pub fn parse(text: &str) -> Option<Self> {
        if text.len() != 22 {
            return None;
        }
        let mut bits: u128 = 0;
        for (index, byte) in text.bytes().enumerate() {
            let digit = match byte {
                b'A'..=b'Z' => byte - b'A',
                b'a'..=b'z' => byte - b'a' + 26,
                b'0'..=b'9' => byte - b'0' + 52,
                b'-' => 62,
                b'_' => 63,
                _ => return None,
            };
            // The last digit has two bits of the number and four that pad it.
            bits = if index < 21 { bits << 6 | u128::from(digit) } else { bits << 2 | u128::from(digit >> 4) };
        }
        Some(Self(bits.to_be_bytes()))
    }
}

/// The URL-safe base64 text that Kafka prints, 22 characters.
impl fmt::Display for TopicId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        const ALPHABET: &[u8; 64] = b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_";
        let bits = u128::from_be_bytes(self.0);
        for index in 0..22 {
            // 128 bits make 21 digits of six bits and one of two, padded on the right.
            let digit = if index < 21 { bits >> (122 - 6 * index) } else { bits << 4 } & 63;
            write!(f, "{}", char::from(ALPHABET[digit as usize]))?;
        }
        Ok(())
    }
}

impl fmt::Debug for TopicId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, f)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn sequence_wraps_to_zero() {
        assert_eq!(Sequence(i32::MAX).plus(1), Sequence(0));
        assert_eq!(Sequence(i32::MAX - 1).plus(3), Sequence(1));
        assert_eq!(Sequence(5).plus(2), Sequence(7));
    }

    #[test]
    fn topic_ids_print_as_kafka_prints_them() {
        assert_eq!(TopicId::ZERO.to_string(), "AAAAAAAAAAAAAAAAAAAAAA");
        assert_eq!(TopicId::METADATA.to_string(), "AAAAAAAAAAAAAAAAAAAAAQ");
        assert_eq!(TopicId([0xff; 16]).to_string(), "_____________________w");
        let id = TopicId(*b"0123456789abcdef");
        assert_eq!(TopicId::parse(&id.to_string()), Some(id));
        for id in [TopicId::ZERO, TopicId::METADATA, TopicId([0xff; 16]), TopicId(*b"0123456789abcdef")] {
            assert_eq!(TopicId::parse(&id.to_string()), Some(id));
        }
        assert_eq!(TopicId::parse("AAAAAAAAAAAAAAAAAAAAA"), None);
        assert_eq!(TopicId::parse("AAAAAAAAAAAAAAAAAAAA=="), None);
    }
}
