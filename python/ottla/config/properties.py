"""Java's `.properties` text, and `--set key=value`: where each setting was written is kept, for errors that help.

Rules are those of `java.util.Properties.load`: `#` and `!` open comments; key and value part at `=`, `:` or white
space; a backslash at the end of a line continues it; `\\uXXXX`, `\\t` and so on are escapes; the last of two wins.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Final, NamedTuple, final

from ottla.config.definition import ConfigError

_SPACE: Final = " \t\f"
_ESCAPES: Final = {"t": "\t", "n": "\n", "r": "\r", "f": "\f"}


@final
class Setting(NamedTuple):
    """One setting as it was written."""

    name: str
    text: str
    where: str
    """Where it was written: `server.properties:12`, `--set num.partitions`, `embedded default`."""


def parse_properties(text: str, source: str) -> list[Setting]:
    """The settings in `text`, in order; `source` names the file in errors. Raises `ConfigError`."""
    settings: list[Setting] = []
    for number, line in _logical_lines(text):
        where = f"{source}:{number}"
        end = _end_of_key(line)
        rest = line[end:].lstrip(_SPACE)
        if rest[:1] in ("=", ":"):
            rest = rest[1:].lstrip(_SPACE)
        settings.append(Setting(_unescape(line[:end], where), _unescape(rest, where), where))
    return settings


def parse_assignments(assignments: Sequence[str], source: str = "--set") -> list[Setting]:
    """Each `key=value` of a command line, taken as it is, without escapes. Raises `ConfigError`."""
    settings: list[Setting] = []
    for assignment in assignments:
        name, equals, text = assignment.partition("=")
        if not equals or not name.strip():
            raise ConfigError(f"{source} {assignment}: expected key=value")
        settings.append(Setting(name.strip(), text, f"{source} {name.strip()}"))
    return settings


def _logical_lines(text: str) -> Iterator[tuple[int, str]]:
    """(number of the first line from 1, line without leading space and with its continuations)."""
    started = 0
    parts: list[str] = []
    # Not splitlines(): Java ends a line at \n, \r and \r\n only.
    for number, raw in enumerate(text.replace("\r\n", "\n").replace("\r", "\n").split("\n"), start=1):
        line = raw.lstrip(_SPACE)
        if not parts and (not line or line[0] in "#!"):
            continue
        if not parts:
            started = number
        if (len(line) - len(line.rstrip("\\"))) % 2 == 1:
            parts.append(line[:-1])
            continue
        parts.append(line)
        joined = "".join(parts)
        parts = []
        if joined:
            yield started, joined
    if joined := "".join(parts):
        yield started, joined


def _end_of_key(line: str) -> int:
    escaped = False
    for index, char in enumerate(line):
        if escaped:
            escaped = False
        elif char == "\\":
            escaped = True
        elif char in "=:" or char in _SPACE:
            return index
    return len(line)


def _unescape(text: str, where: str) -> str:
    if "\\" not in text:
        return text
    out: list[str] = []
    index = 0
    while index < len(text):
        char = text[index]
        index += 1
        if char != "\\" or index == len(text):
            if char != "\\":
                out.append(char)
            continue
        char = text[index]
        index += 1
        if char != "u":
            out.append(_ESCAPES.get(char, char))
            continue
        digits = text[index : index + 4]
        if len(digits) != 4 or not all(digit in "0123456789abcdefABCDEF" for digit in digits):
            raise ConfigError(f"{where}: malformed \\uXXXX escape: \\u{digits}")
        out.append(chr(int(digits, 16)))
        index += 4
    joined = "".join(out)
    # Two escapes may be one character outside the basic plane.
    return joined.encode("utf-16", "surrogatepass").decode("utf-16", "replace")
