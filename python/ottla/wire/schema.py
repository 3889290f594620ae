"""The words in which Kafka's messages are declared: fields with their versions, structs, messages.

A declaration is a class whose annotated fields are assigned a type and the versions that carry it::

    @message(api_key=10, valid="0-6", flexible="3+", listeners="broker")
    class FindCoordinatorRequest:
        key: str = String("0-3")
        key_type: int = Int8("1+", default=0)
        coordinator_keys: tuple[str, ...] = Array(String(), "4+")

The class becomes a slotted value class: built by keyword, every field with a default, compared by value. Its schema
is what the interpreter's programs are lowered from, what the reference codec executes, and what the conformance
test compares with Kafka's own schemas. Kafka's CamelCase names are derived; ``name=`` says those that cannot be.

Prior art: Kafka's JSON schemas (KIP-482) and attrs. Ours: plain classes instead of generated sources, and no
``dataclasses``: thousands of fields would make start-up pay for features that a message has no use for. An
``__init__`` is compiled when a class is first built by hand, which decoding never does.

Type checkers take messages as frozen. At run time they are so when ``OTTLA_FREEZE_MESSAGES`` is in the environment
as this module is imported; tests set it.
"""

from __future__ import annotations

import enum
import os
from collections.abc import Callable
from typing import Any, ClassVar, Final, Protocol, TypeVar, dataclass_transform, final, overload

_T = TypeVar("_T")
_FROZEN: Final = "OTTLA_FREEZE_MESSAGES" in os.environ
_VERSION_END: Final = 32_768
_parsed_versions: Final[dict[str, range]] = {}


def versions(text: str) -> range:
    """The half-open range that Kafka writes as ``3+``, ``0-6``, ``1`` or ``none``."""
    found = _parsed_versions.get(text)
    if found is None:
        if text == "none":
            found = range(0)
        elif text.endswith("+"):
            found = range(int(text[:-1]), _VERSION_END)
        else:
            low, _, high = text.partition("-")
            found = range(int(low), int(high or low) + 1)
        _parsed_versions[text] = found
    return found


class Kind(enum.IntEnum):
    """What a field, or an element of an array field, is. The numbers are those of the interpreter."""

    BOOL = 0
    INT8 = 1
    INT16 = 2
    INT32 = 3
    INT64 = 4
    UINT16 = 5
    UINT32 = 6
    FLOAT64 = 7
    UUID = 8
    STRING = 9
    NAME = 10
    BYTES = 11
    RECORDS = 12
    STRUCT = 13


@final
class Field:
    """One field of a struct: where it is in which versions, and what it is when nobody says."""

    __slots__ = (
        "_default",
        "array",
        "attribute",
        "flexible",
        "ignorable",
        "kind",
        "name",
        "nullable",
        "struct",
        "tag",
        "tagged",
        "versions",
    )

    kind: Kind
    array: bool
    struct: type[Message] | None
    """The class of the field's value, or of each element."""
    versions: range
    nullable: range
    tag: int | None
    tagged: range
    ignorable: bool
    flexible: range | None
    """Versions with compact lengths, when not those of the message."""
    attribute: str
    name: str

    def __init__(
        self,
        kind: Kind,
        versions_text: str,
        *,
        default: Any,
        array: bool = False,
        struct: type[Message] | None = None,
        nullable: str | None = None,
        tag: int | None = None,
        tagged: str | None = None,
        ignorable: bool = False,
        flexible: str | None = None,
        name: str | None = None,
    ) -> None:
        self.kind = kind
        self.array = array
        self.struct = struct
        self.versions = versions(versions_text)
        self.nullable = versions(nullable or "none")
        self.tag = tag
        self.tagged = versions(tagged or "none")
        self.ignorable = ignorable
        self.flexible = None if flexible is None else versions(flexible)
        self.attribute = ""
        self.name = name or ""
        self._default = default

    @property
    def default(self) -> Any:
        """The value when none is given; of a struct that may not be null, the one with all defaults."""
        if self._default is _STRUCT_DEFAULT:
            assert self.struct is not None
            self._default = self.struct()
        return self._default


_STRUCT_DEFAULT: Final = object()


class _Scalar(Protocol):
    def __call__(
        self,
        versions: str = "0+",
        *,
        default: Any = ...,
        nullable: str | None = None,
        tag: int | None = None,
        tagged: str | None = None,
        ignorable: bool = False,
        flexible: str | None = None,
        name: str | None = None,
    ) -> Any: ...


def _scalar(kind: Kind, zero: object) -> _Scalar:
    def declare(versions: str = "0+", *, default: Any = zero, **options: Any) -> Any:
        return Field(kind, versions, default=default, **options)

    return declare


Bool: Final = _scalar(Kind.BOOL, False)
Int8: Final = _scalar(Kind.INT8, 0)
Int16: Final = _scalar(Kind.INT16, 0)
Int32: Final = _scalar(Kind.INT32, 0)
Int64: Final = _scalar(Kind.INT64, 0)
Uint16: Final = _scalar(Kind.UINT16, 0)
Uint32: Final = _scalar(Kind.UINT32, 0)
Float64: Final = _scalar(Kind.FLOAT64, 0.0)
Uuid: Final = _scalar(Kind.UUID, bytes(16))
"""16 bytes, big endian, as ``bytes``."""
String: Final = _scalar(Kind.STRING, "")
Name: Final = _scalar(Kind.NAME, "")
"""A string that many messages repeat, as they do the names of topics: decoding may share one object for all."""
Bytes: Final = _scalar(Kind.BYTES, b"")


def Records(versions: str = "0+", *, nullable: str | None = None, **options: Any) -> Any:
    """Record batches as opaque ``bytes``; null by default where they may be."""
    return Field(Kind.RECORDS, versions, default=None if nullable else b"", nullable=nullable, **options)


def Array(element: Any, versions: str = "0+", *, default: Any = (), **options: Any) -> Any:
    """A tuple of a scalar type, such as ``String()``, or of a struct class."""
    if isinstance(element, Field):
        return Field(element.kind, versions, default=default, array=True, **options)
    return Field(Kind.STRUCT, versions, default=default, array=True, struct=element, **options)


def Struct(struct: Any, versions: str = "0+", *, default: Any = _STRUCT_DEFAULT, **options: Any) -> Any:
    """One value of a struct class."""
    return Field(Kind.STRUCT, versions, default=default, struct=struct, **options)


@final
class Schema:
    """What a message is beside its fields."""

    __slots__ = ("api_key", "flexible", "kind", "latest_version_unstable", "listeners", "name", "valid")

    def __init__(
        self,
        name: str,
        kind: str,
        api_key: int | None,
        valid: range,
        flexible: range,
        listeners: tuple[str, ...],
        latest_version_unstable: bool,
    ) -> None:
        self.name: Final = name
        self.kind: Final = kind
        """``request``, ``response``, ``header``, ``data``, ``metadata``, ``coordinator-key``, ``coordinator-value``."""
        self.api_key: Final = api_key
        """Of a message stored in a log, the id of its record type."""
        self.valid: Final = valid
        self.flexible: Final = flexible
        self.listeners: Final = listeners
        self.latest_version_unstable: Final = latest_version_unstable


class Message:
    """The base that ``@message`` and ``@struct`` give to a class."""

    __slots__ = ()
    __fields__: ClassVar[tuple[Field, ...]] = ()
    __schema__: ClassVar[Schema | None] = None
    __kafka_name__: ClassVar[str] = ""

    def __init__(self, **values: Any) -> None:
        cls = type(self)
        compiled = _compile_init(cls.__fields__)
        cls.__init__ = compiled  # type: ignore[method-assign]
        compiled(self, **values)

    def __eq__(self, other: object) -> bool:
        if type(other) is not type(self):
            return NotImplemented
        return _values(self) == _values(other)

    def __hash__(self) -> int:
        return hash(_values(self))

    def __repr__(self) -> str:
        """The fields that differ from their defaults."""
        shown = (
            f"{field.attribute}={value!r}"
            for field, value in zip(self.__fields__, _values(self), strict=True)
            if value != field.default
        )
        return f"{type(self).__name__}({', '.join(shown)})"

    def __replace__(self, **changes: Any) -> Any:
        cls = type(self)
        compiled = _compile_replace(cls.__fields__)
        cls.__replace__ = compiled  # type: ignore[method-assign]
        return compiled(self, **changes)

    def __reduce__(self) -> tuple[Any, ...]:
        return _restore, (type(self), _values(self))

    if _FROZEN:

        def __setattr__(self, name: str, value: object) -> None:
            raise AttributeError(f"{type(self).__name__} is frozen")


def _values(message: Message) -> tuple[Any, ...]:
    return tuple([getattr(message, field.attribute) for field in message.__fields__])


def _restore(cls: type[Message], values: tuple[Any, ...]) -> Message:
    names = [field.attribute for field in cls.__fields__]
    return cls(**dict(zip(names, values, strict=True)))


def replace(message: _T, **changes: Any) -> _T:
    """The message with some fields changed."""
    replaced: _T = message.__replace__(**changes)  # type: ignore[attr-defined]
    return replaced


def schema_of(message: Any) -> Schema:
    """The schema of a message or of its class."""
    schema = message.__schema__
    assert isinstance(schema, Schema), f"{message} is a struct, not a message"
    return schema


def fields_of(message: Any) -> tuple[Field, ...]:
    """The fields of a message or struct, or of its class, in the order of the declaration."""
    fields: tuple[Field, ...] = message.__fields__
    return fields


def _compile_init(fields: tuple[Field, ...]) -> Callable[..., None]:
    names: dict[str, Any] = {"_set": object.__setattr__}
    parameters, body = [], []
    for index, field in enumerate(fields):
        names[f"_{index}"] = field.default
        parameters.append(f"{field.attribute}=_{index}")
        if _FROZEN:
            body.append(f"_set(self, {field.attribute!r}, {field.attribute})")
        else:
            body.append(f"self.{field.attribute} = {field.attribute}")
    signature = f"self, *, {', '.join(parameters)}" if parameters else "self"
    exec(f"def __init__({signature}):\n {'; '.join(body) or 'pass'}", names)
    compiled: Callable[..., None] = names["__init__"]
    return compiled


def _compile_replace(fields: tuple[Field, ...]) -> Callable[..., Any]:
    names: dict[str, Any] = {"_set": object.__setattr__, "_kept": object()}
    body = ["_new = object.__new__(self.__class__)"]
    for field in fields:
        name = field.attribute
        value = f"self.{name} if {name} is _kept else {name}"
        body.append(f"_set(_new, {name!r}, {value})" if _FROZEN else f"_new.{name} = {value}")
    parameters = "".join(f", {field.attribute}=_kept" for field in fields)
    exec(f"def __replace__(self{', *' if fields else ''}{parameters}):\n " + "\n ".join([*body, "return _new"]), names)
    compiled: Callable[..., Any] = names["__replace__"]
    return compiled


def _declare(cls: type[_T], schema: Schema | None, name: str | None, lower_camel: bool) -> type[_T]:
    namespace = dict(cls.__dict__)
    fields = []
    for attribute, field in cls.__dict__.items():
        if isinstance(field, Field):
            assert not field.attribute, f"{attribute} of {cls.__name__} is the field of another struct"
            field.attribute = attribute
            field.name = field.name or _camel(attribute, lower_camel)
            fields.append(field)
            del namespace[attribute]
    namespace.pop("__dict__", None)
    namespace.pop("__weakref__", None)
    namespace["__slots__"] = tuple(field.attribute for field in fields)
    namespace["__fields__"] = tuple(fields)
    namespace["__schema__"] = schema
    namespace["__kafka_name__"] = name or cls.__name__
    declared: Any = type(cls.__name__, (Message,), namespace)
    return declared  # type: ignore[no-any-return]


def _camel(attribute: str, lower_first: bool) -> str:
    camel = "".join(word[:1].upper() + word[1:] for word in attribute.split("_"))
    return camel[:1].lower() + camel[1:] if lower_first else camel


@overload
def struct(cls: type[_T], /) -> type[_T]: ...
@overload
def struct(*, name: str | None = None, lower_camel: bool = False) -> Callable[[type[_T]], type[_T]]: ...


@dataclass_transform(frozen_default=True, kw_only_default=True)
def struct(cls: Any = None, /, *, name: str | None = None, lower_camel: bool = False) -> Any:
    """Makes a class the struct that it declares; ``name`` is Kafka's when it is not that of the class."""
    if cls is not None:
        return _declare(cls, None, None, False)
    return lambda cls: _declare(cls, None, name, lower_camel)


_SUFFIXES: Final = {
    "Request": "request",
    "Response": "response",
    "Key": "coordinator-key",
    "Value": "coordinator-value",
}


@dataclass_transform(frozen_default=True, kw_only_default=True)
def message(
    *,
    api_key: int | None = None,
    valid: str,
    flexible: str = "none",
    kind: str | None = None,
    listeners: str = "",
    latest_version_unstable: bool = False,
    name: str | None = None,
    lower_camel: bool = False,
) -> Callable[[type[_T]], type[_T]]:
    """Makes a class the message that it declares.

    The kind follows from the last word of the class's name when it is not given. ``listeners`` are the types of
    listener that a broker of 4.4 serves the request on, separated by commas.
    """

    def declare(cls: type[_T]) -> type[_T]:
        found = kind or next(of for suffix, of in _SUFFIXES.items() if cls.__name__.endswith(suffix))
        schema = Schema(
            name or cls.__name__,
            found,
            api_key,
            versions(valid),
            versions(flexible),
            tuple(listeners.split(",")) if listeners else (),
            latest_version_unstable,
        )
        return _declare(cls, schema, name, lower_camel)

    return declare
