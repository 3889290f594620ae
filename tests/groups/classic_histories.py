"""Histories of classic groups from seeds: members join, leave, crash, pause, come back; coordinators are read again.

Each history ends in one of two ways: all fall silent, and nothing may be left of them; or nothing goes wrong any more,
and those who live have to agree.

    python -m tests.groups.classic_histories FIRST [END]     one with its transcript, or many
"""

from __future__ import annotations

import itertools
from collections.abc import Callable, Iterator
from dataclasses import replace
from random import Random
from typing import Any, Final, final

from ottla.groups.classic.config import ClassicConfig
from ottla.groups.classic.state import State
from ottla.groups.client import Client
from ottla.wire.k11_join_group import JoinGroupRequest, JoinGroupRequestProtocol
from ottla.wire.k12_heartbeat import HeartbeatRequest
from ottla.wire.k13_leave_group import LeaveGroupRequest, MemberIdentity
from ottla.wire.k14_sync_group import SyncGroupRequest, SyncGroupRequestAssignment
from tests.groups.classic_process import Process
from tests.groups.classic_shard import Shard
from tests.support.histories import Crowd, main

__all__ = ["History"]

STEPS: Final = 120
CALM_MS_MAX: Final = 700_000
"""Longer than any session and join phase, one after the other."""
CALM_ROUND_MS: Final = 2_000
SETTLED_MS: Final = 60_000
"""Who agrees for so long has settled."""
PAUSES_MS: Final = (1_000, 8_000, 60_000)
PROTOCOLS: Final = (("range",), ("range", "sticky"), ("sticky", "range"), ("cooperative", "sticky", "range"))


@final
class History:
    """One history; all chance comes from its seed."""

    def __init__(self, seed: int) -> None:
        self.rng = Random(seed)
        config = ClassicConfig(
            initial_rebalance_delay_ms=self.rng.choice((0, 3_000)),
            members_max=self.rng.choice((3, 2**31 - 1)),
            told_at_once=self.rng.choice((1, 2, 500)),
        )
        self.shard = Shard(config, self._hear)
        self.group_ids = [f"g{number}" for number in range(self.rng.choice((1, 1, 3)))]
        self.crowd: Crowd[Process] = Crowd(self.rng)
        self._names = itertools.count(1)
        self._asking: dict[int, Process] = {}
        self._commits_at_once = self.rng.random() < 0.5
        self._member_ids: list[str] = ["", "nobody"]

    def play(self) -> None:
        """Raises AssertionError when something does not hold."""
        for _ in range(STEPS):
            self._step()
            if self._commits_at_once or self.rng.random() < 0.3:
                self.shard.commit(None if self.rng.random() < 0.5 else 1)
        self.shard.refuses = False
        if self.rng.random() < 0.5:
            self._end_silent()
        else:
            self._end_calm()

    def transcript(self) -> Iterator[str]:
        return (" ".join(map(str, line)) for line in self.shard.said)

    # What happens.

    def _step(self) -> None:
        kinds: dict[Callable[[], None], float] = {
            self._act: 50,
            self._pass_time: 18,
            self._start: 6,
            self.crowd.crash: 2,
            lambda: self.crowd.pause(self.shard.now_ms, PAUSES_MS): 3,
            self._lose_connection: 4,
            self._leave: 3,
            self._change: 3,
            self._restart_static: 3,
            self._babble: 4,
            self._reload: 2,
            self._refuse: 2,
            self._commit_offsets: 3,
            self._delete: 2,
            self._migrate: 1,
        }
        self.rng.choices(list(kinds), list(kinds.values()))[0]()

    def _act(self) -> None:
        process = self.crowd.any_ready(self.shard.now_ms)
        if process is not None:
            self._ask(process, *process.next_request())

    def _ask(self, process: Process, request: Any, version: int) -> None:
        if isinstance(request, HeartbeatRequest):
            answer = self.shard.given_below(request, process.client, version)
            if answer is not None:
                process.hear(answer)
                return
        number = self.shard.ask(request, process.client, version)
        process.waits_for = number
        self._asking[number] = process

    def _hear(self, number: int, answer: Any) -> None:
        process = self._asking.pop(number, None)
        if process is None or process.waits_for != number:
            return
        if answer is None:
            process.hear_nothing()
        else:
            process.hear(answer)
            self._member_ids.append(process.member_id)

    def _pass_time(self) -> None:
        """To the next deadline, a little before or after it, or some time; who calls ``advance`` may be late."""
        shard = self.shard
        due_ms = shard.groups.next_deadline_ms()
        to_ms = shard.now_ms + self.rng.choice((1, 100, 1_000, 3_000, 10_000))
        if due_ms is not None and self.rng.random() < 0.4:
            to_ms = max(shard.now_ms, due_ms + self.rng.choice((-1, 0, 1, 500)))
        while due_ms is not None and due_ms <= to_ms and self.rng.random() < 0.9:
            shard.now_ms = max(shard.now_ms, due_ms)
            shard.advance()
            due_ms = shard.groups.next_deadline_ms()
        shard.now_ms = max(shard.now_ms, to_ms)
        if self.rng.random() < 0.8:
            shard.advance()

    def _start(self, instance_id: str | None = None, group_id: str | None = None) -> None:
        if instance_id is None and self.rng.random() < 0.3:
            instance_id = f"i{self.rng.randrange(3)}"
        protocols = self.rng.choice(PROTOCOLS) if self.rng.random() < 0.95 else ("odd",)
        self.crowd.all.append(
            Process(
                str(next(self._names)), group_id or self.rng.choice(self.group_ids), instance_id, protocols, self.rng
            )
        )

    def _lose_connection(self) -> None:
        """It asks again, while its request may still wait."""
        process = self.crowd.any_living()
        if process is not None:
            process.hear_nothing()

    def _leave(self) -> None:
        process = self.crowd.any_living()
        if process is not None and process.member_id:
            self.shard.ask(*_with_client(process.leave(), process.client))
            process.is_alive = False

    def _change(self) -> None:
        """It subscribes to something else, or sees new partitions."""
        process = self.crowd.any_living()
        if process is not None:
            if self.rng.random() < 0.7:
                process.protocols = self.rng.choice(PROTOCOLS)
            process.rejoin()

    def _restart_static(self) -> None:
        """The same instance once more; the process before may live on."""
        static = [process for process in self.crowd.living() if process.instance_id is not None]
        if static:
            old = self.rng.choice(static)
            old.is_alive = self.rng.random() < 0.2
            self._start(old.instance_id, old.group_id)
            if self.rng.random() < 0.7:
                self.crowd.all[-1].protocols = old.protocols

    def _reload(self) -> None:
        if self.rng.random() < 0.2:
            self.shard.config = replace(self.shard.config, members_max=self.rng.choice((2, 4, 2**31 - 1)))
        self.shard.reload(fails=self.rng.random() < 0.5)

    def _refuse(self) -> None:
        self.shard.refuses = not self.shard.refuses and self.rng.random() < 0.5

    def _babble(self) -> None:
        """A request that no client of this group would send."""
        rng = self.rng
        group_id, member_id = rng.choice([*self.group_ids, "", "other"]), rng.choice(self._member_ids)
        group = self.shard.groups.get(group_id)
        generation = rng.choice((-1, 0, 1, 7, group.generation if group else 2))
        instance_id = rng.choice((None, None, "i0", "i9"))
        names = rng.choice((*PROTOCOLS, (), ("odd",), ("range", "range")))
        protocols = tuple(JoinGroupRequestProtocol(name=name, metadata=rng.randbytes(3)) for name in names)
        session_ms, kind = rng.choice((6_000, 10_000, 0, 2**31 - 1)), rng.choice(("consumer", "connect", ""))
        shares = (SyncGroupRequestAssignment(member_id=member_id, assignment=b"x"),)
        who = tuple(MemberIdentity(member_id=rng.choice(self._member_ids), group_instance_id=instance_id) for _ in "ab")
        member: dict[str, Any] = {"group_id": group_id, "member_id": member_id, "group_instance_id": instance_id}
        request: tuple[Any, int] = rng.choice(
            (
                (
                    JoinGroupRequest(
                        **member,
                        session_timeout_ms=session_ms,
                        rebalance_timeout_ms=rng.choice((0, 5_000, -1)),
                        protocol_type=kind,
                        protocols=protocols,
                    ),
                    rng.randrange(10),
                ),
                (
                    SyncGroupRequest(
                        **member,
                        generation_id=generation,
                        protocol_type=rng.choice((None, kind)),
                        protocol_name=rng.choice((None, "range", "odd")),
                        assignments=shares,
                    ),
                    rng.randrange(6),
                ),
                (HeartbeatRequest(**member, generation_id=generation), rng.randrange(5)),
                (LeaveGroupRequest(group_id=group_id, member_id=member_id, members=who), rng.randrange(6)),
            )
        )
        self.shard.ask(*_with_client(request, Client("stranger", "/10.9.9.9")))

    def _commit_offsets(self) -> None:
        process = self.crowd.any_living()
        group = None if process is None else self.shard.groups.get(process.group_id)
        if process is None or group is None:
            return
        error = group.validate_commit(process.member_id, process.instance_id, process.generation, False, 8)
        if not error:
            self.shard.groups.committed(group, process.member_id, self.shard.now.monotonic_ms)
            self.shard.check()

    def _delete(self) -> None:
        group = self.shard.groups.get(self.rng.choice(self.group_ids))
        if group is not None and not group.validate_delete() and not self.shard.refuses:
            self.shard.run(lambda outbox: self.shard.groups.delete(group.group_id, outbox))

    def _migrate(self) -> None:
        """Its members move to another protocol and, some of them, back."""
        groups = self.shard.groups
        group = groups.get(self.rng.choice(self.group_ids))
        if group is None or group.state is not State.STABLE or self.shard.refuses:
            return
        value = group.stored
        assert value is not None
        protocols = {member_id: member.protocols for member_id, member in group.members.items()}
        rebalance = self.rng.random() < 0.5
        self.shard.run(lambda outbox: groups.dissolve(group.group_id, outbox))
        if self.rng.random() < 0.7:
            self.shard.adopted(value, group.group_id)
            self.shard.run(
                lambda outbox: void(groups.adopt(group.group_id, value, protocols, outbox, rebalance=rebalance))
            )

    # Ends.

    def _end_silent(self) -> None:
        shard = self.shard
        while (due_ms := shard.groups.next_deadline_ms()) is not None:
            shard.now_ms = max(shard.now_ms, due_ms)
            shard.advance()
        shard.commit()
        assert all(group.is_empty and not group.pending for group in shard.groups), "nobody is left"
        assert not shard.owed, "every request was answered"

    def _end_calm(self) -> None:
        shard = self.shard
        end_ms, settled_ms = shard.now_ms + CALM_MS_MAX, 0
        while settled_ms < SETTLED_MS:
            differs = self._disagreement()
            assert not differs or shard.now_ms < end_ms, differs
            settled_ms = 0 if differs else settled_ms + CALM_ROUND_MS
            self._calm_round(shard.now_ms + CALM_ROUND_MS)

    def _calm_round(self, end_ms: int) -> None:
        shard = self.shard
        shard.commit()
        for process in self.crowd.living():
            if process.waits_for is None:
                self._ask(process, *process.next_request())
                shard.commit()
        while (due_ms := shard.groups.next_deadline_ms()) is not None and due_ms <= end_ms:
            shard.now_ms = max(shard.now_ms, due_ms)
            shard.advance()
            shard.commit()
        shard.now_ms = end_ms

    def _disagreement(self) -> str:
        """What is not settled yet; empty when all who live are members, and have what they were given."""
        for group_id in self.group_ids:
            living = {process.member_id: process for process in self.crowd.living() if process.group_id == group_id}
            group = self.shard.groups.get(group_id)
            members = {} if group is None else group.members
            if living.keys() != members.keys():
                return f"{group_id}: {sorted(living)} live, {sorted(members)} are members"
            if group is None or not members:
                continue
            if group.state is not State.STABLE:
                return f"{group_id} is {group.state.value}"
            for member_id, process in living.items():
                if (process.generation, process.share) != (group.generation, members[member_id].assignment):
                    return f"{member_id} of {group_id} has another share"
        return ""


def void(_: object) -> None:
    return


def _with_client(request: tuple[Any, int], client: Client) -> tuple[Any, Client, int]:
    return request[0], client, request[1]


if __name__ == "__main__":
    main(History)
