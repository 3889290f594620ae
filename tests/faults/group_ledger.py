"""What clients of a group were told, over all lives of its broker: the commits that were answered, and who was given
which partition under which generation.

Prior art: Jepsen's histories of completed and indeterminate operations. Ours keeps the last state alone: a commit that
was refused may never be there, one that was not answered may, until what is there has been looked at.
"""

from __future__ import annotations

import threading
from collections.abc import Collection, Iterable, Mapping
from dataclasses import dataclass, field
from typing import final

from tests.support.raw_member import ASK_AGAIN

__all__ = ["Assignments", "Attendance", "Commits"]


@final
@dataclass(slots=True)
class _Partition:
    committed: int = -1
    """Answered without an error, or seen after a restart."""
    newest: int = -1
    open: set[int] = field(default_factory=set)
    """Asked for, and not answered."""


@final
class Commits:
    """The offsets of one group. Every commit asks for an offset of its own, higher than those before. Threads share
    it."""

    def __init__(self, group_id: str, partitions: int) -> None:
        self.group_id = group_id
        self.answered = 0
        """Commits that were answered without an error."""
        self._partitions = [_Partition() for _ in range(partitions)]
        self._lock = threading.Lock()

    def ask(self, partitions: Iterable[int]) -> dict[int, int]:
        """The offsets to ask for next, by partition."""
        offsets = {}
        with self._lock:
            for index in partitions:
                partition = self._partitions[index]
                partition.newest += 1
                partition.open.add(partition.newest)
                offsets[index] = partition.newest
        return offsets

    def settle(self, offsets: Mapping[int, int], code: int) -> None:
        """The answer to these has come."""
        if code in ASK_AGAIN:
            return  # a coordinator that resigns says so of what it has written, too
        with self._lock:
            self.answered += code == 0
            for index, offset in offsets.items():
                partition = self._partitions[index]
                partition.open.remove(offset)
                if code == 0:
                    assert partition.committed < offset, (
                        f"{self.group_id}, partition {index}: {offset} is taken after {partition.committed}"
                    )
                    partition.committed = offset

    def check(self, found: Mapping[int, int]) -> int:
        """What the broker has once everybody who asked is gone; how many commits are there unheard."""
        unheard = 0
        for index, partition in enumerate(self._partitions):
            offset = found.get(index, -1)
            late = {each for each in partition.open if each > partition.committed}
            assert offset == partition.committed or offset in late, (
                f"{self.group_id}, partition {index}: {partition.committed} was acknowledged, {sorted(late)} may be "
                f"there beside it, and {offset} is"
            )
            unheard += offset != partition.committed
            partition.committed = offset
            partition.open.clear()
        return unheard


@final
class Assignments:
    """Who was given which partition under which generation or member epoch. Threads share it."""

    def __init__(self, group_id: str) -> None:
        self.group_id = group_id
        self.newest = -1
        """The highest generation somebody has an assignment of."""
        self._floor = -1
        self._owners: dict[tuple[int, int], str] = {}
        self._latest: dict[str, tuple[int, frozenset[int]]] = {}
        self._lock = threading.Lock()

    def handed_out(self, generation: int, member_id: str, partitions: Collection[int]) -> None:
        """A member was told."""
        with self._lock:
            self.newest = max(self.newest, generation)
            assert generation > self._floor, (
                f"{self.group_id}: {self._floor} was handed out before the restart and was over, and now comes "
                f"generation {generation}"
            )
            before = self._latest.get(member_id, (-1, frozenset[int]()))[0]
            assert generation >= before, f"{self.group_id}: {member_id} was at {before}, and is told {generation}"
            self._latest[member_id] = (generation, frozenset(partitions))
            for partition in partitions:
                owner = self._owners.setdefault((generation, partition), member_id)
                assert owner == member_id, (
                    f"{self.group_id}: partition {partition} is given to {owner} and {member_id}, both in generation "
                    f"{generation}"
                )

    def is_over(self) -> None:
        """The newest generation was no longer when the broker came back: what is handed out now has to be newer."""
        self._floor = self.newest

    def of_newest(self) -> dict[str, frozenset[int]]:
        """What members have of the newest generation, by their ids."""
        return {
            member_id: owned for member_id, (generation, owned) in self._latest.items() if generation == self.newest
        }


@final
class Attendance:
    """Who is in a group. The last does not leave: Kafka forgets the epoch of an empty group when members of the other
    protocol come, and generations would not be told apart. Threads share it."""

    def __init__(self) -> None:
        self.leaves = 0
        """How often somebody has left."""
        self._inside: set[str] = set()
        self._lock = threading.Lock()

    def enter(self, name: str) -> None:
        with self._lock:
            self._inside.add(name)

    def lost(self, name: str) -> None:
        """The coordinator knows it no more."""
        with self._lock:
            self._inside.discard(name)

    def may_leave(self, name: str) -> bool:
        """Whether it is in and others stay; it counts as gone then."""
        with self._lock:
            if name not in self._inside or len(self._inside) < 2:
                return False
            self._inside.remove(name)
            self.leaves += 1
            return True
