"""AddOffsetsToTxn (25), v0-4: the transaction will commit offsets of this group.

v2 PRODUCER_FENCED · v3 flexible · v4 TRANSACTION_ABORTABLE
Needs Write on the transactional id: TRANSACTIONAL_ID_AUTHORIZATION_FAILED; and Read on the group:
GROUP_AUTHORIZATION_FAILED. What becomes part of the transaction is the group's partition of ``__consumer_offsets``,
whether that topic is there or not. Clients of transaction version 2 do without it.
"""

from __future__ import annotations

from ottla.api import group_access
from ottla.api.broker import Broker
from ottla.api.context import RequestContext
from ottla.api.transaction_access import fenced_as, may
from ottla.errors import ErrorCode
from ottla.groups.coordinator import GROUP_TOPIC
from ottla.security.authorizer import Operation
from ottla.wire.k25_add_offsets_to_txn import AddOffsetsToTxnRequest, AddOffsetsToTxnResponse

__all__ = ["add_offsets_to_txn"]


async def add_offsets_to_txn(
    request: AddOffsetsToTxnRequest, context: RequestContext, broker: Broker
) -> AddOffsetsToTxnResponse:
    """See the module."""
    if not may(context, Operation.WRITE, request.transactional_id):
        return AddOffsetsToTxnResponse(error_code=ErrorCode.TRANSACTIONAL_ID_AUTHORIZATION_FAILED)
    if not group_access.may(context, Operation.READ, request.group_id):
        return AddOffsetsToTxnResponse(error_code=ErrorCode.GROUP_AUTHORIZATION_FAILED)
    (code,) = await broker.transactions.add_partitions(
        request.transactional_id,
        request.producer_id,
        request.producer_epoch,
        [(GROUP_TOPIC, broker.groups.partition_of(request.group_id))],
        verify_only=False,
        transaction_version=0,
    )
    return AddOffsetsToTxnResponse(error_code=fenced_as(code, context.api_version))
