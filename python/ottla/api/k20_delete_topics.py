"""DeleteTopics (20), v1-6: delete topics by name or, from v6 on, by id.

Refused: deletion disabled (TOPIC_DELETION_DISABLED, before v3 INVALID_REQUEST), no time (REQUEST_TIMED_OUT): all
topics. Per topic: neither or both of name and id, duplicates: INVALID_REQUEST; unknown: UNKNOWN_TOPIC_OR_PARTITION,
UNKNOWN_TOPIC_ID; without Delete TOPIC_AUTHORIZATION_FAILED, which comes before existence where Describe is missing,
too. Kafka shuffles the results; ours come in the order of the request, which tells as little.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence

from ottla.api.broker import Broker
from ottla.api.context import RequestContext
from ottla.api.waiting import within
from ottla.controller.decision import ApiError, Refused
from ottla.errors import ErrorCode
from ottla.ids import ZERO_UUID
from ottla.metadata.image import Image
from ottla.security.authorizer import Operation
from ottla.wire.k20_delete_topics import (
    DeletableTopicResult,
    DeleteTopicsRequest,
    DeleteTopicsResponse,
    DeleteTopicState,
)

__all__ = ["delete_topics"]

UNKNOWN_TOPIC = ApiError(ErrorCode.UNKNOWN_TOPIC_OR_PARTITION, "This server does not host this topic-partition.")
UNKNOWN_ID = ApiError(ErrorCode.UNKNOWN_TOPIC_ID, "This server does not host this topic ID.")
UNAUTHORIZED = ApiError(ErrorCode.TOPIC_AUTHORIZATION_FAILED, "Topic authorization failed.")
FIRST_VERSION_WITH_DISABLED = 3


async def delete_topics(request: DeleteTopicsRequest, context: RequestContext, broker: Broker) -> DeleteTopicsResponse:
    """See the module."""
    states = (*(DeleteTopicState(name=name) for name in request.topic_names), *request.topics)
    if not broker.settings.delete_topic_enable:
        new = context.api_version >= FIRST_VERSION_WITH_DISABLED
        return _all(states, ErrorCode.TOPIC_DELETION_DISABLED if new else ErrorCode.INVALID_REQUEST)
    image = broker.metadata.image
    results, doomed = _sort_out(states, image, context)
    try:
        outcome = await within(
            request.timeout_ms, lambda: broker.controller.delete_topics(list(doomed)), broker.metadata
        )
    except Refused as refused:
        return _all(states, refused.error.code)
    results += [_result(name, topic_id, outcome[topic_id]) for topic_id, name in doomed.items()]
    return DeleteTopicsResponse(responses=tuple(results))


def _all(states: Sequence[DeleteTopicState], code: ErrorCode) -> DeleteTopicsResponse:
    return DeleteTopicsResponse(responses=tuple(_result(s.name, s.topic_id, ApiError(code)) for s in states))


def _result(name: str | None, topic_id: bytes, error: ApiError) -> DeletableTopicResult:
    return DeletableTopicResult(name=name, topic_id=topic_id, error_code=error.code, error_message=error.message)


def _sort_out(
    states: Sequence[DeleteTopicState], image: Image, context: RequestContext
) -> tuple[list[DeletableTopicResult], dict[bytes, str]]:
    """Results for what cannot be deleted, and the ids and names of what can (``ControllerApis.deleteTopics``)."""
    results: list[DeletableTopicResult] = []
    names: Counter[str] = Counter()
    ids: Counter[bytes] = Counter()
    for state in states:
        if state.name is None and state.topic_id == ZERO_UUID:
            error = ApiError(ErrorCode.INVALID_REQUEST, "Neither topic name nor id were specified.")
            results.append(_result(None, ZERO_UUID, error))
        elif state.name is None:
            ids[state.topic_id] += 1
        elif state.topic_id == ZERO_UUID:
            names[state.name] += 1
        else:
            error = ApiError(ErrorCode.INVALID_REQUEST, "You may not specify both topic name and topic id.")
            results.append(_result(state.name, state.topic_id, error))
    duplicate_name = ApiError(ErrorCode.INVALID_REQUEST, "Duplicate topic name.")
    duplicate_id = ApiError(ErrorCode.INVALID_REQUEST, "Duplicate topic id.")
    results += [_result(name, ZERO_UUID, duplicate_name) for name, count in names.items() if count > 1]
    results += [_result(None, topic_id, duplicate_id) for topic_id, count in ids.items() if count > 1]

    all_deletable = context.authorize(Operation.DELETE)
    doomed: dict[bytes, str] = {}
    for topic_id in (topic_id for topic_id, count in ids.items() if count == 1):
        topic = image.topics.by_id.get(topic_id)
        if topic is None:
            results.append(_result(None, topic_id, UNKNOWN_ID))
        elif all_deletable or context.authorize_topic(Operation.DELETE, topic.name):
            doomed[topic_id] = topic.name
        else:
            visible = context.authorize_topic(Operation.DESCRIBE, topic.name)
            results.append(_result(topic.name if visible else None, topic_id, UNAUTHORIZED))
    for name in (name for name, count in names.items() if count == 1):
        results += _sort_out_name(name, image, context, all_deletable, ids, doomed)
    return results, doomed


def _sort_out_name(
    name: str, image: Image, context: RequestContext, all_deletable: bool, ids: Counter[bytes], doomed: dict[bytes, str]
) -> list[DeletableTopicResult]:
    """Adds a topic given by name to ``doomed``, or says why not."""
    if not all_deletable and not context.authorize_topic(Operation.DESCRIBE, name):
        return [_result(name, ZERO_UUID, UNAUTHORIZED)]
    topic_id = image.topics.id_of.get(name)
    if topic_id is None:
        return [_result(name, ZERO_UUID, UNKNOWN_TOPIC)]
    if not all_deletable and not context.authorize_topic(Operation.DELETE, name):
        return [_result(name, ZERO_UUID, UNAUTHORIZED)]
    if topic_id in doomed or ids[topic_id] > 1:
        doomed.pop(topic_id, None)
        ids[topic_id] += 1
        message = "The provided topic name maps to an ID that was already supplied."
        return [_result(name, topic_id, ApiError(ErrorCode.INVALID_REQUEST, message))]
    doomed[topic_id] = name
    return []
