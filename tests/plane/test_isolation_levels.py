"""An isolation level that is neither 0 nor 1: what fails, and what does not come to look at it."""

from __future__ import annotations

import pytest

from ottla.wire.k01_fetch import PartitionData
from tests.plane.conftest import MakeTopic, Topic
from tests.plane.requests import BY_ID_FETCH, fetch_request, list_offsets_request, produce_values
from tests.support.raw import Connection

LEVELS = [2, -1, 127]
SESSIONS_FROM = 7
UNKNOWN_SERVER_ERROR, UNKNOWN_TOPIC, NO_SESSION = -1, 3, 0


@pytest.fixture
def filled(connection: Connection, make_topic: MakeTopic) -> Topic:
    topic = make_topic()
    produce_values(connection, topic, b"a")
    return topic


def _refused(index: int) -> PartitionData:
    return PartitionData(partition_index=index, error_code=UNKNOWN_SERVER_ERROR, high_watermark=-1, records=b"")


@pytest.mark.parametrize("version", range(4, 19))
@pytest.mark.parametrize("level", LEVELS)
def test_a_fetch_fails_as_a_whole(connection: Connection, filled: Topic, level: int, version: int) -> None:
    epoch = 0 if version >= SESSIONS_FROM else -1
    wanted = [(filled, 0, 0), (filled, 9, 0), (filled, 0, 0)]
    answer = connection.ask(fetch_request(*wanted, isolation_level=level, session_epoch=epoch), version)
    assert answer.error_code == (UNKNOWN_SERVER_ERROR if version >= SESSIONS_FROM else 0)
    assert answer.session_id == NO_SESSION
    parts = [part for topic in answer.responses for part in topic.partitions]
    if version >= BY_ID_FETCH:
        assert parts == []
        return
    assert parts == [_refused(index) for index in (0, 9, 0)]


@pytest.mark.parametrize("version", [4, 7, 12, 13, 18])
def test_nobody_looks_at_it_when_nothing_is_there(connection: Connection, filled: Topic, version: int) -> None:
    answer = connection.ask(fetch_request((filled, 9, 0), isolation_level=2), version)
    assert answer.error_code == 0
    assert [part.error_code for topic in answer.responses for part in topic.partitions] == [UNKNOWN_TOPIC]


@pytest.mark.parametrize("version", [7, 12, 13, 18])
def test_a_session_goes_on_after_it(connection: Connection, filled: Topic, version: int) -> None:
    first = connection.ask(fetch_request((filled, 0, 1), session_epoch=0), version)
    assert first.session_id > 0
    odd = fetch_request(isolation_level=2, session_id=first.session_id, session_epoch=1)
    answer = connection.ask(odd, version)
    told = (answer.error_code, answer.session_id, answer.responses)
    assert told == (UNKNOWN_SERVER_ERROR, first.session_id, ())
    again = connection.ask(fetch_request(session_id=first.session_id, session_epoch=2), version)
    assert (again.error_code, again.session_id) == (0, first.session_id)


@pytest.mark.parametrize("version", range(2, 12))
@pytest.mark.parametrize("level", LEVELS)
def test_no_offset_is_listed(connection: Connection, filled: Topic, level: int, version: int) -> None:
    request = list_offsets_request(filled, [-1, -2, 5], isolation_level=level)
    (answer,) = connection.ask(request, version).topics
    found = [(part.partition_index, part.error_code, part.offset, part.timestamp) for part in answer.partitions]
    assert found == [(index, UNKNOWN_SERVER_ERROR, -1, -1) for index in range(3)]
