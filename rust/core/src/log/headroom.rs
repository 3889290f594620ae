//! The day the disk is full: no failure, but a state that records are refused in, until there is room again.
//!
//! Kafka takes a full disk for a failed one and gives the directory up. Ours refuses records, so that they cannot eat what
//! is freed little by little, and gives back a file that was set aside, for what must go on meanwhile: checkpoints, deletes
//! and their metadata, retention. Whoever looks after the directory takes the space back first, then records.

use std::io::{self, IoSlice};
use std::path::Path;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use parking_lot::{Condvar, Mutex};

use super::directory::{LogDirectory, is_full};
use crate::disk::Open;

/// Filled with zeros, given back when the disk is full.
const HEADROOM_FILE: &str = ".headroom";
/// Enough for the checkpoints, a producer snapshot and the directory blocks that deleting needs.
const HEADROOM_BYTES: u64 = 1 << 20;
/// What must be free before records are taken again: the headroom, and as much for them.
const ROOM_BYTES: u64 = 2 * HEADROOM_BYTES;

/// Whether the disk is full, and who waits for room.
#[derive(Debug, Default)]
pub(crate) struct Headroom {
    full: AtomicBool,
    /// Nobody waits any more: the engine ends.
    ended: Mutex<bool>,
    changed: Condvar,
}

impl LogDirectory {
    /// Whether records are refused because the disk is full.
    #[must_use]
    pub fn refuses_records(&self) -> bool {
        self.headroom.full.load(Ordering::Acquire)
    }

    /// The disk says that it is full: records are refused from now on, and whoever looks after the directory is woken.
    pub fn note_full(&self) {
        if !self.headroom.full.swap(true, Ordering::AcqRel) {
            self.window.alarm().ring();
        }
    }

    /// Sets space aside for the day the disk is full. Says whether it is there; where it is not, that day is today. Blocks.
    pub fn reserve_headroom(&self) -> io::Result<bool> {
        let (disk, path) = (self.disk(), Path::new(HEADROOM_FILE));
        if disk.stat(path).is_ok_and(|stat| stat.len >= HEADROOM_BYTES) {
            return Ok(true);
        }
        let written = disk
            .open(path, Open::Create)
            .and_then(|file| file.write_at(0, &[IoSlice::new(&vec![0; HEADROOM_BYTES as usize])]));
        match written {
            Ok(()) => Ok(true),
            Err(error) if is_full(&error) => {
                self.note_full();
                self.release_headroom()?;
                Ok(false)
            }
            Err(error) => Err(error),
        }
    }

    /// Gives the space set aside back, so that deleting and checkpointing can go on. Blocks shortly.
    pub fn release_headroom(&self) -> io::Result<()> {
        match self.disk().remove_file(Path::new(HEADROOM_FILE)) {
            Err(error) if error.kind() != io::ErrorKind::NotFound => Err(error),
            _ => Ok(()),
        }
    }

    /// Does what must go on when the disk is full: if it is, the headroom goes, and it is done once more.
    pub fn with_headroom<T>(&self, work: impl Fn() -> io::Result<T>) -> io::Result<T> {
        match work() {
            Err(error) if is_full(&error) => {
                self.note_full();
                self.release_headroom()?;
                work()
            }
            outcome => outcome,
        }
    }

    /// Takes records again, if there is room for the headroom and for them. Says whether they are taken. Blocks.
    pub fn look_for_room(&self) -> io::Result<bool> {
        let (_, usable) = self.disk().space()?;
        if usable < ROOM_BYTES || !self.reserve_headroom()? {
            return Ok(false);
        }
        self.take_records();
        Ok(true)
    }

    /// Records are taken again: there is room, or the next write will tell.
    pub(crate) fn take_records(&self) {
        self.headroom.full.store(false, Ordering::Release);
        let _ended = self.headroom.ended.lock();
        self.headroom.changed.notify_all();
    }

    /// Waits until there is room, or it is worth another look, after `patience`. False when nobody shall wait any more. Blocks.
    pub fn wait_for_room(&self, patience: Duration) -> bool {
        let mut ended = self.headroom.ended.lock();
        if !*ended {
            self.headroom.changed.wait_for(&mut ended, patience);
        }
        !*ended
    }

    /// Nobody waits for room any more.
    pub fn end_waiting(&self) {
        *self.headroom.ended.lock() = true;
        self.headroom.changed.notify_all();
    }
}
