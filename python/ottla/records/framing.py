"""How records lie in the internal topics: which bytes say what a key or a value is.

Three framings. Coordinators put the id of the record type (int16) before the key, and the version (int16) before the
value. ``__cluster_metadata`` and ``__remote_log_metadata`` have no key, and three unsigned varints before the value:
the version of the frame, the id, the version of the record. Control records have a version and a type as key; see
``control_batch``.

Ids and versions that are not known raise ``UnknownRecordError``: a reader of a coordinator's log skips such records
with a warning, as Kafka does, and a reader of the cluster's metadata stops.
"""

from __future__ import annotations

from collections.abc import Callable
from types import ModuleType
from typing import Any, Final, final

from ottla.wire.codec import WireError, decode_prefix, encode
from ottla.wire.program import program_of
from ottla.wire.schema import Message, schema_of

FRAME_VERSION: Final = 1


@final
class UnknownRecordError(ValueError):
    """A record whose id or version this Ottla does not know."""


@final
class CoordinatorFormat:
    """The records of one coordinator's topic."""

    __slots__ = ("_key_decoders", "_keys", "_topic", "_value_decoders", "_values")

    def __init__(self, topic: str, module: ModuleType) -> None:
        self._topic: Final = topic
        self._keys: Final = _by_id(module, "coordinator-key")
        self._values: Final = _by_id(module, "coordinator-value")
        # What was read before, by its first two bytes: a log holds millions of few kinds.
        self._key_decoders: Final[dict[bytes, Callable[[bytes, int], Any]]] = {}
        self._value_decoders: Final[dict[tuple[type, bytes], Callable[[bytes, int], Any]]] = {}

    def encode_key(self, key: object) -> bytes:
        return _int16(_id_of(key)) + encode(key, 0)

    def encode_value(self, value: object, version: int) -> bytes:
        return _int16(version) + encode(value, version)

    def decode_key(self, data: bytes) -> Any:
        """The key, whose class says which record it is."""
        decode = self._key_decoders.get(data[:2])
        if decode is None:
            decode = program_of(self._find(self._keys, _read_int16(data, "key")), 0).decode
            self._key_decoders[data[:2]] = decode
        return decode(data, 2)

    def decode_value(self, key: object, data: bytes) -> Any:
        """The value that belongs to a key; null values (tombstones) have no bytes and are the caller's."""
        kind = (type(key), data[:2])
        decode = self._value_decoders.get(kind)
        if decode is None:
            cls = self._find(self._values, _id_of(key))
            version = _read_int16(data, "value")
            if version not in schema_of(cls).valid:
                raise UnknownRecordError(f"{cls.__name__} of {self._topic} has no version {version}")
            decode = self._value_decoders[kind] = program_of(cls, version).decode
        return decode(data, 2)

    def _find(self, classes: dict[int, type[Any]], record_id: int) -> type[Any]:
        cls = classes.get(record_id)
        if cls is None:
            raise UnknownRecordError(f"{self._topic} has no records of type {record_id}")
        return cls


@final
class FramedFormat:
    """The records of a topic whose values carry a frame."""

    __slots__ = ("_classes", "_topic")

    def __init__(self, topic: str, module: ModuleType) -> None:
        self._topic: Final = topic
        self._classes: Final = _by_id(module, "metadata")

    def encode_value(self, record: object, version: int) -> bytes:
        return _varint(FRAME_VERSION) + _varint(_id_of(record)) + _varint(version) + encode(record, version)

    def decode_value(self, data: bytes) -> tuple[Any, int]:
        """The record and its version; bytes behind it are an error, as in Kafka."""
        frame_version, offset = _read_varint(data, 0)
        if frame_version != FRAME_VERSION:
            raise UnknownRecordError(f"a record of {self._topic} has frame version {frame_version}, 1 is known")
        record_id, offset = _read_varint(data, offset)
        version, offset = _read_varint(data, offset)
        cls = self._classes.get(record_id)
        if cls is None or version not in schema_of(cls).valid:
            raise UnknownRecordError(f"{self._topic} has no records of type {record_id}, version {version}")
        record, end = decode_prefix(cls, version, data, offset)
        if end != len(data):
            excess = len(data) - end
            raise WireError(f"cannot decode {cls.__name__} v{version}: {excess} bytes too many (at byte {end})")
        return record, version


def _by_id(module: ModuleType, kind: str) -> dict[int, type[Any]]:
    """The messages of a module, by the id of their record type."""
    found: dict[int, type[Any]] = {}
    for cls in vars(module).values():
        if isinstance(cls, type) and issubclass(cls, Message) and cls.__schema__ is not None:
            schema = cls.__schema__
            if schema.kind == kind and schema.api_key is not None:
                found[schema.api_key] = cls
    return found


def _id_of(record: object) -> int:
    record_id = schema_of(record).api_key
    assert record_id is not None, f"{type(record).__name__} is not stored in a log of its own"
    return record_id


def _int16(number: int) -> bytes:
    return number.to_bytes(2, signed=True)


def _read_int16(data: bytes, what: str) -> int:
    if len(data) < 2:
        raise WireError(f"cannot decode the {what} of a record: 2 bytes wanted, {len(data)} left (at byte 0)")
    return int.from_bytes(data[:2], signed=True)


def _varint(number: int) -> bytes:
    out = bytearray()
    while number >= 0x80:
        out.append(number & 0x7F | 0x80)
        number >>= 7
    out.append(number)
    return bytes(out)


def _read_varint(data: bytes, offset: int) -> tuple[int, int]:
    number = 0
    for index, byte in enumerate(data[offset : offset + 5]):
        number |= (byte & 0x7F) << (7 * index)
        if byte < 0x80:
            return number, offset + index + 1
    raise WireError(f"cannot decode the frame of a record: no varint (at byte {offset})")
