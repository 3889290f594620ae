"""Who leads the metadata quorum, in which epoch, and how far its log is committed: (input, now) in, outputs out.

Prior art: Kafka's ``QuorumState`` and ``KafkaRaftClient`` (KIP-595, KIP-853), etcd's ``raft.go``. Ours has the rules
that a quorum of one voter needs, over the states and data types of all: more voters add inputs (votes, fetches,
timeouts), not another design. A voter set that holds anybody else is refused at start.

Invariants: an election is stored durably before anything is done in its epoch; the first batch of an epoch is its
leader's control batch; the high watermark never goes back, and rises above the epoch's start offset before it counts
for anything; only what is durable counts towards it.
"""

from __future__ import annotations

import enum
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Final, TypeAlias, final

from ottla.raft.quorum_state import NOBODY, ElectionState
from ottla.raft.voters import Voter, VoterSet

__all__ = [
    "TRANSITIONS",
    "AppendEpochStart",
    "Commit",
    "NotLeaderError",
    "Output",
    "QuorumView",
    "RaftCore",
    "Role",
    "StoreElection",
    "UnsupportedQuorumError",
    "high_watermark",
]


class Role(enum.Enum):
    """What a node is in its epoch."""

    UNATTACHED = "Unattached"
    """Knows the epoch, no leader."""
    PROSPECTIVE = "Prospective"
    """Asks whether an election would succeed (KIP-996)."""
    CANDIDATE = "Candidate"
    """Has voted for itself."""
    LEADER = "Leader"
    FOLLOWER = "Follower"
    RESIGNED = "Resigned"
    """Was leader of this epoch and will not be again in it."""


TRANSITIONS: Final[Mapping[Role, frozenset[Role]]] = {
    Role.UNATTACHED: frozenset({Role.UNATTACHED, Role.PROSPECTIVE, Role.FOLLOWER, Role.RESIGNED}),
    Role.PROSPECTIVE: frozenset({Role.CANDIDATE, Role.FOLLOWER, Role.UNATTACHED}),
    Role.CANDIDATE: frozenset({Role.LEADER, Role.PROSPECTIVE, Role.FOLLOWER, Role.UNATTACHED}),
    Role.LEADER: frozenset({Role.RESIGNED, Role.FOLLOWER, Role.UNATTACHED}),
    Role.FOLLOWER: frozenset({Role.PROSPECTIVE, Role.FOLLOWER, Role.UNATTACHED}),
    Role.RESIGNED: frozenset({Role.PROSPECTIVE, Role.FOLLOWER, Role.UNATTACHED}),
}


class UnsupportedQuorumError(Exception):
    """The quorum has voters beside this node, or is not ours: this release serves a quorum of one."""


class NotLeaderError(Exception):
    """This node does not lead the quorum, so nothing can be appended."""


@final
@dataclass(slots=True, frozen=True)
class StoreElection:
    """Write quorum-state, durably; then tell the core with ``election_stored``. Outputs after it wait for that."""

    state: ElectionState


@final
@dataclass(slots=True, frozen=True)
class AppendEpochStart:
    """Append the control batch that begins an epoch: LeaderChange and, when ``voters`` is set, KRaftVersion and
    Voters."""

    base_offset: int
    epoch: int
    leader_id: int
    voter_ids: tuple[int, ...]
    granting_ids: tuple[int, ...]
    voters: VoterSet | None


@final
@dataclass(slots=True, frozen=True)
class Commit:
    """Everything below the high watermark is committed."""

    high_watermark: int


Output: TypeAlias = StoreElection | AppendEpochStart | Commit


@final
@dataclass(slots=True, frozen=True)
class QuorumView:
    """The quorum as found in snapshot, log and configuration."""

    voters: VoterSet
    kraft_version: int
    voters_offset: int
    """Offset of the newest Voters record; -1 when it is that of the bootstrap snapshot or there is none."""


def high_watermark(durable_ends: Iterable[int]) -> int:
    """The greatest offset that a majority of the voters has reached."""
    ends = sorted(durable_ends, reverse=True)
    return ends[len(ends) // 2]


@final
class RaftCore:
    """One node of the quorum. Pure."""

    def __init__(
        self, local: Voter, quorum: QuorumView, stored: ElectionState | None, end_offset: int, last_epoch: int
    ) -> None:
        """``end_offset`` and ``last_epoch`` are those of the log, all of it durable."""
        if not quorum.voters.is_only(local.key):
            raise UnsupportedQuorumError(
                f"node {local.key.node_id} is not the only voter of its metadata quorum: {list(quorum.voters)}; "
                "this release serves a quorum of one"
            )
        stored = stored or ElectionState()
        self._local = local
        self._quorum = quorum
        self._end_offset = end_offset
        self._durable_ends = {local.key.node_id: end_offset}
        self._epoch_start_offset = 0
        self.epoch = max(stored.epoch, last_epoch)
        self.leader_id = NOBODY
        self.high_watermark = 0
        self.role = Role.UNATTACHED
        if stored.leader_id == local.key.node_id and stored.epoch == self.epoch:
            self._become(Role.RESIGNED)

    @property
    def end_offset(self) -> int:
        """Where the next record goes."""
        return self._end_offset

    @property
    def next_deadline_ms(self) -> int | None:
        """When to call again at the latest. None: a quorum of one waits for nobody."""
        return None

    def start(self) -> list[Output]:
        """Stand for election: the only voter need not ask anybody first."""
        self._become(Role.PROSPECTIVE)
        self._become(Role.CANDIDATE)
        self.epoch += 1
        return [StoreElection(ElectionState(self.epoch, NOBODY, self._local.key))]

    def election_stored(self, state: ElectionState) -> list[Output]:
        """``state`` is durable: our own vote makes us leader, and a leader opens its epoch."""
        if state.epoch != self.epoch:
            return []
        if self.role is Role.CANDIDATE and state.voted == self._local.key:
            self._become(Role.LEADER)
            self.leader_id = self._local.key.node_id
            return [StoreElection(ElectionState(self.epoch, self.leader_id))]
        if self.role is Role.LEADER and state.leader_id == self.leader_id:
            return [self._open_epoch()]
        return []

    def _open_epoch(self) -> AppendEpochStart:
        self._epoch_start_offset = self._end_offset
        voters = self._voters_to_write()
        ids = self._quorum.voters.node_ids
        start = AppendEpochStart(self._end_offset, self.epoch, self.leader_id, ids, (self.leader_id,), voters)
        self._end_offset += 1 if voters is None else 3
        return start

    def _voters_to_write(self) -> VoterSet | None:
        """With kraft.version 1, the first leader of all puts the voters into the log, and a leader whose endpoints
        changed puts itself right (``LeaderState.appendStartOfEpochControlRecords``)."""
        if self._quorum.kraft_version == 0:
            return None
        ours = VoterSet([self._local])
        return None if self._quorum.voters_offset >= 0 and self._quorum.voters == ours else ours

    def prepare_append(self, count: int) -> int:
        """Reserve offsets for ``count`` records; the offset of the first. NotLeaderError unless we lead and have opened
        the epoch."""
        assert count > 0
        if self.role is not Role.LEADER or self._end_offset == self._epoch_start_offset:
            raise NotLeaderError(f"node {self._local.key.node_id} is {self.role.value} in epoch {self.epoch}")
        base_offset = self._end_offset
        self._end_offset += count
        return base_offset

    def log_durable(self, end_offset: int) -> list[Output]:
        """Everything below ``end_offset`` survives a power loss here."""
        assert end_offset <= self._end_offset
        if self.role is not Role.LEADER:
            return []
        self._durable_ends[self._local.key.node_id] = end_offset
        watermark = high_watermark(self._durable_ends.values())
        if watermark <= self._epoch_start_offset or watermark <= self.high_watermark:
            return []
        self.high_watermark = watermark
        return [Commit(watermark)]

    def resign(self) -> None:
        """Lead no more: at a clean stop, or because the log failed."""
        if self.role is Role.LEADER:
            self._become(Role.RESIGNED)

    def _become(self, role: Role) -> None:
        assert role in TRANSITIONS[self.role], f"{self.role} -> {role}"
        self.role = role
