//! Requests and connections against logs on a simulated disk, stepped by hand: no socket, no runtime, no clock.

mod connection;
mod coordinator_faults;
pub(super) mod coordinator_log;
mod fetch;
mod list_offsets;
mod maintenance;
mod offset_commit;
mod offset_fetch;
pub(super) mod orders;
mod produce;
mod standing;
mod transactions;
mod transactions_simulation;

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use arc_swap::ArcSwap;

use crate::batch::build::{BatchBuilder, BatchOptions, RecordParts};
use crate::batch::validate::{ProduceRules, Target, TimestampType};
use crate::disk::Disk;
use crate::disk_sim::SimDisk;
use crate::error::ErrorCode;
use crate::ids::{
    BrokerId, LeaderEpoch, Offset, PartitionIndex, ProducerEpoch, ProducerId, Sequence, TimestampMs, TopicId,
};
use crate::log::{FlushPolicy, Log, LogConfig, LogDirectory};
use crate::plane::clock::{Instant, Now};
use crate::plane::connection::Connection;
use crate::plane::connections::Connections;
use crate::plane::desks::Desks;
use crate::plane::link::{Close, Link};
use crate::plane::mailbox::{ConnectionContext, Lane, Mailbox};
use crate::plane::output::Chunk;
use crate::plane::pool::Pool;
use crate::plane::services::{Hosted, Limits, Outstanding, ServedApi, Services};
use crate::plane::session::Sessions;
use crate::plane::view::{BrokerView, ClusterView, Endpoint, PartitionView, TopicChange, View, ViewDelta};
use crate::replication::partition::{Identity, Leadership, Partition, TopicSettings};
use crate::wire::client::Call;
use crate::wire::client::produce::{ProduceResponse, encode_request};
use crate::wire::header::{api_of, decode_response_header, keys};
use crate::wire::{Cursor, TopicRef};

const THIS: BrokerId = BrokerId(1);
const OTHER: BrokerId = BrokerId(2);
const ORDERS: TopicId = TopicId(*b"orders----------");
const CREATE_TOPICS: i16 = 19;

/// Milliseconds since the start, as both clocks.
fn at(milliseconds: u64) -> Now {
    Now { wall: TimestampMs(1_000_000 + milliseconds as i64), instant: Instant(milliseconds) }
}

/// What a thread of the engine works with, for the tests beside it.
pub(super) fn services_and_directory() -> (Arc<Services>, Arc<LogDirectory>) {
    let Broker { services, directory, .. } = Broker::new();
    (services, directory)
}

/// One broker without threads but one for times that are searched.
struct Broker {
    disk: Arc<SimDisk>,
    services: Arc<Services>,
    directory: Arc<LogDirectory>,
    wakes: Arc<AtomicUsize>,
}

impl Broker {
    fn new() -> Self {
        Self::with(Limits::default())
    }

    fn with(limits: Limits) -> Self {
        Self::made(limits, SimDisk::new(1))
    }

    /// On a disk that may have something on it.
    fn on(disk: Arc<SimDisk>) -> Self {
        Self::made(Limits::default(), disk)
    }

    fn made(limits: Limits, disk: Arc<SimDisk>) -> Self {
        let served = |key, first, last, python| ServedApi {
            key,
            versions: (first, last),
            advertised: (first, last),
            python,
            lane: Lane::Admin,
        };
        let wakes = Arc::new(AtomicUsize::new(0));
        let counter = wakes.clone();
        let services = Arc::new(Services {
            node_id: THIS,
            view: ArcSwap::from_pointee(View::default()),
            hosted: Hosted::default(),
            desks: Desks::default(),
            mailbox: Mailbox::new(Box::new(move || {
                counter.fetch_add(1, Ordering::SeqCst);
            })),
            outstanding: Outstanding::default(),
            questions: Arc::default(),
            sessions: Sessions::new(limits.fetch_sessions_max, 7),
            connections: Connections::default(),
            cold: Pool::start("test", 1).unwrap(),
            limits,
            apis: vec![
                served(keys::PRODUCE, 3, 13, false),
                served(keys::FETCH, 4, 18, false),
                served(keys::LIST_OFFSETS, 1, 11, false),
                served(keys::METADATA, 0, 13, false),
                served(keys::OFFSET_COMMIT, 2, 10, true),
                served(keys::OFFSET_FETCH, 1, 10, true),
                served(12, 0, 4, true),
                served(keys::API_VERSIONS, 0, 5, false),
                served(CREATE_TOPICS, 2, 7, true),
            ],
        });
        let directory = LogDirectory::new(Arc::clone(&disk) as Arc<dyn Disk>, 10);
        let broker = Self { disk, services, directory, wakes };
        let endpoint = Endpoint { listener: "PLAINTEXT".into(), host: "here".into(), port: 9092 };
        let cluster = ClusterView {
            cluster_id: "cluster".into(),
            controller_id: THIS,
            brokers: vec![BrokerView { id: THIS, rack: None, endpoints: vec![endpoint] }],
            ..ClusterView::default()
        };
        broker.install(ViewDelta { cluster: Some(cluster), ..ViewDelta::default() });
        broker
    }

    fn install(&self, delta: ViewDelta) {
        let next = self.services.view.load().after(delta);
        self.services.view.store(Arc::new(next));
    }

    /// Leads partitions of `orders`, with this broker as the only replica.
    fn lead(&self, partitions: i32) -> Vec<Arc<Partition>> {
        self.lead_with(partitions, &[THIS], 1, LogConfig::default())
    }

    fn lead_with(
        &self,
        count: i32,
        isr: &[BrokerId],
        min_insync_replicas: usize,
        log: LogConfig,
    ) -> Vec<Arc<Partition>> {
        let log = Arc::new(log);
        let settings = Arc::new(TopicSettings {
            produce: ProduceRules {
                max_message_bytes: 1_048_588,
                segment_bytes: log.segment_bytes as usize,
                target: Target::Producer,
                timestamp_type: TimestampType::CreateTime,
                timestamp_before_max_ms: i64::MAX,
                timestamp_after_max_ms: i64::MAX,
                compacted: false,
                decompressed_bytes_max: 1 << 20,
            },
            log: log.clone(),
            min_insync_replicas,
        });
        let lead_one = |index: i32| {
            let name = format!("orders-{index}");
            let log = Log::create(&self.directory, &name, ORDERS, log.clone(), Offset(0), at(0).wall).unwrap();
            self.host(index, settings.clone(), leadership(0, 0, isr), log)
        };
        self.show(count, isr);
        (0..count).map(lead_one).collect()
    }

    /// Leads again what another life of this broker led, with the logs that `open` gives.
    fn lead_from(
        &self,
        known: &[Arc<Partition>],
        open: impl Fn(&Arc<LogDirectory>, &str) -> Log,
        settings: &Arc<TopicSettings>,
    ) -> Vec<Arc<Partition>> {
        self.show(known.len() as i32, &[THIS]);
        let lead_one = |partition: &Arc<Partition>| {
            let log = open(&self.directory, &partition.to_string());
            let epoch = log.epochs().latest().map_or(0, |latest| latest.epoch.0);
            self.host(partition.index.0, settings.clone(), leadership(epoch, 0, &[THIS]), log)
        };
        known.iter().map(lead_one).collect()
    }

    fn host(&self, index: i32, settings: Arc<TopicSettings>, leadership: Leadership, log: Log) -> Arc<Partition> {
        let identity =
            Identity { topic_id: ORDERS, topic: "orders".into(), index: PartitionIndex(index), this_broker: THIS };
        let partition = Arc::new(Partition::lead(identity, settings, leadership, Offset(0), log));
        self.services.hosted.insert(partition.clone());
        partition
    }

    /// Lets the View know `orders`.
    fn show(&self, count: i32, isr: &[BrokerId]) {
        let view = PartitionView {
            leader: THIS,
            leader_epoch: LeaderEpoch(0),
            replicas: isr.into(),
            isr: isr.into(),
            offline: [].into(),
        };
        let change = TopicChange {
            id: ORDERS,
            name: "orders".into(),
            internal: false,
            partition_count: count as usize,
            partitions: (0..count as usize).map(|index| (index, view.clone())).collect(),
        };
        self.install(ViewDelta { topics: vec![change], ..ViewDelta::default() });
    }
}

fn leadership(leader_epoch: i32, partition_epoch: i32, isr: &[BrokerId]) -> Leadership {
    Leadership { leader_epoch: LeaderEpoch(leader_epoch), partition_epoch, replicas: isr.to_vec(), isr: isr.to_vec() }
}

/// One connection and what its client sees.
struct Client {
    connection: Connection,
    link: Arc<Link>,
    next: i32,
    received: Vec<u8>,
}

impl Client {
    fn new(broker: &Broker) -> Self {
        let link = Link::new(ConnectionContext {
            id: broker.services.connections.number(),
            listener: "PLAINTEXT".into(),
            principal: "User:ANONYMOUS".into(),
            peer_host: "10.0.0.1".into(),
            local_host: "10.0.0.2".into(),
            local_port: 9092,
        });
        broker.services.connections.remember(link.clone());
        Self { connection: Connection::new(link.clone(), at(0)), link, next: 0, received: Vec::new() }
    }

    fn call(&mut self, version: i16) -> Call<'static> {
        self.next += 1;
        Call { version, correlation_id: self.next, client_id: Some("test") }
    }

    fn send(&mut self, broker: &Broker, frame: &[u8], now: Now) -> Result<(), Close> {
        self.connection.receive(frame, &broker.services, now)
    }

    fn settle(&mut self, broker: &Broker, now: Now) -> bool {
        let moved = self.connection.settle(&broker.services, now).unwrap();
        self.connection.handle_kept(&broker.services, now).unwrap();
        moved
    }

    /// Takes up to `limit` bytes off the output, as a socket would.
    fn take(&mut self, mut limit: usize, now: Now) {
        while limit > 0 {
            let Some(Chunk::Bytes { bytes, .. }) = self.connection.output.chunk() else { return };
            let count = bytes.len().min(limit);
            self.received.extend_from_slice(&bytes[..count]);
            self.connection.sent(count, now);
            limit -= count;
        }
    }

    /// The answers that came whole, without their lengths.
    fn answers(&mut self, now: Now) -> Vec<Vec<u8>> {
        self.take(usize::MAX, now);
        let mut frames = Vec::new();
        while let Some(prefix) = self.received.first_chunk::<4>() {
            let whole = 4 + i32::from_be_bytes(*prefix) as usize;
            assert!(self.received.len() >= whole, "half an answer");
            frames.push(self.received.drain(..whole).skip(4).collect());
        }
        frames
    }

    /// The correlation ids of the answers that came.
    fn answered(&mut self, now: Now) -> Vec<i32> {
        let id = |frame: &Vec<u8>| i32::from_be_bytes(*frame.first_chunk().unwrap());
        self.answers(now).iter().map(id).collect()
    }
}

fn body(frame: &[u8], key: i16, version: i16) -> Cursor<'_> {
    decode_response_header(frame, api_of(key).unwrap(), version).unwrap().1
}

/// A batch of one record of about `bytes` bytes, from `producer` with this sequence number.
fn batch(bytes: usize, producer: Option<(i64, i32)>) -> Vec<u8> {
    let (id, sequence) = producer.map_or((ProducerId::NONE, Sequence::NONE), |(id, at)| (ProducerId(id), Sequence(at)));
    let epoch = if producer.is_some() { ProducerEpoch(0) } else { ProducerEpoch::NONE };
    let mut builder = BatchBuilder::new(BatchOptions {
        producer_id: id,
        producer_epoch: epoch,
        base_sequence: sequence,
        ..BatchOptions::default()
    });
    builder.add(at(0).wall, &RecordParts { value: Some(&vec![7; bytes]), ..RecordParts::default() });
    builder.finish().unwrap()
}

/// A produce request for one partition of `orders`.
fn produce(call: &Call<'_>, acks: i16, timeout_ms: i32, index: i32, records: &[u8]) -> Vec<u8> {
    let mut frame = Vec::new();
    let partitions = [(PartitionIndex(index), Some(records))];
    encode_request(&mut frame, call, None, acks, timeout_ms, &[(TopicRef::Name("orders"), &partitions)]);
    frame
}

/// Error and base offset of the only partition of an answer to [`produce`].
fn produced(frame: &[u8], version: i16) -> (ErrorCode, i64) {
    let response = ProduceResponse::decode(body(frame, keys::PRODUCE, version), version).unwrap();
    let partition = response.topics.iter().next().unwrap().partitions.iter().next().unwrap();
    (partition.error, partition.base_offset.0)
}

/// An `ApiVersions` request: the smallest that is answered at once.
fn api_versions(correlation_id: i32) -> Vec<u8> {
    let mut frame = vec![0, 0, 0, 10, 0, 18, 0, 0];
    frame.extend(correlation_id.to_be_bytes());
    frame.extend([0xff, 0xff]);
    frame
}

/// A request that the control plane answers.
fn create_topics(correlation_id: i32) -> Vec<u8> {
    let mut frame = vec![0, 0, 0, 14, 0, 19, 0, 4];
    frame.extend(correlation_id.to_be_bytes());
    frame.extend([0xff, 0xff, 0, 0, 0, 0]);
    frame
}
