"""What the leaders of partitions say of offsets: where logs begin and end, which offset goes with a time, and when the
record at an offset was written.

The last is no question that Kafka's protocol has. ListOffsets answers the other way round, and its answer for the
newest record says nothing of the one that a group has to read next. So the batch that holds the offset is fetched: a
few kilobytes of each partition, all partitions of a leader in one request. A partition whose batch is larger is asked
again with more room; a leader gives at least one batch in every answer, however large that is. Where that reaches the
end of the partition, it also says how many records are left to read: markers of transactions have offsets and are none.

Invariants: partitions without a leader, or refused by it, are left out, and said to be so by the code they came with.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Final, NamedTuple, final

from ottla._core import decode_batches
from ottla.cli.client import Client, Cluster
from ottla.cli.coordination.coordinator import TopicPartition, by_topic
from ottla.errors import ErrorCode
from ottla.wire.k01_fetch import FetchPartition, FetchRequest, FetchResponse, FetchTopic
from ottla.wire.k02_list_offsets import ListOffsetsPartition, ListOffsetsRequest, ListOffsetsTopic

__all__ = ["EARLIEST", "LATEST", "Ahead", "Answers", "ahead_in", "list_offsets", "look_ahead"]

EARLIEST: Final = -2
LATEST: Final = -1
SMALL_BYTES: Final = 16 << 10
"""Room for a batch of a producer with its default settings."""
LARGE_BYTES: Final = 1 << 20
"""Room for a batch as large as a topic takes by default."""
_FETCH_BYTES_MAX: Final = 16 << 20


@final
class Answers(NamedTuple):
    """An offset, or a time, of each partition that has one; the error code of each that was refused."""

    found: dict[TopicPartition, int]
    refused: dict[TopicPartition, int]


def list_offsets(client: Client, cluster: Cluster, partitions: Iterable[TopicPartition], timestamp: int) -> Answers:
    """The first offset whose record is at this time (milliseconds since 1970) or later, −1 when there is none; or the
    `EARLIEST`, or the `LATEST`, which is behind the last record."""
    by_leader, refused = _by_leader(cluster, partitions)
    found: dict[TopicPartition, int] = {}
    for leader, mine in by_leader.items():
        topics = tuple(
            ListOffsetsTopic(
                name=name,
                partitions=tuple(ListOffsetsPartition(partition_index=index, timestamp=timestamp) for index in indexes),
            )
            for name, indexes in by_topic(mine).items()
        )
        for topic in client.request(ListOffsetsRequest(replica_id=-1, topics=topics), leader).topics:
            for result in topic.partitions:
                where = TopicPartition(topic.name, result.partition_index)
                if result.error_code == ErrorCode.NONE:
                    found[where] = result.offset
                else:
                    refused[where] = result.error_code
    return Answers(found, refused)


@final
class Ahead(NamedTuple):
    """What was seen from an offset on, as far as that reached."""

    at_ms: int | None
    """When the first record was written; None when there was none."""
    records: int
    reached: int
    """The offset behind the last batch."""


def look_ahead(
    client: Client, cluster: Cluster, offsets: Mapping[TopicPartition, int], ends: Mapping[TopicPartition, int]
) -> dict[TopicPartition, Ahead]:
    """When the record at an offset was written, in milliseconds since 1970; where compaction has taken it, the next.
    Only for offsets below the end of their partitions; those that cannot be read are left out."""
    by_leader, _ = _by_leader(cluster, offsets)
    found: dict[TopicPartition, Ahead] = {}
    for leader, mine in by_leader.items():
        left, room = set(mine), SMALL_BYTES
        while left:
            before = len(left)
            for where, code, ahead in _fetch_ahead(client, cluster, leader, {w: offsets[w] for w in left}, room):
                if code == ErrorCode.NONE:
                    if ahead.at_ms is None and ahead.reached < ends[where]:
                        continue
                    found[where] = ahead
                left.discard(where)
            if len(left) == before and room == LARGE_BYTES:
                # Nothing can be read there, as of a batch that is damaged. The others still may.
                left.discard(min(left))
            room = LARGE_BYTES
    return found


def _fetch_ahead(
    client: Client, cluster: Cluster, leader: int, offsets: Mapping[TopicPartition, int], room: int
) -> Iterable[tuple[TopicPartition, int, Ahead]]:
    topics = tuple(
        FetchTopic(
            topic=name,
            topic_id=cluster.topics[name].topic_id,
            partitions=tuple(
                FetchPartition(
                    partition=index, fetch_offset=offsets[TopicPartition(name, index)], partition_max_bytes=room
                )
                for index in indexes
            ),
        )
        for name, indexes in by_topic(offsets).items()
    )
    request = FetchRequest(max_wait_ms=0, min_bytes=0, max_bytes=_FETCH_BYTES_MAX, topics=topics)
    response: FetchResponse = client.request(request, leader)
    if response.error_code != ErrorCode.NONE:
        yield from ((where, response.error_code, Ahead(None, 0, offsets[where])) for where in offsets)
        return
    names = {cluster.topics[where.topic].topic_id: where.topic for where in offsets}
    for topic in response.responses:
        for data in topic.partitions:
            where = TopicPartition(topic.topic or names[topic.topic_id], data.partition_index)
            yield where, data.error_code, ahead_in(data.records or b"", offsets[where])


def ahead_in(data: bytes, offset: int) -> Ahead:
    """What is in these batches from this offset on."""
    at_ms, records, reached = None, 0, offset
    for batch in decode_batches(data).batches:
        if batch.fault is not None:
            break
        times = [] if batch.control else [each.timestamp_ms for each in batch.records if each.offset >= offset]
        if at_ms is None and batch.last_offset >= offset and not batch.control:
            # Where compaction took the rest of the batch, what remains says how late it was.
            at_ms = times[0] if times else batch.max_timestamp_ms
        records += len(times)
        reached = max(reached, batch.last_offset + 1)
    return Ahead(at_ms, records, reached)


def _by_leader(
    cluster: Cluster, partitions: Iterable[TopicPartition]
) -> tuple[dict[int, list[TopicPartition]], dict[TopicPartition, int]]:
    leaders = {
        TopicPartition(name, partition.partition_index): partition.leader_id
        for name, topic in cluster.topics.items()
        for partition in topic.partitions
    }
    found: dict[int, list[TopicPartition]] = {}
    refused: dict[TopicPartition, int] = {}
    for where in partitions:
        leader = leaders.get(where)
        if leader is None:
            refused[where] = ErrorCode.UNKNOWN_TOPIC_OR_PARTITION
        elif leader < 0:
            refused[where] = ErrorCode.LEADER_NOT_AVAILABLE
        else:
            found.setdefault(leader, []).append(where)
    return found, refused
