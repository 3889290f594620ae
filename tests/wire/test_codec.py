"""Interpreter and reference codec: the same bytes, values and refusals, for every message and version."""

from __future__ import annotations

import random
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from ottla.wire import WireError, decode, decode_prefix, encode, reference
from ottla.wire.schema import fields_of, schema_of
from tests.support.messages import all_messages, sample

MESSAGES = [pytest.param(cls, id=schema_of(cls).name) for cls in all_messages()]


@pytest.mark.parametrize("cls", MESSAGES)
def test_interpreter_equals_reference(cls: type) -> None:
    for version in schema_of(cls).valid:
        for seed in range(6):
            message = sample(cls, version, random.Random(seed * 1000 + version))
            data = encode(message, version)
            assert data == reference.build(message, version)
            assert decode_prefix(cls, version, data) == (message, len(data))
            assert reference.parse(cls, version, data) == message


@pytest.mark.parametrize("cls", MESSAGES)
def test_defaults_can_be_sent_in_every_version(cls: type) -> None:
    for version in schema_of(cls).valid:
        # A default of null in a field that became nullable late cannot be sent before.
        unsendable = [
            field.name
            for field in fields_of(cls)
            if version in field.versions and field.default is None and version not in field.nullable
        ]
        if unsendable:
            with pytest.raises(WireError, match="null"):
                encode(cls(), version)
        else:
            data = encode(cls(), version)
            assert data == reference.build(cls(), version)
            assert decode(cls, version, data) == cls()


@pytest.mark.parametrize("cls", MESSAGES)
def test_both_refuse_every_truncation(cls: type) -> None:
    valid = schema_of(cls).valid
    for version in {valid.start, valid.stop - 1}:
        data = encode(sample(cls, version, random.Random(version)), version)
        step = max(1, len(data) // 40)
        for end in {*range(0, len(data), step), max(0, len(data) - 1)} - {len(data)}:
            with pytest.raises(WireError):
                decode(cls, version, data[:end])
            with pytest.raises(WireError):
                reference.parse(cls, version, data[:end])


def test_both_agree_on_damaged_bytes() -> None:
    """A changed byte is refused by both, or read the same by both."""
    refused = 0
    for cls in all_messages():
        version = schema_of(cls).valid.stop - 1
        bits = random.Random(schema_of(cls).name)
        data = bytearray(encode(sample(cls, version, bits), version))
        for _ in range(20 if data else 0):
            damaged = bytearray(data)
            damaged[bits.getrandbits(32) % len(data)] ^= 1 << bits.getrandbits(3)
            ours, theirs = _outcome(decode, cls, version, damaged), _outcome(reference.parse, cls, version, damaged)
            # NaN is not equal to itself.
            assert ours == theirs or repr(ours) == repr(theirs)
            refused += ours is None
    assert refused > 100


@settings(max_examples=300, derandomize=True, deadline=None, suppress_health_check=[HealthCheck.too_slow])
@given(st.sampled_from(all_messages()), st.integers(min_value=0), st.binary(max_size=300))
def test_both_agree_on_garbage(cls: type, number: int, data: bytes) -> None:
    valid = schema_of(cls).valid
    version = valid[number % len(valid)]
    ours, theirs = _outcome(decode, cls, version, data), _outcome(reference.parse, cls, version, data)
    assert ours == theirs or repr(ours) == repr(theirs)


def _outcome(read: Any, cls: type, version: int, data: bytes | bytearray) -> Any:
    try:
        return read(cls, version, bytes(data))
    except WireError:
        return None


@pytest.mark.parametrize("cls", MESSAGES)
def test_what_a_version_lacks(cls: type) -> None:
    """A value that the version cannot carry is dropped when Kafka calls it ignorable, and refused otherwise."""
    bits = random.Random(schema_of(cls).name)
    for version in schema_of(cls).valid:
        for field in fields_of(cls):
            if version in field.versions or not len(field.versions):
                continue
            elsewhere = field.versions[0]
            value = next(v for v in _values(cls, field.attribute, elsewhere, bits) if v != field.default)
            message = cls(**{field.attribute: value})
            try:
                plain = encode(cls(), version)
            except WireError:
                continue
            if field.ignorable:
                assert encode(message, version) == plain == reference.build(message, version)
            else:
                for write in (encode, reference.build):
                    with pytest.raises(WireError, match="this version has no such field"):
                        write(message, version)


def _values(cls: type, attribute: str, version: int, bits: random.Random) -> Any:
    while True:
        yield getattr(sample(cls, version, bits), attribute)
