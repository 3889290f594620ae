"""AddPartitionsToTxn (24), v0-5: these partitions are part of the transaction; or are they?

v2 PRODUCER_FENCED · v3 flexible · v4 many transactions at once, to add or to verify, from brokers alone (KIP-890) ·
v5 TRANSACTION_ABORTABLE
Clients (to v3) need Write on the transactional id, else every partition is TRANSACTIONAL_ID_AUTHORIZATION_FAILED, and
on each topic that is not internal, else TOPIC_AUTHORIZATION_FAILED; brokers ClusterAction on the cluster:
CLUSTER_AUTHORIZATION_FAILED. What is not there is UNKNOWN_TOPIC_OR_PARTITION. When any partition fails so, none is
added: the others are OPERATION_NOT_ATTEMPTED.
"""

from __future__ import annotations

from collections.abc import Awaitable, Mapping, Sequence
from typing import Final, TypeAlias

from ottla.api.broker import Broker
from ottla.api.context import RequestContext
from ottla.api.group_access import has_partition
from ottla.api.pending import Pending
from ottla.api.transaction_access import fenced_as, may
from ottla.coordinator.slices import Slices
from ottla.errors import ErrorCode
from ottla.metadata.image import INTERNAL_TOPICS
from ottla.security.authorizer import Operation
from ottla.wire.k24_add_partitions_to_txn import (
    AddPartitionsToTxnPartitionResult,
    AddPartitionsToTxnRequest,
    AddPartitionsToTxnResponse,
    AddPartitionsToTxnResult,
    AddPartitionsToTxnTopic,
    AddPartitionsToTxnTopicResult,
    AddPartitionsToTxnTransaction,
)

__all__ = ["add_partitions_to_txn"]

MANY_SINCE: Final = 4
PARTITIONS_AT_ONCE: Final = 500
"""Some 2 ms. A request of more is worked at in slices."""
TopicPartition: TypeAlias = tuple[str, int]
Results: TypeAlias = tuple[AddPartitionsToTxnTopicResult, ...]
Answer: TypeAlias = "AddPartitionsToTxnResponse | Pending[AddPartitionsToTxnResponse]"


def add_partitions_to_txn(
    request: AddPartitionsToTxnRequest, context: RequestContext, broker: Broker
) -> Answer | Awaitable[AddPartitionsToTxnResponse]:
    """See the module."""
    if context.api_version >= MANY_SINCE:
        return _of_broker(request, context, broker)
    if sum(len(topic.partitions) for topic in request.v3_and_below_topics) > PARTITIONS_AT_ONCE:
        return _of_large_client(request, context, broker)
    return _of_client(request, context, broker)


def _of_client(request: AddPartitionsToTxnRequest, context: RequestContext, broker: Broker) -> Answer:
    transactional_id, topics = request.v3_and_below_transactional_id, request.v3_and_below_topics
    partitions = _distinct(topics)
    if not may(context, Operation.WRITE, transactional_id):
        return _to_client(_answered(dict.fromkeys(partitions, ErrorCode.TRANSACTIONAL_ID_AUTHORIZATION_FAILED)))
    refused = _refused(partitions, context, broker)
    if refused is not None:
        return _to_client(_answered(refused))
    reply = broker.transactions.begin_add(
        transactional_id,
        request.v3_and_below_producer_id,
        request.v3_and_below_producer_epoch,
        partitions,
        verify_only=False,
        transaction_version=0,
    )

    return Pending(
        reply,
        lambda error: [error.code] * len(partitions),
        lambda codes: _to_client(_told(topics, partitions, codes, context)),
        is_fixed=True,
    )


async def _of_large_client(
    request: AddPartitionsToTxnRequest, context: RequestContext, broker: Broker
) -> AddPartitionsToTxnResponse:
    """As ``_of_client``, giving way to others."""
    transactional_id, slices = request.v3_and_below_transactional_id, Slices()
    pieces = [
        AddPartitionsToTxnTopic(name=topic.name, partitions=topic.partitions[start : start + PARTITIONS_AT_ONCE])
        for topic in request.v3_and_below_topics
        for start in range(0, len(topic.partitions), PARTITIONS_AT_ONCE)
    ]
    is_allowed = may(context, Operation.WRITE, transactional_id)
    codes: dict[TopicPartition, ErrorCode] = {}
    for piece in pieces:
        for each in _distinct((piece,)):
            codes[each] = (
                _refusal(each, context, broker) if is_allowed else ErrorCode.TRANSACTIONAL_ID_AUTHORIZATION_FAILED
            )
        await slices.pause()
    refused = any(codes.values())
    await slices.pause()
    if not refused:
        partitions = list(codes)
        added = await broker.transactions.add_partitions(
            transactional_id,
            request.v3_and_below_producer_id,
            request.v3_and_below_producer_epoch,
            partitions,
            verify_only=False,
            transaction_version=0,
        )
        slices = Slices()
        codes = dict(zip(partitions, added, strict=True))
    results: dict[str, list[AddPartitionsToTxnPartitionResult]] = {}
    for piece in pieces:
        results.setdefault(piece.name, []).extend(
            AddPartitionsToTxnPartitionResult(
                partition_index=index,
                partition_error_code=fenced_as(
                    codes[piece.name, index] or (ErrorCode.OPERATION_NOT_ATTEMPTED if refused else ErrorCode.NONE),
                    context.api_version,
                ),
            )
            for index in piece.partitions
        )
        await slices.pause()
    return _to_client(
        tuple(
            AddPartitionsToTxnTopicResult(name=name, results_by_partition=tuple(found))
            for name, found in results.items()
        )
    )


async def _of_broker(
    request: AddPartitionsToTxnRequest, context: RequestContext, broker: Broker
) -> AddPartitionsToTxnResponse:
    if not context.authorize(Operation.CLUSTER_ACTION):
        return AddPartitionsToTxnResponse(error_code=ErrorCode.CLUSTER_AUTHORIZATION_FAILED)
    results = [
        AddPartitionsToTxnResult(
            transactional_id=each.transactional_id, topic_results=await _added(each, context, broker)
        )
        for each in request.transactions
    ]
    return AddPartitionsToTxnResponse(results_by_transaction=tuple(results))


async def _added(transaction: AddPartitionsToTxnTransaction, context: RequestContext, broker: Broker) -> Results:
    partitions = _distinct(transaction.topics)
    refused = _refused(partitions, context, broker)
    if refused is not None:
        return _answered(refused)
    codes = await broker.transactions.add_partitions(
        transaction.transactional_id,
        transaction.producer_id,
        transaction.producer_epoch,
        partitions,
        verify_only=transaction.verify_only,
        transaction_version=2,
    )
    return _told(transaction.topics, partitions, codes, context)


def _to_client(results: Results) -> AddPartitionsToTxnResponse:
    return AddPartitionsToTxnResponse(results_by_topic_v3_and_below=results)


def _told(
    topics: Sequence[AddPartitionsToTxnTopic],
    partitions: Sequence[TopicPartition],
    codes: Sequence[ErrorCode],
    context: RequestContext,
) -> Results:
    """The answer of the coordinator, in the order of the request."""
    told = dict(zip(partitions, (fenced_as(code, context.api_version) for code in codes), strict=True))
    return tuple(
        AddPartitionsToTxnTopicResult(
            name=topic.name,
            results_by_partition=tuple(
                AddPartitionsToTxnPartitionResult(partition_index=index, partition_error_code=told[topic.name, index])
                for index in topic.partitions
            ),
        )
        for topic in topics
    )


def _distinct(topics: Sequence[AddPartitionsToTxnTopic]) -> list[TopicPartition]:
    return list(dict.fromkeys((topic.name, index) for topic in topics for index in topic.partitions))


def _refused(
    partitions: Sequence[TopicPartition], context: RequestContext, broker: Broker
) -> dict[TopicPartition, ErrorCode] | None:
    """Why none is added; None when nothing is against it."""
    codes = {each: _refusal(each, context, broker) for each in partitions}
    if all(code is ErrorCode.NONE for code in codes.values()):
        return None
    return {each: code or ErrorCode.OPERATION_NOT_ATTEMPTED for each, code in codes.items()}


def _refusal(partition: TopicPartition, context: RequestContext, broker: Broker) -> ErrorCode:
    topic, index = partition
    if context.api_version < MANY_SINCE and (
        topic in INTERNAL_TOPICS or not context.authorize_topic(Operation.WRITE, topic)
    ):
        return ErrorCode.TOPIC_AUTHORIZATION_FAILED
    there = has_partition(broker.metadata.image, topic, index)
    return ErrorCode.NONE if there else ErrorCode.UNKNOWN_TOPIC_OR_PARTITION


def _answered(codes: Mapping[TopicPartition, ErrorCode]) -> Results:
    topics: dict[str, list[AddPartitionsToTxnPartitionResult]] = {}
    for (topic, index), code in codes.items():
        result = AddPartitionsToTxnPartitionResult(partition_index=index, partition_error_code=code)
        topics.setdefault(topic, []).append(result)
    return tuple(
        AddPartitionsToTxnTopicResult(name=name, results_by_partition=tuple(results))
        for name, results in topics.items()
    )
