"""Who votes: voter ids with their directories and endpoints, as the control records of the log carry them (KIP-853).

Prior art: Kafka's ``VoterSet`` and ``ReplicaKey``. Invariant: a voter set is never empty once the quorum is known; ids
are unique.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from typing import Final, NamedTuple, final

from ottla.ids import ZERO_UUID, Uuid

__all__ = ["KRAFT_VERSION_MAX", "KRAFT_VERSION_MIN", "ReplicaKey", "Voter", "VoterEndpoint", "VoterSet"]

KRAFT_VERSION_MIN: Final = 0
KRAFT_VERSION_MAX: Final = 1


class ReplicaKey(NamedTuple):
    """A node with its log directory: the same node with another disk is another voter."""

    node_id: int
    directory_id: Uuid = ZERO_UUID


class VoterEndpoint(NamedTuple):
    """Where the other voters reach a voter."""

    listener: str
    host: str
    port: int


@final
@dataclass(slots=True, frozen=True)
class Voter:
    """One voter of the set."""

    key: ReplicaKey
    endpoints: tuple[VoterEndpoint, ...] = ()
    kraft_version_min: int = KRAFT_VERSION_MIN
    kraft_version_max: int = KRAFT_VERSION_MAX


@final
class VoterSet:
    """The voters, by node id, ascending."""

    __slots__ = ("_voters",)

    def __init__(self, voters: Iterable[Voter]) -> None:
        self._voters: Mapping[int, Voter] = {
            v.key.node_id: v for v in sorted(voters, key=lambda voter: voter.key.node_id)
        }

    def __len__(self) -> int:
        return len(self._voters)

    def __iter__(self) -> Iterator[Voter]:
        return iter(self._voters.values())

    def __eq__(self, other: object) -> bool:
        return isinstance(other, VoterSet) and self._voters == other._voters

    __hash__ = None  # type: ignore[assignment]  # compared by content

    def __repr__(self) -> str:
        return f"VoterSet({list(self._voters.values())!r})"

    @property
    def node_ids(self) -> tuple[int, ...]:
        return tuple(self._voters)

    def get(self, node_id: int) -> Voter | None:
        return self._voters.get(node_id)

    def is_only(self, key: ReplicaKey) -> bool:
        """Is ``key`` the one voter there is? A set known only by ids (kraft.version 0) has the zero directory."""
        if len(self._voters) != 1:
            return False
        voter = self._voters.get(key.node_id)
        return voter is not None and voter.key.directory_id in (key.directory_id, ZERO_UUID)
