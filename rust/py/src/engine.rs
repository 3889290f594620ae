//! The engine for Python: arguments in, rows out. What blocks releases the interpreter lock; engine threads never take it.

use std::os::fd::{BorrowedFd, FromRawFd, OwnedFd};
use std::sync::Arc;

use ottla_core::batch::Codec;
use ottla_core::batch::validate::{ProduceRules, Target, TimestampType};
use ottla_core::ids::{BrokerId, LeaderEpoch, Offset, PartitionIndex, ProducerEpoch, ProducerId, TimestampMs, TopicId};
use ottla_core::log::LogConfig;
use ottla_core::plane::command::{
    Command, Done, DoneValue, Lead, MetadataCommand, NewBatch, NewRecord, SnapshotId, Ticket,
};
use ottla_core::plane::coordinator_log::{CoordinatorCommand, SharedIntake};
use ottla_core::plane::coordinator_transactions::TransactionCommand;
use ottla_core::plane::desk::Filling;
use ottla_core::plane::link::Answer;
use ottla_core::plane::mailbox::{Lane, Request, RequestId};
use ottla_core::plane::maintenance::Periods;
use ottla_core::plane::services::{Limits, ServedApi};
use ottla_core::plane::shell_engine::{Engine as Core, Options};
use ottla_core::plane::view::{BrokerView, ClusterView, Endpoint, FeatureView, PartitionView, TopicChange, ViewDelta};
use ottla_core::replication::partition::{Leadership, TopicSettings as Settings};
use parking_lot::Mutex;
use pyo3::exceptions::{PyOSError, PyValueError};
use pyo3::prelude::*;
use pyo3::types::{PyBytes, PyList};

use crate::coordinator_log::{self, KeyedRow};
use crate::offsets::OffsetTable;
use crate::records::codec_numbered;
use crate::standing::Standing;
use crate::transactions::{self, EndTuple, MarkerTuple, OpeningTuple, QuestionTuple, WriterTuple};

/// The settings of a topic; made once, shared by its partitions.
#[pyclass(frozen, module = "ottla._core")]
struct TopicSettings(Arc<Settings>);

fn limit<T: TryFrom<i64>>(value: i64) -> Option<T> {
    T::try_from(value).ok().filter(|_| value >= 0 && value != i64::MAX)
}

fn codec(name: &str) -> PyResult<Option<Codec>> {
    Ok(Some(match name {
        "producer" => return Ok(None),
        "uncompressed" => Codec::None,
        "gzip" => Codec::Gzip,
        "snappy" => Codec::Snappy,
        "lz4" => Codec::Lz4,
        "zstd" => Codec::Zstd,
        other => return Err(PyValueError::new_err(format!("no compression type {other}"))),
    }))
}

#[pymethods]
impl TopicSettings {
    #[new]
    #[pyo3(signature = (*, max_message_bytes, segment_bytes, segment_ms, segment_jitter_ms, index_bytes,
        index_interval_bytes, compression_type, compression_level, log_append_time, timestamp_before_max_ms,
        timestamp_after_max_ms, compacted, delete_policy, max_decompressed_message_bytes, min_insync_replicas,
        retention_ms, retention_bytes, flush_messages, flush_ms, file_delete_delay_ms,
        producer_id_expiration_ms))]
    #[allow(clippy::too_many_arguments)] // one per setting, all by keyword
    fn new(
        max_message_bytes: usize,
        segment_bytes: u32,
        segment_ms: i64,
        segment_jitter_ms: i64,
        index_bytes: u32,
        index_interval_bytes: u32,
        compression_type: &str,
        compression_level: Option<i32>,
        log_append_time: bool,
        timestamp_before_max_ms: i64,
        timestamp_after_max_ms: i64,
        compacted: bool,
        delete_policy: bool,
        max_decompressed_message_bytes: usize,
        min_insync_replicas: usize,
        retention_ms: i64,
        retention_bytes: i64,
        flush_messages: i64,
        flush_ms: i64,
        file_delete_delay_ms: i64,
        producer_id_expiration_ms: i64,
    ) -> PyResult<Self> {
        let target = codec(compression_type)?
            .map_or(Target::Producer, |codec| Target::Codec { codec, level: compression_level });
        let timestamp_type = if log_append_time { TimestampType::LogAppendTime } else { TimestampType::CreateTime };
        let produce = ProduceRules {
            max_message_bytes,
            segment_bytes: segment_bytes as usize,
            target,
            timestamp_type,
            timestamp_before_max_ms,
            timestamp_after_max_ms,
            compacted,
            decompressed_bytes_max: max_decompressed_message_bytes,
        };
        let log = LogConfig {
            segment_bytes: u64::from(segment_bytes),
            segment_ms,
            segment_jitter_ms,
            segment_index_bytes: index_bytes,
            index_interval_bytes,
            retention_ms: limit(retention_ms),
            retention_bytes: limit(retention_bytes),
            delete_policy,
            flush_messages: limit(flush_messages),
            flush_ms: limit(flush_ms),
            file_delete_delay_ms,
            producer_id_expiration_ms,
            ..LogConfig::default()
        };
        Ok(Self(Arc::new(Settings { produce, log: Arc::new(log), min_insync_replicas })))
    }
}

type EndpointRow = (String, String, u16);
type BrokerRow = (i32, Option<String>, Vec<EndpointRow>);
type FeatureRow = (String, i16, i16, i16);

/// What holds for the cluster as a whole, for the View.
#[pyclass(frozen, module = "ottla._core")]
struct Cluster(ClusterView);

#[pymethods]
impl Cluster {
    #[new]
    #[pyo3(signature = (*, cluster_id, controller_id, brokers, features, metadata_offset, auto_create_topics))]
    fn new(
        cluster_id: &str,
        controller_id: i32,
        brokers: Vec<BrokerRow>,
        features: Vec<FeatureRow>,
        metadata_offset: i64,
        auto_create_topics: bool,
    ) -> Self {
        let endpoint =
            |(listener, host, port): EndpointRow| Endpoint { listener: listener.into(), host: host.into(), port };
        let broker = |(id, rack, endpoints): BrokerRow| BrokerView {
            id: BrokerId(id),
            rack: rack.map(Into::into),
            endpoints: endpoints.into_iter().map(endpoint).collect(),
        };
        let feature = |(name, supported_min, supported_max, finalized): FeatureRow| FeatureView {
            name: name.into(),
            supported_min,
            supported_max,
            finalized,
        };
        Self(ClusterView {
            cluster_id: cluster_id.into(),
            controller_id: BrokerId(controller_id),
            brokers: brokers.into_iter().map(broker).collect(),
            features: features.into_iter().map(feature).collect(),
            metadata_offset,
            auto_create_topics,
        })
    }
}

/// Milliseconds between checkpoints of high watermarks, recovery points, log starts; between looks for what retention does
/// not keep; and until a deleted directory goes.
type PeriodsRow = (i64, i64, i64, i64, i64);
type ApiRow = (i16, i16, i16, i16, i16, bool, u8);
type PartitionRow = (usize, i32, i32, i32, Vec<i32>, Vec<i32>, Vec<i32>);
type TopicRow = ([u8; 16], String, bool, usize, Vec<PartitionRow>);
type LeadRow<'py> = ([u8; 16], String, i32, i32, i32, Vec<i32>, Vec<i32>, PyRef<'py, TopicSettings>);
type RecordRow = (Option<Vec<u8>>, Option<Vec<u8>>);
type BatchRow = (i64, i32, i64, bool, Vec<RecordRow>);
/// Of the address that the client connected to: host and port.
type LocalRow<'py> = (&'py str, u16);
type RequestRow<'py> =
    (u64, i16, i16, String, u64, &'py str, &'py str, &'py str, LocalRow<'py>, i64, bool, Bound<'py, PyBytes>);

/// Ends of commands, facts, requests, and why connections were closed.
type DrainedRows<'py> = (Bound<'py, PyList>, Vec<(&'static str, String)>, Bound<'py, PyList>, Vec<String>);

fn brokers(ids: Vec<i32>) -> Box<[BrokerId]> {
    ids.into_iter().map(BrokerId).collect()
}

fn api(row: ApiRow) -> ServedApi {
    let (key, first, last, shown_first, shown_last, python, lane) = row;
    let lane = match lane {
        0 => Lane::Cluster,
        1 => Lane::Groups,
        _ => Lane::Admin,
    };
    ServedApi { key, versions: (first, last), advertised: (shown_first, shown_last), python, lane }
}

fn topic(row: TopicRow) -> TopicChange {
    let (id, name, internal, partition_count, partitions) = row;
    let partition = |(index, leader, leader_epoch, _partition_epoch, replicas, isr, offline): PartitionRow| {
        let view = PartitionView {
            leader: BrokerId(leader),
            leader_epoch: LeaderEpoch(leader_epoch),
            replicas: brokers(replicas),
            isr: brokers(isr),
            offline: brokers(offline),
        };
        (index, view)
    };
    let partitions = partitions.into_iter().map(partition).collect();
    TopicChange { id: TopicId(id), name: name.into(), internal, partition_count, partitions }
}

fn batch((base_offset, epoch, timestamp, control, records): BatchRow) -> NewBatch {
    NewBatch {
        base_offset: Offset(base_offset),
        epoch: LeaderEpoch(epoch),
        timestamp: TimestampMs(timestamp),
        control,
        records: records.into_iter().map(|(key, value)| NewRecord { key, value }).collect(),
    }
}

fn snapshot(end_offset: i64, epoch: i32) -> SnapshotId {
    SnapshotId { end_offset: Offset(end_offset), epoch: LeaderEpoch(epoch) }
}

/// The data plane of one broker. See `_core.pyi` for what each call does and whether it blocks.
#[pyclass(frozen, module = "ottla._core")]
struct Engine(Core);

impl Engine {
    fn metadata(&self, ticket: Ticket, command: MetadataCommand) {
        self.0.command(ticket, Command::Metadata(command));
    }

    fn coordinator(&self, ticket: Ticket, command: CoordinatorCommand) {
        self.0.command(ticket, Command::Coordinator(command));
    }

    fn transact(&self, ticket: Ticket, command: TransactionCommand) {
        self.coordinator(ticket, CoordinatorCommand::Transact(command));
    }
}

#[pymethods]
impl Engine {
    #[new]
    #[allow(clippy::too_many_arguments, unsafe_code)] // the options, by place, from one caller
    fn new(
        py: Python<'_>,
        data_dir: &str,
        node_id: i32,
        waker: i32,
        apis: Vec<ApiRow>,
        network_threads: usize,
        frame_bytes_max: usize,
        idle_ms_max: i64,
        fetch_bytes_max: usize,
        fetch_sessions_max: usize,
        periods: PeriodsRow,
    ) -> PyResult<Self> {
        let limits = Limits { frame_bytes_max, idle_ms_max, fetch_bytes_max, fetch_sessions_max };
        let (high_watermarks_ms, recovery_points_ms, log_starts_ms, retention_ms, delete_delay_ms) = periods;
        let options = Options {
            data_dir: data_dir.into(),
            node_id: BrokerId(node_id),
            apis: apis.into_iter().map(api).collect(),
            network_threads,
            limits,
            periods: Periods { high_watermarks_ms, recovery_points_ms, log_starts_ms, retention_ms, delete_delay_ms },
        };
        // SAFETY: the caller keeps the descriptor open during this call; the engine works with its own duplicate.
        let waker = unsafe { BorrowedFd::borrow_raw(waker) }.try_clone_to_owned()?;
        let started = py.detach(|| Core::start(options, waker));
        started.map(Self).map_err(PyOSError::new_err)
    }

    fn drain<'py>(&self, py: Python<'py>, requests_max: usize) -> PyResult<DrainedRows<'py>> {
        let (drained, closed) = self.0.drain(requests_max);
        let done = PyList::empty(py);
        for Done { ticket, result } in drained.done {
            match result {
                Ok(value) => done.append((ticket, true, done_value(py, value)?))?,
                Err(error) => done.append((ticket, false, error))?,
            }
        }
        let requests = PyList::empty(py);
        for request in &drained.requests {
            requests.append(request_row(py, request))?;
        }
        let facts = drained.facts.into_iter().map(|(subject, known)| (subject.name(), known)).collect();
        Ok((done, facts, requests, closed))
    }

    #[allow(unsafe_code)]
    fn adopt(&self, fd: i32, listener: &str, peer_host: &str, local_host: &str, local_port: u16) -> PyResult<()> {
        // SAFETY: the caller detached the descriptor from its socket object; from here on it has this one owner.
        let socket = unsafe { OwnedFd::from_raw_fd(fd) };
        let adopted = self.0.adopt(socket, listener, peer_host, local_host, local_port);
        adopted.map_err(|error| PyOSError::new_err(error.to_string()))
    }

    #[allow(clippy::needless_pass_by_value)] // how an argument arrives from Python
    fn reply(&self, answers: Vec<(u64, Option<Bound<'_, PyBytes>>)>) {
        self.0.reply(answers.iter().map(|(request_id, body)| {
            let answer = body.as_ref().map_or(Answer::Again, |body| Answer::Body(body.as_bytes().to_vec()));
            (RequestId(*request_id), answer)
        }));
    }

    #[allow(clippy::needless_pass_by_value)] // how an argument arrives from Python
    fn reply_standing(&self, answers: Vec<(u64, Bound<'_, PyBytes>, PyRef<'_, Standing>)>) {
        let row = |(request_id, body, standing): &(u64, Bound<'_, PyBytes>, PyRef<'_, Standing>)| {
            (RequestId(*request_id), body.as_bytes().to_vec(), standing.shared())
        };
        self.0.reply_standing(answers.iter().map(row));
    }

    fn clock_ms(&self) -> u64 {
        self.0.now().0
    }

    fn refuse(&self, request_id: u64, reason: String) {
        self.0.refuse(RequestId(request_id), reason);
    }

    #[pyo3(signature = (cluster, topics, removed))]
    fn install(&self, cluster: Option<PyRef<'_, Cluster>>, topics: Vec<TopicRow>, removed: Vec<[u8; 16]>) {
        self.0.install(ViewDelta {
            cluster: cluster.map(|cluster| cluster.0.clone()),
            topics: topics.into_iter().map(topic).collect(),
            removed: removed.into_iter().map(TopicId).collect(),
        });
    }

    fn lead(&self, ticket: Ticket, partitions: Vec<LeadRow<'_>>) {
        let leads = partitions.into_iter().map(|row| {
            let (topic_id, topic, index, leader_epoch, partition_epoch, replicas, isr, settings) = row;
            Lead {
                topic_id: TopicId(topic_id),
                topic: topic.into(),
                index: PartitionIndex(index),
                leadership: Leadership {
                    leader_epoch: LeaderEpoch(leader_epoch),
                    partition_epoch,
                    replicas: brokers(replicas).into(),
                    isr: brokers(isr).into(),
                },
                settings: settings.0.clone(),
            }
        });
        self.0.command(ticket, Command::Lead(leads.collect()));
    }

    fn stop_partitions(&self, ticket: Ticket, partitions: Vec<([u8; 16], String, i32)>, delete: bool) {
        let row = |(id, topic, index): ([u8; 16], String, i32)| (TopicId(id), topic.into(), PartitionIndex(index));
        let partitions = partitions.into_iter().map(row).collect();
        self.0.command(ticket, Command::Stop { partitions, delete });
    }

    #[allow(clippy::needless_pass_by_value)] // how an argument arrives from Python
    fn configure(&self, ticket: Ticket, topic_id: [u8; 16], topic: &str, settings: PyRef<'_, TopicSettings>) {
        let (topic_id, topic, settings) = (TopicId(topic_id), topic.into(), settings.0.clone());
        self.0.command(ticket, Command::Configure { topic_id, topic, settings });
    }

    fn describe_logs(&self, ticket: Ticket) {
        self.0.command(ticket, Command::DescribeLogs);
    }

    fn stray_logs(&self, ticket: Ticket, keep: Vec<([u8; 16], i32)>) {
        let keep = keep.into_iter().map(|(id, index)| (TopicId(id), PartitionIndex(index))).collect();
        self.0.command(ticket, Command::StrayLogs { keep });
    }

    fn metadata_open(&self, ticket: Ticket) {
        self.metadata(ticket, MetadataCommand::Open);
    }

    fn metadata_append(
        &self,
        ticket: Ticket,
        base_offset: i64,
        epoch: i32,
        timestamp_ms: i64,
        control: bool,
        records: Vec<RecordRow>,
    ) {
        self.metadata(ticket, MetadataCommand::Append(batch((base_offset, epoch, timestamp_ms, control, records))));
    }

    fn metadata_read(&self, ticket: Ticket, from_offset: i64, bytes_max: usize) {
        self.metadata(ticket, MetadataCommand::Read(Offset(from_offset), bytes_max));
    }

    fn metadata_truncate_prefix(&self, ticket: Ticket, new_start_offset: i64) {
        self.metadata(ticket, MetadataCommand::TruncatePrefix(Offset(new_start_offset)));
    }

    fn snapshots(&self, ticket: Ticket) {
        self.metadata(ticket, MetadataCommand::Snapshots);
    }

    fn snapshot_write(&self, ticket: Ticket, end_offset: i64, epoch: i32, batches: Vec<BatchRow>) {
        let batches = batches.into_iter().map(batch).collect();
        self.metadata(ticket, MetadataCommand::WriteSnapshot(snapshot(end_offset, epoch), batches));
    }

    fn snapshot_read(&self, ticket: Ticket, end_offset: i64, epoch: i32, from_offset: i64, bytes_max: usize) {
        let id = snapshot(end_offset, epoch);
        self.metadata(ticket, MetadataCommand::ReadSnapshot(id, Offset(from_offset), bytes_max));
    }

    fn snapshots_delete_before(&self, ticket: Ticket, end_offset: i64, epoch: i32) {
        self.metadata(ticket, MetadataCommand::DeleteSnapshotsBefore(snapshot(end_offset, epoch)));
    }

    fn quorum_state_read(&self, ticket: Ticket) {
        self.metadata(ticket, MetadataCommand::ReadQuorumState);
    }

    fn quorum_state_write(&self, ticket: Ticket, content: Vec<u8>) {
        self.metadata(ticket, MetadataCommand::WriteQuorumState(content));
    }

    #[allow(clippy::too_many_arguments)] // by place, from one caller
    fn coordinator_append(
        &self,
        ticket: Ticket,
        topic_id: [u8; 16],
        partition: i32,
        leader_epoch: i32,
        records: Vec<KeyedRow<'_>>,
        codec: i16,
        timeout_ms: i64,
        openings: Vec<OpeningTuple>,
        replies: Vec<(u64, Bound<'_, PyBytes>)>,
    ) -> PyResult<()> {
        let place = coordinator_log::place(topic_id, partition, leader_epoch);
        let records = records.into_iter().map(coordinator_log::keyed_record).collect();
        let openings = openings.into_iter().map(transactions::opening).collect();
        let replies =
            replies.into_iter().map(|(request, body)| (RequestId(request), body.as_bytes().to_vec())).collect();
        let codec = codec_numbered(codec)?;
        let append = CoordinatorCommand::Append { place, records, codec, timeout_ms, openings, replies };
        self.coordinator(ticket, append);
        Ok(())
    }

    #[allow(clippy::needless_pass_by_value)] // how an argument arrives from Python
    fn coordinator_load(
        &self,
        ticket: Ticket,
        topic_id: [u8; 16],
        partition: i32,
        leader_epoch: i32,
        intake: Option<PyRef<'_, OffsetTable>>,
        zero_ms: i64,
    ) {
        let place = coordinator_log::place(topic_id, partition, leader_epoch);
        let intake = intake.map(|table| {
            let desk = table.serve(self.0.load_pool(), zero_ms);
            self.0.put_desk(place.topic_id, place.index, desk.clone());
            Arc::new(Mutex::new(Filling(desk))) as SharedIntake
        });
        self.coordinator(ticket, CoordinatorCommand::Load(place, intake));
    }

    fn coordinator_next(&self, ticket: Ticket, load: Ticket) {
        self.coordinator(ticket, CoordinatorCommand::Next(load));
    }

    fn coordinator_close(&self, ticket: Ticket, load: Ticket) {
        self.coordinator(ticket, CoordinatorCommand::Close(load));
    }

    #[allow(clippy::too_many_arguments)] // a place, and what is done there
    fn transactional_append(
        &self,
        ticket: Ticket,
        topic_id: [u8; 16],
        partition: i32,
        leader_epoch: i32,
        records: Vec<KeyedRow<'_>>,
        codec: i16,
        writer: WriterTuple,
        timeout_ms: i64,
    ) -> PyResult<()> {
        let place = coordinator_log::place(topic_id, partition, leader_epoch);
        let records = records.into_iter().map(coordinator_log::keyed_record).collect();
        let (codec, writer) = (codec_numbered(codec)?, transactions::writer(writer));
        self.transact(ticket, TransactionCommand::Append { place, records, codec, writer, timeout_ms });
        Ok(())
    }

    fn coordinator_claim(
        &self,
        ticket: Ticket,
        topic_id: [u8; 16],
        partition: i32,
        leader_epoch: i32,
        producer_id: i64,
        producer_epoch: i16,
    ) {
        let place = coordinator_log::place(topic_id, partition, leader_epoch);
        let command = TransactionCommand::Claim(place, ProducerId(producer_id), ProducerEpoch(producer_epoch));
        self.transact(ticket, command);
    }

    fn coordinator_mark(
        &self,
        ticket: Ticket,
        topic_id: [u8; 16],
        partition: i32,
        leader_epoch: i32,
        marker: EndTuple,
        timeout_ms: i64,
    ) {
        let place = coordinator_log::place(topic_id, partition, leader_epoch);
        let marker = transactions::marker(marker);
        self.transact(ticket, TransactionCommand::Mark { place, marker, timeout_ms });
    }

    fn append_markers(&self, ticket: Ticket, rows: Vec<MarkerTuple>, timeout_ms: i64) {
        let rows = rows.into_iter().map(transactions::marker_row).collect();
        self.transact(ticket, TransactionCommand::Markers { rows, timeout_ms });
    }

    fn describe_producers(&self, ticket: Ticket, partitions: Vec<([u8; 16], i32)>) {
        let partitions = partitions.into_iter().map(|(id, index)| (TopicId(id), PartitionIndex(index))).collect();
        self.transact(ticket, TransactionCommand::Producers(partitions));
    }

    fn take_questions(&self) -> Vec<QuestionTuple> {
        self.0.take_questions().into_iter().map(transactions::question).collect()
    }

    fn answer(&self, question_id: u64, codes: Vec<i16>) {
        self.0.answer(question_id, codes.into_iter().map(transactions::code).collect());
    }

    fn configure_questions(&self, verifies: bool, timeout_ms: i64) {
        self.0.configure_questions(verifies, timeout_ms);
    }

    fn connection_census(&self, listener: &str, host: &str) -> (usize, usize, usize) {
        let census = self.0.connection_census(listener, host);
        (census.total, census.of_listener, census.of_host)
    }

    fn watch_connections(&self) {
        self.0.watch_connections();
    }

    fn evict_connection(&self, protected: &str) -> bool {
        self.0.evict_connection(protected)
    }

    fn connection_count(&self) -> usize {
        self.0.connection_count()
    }

    fn read_file<'py>(&self, py: Python<'py>, name: &str) -> PyResult<Option<Bound<'py, PyBytes>>> {
        let content = py.detach(|| self.0.read_file(name)).map_err(PyOSError::new_err)?;
        Ok(content.map(|content| PyBytes::new(py, &content)))
    }

    fn write_file(&self, py: Python<'_>, name: &str, content: &[u8]) -> PyResult<()> {
        py.detach(|| self.0.write_file(name, content)).map_err(PyOSError::new_err)
    }

    fn clean_broker_epoch(&self, py: Python<'_>) -> i64 {
        py.detach(|| self.0.clean_broker_epoch())
    }

    fn stop(&self, py: Python<'_>, broker_epoch: i64) -> Vec<String> {
        py.detach(|| self.0.stop(broker_epoch))
    }

    fn abandon(&self, py: Python<'_>) {
        py.detach(|| self.0.abandon());
    }
}

fn request_row<'py>(py: Python<'py>, request: &'py Request) -> RequestRow<'py> {
    let context = &*request.context;
    (
        request.id.0,
        request.api_key,
        request.api_version,
        request.client_id.as_deref().unwrap_or_default().to_owned(),
        context.id,
        &context.listener,
        &context.principal,
        &context.peer_host,
        (&context.local_host, context.local_port),
        request.received_at.0,
        request.asks_leave,
        PyBytes::new(py, &request.body),
    )
}

fn done_value(py: Python<'_>, value: DoneValue) -> PyResult<Bound<'_, PyAny>> {
    let ids = |list: Vec<(SnapshotId, u64)>| -> Vec<(i64, i32, u64)> {
        list.into_iter().map(|(id, bytes)| (id.end_offset.0, id.epoch.0, bytes)).collect()
    };
    Ok(match value {
        DoneValue::Nothing => py.None().into_bound(py),
        DoneValue::Led(outcomes) => {
            let rows = PyList::empty(py);
            for led in outcomes {
                rows.append((PyBytes::new(py, &led.topic_id.0), led.index.0, led.recovered_bytes, led.error))?;
            }
            rows.into_any()
        }
        DoneValue::Logs(path, (total, usable), logs) => {
            let rows: Vec<_> =
                logs.iter().map(|log| (&*log.topic, log.index.0, log.bytes, log.log_start.0, log.log_end.0)).collect();
            (path, total, usable, rows).into_pyobject(py)?.into_any()
        }
        DoneValue::Strays(names) => names.into_pyobject(py)?.into_any(),
        DoneValue::MetadataLog(state) => {
            let row = (state.log_start.0, state.log_end.0, state.last_epoch.0, state.bytes, ids(state.snapshots));
            row.into_pyobject(py)?.into_any()
        }
        DoneValue::Size(bytes) => bytes.into_pyobject(py)?.into_any(),
        DoneValue::Snapshots(list) => ids(list).into_pyobject(py)?.into_any(),
        DoneValue::Content(content) => content.map(|content| PyBytes::new(py, &content)).into_pyobject(py)?.into_any(),
        DoneValue::Records(records) => {
            let rows = PyList::empty(py);
            let bytes = |part: Option<Vec<u8>>| part.map(|part| PyBytes::new(py, &part));
            for record in records {
                let (key, value) = (bytes(record.key), bytes(record.value));
                let (offset, epoch, time) = (record.offset.0, record.leader_epoch.0, record.timestamp.0);
                rows.append((offset, epoch, time, record.control, key, value))?;
            }
            rows.into_any()
        }
        DoneValue::Coordinator(outcome) => coordinator_log::outcome(py, outcome)?,
        DoneValue::Transactions(outcome) => transactions::outcome(py, outcome)?,
    })
}

/// Adds the classes of this file to the module.
pub(crate) fn register(module: &Bound<'_, PyModule>) -> PyResult<()> {
    module.add_class::<TopicSettings>()?;
    module.add_class::<Cluster>()?;
    module.add_class::<Engine>()
}
