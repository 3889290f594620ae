"""AddPartitionsToTxn (24), v0-5: these partitions are part of the transaction; or are they?

v2 PRODUCER_FENCED · v3 flexible · v4 many transactions at once, to add or to verify, from brokers alone (KIP-890) ·
v5 TRANSACTION_ABORTABLE
Clients (to v3) need Write on the transactional id, else every partition is TRANSACTIONAL_ID_AUTHORIZATION_FAILED, and
on each topic that is not internal, else TOPIC_AUTHORIZATION_FAILED; brokers ClusterAction on the cluster:
CLUSTER_AUTHORIZATION_FAILED. What is not there is UNKNOWN_TOPIC_OR_PARTITION. When any partition fails so, none is
added: the others are OPERATION_NOT_ATTEMPTED.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Final

from ottla.api.broker import Broker
from ottla.api.context import RequestContext
from ottla.api.group_access import has_partition
from ottla.api.transaction_access import fenced_as, may
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
TopicPartition = tuple[str, int]


async def add_partitions_to_txn(
    request: AddPartitionsToTxnRequest, context: RequestContext, broker: Broker
) -> AddPartitionsToTxnResponse:
    """See the module."""
    if context.api_version >= MANY_SINCE:
        if not context.authorize(Operation.CLUSTER_ACTION):
            return AddPartitionsToTxnResponse(error_code=ErrorCode.CLUSTER_AUTHORIZATION_FAILED)
        results = [
            AddPartitionsToTxnResult(
                transactional_id=each.transactional_id, topic_results=await _added(each, context, broker)
            )
            for each in request.transactions
        ]
        return AddPartitionsToTxnResponse(results_by_transaction=tuple(results))
    transaction = AddPartitionsToTxnTransaction(
        transactional_id=request.v3_and_below_transactional_id,
        producer_id=request.v3_and_below_producer_id,
        producer_epoch=request.v3_and_below_producer_epoch,
        topics=request.v3_and_below_topics,
    )
    return AddPartitionsToTxnResponse(results_by_topic_v3_and_below=await _added(transaction, context, broker))


async def _added(
    transaction: AddPartitionsToTxnTransaction, context: RequestContext, broker: Broker
) -> tuple[AddPartitionsToTxnTopicResult, ...]:
    partitions = _distinct(transaction.topics)
    from_client = context.api_version < MANY_SINCE
    if from_client and not may(context, Operation.WRITE, transaction.transactional_id):
        return _answered(dict.fromkeys(partitions, ErrorCode.TRANSACTIONAL_ID_AUTHORIZATION_FAILED))
    codes = {each: _refusal(each, context, broker) for each in partitions}
    if any(code is not ErrorCode.NONE for code in codes.values()):
        return _answered({each: code or ErrorCode.OPERATION_NOT_ATTEMPTED for each, code in codes.items()})
    answers = await broker.transactions.add_partitions(
        transaction.transactional_id,
        transaction.producer_id,
        transaction.producer_epoch,
        partitions,
        verify_only=transaction.verify_only and not from_client,
        transaction_version=0 if from_client else 2,
    )
    told = dict(zip(partitions, (fenced_as(code, context.api_version) for code in answers), strict=True))
    return tuple(
        AddPartitionsToTxnTopicResult(
            name=topic.name,
            results_by_partition=tuple(
                AddPartitionsToTxnPartitionResult(partition_index=index, partition_error_code=told[topic.name, index])
                for index in topic.partitions
            ),
        )
        for topic in transaction.topics
    )


def _distinct(topics: Sequence[AddPartitionsToTxnTopic]) -> list[TopicPartition]:
    return list(dict.fromkeys((topic.name, index) for topic in topics for index in topic.partitions))


def _refusal(partition: TopicPartition, context: RequestContext, broker: Broker) -> ErrorCode:
    topic, index = partition
    if context.api_version < MANY_SINCE and (
        topic in INTERNAL_TOPICS or not context.authorize_topic(Operation.WRITE, topic)
    ):
        return ErrorCode.TOPIC_AUTHORIZATION_FAILED
    there = has_partition(broker.metadata.image, topic, index)
    return ErrorCode.NONE if there else ErrorCode.UNKNOWN_TOPIC_OR_PARTITION


def _answered(codes: Mapping[TopicPartition, ErrorCode]) -> tuple[AddPartitionsToTxnTopicResult, ...]:
    topics: dict[str, list[AddPartitionsToTxnPartitionResult]] = {}
    for (topic, index), code in codes.items():
        result = AddPartitionsToTxnPartitionResult(partition_index=index, partition_error_code=code)
        topics.setdefault(topic, []).append(result)
    return tuple(
        AddPartitionsToTxnTopicResult(name=name, results_by_partition=tuple(results))
        for name, results in topics.items()
    )
