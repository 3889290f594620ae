//! The way up: requests, ends of commands and facts, for the one control thread to drain.
//!
//! Prior art: Seastar's cross-core queues; for the doze, the interrupt moderation of network cards. Ours has a reader that
//! sleeps in a poll on a socket pair; it is woken once per sleep, whatever arrives. After a drain that held requests nobody
//! hurries for, it may doze: it comes back by itself soon, and until then only what is urgent wakes it. Where heartbeats are
//! rare each is answered at once; where there are thousands a second they are taken up a few at a time.
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
    /// Whether it may wait for company: see [`Reader::Dozes`].
    pub patient: bool,
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
    /// The reader must drain again a little later though nothing wakes it.
    pub dozes: bool,
}

/// What the reader is at.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
enum Reader {
    /// It sleeps until it is woken.
    #[default]
    Sleeps,
    /// It comes back soon by itself: patient requests need not wake it.
    Dozes,
    /// It was woken and has not drained since.
    Awake,
}

#[derive(Debug, Default)]
struct Content {
    lanes: [VecDeque<Request>; 3],
    done: Vec<Done>,
    facts: BTreeMap<Subject, String>,
    reader: Reader,
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
        self.put_for(false, change);
    }

    fn put_for(&self, patient: bool, change: impl FnOnce(&mut Content)) {
        let must_wake = {
            let mut content = self.content.lock();
            change(&mut content);
            match content.reader {
                Reader::Awake => false,
                Reader::Dozes if patient => false,
                Reader::Dozes | Reader::Sleeps => {
                    content.reader = Reader::Awake;
                    true
                }
            }
        };
        if must_wake {
            (self.wake)();
        }
    }

    /// Hands a request up; gives it back when its lane is full.
    pub fn request(&self, request: Request) -> Result<(), Request> {
        let mut refused = None;
        self.put_for(request.patient, |content| {
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
    /// are left the reader is woken again; when there were patient ones it dozes next, if it `may_doze`.
    pub fn drain(&self, requests_max: usize, may_doze: bool) -> Drained {
        let (drained, more) = {
            let mut content = self.content.lock();
            let mut requests = Vec::new();
            for lane in &mut content.lanes {
                let take = lane.len().min(requests_max - requests.len());
                requests.extend(lane.drain(..take));
            }
            let more = content.lanes.iter().any(|lane| !lane.is_empty());
            let dozes = may_doze && !more && requests.iter().any(|request| request.patient);
            content.reader = match (more, dozes) {
                (true, _) => Reader::Awake,
                (false, true) => Reader::Dozes,
                (false, false) => Reader::Sleeps,
            };
            let facts = std::mem::take(&mut content.facts).into_iter().collect();
            (Drained { done: std::mem::take(&mut content.done), facts, requests, dozes }, more)
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
            patient: false,
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
        assert_eq!(ids(mailbox.drain(3, false)), [2, 4, 3]);
        assert_eq!(wakes.load(Ordering::SeqCst), 2, "requests were left");
        assert_eq!(ids(mailbox.drain(3, false)), [1]);
        assert_eq!(wakes.load(Ordering::SeqCst), 2);
    }

    #[test]
    fn patient_requests_do_not_wake_a_reader_that_dozes_and_urgent_ones_do() {
        let (mailbox, wakes) = mailbox();
        let patient = |id| Request { patient: true, ..request(Lane::Groups, id) };
        mailbox.request(patient(1)).unwrap();
        assert_eq!(wakes.load(Ordering::SeqCst), 1, "a sleeper is woken for any");
        assert!(mailbox.drain(9, true).dozes);
        mailbox.request(patient(2)).unwrap();
        mailbox.request(patient(3)).unwrap();
        assert_eq!(wakes.load(Ordering::SeqCst), 1, "it comes by itself");
        mailbox.request(request(Lane::Admin, 4)).unwrap();
        mailbox.request(patient(5)).unwrap();
        assert_eq!(wakes.load(Ordering::SeqCst), 2);
        let drained = mailbox.drain(9, true);
        assert_eq!((drained.requests.len(), drained.dozes), (4, true));
        let drained = mailbox.drain(9, true);
        assert_eq!((drained.requests.len(), drained.dozes), (0, false), "nothing came: it sleeps");
        mailbox.request(patient(6)).unwrap();
        assert_eq!(wakes.load(Ordering::SeqCst), 3);
        assert!(!mailbox.drain(9, false).dozes, "who does not come back by itself must not doze");
        mailbox.request(patient(7)).unwrap();
        assert_eq!(wakes.load(Ordering::SeqCst), 4);
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
        assert_eq!(mailbox.drain(1, false).facts, [(Subject::LogDirectoryFull, "room again".into())]);
    }
}
