//! What requests are handled with: the View, the partitions hosted here, the mailbox, sessions, limits. One per engine;
//! nothing is global.

use std::collections::HashMap;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use arc_swap::ArcSwap;
use parking_lot::{Mutex, RwLock};

use crate::error::ErrorCode;
use crate::ids::{BrokerId, PartitionIndex, TopicId};
use crate::limits::FRAME_BYTES_MAX;
use crate::plane::link::{Answer, Link};
use crate::plane::mailbox::{ConnectionContext, Lane, Mailbox, RequestId};
use crate::plane::pool::Pool;
use crate::plane::session::Sessions;
use crate::plane::view::View;
use crate::replication::partition::Partition;

/// Limits that configuration sets.
#[derive(Clone, Copy, Debug)]
pub struct Limits {
    /// `socket.request.max.bytes`.
    pub frame_bytes_max: usize,
    /// `connections.max.idle.ms`; negative: never.
    pub idle_ms_max: i64,
    /// `fetch.max.bytes`.
    pub fetch_bytes_max: usize,
    /// `max.incremental.fetch.session.cache.slots`.
    pub fetch_sessions_max: usize,
    /// `max.connections`.
    pub connections_max: usize,
}

impl Default for Limits {
    /// Kafka's defaults.
    fn default() -> Self {
        Self {
            frame_bytes_max: FRAME_BYTES_MAX,
            idle_ms_max: 600_000,
            fetch_bytes_max: 57_671_680,
            fetch_sessions_max: 1000,
            connections_max: usize::MAX,
        }
    }
}

/// One row of the control plane's table of APIs.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct ServedApi {
    /// The API.
    pub key: i16,
    /// First and last version that are accepted.
    pub versions: (i16, i16),
    /// First and last version that `ApiVersions` names.
    pub advertised: (i16, i16),
    /// Whether the control plane answers it.
    pub python: bool,
    /// In which lane its requests go up.
    pub lane: Lane,
}

/// The connections that are open, by number, and what became of those that are not.
#[derive(Debug, Default)]
pub struct Connections {
    open: Mutex<HashMap<u64, Arc<Link>>>,
    next: AtomicU64,
    log: Mutex<Vec<String>>,
}

/// Reasons for closing that are kept until the control plane reads them; more are counted away.
const CLOSE_REASONS_MAX: usize = 256;

impl Connections {
    /// A number for a new connection.
    pub fn number(&self) -> u64 {
        self.next.fetch_add(1, Ordering::Relaxed)
    }

    /// Remembers an open connection.
    pub fn remember(&self, link: Arc<Link>) {
        self.open.lock().insert(link.context.id, link);
    }

    /// How many are open.
    #[must_use]
    pub fn len(&self) -> usize {
        self.open.lock().len()
    }

    /// Whether none is open.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// A connection is gone.
    pub fn forget(&self, id: u64) {
        self.open.lock().remove(&id);
    }

    /// Notes why a connection was closed by us; an empty reason is the client's own leaving.
    pub fn closed(&self, context: &ConnectionContext, reason: &str) {
        if reason.is_empty() {
            return;
        }
        let mut log = self.log.lock();
        if log.len() < CLOSE_REASONS_MAX {
            log.push(format!("connection of {} on {} closed: {reason}", context.peer_host, context.listener));
        }
    }

    /// Takes the reasons noted so far.
    pub fn take_reasons(&self) -> Vec<String> {
        std::mem::take(&mut *self.log.lock())
    }

    /// Ends a connection, if it is still open.
    pub fn kick(&self, id: u64) {
        let link = self.open.lock().get(&id).cloned();
        if let Some(link) = link {
            link.kick();
        }
    }
}

/// Requests that went up and were not answered yet.
#[derive(Debug, Default)]
pub struct Outstanding {
    waiting: Mutex<HashMap<RequestId, (Arc<Link>, u64)>>,
    next: AtomicU64,
}

impl Outstanding {
    /// Notes that `slot` of a connection waits for an answer under the id returned.
    pub fn expect(&self, link: &Arc<Link>, slot: u64) -> RequestId {
        let id = RequestId(self.next.fetch_add(1, Ordering::Relaxed));
        self.waiting.lock().insert(id, (link.clone(), slot));
        id
    }

    /// A request that did not go up after all.
    pub fn forget(&self, id: RequestId) {
        self.waiting.lock().remove(&id);
    }

    /// Passes an answer on; one that nobody waits for is dropped.
    pub fn answer(&self, id: RequestId, answer: Answer) {
        let waiting = self.waiting.lock().remove(&id);
        if let Some((link, slot)) = waiting {
            link.answer(slot, answer);
        }
    }
}

/// What is hosted under an id.
#[derive(Clone, Debug)]
pub enum Host {
    /// A partition that works.
    Working(Arc<Partition>),
    /// One whose log cannot be used, of the topic of this name.
    Failed(Arc<str>),
}

impl Host {
    fn working(&self) -> Option<&Arc<Partition>> {
        if let Self::Working(partition) = self { Some(partition) } else { None }
    }
}

/// The partitions that are hosted here, and those that should be but whose log cannot be used.
#[derive(Debug, Default)]
pub struct Hosted {
    partitions: RwLock<HashMap<(TopicId, PartitionIndex), Host>>,
}

impl Hosted {
    /// The partition, if it is hosted here and works.
    #[must_use]
    pub fn get(&self, topic: TopicId, index: PartitionIndex) -> Option<Arc<Partition>> {
        self.partitions.read().get(&(topic, index)).and_then(Host::working).cloned()
    }

    /// The partition, or what a client is told who asks for it here.
    pub fn find(&self, topic: TopicId, index: PartitionIndex) -> Result<Arc<Partition>, ErrorCode> {
        match self.partitions.read().get(&(topic, index)) {
            Some(Host::Working(partition)) => Ok(partition.clone()),
            Some(Host::Failed(_)) => Err(ErrorCode::KafkaStorageError),
            None => Err(ErrorCode::NotLeaderOrFollower),
        }
    }

    /// Notes that the log of a partition that belongs here cannot be used.
    pub fn fail(&self, topic: TopicId, index: PartitionIndex, name: Arc<str>) {
        self.partitions.write().insert((topic, index), Host::Failed(name));
    }

    /// Hosts a partition.
    pub fn insert(&self, partition: Arc<Partition>) {
        self.partitions.write().insert((partition.topic_id, partition.index), Host::Working(partition));
    }

    /// Hosts it no longer.
    pub fn remove(&self, topic: TopicId, index: PartitionIndex) -> Option<Host> {
        self.partitions.write().remove(&(topic, index))
    }

    /// All of them, in no order.
    #[must_use]
    pub fn all(&self) -> Vec<Arc<Partition>> {
        self.partitions.read().values().filter_map(Host::working).cloned().collect()
    }
}

/// Everything a request is handled with.
#[derive(Debug)]
pub struct Services {
    /// This broker.
    pub node_id: BrokerId,
    /// What the control plane said last.
    pub view: ArcSwap<View>,
    /// The partitions on this broker.
    pub hosted: Hosted,
    /// The way up.
    pub mailbox: Mailbox,
    /// Requests that went up.
    pub outstanding: Outstanding,
    /// Incremental fetches.
    pub sessions: Sessions,
    /// Open connections.
    pub connections: Connections,
    /// Threads for reads that may wait for the disk.
    pub cold: Pool,
    /// Limits.
    pub limits: Limits,
    /// The APIs that are served, by key.
    pub apis: Vec<ServedApi>,
}

impl Services {
    /// The row of an API, if it is served.
    #[must_use]
    pub fn api(&self, key: i16) -> Option<&ServedApi> {
        self.apis.binary_search_by_key(&key, |api| api.key).ok().map(|at| &self.apis[at])
    }
}
