//! Commands of coordinators from Python, and what came of them.

use ottla_core::ids::{LeaderEpoch, PartitionIndex, TimestampMs, TopicId};
use ottla_core::plane::coordinator_log::{CoordinatorOutcome, KeyedRecord, Place};
use pyo3::prelude::*;
use pyo3::types::{PyBytes, PyList};

/// Key, value, time.
pub(crate) type KeyedRow<'py> = (Bound<'py, PyBytes>, Option<Bound<'py, PyBytes>>, i64);

pub(crate) fn place(topic_id: [u8; 16], partition: i32, leader_epoch: i32) -> Place {
    let (index, leader_epoch) = (PartitionIndex(partition), LeaderEpoch(leader_epoch));
    Place { topic_id: TopicId(topic_id), index, leader_epoch }
}

pub(crate) fn keyed_record((key, value, timestamp_ms): KeyedRow<'_>) -> KeyedRecord {
    KeyedRecord {
        key: key.as_bytes().to_vec(),
        value: value.map(|value| value.as_bytes().to_vec()),
        timestamp: TimestampMs(timestamp_ms),
    }
}

/// (0, none, records) or (error code, words, no records).
pub(crate) fn outcome(py: Python<'_>, outcome: CoordinatorOutcome) -> PyResult<Bound<'_, PyAny>> {
    let rows = PyList::empty(py);
    let records = match outcome {
        Ok(records) => records,
        Err(refusal) => return Ok((refusal.code.code(), refusal.message, rows).into_pyobject(py)?.into_any()),
    };
    for record in records {
        let value = record.value.map(|value| PyBytes::new(py, &value));
        let (producer_id, producer_epoch) = (record.producer_id.0, record.producer_epoch.0);
        let key = PyBytes::new(py, &record.key);
        rows.append((key, value, record.timestamp.0, record.offset.0, producer_id, producer_epoch))?;
    }
    Ok((0, py.None(), rows).into_pyobject(py)?.into_any())
}
