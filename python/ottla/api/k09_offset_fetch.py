"""OffsetFetch (9), v1-10: how far groups have read.

v2 null topics are all · v3 throttling · v5 leader epoch · v6 flexible · v7 only what no open transaction may change
(KIP-447) · v8 many groups (KIP-709) · v9 member epochs (KIP-848) · v10 topic ids.
Per group: without Describe GROUP_AUTHORIZATION_FAILED; per topic: without Describe TOPIC_AUTHORIZATION_FAILED, and an
id that nobody has is UNKNOWN_TOPIC_ID. Of all topics, those that may not be described are left out, and by id those
that are gone.
"""

from __future__ import annotations

from collections.abc import Callable, Coroutine, Sequence
from functools import partial
from typing import TYPE_CHECKING, Final

from ottla.api.broker import Broker
from ottla.api.context import RequestContext
from ottla.api.group_access import may
from ottla.api.pending import Pending
from ottla.coordinator.machine import CoordinatorError, Outbox, Reply
from ottla.errors import ErrorCode
from ottla.groups.offsets.answers import fetch_failed, fetch_groups, fetch_response, topic_failed
from ottla.ids import ZERO_UUID
from ottla.metadata.image import Image
from ottla.security.authorizer import Operation
from ottla.wire.k09_offset_fetch import (
    OffsetFetchRequest,
    OffsetFetchRequestGroup,
    OffsetFetchRequestTopics,
    OffsetFetchResponse,
    OffsetFetchResponseGroup,
    OffsetFetchResponseTopics,
)
from ottla.wire.schema import replace

if TYPE_CHECKING:
    from ottla.groups.shard import GroupShard

__all__ = ["offset_fetch"]

TOPIC_IDS_SINCE: Final = 10


def offset_fetch(
    request: OffsetFetchRequest, context: RequestContext, broker: Broker
) -> Pending[OffsetFetchResponse] | Coroutine[object, object, OffsetFetchResponse]:
    """See the module."""
    version, require_stable = context.api_version, request.require_stable
    answered: list[OffsetFetchResponseGroup | None] = []
    asked: list[tuple[OffsetFetchRequestGroup, list[OffsetFetchResponseTopics]]] = []
    for group in fetch_groups(request, version):
        if not may(context, Operation.DESCRIBE, group.group_id):
            answered.append(fetch_failed(group, ErrorCode.GROUP_AUTHORIZATION_FAILED))
            continue
        bad, wanted = _sort_out(group, context, broker.metadata.image)
        if group.topics and not wanted.topics:
            answered.append(OffsetFetchResponseGroup(group_id=group.group_id, topics=tuple(bad)))
            continue
        answered.append(None)
        asked.append((wanted, bad))

    def operation(
        group: OffsetFetchRequestGroup, shard: GroupShard, outbox: Outbox, reply: Reply[OffsetFetchResponseGroup]
    ) -> None:
        shard.offset_fetch(group, version, reply, outbox, require_stable=require_stable)

    def response(found: Sequence[OffsetFetchResponseGroup | CoordinatorError]) -> OffsetFetchResponse:
        answers = (
            _answer(group, bad, each, context, broker.metadata.image)
            for (group, bad), each in zip(asked, found, strict=True)
        )
        return fetch_response(request, [next(answers) if each is None else each for each in answered], version)

    if len(asked) != 1:
        return _response_of_many([group for group, _ in asked], operation, response, broker)
    ((only, _),) = asked
    reply: Reply[OffsetFetchResponseGroup] = broker.groups.begin(only.group_id, partial(operation, only))
    return Pending(reply, lambda error: fetch_failed(only, error.code), lambda found: response([found]))


async def _response_of_many(
    groups: list[OffsetFetchRequestGroup],
    operation: Callable[[OffsetFetchRequestGroup, GroupShard, Outbox, Reply[OffsetFetchResponseGroup]], None],
    response: Callable[[Sequence[OffsetFetchResponseGroup | CoordinatorError]], OffsetFetchResponse],
    broker: Broker,
) -> OffsetFetchResponse:
    found = await broker.groups.ask_each(groups, lambda group: group.group_id, operation)
    return response(found)


def _answer(
    group: OffsetFetchRequestGroup,
    bad: list[OffsetFetchResponseTopics],
    found: OffsetFetchResponseGroup | CoordinatorError,
    context: RequestContext,
    image: Image,
) -> OffsetFetchResponseGroup:
    """What the coordinator says of a group, together with what was refused before."""
    if isinstance(found, CoordinatorError):
        return fetch_failed(group, found.code)
    if found.error_code != ErrorCode.NONE:
        return found
    if group.topics is None:
        return replace(found, topics=_visible(found, context, image))
    return replace(found, topics=(*found.topics, *bad)) if bad else found


def _sort_out(
    group: OffsetFetchRequestGroup, context: RequestContext, image: Image
) -> tuple[list[OffsetFetchResponseTopics], OffsetFetchRequestGroup]:
    """The answers for topics that may not be seen or are not known, and what goes to the coordinator, with names and
    ids."""
    if group.topics is None:
        return [], group
    refused: list[OffsetFetchResponseTopics] = []
    wanted: list[OffsetFetchRequestTopics] = []
    for topic in group.topics:
        if context.api_version >= TOPIC_IDS_SINCE:
            found = image.topics.by_id.get(topic.topic_id)
            if found is None:
                refused.append(topic_failed(topic, context.api_version, ErrorCode.UNKNOWN_TOPIC_ID))
                continue
            known = replace(topic, name=found.name)
        else:
            known = replace(topic, topic_id=image.topics.id_of.get(topic.name, ZERO_UUID))
        if context.authorize_topic(Operation.DESCRIBE, known.name):
            wanted.append(known)
        else:
            refused.append(topic_failed(topic, context.api_version, ErrorCode.TOPIC_AUTHORIZATION_FAILED))
    return refused, replace(group, topics=tuple(wanted))


def _visible(
    answer: OffsetFetchResponseGroup, context: RequestContext, image: Image
) -> tuple[OffsetFetchResponseTopics, ...]:
    topics = [topic for topic in answer.topics if context.authorize_topic(Operation.DESCRIBE, topic.name)]
    if context.api_version < TOPIC_IDS_SINCE:
        return tuple(topics)
    ids = image.topics.id_of
    return tuple(replace(topic, topic_id=ids[topic.name]) for topic in topics if topic.name in ids)
