"""InitProducerId (22), v0-5: a producer id and epoch, for an idempotent producer or a transactional id.

v2 flexible · v3 the pair to go on with (KIP-360) · v4 PRODUCER_FENCED · v5 TRANSACTION_ABORTABLE
Needs Write on the transactional id: TRANSACTIONAL_ID_AUTHORIZATION_FAILED; without one IdempotentWrite on the cluster:
CLUSTER_AUTHORIZATION_FAILED. An idempotent producer gets a new id with epoch 0 each time, whatever pair it names; what
becomes of a transactional id its coordinator decides.
"""

from __future__ import annotations

from typing import Final

from ottla.api.broker import Broker
from ottla.api.context import RequestContext
from ottla.api.transaction_access import fenced_as, may
from ottla.coordinator.machine import CoordinatorError
from ottla.errors import ErrorCode
from ottla.security.authorizer import Operation
from ottla.transactions.checks import check_init
from ottla.wire.k22_init_producer_id import InitProducerIdRequest, InitProducerIdResponse

__all__ = ["init_producer_id"]

NONE: Final = -1
FENCED_SINCE: Final = 4


async def init_producer_id(
    request: InitProducerIdRequest, context: RequestContext, broker: Broker
) -> InitProducerIdResponse:
    """See the module."""
    transactional_id = request.transactional_id
    if transactional_id is not None:
        if not may(context, Operation.WRITE, transactional_id):
            return _failed(ErrorCode.TRANSACTIONAL_ID_AUTHORIZATION_FAILED)
    elif not context.authorize(Operation.IDEMPOTENT_WRITE):
        return _failed(ErrorCode.CLUSTER_AUTHORIZATION_FAILED)
    if transactional_id is None:
        if (request.producer_id == NONE) != (request.producer_epoch == NONE):
            return _failed(ErrorCode.INVALID_REQUEST)
        return InitProducerIdResponse(producer_id=await broker.producer_ids.next(), producer_epoch=0)
    code = check_init(request, broker.transactions.config)
    if code is not ErrorCode.NONE:
        return _failed(code)
    # A new transactional id takes one, without waiting.
    await broker.producer_ids.ready()
    try:
        answer: InitProducerIdResponse = await broker.transactions.ask(
            transactional_id, lambda shard, outbox, reply: shard.init_producer_id(request, reply, outbox)
        )
    except CoordinatorError as error:
        return _failed(error.code)
    if answer.error_code == ErrorCode.NONE:
        return answer
    return _failed(fenced_as(answer.error_code, context.api_version, FENCED_SINCE))


def _failed(code: ErrorCode) -> InitProducerIdResponse:
    return InitProducerIdResponse(error_code=code, producer_id=NONE, producer_epoch=NONE)
