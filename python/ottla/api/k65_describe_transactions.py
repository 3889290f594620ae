"""DescribeTransactions (65), v0: the state of transactional ids (KIP-664).

Needs Describe on each: TRANSACTIONAL_ID_AUTHORIZATION_FAILED; topics that may not be described are left out. One that
nobody has initialized is TRANSACTIONAL_ID_NOT_FOUND.
"""

from __future__ import annotations

import itertools

from ottla.api.broker import Broker
from ottla.api.context import RequestContext
from ottla.api.transaction_access import may
from ottla.coordinator.machine import CoordinatorError
from ottla.errors import ErrorCode
from ottla.security.authorizer import Operation
from ottla.wire.k65_describe_transactions import (
    DescribeTransactionsRequest,
    DescribeTransactionsResponse,
    TransactionState,
)
from ottla.wire.schema import replace

__all__ = ["describe_transactions"]


async def describe_transactions(
    request: DescribeTransactionsRequest, context: RequestContext, broker: Broker
) -> DescribeTransactionsResponse:
    """See the module."""
    allowed = [may(context, Operation.DESCRIBE, each) for each in request.transactional_ids]
    found: list[TransactionState | CoordinatorError] = await broker.transactions.ask_each(
        list(itertools.compress(request.transactional_ids, allowed)),
        lambda each, shard, outbox, reply: shard.describe(each, reply, outbox),
    )
    answers = iter(found)
    states = []
    for transactional_id, is_allowed in zip(request.transactional_ids, allowed, strict=True):
        if not is_allowed:
            states.append(_failed(transactional_id, ErrorCode.TRANSACTIONAL_ID_AUTHORIZATION_FAILED))
            continue
        answer = next(answers)
        if isinstance(answer, CoordinatorError):
            states.append(_failed(transactional_id, answer.code))
        else:
            seen = tuple(each for each in answer.topics if context.authorize_topic(Operation.DESCRIBE, each.topic))
            states.append(replace(answer, topics=seen))
    return DescribeTransactionsResponse(transaction_states=tuple(states))


def _failed(transactional_id: str, code: ErrorCode) -> TransactionState:
    return TransactionState(transactional_id=transactional_id, error_code=code)
