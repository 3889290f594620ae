//! The engine of one broker: its directory, its threads, and the way in for everything the control plane says.
//!
//! Threads: network workers (cores + 2: a stalled disk must leave one for the network), a job pool that carries out Commands,
//! a cold pool for reads, one for the metadata log, one for maintenance. None of them ever takes the interpreter lock.
//! Nothing is global: several engines run in one process.

use std::io;
use std::net::TcpStream;
use std::os::fd::OwnedFd;
use std::path::PathBuf;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::thread::JoinHandle;

use arc_swap::ArcSwap;
use parking_lot::Mutex;

use crate::disk_os::OsDisk;
use crate::error::ErrorCode;
use crate::ids::{BrokerId, PartitionIndex, TopicId};
use crate::log::LogDirectory;
use crate::plane::clock::{Clock, Instant, SystemClock};
use crate::plane::command::{Command, Done, Ticket};
use crate::plane::conductor::Conductor;
use crate::plane::connections::{Census, Connections};
use crate::plane::desks::SharedDesk;
use crate::plane::link::{Answer, Link};
use crate::plane::mailbox::{ConnectionContext, Drained, Mailbox, RequestId, Subject};
use crate::plane::maintenance::{Maintenance, Periods};
use crate::plane::metadata_log::MetadataLog;
use crate::plane::orders::Orders;
use crate::plane::panics;
use crate::plane::pool::Pool;
use crate::plane::questions::Question;
use crate::plane::services::{Limits, ServedApi, Services};
use crate::plane::session::Sessions;
use crate::plane::shell_coordinator::CoordinatorThread;
use crate::plane::shell_metadata::MetadataThread;
use crate::plane::shell_worker::Worker;
use crate::plane::standing::Standing;
use crate::plane::view::{View, ViewDelta};

/// Files kept open between uses, beyond the active segments.
const OPEN_FILES_MAX: usize = 1024;
/// Threads for reads that wait for the disk.
const COLD_THREADS: usize = 4;
/// Who a connection is that did not say.
const ANONYMOUS: &str = "User:ANONYMOUS";

/// What an engine is started with.
#[derive(Debug)]
pub struct Options {
    /// The log directory; made when missing.
    pub data_dir: PathBuf,
    /// This broker.
    pub node_id: BrokerId,
    /// The APIs that are served.
    pub apis: Vec<ServedApi>,
    /// Network threads.
    pub network_threads: usize,
    /// Limits.
    pub limits: Limits,
    /// How often the directory is looked after.
    pub periods: Periods,
}

/// The data plane of one broker.
#[derive(Debug)]
pub struct Engine {
    services: Arc<Services>,
    directory: Arc<LogDirectory>,
    clock: Arc<SystemClock>,
    workers: Mutex<Vec<Worker>>,
    next_worker: AtomicUsize,
    orders: Mutex<Option<Arc<Orders>>>,
    metadata: MetadataThread,
    coordinators: CoordinatorThread,
    threads: Mutex<Vec<JoinHandle<()>>>,
    maintenance: Arc<Maintenance>,
    conductor: Arc<Conductor>,
    jobs: Arc<Pool>,
}

impl Engine {
    /// Locks the directory and starts the threads; a byte is written to `waker` when the mailbox has something. Blocks for
    /// some milliseconds. The error is for people and names the directory.
    pub fn start(options: Options, waker: OwnedFd) -> Result<Self, String> {
        let shown = options.data_dir.display().to_string();
        let cannot = |error: io::Error| format!("cannot use the log directory {shown}: {error}");
        let disk = OsDisk::open(&options.data_dir).map_err(cannot)?;
        let directory = LogDirectory::new(disk, OPEN_FILES_MAX);
        directory.lock().map_err(|error| error.to_string())?;
        Self::launch(options, directory, waker).map_err(|error| format!("cannot start the engine: {error}"))
    }

    fn launch(options: Options, directory: Arc<LogDirectory>, waker: OwnedFd) -> io::Result<Self> {
        let clock = Arc::new(SystemClock::default());
        let mut apis = options.apis;
        apis.sort_by_key(|api| api.key);
        let seed = clock.now().wall.0 as u64 ^ u64::from(std::process::id()) << 32;
        let services = Arc::new(Services {
            node_id: options.node_id,
            view: ArcSwap::from_pointee(View::default()),
            hosted: crate::plane::services::Hosted::default(),
            desks: crate::plane::desks::Desks::default(),
            mailbox: Mailbox::new(Box::new(move || {
                // A full pipe means that the reader is about to wake anyway.
                let _ = rustix::io::write(&waker, &[1]);
            })),
            outstanding: crate::plane::services::Outstanding::default(),
            questions: Arc::default(),
            sessions: Sessions::new(options.limits.fetch_sessions_max, seed),
            connections: Connections::default(),
            cold: Pool::start("ottla-cold", COLD_THREADS)?,
            limits: options.limits,
            apis,
        });
        let jobs = Arc::new(Pool::start("ottla-jobs", options.network_threads.max(2))?);
        let maintenance = Arc::new(Maintenance::new(services.clone(), directory.clone(), options.periods));
        let conductor =
            Arc::new(Conductor::new(services.clone(), directory.clone(), maintenance.clone(), clock.clone()));
        let mut threads = Vec::new();
        let orders = Orders::new(conductor.clone(), services.clone(), jobs.clone());
        let metadata = MetadataThread::start(MetadataLog::new(directory.clone()), &services, &clock)?;
        {
            let (maintenance, clock, services) = (maintenance.clone(), clock.clone(), services.clone());
            let work = move || {
                let subject = Subject::MaintenanceFailed;
                panics::told(&services.mailbox, subject, "the maintenance", || maintenance.run(&*clock));
            };
            threads.push(spawn("ottla-maintain", work)?);
        }
        let coordinators = CoordinatorThread::start(&services, &clock)?;
        let workers = (0..options.network_threads.max(1))
            .map(|index| Worker::start(index, services.clone(), clock.clone()))
            .collect::<io::Result<Vec<_>>>()?;
        Ok(Self {
            services,
            directory,
            clock,
            workers: Mutex::new(workers),
            next_worker: AtomicUsize::new(0),
            orders: Mutex::new(Some(orders)),
            metadata,
            coordinators,
            threads: Mutex::new(threads),
            maintenance,
            conductor,
            jobs,
        })
    }

    /// The threads that load coordinators, and free what was loaded.
    pub fn load_pool(&self) -> &Arc<Pool> {
        self.coordinators.pool()
    }

    /// Takes out what the mailbox holds, and why connections were closed. Never blocks.
    pub fn drain(&self, requests_max: usize) -> (Drained, Vec<String>) {
        (self.services.mailbox.drain(requests_max), self.services.connections.take_reasons())
    }

    /// Takes out the questions that came. Never blocks.
    pub fn take_questions(&self) -> Vec<Question> {
        self.services.questions.take()
    }

    /// Answers a question with a code for each of its partitions. Never blocks.
    pub fn answer(&self, question: u64, codes: Vec<ErrorCode>) {
        self.services.questions.answer(question, codes);
    }

    /// Whether transactions of the first version are verified, and how long an answer may take.
    pub fn configure_questions(&self, verifies: bool, timeout_ms: i64) {
        self.services.questions.configure(verifies, timeout_ms);
    }

    /// Gives an accepted socket to a network thread for life.
    pub fn adopt(
        &self,
        socket: OwnedFd,
        listener: &str,
        peer_host: &str,
        local_host: &str,
        local_port: u16,
    ) -> io::Result<()> {
        let stream = TcpStream::from(socket);
        stream.set_nonblocking(true)?;
        stream.set_nodelay(true)?;
        let link = Link::new(ConnectionContext {
            id: self.services.connections.number(),
            listener: listener.into(),
            principal: ANONYMOUS.into(),
            peer_host: peer_host.into(),
            local_host: local_host.into(),
            local_port,
        });
        link.used(self.clock.now().instant);
        self.services.connections.remember(link.clone());
        let workers = self.workers.lock();
        let turn = self.next_worker.fetch_add(1, Ordering::Relaxed);
        match workers.get(turn.checked_rem(workers.len()).unwrap_or(0)) {
            Some(worker) => worker.adopt((stream, link)),
            None => self.services.forget_connection(link.context.id),
        }
        Ok(())
    }

    /// Answers requests that went up, each with a body. Never blocks.
    pub fn reply(&self, answers: impl Iterator<Item = (RequestId, Answer)>) {
        self.services.outstanding.answer_all(answers);
    }

    /// Puts up the desk of a coordinator that is about to read its log.
    pub fn put_desk(&self, topic: TopicId, index: PartitionIndex, desk: SharedDesk) {
        self.services.desks.put(topic, index, desk);
    }

    /// Answers requests that went up, each with a body that later requests of the same bytes get too. Never blocks.
    pub fn reply_standing(&self, answers: impl Iterator<Item = (RequestId, Vec<u8>, Arc<Standing>)>) {
        let answers = answers.map(|(request, body, standing)| (request, Answer::Standing(body, standing)));
        self.services.outstanding.answer_all(answers);
    }

    /// The present, on the clock of deadlines.
    pub fn now(&self) -> Instant {
        self.clock.now().instant
    }

    /// Closes the connection of a request that has no answer.
    pub fn refuse(&self, request: RequestId, reason: String) {
        self.services.outstanding.answer(request, Answer::Close(reason));
    }

    /// Changes the View. One caller at a time; later replies do not overtake it.
    pub fn install(&self, delta: ViewDelta) {
        let next = self.services.view.load().after(delta);
        self.services.view.store(Arc::new(next));
    }

    /// Begins a command; its end comes through the mailbox. Never blocks.
    pub fn command(&self, ticket: Ticket, command: Command) {
        let closed = match command {
            Command::Metadata(command) => !self.metadata.submit(ticket, command),
            Command::Coordinator(command) => !self.coordinators.submit(ticket, command),
            command => {
                let orders = self.orders.lock();
                orders.as_ref().map(|orders| orders.submit(ticket, command)).is_none()
            }
        };
        if closed {
            self.services.mailbox.done(Done { ticket, result: Err("the data plane was closed".to_owned()) });
        }
    }

    /// How many connections are open: all, on this listener, from this address.
    pub fn connection_census(&self, listener: &str, host: &str) -> Census {
        self.services.connections.census(listener, host)
    }

    /// The next connection that ends is told as a fact.
    pub fn watch_connections(&self) {
        self.services.connections.watch();
    }

    /// Ends the connection idle for the longest time, of those that did not come in on `protected`. Whether there was one.
    pub fn evict_connection(&self, protected: &str) -> bool {
        self.services.connections.evict(protected)
    }

    /// Connections that are open.
    pub fn connection_count(&self) -> usize {
        self.services.connections.len()
    }

    /// A small file of the log directory. Blocks.
    pub fn read_file(&self, name: &str) -> Result<Option<Vec<u8>>, String> {
        self.directory.read_small(name).map_err(|error| error.to_string())
    }

    /// Replaces a small file of the log directory, durably. Blocks.
    pub fn write_file(&self, name: &str, content: &[u8]) -> Result<(), String> {
        self.directory.replace(name, content).map_err(|error| error.to_string())
    }

    /// The broker epoch under which the directory was closed well; -1 when it was not. To be asked before the first Command.
    pub fn clean_broker_epoch(&self) -> i64 {
        self.directory.clean_shutdown().ok().flatten().unwrap_or(-1)
    }

    /// Ends connections and threads, closes every log, and marks the directory clean if all went well. Blocks for as long
    /// as the disk takes; does nothing the second time. Returns what did not go well, for people.
    pub fn stop(&self, broker_epoch: i64) -> Vec<String> {
        if self.halt() { self.conductor.close_all(broker_epoch, self.clock.now()) } else { Vec::new() }
    }

    /// Ends connections and threads and leaves the directory as a crash would: nothing acknowledged is lost. Blocks until
    /// the threads are gone; does nothing after [`Engine::stop`].
    pub fn abandon(&self) {
        self.halt();
    }

    /// Ends and joins every thread; whether there were any.
    fn halt(&self) -> bool {
        let workers = std::mem::take(&mut *self.workers.lock());
        if workers.is_empty() {
            return false;
        }
        for worker in workers {
            worker.stop();
        }
        let orders = self.orders.lock().take();
        if let Some(orders) = orders {
            orders.wait_idle();
        }
        self.coordinators.stop();
        self.maintenance.stop();
        self.directory.end_waiting();
        self.metadata.stop();
        for thread in std::mem::take(&mut *self.threads.lock()) {
            drop(thread.join());
        }
        self.jobs.stop();
        self.services.cold.stop();
        true
    }
}

/// An engine that was not stopped is abandoned.
impl Drop for Engine {
    fn drop(&mut self) {
        self.abandon();
    }
}

fn spawn(name: &str, work: impl FnOnce() + Send + 'static) -> io::Result<JoinHandle<()>> {
    std::thread::Builder::new().name(name.to_owned()).spawn(work)
}
