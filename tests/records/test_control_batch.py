"""Control records, byte for byte."""

from __future__ import annotations

import random

import pytest

from ottla.records.control import EndTxnMarker, KRaftVersionRecord, LeaderChangeMessage, LeaderChangeVoter, VotersRecord
from ottla.records.control_batch import ControlRecord, ControlType, decode_control, encode_control
from ottla.wire import WireError, replace
from tests.support.messages import sample


def test_a_marker_byte_for_byte() -> None:
    key, value = encode_control(ControlType.COMMIT, EndTxnMarker(coordinator_epoch=7))
    assert (key, value) == (b"\0\0\0\1", b"\0\0\0\0\0\7")
    assert decode_control(key, value) == ControlRecord(ControlType.COMMIT, EndTxnMarker(coordinator_epoch=7))


def test_a_leader_change_byte_for_byte() -> None:
    message = LeaderChangeMessage(leader_id=1, voters=(LeaderChangeVoter(voter_id=1),))
    key, value = encode_control(ControlType.LEADER_CHANGE, message)
    assert (key, value) == (b"\0\0\0\2", b"\0\0\0\0\0\1\2\0\0\0\1\0\1\0")
    assert decode_control(key, value) == (ControlType.LEADER_CHANGE, message)


def test_the_quorum_s_records_are_read_in_their_own_version() -> None:
    bits = random.Random(4)
    for cls, record_type, version in (
        (LeaderChangeMessage, ControlType.LEADER_CHANGE, 1),
        (VotersRecord, ControlType.KRAFT_VOTERS, 0),
        (KRaftVersionRecord, ControlType.KRAFT_VERSION, 0),
    ):
        message = replace(sample(cls, version, bits), version=version)
        assert decode_control(*encode_control(record_type, message)) == (record_type, message)


def test_newer_versions_are_read_as_the_newest_known() -> None:
    key, value = encode_control(ControlType.ABORT, EndTxnMarker(coordinator_epoch=7))
    newer = b"\0\x09" + value[2:] + b"more"
    assert decode_control(key, newer) == (ControlType.ABORT, EndTxnMarker(coordinator_epoch=7))


def test_unknown_types_have_no_value() -> None:
    assert decode_control(b"\0\0\0\x63", b"whatever") == (99, None)
    assert decode_control(b"\0\1\0\1\5", b"\0\0\0\0\0\7").type == ControlType.COMMIT


@pytest.mark.parametrize(
    ("key", "value"),
    [(b"", b""), (b"\0\0\0", b"\0\0\0\0\0\7"), (b"\xff\0\0\1", b"\0\0\0\0\0\7"), (b"\0\0\0\1", b"\0"),
     (b"\0\0\0\1", b"\xff\xff\0\0\0\7"), (b"\0\0\0\1", b"\0\0\0\0\0"), (b"\0\0\0\2", b"\0\0\0")],
)  # fmt: skip
def test_bad_control_records_are_refused(key: bytes, value: bytes) -> None:
    with pytest.raises(WireError):
        decode_control(key, value)
