"""Prints the table."""

from __future__ import annotations

import argparse
import gc
import time
from collections.abc import Callable, Iterator
from typing import Any, NamedTuple

from kafka.protocol.consumer.group import OffsetCommitRequest as TheirOffsetCommitRequest
from kafka.protocol.metadata.metadata import MetadataResponse as TheirMetadataResponse

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


class Case(NamedTuple):
    """A message, its version, and kafka-python's class of it."""

    name: str
    message: Any
    version: int
    theirs: Any


def cases() -> Iterator[Case]:
    yield Case("Metadata, 100 topics of 100 partitions", metadata(100, 100), 12, TheirMetadataResponse)
    yield Case("Metadata, 1 topic of 10,000 partitions", metadata(1, 10_000), 12, TheirMetadataResponse)
    for partitions in (1, 100):
        yield Case(f"OffsetCommit, {partitions} partitions", offset_commit(partitions), 9, TheirOffsetCommitRequest)


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


def offset_commit(partitions: int) -> OffsetCommitRequest:
    return OffsetCommitRequest(
        group_id="the-group",
        generation_id_or_member_epoch=5,
        member_id="consumer-1-5d1f2b7e-4a29-4a1c-9d0e-0f6f3f6c9b21",
        topics=(
            OffsetCommitRequestTopic(
                name="orders",
                partitions=tuple(
                    OffsetCommitRequestPartition(
                        partition_index=index,
                        committed_offset=1_000_000 + index,
                        committed_leader_epoch=7,
                        committed_metadata="",
                    )
                    for index in range(partitions)
                ),
            ),
        ),
    )


def best_us(work: Callable[[], object], seconds: float) -> float:
    """Microseconds of one call, the best of rounds that take some milliseconds each."""
    calls = 1
    while (taken := _round(work, calls)) < 0.005:
        calls *= 2
    best, end = taken / calls, time.perf_counter() + seconds
    while time.perf_counter() < end:
        best = min(best, _round(work, calls) / calls)
    return best * 1e6


def _round(work: Callable[[], object], calls: int) -> float:
    gc.collect()
    begin = time.perf_counter()
    for _ in range(calls):
        work()
    return time.perf_counter() - begin


def main() -> None:
    parser = argparse.ArgumentParser(prog="python -m benchmarks.codec", description=__doc__)
    parser.add_argument("--quick", action="store_true", help="a smoke run: shorter rounds, rougher figures")
    seconds = 0.05 if parser.parse_args().quick else 1.0
    print(f"{'message':<40} {'bytes':>8}   {'decode':>10} {'encode':>10}   {'kafka-python':>21}   {'ratio':>6}")
    for case in cases():
        print(row(case, seconds))


def row(case: Case, seconds: float) -> str:
    name, message, version, theirs = case
    cls, data = type(message), encode(message, version)
    other = theirs.decode(data, version=version)
    other._header = None  # which kafka-python looks for as it encodes, and does not set as it decodes
    assert decode(cls, version, data) == message
    assert bytes(other.encode(version=version)) == data
    ours_us = (
        best_us(lambda: decode(cls, version, data), seconds),
        best_us(lambda: encode(message, version), seconds),
    )
    theirs_us = (
        best_us(lambda: theirs.decode(data, version=version), seconds),
        best_us(lambda: other.encode(version=version), seconds),
    )
    return (
        f"{name:<40} {len(data):>8}   {ours_us[0]:>7.1f} µs {ours_us[1]:>7.1f} µs   "
        f"{theirs_us[0]:>7.1f} + {theirs_us[1]:>7.1f} µs   {sum(theirs_us) / sum(ours_us):>5.1f}×"
    )


if __name__ == "__main__":
    main()
