"""EndTxn (26), v0-5: commit or abort.

v2 PRODUCER_FENCED · v3 flexible · v4 TRANSACTION_ABORTABLE · v5 the producer id and epoch to go on with (KIP-890)
Needs Write on the transactional id: TRANSACTIONAL_ID_AUTHORIZATION_FAILED. The answer comes when it is decided for
good; the partitions get their markers after that.
"""

from __future__ import annotations

from functools import partial

from ottla.api.broker import Broker
from ottla.api.context import RequestContext
from ottla.api.pending import Pending
from ottla.api.transaction_access import fenced_as, may
from ottla.coordinator.machine import CoordinatorError, Reply
from ottla.errors import ErrorCode
from ottla.security.authorizer import Operation
from ottla.wire.k26_end_txn import EndTxnRequest, EndTxnResponse

__all__ = ["end_txn"]


def end_txn(
    request: EndTxnRequest, context: RequestContext, broker: Broker
) -> EndTxnResponse | Pending[EndTxnResponse]:
    """See the module."""
    version = context.api_version
    if not may(context, Operation.WRITE, request.transactional_id):
        return EndTxnResponse(error_code=ErrorCode.TRANSACTIONAL_ID_AUTHORIZATION_FAILED)
    reply: Reply[EndTxnResponse] = broker.transactions.begin(
        request.transactional_id, lambda shard, outbox, reply: shard.end_txn(request, version, reply, outbox)
    )
    return Pending(reply, _failed, partial(_for_version, version), is_fixed=True)


def _failed(error: CoordinatorError) -> EndTxnResponse:
    return EndTxnResponse(error_code=error.code)


def _for_version(version: int, answer: EndTxnResponse) -> EndTxnResponse:
    if answer.error_code == ErrorCode.NONE:
        return answer
    return EndTxnResponse(error_code=fenced_as(answer.error_code, version))
