"""CreateTopics (19), v2-7: create topics, and answer when they can be used.

Whole request refused: too many partitions or records (POLICY_VIOLATION), no time (REQUEST_TIMED_OUT); then every topic
has that error. Per topic: duplicate names and ``__cluster_metadata`` are INVALID_REQUEST, no Create on the cluster or
the topic is TOPIC_AUTHORIZATION_FAILED; the rest is decided by ``controller.topics``. Configs are shown to those with
DescribeConfigs.
"""

from __future__ import annotations

from collections import Counter

from ottla.api.broker import Broker
from ottla.api.context import RequestContext
from ottla.api.waiting import within
from ottla.controller.decision import ApiError, Refused
from ottla.controller.topics import failed_topic
from ottla.errors import ErrorCode
from ottla.ids import CLUSTER_METADATA_TOPIC
from ottla.security.authorizer import Operation
from ottla.wire.k19_create_topics import CreateTopicsRequest, CreateTopicsResponse

__all__ = ["create_topics"]


async def create_topics(request: CreateTopicsRequest, context: RequestContext, broker: Broker) -> CreateTopicsResponse:
    """See the module."""
    times = Counter(topic.name for topic in request.topics)
    once = [name for name, count in times.items() if count == 1]
    allowed = [name for name in once if name != CLUSTER_METADATA_TOPIC]
    if not context.authorize(Operation.CREATE):
        allowed = [name for name in allowed if context.authorize_topic(Operation.CREATE, name)]
    describable = frozenset(name for name in allowed if context.authorize_topic(Operation.DESCRIBE_CONFIGS, name))
    creatable = frozenset(allowed)
    wanted = [topic for topic in request.topics if topic.name in creatable]

    try:
        created = await within(
            request.timeout_ms,
            lambda: broker.controller.create_topics(wanted, describable, validate_only=request.validate_only),
            broker.metadata,
        )
    except Refused as refused:
        return CreateTopicsResponse(topics=tuple(failed_topic(topic.name, refused.error) for topic in request.topics))

    duplicate = ApiError(ErrorCode.INVALID_REQUEST, "Duplicate topic name.")
    internal = ApiError(
        ErrorCode.INVALID_REQUEST, f"Creation of internal topic {CLUSTER_METADATA_TOPIC} is prohibited."
    )
    unauthorized = ApiError(ErrorCode.TOPIC_AUTHORIZATION_FAILED, "Authorization failed.")
    return CreateTopicsResponse(
        topics=(
            *created,
            *(failed_topic(name, duplicate) for name, count in times.items() if count > 1),
            *(
                failed_topic(name, internal if name == CLUSTER_METADATA_TOPIC else unauthorized)
                for name in once
                if name not in creatable
            ),
        )
    )
