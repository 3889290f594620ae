"""The shard of a history: a machine, the log that it writes, and what is known of it from outside.

Answers leave once the records before them are committed, which may be some steps later; a failed append loses what is
not committed, and the machine is read again from the log. After each step everything is checked.
"""

from __future__ import annotations

import itertools
from collections import deque
from collections.abc import Callable
from typing import Any, Final, NamedTuple, final

from ottla.coordinator.machine import CoordinatorError, Now, Outbox, Record, Reply
from ottla.errors import ErrorCode
from ottla.groups.classic.config import ClassicConfig
from ottla.groups.classic.group import ClassicGroup
from ottla.groups.classic.groups import ClassicGroups
from ottla.groups.classic.state import TRANSITIONS, State
from ottla.groups.client import Client
from ottla.groups.deadlines import Timer
from ottla.records.consumer_offsets import GroupMetadataKey, GroupMetadataValue
from ottla.wire.k11_join_group import JoinGroupRequest, JoinGroupResponse
from ottla.wire.k12_heartbeat import HeartbeatRequest
from ottla.wire.k13_leave_group import LeaveGroupRequest
from ottla.wire.k14_sync_group import SyncGroupRequest, SyncGroupResponse
from tests.groups.standing import Below

__all__ = ["Owed", "Shard"]

WALL_MS: Final = 1_000_000
ADVANCES_MAX: Final = 1_000
"""More would not end."""
STEPS_PER_REPLAY: Final = 8
"""Where no record was written."""
Log = dict[str, GroupMetadataValue | None]
"""The last record of each group, as a compacted log has it."""


class Owed(NamedTuple):
    """A request that was not answered yet."""

    reply: Reply[Any]
    request: Any
    client: Client
    version: int


class Beat(NamedTuple):
    """A heartbeat: what its bytes say, and on whose connection."""

    group_id: str
    generation_id: int
    member_id: str
    instance_id: str | None
    client: Client
    version: int


class Generation(NamedTuple):
    """Generations begin anew when a group is deleted, and go back when the log says so: each time is another life."""

    group_id: str
    life: int
    generation: int


class Batch(NamedTuple):
    """What one operation came to: written together, then answered."""

    records: list[Record]
    answers: list[Callable[[], None]]
    lives: dict[str, int]
    begun: list[Generation]


@final
class Shard:
    """``hear`` is told of each answer, by the number of its request; of None when there is none."""

    def __init__(self, config: ClassicConfig, hear: Callable[[int, Any], None]) -> None:
        self.config = config
        self.now_ms = 0
        self.refuses = False
        """Are records too large?"""
        self.owed: dict[int, Owed] = {}
        self.said: list[tuple[object, ...]] = []
        """The transcript, in words."""
        self.below = Below()
        self._hear = hear
        self._ids = itertools.count(1)
        self._numbers = itertools.count(1)
        self._committed: Log = {}
        self._log: Log = {}
        self._written: deque[Batch] = deque()
        self._lives: dict[str, int] = {}
        self._answering: dict[str, int] = {}
        self._generations: dict[str, int] = {}
        self._states: dict[str, State] = {}
        self._leaders: dict[Generation, str] = {}
        self._lists: set[Generation] = set()
        """Generations whose leader knows its members."""
        self._shares: dict[Generation, dict[str, bytes]] = {}
        self._proposals: dict[str, SyncGroupRequest] = {}
        self._instances: dict[str, str] = {}
        self._steps = 0
        self._unwritten: set[str] = set()
        """Groups that became Empty while records were refused."""
        self.groups = self._machine()

    def _machine(self) -> ClassicGroups:
        return ClassicGroups(self.config, lambda: f"{next(self._ids):08x}")

    @property
    def now(self) -> Now:
        return Now(self.now_ms, WALL_MS + self.now_ms)

    # Operations.

    def ask(self, request: Any, client: Client, version: int) -> int:
        """A request comes in. Returns its number."""
        number = next(self._numbers)
        reply: Reply[Any] = Reply()
        self.owed[number] = Owed(reply, request, client, version)
        reply.when_settled(lambda: self._settled(number))
        handle: Any = {
            JoinGroupRequest: self.groups.join,
            SyncGroupRequest: self.groups.sync,
            HeartbeatRequest: self.groups.heartbeat,
            LeaveGroupRequest: self.groups.leave,
        }[type(request)]
        self.said.append((self.now_ms, number, client.client_id, "->", request))

        def operation(outbox: Outbox) -> None:
            if isinstance(request, SyncGroupRequest):
                self._note_proposal(request)
            try:
                handle(request, client, version, reply, outbox)
            except CoordinatorError as error:
                assert not outbox.records, "what is refused changes nothing"
                outbox.refuse(reply, error.code)

        self.run(operation)
        return number

    def given_below(self, request: HeartbeatRequest, client: Client, version: int) -> Any:
        """The answer that stands; None when the request comes up."""
        answer = self.below.give(_beat(request, client, version), self.now_ms)
        if answer is not None:
            self.said.append((self.now_ms, "below", client.client_id, "->", request, "<-", answer))
        return answer

    def _note_proposal(self, request: SyncGroupRequest) -> None:
        group = self.groups.get(request.group_id)
        if group is not None and group.leader == request.member_id and group.state is State.COMPLETING_REBALANCE:
            self._proposals[request.group_id] = request

    def run(self, operation: Callable[[Outbox], None]) -> None:
        """One operation, and the checks after it."""
        outbox = Outbox(self.now, self._apply, self._check)
        before = {group.group_id: group.generation for group in self.groups}
        operation(outbox)
        begun = [
            self._key(group, self._lives)
            for group in self.groups
            if group.state is State.COMPLETING_REBALANCE
            and group.generation > before.get(group.group_id, 0)
            and not is_telling(group)
        ]
        self._written.append(Batch(outbox.records, outbox.answers, dict(self._lives), begun))
        self.said += ((self.now_ms, "record", record.value) for record in outbox.records)
        self.check()
        self._steps += 1
        if outbox.records or self._steps % STEPS_PER_REPLAY == 0:
            self.check_replay()

    def _apply(self, record: Record) -> None:
        assert isinstance(record.key, GroupMetadataKey)
        if record.value is None:
            self._new_life(record.key.group)
        self.groups.apply(record)
        put(self._log, record)

    def _check(self, records: object) -> None:
        if self.refuses:
            self._unwritten.update(group.group_id for group in self.groups if group.is_empty)
            raise CoordinatorError(ErrorCode.UNKNOWN_SERVER_ERROR)

    def _new_life(self, group_id: str) -> None:
        self._lives[group_id] = self._lives.get(group_id, 0) + 1
        self._generations.pop(group_id, None)
        self._states.pop(group_id, None)
        self._unwritten.discard(group_id)

    def adopted(self, value: GroupMetadataValue, group_id: str) -> None:
        """A group comes from another protocol, with its members and their shares."""
        key = Generation(group_id, self._lives.get(group_id, 0), value.generation)
        self._shares[key] = {self._who(member.member_id): member.assignment for member in value.members}

    def advance(self) -> None:
        """Does what is due."""
        for _ in range(ADVANCES_MAX):
            due_ms = self.groups.next_deadline_ms()
            if due_ms is None or due_ms > self.now_ms:
                return
            self.said.append((self.now_ms, "due at", due_ms))
            live = self._live()
            self.run(self.groups.advance)
            for group_id, member_id in live:
                group = self.groups.get(group_id)
                assert group is not None, f"{group_id} lives"
                assert member_id in group.members, f"{member_id} was heard below"
        raise AssertionError("there is always something due")

    def _live(self) -> list[tuple[str, str]]:
        """Members whose session goes on because of what was given below. Who has never asked for its share is removed
        all the same."""
        live = []
        for beat, kept in self.below.standing(self.now_ms):
            group = self.groups.get(beat.group_id)
            assert group is not None
            member = group.members[beat.member_id]
            is_heard = kept.held.used_ms() + member.session_timeout_ms > self.now_ms
            if is_heard and beat.member_id not in group.pending_sync:
                live.append((beat.group_id, beat.member_id))
        return live

    def commit(self, batches: int | None = None) -> None:
        """The oldest operations are committed, all by default: who asked is answered."""
        for _ in range(len(self._written) if batches is None else min(batches, len(self._written))):
            records, answers, self._answering, begun = self._written.popleft()
            for record in records:
                put(self._committed, record)
            for answer in answers:
                open_before = len(self.owed)
                answer()
                assert len(self.owed) == open_before - 1, "an answer settles one request that was not answered yet"
            assert self._lists.issuperset(begun), "who leads a new generation is told"

    def _settled(self, number: int) -> None:
        owed = self.owed.pop(number)
        try:
            answer = owed.reply.result()
        except CoordinatorError as error:
            self.said.append((self.now_ms, number, owed.client.client_id, "<-", error.code.name))
            self._hear(number, None)
            return
        self.said.append((self.now_ms, number, owed.client.client_id, "<-", answer))
        if isinstance(owed.request, HeartbeatRequest):
            self._may_stand(owed)
        self._check_answer(owed.request, answer)
        self._hear(number, answer)

    def _may_stand(self, owed: Owed) -> None:
        request, client, version = owed.request, owed.client, owed.version

        def ask(reply: Reply[Any], outbox: Outbox) -> None:
            self.groups.heartbeat(request, client, version, reply, outbox)

        self.below.keep(_beat(request, client, version), owed.reply, ask)

    def _session_of(self, beat: Beat) -> Timer:
        group = self.groups.get(beat.group_id)
        assert group is not None, f"an answer stands of {beat.group_id}, which is gone"
        session = group.members[beat.member_id].session
        assert session is not None
        return session

    def reload(self, *, fails: bool) -> None:
        """The machine is given up and read again from the log; with ``fails`` without what is not committed yet."""
        self.said.append((self.now_ms, "reload", "after a failure" if fails else ""))
        if fails:
            self._written.clear()
            self._log = dict(self._committed)
        else:
            self.commit()
        inside = {id(reply) for reply in self.groups.abandon()}
        owed = list(self.owed.values())
        assert fails or inside == {id(each.reply) for each in owed}, "whoever is not answered waits inside"
        for each in owed:
            each.reply.fail(CoordinatorError(ErrorCode.NOT_COORDINATOR))
        self.groups = replayed(self._log, self._machine())
        for group_id in [*self._generations, *self._log]:
            self._new_life(group_id)
        self.groups.loaded(self.now)
        self._instances.update((m, i) for group in self.groups for i, m in group.static.items())
        for group in self.groups:
            if group.stored is not None and group.members:
                shares = {self._who(m.member_id): m.assignment for m in group.stored.members}
                self._shares[self._key(group, self._lives)] = shares
        self.check()
        self.check_replay()

    # Checks.

    def _key(self, group: ClassicGroup, lives: dict[str, int]) -> Generation:
        return Generation(group.group_id, lives.get(group.group_id, 0), group.generation)

    def _who(self, member_id: str) -> str:
        """Whoever has a member id: for static members, that is the instance."""
        return self._instances.get(member_id, member_id)

    def _check_answer(self, request: Any, answer: Any) -> None:
        """Against what other members were told, and what is committed."""
        if answer.error_code:
            return
        if isinstance(answer, JoinGroupResponse):
            key = Generation(request.group_id, self._answering.get(request.group_id, 0), answer.generation_id)
            leader = self._who(answer.leader)
            assert self._leaders.setdefault(key, leader) == leader, f"{key} has one leader"
            assert bool(answer.members) == (answer.leader == answer.member_id), "the leader has the list, no one else"
            if answer.members:
                self._lists.add(key)
        elif isinstance(answer, SyncGroupResponse):
            key = Generation(request.group_id, self._answering.get(request.group_id, 0), request.generation_id)
            shares = self._shares[key]
            assert shares[self._who(request.member_id)] == answer.assignment, "a member has one share of a generation"
            stored = self._committed[request.group_id]
            assert stored is not None
            assert stored.generation >= request.generation_id, "shares are committed before they are told"

    def check(self) -> None:
        """Everything that holds between two operations."""
        self.below.check(self.now_ms, lambda: Outbox(self.now, self._apply, self._check), self._session_of)
        held: list[int] = []
        timers: list[int] = []
        for group in self.groups:
            self._instances.update((m, i) for i, m in group.static.items())
            check_group(group, self.config)
            self._check_course(group)
            held += (id(m.join.reply) for m in group.members.values() if m.join is not None)
            held += (id(m.sync) for m in group.members.values() if m.sync is not None)
            for telling in (group.telling, group.recording):
                if telling is not None and telling.due_ms is not None:
                    timers.append(telling.due_ms)
            set_timers = (group.phase, *group.pending.values(), *(m.session for m in group.members.values()))
            timers += (timer.at_ms for timer in set_timers if timer is not None and timer.at_ms is not None)
        next_ms = self.groups.next_deadline_ms()
        assert (next_ms is None) == (not timers), "a deadline is set when anything may become due"
        assert next_ms is None or next_ms <= min(timers), "nothing is due before somebody looks"
        queued = sum(len(batch.answers) for batch in self._written)
        assert len(held) == len(set(held)), "a reply is kept once"
        assert set(held) <= {id(owed.reply) for owed in self.owed.values()}, "who was answered does not wait"
        assert len(self.owed) == len(held) + queued, "a request waits inside, or is answered when that may be known"

    def _check_course(self, group: ClassicGroup) -> None:
        name = group.group_id
        before, self._generations[name] = self._generations.get(name, 0), group.generation
        assert group.generation >= before, f"{name} went from generation {before} to {group.generation}"
        old, self._states[name] = self._states.get(name), group.state
        assert old is None or old is group.state or reachable(old, group.state), f"{name}: {old} to {group.state}"
        if group.state is not State.STABLE:
            return
        key = self._key(group, self._lives)
        shares = {self._who(member.member_id): member.assignment for member in group.members.values()}
        if key not in self._shares:
            proposal = self._proposals.pop(name)
            assert proposal.generation_id == group.generation
            given = {share.member_id: share.assignment for share in proposal.assignments}
            proposed = {self._who(member_id): given.get(member_id, b"") for member_id in group.members}
            self._shares[key] = proposed
        assert shares == self._shares[key], f"each member of {key} has the share that its leader gave"

    def check_replay(self) -> None:
        again = replayed(self._log, self._machine())
        assert {g.group_id: g.stored for g in self.groups} == {g.group_id: g.stored for g in again}
        for group in self.groups:
            if group.group_id in self._unwritten:
                if not group.is_empty:
                    self._unwritten.discard(group.group_id)
            elif group.state in (State.STABLE, State.EMPTY):
                other = again.get(group.group_id)
                assert other is not None
                assert persistent(other) == persistent(group), "the log says it all"


def _beat(request: HeartbeatRequest, client: Client, version: int) -> Beat:
    return Beat(
        request.group_id,
        request.generation_id,
        request.member_id,
        request.group_instance_id,
        client,
        version,
    )


def put(log: Log, record: Record) -> None:
    """As compaction does."""
    assert isinstance(record.key, GroupMetadataKey)
    assert record.value is None or isinstance(record.value, GroupMetadataValue)
    log[record.key.group] = record.value


def replayed(log: Log, groups: ClassicGroups) -> ClassicGroups:
    for group_id, value in log.items():
        groups.apply(Record(GroupMetadataKey(group=group_id), value))
    return groups


def persistent(group: ClassicGroup) -> Any:
    """What a restart must bring back."""
    members = [
        (
            m.member_id,
            m.group_instance_id,
            m.client_id,
            m.client_host,
            m.session_timeout_ms,
            m.rebalance_timeout_ms,
            m.metadata_or_none(group.protocol),
            m.assignment,
        )
        for m in group.members.values()
    ]
    return (
        group.state,
        group.generation,
        group.protocol_type,
        group.protocol,
        group.leader,
        dict(group.static),
        members,
    )


def reachable(old: State, new: State, seen: frozenset[State] = frozenset()) -> bool:
    """One operation may go several ways at once."""
    return new in TRANSITIONS[old] or any(
        reachable(way, new, seen | {old}) for way in TRANSITIONS[old] if way not in seen and way is not State.DEAD
    )


def is_telling(group: ClassicGroup) -> bool:
    """Are there members who have not heard yet of what the phase came to?"""
    return group.telling is not None and group.telling.due_ms is not None


def is_recording(group: ClassicGroup) -> bool:
    """Is the record made that ends the sync phase?"""
    return group.recording is not None and group.recording.due_ms is not None


def check_group(group: ClassicGroup, config: ClassicConfig) -> None:
    """What holds in one group."""
    members = group.members
    waiting = [member for member in members.values() if member.join is not None]
    assert group.joined_count == len(waiting)
    assert group.static == {m.group_instance_id: m.member_id for m in members.values() if m.group_instance_id}
    assert all(member.member_id == member_id for member_id, member in members.items())
    assert not group.pending.keys() & members.keys(), "a pending id is of nobody"
    assert group.pending_sync <= members.keys()
    assert all(member.join is None or member.sync is None for member in members.values()), "one request waits"
    assert (group.leader is None) == (not members), f"one leads {group.group_id}"
    assert group.leader is None or group.leader in members, "the leader is a member"
    assert all(timer.at_ms is not None for timer in group.pending.values()), "given out for a time"
    phase = group.phase is not None and group.phase.at_ms is not None
    match group.state:
        case State.EMPTY:
            assert not members
            assert not phase
            assert not group.pending_sync
        case State.PREPARING_REBALANCE:
            assert phase, "a join phase ends"
            assert not group.pending_sync
        case State.COMPLETING_REBALANCE:
            assert members
            assert group.pending_sync or is_recording(group)
            assert phase or is_recording(group), "a sync phase ends"
            assert is_telling(group) or not waiting, "the join phase is over"
            new = [member for member in members.values() if member.is_new]
            assert is_telling(group) or not new, "who waits for the others is there"
        case State.STABLE:
            assert members
            assert is_telling(group) or not any(member.is_waiting for member in members.values())
            assert phase == bool(group.pending_sync)
            assert all(member.metadata_or_none(group.protocol) is not None for member in members.values())
        case State.DEAD:
            raise AssertionError("the dead are not kept")
    for member in members.values():
        assert not member.expires or (member.session is not None and member.session.at_ms is not None), "silence ends"
