from __future__ import annotations

import subprocess
import sys

import pytest

from ottla import __version__
from ottla.cli.main import COMMANDS
from tests.cli.run import run


def test_the_overview_names_every_command(monkeypatch: pytest.MonkeyPatch) -> None:
    ended = run(monkeypatch, "--help")
    assert ended.code == 0
    assert all(f"  {name} " in ended.out for name in COMMANDS)
    assert run(monkeypatch).code == 2


def test_the_version(monkeypatch: pytest.MonkeyPatch) -> None:
    assert run(monkeypatch, "--version") == (0, f"ottla {__version__}\n", "")


def test_a_command_that_is_none(monkeypatch: pytest.MonkeyPatch) -> None:
    ended = run(monkeypatch, "sing")
    assert ended.code == 2
    assert "there is no command 'sing'" in ended.err


@pytest.mark.parametrize("name", ["topics", "produce", "consume", "inspect"])
def test_each_command_has_help(monkeypatch: pytest.MonkeyPatch, name: str) -> None:
    ended = run(monkeypatch, name, "--help")
    assert ended.code == 0
    assert ended.out.startswith(f"usage: ottla {name}")
    assert run(monkeypatch, name, "--no-such-option").code == 2


def test_the_overview_imports_nothing_of_the_broker() -> None:
    script = (
        "import sys, ottla.cli.main as cli\n"
        "cli.main(['--help'])\n"
        "print([name for name in sys.modules if name.split('.')[0] in ('trio', 'socket', 'argparse', 'json', 'asyncio')"
        " or name.startswith('ottla.') and not name.startswith('ottla.cli')], file=sys.stderr)"
    )
    ended = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, check=True)
    assert ended.stderr == "[]\n"


@pytest.mark.parametrize("name", ["topics", "produce", "consume", "inspect"])
def test_tools_do_not_import_the_event_loop(name: str) -> None:
    heavy = ("trio", "asyncio", "structlog", "construct")
    script = f"import sys, ottla.cli.{name}; print([name for name in {heavy} if name in sys.modules])"
    ended = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, check=True)
    assert ended.stdout == "[]\n"
