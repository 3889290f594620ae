"""Many members of one classic group at once, each over a connection of its own, in a process of its own.

    python -m tests.support.group_storm HOST:PORT --members 1000 --seconds 10

All join at the same moment, the leader assigns, all sync, and then send heartbeats until the time is over. One line of
JSON says how it went.
"""

from __future__ import annotations

import argparse
import json
import time
from dataclasses import dataclass, field
from typing import Any, Final, final

import trio

from ottla.errors import ErrorCode
from ottla.wire.k09_offset_fetch import OffsetFetchRequest, OffsetFetchRequestGroup
from ottla.wire.k10_find_coordinator import FindCoordinatorRequest
from ottla.wire.k11_join_group import JoinGroupRequest, JoinGroupRequestProtocol
from ottla.wire.k12_heartbeat import HeartbeatRequest
from ottla.wire.k14_sync_group import SyncGroupRequest, SyncGroupRequestAssignment
from tests.support.frames import answer_in, key_of, request_frame

GROUP: Final = "storm"
PROTOCOL: Final = "range"
PROTOCOL_TYPE: Final = "storm"
SESSION_MS: Final = 10_000
REBALANCE_MS: Final = 60_000
METADATA: Final = bytes(100)
"""Of the size of a subscription to a few topics."""
ASSIGNMENT: Final = bytes(200)
REJOIN: Final = frozenset((ErrorCode.REBALANCE_IN_PROGRESS, ErrorCode.ILLEGAL_GENERATION))
WAIT: Final = frozenset((ErrorCode.COORDINATOR_LOAD_IN_PROGRESS, ErrorCode.NOT_COORDINATOR))
LENGTH_BYTES: Final = 4


@final
class Connection:
    """One connection, one request at a time."""

    def __init__(self, stream: trio.SocketStream, client_id: str) -> None:
        self._stream = stream
        self._client_id = client_id
        self._correlation_id = 0
        self._kept = bytearray()

    async def ask(self, request: object, version: int) -> Any:
        self._correlation_id += 1
        await self._stream.send_all(request_frame(request, version, self._correlation_id, self._client_id))
        frame = await self._take(int.from_bytes(await self._take(LENGTH_BYTES)))
        return answer_in(frame, key_of(request), version)[1]

    async def _take(self, count: int) -> bytes:
        while len(self._kept) < count:
            part = await self._stream.receive_some(1 << 16)
            if not part:
                raise ConnectionError("the broker closed the connection")
            self._kept += part
        taken = bytes(self._kept[:count])
        del self._kept[:count]
        return taken


@final
@dataclass(slots=True)
class Result:
    """What is printed."""

    stable_s: float = 0.0
    """From the first join until all had their assignment in the same generation."""
    generations: int = 0
    heartbeats: int = 0
    lost: int = 0
    """Members that the broker did not know any more."""
    latencies_ms: list[float] = field(default_factory=list)

    def line(self) -> str:
        ordered = sorted(self.latencies_ms) or [0.0]
        return json.dumps(
            {
                "stable_s": round(self.stable_s, 3),
                "generations": self.generations,
                "heartbeats": self.heartbeats,
                "lost": self.lost,
                "heartbeat_ms_p50": round(ordered[len(ordered) // 2], 2),
                "heartbeat_ms_p999": round(ordered[len(ordered) * 999 // 1000], 2),
            }
        )


@final
class Storm:
    """The members, and what they come to."""

    def __init__(self, members: int, seconds: float, heartbeat_s: float) -> None:
        self._members = members
        self._seconds = seconds
        self._heartbeat_s = heartbeat_s
        self._stable: dict[int, int] = {}
        """How many have their assignment, by generation."""
        self._begun_s = 0.0
        self._over = trio.Event()
        self.result = Result()

    async def run(self, host: str, port: int) -> None:
        connections = []
        for number in range(self._members):
            stream = await trio.open_tcp_stream(host, port)
            connections.append(Connection(stream, f"storm-{number}"))
        await self._coordinated(connections[0])
        self._begun_s = time.monotonic()
        async with trio.open_nursery() as nursery:
            for connection in connections:
                nursery.start_soon(self._member, connection)
        self.result.generations = max(self._stable)

    @staticmethod
    async def _coordinated(connection: Connection) -> None:
        while True:
            found = await connection.ask(FindCoordinatorRequest(coordinator_keys=(GROUP,)), 4)
            if found.coordinators[0].error_code == 0:
                groups = (OffsetFetchRequestGroup(group_id=GROUP, topics=None),)
                if (await connection.ask(OffsetFetchRequest(groups=groups), 8)).groups[0].error_code not in WAIT:
                    return
            await trio.sleep(0.05)

    async def _member(self, connection: Connection) -> None:
        member_id = ""
        while not self._over.is_set():
            joined = await connection.ask(
                JoinGroupRequest(
                    group_id=GROUP,
                    session_timeout_ms=SESSION_MS,
                    rebalance_timeout_ms=REBALANCE_MS,
                    member_id=member_id,
                    protocol_type=PROTOCOL_TYPE,
                    protocols=(JoinGroupRequestProtocol(name=PROTOCOL, metadata=METADATA),),
                ),
                9,
            )
            member_id = joined.member_id
            if joined.error_code == ErrorCode.UNKNOWN_MEMBER_ID:
                self.result.lost += 1
                member_id = ""
            if joined.error_code:
                continue
            synced = await connection.ask(
                SyncGroupRequest(
                    group_id=GROUP,
                    generation_id=joined.generation_id,
                    member_id=member_id,
                    protocol_type=PROTOCOL_TYPE,
                    protocol_name=PROTOCOL,
                    assignments=tuple(
                        SyncGroupRequestAssignment(member_id=each.member_id, assignment=ASSIGNMENT)
                        for each in joined.members
                    ),
                ),
                5,
            )
            if not synced.error_code:
                assert synced.assignment == ASSIGNMENT
                self._has_assignment(joined.generation_id)
                member_id = await self._stay(connection, member_id, joined.generation_id)

    def _has_assignment(self, generation: int) -> None:
        self._stable[generation] = self._stable.get(generation, 0) + 1
        if self._stable[generation] == self._members:
            self.result.stable_s = time.monotonic() - self._begun_s

    async def _stay(self, connection: Connection, member_id: str, generation: int) -> str:
        while not self._over.is_set():
            with trio.move_on_after(self._heartbeat_s):
                await self._over.wait()
            begun = time.monotonic()
            if begun > self._begun_s + self._seconds:
                self._over.set()
            request = HeartbeatRequest(group_id=GROUP, generation_id=generation, member_id=member_id)
            code = (await connection.ask(request, 4)).error_code
            self.result.latencies_ms.append((time.monotonic() - begun) * 1000)
            self.result.heartbeats += 1
            if code == ErrorCode.UNKNOWN_MEMBER_ID:
                self.result.lost += 1
                return ""
            if code in REJOIN:
                return member_id
            assert code == 0, ErrorCode(code).name
        return member_id


def main() -> None:
    parser = argparse.ArgumentParser(description="Many members of one classic group at once.")
    parser.add_argument("address", metavar="HOST:PORT")
    parser.add_argument("--members", type=int, default=1000)
    parser.add_argument("--seconds", type=float, default=10.0)
    parser.add_argument("--heartbeat-s", type=float, default=3.0)
    options = parser.parse_args()
    host, _, port = options.address.rpartition(":")
    storm = Storm(options.members, options.seconds, options.heartbeat_s)
    trio.run(storm.run, host, int(port))
    print(storm.result.line())


if __name__ == "__main__":
    main()
