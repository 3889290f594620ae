"""The repository as the tests of this folder read it: files, Python syntax trees, Rust without words and tests."""

from __future__ import annotations

import ast
import functools
import re
import subprocess
from collections.abc import Iterator, Sequence
from pathlib import Path, PurePosixPath
from typing import Final, NamedTuple

ROOT: Final = Path(__file__).parents[2]
PACKAGE: Final = ROOT / "python" / "ottla"
CORE: Final = ROOT / "rust" / "core" / "src"


class Import(NamedTuple):
    """One module that a file imports, be it inside a function or for types only."""

    module: str
    """Absolute; of ``from a import b`` it is ``a.b`` where that is a module of the package, else ``a``."""
    line: int


@functools.cache
def repository_files() -> Sequence[PurePosixPath]:
    """The files that are, or would be, in the repository."""
    listed = subprocess.run(
        ["git", "ls-files", "--cached", "--others", "--exclude-standard", "-z"],
        cwd=ROOT,
        capture_output=True,
        check=True,
    )
    names = sorted(name for name in listed.stdout.decode().split("\0") if name)
    return [PurePosixPath(name) for name in names if (ROOT / name).is_file()]


def python_files() -> list[Path]:
    """The sources of the package, relative to it."""
    return sorted(path.relative_to(PACKAGE) for path in PACKAGE.rglob("*.py"))


@functools.cache
def tree_of(file: Path) -> ast.Module:
    """The syntax tree of a file of the package."""
    return ast.parse((PACKAGE / file).read_text(), str(file))


def imports_of(file: Path) -> Iterator[Import]:
    """Everything a file of the package imports."""
    for node in ast.walk(tree_of(file)):
        if isinstance(node, ast.Import):
            for name in node.names:
                yield Import(name.name, node.lineno)
        elif isinstance(node, ast.ImportFrom):
            assert node.level == 0, f"{file}:{node.lineno} imports by a relative name"
            assert node.module is not None
            for name in node.names:
                inner = f"{node.module}.{name.name}"
                yield Import(inner if _is_module(inner) else node.module, node.lineno)


def _is_module(name: str) -> bool:
    if not name.startswith("ottla."):
        return False
    path = PACKAGE.joinpath(*name.split(".")[1:])
    return path.with_suffix(".py").exists() or path.is_dir() or path.with_suffix(".pyi").exists()


def package_of(file: Path) -> str:
    """The first part of a file's place: the package it belongs to, or the module that it is."""
    return file.parts[0] if len(file.parts) > 1 else file.stem


def rust_files() -> list[Path]:
    """The sources of the pure crate, relative to it, without those that hold tests alone."""
    found = sorted(path.relative_to(CORE) for path in CORE.rglob("*.rs"))
    return [path for path in found if not is_rust_test(path)]


def is_rust_test(file: Path) -> bool:
    """Whether a file is compiled for tests alone."""
    named = "tests" in (*file.parts, file.stem)
    return named or file in (Path("batch/golden.rs"), Path("log/simulation.rs"))


_WORDS: Final = re.compile(
    r"""//[^\n]*|/\*.*?\*/|b?r(#*)".*?"\1|b?"(?:\\.|[^"\\])*"|b?'(?:\\.[^']*|[^'\\])'""", re.DOTALL
)


@functools.cache
def rust_code(file: Path) -> str:
    """A file of Rust as the compiler sees it outside tests: comments, strings and the test module are blanked."""
    text = _WORDS.sub(lambda words: re.sub(r"[^\n]", " ", words[0]), file.read_text())
    at = re.search(r"^#\[cfg\(test\)\]\s*(?:pub )?mod \w+ \{", text, re.MULTILINE)
    return text[: at.start()] if at else text
