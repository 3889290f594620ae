from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ottla.ids import Uuid
from ottla.raft.quorum_state import ElectionState, QuorumStateError, decode, encode
from ottla.raft.voters import ReplicaKey

EPOCHS = st.integers(0, 2**31 - 1)
IDS = st.integers(0, 2**31 - 1)
DIRECTORIES = st.binary(min_size=16, max_size=16).map(Uuid)


def test_bytes_are_kafkas() -> None:
    assert (
        encode(ElectionState(0), 1)
        == b'{"leaderId":-1,"leaderEpoch":0,"votedId":-1,"votedDirectoryId":"AAAAAAAAAAAAAAAAAAAAAA","data_version":1}'
    )
    assert (
        encode(ElectionState(3, 1), 0, (1,))
        == b'{"clusterId":"","leaderId":1,"leaderEpoch":3,"votedId":-1,"appliedOffset":0,'
        b'"currentVoters":[{"voterId":1}],"data_version":0}'
    )


@given(EPOCHS, st.integers(-1, 2**31 - 1), st.none() | st.builds(ReplicaKey, IDS, DIRECTORIES))
def test_reads_what_it_writes(epoch: int, leader_id: int, voted: ReplicaKey | None) -> None:
    state = ElectionState(epoch, leader_id, voted)

    assert decode(encode(state, 1)) == state
    without_directory = None if voted is None else ReplicaKey(voted.node_id)
    assert decode(encode(state, 0, (1,))) == ElectionState(epoch, leader_id, without_directory)


@pytest.mark.parametrize(
    ("content", "words"),
    [
        (b"", "not JSON"),
        (b"[]", "expected an object"),
        (b'{"data_version":2}', "data_version 2"),
        (b'{"data_version":1,"leaderEpoch":-3,"leaderId":1,"votedId":-1}', "-3 is negative"),
        (b'{"data_version":1,"leaderEpoch":"3","leaderId":1,"votedId":-1}', "expected a number"),
        (b'{"data_version":1,"leaderEpoch":3,"leaderId":1,"votedId":1,"votedDirectoryId":"x"}', "votedDirectoryId"),
    ],
)
def test_refuses_what_is_not_one(content: bytes, words: str) -> None:
    with pytest.raises(QuorumStateError, match=words):
        decode(content)
