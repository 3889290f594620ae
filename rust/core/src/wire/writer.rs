//! Writes Kafka's primitive types behind what a buffer already holds: the counterpart of [`super::cursor`].
//!
//! Lengths that are not known before their content (the frame, arrays that are streamed, tagged fields) are set
//! afterwards. A compact length may then need more than the one byte left for it, and what follows moves up: once per
//! array of 127 elements or more, never per element.

use crate::error::ErrorCode;
use crate::ids::{BrokerId, PartitionIndex, TopicId};

/// Appends to a buffer that the caller owns and reuses.
#[derive(Debug)]
pub struct Writer<'o> {
    out: &'o mut Vec<u8>,
    frame: usize,
    flexible: bool,
}

/// An array that is being streamed: where its length stands.
#[derive(Clone, Copy, Debug)]
#[must_use = "an array that is begun must be ended"]
pub struct OpenArray {
    at: usize,
}

/// Bytes that moved up because a length in front of them grew.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Moved {
    /// Everything from here on moved.
    pub from: usize,
    /// By so many bytes.
    pub by: usize,
}

impl<'o> Writer<'o> {
    /// Begins a frame behind what `out` holds: leaves room for its length. The old encoding, until [`Writer::flexible`].
    pub fn frame(out: &'o mut Vec<u8>) -> Self {
        let frame = out.len();
        out.extend_from_slice(&[0; 4]);
        Self { out, frame, flexible: false }
    }

    /// Begins something without a length in front.
    pub fn bare(out: &'o mut Vec<u8>, flexible: bool) -> Self {
        Self { frame: out.len(), out, flexible }
    }

    /// Sets the length of a frame begun by [`Writer::frame`], counting `outside` bytes that the caller sends between
    /// ours. The callers bound what they write to far below the 2 GiB that the field can say.
    pub fn end_frame(self, outside: usize) {
        let len = self.out.len() - self.frame - 4 + outside;
        debug_assert!(i32::try_from(len).is_ok(), "a frame of {len} bytes");
        if let Some(place) = self.out.get_mut(self.frame..self.frame + 4) {
            place.copy_from_slice(&(len as u32).to_be_bytes());
        }
    }

    /// From here on with compact lengths and tagged fields (KIP-482), or without.
    pub fn flexible(&mut self, flexible: bool) {
        self.flexible = flexible;
    }

    /// Length of the buffer so far, with what was there before.
    #[must_use]
    pub fn position(&self) -> usize {
        self.out.len()
    }

    /// The buffer itself, for a part that is written elsewhere, behind what is there.
    pub fn buffer(&mut self) -> &mut Vec<u8> {
        self.out
    }

    /// Bytes as they are.
    pub fn raw(&mut self, bytes: &[u8]) {
        self.out.extend_from_slice(bytes);
    }

    /// 1 byte, 0 or 1.
    pub fn bool(&mut self, value: bool) {
        self.out.push(u8::from(value));
    }

    /// 1 byte.
    pub fn i8(&mut self, value: i8) {
        self.raw(&value.to_be_bytes());
    }

    /// 2 bytes.
    pub fn i16(&mut self, value: i16) {
        self.raw(&value.to_be_bytes());
    }

    /// 4 bytes.
    pub fn i32(&mut self, value: i32) {
        self.raw(&value.to_be_bytes());
    }

    /// 8 bytes.
    pub fn i64(&mut self, value: i64) {
        self.raw(&value.to_be_bytes());
    }

    /// 16 bytes.
    pub fn uuid(&mut self, value: TopicId) {
        self.raw(&value.0);
    }

    /// 2 bytes.
    pub fn error(&mut self, value: ErrorCode) {
        self.i16(value.code());
    }

    /// 1 to 5 bytes of 7 bits each, the lowest first.
    pub fn uvarint(&mut self, mut value: u32) {
        while value > 0x7f {
            self.out.push(value as u8 | 0x80);
            value >>= 7;
        }
        self.out.push(value as u8);
    }

    /// A signed number of 32 bits, zigzag.
    pub fn varint(&mut self, value: i32) {
        self.uvarint((value << 1 ^ value >> 31) as u32);
    }

    /// A signed number of 64 bits, zigzag.
    pub fn varlong(&mut self, value: i64) {
        let mut zigzag = (value << 1 ^ value >> 63) as u64;
        while zigzag > 0x7f {
            self.out.push(zigzag as u8 | 0x80);
            zigzag >>= 7;
        }
        self.out.push(zigzag as u8);
    }

    /// A length of 4 bytes, or a compact one; none is a null.
    pub fn length(&mut self, len: Option<usize>) {
        debug_assert!(len.is_none_or(|len| i32::try_from(len).is_ok()));
        match (self.flexible, len) {
            (true, len) => self.uvarint(len.map_or(0, |len| len as u32 + 1)),
            (false, None) => self.i32(-1),
            (false, Some(len)) => self.i32(len as i32),
        }
    }

    /// A string or null. What is longer than the 32,767 bytes that the protocol can carry is cut at a character.
    pub fn nullable_string(&mut self, text: Option<&str>) {
        let text = text.map(|text| cut(text, i16::MAX as usize));
        match (self.flexible, text) {
            (true, text) => self.length(text.map(str::len)),
            (false, None) => self.i16(-1),
            (false, Some(text)) => self.i16(text.len() as i16),
        }
        self.raw(text.unwrap_or_default().as_bytes());
    }

    /// A string.
    pub fn string(&mut self, text: &str) {
        self.nullable_string(Some(text));
    }

    /// Bytes or null.
    pub fn nullable_bytes(&mut self, bytes: Option<&[u8]>) {
        self.length(bytes.map(<[u8]>::len));
        self.raw(bytes.unwrap_or_default());
    }

    /// An array of partitions.
    pub fn partitions(&mut self, partitions: &[PartitionIndex]) {
        self.length(Some(partitions.len()));
        for partition in partitions {
            self.i32(partition.0);
        }
    }

    /// An array of brokers.
    pub fn brokers(&mut self, brokers: &[BrokerId]) {
        self.length(Some(brokers.len()));
        for broker in brokers {
            self.i32(broker.0);
        }
    }

    /// The end of a struct that has no tagged fields: nothing in the old encoding.
    pub fn no_tags(&mut self) {
        self.tag_count(0);
    }

    /// How many tagged fields follow: nothing in the old encoding.
    pub fn tag_count(&mut self, count: u32) {
        debug_assert!(self.flexible || count == 0, "tagged fields in the old encoding");
        if self.flexible {
            #[cfg(test)]
            let count = count + unknown_tags::count();
            self.uvarint(count);
            #[cfg(test)]
            unknown_tags::write(self);
        }
    }

    /// A tagged field: its number, its size, and what `content` writes. Fields go in ascending order.
    pub fn tag(&mut self, tag: u32, content: impl FnOnce(&mut Self)) {
        self.uvarint(tag);
        let size = self.out.len();
        self.out.push(0);
        content(self);
        let bytes = self.out.len() - size - 1;
        self.set_uvarint(size, bytes as u32);
    }

    /// Begins an array whose length is told at its end.
    pub fn begin_array(&mut self) -> OpenArray {
        let at = self.out.len();
        self.raw(if self.flexible { &[0] } else { &[0; 4] });
        OpenArray { at }
    }

    /// Ends an array of `len` elements, and says which bytes moved, if any: those between the length and the end.
    pub fn end_array(&mut self, array: OpenArray, len: usize) -> Option<Moved> {
        if self.flexible {
            return self.set_uvarint(array.at, len as u32 + 1);
        }
        if let Some(place) = self.out.get_mut(array.at..array.at + 4) {
            place.copy_from_slice(&(len as u32).to_be_bytes());
        }
        None
    }

    /// Sets a number for which one byte was left at `at`.
    fn set_uvarint(&mut self, at: usize, value: u32) -> Option<Moved> {
        if value <= 0x7f {
            if let Some(place) = self.out.get_mut(at) {
                *place = value as u8;
            }
            return None;
        }
        let mut encoded = [0; 5];
        let mut rest = value;
        let mut len = 0;
        for place in &mut encoded {
            *place = rest as u8 & 0x7f;
            rest >>= 7;
            len += 1;
            if rest == 0 {
                break;
            }
            *place |= 0x80;
        }
        self.out.splice(at..=at, encoded.into_iter().take(len));
        Some(Moved { from: at + 1, by: len - 1 })
    }
}

/// The longest beginning of `text` that has at most `bytes_max` bytes.
fn cut(text: &str, bytes_max: usize) -> &str {
    (0..=bytes_max.min(text.len())).rev().find_map(|end| text.get(..end)).unwrap_or_default()
}

/// Tests can have every struct carry tagged fields that nobody knows, as the messages of a later release may.
#[cfg(test)]
pub(super) mod unknown_tags {
    use std::cell::RefCell;

    use super::Writer;

    thread_local! {
        static CONTENTS: RefCell<Vec<Vec<u8>>> = const { RefCell::new(Vec::new()) };
    }

    /// Runs `encode` with unknown tagged fields of these contents in every struct.
    pub(in crate::wire) fn with<T>(contents: &[Vec<u8>], encode: impl FnOnce() -> T) -> T {
        CONTENTS.set(contents.to_vec());
        let encoded = encode();
        CONTENTS.take();
        encoded
    }

    pub(super) fn count() -> u32 {
        CONTENTS.with_borrow(Vec::len) as u32
    }

    pub(super) fn write(writer: &mut Writer<'_>) {
        for (index, content) in CONTENTS.with_borrow(Vec::clone).iter().enumerate() {
            writer.tag(1000 + index as u32, |writer| writer.raw(content));
        }
    }
}

#[cfg(test)]
mod tests {
    use super::super::cursor::Cursor;
    use super::*;
    use proptest::prelude::*;

    proptest! {
        #[test]
        fn numbers_come_back(small: u32, signed: i32, large: i64) {
            let mut out = Vec::new();
            let mut writer = Writer::bare(&mut out, true);
            writer.uvarint(small);
            writer.varint(signed);
            writer.varlong(large);
            let mut cursor = Cursor::new(&out);
            prop_assert_eq!(cursor.uvarint(), Ok(small));
            prop_assert_eq!(cursor.varint(), Ok(signed));
            prop_assert_eq!(cursor.varlong(), Ok(large));
            prop_assert_eq!(cursor.remaining(), 0);
        }

        #[test]
        fn a_length_set_afterwards_is_the_length_set_before(len in 0usize..40_000, flexible: bool) {
            let (mut before, mut after) = (Vec::new(), Vec::new());
            let mut writer = Writer::bare(&mut before, flexible);
            writer.length(Some(len));
            writer.raw(b"content");
            let mut writer = Writer::bare(&mut after, flexible);
            let array = writer.begin_array();
            let content = writer.position();
            writer.raw(b"content");
            let moved = writer.end_array(array, len);
            prop_assert_eq!(&before, &after);
            let content = content + moved.map_or(0, |moved| moved.by);
            prop_assert_eq!(&after[content..], b"content");
        }
    }

    #[test]
    fn strings_are_cut_at_a_character() {
        assert_eq!(cut("aöb", 2), "a");
        assert_eq!(cut("aöb", 3), "aö");
        assert_eq!(cut("", 3), "");
    }
}
