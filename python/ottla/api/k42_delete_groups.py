"""DeleteGroups (42), v0-3: groups without members, with all they have committed.

v2 flexible · v3 words beside the code (KIP-1331). Needs Delete on each group: GROUP_AUTHORIZATION_FAILED. A group with
members is NON_EMPTY_GROUP, an unknown one GROUP_ID_NOT_FOUND.
"""

from __future__ import annotations

from ottla.api.broker import Broker
from ottla.api.context import RequestContext
from ottla.api.group_access import may
from ottla.coordinator.machine import CoordinatorError
from ottla.errors import ErrorCode
from ottla.security.authorizer import Operation
from ottla.wire.k42_delete_groups import DeletableGroupResult, DeleteGroupsRequest, DeleteGroupsResponse

__all__ = ["delete_groups"]


async def delete_groups(request: DeleteGroupsRequest, context: RequestContext, broker: Broker) -> DeleteGroupsResponse:
    """See the module."""
    names = list(dict.fromkeys(request.groups_names))
    allowed = [group_id for group_id in names if may(context, Operation.DELETE, group_id)]
    answers = await broker.groups.ask_each(
        allowed, str, lambda group_id, shard, outbox, reply: shard.delete_group(group_id, reply, outbox)
    )
    codes = dict.fromkeys(names, ErrorCode.GROUP_AUTHORIZATION_FAILED)
    for group_id, answer in zip(allowed, answers, strict=True):
        codes[group_id] = answer.code if isinstance(answer, CoordinatorError) else answer
    return DeleteGroupsResponse(
        results=tuple(DeletableGroupResult(group_id=group_id, error_code=code) for group_id, code in codes.items())
    )
