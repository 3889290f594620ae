"""The ``quorum-state`` file: which epoch this node is in, for whom it voted, whom it follows.

Prior art: Kafka's ``FileQuorumStateStore`` and ``ElectionState``. The format is Kafka's to the byte: one line of JSON
without spaces, keys in the order of the schema ``QuorumStateData``, version 1 with kraft.version 1, else version 0.
Invariant: what ``encode`` writes ``decode`` reads back; anything else is refused with the file's name in the error.
"""

from __future__ import annotations

import json
from dataclasses import dataclass
from typing import Any, Final, final

from ottla.ids import ZERO_UUID, Uuid, uuid_from_text, uuid_text
from ottla.raft.voters import ReplicaKey

__all__ = ["ElectionState", "QuorumStateError", "decode", "encode"]

FILE_NAME: Final = "quorum-state"
NOBODY: Final = -1
_DATA_VERSIONS: Final = (0, 1)


class QuorumStateError(Exception):
    """The quorum-state file cannot be read as such."""


@final
@dataclass(slots=True, frozen=True)
class ElectionState:
    """What must survive a crash so that no epoch has two leaders."""

    epoch: int = 0
    leader_id: int = NOBODY
    voted: ReplicaKey | None = None


def encode(state: ElectionState, kraft_version: int, voter_ids: tuple[int, ...] = ()) -> bytes:
    """The content of the file. ``voter_ids`` go into it only with kraft.version 0."""
    data: dict[str, Any]
    voted_id = NOBODY if state.voted is None else state.voted.node_id
    if kraft_version == 0:
        data = {
            "clusterId": "",
            "leaderId": state.leader_id,
            "leaderEpoch": state.epoch,
            "votedId": voted_id,
            "appliedOffset": 0,
            "currentVoters": [{"voterId": voter_id} for voter_id in voter_ids],
            "data_version": 0,
        }
    else:
        data = {
            "leaderId": state.leader_id,
            "leaderEpoch": state.epoch,
            "votedId": voted_id,
            "votedDirectoryId": uuid_text(ZERO_UUID if state.voted is None else state.voted.directory_id),
            "data_version": 1,
        }
    return json.dumps(data, separators=(",", ":")).encode("ascii")


def decode(content: bytes) -> ElectionState:
    """The state in the file's content; QuorumStateError when it is not one."""
    try:
        data = json.loads(content)
    except ValueError as error:
        raise QuorumStateError(f"{FILE_NAME}: not JSON: {error}") from error
    if not isinstance(data, dict):
        raise QuorumStateError(f"{FILE_NAME}: expected an object, found {type(data).__name__}")
    version = _integer(data, "data_version")
    if version not in _DATA_VERSIONS:
        raise QuorumStateError(f"{FILE_NAME}: data_version {version} is not known (0 and 1 are)")
    epoch, leader_id, voted_id = (_integer(data, name) for name in ("leaderEpoch", "leaderId", "votedId"))
    if epoch < 0:
        raise QuorumStateError(f"{FILE_NAME}: leaderEpoch {epoch} is negative")
    voted = None if voted_id == NOBODY else ReplicaKey(voted_id, _directory(data) if version == 1 else ZERO_UUID)
    return ElectionState(epoch, leader_id, voted)


def _integer(data: dict[str, Any], name: str) -> int:
    value = data.get(name)
    if not isinstance(value, int) or isinstance(value, bool):
        raise QuorumStateError(f"{FILE_NAME}: {name} is {value!r}, expected a number")
    return value


def _directory(data: dict[str, Any]) -> Uuid:
    text = data.get("votedDirectoryId", "")
    try:
        return uuid_from_text(text)
    except (ValueError, TypeError) as error:
        raise QuorumStateError(f"{FILE_NAME}: votedDirectoryId: {error}") from error
