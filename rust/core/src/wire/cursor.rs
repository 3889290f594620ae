//! Reads Kafka's primitive types from bytes of the outside: every step is checked, nothing is copied or allocated.
//!
//! Prior art: Kafka's `ByteBufferAccessor`, rustls' `msgs::codec::Reader`. Ours yields borrowed strings and byte ranges, and
//! walks arrays twice instead of building them: [`Array::read`] checks all of an array once, and iterating decodes the
//! elements again with the same function, so that what was accepted and what is later seen cannot differ.
//!
//! Stricter than Kafka where Kafka's decoder is careless: a varint beyond 32 bits, a string that is not UTF-8, and a known
//! tagged field whose content ends before or behind its declared size are refused. As in Kafka, bytes after the last
//! field are ignored, any negative length is a null, and tags may come in any order.

use std::borrow::Cow;
use std::fmt;
use std::marker::PhantomData;

use crate::error::ErrorCode;
use crate::ids::{BrokerId, PartitionIndex, TopicId};
use crate::limits::{ARRAY_ELEMENTS_MAX, TAGGED_FIELDS_MAX};

/// The longest string of the protocol: lengths were 16 bits once, and Kafka kept the bound.
const STRING_BYTES_MAX: usize = 0x7fff;

/// What is wrong with the bytes.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Fault {
    /// The message ends within a field.
    Truncated {
        /// Bytes that the field needs beyond those there.
        missing: usize,
    },
    /// A null where the protocol has none.
    Null,
    /// A string longer than 32,767 bytes.
    StringTooLong {
        /// Bytes claimed.
        bytes: usize,
    },
    /// A string that is not UTF-8.
    NotUtf8,
    /// A variable-length number with more bits than its type.
    VarintTooLong,
    /// An array that claims more elements than the bytes left could hold, or than are allowed.
    TooManyElements {
        /// Elements claimed.
        elements: usize,
        /// Elements that there could be.
        most: usize,
    },
    /// A struct with too many tagged fields.
    TooManyTags {
        /// Fields claimed.
        tags: usize,
    },
    /// A tagged field whose content has another size than it declares.
    TagSize {
        /// The number of the field.
        tag: u32,
    },
    /// An API key that no release of Kafka has, or has no more.
    UnknownApi {
        /// The key.
        key: i16,
    },
    /// A version of a message that this codec does not know.
    UnknownVersion {
        /// The version.
        version: i16,
    },
}

/// Bytes that are no valid message: what is wrong, and where.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct WireError {
    /// What is wrong.
    pub what: Fault,
    /// Where: bytes from the start of what the [`Cursor`] was made for, usually the frame behind its length.
    pub at: usize,
}

impl fmt::Display for WireError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.what {
            Fault::Truncated { missing } => write!(f, "the message ends {missing} bytes too early"),
            Fault::Null => f.write_str("null where a value is required"),
            Fault::StringTooLong { bytes } => {
                write!(f, "a string of {bytes} bytes, at most {STRING_BYTES_MAX} are allowed")
            }
            Fault::NotUtf8 => f.write_str("a string that is not UTF-8"),
            Fault::VarintTooLong => f.write_str("a variable-length number that does not fit its type"),
            Fault::TooManyElements { elements, most } => {
                write!(f, "an array claims {elements} elements, there can be at most {most}")
            }
            Fault::TooManyTags { tags } => {
                write!(f, "a struct claims {tags} tagged fields, at most {TAGGED_FIELDS_MAX} are allowed")
            }
            Fault::TagSize { tag } => write!(f, "tagged field {tag} has another size than it declares"),
            Fault::UnknownApi { key } => write!(f, "unknown API key {key}"),
            Fault::UnknownVersion { version } => write!(f, "version {version} is not known"),
        }?;
        write!(f, " (at byte {})", self.at)
    }
}

impl std::error::Error for WireError {}

/// A position in bytes of the outside. Copying it is cheap and remembers the place.
#[derive(Clone, Copy, Debug)]
pub struct Cursor<'a> {
    bytes: &'a [u8],
    at: usize,
    flexible: bool,
}

impl<'a> Cursor<'a> {
    /// Begins at the first byte, with the lengths of the old, inflexible encoding.
    #[must_use]
    pub const fn new(bytes: &'a [u8]) -> Self {
        Self { bytes, at: 0, flexible: false }
    }

    /// Begins at byte `at`, so that errors still tell the place in the whole; beyond the end there is nothing to read.
    #[must_use]
    pub const fn starting_at(bytes: &'a [u8], at: usize) -> Self {
        Self { bytes, at, flexible: false }
    }

    /// The same place, read with compact lengths and tagged fields (KIP-482), or without.
    #[must_use]
    pub const fn flexible(self, flexible: bool) -> Self {
        Self { flexible, ..self }
    }

    /// Whether lengths are compact and structs carry tagged fields.
    #[must_use]
    pub const fn is_flexible(&self) -> bool {
        self.flexible
    }

    /// Bytes read so far, or skipped by [`Cursor::starting_at`].
    #[must_use]
    pub const fn position(&self) -> usize {
        self.at
    }

    /// Bytes not read yet.
    #[must_use]
    pub const fn remaining(&self) -> usize {
        self.bytes.len().saturating_sub(self.at)
    }

    /// An error at the place of the cursor.
    #[must_use]
    pub const fn error(&self, what: Fault) -> WireError {
        WireError { what, at: self.at }
    }

    /// The next `len` bytes, borrowed.
    pub fn take(&mut self, len: usize) -> Result<&'a [u8], WireError> {
        let end = self.at.checked_add(len);
        match end.and_then(|end| self.bytes.get(self.at..end)) {
            Some(taken) => {
                self.at += len;
                Ok(taken)
            }
            None => Err(self.error(Fault::Truncated { missing: len.saturating_sub(self.remaining()) })),
        }
    }

    fn fixed<const N: usize>(&mut self) -> Result<[u8; N], WireError> {
        match self.bytes.get(self.at..).and_then(<[u8]>::first_chunk::<N>) {
            Some(taken) => {
                self.at += N;
                Ok(*taken)
            }
            None => Err(self.error(Fault::Truncated { missing: N.saturating_sub(self.remaining()) })),
        }
    }

    /// One byte; anything but 0 is true.
    pub fn bool(&mut self) -> Result<bool, WireError> {
        Ok(self.fixed::<1>()? != [0])
    }

    /// 1 byte.
    pub fn i8(&mut self) -> Result<i8, WireError> {
        self.fixed().map(i8::from_be_bytes)
    }

    /// 2 bytes.
    pub fn i16(&mut self) -> Result<i16, WireError> {
        self.fixed().map(i16::from_be_bytes)
    }

    /// 4 bytes.
    pub fn i32(&mut self) -> Result<i32, WireError> {
        self.fixed().map(i32::from_be_bytes)
    }

    /// 8 bytes.
    pub fn i64(&mut self) -> Result<i64, WireError> {
        self.fixed().map(i64::from_be_bytes)
    }

    /// An error code, 2 bytes. As in Kafka, a number that this release does not know reads as `UNKNOWN_SERVER_ERROR`.
    pub fn error_code(&mut self) -> Result<ErrorCode, WireError> {
        Ok(ErrorCode::from_code(self.i16()?).unwrap_or(ErrorCode::UnknownServerError))
    }

    /// 16 bytes.
    pub fn uuid(&mut self) -> Result<TopicId, WireError> {
        self.fixed().map(TopicId)
    }

    /// 1 to 5 bytes of 7 bits each, the lowest first.
    pub fn uvarint(&mut self) -> Result<u32, WireError> {
        let start = *self;
        let mut value = 0u32;
        for shift in [0, 7, 14, 21, 28] {
            let [byte] = self.fixed::<1>()?;
            let bits = u32::from(byte & 0x7f);
            if shift == 28 && byte > 0x0f {
                break;
            }
            value |= bits << shift;
            if byte & 0x80 == 0 {
                return Ok(value);
            }
        }
        Err(start.error(Fault::VarintTooLong))
    }

    /// A signed number of 32 bits, zigzag over [`Cursor::uvarint`].
    pub fn varint(&mut self) -> Result<i32, WireError> {
        let zigzag = self.uvarint()?;
        Ok((zigzag >> 1) as i32 ^ -((zigzag & 1) as i32))
    }

    /// A signed number of 64 bits in 1 to 10 bytes, zigzag.
    pub fn varlong(&mut self) -> Result<i64, WireError> {
        let start = *self;
        let mut value = 0u64;
        for shift in [0, 7, 14, 21, 28, 35, 42, 49, 56, 63] {
            let [byte] = self.fixed::<1>()?;
            if shift == 63 && byte > 1 {
                break;
            }
            value |= u64::from(byte & 0x7f) << shift;
            if byte & 0x80 == 0 {
                return Ok((value >> 1) as i64 ^ -((value & 1) as i64));
            }
        }
        Err(start.error(Fault::VarintTooLong))
    }

    /// A length of 4 bytes, or a compact one; none is a null.
    fn length(&mut self) -> Result<Option<usize>, WireError> {
        if self.flexible {
            Ok((self.uvarint()? as usize).checked_sub(1))
        } else {
            Ok(usize::try_from(self.i32()?).ok())
        }
    }

    /// A string with a length of 2 bytes, or a compact one, or null.
    pub fn nullable_string(&mut self) -> Result<Option<&'a str>, WireError> {
        let start = *self;
        let text = self.string_bytes()?.map(std::str::from_utf8);
        text.transpose().map_err(|_| start.error(Fault::NotUtf8))
    }

    fn string_bytes(&mut self) -> Result<Option<&'a [u8]>, WireError> {
        let start = *self;
        let len = if self.flexible { self.length()? } else { usize::try_from(self.i16()?).ok() };
        match len {
            None => Ok(None),
            Some(bytes) if bytes > STRING_BYTES_MAX => Err(start.error(Fault::StringTooLong { bytes })),
            Some(len) => self.take(len).map(Some),
        }
    }

    /// A string; null is refused.
    pub fn string(&mut self) -> Result<&'a str, WireError> {
        let start = *self;
        self.nullable_string()?.ok_or_else(|| start.error(Fault::Null))
    }

    /// A string of a record in a log, as Kafka reads it: bytes that are not UTF-8 become replacement characters.
    pub fn mended_string(&mut self) -> Result<Cow<'a, str>, WireError> {
        let start = *self;
        match self.string_bytes()? {
            Some(bytes) => Ok(String::from_utf8_lossy(bytes)),
            None => Err(start.error(Fault::Null)),
        }
    }

    /// Bytes with a length of 4 bytes, or a compact one, or null. Records look the same on the wire.
    pub fn nullable_bytes(&mut self) -> Result<Option<&'a [u8]>, WireError> {
        match self.length()? {
            None => Ok(None),
            Some(len) => self.take(len).map(Some),
        }
    }

    /// The number of elements of an array of elements that have at least `element_bytes_min` bytes each; none is a
    /// null. What the bytes left cannot hold is refused here, before anything is made for it.
    pub fn nullable_array_len(&mut self, element_bytes_min: usize) -> Result<Option<usize>, WireError> {
        let start = *self;
        let Some(elements) = self.length()? else { return Ok(None) };
        let most = (self.remaining() / element_bytes_min.max(1)).min(ARRAY_ELEMENTS_MAX);
        if elements > most { Err(start.error(Fault::TooManyElements { elements, most })) } else { Ok(Some(elements)) }
    }

    /// Skips the tagged fields of a struct; there are none in the old encoding.
    pub fn skip_tags(&mut self) -> Result<(), WireError> {
        self.tags(|_, _| Ok(false))
    }

    /// Walks the tagged fields of a struct; there are none in the old encoding. `known` gets the number of each field and
    /// a cursor over just its content, which it reads to the end, answering true, or leaves alone, answering false.
    pub fn tags(
        &mut self,
        mut known: impl FnMut(u32, &mut Cursor<'a>) -> Result<bool, WireError>,
    ) -> Result<(), WireError> {
        if !self.flexible {
            return Ok(());
        }
        let start = *self;
        let tags = self.uvarint()? as usize;
        if tags > TAGGED_FIELDS_MAX {
            return Err(start.error(Fault::TooManyTags { tags }));
        }
        for _ in 0..tags {
            let tag = self.uvarint()?;
            let size = self.uvarint()? as usize;
            let mut content = *self;
            self.take(size)?;
            content.bytes = self.bytes.get(..self.at).unwrap_or(self.bytes);
            if known(tag, &mut content)? && content.remaining() != 0 {
                return Err(content.error(Fault::TagSize { tag }));
            }
        }
        Ok(())
    }
}

/// One element of an array: how it is read.
pub trait Element<'a>: Sized {
    /// The fewest bytes that an element has, in any version.
    const BYTES_MIN: usize;

    /// Reads and checks one element, up to and with its tagged fields.
    fn read(cursor: &mut Cursor<'a>, version: i16) -> Result<Self, WireError>;
}

impl Element<'_> for PartitionIndex {
    const BYTES_MIN: usize = 4;

    fn read(cursor: &mut Cursor<'_>, _version: i16) -> Result<Self, WireError> {
        cursor.i32().map(Self)
    }
}

impl Element<'_> for BrokerId {
    const BYTES_MIN: usize = 4;

    fn read(cursor: &mut Cursor<'_>, _version: i16) -> Result<Self, WireError> {
        cursor.i32().map(Self)
    }
}

/// An array that was checked to the end, and whose elements are decoded again as it is iterated. It borrows the
/// message, owns nothing, and can be iterated any number of times.
pub struct Array<'a, T> {
    elements: Cursor<'a>,
    len: usize,
    version: i16,
    of: PhantomData<fn() -> T>,
}

impl<'a, T: Element<'a>> Array<'a, T> {
    /// Reads an array, or null, and checks every element.
    pub fn read_nullable(cursor: &mut Cursor<'a>, version: i16) -> Result<Option<Self>, WireError> {
        let Some(len) = cursor.nullable_array_len(T::BYTES_MIN)? else { return Ok(None) };
        let elements = *cursor;
        for _ in 0..len {
            T::read(cursor, version)?;
        }
        Ok(Some(Self { elements, len, version, of: PhantomData }))
    }

    /// Reads an array and checks every element; null is refused.
    pub fn read(cursor: &mut Cursor<'a>, version: i16) -> Result<Self, WireError> {
        let start = *cursor;
        Self::read_nullable(cursor, version)?.ok_or_else(|| start.error(Fault::Null))
    }

    /// The elements, decoded as they are asked for.
    #[must_use]
    pub fn iter(&self) -> Iter<'a, T> {
        Iter { array: *self }
    }
}

impl<T> Array<'_, T> {
    /// No elements.
    #[must_use]
    pub const fn empty() -> Self {
        Self { elements: Cursor::new(&[]), len: 0, version: 0, of: PhantomData }
    }

    /// How many elements there are.
    #[must_use]
    pub const fn len(&self) -> usize {
        self.len
    }

    /// Whether there are none.
    #[must_use]
    pub const fn is_empty(&self) -> bool {
        self.len == 0
    }
}

// Derived, these would ask the same of `T`.
impl<T> Clone for Array<'_, T> {
    fn clone(&self) -> Self {
        *self
    }
}

impl<T> Copy for Array<'_, T> {}

impl<T> Default for Array<'_, T> {
    fn default() -> Self {
        Self::empty()
    }
}

impl<'a, T: Element<'a> + fmt::Debug> fmt::Debug for Array<'a, T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_list().entries(self.iter()).finish()
    }
}

impl<'a, T: Element<'a> + PartialEq> PartialEq for Array<'a, T> {
    fn eq(&self, other: &Self) -> bool {
        self.len == other.len && self.iter().eq(other.iter())
    }
}

impl<'a, T: Element<'a>> IntoIterator for Array<'a, T> {
    type Item = T;
    type IntoIter = Iter<'a, T>;

    fn into_iter(self) -> Iter<'a, T> {
        Iter { array: self }
    }
}

impl<'a, T: Element<'a>> IntoIterator for &Array<'a, T> {
    type Item = T;
    type IntoIter = Iter<'a, T>;

    fn into_iter(self) -> Iter<'a, T> {
        self.iter()
    }
}

/// The elements of an [`Array`] from the next one on.
pub struct Iter<'a, T> {
    array: Array<'a, T>,
}

impl<T> Clone for Iter<'_, T> {
    fn clone(&self) -> Self {
        Self { array: self.array }
    }
}

impl<'a, T: Element<'a>> Iterator for Iter<'a, T> {
    type Item = T;

    fn next(&mut self) -> Option<T> {
        self.array.len = self.array.len.checked_sub(1)?;
        let element = T::read(&mut self.array.elements, self.array.version);
        debug_assert!(element.is_ok(), "the array was read once already");
        element.ok()
    }

    fn size_hint(&self) -> (usize, Option<usize>) {
        (self.array.len, Some(self.array.len))
    }
}

impl<'a, T: Element<'a>> ExactSizeIterator for Iter<'a, T> {}
