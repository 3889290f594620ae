//! The log of one partition, as its single writer sees it (Kafka classes `UnifiedLog`, `LocalLog`).
//!
//! Every method that takes `&mut self` is called under the partition's lock and blocks for page-cache writes at most; what waits for the
//! disk is handed out as a plan ([`FlushPlan`](super::FlushPlan), [`Retired`](super::Retired)) that runs elsewhere. Readers go through [`LogReader`], without the lock.
//!
//! Invariants: what `append` returned is in the kernel's hands, whole, at the position that the log tracks, and nothing is
//! behind it; `start <= durable_end <= end`, unless start has passed what was flushed; a log that could not take back a
//! failed write is poisoned with its directory.

use std::io::{self, IoSlice};
use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::{AtomicI64, Ordering};

use arc_swap::ArcSwap;

use super::config::{LogConfig, Mode};
use super::directory::{Home, LogDirectory, is_full};
use super::epochs::EpochCache;
use super::errors::AppendError;
use super::flush::FlushState;
use super::names::FileKind;
use super::reader::{LogPosition, LogReader};
use super::scan::{Fault, Frame};
use super::segment::Segment;
use crate::batch::control::EndMarker;
use crate::batch::header::{BATCH_HEADER_BYTES, BatchHeader};
use crate::batch::producer::{Origin, ProducerStates, RememberedBatch, Verdict};
use crate::batch::snapshot;
use crate::disk::Open;
use crate::ids::{LeaderEpoch, Offset, TimestampMs, TopicId};

/// Names the topic in a partition's directory.
pub(crate) const PARTITION_METADATA_FILE: &str = "partition.metadata";
/// Leader epochs and where they began.
pub(crate) const EPOCHS_FILE: &str = "leader-epoch-checkpoint";

/// What readers and the writer share.
#[derive(Debug)]
pub(crate) struct Shared {
    pub(crate) home: Arc<Home>,
    /// Oldest first, never empty, replaced as a whole when a segment comes or goes.
    pub(crate) segments: ArcSwap<Vec<Arc<Segment>>>,
    pub(crate) start: AtomicI64,
    pub(crate) end: AtomicI64,
}

/// The segment that is written to.
#[derive(Debug)]
pub(crate) struct Active {
    pub(crate) segment: Arc<Segment>,
    pub(crate) bytes_since_index: u64,
    /// Largest time of the first batch: from there on `segment.ms` counts.
    pub(crate) first_timestamp: Option<TimestampMs>,
    /// When it was made or opened; counts when batches have no time.
    pub(crate) created: TimestampMs,
}

/// The log of one partition. See the module.
#[derive(Debug)]
pub struct Log {
    pub(crate) shared: Arc<Shared>,
    pub(crate) config: Arc<LogConfig>,
    pub(crate) topic_id: TopicId,
    pub(crate) active: Active,
    pub(crate) epochs: EpochCache,
    pub(crate) producers: ProducerStates,
    /// Offsets of the producer snapshots on the disk, ascending.
    pub(crate) snapshots: Vec<Offset>,
    /// Segments that were taken out and whose files may still have their names.
    pub(crate) retiring: Vec<Arc<Segment>>,
    pub(crate) flush: FlushState,
}

/// What became of a batch.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Outcome {
    /// It is in the log now.
    Appended(Appended),
    /// It was there already: answer with its old offsets.
    Duplicate(RememberedBatch),
}

/// What an append did.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Appended {
    /// Offset of the first record.
    pub base_offset: Offset,
    /// Offset of the last record.
    pub last_offset: Offset,
    /// Bytes in the log.
    pub size: u64,
    /// The end of the log after it.
    pub end: LogPosition,
}

/// Batches that have their offsets, from a leader or a raft quorum: structure and checksums are checked, outside any lock.
#[derive(Clone, Debug)]
pub struct AssignedBatches<'a> {
    bytes: &'a [u8],
    frames: Vec<Frame>,
}

impl<'a> AssignedBatches<'a> {
    /// Takes the whole batches at the front of `bytes`; what is torn behind the last whole one is left out, as a Fetch
    /// answer cuts it. Positions in the frames count from the front.
    pub fn parse(bytes: &'a [u8]) -> Result<Self, Fault> {
        let mut frames: Vec<Frame> = Vec::new();
        let mut at = 0;
        while let Some(rest) = bytes.get(at..).filter(|rest| !rest.is_empty()) {
            let frame = match Frame::decode(rest, at as u64, rest.len() as u64) {
                Ok(frame) => frame,
                Err(Fault::Torn) => break,
                Err(fault) => return Err(fault),
            };
            let next = at + frame.size as usize;
            if !bytes.get(at..next).is_some_and(|batch| frame.checksum_holds(batch)) {
                return Err(Fault::Checksum);
            }
            if frames.last().is_some_and(|before| before.last_offset >= frame.base_offset) {
                return Err(Fault::Offsets);
            }
            frames.push(frame);
            at = next;
        }
        Ok(Self { bytes: &bytes[..at], frames })
    }

    /// The batches, in order.
    #[must_use]
    pub fn frames(&self) -> &[Frame] {
        &self.frames
    }
}

impl Log {
    /// Makes the directory and the files of a new partition, whose first record will have offset `start` (which the caller puts
    /// into the log-start checkpoint when it is not 0). Nothing is flushed here: the first flush of data makes the names durable
    /// before anything else. About a hundred microseconds.
    pub fn create(
        directory: &Arc<LogDirectory>,
        name: &str,
        topic_id: TopicId,
        config: Arc<LogConfig>,
        start: Offset,
        now: TimestampMs,
    ) -> io::Result<Self> {
        let home = Home::new(directory, name);
        directory.disk().create_dir(Path::new(name))?;
        let mut flush = FlushState::new(start);
        write_partition_metadata(&home, topic_id)?;
        flush.add_file(PARTITION_METADATA_FILE.to_owned());
        let segment = Segment::create(&home, start)?;
        flush.directory_created();
        Ok(Self::assemble(home, config, topic_id, vec![segment], start, start, flush, now))
    }

    #[expect(clippy::too_many_arguments, reason = "the parts of a log, put together in two places")]
    pub(crate) fn assemble(
        home: Arc<Home>,
        config: Arc<LogConfig>,
        topic_id: TopicId,
        segments: Vec<Arc<Segment>>,
        start: Offset,
        end: Offset,
        flush: FlushState,
        now: TimestampMs,
    ) -> Self {
        let segment = match segments.last() {
            Some(segment) => Arc::clone(segment),
            None => unreachable!("a log has a segment"),
        };
        let shared = Shared {
            home,
            segments: ArcSwap::from_pointee(segments),
            start: AtomicI64::new(start.0),
            end: AtomicI64::new(end.0),
        };
        let active = Active { segment, bytes_since_index: 0, first_timestamp: None, created: now };
        Self {
            shared: Arc::new(shared),
            config,
            topic_id,
            active,
            epochs: EpochCache::default(),
            producers: ProducerStates::new(),
            snapshots: Vec::new(),
            retiring: Vec::new(),
            flush,
        }
    }

    /// A handle for readers, which needs no lock.
    #[must_use]
    pub fn reader(&self) -> LogReader {
        LogReader::new(Arc::clone(&self.shared))
    }

    /// The first offset that may be read.
    #[must_use]
    pub fn start(&self) -> Offset {
        Offset(self.shared.start.load(Ordering::Acquire))
    }

    /// The offset that the next record gets.
    #[must_use]
    pub fn end(&self) -> Offset {
        Offset(self.shared.end.load(Ordering::Acquire))
    }

    /// The end, and where it is: what a reader needs as upper bound to find the last bytes without a search.
    #[must_use]
    pub fn end_position(&self) -> LogPosition {
        LogPosition { offset: self.end(), segment: self.active.segment.base, position: self.active.segment.size() }
    }

    /// Everything below is on the disk, whatever happens.
    #[must_use]
    pub fn durable_end(&self) -> Offset {
        self.flush.durable_end()
    }

    /// Whether its directory failed: nothing of it may be trusted any more.
    #[must_use]
    pub fn is_poisoned(&self) -> bool {
        self.shared.home.directory.poisoned().is_some()
    }

    /// The topic whose partition this is.
    #[must_use]
    pub fn topic_id(&self) -> TopicId {
        self.topic_id
    }

    /// The settings.
    #[must_use]
    pub fn config(&self) -> &Arc<LogConfig> {
        &self.config
    }

    /// Other settings, from now on.
    pub fn reconfigure(&mut self, config: Arc<LogConfig>) {
        self.config = config;
    }

    /// Bytes of all segments.
    #[must_use]
    pub fn size(&self) -> u64 {
        self.shared.segments.load().iter().map(|segment| segment.size()).sum()
    }

    /// Base offset of the first segment: a start of the log above it must be remembered in a checkpoint.
    #[must_use]
    pub fn first_base(&self) -> Offset {
        self.shared.segments.load().first().map_or(self.start(), |segment| segment.base)
    }

    /// Number of segments.
    #[must_use]
    pub fn segment_count(&self) -> usize {
        self.shared.segments.load().len()
    }

    /// The leader epochs of the log.
    #[must_use]
    pub fn epochs(&self) -> &EpochCache {
        &self.epochs
    }

    /// The producers of the log; without any in a raft log.
    #[must_use]
    pub fn producers(&self) -> &ProducerStates {
        &self.producers
    }

    /// The high watermark has moved: transactions whose marker lies below are settled.
    pub fn high_watermark_moved(&mut self, high_watermark: Offset) {
        self.producers.advance(high_watermark);
    }

    /// Forgets producers that were silent for too long; says how many.
    pub fn expire_producers(&mut self, now: TimestampMs) -> usize {
        self.producers.expire(now, self.config.producer_id_expiration_ms)
    }

    /// Says that a leader epoch begins at the end of the log, as a new leader does before its first append.
    pub fn begin_epoch(&mut self, epoch: LeaderEpoch, now: TimestampMs) {
        self.assign_epoch(epoch, self.end(), now);
    }

    pub(crate) fn assign_epoch(&mut self, epoch: LeaderEpoch, start: Offset, now: TimestampMs) {
        if self.epochs.assign(epoch, start) {
            self.flush.epochs_changed(now);
        }
    }

    /// Gives the directory another name, which [`LogDirectory::flush_names`] makes durable. Blocks for a moment.
    pub fn rename(&self, to: &str) -> io::Result<()> {
        self.shared.home.rename(to)
    }

    /// Appends one batch at the end: asks the producer's state, gives the batch its offset and the leader's epoch, and
    /// writes it. `records` must be the checked ones of the header. In a raft log `origin` does not matter.
    pub fn append(
        &mut self,
        header: &BatchHeader,
        records: &[u8],
        origin: Origin,
        leader_epoch: LeaderEpoch,
        now: TimestampMs,
    ) -> Result<Outcome, AppendError> {
        let size = (BATCH_HEADER_BYTES + records.len()) as u64;
        let base = self.end();
        let header = BatchHeader { base_offset: base, leader_epoch, ..*header };
        let frame = Frame {
            position: 0,
            size: u32::try_from(size).unwrap_or(u32::MAX),
            magic: 2,
            base_offset: base,
            last_offset: header.last_offset(),
            max_timestamp: header.max_timestamp,
            header: Some(header),
        };
        self.refuse_impossible(size)?;
        if !self.is_raft()
            && let Verdict::Duplicate(batch) = self.producers.verdict(&header, origin).map_err(AppendError::Producer)?
        {
            return Ok(Outcome::Duplicate(batch));
        }
        self.make_room(&frame, size, now)?;
        let encoded = header.encode();
        self.write(&[IoSlice::new(&encoded), IoSlice::new(records)], &[frame], size, now, |_| records)?;
        let last_offset = frame.last_offset;
        Ok(Outcome::Appended(Appended { base_offset: base, last_offset, size, end: self.end_position() }))
    }

    /// Appends batches that have their offsets and epochs. They may leave a gap behind the end, and never reach below it. None
    /// when there are none.
    pub fn append_assigned(
        &mut self,
        batches: &AssignedBatches<'_>,
        now: TimestampMs,
    ) -> Result<Option<Appended>, AppendError> {
        let (Some(first), Some(last)) = (batches.frames.first(), batches.frames.last()) else { return Ok(None) };
        let end = self.end();
        if first.base_offset < end {
            return Err(AppendError::Offsets { first: first.base_offset, end });
        }
        for frame in &batches.frames {
            self.refuse_impossible(u64::from(frame.size))?;
        }
        let mut rest = &batches.frames[..];
        while let Some(frame) = rest.first() {
            self.make_room(frame, u64::from(frame.size), now)?;
            // As many as the segment takes go in one write.
            let room = self.config.segment_bytes.saturating_sub(self.active.segment.size());
            let fits = |other: &&Frame| {
                other.end() - frame.position <= room && self.active.segment.relative(other.last_offset).is_some()
            };
            let count = rest.iter().take_while(fits).count().max(1);
            let (group, others) = rest.split_at(count);
            let size = group.last().map_or(0, Frame::end) - frame.position;
            let bytes = &batches.bytes[frame.position as usize..][..size as usize];
            self.write(&[IoSlice::new(bytes)], group, size, now, |frame| {
                let start = frame.position as usize + BATCH_HEADER_BYTES;
                batches.bytes.get(start..frame.end() as usize).unwrap_or_default()
            })?;
            rest = others;
        }
        let (base_offset, last_offset) = (first.base_offset, last.last_offset);
        Ok(Some(Appended { base_offset, last_offset, size: batches.bytes.len() as u64, end: self.end_position() }))
    }

    /// Refuses what can never be written.
    fn refuse_impossible(&self, size: u64) -> Result<(), AppendError> {
        if let Some(reason) = self.shared.home.directory.poisoned() {
            return Err(AppendError::Poisoned(reason.to_owned()));
        }
        if size > self.config.segment_bytes {
            return Err(AppendError::TooLarge { size, segment_bytes: self.config.segment_bytes });
        }
        Ok(())
    }

    /// Rolls when the segment cannot take the batch. Refuses it where the disk is full.
    fn make_room(&mut self, frame: &Frame, size: u64, now: TimestampMs) -> Result<(), AppendError> {
        // What was appended before is known all the same, and the metadata of a delete must go on.
        if self.shared.home.directory.refuses_records() && !self.is_raft() {
            return Err(self.full());
        }
        if self.should_roll(frame, size, now) {
            self.roll(frame.base_offset.max(self.end()), now).map_err(|error| self.refused(error))?;
        }
        Ok(())
    }

    fn should_roll(&self, frame: &Frame, size: u64, now: TimestampMs) -> bool {
        let Active { segment, first_timestamp, created, .. } = &self.active;
        let has = segment.size();
        let waited = match first_timestamp {
            Some(first) if first.0 >= 0 => frame.max_timestamp.0.saturating_sub(first.0),
            _ => now.0.saturating_sub(created.0),
        };
        has > self.config.segment_bytes.saturating_sub(size)
            || (has > 0 && waited > self.config.segment_ms.saturating_sub(self.config.segment_jitter_ms))
            || (has > 0 && segment.indexes_full(self.config.segment_index_bytes))
            || segment.relative(frame.last_offset).is_none()
    }

    /// Closes the active segment and begins another at `base`.
    pub(crate) fn roll(&mut self, base: Offset, now: TimestampMs) -> io::Result<()> {
        if self.active.segment.base == base {
            return Ok(());
        }
        self.active.segment.finish_indexes()?;
        self.write_snapshot(base)?;
        let segment = Segment::create(&self.shared.home, base)?;
        self.flush.names_changed();
        let mut segments = Vec::clone(&self.shared.segments.load());
        segments.push(Arc::clone(&segment));
        self.shared.segments.store(Arc::new(segments));
        self.active.segment.forget_tail();
        self.active = Active { segment, bytes_since_index: 0, first_timestamp: None, created: now };
        self.flush.rolled(now);
        Ok(())
    }

    /// Writes the state of the producers as of the end, which is where the next segment begins.
    fn write_snapshot(&mut self, at: Offset) -> io::Result<()> {
        if self.is_raft() {
            return Ok(());
        }
        let name = FileKind::ProducerSnapshot.name(at);
        let file = self.shared.home.open(&name, Open::Truncate)?;
        file.write_at(0, &[IoSlice::new(&snapshot::encode(&self.producers))])?;
        self.flush.add_file(name);
        self.snapshot_exists(at);
        Ok(())
    }

    pub(crate) fn snapshot_exists(&mut self, at: Offset) {
        if let Err(place) = self.snapshots.binary_search(&at) {
            self.snapshots.insert(place, at);
        }
    }

    /// Writes bytes at the end and accounts for the batches they are. `records_of` finds what follows the header of one.
    fn write<'a>(
        &mut self,
        parts: &[IoSlice<'_>],
        frames: &[Frame],
        size: u64,
        now: TimestampMs,
        records_of: impl Fn(&Frame) -> &'a [u8],
    ) -> Result<(), AppendError> {
        let segment = Arc::clone(&self.active.segment);
        let position = segment.size();
        let file = segment.log_file().map_err(|error| self.refused(error))?;
        if let Err(error) = file.write_at(position, parts) {
            // Nothing may stay behind the end: not even a whole batch that was never acknowledged.
            if let Err(undo) = file.set_len(position) {
                let name = self.shared.home.describe(&segment.name(FileKind::Log));
                self.shared.home.directory.poison(&format!("cannot take back a failed write to {name}: {undo}"));
            }
            return Err(self.refused(error));
        }
        let shift = frames.first().map_or(0, |frame| frame.position);
        let before = self.end();
        for frame in frames {
            let marker = frame.header.filter(BatchHeader::is_control);
            let marker = marker.and_then(|header| EndMarker::read(&header, records_of(frame)));
            let frame = Frame { position: position + (frame.position - shift), ..*frame };
            self.account(&frame, marker, now);
        }
        let end = frames.last().map_or(before, Frame::next_offset);
        segment.publish(position + size, end);
        self.shared.end.store(end.0, Ordering::Release);
        self.note_append(size, frames.len() as u64, (end.0 - before.0) as u64, now);
        if segment.offsets.wants_write() {
            // An index that lags is caught up later: the records are in the log.
            let _ = segment.write_indexes();
        }
        Ok(())
    }

    /// What a batch changes beside the bytes: index, epoch, producer, the time from which the segment counts.
    fn account(&mut self, frame: &Frame, marker: Option<EndMarker>, now: TimestampMs) {
        let active = &mut self.active;
        if active.segment.size() == 0 && frame.position == 0 {
            active.first_timestamp = Some(frame.max_timestamp);
        }
        let interval = u64::from(self.config.index_interval_bytes);
        active.bytes_since_index = active.segment.account(frame, active.bytes_since_index, interval);
        if frame.magic < 2 {
            self.epochs.clear();
        } else {
            self.assign_epoch(frame.leader_epoch(), frame.base_offset, now);
        }
        let Some(header) = frame.header.filter(|_| !self.is_raft()) else { return };
        if let Some(ended) = self.producers.apply(&header, marker).filter(|ended| ended.aborted) {
            // What cannot be written now waits in memory, and is written before the next flush counts.
            let _ = self.active.segment.push_aborted(ended.into());
        }
    }

    /// A failed write, as the caller must know it: a full disk refuses, everything else ends the directory.
    fn refused(&self, error: io::Error) -> AppendError {
        if is_full(&error) {
            self.shared.home.directory.note_full();
            return self.full();
        }
        let reason = format!("cannot write to {}: {error}", self.shared.home.describe(""));
        self.shared.home.directory.poison(&reason);
        AppendError::Failed { doing: reason, source: error }
    }

    fn full(&self) -> AppendError {
        AppendError::Full { directory: self.shared.home.directory.describe() }
    }

    /// Moves the first readable offset up; true when it moved. Segments below it go with the next retention.
    pub fn advance_log_start(&mut self, start: Offset, now: TimestampMs) -> bool {
        let start = start.min(self.end());
        if start <= self.start() {
            return false;
        }
        self.shared.start.store(start.0, Ordering::Release);
        if self.epochs.truncate_from_start(start) {
            self.flush.epochs_changed(now);
        }
        true
    }

    pub(crate) fn remove_snapshots(&mut self, doomed: impl Fn(Offset) -> bool) -> io::Result<()> {
        for &at in self.snapshots.iter().filter(|at| doomed(**at)) {
            remove_if_there(&self.shared.home, &FileKind::ProducerSnapshot.name(at))?;
        }
        self.snapshots.retain(|at| !doomed(*at));
        Ok(())
    }

    /// Whether the log is of a raft quorum.
    pub(crate) fn is_raft(&self) -> bool {
        self.config.mode == Mode::Raft
    }
}

/// Largest time of the first batch of a segment.
pub(crate) fn first_timestamp(segment: &Segment) -> io::Result<Option<TimestampMs>> {
    if segment.size() == 0 {
        return Ok(None);
    }
    let mut bytes = [0; BATCH_HEADER_BYTES];
    let read = segment.log_file()?.read_at(0, &mut bytes)?;
    Ok(Frame::decode(&bytes[..read], 0, segment.size()).ok().map(|frame| frame.max_timestamp))
}

/// Unlinks all files of a segment; those that do not exist are fine.
pub(crate) fn remove_segment(home: &Home, segment: &Segment) -> io::Result<()> {
    segment.retire();
    segment.close_files();
    for kind in FileKind::ALL {
        remove_if_there(home, &segment.name(kind))?;
    }
    Ok(())
}

pub(crate) fn remove_if_there(home: &Home, name: &str) -> io::Result<()> {
    match home.disk().remove_file(&home.path(name)) {
        Err(error) if error.kind() != io::ErrorKind::NotFound => Err(error),
        _ => Ok(()),
    }
}

/// Writes `partition.metadata`, as Kafka writes it: without a newline at the end.
pub(crate) fn write_partition_metadata(home: &Home, topic_id: TopicId) -> io::Result<()> {
    let file = home.open(PARTITION_METADATA_FILE, Open::Truncate)?;
    file.write_at(0, &[IoSlice::new(format!("version: 0\ntopic_id: {topic_id}").as_bytes())])
}
