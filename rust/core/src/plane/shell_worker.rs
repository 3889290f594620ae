//! The network threads: each has its own current-thread runtime, and the connections that were given to it for life.
//!
//! One runtime per thread instead of one for all: a connection never changes its thread, so a wake costs no hand-over,
//! and one `epoll` per thread is asked. Bytes are read into a buffer of the thread; whole frames are handled there.

use std::cell::RefCell;
use std::future::Future;
use std::io;
use std::os::fd::AsFd;
use std::pin::Pin;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::task::{Context, Poll, ready};
use std::thread::JoinHandle;

use rustix::net::SendFlags;
use tokio::io::{AsyncRead, Interest, ReadBuf};
use tokio::net::TcpStream;
use tokio::sync::mpsc;
use tokio::time::Sleep;

use crate::disk::File;
use crate::plane::clock::{Clock, Instant, Now, SystemClock};
use crate::plane::connection::Connection;
use crate::plane::link::{Close, Link};
use crate::plane::output::Chunk;
use crate::plane::services::Services;

/// Bytes read from a socket at a time, and sent of a file at a time: fairness between the connections of a thread.
const TURN_BYTES: usize = 256 * 1024;
const SEND_FILE_BYTES: usize = 1024 * 1024;
/// Rounds of read, handle and write before a connection lets the others of its thread go on.
const ROUNDS_MAX: usize = 8;

thread_local! {
    static SCRATCH: RefCell<Vec<u8>> = RefCell::new(vec![0; TURN_BYTES]);
}

/// A connection that was accepted and now belongs to a network thread.
pub(crate) type Adopted = (std::net::TcpStream, Arc<Link>);

/// One network thread.
#[derive(Debug)]
pub(crate) struct Worker {
    adopt: mpsc::UnboundedSender<Adopted>,
    thread: Option<JoinHandle<()>>,
}

impl Worker {
    /// Starts a thread that serves what it is given until [`Worker::stop`].
    pub(crate) fn start(index: usize, services: Arc<Services>, clock: Arc<SystemClock>) -> io::Result<Self> {
        let (adopt, adopted) = mpsc::unbounded_channel();
        let runtime = tokio::runtime::Builder::new_current_thread().enable_io().enable_time().build()?;
        let thread = std::thread::Builder::new()
            .name(format!("ottla-net-{index}"))
            .spawn(move || runtime.block_on(accept(adopted, services, clock)))?;
        Ok(Self { adopt, thread: Some(thread) })
    }

    /// Hands a connection over. After the stop it is closed.
    pub(crate) fn adopt(&self, adopted: Adopted) {
        drop(self.adopt.send(adopted));
    }

    /// Ends the thread and its connections. Blocks until both are gone.
    pub(crate) fn stop(self) {
        let Self { adopt, thread } = self;
        drop(adopt);
        if let Some(thread) = thread {
            drop(thread.join());
        }
    }
}

/// Serves until the channel is closed; leaving drops the runtime and with it the connections.
async fn accept(mut adopted: mpsc::UnboundedReceiver<Adopted>, services: Arc<Services>, clock: Arc<SystemClock>) {
    while let Some((stream, link)) = adopted.recv().await {
        let id = link.context.id;
        match TcpStream::from_std(stream) {
            Ok(stream) => drop(tokio::spawn(Serve::new(stream, link, services.clone(), clock.clone()))),
            Err(_) => services.forget_connection(id),
        }
    }
}

/// The task of one connection.
struct Serve {
    stream: TcpStream,
    connection: Connection,
    link: Arc<Link>,
    services: Arc<Services>,
    clock: Arc<SystemClock>,
    timer: Option<(Instant, Pin<Box<Sleep>>)>,
    /// Set by a pool thread when the next range of a file is in the page cache.
    warming: Option<Arc<AtomicBool>>,
}

impl Serve {
    fn new(stream: TcpStream, link: Arc<Link>, services: Arc<Services>, clock: Arc<SystemClock>) -> Self {
        let connection = Connection::new(link.clone(), clock.now());
        Self { stream, connection, link, services, clock, timer: None, warming: None }
    }

    /// Reads once and handles what came. `Ready(true)` when something did.
    fn read(&mut self, context: &mut Context<'_>) -> Poll<Result<bool, Close>> {
        if !self.connection.wants_input() {
            return Poll::Ready(Ok(false));
        }
        if self.connection.room().is_none() {
            return SCRATCH.with_borrow_mut(|scratch| self.read_whole(context, scratch));
        }
        loop {
            if let Err(error) = ready!(self.stream.poll_read_ready(context)) {
                return Poll::Ready(Err(Close(error.to_string())));
            }
            let Some(room) = self.connection.room() else { return Poll::Ready(Ok(false)) };
            return Poll::Ready(match self.stream.try_read_buf(room) {
                Ok(0) => Err(Close(String::new())),
                Ok(_) => self.connection.received(&self.services, self.clock.now()).map(|()| true),
                Err(error) if error.kind() == io::ErrorKind::WouldBlock => continue,
                Err(error) => Err(Close(error.to_string())),
            });
        }
    }

    /// Reads into the buffer of the thread. `poll_read` knows that a short read emptied the socket, and spares the next.
    fn read_whole(&mut self, context: &mut Context<'_>, scratch: &mut [u8]) -> Poll<Result<bool, Close>> {
        let mut buffer = ReadBuf::new(scratch);
        if let Err(error) = ready!(Pin::new(&mut self.stream).poll_read(context, &mut buffer)) {
            return Poll::Ready(Err(Close(error.to_string())));
        }
        if buffer.filled().is_empty() {
            return Poll::Ready(Err(Close(String::new())));
        }
        Poll::Ready(self.connection.receive(buffer.filled(), &self.services, self.clock.now()).map(|()| true))
    }

    /// Sends what it can. `Ready(true)` when something was sent.
    fn write(&mut self, context: &mut Context<'_>, now: Now) -> Poll<Result<bool, Close>> {
        let mut sent_any = false;
        loop {
            if let Some(warm) = &self.warming
                && !warm.load(Ordering::Acquire)
            {
                return Poll::Pending;
            }
            let Some(chunk) = self.connection.output.chunk() else { return Poll::Ready(Ok(sent_any)) };
            let sent = match chunk {
                Chunk::Bytes { bytes, more } => {
                    let flags = if more { SendFlags::MORE } else { SendFlags::empty() } | SendFlags::NOSIGNAL;
                    self.stream.try_io(Interest::WRITABLE, || Ok(rustix::net::send(&self.stream, bytes, flags)?))
                }
                Chunk::File { file, position, len } => {
                    let len = len.min(SEND_FILE_BYTES);
                    if self.warming.take().is_none() && !file.is_resident(position, len) {
                        let file = file.clone();
                        self.warming = Some(warm(&self.services, &self.link, file, position, len));
                        continue;
                    }
                    send_file(&self.stream, &**file, position, len)
                }
            };
            match sent {
                // The log was cut under us: what was promised cannot be sent any more.
                Ok(0) => return Poll::Ready(Err(Close("the log was cut while it was sent".to_owned()))),
                Ok(count) => {
                    self.connection.sent(count, now);
                    sent_any = true;
                }
                Err(error) if error.kind() == io::ErrorKind::WouldBlock => {
                    match ready!(self.stream.poll_write_ready(context)) {
                        Ok(()) => {}
                        Err(error) => return Poll::Ready(Err(Close(error.to_string()))),
                    }
                }
                Err(error) => return Poll::Ready(Err(Close(error.to_string()))),
            }
        }
    }

    fn serve(&mut self, context: &mut Context<'_>) -> Poll<Close> {
        for _ in 0..ROUNDS_MAX {
            let mut moved = false;
            let now = self.clock.now();
            if self.link.bell.listen(context) || self.timer.as_ref().is_some_and(|(at, _)| now.instant >= *at) {
                match self.connection.settle(&self.services, now) {
                    Ok(settled) => moved |= settled,
                    Err(close) => return Poll::Ready(close),
                }
                if let Err(close) = self.connection.handle_kept(&self.services, now) {
                    return Poll::Ready(close);
                }
                if self.connection.is_idle_too_long(&self.services, now) {
                    return Poll::Ready(Close("idle for longer than connections.max.idle.ms".to_owned()));
                }
            }
            match self.write(context, now) {
                Poll::Ready(Ok(true)) => {
                    moved = true;
                    // Room for answers again: requests that were kept for the lack of it need no further bytes.
                    if let Err(close) = self.connection.handle_kept(&self.services, now) {
                        return Poll::Ready(close);
                    }
                }
                Poll::Ready(Err(close)) => return Poll::Ready(close),
                Poll::Ready(Ok(false)) | Poll::Pending => {}
            }
            match self.read(context) {
                Poll::Ready(Ok(read)) => moved |= read,
                Poll::Ready(Err(close)) => return Poll::Ready(close),
                Poll::Pending => {}
            }
            if !moved {
                return self.rest(context);
            }
        }
        context.waker().wake_by_ref();
        Poll::Pending
    }

    /// Nothing is to be done: sleeps until something happens or is due.
    fn rest(&mut self, context: &mut Context<'_>) -> Poll<Close> {
        self.connection.shrink();
        let Some(deadline) = self.connection.deadline(&self.services) else {
            self.timer = None;
            return Poll::Pending;
        };
        let timer = match &mut self.timer {
            Some((at, timer)) if *at == deadline => timer,
            Some((at, timer)) => {
                *at = deadline;
                timer.as_mut().reset(tokio::time::Instant::now() + self.clock.until(deadline));
                timer
            }
            None => {
                let sleep = Box::pin(tokio::time::sleep(self.clock.until(deadline)));
                &mut self.timer.insert((deadline, sleep)).1
            }
        };
        if timer.as_mut().poll(context).is_ready() {
            context.waker().wake_by_ref();
        }
        Poll::Pending
    }
}

impl Future for Serve {
    type Output = ();

    fn poll(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<()> {
        let close = ready!(self.serve(context));
        // What was answered before leaves, as far as the socket takes it at once.
        let now = self.clock.now();
        drop(self.write(context, now));
        self.services.connections.closed(&self.link.context, &close.0);
        if !close.0.is_empty() {
            self.services.mailbox.nudge();
        }
        Poll::Ready(())
    }
}

impl Drop for Serve {
    fn drop(&mut self) {
        self.connection.release();
        self.services.forget_connection(self.link.context.id);
    }
}

/// Sends a range of a file to a socket without copying it through this process. 0 means that the file is shorter.
fn send_file(stream: &TcpStream, file: &dyn File, position: u64, len: usize) -> io::Result<usize> {
    let Some(descriptor) = file.descriptor() else {
        return Err(io::Error::other("a file without descriptor is copied, never sent"));
    };
    stream.try_io(Interest::WRITABLE, || {
        let mut offset = position;
        Ok(rustix::fs::sendfile(stream.as_fd(), descriptor, Some(&mut offset), len)?)
    })
}

/// Lets a pool thread read a range, so that sending it will not wait for the disk.
fn warm(services: &Services, link: &Arc<Link>, file: Arc<dyn File>, position: u64, len: usize) -> Arc<AtomicBool> {
    let done = Arc::new(AtomicBool::new(false));
    let (flag, bell) = (done.clone(), link.bell.clone());
    services.cold.submit(Box::new(move || {
        file.read_ahead(position, len);
        let mut buffer = vec![0; 64 * 1024];
        let mut at = 0;
        while at < len {
            match file.read_at(position + at as u64, &mut buffer) {
                // An error shows again, with its number, when the range is sent.
                Ok(0) | Err(_) => break,
                Ok(read) => at += read,
            }
        }
        flag.store(true, Ordering::Release);
        bell.ring();
    }));
    done
}
