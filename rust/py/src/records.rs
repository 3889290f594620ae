//! Record batches for Python: built from tuples, read into objects. For tools and clients; traffic never comes by here.

use ottla_core::batch::build::{BatchBuilder, BatchOptions, RecordParts};
use ottla_core::batch::compress::Scratch;
use ottla_core::batch::walk::{ContentsFault, Step, contents, for_each_record, step};
use ottla_core::batch::{BatchHeader, Codec};
use ottla_core::ids::{LeaderEpoch, Offset, ProducerEpoch, ProducerId, Sequence, TimestampMs};
use ottla_core::limits::DECOMPRESSED_BYTES_MAX;
use pyo3::exceptions::PyValueError;
use pyo3::prelude::*;
use pyo3::types::{PyBytes, PyString, PyTuple};

/// Decompressed bytes held by one call before it returns with what it has.
const HELD_BYTES_MAX: usize = 2 * DECOMPRESSED_BYTES_MAX;

/// A record as Python hands it over: key, value, milliseconds, headers.
type Given<'py> = (
    Option<Bound<'py, PyBytes>>,
    Option<Bound<'py, PyBytes>>,
    i64,
    Vec<(Bound<'py, PyString>, Option<Bound<'py, PyBytes>>)>,
);

/// One record, read.
#[pyclass(frozen, get_all, module = "ottla._core")]
struct Record {
    offset: i64,
    timestamp_ms: i64,
    key: Option<Py<PyBytes>>,
    value: Option<Py<PyBytes>>,
    headers: Py<PyTuple>,
    size: usize,
}

/// One batch, read.
#[pyclass(frozen, get_all, module = "ottla._core")]
struct Batch {
    position: usize,
    size: usize,
    base_offset: i64,
    last_offset: i64,
    leader_epoch: i32,
    checksum: u32,
    codec: i16,
    log_append_time: bool,
    transactional: bool,
    control: bool,
    delete_horizon_ms: Option<i64>,
    base_timestamp_ms: i64,
    max_timestamp_ms: i64,
    producer_id: i64,
    producer_epoch: i16,
    base_sequence: i32,
    last_sequence: i32,
    record_count: i32,
    records: Vec<Py<Record>>,
    fault: Option<String>,
    fault_position: Option<usize>,
}

/// Where a walk ended, and why there.
#[pyclass(frozen, get_all, module = "ottla._core")]
struct Walk {
    batches: Vec<Py<Batch>>,
    end: usize,
    stop: &'static str,
    fault: Option<String>,
}

pub(crate) fn codec_numbered(number: i16) -> PyResult<Codec> {
    let codec = (0..=7).contains(&number).then(|| Codec::from_attributes(number)).flatten();
    codec.ok_or_else(|| PyValueError::new_err(format!("no codec has the number {number}")))
}

/// The batch of these records.
#[pyfunction]
#[pyo3(
    signature = (
        records, *, codec=0, level=None, base_offset=0, leader_epoch=-1, producer_id=-1, producer_epoch=-1,
        base_sequence=-1, transactional=false, control=false
    ),
    // Spelled out, since negative defaults are shown as an ellipsis otherwise.
    text_signature = "(records, *, codec=0, level=None, base_offset=0, leader_epoch=-1, producer_id=-1, \
                      producer_epoch=-1, base_sequence=-1, transactional=False, control=False)"
)]
#[allow(clippy::too_many_arguments, clippy::fn_params_excessive_bools, reason = "keyword arguments of Python")]
fn build_batch<'py>(
    py: Python<'py>,
    records: Vec<Given<'py>>,
    codec: i16,
    level: Option<i32>,
    base_offset: i64,
    leader_epoch: i32,
    producer_id: i64,
    producer_epoch: i16,
    base_sequence: i32,
    transactional: bool,
    control: bool,
) -> PyResult<Bound<'py, PyBytes>> {
    let codec = codec_numbered(codec)?;
    let mut builder = BatchBuilder::new(BatchOptions {
        base_offset: Offset(base_offset),
        leader_epoch: LeaderEpoch(leader_epoch),
        codec,
        level,
        producer_id: ProducerId(producer_id),
        producer_epoch: ProducerEpoch(producer_epoch),
        base_sequence: Sequence(base_sequence),
        transactional,
        control,
        log_append_time: None,
    });
    for (key, value, timestamp_ms, headers) in &records {
        let names = headers.iter().map(|(name, _)| name.to_cow()).collect::<PyResult<Vec<_>>>()?;
        let headers: Vec<_> = names
            .iter()
            .zip(headers)
            .map(|(name, (_, value))| (name.as_bytes(), value.as_ref().map(PyBytesMethods::as_bytes)))
            .collect();
        let parts = RecordParts {
            key: key.as_ref().map(PyBytesMethods::as_bytes),
            value: value.as_ref().map(PyBytesMethods::as_bytes),
            headers: &headers,
        };
        builder.add(TimestampMs(*timestamp_ms), &parts);
    }
    drop(records);
    let built = py.detach(|| builder.finish()).map_err(|fault| PyValueError::new_err(fault.to_string()))?;
    Ok(PyBytes::new(py, &built))
}

/// A batch found and opened while the interpreter lock is released.
struct Opened<'a> {
    position: usize,
    size: usize,
    header: BatchHeader,
    contents: Result<std::borrow::Cow<'a, [u8]>, ContentsFault>,
}

/// The batches in `data` from `position` on.
#[pyfunction]
#[pyo3(signature = (data, position=0, *, with_records=true))]
fn decode_batches(data: &Bound<'_, PyBytes>, position: usize, with_records: bool) -> PyResult<Walk> {
    let py = data.py();
    let bytes = data.as_bytes();
    let (opened, end, stop, fault) = py.detach(|| open_batches(bytes, position));
    let batches = opened
        .into_iter()
        .map(|opened| Py::new(py, batch_object(py, &opened, with_records)?))
        .collect::<PyResult<Vec<_>>>()?;
    Ok(Walk { batches, end, stop, fault })
}

fn open_batches(bytes: &[u8], mut position: usize) -> (Vec<Opened<'_>>, usize, &'static str, Option<String>) {
    let (mut opened, mut held, mut scratch) = (Vec::new(), 0, Scratch::default());
    loop {
        let (header, batch) = match step(bytes, position) {
            Step::End => return (opened, position, "end", None),
            Step::CutOff { .. } => return (opened, position, "cut off", None),
            Step::Fault(fault) => return (opened, position, "fault", Some(fault.to_string())),
            Step::Batch(header, batch) => (header, batch),
        };
        if held > HELD_BYTES_MAX {
            return (opened, position, "full", None);
        }
        let contents = contents(&header, batch, &mut scratch, DECOMPRESSED_BYTES_MAX);
        if let Ok(std::borrow::Cow::Owned(records)) = &contents {
            held += records.len();
        }
        opened.push(Opened { position, size: batch.len(), header, contents });
        position += batch.len();
    }
}

fn batch_object(py: Python<'_>, opened: &Opened<'_>, with_records: bool) -> PyResult<Batch> {
    let header = &opened.header;
    let mut records = Vec::new();
    let fault = match &opened.contents {
        Ok(contents) if !with_records => py.detach(|| for_each_record(header, contents, |_| {})).err(),
        Ok(contents) => {
            let mut failed = None;
            let walked = for_each_record(header, contents, |record| match record_object(py, header, &record) {
                Ok(object) => records.push(object),
                Err(error) => failed = Some(error),
            });
            if let Some(error) = failed {
                return Err(error);
            }
            walked.err()
        }
        Err(fault) => Some(*fault),
    };
    let delete_horizon = header.attributes & ottla_core::batch::header::DELETE_HORIZON != 0;
    Ok(Batch {
        position: opened.position,
        size: opened.size,
        base_offset: header.base_offset.0,
        last_offset: header.last_offset().0,
        leader_epoch: header.leader_epoch.0,
        checksum: header.checksum,
        codec: header.attributes & 7,
        log_append_time: header.is_log_append_time(),
        transactional: header.is_transactional(),
        control: header.is_control(),
        delete_horizon_ms: delete_horizon.then_some(header.base_timestamp.0),
        base_timestamp_ms: header.base_timestamp.0,
        max_timestamp_ms: header.max_timestamp.0,
        producer_id: header.producer_id.0,
        producer_epoch: header.producer_epoch.0,
        base_sequence: header.base_sequence.0,
        last_sequence: header.last_sequence().0,
        record_count: header.record_count,
        records,
        fault: fault.map(|fault| fault.to_string()),
        fault_position: fault.map(|fault| opened.position + fault.position()),
    })
}

fn record_object(
    py: Python<'_>,
    header: &BatchHeader,
    record: &ottla_core::batch::records::Record<'_>,
) -> PyResult<Py<Record>> {
    let timestamp_ms = if header.is_log_append_time() {
        header.max_timestamp.0
    } else {
        header.base_timestamp.0.wrapping_add(record.timestamp_delta)
    };
    let bytes = |part: Option<&[u8]>| part.map(|part| PyBytes::new(py, part).unbind());
    let headers: Vec<_> =
        record.headers.into_iter().map(|(name, value)| (String::from_utf8_lossy(name), bytes(value))).collect();
    Py::new(
        py,
        Record {
            offset: header.base_offset.0.saturating_add(i64::from(record.offset_delta)),
            timestamp_ms,
            key: bytes(record.key),
            value: bytes(record.value),
            headers: PyTuple::new(py, headers)?.unbind(),
            size: record.size,
        },
    )
}

/// The checksum that batches and producer snapshots carry.
#[pyfunction]
fn crc32c(data: &Bound<'_, PyBytes>) -> u32 {
    ottla_core::batch::checksum::crc32c(data.as_bytes())
}

pub(crate) fn register(module: &Bound<'_, PyModule>) -> PyResult<()> {
    module.add_class::<Record>()?;
    module.add_class::<Batch>()?;
    module.add_class::<Walk>()?;
    module.add_function(wrap_pyfunction!(build_batch, module)?)?;
    module.add_function(wrap_pyfunction!(crc32c, module)?)?;
    module.add_function(wrap_pyfunction!(decode_batches, module)?)
}
