"""Nothing is global: several brokers run in one interpreter, and none changes the process it is in."""

from __future__ import annotations

import ast
from collections.abc import Iterator
from pathlib import Path
from typing import Final

from tests.tidy.sources import package_of, python_files, tree_of

REGISTRIES: Final = {
    ("records/__init__.py", "_formats"),
    ("wire/program.py", "_programs"),
    ("wire/reference.py", "_constructs"),
    ("wire/registry.py", "_classes"),
    ("wire/schema.py", "_parsed_versions"),
}
"""Mappings that remember what is derived from declarations: filled at first use, the same for every broker."""

MUTATORS: Final = {
    "add", "append", "appendleft", "clear", "discard", "extend", "insert", "pop", "popitem", "popleft", "remove",
    "setdefault", "sort", "update",
}  # fmt: skip

PROCESS_WIDE: Final = (
    "atexit.register",
    "faulthandler.",
    "gc.",
    "locale.setlocale",
    "logging.basicConfig",
    "logging.getLogger",
    "os.chdir",
    "os.environ.",
    "os.umask",
    "random.seed",
    "resource.setrlimit",
    "signal.signal",
    "socket.setdefaulttimeout",
    "structlog.configure",
    "sys.excepthook",
    "sys.setrecursionlimit",
    "sys.setswitchinterval",
    "warnings.filterwarnings",
    "warnings.simplefilter",
)


def _module_names(tree: ast.Module) -> set[str]:
    names: set[str] = set()
    for node in tree.body:
        if isinstance(node, ast.Assign):
            names |= {target.id for target in node.targets if isinstance(target, ast.Name)}
        elif isinstance(node, ast.AnnAssign) and isinstance(node.target, ast.Name):
            names.add(node.target.id)
    return names


def _functions(tree: ast.Module) -> Iterator[ast.FunctionDef | ast.AsyncFunctionDef | ast.Lambda]:
    for node in ast.walk(tree):
        if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef | ast.Lambda):
            yield node


def _bound_in(function: ast.FunctionDef | ast.AsyncFunctionDef | ast.Lambda) -> set[str]:
    stored = {node.id for node in ast.walk(function) if isinstance(node, ast.Name) and isinstance(node.ctx, ast.Store)}
    return stored | {node.arg for node in ast.walk(function) if isinstance(node, ast.arg)}


def _changed(node: ast.AST) -> str | None:
    """The name whose object a node changes in place."""
    target: ast.expr | None = None
    if isinstance(node, ast.Subscript | ast.Attribute) and isinstance(node.ctx, ast.Store | ast.Del):
        target = node.value
    elif isinstance(node, ast.Call) and isinstance(node.func, ast.Attribute) and node.func.attr in MUTATORS:
        target = node.func.value
    return target.id if isinstance(target, ast.Name) else None


def test_modules_hold_no_state() -> None:
    wrong = []
    for file in python_files():
        tree = tree_of(file)
        names = _module_names(tree)
        for function in _functions(tree):
            local = _bound_in(function)
            for node in ast.walk(function):
                changed = _changed(node)
                if isinstance(node, ast.Global):
                    wrong.append(f"{file}:{node.lineno} says global")
                elif changed in names and changed not in local and (file.as_posix(), changed) not in REGISTRIES:
                    wrong.append(f"{file}: a function changes {changed} of the module")
            if not isinstance(function, ast.Lambda):
                decorators = [ast.unparse(decorator) for decorator in function.decorator_list]
                if any("cache" in decorator.lower() for decorator in decorators):
                    wrong.append(f"{file}:{function.lineno} remembers for the whole process")
    assert wrong == []


def test_every_registry_is_used() -> None:
    for file, name in REGISTRIES:
        assert name in _module_names(tree_of(Path(file))), f"{file} has no {name}"


EMBEDDED: Final = frozenset({("testing", "atexit.register"), ("testing", "logging.getLogger")})
"""A broker inside somebody's test run stops what is left when that ends, and logs where that run collects."""


def test_the_process_is_left_alone() -> None:
    wrong = []
    for file in python_files():
        if package_of(file) == "cli":
            continue
        for node in ast.walk(tree_of(file)):
            if isinstance(node, ast.Attribute):
                words = ast.unparse(node)
                if (package_of(file), words) in EMBEDDED:
                    continue
                if any(words == name or (name.endswith(".") and words.startswith(name)) for name in PROCESS_WIDE):
                    wrong.append(f"{file}:{node.lineno} touches {words}")
    assert wrong == []
