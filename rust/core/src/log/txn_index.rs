//! Aborted transactions of a segment (Kafka classes `TransactionIndex`, `AbortedTxn`).
//!
//! A file of entries of 34 bytes, made with the first abort. Readers of committed records collect the entries that overlap what they
//! were given. Invariant: last offsets increase.

use std::io;

use crate::batch::producer::CompletedTransaction;
use crate::disk::File;
use crate::ids::{Offset, ProducerId};

/// Bytes of one entry.
pub(crate) const TXN_ENTRY_BYTES: usize = 34;

/// A transaction that was aborted.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct AbortedTransaction {
    /// Whose it was.
    pub producer_id: ProducerId,
    /// Its first record.
    pub first_offset: Offset,
    /// Its ABORT marker.
    pub last_offset: Offset,
    /// The last stable offset when the marker was written.
    pub last_stable_offset: Offset,
}

impl AbortedTransaction {
    /// The 34 bytes of the file, version 0.
    #[must_use]
    pub fn encode(&self) -> [u8; TXN_ENTRY_BYTES] {
        let mut out = [0; TXN_ENTRY_BYTES];
        out[2..10].copy_from_slice(&self.producer_id.0.to_be_bytes());
        out[10..18].copy_from_slice(&self.first_offset.0.to_be_bytes());
        out[18..26].copy_from_slice(&self.last_offset.0.to_be_bytes());
        out[26..34].copy_from_slice(&self.last_stable_offset.0.to_be_bytes());
        out
    }

    /// Decodes an entry; none when there are too few bytes or the version is not 0.
    #[must_use]
    pub fn decode(bytes: &[u8]) -> Option<Self> {
        let number = |at: usize| bytes.get(at..at + 8)?.first_chunk().map(|bytes| i64::from_be_bytes(*bytes));
        if bytes.get(..2)? != [0, 0] {
            return None;
        }
        Some(Self {
            producer_id: ProducerId(number(2)?),
            first_offset: Offset(number(10)?),
            last_offset: Offset(number(18)?),
            last_stable_offset: Offset(number(26)?),
        })
    }
}

impl From<CompletedTransaction> for AbortedTransaction {
    fn from(ended: CompletedTransaction) -> Self {
        let CompletedTransaction { producer_id, first_offset, last_offset, last_stable_offset, .. } = ended;
        Self { producer_id, first_offset, last_offset, last_stable_offset }
    }
}

/// Entries read from a file at a time.
const CHUNK_ENTRIES: u32 = 64;

/// Adds the entries that overlap `from..upper` out of the `count` of a file; true when no later entry can. The first is found
/// by halving, since last offsets increase.
pub(crate) fn overlapping(
    file: &dyn File,
    count: u32,
    from: Offset,
    upper: Offset,
    found: &mut Vec<AbortedTransaction>,
) -> io::Result<bool> {
    let mut chunk = [0; CHUNK_ENTRIES as usize * TXN_ENTRY_BYTES];
    let mut read = |at: u32, many: u32| -> io::Result<Vec<AbortedTransaction>> {
        let wanted = &mut chunk[..many.min(CHUNK_ENTRIES) as usize * TXN_ENTRY_BYTES];
        let len = file.read_at(u64::from(at) * TXN_ENTRY_BYTES as u64, wanted)?;
        Ok(wanted[..len].chunks_exact(TXN_ENTRY_BYTES).filter_map(AbortedTransaction::decode).collect())
    };
    let (mut low, mut high) = (0, count);
    while high - low > CHUNK_ENTRIES {
        let middle = low + (high - low) / 2;
        match read(middle, 1)?.first() {
            Some(entry) if entry.last_offset < from => low = middle + 1,
            _ => high = middle,
        }
    }
    while low < count {
        for entry in read(low, count - low)?.iter().filter(|entry| entry.last_offset >= from) {
            if entry.first_offset < upper {
                found.push(*entry);
            }
            if entry.last_stable_offset >= upper {
                return Ok(true);
            }
        }
        low += CHUNK_ENTRIES;
    }
    Ok(false)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_entry_survives_the_file() {
        let entry = AbortedTransaction {
            producer_id: ProducerId(1),
            first_offset: Offset(2),
            last_offset: Offset(3),
            last_stable_offset: Offset(i64::MAX),
        };
        assert_eq!(AbortedTransaction::decode(&entry.encode()), Some(entry));
        assert_eq!(AbortedTransaction::decode(&entry.encode()[..33]), None);
        let mut other = entry.encode();
        other[1] = 1;
        assert_eq!(AbortedTransaction::decode(&other), None);
    }
}
