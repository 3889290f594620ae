//! The log of a partition: Kafka's format on disk.
//!
//! - [`names`], [`checkpoint`], [`epochs`]: the formats of small things
//! - `scan`, `index`, `txn_index`, `segment`: a segment and what stands beside it
//! - [`directory`], `headroom`: one entry of `log.dirs`, and the day its disk is full
//! - [`Log`]: the writer, under the partition's lock; [`LogReader`]: everyone else, without it
//! - [`latest`]: the last value of each key
//! - `recovery`, `leftovers`, `replay`: opening; `flush`: getting to the disk; `truncate`, [`retention`]: getting rid; [`verify`]:
//!   looking at everything
//! - [`snapshot_file`]: snapshots of a raft log
//!
//! A batch that was appended is in the kernel's hands before anyone is told: the death of the process loses nothing. What
//! is below [`Log::durable_end`] survives the loss of power too.

pub mod checkpoint;
mod config;
pub mod directory;
pub mod epochs;
mod errors;
mod files;
mod flush;
mod headroom;
mod index;
pub mod latest;
mod leftovers;
pub mod names;
mod reader;
mod recovery;
mod replay;
pub mod retention;
mod scan;
mod segment;
#[cfg(test)]
mod simulation;
pub mod snapshot_file;
#[cfg(test)]
mod tests;
mod truncate;
mod txn_index;
pub mod verify;
mod window;
mod writer;

pub use config::{LogConfig, Mode};
pub use directory::{DirectoryError, LogDirectory, OffsetCheckpoint};
pub use epochs::{EpochCache, EpochEntry};
pub use errors::{AppendError, OpenError, ReadError, TruncateError};
pub use flush::{FlushPlan, LOOKS_EVERY_MS};
pub use reader::{Batches, FileRange, FoundRecord, LogPosition, LogReader, RawBatch, Upper};
pub use recovery::{Cut, OpenOptions, RecoveryReport};
pub use retention::{RetentionFacts, Retired};
pub use scan::{Fault, Frame};
pub use txn_index::AbortedTransaction;
pub use window::{Alarm, FlushNeed, FlushPolicy, FlushWindow, Unflushed};
pub(crate) use writer::PARTITION_METADATA_FILE;
pub use writer::{Appended, AssignedBatches, Log, Outcome};
