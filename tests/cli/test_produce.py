from __future__ import annotations

import json
from collections.abc import Callable
from typing import Any

import pytest

from ottla._core import decode_batches
from ottla.cli import produce
from ottla.cli.partitioner import murmur2
from ottla.errors import ErrorCode
from ottla.wire.k00_produce import (
    PartitionProduceResponse,
    ProduceRequest,
    ProduceResponse,
    TopicProduceResponse,
)
from ottla.wire.k22_init_producer_id import InitProducerIdRequest
from tests.cli.fake_broker import FakeBroker, topic_id
from tests.cli.run import Ended, run


@pytest.fixture(autouse=True)
def no_pause(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("ottla.cli.client._RETRY_PAUSE_S", 0.0)


def _produce(monkeypatch: pytest.MonkeyPatch, broker: FakeBroker, stdin: bytes, *options: str) -> Ended:
    return run(monkeypatch, "produce", "t", *options, "-b", broker.address, stdin=stdin)


def _all(broker: FakeBroker) -> list[tuple[bytes | None, bytes | None]]:
    return [record for partition in range(len(broker.topics["t"])) for record in broker.records("t", partition)]


def _batches(broker: FakeBroker, partition: int = 0) -> list[Any]:
    return [batch for stored in broker.topics["t"][partition] for batch in decode_batches(stored).batches]


def test_lines_become_records(monkeypatch: pytest.MonkeyPatch) -> None:
    with FakeBroker({"t": 1}) as broker:
        ended = _produce(monkeypatch, broker, b"one\ntwo\n\nlast", "--json")
        assert _all(broker) == [(None, b"one"), (None, b"two"), (None, b""), (None, b"last")]
    facts = json.loads(ended.out)
    assert (ended.code, facts["records"], facts["bytes"], facts["next_offsets"]) == (0, 4, 10, {"0": 4})


def test_nothing_is_nothing(monkeypatch: pytest.MonkeyPatch) -> None:
    with FakeBroker({"t": 1}) as broker:
        assert _produce(monkeypatch, broker, b"").code == 0
        assert broker.topics["t"] == [[]]


@pytest.mark.parametrize(
    ("options", "records"),
    [
        ((), [(b"a", b"1"), (None, b"b"), (b"", b"c"), (b"d", b"")]),
        (("-Z",), [(b"a", b"1"), (None, b"b"), (None, b"c"), (b"d", None)]),
    ],
)
def test_keys_stand_before_the_separator(
    monkeypatch: pytest.MonkeyPatch, options: tuple[str, ...], records: list[tuple[bytes | None, bytes | None]]
) -> None:
    with FakeBroker({"t": 1}) as broker:
        _produce(monkeypatch, broker, b"a=1\nb\n=c\nd=\n", "-K", "=", *options)
        assert _all(broker) == records


def test_headers_and_codec(monkeypatch: pytest.MonkeyPatch) -> None:
    with FakeBroker({"t": 1}) as broker:
        _produce(monkeypatch, broker, b"x\n", "-H", "a=1", "-H", "b", "-H", "a=", "-z", "zstd")
        (batch,) = _batches(broker)
    assert batch.codec == 4
    assert batch.records[0].headers == (("a", b"1"), ("b", None), ("a", b""))


def test_a_key_goes_where_kafka_puts_it(monkeypatch: pytest.MonkeyPatch) -> None:
    keys = [f"k{number}".encode() for number in range(50)]
    with FakeBroker({"t": 7}) as broker:
        _produce(monkeypatch, broker, b"".join(key + b":v\n" for key in keys), "-K", ":")
        for partition in range(7):
            expected = [key for key in keys if (murmur2(key) & 0x7FFFFFFF) % 7 == partition]
            assert [key for key, _ in broker.records("t", partition)] == expected


def test_one_partition_can_be_named(monkeypatch: pytest.MonkeyPatch) -> None:
    with FakeBroker({"t": 3}) as broker:
        _produce(monkeypatch, broker, b"a:b\nc:d\n", "-K", ":", "-p", "2")
        assert len(broker.records("t", 2)) == 2
        ended = _produce(monkeypatch, broker, b"a\n", "-p", "3")
        assert (ended.code, "t has no partition 3: it has 3, counted from 0" in ended.err) == (2, True)


def test_sequences_follow_each_other(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(produce, "BATCH_BYTES", 60)
    with FakeBroker({"t": 1}) as broker:
        _produce(monkeypatch, broker, b"".join(b"line %d\n" % number for number in range(9)))
        batches = _batches(broker)
    assert len(batches) > 1
    assert {(batch.producer_id, batch.producer_epoch) for batch in batches} == {(7, 0)}
    assert [batch.base_sequence for batch in batches] == [batch.base_offset for batch in batches]


@pytest.mark.parametrize(("options", "acks"), [(("-a", "1"), 1), (("-a", "0"), 0), (("--no-idempotence",), -1)])
def test_without_idempotence(monkeypatch: pytest.MonkeyPatch, options: tuple[str, ...], acks: int) -> None:
    with FakeBroker({"t": 1}) as broker:
        ended = _produce(monkeypatch, broker, b"x\n", "--json", *options)
        requests = list(broker.asked)
    assert json.loads(ended.out)["records"] == 1
    assert not [request for request in requests if isinstance(request, InitProducerIdRequest)]
    if acks:
        (request,) = [request for request in requests if isinstance(request, ProduceRequest)]
        assert request.acks == acks
        (batch,) = decode_batches(request.topic_data[0].partition_data[0].records or b"").batches
        assert (batch.producer_id, batch.base_sequence) == (-1, -1)


def _answer(code: int, message: str | None = None) -> Callable[[ProduceRequest], ProduceResponse]:
    def answer(request: ProduceRequest) -> ProduceResponse:
        partitions = tuple(
            PartitionProduceResponse(index=data.index, error_code=code, base_offset=-1, error_message=message)
            for data in request.topic_data[0].partition_data
        )
        topic = TopicProduceResponse(name="t", topic_id=topic_id("t"), partition_responses=partitions)
        return ProduceResponse(responses=(topic,))

    return answer


@pytest.mark.parametrize("lost", [_answer(ErrorCode.NOT_LEADER_OR_FOLLOWER), lambda _: None])
def test_what_passes_is_tried_again_with_the_same_sequence(
    monkeypatch: pytest.MonkeyPatch, lost: Callable[[Any], Any]
) -> None:
    with FakeBroker({"t": 1}) as broker:
        broker.next_answers[ProduceRequest].append(lost)
        assert _produce(monkeypatch, broker, b"x\ny\n").code == 0
        requests = [request for request in broker.asked if isinstance(request, ProduceRequest)]
        assert _all(broker) == [(None, b"x"), (None, b"y")]
    assert len(requests) == 2
    assert requests[0].topic_data == requests[1].topic_data


def test_a_copy_that_was_known_is_success(monkeypatch: pytest.MonkeyPatch) -> None:
    with FakeBroker({"t": 1}) as broker:
        broker.next_answers[ProduceRequest].append(_answer(ErrorCode.DUPLICATE_SEQUENCE_NUMBER))
        assert _produce(monkeypatch, broker, b"x\n").code == 0


def test_a_batch_that_is_too_large_is_halved(monkeypatch: pytest.MonkeyPatch) -> None:
    def at_most_two(request: ProduceRequest) -> Any:
        (batch,) = decode_batches(request.topic_data[0].partition_data[0].records or b"").batches
        broker.next_answers[ProduceRequest].append(at_most_two)
        return _answer(ErrorCode.MESSAGE_TOO_LARGE)(request) if batch.record_count > 2 else broker._produce(request)

    with FakeBroker({"t": 1}) as broker:
        broker.next_answers[ProduceRequest].append(at_most_two)
        assert _produce(monkeypatch, broker, b"".join(b"%d\n" % number for number in range(7))).code == 0
        assert _all(broker) == [(None, b"%d" % number) for number in range(7)]
        assert [batch.base_sequence for batch in _batches(broker)] == [b.base_offset for b in _batches(broker)]


@pytest.mark.parametrize(
    ("code", "words"),
    [
        (ErrorCode.MESSAGE_TOO_LARGE, "t-0: MESSAGE_TOO_LARGE: said so (one record of 5 B)\n  raise max.message.bytes"),
        (ErrorCode.TOPIC_AUTHORIZATION_FAILED, "t-0: TOPIC_AUTHORIZATION_FAILED: said so"),
        (ErrorCode.OUT_OF_ORDER_SEQUENCE_NUMBER, "t-0: OUT_OF_ORDER_SEQUENCE_NUMBER: said so"),
    ],
)
def test_what_does_not_pass_is_said(monkeypatch: pytest.MonkeyPatch, code: int, words: str) -> None:
    with FakeBroker({"t": 1}) as broker:
        broker.next_answers[ProduceRequest].append(_answer(code, "said so"))
        ended = _produce(monkeypatch, broker, b"large\n")
    assert ended.code == 1
    assert words in ended.err


def test_a_topic_that_is_not_there(monkeypatch: pytest.MonkeyPatch) -> None:
    with FakeBroker() as broker:
        ended = _produce(monkeypatch, broker, b"x\n")
    assert (ended.code, "there is no topic t\n  create it: ottla topics create t" in ended.err) == (1, True)


def test_the_sticky_partition_changes_with_each_batch(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(produce, "BATCH_BYTES", 60)
    with FakeBroker({"t": 4}) as broker:
        _produce(monkeypatch, broker, b"".join(b"line %02d\n" % number for number in range(40)))
        assert len(_all(broker)) == 40
        assert sum(1 for partition in broker.topics["t"] if partition) > 1
