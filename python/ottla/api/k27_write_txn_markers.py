"""WriteTxnMarkers (27), v1-2: the end of transactions, into the partitions of this broker.

v1 flexible · v2 the transaction version of each marker (KIP-1228)
Needs Alter on the cluster, or ClusterAction: else every partition is CLUSTER_AUTHORIZATION_FAILED. Sent by transaction
coordinators, and by administrators for a transaction that hangs. What is not here is UNKNOWN_TOPIC_OR_PARTITION; the
rest the producer's state on the partition decides. Answers come when the markers are committed.
"""

from __future__ import annotations

from ottla.api.broker import Broker
from ottla.api.context import RequestContext
from ottla.coordinator.log import Marker
from ottla.errors import ErrorCode
from ottla.security.authorizer import Operation
from ottla.transactions.delivery import PlacedMarker
from ottla.wire.k27_write_txn_markers import (
    WritableTxnMarkerPartitionResult,
    WritableTxnMarkerResult,
    WritableTxnMarkerTopicResult,
    WriteTxnMarkersRequest,
    WriteTxnMarkersResponse,
)

__all__ = ["write_txn_markers"]


async def write_txn_markers(
    request: WriteTxnMarkersRequest, context: RequestContext, broker: Broker
) -> WriteTxnMarkersResponse:
    """See the module."""
    placed = [
        PlacedMarker(
            topic.name,
            index,
            Marker(
                marker.producer_id,
                marker.producer_epoch,
                marker.coordinator_epoch,
                marker.transaction_result,
                marker.transaction_version,
            ),
        )
        for marker in request.markers
        for topic in marker.topics
        for index in topic.partition_indexes
    ]
    if context.authorize(Operation.ALTER) or context.authorize(Operation.CLUSTER_ACTION):
        codes = [
            ErrorCode.UNKNOWN_TOPIC_OR_PARTITION if code is ErrorCode.UNKNOWN_TOPIC_ID else code
            for code in await broker.markers.write(placed)
        ]
    else:
        codes = [ErrorCode.CLUSTER_AUTHORIZATION_FAILED] * len(placed)
    producers: dict[int, dict[str, dict[int, ErrorCode]]] = {}
    for (topic, index, marker), code in zip(placed, codes, strict=True):
        producers.setdefault(marker.producer_id, {}).setdefault(topic, {})[index] = code
    return WriteTxnMarkersResponse(
        markers=tuple(
            WritableTxnMarkerResult(
                producer_id=producer_id,
                topics=tuple(
                    WritableTxnMarkerTopicResult(
                        name=name,
                        partitions=tuple(
                            WritableTxnMarkerPartitionResult(partition_index=index, error_code=code)
                            for index, code in partitions.items()
                        ),
                    )
                    for name, partitions in topics.items()
                ),
            )
            for producer_id, topics in producers.items()
        )
    )
