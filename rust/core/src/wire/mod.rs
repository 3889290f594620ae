//! The hand-written codec of the messages that the data plane answers itself. Every other message goes through the
//! interpreter of the declarations.
//!
//! - [`cursor`], [`writer`]: primitive types in and out; arrays that are checked once and walked lazily
//! - [`header`]: what stands before each body, and the table of all APIs
//! - one module per API: the request read, the answer written, in all versions of Kafka 4.4
//! - [`client`]: the other side of those: requests written, answers read
//! - [`program`]: the pure part of the interpreter, for every other message
//!
//! Invariants: no byte from outside can cause a panic; nothing is allocated while a request is read; what is accepted has
//! been checked to its end before anything of it is seen.

pub mod api_versions;
pub mod client;
pub mod common;
pub mod cursor;
pub mod fetch;
pub mod find_coordinator;
pub mod header;
pub mod list_offsets;
pub mod metadata;
pub mod offset_commit;
pub mod offset_fetch;
pub mod offset_for_leader_epoch;
pub mod produce;
pub mod program;
pub mod writer;

#[cfg(test)]
mod tests;

pub use common::{LeaderIdAndEpoch, NodeEndpoint, TopicRef};
pub use cursor::{Array, Cursor, Fault, WireError};
pub use header::{Api, RequestHeader, api_of};
