"""InitProducerId: what is wrong with a request, whatever the state of its transactional id.

Prior art: ``handleInitProducerIdRequest`` of Kafka's ``KafkaApis``, and the first checks of ``handleInitProducerId``.
"""

from __future__ import annotations

from ottla.errors import ErrorCode
from ottla.transactions.changes import NO_EPOCH, NO_ID
from ottla.transactions.config import TransactionsConfig
from ottla.wire.k22_init_producer_id import InitProducerIdRequest

__all__ = ["check_init"]


def check_init(request: InitProducerIdRequest, config: TransactionsConfig) -> ErrorCode:
    """NONE, INVALID_REQUEST, TRANSACTIONAL_ID_AUTHORIZATION_FAILED (two phases are switched off), UNSUPPORTED_VERSION
    (prepared transactions are not kept, as in Kafka 4.4), INVALID_TRANSACTION_TIMEOUT. For a request with a
    transactional id; to be asked before its partition is looked for."""
    if (request.producer_id == NO_ID) != (request.producer_epoch == NO_EPOCH):
        return ErrorCode.INVALID_REQUEST
    if not request.transactional_id:
        return ErrorCode.INVALID_REQUEST
    if request.enable2_pc and not config.two_phase_commit:
        return ErrorCode.TRANSACTIONAL_ID_AUTHORIZATION_FAILED
    if request.keep_prepared_txn:
        return ErrorCode.UNSUPPORTED_VERSION
    if not request.enable2_pc and not 0 < request.transaction_timeout_ms <= config.timeout_ms_max:
        return ErrorCode.INVALID_TRANSACTION_TIMEOUT
    return ErrorCode.NONE
