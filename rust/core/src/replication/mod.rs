//! The state of one partition on this broker: role, epochs, in-sync replicas, watermarks, and who waits for them.

pub mod partition;
pub mod waiting;
pub mod watermark;
