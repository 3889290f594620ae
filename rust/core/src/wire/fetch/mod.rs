//! Fetch (1): read batches from these offsets on, as a consumer or as a follower.
//!
//! v4 isolation level, aborted transactions (KIP-98) · v5 log start offset · v7 sessions (KIP-227) · v9 current leader epoch
//! (KIP-320) · v10 zstd · v11 rack, preferred read replica (KIP-392) · v12 flexible, last fetched epoch and diverging epoch
//! (KIP-595) · v13 topic ids (KIP-516) · v15 replica state, tagged (KIP-903) · v16 endpoints, tagged (KIP-951) · v17 directory
//! id, tagged (KIP-853) · v18 high watermark, tagged (KIP-1166)
//!
//! Both directions are here, for both sides: the leader answers, the follower asks.

pub mod request;
pub mod response;

pub use request::{
    FetchPartition, FetchRequest, FetchRequestHead, FetchRequestWriter, FetchTopic, ForgottenTopic,
    UNKNOWN_HIGH_WATERMARK,
};
pub use response::{
    Aborted, AbortedTransaction, EncodedFetch, EpochEndOffset, FetchResponse, FetchResponseWriter, Fetched,
    FetchedPartition, FetchedTopic, Part, SnapshotId,
};

use super::header::{APIS, Api};

pub(super) const API: &Api = &APIS[1];
const TOPIC_IDS_FROM: i16 = 13;
