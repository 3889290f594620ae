"""DescribeTransactions (65), v0: the state of transactional ids (KIP-664).

Needs Describe on each: TRANSACTIONAL_ID_AUTHORIZATION_FAILED; topics that may not be described are left out. One that
nobody has initialized is TRANSACTIONAL_ID_NOT_FOUND.
"""

from __future__ import annotations

import itertools
from typing import Final

from ottla.api.broker import Broker
from ottla.api.context import RequestContext
from ottla.api.transaction_access import may
from ottla.coordinator.machine import CoordinatorError
from ottla.coordinator.slices import Slices
from ottla.errors import ErrorCode
from ottla.security.authorizer import Operation
from ottla.wire.k65_describe_transactions import (
    DescribeTransactionsRequest,
    DescribeTransactionsResponse,
    TransactionState,
)
from ottla.wire.schema import replace

__all__ = ["describe_transactions"]

FEW: Final = 100


async def describe_transactions(
    request: DescribeTransactionsRequest, context: RequestContext, broker: Broker
) -> DescribeTransactionsResponse:
    """See the module. Those who ask about many take turns."""
    if len(request.transactional_ids) <= FEW:
        return await _described(request, context, broker)
    async with broker.transactions.lookers:
        return await _described(request, context, broker)


async def _described(
    request: DescribeTransactionsRequest, context: RequestContext, broker: Broker
) -> DescribeTransactionsResponse:
    allowed = [may(context, Operation.DESCRIBE, each) for each in request.transactional_ids]
    answers = iter(await broker.transactions.describe(list(itertools.compress(request.transactional_ids, allowed))))
    states, slices = [], Slices()
    for transactional_id, is_allowed in zip(request.transactional_ids, allowed, strict=True):
        answer = next(answers) if is_allowed else CoordinatorError(ErrorCode.TRANSACTIONAL_ID_AUTHORIZATION_FAILED)
        if isinstance(answer, CoordinatorError):
            states.append(TransactionState(transactional_id=transactional_id, error_code=answer.code))
        else:
            seen = tuple(each for each in answer.topics if context.authorize_topic(Operation.DESCRIBE, each.topic))
            states.append(answer if len(seen) == len(answer.topics) else replace(answer, topics=seen))
        if len(states) % FEW == 0:
            await slices.pause()
    return DescribeTransactionsResponse(transaction_states=tuple(states))
