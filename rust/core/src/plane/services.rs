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
use crate::plane::connections::Connections;
use crate::plane::desks::Desks;
use crate::plane::link::{Answer, Link};
use crate::plane::mailbox::{Lane, Mailbox, RequestId, Subject};
use crate::plane::pool::Pool;
use crate::plane::questions::Questions;
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
}

impl Default for Limits {
    /// Kafka's defaults.
    fn default() -> Self {
        Self {
            frame_bytes_max: FRAME_BYTES_MAX,
            idle_ms_max: 600_000,
            fetch_bytes_max: 57_671_680,
            fetch_sessions_max: 1000,
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

    /// Passes on many.
    pub fn answer_all(&self, answers: impl Iterator<Item = (RequestId, Answer)>) {
        let found: Vec<_> = {
            let mut waiting = self.waiting.lock();
            answers.filter_map(|(id, answer)| waiting.remove(&id).map(|asked| (asked, answer))).collect()
        };
        for ((link, slot), answer) in found {
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
    /// Where groups' offsets are committed and read.
    pub desks: Desks,
    /// The way up.
    pub mailbox: Mailbox,
    /// Requests that went up.
    pub outstanding: Outstanding,
    /// What is asked of the control plane.
    pub questions: Arc<Questions>,
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
    /// A connection is gone; the control plane hears of it if it waits for that.
    pub fn forget_connection(&self, id: u64) {
        if self.connections.forget(id) {
            self.mailbox.fact(Subject::ConnectionGone, String::new());
        }
    }

    /// The row of an API, if it is served.
    #[must_use]
    pub fn api(&self, key: i16) -> Option<&ServedApi> {
        self.apis.binary_search_by_key(&key, |api| api.key).ok().map(|at| &self.apis[at])
    }
}
