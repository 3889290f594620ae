"""The reference codec: declarations executed by construct, for tools that explain bytes and for tests.

Ten times slower than the interpreter, and written to be read: each shape of the protocol is one small construct.
Tests hold the two equal on random values, in both directions. Nothing that serves traffic imports this module.

Strict where the interpreter is: null only where the version has it, compact lengths below 2 GiB, tagged fields as long
as they say. It has no limits of its own: a tool reads what it is given.
"""

from __future__ import annotations

import io
from typing import Any, Final, TypeVar

import construct
from construct import Construct, IntegerError, StreamError, ValidationError, stream_read, stream_write

from ottla.wire.codec import WireError
from ottla.wire.schema import Field, Kind, Schema, fields_of, schema_of

_T = TypeVar("_T")

_SCALARS: Final = {
    Kind.INT8: construct.Int8sb,
    Kind.INT16: construct.Int16sb,
    Kind.INT32: construct.Int32sb,
    Kind.INT64: construct.Int64sb,
    Kind.UINT16: construct.Int16ub,
    Kind.UINT32: construct.Int32ub,
    Kind.FLOAT64: construct.Float64b,
    Kind.UUID: construct.Bytes(16),
}
_constructs: Final[dict[tuple[type, int], Construct]] = {}


def parse(cls: type[_T], version: int, data: bytes) -> _T:
    """Reads a message that begins at the first byte; what is behind it is left alone."""
    try:
        message: _T = construct_of(cls, version).parse(data)
    except construct.ConstructError as error:
        raise WireError(f"cannot parse {cls.__name__} v{version}: {error}") from error
    return message


def build(message: object, version: int) -> bytes:
    """Writes a message."""
    stream = io.BytesIO()
    try:
        construct_of(type(message), version).build_stream(message, stream)
    except construct.ConstructError as error:
        raise WireError(f"cannot build {type(message).__name__} v{version}: {error}") from error
    return stream.getvalue()


def construct_of(cls: type, version: int) -> Construct:
    """The construct of a message class in one version; it parses to, and builds from, objects of the class."""
    found = _constructs.get((cls, version))
    if found is None:
        schema = schema_of(cls)
        if version not in schema.valid:
            raise ValueError(f"{schema.name} has no version {version}")
        found = _constructs[cls, version] = _Structure(cls, version, schema)
    return found


class _Varint(Construct):  # type: ignore[misc]
    """An unsigned varint of at most 32 bits."""

    def _parse(self, stream: Any, context: Any, path: str) -> int:
        value = 0
        for shift in range(0, 35, 7):
            byte: int = stream_read(stream, 1, path)[0]
            value |= (byte & 0x7F) << shift
            if byte < 0x80:
                if value >= 1 << 32:
                    break
                return value
        raise IntegerError("a varint of more than 32 bits", path=path)

    def _build(self, value: int, stream: Any, context: Any, path: str) -> int:
        rest = value
        while rest >= 0x80:
            stream_write(stream, bytes([rest & 0x7F | 0x80]), 1, path)
            rest >>= 7
        stream_write(stream, bytes([rest]), 1, path)
        return value


class _Bool(Construct):  # type: ignore[misc]
    """Zero is false, everything else true."""

    def _parse(self, stream: Any, context: Any, path: str) -> bool:
        return bool(stream_read(stream, 1, path) != b"\0")

    def _build(self, value: bool, stream: Any, context: Any, path: str) -> bool:
        stream_write(stream, b"\1" if value else b"\0", 1, path)
        return value


class _Length(Construct):  # type: ignore[misc]
    """A length, or ``None`` for null: fixed and negative for null, or a varint of one more with 0 for null."""

    def __init__(self, fixed: Construct | None, nullable: bool) -> None:
        super().__init__()
        self._fixed = fixed
        self._nullable = nullable

    def _parse(self, stream: Any, context: Any, path: str) -> int | None:
        if self._fixed is None:
            length = _VARINT._parsereport(stream, context, path) - 1
            if length >= 0x7FFF_FFFF:
                raise ValidationError(f"the length {length}", path=path)
        else:
            length = max(-1, self._fixed._parsereport(stream, context, path))
        if length < -1 or (length == -1 and not self._nullable):
            raise ValidationError(f"the length {length}", path=path)
        return None if length == -1 else int(length)

    def _build(self, length: int | None, stream: Any, context: Any, path: str) -> int | None:
        if length is None and not self._nullable:
            raise ValidationError("null, which this version does not allow", path=path)
        number = -1 if length is None else length
        if self._fixed is None:
            _VARINT._build(number + 1, stream, context, path)
        else:
            self._fixed._build(number, stream, context, path)
        return length


class _Blob(Construct):  # type: ignore[misc]
    """Bytes, or text in UTF-8, behind their length."""

    def __init__(self, length: _Length, text: bool) -> None:
        super().__init__()
        self._length = length
        self._text = text

    def _parse(self, stream: Any, context: Any, path: str) -> bytes | str | None:
        length = self._length._parsereport(stream, context, path)
        if length is None:
            return None
        if self._text and length > 0x7FFF:
            raise ValidationError(f"a string of {length} bytes", path=path)
        data: bytes = stream_read(stream, length, path)
        return data.decode("utf-8", "replace") if self._text else data

    def _build(self, value: bytes | str | None, stream: Any, context: Any, path: str) -> Any:
        data = value.encode() if isinstance(value, str) else value
        self._length._build(None if data is None else len(data), stream, context, path)
        if data:
            stream_write(stream, data, len(data), path)
        return value


class _Items(Construct):  # type: ignore[misc]
    """Elements behind their number."""

    def __init__(self, length: _Length, element: Construct) -> None:
        super().__init__()
        self._length = length
        self._element = element

    def _parse(self, stream: Any, context: Any, path: str) -> tuple[Any, ...] | None:
        length = self._length._parsereport(stream, context, path)
        if length is None:
            return None
        return tuple(self._element._parsereport(stream, context, f"{path} -> {index}") for index in range(length))

    def _build(self, value: Any, stream: Any, context: Any, path: str) -> Any:
        self._length._build(None if value is None else len(value), stream, context, path)
        for index, item in enumerate(value or ()):
            self._element._build(item, stream, context, f"{path} -> {index}")
        return value


class _Optional(Construct):  # type: ignore[misc]
    """A struct that may be null: a byte below zero says so, or as a tagged field a varint of zero."""

    def __init__(self, structure: Construct, tagged: bool) -> None:
        super().__init__()
        self._structure = structure
        self._tagged = tagged

    def _parse(self, stream: Any, context: Any, path: str) -> Any:
        if self._tagged:
            if not 0 < _VARINT._parsereport(stream, context, path) < 1 << 31:
                return None
        elif construct.Int8sb._parsereport(stream, context, path) < 0:
            return None
        return self._structure._parsereport(stream, context, path)

    def _build(self, value: Any, stream: Any, context: Any, path: str) -> Any:
        null = 0 if self._tagged else -1
        construct.Int8sb._build(null if value is None else 1, stream, context, path)
        if value is not None:
            self._structure._build(value, stream, context, path)
        return value


class _Structure(Construct):  # type: ignore[misc]
    """A struct: its fields one after the other, then the tagged ones, when the version is flexible."""

    def __init__(self, cls: type, version: int, schema: Schema) -> None:
        super().__init__()
        self._class = cls
        self._flexible = version in schema.flexible
        self._plain: list[tuple[Field, Construct]] = []
        self._tagged: dict[int, tuple[Field, Construct]] = {}
        self._lost: list[Field] = []
        for field in fields_of(cls):
            if version not in field.versions:
                self._lost += [] if field.ignorable else [field]
            elif version in field.tagged:
                assert field.tag is not None
                self._tagged[field.tag] = field, _construct_of_field(field, version, schema)
            else:
                self._plain.append((field, _construct_of_field(field, version, schema)))

    def _parse(self, stream: Any, context: Any, path: str) -> Any:
        values = {}
        for field, subcon in self._plain:
            values[field.attribute] = subcon._parsereport(stream, context, f"{path} -> {field.attribute}")
        if self._flexible:
            for _ in range(_VARINT._parsereport(stream, context, path)):
                tag = _VARINT._parsereport(stream, context, path)
                data = stream_read(stream, _VARINT._parsereport(stream, context, path), path)
                if tag in self._tagged:
                    field, subcon = self._tagged[tag]
                    inner = io.BytesIO(data)
                    where = f"{path} -> {field.attribute}"
                    values[field.attribute] = subcon._parsereport(inner, context, where)
                    if inner.tell() != len(data):
                        raise StreamError(f"{len(data) - inner.tell()} bytes too many", path=where)
        return self._class(**values)

    def _build(self, value: Any, stream: Any, context: Any, path: str) -> Any:
        if not isinstance(value, self._class):
            raise ValidationError(f"{self._class.__name__} wanted, found {value!r}", path=path)
        for field in self._lost:
            if _differs(getattr(value, field.attribute), field.default):
                raise ValidationError("not the default, and this version has no such field", path=path)
        for field, subcon in self._plain:
            subcon._build(getattr(value, field.attribute), stream, context, f"{path} -> {field.attribute}")
        if self._flexible:
            self._build_tags(value, stream, context, path)
        return value

    def _build_tags(self, value: Any, stream: Any, context: Any, path: str) -> None:
        sent = {
            tag: (subcon, getattr(value, field.attribute))
            for tag, (field, subcon) in sorted(self._tagged.items())
            if _differs(getattr(value, field.attribute), field.default)
        }
        _VARINT._build(len(sent), stream, context, path)
        for tag, (subcon, inner) in sent.items():
            data = io.BytesIO()
            subcon._build(inner, data, context, path)
            _VARINT._build(tag, stream, context, path)
            _VARINT._build(data.tell(), stream, context, path)
            stream_write(stream, data.getvalue(), data.tell(), path)


def _differs(value: Any, default: Any) -> bool:
    return bool((tuple(value) if isinstance(value, list) else value) != default)


def _construct_of_field(field: Field, version: int, schema: Schema) -> Construct:
    compact = version in (schema.flexible if field.flexible is None else field.flexible)
    nullable = version in field.nullable
    element = _construct_of_element(field, version, schema, compact, nullable and not field.array)
    if field.array:
        return _Items(_Length(None if compact else construct.Int32sb, nullable), element)
    return element


def _construct_of_element(field: Field, version: int, schema: Schema, compact: bool, nullable: bool) -> Construct:
    match field.kind:
        case Kind.BOOL:
            return _Bool()
        case Kind.STRING | Kind.NAME:
            return _Blob(_Length(None if compact else construct.Int16sb, nullable), text=True)
        case Kind.BYTES | Kind.RECORDS:
            return _Blob(_Length(None if compact else construct.Int32sb, nullable), text=False)
        case Kind.STRUCT:
            assert field.struct is not None
            structure = _Structure(field.struct, version, schema)
            return _Optional(structure, version in field.tagged) if nullable else structure
        case _:
            return _SCALARS[field.kind]


_VARINT: Final = _Varint()
