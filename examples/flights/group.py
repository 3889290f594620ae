"""Four processes share the topic as a consumer group; one is killed half way, and the others take over what it had.

The group promises that every event is read at least once. What is made of them is exact all the same, since the result
is kept by partition and offset: what is read twice is the same event in the same place.
"""

import itertools
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from typing import final

from examples.flights.rows import Event

MEMBERS = 4
WAIT_S = 120.0


@final
@dataclass(slots=True)
class Shared:
    """What the members have read so far. Threads share it."""

    events: dict[tuple[int, int], Event] = field(default_factory=dict)
    """By partition and offset."""
    by_member: list[int] = field(default_factory=lambda: [0] * MEMBERS)
    repeated: int = 0
    changed: threading.Condition = field(default_factory=threading.Condition)

    def add(self, member: int, line: bytes) -> None:
        partition, offset, key, value = line.rstrip(b"\n").split(b" ", 3)
        place, event = (int(partition), int(offset)), Event(None if key == b"-" else key, value)
        with self.changed:
            before = self.events.setdefault(place, event)
            assert before == event, f"partition {place[0]} has two events at offset {place[1]}"
            self.repeated += before is not event
            self.by_member[member] += 1
            self.changed.notify()

    def in_order(self) -> list[Event]:
        """Partition by partition. Raises SystemExit when offsets are missing between others."""
        ordered = sorted(self.events)
        for (partition, offset), (next_partition, next_offset) in itertools.pairwise(ordered):
            if next_partition == partition and next_offset != offset + 1:
                raise SystemExit(f"flights: partition {partition} lacks offset {offset + 1}")
        return [self.events[place] for place in ordered]


def share(bootstrap: str, topic: str, count: int, show: Callable[[int], None]) -> tuple[Shared, float]:
    """What a group of four made of the topic, one of them killed half way, and the seconds it took."""
    shared = Shared()
    command = [sys.executable, "-m", "examples.flights.member", bootstrap, topic, f"group-{topic}"]
    members = [subprocess.Popen(command, stdout=subprocess.PIPE) for _ in range(MEMBERS)]
    threads = [threading.Thread(target=_read, args=(shared, number, members[number])) for number in range(MEMBERS)]
    start = time.perf_counter()
    try:
        for thread in threads:
            thread.start()
        _wait(shared, count // 2, start, show)
        victim = max(range(MEMBERS), key=lambda number: shared.by_member[number])
        members[victim].kill()
        _wait(shared, count, start, show)
    finally:
        for member in members:
            member.kill()
            member.wait()
        for thread in threads:
            thread.join()
    return shared, time.perf_counter() - start


def _read(shared: Shared, number: int, member: subprocess.Popen[bytes]) -> None:
    assert member.stdout is not None
    with member.stdout as lines:
        for line in lines:
            if line.endswith(b"\n"):  # the last one of a killed member may be cut
                shared.add(number, line)


def _wait(shared: Shared, count: int, start: float, show: Callable[[int], None]) -> None:
    with shared.changed:
        while len(shared.events) < count:
            left_s = start + WAIT_S - time.perf_counter()
            if left_s <= 0 or not shared.changed.wait(left_s):
                raise SystemExit(f"flights: the group read {len(shared.events):,} of {count:,} in {WAIT_S:g} s")
            show(len(shared.events))


def shares(shared: Shared) -> Sequence[str]:
    """Who read how much, in words."""
    return [f"{count:,}" for count in sorted(shared.by_member, reverse=True)]
