//! Connections, requests of the data plane, waiting, and the line to the control plane.
//!
//! Everything here steps without tokio; `shell*` alone names it.

pub mod api_versions;
pub mod clock;
pub mod command;
pub mod conductor;
pub mod connection;
pub mod connections;
mod coordinator_load;
pub mod coordinator_log;
pub mod coordinator_transactions;
pub mod desk;
pub mod desks;
pub mod dispatch;
pub mod fetch;
pub mod find_coordinator;
pub mod frames;
pub mod incoming;
pub mod leaders;
pub mod link;
pub mod list_offsets;
pub mod mailbox;
pub mod maintenance;
pub mod metadata;
pub mod metadata_log;
pub mod offset_commit;
pub mod offset_fetch;
pub mod offset_for_leader_epoch;
pub mod orders;
pub mod output;
mod panics;
pub mod pool;
pub mod produce;
pub mod questions;
pub mod schedule;
pub mod services;
pub mod session;
mod shell_coordinator;
pub mod shell_engine;
mod shell_metadata;
mod shell_worker;
pub mod standing;
pub mod view;

#[cfg(test)]
mod tests;
