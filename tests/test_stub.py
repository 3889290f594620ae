"""The extension's stub is source: what it says of ``ottla._core`` is what the compiled module shows."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import ottla

ROOT = Path(__file__).parents[1]


def test_the_stub_says_what_the_extension_is(tmp_path: Path) -> None:
    sources = str(Path(ottla.__file__).parents[1])
    command = [sys.executable, "-m", "mypy.stubtest", "ottla._core"]
    command += ["--mypy-config-file", str(ROOT / "pyproject.toml")]
    checked = subprocess.run(
        command,
        cwd=tmp_path,
        env={**os.environ, "PYTHONPATH": sources, "MYPYPATH": sources},
        capture_output=True,
        text=True,
        check=False,
    )
    assert checked.returncode == 0, checked.stdout + checked.stderr
