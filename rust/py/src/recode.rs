//! The hand-written codec of the data plane, for Python's tests: a frame is read by it and written by it again.
//!
//! The declarations in Python are the one truth; equal bytes on random messages hold this codec to them. Traffic never
//! comes by here.

use ottla_core::ids::{BrokerId, PartitionIndex};
use ottla_core::wire::api_versions::{ApiVersionsRequest, ApiVersionsResponse, FeatureRange, encode_response};
use ottla_core::wire::client::api_versions::ApiVersionsAnswer;
use ottla_core::wire::client::find_coordinator::FindCoordinatorResponse;
use ottla_core::wire::client::list_offsets::ListOffsetsResponse;
use ottla_core::wire::client::metadata::{KnownPartition, MetadataQuestion, MetadataResponse};
use ottla_core::wire::client::offset_commit::{Commit, OffsetCommitResponse};
use ottla_core::wire::client::offset_fetch::{GroupQuestion, OffsetFetchResponse};
use ottla_core::wire::client::offset_for_leader_epoch::OffsetForLeaderEpochResponse;
use ottla_core::wire::client::produce::ProduceResponse;
use ottla_core::wire::client::{self, Call};
use ottla_core::wire::fetch::{
    AbortedTransaction, EncodedFetch, FetchRequest, FetchRequestWriter, FetchResponse, FetchResponseWriter, Fetched,
    Part,
};
use ottla_core::wire::find_coordinator::{self, FindCoordinatorRequest};
use ottla_core::wire::header::{RequestHeader, decode_response_header, keys};
use ottla_core::wire::list_offsets::{ListOffsetsRequest, ListOffsetsResponseWriter};
use ottla_core::wire::metadata::{
    MetadataPartition, MetadataRequest, MetadataRequestTopic, MetadataResponseWriter, encode_brokers,
};
use ottla_core::wire::offset_commit::{self, OffsetCommitRequest};
use ottla_core::wire::offset_fetch::{OffsetFetchRequest, OffsetFetchResponseWriter, write_partitions};
use ottla_core::wire::offset_for_leader_epoch::{OffsetForLeaderEpochRequest, OffsetForLeaderEpochResponseWriter};
use ottla_core::wire::produce::{ProduceRequest, ProduceResponseWriter, Produced, RecordError};
use ottla_core::wire::{Array, Cursor, TopicRef, WireError, api_of};
use pyo3::exceptions::PyValueError;
use pyo3::prelude::*;
use pyo3::types::PyBytes;

/// Bytes of the length in front of a frame.
const LENGTH_BYTES: usize = 4;

/// Reads a request, header and body, and writes it again.
#[pyfunction]
fn recode_request<'py>(frame: &Bound<'py, PyBytes>) -> PyResult<Bound<'py, PyBytes>> {
    let recoded = request(frame.as_bytes()).map_err(|error| PyValueError::new_err(error.to_string()))?;
    let recoded = recoded.ok_or_else(|| PyValueError::new_err("not an API of the data plane"))?;
    Ok(PyBytes::new(frame.py(), recoded.get(LENGTH_BYTES..).unwrap_or_default()))
}

/// Reads a response, header and body, and writes it again.
#[pyfunction]
fn recode_response<'py>(api_key: i16, version: i16, frame: &Bound<'py, PyBytes>) -> PyResult<Bound<'py, PyBytes>> {
    let recoded =
        response(api_key, version, frame.as_bytes()).map_err(|error| PyValueError::new_err(error.to_string()))?;
    let recoded = recoded.ok_or_else(|| PyValueError::new_err("not an API of the data plane"))?;
    Ok(PyBytes::new(frame.py(), recoded.get(LENGTH_BYTES..).unwrap_or_default()))
}

fn request(frame: &[u8]) -> Result<Option<Vec<u8>>, WireError> {
    let (header, body) = RequestHeader::decode(frame)?;
    let version = header.api_version;
    let call = Call { version, correlation_id: header.correlation_id, client_id: Some(&header.client_id) };
    let mut out = Vec::new();
    match header.api.key {
        keys::PRODUCE => produce_request(&mut out, &call, &ProduceRequest::decode(body, version)?),
        keys::FETCH => fetch_request(&mut out, &call, &FetchRequest::decode(body, version)?),
        keys::LIST_OFFSETS => {
            let request = ListOffsetsRequest::decode(body, version)?;
            let topics: Vec<_> = request.topics.iter().map(|topic| (topic.name, list(topic.partitions))).collect();
            let topics: Vec<_> = topics.iter().map(|(name, partitions)| (*name, &**partitions)).collect();
            let (replica, isolation) = (request.replica_id, request.isolation_level);
            client::list_offsets::encode_request(&mut out, &call, replica, isolation, &topics, request.timeout_ms);
        }
        keys::OFFSET_COMMIT => commit_request(&mut out, &call, &OffsetCommitRequest::decode(body, version)?),
        keys::OFFSET_FETCH => offset_fetch_request(&mut out, &call, &OffsetFetchRequest::decode(body, version)?),
        keys::FIND_COORDINATOR => {
            let request = FindCoordinatorRequest::decode(body, version)?;
            let keys: Vec<_> = request.keys.iter().collect();
            client::find_coordinator::encode_request(&mut out, &call, request.key_type, keys.into_iter());
        }
        keys::METADATA => metadata_request(&mut out, &call, &MetadataRequest::decode(body, version)?),
        keys::API_VERSIONS => {
            client::api_versions::encode_request(&mut out, &call, &ApiVersionsRequest::decode(body, version)?);
        }
        keys::OFFSET_FOR_LEADER_EPOCH => {
            let request = OffsetForLeaderEpochRequest::decode(body, version)?;
            let topics: Vec<_> = request.topics.iter().map(|topic| (topic.name, list(topic.partitions))).collect();
            let topics: Vec<_> = topics.iter().map(|(name, partitions)| (*name, &**partitions)).collect();
            client::offset_for_leader_epoch::encode_request(&mut out, &call, request.replica_id, &topics);
        }
        _ => return Ok(None),
    }
    Ok(Some(out))
}

fn response(api_key: i16, version: i16, frame: &[u8]) -> Result<Option<Vec<u8>>, WireError> {
    let Some(api) = api_of(api_key) else { return Ok(None) };
    let (correlation_id, body) = decode_response_header(frame, api, version)?;
    let mut out = Vec::new();
    match api_key {
        keys::PRODUCE => produce_response(&mut out, correlation_id, version, body)?,
        keys::FETCH => out = fetch_response(correlation_id, version, body)?,
        keys::LIST_OFFSETS => {
            let response = ListOffsetsResponse::decode(body, version)?;
            let throttle = response.throttle_time_ms;
            let mut writer = ListOffsetsResponseWriter::new(&mut out, correlation_id, version, throttle);
            for topic in response.topics {
                writer.topic(topic.name);
                topic.partitions.iter().for_each(|listed| writer.partition(&listed));
            }
            writer.finish();
        }
        keys::OFFSET_COMMIT => {
            let response = OffsetCommitResponse::decode(body, version)?;
            let topics = response.topics.iter().map(|topic| {
                let partitions = topic.partitions.iter().map(|partition| (partition.index, partition.error));
                (topic.topic, partitions)
            });
            let throttle = response.throttle_time_ms;
            offset_commit::encode_response(&mut out, correlation_id, version, throttle, topics);
        }
        keys::OFFSET_FETCH => {
            let response = OffsetFetchResponse::decode(body, version)?;
            let (throttle, count) = (response.throttle_time_ms, response.groups().count());
            let mut writer = OffsetFetchResponseWriter::new(&mut out, correlation_id, version, throttle, count);
            for group in response.groups() {
                writer.group(group.group_id, group.topics.len());
                for topic in group.topics {
                    writer.topic(topic.topic, |out| write_partitions(out, version, topic.partitions.iter()));
                }
                writer.end_group(group.error);
            }
            writer.finish();
        }
        keys::FIND_COORDINATOR => {
            let response = FindCoordinatorResponse::decode(body, version)?;
            let found: Vec<_> = response.found().collect();
            let throttle = response.throttle_time_ms;
            find_coordinator::encode_response(&mut out, correlation_id, version, throttle, found.into_iter());
        }
        keys::METADATA => metadata_response(&mut out, correlation_id, version, body)?,
        keys::API_VERSIONS => {
            let answer = ApiVersionsAnswer::decode(body, version)?;
            let finalized: Vec<FeatureRange<'_>> = answer.finalized_features.iter().map(|feature| feature.0).collect();
            let response = ApiVersionsResponse {
                error: answer.error,
                apis: &list(answer.apis),
                throttle_time_ms: answer.throttle_time_ms,
                supported_features: &list(answer.supported_features),
                finalized_features_epoch: answer.finalized_features_epoch,
                finalized_features: &finalized,
            };
            encode_response(&mut out, correlation_id, version, &response);
        }
        keys::OFFSET_FOR_LEADER_EPOCH => {
            let response = OffsetForLeaderEpochResponse::decode(body, version)?;
            let throttle = response.throttle_time_ms;
            let mut writer = OffsetForLeaderEpochResponseWriter::new(&mut out, correlation_id, version, throttle);
            for topic in response.topics {
                writer.topic(topic.name);
                topic.partitions.iter().for_each(|end| writer.partition(&end));
            }
            writer.finish();
        }
        _ => return Ok(None),
    }
    Ok(Some(out))
}

fn list<'a, T: ottla_core::wire::cursor::Element<'a>>(array: Array<'a, T>) -> Vec<T> {
    array.iter().collect()
}

fn produce_request(out: &mut Vec<u8>, call: &Call<'_>, request: &ProduceRequest<'_>) {
    let records = |(index, records): (PartitionIndex, _)| (index, records);
    let topics: Vec<(TopicRef<'_>, Vec<_>)> = request
        .topics
        .iter()
        .map(|topic| {
            let partitions = topic.partitions.iter().map(|partition| records((partition.index, partition.records)));
            (topic.topic, partitions.collect())
        })
        .collect();
    let topics: Vec<_> = topics.iter().map(|(topic, partitions)| (*topic, &**partitions)).collect();
    let (transactional_id, acks, timeout_ms) = (request.transactional_id, request.acks, request.timeout_ms);
    client::produce::encode_request(out, call, transactional_id, acks, timeout_ms, &topics);
}

fn fetch_request(out: &mut Vec<u8>, call: &Call<'_>, request: &FetchRequest<'_>) {
    let mut writer = FetchRequestWriter::new(out, call.correlation_id, call.client_id, call.version, request.head);
    for topic in request.topics {
        writer.topic(topic.topic);
        topic.partitions.iter().for_each(|partition| writer.partition(&partition));
    }
    let forgotten: Vec<_> = request.forgotten.iter().map(|topic| (topic.topic, list(topic.partitions))).collect();
    let forgotten: Vec<_> = forgotten.iter().map(|(topic, partitions)| (*topic, &**partitions)).collect();
    writer.finish(&forgotten);
}

fn commit_request(out: &mut Vec<u8>, call: &Call<'_>, request: &OffsetCommitRequest<'_>) {
    let topics: Vec<_> = request.topics.iter().map(|topic| (topic.topic, list(topic.partitions))).collect();
    let topics: Vec<_> = topics.iter().map(|(topic, partitions)| (*topic, &**partitions)).collect();
    let commit = Commit {
        group_id: request.group_id,
        generation_id_or_member_epoch: request.generation_id_or_member_epoch,
        member_id: request.member_id,
        group_instance_id: request.group_instance_id,
        retention_time_ms: request.retention_time_ms,
        topics: &topics,
    };
    client::offset_commit::encode_request(out, call, &commit);
}

fn offset_fetch_request(out: &mut Vec<u8>, call: &Call<'_>, request: &OffsetFetchRequest<'_>) {
    let owned: Vec<Option<Vec<_>>> = request
        .groups
        .iter()
        .map(|group| {
            group.topics.map(|topics| topics.iter().map(|topic| (topic.topic, list(topic.partitions))).collect())
        })
        .collect();
    let topics: Vec<Option<Vec<_>>> = owned
        .iter()
        .map(|topics| topics.as_ref().map(|topics| topics.iter().map(|(topic, of)| (*topic, &**of)).collect()))
        .collect();
    let groups = request.groups.iter().zip(&topics).map(|(group, topics)| GroupQuestion {
        group_id: group.group_id,
        member_id: group.member_id,
        member_epoch: group.member_epoch,
        topics: topics.as_deref(),
    });
    client::offset_fetch::encode_request(out, call, &groups.collect::<Vec<_>>(), request.require_stable);
}

fn metadata_request(out: &mut Vec<u8>, call: &Call<'_>, request: &MetadataRequest<'_>) {
    let topics: Option<Vec<MetadataRequestTopic<'_>>> = request.topics.map(list);
    let question = MetadataQuestion {
        topics: topics.as_deref(),
        allow_auto_topic_creation: request.allow_auto_topic_creation,
        include_cluster_authorized_operations: request.include_cluster_authorized_operations,
        include_topic_authorized_operations: request.include_topic_authorized_operations,
    };
    client::metadata::encode_request(out, call, &question);
}

fn produce_response(out: &mut Vec<u8>, correlation_id: i32, version: i16, body: Cursor<'_>) -> Result<(), WireError> {
    let response = ProduceResponse::decode(body, version)?;
    let mut writer = ProduceResponseWriter::new(out, correlation_id, version);
    for topic in response.topics {
        writer.topic(topic.topic);
        for partition in topic.partitions {
            let errors: Vec<RecordError<'_>> = list(partition.record_errors);
            writer.partition(&Produced {
                index: partition.index,
                error: partition.error,
                base_offset: partition.base_offset,
                log_append_time: partition.log_append_time,
                log_start_offset: partition.log_start_offset,
                record_errors: &errors,
                error_message: partition.error_message,
                current_leader: partition.current_leader,
            });
        }
    }
    writer.finish(response.throttle_time_ms, &list(response.node_endpoints));
    Ok(())
}

/// The pieces are put together as the socket would see them.
fn fetch_response(correlation_id: i32, version: i16, body: Cursor<'_>) -> Result<Vec<u8>, WireError> {
    let response = FetchResponse::decode(body, version)?;
    let mut encoded = EncodedFetch::default();
    let mut records = Vec::new();
    let (throttle, error, session) = (response.throttle_time_ms, response.error, response.session_id);
    let mut writer = FetchResponseWriter::new(&mut encoded, correlation_id, version, throttle, error, session);
    for topic in response.topics {
        writer.topic(topic.topic);
        for partition in topic.partitions {
            let Fetched { index, error, high_watermark, last_stable_offset, log_start_offset, .. } = partition.fetched;
            let aborted: Option<Vec<AbortedTransaction>> = partition.fetched.aborted_transactions.map(list);
            let fetched = Fetched {
                high_watermark,
                last_stable_offset,
                log_start_offset,
                diverging_epoch: partition.fetched.diverging_epoch,
                current_leader: partition.fetched.current_leader,
                snapshot_id: partition.fetched.snapshot_id,
                aborted_transactions: aborted.as_deref(),
                preferred_read_replica: partition.fetched.preferred_read_replica,
                ..Fetched::failed(index, error)
            };
            writer.partition(&fetched, partition.records.map(|records| records.len() as u32));
            records.extend(partition.records.filter(|records| !records.is_empty()));
        }
    }
    writer.finish(&list(response.node_endpoints));
    let mut whole = Vec::new();
    for part in encoded.parts() {
        match part {
            Part::Bytes(range) => whole.extend_from_slice(&encoded.bytes[range]),
            Part::Records { slot, .. } => whole.extend_from_slice(records[slot]),
        }
    }
    Ok(whole)
}

fn metadata_response(out: &mut Vec<u8>, correlation_id: i32, version: i16, body: Cursor<'_>) -> Result<(), WireError> {
    let response = MetadataResponse::decode(body, version)?;
    let nodes: Vec<_> = response.brokers.iter().map(|broker| broker.0).collect();
    let mut brokers = Vec::new();
    encode_brokers(&mut brokers, version, nodes.iter().copied());
    let mut writer = MetadataResponseWriter::with_brokers(
        out,
        correlation_id,
        version,
        response.throttle_time_ms,
        &brokers,
        response.cluster_id,
        response.controller,
    );
    for known in response.topics {
        let lists: Vec<(KnownPartition<'_>, [Vec<BrokerId>; 3])> = known
            .partitions
            .iter()
            .map(|partition| {
                let KnownPartition { replicas, in_sync_replicas, offline_replicas, .. } = partition;
                (partition, [list(replicas), list(in_sync_replicas), list(offline_replicas)])
            })
            .collect();
        let partitions = lists.iter().map(|(partition, [replicas, in_sync, offline])| MetadataPartition {
            error: partition.error,
            index: partition.index,
            leader: partition.leader,
            leader_epoch: partition.leader_epoch,
            replicas,
            in_sync_replicas: in_sync,
            offline_replicas: offline,
        });
        writer.topic(&known.topic, partitions);
    }
    writer.finish(response.cluster_authorized_operations, response.error);
    Ok(())
}

/// Adds the functions of this file to the module.
pub(crate) fn register(module: &Bound<'_, PyModule>) -> PyResult<()> {
    module.add_function(wrap_pyfunction!(recode_request, module)?)?;
    module.add_function(wrap_pyfunction!(recode_response, module)?)
}
