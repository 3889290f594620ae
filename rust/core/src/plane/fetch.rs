//! Handles Fetch (1): read what is there, or wait until there is enough; sessions (KIP-227).
//!
//! Kafka classes `KafkaApis.handleFetchRequest`, `ReplicaManager.readFromLog`, `DelayedFetch`. Records are never copied: an
//! answer holds ranges of files. A fetch that waits hangs on its partitions under their locks; it reads again when one
//! of them has moved, or when its time is over.

use std::cell::RefCell;
use std::collections::HashMap;
use std::collections::hash_map::Entry;
use std::sync::Arc;

use crate::error::ErrorCode;
use crate::ids::{BrokerId, LeaderEpoch, TopicId};
use crate::log::FileRange;
use crate::plane::clock::{Instant, Now};
use crate::plane::incoming::{Handled, Incoming, Waiting, malformed};
use crate::plane::leaders::Leaders;
use crate::plane::link::{Close, Link};
use crate::plane::output::Output;
use crate::plane::services::Services;
use crate::plane::session::{Context, NO_SESSION, SharedSession, Told, TopicKey, Wanted};
use crate::plane::view::View;
use crate::replication::partition::{Partition, ReadRequest, Reading};
use crate::replication::waiting::{FetchWaiter, Isolation, WaitKey};
use crate::wire::LeaderIdAndEpoch;
use crate::wire::fetch::{
    AbortedTransaction, EncodedFetch, FetchPartition, FetchRequest, FetchResponseWriter, Fetched, Part,
};

/// First version that names topics by id.
const TOPIC_IDS_FROM: i16 = 13;
/// `read_uncommitted` and `read_committed`.
const ISOLATION_LEVELS: std::ops::RangeInclusive<i8> = 0..=1;
/// First version that is told who leads instead (KIP-951).
const LEADER_HINTS_FROM: i16 = 16;

thread_local! {
    /// The bytes around the records are encoded here before they go to a connection.
    static ENCODED: RefCell<EncodedFetch> = RefCell::default();
}

/// What holds for all partitions of a request.
#[derive(Clone, Copy, Debug)]
struct Terms {
    version: i16,
    correlation_id: i32,
    replica: BrokerId,
    isolation: Isolation,
    /// Kafka's: an answer holds no more than this, but for its first batch.
    bytes_max: usize,
    bytes_min: i64,
}

impl Terms {
    fn by_id(self) -> bool {
        self.version >= TOPIC_IDS_FROM
    }
}

/// Which partitions are read, and how they are answered.
#[derive(Debug)]
enum Scope {
    /// All of these; a session is opened for them when `opens_session`.
    Whole { wanted: Vec<Wanted>, opens_session: bool },
    /// What changed in this session.
    Session(SharedSession),
}

impl Scope {
    fn each(&self, mut visit: impl FnMut(u64, &Wanted)) {
        match self {
            Self::Whole { wanted, .. } => {
                wanted.iter().enumerate().for_each(|(rank, wanted)| visit(rank as u64, wanted));
            }
            Self::Session(session) => session.lock().wanted().for_each(|(rank, wanted)| visit(rank, wanted)),
        }
    }

    /// Whether one of the partitions exists.
    fn names_any(&self, view: &View) -> bool {
        let mut any = false;
        self.each(|_, wanted| any |= route(wanted, view).is_ok());
        any
    }
}

/// What was read of one partition.
#[derive(Debug)]
struct Read {
    rank: u64,
    result: Result<Reading, ErrorCode>,
    leader: Option<LeaderIdAndEpoch>,
    /// There is no such partition.
    unknown: bool,
}

impl Read {
    fn bytes(&self) -> usize {
        self.result.as_ref().map_or(0, Reading::bytes)
    }

    /// Whether the answer must not wait. A partition that is not known has no say, as with Kafka: or a client that reads a
    /// deleted topic would ask again at once, for ever.
    fn is_urgent(&self) -> bool {
        self.result.as_ref().map_or(!self.unknown, |reading| reading.diverging.is_some())
    }

    fn told(&self) -> Told {
        match &self.result {
            Ok(reading) => Told { high_watermark: reading.high_watermark, log_start: reading.log_start },
            // After an error the client knows nothing: the next good answer must tell it all.
            Err(_) => Told::NOTHING,
        }
    }

    /// Whether an incremental answer names the partition.
    fn is_news(&self, told: Told) -> bool {
        self.result.is_err() || self.is_urgent() || self.bytes() > 0 || self.told() != told
    }

    fn fetched(&self, wanted: &Wanted) -> Fetched<&[AbortedTransaction]> {
        let index = wanted.partition.index;
        match &self.result {
            Err(error) => Fetched {
                current_leader: self.leader,
                // As Kafka: it never came to ask a log.
                aborted_transactions: self.unknown.then_some(&[]),
                ..Fetched::failed(index, *error)
            },
            Ok(reading) => Fetched {
                high_watermark: reading.high_watermark,
                last_stable_offset: reading.last_stable_offset,
                log_start_offset: reading.log_start,
                diverging_epoch: reading.diverging,
                aborted_transactions: reading.aborted.as_deref(),
                ..Fetched::failed(index, ErrorCode::None)
            },
        }
    }
}

/// Everything that was read for a request.
#[derive(Debug, Default)]
struct Reads {
    partitions: Vec<Read>,
    bytes: usize,
    urgent: bool,
}

/// A fetch that waits for bytes.
#[derive(Debug)]
struct Awaiting {
    terms: Terms,
    scope: Scope,
    deadline: Instant,
    waiter: Arc<FetchWaiter>,
    registered: Vec<(Arc<Partition>, WaitKey)>,
}

impl Waiting for Awaiting {
    /// Reads again and writes the answer if it is time.
    fn complete(
        &mut self,
        services: &Services,
        link: &Arc<Link>,
        now: Now,
        output: &mut Output,
    ) -> Result<bool, Close> {
        let due = now.instant >= self.deadline;
        if !due && !self.waiter.has_fired() {
            return Ok(false);
        }
        self.release();
        let view = services.view.load();
        let reads = read_all(&self.scope, self.terms, services, &view);
        if due || is_enough(&reads, self.terms) {
            answer(&self.scope, self.terms, &reads, services, &view, link, now, output)?;
            return Ok(true);
        }
        // What moved was not enough after all (a partition was counted that others have used up meanwhile).
        self.register(&reads, services, &view, link);
        Ok(false)
    }

    fn deadline(&self) -> Instant {
        self.deadline
    }

    fn release(&mut self) {
        for (partition, key) in self.registered.drain(..) {
            partition.stop_waiting(key, &self.waiter);
        }
    }
}

impl Awaiting {
    fn register(&mut self, reads: &Reads, services: &Services, view: &View, link: &Link) {
        self.waiter = FetchWaiter::new(link.bell.clone(), self.terms.bytes_min - reads.bytes as i64);
        let mut results = reads.partitions.iter();
        let (terms, waiter, registered) = (self.terms, &self.waiter, &mut self.registered);
        self.scope.each(|_, wanted| {
            let Some(Read { result: Ok(reading), .. }) = results.next() else { return };
            let Ok((topic, _)) = route(wanted, view) else { return waiter.fire() };
            let Some(partition) = services.hosted.get(topic, wanted.partition.index) else { return waiter.fire() };
            match partition.wait_readable(terms.isolation, reading.end, waiter) {
                Some(key) => registered.push((partition, key)),
                None => waiter.fire(),
            }
        });
    }
}

/// Handles one request.
pub fn handle(incoming: &Incoming<'_>, services: &Services, output: &mut Output) -> Result<Handled, Close> {
    let version = incoming.header.api_version;
    let request = FetchRequest::decode(incoming.body, version).map_err(|error| malformed(incoming, &error))?;
    let terms = terms(incoming, &request, services);
    let scope = match services.sessions.context(&request, terms.by_id(), incoming.now.instant) {
        Ok(Context::Incremental(session)) => Scope::Session(session),
        Ok(context) => Scope::Whole { wanted: distinct(&request), opens_session: matches!(context, Context::Full) },
        Err(error) => {
            encode(output, |encoded| {
                FetchResponseWriter::new(encoded, terms.correlation_id, version, 0, error, NO_SESSION).finish(&[]);
            });
            return Ok(Handled::Answered);
        }
    };
    let view = services.view.load();
    if !ISOLATION_LEVELS.contains(&request.head.isolation_level) && scope.names_any(&view) {
        refuse_isolation(&request, terms, output);
        return Ok(Handled::Answered);
    }
    let reads = read_all(&scope, terms, services, &view);
    if request.head.max_wait_ms <= 0 || is_enough(&reads, terms) {
        answer(&scope, terms, &reads, services, &view, incoming.link, incoming.now, output)?;
        return Ok(Handled::Answered);
    }
    let deadline = incoming.now.instant.after_ms(i64::from(request.head.max_wait_ms));
    let waiter = FetchWaiter::new(incoming.link.bell.clone(), 0);
    let mut waiting = Box::new(Awaiting { terms, scope, deadline, waiter, registered: Vec::new() });
    waiting.register(&reads, services, &view, incoming.link);
    Ok(Handled::Waits(waiting))
}

/// An isolation level that is none. Kafka comes to look at it when there is something to read, and fails the whole request:
/// it names the partitions of the request, not those of the session, and with topic ids none.
fn refuse_isolation(request: &FetchRequest<'_>, terms: Terms, output: &mut Output) {
    let error = ErrorCode::UnknownServerError;
    encode(output, |encoded| {
        let mut writer =
            FetchResponseWriter::new(encoded, terms.correlation_id, terms.version, 0, error, request.head.session_id);
        for topic in request.topics.iter().filter(|_| !terms.by_id()) {
            writer.topic(topic.topic);
            for partition in topic.partitions {
                let failed = Fetched { aborted_transactions: Some(&[][..]), ..Fetched::failed(partition.index, error) };
                writer.partition(&failed, Some(0));
            }
        }
        writer.finish(&[]);
    });
}

/// What a request wants. A partition that it names twice counts once: where it stood first, as it was asked for last.
fn distinct(request: &FetchRequest<'_>) -> Vec<Wanted> {
    let mut places = HashMap::new();
    let mut wanted: Vec<Wanted> = Vec::new();
    for (topic, partition) in request.partitions() {
        match places.entry((topic, partition.index)) {
            Entry::Vacant(place) => {
                place.insert(wanted.len());
                wanted.push(Wanted::new(topic, partition));
            }
            Entry::Occupied(place) => wanted[*place.get()] = Wanted::new(topic, partition),
        }
    }
    wanted
}

fn terms(incoming: &Incoming<'_>, request: &FetchRequest<'_>, services: &Services) -> Terms {
    let head = &request.head;
    let isolation = match (head.replica_id.0, head.isolation_level) {
        (-1, 1) => Isolation::LastStable,
        (-1, _) => Isolation::HighWatermark,
        _ => Isolation::LogEnd,
    };
    let bytes_max = usize::try_from(head.max_bytes).unwrap_or(0).min(services.limits.fetch_bytes_max);
    Terms {
        version: incoming.header.api_version,
        correlation_id: incoming.header.correlation_id,
        replica: head.replica_id,
        isolation,
        bytes_max,
        bytes_min: i64::from(head.min_bytes).min(bytes_max as i64),
    }
}

fn is_enough(reads: &Reads, terms: Terms) -> bool {
    reads.urgent || reads.partitions.iter().all(|read| read.unknown) || reads.bytes as i64 >= terms.bytes_min
}

/// The topic of a wanted partition, and who leads the partition as far as the View knows.
fn route(wanted: &Wanted, view: &View) -> Result<(TopicId, LeaderIdAndEpoch), ErrorCode> {
    let topic = match &wanted.topic {
        TopicKey::Name(name) => view.topic(name).ok_or(ErrorCode::UnknownTopicOrPartition)?,
        TopicKey::Id(id) => view.topic_by_id(*id).ok_or(ErrorCode::UnknownTopicId)?,
    };
    let index = usize::try_from(wanted.partition.index.0).ok();
    let partition = index.and_then(|at| topic.partitions.get(at)).ok_or(ErrorCode::UnknownTopicOrPartition)?;
    Ok((topic.id, LeaderIdAndEpoch { leader: partition.leader, epoch: partition.leader_epoch }))
}

fn read_all(scope: &Scope, terms: Terms, services: &Services, view: &View) -> Reads {
    let mut all = Reads::default();
    scope.each(|rank, wanted| {
        let left = terms.bytes_max.saturating_sub(all.bytes);
        let read = read_one(rank, wanted, terms, left, all.bytes == 0, services, view);
        all.bytes += read.bytes();
        all.urgent |= read.is_urgent();
        all.partitions.push(read);
    });
    all
}

fn read_one(
    rank: u64,
    wanted: &Wanted,
    terms: Terms,
    bytes_left: usize,
    first: bool,
    services: &Services,
    view: &View,
) -> Read {
    let (topic, leader) = match route(wanted, view) {
        Ok(routed) => routed,
        Err(error) => return Read { rank, result: Err(error), leader: None, unknown: true },
    };
    let FetchPartition { index, fetch_offset, max_bytes, current_leader_epoch, last_fetched_epoch, .. } =
        wanted.partition;
    let request = ReadRequest {
        replica: terms.replica,
        isolation: terms.isolation,
        from: fetch_offset,
        // In a Fetch any negative epoch is none.
        current_leader_epoch: current_leader_epoch.max(LeaderEpoch::NONE),
        last_fetched_epoch: Some(last_fetched_epoch).filter(|epoch| epoch.0 >= 0),
        bytes_max: usize::try_from(max_bytes).unwrap_or(0).min(bytes_left),
        whole_first_batch: first,
    };
    let result = services.hosted.find(topic, index).and_then(|partition| partition.read(&request));
    let result = result.map_err(|error| match error {
        ErrorCode::KafkaStorageError if terms.version <= 5 => ErrorCode::NotLeaderOrFollower,
        other => other,
    });
    let hint = terms.version >= LEADER_HINTS_FROM
        && matches!(result, Err(ErrorCode::NotLeaderOrFollower | ErrorCode::FencedLeaderEpoch));
    Read { rank, result, leader: hint.then_some(leader), unknown: false }
}

#[allow(clippy::too_many_arguments)] // the request, what was read for it, and where the answer goes
fn answer(
    scope: &Scope,
    terms: Terms,
    all: &Reads,
    services: &Services,
    view: &View,
    link: &Link,
    now: Now,
    output: &mut Output,
) -> Result<(), Close> {
    let session_id = match scope {
        Scope::Session(session) => session.lock().id,
        Scope::Whole { wanted, opens_session: true } => {
            let told =
                wanted.iter().zip(&all.partitions).map(|(wanted, read)| Wanted { told: read.told(), ..wanted.clone() });
            let privileged = terms.replica.0 >= 0;
            services.sessions.open(terms.by_id(), privileged, wanted.len(), told, now.instant)
        }
        Scope::Whole { .. } => NO_SESSION,
    };
    let leaders = Leaders::of(view, &link.context, all.partitions.iter().filter_map(|read| read.leader));
    let incremental = matches!(scope, Scope::Session(_));
    let mut ranges = Vec::new();
    let encoded = encode(output, |encoded| {
        let mut writer =
            FetchResponseWriter::new(encoded, terms.correlation_id, terms.version, 0, ErrorCode::None, session_id);
        let mut topic: Option<TopicKey> = None;
        scope.each(|rank, wanted| {
            // By rank, not by place: a client may have sent another request of the session meanwhile.
            let Ok(at) = all.partitions.binary_search_by_key(&rank, |read| read.rank) else { return };
            let read = &all.partitions[at];
            if incremental && !read.is_news(wanted.told) {
                return;
            }
            if topic.as_ref() != Some(&wanted.topic) {
                writer.topic(wanted.topic.as_ref());
                topic = Some(wanted.topic.clone());
            }
            writer.partition(&read.fetched(wanted), Some(read.bytes() as u32));
            ranges.extend(read.result.as_ref().ok().and_then(|reading| reading.range.clone()));
        });
        writer.finish(&leaders.endpoints());
    });
    if let Scope::Session(session) = scope {
        let mut session = session.lock();
        for read in &all.partitions {
            session.told(read.rank, read.told(), read.bytes() > 0);
        }
    }
    splice(encoded, ranges, output)
}

/// Encodes into the thread's buffer, and returns its pieces with the bytes.
fn encode(output: &mut Output, write: impl FnOnce(&mut EncodedFetch)) -> Option<EncodedFetch> {
    ENCODED.with_borrow_mut(|encoded| {
        write(encoded);
        let mut parts = encoded.parts();
        if let (Some(Part::Bytes(range)), None) = (parts.next(), parts.next()) {
            output.bytes.extend_from_slice(&encoded.bytes[range]);
            None
        } else {
            drop(parts);
            Some(std::mem::take(encoded))
        }
    })
}

/// Puts the records between the bytes, then gives the buffer back to the thread.
fn splice(encoded: Option<EncodedFetch>, ranges: Vec<FileRange>, output: &mut Output) -> Result<(), Close> {
    let Some(encoded) = encoded else { return Ok(()) };
    let mut ranges = ranges.into_iter();
    for part in encoded.parts() {
        match part {
            Part::Bytes(range) => output.bytes.extend_from_slice(&encoded.bytes[range]),
            Part::Records { len, .. } => {
                let range = ranges.next().filter(|range| range.len == len as usize);
                let Some(range) = range else { return Err(Close("an answer lost its records".to_owned())) };
                let spliced = output.splice(range.file, range.position, range.len);
                spliced.map_err(|error| Close(format!("cannot read the log: {error}")))?;
            }
        }
    }
    ENCODED.with_borrow_mut(|kept| *kept = encoded);
    Ok(())
}
