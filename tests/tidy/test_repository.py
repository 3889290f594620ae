"""The repository speaks of itself alone: no machine, no mirror, nothing large that is not a golden vector."""

from __future__ import annotations

import re
from pathlib import PurePosixPath
from typing import Final

from tests.tidy.sources import ROOT, repository_files

SOURCE_BYTES_MAX: Final = 64 * 1024
GOLDEN_BYTES_MAX: Final = 512 * 1024
LOCKS: Final = ("Cargo.lock", "go.sum")
"""Written by tools, which name their registry and checksums in it."""

_slash = "/"
MACHINE: Final = re.compile(
    rf"(?<![\w.~}}]){_slash}(?:work|root|home|Users|mnt|build|workspace){_slash}|{_slash}tmp{_slash}(?!kafka-logs)"
)
"""Places of one machine; ``/tmp/kafka-logs`` is Kafka's own default of ``log.dir``."""

HOSTS: Final = re.compile(
    "|".join(
        re.escape(".".join(parts))
        for parts in (
            ("pypi", "org"),
            ("pythonhosted", "org"),
            ("crates", "io"),
            ("maven", "apache", "org"),
            ("maven", "org"),
            ("npmjs", "org"),
            ("proxy", "golang", "org"),
        )
    )
)
"""Of package registries: their clients know them, and users may have mirrors."""


def _is_golden(file: PurePosixPath) -> bool:
    return "golden" in file.parts


def test_files_name_no_machine_and_no_registry() -> None:
    wrong = []
    for file in repository_files():
        if _is_golden(file) or file.name in LOCKS:
            continue
        content = (ROOT / file).read_bytes()
        if b"\0" in content:
            wrong.append(f"{file} is not text; vectors live in golden/")
            continue
        for number, line in enumerate(content.decode().splitlines(), 1):
            found = MACHINE.search(line) or HOSTS.search(line)
            if found is not None:
                wrong.append(f"{file}:{number} names {found[0]}")
    assert wrong == []


def test_files_have_a_readable_size() -> None:
    wrong = []
    for file in repository_files():
        limit = GOLDEN_BYTES_MAX if _is_golden(file) or file.name in LOCKS else SOURCE_BYTES_MAX
        size = (ROOT / file).stat().st_size
        if size > limit:
            wrong.append(f"{file} has {size} bytes")
    assert wrong == []
