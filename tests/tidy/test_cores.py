"""Cores are pure: (input, now) in, outputs out. A core names no clock, socket, random source, file or ``await``."""

from __future__ import annotations

import ast
import re
from collections.abc import Iterator
from pathlib import Path
from typing import Final

from tests.tidy.sources import CORE, imports_of, python_files, rust_code, rust_files, tree_of

SHELLS: Final = {
    "__main__.py": "the way in",
    "clock.py": "reads the clocks for everybody",
    "coordinator/answers.py": "gives way between answers",
    "coordinator/log.py": "names what is waited for",
    "coordinator/replay.py": "reads a log in slices",
    "coordinator/runtime.py": "tasks and timers of coordinators",
    "coordinator/slices.py": "watches the loop",
    "coordinator/writing.py": "appends, and waits for what fails",
    "dataplane/coordinator_log.py": "waits for the engine",
    "dataplane/log.py": "waits for the engine",
    "dataplane/plane.py": "the line to the engine",
    "dataplane/views.py": "waits for the engine",
    "api/broker.py": "names what handlers wait for",
    "api/creation.py": "waits until topics are served",
    "api/waiting.py": "waits for the metadata log",
    "config/load.py": "reads server.properties",
    "controller/client.py": "writes what was decided",
    "controller/node.py": "timers of the node",
    "controller/producer_ids.py": "waits for the next block",
    "groups/coordinator.py": "asks the runtime, and waits",
    "metadata/loader.py": "follows the log",
    "raft/client.py": "the log and the timers of the quorum",
    "server/coordinators.py": "the tasks of coordinators",
    "server/admission.py": "waits for room, looks up names",
    "server/identity.py": "reads the data directory, or formats it",
    "server/lag.py": "tells of each minute",
    "server/listener.py": "sockets",
    "server/logs.py": "log lines carry the time",
    "server/main.py": "the composition root",
    "server/markers.py": "waits for those who write markers",
    "server/switchboard.py": "tasks of requests",
    "transactions/coordinator.py": "asks the runtime, and waits",
    "transactions/delivery.py": "tasks that carry markers",
    "wire/schema.py": "asks the environment whether messages are frozen",
}
"""Every file that is no core, and why. Handlers (``api/k*``), the command line and the test plugin are shells too."""

EDGES: Final = ("cli", "testing")
SEAMS: Final = {"api/broker.py", "clock.py", "coordinator/log.py", "wire/schema.py"}
"""Shells whose protocols and classes cores may name."""

IMPURE: Final = {
    "asyncio", "concurrent", "datetime", "multiprocessing", "os", "pathlib", "queue", "random", "secrets", "select",
    "selectors", "shutil", "signal", "socket", "ssl", "subprocess", "tempfile", "threading", "time", "trio", "uuid",
}  # fmt: skip

RUST_SHELLS: Final = {
    "disk_os.rs": "the real disk",
    "plane/clock.rs": "the machine's clocks",
    "plane/pool.rs": "threads that may block",
    "plane/shell_coordinator.rs": "the thread of the coordinators' logs",
    "plane/shell_engine.rs": "threads of the engine",
    "plane/shell_metadata.rs": "the thread of the metadata log",
    "plane/shell_worker.rs": "sockets",
}

RUST_IMPURE: Final = re.compile(
    r"\bSystemTime\b|\bInstant::now\b|\bstd::(?:fs|net|env|process)\b|\bthread::(?:spawn|sleep|Builder)\b|\bOsRng\b"
)


def is_core(file: Path) -> bool:
    handler = file.parts[0] == "api" and file.stem.startswith("k")
    return not handler and file.parts[0] not in EDGES and file.as_posix() not in SHELLS


def cores() -> list[Path]:
    return [file for file in python_files() if is_core(file)]


def _methods_of_protocols(tree: ast.Module) -> Iterator[ast.AST]:
    """What a protocol says of a shell awaits nothing itself."""
    for node in ast.walk(tree):
        if isinstance(node, ast.ClassDef) and any(ast.unparse(base).startswith("Protocol") for base in node.bases):
            yield from node.body


def test_every_shell_is_there() -> None:
    known = {file.as_posix() for file in python_files()}
    assert set(SHELLS) <= known, f"gone: {sorted(set(SHELLS) - known)}"
    assert all((CORE / file).exists() for file in RUST_SHELLS)
    hard = (
        "api/context config/dynamic controller/cluster controller/elections controller/format controller/topics "
        "metadata/delta metadata/image metadata/publishers metadata/snapshot raft/core raft/quorum_state raft/snapshot "
        "security/authorizer"
    )
    assert {f"{name}.py" for name in hard.split()} <= {file.as_posix() for file in cores()}


def test_cores_are_pure() -> None:
    wrong = []
    for file in cores():
        described = set(_methods_of_protocols(tree_of(file)))
        for node in ast.walk(tree_of(file)):
            if isinstance(node, ast.Await | ast.AsyncFor | ast.AsyncWith):
                wrong.append(f"{file}:{node.lineno} awaits")
            elif isinstance(node, ast.AsyncFunctionDef) and node not in described:
                wrong.append(f"{file}:{node.lineno}: {node.name} is async")
            elif isinstance(node, ast.Call) and ast.unparse(node.func) in {"open", "input", "print"}:
                wrong.append(f"{file}:{node.lineno} calls {ast.unparse(node.func)}")
        for module, line in imports_of(file):
            if module.split(".")[0] in IMPURE:
                wrong.append(f"{file}:{line} imports {module}")
    assert wrong == []


def test_cores_import_no_shells() -> None:
    shells = {f"ottla.{name.removesuffix('.py').replace('/', '.')}" for name in SHELLS if name not in SEAMS}
    wrong = [
        f"{file}:{line} imports the shell {module}"
        for file in cores()
        for module, line in imports_of(file)
        if module in shells
    ]
    assert wrong == []


def test_rust_cores_are_pure() -> None:
    wrong = []
    for file in rust_files():
        if file.as_posix() not in RUST_SHELLS:
            code = rust_code(CORE / file)
            wrong += [f"{file}:{line_of(code, found)} names {found[0]}" for found in RUST_IMPURE.finditer(code)]
    assert wrong == []


def line_of(code: str, found: re.Match[str]) -> int:
    return code.count("\n", 0, found.start()) + 1
