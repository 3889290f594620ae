//! The other side of the wire: requests written and answers read, for simulated clients, tests and peers.
//!
//! The same rules as for the server's side: answers are checked to their end once and walked lazily, nothing panics. Fetch is not
//! here: [`super::fetch`] has both directions, since a follower asks as often as it is asked.

pub mod api_versions;
pub mod find_coordinator;
pub mod list_offsets;
pub mod metadata;
pub mod offset_commit;
pub mod offset_fetch;
pub mod offset_for_leader_epoch;
pub mod produce;

use super::header::{Api, begin_request};
use super::writer::Writer;

/// What the header of a request says beside its API.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Call<'a> {
    /// The version of request and answer.
    pub version: i16,
    /// The answer carries the same.
    pub correlation_id: i32,
    /// What we call ourselves.
    pub client_id: Option<&'a str>,
}

impl Call<'_> {
    fn begin<'o>(&self, out: &'o mut Vec<u8>, api: &Api) -> Writer<'o> {
        begin_request(out, api, self.version, self.correlation_id, self.client_id)
    }
}
