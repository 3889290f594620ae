"""The rebalance: members join again, one of them assigns, all fetch their share; and whoever is silent is removed.

Prior art: Kafka's ``GroupMetadataManager`` (prepareRebalance, completeClassicGroupJoin, expirePendingSync). Ours has
one timer per phase, and takes state and time only from the group and the outbox.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from contextlib import suppress
from functools import partial
from typing import Final, final

from ottla.coordinator.machine import CoordinatorError, Now, Outbox, Record
from ottla.errors import ErrorCode
from ottla.groups.classic.answers import fail_join, fail_sync, joins, member_lists, syncs
from ottla.groups.classic.config import ClassicConfig
from ottla.groups.classic.group import ClassicGroup
from ottla.groups.classic.member import Member
from ottla.groups.classic.state import State
from ottla.groups.classic.telling import Telling
from ottla.groups.deadlines import Deadlines, Timer
from ottla.groups.records import GroupRecords
from ottla.groups.standing import Standings
from ottla.records.consumer_offsets import MemberMetadata
from ottla.wire.codec import WireError

__all__ = ["NEW_MEMBER_JOIN_TIMEOUT_MS", "Rebalancer"]

NEW_MEMBER_JOIN_TIMEOUT_MS: Final = 300_000
"""How long the first join of a member may wait. Nobody sees that its client is gone; one that is there asks again."""
JOIN_PHASE_AGAIN_MS_MIN: Final = 100
"""A join phase in which nobody came begins anew, as often as the rebalance timeout says; one of 0 would never end."""


@final
class Rebalancer:
    """The phases of every group of a shard."""

    def __init__(self, config: ClassicConfig, deadlines: Deadlines, standings: Standings) -> None:
        self.config = config
        self._deadlines = deadlines
        self._standings = standings
        self._codec = GroupRecords()
        self.slices = 0
        """How often some members of a large group were told something: each is enough work for once."""

    # Sessions.

    def heard(self, group: ClassicGroup, member: Member, now: Now) -> Timer:
        """The member is there: its session begins anew. Returns that."""
        at_ms, session = now.monotonic_ms + member.session_timeout_ms, member.session
        if session is None:
            return self._expect(group, member, at_ms)
        session.set(at_ms)
        return session

    def was_heard(self, group: ClassicGroup, member: Member, at_ms: int) -> None:
        """The member was there, at some time on the monotonic clock."""
        over_ms, session = at_ms + member.session_timeout_ms, member.session
        if session is None or session.at_ms is None or session.at_ms < over_ms:
            self._expect(group, member, over_ms)

    def heard_new(self, group: ClassicGroup, member: Member, now: Now) -> None:
        """A new member waits in its first join."""
        self._expect(group, member, now.monotonic_ms + NEW_MEMBER_JOIN_TIMEOUT_MS)

    def _expect(self, group: ClassicGroup, member: Member, at_ms: int) -> Timer:
        session = member.session
        if session is None:
            session = member.session = self._deadlines.timer(partial(self._session_over, group, member))
        session.set(at_ms)
        return session

    def give_out(self, group: ClassicGroup, member_id: str, lapses_ms: int) -> None:
        """A member id is pending until somebody joins with it."""
        timer = self._deadlines.timer(partial(self._pending_over, group, member_id))
        timer.set(lapses_ms)
        group.pending[member_id] = timer

    def _session_over(self, group: ClassicGroup, member: Member, outbox: Outbox) -> None:
        if not member.expires:
            # When what it waits for has come, its session begins anew.
            return
        over_ms = self._in_truth_over_ms(group, member, outbox.now.monotonic_ms)
        if over_ms is not None:
            self._expect(group, member, over_ms)
            return
        self.remove(group, member, outbox)
        if group.state in (State.STABLE, State.COMPLETING_REBALANCE):
            self.prepare(group, outbox)
        elif group.state is State.PREPARING_REBALANCE and group.all_joined:
            self.complete(group, outbox)

    def _in_truth_over_ms(self, group: ClassicGroup, member: Member, now_ms: int) -> int | None:
        """The session of a member is over, as far as was known here: when it will be, for all that the data plane has
        let the member do; None when it is."""
        over_ms = self._standings.outlived_ms(group.group_id, member.member_id, now_ms)
        committed_ms = self._standings.last_commit_ms(group.group_id, member.member_id)
        if committed_ms is not None:
            over_ms = max(committed_ms + member.session_timeout_ms, 0 if over_ms is None else over_ms)
        return over_ms if over_ms is not None and over_ms > now_ms else None

    def _pending_over(self, group: ClassicGroup, member_id: str, outbox: Outbox) -> None:
        group.drop_pending(member_id)
        if group.state is State.PREPARING_REBALANCE and group.all_joined:
            self.complete(group, outbox)

    def remove(self, group: ClassicGroup, member: Member, outbox: Outbox) -> None:
        """Takes a member out, and tells it if it waits: it may come back under another id."""
        fail_join(group, member, ErrorCode.UNKNOWN_MEMBER_ID, "", outbox)
        fail_sync(member, ErrorCode.UNKNOWN_MEMBER_ID, outbox)
        group.remove(member)

    # The join phase.

    def prepare_or_complete(self, group: ClassicGroup, outbox: Outbox) -> None:
        """Something changed: rebalance, or be one step further in the rebalance that goes on."""
        if group.state is State.PREPARING_REBALANCE:
            self.maybe_complete(group, outbox)
        else:
            self.prepare(group, outbox)

    def prepare(self, group: ClassicGroup, outbox: Outbox) -> None:
        """Begins a rebalance: everybody has to join again."""
        if group.state is State.COMPLETING_REBALANCE:
            for member in group.members.values():
                member.assignment = b""
        if group.state is State.COMPLETING_REBALANCE or self._is_telling(group):
            self._fail_syncs(group, ErrorCode.REBALANCE_IN_PROGRESS, outbox)
        self._stop_telling(group)
        self._stop_recording(group)
        group.pending_sync.clear()
        group.transition(State.PREPARING_REBALANCE, outbox.now)
        if group.is_initial:
            delay_ms = self.config.initial_rebalance_delay_ms
            group.initial_delay_ms = delay_ms
            group.initial_remaining_ms = max(group.rebalance_timeout_ms - delay_ms, 0)
            self._end_phase_in(group, delay_ms, outbox.now)
        elif group.all_joined:
            self.complete(group, outbox)
        else:
            self._end_phase_in(group, group.rebalance_timeout_ms, outbox.now)

    def maybe_complete(self, group: ClassicGroup, outbox: Outbox) -> None:
        """Ends the join phase when nobody is missing. The first rebalance of a group takes its time instead."""
        if group.state is State.PREPARING_REBALANCE and not group.is_initial and group.all_joined:
            self.complete(group, outbox)

    def _initial_over(self, group: ClassicGroup, outbox: Outbox) -> None:
        if not group.initial_grew or group.initial_remaining_ms == 0:
            self.complete(group, outbox)
            return
        group.initial_grew = False
        passed_ms = group.initial_delay_ms
        group.initial_delay_ms = min(self.config.initial_rebalance_delay_ms, group.initial_remaining_ms)
        group.initial_remaining_ms = max(group.initial_remaining_ms - passed_ms, 0)
        self._end_phase_in(group, group.initial_delay_ms, outbox.now)

    def complete(self, group: ClassicGroup, outbox: Outbox) -> None:
        """Ends the join phase: the next generation is made of those who joined, and of static members."""
        self._cancel_phase(group)
        late = [m for m in group.members.values() if m.join is None and m.group_instance_id is None]
        for member in late:
            group.remove(member)
        if not group.elect_joined_leader() and group.members:
            # Static members alone, none of them here: until their sessions end.
            self._end_phase_in(group, max(group.rebalance_timeout_ms, JOIN_PHASE_AGAIN_MS_MIN), outbox.now)
            return
        group.begin_generation(outbox.now)
        if group.is_empty:
            self._record_empty(group, outbox)
            return
        group.pending_sync.update(group.members)
        self._end_phase_in(group, group.rebalance_timeout_ms, outbox.now)
        self._tell(group, self._telling_joins(group), outbox)

    def _telling_joins(self, group: ClassicGroup) -> Callable[[Member, Outbox], None]:
        answer = joins(group)

        def tell(member: Member, outbox: Outbox) -> None:
            waiting = group.take_join(member)
            if waiting is None:
                pass
            elif group.leader == member.member_id:
                outbox.answer_with(waiting.reply, partial(answer, member.member_id, member_lists(group)))
            else:
                outbox.answer_with(waiting.reply, partial(answer, member.member_id))
            member.is_new = False
            self.heard(group, member, outbox.now)

        return tell

    # Who hears of the end of a phase.

    def _tell(self, group: ClassicGroup, tell: Callable[[Member, Outbox], None], outbox: Outbox) -> None:
        self._stop_telling(group)
        if len(group.members) <= self.config.told_at_once:
            for member in group.members.values():
                tell(member, outbox)
            return

        def tell_if_there(member: Member, outbox: Outbox) -> None:
            if group.members.get(member.member_id) is member:
                tell(member, outbox)

        group.telling = self._telling(group.members.values(), tell_if_there, lambda _outbox: None)
        group.telling.begin(outbox.now)

    def _telling(
        self, members: Iterable[Member], tell: Callable[[Member, Outbox], None], then: Callable[[Outbox], None]
    ) -> Telling:
        def sliced() -> None:
            self.slices += 1

        return Telling(members, self.config.told_at_once, tell, self._deadlines, sliced, then)

    def _stop_telling(self, group: ClassicGroup) -> None:
        if group.telling is not None:
            group.telling.cancel()
            group.telling = None

    def _stop_recording(self, group: ClassicGroup) -> None:
        if group.recording is not None:
            group.recording.cancel()
            group.recording = None

    def tell_now(self, group: ClassicGroup, member: Member, outbox: Outbox) -> None:
        """The member does something: it must not do so before it heard what was."""
        if group.telling is not None:
            group.telling.one(member, outbox)

    def _is_telling(self, group: ClassicGroup) -> bool:
        return group.telling is not None and group.telling.due_ms is not None

    def _record_empty(self, group: ClassicGroup, outbox: Outbox) -> None:
        # Refused, the log keeps the generation before, whose members will all be silent after a load; as in Kafka.
        with suppress(CoordinatorError):
            outbox.emit(group.record({}))

    # The sync phase.

    def synced(self, group: ClassicGroup, member: Member) -> None:
        """The member asked for its assignment."""
        group.pending_sync.discard(member.member_id)
        if not group.pending_sync:
            self._cancel_phase(group)

    def assign(self, group: ClassicGroup, assignments: Mapping[str, bytes], outbox: Outbox) -> None:
        """The leader has decided: the record is written, the group is Stable, whoever waits gets its share. Of a large
        group the record is made some members at a time, and what was decided before is no longer made."""
        group.assert_transition(State.STABLE)
        if len(group.members) <= self.config.told_at_once:
            self._recorded(group, group.record(assignments), outbox)
            return
        protocol = group.protocol
        assert protocol is not None, "the generation has a protocol"
        made: list[MemberMetadata] = []

        def make(member: Member, _outbox: Outbox) -> None:
            made.append(member.record(protocol, assignments.get(member.member_id, b"")))

        def encode(outbox: Outbox) -> None:
            record = group.record_of(tuple(made))
            try:
                encoded = Record(*self._codec.encode(record))
            except WireError:
                self._recorded(group, record, outbox)
                return
            group.recording = self._telling((), make, lambda outbox: self._recorded(group, record, outbox, encoded))
            group.recording.begin(outbox.now)

        self._stop_recording(group)
        group.recording = self._telling(group.members.values(), make, encode)
        group.recording.begin(outbox.now)

    def _recorded(self, group: ClassicGroup, record: Record, outbox: Outbox, encoded: Record | None = None) -> None:
        try:
            if encoded is None:
                outbox.emit(record)
            else:
                outbox.emit_prepared((record,), (encoded,))
        except CoordinatorError as error:
            self._fail_syncs(group, error.code, outbox)
            self.prepare(group, outbox)
            return
        answer, tell_join = syncs(group), self._telling_joins(group)

        def tell(member: Member, outbox: Outbox) -> None:
            if member.join is not None:
                tell_join(member, outbox)
            reply = member.sync
            if reply is not None:
                member.sync = None
                outbox.answer_with(reply, partial(answer, member.assignment))
                self.heard(group, member, outbox.now)

        self._tell(group, tell, outbox)

    def _fail_syncs(self, group: ClassicGroup, code: ErrorCode, outbox: Outbox) -> None:
        for member in group.members.values():
            if member.sync is not None:
                fail_sync(member, code, outbox)
                self.heard(group, member, outbox.now)

    def _sync_over(self, group: ClassicGroup, outbox: Outbox) -> None:
        assert group.pending_sync, "the last sync ends the phase"
        for member_id in sorted(group.pending_sync):
            self.remove(group, group.members[member_id], outbox)
        self.prepare(group, outbox)

    # The timer of the phase.

    def _end_phase_in(self, group: ClassicGroup, delay_ms: int, now: Now) -> None:
        if group.phase is None:
            group.phase = self._deadlines.timer(partial(self._phase_over, group))
        group.phase.cancel()
        group.phase.set(now.monotonic_ms + delay_ms)

    def _cancel_phase(self, group: ClassicGroup) -> None:
        if group.phase is not None:
            group.phase.cancel()

    def _phase_over(self, group: ClassicGroup, outbox: Outbox) -> None:
        if group.is_initial:
            self._initial_over(group, outbox)
        elif group.state is State.PREPARING_REBALANCE:
            self.complete(group, outbox)
        else:
            self._sync_over(group, outbox)
