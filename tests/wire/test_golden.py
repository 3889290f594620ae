"""Bytes made by Kafka's own classes (tests/golden/messages/make.py): read as the same values, written the same."""

from __future__ import annotations

from pathlib import Path

import pytest

from ottla.wire import decode_prefix, encode, reference
from ottla.wire.schema import schema_of
from tests.support.messages import all_messages, golden_sample

GOLDEN = Path(__file__).parents[1] / "golden" / "messages" / "messages.txt"
LINES = [line.split(" ") for line in GOLDEN.read_text().splitlines()]
CLASSES = {schema_of(cls).name: cls for cls in all_messages()}


def test_every_message_has_golden_bytes_at_both_ends_of_its_versions() -> None:
    ends = {(name, end) for name, cls in CLASSES.items() for end in _ends(schema_of(cls).valid)}
    assert {(name, int(version)) for name, version, _ in LINES} == ends


def _ends(valid: range) -> set[int]:
    return {valid.start, valid.stop - 1}


@pytest.mark.parametrize(("name", "version", "data"), LINES, ids=[f"{name}-{version}" for name, version, _ in LINES])
def test_golden_bytes(name: str, version: str, data: str) -> None:
    number, golden, expected = int(version), bytes.fromhex(data), golden_sample(CLASSES[name], int(version))
    assert decode_prefix(CLASSES[name], number, golden) == (expected, len(golden))
    assert encode(expected, number) == golden
    assert reference.parse(CLASSES[name], number, golden) == expected
    assert reference.build(expected, number) == golden
