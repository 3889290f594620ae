//! Record batches of magic 2: parse, check, compress, build; and the state of idempotent producers.

pub mod header;

pub use header::{BATCH_HEADER_BYTES, BatchHeader, Codec};
