"""Times one codec on one message in this interpreter, and prints the figures as JSON.

Arguments: ottla or kafka-python, Metadata or OffsetCommit, topics, partitions of each, seconds for each direction.
"""

from __future__ import annotations

import gc
import json
import resource
import sys
import time
from collections.abc import Callable
from typing import Any

from ottla.wire import decode, encode
from ottla.wire.k03_metadata import (
    MetadataResponse,
    MetadataResponseBroker,
    MetadataResponsePartition,
    MetadataResponseTopic,
)
from ottla.wire.k08_offset_commit import (
    OffsetCommitRequest,
    OffsetCommitRequestPartition,
    OffsetCommitRequestTopic,
)

METADATA_VERSION, OFFSET_COMMIT_VERSION = 12, 9
ROUND_SECONDS_MIN = 0.005

Work = Callable[[], object]


def metadata(topics: int, partitions: int) -> MetadataResponse:
    return MetadataResponse(
        brokers=tuple(MetadataResponseBroker(node_id=n, host=f"broker-{n}", port=9092) for n in range(3)),
        cluster_id="QWxsIG91ciBvd24gd29ya",
        controller_id=1,
        topics=tuple(
            MetadataResponseTopic(
                name=f"topic-{topic}",
                topic_id=(topic + 1).to_bytes(16),
                partitions=tuple(
                    MetadataResponsePartition(
                        partition_index=index,
                        leader_id=index % 3,
                        leader_epoch=7,
                        replica_nodes=(0, 1, 2),
                        isr_nodes=(0, 1, 2),
                    )
                    for index in range(partitions)
                ),
            )
            for topic in range(topics)
        ),
    )


def offset_commit(topics: int, partitions: int) -> OffsetCommitRequest:
    return OffsetCommitRequest(
        group_id="the-group",
        generation_id_or_member_epoch=5,
        member_id="consumer-1-5d1f2b7e-4a29-4a1c-9d0e-0f6f3f6c9b21",
        topics=tuple(
            OffsetCommitRequestTopic(
                name=f"orders-{topic}",
                partitions=tuple(
                    OffsetCommitRequestPartition(
                        partition_index=index,
                        committed_offset=1_000_000 + index,
                        committed_leader_epoch=7,
                        committed_metadata="",
                    )
                    for index in range(partitions)
                ),
            )
            for topic in range(topics)
        ),
    )


def ours(message: Any, version: int) -> tuple[Work, Work]:
    """Decoding and encoding by Ottla."""
    cls, data = type(message), encode(message, version)
    assert decode(cls, version, data) == message
    return lambda: decode(cls, version, data), lambda: encode(message, version)


def theirs(message: Any, version: int) -> tuple[Work, Work]:
    """The same bytes by kafka-python."""
    from kafka.protocol.consumer.group import OffsetCommitRequest as TheirOffsetCommitRequest
    from kafka.protocol.metadata.metadata import MetadataResponse as TheirMetadataResponse

    cls: Any = TheirMetadataResponse if isinstance(message, MetadataResponse) else TheirOffsetCommitRequest
    data = encode(message, version)
    decoded = cls.decode(data, version=version)
    decoded._header = None  # which kafka-python looks for as it encodes, and does not set as it decodes
    assert bytes(decoded.encode(version=version)) == data
    return lambda: cls.decode(data, version=version), lambda: decoded.encode(version=version)


def per_second(work: Work, seconds: float) -> float:
    """Calls a second: the best of rounds that take some milliseconds each."""
    calls = 1
    while (taken := _round(work, calls)) < ROUND_SECONDS_MIN:
        calls *= 2
    best, end = taken / calls, time.perf_counter() + seconds
    while time.perf_counter() < end:
        best = min(best, _round(work, calls) / calls)
    return 1 / best


def _round(work: Work, calls: int) -> float:
    gc.collect()
    begin = time.perf_counter()
    for _ in range(calls):
        work()
    return time.perf_counter() - begin


def main(codec: str, name: str, topics: int, partitions: int, seconds: float) -> None:
    codecs = {"ottla": ours, "kafka-python": theirs}
    messages: dict[str, tuple[Callable[[int, int], Any], int]] = {
        "Metadata": (metadata, METADATA_VERSION),
        "OffsetCommit": (offset_commit, OFFSET_COMMIT_VERSION),
    }
    make, version = messages[name]
    decoding, encoding = codecs[codec](make(topics, partitions), version)
    figures = {"decodes_s": per_second(decoding, seconds), "encodes_s": per_second(encoding, seconds)}
    rss_mb = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024
    print(json.dumps({**figures, "rss_mb": rss_mb}))


if __name__ == "__main__":
    main(sys.argv[1], sys.argv[2], int(sys.argv[3]), int(sys.argv[4]), float(sys.argv[5]))
