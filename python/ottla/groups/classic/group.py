"""One classic group: who is in it, in which state and generation, and what its record says.

Prior art: Kafka's ``ClassicGroup``. Ours is told apart in two layers. ``stored`` is the last record, all that survives
a restart; ``apply`` alone changes it, and brings the rest in line with it. The rest is the rebalance that goes on: it
may be ahead of the record by members and generations, and is forgotten with the process.

Invariants: in Stable and Empty the group is what ``stored`` says; a generation has one leader, and one protocol that
all members support; ``joined_count`` is the number of members that wait in join.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import final

from ottla.coordinator.machine import Now, Record
from ottla.errors import ErrorCode
from ottla.groups.classic.member import Member, Protocols, WaitingJoin, metadata_of, votes
from ottla.groups.classic.state import TRANSITIONS, State
from ottla.groups.classic.subscription import CONSUMER, subscribed_topics
from ottla.groups.classic.telling import Telling
from ottla.groups.deadlines import Timer
from ottla.groups.standing import Standings
from ottla.records.consumer_offsets import GroupMetadataKey, GroupMetadataValue, MemberMetadata

__all__ = ["ClassicGroup"]


@final
class ClassicGroup:
    """Read by everybody, changed by ``ottla.groups.classic`` alone."""

    __slots__ = (
        "_standings",
        "_subscribed_by",
        "_subscriptions",
        "_supported",
        "_topics",
        "_topics_known",
        "generation",
        "group_id",
        "initial_delay_ms",
        "initial_grew",
        "initial_remaining_ms",
        "joined_count",
        "leader",
        "members",
        "pending",
        "pending_sync",
        "phase",
        "previous",
        "protocol",
        "protocol_type",
        "recording",
        "state",
        "state_since_ms",
        "static",
        "stored",
        "telling",
    )

    def __init__(self, group_id: str, standings: Standings) -> None:
        self.group_id = group_id
        self._standings = standings
        self.stored: GroupMetadataValue | None = None
        """None for a group that is known by its offsets alone."""
        self.state = State.EMPTY
        self.previous = State.DEAD
        self.state_since_ms: int | None = None
        """Milliseconds since 1970, as far as known."""
        self.generation = 0
        self.protocol_type: str | None = None
        """None: nobody ever joined, offsets were committed from outside."""
        self.protocol: str | None = None
        self.leader: str | None = None
        self.members: dict[str, Member] = {}
        """By member id, in the order in which they came."""
        self.static: dict[str, str] = {}
        """Group instance id to member id."""
        self.pending: dict[str, Timer] = {}
        """Member ids given out, with which nobody has joined yet, and when they lapse."""
        self.pending_sync: set[str] = set()
        """Who has not fetched its assignment of this generation."""
        self.phase: Timer | None = None
        """The end of the join or sync phase."""
        self.telling: Telling | None = None
        """Of the end of the last phase."""
        self.recording: Telling | None = None
        """The end of the sync phase, while its record is made."""
        self.initial_delay_ms = 0
        self.initial_remaining_ms = 0
        """How often the first rebalance can still be put off."""
        self.initial_grew = False
        self.joined_count = 0
        self._supported: dict[str, int] = {}
        self._subscriptions: Sequence[Protocols] = ()
        self._subscribed_by: str | None = None
        self._topics: frozenset[str] | None = None
        self._topics_known = False

    # What others ask.

    @property
    def is_empty(self) -> bool:
        return self.state is State.EMPTY

    @property
    def is_initial(self) -> bool:
        """Is this the rebalance that makes the group?"""
        return self.state is State.PREPARING_REBALANCE and self.previous is State.EMPTY

    @property
    def all_joined(self) -> bool:
        return self.joined_count == len(self.members) and not self.pending

    @property
    def rebalance_timeout_ms(self) -> int:
        """The patience of the most patient member."""
        return max((member.rebalance_timeout_ms for member in self.members.values()), default=0)

    @property
    def subscribed_topics(self) -> frozenset[str] | None:
        """Topics that the members of this generation read; None when it is not known: another protocol type, or
        metadata that is not of it."""
        if not self._topics_known:
            said = (metadata_of(protocols, self._subscribed_by) for protocols in self._subscriptions)
            self._topics = subscribed_topics(self.protocol_type, frozenset(said))
            self._topics_known = True
        return self._topics

    def is_subscribed_to(self, topic: str) -> bool:
        """May members read the topic? What is not known is taken for yes in a group of consumers, for no elsewhere."""
        topics = self.subscribed_topics
        return self.protocol_type == CONSUMER if topics is None else topic in topics

    def validate_member(self, member_id: str, group_instance_id: str | None) -> ErrorCode:
        """NONE, UNKNOWN_MEMBER_ID, or FENCED_INSTANCE_ID when another member has the instance id now."""
        if group_instance_id is not None:
            existing = self.static.get(group_instance_id)
            if existing is None:
                return ErrorCode.UNKNOWN_MEMBER_ID
            if existing != member_id:
                return ErrorCode.FENCED_INSTANCE_ID
        return ErrorCode.NONE if member_id in self.members else ErrorCode.UNKNOWN_MEMBER_ID

    def validate_commit(
        self, member_id: str, group_instance_id: str | None, generation: int, transactional: bool, version: int
    ) -> ErrorCode:
        """May this member commit offsets? The version is of no interest to a classic group."""
        if self.state is State.DEAD:
            return ErrorCode.COORDINATOR_NOT_AVAILABLE
        if generation < 0 and self.is_empty:
            return ErrorCode.NONE
        if generation >= 0 or member_id or group_instance_id is not None:
            error = self.validate_member(member_id, group_instance_id)
            if error is not ErrorCode.NONE:
                return error
            if generation != self.generation:
                return ErrorCode.ILLEGAL_GENERATION
        elif not transactional:
            return ErrorCode.UNKNOWN_MEMBER_ID
        if not transactional and self.state is State.COMPLETING_REBALANCE:
            return ErrorCode.REBALANCE_IN_PROGRESS
        return ErrorCode.NONE

    def validate_delete(self) -> ErrorCode:
        """May the group be deleted?"""
        return self._of_state(ErrorCode.NON_EMPTY_GROUP)

    def validate_offset_delete(self) -> ErrorCode:
        """May offsets be deleted? In a group of consumers, those of topics that nobody reads: ``is_subscribed_to``."""
        return self._of_state(ErrorCode.NONE if self.protocol_type == CONSUMER else ErrorCode.NON_EMPTY_GROUP)

    def _of_state(self, with_members: ErrorCode) -> ErrorCode:
        if self.state is State.DEAD:
            return ErrorCode.GROUP_ID_NOT_FOUND
        return ErrorCode.NONE if self.is_empty else with_members

    # Protocols.

    def supports(self, protocol_type: str, protocols: Protocols) -> bool:
        """Could a member with these protocols be in the group?"""
        if self.is_empty:
            return bool(protocol_type) and bool(protocols)
        size = len(self.members)
        return self.protocol_type == protocol_type and any(
            self._supported.get(protocol.name, 0) == size for protocol in protocols
        )

    def select_protocol(self) -> str:
        """The one with the most votes among those that all members support; of equals the one that was voted for
        first."""
        size = len(self.members)
        candidates = frozenset(name for name, count in self._supported.items() if count == size)
        if len(candidates) == 1:
            return next(iter(candidates))
        counts = votes(self.members, candidates)
        return max(counts, key=lambda name: counts[name])

    def selected_with(self, member: Member, protocols: Protocols) -> str:
        """What would be selected if a member had other protocols."""
        kept = member.protocols
        self.set_protocols(member, protocols)
        selected = self.select_protocol()
        self.set_protocols(member, kept)
        return selected

    def set_protocols(self, member: Member, protocols: Protocols) -> None:
        self._count(member, -1)
        member.protocols = protocols
        self._count(member, 1)

    def _count(self, member: Member, change: int) -> None:
        supported = self._supported
        for name in member.names:
            count = supported.get(name, 0) + change
            if count:
                supported[name] = count
            else:
                del supported[name]

    # Members.

    def disturbed(self) -> None:
        """Before anything changes that a heartbeat's answer tells of: members, their ids, generation, state."""
        self._standings.disturbed(self.group_id)

    def add(self, member: Member, protocol_type: str) -> None:
        """A new member; the first one says what the group is for, and leads."""
        assert member.member_id not in self.members, "a member is added once"
        self.disturbed()
        if not self.members:
            self.protocol_type = protocol_type
        assert self.protocol_type == protocol_type, "who joins was checked"
        assert member.group_instance_id is None or member.group_instance_id not in self.static, (
            "an instance is one member"
        )
        if self.leader is None:
            self.leader = member.member_id
        self._enter(member)
        self.drop_pending(member.member_id)

    def _enter(self, member: Member) -> None:
        if member.group_instance_id is not None:
            self.static[member.group_instance_id] = member.member_id
        self.members[member.member_id] = member
        self._count(member, 1)

    def remove(self, member: Member) -> None:
        """It is no longer a member; nothing may be owed to it. The next in line leads if it did."""
        assert not member.is_waiting, "what a member waits for is answered first"
        self.disturbed()
        del self.members[member.member_id]
        self._forget(member)
        if self.leader == member.member_id:
            self.leader = next(iter(self.members), None)

    def _forget(self, member: Member) -> None:
        if member.session is not None:
            member.session.cancel()
        self._count(member, -1)
        if member.group_instance_id is not None and self.static.get(member.group_instance_id) == member.member_id:
            del self.static[member.group_instance_id]
        self.pending_sync.discard(member.member_id)

    def replace(self, member: Member, new_id: str) -> None:
        """A static member gets another id, and keeps its place and all else; a rebalance follows."""
        assert member.group_instance_id is not None, "only static members are replaced"
        self.disturbed()
        old_id = member.member_id
        if member.session is not None:
            member.session.cancel()
            member.session = None
        self.members = {
            (new_id if member_id == old_id else member_id): known for member_id, known in self.members.items()
        }
        member.member_id = new_id
        self.static[member.group_instance_id] = new_id
        if self.leader == old_id:
            self.leader = new_id

    def drop_pending(self, member_id: str) -> None:
        """An id that was given out is no longer waited for."""
        timer = self.pending.pop(member_id, None)
        if timer is not None:
            timer.cancel()

    def wait_join(self, member: Member, waiting: WaitingJoin) -> None:
        assert member.join is None, "one request waits for a member"
        member.join = waiting
        self.joined_count += 1

    def take_join(self, member: Member) -> WaitingJoin | None:
        """The join that waits, to be answered."""
        waiting = member.join
        if waiting is not None:
            member.join = None
            self.joined_count -= 1
        return waiting

    def elect_joined_leader(self) -> bool:
        """Keeps the leader if it joined, else takes the first that did. False when nobody has joined."""
        if self.leader is None:
            return False
        if self.members[self.leader].join is not None:
            return True
        joined = next((member for member in self.members.values() if member.join is not None), None)
        if joined is None:
            return False
        self.leader = joined.member_id
        return True

    # States.

    def transition(self, to: State, now: Now) -> None:
        self.assert_transition(to)
        self.disturbed()
        self.previous, self.state = self.state, to
        self.state_since_ms = now.wall_ms

    def assert_transition(self, to: State) -> None:
        assert to in TRANSITIONS[self.state], f"group {self.group_id} cannot go from {self.state} to {to}"

    def begin_generation(self, now: Now) -> None:
        """The join phase is over: CompletingRebalance, or Empty when nobody is left."""
        self.disturbed()
        self.generation += 1
        self.pending_sync.clear()
        if self.members:
            self.protocol = self.select_protocol()
            self.transition(State.COMPLETING_REBALANCE, now)
        else:
            self.protocol = None
            self.transition(State.EMPTY, now)
        self._note_subscriptions()

    def _note_subscriptions(self) -> None:
        self._subscriptions = [member.protocols for member in self.members.values()]
        self._subscribed_by = self.protocol
        self._topics_known = False

    # The record.

    def record(self, assignments: Mapping[str, bytes]) -> Record:
        """The group as the log is to remember it. Members without an assignment get an empty one."""
        assert self.protocol is not None or not self.members, "a group with members has chosen a protocol"
        protocol = self.protocol or ""
        return self.record_of(
            tuple(
                member.record(protocol, assignments.get(member_id, b"")) for member_id, member in self.members.items()
            )
        )

    def record_of(self, members: tuple[MemberMetadata, ...]) -> Record:
        """The same, of members whose part is made."""
        return Record(
            GroupMetadataKey(group=self.group_id),
            GroupMetadataValue(
                protocol_type=self.protocol_type or "",
                generation=self.generation,
                protocol=self.protocol,
                leader=self.leader,
                current_state_timestamp=-1 if self.state_since_ms is None else self.state_since_ms,
                members=members,
            ),
        )

    def install(self, value: GroupMetadataValue) -> None:
        """Be what a record says. Whoever waits for something goes on waiting."""
        self.disturbed()
        self.stored = value
        self.protocol_type = value.protocol_type or None
        self.generation = value.generation
        self.protocol = value.protocol
        self.leader = value.leader
        self.state_since_ms = None if value.current_state_timestamp == -1 else value.current_state_timestamp
        before = self.members
        self.members = {}
        entering: dict[str, Member] = {}
        for stored in value.members:
            member = before.get(stored.member_id)
            if member is not None and member.is_as_stored(stored, value.protocol):
                del before[stored.member_id]
                member.assignment = stored.assignment
                self.members[stored.member_id] = member
            else:
                member = Member.from_record(stored, value.protocol)
                self.members[stored.member_id] = member
                entering[stored.member_id] = member
        for member in before.values():
            assert not member.is_waiting, "a member that waits stays as it is"
            self._forget(member)
        for member in entering.values():
            self._enter(member)
        state = State.STABLE if self.members else State.EMPTY
        if state is not self.state:
            self.previous, self.state = self.state, state
        self._note_subscriptions()
