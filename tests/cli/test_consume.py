from __future__ import annotations

import json
from collections.abc import Callable
from contextlib import suppress
from typing import Any, NamedTuple

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ottla._core import build_batch, decode_batches
from ottla.cli.consume import EARLIEST, LATEST, Aborted, parse_where
from ottla.cli.errors import UsageError
from ottla.errors import ErrorCode
from ottla.wire.k01_fetch import FetchableTopicResponse, FetchRequest, FetchResponse, PartitionData
from tests.cli.fake_broker import FakeBroker, topic_id
from tests.cli.run import Ended, run


@pytest.fixture(autouse=True)
def no_pause(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("ottla.cli.client._RETRY_PAUSE_S", 0.0)


def _consume(monkeypatch: pytest.MonkeyPatch, broker: FakeBroker, *options: str) -> Ended:
    return run(monkeypatch, "consume", "t", *options, "-b", broker.address)


def _filled() -> FakeBroker:
    broker = FakeBroker({"t": 2})
    broker.store("t", 0, b"a", b"b", timestamp_ms=100)
    broker.store("t", 0, b"c", timestamp_ms=200)
    broker.store("t", 1, b"z", timestamp_ms=150)
    return broker


@pytest.mark.parametrize(
    ("options", "lines"),
    [
        ((), ["a", "b", "c", "z"]),
        (("-p", "0"), ["a", "b", "c"]),
        (("-p", "0", "-o", "1"), ["b", "c"]),
        (("-o", "-1"), ["c", "z"]),
        (("-o", "-99"), ["a", "b", "c", "z"]),
        (("-o", "@150"), ["c", "z"]),
        (("-o", "@1970-01-01T00:00:00.120Z", "-p", "0"), ["c"]),
        (("-o", "@999"), []),
        (("-o", "end"), []),
        (("-p", "0", "-c", "2"), ["a", "b"]),
        (("-c", "0"), []),
        (("-p", "1", "-f", r"%t/%p/%o/%s;\n"), ["t/1/0/z;"]),
    ],
)
def test_what_is_read(monkeypatch: pytest.MonkeyPatch, options: tuple[str, ...], lines: list[str]) -> None:
    with _filled() as broker:
        ended = _consume(monkeypatch, broker, "-e", *options)
    assert (ended.code, sorted(ended.out.splitlines()), ended.err) == (0, lines, "")


def test_json(monkeypatch: pytest.MonkeyPatch) -> None:
    with _filled() as broker:
        ended = _consume(monkeypatch, broker, "-e", "--json", "-p", "1")
    assert json.loads(ended.out) == {
        "topic": "t",
        "partition": 1,
        "offset": 0,
        "timestamp": 150,
        "key": None,
        "value": "z",
        "headers": [],
    }


@pytest.mark.parametrize(
    ("options", "code", "words"),
    [
        (("-o", "9", "-p", "0"), 1, "t-0 has no offset 9: it holds 0 to 3\n  -o beginning"),
        (("-p", "7"), 2, "t has no partition 7"),
        (("-o", "2x"), 2, "-o 2x: no place in a log"),
        (("-o", "@noon"), 2, "neither milliseconds nor a time"),
        (("-f", "%q"), 2, "there is no field %q"),
        (("-c", "-1"), 2, "--count must not be negative"),
        (("--timeout", "0"), 2, "--timeout must be more than 0"),
    ],
)
def test_what_is_wrong_is_said(
    monkeypatch: pytest.MonkeyPatch, options: tuple[str, ...], code: int, words: str
) -> None:
    with _filled() as broker:
        ended = _consume(monkeypatch, broker, "-e", *options)
    assert (ended.code, words in ended.err) == (code, True), ended.err


def _answer(partition: int, **facts: Any) -> Callable[[FetchRequest], FetchResponse]:
    data = PartitionData(partition_index=partition, **facts)
    topic = FetchableTopicResponse(topic="t", topic_id=topic_id("t"), partitions=(data,))
    return lambda _: FetchResponse(responses=(topic,))


@pytest.mark.parametrize("lost", [_answer(0, error_code=ErrorCode.NOT_LEADER_OR_FOLLOWER), lambda _: None])
def test_what_passes_is_asked_again(monkeypatch: pytest.MonkeyPatch, lost: Callable[[Any], Any]) -> None:
    with _filled() as broker:
        broker.next_answers[FetchRequest].append(lost)
        assert _consume(monkeypatch, broker, "-e", "-p", "0").out == "a\nb\nc\n"


def test_a_batch_that_is_broken_is_named(monkeypatch: pytest.MonkeyPatch) -> None:
    broken = bytearray(build_batch([(None, b"a", 1, ())]))
    broken[-1] ^= 1
    with _filled() as broker:
        broker.next_answers[FetchRequest].append(_answer(0, records=bytes(broken), high_watermark=1))
        ended = _consume(monkeypatch, broker, "-e", "-p", "0")
    assert ended.code == 1
    assert "t-0, batch at offset 0: wrong checksum" in ended.err


@pytest.mark.parametrize(
    ("text", "offset", "timestamp", "before_end"),
    [
        ("beginning", None, EARLIEST, 0),
        ("end", None, LATEST, 0),
        ("5", 5, None, 0),
        ("-5", None, LATEST, 5),
        ("@5", None, 5, 0),
        ("@2026-01-01T00:00:00Z", None, 1767225600000, 0),
        ("@2026-01-01", None, 1767225600000, 0),
        ("@2026-01-01T01:00:00+01:00", None, 1767225600000, 0),
    ],
)
def test_where(text: str, offset: int | None, timestamp: int | None, before_end: int) -> None:
    where = parse_where(text)
    assert (where.offset, where.timestamp, where.before_end) == (offset, timestamp, before_end)


@given(st.text(max_size=10))
def test_any_text_is_a_place_or_a_usage_error(text: str) -> None:
    with suppress(UsageError):
        where = parse_where(text)
        assert (where.offset is None) != (where.timestamp is None)


class _Transaction(NamedTuple):
    producer_id: int
    first_offset: int


@given(
    st.lists(st.tuples(st.integers(1, 3), st.sampled_from(["begin", "write", "commit", "abort"])), max_size=40),
)
def test_aborted_transactions_are_left_out(steps: list[tuple[int, str]]) -> None:
    """Against a log in which it is known what became of every write."""
    log: list[tuple[bytes, bool]] = []
    writes: dict[int, list[int]] = {}
    firsts: list[_Transaction] = []
    fate: dict[int, bool] = {}
    offset = 0
    for producer, step in steps:
        if step in ("begin", "write"):
            writes.setdefault(producer, []).append(offset)
            batch = build_batch(
                [(None, b"v", 1, ())], base_offset=offset, producer_id=producer, producer_epoch=0, transactional=True
            )
        elif producer in writes:
            aborted = step == "abort"
            offsets = writes.pop(producer)
            fate |= dict.fromkeys(offsets, not aborted)
            if aborted:
                firsts.append(_Transaction(producer, offsets[0]))
            key = b"\0\0" + (b"\0\0" if aborted else b"\0\1")
            batch = build_batch(
                [(key, bytes(6), 1, ())],
                base_offset=offset,
                producer_id=producer,
                producer_epoch=0,
                transactional=True,
                control=True,
            )
        else:
            continue
        log.append((batch, step in ("commit", "abort")))
        offset += 1
    # What is undecided lies beyond the last stable offset and is never sent.
    undecided = min((offsets[0] for offsets in writes.values()), default=offset)
    aborted_ = Aborted(firsts)
    read: list[int] = []
    for data, control in log[:undecided]:
        (found,) = decode_batches(data).batches
        if control:
            aborted_.ended(found)
        elif not aborted_.covers(found):
            read.append(found.base_offset)
    assert read == [written for written, kept in sorted(fate.items()) if kept and written < undecided]
