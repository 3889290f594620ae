"""Accepting goes on, whatever happens to a single connection."""

from __future__ import annotations

import errno
import os
import socket
import struct
import sys
from collections.abc import Iterator

import pytest
import trio

from ottla.server.admission import Admission, ConnectionLimits
from ottla.server.listener import BoundListener, Buffers, Seldom, bind

BACKLOG = 8


class _None:
    """No connection is open."""

    def connection_census(self, listener: str, host: str) -> tuple[int, int, int]:
        return 0, 0, 0

    def watch_connections(self) -> None: ...

    def evict_connection(self, protected: str) -> bool:
        return False


def unlimited() -> Admission:
    return Admission(ConnectionLimits(9, {"PLAINTEXT": 9}, 9, {}, None), _None())


class _Failing(socket.socket):
    """A listening socket whose next accepts fail with these numbers."""

    failures: Iterator[int]

    def accept(self) -> tuple[socket.socket, object]:
        for number in self.failures:
            raise OSError(number, os.strerror(number))
        return super().accept()


@pytest.mark.parametrize(
    "number", [errno.ENETDOWN, errno.EPROTO, errno.EHOSTUNREACH, errno.EPERM, errno.ECONNABORTED, errno.EMFILE]
)
def test_an_error_of_one_connection_does_not_end_the_listener(number: int) -> None:
    bound = bind("PLAINTEXT", "127.0.0.1", 0, Buffers(), BACKLOG)
    listening = _Failing(fileno=bound.socket.detach())
    listening.setblocking(False)
    listening.failures = iter([number])
    adopted: list[socket.socket] = []
    refused: list[str] = []

    async def main() -> None:
        async with trio.open_nursery() as nursery:

            def adopt(connection: socket.socket, listener: str) -> None:
                assert listener == "PLAINTEXT"
                adopted.append(connection)
                nursery.cancel_scope.cancel()

            failing = BoundListener("PLAINTEXT", listening, Buffers(), "127.0.0.1", bound.port)
            nursery.start_soon(failing.accept, unlimited(), adopt, refused.append)

    with listening, socket.create_connection(("127.0.0.1", bound.port)):
        trio.run(main)
    assert len(adopted) == 1
    adopted[0].close()
    assert len(refused) == (number != errno.ECONNABORTED)


def test_a_socket_that_does_not_listen_is_an_error() -> None:
    bound = bind("PLAINTEXT", "127.0.0.1", 0, Buffers(), BACKLOG)
    listening = _Failing(fileno=bound.socket.detach())
    listening.setblocking(False)
    listening.failures = iter([errno.EINVAL])
    failing = BoundListener("PLAINTEXT", listening, Buffers(), "", bound.port)
    with (
        listening,
        socket.create_connection(("127.0.0.1", bound.port)),
        pytest.raises(OSError, match="Invalid argument"),
    ):
        trio.run(failing.accept, unlimited(), lambda *_: None, lambda _: None)


@pytest.mark.parametrize(("sent", "received"), [(-1, -1), (50_000, -1), (-1, 60_000), (102_400, 102_400)])
def test_connections_get_the_buffers_that_were_asked_for(sent: int, received: int) -> None:
    adopted: list[socket.socket] = []
    bound = bind("PLAINTEXT", "127.0.0.1", 0, Buffers(sent, received), BACKLOG)

    async def main() -> None:
        async with trio.open_nursery() as nursery:

            def adopt(connection: socket.socket, _listener: str) -> None:
                adopted.append(connection)
                nursery.cancel_scope.cancel()

            nursery.start_soon(bound.accept, unlimited(), adopt, lambda _: None)

    with bound.socket, socket.create_connection(("127.0.0.1", bound.port)):
        trio.run(main)
        with adopted[0]:
            for option, wanted in ((socket.SO_SNDBUF, sent), (socket.SO_RCVBUF, received)):
                size = adopted[0].getsockopt(socket.SOL_SOCKET, option)
                # The system doubles what it is asked for, to have room for its own bookkeeping.
                assert (size == 2 * wanted) == (wanted != -1)


@pytest.mark.skipif(sys.platform != "linux", reason="others do not tell the length of the queue")
@pytest.mark.parametrize("host", ["127.0.0.1", ""])
@pytest.mark.parametrize("backlog", [1, 50])
def test_so_many_connections_may_wait_as_the_backlog_says(host: str, backlog: int) -> None:
    bound = bind("PLAINTEXT", host, 0, Buffers(), backlog)
    with bound.socket:
        # Of a listening socket: tcpi_unacked is how many wait, tcpi_sacked how many may.
        _, longest = struct.unpack_from("II", bound.socket.getsockopt(socket.IPPROTO_TCP, socket.TCP_INFO, 104), 24)
    assert longest == backlog


def test_what_goes_on_and_on_is_said_seldom() -> None:
    said: list[str] = []
    now = [0.0]
    seldom = Seldom(said.append, lambda: now[0])
    for second in range(150):
        now[0] = second
        seldom("room", "full")
    seldom("host", "turned away")
    more = "full (and 59 times since it was last said)"
    assert said == ["full", more, more, "turned away"]
