//! Committed offsets for Python: their table, and their records.

use std::sync::{Arc, OnceLock};

use ottla_core::error::ErrorCode;
use ottla_core::groups::offset_record::{OffsetValue, write_key, write_value};
use ottla_core::groups::offsets::{Applied, Question, write_missing};
use ottla_core::ids::{LeaderEpoch, Offset, PartitionIndex, ProducerId, TimestampMs, TopicId};
use ottla_core::plane::clock::Instant;
use ottla_core::plane::desk::{Committer, Rules};
use ottla_core::plane::desks::SharedDesk;
use ottla_core::plane::pool::Pool;
use pyo3::exceptions::PyValueError;
use pyo3::prelude::*;
use pyo3::types::{PyBytes, PyString, PyTuple};

use crate::codec::{Encoded, WireError};
use crate::records::codec_numbered;

/// Offset, leader epoch, metadata, time of the commit, time of expiry, topic id.
type ValueRow<'py> = (i64, i32, Bound<'py, PyString>, i64, i64, Bound<'py, PyBytes>);
/// Partition, time of the commit, time of expiry, topic id.
type ScanRow<'py> = (i32, i64, i64, Bound<'py, PyBytes>);

/// See `_core.pyi`. Shared with a load that fills it, and with the data plane while it is open.
#[pyclass(frozen, module = "ottla._core")]
pub(crate) struct OffsetTable(SharedDesk, OnceLock<Engine>);

/// What a table needs of the engine that loaded it.
struct Engine {
    /// Frees it.
    pool: Arc<Pool>,
    /// The engine's zero on the clock of whoever asks for times.
    zero_ms: i64,
}

impl OffsetTable {
    /// For a load, and what comes after it.
    pub(crate) fn serve(&self, pool: &Arc<Pool>, zero_ms: i64) -> SharedDesk {
        self.1.get_or_init(|| Engine { pool: pool.clone(), zero_ms });
        self.0.clone()
    }

    fn shown(&self, at: Instant) -> i64 {
        let zero_ms = self.1.get().map_or(0, |engine| engine.zero_ms);
        i64::try_from(at.0).unwrap_or(i64::MAX).saturating_add(zero_ms)
    }

    /// A million offsets take their time to be freed, and this is the thread that serves everybody.
    fn free(&self) {
        let held = self.0.lock().close();
        if let Some(Engine { pool, .. }) = self.1.get() {
            pool.submit(Box::new(move || drop(held)));
        }
    }
}

impl Drop for OffsetTable {
    fn drop(&mut self) {
        self.free();
    }
}

#[pymethods]
impl OffsetTable {
    #[new]
    fn new() -> Self {
        Self(Arc::default(), OnceLock::new())
    }

    fn __len__(&self) -> usize {
        self.0.lock().offsets.len()
    }

    #[pyo3(signature = (key, value, is_committed=false))]
    fn apply<'py>(
        &self,
        py: Python<'py>,
        key: &[u8],
        value: Option<&[u8]>,
        is_committed: bool,
    ) -> PyResult<Option<Bound<'py, PyString>>> {
        let mut desk = self.0.lock();
        let outcome = desk.offsets.apply(key, value);
        if let Ok(Applied::Put(group) | Applied::Removed(group)) = &outcome
            && !is_committed
        {
            desk.unsettle(group);
        }
        drop(desk);
        applied(py, outcome)
    }

    fn open(&self, leader_epoch: i32, metadata_chars_max: usize, timeout_ms: i64, codec: i16) -> PyResult<()> {
        let (leader_epoch, codec) = (LeaderEpoch(leader_epoch), codec_numbered(codec)?);
        self.0.lock().open(Rules { leader_epoch, metadata_chars_max, timeout_ms, codec });
        Ok(())
    }

    fn close(&self) {
        self.free();
    }

    fn grant(&self, group: &str, member_id: &str, instance_id: Option<&str>, epoch: i32, version: i16) {
        self.0.lock().grant(&Committer { group, member_id, instance_id, epoch, version });
    }

    fn withdraw(&self, group: &str) -> Vec<(String, i64)> {
        let used = self.0.lock().withdraw(group);
        used.into_iter().map(|(member, at)| (member.into(), self.shown(at))).collect()
    }

    fn last_commit_ms(&self, group: &str, member_id: &str) -> Option<i64> {
        self.0.lock().last_commit(group, member_id).map(|at| self.shown(at))
    }

    fn seal(&self) -> Option<u64> {
        self.0.lock().seal()
    }

    fn settle(&self, mark: u64) {
        self.0.lock().settle(mark);
    }

    fn has_pending(&self, group: &str) -> bool {
        self.0.lock().offsets.pending(group).next().is_some()
    }

    fn apply_pending<'py>(
        &self,
        py: Python<'py>,
        producer_id: i64,
        key: &[u8],
        value: Option<&[u8]>,
    ) -> PyResult<Option<Bound<'py, PyString>>> {
        applied(py, self.0.lock().offsets.apply_pending(ProducerId(producer_id), key, value))
    }

    fn end_transaction(&self, producer_id: i64, committed: bool) {
        self.0.lock().offsets.end_transaction(ProducerId(producer_id), committed);
    }

    fn groups(&self) -> Vec<String> {
        self.0.lock().offsets.groups().map(str::to_owned).collect()
    }

    fn topics(&self, group: &str) -> Vec<String> {
        self.0.lock().offsets.topics(group).map(str::to_owned).collect()
    }

    fn committed<'py>(&self, py: Python<'py>, group: &str) -> Vec<(String, i32, ValueRow<'py>)> {
        let table = &self.0.lock().offsets;
        let row = |(topic, partition, value): (&str, PartitionIndex, _)| {
            (topic.to_owned(), partition.0, value_row(py, &value))
        };
        table.committed(group).map(row).collect()
    }

    fn scan<'py>(
        &self,
        py: Python<'py>,
        group: &str,
        topic: &str,
        after: Option<i32>,
        rows_max: usize,
    ) -> Vec<ScanRow<'py>> {
        let table = &self.0.lock().offsets;
        let row = |(partition, value): (PartitionIndex, OffsetValue<'_>)| {
            let topic_id = PyBytes::new(py, &value.topic_id.0);
            (partition.0, value.commit_timestamp.0, value.expire_timestamp.0, topic_id)
        };
        table.offsets(group, topic, after.map(PartitionIndex)).take(rows_max).map(row).collect()
    }

    fn pending<'py>(&self, py: Python<'py>, group: &str) -> Vec<(String, i32, Vec<Bound<'py, PyBytes>>)> {
        let table = &self.0.lock().offsets;
        let rows = table.pending(group).map(|(topic, partition, ids)| {
            (topic.to_owned(), partition.0, ids.map(|id| PyBytes::new(py, &id.0)).collect())
        });
        rows.collect()
    }

    fn being_written<'py>(&self, py: Python<'py>, group: &str) -> Vec<(String, i32, Bound<'py, PyBytes>)> {
        let table = &self.0.lock().offsets;
        let rows = table.being_written(group);
        rows.map(|(topic, partition, id)| (topic.to_owned(), partition.0, PyBytes::new(py, &id.0))).collect()
    }

    fn has_any(&self, group: &str) -> bool {
        self.0.lock().offsets.has_any(group)
    }

    fn is_pending(&self, group: &str, topic: &str, partition: i32) -> bool {
        self.0.lock().offsets.is_pending(group, topic, PartitionIndex(partition))
    }

    fn is_known(&self, group: &str, topic: &str, partition: i32) -> bool {
        self.0.lock().offsets.is_known(group, topic, PartitionIndex(partition))
    }

    fn fetch(
        &self,
        version: i16,
        group: &str,
        topic: &str,
        topic_id: &[u8],
        partitions: Option<&Bound<'_, PyTuple>>,
        require_stable: bool,
    ) -> PyResult<Encoded> {
        let question = Question { group, topic, topic_id: id(topic_id)?, require_stable };
        let partitions = partitions.map(numbers).transpose()?;
        let mut out = Vec::with_capacity(32 * partitions.as_ref().map_or(8, Vec::len));
        self.0.lock().offsets.write_fetched(&mut out, version, &question, partitions.as_deref());
        Ok(Encoded(out))
    }
}

/// The partitions of a topic without offsets, with or without an error.
#[pyfunction]
fn fetched_nothing(version: i16, partitions: &Bound<'_, PyTuple>, error_code: i16) -> PyResult<Encoded> {
    let error = ErrorCode::from_code(error_code);
    let error = error.ok_or_else(|| PyValueError::new_err(format!("no error has the code {error_code}")))?;
    let mut out = Vec::new();
    write_missing(&mut out, version, &numbers(partitions)?, error);
    Ok(Encoded(out))
}

/// Key and value of a committed offset.
#[pyfunction]
#[allow(clippy::too_many_arguments)] // a record, by place
fn offset_record<'py>(
    py: Python<'py>,
    group: &str,
    topic: &str,
    partition: i32,
    offset: i64,
    leader_epoch: i32,
    metadata: Option<&str>,
    commit_timestamp_ms: i64,
    expire_timestamp_ms: i64,
    topic_id: &[u8],
) -> PyResult<(Bound<'py, PyBytes>, Bound<'py, PyBytes>)> {
    let value = OffsetValue {
        offset: Offset(offset),
        leader_epoch: LeaderEpoch(leader_epoch),
        metadata: metadata.unwrap_or_default().into(),
        commit_timestamp: TimestampMs(commit_timestamp_ms),
        expire_timestamp: TimestampMs(expire_timestamp_ms),
        topic_id: id(topic_id)?,
    };
    let refused = |error: ottla_core::groups::offset_record::TextTooLong| WireError::new_err(error.to_string());
    let key = write_key(group, topic, PartitionIndex(partition)).map_err(refused)?;
    let value = write_value(&value).map_err(refused)?;
    Ok((PyBytes::new(py, &key), PyBytes::new(py, &value)))
}

/// The key of a committed offset, for a tombstone.
#[pyfunction]
fn offset_key<'py>(py: Python<'py>, group: &str, topic: &str, partition: i32) -> PyResult<Bound<'py, PyBytes>> {
    let key = write_key(group, topic, PartitionIndex(partition));
    Ok(PyBytes::new(py, &key.map_err(|error| WireError::new_err(error.to_string()))?))
}

fn applied<'py>(
    py: Python<'py>,
    applied: Result<Applied<'_>, ottla_core::wire::WireError>,
) -> PyResult<Option<Bound<'py, PyString>>> {
    match applied.map_err(|error| WireError::new_err(format!("cannot decode a committed offset: {error}")))? {
        Applied::Put(group) => Ok(Some(PyString::new(py, &group))),
        Applied::Removed(_) => Ok(None),
        Applied::Other => Err(PyValueError::new_err("not the record of a committed offset")),
    }
}

fn value_row<'py>(py: Python<'py>, value: &OffsetValue<'_>) -> ValueRow<'py> {
    let (metadata, topic_id) = (PyString::new(py, &value.metadata), PyBytes::new(py, &value.topic_id.0));
    let (committed, expires) = (value.commit_timestamp.0, value.expire_timestamp.0);
    (value.offset.0, value.leader_epoch.0, metadata, committed, expires, topic_id)
}

fn id(bytes: &[u8]) -> PyResult<TopicId> {
    let id = bytes.try_into().map(TopicId);
    id.map_err(|_| PyValueError::new_err(format!("a topic id has 16 bytes, not {}", bytes.len())))
}

fn numbers(tuple: &Bound<'_, PyTuple>) -> PyResult<Vec<i32>> {
    tuple.iter().map(|number| number.extract()).collect()
}

/// `String.hashCode` of Java.
#[pyfunction]
fn java_string_hash(text: &str) -> i32 {
    ottla_core::groups::java_string_hash(text)
}

/// Adds what is in this file to the module.
pub(crate) fn register(module: &Bound<'_, PyModule>) -> PyResult<()> {
    module.add_class::<OffsetTable>()?;
    module.add_function(wrap_pyfunction!(java_string_hash, module)?)?;
    module.add_function(wrap_pyfunction!(fetched_nothing, module)?)?;
    module.add_function(wrap_pyfunction!(offset_record, module)?)?;
    module.add_function(wrap_pyfunction!(offset_key, module)?)
}
