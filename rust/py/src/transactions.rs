//! What Python says and hears about transactions: questions, markers, producers.

use ottla_core::batch::producer::{Guard, Proof};
use ottla_core::error::ErrorCode;
use ottla_core::ids::{PartitionIndex, ProducerEpoch, ProducerId, TopicId};
use ottla_core::plane::coordinator_transactions::{MarkerRow, Opening, TransactionOutcome, Writer};
use ottla_core::plane::questions::Question;
use ottla_core::replication::partition::{ActiveProducer, Marker};
use pyo3::prelude::*;
use pyo3::types::PyList;

/// Topic id, partition, producer id and epoch, epoch of the coordinator, whether it commits, version of transactions.
pub(crate) type MarkerTuple = ([u8; 16], i32, i64, i16, i32, bool, i16);
/// Producer id and epoch, epoch of the coordinator, whether it commits, version of transactions.
pub(crate) type EndTuple = (i64, i16, i32, bool, i16);
/// Producer id and epoch, guard.
pub(crate) type WriterTuple = (i64, i16, Option<u64>);
/// Topic, partition, producer id and epoch.
pub(crate) type OpeningTuple = (String, i32, i64, i16);
/// Question id, transactional id, producer id and epoch, whether to add, partitions.
pub(crate) type QuestionTuple = (u64, String, i64, i16, bool, Vec<(String, i32)>);
type ProducerTuple = (i64, i16, i32, i64, i32, i64);

pub(crate) fn marker(
    (producer_id, producer_epoch, coordinator_epoch, commit, transaction_version): EndTuple,
) -> Marker {
    let (producer_id, producer_epoch) = (ProducerId(producer_id), ProducerEpoch(producer_epoch));
    Marker { producer_id, producer_epoch, coordinator_epoch, commit, transaction_version }
}

pub(crate) fn marker_row(row: MarkerTuple) -> MarkerRow {
    let (topic_id, partition, producer_id, producer_epoch, coordinator_epoch, commit, version) = row;
    let marker = marker((producer_id, producer_epoch, coordinator_epoch, commit, version));
    MarkerRow { topic_id: TopicId(topic_id), index: PartitionIndex(partition), marker }
}

pub(crate) fn writer((producer_id, producer_epoch, guard): WriterTuple) -> Writer {
    let proof = guard.map_or(Proof::None, |guard| Proof::Guard(Guard(guard)));
    Writer { producer_id: ProducerId(producer_id), producer_epoch: ProducerEpoch(producer_epoch), proof }
}

pub(crate) fn opening((topic, partition, producer_id, producer_epoch): OpeningTuple) -> Opening {
    let (producer_id, producer_epoch) = (ProducerId(producer_id), ProducerEpoch(producer_epoch));
    Opening { topic: topic.into(), index: PartitionIndex(partition), producer_id, producer_epoch }
}

pub(crate) fn question(question: Question) -> QuestionTuple {
    let Question { id, transactional_id, producer_id, producer_epoch, add, partitions } = question;
    let partitions = partitions.into_iter().map(|(topic, index)| (topic.to_string(), index.0)).collect();
    (id, transactional_id.into(), producer_id.0, producer_epoch.0, add, partitions)
}

/// An error code; a number that is none is an error that nobody knows.
pub(crate) fn code(number: i16) -> ErrorCode {
    ErrorCode::from_code(number).unwrap_or(ErrorCode::UnknownServerError)
}

fn producer(active: ActiveProducer) -> ProducerTuple {
    let ActiveProducer { producer_id, producer_epoch, last_sequence, last_timestamp, coordinator_epoch, .. } = active;
    let start = active.transaction_start.map_or(-1, |start| start.0);
    (producer_id.0, producer_epoch.0, last_sequence.0, last_timestamp.0, coordinator_epoch, start)
}

/// (error code, words, [guard] or nothing); codes; (code, producers) for each partition.
pub(crate) fn outcome(py: Python<'_>, outcome: TransactionOutcome) -> PyResult<Bound<'_, PyAny>> {
    Ok(match outcome {
        TransactionOutcome::Claimed(Ok(Proof::Guard(guard))) => {
            (0, py.None(), vec![guard.0]).into_pyobject(py)?.into_any()
        }
        TransactionOutcome::Claimed(Ok(Proof::None | Proof::Waived)) => {
            (0, py.None(), PyList::empty(py)).into_pyobject(py)?.into_any()
        }
        TransactionOutcome::Claimed(Err(refusal)) => {
            (refusal.code.code(), refusal.message, PyList::empty(py)).into_pyobject(py)?.into_any()
        }
        TransactionOutcome::Codes(codes) => {
            codes.into_iter().map(ErrorCode::code).collect::<Vec<i16>>().into_pyobject(py)?.into_any()
        }
        TransactionOutcome::Producers(partitions) => {
            let row = |found: Result<Vec<ActiveProducer>, ErrorCode>| match found {
                Ok(producers) => (0, producers.into_iter().map(producer).collect::<Vec<_>>()),
                Err(error) => (error.code(), Vec::new()),
            };
            partitions.into_iter().map(row).collect::<Vec<_>>().into_pyobject(py)?.into_any()
        }
    })
}
