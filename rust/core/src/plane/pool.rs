//! A bounded pool of threads for what may block: cold reads, fsync, opening and deleting logs.
//!
//! Plain threads and one queue: jobs are few and long. Network threads submit and go on; nothing ever waits for room,
//! since whoever submits is bounded elsewhere (requests in flight, commands outstanding).

use std::collections::VecDeque;
use std::io;
use std::sync::Arc;
use std::thread::JoinHandle;

use parking_lot::{Condvar, Mutex};

/// Something to do on a thread that may block.
pub type Job = Box<dyn FnOnce() + Send>;

#[derive(Default)]
struct Queue {
    jobs: VecDeque<Job>,
    closed: bool,
}

#[derive(Default)]
struct Shared {
    queue: Mutex<Queue>,
    more: Condvar,
}

/// Threads that take jobs in the order they were submitted.
pub struct Pool {
    shared: Arc<Shared>,
    threads: Mutex<Vec<JoinHandle<()>>>,
}

impl std::fmt::Debug for Pool {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Pool").finish_non_exhaustive()
    }
}

impl Pool {
    /// Starts `threads` threads named `name`.
    pub fn start(name: &str, threads: usize) -> io::Result<Self> {
        let shared = Arc::new(Shared::default());
        let mut handles = Vec::with_capacity(threads);
        for _ in 0..threads {
            let shared = shared.clone();
            handles.push(std::thread::Builder::new().name(name.to_owned()).spawn(move || work(&shared))?);
        }
        Ok(Self { shared, threads: Mutex::new(handles) })
    }

    /// Queues a job. After [`Pool::stop`] it is dropped instead.
    pub fn submit(&self, job: Job) {
        let mut queue = self.shared.queue.lock();
        if !queue.closed {
            queue.jobs.push_back(job);
            drop(queue);
            self.shared.more.notify_one();
        }
    }

    /// Finishes what is queued and joins the threads. Blocks; does nothing the second time.
    pub fn stop(&self) {
        self.shared.queue.lock().closed = true;
        self.shared.more.notify_all();
        for thread in std::mem::take(&mut *self.threads.lock()) {
            // A panic was reported by the default hook already; there is nothing left to save in this thread.
            drop(thread.join());
        }
    }
}

fn work(shared: &Shared) {
    loop {
        let job = {
            let mut queue = shared.queue.lock();
            loop {
                if let Some(job) = queue.jobs.pop_front() {
                    break job;
                }
                if queue.closed {
                    return;
                }
                shared.more.wait(&mut queue);
            }
        };
        // One job's panic must not take the thread from the others; what it left half done is behind its own lock.
        drop(std::panic::catch_unwind(std::panic::AssertUnwindSafe(job)));
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::sync::atomic::{AtomicUsize, Ordering};

    #[test]
    fn stop_finishes_what_is_queued() {
        let pool = Pool::start("test", 2).unwrap();
        let count = Arc::new(AtomicUsize::new(0));
        for _ in 0..100 {
            let count = count.clone();
            pool.submit(Box::new(move || {
                count.fetch_add(1, Ordering::SeqCst);
            }));
        }
        pool.stop();
        pool.submit(Box::new(|| unreachable!("a stopped pool runs nothing")));
        pool.stop();
        assert_eq!(count.load(Ordering::SeqCst), 100);
    }
}
