//! Kafka's error codes: the numbers that go over the wire (Kafka class `Errors`).

/// An error code of the Kafka protocol. The discriminant is the code on the wire.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug, PartialOrd, Ord)]
#[repr(i16)]
#[non_exhaustive]
pub enum ErrorCode {
    /// Catch-all for a failure inside the server.
    UnknownServerError = -1,
    /// Success.
    None = 0,
    /// Offset below log start or above the readable end.
    OffsetOutOfRange = 1,
    /// CRC mismatch, bad size, or undecodable batch.
    CorruptMessage = 2,
    /// Topic or partition not hosted or not existing.
    UnknownTopicOrPartition = 3,
    /// Fetch size not acceptable.
    InvalidFetchSize = 4,
    /// Partition has no leader right now.
    LeaderNotAvailable = 5,
    /// Not the leader (leader-only call) or not a replica (any-replica call).
    NotLeaderOrFollower = 6,
    /// Work did not finish inside the request's time limit.
    RequestTimedOut = 7,
    /// Broker not reachable (tools only).
    BrokerNotAvailable = 8,
    /// Replica missing for the partition (admin and log-dir calls).
    ReplicaNotAvailable = 9,
    /// Batch over max.message.bytes.
    MessageTooLarge = 10,
    /// Controller epoch in request is old (ZK time; unused by 4.x brokers).
    StaleControllerEpoch = 11,
    /// Committed metadata string over offset.metadata.max.bytes.
    OffsetMetadataTooLarge = 12,
    /// Client-side: connection lost before the answer.
    NetworkException = 13,
    /// Coordinator still loading its partition.
    CoordinatorLoadInProgress = 14,
    /// Coordinator not yet available (topic missing, no leader).
    CoordinatorNotAvailable = 15,
    /// This broker does not own the group / transactional id / share key.
    NotCoordinator = 16,
    /// Topic name illegal, or write to an internal topic refused.
    InvalidTopicException = 17,
    /// Batch over segment.bytes.
    RecordListTooLarge = 18,
    /// Acks=all refused before append: ISR below min.insync.replicas.
    NotEnoughReplicas = 19,
    /// Appended, but ISR fell below min.insync.replicas while waiting.
    NotEnoughReplicasAfterAppend = 20,
    /// Acks not in {-1,0,1}.
    InvalidRequiredAcks = 21,
    /// Classic generation differs from the group's.
    IllegalGeneration = 22,
    /// Protocol type or protocols disjoint from the group's, or empty.
    InconsistentGroupProtocol = 23,
    /// Group id empty or not allowed.
    InvalidGroupId = 24,
    /// Member id not in the group.
    UnknownMemberId = 25,
    /// Session timeout outside group.min/max.session.timeout.ms.
    InvalidSessionTimeout = 26,
    /// Classic group is rebalancing, member must rejoin.
    RebalanceInProgress = 27,
    /// Offset commit record would not fit in one batch.
    InvalidCommitOffsetSize = 28,
    /// Topic not authorised.
    TopicAuthorizationFailed = 29,
    /// Group not authorised.
    GroupAuthorizationFailed = 30,
    /// Cluster operation not authorised.
    ClusterAuthorizationFailed = 31,
    /// Record timestamp outside the allowed window, or `LogAppendTime` set by producer.
    InvalidTimestamp = 32,
    /// SASL mechanism not enabled.
    UnsupportedSaslMechanism = 33,
    /// Request out of place in the SASL exchange.
    IllegalSaslState = 34,
    /// API version (or feature) not supported.
    UnsupportedVersion = 35,
    /// Create: topic exists.
    TopicAlreadyExists = 36,
    /// Partition count not valid.
    InvalidPartitions = 37,
    /// Replication factor not valid for the live brokers.
    InvalidReplicationFactor = 38,
    /// Manual replica assignment not valid.
    InvalidReplicaAssignment = 39,
    /// Config value or name not valid.
    InvalidConfig = 40,
    /// The addressed controller is not active.
    NotController = 41,
    /// Request malformed or fields contradict each other.
    InvalidRequest = 42,
    /// Stored/requested message format cannot do this.
    UnsupportedForMessageFormat = 43,
    /// Create-topic or alter-config policy refused.
    PolicyViolation = 44,
    /// Producer sequence has a gap.
    OutOfOrderSequenceNumber = 45,
    /// Producer sequence already seen (answered as success by the broker).
    DuplicateSequenceNumber = 46,
    /// Producer epoch older than the current one.
    InvalidProducerEpoch = 47,
    /// Transaction state does not allow the operation.
    InvalidTxnState = 48,
    /// Producer id not the one mapped to the transactional id.
    InvalidProducerIdMapping = 49,
    /// Transaction timeout out of range.
    InvalidTransactionTimeout = 50,
    /// Another change of the same transaction is running; retry.
    ConcurrentTransactions = 51,
    /// Transaction marker came from an old coordinator epoch.
    TransactionCoordinatorFenced = 52,
    /// Transactional id not authorised.
    TransactionalIdAuthorizationFailed = 53,
    /// ACL/SCRAM/token call while no authorizer (or feature) is configured.
    SecurityDisabled = 54,
    /// Batched operation skipped because a sibling failed.
    OperationNotAttempted = 55,
    /// Log directory failed under the partition.
    KafkaStorageError = 56,
    /// Log directory path unknown to the broker.
    LogDirNotFound = 57,
    /// SASL credentials refused.
    SaslAuthenticationFailed = 58,
    /// No state for the producer id.
    UnknownProducerId = 59,
    /// Partition is being reassigned.
    ReassignmentInProgress = 60,
    /// Delegation tokens disabled.
    DelegationTokenAuthDisabled = 61,
    /// Delegation token unknown.
    DelegationTokenNotFound = 62,
    /// Principal is neither token owner nor renewer.
    DelegationTokenOwnerMismatch = 63,
    /// Token call over a channel that may not do it (PLAINTEXT, 1-way TLS, token-authenticated).
    DelegationTokenRequestNotAllowed = 64,
    /// Delegation token not authorised.
    DelegationTokenAuthorizationFailed = 65,
    /// Delegation token expired.
    DelegationTokenExpired = 66,
    /// Principal type other than User.
    InvalidPrincipalType = 67,
    /// Group (or consumer of it) still has members.
    NonEmptyGroup = 68,
    /// Group unknown.
    GroupIdNotFound = 69,
    /// Fetch session id not in the cache.
    FetchSessionIdNotFound = 70,
    /// Fetch session epoch not the expected one.
    InvalidFetchSessionEpoch = 71,
    /// Leader has no endpoint for the listener the client used.
    ListenerNotFound = 72,
    /// Delete.topic.enable=false.
    TopicDeletionDisabled = 73,
    /// Leader epoch in request is older than the broker's.
    FencedLeaderEpoch = 74,
    /// Leader epoch in request is newer than the broker's.
    UnknownLeaderEpoch = 75,
    /// Client version cannot read the partition's codec (zstd to old Fetch/Produce).
    UnsupportedCompressionType = 76,
    /// Broker epoch in request is not the current one.
    StaleBrokerEpoch = 77,
    /// New leader's high watermark not yet past the epoch start; retry.
    OffsetNotAvailable = 78,
    /// First classic `JoinGroup` (v4+): retry with the id in the answer.
    MemberIdRequired = 79,
    /// Preferred replica not alive/in ISR.
    PreferredLeaderNotAvailable = 80,
    /// Group is full.
    GroupMaxSizeReached = 81,
    /// Static member id superseded by a newer member with that instance id.
    FencedInstanceId = 82,
    /// No eligible leader for unclean election.
    EligibleLeadersNotAvailable = 83,
    /// Leader already is the wanted one.
    ElectionNotNeeded = 84,
    /// No reassignment to cancel.
    NoReassignmentInProgress = 85,
    /// Offsets of a subscribed topic may not be deleted.
    GroupSubscribedToTopic = 86,
    /// Record failed broker validation.
    InvalidRecord = 87,
    /// Transactional offsets pending for the partition (`require_stable`).
    UnstableOffsetCommit = 88,
    /// Controller mutation quota used up.
    ThrottlingQuotaExceeded = 89,
    /// A newer producer owns the transactional id.
    ProducerFenced = 90,
    /// Referenced resource (e.g. SCRAM user) missing.
    ResourceNotFound = 91,
    /// Same resource twice in one request.
    DuplicateResource = 92,
    /// SCRAM credential (iterations, salt, name) not acceptable.
    UnacceptableCredential = 93,
    /// Sender or receiver is not in the expected voter set.
    InconsistentVoterSet = 94,
    /// Feature update level not valid.
    InvalidUpdateVersion = 95,
    /// Feature update failed.
    FeatureUpdateFailed = 96,
    /// Forwarded principal bytes cannot be decoded.
    PrincipalDeserializationFailure = 97,
    /// `KRaft` snapshot id unknown.
    SnapshotNotFound = 98,
    /// Position outside the `KRaft` snapshot.
    PositionOutOfRange = 99,
    /// Topic id unknown.
    UnknownTopicId = 100,
    /// Broker id already registered by another live incarnation.
    DuplicateBrokerRegistration = 101,
    /// Broker id not registered.
    BrokerIdNotRegistered = 102,
    /// Topic id differs from the one of the log.
    InconsistentTopicId = 103,
    /// Cluster id differs.
    InconsistentClusterId = 104,
    /// Transactional id unknown.
    TransactionalIdNotFound = 105,
    /// Fetch session mixed ids and names.
    FetchSessionTopicIdError = 106,
    /// Proposed ISR holds a fenced/shutting-down/stale-epoch replica.
    IneligibleReplica = 107,
    /// `AlterPartition` applied but leadership moved on.
    NewLeaderElected = 108,
    /// Offset now only in remote storage.
    OffsetMovedToTieredStorage = 109,
    /// Member epoch fenced; drop partitions, rejoin with epoch 0.
    FencedMemberEpoch = 110,
    /// Instance id still held by another member.
    UnreleasedInstanceId = 111,
    /// Server-side assignor unknown.
    UnsupportedAssignor = 112,
    /// Member epoch stale; heartbeat first.
    StaleMemberEpoch = 113,
    /// Broker API sent to controller endpoint or the reverse.
    MismatchedEndpointType = 114,
    /// Endpoint type not supported yet.
    UnsupportedEndpointType = 115,
    /// Controller id unknown.
    UnknownControllerId = 116,
    /// Telemetry subscription id out of date.
    UnknownSubscriptionId = 117,
    /// Telemetry payload over telemetry.max.bytes.
    TelemetryTooLarge = 118,
    /// Controller refused the broker registration.
    InvalidRegistration = 119,
    /// Abort the transaction and go on with the same transactional id (KIP-890).
    TransactionAbortable = 120,
    /// Share record not in a state for this acknowledgement.
    InvalidRecordState = 121,
    /// Share session not in the cache.
    ShareSessionNotFound = 122,
    /// Share session epoch not the expected one.
    InvalidShareSessionEpoch = 123,
    /// Share state epoch is old.
    FencedStateEpoch = 124,
    /// Directory id in request is not this voter's.
    InvalidVoterKey = 125,
    /// Voter already in the set.
    DuplicateVoter = 126,
    /// Voter not in the set.
    VoterNotFound = 127,
    /// RE2 pattern does not compile.
    InvalidRegularExpression = 128,
    /// Client metadata unusable: start again from bootstrap servers (KIP-1102/1242).
    RebootstrapRequired = 129,
    /// Streams topology not valid.
    StreamsInvalidTopology = 130,
    /// Streams topology epoch not valid.
    StreamsInvalidTopologyEpoch = 131,
    /// Streams topology epoch older than the group's.
    StreamsTopologyFenced = 132,
    /// Group.share.max.share.sessions reached.
    ShareSessionLimitReached = 133,
    /// `DeleteGroups` failed; cause in the per-group message (v3).
    GroupDeletionFailed = 134,
    /// Topology description plugin failed (KIP-1331).
    StreamsTopologyDescriptionUpdateFailed = 135,
    /// Controller id not registered (`UnregisterController`).
    ControllerIdNotRegistered = 136,
}

impl ErrorCode {
    /// The number on the wire.
    #[must_use]
    pub const fn code(self) -> i16 {
        self as i16
    }

    /// The error of a number on the wire; none when this release of Kafka knows no such number.
    #[must_use]
    #[allow(clippy::too_many_lines)] // one line per code
    pub const fn from_code(code: i16) -> Option<Self> {
        match code {
            -1 => Some(Self::UnknownServerError),
            0 => Some(Self::None),
            1 => Some(Self::OffsetOutOfRange),
            2 => Some(Self::CorruptMessage),
            3 => Some(Self::UnknownTopicOrPartition),
            4 => Some(Self::InvalidFetchSize),
            5 => Some(Self::LeaderNotAvailable),
            6 => Some(Self::NotLeaderOrFollower),
            7 => Some(Self::RequestTimedOut),
            8 => Some(Self::BrokerNotAvailable),
            9 => Some(Self::ReplicaNotAvailable),
            10 => Some(Self::MessageTooLarge),
            11 => Some(Self::StaleControllerEpoch),
            12 => Some(Self::OffsetMetadataTooLarge),
            13 => Some(Self::NetworkException),
            14 => Some(Self::CoordinatorLoadInProgress),
            15 => Some(Self::CoordinatorNotAvailable),
            16 => Some(Self::NotCoordinator),
            17 => Some(Self::InvalidTopicException),
            18 => Some(Self::RecordListTooLarge),
            19 => Some(Self::NotEnoughReplicas),
            20 => Some(Self::NotEnoughReplicasAfterAppend),
            21 => Some(Self::InvalidRequiredAcks),
            22 => Some(Self::IllegalGeneration),
            23 => Some(Self::InconsistentGroupProtocol),
            24 => Some(Self::InvalidGroupId),
            25 => Some(Self::UnknownMemberId),
            26 => Some(Self::InvalidSessionTimeout),
            27 => Some(Self::RebalanceInProgress),
            28 => Some(Self::InvalidCommitOffsetSize),
            29 => Some(Self::TopicAuthorizationFailed),
            30 => Some(Self::GroupAuthorizationFailed),
            31 => Some(Self::ClusterAuthorizationFailed),
            32 => Some(Self::InvalidTimestamp),
            33 => Some(Self::UnsupportedSaslMechanism),
            34 => Some(Self::IllegalSaslState),
            35 => Some(Self::UnsupportedVersion),
            36 => Some(Self::TopicAlreadyExists),
            37 => Some(Self::InvalidPartitions),
            38 => Some(Self::InvalidReplicationFactor),
            39 => Some(Self::InvalidReplicaAssignment),
            40 => Some(Self::InvalidConfig),
            41 => Some(Self::NotController),
            42 => Some(Self::InvalidRequest),
            43 => Some(Self::UnsupportedForMessageFormat),
            44 => Some(Self::PolicyViolation),
            45 => Some(Self::OutOfOrderSequenceNumber),
            46 => Some(Self::DuplicateSequenceNumber),
            47 => Some(Self::InvalidProducerEpoch),
            48 => Some(Self::InvalidTxnState),
            49 => Some(Self::InvalidProducerIdMapping),
            50 => Some(Self::InvalidTransactionTimeout),
            51 => Some(Self::ConcurrentTransactions),
            52 => Some(Self::TransactionCoordinatorFenced),
            53 => Some(Self::TransactionalIdAuthorizationFailed),
            54 => Some(Self::SecurityDisabled),
            55 => Some(Self::OperationNotAttempted),
            56 => Some(Self::KafkaStorageError),
            57 => Some(Self::LogDirNotFound),
            58 => Some(Self::SaslAuthenticationFailed),
            59 => Some(Self::UnknownProducerId),
            60 => Some(Self::ReassignmentInProgress),
            61 => Some(Self::DelegationTokenAuthDisabled),
            62 => Some(Self::DelegationTokenNotFound),
            63 => Some(Self::DelegationTokenOwnerMismatch),
            64 => Some(Self::DelegationTokenRequestNotAllowed),
            65 => Some(Self::DelegationTokenAuthorizationFailed),
            66 => Some(Self::DelegationTokenExpired),
            67 => Some(Self::InvalidPrincipalType),
            68 => Some(Self::NonEmptyGroup),
            69 => Some(Self::GroupIdNotFound),
            70 => Some(Self::FetchSessionIdNotFound),
            71 => Some(Self::InvalidFetchSessionEpoch),
            72 => Some(Self::ListenerNotFound),
            73 => Some(Self::TopicDeletionDisabled),
            74 => Some(Self::FencedLeaderEpoch),
            75 => Some(Self::UnknownLeaderEpoch),
            76 => Some(Self::UnsupportedCompressionType),
            77 => Some(Self::StaleBrokerEpoch),
            78 => Some(Self::OffsetNotAvailable),
            79 => Some(Self::MemberIdRequired),
            80 => Some(Self::PreferredLeaderNotAvailable),
            81 => Some(Self::GroupMaxSizeReached),
            82 => Some(Self::FencedInstanceId),
            83 => Some(Self::EligibleLeadersNotAvailable),
            84 => Some(Self::ElectionNotNeeded),
            85 => Some(Self::NoReassignmentInProgress),
            86 => Some(Self::GroupSubscribedToTopic),
            87 => Some(Self::InvalidRecord),
            88 => Some(Self::UnstableOffsetCommit),
            89 => Some(Self::ThrottlingQuotaExceeded),
            90 => Some(Self::ProducerFenced),
            91 => Some(Self::ResourceNotFound),
            92 => Some(Self::DuplicateResource),
            93 => Some(Self::UnacceptableCredential),
            94 => Some(Self::InconsistentVoterSet),
            95 => Some(Self::InvalidUpdateVersion),
            96 => Some(Self::FeatureUpdateFailed),
            97 => Some(Self::PrincipalDeserializationFailure),
            98 => Some(Self::SnapshotNotFound),
            99 => Some(Self::PositionOutOfRange),
            100 => Some(Self::UnknownTopicId),
            101 => Some(Self::DuplicateBrokerRegistration),
            102 => Some(Self::BrokerIdNotRegistered),
            103 => Some(Self::InconsistentTopicId),
            104 => Some(Self::InconsistentClusterId),
            105 => Some(Self::TransactionalIdNotFound),
            106 => Some(Self::FetchSessionTopicIdError),
            107 => Some(Self::IneligibleReplica),
            108 => Some(Self::NewLeaderElected),
            109 => Some(Self::OffsetMovedToTieredStorage),
            110 => Some(Self::FencedMemberEpoch),
            111 => Some(Self::UnreleasedInstanceId),
            112 => Some(Self::UnsupportedAssignor),
            113 => Some(Self::StaleMemberEpoch),
            114 => Some(Self::MismatchedEndpointType),
            115 => Some(Self::UnsupportedEndpointType),
            116 => Some(Self::UnknownControllerId),
            117 => Some(Self::UnknownSubscriptionId),
            118 => Some(Self::TelemetryTooLarge),
            119 => Some(Self::InvalidRegistration),
            120 => Some(Self::TransactionAbortable),
            121 => Some(Self::InvalidRecordState),
            122 => Some(Self::ShareSessionNotFound),
            123 => Some(Self::InvalidShareSessionEpoch),
            124 => Some(Self::FencedStateEpoch),
            125 => Some(Self::InvalidVoterKey),
            126 => Some(Self::DuplicateVoter),
            127 => Some(Self::VoterNotFound),
            128 => Some(Self::InvalidRegularExpression),
            129 => Some(Self::RebootstrapRequired),
            130 => Some(Self::StreamsInvalidTopology),
            131 => Some(Self::StreamsInvalidTopologyEpoch),
            132 => Some(Self::StreamsTopologyFenced),
            133 => Some(Self::ShareSessionLimitReached),
            134 => Some(Self::GroupDeletionFailed),
            135 => Some(Self::StreamsTopologyDescriptionUpdateFailed),
            136 => Some(Self::ControllerIdNotRegistered),
            _ => None,
        }
    }

    /// Whether this is [`ErrorCode::None`].
    #[must_use]
    pub const fn is_none(self) -> bool {
        matches!(self, Self::None)
    }

    /// Kafka's name of the code, such as `UNKNOWN_TOPIC_OR_PARTITION`.
    #[must_use]
    #[allow(clippy::too_many_lines)] // one line per code
    pub const fn name(self) -> &'static str {
        match self {
            Self::UnknownServerError => "UNKNOWN_SERVER_ERROR",
            Self::None => "NONE",
            Self::OffsetOutOfRange => "OFFSET_OUT_OF_RANGE",
            Self::CorruptMessage => "CORRUPT_MESSAGE",
            Self::UnknownTopicOrPartition => "UNKNOWN_TOPIC_OR_PARTITION",
            Self::InvalidFetchSize => "INVALID_FETCH_SIZE",
            Self::LeaderNotAvailable => "LEADER_NOT_AVAILABLE",
            Self::NotLeaderOrFollower => "NOT_LEADER_OR_FOLLOWER",
            Self::RequestTimedOut => "REQUEST_TIMED_OUT",
            Self::BrokerNotAvailable => "BROKER_NOT_AVAILABLE",
            Self::ReplicaNotAvailable => "REPLICA_NOT_AVAILABLE",
            Self::MessageTooLarge => "MESSAGE_TOO_LARGE",
            Self::StaleControllerEpoch => "STALE_CONTROLLER_EPOCH",
            Self::OffsetMetadataTooLarge => "OFFSET_METADATA_TOO_LARGE",
            Self::NetworkException => "NETWORK_EXCEPTION",
            Self::CoordinatorLoadInProgress => "COORDINATOR_LOAD_IN_PROGRESS",
            Self::CoordinatorNotAvailable => "COORDINATOR_NOT_AVAILABLE",
            Self::NotCoordinator => "NOT_COORDINATOR",
            Self::InvalidTopicException => "INVALID_TOPIC_EXCEPTION",
            Self::RecordListTooLarge => "RECORD_LIST_TOO_LARGE",
            Self::NotEnoughReplicas => "NOT_ENOUGH_REPLICAS",
            Self::NotEnoughReplicasAfterAppend => "NOT_ENOUGH_REPLICAS_AFTER_APPEND",
            Self::InvalidRequiredAcks => "INVALID_REQUIRED_ACKS",
            Self::IllegalGeneration => "ILLEGAL_GENERATION",
            Self::InconsistentGroupProtocol => "INCONSISTENT_GROUP_PROTOCOL",
            Self::InvalidGroupId => "INVALID_GROUP_ID",
            Self::UnknownMemberId => "UNKNOWN_MEMBER_ID",
            Self::InvalidSessionTimeout => "INVALID_SESSION_TIMEOUT",
            Self::RebalanceInProgress => "REBALANCE_IN_PROGRESS",
            Self::InvalidCommitOffsetSize => "INVALID_COMMIT_OFFSET_SIZE",
            Self::TopicAuthorizationFailed => "TOPIC_AUTHORIZATION_FAILED",
            Self::GroupAuthorizationFailed => "GROUP_AUTHORIZATION_FAILED",
            Self::ClusterAuthorizationFailed => "CLUSTER_AUTHORIZATION_FAILED",
            Self::InvalidTimestamp => "INVALID_TIMESTAMP",
            Self::UnsupportedSaslMechanism => "UNSUPPORTED_SASL_MECHANISM",
            Self::IllegalSaslState => "ILLEGAL_SASL_STATE",
            Self::UnsupportedVersion => "UNSUPPORTED_VERSION",
            Self::TopicAlreadyExists => "TOPIC_ALREADY_EXISTS",
            Self::InvalidPartitions => "INVALID_PARTITIONS",
            Self::InvalidReplicationFactor => "INVALID_REPLICATION_FACTOR",
            Self::InvalidReplicaAssignment => "INVALID_REPLICA_ASSIGNMENT",
            Self::InvalidConfig => "INVALID_CONFIG",
            Self::NotController => "NOT_CONTROLLER",
            Self::InvalidRequest => "INVALID_REQUEST",
            Self::UnsupportedForMessageFormat => "UNSUPPORTED_FOR_MESSAGE_FORMAT",
            Self::PolicyViolation => "POLICY_VIOLATION",
            Self::OutOfOrderSequenceNumber => "OUT_OF_ORDER_SEQUENCE_NUMBER",
            Self::DuplicateSequenceNumber => "DUPLICATE_SEQUENCE_NUMBER",
            Self::InvalidProducerEpoch => "INVALID_PRODUCER_EPOCH",
            Self::InvalidTxnState => "INVALID_TXN_STATE",
            Self::InvalidProducerIdMapping => "INVALID_PRODUCER_ID_MAPPING",
            Self::InvalidTransactionTimeout => "INVALID_TRANSACTION_TIMEOUT",
            Self::ConcurrentTransactions => "CONCURRENT_TRANSACTIONS",
            Self::TransactionCoordinatorFenced => "TRANSACTION_COORDINATOR_FENCED",
            Self::TransactionalIdAuthorizationFailed => "TRANSACTIONAL_ID_AUTHORIZATION_FAILED",
            Self::SecurityDisabled => "SECURITY_DISABLED",
            Self::OperationNotAttempted => "OPERATION_NOT_ATTEMPTED",
            Self::KafkaStorageError => "KAFKA_STORAGE_ERROR",
            Self::LogDirNotFound => "LOG_DIR_NOT_FOUND",
            Self::SaslAuthenticationFailed => "SASL_AUTHENTICATION_FAILED",
            Self::UnknownProducerId => "UNKNOWN_PRODUCER_ID",
            Self::ReassignmentInProgress => "REASSIGNMENT_IN_PROGRESS",
            Self::DelegationTokenAuthDisabled => "DELEGATION_TOKEN_AUTH_DISABLED",
            Self::DelegationTokenNotFound => "DELEGATION_TOKEN_NOT_FOUND",
            Self::DelegationTokenOwnerMismatch => "DELEGATION_TOKEN_OWNER_MISMATCH",
            Self::DelegationTokenRequestNotAllowed => "DELEGATION_TOKEN_REQUEST_NOT_ALLOWED",
            Self::DelegationTokenAuthorizationFailed => "DELEGATION_TOKEN_AUTHORIZATION_FAILED",
            Self::DelegationTokenExpired => "DELEGATION_TOKEN_EXPIRED",
            Self::InvalidPrincipalType => "INVALID_PRINCIPAL_TYPE",
            Self::NonEmptyGroup => "NON_EMPTY_GROUP",
            Self::GroupIdNotFound => "GROUP_ID_NOT_FOUND",
            Self::FetchSessionIdNotFound => "FETCH_SESSION_ID_NOT_FOUND",
            Self::InvalidFetchSessionEpoch => "INVALID_FETCH_SESSION_EPOCH",
            Self::ListenerNotFound => "LISTENER_NOT_FOUND",
            Self::TopicDeletionDisabled => "TOPIC_DELETION_DISABLED",
            Self::FencedLeaderEpoch => "FENCED_LEADER_EPOCH",
            Self::UnknownLeaderEpoch => "UNKNOWN_LEADER_EPOCH",
            Self::UnsupportedCompressionType => "UNSUPPORTED_COMPRESSION_TYPE",
            Self::StaleBrokerEpoch => "STALE_BROKER_EPOCH",
            Self::OffsetNotAvailable => "OFFSET_NOT_AVAILABLE",
            Self::MemberIdRequired => "MEMBER_ID_REQUIRED",
            Self::PreferredLeaderNotAvailable => "PREFERRED_LEADER_NOT_AVAILABLE",
            Self::GroupMaxSizeReached => "GROUP_MAX_SIZE_REACHED",
            Self::FencedInstanceId => "FENCED_INSTANCE_ID",
            Self::EligibleLeadersNotAvailable => "ELIGIBLE_LEADERS_NOT_AVAILABLE",
            Self::ElectionNotNeeded => "ELECTION_NOT_NEEDED",
            Self::NoReassignmentInProgress => "NO_REASSIGNMENT_IN_PROGRESS",
            Self::GroupSubscribedToTopic => "GROUP_SUBSCRIBED_TO_TOPIC",
            Self::InvalidRecord => "INVALID_RECORD",
            Self::UnstableOffsetCommit => "UNSTABLE_OFFSET_COMMIT",
            Self::ThrottlingQuotaExceeded => "THROTTLING_QUOTA_EXCEEDED",
            Self::ProducerFenced => "PRODUCER_FENCED",
            Self::ResourceNotFound => "RESOURCE_NOT_FOUND",
            Self::DuplicateResource => "DUPLICATE_RESOURCE",
            Self::UnacceptableCredential => "UNACCEPTABLE_CREDENTIAL",
            Self::InconsistentVoterSet => "INCONSISTENT_VOTER_SET",
            Self::InvalidUpdateVersion => "INVALID_UPDATE_VERSION",
            Self::FeatureUpdateFailed => "FEATURE_UPDATE_FAILED",
            Self::PrincipalDeserializationFailure => "PRINCIPAL_DESERIALIZATION_FAILURE",
            Self::SnapshotNotFound => "SNAPSHOT_NOT_FOUND",
            Self::PositionOutOfRange => "POSITION_OUT_OF_RANGE",
            Self::UnknownTopicId => "UNKNOWN_TOPIC_ID",
            Self::DuplicateBrokerRegistration => "DUPLICATE_BROKER_REGISTRATION",
            Self::BrokerIdNotRegistered => "BROKER_ID_NOT_REGISTERED",
            Self::InconsistentTopicId => "INCONSISTENT_TOPIC_ID",
            Self::InconsistentClusterId => "INCONSISTENT_CLUSTER_ID",
            Self::TransactionalIdNotFound => "TRANSACTIONAL_ID_NOT_FOUND",
            Self::FetchSessionTopicIdError => "FETCH_SESSION_TOPIC_ID_ERROR",
            Self::IneligibleReplica => "INELIGIBLE_REPLICA",
            Self::NewLeaderElected => "NEW_LEADER_ELECTED",
            Self::OffsetMovedToTieredStorage => "OFFSET_MOVED_TO_TIERED_STORAGE",
            Self::FencedMemberEpoch => "FENCED_MEMBER_EPOCH",
            Self::UnreleasedInstanceId => "UNRELEASED_INSTANCE_ID",
            Self::UnsupportedAssignor => "UNSUPPORTED_ASSIGNOR",
            Self::StaleMemberEpoch => "STALE_MEMBER_EPOCH",
            Self::MismatchedEndpointType => "MISMATCHED_ENDPOINT_TYPE",
            Self::UnsupportedEndpointType => "UNSUPPORTED_ENDPOINT_TYPE",
            Self::UnknownControllerId => "UNKNOWN_CONTROLLER_ID",
            Self::UnknownSubscriptionId => "UNKNOWN_SUBSCRIPTION_ID",
            Self::TelemetryTooLarge => "TELEMETRY_TOO_LARGE",
            Self::InvalidRegistration => "INVALID_REGISTRATION",
            Self::TransactionAbortable => "TRANSACTION_ABORTABLE",
            Self::InvalidRecordState => "INVALID_RECORD_STATE",
            Self::ShareSessionNotFound => "SHARE_SESSION_NOT_FOUND",
            Self::InvalidShareSessionEpoch => "INVALID_SHARE_SESSION_EPOCH",
            Self::FencedStateEpoch => "FENCED_STATE_EPOCH",
            Self::InvalidVoterKey => "INVALID_VOTER_KEY",
            Self::DuplicateVoter => "DUPLICATE_VOTER",
            Self::VoterNotFound => "VOTER_NOT_FOUND",
            Self::InvalidRegularExpression => "INVALID_REGULAR_EXPRESSION",
            Self::RebootstrapRequired => "REBOOTSTRAP_REQUIRED",
            Self::StreamsInvalidTopology => "STREAMS_INVALID_TOPOLOGY",
            Self::StreamsInvalidTopologyEpoch => "STREAMS_INVALID_TOPOLOGY_EPOCH",
            Self::StreamsTopologyFenced => "STREAMS_TOPOLOGY_FENCED",
            Self::ShareSessionLimitReached => "SHARE_SESSION_LIMIT_REACHED",
            Self::GroupDeletionFailed => "GROUP_DELETION_FAILED",
            Self::StreamsTopologyDescriptionUpdateFailed => "STREAMS_TOPOLOGY_DESCRIPTION_UPDATE_FAILED",
            Self::ControllerIdNotRegistered => "CONTROLLER_ID_NOT_REGISTERED",
        }
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
