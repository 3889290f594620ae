//! The settings of one log. Owned by the log; the control plane fills it from the topic's configuration.

/// Which life a log leads.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub enum Mode {
    /// An ordinary partition: producers, transactions, retention by time and size.
    #[default]
    Partition,
    /// The log of a raft quorum: the high watermark comes from outside, no producer state, cut by snapshots only.
    Raft,
}

/// The settings of one log, all Kafka's, in Kafka's defaults.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct LogConfig {
    /// `segment.bytes`: a segment rolls before it would exceed this.
    pub segment_bytes: u64,
    /// `segment.ms`: a segment rolls when it spans more time.
    pub segment_ms: i64,
    /// `segment.jitter.ms`: taken off `segment_ms`, a random part of it, so that partitions do not roll together.
    pub segment_jitter_ms: i64,
    /// `segment.index.bytes`: how long an index may become; the segment rolls when one is full.
    pub segment_index_bytes: u32,
    /// `index.interval.bytes`: bytes of records between two entries of an index.
    pub index_interval_bytes: u32,
    /// `retention.ms`; none keeps for ever. Only with `delete_policy`.
    pub retention_ms: Option<i64>,
    /// `retention.bytes`; none has no limit. Only with `delete_policy`.
    pub retention_bytes: Option<u64>,
    /// Whether `cleanup.policy` includes `delete`.
    pub delete_policy: bool,
    /// `flush.messages`: records after which the log is flushed; none leaves it to the flusher's window.
    pub flush_messages: Option<u64>,
    /// `flush.ms`: time after which the log is flushed; none leaves it to the flusher's window.
    pub flush_ms: Option<i64>,
    /// `file.delete.delay.ms`: how long the files of old segments stay, for readers that still send from them.
    pub file_delete_delay_ms: i64,
    /// `producer.id.expiration.ms`: how long a silent producer is remembered.
    pub producer_id_expiration_ms: i64,
    /// Bytes of appends after which a flush also writes a snapshot of the producers. Less is replayed faster than it is
    /// flushed. Not a setting of Kafka's.
    pub replay_bytes: u64,
    /// Which life it leads.
    pub mode: Mode,
}

impl Default for LogConfig {
    fn default() -> Self {
        const DAY_MS: i64 = 24 * 60 * 60 * 1000;
        Self {
            segment_bytes: 1 << 30,
            segment_ms: 7 * DAY_MS,
            segment_jitter_ms: 0,
            segment_index_bytes: 10 << 20,
            index_interval_bytes: 4096,
            retention_ms: Some(7 * DAY_MS),
            retention_bytes: None,
            delete_policy: true,
            flush_messages: None,
            flush_ms: None,
            file_delete_delay_ms: 60_000,
            producer_id_expiration_ms: DAY_MS,
            replay_bytes: 1 << 20,
            mode: Mode::Partition,
        }
    }
}
