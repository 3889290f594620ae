"""Transactional producers, as the scenarios use them: the face each library shows, and one in another process.

Those in other processes are asked line by line for

    open ID KEY=VALUE…    begin    send TOPIC PARTITION BASE64…    offsets GROUP TOPIC PARTITION=OFFSET…
    transform GROUP TOPIC TOPIC COUNT    commit    abort    close
"""

import base64
from collections.abc import Mapping, Sequence
from typing import Protocol, final

from compat_support.folders import module
from compat_support.lines import Lines

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
    which = (version,) if version else ()
    found: Transactor = module(name, "transactor").open_transactor(bootstrap, transactional_id, timeout_ms, *which)
    return found


@final
class RemoteTransactor:
    def __init__(self, lines: Lines, transactional_id: str, settings: Mapping[str, str | int]) -> None:
        self._lines = lines
        self._ask("open", transactional_id, *(f"{key}={value}" for key, value in settings.items()))

    def _ask(self, *words: str) -> None:
        self._lines.ask(*words, refused=Ended)

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
        self._lines.close(refused=Ended)
