"""Accepts connections and hands each to the data plane, which owns it from then on.

Prior art: Kafka's ``SocketServer.Acceptor``. Ours accepts in bursts on the one Trio thread: a hand-over costs some
microseconds, and a connection is accepted seldom beside what it then asks for.

Invariants: sockets are bound before anything is told of their ports; a lack of descriptors or of room pauses the
listener and closes nothing; clients never hold the last descriptors, which logs need; what is wrong with one connection
ends nothing but that connection; whatever clients do, a listener says the same thing once a minute at most.
"""

from __future__ import annotations

import contextlib
import errno
import math
import os
import resource
import socket
import sys
from collections.abc import Callable
from dataclasses import dataclass
from io import FileIO
from socket import socket as Socket
from typing import Final, final

import trio

from ottla.config.values import BrokerConfig
from ottla.dataplane.plane import plain_host
from ottla.server.admission import Admission

__all__ = ["BoundListener", "Buffers", "ListenError", "Seldom", "bind"]

ACCEPTS_PER_TURN: Final = 64
"""Connections accepted before other tasks get their turn."""
PAUSE_SECONDS: Final = 0.1
"""While there are no descriptors left: Kafka's acceptor waits as long."""
SAY_AGAIN_SECONDS: Final = 60.0
DESCRIPTORS_KEPT: Final = 32
"""For the broker itself, or a quarter where there are few: a log that is flushed or begins a segment opens files, and a
flush that fails costs its directory."""
_EXHAUSTED: Final = frozenset({errno.EMFILE, errno.ENFILE, errno.ENOBUFS, errno.ENOMEM})
_REMEDIES: Final = {
    errno.EMFILE: " in this process · raise its limit (ulimit -n), or lower max.connections",
    errno.ENFILE: " · raise fs.file-max, or lower max.connections",
}
_BROKEN: Final = frozenset({errno.EBADF, errno.EINVAL, errno.ENOTSOCK})
"""Of the listening socket itself. Anything else that accept says is the fate of one connection (accept(2))."""


class ListenError(Exception):
    """A listener cannot be opened; the message names it, the address and the cause."""


@final
@dataclass(slots=True, frozen=True)
class Buffers:
    """What the system may hold of a connection; the sizes that it finds itself when -1, which is Kafka's word for that.

    Not only for compatibility: a large answer that waits in a short buffer leaves while its reader takes it, on one
    core and without as many wake-ups, where a long buffer has both sides run in turns."""

    send_bytes: int = -1
    receive_bytes: int = -1

    @classmethod
    def of(cls, config: BrokerConfig) -> Buffers:
        return cls(config.integer("socket.send.buffer.bytes"), config.integer("socket.receive.buffer.bytes"))


@final
@dataclass(slots=True, frozen=True)
class BoundListener:
    """A socket that listens, and the listener it is for."""

    name: str
    socket: Socket
    buffers: Buffers
    host: str
    """As configured: may be empty for all addresses."""
    port: int
    """The one in use; chosen by the system when 0 was configured."""

    async def accept(
        self, admission: Admission, adopt: Callable[[Socket, str], None], refused: Callable[[str], None]
    ) -> None:
        """Accepts until cancelled. ``adopt`` takes each socket over; ``refused`` is told why one was not."""
        said = Seldom(refused, trio.current_time)
        spare, ceiling = _spare(), _ceiling()
        try:
            while True:
                await trio.lowlevel.wait_readable(self.socket)
                try:
                    for _ in range(ACCEPTS_PER_TURN):
                        if not admission.has_room(self.name):
                            said("room", f"listener {self.name} accepts no more: as many as max.connections allows")
                            await admission.wait_room(self.name)
                        self._leave_descriptors(ceiling)
                        self._accept_one(admission, adopt, said)
                except BlockingIOError:
                    continue
                except OSError as error:
                    if error.errno in _BROKEN:
                        raise
                    if error.errno not in _EXHAUSTED:
                        said("accept", f"listener {self.name}: {error.strerror}")
                        continue
                    # To say so may take a descriptor: the first line of a log imports what writes it.
                    spare.close()
                    remedy = _REMEDIES.get(error.errno, "")
                    said("exhausted", f"listener {self.name} pauses: {error.strerror}{remedy}")
                    await trio.sleep(PAUSE_SECONDS)
                    with contextlib.suppress(OSError):
                        spare = _spare()
        finally:
            spare.close()

    def _leave_descriptors(self, ceiling: int) -> None:
        """Raises OSError when the next connection would take one of those that are kept: the system gives out the
        lowest that is free."""
        probe = os.dup(self.socket.fileno())
        os.close(probe)
        if probe >= ceiling:
            raise OSError(errno.EMFILE, os.strerror(errno.EMFILE))

    def _accept_one(self, admission: Admission, adopt: Callable[[Socket, str], None], said: Seldom) -> None:
        try:
            connection, peer = self.socket.accept()
        except ConnectionAbortedError:
            return
        if (reason := admission.refusal(plain_host(str(peer[0])))) is not None:
            connection.close()
            said("host", f"listener {self.name}: {reason}")
            return
        admission.make_room(self.name)
        try:
            if self.buffers.send_bytes != -1:
                connection.setsockopt(socket.SOL_SOCKET, socket.SO_SNDBUF, self.buffers.send_bytes)
            adopt(connection, self.name)
        except OSError as error:
            # The client left between its connect and our accept.
            connection.close()
            said("adopt", f"listener {self.name}: {error}")

    def close(self) -> None:
        """No further connections. Those that were accepted live on."""
        self.socket.close()


@final
class Seldom:
    """Says the first thing of a kind, and of those that follow within a minute only how many they were."""

    def __init__(self, say: Callable[[str], None], now_s: Callable[[], float]) -> None:
        self._say = say
        self._now_s = now_s
        self._kinds: dict[str, tuple[float, int]] = {}

    def __call__(self, kind: str, text: str) -> None:
        """``kind``: one of a few; each is kept."""
        now = self._now_s()
        said_at, unsaid = self._kinds.get(kind, (-math.inf, 0))
        if now < said_at + SAY_AGAIN_SECONDS:
            self._kinds[kind] = (said_at, unsaid + 1)
            return
        self._kinds[kind] = (now, 0)
        self._say(f"{text} (and {unsaid} times since it was last said)" if unsaid else text)


def _spare() -> FileIO:
    """A descriptor that is held for when there are no others."""
    return FileIO(os.devnull)


def _ceiling() -> int:
    """Connections have descriptors below this."""
    limit, _ = resource.getrlimit(resource.RLIMIT_NOFILE)
    return sys.maxsize if limit == resource.RLIM_INFINITY else limit - min(DESCRIPTORS_KEPT, limit // 4)


def bind(name: str, host: str, port: int, buffers: Buffers, backlog: int) -> BoundListener:
    """Opens a listening socket; port 0 lets the system choose. ``backlog``: so many connections may wait to be
    accepted; the system may allow fewer (net.core.somaxconn). Raises ``ListenError``."""
    try:
        family, _, _, _, address = socket.getaddrinfo(
            host or None, port, type=socket.SOCK_STREAM, flags=socket.AI_PASSIVE
        )[0]
        if not host and socket.has_dualstack_ipv6():
            listening = socket.create_server(("", port), family=socket.AF_INET6, backlog=backlog, dualstack_ipv6=True)
        else:
            listening = socket.create_server((str(address[0]), port), family=family, backlog=backlog)
    except OSError as error:
        where = f"{name}://{host}:{port}"
        raise ListenError(
            f"cannot listen on {where}: {_words(error)} · is another broker running there? "
            "choose another port with --listen, or 0 for any"
        ) from error
    listening.setblocking(False)
    if buffers.receive_bytes != -1:
        # Connections inherit it, and it sets the largest window that they can offer: too late once one is accepted.
        listening.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, buffers.receive_bytes)
    return BoundListener(name, listening, buffers, host, listening.getsockname()[1])


def _words(error: OSError) -> str:
    """What the system says, without what Python adds of the address."""
    if isinstance(error, socket.gaierror) or error.errno is None:
        return error.strerror or str(error)
    return os.strerror(error.errno)
