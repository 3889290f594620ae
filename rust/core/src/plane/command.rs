//! What the control plane tells the data plane to do, and what it hears of it.
//!
//! Every [`Command`] has a ticket and ends in exactly one [`Done`] of that ticket. Commands about one topic are carried out in
//! the order they were given; those about different topics may overtake each other.

use std::sync::Arc;

use crate::ids::{LeaderEpoch, Offset, PartitionIndex, TimestampMs, TopicId};
pub use crate::log::snapshot_file::SnapshotId;
use crate::plane::coordinator_log::{CoordinatorCommand, CoordinatorOutcome};
use crate::plane::coordinator_transactions::TransactionOutcome;
use crate::replication::partition::{Leadership, TopicSettings};

/// Names a [`Command`] until its [`Done`].
pub type Ticket = u64;

/// A partition that this broker leads from now on, created when it does not exist.
#[derive(Clone, Debug)]
pub struct Lead {
    /// Its topic.
    pub topic_id: TopicId,
    /// The name of its topic, for the directory and for people.
    pub topic: Arc<str>,
    /// Its index.
    pub index: PartitionIndex,
    /// The replica state that was decided, with its epochs.
    pub leadership: Leadership,
    /// The topic's settings.
    pub settings: Arc<TopicSettings>,
}

/// One record for a log that the control plane writes; the key is absent in the metadata log.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct NewRecord {
    /// The record's key.
    pub key: Option<Vec<u8>>,
    /// The record's value.
    pub value: Option<Vec<u8>>,
}

/// One record read back for the control plane.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct ReadRecord {
    /// Where it stands.
    pub offset: Offset,
    /// The epoch of its batch.
    pub leader_epoch: LeaderEpoch,
    /// Its time.
    pub timestamp: TimestampMs,
    /// Whether it is a control record.
    pub control: bool,
    /// Its key.
    pub key: Option<Vec<u8>>,
    /// Its value.
    pub value: Option<Vec<u8>>,
}

/// An order of the control plane.
#[derive(Debug)]
pub enum Command {
    /// Lead these partitions: open or create their logs, recover them, take writes.
    Lead(Vec<Lead>),
    /// Give these partitions up; `delete` removes their logs too.
    Stop {
        /// Which: with the name of the topic.
        partitions: Vec<(TopicId, Arc<str>, PartitionIndex)>,
        /// Whether their data goes with them.
        delete: bool,
    },
    /// The settings of a topic changed.
    Configure {
        /// Whose.
        topic_id: TopicId,
        /// Its name.
        topic: Arc<str>,
        /// What they are now.
        settings: Arc<TopicSettings>,
    },
    /// What every hosted partition holds on disk.
    DescribeLogs,
    /// Set aside the logs that are on disk and not in this list of (topic id, index).
    StrayLogs {
        /// Those that belong here.
        keep: std::collections::HashSet<(TopicId, PartitionIndex)>,
    },
    /// Something for the metadata log.
    Metadata(MetadataCommand),
    /// Something for a partition of a coordinator's topic.
    Coordinator(CoordinatorCommand),
}

/// A batch for the metadata log or for a snapshot of it.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct NewBatch {
    /// Offset of the first record: the end of the log, or of what the snapshot holds so far.
    pub base_offset: Offset,
    /// The epoch of the leader that appends.
    pub epoch: LeaderEpoch,
    /// The time of the records.
    pub timestamp: TimestampMs,
    /// Whether they are control records.
    pub control: bool,
    /// The records.
    pub records: Vec<NewRecord>,
}

/// An order for the metadata log. They are carried out one after the other, in the order of submission; appends that wait
/// together are flushed together.
#[derive(Debug)]
pub enum MetadataCommand {
    /// Open and recover the log.
    Open,
    /// Append one batch; done when it is durable.
    Append(NewBatch),
    /// Read records from an offset on, at least one batch, about so many bytes.
    Read(Offset, usize),
    /// Raise the start of the log, and delete the segments wholly below.
    TruncatePrefix(Offset),
    /// Which snapshots there are.
    Snapshots,
    /// Write a snapshot.
    WriteSnapshot(SnapshotId, Vec<NewBatch>),
    /// Read records of a snapshot from an offset inside it on.
    ReadSnapshot(SnapshotId, Offset, usize),
    /// Delete the snapshots before this one.
    DeleteSnapshotsBefore(SnapshotId),
    /// The content of `quorum-state`.
    ReadQuorumState,
    /// Replace `quorum-state`, durably.
    WriteQuorumState(Vec<u8>),
}

/// What a log directory says of one partition.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct LogDescription {
    /// Whose.
    pub topic_id: TopicId,
    /// Name of the topic.
    pub topic: Arc<str>,
    /// Which partition.
    pub index: PartitionIndex,
    /// Bytes of all segments.
    pub bytes: u64,
    /// First offset.
    pub log_start: Offset,
    /// Offset after the last record.
    pub log_end: Offset,
}

/// How the opening of one log went.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct LeadOutcome {
    /// Whose.
    pub topic_id: TopicId,
    /// Which partition.
    pub index: PartitionIndex,
    /// Bytes that had to be read again because they were not known to be durable.
    pub recovered_bytes: u64,
    /// Why it does not serve, for people; none when it does.
    pub error: Option<String>,
}

/// What the metadata log is when it is opened.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct MetadataLogState {
    /// First offset of the log.
    pub log_start: Offset,
    /// Offset after the last record.
    pub log_end: Offset,
    /// Epoch of the last record; 0 when there is none.
    pub last_epoch: LeaderEpoch,
    /// Bytes of all segments.
    pub bytes: u64,
    /// Its snapshots, ascending, with their bytes.
    pub snapshots: Vec<(SnapshotId, u64)>,
}

/// The value of a command that succeeded.
#[derive(Clone, PartialEq, Debug)]
pub enum DoneValue {
    /// Nothing to say.
    Nothing,
    /// Of [`Command::Lead`].
    Led(Vec<LeadOutcome>),
    /// Of [`Command::DescribeLogs`]: the directory, bytes of its volume (total, usable), its logs.
    Logs(String, (u64, u64), Vec<LogDescription>),
    /// Names that [`Command::StrayLogs`] set aside.
    Strays(Vec<String>),
    /// Of [`MetadataCommand::Open`].
    MetadataLog(MetadataLogState),
    /// Bytes of the metadata log, after an append or a truncation.
    Size(u64),
    /// Of [`MetadataCommand::Snapshots`].
    Snapshots(Vec<(SnapshotId, u64)>),
    /// Of [`MetadataCommand::ReadQuorumState`].
    Content(Option<Vec<u8>>),
    /// Of the reads.
    Records(Vec<ReadRecord>),
    /// Of a [`CoordinatorCommand`].
    Coordinator(CoordinatorOutcome),
    /// Of some of the [`TransactionCommand`](crate::plane::coordinator_transactions::TransactionCommand)s.
    Transactions(TransactionOutcome),
}

/// The end of a command.
#[derive(Debug)]
pub struct Done {
    /// Whose end.
    pub ticket: Ticket,
    /// What came of it; an error is text for people that names the file or partition.
    pub result: Result<DoneValue, String>,
}
