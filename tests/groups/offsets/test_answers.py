"""The versions of the APIs."""

from __future__ import annotations

import pytest

from ottla.coordinator.machine import CoordinatorError, Leave, Now, Outbox, Record, Reply
from ottla.errors import ErrorCode
from ottla.groups.offsets.answers import commit_failed, fetch_failed, fetch_groups, fetch_response
from ottla.wire.codec import decode_response, encode_response
from ottla.wire.k08_offset_commit import (
    OffsetCommitRequest,
    OffsetCommitRequestPartition,
    OffsetCommitRequestTopic,
    OffsetCommitResponse,
)
from ottla.wire.k09_offset_fetch import (
    OffsetFetchRequest,
    OffsetFetchRequestGroup,
    OffsetFetchRequestTopic,
    OffsetFetchResponseGroup,
)
from tests.support.offset_scripts import World, run, with_names

OLD = OffsetFetchRequest(group_id="g", topics=(OffsetFetchRequestTopic(name="t", partition_indexes=(0, 1)),))


def fetched(world: World, group: OffsetFetchRequestGroup, version: int) -> OffsetFetchResponseGroup:
    reply: Reply[OffsetFetchResponseGroup] = Reply()
    outbox = world.outbox()
    world.offsets.fetch(group, version, reply, outbox, require_stable=False)
    world.settle(outbox)
    return reply.result()


def test_every_version_of_offset_fetch_goes_there_and_back() -> None:
    world = World()
    run(world, "commit g t-0=10/2:note")
    for version in range(1, 11):
        request = OLD
        if version >= 8:
            request = OffsetFetchRequest(groups=fetch_groups(OLD, 7))
        answers = [fetched(world, group, version) for group in fetch_groups(request, version)]
        body = encode_response(fetch_response(request, answers, version), version).body
        answer = decode_response(9, version, body)
        topics = answer.topics if version < 8 else answer.groups[0].topics
        ((first, second),) = (topic.partitions for topic in topics)
        assert (first.committed_offset, first.metadata, first.error_code) == (10, "note", 0)
        assert first.committed_leader_epoch == (2 if version >= 5 else -1)
        assert (second.committed_offset, second.metadata, second.error_code) == (-1, "", 0)


def test_all_topics_are_asked_for_by_null() -> None:
    (group,) = fetch_groups(OffsetFetchRequest(group_id="g", topics=None), 2)

    assert group == OffsetFetchRequestGroup(group_id="g", topics=None)


def test_a_group_that_fails_says_so_where_its_version_can() -> None:
    (group,) = fetch_groups(OLD, 1)
    failed = fetch_failed(group, ErrorCode.NOT_COORDINATOR)
    body = encode_response(fetch_response(OLD, [failed], 1), 1).body
    (topic,) = decode_response(9, 1, body).topics
    assert [partition.error_code for partition in topic.partitions] == [ErrorCode.NOT_COORDINATOR] * 2
    assert fetch_response(OLD, [failed], 7).error_code == ErrorCode.NOT_COORDINATOR
    assert fetch_response(OLD, [failed], 10).groups == (failed,)


def commit_request() -> OffsetCommitRequest:
    partitions = tuple(OffsetCommitRequestPartition(partition_index=index, committed_offset=1) for index in (0, 1))
    return OffsetCommitRequest(group_id="g", topics=(OffsetCommitRequestTopic(name="t", partitions=partitions),))


def test_a_commit_that_fails_says_so_for_each_partition() -> None:
    (topic,) = commit_failed(commit_request(), ErrorCode.NOT_COORDINATOR).topics

    assert [(partition.partition_index, partition.error_code) for partition in topic.partitions] == [(0, 16), (1, 16)]


def test_what_is_too_large_for_the_log_changes_nothing() -> None:
    def refuse(records: object) -> None:
        raise CoordinatorError(ErrorCode.UNKNOWN_SERVER_ERROR, "too large")

    world = World()
    reply: Reply[OffsetCommitResponse | Leave] = Reply()
    outbox = Outbox(Now(0, 0), world.offsets.apply, refuse)
    world.offsets.commit(commit_request(), 9, reply, outbox)

    assert not reply.is_settled
    world.settle(outbox)
    assert len(world.offsets.table) == 0
    assert world.groups.groups == {}
    with pytest.raises(CoordinatorError, match="too large") as raised:
        reply.result()
    assert raised.value.code == ErrorCode.UNKNOWN_SERVER_ERROR


def test_an_answer_shows_nothing_that_is_not_committed() -> None:
    """The fetch sees the newest state, and its answer waits behind the append that made it."""
    world = World()
    writing, reading = world.outbox(), world.outbox()
    commit: Reply[OffsetCommitResponse | Leave] = Reply()
    fetch: Reply[OffsetFetchResponseGroup] = Reply()
    world.offsets.commit(commit_request(), 9, commit, writing)
    world.offsets.fetch(OffsetFetchRequestGroup(group_id="g", topics=None), 10, fetch, reading, require_stable=False)

    assert all(isinstance(record, Record) for record in writing.records)
    assert not commit.is_settled
    assert not fetch.is_settled
    world.settle(writing)
    world.settle(reading)
    assert [p.committed_offset for topic in with_names(fetch.result()).topics for p in topic.partitions] == [1, 1]
