//! Record batches of magic 2: parse, check, compress, build; and the state of idempotent producers.
//!
//! - [`header`], [`records`], [`varint`], [`checksum`]: the format
//! - [`compress`]: the five codecs, decompressing as a stream within bounds
//! - [`build`], [`control`]: making batches
//! - [`validate`]: what a producer sent, checked and made ready for the log
//! - [`producer`], [`snapshot`]: who produced what, for exactly-once

pub mod build;
pub mod checksum;
pub mod compress;
pub mod control;
#[cfg(test)]
mod golden;
pub mod header;
pub mod producer;
pub mod records;
pub mod snapshot;
pub mod validate;
pub mod varint;
pub mod walk;

pub use header::{BATCH_HEADER_BYTES, BatchHeader, Codec};
