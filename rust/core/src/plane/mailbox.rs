//! The way up: requests, ends of commands and facts, for the one control thread to drain.
//!
//! Prior art: Seastar's cross-core queues. Ours has a reader that sleeps in a poll on a socket pair; it is woken once per
//! sleep, whatever arrives.
//!
//! Bounds: a lane holds a limited number of requests; ends of commands are as many as there are commands; a fact has one
//! slot per subject, its latest value.

use std::collections::{BTreeMap, VecDeque};
use std::sync::Arc;

use parking_lot::Mutex;

use crate::ids::TimestampMs;
use crate::plane::command::Done;

/// Requests that one lane holds before it refuses: what a thousand clients may have outstanding, several times over.
pub const LANE_REQUESTS_MAX: usize = 16_384;

/// In which order requests are drained (law 5).
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Debug)]
#[repr(u8)]
pub enum Lane {
    /// Raft, heartbeats of brokers, changes of ISR, markers.
    Cluster = 0,
    /// Groups and transactions.
    Groups = 1,
    /// Everything else.
    Admin = 2,
}

/// Who asks, and through which door; one per connection.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct ConnectionContext {
    /// Number of the connection, never used again.
    pub id: u64,
    /// The listener it came in on.
    pub listener: Arc<str>,
    /// Who it is, such as `User:ANONYMOUS`.
    pub principal: Arc<str>,
    /// The client's address.
    pub peer_host: Arc<str>,
    /// The address the client connected to: what it is told to connect to again.
    pub local_host: Arc<str>,
    /// The port the client connected to.
    pub local_port: u16,
}

/// Where the answer to a request goes: a connection's slot.
#[derive(Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord, Debug)]
pub struct RequestId(pub u64);

/// A request that the control plane answers.
#[derive(Debug)]
pub struct Request {
    /// What to answer under.
    pub id: RequestId,
    /// Its lane.
    pub lane: Lane,
    /// Which API.
    pub api_key: i16,
    /// In which version.
    pub api_version: i16,
    /// What the client calls itself.
    pub client_id: Option<Box<str>>,
    /// Whose connection.
    pub context: Arc<ConnectionContext>,
    /// When its last byte came in.
    pub received_at: TimestampMs,
    /// Whether [`Answer::Again`](crate::plane::link::Answer::Again) is an answer to it.
    pub asks_leave: bool,
    /// The bytes after the request header.
    pub body: Vec<u8>,
}

/// Something that happened. A later fact about the same subject replaces the earlier one.
#[derive(Clone, PartialEq, Eq, PartialOrd, Ord, Debug)]
pub enum Subject {
    /// A log directory cannot be used any more.
    LogDirectoryFailed,
    /// A partition cannot be used any more: (topic, index).
    PartitionFailed(Arc<str>, i32),
    /// The volume of a log directory is full, or has room again.
    LogDirectoryFull,
    /// A connection ended that somebody waited for.
    ConnectionGone,
    /// The logs of coordinators are not served any more.
    CoordinatorLogsFailed,
    /// The metadata log is not served any more.
    MetadataLogFailed,
    /// Logs are not flushed, cut or removed by themselves any more.
    MaintenanceFailed,
}

impl Subject {
    /// What kind of thing happened, for programs.
    #[must_use]
    pub const fn name(&self) -> &'static str {
        match self {
            Self::LogDirectoryFailed => "log directory failed",
            Self::PartitionFailed(..) => "partition failed",
            Self::LogDirectoryFull => "log directory full",
            Self::ConnectionGone => "connection gone",
            Self::CoordinatorLogsFailed => "coordinator logs failed",
            Self::MetadataLogFailed => "metadata log failed",
            Self::MaintenanceFailed => "maintenance failed",
        }
    }
}

/// What the control thread took out.
#[derive(Debug, Default)]
pub struct Drained {
    /// Ends of commands, in order.
    pub done: Vec<Done>,
    /// Facts: subject and what is known of it, for people.
    pub facts: Vec<(Subject, String)>,
    /// Requests, lane by lane.
    pub requests: Vec<Request>,
}

#[derive(Debug, Default)]
struct Content {
    lanes: [VecDeque<Request>; 3],
    done: Vec<Done>,
    facts: BTreeMap<Subject, String>,
    /// The reader was woken and has not drained since.
    awake: bool,
}

/// The mailbox. `wake` is called at most once per [`Mailbox::drain`], outside the lock.
pub struct Mailbox {
    content: Mutex<Content>,
    wake: Box<dyn Fn() + Send + Sync>,
}

impl std::fmt::Debug for Mailbox {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Mailbox").finish_non_exhaustive()
    }
}

impl Mailbox {
    /// A mailbox whose reader is woken by `wake`, which must not block.
    #[must_use]
    pub fn new(wake: Box<dyn Fn() + Send + Sync>) -> Self {
        Self { content: Mutex::default(), wake }
    }

    fn put(&self, change: impl FnOnce(&mut Content)) {
        let must_wake = {
            let mut content = self.content.lock();
            change(&mut content);
            !std::mem::replace(&mut content.awake, true)
        };
        if must_wake {
            (self.wake)();
        }
    }

    /// Hands a request up; gives it back when its lane is full.
    pub fn request(&self, request: Request) -> Result<(), Request> {
        let mut refused = None;
        self.put(|content| {
            let lane = &mut content.lanes[request.lane as usize];
            if lane.len() < LANE_REQUESTS_MAX {
                lane.push_back(request);
            } else {
                refused = Some(request);
            }
        });
        refused.map_or(Ok(()), Err)
    }

    /// Wakes the reader, once until it drains: for what it takes from elsewhere when it does.
    pub fn nudge(&self) {
        self.put(|_| ());
    }

    /// Reports the end of a command.
    pub fn done(&self, done: Done) {
        self.put(|content| content.done.push(done));
    }

    /// Reports a fact.
    pub fn fact(&self, subject: Subject, known: String) {
        self.put(|content| {
            content.facts.insert(subject, known);
        });
    }

    /// Takes out everything but requests, and at most `requests_max` of those, the most urgent lane first. When requests
    /// are left the reader is woken again.
    pub fn drain(&self, requests_max: usize) -> Drained {
        let (drained, more) = {
            let mut content = self.content.lock();
            let mut requests = Vec::new();
            for lane in &mut content.lanes {
                let take = lane.len().min(requests_max - requests.len());
                requests.extend(lane.drain(..take));
            }
            let more = content.lanes.iter().any(|lane| !lane.is_empty());
            content.awake = more;
            let facts = std::mem::take(&mut content.facts).into_iter().collect();
            (Drained { done: std::mem::take(&mut content.done), facts, requests }, more)
        };
        if more {
            (self.wake)();
        }
        drained
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::sync::atomic::{AtomicUsize, Ordering};

    fn request(lane: Lane, id: u64) -> Request {
        let text: Arc<str> = "x".into();
        let context = ConnectionContext {
            id: 1,
            listener: text.clone(),
            principal: text.clone(),
            peer_host: text.clone(),
            local_host: text,
            local_port: 1,
        };
        Request {
            id: RequestId(id),
            lane,
            api_key: 19,
            api_version: 7,
            client_id: None,
            context: Arc::new(context),
            received_at: TimestampMs(0),
            asks_leave: false,
            body: Vec::new(),
        }
    }

    fn mailbox() -> (Mailbox, Arc<AtomicUsize>) {
        let wakes = Arc::new(AtomicUsize::new(0));
        let counter = wakes.clone();
        (
            Mailbox::new(Box::new(move || {
                counter.fetch_add(1, Ordering::SeqCst);
            })),
            wakes,
        )
    }

    #[test]
    fn urgent_lanes_are_drained_first_and_the_reader_is_woken_once() {
        let (mailbox, wakes) = mailbox();
        for (lane, id) in [(Lane::Admin, 1), (Lane::Cluster, 2), (Lane::Groups, 3), (Lane::Cluster, 4)] {
            mailbox.request(request(lane, id)).unwrap();
        }
        assert_eq!(wakes.load(Ordering::SeqCst), 1);
        let ids = |drained: Drained| drained.requests.iter().map(|r| r.id.0).collect::<Vec<_>>();
        assert_eq!(ids(mailbox.drain(3)), [2, 4, 3]);
        assert_eq!(wakes.load(Ordering::SeqCst), 2, "requests were left");
        assert_eq!(ids(mailbox.drain(3)), [1]);
        assert_eq!(wakes.load(Ordering::SeqCst), 2);
    }

    #[test]
    fn a_full_lane_gives_the_request_back() {
        let (mailbox, _) = mailbox();
        for id in 0..LANE_REQUESTS_MAX as u64 {
            mailbox.request(request(Lane::Admin, id)).unwrap();
        }
        assert_eq!(mailbox.request(request(Lane::Admin, 7)).unwrap_err().id, RequestId(7));
        assert!(mailbox.request(request(Lane::Groups, 8)).is_ok());
    }

    #[test]
    fn a_fact_keeps_its_latest_value() {
        let (mailbox, _) = mailbox();
        mailbox.fact(Subject::LogDirectoryFull, "full".into());
        mailbox.fact(Subject::LogDirectoryFull, "room again".into());
        assert_eq!(mailbox.drain(1).facts, [(Subject::LogDirectoryFull, "room again".into())]);
    }
}
