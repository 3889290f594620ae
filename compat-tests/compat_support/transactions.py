"""Transactional producers, as the scenarios use them: the face each library shows, and one in another process.

Those in other processes are asked line by line, with tabs between, and answer `ok`, or `error` and why:

    open ID KEY=VALUE…    begin    send TOPIC PARTITION BASE64…    offsets GROUP TOPIC PARTITION=OFFSET…
    transform GROUP TOPIC TOPIC COUNT    commit    abort    close
"""

import base64
import importlib.util
import sys
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from types import ModuleType
from typing import IO, Protocol, final

TIMEOUT_MS = 60_000


@final
class Ended(Exception):
    """The library says that this transaction, or this producer, is over."""


class Transactor(Protocol):
    """One transactional producer; initialized when it is given. All methods block, and raise Ended when the broker
    refuses."""

    def begin(self) -> None: ...

    def send(self, topic: str, partition: int, values: Sequence[bytes]) -> None:
        """Returns when all are acknowledged."""

    def send_offsets(self, group: str, topic: str, offsets: Mapping[int, int]) -> None: ...

    def commit(self) -> None: ...

    def abort(self) -> None: ...

    def close(self) -> None:
        """Without ending what is open."""


def open_transactor(folder: str, bootstrap: str, transactional_id: str, timeout_ms: int = TIMEOUT_MS) -> Transactor:
    """A producer by the library in `compat-tests/<folder>/transactor.py`; the name may have a version, with a colon."""
    name, _, version = folder.partition(":")
    module = _module(name)
    found: Transactor = (
        module.open_transactor(bootstrap, transactional_id, timeout_ms, version)
        if version
        else module.open_transactor(bootstrap, transactional_id, timeout_ms)
    )
    return found


def _module(folder: str) -> ModuleType:
    name = f"compat_transactor_{folder}"
    if name not in sys.modules:
        path = Path(__file__).parent.parent / folder / "transactor.py"
        spec = importlib.util.spec_from_file_location(name, path)
        assert spec is not None
        assert spec.loader is not None
        module = importlib.util.module_from_spec(spec)
        sys.modules[name] = module
        spec.loader.exec_module(module)
    return sys.modules[name]


@final
class RemoteTransactor:
    """``ended`` is called when it has been closed."""

    def __init__(
        self,
        requests: IO[str],
        answers: IO[str],
        transactional_id: str,
        settings: Mapping[str, str | int],
        ended: Callable[[], object],
    ) -> None:
        self._requests = requests
        self._answers = answers
        self._ended = ended
        self._ask("open", transactional_id, *(f"{key}={value}" for key, value in settings.items()))

    def _ask(self, *words: str) -> None:
        self._requests.write("\t".join(words) + "\n")
        self._requests.flush()
        outcome, *found = self._answers.readline().rstrip("\n").split("\t")
        if outcome != "ok":
            raise Ended(f"{words[0]}: {found}")

    def begin(self) -> None:
        self._ask("begin")

    def send(self, topic: str, partition: int, values: Sequence[bytes]) -> None:
        self._ask("send", topic, str(partition), *(base64.b64encode(value).decode() for value in values))

    def send_offsets(self, group: str, topic: str, offsets: Mapping[int, int]) -> None:
        self._ask("offsets", group, topic, *(f"{partition}={offset}" for partition, offset in offsets.items()))

    def transform(self, group: str, source: str, target: str, count: int) -> None:
        """Reads so many records as a member of a group, and writes them to another topic; franz-go alone."""
        self._ask("transform", group, source, target, str(count))

    def commit(self) -> None:
        self._ask("commit")

    def abort(self) -> None:
        self._ask("abort")

    def close(self) -> None:
        try:
            self._ask("close")
        finally:
            self._ended()
