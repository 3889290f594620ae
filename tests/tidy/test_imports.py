"""Imports have a direction. Prior art: Kafka's ``checkstyle/import-control-*.xml``. Ours is two tables."""

from __future__ import annotations

import re
from collections.abc import Mapping
from pathlib import Path
from typing import Final

from tests.tidy.sources import CORE, ROOT, imports_of, package_of, python_files, rust_code, rust_files

FOUNDATION: Final = ("errors", "ids", "clock")
"""What everybody may import."""

PYTHON: Final[Mapping[str, str]] = {
    # package:    what it may import, beside itself and the foundation
    "errors":     "",
    "ids":        "",
    "clock":      "",
    "wire":       "_core",
    "records":    "wire",
    "config":     "",
    "security":   "",
    "raft":       "records wire",
    "metadata":   "config raft records wire",
    "controller": "config metadata raft records wire",
    "coordinator": "_core records wire",
    "groups":     "_core config coordinator metadata records wire",
    "transactions": "config coordinator records wire",
    "api":        "config controller coordinator groups metadata records security transactions wire",
    "dataplane":  "_core api config coordinator metadata raft",
    "server":     "api config controller coordinator dataplane groups metadata raft records security transactions wire",
    "testing":    "api config controller server wire",
    "cli":        "_core config records server wire",
    "__main__":   "cli",
}  # fmt: skip
"""From the bottom to the top; a package that is not here belongs nowhere yet."""

ENGINE_IMPORTERS: Final = (
    "coordinator/partitions.py",
    "dataplane/coordinator_log.py",
    "dataplane/plane.py",
    "dataplane/views.py",
    "groups/offsets/table.py",
    "wire/codec.py",
    "wire/program.py",
    # Tools that build and read batches, not the broker.
    "cli/consume.py",
    "cli/coordination/positions.py",
    "cli/format.py",
    "cli/produce.py",
    "cli/inspection/indexes.py",
    "cli/inspection/records.py",
    "cli/inspection/segments.py",
)

RUST: Final[Mapping[str, str]] = {
    # module:      what it may use, beside itself
    "ids":         "",
    "limits":      "",
    "error":       "ids",
    "disk":        "",
    "disk_os":     "disk",
    "disk_sim":    "disk",
    "wire":        "error ids limits",
    "batch":       "error ids limits",
    "log":         "batch disk error ids limits",
    "groups":      "error ids log wire",
    "replication": "batch error ids limits log wire",
    "plane":       "batch disk disk_os error groups ids limits log replication wire",
}  # fmt: skip

UNSAFE: Final = ("rust/fuzz/src/allocation.rs", "rust/py/src/codec/slots.rs", "rust/py/src/engine.rs")
"""The files that may say ``unsafe``, each with a SAFETY line per use."""


def test_python_imports_go_down() -> None:
    wrong = []
    for file in python_files():
        own = package_of(file)
        if file == Path("__init__.py"):
            own, allowed = "ottla", set[str]()
        else:
            assert own in PYTHON, f"{own} has no row in the table of imports"
            allowed = {own, *PYTHON[own].split()} | (set() if own in FOUNDATION else set(FOUNDATION))
        for module, line in imports_of(file):
            if not module.startswith("ottla."):
                continue
            imported = module.split(".")[1]
            if imported not in allowed:
                wrong.append(f"{file}:{line}: {own} may not import {module}")
            elif imported == "_core" and file.as_posix() not in ENGINE_IMPORTERS:
                wrong.append(f"{file}:{line}: not a file that imports the engine")
    assert wrong == []


def test_the_table_has_no_cycles() -> None:
    known: set[str] = {"_core"}
    for package, below in PYTHON.items():
        assert set(below.split()) <= known, f"{package} stands above something it imports"
        known.add(package)


def test_rust_modules_are_layered() -> None:
    wrong = []
    for file in rust_files():
        own = file.parts[0].removesuffix(".rs")
        if own == "lib":
            continue
        assert own in RUST, f"{own} has no row in the table of modules"
        used = set(re.findall(r"\bcrate::(\w+)", rust_code(CORE / file))) - {own}
        wrong += [f"{file}: {own} may not use {module}" for module in sorted(used - set(RUST[own].split()))]
    assert wrong == []


def test_tokio_and_the_real_disk_are_named_by_shells_alone() -> None:
    wrong = []
    for file in rust_files():
        is_shell = file.parent == Path("plane") and file.stem.startswith("shell")
        foreign = {"pyo3"} if is_shell else {"pyo3", "tokio", "disk_os"}
        if file.as_posix() in ("lib.rs", "disk_os.rs"):
            foreign.remove("disk_os")
        wrong += [
            f"{file} names {word}" for word in sorted(foreign) if re.search(rf"\b{word}\b", rust_code(CORE / file))
        ]
    assert wrong == []


def test_only_the_binding_depends_on_python() -> None:
    manifests = {path.parent.name: path.read_text() for path in (ROOT / "rust").glob("*/Cargo.toml")}
    assert [name for name, text in manifests.items() if re.search(r"^pyo3\b", text, re.MULTILINE)] == ["py"]


def test_unsafe_stands_in_the_named_files() -> None:
    sources = sorted((ROOT / "rust").glob("*/**/*.rs"))
    sources = [path for path in sources if "target" not in path.parts]
    unsafe = [path for path in sources if re.search(r"\bunsafe\b(?! extern)", rust_code(path))]
    assert [path.relative_to(ROOT).as_posix() for path in unsafe] == list(UNSAFE)
    for path in unsafe:
        lines = path.read_text().splitlines()
        for number, line in enumerate(lines):
            if re.search(r"\bunsafe (?:\{|impl)", line):
                before = "\n".join(lines[max(0, number - 5) : number + 1])
                assert "SAFETY:" in before, f"{path.relative_to(ROOT)}:{number + 1} does not say why it is sound"
