//! Reading with bounds: every read says what it wants, and what is left, when it cannot.

use super::fault::{Fault, Reason};
use crate::limits::{ARRAY_ELEMENTS_MAX, MESSAGE_ELEMENTS_MAX};

/// A place in the bytes of a message.
#[derive(Debug)]
pub struct Reader<'a> {
    bytes: &'a [u8],
    position: usize,
    /// How many elements the arrays so far have claimed.
    elements: usize,
}

impl<'a> Reader<'a> {
    /// At `position` of the bytes; a position behind the end is the end.
    pub fn new(bytes: &'a [u8], position: usize) -> Self {
        Self { bytes, position: position.min(bytes.len()), elements: 0 }
    }

    pub fn position(&self) -> usize {
        self.position
    }

    pub fn left(&self) -> usize {
        self.bytes.len() - self.position
    }

    /// An array claims `count` elements: is that too many for one, or for a message?
    pub(super) fn claim(&mut self, count: usize) -> Result<(), Reason> {
        if count > ARRAY_ELEMENTS_MAX {
            return Err(Reason::TooMany { count, limit: ARRAY_ELEMENTS_MAX });
        }
        self.elements += count;
        if self.elements > MESSAGE_ELEMENTS_MAX {
            return Err(Reason::TooMany { count: self.elements, limit: MESSAGE_ELEMENTS_MAX });
        }
        Ok(())
    }

    #[cold]
    pub(crate) fn fault(&self, reason: Reason) -> Fault {
        Fault::new(reason, self.position)
    }

    /// The next `count` bytes.
    #[inline]
    pub fn take(&mut self, count: usize) -> Result<&'a [u8], Fault> {
        match self.bytes[self.position..].get(..count) {
            Some(taken) => {
                self.position += count;
                Ok(taken)
            }
            None => Err(self.fault(Reason::Truncated { wanted: count, left: self.left() })),
        }
    }

    #[inline]
    pub fn array<const N: usize>(&mut self) -> Result<[u8; N], Fault> {
        match self.bytes[self.position..].first_chunk::<N>() {
            Some(taken) => {
                self.position += N;
                Ok(*taken)
            }
            None => Err(self.fault(Reason::Truncated { wanted: N, left: self.left() })),
        }
    }

    /// An unsigned varint of at most 32 bits (KIP-482).
    #[inline]
    pub fn varint(&mut self) -> Result<u32, Fault> {
        if let Some(&byte) = self.bytes.get(self.position)
            && byte < 0x80
        {
            self.position += 1;
            return Ok(u32::from(byte));
        }
        self.long_varint()
    }

    fn long_varint(&mut self) -> Result<u32, Fault> {
        let start = self.position;
        let mut value = 0_u64;
        for shift in [0, 7, 14, 21, 28] {
            let [byte] = self.array()?;
            value |= u64::from(byte & 0x7f) << shift;
            if byte < 0x80 {
                return u32::try_from(value).map_err(|_| Fault::new(Reason::Varint, start));
            }
        }
        Err(Fault::new(Reason::Varint, start))
    }
}

/// Appends an unsigned varint.
#[inline]
pub(crate) fn put_varint(out: &mut Vec<u8>, mut value: u32) {
    while value >= 0x80 {
        out.push(value as u8 | 0x80);
        value >>= 7;
    }
    out.push(value as u8);
}
