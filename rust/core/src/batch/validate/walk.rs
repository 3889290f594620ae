//! One walk over the records of a batch: what the checks need to know of each, and nothing of keys and values.

use super::refusal::{RECORD_REFUSALS_MAX, RecordRefusal, RecordRefused, Refusal, Rejected};
use super::{ProduceRules, TimestampType};
use crate::batch::compress::{CompressionFault, Inflow};
use crate::batch::header::BatchHeader;
use crate::batch::records::{Record, RecordFault, Records, read_record, read_record_size};
use crate::batch::varint::{VarintFault, read_varint, read_varlong};
use crate::ids::TimestampMs;

/// What is looked at of a record.
#[derive(Clone, Copy)]
pub(super) struct Seen {
    offset_delta: i32,
    timestamp_delta: i64,
    /// Negative for null.
    key_size: i32,
    /// Negative for null.
    value_size: i32,
    /// Whether the record lay in memory whole, or was skipped through; Kafka's messages tell.
    whole: bool,
}

fn size_of(bytes: Option<&[u8]>) -> i32 {
    bytes.map_or(-1, |bytes| bytes.len() as i32)
}

impl Seen {
    fn of(record: &Record<'_>, whole: bool) -> Self {
        Self {
            offset_delta: record.offset_delta,
            timestamp_delta: record.timestamp_delta,
            key_size: size_of(record.key),
            value_size: size_of(record.value),
            whole,
        }
    }
}

/// What the walk found out about the batch.
#[derive(Clone, Copy, Debug)]
pub(super) struct Examined {
    /// The largest time of a record; -1 without any.
    pub(super) max_timestamp: TimestampMs,
    /// The offset delta, as it will be assigned, of the first record with that time.
    pub(super) max_timestamp_delta: i32,
    /// Whether the records came with the offset deltas 0, 1, 2, ….
    pub(super) consecutive: bool,
}

/// Checks each record and collects what is wrong.
pub(super) struct Examiner<'r> {
    rules: &'r ProduceRules,
    now: TimestampMs,
    base_timestamp: TimestampMs,
    /// The time of all records, if the producer set the attribute for that.
    batch_time: Option<TimestampMs>,
    examined: Examined,
    refused: Vec<RecordRefused>,
    refused_count: usize,
    bad_time: bool,
}

impl<'r> Examiner<'r> {
    pub(super) fn new(header: &BatchHeader, rules: &'r ProduceRules, now: TimestampMs) -> Self {
        Self {
            rules,
            now,
            base_timestamp: header.base_timestamp,
            batch_time: header.is_log_append_time().then_some(header.max_timestamp),
            examined: Examined { max_timestamp: TimestampMs::NONE, max_timestamp_delta: 0, consecutive: true },
            refused: Vec::new(),
            refused_count: 0,
            bad_time: false,
        }
    }

    #[inline]
    fn record(&mut self, index: i32, seen: &Seen) {
        let timestamp = match self.batch_time {
            Some(timestamp) => timestamp,
            None => TimestampMs(self.base_timestamp.0.wrapping_add(seen.timestamp_delta)),
        };
        if let Some(refusal) = self.refusal(seen, timestamp) {
            self.refuse(index, refusal);
            return;
        }
        self.examined.consecutive &= seen.offset_delta == index;
        if timestamp > self.examined.max_timestamp {
            self.examined.max_timestamp = timestamp;
            self.examined.max_timestamp_delta = index;
        }
    }

    #[inline]
    fn refusal(&self, seen: &Seen, timestamp: TimestampMs) -> Option<RecordRefusal> {
        let (rules, now) = (self.rules, self.now.0);
        let offset = i64::from(seen.offset_delta);
        if rules.compacted && seen.key_size < 0 {
            return Some(RecordRefusal::NoKey);
        }
        if rules.timestamp_type == TimestampType::CreateTime && timestamp != TimestampMs::NONE {
            // Wraps, as Java does.
            let age = now.wrapping_sub(timestamp.0);
            if age > rules.timestamp_before_max_ms || age.wrapping_neg() > rules.timestamp_after_max_ms {
                let earliest = TimestampMs(now.wrapping_sub(rules.timestamp_before_max_ms));
                let latest = TimestampMs(now.wrapping_add(rules.timestamp_after_max_ms));
                return Some(RecordRefusal::Timestamp { timestamp, offset, earliest, latest });
            }
            return None;
        }
        let Seen { key_size, value_size, whole, .. } = *seen;
        self.batch_time.map(|timestamp| RecordRefusal::LogAppendTime { whole, offset, timestamp, key_size, value_size })
    }

    #[cold]
    fn refuse(&mut self, batch_index: i32, refusal: RecordRefusal) {
        self.refused_count += 1;
        self.bad_time |= !matches!(refusal, RecordRefusal::NoKey);
        if self.refused.len() < RECORD_REFUSALS_MAX {
            self.refused.push(RecordRefused { batch_index, refusal });
        }
    }

    pub(super) fn finish(self) -> Result<Examined, Rejected> {
        if self.refused_count == 0 {
            return Ok(self.examined);
        }
        let refusal = if self.bad_time { Refusal::Timestamps } else { Refusal::Records { count: self.refused_count } };
        Err(Rejected { refusal, records: self.refused })
    }
}

/// Why a walk stopped.
#[derive(Clone, Copy, Debug)]
pub(super) enum WalkFault {
    Record(RecordFault),
    Compression(CompressionFault),
}

impl From<RecordFault> for WalkFault {
    fn from(fault: RecordFault) -> Self {
        Self::Record(fault)
    }
}

impl From<VarintFault> for WalkFault {
    fn from(fault: VarintFault) -> Self {
        Self::Record(fault.into())
    }
}

impl From<CompressionFault> for WalkFault {
    fn from(fault: CompressionFault) -> Self {
        Self::Compression(fault)
    }
}

impl From<WalkFault> for Refusal {
    fn from(fault: WalkFault) -> Self {
        match fault {
            WalkFault::Record(fault) => fault.into(),
            WalkFault::Compression(fault) => fault.into(),
        }
    }
}

/// Walks records that lie in memory.
pub(super) fn records(bytes: &[u8], count: i32, examiner: &mut Examiner<'_>) -> Result<(), RecordFault> {
    for (record, index) in Records::new(count, bytes).zip(0..) {
        examiner.record(index, &Seen::of(&record?, true));
    }
    Ok(())
}

/// Walks records while they are decompressed. Only a record that fits the window is ever held whole.
pub(super) fn stream(
    inflow: &mut Inflow<'_, '_>,
    count: i32,
    record_bytes_max: usize,
    examiner: &mut Examiner<'_>,
) -> Result<(), WalkFault> {
    for index in 0..count {
        let seen = next(inflow, record_bytes_max)?;
        if index + 1 == count && !inflow.at_end()? {
            return Err(RecordFault::BytesRemain.into());
        }
        examiner.record(index, &seen);
    }
    Ok(())
}

fn next(inflow: &mut Inflow<'_, '_>, record_bytes_max: usize) -> Result<Seen, WalkFault> {
    // A length has at most 5 bytes; near the end there may be fewer.
    inflow.require(5)?;
    let mut bytes = inflow.available();
    let before = bytes.len();
    let size = read_record_size(&mut bytes)?;
    let prefix = before - bytes.len();
    if size as usize > record_bytes_max {
        return Err(RecordFault::TooLarge { size, most: record_bytes_max }.into());
    }
    let total = prefix + size as usize;
    if total > inflow.window_bytes() {
        inflow.consume(prefix);
        return Passage { inflow, left: size as usize }.walk(size);
    }
    if !inflow.require(total)? {
        return Err(RecordFault::BeyondBatch { size, left: inflow.available().len() - prefix }.into());
    }
    let mut bytes = &inflow.available()[..total];
    let seen = Seen::of(&read_record(&mut bytes)?, false);
    inflow.consume(total);
    Ok(seen)
}

/// The way through a record that is larger than the window.
struct Passage<'p, 's, 'i> {
    inflow: &'p mut Inflow<'s, 'i>,
    /// Bytes of the record that are still ahead.
    left: usize,
}

impl Passage<'_, '_, '_> {
    fn walk(mut self, size: i32) -> Result<Seen, WalkFault> {
        self.skip(1)?;
        let timestamp_delta = self.integer(10, read_varlong)?;
        let offset_delta = self.integer(5, read_varint)?;
        let key_size = self.skip_sized()?;
        let value_size = self.skip_sized()?;
        let headers = self.integer(5, read_varint)?;
        let count = usize::try_from(headers).map_err(|_| RecordFault::NegativeHeaderCount(headers))?;
        if count > self.left {
            return Err(RecordFault::HeadersBeyondRecord(headers).into());
        }
        for _ in 0..count {
            let key_size = self.skip_sized()?;
            if key_size < 0 {
                return Err(RecordFault::NegativeHeaderKey(key_size).into());
            }
            self.skip_sized()?;
        }
        if self.left > 0 {
            return Err(RecordFault::SizeMismatch { size, read: size as usize - self.left }.into());
        }
        Ok(Seen { offset_delta, timestamp_delta, key_size, value_size, whole: false })
    }

    fn integer<T>(
        &mut self,
        bytes_max: usize,
        read: impl Fn(&mut &[u8]) -> Result<T, VarintFault>,
    ) -> Result<T, WalkFault> {
        self.inflow.require(bytes_max.min(self.left))?;
        let available = self.inflow.available();
        let mut bytes = &available[..available.len().min(self.left)];
        let before = bytes.len();
        let value = read(&mut bytes)?;
        let taken = before - bytes.len();
        self.left -= taken;
        self.inflow.consume(taken);
        Ok(value)
    }

    fn skip(&mut self, count: usize) -> Result<(), WalkFault> {
        self.left = self.left.checked_sub(count).ok_or(RecordFault::Structure)?;
        if self.inflow.skip(count)? { Ok(()) } else { Err(RecordFault::PrematureEnd.into()) }
    }

    fn skip_sized(&mut self) -> Result<i32, WalkFault> {
        let size = self.integer(5, read_varint)?;
        if let Ok(size) = usize::try_from(size) {
            self.skip(size)?;
        }
        Ok(size)
    }
}
