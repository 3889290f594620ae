//! `ApiVersions` (18): what can this broker do? The first frame of every connection.
//!
//! v1 throttle time · v3 flexible, the client's name and version (KIP-511), features (KIP-584) · v4 features may begin at 0 ·
//! v5 the client says which broker it means (KIP-1242)
//!
//! A version that the broker does not know is answered in v0, with the error and the range of this API alone; the client
//! then asks again. The header of the answer is v0 always.

use super::cursor::{Cursor, Fault, WireError};
use super::header::{Api, api_of, begin_response, keys};
use crate::error::ErrorCode;
use crate::ids::BrokerId;

pub(super) const API: &Api = &super::header::APIS[14];

/// A request, checked to its end.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct ApiVersionsRequest<'a> {
    /// What the client is called (v3+).
    pub client_software_name: &'a str,
    /// Its version (v3+).
    pub client_software_version: &'a str,
    /// The cluster that the client means to talk to (v5+).
    pub cluster_id: Option<&'a str>,
    /// The broker that the client means to talk to (v5+), or -1.
    pub node_id: BrokerId,
}

impl<'a> ApiVersionsRequest<'a> {
    /// Reads the body. `body` is the cursor that the header left behind. The body of a version that is not known must
    /// not be read: [`encode_unsupported_version`] answers it.
    pub fn decode(body: Cursor<'a>, version: i16) -> Result<Self, WireError> {
        if !API.has_version(version) {
            return Err(body.error(Fault::UnknownVersion { version }));
        }
        let mut cursor = body.flexible(API.is_flexible(version));
        let (client_software_name, client_software_version) =
            if version >= 3 { (cursor.string()?, cursor.string()?) } else { ("", "") };
        let (cluster_id, node_id) =
            if version >= 5 { (cursor.nullable_string()?, BrokerId(cursor.i32()?)) } else { (None, BrokerId(-1)) };
        cursor.skip_tags()?;
        Ok(Self { client_software_name, client_software_version, cluster_id, node_id })
    }

    /// Whether Kafka takes the request: name and version are words of letters, digits, dots and dashes, and cluster and
    /// node are given both or not at all. What it does not take is answered with `INVALID_REQUEST`.
    #[must_use]
    pub fn is_valid(&self, version: i16) -> bool {
        let words = version < 3 || (is_word(self.client_software_name) && is_word(self.client_software_version));
        words && self.cluster_id.is_some() == (self.node_id != BrokerId(-1))
    }
}

/// `[a-zA-Z0-9](?:[a-zA-Z0-9\-.]*[a-zA-Z0-9])?`
fn is_word(text: &str) -> bool {
    let ends = |end: Option<&u8>| end.is_some_and(u8::is_ascii_alphanumeric);
    let bytes = text.as_bytes();
    ends(bytes.first())
        && ends(bytes.last())
        && bytes.iter().all(|byte| byte.is_ascii_alphanumeric() || matches!(byte, b'-' | b'.'))
}

/// An API in the answer, and the versions of it.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct ApiVersionRange {
    /// The key.
    pub key: i16,
    /// The oldest version.
    pub min: i16,
    /// The newest version.
    pub max: i16,
}

/// A feature, and the levels of it: those that the broker knows, or those that the cluster has agreed on.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct FeatureRange<'a> {
    /// Its name.
    pub name: &'a str,
    /// The lowest level.
    pub min: i16,
    /// The highest level.
    pub max: i16,
}

/// The answer.
#[derive(Clone, Copy, PartialEq, Debug)]
pub struct ApiVersionsResponse<'a> {
    /// What went wrong, if anything.
    pub error: ErrorCode,
    /// The APIs, by ascending key.
    pub apis: &'a [ApiVersionRange],
    /// How long to pause, milliseconds (v1+).
    pub throttle_time_ms: i32,
    /// The features that the broker knows (v3+). Those that begin at 0 are left out in v3, whose clients cannot read
    /// them (KAFKA-17011).
    pub supported_features: &'a [FeatureRange<'a>],
    /// The number of the decision about features (v3+), or -1.
    pub finalized_features_epoch: i64,
    /// The features that the cluster has decided on (v3+). Kafka leaves out those at level 0; so must the caller.
    pub finalized_features: &'a [FeatureRange<'a>],
}

/// Encodes the answer as a frame behind what `out` holds.
pub fn encode_response(out: &mut Vec<u8>, correlation_id: i32, version: i16, response: &ApiVersionsResponse<'_>) {
    let mut writer = begin_response(out, API, version, correlation_id);
    writer.error(response.error);
    writer.length(Some(response.apis.len()));
    for api in response.apis {
        writer.i16(api.key);
        writer.i16(api.min);
        writer.i16(api.max);
        writer.no_tags();
    }
    if version >= 1 {
        writer.i32(response.throttle_time_ms);
    }
    if version >= 3 {
        let shown = |feature: &&FeatureRange<'_>| version >= 4 || feature.min != 0;
        let supported = response.supported_features.iter().filter(shown).count();
        let (epoch, finalized) = (response.finalized_features_epoch, response.finalized_features);
        writer.tag_count(u32::from(supported > 0) + u32::from(epoch != -1) + u32::from(!finalized.is_empty()));
        if supported > 0 {
            writer.tag(0, |writer| {
                writer.length(Some(supported));
                for feature in response.supported_features.iter().filter(shown) {
                    writer.string(feature.name);
                    writer.i16(feature.min);
                    writer.i16(feature.max);
                    writer.no_tags();
                }
            });
        }
        if epoch != -1 {
            writer.tag(1, |writer| writer.i64(epoch));
        }
        if !finalized.is_empty() {
            writer.tag(2, |writer| {
                writer.length(Some(finalized.len()));
                for feature in finalized {
                    writer.string(feature.name);
                    writer.i16(feature.max);
                    writer.i16(feature.min);
                    writer.no_tags();
                }
            });
        }
    }
    writer.end_frame(0);
}

/// Encodes the answer to a version that is not known, as a frame behind what `out` holds: in v0, with the range of this
/// API alone.
pub fn encode_unsupported_version(out: &mut Vec<u8>, correlation_id: i32) {
    let apis = api_of(keys::API_VERSIONS).map(|api| ApiVersionRange {
        key: api.key,
        min: api.version_min,
        max: api.version_stable_max,
    });
    let response = ApiVersionsResponse {
        error: ErrorCode::UnsupportedVersion,
        apis: apis.as_slice(),
        throttle_time_ms: 0,
        supported_features: &[],
        finalized_features_epoch: -1,
        finalized_features: &[],
    };
    encode_response(out, correlation_id, 0, &response);
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_of_clients_are_words() {
        for word in ["a", "kafka-python", "2.3.0", "a.-b"] {
            assert!(is_word(word), "{word}");
        }
        for no_word in ["", "-", "a-", ".a", "a b", "ä"] {
            assert!(!is_word(no_word), "{no_word}");
        }
    }

    #[test]
    fn cluster_and_node_are_given_together() {
        let request = |cluster_id, node_id| ApiVersionsRequest {
            client_software_name: "a",
            client_software_version: "1",
            cluster_id,
            node_id: BrokerId(node_id),
        };
        assert!(request(None, -1).is_valid(5) && request(Some("c"), 0).is_valid(5));
        assert!(!request(None, 0).is_valid(5) && !request(Some("c"), -1).is_valid(5));
    }

    #[test]
    fn the_table_has_the_api_where_the_constants_point() {
        assert_eq!(API.key, keys::API_VERSIONS);
        assert_eq!(super::super::produce::API.key, keys::PRODUCE);
        assert_eq!(super::super::fetch::API.key, keys::FETCH);
        assert_eq!(super::super::list_offsets::API.key, keys::LIST_OFFSETS);
        assert_eq!(super::super::metadata::API.key, keys::METADATA);
        assert_eq!(super::super::offset_for_leader_epoch::API.key, keys::OFFSET_FOR_LEADER_EPOCH);
    }
}
