"""Many requests at once on one socket, against an engine alone."""

from __future__ import annotations

import struct
from pathlib import Path

from tests.support.engine import engine


def _api_versions(correlation_id: int) -> bytes:
    return struct.pack(">ihhih", 10, 18, 0, correlation_id, -1)


def _metadata(correlation_id: int) -> bytes:
    """Of all topics, in v0."""
    return struct.pack(">ihhihi", 14, 3, 0, correlation_id, -1, 0)


def test_requests_kept_for_lack_of_room_are_answered(tmp_path: Path) -> None:
    """Each answer has 200 KB; after one of them is too much the rest is kept, and the client sends nothing more."""
    count = 20
    requests = b"".join(map(_metadata, range(count)))
    one: tuple[int, ...] = (1,)
    topics = [
        (number.to_bytes(16), f"{number:0240}", False, 1, [(0, 1, 0, 0, one, one, ())]) for number in range(1, 800)
    ]
    with engine(tmp_path) as serving:
        serving.plane.engine.install(None, topics, [])
        with (
            serving.connect(lambda client: client.sendall(requests)) as client,
            client.makefile("rb") as answers,
        ):
            for expected in range(count):
                length, correlation_id = struct.unpack(">ii", answers.read(8))
                assert correlation_id == expected
                assert len(answers.read(length - 4)) > 200_000


def test_what_was_answered_before_bad_bytes_arrives(tmp_path: Path) -> None:
    bad_length = b"\xff\xff\xff\xff"
    with (
        engine(tmp_path) as serving,
        serving.connect(lambda client: client.sendall(_api_versions(7) + bad_length)) as client,
        client.makefile("rb") as answers,
    ):
        length, correlation_id = struct.unpack(">ii", answers.read(8))
        assert correlation_id == 7
        assert len(answers.read()) == length - 4
