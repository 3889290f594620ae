"""What classic groups cost: large ones, and many that are empty. Prints the time of each operation.

python -m tests.groups.classic_costs
"""

from __future__ import annotations

import gc
import itertools
import time
import tracemalloc
from collections.abc import Callable, Sequence
from typing import Any, Final, final

from ottla.coordinator.machine import Now, Outbox, Reply
from ottla.groups.classic.config import ClassicConfig
from ottla.groups.classic.groups import ClassicGroups
from ottla.groups.classic.state import State
from ottla.groups.client import Client
from ottla.wire.k11_join_group import JoinGroupRequest, JoinGroupRequestProtocol
from ottla.wire.k12_heartbeat import HeartbeatRequest
from ottla.wire.k13_leave_group import LeaveGroupRequest
from ottla.wire.k14_sync_group import SyncGroupRequest, SyncGroupRequestAssignment

__all__ = ["Crowd", "bytes_per_empty_group"]

CLIENT: Final = Client("client", "/127.0.0.1")
PROTOCOLS: Final = tuple(JoinGroupRequestProtocol(name=name, metadata=bytes(60)) for name in ("range", "sticky"))
SESSION_MS: Final = 45_000
HEARTBEATS: Final = 200_000


@final
class Crowd:
    """The members of one group, who do the same at once; and empty groups beside them."""

    def __init__(self, members: int, empty_groups: int = 0) -> None:
        ids = itertools.count()
        self.groups = ClassicGroups(ClassicConfig(), lambda: f"{next(ids):036}")
        self.now_ms = 0
        self.member_ids = [""] * members
        for number in range(empty_groups):
            self.make_empty(f"empty-{number}")

    def make_empty(self, group_id: str) -> None:
        """Somebody asks for a member id, and goes again."""
        member_id = self._ask(self.groups.join, join_request(group_id, "", 0), 9).result().member_id
        self._ask(self.groups.leave, LeaveGroupRequest(group_id=group_id, member_id=member_id), 2)

    def ask_for_id(self, group_id: str) -> int:
        """A new client asks for a member id, and is not heard of again. Gives the code."""
        code: int = self._ask(self.groups.join, join_request(group_id, "", 0), 9).result().error_code
        return code

    def join_but_one(self) -> Callable[[Outbox], None]:
        """All join again but one, whose join, yet to be done, ends the phase."""
        requests = [join_request("g", member_id, number) for number, member_id in enumerate(self.member_ids)]
        for request in requests[:-1]:
            self._ask(self.groups.join, request, 3)
        return lambda outbox: self.groups.join(requests[-1], CLIENT, 3, Reply(), outbox)

    def _run(self, operation: Callable[[Outbox], None]) -> None:
        outbox = Outbox(Now(self.now_ms, self.now_ms), self.groups.apply)
        operation(outbox)
        for answer in outbox.answers:
            answer()

    def _ask(self, handle: Any, request: Any, version: int) -> Reply[Any]:
        reply: Reply[Any] = Reply()
        self._run(lambda outbox: handle(request, CLIENT, version, reply, outbox))
        return reply

    def advance(self, milliseconds: int) -> None:
        self.now_ms += milliseconds
        while (due_ms := self.groups.next_deadline_ms()) is not None and due_ms <= self.now_ms:
            self._run(self.groups.advance)

    @property
    def state(self) -> State:
        return self.groups.ensure("g").state

    def join(self) -> None:
        """All join. A group that was empty waits for more of them, twice."""
        requests = [join_request("g", member_id, number) for number, member_id in enumerate(self.member_ids)]
        replies = [self._ask(self.groups.join, request, 3) for request in requests]
        self.advance(0)
        if not replies[0].is_settled:
            self.advance(3_000)
            self.advance(3_000)
        self.member_ids = [reply.result().member_id for reply in replies]

    def sync(self) -> None:
        """All ask for their shares, the leader last."""
        generation = self.groups.ensure("g").generation
        shares = tuple(
            SyncGroupRequestAssignment(member_id=member_id, assignment=bytes(20)) for member_id in self.member_ids
        )
        replies = [
            self._ask(self.groups.sync, sync_request(member_id, generation), 4) for member_id in self.member_ids[1:]
        ]
        replies.append(self._ask(self.groups.sync, sync_request(self.member_ids[0], generation, shares), 4))
        self.advance(0)
        assert all(reply.result().assignment for reply in replies)

    def heartbeat(self, member: int) -> None:
        self._ask(self.groups.heartbeat, self.heartbeat_request(member), 4)

    def heartbeat_request(self, member: int) -> HeartbeatRequest:
        generation = self.groups.ensure("g").generation
        return HeartbeatRequest(group_id="g", generation_id=generation, member_id=self.member_ids[member])

    def leave(self) -> None:
        """All leave, one after the other."""
        for member_id in self.member_ids:
            self._ask(self.groups.leave, LeaveGroupRequest(group_id="g", member_id=member_id), 2)

    def fall_silent(self) -> None:
        """All sessions end."""
        self.advance(SESSION_MS)


def join_request(group_id: str, member_id: str, number: int) -> JoinGroupRequest:
    return JoinGroupRequest(
        group_id=group_id,
        session_timeout_ms=SESSION_MS,
        rebalance_timeout_ms=300_000,
        member_id=member_id,
        protocol_type="consumer",
        protocols=PROTOCOLS if number % 2 else PROTOCOLS[::-1],
    )


def sync_request(
    member_id: str, generation: int, shares: tuple[SyncGroupRequestAssignment, ...] = ()
) -> SyncGroupRequest:
    return SyncGroupRequest(group_id="g", generation_id=generation, member_id=member_id, assignments=shares)


def bytes_per_empty_group(groups: int) -> float:
    """Memory of a group that was made and whose members have gone."""
    crowd = Crowd(0)
    gc.collect()
    tracemalloc.start()
    try:
        for number in range(groups):
            crowd.make_empty(f"group-{number}")
        gc.collect()
        return tracemalloc.get_traced_memory()[0] / groups
    finally:
        tracemalloc.stop()


def _seconds(operation: Callable[[], object]) -> float:
    start_s = time.perf_counter()
    operation()
    return time.perf_counter() - start_s


def _heartbeats(crowd: Crowd, requests: Sequence[HeartbeatRequest]) -> float:
    """Seconds per heartbeat, with the outbox and the reply that each has."""
    rounds = -(-HEARTBEATS // len(requests))
    start_s = time.perf_counter()
    for _ in range(rounds):
        crowd.now_ms += 1
        now = Now(crowd.now_ms, crowd.now_ms)
        for request in requests:
            outbox, reply = Outbox(now, crowd.groups.apply), Reply[Any]()
            crowd.groups.heartbeat(request, CLIENT, 4, reply, outbox)
            for answer in outbox.answers:
                answer()
    return (time.perf_counter() - start_s) / (rounds * len(requests))


def main() -> None:
    print("microseconds per member; all at once")
    print(
        " ".join(f"{head:>8}" for head in ("members", "others", "join", "sync", "rejoin", "leave", "silence", "beat"))
    )
    for members, empty_groups in ((100, 0), (1_000, 0), (10_000, 0), (1_000, 10_000)):
        crowd = Crowd(members, empty_groups)
        each = 1e6 / members
        figures = [_seconds(crowd.join) * each, _seconds(crowd.sync) * each, _seconds(crowd.join) * each]
        crowd.sync()
        heartbeat = min(
            _heartbeats(crowd, [crowd.heartbeat_request(member) for member in range(members)]) for _ in range(5)
        )
        other = Crowd(members, empty_groups)
        other.join()
        other.sync()
        figures += [_seconds(crowd.leave) * each, _seconds(other.fall_silent) * each]
        shown = " ".join(f"{figure:8.1f}" for figure in figures)
        print(f"{members:8} {empty_groups:8} {shown} {heartbeat * 1e6:8.2f}  {1 / heartbeat:9,.0f} a second")
    print(f"{bytes_per_empty_group(10_000):.0f} bytes per empty group")


if __name__ == "__main__":
    main()
