//! The last value of every key of a log: what a coordinator must know to begin.
//!
//! Prior art: Kafka's `CoordinatorLoaderImpl` hands every record to the coordinator, which drops what is superseded; its log
//! cleaner keeps a map of digests of keys to offsets. Ours walks the log twice. The first walk notes for each key where its
//! last record is that counts, the second gives the records that stand there. So memory grows with the distinct keys alone
//! (the key, an offset, some 60 bytes: 128 MB for a million offsets of groups), however large values are and however often
//! they were replaced; records come in the order of their offsets without sorting; and what is held while the reader works
//! is one portion. The price is that the log is read and decompressed twice, the second time mostly from the page cache.
//! Keys are kept whole and hashed under a secret: clients choose them.
//!
//! Records of which there are millions need not come up one by one: an [`Intake`] takes them as the first walk meets
//! them, in the order of the log, together with the ends of transactions. It is a map of keys to values itself, so nothing
//! is noted of what it takes, and where there is nothing else the second walk is left out.
//!
//! Invariants: of two records of a key the one with the higher offset counts, whenever its transaction was committed; those of
//! aborted transactions never do; those of a transaction without an end marker are given as they are, tombstones too,
//! and supersede nothing. A tombstone that counts is given only where an open transaction wrote its key, too: what is
//! pending before it has been deleted by it. A step walks about as many bytes as [`STEP_BYTES`], or one batch.

use std::collections::{HashMap, VecDeque};
use std::fmt::Debug;
use std::io;

use super::reader::{Batches, LogReader};
use super::scan::Frame;
use crate::batch::compress::Scratch;
use crate::batch::control::EndMarker;
use crate::batch::header::BatchHeader;
use crate::batch::records::Record;
use crate::batch::walk;
use crate::ids::{Offset, ProducerEpoch, ProducerId, TimestampMs};
use crate::limits::DECOMPRESSED_BYTES_MAX;

/// Bytes of batches, decompressed, that one step walks at least unless it has a portion before: some milliseconds.
const STEP_BYTES: usize = 4 << 20;
/// Records of one portion: about as many as the control plane applies within one of its slices.
const PORTION_RECORDS: usize = 512;
/// Bytes of keys and values after which a portion is full.
const PORTION_BYTES: usize = 256 << 10;

/// A record that counts, or one of an open transaction.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct LatestRecord {
    /// Its key.
    pub key: Vec<u8>,
    /// Its value; none only where an open transaction wrote the key.
    pub value: Option<Vec<u8>>,
    /// Its time.
    pub timestamp: TimestampMs,
    /// Where it stands.
    pub offset: Offset,
    /// Whose open transaction it belongs to; none outside of one.
    pub producer_id: ProducerId,
    /// In which incarnation.
    pub producer_epoch: ProducerEpoch,
}

/// State that takes records straight from a log that is read, before anyone else sees them.
pub trait Intake: Debug + Send {
    /// Offers a record; records come in the order of the log, each once. `producer_id`: of the transaction it belongs to,
    /// however that ends, or none.
    fn take(&mut self, key: &[u8], value: Option<&[u8]>, producer_id: ProducerId) -> Taking;

    /// A transaction ended.
    fn end(&mut self, producer_id: ProducerId, aborted: bool);
}

/// What an [`Intake`] says of a record.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Taking {
    /// It is in there now.
    Taken,
    /// It is of another kind.
    Other,
    /// It is of its kind, and cannot be read: whoever gets the rest shall see.
    Unreadable,
}

/// What a step came to.
#[derive(Clone, PartialEq, Eq, Debug)]
pub enum Step {
    /// Nothing yet: there is more to walk.
    More,
    /// A portion, never empty.
    Records(Vec<LatestRecord>),
    /// All was given.
    End,
}

/// Where the last record of each key is.
type Keys = HashMap<Box<[u8]>, Offset>;

/// A transaction whose end was not seen yet.
#[derive(Debug)]
struct Open {
    first: Offset,
    keys: Keys,
}

/// What the first walk finds out.
#[derive(Debug, Default)]
struct Noted {
    newest: Keys,
    open: HashMap<ProducerId, Open>,
    /// The keys of open transactions, once all are known.
    pending: Keys,
    /// There are records that the intake could not read: what it takes under their keys supersedes them.
    unreadable: bool,
}

/// A log that is being read from an offset up to another. Blocks on the disk: for pool threads.
#[derive(Debug)]
pub struct Latest {
    reader: LogReader,
    start: Offset,
    end: Offset,
    batches: Batches,
    scratch: Scratch,
    noted: Noted,
    /// The first walk is done.
    giving: bool,
    ready: VecDeque<LatestRecord>,
}

impl Latest {
    /// Reads what lies below `end`, from the present start of the log. Nothing is read before the first step.
    #[must_use]
    pub fn new(reader: LogReader, end: Offset) -> Self {
        let start = reader.start();
        let batches = reader.batches(start, end);
        let (scratch, noted, ready) = (Scratch::default(), Noted::default(), VecDeque::new());
        Self { reader, start, end, batches, scratch, noted, giving: false, ready }
    }

    /// Reads on; `intake` is the same in every call. An error names the batch; there is no going on after it.
    pub fn step(&mut self, mut intake: Option<&mut dyn Intake>) -> io::Result<Step> {
        let mut walked = 0;
        while walked < STEP_BYTES {
            if let Some(portion) = self.portion(false) {
                return Ok(Step::Records(portion));
            }
            match self.batches.next_frame()? {
                Some(frame) => walked += self.take_in(&frame, &mut intake)?,
                None if self.giving => return Ok(self.portion(true).map_or(Step::End, Step::Records)),
                None => self.turn(),
            }
        }
        Ok(Step::More)
    }

    /// The first walk is done: goes back to the first record that is wanted.
    fn turn(&mut self) {
        self.giving = true;
        let Noted { newest, open, pending, .. } = &mut self.noted;
        let first = newest.values().copied().chain(open.values().map(|open| open.first)).min();
        for open in open.values_mut() {
            pending.extend(open.keys.drain());
        }
        self.batches = self.reader.batches(first.unwrap_or(self.end), self.end);
    }

    /// Takes a portion off what is ready, when there is a full one, or of what is left when that is `all` there is.
    fn portion(&mut self, all: bool) -> Option<Vec<LatestRecord>> {
        let (mut count, mut bytes) = (0, 0);
        while count < PORTION_RECORDS && bytes < PORTION_BYTES {
            let Some(next) = self.ready.get(count) else { break };
            bytes += next.key.len() + next.value.as_ref().map_or(0, Vec::len);
            count += 1;
        }
        let full = count == PORTION_RECORDS || bytes >= PORTION_BYTES;
        (full || all && count > 0).then(|| self.ready.drain(..count).collect())
    }

    /// Looks at one batch; says how many bytes that were.
    fn take_in(&mut self, frame: &Frame, intake: &mut Option<&mut dyn Intake>) -> io::Result<usize> {
        let Self { batches, scratch, noted, giving, ready, start, .. } = self;
        let header = frame.header.ok_or_else(|| unreadable(frame, &"a message format from before 2017"))?;
        let batch = batches.bytes(frame)?;
        let records = walk::contents(&header, batch, scratch, DECOMPRESSED_BYTES_MAX);
        let records = records.map_err(|fault| unreadable(frame, &fault))?;
        let walked = frame.size as usize + records.len();
        if header.is_control() {
            if let (false, Some(marker)) = (*giving, EndMarker::read(&header, &records)) {
                noted.end(header.producer_id, marker.aborted);
                if let Some(intake) = intake {
                    intake.end(header.producer_id, marker.aborted);
                }
            }
            return Ok(walked);
        }
        let each = |record: Record<'_>| {
            let offset = Offset(header.base_offset.0.saturating_add(i64::from(record.offset_delta)));
            // A compacted topic takes no record without a key: nothing can be known by it.
            let Some(key) = record.key.filter(|_| offset >= *start) else { return };
            if !*giving {
                noted.note(&header, key, record.value, offset, intake);
            } else if let Some(producer) = noted.wanted(&header, key, offset, record.value.is_none()) {
                let (producer_id, producer_epoch) = producer;
                ready.push_back(LatestRecord {
                    key: key.to_vec(),
                    value: record.value.map(<[u8]>::to_vec),
                    timestamp: time(&header, &record),
                    offset,
                    producer_id,
                    producer_epoch,
                });
            }
        };
        walk::for_each_record(&header, &records, each).map_err(|fault| unreadable(frame, &fault))?;
        Ok(walked)
    }
}

impl Noted {
    fn note(
        &mut self,
        header: &BatchHeader,
        key: &[u8],
        value: Option<&[u8]>,
        offset: Offset,
        intake: &mut Option<&mut dyn Intake>,
    ) {
        let producer_id = if header.is_transactional() { header.producer_id } else { ProducerId::NONE };
        match intake.as_mut().map(|intake| intake.take(key, value, producer_id)) {
            Some(Taking::Taken) => {
                if self.unreadable && !producer_id.is_some() {
                    self.newest.remove(key);
                }
                return;
            }
            Some(Taking::Unreadable) => self.unreadable = true,
            Some(Taking::Other) | None => {}
        }
        if header.is_transactional() {
            let unknown = || Open { first: offset, keys: Keys::new() };
            let open = self.open.entry(header.producer_id).or_insert_with(unknown);
            newer(&mut open.keys, key, offset);
        } else {
            newer(&mut self.newest, key, offset);
        }
    }

    /// A transaction ended.
    fn end(&mut self, producer_id: ProducerId, aborted: bool) {
        let Some(open) = self.open.remove(&producer_id) else { return };
        if aborted {
            return;
        }
        for (key, offset) in open.keys {
            let known = self.newest.entry(key).or_insert(offset);
            *known = offset.max(*known);
        }
    }

    /// Whether the record is to be given, and as whose.
    fn wanted(
        &self,
        header: &BatchHeader,
        key: &[u8],
        offset: Offset,
        tombstone: bool,
    ) -> Option<(ProducerId, ProducerEpoch)> {
        let open = || self.open.get(&header.producer_id).is_some_and(|open| offset >= open.first);
        if header.is_transactional() && open() {
            // Not what the intake took.
            return self.pending.contains_key(key).then_some((header.producer_id, header.producer_epoch));
        }
        let counts = self.newest.get(key) == Some(&offset) && (!tombstone || self.pending.contains_key(key));
        counts.then_some((ProducerId::NONE, ProducerEpoch::NONE))
    }
}

fn newer(keys: &mut Keys, key: &[u8], offset: Offset) {
    match keys.get_mut(key) {
        Some(known) => *known = offset.max(*known),
        None => drop(keys.insert(key.into(), offset)),
    }
}

fn time(header: &BatchHeader, record: &Record<'_>) -> TimestampMs {
    if header.is_log_append_time() {
        header.max_timestamp
    } else {
        TimestampMs(header.base_timestamp.0.saturating_add(record.timestamp_delta))
    }
}

fn unreadable(frame: &Frame, reason: &dyn std::fmt::Display) -> io::Error {
    let text = format!("the batch at offset {}, byte {} of its segment: {reason}", frame.base_offset, frame.position);
    io::Error::new(io::ErrorKind::InvalidData, text)
}

#[cfg(test)]
mod tests;
