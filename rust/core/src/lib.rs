//! Ottla's data plane: it moves the bytes, the control plane in Python decides.
//!
//! Layers, each importing only those above it (a test holds the direction):
//!
//! - [`ids`], [`error`], [`limits`]: the words everything else is said in
//! - [`disk`]: files as a trait, so that torn writes and full disks can be simulated
//! - [`wire`]: the hand-written codec of the data-plane messages
//! - [`batch`]: record batches: parse, check, compress, build; the state of idempotent producers
//! - [`log`]: segments, indexes, recovery: Kafka's format on disk
//! - [`replication`]: the state of one partition: epochs, ISR, watermarks
//! - [`groups`]: what the coordinator of groups holds by the million
//! - [`plane`]: connections, waiting, the View, and the tokio shell
//!
//! Nothing here knows of Python; tokio appears in `plane/shell*` alone.

pub mod batch;
pub mod disk;
pub mod disk_os;
pub mod disk_sim;
pub mod error;
pub mod groups;
pub mod ids;
pub mod limits;
pub mod log;
pub mod plane;
pub mod replication;
pub mod wire;
