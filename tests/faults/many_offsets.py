"""Restart with a million committed offsets over ten thousand groups: how long they take to load, as the broker reports
it and as clients see it, and what others wait meanwhile.

    python -m tests.faults.many_offsets [--groups 10000] [--partitions 100] [--dir D]

The broker is killed, not stopped: its log has to be recovered, too. Each group has to have what it committed.
"""

from __future__ import annotations

import argparse
import re
import sys
import threading
import time
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Final, final

from ottla.wire.k03_metadata import MetadataRequest, MetadataRequestTopic
from ottla.wire.k08_offset_commit import OffsetCommitRequest, OffsetCommitRequestPartition, OffsetCommitRequestTopic
from ottla.wire.k09_offset_fetch import OffsetFetchRequest, OffsetFetchRequestGroup, OffsetFetchRequestTopics
from ottla.wire.k60_describe_cluster import DescribeClusterRequest
from tests.faults.trial import directory_argument, scratch
from tests.support.broker_process import BrokerProcess
from tests.support.raw import Connection
from tests.support.raw_admin import create_topic
from tests.support.raw_member import ASK_AGAIN, committed_offsets, wait_coordinated

TOPIC: Final = "t"
IN_FLIGHT_MAX: Final = 16
GROUPS_PER_REQUEST: Final = 100
LOADED_S_MAX: Final = 120.0
PAUSE_S: Final = 0.01
"""Between two rounds of those who have nothing to do with groups."""
ASK_AGAIN_S: Final = 0.05
"""Kafka's clients wait for ``retry.backoff.ms``, 100 ms: who asks for groups shall not be the load."""
OTHERS: Final[Mapping[str, tuple[object, int]]] = {
    "Metadata": (MetadataRequest(topics=(MetadataRequestTopic(name=TOPIC),)), 12),
    "DescribeCluster": (DescribeClusterRequest(), 1),
}
"""One that the data plane answers, and one for the thread that loads."""


@final
@dataclass(slots=True)
class Result:
    """How it went."""

    offsets: int
    committed_s: float = 0.0
    serves_s: float = 0.0
    """From the start of the process."""
    loaded_s: float = 0.0
    """Until every group is told what it committed to one partition."""
    reported_ms: list[int] = field(default_factory=list)
    """By the broker, per partition that has records."""
    reported_records: int = 0
    waited_ms: dict[str, list[float]] = field(default_factory=dict)
    """By others, from when the broker served until all was loaded; by request, in order of length."""

    def __str__(self) -> str:
        others = (
            f"{len(waited):,} {name}, p50 {waited[len(waited) // 2]:.1f} ms, p99 {waited[len(waited) * 99 // 100]:.1f} "
            f"ms, longest {waited[-1]:.1f} ms"
            for name, waited in self.waited_ms.items()
        )
        return (
            f"{self.offsets:,} offsets committed in {self.committed_s:.1f} s; after kill -9 it serves after "
            f"{self.serves_s:.2f} s, all groups after {self.loaded_s:.2f} s; the broker reports "
            f"{self.reported_records:,} records of {len(self.reported_ms)} partitions, the longest load "
            f"{max(self.reported_ms, default=0):,} ms; meanwhile others were answered: {'; '.join(others)}"
        )


def run(data_dir: Path, groups: int, partitions: int, settings: Mapping[str, str | int] | None = None) -> Result:
    """Raises ``AssertionError`` for a group that has not what it committed."""
    result = Result(groups * partitions)
    names = [f"group-{number}" for number in range(groups)]
    with BrokerProcess(data_dir, settings) as broker:
        broker.start()
        with Connection(broker.address) as connection:
            assert create_topic(connection, TOPIC, partitions) == 0
            wait_coordinated(connection, *names[: 4 * GROUPS_PER_REQUEST])
            begun = time.monotonic()
            _commit(connection, names, partitions)
            result.committed_s = time.monotonic() - begun
        broker.kill()
        told = len(broker.log())
        begun = time.monotonic()
        broker.launch()
        broker.wait_serving()
        result.serves_s = time.monotonic() - begun
        with Connection(broker.address) as connection, _Others(broker.address) as others:
            for part in _parts(names):
                _wait_loaded(connection, part)
            result.loaded_s = time.monotonic() - begun
        result.waited_ms = {name: sorted(waited) for name, waited in others.waited_ms.items()}
        with Connection(broker.address) as connection:
            _check(connection, names, partitions)
        for records, took_ms in re.findall(r"partition loaded.*records=(\d+) took_ms=(\d+)", broker.log()[told:]):
            result.reported_ms.append(int(took_ms))
            result.reported_records += int(records)
        assert broker.stop() == 0
    return result


def _offset(group: int, partition: int) -> int:
    return group * 1_000 + partition


def _parts(names: list[str]) -> Iterator[list[str]]:
    for first in range(0, len(names), GROUPS_PER_REQUEST):
        yield names[first : first + GROUPS_PER_REQUEST]


def _commit(connection: Connection, names: list[str], partitions: int) -> None:
    for group, name in enumerate(names):
        rows = tuple(
            OffsetCommitRequestPartition(
                partition_index=index, committed_offset=_offset(group, index), committed_metadata=""
            )
            for index in range(partitions)
        )
        topics = (OffsetCommitRequestTopic(name=TOPIC, partitions=rows),)
        connection.send(OffsetCommitRequest(group_id=name, generation_id_or_member_epoch=-1, topics=topics), 9)
        if len(connection.waiting) == IN_FLIGHT_MAX:
            _take(connection)
    while connection.waiting:
        _take(connection)


def _take(connection: Connection) -> None:
    codes = {each.error_code for each in connection.receive().topics[0].partitions}
    assert codes == {0}, codes


def _wait_loaded(connection: Connection, names: list[str]) -> None:
    """Asks for one partition of each, so that the answers themselves are no load; only of those that are missing."""
    deadline = time.monotonic() + LOADED_S_MAX
    one = (OffsetFetchRequestTopics(name=TOPIC, partition_indexes=(0,)),)
    while names:
        request = OffsetFetchRequest(groups=tuple(OffsetFetchRequestGroup(group_id=name, topics=one) for name in names))
        answers = connection.ask(request, 8).groups
        assert {each.error_code for each in answers} <= ASK_AGAIN | {0}, answers[0]
        names = [each.group_id for each in answers if each.error_code]
        assert time.monotonic() < deadline, f"{len(names)} groups are not loaded after {LOADED_S_MAX:g} s"
        if names:
            time.sleep(ASK_AGAIN_S)


def _check(connection: Connection, names: list[str], partitions: int) -> None:
    first = 0
    for part in _parts(names):
        found = committed_offsets(connection, *part)
        for group, name in enumerate(part, first):
            expected = {index: _offset(group, index) for index in range(partitions)}
            assert found[name] == expected, f"{name} has {len(found[name])} of {partitions} offsets"
        first += len(part)


@final
class _Others:
    """A client that has nothing to do with groups, and how long each of its answers took. Use as a context manager."""

    def __init__(self, address: tuple[str, int]) -> None:
        self.waited_ms: dict[str, list[float]] = {name: [] for name in OTHERS}
        self._address = address
        self._stopped = threading.Event()
        self._thread = threading.Thread(target=self._run)

    def __enter__(self) -> _Others:
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._stopped.set()
        self._thread.join()

    def _run(self) -> None:
        with Connection(self._address, "others") as connection:
            while True:
                for name, (request, version) in OTHERS.items():
                    begun = time.monotonic()
                    connection.ask(request, version)
                    self.waited_ms[name].append((time.monotonic() - begun) * 1000)
                if self._stopped.wait(PAUSE_S):
                    return


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--groups", type=int, default=10_000)
    parser.add_argument("--partitions", type=int, default=100)
    directory_argument(parser)
    args = parser.parse_args()
    with scratch(args.dir, "many-offsets") as directory:
        print(run(directory / "data", args.groups, args.partitions))
    return 0


if __name__ == "__main__":
    sys.exit(main())
