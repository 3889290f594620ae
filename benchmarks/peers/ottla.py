"""Ottla as its users start it: `ottla serve` as a process of its own, with its defaults."""

import json
import os
import shutil
import sys
from collections.abc import Mapping, Sequence
from importlib import metadata
from pathlib import Path
from typing import final

from benchmarks.failure import Failed, Skipped
from benchmarks.peers import Broker, wait_until
from benchmarks.processes import Child, free_port

START_TIMEOUT_S = 60.0
COMMAND_VARIABLE = "OTTLA_COMMAND"
"""Names another command than the one beside this interpreter, for instance that of an older release."""


def command() -> list[str]:
    """How `ottla` is called: the script beside this interpreter, or the package it can import."""
    if named := os.environ.get(COMMAND_VARIABLE):
        return named.split()
    beside = Path(sys.executable).with_name("ottla")
    if beside.exists():
        return [str(beside)]
    return [sys.executable, "-c", "import sys; from ottla.cli.main import main; sys.exit(main())"]


@final
class OttlaBroker:
    def __init__(self, directory: Path, settings: Mapping[str, str]) -> None:
        self._directory = directory
        self._settings = settings
        self._port = free_port()
        self._child: Child | None = None
        self._serving_pid = 0

    @property
    def bootstrap(self) -> str:
        return f"127.0.0.1:{self._port}"

    @property
    def pid(self) -> int:
        started = self._running.pid
        return self._serving_pid or started

    @property
    def data_dir(self) -> Path:
        return self._directory / "data"

    @property
    def started_unix_ns(self) -> int:
        return self._running.started_unix_ns

    def launch(self) -> None:
        self._directory.mkdir(parents=True, exist_ok=True)
        self._ready_file.unlink(missing_ok=True)
        self._serving_pid = 0
        where = ["--listen", f"PLAINTEXT://{self.bootstrap}", "--data-dir", str(self.data_dir)]
        settings = [word for key, value in self._settings.items() for word in ("--set", f"{key}={value}")]
        argv: Sequence[str] = [*command(), "serve", *where, "--ready-file", str(self._ready_file), *settings]
        self._child = Child(argv, log=self._directory / "server.log")

    def start(self) -> None:
        self.launch()
        wait_until("ottla", self._running, self._says_ready, timeout_s=START_TIMEOUT_S)

    def stop(self) -> int:
        return self._child.stop() if self._child else 0

    def kill(self) -> None:
        if self._child:
            self._child.kill()

    def _says_ready(self) -> bool:
        try:
            said = json.loads(self._ready_file.read_text())
        except (FileNotFoundError, json.JSONDecodeError):
            return False
        if self.bootstrap not in str(said["bootstrap_servers"]):
            raise Failed(f"ottla was to serve {self.bootstrap} and says it serves {said['bootstrap_servers']}")
        self._serving_pid = int(said["pid"])  # whatever started it, this one is measured
        return True

    @property
    def _running(self) -> Child:
        if self._child is None:
            raise Failed("the broker is not running")
        if (status := self._child.ended()) is not None:
            raise Failed(f"the broker ended with {status}: {self._child.last_words()}")
        return self._child

    @property
    def _ready_file(self) -> Path:
        return self._directory / "ready.json"


@final
class Ottla:
    name = "ottla"

    def __init__(self, settings: Mapping[str, str] | None = None) -> None:
        self._settings = dict(settings or {})

    def prepare(self) -> str:
        program = command()[0]
        if shutil.which(program) is None:
            raise Skipped(f"{program} cannot be run")
        try:
            return f"Ottla {metadata.version('ottla')}"
        except metadata.PackageNotFoundError:
            return "Ottla (this source tree)"

    def create(self, directory: Path) -> Broker:
        directory.mkdir(parents=True)
        return OttlaBroker(directory, self._settings)
