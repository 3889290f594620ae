//! Kafka's error codes: the numbers that go over the wire (Kafka class `Errors`).

/// The enumeration and both of its directions, out of one row for each code: variant, number on the wire, Kafka's name.
macro_rules! error_codes {
    ($($(#[$about:meta])* $variant:ident = $code:literal, $name:literal;)*) => {
        /// An error code of the Kafka protocol. The discriminant is the code on the wire.
        #[derive(Clone, Copy, PartialEq, Eq, Hash, Debug, PartialOrd, Ord)]
        #[repr(i16)]
        #[non_exhaustive]
        pub enum ErrorCode {
            $($(#[$about])* $variant = $code,)*
        }

        impl ErrorCode {
            /// The error of a number on the wire; none when this release of Kafka knows no such number.
            #[must_use]
            pub const fn from_code(code: i16) -> Option<Self> {
                match code {
                    $($code => Some(Self::$variant),)*
                    _ => None,
                }
            }

            /// Kafka's name of the code, such as `UNKNOWN_TOPIC_OR_PARTITION`.
            #[must_use]
            pub const fn name(self) -> &'static str {
                match self {
                    $(Self::$variant => $name,)*
                }
            }
        }
    };
}

error_codes! {
    /// Catch-all for a failure inside the server.
    UnknownServerError = -1, "UNKNOWN_SERVER_ERROR";
    /// Success.
    None = 0, "NONE";
    /// Offset below log start or above the readable end.
    OffsetOutOfRange = 1, "OFFSET_OUT_OF_RANGE";
    /// CRC mismatch, bad size, or undecodable batch.
    CorruptMessage = 2, "CORRUPT_MESSAGE";
    /// Topic or partition not hosted or not existing.
    UnknownTopicOrPartition = 3, "UNKNOWN_TOPIC_OR_PARTITION";
    /// Fetch size not acceptable.
    InvalidFetchSize = 4, "INVALID_FETCH_SIZE";
    /// Partition has no leader right now.
    LeaderNotAvailable = 5, "LEADER_NOT_AVAILABLE";
    /// Not the leader (leader-only call) or not a replica (any-replica call).
    NotLeaderOrFollower = 6, "NOT_LEADER_OR_FOLLOWER";
    /// Work did not finish inside the request's time limit.
    RequestTimedOut = 7, "REQUEST_TIMED_OUT";
    /// Broker not reachable (tools only).
    BrokerNotAvailable = 8, "BROKER_NOT_AVAILABLE";
    /// Replica missing for the partition (admin and log-dir calls).
    ReplicaNotAvailable = 9, "REPLICA_NOT_AVAILABLE";
    /// Batch over max.message.bytes.
    MessageTooLarge = 10, "MESSAGE_TOO_LARGE";
    /// Controller epoch in request is old (ZK time; unused by 4.x brokers).
    StaleControllerEpoch = 11, "STALE_CONTROLLER_EPOCH";
    /// Committed metadata string over offset.metadata.max.bytes.
    OffsetMetadataTooLarge = 12, "OFFSET_METADATA_TOO_LARGE";
    /// Client-side: connection lost before the answer.
    NetworkException = 13, "NETWORK_EXCEPTION";
    /// Coordinator still loading its partition.
    CoordinatorLoadInProgress = 14, "COORDINATOR_LOAD_IN_PROGRESS";
    /// Coordinator not yet available (topic missing, no leader).
    CoordinatorNotAvailable = 15, "COORDINATOR_NOT_AVAILABLE";
    /// This broker does not own the group / transactional id / share key.
    NotCoordinator = 16, "NOT_COORDINATOR";
    /// Topic name illegal, or write to an internal topic refused.
    InvalidTopicException = 17, "INVALID_TOPIC_EXCEPTION";
    /// Batch over segment.bytes.
    RecordListTooLarge = 18, "RECORD_LIST_TOO_LARGE";
    /// Acks=all refused before append: ISR below min.insync.replicas.
    NotEnoughReplicas = 19, "NOT_ENOUGH_REPLICAS";
    /// Appended, but ISR fell below min.insync.replicas while waiting.
    NotEnoughReplicasAfterAppend = 20, "NOT_ENOUGH_REPLICAS_AFTER_APPEND";
    /// Acks not in {-1,0,1}.
    InvalidRequiredAcks = 21, "INVALID_REQUIRED_ACKS";
    /// Classic generation differs from the group's.
    IllegalGeneration = 22, "ILLEGAL_GENERATION";
    /// Protocol type or protocols disjoint from the group's, or empty.
    InconsistentGroupProtocol = 23, "INCONSISTENT_GROUP_PROTOCOL";
    /// Group id empty or not allowed.
    InvalidGroupId = 24, "INVALID_GROUP_ID";
    /// Member id not in the group.
    UnknownMemberId = 25, "UNKNOWN_MEMBER_ID";
    /// Session timeout outside group.min/max.session.timeout.ms.
    InvalidSessionTimeout = 26, "INVALID_SESSION_TIMEOUT";
    /// Classic group is rebalancing, member must rejoin.
    RebalanceInProgress = 27, "REBALANCE_IN_PROGRESS";
    /// Offset commit record would not fit in one batch.
    InvalidCommitOffsetSize = 28, "INVALID_COMMIT_OFFSET_SIZE";
    /// Topic not authorised.
    TopicAuthorizationFailed = 29, "TOPIC_AUTHORIZATION_FAILED";
    /// Group not authorised.
    GroupAuthorizationFailed = 30, "GROUP_AUTHORIZATION_FAILED";
    /// Cluster operation not authorised.
    ClusterAuthorizationFailed = 31, "CLUSTER_AUTHORIZATION_FAILED";
    /// Record timestamp outside the allowed window, or `LogAppendTime` set by producer.
    InvalidTimestamp = 32, "INVALID_TIMESTAMP";
    /// SASL mechanism not enabled.
    UnsupportedSaslMechanism = 33, "UNSUPPORTED_SASL_MECHANISM";
    /// Request out of place in the SASL exchange.
    IllegalSaslState = 34, "ILLEGAL_SASL_STATE";
    /// API version (or feature) not supported.
    UnsupportedVersion = 35, "UNSUPPORTED_VERSION";
    /// Create: topic exists.
    TopicAlreadyExists = 36, "TOPIC_ALREADY_EXISTS";
    /// Partition count not valid.
    InvalidPartitions = 37, "INVALID_PARTITIONS";
    /// Replication factor not valid for the live brokers.
    InvalidReplicationFactor = 38, "INVALID_REPLICATION_FACTOR";
    /// Manual replica assignment not valid.
    InvalidReplicaAssignment = 39, "INVALID_REPLICA_ASSIGNMENT";
    /// Config value or name not valid.
    InvalidConfig = 40, "INVALID_CONFIG";
    /// The addressed controller is not active.
    NotController = 41, "NOT_CONTROLLER";
    /// Request malformed or fields contradict each other.
    InvalidRequest = 42, "INVALID_REQUEST";
    /// Stored/requested message format cannot do this.
    UnsupportedForMessageFormat = 43, "UNSUPPORTED_FOR_MESSAGE_FORMAT";
    /// Create-topic or alter-config policy refused.
    PolicyViolation = 44, "POLICY_VIOLATION";
    /// Producer sequence has a gap.
    OutOfOrderSequenceNumber = 45, "OUT_OF_ORDER_SEQUENCE_NUMBER";
    /// Producer sequence already seen (answered as success by the broker).
    DuplicateSequenceNumber = 46, "DUPLICATE_SEQUENCE_NUMBER";
    /// Producer epoch older than the current one.
    InvalidProducerEpoch = 47, "INVALID_PRODUCER_EPOCH";
    /// Transaction state does not allow the operation.
    InvalidTxnState = 48, "INVALID_TXN_STATE";
    /// Producer id not the one mapped to the transactional id.
    InvalidProducerIdMapping = 49, "INVALID_PRODUCER_ID_MAPPING";
    /// Transaction timeout out of range.
    InvalidTransactionTimeout = 50, "INVALID_TRANSACTION_TIMEOUT";
    /// Another change of the same transaction is running; retry.
    ConcurrentTransactions = 51, "CONCURRENT_TRANSACTIONS";
    /// Transaction marker came from an old coordinator epoch.
    TransactionCoordinatorFenced = 52, "TRANSACTION_COORDINATOR_FENCED";
    /// Transactional id not authorised.
    TransactionalIdAuthorizationFailed = 53, "TRANSACTIONAL_ID_AUTHORIZATION_FAILED";
    /// ACL/SCRAM/token call while no authorizer (or feature) is configured.
    SecurityDisabled = 54, "SECURITY_DISABLED";
    /// Batched operation skipped because a sibling failed.
    OperationNotAttempted = 55, "OPERATION_NOT_ATTEMPTED";
    /// Log directory failed under the partition.
    KafkaStorageError = 56, "KAFKA_STORAGE_ERROR";
    /// Log directory path unknown to the broker.
    LogDirNotFound = 57, "LOG_DIR_NOT_FOUND";
    /// SASL credentials refused.
    SaslAuthenticationFailed = 58, "SASL_AUTHENTICATION_FAILED";
    /// No state for the producer id.
    UnknownProducerId = 59, "UNKNOWN_PRODUCER_ID";
    /// Partition is being reassigned.
    ReassignmentInProgress = 60, "REASSIGNMENT_IN_PROGRESS";
    /// Delegation tokens disabled.
    DelegationTokenAuthDisabled = 61, "DELEGATION_TOKEN_AUTH_DISABLED";
    /// Delegation token unknown.
    DelegationTokenNotFound = 62, "DELEGATION_TOKEN_NOT_FOUND";
    /// Principal is neither token owner nor renewer.
    DelegationTokenOwnerMismatch = 63, "DELEGATION_TOKEN_OWNER_MISMATCH";
    /// Token call over a channel that may not do it (PLAINTEXT, 1-way TLS, token-authenticated).
    DelegationTokenRequestNotAllowed = 64, "DELEGATION_TOKEN_REQUEST_NOT_ALLOWED";
    /// Delegation token not authorised.
    DelegationTokenAuthorizationFailed = 65, "DELEGATION_TOKEN_AUTHORIZATION_FAILED";
    /// Delegation token expired.
    DelegationTokenExpired = 66, "DELEGATION_TOKEN_EXPIRED";
    /// Principal type other than User.
    InvalidPrincipalType = 67, "INVALID_PRINCIPAL_TYPE";
    /// Group (or consumer of it) still has members.
    NonEmptyGroup = 68, "NON_EMPTY_GROUP";
    /// Group unknown.
    GroupIdNotFound = 69, "GROUP_ID_NOT_FOUND";
    /// Fetch session id not in the cache.
    FetchSessionIdNotFound = 70, "FETCH_SESSION_ID_NOT_FOUND";
    /// Fetch session epoch not the expected one.
    InvalidFetchSessionEpoch = 71, "INVALID_FETCH_SESSION_EPOCH";
    /// Leader has no endpoint for the listener the client used.
    ListenerNotFound = 72, "LISTENER_NOT_FOUND";
    /// Delete.topic.enable=false.
    TopicDeletionDisabled = 73, "TOPIC_DELETION_DISABLED";
    /// Leader epoch in request is older than the broker's.
    FencedLeaderEpoch = 74, "FENCED_LEADER_EPOCH";
    /// Leader epoch in request is newer than the broker's.
    UnknownLeaderEpoch = 75, "UNKNOWN_LEADER_EPOCH";
    /// Client version cannot read the partition's codec (zstd to old Fetch/Produce).
    UnsupportedCompressionType = 76, "UNSUPPORTED_COMPRESSION_TYPE";
    /// Broker epoch in request is not the current one.
    StaleBrokerEpoch = 77, "STALE_BROKER_EPOCH";
    /// New leader's high watermark not yet past the epoch start; retry.
    OffsetNotAvailable = 78, "OFFSET_NOT_AVAILABLE";
    /// First classic `JoinGroup` (v4+): retry with the id in the answer.
    MemberIdRequired = 79, "MEMBER_ID_REQUIRED";
    /// Preferred replica not alive/in ISR.
    PreferredLeaderNotAvailable = 80, "PREFERRED_LEADER_NOT_AVAILABLE";
    /// Group is full.
    GroupMaxSizeReached = 81, "GROUP_MAX_SIZE_REACHED";
    /// Static member id superseded by a newer member with that instance id.
    FencedInstanceId = 82, "FENCED_INSTANCE_ID";
    /// No eligible leader for unclean election.
    EligibleLeadersNotAvailable = 83, "ELIGIBLE_LEADERS_NOT_AVAILABLE";
    /// Leader already is the wanted one.
    ElectionNotNeeded = 84, "ELECTION_NOT_NEEDED";
    /// No reassignment to cancel.
    NoReassignmentInProgress = 85, "NO_REASSIGNMENT_IN_PROGRESS";
    /// Offsets of a subscribed topic may not be deleted.
    GroupSubscribedToTopic = 86, "GROUP_SUBSCRIBED_TO_TOPIC";
    /// Record failed broker validation.
    InvalidRecord = 87, "INVALID_RECORD";
    /// Transactional offsets pending for the partition (`require_stable`).
    UnstableOffsetCommit = 88, "UNSTABLE_OFFSET_COMMIT";
    /// Controller mutation quota used up.
    ThrottlingQuotaExceeded = 89, "THROTTLING_QUOTA_EXCEEDED";
    /// A newer producer owns the transactional id.
    ProducerFenced = 90, "PRODUCER_FENCED";
    /// Referenced resource (e.g. SCRAM user) missing.
    ResourceNotFound = 91, "RESOURCE_NOT_FOUND";
    /// Same resource twice in one request.
    DuplicateResource = 92, "DUPLICATE_RESOURCE";
    /// SCRAM credential (iterations, salt, name) not acceptable.
    UnacceptableCredential = 93, "UNACCEPTABLE_CREDENTIAL";
    /// Sender or receiver is not in the expected voter set.
    InconsistentVoterSet = 94, "INCONSISTENT_VOTER_SET";
    /// Feature update level not valid.
    InvalidUpdateVersion = 95, "INVALID_UPDATE_VERSION";
    /// Feature update failed.
    FeatureUpdateFailed = 96, "FEATURE_UPDATE_FAILED";
    /// Forwarded principal bytes cannot be decoded.
    PrincipalDeserializationFailure = 97, "PRINCIPAL_DESERIALIZATION_FAILURE";
    /// `KRaft` snapshot id unknown.
    SnapshotNotFound = 98, "SNAPSHOT_NOT_FOUND";
    /// Position outside the `KRaft` snapshot.
    PositionOutOfRange = 99, "POSITION_OUT_OF_RANGE";
    /// Topic id unknown.
    UnknownTopicId = 100, "UNKNOWN_TOPIC_ID";
    /// Broker id already registered by another live incarnation.
    DuplicateBrokerRegistration = 101, "DUPLICATE_BROKER_REGISTRATION";
    /// Broker id not registered.
    BrokerIdNotRegistered = 102, "BROKER_ID_NOT_REGISTERED";
    /// Topic id differs from the one of the log.
    InconsistentTopicId = 103, "INCONSISTENT_TOPIC_ID";
    /// Cluster id differs.
    InconsistentClusterId = 104, "INCONSISTENT_CLUSTER_ID";
    /// Transactional id unknown.
    TransactionalIdNotFound = 105, "TRANSACTIONAL_ID_NOT_FOUND";
    /// Fetch session mixed ids and names.
    FetchSessionTopicIdError = 106, "FETCH_SESSION_TOPIC_ID_ERROR";
    /// Proposed ISR holds a fenced/shutting-down/stale-epoch replica.
    IneligibleReplica = 107, "INELIGIBLE_REPLICA";
    /// `AlterPartition` applied but leadership moved on.
    NewLeaderElected = 108, "NEW_LEADER_ELECTED";
    /// Offset now only in remote storage.
    OffsetMovedToTieredStorage = 109, "OFFSET_MOVED_TO_TIERED_STORAGE";
    /// Member epoch fenced; drop partitions, rejoin with epoch 0.
    FencedMemberEpoch = 110, "FENCED_MEMBER_EPOCH";
    /// Instance id still held by another member.
    UnreleasedInstanceId = 111, "UNRELEASED_INSTANCE_ID";
    /// Server-side assignor unknown.
    UnsupportedAssignor = 112, "UNSUPPORTED_ASSIGNOR";
    /// Member epoch stale; heartbeat first.
    StaleMemberEpoch = 113, "STALE_MEMBER_EPOCH";
    /// Broker API sent to controller endpoint or the reverse.
    MismatchedEndpointType = 114, "MISMATCHED_ENDPOINT_TYPE";
    /// Endpoint type not supported yet.
    UnsupportedEndpointType = 115, "UNSUPPORTED_ENDPOINT_TYPE";
    /// Controller id unknown.
    UnknownControllerId = 116, "UNKNOWN_CONTROLLER_ID";
    /// Telemetry subscription id out of date.
    UnknownSubscriptionId = 117, "UNKNOWN_SUBSCRIPTION_ID";
    /// Telemetry payload over telemetry.max.bytes.
    TelemetryTooLarge = 118, "TELEMETRY_TOO_LARGE";
    /// Controller refused the broker registration.
    InvalidRegistration = 119, "INVALID_REGISTRATION";
    /// Abort the transaction and go on with the same transactional id (KIP-890).
    TransactionAbortable = 120, "TRANSACTION_ABORTABLE";
    /// Share record not in a state for this acknowledgement.
    InvalidRecordState = 121, "INVALID_RECORD_STATE";
    /// Share session not in the cache.
    ShareSessionNotFound = 122, "SHARE_SESSION_NOT_FOUND";
    /// Share session epoch not the expected one.
    InvalidShareSessionEpoch = 123, "INVALID_SHARE_SESSION_EPOCH";
    /// Share state epoch is old.
    FencedStateEpoch = 124, "FENCED_STATE_EPOCH";
    /// Directory id in request is not this voter's.
    InvalidVoterKey = 125, "INVALID_VOTER_KEY";
    /// Voter already in the set.
    DuplicateVoter = 126, "DUPLICATE_VOTER";
    /// Voter not in the set.
    VoterNotFound = 127, "VOTER_NOT_FOUND";
    /// RE2 pattern does not compile.
    InvalidRegularExpression = 128, "INVALID_REGULAR_EXPRESSION";
    /// Client metadata unusable: start again from bootstrap servers (KIP-1102/1242).
    RebootstrapRequired = 129, "REBOOTSTRAP_REQUIRED";
    /// Streams topology not valid.
    StreamsInvalidTopology = 130, "STREAMS_INVALID_TOPOLOGY";
    /// Streams topology epoch not valid.
    StreamsInvalidTopologyEpoch = 131, "STREAMS_INVALID_TOPOLOGY_EPOCH";
    /// Streams topology epoch older than the group's.
    StreamsTopologyFenced = 132, "STREAMS_TOPOLOGY_FENCED";
    /// Group.share.max.share.sessions reached.
    ShareSessionLimitReached = 133, "SHARE_SESSION_LIMIT_REACHED";
    /// `DeleteGroups` failed; cause in the per-group message (v3).
    GroupDeletionFailed = 134, "GROUP_DELETION_FAILED";
    /// Topology description plugin failed (KIP-1331).
    StreamsTopologyDescriptionUpdateFailed = 135, "STREAMS_TOPOLOGY_DESCRIPTION_UPDATE_FAILED";
    /// Controller id not registered (`UnregisterController`).
    ControllerIdNotRegistered = 136, "CONTROLLER_ID_NOT_REGISTERED";
}

impl ErrorCode {
    /// The number on the wire.
    #[must_use]
    pub const fn code(self) -> i16 {
        self as i16
    }

    /// Whether this is [`ErrorCode::None`].
    #[must_use]
    pub const fn is_none(self) -> bool {
        matches!(self, Self::None)
    }
}

impl std::fmt::Display for ErrorCode {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(self.name())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_code_comes_back_from_its_number() {
        let known: Vec<_> =
            (i16::MIN..=i16::MAX).filter_map(|code| Some((code, ErrorCode::from_code(code)?))).collect();
        assert_eq!(known.len(), 138);
        assert!(known.iter().all(|(code, error)| error.code() == *code));
    }
}
