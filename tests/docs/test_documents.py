"""What the documents of this repository name is there."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from ottla.api.table import TABLE, Side

ROOT = Path(__file__).resolve().parents[2]
DOCUMENTS = ("README.md", "CONTRIBUTING.md")
_PATH = re.compile(r"`(?!\./)((?:[\w.-]+/)+[\w.-]*|[\w-]+\.(?:md|toml))`")
_LINK = re.compile(r"\]\(([^)#:]+)\)")
_TARGET = re.compile(r"^ {4}make ([a-z-]+)", re.MULTILINE)


@pytest.mark.parametrize("document", DOCUMENTS)
def test_files_that_are_named_exist(document: str) -> None:
    text = (ROOT / document).read_text()
    named = set(_PATH.findall(text)) | set(_LINK.findall(text))
    assert named
    assert {name for name in named if not (ROOT / name).exists()} == set()


@pytest.mark.parametrize("document", DOCUMENTS)
def test_commands_of_make_exist(document: str) -> None:
    rules = set(re.findall(r"^([a-z-]+):", (ROOT / "Makefile").read_text(), re.MULTILINE))
    asked = set(_TARGET.findall((ROOT / document).read_text()))
    assert asked
    assert asked <= rules


def test_the_readme_lists_what_is_served() -> None:
    row = re.compile(r"^\| (\d+) \| (\w+) \| (\d+)-(\d+) \| (\w+) \|$", re.MULTILINE)
    listed = [
        (int(key), name, range(int(first), int(last) + 1), side)
        for key, name, first, last, side in row.findall((ROOT / "README.md").read_text())
    ]
    sides = {Side.RUST: "Rust", Side.PYTHON: "Python"}
    assert listed == [(api.key, api.name, api.versions, sides[api.side]) for api in TABLE]
