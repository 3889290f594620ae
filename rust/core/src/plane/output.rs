//! What a connection still has to send: bytes, with ranges of files between them.
//!
//! Answers are written one behind the other into one buffer; records of a Fetch stay in their files until the socket
//! takes them (`sendfile`). Small ranges are read into the buffer instead: one system call less.

use std::collections::VecDeque;
use std::io;
use std::sync::Arc;

use crate::disk::File;

/// Ranges up to this many bytes are copied: a `pread` into a warm buffer costs less than a `sendfile` of its own and
/// the packet that ends before it.
pub const COPY_BYTES_MAX: usize = 16 * 1024;

/// With so many bytes waiting to be sent no more ranges are copied: many small ones would fill memory for a reader
/// that does not read.
const COPIED_BYTES_MAX: usize = 1024 * 1024;

/// Bytes that were sent and are kept until as many are not longer there to be moved.
const SENT_BYTES_MAX: usize = 64 * 1024;

/// Capacity that an idle connection keeps.
const IDLE_CAPACITY: usize = 1024;

#[derive(Debug)]
struct Splice {
    /// The range goes in before this position of `bytes`.
    at: usize,
    file: Arc<dyn File>,
    position: u64,
    len: usize,
}

/// The next thing to send.
#[derive(Debug)]
pub enum Chunk<'a> {
    /// Bytes of memory; more follows at once when `more`.
    Bytes {
        /// What to send.
        bytes: &'a [u8],
        /// Whether a file range follows directly.
        more: bool,
    },
    /// A range of a file.
    File {
        /// Which file.
        file: &'a Arc<dyn File>,
        /// From here.
        position: u64,
        /// So many bytes.
        len: usize,
    },
}

/// Bytes and file ranges in the order they leave.
#[derive(Debug, Default)]
pub struct Output {
    /// Where answers are encoded; append only.
    pub bytes: Vec<u8>,
    splices: VecDeque<Splice>,
    sent: usize,
}

impl Output {
    /// Whether everything was sent.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.splices.is_empty() && self.sent == self.bytes.len()
    }

    /// Bytes in memory that were not sent yet.
    #[must_use]
    pub fn unsent_bytes(&self) -> usize {
        self.bytes.len() - self.sent
    }

    /// Puts a range of a file behind what was written so far.
    pub fn splice(&mut self, file: Arc<dyn File>, position: u64, len: usize) -> io::Result<()> {
        if len == 0 {
            return Ok(());
        }
        if len <= COPY_BYTES_MAX && self.unsent_bytes() < COPIED_BYTES_MAX || file.descriptor().is_none() {
            let start = self.bytes.len();
            self.bytes.resize(start + len, 0);
            if file.read_at(position, &mut self.bytes[start..])? == len {
                return Ok(());
            }
            self.bytes.truncate(start);
            return Err(io::Error::new(io::ErrorKind::UnexpectedEof, "the log was cut while it was read"));
        }
        self.splices.push_back(Splice { at: self.bytes.len(), file, position, len });
        Ok(())
    }

    /// Puts all of `other` behind what is here.
    pub fn append(&mut self, mut other: Self) {
        debug_assert_eq!(other.sent, 0);
        if self.is_empty() {
            self.settle();
            if self.bytes.capacity() == 0 {
                *self = other;
                return;
            }
        }
        let shift = self.bytes.len();
        self.bytes.append(&mut other.bytes);
        self.splices.extend(other.splices.into_iter().map(|splice| Splice { at: splice.at + shift, ..splice }));
    }

    /// The next chunk to send, if there is one.
    #[must_use]
    pub fn chunk(&self) -> Option<Chunk<'_>> {
        match self.splices.front() {
            Some(splice) if splice.at == self.sent => {
                Some(Chunk::File { file: &splice.file, position: splice.position, len: splice.len })
            }
            Some(splice) => Some(Chunk::Bytes { bytes: &self.bytes[self.sent..splice.at], more: true }),
            None if self.sent < self.bytes.len() => Some(Chunk::Bytes { bytes: &self.bytes[self.sent..], more: false }),
            None => None,
        }
    }

    /// `count` bytes of the chunk were sent.
    pub fn advance(&mut self, count: usize) {
        match self.splices.front_mut() {
            Some(splice) if splice.at == self.sent => {
                splice.position += count as u64;
                splice.len -= count;
                if splice.len == 0 {
                    self.splices.pop_front();
                }
            }
            _ => self.sent += count,
        }
        if self.is_empty() {
            self.settle();
        } else if self.sent >= SENT_BYTES_MAX && self.sent >= self.bytes.len() / 2 {
            self.forget_sent();
        }
    }

    /// A client that always leaves something unread must not make us keep all that it has read.
    fn forget_sent(&mut self) {
        self.bytes.drain(..self.sent);
        for splice in &mut self.splices {
            splice.at -= self.sent;
        }
        self.sent = 0;
    }

    fn settle(&mut self) {
        self.bytes.clear();
        self.sent = 0;
    }

    /// Gives back memory that an idle connection does not need.
    pub fn shrink(&mut self) {
        if self.is_empty() && self.bytes.capacity() > IDLE_CAPACITY {
            self.bytes = Vec::new();
        }
        if self.splices.is_empty() && self.splices.capacity() > 0 {
            self.splices = VecDeque::new();
        }
    }
}
