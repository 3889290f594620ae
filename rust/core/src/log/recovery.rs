//! Opening a log: after a clean stop it is trusted, after anything else it is looked at from the recovery point on.
//!
//! Prior art: Kafka's `LogLoader`, which walks every segment that the recovery point does not cover, whole. Ours begins at the index entry before the recovery point, so what a
//! start reads is bounded by what was not flushed. It cuts at the first byte that is not what the writer would have
//! written, and never below the recovery point: what is wrong there was flushed and changed since, and is reported with file and byte.
//!
//! Invariant: opening twice gives the same log as opening once.

use std::io;
use std::sync::Arc;

use super::checkpoint;
use super::config::LogConfig;
use super::directory::{Home, LogDirectory};
use super::epochs::EpochCache;
use super::errors::OpenError;
use super::flush::FlushState;
use super::index::{Entry, Extent, Index, OffsetEntry, TimeEntry};
use super::leftovers;
use super::names::FileKind;
use super::scan::{BULK_CHUNK_BYTES, Fault, Frame, LOOKUP_CHUNK_BYTES, Scanner};
use super::segment::Segment;
use super::txn_index::{AbortedTransaction, TXN_ENTRY_BYTES};
use super::writer::{
    EPOCHS_FILE, Log, PARTITION_METADATA_FILE, first_timestamp, remove_if_there, remove_segment,
    write_partition_metadata,
};
use crate::disk::{self, Open};
use crate::ids::{LeaderEpoch, Offset, TimestampMs, TopicId};

/// The largest side file that is read whole: ten million leader epochs.
pub(super) const SIDE_FILE_BYTES_MAX: u64 = 256 << 20;

/// How to open a log.
#[derive(Clone, Debug)]
pub struct OpenOptions {
    /// The settings.
    pub config: Arc<LogConfig>,
    /// The topic that the directory must belong to; none takes what it says.
    pub topic_id: Option<TopicId>,
    /// The log directory was left in good order: everything is trusted.
    pub clean: bool,
    /// Everything below was flushed.
    pub recovery_point: Offset,
    /// The first offset that may be read, if it is above the first segment.
    pub log_start: Offset,
    /// Offsets may be missing between segments: the topic is or was compacted.
    pub gaps_allowed: bool,
    /// The time.
    pub now: TimestampMs,
}

impl OpenOptions {
    /// After a crash, with nothing known to be flushed: everything is looked at.
    #[must_use]
    pub fn new(config: Arc<LogConfig>, now: TimestampMs) -> Self {
        Self {
            config,
            topic_id: None,
            clean: false,
            recovery_point: Offset(0),
            log_start: Offset(0),
            gaps_allowed: false,
            now,
        }
    }
}

/// What was cut off a log.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Cut {
    /// The file.
    pub file: String,
    /// The first byte that went.
    pub position: u64,
    /// How many bytes went from this file.
    pub bytes: u64,
    /// What was wrong there.
    pub fault: Fault,
}

/// What opening a log found and did.
#[derive(Clone, PartialEq, Eq, Debug, Default)]
pub struct RecoveryReport {
    /// Segments of the log afterwards.
    pub segments: usize,
    /// Segments of which batches were walked.
    pub segments_scanned: usize,
    /// Bytes that were walked.
    pub bytes_scanned: u64,
    /// What was cut off.
    pub cut: Option<Cut>,
    /// Files of whole segments that went behind a cut.
    pub segments_removed: usize,
    /// Files that were missing or wrong and were made again.
    pub rebuilt: Vec<String>,
    /// The log began anew, because all of it lay below its start.
    pub restarted: bool,
}

/// A log that is being opened.
struct Opening<'a> {
    home: Arc<Home>,
    options: &'a OpenOptions,
    names: Vec<String>,
    epochs: EpochCache,
    /// They are not what their file says.
    epochs_changed: bool,
    report: RecoveryReport,
    /// The epoch of the batch walked last.
    last_epoch: LeaderEpoch,
    /// Of the last segment: bytes since its last index entry.
    bytes_since_index: u64,
    /// Bytes found above the recovery point.
    unflushed_bytes: u64,
}

impl Log {
    /// Opens the log in the directory `name`. Blocks for as long as reading takes: pool threads only. Leftovers of
    /// deletions and of the cleaner are tidied up first.
    pub fn open(
        directory: &Arc<LogDirectory>,
        name: &str,
        options: &OpenOptions,
    ) -> Result<(Self, RecoveryReport), OpenError> {
        let home = Home::new(directory, name);
        let failed = |source| OpenError::Io { directory: home.describe(""), source };
        let names = leftovers::tidy(&home).map_err(failed)?;
        let mut opening = Opening {
            home: Arc::clone(&home),
            options,
            names,
            epochs: EpochCache::default(),
            epochs_changed: false,
            report: RecoveryReport::default(),
            last_epoch: LeaderEpoch::NONE,
            bytes_since_index: 0,
            unflushed_bytes: 0,
        };
        let topic_id = opening.topic_id()?;
        opening.run(topic_id).map_err(|error| match error {
            Failure::Io(source) => failed(source),
            Failure::Open(error) => error,
        })
    }
}

/// Whether an index entry and the batch at its position agree.
fn points_to_its_batch(segment: &Segment, entry: OffsetEntry) -> io::Result<bool> {
    let position = u64::from(entry.position);
    let mut scanner = Scanner::new(segment.log_file()?, position, segment.size(), LOOKUP_CHUNK_BYTES);
    let frame = scanner.next()?.and_then(Result::ok);
    Ok(frame.is_some_and(|frame| segment.relative(frame.last_offset) == Some(entry.relative)))
}

/// Either the disk's word or ours.
enum Failure {
    Io(io::Error),
    Open(OpenError),
}

impl From<io::Error> for Failure {
    fn from(error: io::Error) -> Self {
        Self::Io(error)
    }
}

impl Opening<'_> {
    fn run(mut self, topic_id: TopicId) -> Result<(Log, RecoveryReport), Failure> {
        let mut segments = self.load_segments()?;
        let have_epochs = self.load_epochs()?;
        self.recover(&mut segments)?;
        let log_start = self.options.log_start;
        let first = segments.first().map_or(log_start, |segment| segment.base);
        let mut end = segments.last().map_or(log_start, |segment| segment.next_offset());
        if end < self.options.recovery_point && self.options.recovery_point > log_start && !self.options.clean {
            let file = segments.last().map_or_else(String::new, |segment| segment.name(FileKind::Log));
            let position = segments.last().map_or(0, |segment| segment.size());
            return Err(self.corrupt(&file, position, Fault::Missing).into());
        }
        if segments.is_empty() || end < log_start {
            self.report.restarted = end < log_start;
            for segment in segments.drain(..) {
                remove_segment(&self.home, &segment)?;
            }
            segments.push(Segment::create(&self.home, log_start)?);
            self.bytes_since_index = 0;
            self.epochs.clear();
            self.epochs_changed = true;
            for at in leftovers::files(&self.names, FileKind::ProducerSnapshot) {
                remove_if_there(&self.home, &FileKind::ProducerSnapshot.name(at))?;
            }
            self.home.disk().sync_dir(&self.home.root())?;
            self.names = leftovers::list(&self.home)?;
            end = log_start;
        }
        let start = log_start.max(first).min(end);
        self.report.segments = segments.len();
        let mut log = self.assemble(topic_id, segments, start, end)?;
        if !have_epochs && log.start() < log.durable_end() {
            self.report.rebuilt.push(EPOCHS_FILE.to_owned());
            let mut batches = log.reader().batches(start, end);
            let mut epochs = EpochCache::default();
            while let Some(frame) = batches.next_frame()? {
                epochs.assign(frame.leader_epoch(), frame.base_offset);
            }
            log.epochs = epochs;
            self.epochs_changed = true;
        }
        let cut = log.epochs.truncate_from_end(end) | log.epochs.truncate_from_start(start);
        if cut || self.epochs_changed {
            log.flush.epochs_changed(self.options.now);
        }
        self.producers(&mut log)?;
        Ok((log, self.report))
    }

    fn assemble(
        &mut self,
        topic_id: TopicId,
        segments: Vec<Arc<Segment>>,
        start: Offset,
        end: Offset,
    ) -> io::Result<Log> {
        let now = self.options.now;
        // What lies below the start of the log but above the recovery point is still to be flushed.
        let first = segments.first().map_or(start, |segment| segment.base);
        let durable = if self.options.clean { end } else { self.options.recovery_point.max(first).min(end) };
        let mut flush = FlushState::new(durable);
        if !self.options.clean {
            // Who was here last may not have come to flush names.
            flush.add_file(PARTITION_METADATA_FILE.to_owned());
            flush.directory_created();
        }
        let config = Arc::clone(&self.options.config);
        let mut log = Log::assemble(Arc::clone(&self.home), config, topic_id, segments, start, end, flush, now);
        log.epochs = std::mem::take(&mut self.epochs);
        log.active.bytes_since_index = self.bytes_since_index;
        log.active.first_timestamp = first_timestamp(&log.active.segment)?;
        if !self.options.clean && (end > durable || self.report.cut.is_some()) {
            log.note_append(self.unflushed_bytes, 0, (end.0 - durable.0).max(0) as u64, now);
        }
        Ok(log)
    }

    /// The topic of the directory. A file that a power failure took is written again.
    fn topic_id(&mut self) -> Result<TopicId, OpenError> {
        let io = |source| OpenError::Io { directory: self.home.describe(""), source };
        let found = self.read(PARTITION_METADATA_FILE).map_err(io)?.and_then(|content| {
            let text = String::from_utf8(content).ok()?;
            text.lines().find_map(|line| TopicId::parse(line.strip_prefix("topic_id: ")?.trim()))
        });
        match (found, self.options.topic_id) {
            (Some(found), Some(expected)) if found != expected => {
                Err(OpenError::TopicId { directory: self.home.describe(""), found, expected })
            }
            (Some(found), _) => Ok(found),
            (None, Some(expected)) => {
                write_partition_metadata(&self.home, expected).map_err(io)?;
                self.report.rebuilt.push(PARTITION_METADATA_FILE.to_owned());
                Ok(expected)
            }
            (None, None) => Ok(TopicId::ZERO),
        }
    }

    fn read(&self, name: &str) -> io::Result<Option<Vec<u8>>> {
        if !self.has(name) {
            return Ok(None);
        }
        disk::read_all(self.home.disk(), &self.home.path(name), SIDE_FILE_BYTES_MAX).map(Some)
    }

    fn has(&self, name: &str) -> bool {
        self.names.binary_search_by(|other| other.as_str().cmp(name)).is_ok()
    }

    /// Reads the leader epochs; false when the file is missing or cannot be understood.
    fn load_epochs(&mut self) -> io::Result<bool> {
        let epochs = self.read(EPOCHS_FILE)?.and_then(|content| checkpoint::parse_epochs(&content).ok());
        let found = epochs.is_some();
        self.epochs = epochs.unwrap_or_default();
        if !self.options.clean {
            // What was not flushed is found again in the batches.
            self.epochs_changed = self.epochs.truncate_from_end(self.options.recovery_point);
        }
        Ok(found)
    }

    /// The segments as their files say, none of them walked yet.
    fn load_segments(&mut self) -> io::Result<Vec<Arc<Segment>>> {
        let mut bases: Vec<Offset> = leftovers::files(&self.names, FileKind::Log).collect();
        bases.sort_unstable();
        let mut segments = Vec::with_capacity(bases.len());
        for (at, &base) in bases.iter().enumerate() {
            let size = self.home.disk().stat(&self.home.path(&FileKind::Log.name(base)))?.len;
            // The end of a segment is known from the next one; that of the last is found by walking.
            let next = bases.get(at + 1).copied().unwrap_or(base);
            // An index may reach beyond the last segment after a power failure: walking takes those entries away.
            let offset_count = bases.get(at + 1).map_or(i64::MAX, |next| next.0.saturating_sub(base.0));
            let bytes = if at + 1 == bases.len() { u64::MAX } else { size };
            let extent = Extent { offsets: offset_count, bytes };
            let offsets = self.load_index::<OffsetEntry>(FileKind::OffsetIndex, base, size, extent)?;
            let times = self.load_index::<TimeEntry>(FileKind::TimeIndex, base, size, extent)?;
            // Each offset entry is written with what is known of the times: without any, those have been lost.
            let emptied = |(offsets, times): (&Index<_>, &Index<_>)| offsets.len() > 0 && times.len() == 0;
            let complete = offsets.as_ref().zip(times.as_ref()).is_some_and(|both| !emptied(both));
            let (offsets, times) = match (offsets, times) {
                (Some(offsets), Some(times)) if complete => (offsets, times),
                _ => (Index::empty(), Index::empty()),
            };
            let aborted = self.load_aborted(base)?;
            let segment = Arc::new(Segment::of(&self.home, base, size, next, offsets, times, aborted));
            if [FileKind::OffsetIndex, FileKind::TimeIndex].iter().all(|kind| self.has(&kind.name(base))) {
                segment.set_index_files();
            }
            if !complete {
                self.rebuild_indexes(&segment)?;
            }
            if !self.options.clean && self.has(&FileKind::TxnIndex.name(base)) {
                segment.distrust_aborted();
            }
            segments.push(segment);
        }
        Ok(segments)
    }

    /// An index as its file says; none when it is missing, though the segment is large enough to have one, or cannot be one.
    fn load_index<E: Entry>(
        &mut self,
        kind: FileKind,
        base: Offset,
        size: u64,
        extent: Extent,
    ) -> io::Result<Option<Index<E>>> {
        let name = kind.name(base);
        if !self.has(&name) {
            // Below the interval there is nothing to index, and an active segment has no files yet.
            let small = size <= u64::from(self.options.config.index_interval_bytes);
            return Ok(small.then(Index::empty));
        }
        let index = Index::load(&*self.home.open(&name, Open::Write)?, extent)?;
        if index.is_none() {
            self.report.rebuilt.push(name);
        }
        Ok(index)
    }

    fn load_aborted(&mut self, base: Offset) -> io::Result<u32> {
        let name = FileKind::TxnIndex.name(base);
        if !self.has(&name) {
            return Ok(0);
        }
        let file = self.home.open(&name, Open::Write)?;
        let mut bytes = vec![0; file.len()?.min(SIDE_FILE_BYTES_MAX) as usize];
        let read = file.read_at(0, &mut bytes)?;
        let mut last = Offset(-1);
        let entries = bytes[..read].chunks_exact(TXN_ENTRY_BYTES).map_while(AbortedTransaction::decode);
        let sound = entries.take_while(|entry| {
            // A marker stands behind what it ends; zeros do not.
            let follows =
                entry.last_offset > last && entry.last_offset >= base && entry.first_offset < entry.last_offset;
            last = entry.last_offset;
            follows
        });
        let sound = sound.count();
        if sound * TXN_ENTRY_BYTES < bytes.len() {
            // Durably: what stands behind the damage could look sound once the damage is written over.
            file.set_len((sound * TXN_ENTRY_BYTES) as u64)?;
            file.sync()?;
        }
        Ok(sound as u32)
    }

    /// Walks a segment from its beginning for its indexes alone; what is wrong in it is left to those who look.
    fn rebuild_indexes(&mut self, segment: &Arc<Segment>) -> io::Result<()> {
        segment.cut_indexes_to(0, 0)?;
        let mut scanner = Scanner::new(segment.log_file()?, 0, segment.size(), BULK_CHUNK_BYTES);
        let interval = u64::from(self.options.config.index_interval_bytes);
        let mut since = 0;
        while let Some(Ok(frame)) = scanner.next()? {
            since = segment.account(&frame, since, interval);
        }
        segment.forget_tail();
        segment.finish_indexes()?;
        self.report.segments_scanned += 1;
        self.report.bytes_scanned += segment.size();
        for kind in [FileKind::OffsetIndex, FileKind::TimeIndex] {
            let name = segment.name(kind);
            if !self.report.rebuilt.contains(&name) {
                self.report.rebuilt.push(name);
            }
        }
        Ok(())
    }

    /// Finds the end of the log, and looks at what the recovery point does not cover.
    fn recover(&mut self, segments: &mut Vec<Arc<Segment>>) -> Result<(), Failure> {
        let mut at = 0;
        while let Some(segment) = segments.get(at).map(Arc::clone) {
            let next = segments.get(at + 1).map(|next| next.base);
            // At the recovery point itself the records were flushed, but not what the roll wrote beside them.
            let covered = next.is_some_and(|next| self.options.clean || next < self.options.recovery_point);
            let is_past = next.is_some_and(|next| next <= self.options.log_start);
            if is_past || (covered && self.options.clean) {
                // Nobody reads it any more, or it is trusted.
            } else if covered {
                self.check_covered(&segment, next)?;
            } else if let Some((position, fault)) = self.walk(&segment, next)? {
                self.cut(segments, at, position, fault)?;
                return Ok(());
            } else if let Some(next) = next
                && next != segment.next_offset()
                && !self.options.gaps_allowed
            {
                self.cut(segments, at, segment.size(), Fault::Hole)?;
                return Ok(());
            } else if next.is_some() {
                segment.finish_indexes()?;
            }
            at += 1;
        }
        Ok(())
    }

    /// A segment that was flushed whole must be there whole: its last batch ends with the file, and the next segment follows.
    fn check_covered(&mut self, segment: &Arc<Segment>, next: Option<Offset>) -> Result<(), Failure> {
        if let Some(last) = segment.offsets.last()
            && !points_to_its_batch(segment, last)?
        {
            self.rebuild_indexes(segment)?;
        }
        let position = segment.offsets.last().map_or(0, |entry| u64::from(entry.position));
        let name = segment.name(FileKind::Log);
        let mut scanner = Scanner::new(segment.log_file()?, position, segment.size(), LOOKUP_CHUNK_BYTES);
        let mut end = segment.base;
        while let Some(frame) = scanner.next()? {
            let frame = frame.map_err(|fault| self.corrupt(&name, scanner.position(), fault))?;
            if frame.base_offset < end || next.is_some_and(|next| frame.last_offset >= next) {
                return Err(self.corrupt(&name, frame.position, Fault::Offsets).into());
            }
            end = frame.next_offset();
        }
        if next.is_some_and(|next| next != end) && !self.options.gaps_allowed {
            return Err(self.corrupt(&name, segment.size(), Fault::Hole).into());
        }
        Ok(())
    }

    fn corrupt(&self, name: &str, position: u64, fault: Fault) -> OpenError {
        OpenError::Corrupt {
            file: self.home.describe(name),
            position,
            fault,
            recovery_point: self.options.recovery_point,
        }
    }

    /// Walks a segment from the last place that is known to be good, and brings indexes and epochs up to date. Gives the first
    /// byte that is wrong, if there is one.
    fn walk(&mut self, segment: &Arc<Segment>, next: Option<Offset>) -> Result<Option<(u64, Fault)>, Failure> {
        let recovery_point = if self.options.clean { Offset(i64::MAX) } else { self.options.recovery_point };
        let begin = self.trusted_until(segment, recovery_point)?;
        let mut scanner = Scanner::new(segment.log_file()?, begin, segment.size(), BULK_CHUNK_BYTES);
        let interval = u64::from(self.options.config.index_interval_bytes);
        let (mut since, mut end, mut fault) = (0, segment.base, None);
        while let Some(frame) = scanner.next()? {
            let checked = match frame {
                Ok(frame) => {
                    self.check(segment, &mut scanner, &frame, end, next, recovery_point)?.map_or(Ok(frame), Err)
                }
                Err(fault) => Err(fault),
            };
            let frame = match checked {
                Ok(frame) => frame,
                Err(found) => {
                    fault = Some(found);
                    break;
                }
            };
            since = segment.account(&frame, since, interval);
            end = frame.next_offset();
            self.last_epoch = self.last_epoch.max(frame.leader_epoch());
            if frame.last_offset >= recovery_point {
                self.epochs_changed |= self.epochs.assign(frame.leader_epoch(), frame.base_offset);
                self.unflushed_bytes += u64::from(frame.size);
            }
            scanner.keep(&frame);
        }
        self.bytes_since_index = since;
        self.report.segments_scanned += 1;
        self.report.bytes_scanned += scanner.kept().saturating_sub(begin);
        let position = scanner.kept();
        if let Some(fault) = fault
            && end < recovery_point
            && !self.options.clean
            && recovery_point > self.options.log_start
        {
            return Err(self.corrupt(&segment.name(FileKind::Log), position, fault).into());
        }
        segment.publish(if fault.is_some() { position } else { segment.size() }, end);
        if next.is_some() {
            segment.forget_tail();
        }
        Ok(fault.map(|fault| (position, fault)))
    }

    /// What is wrong with a batch, if anything.
    fn check(
        &self,
        segment: &Segment,
        scanner: &mut Scanner,
        frame: &Frame,
        end: Offset,
        next: Option<Offset>,
        recovery_point: Offset,
    ) -> io::Result<Option<Fault>> {
        let fits = segment.relative(frame.last_offset).is_some() && next.is_none_or(|next| frame.last_offset < next);
        if frame.base_offset < end || !fits {
            return Ok(Some(Fault::Offsets));
        }
        if frame.header.is_some() && frame.leader_epoch() < self.last_epoch {
            return Ok(Some(Fault::Epoch));
        }
        if frame.last_offset >= recovery_point && !frame.checksum_holds(scanner.bytes(frame)?) {
            return Ok(Some(Fault::Checksum));
        }
        Ok(None)
    }

    /// The position from which a segment must be walked: the last index entry below the recovery point that agrees with
    /// the batch it points to. Entries behind it are cut off.
    fn trusted_until(&mut self, segment: &Arc<Segment>, recovery_point: Offset) -> io::Result<u64> {
        if segment.offsets.len() == 0 && segment.times.len() == 0 {
            return Ok(0);
        }
        let (offset_file, time_file) = (segment.offset_file(Open::Create)?, segment.time_file(Open::Create)?);
        let offsets = segment.offsets.entries(Some(&*offset_file))?;
        let times = segment.times.entries(Some(&*time_file))?;
        let below = |relative: u32| segment.base.plus(i64::from(relative)) < recovery_point;
        let in_order = |pair: &[OffsetEntry]| matches!(pair, [a, b] if b.follows(*a));
        let mut keep = offsets.iter().take_while(|entry| below(entry.relative)).count();
        let sound = offsets[..keep].windows(2).all(in_order) && offsets[..keep].iter().all(|entry| entry.is_used());
        if !sound {
            keep = 0;
            self.report.rebuilt.push(segment.name(FileKind::OffsetIndex));
        }
        while let Some(entry) = keep.checked_sub(1).and_then(|at| offsets.get(at)) {
            if points_to_its_batch(segment, *entry)? {
                break;
            }
            keep -= 1;
        }
        let last = keep.checked_sub(1).and_then(|at| offsets.get(at));
        let limit = last.map_or(0, |entry| entry.relative);
        let mut keep_times = times.iter().take_while(|entry| last.is_some() && entry.relative <= limit).count();
        let lost = keep > 0 && keep_times == 0;
        if lost || !times[..keep_times].windows(2).all(|pair| matches!(pair, [a, b] if b.follows(*a))) {
            // Neither is of use without the other.
            (keep, keep_times) = (0, 0);
            self.report.rebuilt.push(segment.name(FileKind::TimeIndex));
        }
        segment.cut_indexes_to(keep, keep_times)?;
        Ok(segment.offsets.last().map_or(0, |entry| u64::from(entry.position)))
    }

    /// Cuts a segment, and removes those behind it, the last first.
    fn cut(&mut self, segments: &mut Vec<Arc<Segment>>, at: usize, position: u64, fault: Fault) -> io::Result<()> {
        let Some(segment) = segments.get(at).map(Arc::clone) else { return Ok(()) };
        let file = segment.log_file()?;
        let bytes = file.len()?.saturating_sub(position);
        for later in segments.drain(at + 1..).rev() {
            remove_segment(&self.home, &later)?;
            self.report.segments_removed += 1;
        }
        file.set_len(position)?;
        // Or the next power failure could bring whole batches back that stand behind the damage.
        segment.sync_indexes()?;
        self.home.disk().sync_dir(&self.home.root())?;
        file.sync()?;
        self.report.cut = Some(Cut { file: self.home.describe(&segment.name(FileKind::Log)), position, bytes, fault });
        Ok(())
    }

    /// Reads the state of the producers, and completes the transaction index above the recovery point.
    fn producers(&mut self, log: &mut Log) -> io::Result<()> {
        let end = log.end();
        log.snapshots = leftovers::files(&self.names, FileKind::ProducerSnapshot).collect();
        log.snapshots.sort_unstable();
        if log.is_raft() {
            return Ok(());
        }
        if log.snapshots.iter().any(|at| *at > end) {
            // Or one could come back when the log is as long again, with other records.
            log.remove_snapshots(|at| at > end)?;
            self.home.disk().sync_dir(&self.home.root())?;
        }
        if self.options.clean && log.snapshots.is_empty() {
            // As Kafka does: a clean log without a snapshot has no producers.
            return Ok(());
        }
        let (from, mut aborted) = log.reload_producers(self.options.now)?;
        if self.options.clean {
            return Ok(());
        }
        if from < end && !log.producers.is_empty() {
            // The next start shall not have to read as far back.
            log.flush.want_side_files(self.options.now);
        }
        let trusted = self.options.recovery_point.min(end);
        log.distrust_snapshots(trusted, self.options.now)?;
        if from > trusted {
            let (states, from) = log.snapshot_before(trusted, self.options.now)?;
            aborted = log.replay(&mut states.unwrap_or_default(), from)?;
        }
        aborted.retain(|ended| ended.last_offset >= trusted);
        log.complete_aborted(&aborted, trusted)
    }
}

impl From<OpenError> for Failure {
    fn from(error: OpenError) -> Self {
        Self::Open(error)
    }
}
