//! Looking at every byte of a partition's directory, changing nothing: for `inspect` and for tests.
//!
//! Recovery reads as little as it can; this reads all: checksums of all batches, every index entry against the batch it
//! points to, snapshots, checkpoints, transaction indexes.

use std::fmt;
use std::io;
use std::path::Path;
use std::sync::Arc;

use super::checkpoint;
use super::directory::LogDirectory;
use super::index::{Entry, Extent, Index, OffsetEntry, TimeEntry};
use super::names::{FileKind, SegmentFileName, Suffix};
use super::scan::{BULK_CHUNK_BYTES, Fault, Frame, Scanner};
use super::txn_index::{AbortedTransaction, TXN_ENTRY_BYTES};
use super::writer::EPOCHS_FILE;
use crate::batch::snapshot;
use crate::disk::{self, File, Open};
use crate::ids::{Offset, TimestampMs};

const SIDE_FILE_BYTES_MAX: u64 = 256 << 20;

/// Something that is wrong with a file.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Finding {
    /// The name of the file in the partition's directory.
    pub file: String,
    /// The first byte concerned.
    pub position: u64,
    /// What is wrong there.
    pub what: String,
}

impl fmt::Display for Finding {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}, byte {}: {}", self.file, self.position, self.what)
    }
}

/// What was looked at, and what is wrong.
#[derive(Clone, PartialEq, Eq, Debug, Default)]
pub struct Verification {
    /// Segments.
    pub segments: usize,
    /// Batches whose checksum is right.
    pub batches: u64,
    /// Their bytes.
    pub bytes: u64,
    /// Index entries that agree with their batches.
    pub index_entries: u64,
    /// What is wrong, in the order of file names.
    pub findings: Vec<Finding>,
}

/// Reads all files of the partition in the directory `name`, which nobody writes meanwhile. Blocks.
pub fn verify(directory: &LogDirectory, name: &str) -> io::Result<Verification> {
    let mut verifying = Verifying { directory, name, result: Verification::default(), batches: Vec::new() };
    let entries = directory.disk().list(Path::new(name))?;
    let mut end = None;
    for parsed in entries.iter().filter_map(|entry| SegmentFileName::parse(&entry.name)) {
        if parsed.kind == FileKind::Log && parsed.suffix == Suffix::None {
            end = Some(verifying.segment(parsed.base, end)?);
        }
    }
    for entry in &entries {
        match SegmentFileName::parse(&entry.name) {
            Some(parsed) if parsed.kind == FileKind::ProducerSnapshot && parsed.suffix == Suffix::None => {
                let content = verifying.read(&entry.name)?;
                if let Err(fault) = snapshot::decode(&content, TimestampMs(0), i64::MAX) {
                    verifying.find(&entry.name, 0, &fault);
                }
            }
            None if entry.name == EPOCHS_FILE => {
                let content = verifying.read(&entry.name)?;
                if let Err(error) = checkpoint::parse_epochs(&content) {
                    verifying.find(&entry.name, 0, &error);
                }
            }
            _ => {}
        }
    }
    Ok(verifying.result)
}

struct Verifying<'a> {
    directory: &'a LogDirectory,
    name: &'a str,
    result: Verification,
    /// Of the segment at hand.
    batches: Vec<Frame>,
}

impl Verifying<'_> {
    fn find(&mut self, file: &str, position: u64, what: &dyn fmt::Display) {
        self.result.findings.push(Finding { file: file.to_owned(), position, what: what.to_string() });
    }

    fn open(&self, file: &str) -> io::Result<Arc<dyn File>> {
        self.directory.disk().open(&Path::new(self.name).join(file), Open::Read)
    }

    fn read(&self, file: &str) -> io::Result<Vec<u8>> {
        disk::read_all(self.directory.disk(), &Path::new(self.name).join(file), SIDE_FILE_BYTES_MAX)
    }

    /// Looks at a segment and its indexes; gives the offset after its last batch.
    fn segment(&mut self, base: Offset, before: Option<Offset>) -> io::Result<Offset> {
        let name = FileKind::Log.name(base);
        let file = self.open(&name)?;
        let len = file.len()?;
        let mut scanner = Scanner::new(file, 0, len, BULK_CHUNK_BYTES);
        let mut end = before.map_or(base, |before| before.max(base));
        if before.is_some_and(|before| before > base) {
            self.find(&name, 0, &Fault::Offsets);
        }
        self.result.segments += 1;
        self.batches.clear();
        while let Some(frame) = scanner.next()? {
            let frame = match frame {
                Ok(frame) => frame,
                Err(fault) => {
                    self.find(&name, scanner.position(), &fault);
                    break;
                }
            };
            if frame.base_offset < end {
                self.find(&name, frame.position, &Fault::Offsets);
            }
            if frame.checksum_holds(scanner.bytes(&frame)?) {
                self.result.batches += 1;
                self.result.bytes += u64::from(frame.size);
            } else {
                self.find(&name, frame.position, &Fault::Checksum);
            }
            end = frame.next_offset();
            self.batches.push(frame);
        }
        self.offset_index(base)?;
        self.time_index(base)?;
        self.txn_index(base, end)?;
        Ok(end)
    }

    fn entries<E: Entry>(&mut self, kind: FileKind, base: Offset) -> io::Result<Vec<E>> {
        let name = kind.name(base);
        let file = match self.open(&name) {
            Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(Vec::new()),
            other => other?,
        };
        let Some(index) = Index::load(&*file, Extent { offsets: i64::MAX, bytes: u64::MAX })? else {
            self.find(&name, 0, &"the length is no multiple of an entry");
            return Ok(Vec::new());
        };
        index.entries(Some(&*file))
    }

    fn offset_index(&mut self, base: Offset) -> io::Result<()> {
        let name = FileKind::OffsetIndex.name(base);
        for (at, entry) in self.entries::<OffsetEntry>(FileKind::OffsetIndex, base)?.into_iter().enumerate() {
            let position = u64::from(entry.position);
            let batch = self.batches.binary_search_by_key(&position, |batch| batch.position);
            let batch = batch.ok().and_then(|at| self.batches.get(at));
            if batch.is_some_and(|batch| batch.last_offset == base.plus(i64::from(entry.relative))) {
                self.result.index_entries += 1;
            } else {
                self.find(
                    &name,
                    (at * OffsetEntry::BYTES) as u64,
                    &"no batch ends at this offset and begins at this position",
                );
            }
        }
        Ok(())
    }

    fn time_index(&mut self, base: Offset) -> io::Result<()> {
        let name = FileKind::TimeIndex.name(base);
        let mut batches = self.batches.clone().into_iter().peekable();
        let mut largest = TimestampMs::NONE;
        for (at, entry) in self.entries::<TimeEntry>(FileKind::TimeIndex, base)?.into_iter().enumerate() {
            let upto = base.plus(i64::from(entry.relative));
            while let Some(batch) = batches.next_if(|batch| batch.last_offset <= upto) {
                largest = largest.max(batch.max_timestamp);
            }
            if largest == entry.timestamp {
                self.result.index_entries += 1;
            } else {
                self.find(&name, (at * TimeEntry::BYTES) as u64, &"not the largest time up to this offset");
            }
        }
        Ok(())
    }

    fn txn_index(&mut self, base: Offset, end: Offset) -> io::Result<()> {
        let name = FileKind::TxnIndex.name(base);
        let content = match self.read(&name) {
            Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(()),
            other => other?,
        };
        let mut last = Offset(-1);
        for (at, bytes) in content.chunks(TXN_ENTRY_BYTES).enumerate() {
            let entry = AbortedTransaction::decode(bytes);
            let is_sound = |entry: &AbortedTransaction| {
                entry.last_offset > last
                    && (base..end).contains(&entry.last_offset)
                    && entry.first_offset < entry.last_offset
            };
            match entry.filter(is_sound) {
                Some(entry) => {
                    last = entry.last_offset;
                    self.result.index_entries += 1;
                }
                None => self.find(&name, (at * TXN_ENTRY_BYTES) as u64, &"no transaction that was aborted here"),
            }
        }
        Ok(())
    }
}
