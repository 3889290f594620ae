"""A broker inside the process: the whole of it, on real sockets and a real directory, for as long as a block of code.

Prior art: Kafka's ``KafkaClusterTestKit`` and Testcontainers, which cost a JVM, and seconds. Ours is a thread that
runs its own Trio loop, so that synchronous, asyncio and Trio code all can have one, or several at once.

Invariants: nothing of the process is changed but by what is taken back at the end: no signal handler, no set-up of
logging, no environment. A temporary directory ends with the broker, or with the interpreter, whatever happens between.
"""

from __future__ import annotations

import atexit
import os
import shutil
import tempfile
from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Final, final

from ottla.testing.thread import BrokerError, BrokerThread, wait

if TYPE_CHECKING:
    from types import TracebackType
    from typing import Self

    from ottla.server.main import Started

__all__ = ["Broker"]

ANY_PORT: Final = "PLAINTEXT://127.0.0.1:0"


@final
class Broker:
    """One broker, started and stopped as often as one likes.

    ``start`` after ``stop`` or ``kill`` serves at the same address again, so that clients find it. Life is for one
    thread at a time to decide; topics may be made from any. In a child process after a fork there is only the address.
    """

    def __init__(
        self, data_dir: str | os.PathLike[str] | None = None, *, config: Mapping[str, object] | None = None
    ) -> None:
        """Nothing happens before ``start``. Without ``data_dir`` it is a temporary one; one that is given is kept.

        ``config``: broker settings by Kafka's names, over those of ``ottla serve`` without a file; it listens on any
        port of 127.0.0.1 unless ``listeners`` says otherwise. Raises ``ValueError`` for ``log.dirs``.
        """
        self._settings = {name: _text(value) for name, value in (config or {}).items()}
        if "log.dirs" in self._settings or "log.dir" in self._settings:
            raise ValueError("the directory of a Broker is its data_dir, not a setting in config")
        self._settings.setdefault("listeners", ANY_PORT)
        self._data_dir = None if data_dir is None else Path(data_dir).absolute()
        self._temporary = data_dir is None
        self._thread: BrokerThread | None = None
        self._started: Started | None = None
        self._process_id = os.getpid()

    # --- life -------------------------------------------------------------------------------------------------------

    def start(self) -> Self:
        """Returns when clients may connect. Raises ``BrokerError`` with the words of ``ottla serve`` when it cannot."""
        thread = self._begin()
        try:
            self._has_started(thread.started.result())
        except BaseException:
            thread.discard()
            self._end(thread)
            self._forget_directory()
            raise
        return self

    def stop(self) -> None:
        """Stops cleanly and returns when it is done; a temporary directory is gone then. Does nothing when it is not
        running. Raises ``BrokerError`` when the broker died before."""
        self._refuse_in_child("stop")
        try:
            if (thread := self._thread) is not None:
                thread.stop()
                self._end(thread)
        finally:
            self._forget_directory()

    def kill(self) -> None:
        """Stops as a crash would, and returns when nothing of it runs. The directory stays as it is, a temporary one
        until ``stop``: ``start`` recovers it."""
        self._refuse_in_child("kill")
        if (thread := self._thread) is not None:
            thread.kill()
            self._end(thread)

    def __enter__(self) -> Self:
        return self.start()

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        # A forked child that leaves the block leaves the broker to its parent.
        if self._is_ours:
            self.stop()

    async def __aenter__(self) -> Self:
        """``start`` for asyncio and Trio; their loop goes on meanwhile."""
        thread = self._begin()
        try:
            self._has_started(await wait(thread.started))
        except BaseException:
            # It ends by itself, with its directory, also when nobody can wait for that any more.
            thread.discard()
            self._forget_thread()
            if self._temporary:
                self._data_dir = None
            raise
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        if not self._is_ours:
            return
        try:
            if (thread := self._thread) is not None:
                thread.stop()
                await wait(thread.ended, shield=True)
                thread.join()
        finally:
            self._forget_thread()
            self._forget_directory()

    # --- what clients need --------------------------------------------------------------------------------------------

    @property
    def bootstrap_servers(self) -> str:
        """``host:port`` for clients, the same after a restart. Raises ``BrokerError`` before the first start."""
        if self._started is None:
            raise BrokerError("the broker has no address before it is started: with Broker() as broker: …")
        return self._started.bootstrap_servers

    @property
    def cluster_id(self) -> str:
        """Of the directory it serves. Raises ``BrokerError`` before the first start."""
        if self._started is None:
            raise BrokerError("the broker has no cluster id before it is started: with Broker() as broker: …")
        return self._started.cluster_id

    @property
    def data_dir(self) -> Path:
        """Where its logs are. Raises ``BrokerError`` when that is a temporary directory and not there."""
        if self._data_dir is None:
            raise BrokerError("the broker has no directory while it is stopped: give it one with data_dir to keep it")
        return self._data_dir

    @property
    def is_running(self) -> bool:
        """Whether it was started, not stopped, and has not died."""
        return self._thread is not None and not self._thread.ended.done()

    # --- topics -------------------------------------------------------------------------------------------------------

    def create_topic(
        self, name: str, partitions: int | None = None, *, config: Mapping[str, object] | None = None
    ) -> None:
        """Makes a topic, with ``num.partitions`` unless told otherwise; when this returns every client can use it.
        Blocks for some milliseconds. Raises ``BrokerError`` with Kafka's reason."""
        from ottla.testing.topics import create

        settings = {key: _text(value) for key, value in (config or {}).items()}
        self._running("create a topic").call(lambda services: create(services, name, partitions, settings))

    def delete_topic(self, name: str) -> None:
        """Deletes a topic; when this returns no client sees it. Blocks for some milliseconds. Raises
        ``BrokerError``."""
        from ottla.testing.topics import delete

        self._running("delete a topic").call(lambda services: delete(services, name))

    # --- parts --------------------------------------------------------------------------------------------------------

    @property
    def _is_ours(self) -> bool:
        return os.getpid() == self._process_id

    def _refuse_in_child(self, what: str) -> None:
        if not self._is_ours:
            raise BrokerError(
                f"cannot {what}: the broker runs in process {self._process_id}, and this is its child {os.getpid()}, "
                "which has none of its threads · make a new Broker here, or use bootstrap_servers"
            )

    def _running(self, what: str) -> BrokerThread:
        self._refuse_in_child(what)
        if self._thread is None:
            raise BrokerError(f"cannot {what}: the broker is not running")
        return self._thread

    def _begin(self) -> BrokerThread:
        self._refuse_in_child("start")
        if self._thread is not None:
            raise BrokerError("cannot start: the broker is running already, or died and was not stopped")
        if self._data_dir is None:
            self._data_dir = Path(tempfile.mkdtemp(prefix="ottla-"))
        self._thread = BrokerThread(self._data_dir, self._settings, temporary=self._temporary)
        self._thread.begin()
        # At exit, threads like ours are stopped dead: a directory would stay behind.
        atexit.register(self._at_exit)
        return self._thread

    def _has_started(self, started: Started) -> None:
        self._started = started
        self._settings["listeners"] = _with_ports(self._settings["listeners"], started)

    def _end(self, thread: BrokerThread) -> None:
        try:
            thread.ended.result()
            thread.join()
        finally:
            self._forget_thread()

    def _forget_thread(self) -> None:
        self._thread = None
        atexit.unregister(self._at_exit)

    def _forget_directory(self) -> None:
        """After a clean stop the thread has removed it; after ``kill`` or a death it is still there."""
        if self._temporary and self._data_dir is not None:
            shutil.rmtree(self._data_dir, ignore_errors=True)
            self._data_dir = None

    def _at_exit(self) -> None:
        if self._is_ours:
            self.stop()


def _text(value: object) -> str:
    """A setting as a properties file has it."""
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, list | tuple):
        return ",".join(map(_text, value))
    return str(value)


def _with_ports(listeners: str, started: Started) -> str:
    """The listeners with the ports that were chosen for them."""
    ports = {name: port for name, _, port in started.listeners}
    entries = []
    for entry in listeners.split(","):
        name, _, address = entry.strip().partition("://")
        host, _, port = address.rpartition(":")
        entries.append(f"{name}://{host}:{ports.get(name, port)}")
    return ",".join(entries)
