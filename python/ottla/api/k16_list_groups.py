"""ListGroups (16), v0-5: the groups that this broker coordinates.

v3 flexible · v4 states (KIP-518) · v5 types (KIP-848). With Describe on the cluster all of them are seen, else those
with Describe on the group. The whole request fails while a partition is loaded (COORDINATOR_LOAD_IN_PROGRESS).
"""

from __future__ import annotations

from ottla.api.broker import Broker
from ottla.api.context import RequestContext
from ottla.api.group_access import may
from ottla.coordinator.machine import CoordinatorError
from ottla.security.authorizer import Operation
from ottla.wire.k16_list_groups import ListedGroup, ListGroupsRequest, ListGroupsResponse

__all__ = ["list_groups"]


async def list_groups(request: ListGroupsRequest, context: RequestContext, broker: Broker) -> ListGroupsResponse:
    """See the module."""
    states = frozenset(state.lower() for state in request.states_filter)
    types = frozenset(kind.lower() for kind in request.types_filter)
    try:
        listed: list[list[ListedGroup]] = await broker.groups.ask_all(
            lambda shard, outbox, reply: shard.list_groups(states, types, reply, outbox)
        )
    except CoordinatorError as error:
        return ListGroupsResponse(error_code=error.code)
    every = context.authorize(Operation.DESCRIBE)
    return ListGroupsResponse(
        groups=tuple(
            group for groups in listed for group in groups if every or may(context, Operation.DESCRIBE, group.group_id)
        )
    )
