r"""How `ottla consume -f` writes a record: kcat's format strings.

`%t` topic, `%p` partition, `%o` offset, `%k` key, `%s` value, `%h` headers as name=value,name=value, `%T` timestamp in
milliseconds, `%K` and `%S` length of key and value (-1 for none), `%%` a percent sign; `\n`, `\t`, `\r`, `\0`, `\xHH`
and `\\` as in C. Compiled once, then run per record. A null key or value is written as nothing.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING, Final, TypeAlias

from ottla.cli.errors import UsageError

if TYPE_CHECKING:
    from ottla._core import Record

Part: TypeAlias = "Callable[[str, int, Record], bytes]"
"""Of topic, partition and record: what this part of the format writes."""

_ESCAPES: Final = {"n": b"\n", "t": b"\t", "r": b"\r", "0": b"\0", "\\": b"\\"}


def _length(data: bytes | None) -> bytes:
    return b"-1" if data is None else b"%d" % len(data)


def _headers(record: Record) -> bytes:
    return b",".join(name.encode() + b"=" + (value or b"") for name, value in record.headers)


_FIELDS: Final[dict[str, Part]] = {
    "t": lambda topic, _, __: topic.encode(),
    "p": lambda _, partition, __: b"%d" % partition,
    "o": lambda _, __, record: b"%d" % record.offset,
    "k": lambda _, __, record: record.key or b"",
    "s": lambda _, __, record: record.value or b"",
    "h": lambda _, __, record: _headers(record),
    "T": lambda _, __, record: b"%d" % record.timestamp_ms,
    "K": lambda _, __, record: _length(record.key),
    "S": lambda _, __, record: _length(record.value),
}


def compile_format(text: str) -> Part:
    """The function that writes a record as `text` says. Raises `UsageError`."""
    parts = _parts(text)
    fields = [part if callable(part) else _literal(part) for part in parts]

    def write(topic: str, partition: int, record: Record) -> bytes:
        return b"".join([field(topic, partition, record) for field in fields])

    return write


def _literal(data: bytes) -> Part:
    return lambda _, __, ___: data


def _parts(text: str) -> list[bytes | Part]:
    parts: list[bytes | Part] = []
    literal = bytearray()
    index = 0
    while index < len(text):
        char = text[index]
        if char == "%":
            name = text[index + 1 : index + 2]
            index += 2
            if name == "%":
                literal += b"%"
                continue
            if name not in _FIELDS:
                raise UsageError(f"-f: there is no field %{name}", f"fields are %{' %'.join(_FIELDS)} %%")
            parts += [bytes(literal), _FIELDS[name]]
            literal.clear()
        elif char == "\\":
            data, index = _escape(text, index + 1)
            literal += data
        else:
            literal += char.encode("utf-8", "surrogateescape")
            index += 1
    parts.append(bytes(literal))
    return [part for part in parts if part != b""]


def _escape(text: str, index: int) -> tuple[bytes, int]:
    """What the escape whose character stands at `index` means, and where it ends."""
    char = text[index : index + 1]
    if char == "x":
        digits = text[index + 1 : index + 3]
        if len(digits) == 2 and all(digit in "0123456789abcdefABCDEF" for digit in digits):
            return bytes([int(digits, 16)]), index + 3
    elif char in _ESCAPES:
        return _ESCAPES[char], index + 1
    raise UsageError(f"-f: there is no escape \\{char}", r"escapes are \n \t \r \0 \\ \xHH")
