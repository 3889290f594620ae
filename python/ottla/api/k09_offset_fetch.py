"""OffsetFetch (9), v1-10: how far groups have read.

v2 null topics are all · v3 throttling · v5 leader epoch · v6 flexible · v7 only what no open transaction may change
(KIP-447) · v8 many groups (KIP-709) · v9 member epochs (KIP-848) · v10 topic ids.
Per group: without Describe GROUP_AUTHORIZATION_FAILED; per topic: without Describe TOPIC_AUTHORIZATION_FAILED, and an
id that nobody has is UNKNOWN_TOPIC_ID. Of all topics, those that may not be described are left out, and by id those
that are gone.
"""

from __future__ import annotations

from typing import Final

from ottla.api.broker import Broker
from ottla.api.context import RequestContext
from ottla.api.group_access import may
from ottla.coordinator.machine import CoordinatorError
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

__all__ = ["offset_fetch"]

TOPIC_IDS_SINCE: Final = 10


async def offset_fetch(request: OffsetFetchRequest, context: RequestContext, broker: Broker) -> OffsetFetchResponse:
    """See the module."""
    groups = fetch_groups(request, context.api_version)
    answered: list[OffsetFetchResponseGroup | None] = []
    asked: list[OffsetFetchRequestGroup] = []
    refused: list[list[OffsetFetchResponseTopics]] = []
    for group in groups:
        if not may(context, Operation.DESCRIBE, group.group_id):
            answered.append(fetch_failed(group, ErrorCode.GROUP_AUTHORIZATION_FAILED))
            continue
        bad, wanted = _sort_out(group, context, broker.metadata.image)
        if group.topics and not wanted.topics:
            answered.append(OffsetFetchResponseGroup(group_id=group.group_id, topics=tuple(bad)))
            continue
        answered.append(None)
        asked.append(wanted)
        refused.append(bad)

    answers = iter(await _asked(asked, refused, request, context, broker))
    return fetch_response(
        request, [next(answers) if answer is None else answer for answer in answered], context.api_version
    )


async def _asked(
    asked: list[OffsetFetchRequestGroup],
    refused: list[list[OffsetFetchResponseTopics]],
    request: OffsetFetchRequest,
    context: RequestContext,
    broker: Broker,
) -> list[OffsetFetchResponseGroup]:
    """What the coordinator says of the groups, together with what was refused before."""
    version, require_stable = context.api_version, request.require_stable
    found: list[OffsetFetchResponseGroup | CoordinatorError]
    if len(asked) == 1:
        (only,) = asked
        try:
            answer: OffsetFetchResponseGroup = await broker.groups.ask(
                only.group_id,
                lambda shard, outbox, reply: shard.offset_fetch(
                    only, version, reply, outbox, require_stable=require_stable
                ),
            )
            found = [answer]
        except CoordinatorError as error:
            found = [error]
    else:
        found = await broker.groups.ask_each(
            asked,
            lambda group: group.group_id,
            lambda group, shard, outbox, reply: shard.offset_fetch(
                group, version, reply, outbox, require_stable=require_stable
            ),
        )
    answers = []
    for group, bad, each in zip(asked, refused, found, strict=True):
        if isinstance(each, CoordinatorError):
            answers.append(fetch_failed(group, each.code))
        elif each.error_code != ErrorCode.NONE:
            answers.append(each)
        elif group.topics is None:
            answers.append(replace(each, topics=_visible(each, context, broker.metadata.image)))
        else:
            answers.append(replace(each, topics=(*each.topics, *bad)) if bad else each)
    return answers


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
