"""Members of consumer groups, as the scenarios use them: the face each library shows, and a thread for each member."""

import threading
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from types import TracebackType
from typing import Any, Protocol, Self, final

from compat_support.client import WAIT_S
from compat_support.folders import module

SESSION_S = 6.0
HEARTBEAT_S = 0.2
"""Members hear of a rebalance that soon."""
POLL_S = 0.05
SETTLE_S = 0.02


@final
@dataclass(frozen=True, slots=True)
class MemberOptions:
    """None: the library's own default."""

    group: str
    topics: Sequence[str]
    protocol: str = "classic"
    """``group.protocol``."""
    instance: str | None = None
    """``group.instance.id``: a static member."""
    cooperative: bool = False
    auto_commit: bool = True
    start: str = "earliest"
    """Where nothing is committed."""


@final
@dataclass(frozen=True, slots=True)
class Delivered:
    topic: str
    partition: int
    offset: int
    value: bytes


class Member(Protocol):
    """Used by one thread. What it polls counts as read."""

    def poll(self, timeout_s: float) -> list[Delivered]: ...

    def assigned(self) -> set[int]:
        """Partitions of the first topic."""

    def commit(self) -> None:
        """Commit what was read, and wait for the answer."""

    def committed(self, partition: int) -> int | None:
        """What the broker has for a partition of the first topic."""

    def close(self) -> None:
        """Leave the group; with auto commit what was read is committed."""


def join(folder: str, bootstrap: str, options: MemberOptions) -> Member:
    """A member by the library in `compat-tests/<folder>/member.py`."""
    member: Member = module(folder, "member").join(bootstrap, options)
    return member


def prepare(folder: str) -> None:
    """What the first member would have to wait for. Raises Skipped when something is missing on this machine."""
    getattr(module(folder, "member"), "prepare", lambda: None)()


@final
@dataclass(slots=True)
class _Order:
    """What another thread wants done by the member's."""

    what: Callable[[Member], Any]
    done: threading.Event = field(default_factory=threading.Event)
    result: Any = None
    error: BaseException | None = None


@final
class Running:
    """A member that is polled by a thread of its own until it is closed. Use as a context manager."""

    def __init__(self, folder: str, bootstrap: str, options: MemberOptions) -> None:
        self.received: list[Delivered] = []
        self.assigned: set[int] = set()
        self._orders: list[_Order] = []
        self._ended = False
        self._error: BaseException | None = None
        self._thread = threading.Thread(target=self._run, args=(folder, bootstrap, options), daemon=True)
        self._thread.start()

    def _run(self, folder: str, bootstrap: str, options: MemberOptions) -> None:
        try:
            member = join(folder, bootstrap, options)
            try:
                while not self._ended:
                    self.received += member.poll(POLL_S)
                    self.assigned = member.assigned()
                    while self._orders:
                        self._carry_out(self._orders.pop(0), member)
            finally:
                member.close()
        except BaseException as error:
            self._error = error
        finally:
            self.assigned = set()
            for order in self._orders:
                order.error = self._error or RuntimeError("the member is closed")
                order.done.set()

    @staticmethod
    def _carry_out(order: _Order, member: Member) -> None:
        try:
            order.result = order.what(member)
        except BaseException as error:
            order.error = error
        order.done.set()

    def _ask(self, what: Callable[[Member], Any]) -> Any:
        order = _Order(what)
        self._orders.append(order)
        self.check()
        assert order.done.wait(WAIT_S), "the member does not answer"
        if order.error is not None:
            raise order.error
        return order.result

    def check(self) -> None:
        """Raises what ended the member."""
        if self._error is not None:
            raise self._error

    def commit(self) -> None:
        self._ask(lambda member: member.commit())

    def committed(self, partition: int) -> int | None:
        found: int | None = self._ask(lambda member: member.committed(partition))
        return found

    def close(self) -> None:
        self._ended = True
        self._thread.join(WAIT_S)
        assert not self._thread.is_alive(), "the member does not close"
        self.check()

    @property
    def values(self) -> list[bytes]:
        return [each.value for each in self.received]

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        if error is None:
            self.close()
        else:
            self._ended = True
            self._thread.join(WAIT_S)


def until(what: Callable[[], bool], words: str, members: Sequence[Running], wait_s: float = WAIT_S) -> None:
    """Waits for something that members come to. Other threads and processes: there is nothing else to wait for."""
    deadline = time.monotonic() + wait_s
    while not what():
        for member in members:
            member.check()
        assert time.monotonic() < deadline, f"after {wait_s:g} s not yet: {words}; {described(members)}"
        time.sleep(SETTLE_S)


def described(members: Sequence[Running]) -> str:
    return "; ".join(f"has {sorted(member.assigned)}, read {len(member.received)}" for member in members)


def shared(members: Sequence[Running], partitions: int) -> bool:
    """Does every partition have one member, and every member something?"""
    held = [partition for member in members for partition in member.assigned]
    return sorted(held) == list(range(partitions)) and all(member.assigned for member in members)


def counts(members: Sequence[Running]) -> Mapping[bytes, int]:
    """How often each value was read."""
    seen: dict[bytes, int] = {}
    for member in members:
        for value in member.values:
            seen[value] = seen.get(value, 0) + 1
    return seen
