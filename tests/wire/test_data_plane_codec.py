"""The hand-written codec of the data plane against the interpreter of the declarations: one truth, two readers.

Random messages in every version, from fixed seeds: what the interpreter writes, the data plane reads and writes again
to the same bytes; both pass over tagged fields that they do not know; both refuse the same prefixes.
"""

from __future__ import annotations

import copy
import random
from collections.abc import Iterator
from typing import Any, Final

import pytest

from ottla._core import recode_request, recode_response
from ottla.errors import ErrorCode
from ottla.wire.codec import (
    WireError,
    decode,
    decode_request_header,
    decode_response_header,
    encode,
    encode_request_header,
    encode_response_header,
)
from ottla.wire.headers import RequestHeader
from ottla.wire.registry import ApiKey, request_class, response_class
from ottla.wire.schema import _STRUCT_DEFAULT, Field, Kind, Message, fields_of, replace, schema_of
from tests.support.messages import sample

KEYS: Final = (
    ApiKey.PRODUCE,
    ApiKey.FETCH,
    ApiKey.LIST_OFFSETS,
    ApiKey.METADATA,
    ApiKey.OFFSET_COMMIT,
    ApiKey.OFFSET_FETCH,
    ApiKey.FIND_COORDINATOR,
    ApiKey.API_VERSIONS,
    ApiKey.OFFSET_FOR_LEADER_EPOCH,
)
SAMPLES: Final = 40
CODES: Final = sorted(ErrorCode)
FUTURE_TAG: Final = 4000
"""Of a field that no version of Kafka has; its number takes two bytes."""


def _cases() -> Iterator[Any]:
    for key in KEYS:
        for cls in (request_class(key), response_class(key)):
            for version in schema_of(cls).valid:
                yield pytest.param(key, cls, version, id=f"{schema_of(cls).name}-v{version}")


def _known(message: Any, version: int, bits: random.Random) -> Any:
    """The message with values that both sides can hold: existing errors, features as v3 can tell them, no ZooKeeper."""
    changes: dict[str, Any] = {}
    for field in fields_of(message):
        value = getattr(message, field.attribute)
        if field.struct is not None and field.array and value is not None:
            changes[field.attribute] = tuple(_known(item, version, bits) for item in value)
        elif field.struct is not None and value is not None:
            changes[field.attribute] = _known(value, version, bits)
        elif field.attribute == "error_code" and version in field.versions:
            changes[field.attribute] = int(CODES[bits.getrandbits(16) % len(CODES)])
        elif field.attribute == "zk_migration_ready":
            changes[field.attribute] = False
    if _is_hidden(message, version):
        changes["min_version"] = 1
    return replace(message, **changes)


def _sample(cls: type, version: int, bits: random.Random) -> Any:
    return _known(sample(cls, version, bits), version, bits)


def _header(key: int, cls: type, version: int, bits: random.Random) -> bytes:
    correlation_id = bits.getrandbits(31)
    if schema_of(cls).kind == "response":
        return encode_response_header(key, version, correlation_id)
    client_id = ("", "consumer-1", "größe")[bits.getrandbits(8) % 3]
    return encode_request_header(
        RequestHeader(
            request_api_key=key, request_api_version=version, correlation_id=correlation_id, client_id=client_id
        )
    )


def _recode(key: int, cls: type, version: int, frame: bytes) -> bytes:
    if schema_of(cls).kind == "response":
        return recode_response(key, version, frame)
    return recode_request(frame)


def _interpreted(key: int, cls: type, version: int, frame: bytes) -> Any:
    if schema_of(cls).kind == "response":
        at = decode_response_header(key, version, frame)[1]
    else:
        at = decode_request_header(frame)[1]
    return decode(cls, version, frame, at)


@pytest.mark.parametrize(("key", "cls", "version"), [*_cases()])
def test_the_same_bytes(key: int, cls: type, version: int) -> None:
    bits = random.Random(f"{schema_of(cls).name} v{version}")
    messages = [_known(cls(), version, bits)] + [_sample(cls, version, bits) for _ in range(SAMPLES)]
    for message in messages:
        frame = _header(key, cls, version, bits) + encode(message, version)
        assert _recode(key, cls, version, frame) == frame, message


@pytest.mark.parametrize(("key", "cls", "version"), [*_cases()])
def test_the_same_prefixes_are_refused(key: int, cls: type, version: int) -> None:
    bits = random.Random(f"cut {schema_of(cls).name} v{version}")
    for _ in range(4):
        frame = _header(key, cls, version, bits) + encode(_sample(cls, version, bits), version)
        for length in range(len(frame)):
            with pytest.raises(WireError):
                _interpreted(key, cls, version, frame[:length])
            with pytest.raises(ValueError, match=r".+"):
                _recode(key, cls, version, frame[:length])


def _of_the_future(cls: type[Message], flexible: range, made: dict[type, type]) -> type:
    """The class with one more tagged field in itself and in every struct inside, which no program of ours knows."""
    if cls not in made:
        fields = []
        for field in fields_of(cls):
            twin = copy.copy(field)
            if field.struct is not None:
                twin.struct = _of_the_future(field.struct, flexible, made)
                if not field.array and isinstance(field.default, Message):
                    twin._default = _STRUCT_DEFAULT
            fields.append(twin)
        added = Field(Kind.BYTES, "0+", default=None, nullable="0+", tag=FUTURE_TAG, tagged="0+", name="Future")
        added.attribute = "future"
        added.versions = added.tagged = added.nullable = flexible
        fields.append(added)
        namespace = {
            "__slots__": tuple(field.attribute for field in fields),
            "__fields__": tuple(fields),
            "__schema__": cls.__schema__,
            "__kafka_name__": cls.__kafka_name__,
        }
        made[cls] = type(cls.__name__, (Message,), namespace)
    return made[cls]


@pytest.mark.parametrize(
    ("key", "cls", "version"),
    [case for case in _cases() if case.values[2] in schema_of(case.values[1]).flexible],
)
def test_tagged_fields_of_the_future_are_passed_over(key: int, cls: type[Message], version: int) -> None:
    bits = random.Random(f"future {schema_of(cls).name} v{version}")
    future = _of_the_future(cls, schema_of(cls).flexible, {})
    seen = 0
    for _ in range(SAMPLES):
        header = _header(key, cls, version, bits)
        frame = header + encode(_sample(future, version, bits), version)
        known = header + encode(_interpreted(key, cls, version, frame), version)
        seen += known != frame
        assert _recode(key, cls, version, frame) == known
    assert seen > SAMPLES // 4


@pytest.mark.parametrize(("key", "cls", "version"), [*_cases()])
def test_damaged_bytes_are_read_alike(key: int, cls: type, version: int) -> None:
    """A few bytes are other ones: both refuse, or both read the same message."""
    bits = random.Random(f"damage {schema_of(cls).name} v{version}")
    refused = 0
    for _ in range(3 * SAMPLES):
        header = _header(key, cls, version, bits)
        body = bytearray(encode(_sample(cls, version, bits), version))
        for _ in range(1 + bits.getrandbits(1)):
            if body:
                body[bits.getrandbits(32) % len(body)] = bits.getrandbits(8)
        frame = header + body
        try:
            expected = _interpreted(key, cls, version, frame)
        except WireError:
            refused += 1
            with pytest.raises(ValueError, match=r".+"):
                _recode(key, cls, version, frame)
            continue
        try:
            recoded = _recode(key, cls, version, frame)
        except ValueError as error:
            # The one that borrows its strings from the frame cannot mend them.
            if "not UTF-8" in str(error) and "\ufffd" in repr(expected):
                continue
            raise
        assert _interpreted(key, cls, version, recoded) == _held(expected, version)
    assert refused > 0 or not body


def _held(message: Any, version: int) -> Any:
    """What the data plane holds of a message: codes that do not exist are unknown errors."""
    changes: dict[str, Any] = {}
    for field in fields_of(message):
        value = getattr(message, field.attribute)
        if field.struct is not None and field.array and value is not None:
            held = tuple(_held(item, version) for item in value)
            changes[field.attribute] = tuple(item for item in held if not _is_hidden(item, version))
        elif field.struct is not None and value is not None:
            changes[field.attribute] = _held(value, version)
        elif field.attribute == "error_code" and value not in CODES:
            changes[field.attribute] = int(ErrorCode.UNKNOWN_SERVER_ERROR)
        elif field.attribute == "zk_migration_ready":
            changes[field.attribute] = False
    return replace(message, **changes)


def _is_hidden(item: Any, version: int) -> bool:
    """Clients of ApiVersions v3 cannot read features that begin at 0 (KAFKA-17011)."""
    return type(item).__name__ == "SupportedFeatureKey" and version == 3 and item.min_version == 0


def test_a_header_without_a_client_id_is_read_as_one_with_an_empty_one() -> None:
    header = RequestHeader(request_api_key=18, request_api_version=0, correlation_id=1, client_id=None)
    assert decode_request_header(recode_request(encode_request_header(header)))[0].client_id == ""
