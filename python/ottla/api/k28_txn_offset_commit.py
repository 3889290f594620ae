"""TxnOffsetCommit (28), v0-6: how far a group has read, if the transaction is committed.

v2 leader epoch · v3 members (KIP-447), flexible · v4 TRANSACTION_ABORTABLE · v5 the broker adds the group's partition
to the transaction (KIP-890) · v6 topic ids, GROUP_ID_NOT_FOUND, STALE_MEMBER_EPOCH (KIP-1319)
Needs Write on the transactional id, else every partition is TRANSACTIONAL_ID_AUTHORIZATION_FAILED; Read on the group:
GROUP_AUTHORIZATION_FAILED. Per topic: Read, else TOPIC_AUTHORIZATION_FAILED; per partition UNKNOWN_TOPIC_OR_PARTITION,
by id UNKNOWN_TOPIC_ID. The first commit of a transaction asks the transaction's coordinator whether that is open, or
makes the group's partition part of it; then the group's coordinator decides.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final

from ottla.api import group_access
from ottla.api.broker import Broker
from ottla.api.context import RequestContext
from ottla.api.transaction_access import may
from ottla.coordinator.log import Producer
from ottla.coordinator.machine import CoordinatorError
from ottla.errors import ErrorCode
from ottla.groups.coordinator import GROUP_TOPIC
from ottla.groups.offsets.answers import transactional_commit_failed
from ottla.metadata.image import Image
from ottla.security.authorizer import Operation
from ottla.wire.k28_txn_offset_commit import (
    TxnOffsetCommitRequest,
    TxnOffsetCommitRequestTopic,
    TxnOffsetCommitResponse,
    TxnOffsetCommitResponseTopic,
)
from ottla.wire.schema import replace

__all__ = ["txn_offset_commit"]

LOADING_SINCE: Final = 2
"""Older clients may crash over COORDINATOR_LOAD_IN_PROGRESS."""
ABORTABLE_SINCE: Final = 4
ADDED_SINCE: Final = 5
STALE_GUARDS_MAX: Final = 2
"""One marker of the transaction before, and one of a coordinator that was not sure of it."""
TOPIC_IDS_SINCE: Final = 6


async def txn_offset_commit(
    request: TxnOffsetCommitRequest, context: RequestContext, broker: Broker
) -> TxnOffsetCommitResponse:
    """See the module."""
    if not may(context, Operation.WRITE, request.transactional_id):
        return transactional_commit_failed(request, ErrorCode.TRANSACTIONAL_ID_AUTHORIZATION_FAILED)
    if not group_access.may(context, Operation.READ, request.group_id):
        return transactional_commit_failed(request, ErrorCode.GROUP_AUTHORIZATION_FAILED)
    refused, wanted = _sort_out(request.topics, context, broker.metadata.image)
    if not wanted:
        return TxnOffsetCommitResponse(topics=tuple(refused))
    asked = replace(request, topics=tuple(wanted))
    try:
        answer = await _committed(asked, context.api_version, broker)
    except CoordinatorError as error:
        code = error.code
        if code is ErrorCode.COORDINATOR_LOAD_IN_PROGRESS and context.api_version < LOADING_SINCE:
            code = ErrorCode.COORDINATOR_NOT_AVAILABLE
        answer = transactional_commit_failed(asked, code)
    return answer if not refused else TxnOffsetCommitResponse(topics=_joined(refused, answer.topics))


async def _committed(request: TxnOffsetCommitRequest, version: int, broker: Broker) -> TxnOffsetCommitResponse:
    """Raises CoordinatorError with the code for all partitions."""
    for _ in range(STALE_GUARDS_MAX):
        try:
            return await _commit(request, version, broker)
        except CoordinatorError as error:
            # The marker of the transaction before took the guard, while the coordinator had this one wait for it.
            if version < ADDED_SINCE or error.code is not ErrorCode.INVALID_TXN_STATE:
                raise
    return await _commit(request, version, broker)


async def _commit(request: TxnOffsetCommitRequest, version: int, broker: Broker) -> TxnOffsetCommitResponse:
    """Raises CoordinatorError with the code for all partitions."""
    if not request.group_id:
        raise CoordinatorError(ErrorCode.INVALID_GROUP_ID)
    transaction_version = 2 if version >= ADDED_SINCE else 0
    producer_id, producer_epoch = request.producer_id, request.producer_epoch
    guard = await broker.groups.verify(request.group_id, producer_id, producer_epoch, transaction_version)
    if guard is not None and (version >= ADDED_SINCE or broker.transactions.config.verify):
        (code,) = await broker.transactions.add_partitions(
            request.transactional_id,
            producer_id,
            producer_epoch,
            [(GROUP_TOPIC, broker.groups.partition_of(request.group_id))],
            verify_only=version < ADDED_SINCE,
            transaction_version=transaction_version,
        )
        if code is not ErrorCode.NONE:
            raise CoordinatorError(_of_verification(code, version))
    producer = Producer(producer_id, producer_epoch, guard, transaction_version)
    return await broker.groups.commit_in_transaction(request, version, producer)


def _of_verification(code: ErrorCode, version: int) -> ErrorCode:
    """``AddPartitionsToTxnManager``: what the coordinator's answer is to a producer."""
    if code is ErrorCode.PRODUCER_FENCED:
        return ErrorCode.INVALID_PRODUCER_EPOCH
    if code is ErrorCode.TRANSACTION_ABORTABLE and version < ABORTABLE_SINCE:
        return ErrorCode.INVALID_TXN_STATE
    return code


def _sort_out(
    topics: Sequence[TxnOffsetCommitRequestTopic], context: RequestContext, image: Image
) -> tuple[list[TxnOffsetCommitResponseTopic], list[TxnOffsetCommitRequestTopic]]:
    """The answers for what cannot be committed, and what goes to the coordinator, with name and id."""
    refused: list[TxnOffsetCommitResponseTopic] = []
    wanted: list[TxnOffsetCommitRequestTopic] = []
    for topic in topics:
        if context.api_version >= TOPIC_IDS_SINCE:
            found = image.topics.by_id.get(topic.topic_id)
            if found is None:
                refused += _refused(topic, ErrorCode.UNKNOWN_TOPIC_ID)
                continue
            name = found.name
        else:
            found, name = image.topics.named(topic.name), topic.name
        if not context.authorize_topic(Operation.READ, name):
            refused += _refused(topic, ErrorCode.TOPIC_AUTHORIZATION_FAILED)
            continue
        if found is not None:
            topic = replace(topic, name=name, topic_id=found.topic_id)
        count = 0 if found is None else len(found.partitions)
        there = tuple(each for each in topic.partitions if 0 <= each.partition_index < count)
        missing = tuple(each for each in topic.partitions if not 0 <= each.partition_index < count)
        if missing or found is None:
            refused += _refused(replace(topic, partitions=missing), ErrorCode.UNKNOWN_TOPIC_OR_PARTITION)
        if there and found is not None:
            wanted.append(replace(topic, partitions=there))
    return refused, wanted


def _refused(topic: TxnOffsetCommitRequestTopic, code: ErrorCode) -> tuple[TxnOffsetCommitResponseTopic, ...]:
    return transactional_commit_failed(TxnOffsetCommitRequest(topics=(topic,)), code).topics


def _joined(
    refused: Sequence[TxnOffsetCommitResponseTopic], answered: Sequence[TxnOffsetCommitResponseTopic]
) -> tuple[TxnOffsetCommitResponseTopic, ...]:
    """Each topic once."""
    topics: dict[tuple[str, bytes], TxnOffsetCommitResponseTopic] = {}
    for topic in (*refused, *answered):
        key = (topic.name, topic.topic_id)
        before = topics.get(key)
        topics[key] = topic if before is None else replace(topic, partitions=before.partitions + topic.partitions)
    return tuple(topics.values())
