"""InitProducerId (22), v0-5: a producer id and epoch for an idempotent producer.

An idempotent producer gets a new id with epoch 0 each time, whatever id it names. A transactional id is answered
NOT_COORDINATOR, as Kafka answers when the partition of ``__transaction_state`` is not here: this broker coordinates no
transactions, and does not advertise the APIs that would.
"""

from __future__ import annotations

from ottla.api.broker import Broker
from ottla.api.context import RequestContext
from ottla.errors import ErrorCode
from ottla.security.authorizer import Operation, Resource, ResourceType
from ottla.wire.k22_init_producer_id import InitProducerIdRequest, InitProducerIdResponse

__all__ = ["init_producer_id"]

NONE = -1


async def init_producer_id(
    request: InitProducerIdRequest, context: RequestContext, broker: Broker
) -> InitProducerIdResponse:
    """See the module."""
    transactional_id = request.transactional_id
    if transactional_id is not None:
        if not context.authorize(Operation.WRITE, Resource(ResourceType.TRANSACTIONAL_ID, transactional_id)):
            return _failed(ErrorCode.TRANSACTIONAL_ID_AUTHORIZATION_FAILED)
    elif not context.authorize(Operation.IDEMPOTENT_WRITE):
        return _failed(ErrorCode.CLUSTER_AUTHORIZATION_FAILED)
    if (request.producer_id == NONE) != (request.producer_epoch == NONE):
        return _failed(ErrorCode.INVALID_REQUEST)
    if transactional_id is None:
        return InitProducerIdResponse(producer_id=await broker.producer_ids.next(), producer_epoch=0)
    return _failed(ErrorCode.INVALID_REQUEST if transactional_id == "" else ErrorCode.NOT_COORDINATOR)


def _failed(code: ErrorCode) -> InitProducerIdResponse:
    return InitProducerIdResponse(error_code=code, producer_id=NONE, producer_epoch=NONE)
