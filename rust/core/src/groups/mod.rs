//! What the coordinator of groups holds by the million, kept where the interpreter of Python does not walk it.
//!
//! - [`names`]: strings that many entries share
//! - [`offset_record`]: committed offsets as records of `__consumer_offsets`
//! - [`offsets`]: committed offsets as state
//!
//! Nothing here decides: who may commit, what has expired and what a request is answered is Python's.

pub mod names;
pub mod offset_record;
pub mod offsets;
