//! What stands before the body of each request and response, and the table that says how to read it for every API.
//!
//! Prior art: Kafka's `ApiKeys`, `RequestHeader`, `ResponseHeader`. The header of a request depends on its own first two
//! fields: from an API's first flexible version on it carries tagged fields. The client id keeps its old 16-bit length in
//! both, so that the header of an `ApiVersions` of any future version can be read. Answers to `ApiVersions` have the
//! oldest header always, since who asks does not know yet what we speak.

use std::borrow::Cow;

use super::cursor::{Cursor, Fault, WireError};
use super::writer::Writer;

/// One API of Kafka 4.4: its key, its versions, who answers it.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Api {
    /// The number in each request.
    pub key: i16,
    /// Kafka's name of it.
    pub name: &'static str,
    /// The oldest version whose body can be read.
    pub version_min: i16,
    /// The newest.
    pub version_max: i16,
    /// The newest that is not still being worked on; what is newer is refused unless the broker is told to.
    pub version_stable_max: i16,
    /// The first version with compact lengths and tagged fields; may lie outside the valid ones.
    pub flexible_from: i16,
    /// Whether brokers answer it.
    pub on_broker: bool,
    /// Whether controllers answer it.
    pub on_controller: bool,
}

impl Api {
    /// Whether the body of this version can be read.
    #[must_use]
    pub const fn has_version(&self, version: i16) -> bool {
        self.version_min <= version && version <= self.version_max
    }

    /// Whether this version has compact lengths and tagged fields, in the body and in the request's header.
    #[must_use]
    pub const fn is_flexible(&self, version: i16) -> bool {
        version >= self.flexible_from
    }

    /// Whether the header of the answer carries tagged fields.
    #[must_use]
    pub const fn response_header_is_flexible(&self, version: i16) -> bool {
        self.is_flexible(version) && self.key != keys::API_VERSIONS
    }
}

/// The keys of the APIs that the data plane has a codec for.
pub mod keys {
    /// Append batches.
    pub const PRODUCE: i16 = 0;
    /// Read batches.
    pub const FETCH: i16 = 1;
    /// Offsets by time.
    pub const LIST_OFFSETS: i16 = 2;
    /// Which topics and brokers there are, and who leads.
    pub const METADATA: i16 = 3;
    /// Remember how far a group has read.
    pub const OFFSET_COMMIT: i16 = 8;
    /// How far a group has read.
    pub const OFFSET_FETCH: i16 = 9;
    /// Which broker coordinates a group.
    pub const FIND_COORDINATOR: i16 = 10;
    /// Which APIs and features there are.
    pub const API_VERSIONS: i16 = 18;
    /// Where an epoch of a leader ended.
    pub const OFFSET_FOR_LEADER_EPOCH: i16 = 23;
}

/// `ApiVersions` tells clients that Produce begins at 0, though bodies are read from 3 on: librdkafka of before 2.6 takes a
/// minimum above its own for a broker without compression (KAFKA-18659).
pub const PRODUCE_ADVERTISED_MIN: i16 = 0;

const NEVER: i16 = i16::MAX;
const BROKER: (bool, bool) = (true, false);
const CONTROLLER: (bool, bool) = (false, true);
const BOTH: (bool, bool) = (true, true);

const fn api(
    key: i16,
    name: &'static str,
    version_min: i16,
    version_max: i16,
    version_stable_max: i16,
    flexible_from: i16,
    (on_broker, on_controller): (bool, bool),
) -> Api {
    Api { key, name, version_min, version_max, version_stable_max, flexible_from, on_broker, on_controller }
}

/// Every API of Kafka 4.4, by ascending key. Keys 4 to 7 were removed in 4.0.
#[rustfmt::skip]
pub static APIS: [Api; 91] = [
    // key, name, oldest, newest, newest stable, flexible from, on
    api(0, "Produce", 3, 13, 13, 9, BROKER),
    api(1, "Fetch", 4, 18, 18, 12, BOTH),
    api(2, "ListOffsets", 1, 11, 11, 6, BROKER),
    api(3, "Metadata", 0, 13, 13, 9, BROKER),
    api(8, "OffsetCommit", 2, 10, 10, 8, BROKER),
    api(9, "OffsetFetch", 1, 10, 10, 6, BROKER),
    api(10, "FindCoordinator", 0, 6, 6, 3, BROKER),
    api(11, "JoinGroup", 0, 9, 9, 6, BROKER),
    api(12, "Heartbeat", 0, 4, 4, 4, BROKER),
    api(13, "LeaveGroup", 0, 5, 5, 4, BROKER),
    api(14, "SyncGroup", 0, 5, 5, 4, BROKER),
    api(15, "DescribeGroups", 0, 6, 6, 5, BROKER),
    api(16, "ListGroups", 0, 5, 5, 3, BROKER),
    api(17, "SaslHandshake", 0, 1, 1, NEVER, BOTH),
    api(18, "ApiVersions", 0, 5, 5, 3, BOTH),
    api(19, "CreateTopics", 2, 7, 7, 5, BOTH),
    api(20, "DeleteTopics", 1, 6, 6, 4, BOTH),
    api(21, "DeleteRecords", 0, 2, 2, 2, BROKER),
    api(22, "InitProducerId", 0, 6, 5, 2, BROKER),
    api(23, "OffsetForLeaderEpoch", 2, 4, 4, 4, BROKER),
    api(24, "AddPartitionsToTxn", 0, 5, 5, 3, BROKER),
    api(25, "AddOffsetsToTxn", 0, 4, 4, 3, BROKER),
    api(26, "EndTxn", 0, 5, 5, 3, BROKER),
    api(27, "WriteTxnMarkers", 1, 2, 2, 1, BROKER),
    api(28, "TxnOffsetCommit", 0, 6, 6, 3, BROKER),
    api(29, "DescribeAcls", 1, 3, 3, 2, BOTH),
    api(30, "CreateAcls", 1, 3, 3, 2, BOTH),
    api(31, "DeleteAcls", 1, 3, 3, 2, BOTH),
    api(32, "DescribeConfigs", 1, 4, 4, 4, BOTH),
    api(33, "AlterConfigs", 0, 2, 2, 2, BOTH),
    api(34, "AlterReplicaLogDirs", 1, 2, 2, 2, BROKER),
    api(35, "DescribeLogDirs", 1, 5, 5, 2, BROKER),
    api(36, "SaslAuthenticate", 0, 2, 2, 2, BOTH),
    api(37, "CreatePartitions", 0, 3, 3, 2, BOTH),
    api(38, "CreateDelegationToken", 1, 3, 3, 2, BOTH),
    api(39, "RenewDelegationToken", 1, 2, 2, 2, BOTH),
    api(40, "ExpireDelegationToken", 1, 2, 2, 2, BOTH),
    api(41, "DescribeDelegationToken", 1, 3, 3, 2, BOTH),
    api(42, "DeleteGroups", 0, 3, 3, 2, BROKER),
    api(43, "ElectLeaders", 0, 2, 2, 2, BOTH),
    api(44, "IncrementalAlterConfigs", 0, 1, 1, 1, BOTH),
    api(45, "AlterPartitionReassignments", 0, 1, 1, 0, BOTH),
    api(46, "ListPartitionReassignments", 0, 0, 0, 0, BOTH),
    api(47, "OffsetDelete", 0, 0, 0, NEVER, BROKER),
    api(48, "DescribeClientQuotas", 0, 1, 1, 1, BROKER),
    api(49, "AlterClientQuotas", 0, 1, 1, 1, BOTH),
    api(50, "DescribeUserScramCredentials", 0, 0, 0, 0, BOTH),
    api(51, "AlterUserScramCredentials", 0, 0, 0, 0, BOTH),
    api(52, "Vote", 0, 2, 2, 0, CONTROLLER),
    api(53, "BeginQuorumEpoch", 0, 1, 1, 1, CONTROLLER),
    api(54, "EndQuorumEpoch", 0, 1, 1, 1, CONTROLLER),
    api(55, "DescribeQuorum", 0, 2, 2, 0, BOTH),
    api(56, "AlterPartition", 2, 3, 3, 0, CONTROLLER),
    api(57, "UpdateFeatures", 0, 2, 2, 0, BOTH),
    api(58, "Envelope", 0, 0, 0, 0, CONTROLLER),
    api(59, "FetchSnapshot", 0, 1, 1, 0, CONTROLLER),
    api(60, "DescribeCluster", 0, 2, 2, 0, BOTH),
    api(61, "DescribeProducers", 0, 0, 0, 0, BROKER),
    api(62, "BrokerRegistration", 0, 4, 4, 0, CONTROLLER),
    api(63, "BrokerHeartbeat", 0, 2, 2, 0, CONTROLLER),
    api(64, "UnregisterBroker", 0, 0, 0, 0, BOTH),
    api(65, "DescribeTransactions", 0, 0, 0, 0, BROKER),
    api(66, "ListTransactions", 0, 2, 2, 0, BROKER),
    api(67, "AllocateProducerIds", 0, 0, 0, 0, CONTROLLER),
    api(68, "ConsumerGroupHeartbeat", 0, 1, 1, 0, BROKER),
    api(69, "ConsumerGroupDescribe", 0, 1, 1, 0, BROKER),
    api(70, "ControllerRegistration", 0, 0, 0, 0, CONTROLLER),
    api(71, "GetTelemetrySubscriptions", 0, 0, 0, 0, BROKER),
    api(72, "PushTelemetry", 0, 0, 0, 0, BROKER),
    api(73, "AssignReplicasToDirs", 0, 0, 0, 0, CONTROLLER),
    api(74, "ListConfigResources", 0, 1, 1, 0, BROKER),
    api(75, "DescribeTopicPartitions", 0, 0, 0, 0, BROKER),
    api(76, "ShareGroupHeartbeat", 1, 1, 1, 0, BROKER),
    api(77, "ShareGroupDescribe", 1, 1, 1, 0, BROKER),
    api(78, "ShareFetch", 1, 2, 2, 0, BROKER),
    api(79, "ShareAcknowledge", 1, 2, 2, 0, BROKER),
    api(80, "AddRaftVoter", 0, 1, 1, 0, BOTH),
    api(81, "RemoveRaftVoter", 0, 0, 0, 0, BOTH),
    api(82, "UpdateRaftVoter", 0, 0, 0, 0, CONTROLLER),
    api(83, "InitializeShareGroupState", 0, 0, 0, 0, BROKER),
    api(84, "ReadShareGroupState", 0, 0, 0, 0, BROKER),
    api(85, "WriteShareGroupState", 0, 1, 1, 0, BROKER),
    api(86, "DeleteShareGroupState", 0, 0, 0, 0, BROKER),
    api(87, "ReadShareGroupStateSummary", 0, 1, 1, 0, BROKER),
    api(88, "StreamsGroupHeartbeat", 0, 1, 1, 0, BROKER),
    api(89, "StreamsGroupDescribe", 0, 1, 1, 0, BROKER),
    api(90, "DescribeShareGroupOffsets", 0, 1, 1, 0, BROKER),
    api(91, "AlterShareGroupOffsets", 0, 0, 0, 0, BROKER),
    api(92, "DeleteShareGroupOffsets", 0, 0, 0, 0, BROKER),
    api(93, "StreamsGroupTopologyDescriptionUpdate", 0, 0, 0, 0, BROKER),
    api(94, "UnregisterController", 0, 0, 0, 0, BOTH),
];

/// The API of a key, if Kafka 4.4 has it.
#[must_use]
pub fn api_of(key: i16) -> Option<&'static Api> {
    // The table has one gap, of four keys.
    let index = match key {
        0..=3 => key,
        8.. => key - 4,
        _ => return None,
    };
    APIS.get(index as usize)
}

/// The header of a request, of either version.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct RequestHeader<'a> {
    /// Which API is asked. Its version is not checked: see [`Api::has_version`].
    pub api: &'static Api,
    /// In which version.
    pub api_version: i16,
    /// The answer carries the same.
    pub correlation_id: i32,
    /// What the client calls itself; empty when it does not. Borrowed, unless it is not UTF-8: as in Kafka, what is
    /// wrong in it reads as U+FFFD.
    pub client_id: Cow<'a, str>,
}

impl<'a> RequestHeader<'a> {
    /// Reads the header of a frame (the bytes behind its length), and returns it with the cursor at the body, set to the
    /// encoding of the version. Fails for a key that does not exist. The version may be any number; the body of one that
    /// the API does not have cannot be read, but `ApiVersions` has an answer to it.
    pub fn decode(frame: &'a [u8]) -> Result<(Self, Cursor<'a>), WireError> {
        let mut cursor = Cursor::new(frame);
        let key = cursor.i16()?;
        let api = api_of(key).ok_or(WireError { what: Fault::UnknownApi { key }, at: 0 })?;
        let api_version = cursor.i16()?;
        let correlation_id = cursor.i32()?;
        let client_id = match usize::try_from(cursor.i16()?) {
            Ok(len) => String::from_utf8_lossy(cursor.take(len)?),
            Err(_) => Cow::Borrowed(""),
        };
        let mut cursor = cursor.flexible(api.is_flexible(api_version));
        cursor.skip_tags()?;
        Ok((Self { api, api_version, correlation_id, client_id }, cursor))
    }
}

/// Begins the frame of a request: its length, to be set, and its header. The writer is in the encoding of the body.
pub fn begin_request<'o>(
    out: &'o mut Vec<u8>,
    api: &Api,
    version: i16,
    correlation_id: i32,
    client_id: Option<&str>,
) -> Writer<'o> {
    let mut writer = Writer::frame(out);
    writer.i16(api.key);
    writer.i16(version);
    writer.i32(correlation_id);
    writer.nullable_string(client_id);
    writer.flexible(api.is_flexible(version));
    writer.no_tags();
    writer
}

/// Begins the frame of an answer: its length, to be set, and its header. The writer is in the encoding of the body.
pub fn begin_response<'o>(out: &'o mut Vec<u8>, api: &Api, version: i16, correlation_id: i32) -> Writer<'o> {
    let mut writer = Writer::frame(out);
    writer.i32(correlation_id);
    writer.flexible(api.response_header_is_flexible(version));
    writer.no_tags();
    writer.flexible(api.is_flexible(version));
    writer
}

/// Reads the header of an answer (behind the length of the frame), and returns the correlation id with the cursor at the
/// body, in its encoding.
pub fn decode_response_header<'a>(frame: &'a [u8], api: &Api, version: i16) -> Result<(i32, Cursor<'a>), WireError> {
    let mut cursor = Cursor::new(frame);
    let correlation_id = cursor.i32()?;
    let mut cursor = cursor.flexible(api.response_header_is_flexible(version));
    cursor.skip_tags()?;
    Ok((correlation_id, cursor.flexible(api.is_flexible(version))))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_table_is_found_by_key() {
        for api in &APIS {
            assert_eq!(api_of(api.key), Some(api));
            assert!(api.version_min <= api.version_stable_max && api.version_stable_max <= api.version_max);
        }
        for key in [i16::MIN, -1, 4, 5, 6, 7, 95, i16::MAX] {
            assert_eq!(api_of(key), None);
        }
    }

    #[test]
    fn a_client_id_that_is_not_utf8_is_read_as_kafka_reads_it() {
        let (header, _) = RequestHeader::decode(b"\0\x12\0\0\0\0\0\x01\0\x02m\xfc").unwrap();
        assert_eq!(header.client_id, "m\u{fffd}");
    }

    #[test]
    fn api_versions_of_the_future_can_be_told() {
        let (header, body) = RequestHeader::decode(b"\0\x12\0\x63\0\0\0\x01\xff\xff\0rest").unwrap();
        assert_eq!((header.api_version, header.api.has_version(header.api_version)), (99, false));
        assert_eq!(body.remaining(), 4);
    }

    #[test]
    fn unknown_keys_are_refused() {
        let error = RequestHeader::decode(b"\0\x04\0\0\0\0\0\x01\xff\xff").unwrap_err();
        assert_eq!(error.to_string(), "unknown API key 4 (at byte 0)");
    }
}
