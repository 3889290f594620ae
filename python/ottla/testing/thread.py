"""One life of a broker, in a thread of its own: from begin to end, seen from other threads.

Prior art: anyio's blocking portal. Ours waits on futures of ``concurrent.futures``, which synchronous code, asyncio
and Trio all can wait for without another thread.

Invariants: both futures are always settled, ``started`` first; what goes wrong before the start is told by ``started``
alone, and what goes wrong later by ``ended`` alone; when ``ended`` is settled, sockets, files and engine threads are
gone.
"""

from __future__ import annotations

import shutil
import sys
import threading
from collections.abc import Awaitable, Callable, Mapping
from concurrent.futures import Future
from contextlib import suppress
from pathlib import Path
from typing import TYPE_CHECKING, TypeVar, final

if TYPE_CHECKING:
    import trio

    from ottla.api.broker import Broker as Services
    from ottla.server.main import Server, Started

__all__ = ["BrokerError", "BrokerThread", "wait"]

T = TypeVar("T")


class BrokerError(Exception):
    """A broker could not start, died, or refused what it was asked; the message says why."""


@final
class BrokerThread:
    """``begin`` once, then wait for ``started``; ``stop`` or ``kill``, then wait for ``ended`` and ``join``."""

    def __init__(self, data_dir: Path, settings: Mapping[str, str], *, temporary: bool) -> None:
        """``temporary``: the directory goes with the broker, unless it is killed or dies."""
        self.started: Future[Started] = _uncancellable()
        self.ended: Future[None] = _uncancellable()
        self._data_dir = data_dir
        self._settings = dict(settings)
        self._temporary = temporary
        # A daemon, since what is left at exit is stopped by the one who made it, not waited for.
        self._thread = threading.Thread(target=self._run, name=f"ottla-broker-{data_dir.name}", daemon=True)
        self._lock = threading.Lock()
        self._inside: tuple[trio.lowlevel.TrioToken, trio.Nursery, Server] | None = None
        self._wish: Callable[[Server], None] | None = None
        self._discard = False

    # --- from outside -------------------------------------------------------------------------------------------------

    def begin(self) -> None:
        """Starts the thread."""
        self._thread.start()

    def stop(self) -> None:
        """Begins the clean stop, at whatever it is. Returns at once."""
        self._discard = True
        self._ask(_stop)

    def kill(self) -> None:
        """Begins to end as in a crash. Returns at once."""
        self._ask(_kill)

    def discard(self) -> None:
        """Nobody wants it any more: ends as soon as it can, and takes a temporary directory along. Returns at once."""
        self._discard = True
        self._ask(_kill)

    def join(self) -> None:
        """After ``ended``: returns when the thread is gone, too."""
        self._thread.join()

    def call(self, work: Callable[[Services], Awaitable[T]]) -> T:
        """Runs ``work`` in the broker's loop and waits for what it returns or raises. Any thread but the broker's own.
        Raises ``BrokerError`` when the broker is gone, or goes meanwhile."""
        result: Future[T] = Future()
        with self._lock:
            inside = self._inside
        if inside is None:
            raise BrokerError("the broker is not running")
        import trio

        token, nursery, server = inside
        try:
            token.run_sync_soon(_start_call, nursery, server, work, result)
        except trio.RunFinishedError:
            raise BrokerError("the broker is not running") from None
        return result.result()

    def _ask(self, wish: Callable[[Server], None]) -> None:
        with self._lock:
            self._wish = wish
            inside = self._inside
        if inside is not None:
            import trio

            with suppress(trio.RunFinishedError):
                inside[0].run_sync_soon(wish, inside[2])

    # --- inside -------------------------------------------------------------------------------------------------------

    def _run(self) -> None:
        failure: BrokerError | None = None
        try:
            self._serve()
        except BaseException as error:
            # Whatever it was: it ends this broker, and is told to whoever waits for it.
            failure = _worded(error)
        finally:
            if self._temporary and (self._discard or not self.started.done()):
                shutil.rmtree(self._data_dir, ignore_errors=True)
        self._inside = None
        if not self.started.done():
            self.started.set_exception(failure or BrokerError("the broker was stopped before it had started"))
            failure = None
        if failure is None:
            self.ended.set_result(None)
        else:
            self.ended.set_exception(failure)

    def _serve(self) -> None:
        import trio

        from ottla.config.load import load
        from ottla.config.properties import Setting
        from ottla.server.main import Server
        from ottla.testing.logs import logger

        settings = [Setting(name, text, "config") for name, text in self._settings.items()]
        loaded = load(None, (), [*settings, Setting("log.dirs", str(self._data_dir), "data_dir")])
        log = logger(loaded.config.node_id)
        for warning in loaded.warnings:
            log.warning(warning)
        trio.run(self._main, Server(loaded, log), strict_exception_groups=True)

    async def _main(self, server: Server) -> None:
        import trio

        async with trio.open_nursery() as nursery:
            with self._lock:
                self._inside = (trio.lowlevel.current_trio_token(), nursery, server)
                wish = self._wish
            if wish is not None:
                wish(server)
            await server.serve(self.started.set_result)
            nursery.cancel_scope.cancel()


async def wait(future: Future[T], *, shield: bool = False) -> T:
    """Waits in asyncio or Trio, whichever this is called from. With ``shield``, Trio's cancellation has to wait,
    too."""
    # In a Trio task all of Trio is imported; elsewhere another thread may be at it right now.
    in_trio_task = getattr(getattr(sys.modules.get("trio"), "lowlevel", None), "in_trio_task", None)
    if in_trio_task is None or not in_trio_task():
        import asyncio

        return await asyncio.wrap_future(future)
    import trio

    event, token = trio.Event(), trio.lowlevel.current_trio_token()

    def wake(_: Future[T]) -> None:
        with suppress(trio.RunFinishedError):
            token.run_sync_soon(event.set)

    future.add_done_callback(wake)
    with trio.CancelScope(shield=shield):
        await event.wait()
    return future.result()


def _start_call(
    nursery: trio.Nursery, server: Server, work: Callable[[Services], Awaitable[T]], result: Future[T]
) -> None:
    async def run() -> None:
        try:
            value = await work(server.services)
        except Exception as error:
            result.set_exception(error)
        except BaseException:
            result.set_exception(BrokerError("the broker stopped meanwhile"))
            raise
        else:
            result.set_result(value)

    try:
        nursery.start_soon(run)
    except RuntimeError:
        result.set_exception(BrokerError("the broker is not running"))


def _stop(server: Server) -> None:
    server.stop()


def _kill(server: Server) -> None:
    server.kill()


def _uncancellable() -> Future[T]:
    future: Future[T] = Future()
    # Whoever stops waiting for it must not settle it for the others.
    future.set_running_or_notify_cancel()
    return future


def _worded(error: BaseException) -> BrokerError:
    from ottla.server.main import in_words

    failure = BrokerError(in_words(error))
    failure.__cause__ = error
    return failure
