"""Four processes share the topic as a consumer group; one is killed half way, and the others take over what it had.

The group promises that every event is read at least once: who takes over begins at the last committed position, so what
was read after that is read again. What is made of the events is exact all the same, because each is kept together with
its place, partition and offset: an event whose place is known already was read before, and is not counted again. That
is what a consumer does which writes to a database, with the place as the key or the position in the same transaction.
"""

import itertools
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from typing import final

from examples.flights.rows import Event

MEMBERS = 4
WAIT_S = 120.0
LEAVE_S = 20.0


@final
@dataclass(slots=True)
class Share:
    """What one member read."""

    read: int = 0
    again: int = 0
    """Of these, what another one, or this one, had read before."""
    partitions: list[int] = field(default_factory=list)
    """Of which there was something, in the order in which they came."""
    killed: bool = False


@final
@dataclass(slots=True)
class Shared:
    """What the members have read so far. Threads share it."""

    events: dict[tuple[int, int], Event] = field(default_factory=dict)
    """By partition and offset."""
    members: list[Share] = field(default_factory=lambda: [Share() for _ in range(MEMBERS)])
    failures: list[BaseException] = field(default_factory=list)
    changed: threading.Condition = field(default_factory=threading.Condition)

    def add(self, number: int, line: bytes) -> None:
        """A line of the member of this number. Raises ValueError when another event was at its place before."""
        partition, offset, key, value = line.rstrip(b"\n").split(b" ", 3)
        place, event = (int(partition), int(offset)), Event(None if key == b"-" else key, value)
        with self.changed:
            before = self.events.setdefault(place, event)
            if before != event:
                raise ValueError(f"partition {place[0]} has two events at offset {place[1]}")
            member = self.members[number]
            member.read += 1
            member.again += before is not event
            if place[0] not in member.partitions:
                member.partitions.append(place[0])
            self.changed.notify()

    def fail(self, error: BaseException) -> None:
        with self.changed:
            self.failures.append(error)
            self.changed.notify()

    def wait(self, count: int, deadline: float, show: Callable[[int], None]) -> None:
        """Until so many events are known. Raises what a reader raised, and SystemExit at the deadline."""
        with self.changed:
            while len(self.events) < count:
                left_s = deadline - time.perf_counter()
                if left_s <= 0 or not self.changed.wait(left_s):
                    raise SystemExit(f"flights: the group read {len(self.events):,} of {count:,} in {WAIT_S:g} s")
                if self.failures:
                    raise self.failures[0]
                show(len(self.events))

    def furthest_from_done(self) -> int:
        """Of the members that have begun, the one that read least: half way it cannot be done with an equal share."""
        with self.changed:
            begun = [number for number, member in enumerate(self.members) if member.read]
            return min(begun, key=lambda number: self.members[number].read)

    def in_order(self) -> list[Event]:
        """Partition by partition. Raises SystemExit where one lacks an offset."""
        ordered = sorted(self.events)
        for (partition, offset), (next_partition, next_offset) in itertools.pairwise([(-1, 0), *ordered]):
            expected = offset + 1 if next_partition == partition else 0
            if next_offset != expected:
                raise SystemExit(f"flights: partition {next_partition} lacks offset {expected}")
        return [self.events[place] for place in ordered]

    def table(self) -> Iterator[str]:
        yield f"{'member':10}{'read':>9}{'again':>8}  partitions"
        for number, member in enumerate(self.members, 1):
            name = f"{number} killed" if member.killed else str(number)
            yield f"{name:10}{member.read:9,}{member.again:8,}  {' '.join(map(str, member.partitions))}"


def share(
    bootstrap: str, topic: str, group: str, count: int, show: Callable[[int], None] = lambda _read: None
) -> tuple[Shared, float]:
    """What a group of four made of the topic, one of them killed half way, and the seconds it took."""
    shared = Shared()
    command = [sys.executable, "-m", "examples.flights.member", bootstrap, topic, group]
    members = [subprocess.Popen(command, stdout=subprocess.PIPE) for _ in range(MEMBERS)]
    threads = [threading.Thread(target=_read, args=(shared, number, members[number])) for number in range(MEMBERS)]
    start = time.perf_counter()
    try:
        for thread in threads:
            thread.start()
        shared.wait(count // 2, start + WAIT_S, show)
        victim = shared.furthest_from_done()
        members[victim].kill()
        shared.members[victim].killed = True
        shared.wait(count, start + WAIT_S, show)
        seconds = time.perf_counter() - start
        for member in members:
            member.terminate()  # they commit what they have written, and leave
        for member in members:
            member.wait(LEAVE_S)
    finally:
        for member in members:
            member.kill()
            member.wait()
        for thread in threads:
            thread.join()
    return shared, seconds


def _read(shared: Shared, number: int, member: subprocess.Popen[bytes]) -> None:
    assert member.stdout is not None
    try:
        with member.stdout as lines:
            for line in lines:
                if line.endswith(b"\n"):  # the last one of a killed member may be cut
                    shared.add(number, line)
    except BaseException as error:
        shared.fail(error)
