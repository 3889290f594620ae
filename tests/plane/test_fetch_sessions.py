"""Incremental fetch sessions (KIP-227), by name and by id."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest

from ottla.wire import replace
from ottla.wire.k01_fetch import FetchResponse, ForgottenTopic
from tests.plane.conftest import MakeTopic, Topic
from tests.plane.requests import fetch_request, produce_values
from tests.support.raw import Connection, batches_of, values_of

NO_SUCH_SESSION, WRONG_EPOCH, WRONG_KIND, UNKNOWN_TOPIC, UNKNOWN_ID = 70, 71, 106, 3, 100
VERSIONS = [7, 12, 13, 18]


def start(*wanted: tuple[Topic, int, int], **options: Any) -> Any:
    return fetch_request(*wanted, session_id=0, session_epoch=0, **options)


def go_on(session_id: int, epoch: int, *wanted: tuple[Topic, int, int], **options: Any) -> Any:
    return fetch_request(*wanted, session_id=session_id, session_epoch=epoch, **options)


def found(answer: FetchResponse) -> dict[tuple[str | bytes, int], tuple[int, list[bytes | None]]]:
    return {
        (topic.topic or topic.topic_id, part.partition_index): (part.error_code, values_of(batches_of(part.records)))
        for topic in answer.responses
        for part in topic.partitions
    }


def key(topic: Topic, version: int, partition: int = 0) -> tuple[str | bytes, int]:
    return (topic.id if version >= 13 else topic.name, partition)


@pytest.mark.parametrize("version", VERSIONS)
def test_only_what_changed_is_told(connection: Connection, make_topic: MakeTopic, version: int) -> None:
    one, two = make_topic(), make_topic()
    produce_values(connection, one, b"a")
    first = connection.ask(start((one, 0, 0), (two, 0, 0)), version)
    assert first.error_code == 0
    assert first.session_id > 0
    assert found(first) == {key(one, version): (0, [b"a"]), key(two, version): (0, [])}

    nothing = connection.ask(go_on(first.session_id, 1, (one, 0, 1)), version)
    assert (nothing.error_code, nothing.session_id, nothing.responses) == (0, first.session_id, ())

    produce_values(connection, two, b"b")
    news = connection.ask(go_on(first.session_id, 2), version)
    assert found(news) == {key(two, version): (0, [b"b"])}
    again = connection.ask(go_on(first.session_id, 3), version)
    assert found(again) == {key(two, version): (0, [b"b"])}


@pytest.mark.parametrize("version", VERSIONS)
def test_partitions_come_and_go(connection: Connection, make_topic: MakeTopic, version: int) -> None:
    topic = make_topic(3)
    for partition in range(3):
        produce_values(connection, topic, b"%d" % partition, partition=partition)
    session = connection.ask(start((topic, 0, 0)), version).session_id
    more = connection.ask(go_on(session, 1, (topic, 1, 0), (topic, 2, 0)), version)
    assert sorted(index for _, index in found(more)) == [0, 1, 2]

    forgotten = (ForgottenTopic(topic=topic.name, topic_id=topic.id, partitions=(0, 2)),)
    rest = connection.ask(replace(go_on(session, 2), forgotten_topics_data=forgotten), version)
    assert found(rest) == {key(topic, version, 1): (0, [b"1"])}

    last = (ForgottenTopic(topic=topic.name, topic_id=topic.id, partitions=(1,)),)
    empty = connection.ask(replace(go_on(session, 3), forgotten_topics_data=last), version)
    assert (empty.error_code, empty.session_id, empty.responses) == (0, 0, ())
    gone = connection.ask(go_on(session, 4), version)
    assert gone.error_code == NO_SUCH_SESSION


@pytest.mark.parametrize("version", VERSIONS)
def test_wrong_epochs(connection: Connection, make_topic: MakeTopic, version: int) -> None:
    topic = make_topic()
    session = connection.ask(start((topic, 0, 0)), version).session_id
    for epoch in (2, 17, 2147483647):
        wrong = connection.ask(go_on(session, epoch), version)
        assert (wrong.error_code, wrong.session_id, wrong.responses) == (WRONG_EPOCH, 0, ())
    assert connection.ask(go_on(session, 1), version).error_code == 0
    assert connection.ask(go_on(session, 1), version).error_code == WRONG_EPOCH
    assert connection.ask(go_on(session, 2), version).error_code == 0


@pytest.mark.parametrize("version", VERSIONS)
def test_unknown_sessions(connection: Connection, make_topic: MakeTopic, version: int) -> None:
    unknown = connection.ask(go_on(1_234_567, 1, (make_topic(), 0, 0)), version)
    assert (unknown.error_code, unknown.session_id, unknown.responses) == (NO_SUCH_SESSION, 0, ())


@pytest.mark.parametrize("version", VERSIONS)
def test_without_a_session(connection: Connection, make_topic: MakeTopic, version: int) -> None:
    topic = make_topic()
    produce_values(connection, topic, b"a")
    for _ in range(2):
        answer = connection.ask(fetch_request((topic, 0, 0)), version)
        assert answer.session_id == 0
        assert found(answer) == {key(topic, version): (0, [b"a"])}


@pytest.mark.parametrize("version", VERSIONS)
def test_a_session_is_closed_or_made_anew(connection: Connection, make_topic: MakeTopic, version: int) -> None:
    topic = make_topic()
    produce_values(connection, topic, b"a")
    session = connection.ask(start((topic, 0, 0)), version).session_id
    anew = connection.ask(go_on(session, 0, (topic, 0, 0)), version)
    assert anew.error_code == 0
    assert anew.session_id not in (0, session)
    assert connection.ask(go_on(session, 1), version).error_code == NO_SUCH_SESSION
    closed = connection.ask(go_on(anew.session_id, -1, (topic, 0, 0)), version)
    assert (closed.error_code, closed.session_id) == (0, 0)
    assert found(closed) == {key(topic, version): (0, [b"a"])}
    assert connection.ask(go_on(anew.session_id, 1), version).error_code == NO_SUCH_SESSION


def test_names_and_ids_do_not_mix(connection: Connection, make_topic: MakeTopic) -> None:
    topic = make_topic()
    by_name = connection.ask(start((topic, 0, 0)), 12).session_id
    assert connection.ask(go_on(by_name, 1, (topic, 0, 0)), 13).error_code == WRONG_KIND
    by_id = connection.ask(start((topic, 0, 0)), 13).session_id
    assert connection.ask(go_on(by_id, 1, (topic, 0, 0)), 12).error_code == WRONG_KIND


def test_a_session_belongs_to_the_broker_not_the_connection(
    connect: Callable[[], Connection], make_topic: MakeTopic
) -> None:
    one, other, topic = connect(), connect(), make_topic()
    session = one.ask(start((topic, 0, 0)), 13).session_id
    one.close()
    produce_values(other, topic, b"a")
    assert found(other.ask(go_on(session, 1), 13)) == {key(topic, 13): (0, [b"a"])}


@pytest.mark.parametrize("version", VERSIONS)
def test_unknown_topics_stay_in_the_session(connection: Connection, make_topic: MakeTopic, version: int) -> None:
    topic, stranger = make_topic(), Topic("nobody-knows-it", bytes(range(1, 17)))
    error = UNKNOWN_ID if version >= 13 else UNKNOWN_TOPIC
    first = connection.ask(start((topic, 0, 0), (stranger, 0, 0), (topic, 7, 0)), version)
    assert found(first)[key(stranger, version)] == (error, [])
    assert found(first)[key(topic, version, 7)] == (UNKNOWN_TOPIC, [])
    second = connection.ask(go_on(first.session_id, 1), version)
    assert found(second) == {key(stranger, version): (error, []), key(topic, version, 7): (UNKNOWN_TOPIC, [])}
