"""Every declared message, and deterministic instances of them."""

from __future__ import annotations

import base64
import random
from collections.abc import Iterator
from importlib import import_module
from typing import Any, Final

from ottla.wire.headers import RequestHeader, ResponseHeader
from ottla.wire.registry import ApiKey, request_class, response_class
from ottla.wire.schema import Field, Kind, Message, fields_of, schema_of

RECORD_MODULES: Final = (
    "cluster_metadata",
    "consumer_offsets",
    "consumer_protocol",
    "control",
    "files",
    "remote_log_metadata",
    "share_group_state",
    "transaction_state",
)

_WIDTHS: Final = {
    Kind.INT8: (8, True),
    Kind.INT16: (16, True),
    Kind.INT32: (32, True),
    Kind.INT64: (64, True),
    Kind.UINT16: (16, False),
    Kind.UINT32: (32, False),
}
_WORDS: Final = ("a", "orders", "größe", "日本", "𝄞", "x" * 130, "with space", "")


def wire_messages() -> Iterator[type]:
    yield RequestHeader
    yield ResponseHeader
    for key in ApiKey:
        yield request_class(key)
        yield response_class(key)


def record_messages() -> Iterator[type]:
    for name in RECORD_MODULES:
        for cls in vars(import_module(f"ottla.records.{name}")).values():
            if isinstance(cls, type) and issubclass(cls, Message) and cls.__schema__ is not None:
                yield cls


def all_messages() -> list[type]:
    return [*wire_messages(), *record_messages()]


def sample(cls: type, version: int, bits: random.Random) -> Any:
    """An instance whose fields are drawn from ``bits``; fields that the version lacks keep their defaults.

    Draws with ``getrandbits`` alone, which gives the same bits for the same seed in every Python: golden bytes
    rest on it.
    """
    values = {}
    for field in fields_of(cls):
        if version in field.versions and not (version in field.tagged and bits.getrandbits(2) == 0):
            values[field.attribute] = _value(field, version, bits)
    return cls(**values)


def _value(field: Field, version: int, bits: random.Random) -> Any:
    if version in field.nullable and bits.getrandbits(2) == 0:
        return None
    if field.array:
        return tuple(_element(field, version, bits) for _ in range(bits.getrandbits(2)))
    return _element(field, version, bits)


def _element(field: Field, version: int, bits: random.Random) -> Any:
    match field.kind:
        case Kind.BOOL:
            return bool(bits.getrandbits(1))
        case Kind.FLOAT64:
            return (bits.getrandbits(40) - (1 << 39)) / 1024
        case Kind.UUID:
            return bits.getrandbits(128).to_bytes(16)
        case Kind.STRING | Kind.NAME:
            return _WORDS[bits.getrandbits(3)]
        case Kind.BYTES | Kind.RECORDS:
            return bits.getrandbits(8 * 140).to_bytes(140)[: (0, 3, 17, 140)[bits.getrandbits(2)]]
        case Kind.STRUCT:
            assert field.struct is not None
            return sample(field.struct, version, bits)
        case kind:
            width, signed = _WIDTHS[kind]
            number = bits.getrandbits(width) >> (0, width - 2, width // 2, width)[bits.getrandbits(2)]
            return number - (1 << width) if signed and number >> (width - 1) else number


def to_json(message: Any, version: int) -> dict[str, Any]:
    """What Kafka's generated JSON converters read: fields by their names in lower camel case."""
    found = {}
    for field in fields_of(message):
        if version in field.versions:
            value = getattr(message, field.attribute)
            if field.array and value is not None:
                value = [_json(field, item, version) for item in value]
            elif value is not None:
                value = _json(field, value, version)
            found[field.name[:1].lower() + field.name[1:]] = value
    return found


def _json(field: Field, value: Any, version: int) -> Any:
    match field.kind:
        case Kind.UUID:
            return base64.urlsafe_b64encode(value).decode().rstrip("=")
        case Kind.BYTES | Kind.RECORDS:
            return base64.b64encode(value).decode()
        case Kind.STRUCT:
            return to_json(value, version)
        case _:
            return value


def golden_sample(cls: type, version: int) -> Any:
    """The instance whose bytes, made by Kafka's classes, are kept in ``tests/golden/messages/``."""
    return sample(cls, version, random.Random(f"{schema_of(cls).name} v{version}"))
