from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ottla.ids import Uuid
from ottla.raft.core import (
    TRANSITIONS,
    AppendEpochStart,
    Commit,
    NotLeaderError,
    QuorumView,
    RaftCore,
    Role,
    StoreElection,
    UnsupportedQuorumError,
    high_watermark,
)
from ottla.raft.quorum_state import ElectionState
from ottla.raft.voters import ReplicaKey, Voter, VoterEndpoint, VoterSet

KEY = ReplicaKey(1, Uuid(b"d" * 16))
LOCAL = Voter(KEY, (VoterEndpoint("CONTROLLER", "localhost", 9093),))
QUORUM = QuorumView(VoterSet([LOCAL]), 1, -1)


def core(stored: ElectionState | None = None, end: int = 0, epoch: int = 0, quorum: QuorumView = QUORUM) -> RaftCore:
    return RaftCore(LOCAL, quorum, stored, end, epoch)


def lead(raft: RaftCore) -> AppendEpochStart:
    """Through the election; the batch that opens the epoch."""
    (vote,) = raft.start()
    assert isinstance(vote, StoreElection)
    (won,) = raft.election_stored(vote.state)
    assert isinstance(won, StoreElection)
    (start,) = raft.election_stored(won.state)
    assert isinstance(start, AppendEpochStart)
    return start


def test_every_role_is_reachable_and_every_transition_leads_to_a_role() -> None:
    assert set(TRANSITIONS) == set(Role)
    assert set().union(*TRANSITIONS.values()) == set(Role)


def test_the_only_voter_votes_for_itself_durably_before_it_leads() -> None:
    raft = core()

    (vote,) = raft.start()
    assert vote == StoreElection(ElectionState(1, -1, KEY))
    assert raft.role is Role.CANDIDATE
    with pytest.raises(NotLeaderError):
        raft.prepare_append(1)
    (won,) = raft.election_stored(ElectionState(1, -1, KEY))
    assert won == StoreElection(ElectionState(1, 1))
    with pytest.raises(NotLeaderError):
        raft.prepare_append(1)
    (start,) = raft.election_stored(ElectionState(1, 1))
    assert isinstance(start, AppendEpochStart)
    assert (start.base_offset, start.epoch, start.leader_id) == (0, 1, 1)
    assert raft.prepare_append(2) == 3, "LeaderChange, KRaftVersion and Voters come first"


def test_a_former_leader_begins_another_epoch() -> None:
    raft = core(ElectionState(7, 1), end=40, epoch=7, quorum=QuorumView(VoterSet([LOCAL]), 1, 2))

    assert raft.role is Role.RESIGNED
    start = lead(raft)
    assert (start.epoch, start.base_offset, start.voters) == (8, 40, None)


def test_an_epoch_of_the_log_is_not_used_again() -> None:
    assert lead(core(ElectionState(2), end=10, epoch=5)).epoch == 6


def test_voters_are_written_first_of_all_and_when_their_endpoints_changed() -> None:
    moved = Voter(KEY, (VoterEndpoint("CONTROLLER", "elsewhere", 1),))

    assert lead(core()).voters == VoterSet([LOCAL])
    assert lead(core(end=9, quorum=QuorumView(VoterSet([moved]), 1, 2))).voters == VoterSet([LOCAL])
    assert lead(core(quorum=QuorumView(VoterSet([Voter(ReplicaKey(1))]), 0, -1))).voters is None, "static voters"


@pytest.mark.parametrize(
    "voters",
    [
        VoterSet([]),
        VoterSet([Voter(ReplicaKey(2, KEY.directory_id))]),
        VoterSet([Voter(ReplicaKey(1, Uuid(b"x" * 16)))]),
        VoterSet([LOCAL, Voter(ReplicaKey(2, Uuid(b"e" * 16)))]),
    ],
)
def test_refuses_a_quorum_of_others(voters: VoterSet) -> None:
    with pytest.raises(UnsupportedQuorumError):
        core(quorum=QuorumView(voters, 1, 2))


def test_nothing_is_committed_before_the_epoch_is() -> None:
    raft = core(end=40, epoch=3, quorum=QuorumView(VoterSet([LOCAL]), 1, 2))
    lead(raft)

    assert raft.log_durable(40) == []
    assert raft.log_durable(41) == [Commit(41)]
    assert raft.log_durable(41) == [], "told once"


def test_resigned_leader_takes_nothing() -> None:
    raft = core()
    lead(raft)
    raft.resign()

    assert raft.log_durable(3) == []
    with pytest.raises(NotLeaderError):
        raft.prepare_append(1)


@given(st.lists(st.integers(0, 20), min_size=1, max_size=40))
def test_watermark_never_goes_back(sizes: list[int]) -> None:
    raft = core()
    lead(raft)
    seen = 0
    durable = 0
    for size in sizes:
        if size % 2:
            raft.prepare_append(size)
        durable = min(raft.end_offset, durable + size)
        for output in raft.log_durable(durable):
            assert isinstance(output, Commit)
            assert seen < output.high_watermark == durable <= raft.end_offset
            seen = output.high_watermark


@given(st.lists(st.integers(0, 100), min_size=1, max_size=7))
def test_watermark_is_what_a_majority_has(ends: list[int]) -> None:
    majority = len(ends) // 2 + 1
    expected = max(offset for offset in ends if sum(end >= offset for end in ends) >= majority)

    assert high_watermark(ends) == expected
