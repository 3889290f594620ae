"""CreatePartitions (37), v0-3: give topics more partitions, and answer when they can be used.

Per topic: duplicates INVALID_REQUEST, no Alter TOPIC_AUTHORIZATION_FAILED, the rest is decided by
``controller.topics``.
"""

from __future__ import annotations

from collections import Counter

from ottla.api.broker import Broker
from ottla.api.context import RequestContext
from ottla.api.waiting import within
from ottla.controller.decision import ApiError, Refused
from ottla.errors import ErrorCode
from ottla.security.authorizer import Operation
from ottla.wire.k37_create_partitions import (
    CreatePartitionsRequest,
    CreatePartitionsResponse,
    CreatePartitionsTopicResult,
)

__all__ = ["create_partitions"]


async def create_partitions(
    request: CreatePartitionsRequest, context: RequestContext, broker: Broker
) -> CreatePartitionsResponse:
    """See the module."""
    times = Counter(topic.name for topic in request.topics)
    once = [topic for topic in request.topics if times[topic.name] == 1]
    allowed = [topic for topic in once if context.authorize_topic(Operation.ALTER, topic.name)]
    refused_names = [topic.name for topic in once if topic not in allowed]
    try:
        grown = await within(
            request.timeout_ms,
            lambda: broker.controller.create_partitions(allowed, validate_only=request.validate_only),
            broker.metadata,
        )
    except Refused as refused:
        return CreatePartitionsResponse(results=tuple(_failed(topic.name, refused.error) for topic in request.topics))
    duplicate = ApiError(ErrorCode.INVALID_REQUEST, "Duplicate topic name.")
    unauthorized = ApiError(ErrorCode.TOPIC_AUTHORIZATION_FAILED)
    return CreatePartitionsResponse(
        results=(
            *(_failed(name, duplicate) for name, count in times.items() if count > 1),
            *(_failed(name, unauthorized) for name in refused_names),
            *grown,
        )
    )


def _failed(name: str, error: ApiError) -> CreatePartitionsTopicResult:
    return CreatePartitionsTopicResult(name=name, error_code=error.code, error_message=error.message)
