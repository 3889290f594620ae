"""Every API that the broker speaks: one row each. ApiVersions derives from it, and nothing else decides what is served.

Prior art: Redpanda's ``kafka/server/handlers/handlers.h``. How to add an API: declare it in ``wire/``, write its
handler in the file of the same stem here, add a row, a test, and a line in the changelog.
"""

from __future__ import annotations

import enum
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any, Final, TypeAlias, final

from ottla.api.broker import Broker
from ottla.api.context import RequestContext
from ottla.api.k03_metadata import metadata
from ottla.api.k08_offset_commit import offset_commit
from ottla.api.k09_offset_fetch import offset_fetch
from ottla.api.k10_find_coordinator import find_coordinator
from ottla.api.k11_join_group import join_group
from ottla.api.k12_heartbeat import heartbeat
from ottla.api.k13_leave_group import leave_group
from ottla.api.k14_sync_group import sync_group
from ottla.api.k15_describe_groups import describe_groups
from ottla.api.k16_list_groups import list_groups
from ottla.api.k19_create_topics import create_topics
from ottla.api.k20_delete_topics import delete_topics
from ottla.api.k22_init_producer_id import init_producer_id
from ottla.api.k24_add_partitions_to_txn import add_partitions_to_txn
from ottla.api.k25_add_offsets_to_txn import add_offsets_to_txn
from ottla.api.k26_end_txn import end_txn
from ottla.api.k27_write_txn_markers import write_txn_markers
from ottla.api.k28_txn_offset_commit import txn_offset_commit
from ottla.api.k32_describe_configs import describe_configs
from ottla.api.k35_describe_log_dirs import describe_log_dirs
from ottla.api.k37_create_partitions import create_partitions
from ottla.api.k42_delete_groups import delete_groups
from ottla.api.k44_incremental_alter_configs import incremental_alter_configs
from ottla.api.k47_offset_delete import offset_delete
from ottla.api.k60_describe_cluster import describe_cluster
from ottla.api.k61_describe_producers import describe_producers
from ottla.api.k65_describe_transactions import describe_transactions
from ottla.api.k66_list_transactions import list_transactions
from ottla.api.k68_consumer_group_heartbeat import consumer_group_heartbeat
from ottla.api.k69_consumer_group_describe import consumer_group_describe
from ottla.api.k75_describe_topic_partitions import describe_topic_partitions

__all__ = ["TABLE", "Api", "Authorization", "Handler", "Lane", "Side", "by_key"]

Handler: TypeAlias = Callable[[Any, RequestContext, Broker], object]
"""(request, context, broker) to response; both are the dataclasses of ``ottla.wire`` for the row's key. May be a
coroutine; a plain function answers at once or with a ``Pending``, and must not take long: requests are taken up many
at a time. ``throttle_time_ms`` is left 0: whoever sends the reply patches it, since only the data plane knows the
quota."""


class Side(enum.Enum):
    """Which plane answers."""

    RUST = "rust"
    PYTHON = "python"


class Lane(enum.IntEnum):
    """Requests passed up are drained lane by lane, lowest first."""

    CLUSTER = 0
    GROUPS = 1
    ADMIN = 2


class Authorization(enum.Enum):
    """Where it is decided whether the caller may."""

    NONE = "none"
    """Anybody may ask."""
    IN_HANDLER = "in handler"
    """The handler asks the context, item by item."""
    DATA_PLANE = "data plane"
    """The data plane evaluates the grants of the connection."""


@final
@dataclass(slots=True, frozen=True)
class Api:
    """One API."""

    key: int
    name: str
    versions: range
    """Versions that are accepted."""
    side: Side
    lane: Lane
    authorize: Authorization
    handler: Handler | None = None
    """For the Python side; for a Rust one it serves the requests that the data plane passes up."""
    advertised: range | None = None
    """What ApiVersions says, where it differs."""

    def __post_init__(self) -> None:
        assert self.handler is not None or self.side is Side.RUST, f"{self.name} has nobody to answer it"
        assert self.versions.step == 1
        assert len(self.versions) > 0


def _versions(first: int, last: int) -> range:
    return range(first, last + 1)


_NONE, _HANDLER, _PLANE = Authorization.NONE, Authorization.IN_HANDLER, Authorization.DATA_PLANE
_RUST, _PYTHON = Side.RUST, Side.PYTHON

TABLE: Final[tuple[Api, ...]] = (
    # Produce lists 0-2, which are refused when used: librdkafka took their absence for no support (KAFKA-18659).
    Api(0, "Produce", _versions(3, 13), _RUST, Lane.CLUSTER, _PLANE, advertised=_versions(0, 13)),
    Api(1, "Fetch", _versions(4, 18), _RUST, Lane.CLUSTER, _PLANE),
    Api(2, "ListOffsets", _versions(1, 11), _RUST, Lane.CLUSTER, _PLANE),
    # Answered by the data plane from its view; passed up when it names an unknown topic that may be created.
    Api(3, "Metadata", _versions(0, 13), _RUST, Lane.ADMIN, _PLANE, metadata),
    # Carried out by the data plane for whom the coordinator lets commit; passed up to find out who that is.
    Api(8, "OffsetCommit", _versions(2, 10), _RUST, Lane.GROUPS, _PLANE, offset_commit),
    # Answered by the data plane where one group is asked about and topics are named; passed up for all else.
    Api(9, "OffsetFetch", _versions(1, 10), _RUST, Lane.GROUPS, _PLANE, offset_fetch),
    # Answered by the data plane from its view; passed up for all but groups whose coordinators are there.
    Api(10, "FindCoordinator", _versions(0, 6), _RUST, Lane.GROUPS, _PLANE, find_coordinator),
    Api(11, "JoinGroup", _versions(0, 9), _PYTHON, Lane.GROUPS, _HANDLER, join_group),
    Api(12, "Heartbeat", _versions(0, 4), _PYTHON, Lane.GROUPS, _HANDLER, heartbeat),
    Api(13, "LeaveGroup", _versions(0, 5), _PYTHON, Lane.GROUPS, _HANDLER, leave_group),
    Api(14, "SyncGroup", _versions(0, 5), _PYTHON, Lane.GROUPS, _HANDLER, sync_group),
    Api(15, "DescribeGroups", _versions(0, 6), _PYTHON, Lane.GROUPS, _HANDLER, describe_groups),
    Api(16, "ListGroups", _versions(0, 5), _PYTHON, Lane.GROUPS, _HANDLER, list_groups),
    Api(18, "ApiVersions", _versions(0, 5), _RUST, Lane.CLUSTER, _NONE),
    Api(19, "CreateTopics", _versions(2, 7), _PYTHON, Lane.ADMIN, _HANDLER, create_topics),
    Api(20, "DeleteTopics", _versions(1, 6), _PYTHON, Lane.ADMIN, _HANDLER, delete_topics),
    # Version 6 is unstable in 4.4 and not advertised (KIP-939).
    Api(22, "InitProducerId", _versions(0, 5), _PYTHON, Lane.GROUPS, _HANDLER, init_producer_id),
    Api(23, "OffsetForLeaderEpoch", _versions(2, 4), _RUST, Lane.CLUSTER, _PLANE),
    Api(24, "AddPartitionsToTxn", _versions(0, 5), _PYTHON, Lane.GROUPS, _HANDLER, add_partitions_to_txn),
    Api(25, "AddOffsetsToTxn", _versions(0, 4), _PYTHON, Lane.GROUPS, _HANDLER, add_offsets_to_txn),
    Api(26, "EndTxn", _versions(0, 5), _PYTHON, Lane.GROUPS, _HANDLER, end_txn),
    Api(27, "WriteTxnMarkers", _versions(1, 2), _PYTHON, Lane.CLUSTER, _HANDLER, write_txn_markers),
    Api(28, "TxnOffsetCommit", _versions(0, 6), _PYTHON, Lane.GROUPS, _HANDLER, txn_offset_commit),
    Api(32, "DescribeConfigs", _versions(1, 4), _PYTHON, Lane.ADMIN, _HANDLER, describe_configs),
    Api(35, "DescribeLogDirs", _versions(1, 5), _PYTHON, Lane.ADMIN, _HANDLER, describe_log_dirs),
    Api(37, "CreatePartitions", _versions(0, 3), _PYTHON, Lane.ADMIN, _HANDLER, create_partitions),
    Api(42, "DeleteGroups", _versions(0, 3), _PYTHON, Lane.GROUPS, _HANDLER, delete_groups),
    Api(44, "IncrementalAlterConfigs", _versions(0, 1), _PYTHON, Lane.ADMIN, _HANDLER, incremental_alter_configs),
    Api(47, "OffsetDelete", _versions(0, 0), _PYTHON, Lane.GROUPS, _HANDLER, offset_delete),
    Api(60, "DescribeCluster", _versions(0, 2), _PYTHON, Lane.ADMIN, _HANDLER, describe_cluster),
    Api(61, "DescribeProducers", _versions(0, 0), _PYTHON, Lane.ADMIN, _HANDLER, describe_producers),
    Api(65, "DescribeTransactions", _versions(0, 0), _PYTHON, Lane.GROUPS, _HANDLER, describe_transactions),
    Api(66, "ListTransactions", _versions(0, 2), _PYTHON, Lane.GROUPS, _HANDLER, list_transactions),
    Api(68, "ConsumerGroupHeartbeat", _versions(0, 1), _PYTHON, Lane.GROUPS, _HANDLER, consumer_group_heartbeat),
    Api(69, "ConsumerGroupDescribe", _versions(0, 1), _PYTHON, Lane.GROUPS, _HANDLER, consumer_group_describe),
    Api(75, "DescribeTopicPartitions", _versions(0, 0), _PYTHON, Lane.ADMIN, _HANDLER, describe_topic_partitions),
)

by_key: Final[Mapping[int, Api]] = {api.key: api for api in TABLE}
"""The row of an api key."""
