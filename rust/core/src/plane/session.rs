//! Incremental fetch sessions (KIP-227, Kafka classes `FetchSession`, `FetchManager`).
//!
//! A session remembers which partitions a client reads and what it was told, so that request and answer hold only what
//! changed. Ours lives in the data plane whole. Topics are keyed as the client names them; a session made with names is
//! not used with ids or the reverse. Invariant: one request of a session is in work at a time, since its epoch counts.

use std::collections::{BTreeMap, HashMap};
use std::sync::Arc;

use parking_lot::Mutex;

use crate::error::ErrorCode;
use crate::ids::{Offset, TopicId};
use crate::plane::clock::Instant;
use crate::wire::TopicRef;
use crate::wire::fetch::{FetchPartition, FetchRequest};

/// A session that was not used for so long may be evicted for any other (`min.incremental.fetch.session.eviction.ms`).
const EVICT_AFTER_MS: i64 = 120_000;

/// Partitions that all sessions remember together, for each slot of the cache. Kafka counts them and bounds none; a client
/// may name a million in one request, and a slot is kept for minutes after it left. One takes some 250 bytes, so 1,000 slots
/// hold 250 MB at the most.
const PARTITIONS_PER_SLOT: usize = 1_000;
/// So many may be remembered with few slots, too: a follower of a large broker reads more than a consumer does.
const PARTITIONS_MIN: usize = 100_000;

/// «No session», as an id.
pub const NO_SESSION: i32 = 0;
/// The epoch of a request that opens a session.
pub const EPOCH_INITIAL: i32 = 0;
/// The epoch of a request that closes its session, or wants none.
pub const EPOCH_FINAL: i32 = -1;

/// How a client names a topic.
#[derive(Clone, PartialEq, Eq, Hash, Debug)]
pub enum TopicKey {
    /// By name, up to v12.
    Name(Arc<str>),
    /// By id.
    Id(TopicId),
}

impl TopicKey {
    /// As the codec writes it.
    #[must_use]
    pub fn as_ref(&self) -> TopicRef<'_> {
        match self {
            Self::Name(name) => TopicRef::Name(name),
            Self::Id(id) => TopicRef::Id(*id),
        }
    }
}

impl From<TopicRef<'_>> for TopicKey {
    fn from(topic: TopicRef<'_>) -> Self {
        match topic {
            TopicRef::Name(name) => Self::Name(name.into()),
            TopicRef::Id(id) => Self::Id(id),
        }
    }
}

/// What a client was last told of a partition.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Told {
    /// High watermark.
    pub high_watermark: Offset,
    /// First offset of the log.
    pub log_start: Offset,
}

impl Told {
    /// Nothing.
    pub const NOTHING: Self = Self { high_watermark: Offset(-1), log_start: Offset(-1) };
}

/// One partition of a session.
#[derive(Clone, Debug)]
pub struct Wanted {
    /// Its topic.
    pub topic: TopicKey,
    /// What is wanted of it.
    pub partition: FetchPartition,
    /// What the client knows.
    pub told: Told,
}

impl Wanted {
    /// A partition of a request.
    #[must_use]
    pub fn new(topic: TopicRef<'_>, partition: FetchPartition) -> Self {
        Self { topic: topic.into(), partition, told: Told::NOTHING }
    }
}

/// One session.
#[derive(Debug)]
pub struct Session {
    /// Its id.
    pub id: i32,
    by_id: bool,
    epoch: i32,
    /// In the order of reading; a partition that returned records moves to the end.
    order: BTreeMap<u64, Wanted>,
    ranks: HashMap<(TopicKey, i32), u64>,
    next_rank: u64,
}

impl Session {
    fn new(id: i32, by_id: bool, wanted: impl Iterator<Item = Wanted>) -> Self {
        let mut session = Self { id, by_id, epoch: 1, order: BTreeMap::new(), ranks: HashMap::new(), next_rank: 0 };
        for wanted in wanted {
            session.want(wanted);
        }
        session
    }

    /// Adds a partition, or changes what is wanted of it.
    fn want(&mut self, wanted: Wanted) {
        let key = (wanted.topic.clone(), wanted.partition.index.0);
        if let Some(known) = self.ranks.get(&key).and_then(|rank| self.order.get_mut(rank)) {
            known.partition = wanted.partition;
            return;
        }
        self.ranks.insert(key, self.next_rank);
        self.order.insert(self.next_rank, wanted);
        self.next_rank += 1;
    }

    fn forget(&mut self, topic: TopicRef<'_>, index: i32) {
        if let Some(rank) = self.ranks.remove(&(topic.into(), index)) {
            self.order.remove(&rank);
        }
    }

    /// The partitions, in the order of reading.
    pub fn wanted(&self) -> impl Iterator<Item = (u64, &Wanted)> {
        self.order.iter().map(|(rank, wanted)| (*rank, wanted))
    }

    /// Notes what the client is told; a partition that returned records moves behind the others.
    pub fn told(&mut self, rank: u64, told: Told, returned_records: bool) {
        if !returned_records {
            if let Some(wanted) = self.order.get_mut(&rank) {
                wanted.told = told;
            }
            return;
        }
        if let Some(mut wanted) = self.order.remove(&rank) {
            wanted.told = told;
            self.ranks.insert((wanted.topic.clone(), wanted.partition.index.0), self.next_rank);
            self.order.insert(self.next_rank, wanted);
            self.next_rank += 1;
        }
    }
}

/// A session that is shared between the cache and the request in work.
pub type SharedSession = Arc<Mutex<Session>>;

#[derive(Debug)]
struct Cached {
    session: SharedSession,
    created: Instant,
    used: Instant,
    size: usize,
    privileged: bool,
}

#[derive(Debug)]
struct Cache {
    sessions: HashMap<i32, Cached>,
    /// Of all sessions: the sum of their sizes.
    partitions: usize,
    random: u64,
}

/// All sessions of a broker.
#[derive(Debug)]
pub struct Sessions {
    cache: Mutex<Cache>,
    slots_max: usize,
    partitions_max: usize,
}

/// In which way a request is answered.
#[derive(Debug)]
pub enum Context {
    /// All its partitions, no session.
    Sessionless,
    /// All its partitions, and a session if there is room.
    Full,
    /// What changed in this session.
    Incremental(SharedSession),
}

impl Sessions {
    /// Room for `slots_max` sessions, whose ids come from `seed`.
    #[must_use]
    pub fn new(slots_max: usize, seed: u64) -> Self {
        let partitions_max = slots_max.saturating_mul(PARTITIONS_PER_SLOT).max(PARTITIONS_MIN);
        Self::bounded(slots_max, partitions_max, seed)
    }

    fn bounded(slots_max: usize, partitions_max: usize, seed: u64) -> Self {
        let cache = Cache { sessions: HashMap::new(), partitions: 0, random: seed | 1 };
        Self { cache: Mutex::new(cache), slots_max, partitions_max }
    }

    /// How many there are.
    #[must_use]
    pub fn len(&self) -> usize {
        self.cache.lock().sessions.len()
    }

    /// Whether there is none.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// Finds out what a request is to its session, and updates the session with it. A session that would remember more
    /// than there is room for is forgotten: its client begins again with all its partitions, as after an eviction.
    pub fn context(&self, request: &FetchRequest<'_>, by_id: bool, now: Instant) -> Result<Context, ErrorCode> {
        let (id, epoch) = (request.head.session_id, request.head.session_epoch);
        if epoch == EPOCH_FINAL || epoch == EPOCH_INITIAL {
            if id != NO_SESSION {
                self.cache.lock().remove(id);
            }
            return Ok(if epoch == EPOCH_FINAL { Context::Sessionless } else { Context::Full });
        }
        let mut guard = self.cache.lock();
        let cache = &mut *guard;
        let cached = cache.sessions.get_mut(&id).ok_or(ErrorCode::FetchSessionIdNotFound)?;
        let mut session = cached.session.lock();
        if session.epoch != epoch {
            return Err(ErrorCode::InvalidFetchSessionEpoch);
        }
        if session.by_id != by_id {
            return Err(ErrorCode::FetchSessionTopicIdError);
        }
        let room = self.partitions_max.saturating_sub(cache.partitions - cached.size);
        for (topic, partition) in request.partitions() {
            session.want(Wanted::new(topic, partition));
            if session.order.len() > room {
                drop(session);
                cache.remove(id);
                return Err(ErrorCode::FetchSessionIdNotFound);
            }
        }
        for forgotten in request.forgotten {
            for index in forgotten.partitions {
                session.forget(forgotten.topic, index.0);
            }
        }
        if session.order.is_empty() {
            drop(session);
            cache.remove(id);
            return Ok(Context::Sessionless);
        }
        session.epoch = if session.epoch == i32::MAX { 1 } else { session.epoch + 1 };
        cached.used = now;
        cache.partitions = cache.partitions - cached.size + session.order.len();
        cached.size = session.order.len();
        let shared = cached.session.clone();
        drop(session);
        Ok(Context::Incremental(shared))
    }

    /// Opens a session, if there is room or may be made; returns its id, or [`NO_SESSION`].
    pub fn open(
        &self,
        by_id: bool,
        privileged: bool,
        size: usize,
        wanted: impl Iterator<Item = Wanted>,
        now: Instant,
    ) -> i32 {
        let mut cache = self.cache.lock();
        if size > self.partitions_max {
            return NO_SESSION;
        }
        while cache.sessions.len() >= self.slots_max || cache.partitions + size > self.partitions_max {
            if !cache.evict(privileged, size, now) {
                return NO_SESSION;
            }
        }
        let id = cache.fresh_id();
        let session = Arc::new(Mutex::new(Session::new(id, by_id, wanted)));
        cache.partitions += size;
        cache.sessions.insert(id, Cached { session, created: now, used: now, size, privileged });
        id
    }
}

impl Cache {
    fn remove(&mut self, id: i32) -> bool {
        let removed = self.sessions.remove(&id);
        self.partitions -= removed.as_ref().map_or(0, |cached| cached.size);
        removed.is_some()
    }

    /// A random id from 1 to 2^31-1 that is not in use (xorshift).
    fn fresh_id(&mut self) -> i32 {
        loop {
            self.random ^= self.random << 13;
            self.random ^= self.random >> 7;
            self.random ^= self.random << 17;
            let id = (self.random >> 33) as i32;
            if id > 0 && !self.sessions.contains_key(&id) {
                return id;
            }
        }
    }

    /// Makes room: the longest unused if it is stale, else one that is old enough and worth less than the newcomer.
    fn evict(&mut self, privileged: bool, size: usize, now: Instant) -> bool {
        let stale = self.sessions.iter().min_by_key(|(id, cached)| (cached.used, **id));
        let victim = match stale {
            Some((id, cached)) if now > cached.used.after_ms(EVICT_AFTER_MS) => Some(*id),
            _ => self
                .sessions
                .iter()
                .filter(|(_, cached)| privileged || now > cached.created.after_ms(EVICT_AFTER_MS))
                .map(|(id, cached)| ((cached.privileged, cached.size), *id))
                .min()
                .filter(|(worth, _)| *worth < (privileged, size))
                .map(|(_, id)| id),
        };
        victim.is_some_and(|id| self.remove(id))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::ids::PartitionIndex;
    use crate::wire::fetch::{FetchRequestHead, FetchRequestWriter};
    use crate::wire::header::RequestHeader;

    fn wanted(index: i32) -> Wanted {
        let partition = FetchPartition { index: PartitionIndex(index), ..FetchPartition::default() };
        Wanted::new(TopicRef::Name("t"), partition)
    }

    #[test]
    fn a_partition_that_returned_records_is_read_last() {
        let mut session = Session::new(1, false, (0..3).map(wanted));
        let first = session.wanted().next().unwrap().0;
        session.told(first, Told::NOTHING, true);
        let order: Vec<_> = session.wanted().map(|(_, wanted)| wanted.partition.index.0).collect();
        assert_eq!(order, [1, 2, 0]);
        session.forget(TopicRef::Name("t"), 0);
        session.want(wanted(1));
        let order: Vec<_> = session.wanted().map(|(_, wanted)| wanted.partition.index.0).collect();
        assert_eq!(order, [1, 2]);
    }

    #[test]
    fn room_is_made_for_what_is_worth_more() {
        let sessions = Sessions::new(1, 7);
        let open = |privileged, size, at| sessions.open(false, privileged, size, std::iter::empty(), Instant(at));
        let first = open(false, 5, 0);
        assert!(first > 0);
        assert_eq!(open(false, 9, 1_000), NO_SESSION, "the first is too young to be evicted");
        assert_eq!(open(false, 5, 119_000), NO_SESSION);
        assert_ne!(open(true, 1, 1_000), NO_SESSION, "a follower goes before consumers");
        assert_ne!(open(false, 1, 200_000), NO_SESSION, "nobody used the old one");
        assert_eq!(sessions.len(), 1);
    }

    #[test]
    fn all_sessions_together_remember_a_limited_number_of_partitions() {
        let sessions = Sessions::bounded(10, 100, 7);
        let open = |count: i32, at| sessions.open(false, false, count as usize, (0..count).map(wanted), Instant(at));
        assert_eq!(open(101, 0), NO_SESSION, "more than there will ever be room for");
        let first = open(60, 0);
        let second = open(40, 1_000);
        assert!(first > 0 && second > 0);
        assert_eq!(open(1, 2_000), NO_SESSION);
        assert_ne!(open(50, 121_001), NO_SESSION, "the stale ones go, as many as it takes");
        assert_eq!((sessions.len(), sessions.cache.lock().partitions), (2, 90));
    }

    #[test]
    fn a_session_that_grows_beyond_the_room_is_forgotten() {
        let sessions = Sessions::bounded(10, 5, 7);
        let id = sessions.open(false, false, 3, (0..3).map(wanted), Instant(0));
        let go_on = |epoch, indexes: std::ops::Range<i32>| {
            let head = FetchRequestHead { session_id: id, session_epoch: epoch, ..FetchRequestHead::default() };
            let mut frame = Vec::new();
            let mut writer = FetchRequestWriter::new(&mut frame, 1, None, 12, head);
            if !indexes.is_empty() {
                writer.topic(TopicRef::Name("t"));
            }
            indexes.for_each(|index| writer.partition(&wanted(index).partition));
            writer.finish(&[]);
            let (header, body) = RequestHeader::decode(&frame[4..]).unwrap();
            let request = FetchRequest::decode(body, header.api_version).unwrap();
            sessions.context(&request, false, Instant(0)).map(|context| matches!(context, Context::Incremental(_)))
        };
        assert_eq!(go_on(1, 1..5), Ok(true), "5 in all");
        assert_eq!(sessions.cache.lock().partitions, 5);
        assert_eq!(go_on(2, 0..5), Ok(true), "known ones count once");
        assert_eq!(go_on(3, 5..1_000), Err(ErrorCode::FetchSessionIdNotFound));
        assert_eq!((sessions.len(), sessions.cache.lock().partitions), (0, 0));
    }
}
