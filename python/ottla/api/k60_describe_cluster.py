"""DescribeCluster (60), v0-2: the brokers and the id of the cluster.

Anybody may ask; the authorised operations need Describe on the cluster, else 0. Endpoint type 2 (controllers) is
refused on a broker's listener with MISMATCHED_ENDPOINT_TYPE, any other with UNSUPPORTED_ENDPOINT_TYPE (KIP-919). The
controller id is that of a broker, as clients expect to reach it.
"""

from __future__ import annotations

from ottla.api.broker import Broker
from ottla.api.context import RequestContext
from ottla.api.endpoints import brokers_on
from ottla.errors import ErrorCode
from ottla.security.authorizer import CLUSTER, CLUSTER_OPERATIONS, Operation
from ottla.wire.k60_describe_cluster import (
    DescribeClusterBroker,
    DescribeClusterRequest,
    DescribeClusterResponse,
)

__all__ = ["describe_cluster"]

BROKERS, CONTROLLERS = 1, 2
NOT_ASKED = -(2**31)


async def describe_cluster(
    request: DescribeClusterRequest, context: RequestContext, broker: Broker
) -> DescribeClusterResponse:
    """See the module."""
    if request.endpoint_type == CONTROLLERS:
        return DescribeClusterResponse(
            error_code=ErrorCode.MISMATCHED_ENDPOINT_TYPE,
            error_message="The request was sent to an endpoint of type BROKER, "
            "but we wanted an endpoint of type CONTROLLER",
        )
    if request.endpoint_type != BROKERS:
        return DescribeClusterResponse(
            error_code=ErrorCode.UNSUPPORTED_ENDPOINT_TYPE,
            error_message=f"Unsupported endpoint type {request.endpoint_type}",
        )
    operations = NOT_ASKED
    if request.include_cluster_authorized_operations:
        allowed = context.authorize(Operation.DESCRIBE)
        operations = context.operations(CLUSTER_OPERATIONS, CLUSTER) if allowed else 0
    brokers = brokers_on(broker.metadata.image, context, broker, fenced=request.include_fenced_brokers)
    alive = [each.broker_id for each in brokers if not each.fenced]
    return DescribeClusterResponse(
        cluster_id=broker.cluster_id,
        controller_id=alive[0] if alive else -1,
        brokers=tuple(
            DescribeClusterBroker(
                broker_id=each.broker_id, host=each.host, port=each.port, rack=each.rack, is_fenced=each.fenced
            )
            for each in brokers
        ),
        cluster_authorized_operations=operations,
    )
