//! Open files of a log directory, at most so many at a time.
//!
//! Prior art: Kafka keeps every segment's descriptor open for life, and maps its indexes. Ours opens on demand and closes what
//! was not used lately (second chance), so that 100,000 segments need a few hundred descriptors. A file closed here stays
//! open for whoever still holds it: a send in progress keeps its range.
//! Invariant: a file that is closed and opened again is the same file, since nothing is renamed over a segment in use.

use std::collections::VecDeque;
use std::io;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Weak};

use parking_lot::Mutex;

use crate::disk::File;

/// Files of one log directory that are kept open.
#[derive(Debug)]
pub(crate) struct OpenFiles {
    capacity: usize,
    queue: Mutex<VecDeque<Weak<Slot>>>,
}

#[derive(Debug, Default)]
struct Slot {
    file: Mutex<Option<Arc<dyn File>>>,
    used: AtomicBool,
}

/// A file that is opened when it is needed.
#[derive(Debug, Default)]
pub(crate) struct LazyFile {
    slot: Arc<Slot>,
}

impl OpenFiles {
    pub(crate) fn new(capacity: usize) -> Self {
        Self { capacity: capacity.max(1), queue: Mutex::new(VecDeque::new()) }
    }

    /// Takes in a slot that was just filled, and closes others until there is room again.
    fn admit(&self, slot: &Arc<Slot>) {
        let mut queue = self.queue.lock();
        queue.push_back(Arc::downgrade(slot));
        // Every step drops a dead slot, forgives a used one once, or closes one: at most two rounds.
        while queue.len() > self.capacity {
            let Some(oldest) = queue.pop_front() else { break };
            let Some(other) = oldest.upgrade() else { continue };
            if other.used.swap(false, Ordering::Relaxed) {
                queue.push_back(oldest);
            } else {
                *other.file.lock() = None;
            }
        }
    }
}

impl LazyFile {
    /// The file, opened by `open` if it is not open already.
    pub(crate) fn get(
        &self,
        files: &OpenFiles,
        open: impl FnOnce() -> io::Result<Arc<dyn File>>,
    ) -> io::Result<Arc<dyn File>> {
        self.slot.used.store(true, Ordering::Relaxed);
        let file = {
            let mut held = self.slot.file.lock();
            if let Some(file) = held.as_ref() {
                return Ok(Arc::clone(file));
            }
            let file = open()?;
            *held = Some(Arc::clone(&file));
            file
        };
        files.admit(&self.slot);
        Ok(file)
    }

    /// Lets go of the file.
    pub(crate) fn close(&self) {
        *self.slot.file.lock() = None;
    }
}
