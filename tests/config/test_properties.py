from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ottla.config.definition import ConfigError
from ottla.config.properties import parse_assignments, parse_properties


def _pairs(text: str) -> list[tuple[str, str, str]]:
    return [(setting.name, setting.text, setting.where.rpartition(":")[2]) for setting in parse_properties(text, "f")]


@pytest.mark.parametrize(
    ("text", "pairs"),
    [
        ("a=b", [("a", "b", "1")]),
        ("a = b ", [("a", "b ", "1")]),
        ("a:b\nc d", [("a", "b", "1"), ("c", "d", "2")]),
        ("a : = b", [("a", "= b", "1")]),
        ("a", [("a", "", "1")]),
        ("a=", [("a", "", "1")]),
        ("# a=b\n  ! c=d\n\n  e=f", [("e", "f", "4")]),
        ("a=b,\\\n    c\nd=e", [("a", "b,c", "1"), ("d", "e", "3")]),
        ("a=b\\\\\nc=d", [("a", "b\\", "1"), ("c", "d", "2")]),
        ("a=b\\\n# no comment", [("a", "b# no comment", "1")]),
        ("a\\=b=c\\:d", [("a=b", "c:d", "1")]),
        ("a\\ b c", [("a b", "c", "1")]),
        ("a=\\u00e9\\t\\n\\q", [("a", "é\t\nq", "1")]),
        ("a=\\ud83d\\ude00", [("a", "😀", "1")]),
        ("a=b\r\nc=d\re=f", [("a", "b", "1"), ("c", "d", "2"), ("e", "f", "3")]),
        ("a=x\x0by\x85z", [("a", "x\x0by\x85z", "1")]),
        ("a=end\\", [("a", "end", "1")]),
        ("a=1\na=2", [("a", "1", "1"), ("a", "2", "2")]),
    ],
)
def test_java_properties(text: str, pairs: list[tuple[str, str, str]]) -> None:
    assert _pairs(text) == pairs


def test_a_broken_escape_names_its_line() -> None:
    with pytest.raises(ConfigError, match=r"^server\.properties:2: malformed"):
        parse_properties("a=b\nc=\\u12G4", "server.properties")


@given(st.text(max_size=200))
def test_any_text_is_settings_or_an_error_with_a_line(text: str) -> None:
    lines = text.count("\n") + text.count("\r") + 1
    try:
        where = [setting.where for setting in parse_properties(text, "f")]
    except ConfigError as error:
        where = [":".join(error.message.split(":")[:2])]
    assert all(place.startswith("f:") and 1 <= int(place[2:]) <= lines for place in where)


_NAME = st.text(st.characters(codec="utf-8", exclude_characters="\\"), min_size=1, max_size=20)


@given(_NAME, _NAME)
def test_what_is_escaped_comes_back(name: str, value: str) -> None:
    def escaped(text: str) -> str:
        return "".join(f"\\u{unit:04x}" for unit in _utf16(text))

    (setting,) = parse_properties(f"{escaped(name)}={escaped(value)}", "f")
    assert (setting.name, setting.text) == (name, value)


def _utf16(text: str) -> list[int]:
    data = text.encode("utf-16-be")
    return [data[index] << 8 | data[index + 1] for index in range(0, len(data), 2)]


def test_assignments() -> None:
    (setting,) = parse_assignments(["a.b=c=d"])
    assert setting == ("a.b", "c=d", "--set a.b")
    with pytest.raises(ConfigError, match="expected key=value"):
        parse_assignments(["a.b"])
