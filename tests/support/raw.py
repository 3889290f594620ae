"""A raw client for tests: one blocking socket that sends what it is told and decodes what comes, and nothing else.

    with Connection(bootstrap_servers) as connection:
        answer = connection.ask(MetadataRequest(topics=None), 12)

Prior art: Kafka's ``RequestTest`` clients, franz-go's ``kmsg`` with raw requests. Ours keeps no state but the order of
what was asked, so pipelining and retries are the test's own: ``send`` and ``receive`` apart make pipelines, ``frame``
and ``send_bytes`` any bytes in any order. Every wait has an end.
"""

from __future__ import annotations

import socket
import time
from collections import deque
from collections.abc import Iterable, Sequence
from types import TracebackType
from typing import Any, Final, Self, final

from ottla._core import Batch, build_batch, decode_batches
from tests.support.frames import answer_in, key_of, request_frame

__all__ = ["CLOCK_STEP_MS", "Closed", "Connection", "batch", "batches_of", "values_of"]

TIMEOUT_S: Final = 60.0
"""Beyond this a test fails instead of hanging."""
CLOCK_STEP_MS: Final = 1
"""A broker counts whole milliseconds, as Kafka does: a wait may look this much shorter from outside."""


class Closed(ConnectionError):
    """The other side ended the connection."""


@final
class Connection:
    """A connection to one broker; answers are decoded in the order of the requests. Use as a context manager. One
    thread."""

    def __init__(self, address: tuple[str, int] | str, client_id: str | None = "raw") -> None:
        """``address``: host and port, or ``bootstrap_servers``, of which it takes the first."""
        if isinstance(address, str):
            host, _, port = address.split(",")[0].rpartition(":")
            address = host.strip("[]"), int(port)
        self.client_id = client_id
        self.socket = socket.create_connection(address, TIMEOUT_S)
        self.socket.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        self.waiting: deque[tuple[int, int, int]] = deque()
        self._correlation_id = 0
        self._kept = bytearray()

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    def close(self) -> None:
        self.socket.close()

    def frame(self, request: object, version: int, *, answered: bool = True) -> bytes:
        """The request as it goes over the wire, length and header included; counted as sent."""
        self._correlation_id += 1
        if answered:
            self.waiting.append((key_of(request), version, self._correlation_id))
        return request_frame(request, version, self._correlation_id, self.client_id)

    def send(self, request: object, version: int, *, answered: bool = True) -> int:
        """Sends a request; its correlation id. ``answered`` is false for Produce with acks=0."""
        self.send_bytes(self.frame(request, version, answered=answered))
        return self._correlation_id

    def send_frame(self, content: bytes) -> None:
        """Any bytes with their length before them."""
        self.send_bytes(len(content).to_bytes(4) + content)

    def send_bytes(self, data: bytes) -> None:
        """Any bytes. Raises ``Closed``."""
        try:
            self.socket.sendall(data)
        except (ConnectionError, BrokenPipeError) as error:
            raise Closed(str(error)) from error

    def receive(self, timeout_s: float = TIMEOUT_S) -> Any:
        """The answer to the oldest request that waits for one. Raises ``Closed``, ``TimeoutError``."""
        key, version, correlation_id = self.waiting.popleft()
        frame = self.receive_frame(timeout_s)
        found, answer = answer_in(frame, key, version)
        assert found == correlation_id, "answers must come in the order of requests"
        return answer

    def receive_frame(self, timeout_s: float = TIMEOUT_S) -> bytes:
        """The next frame without its length. Raises ``Closed``, ``TimeoutError``."""
        deadline = time.monotonic() + timeout_s
        length = int.from_bytes(self._take(4, deadline), signed=True)
        assert 0 <= length < 1 << 30, f"a frame of {length} bytes"
        return self._take(length, deadline)

    def ask(self, request: object, version: int) -> Any:
        """Sends a request and waits for its answer."""
        self.send(request, version)
        return self.receive()

    def wait_closed(self, timeout_s: float = TIMEOUT_S) -> bytes:
        """What still came before the other side closed. Raises ``TimeoutError`` when it does not."""
        deadline = time.monotonic() + timeout_s
        try:
            while self._more(deadline):
                pass
        except Closed:
            pass
        return bytes(self._kept)

    def is_closed_by_peer(self) -> bool:
        """Waits for the end of the connection; false when an answer comes instead."""
        try:
            return not self._more(time.monotonic() + TIMEOUT_S)
        except Closed:
            return True

    def has_answer(self, within_s: float) -> bool:
        """Whether something comes within this time."""
        try:
            return bool(self._kept) or self._more(time.monotonic() + within_s)
        except TimeoutError:
            return False

    def _take(self, count: int, deadline: float) -> bytes:
        while len(self._kept) < count:
            if not self._more(deadline):
                raise Closed("the connection was closed")
        taken = bytes(self._kept[:count])
        del self._kept[:count]
        return taken

    def _more(self, deadline: float) -> bool:
        self.socket.settimeout(max(deadline - time.monotonic(), 0.001))
        try:
            part = self.socket.recv(1 << 18)
        except ConnectionError as error:
            raise Closed(str(error)) from error
        finally:
            self.socket.settimeout(TIMEOUT_S)
        self._kept += part
        return bool(part)


def batch(*values: bytes | None, timestamp_ms: int = 1_700_000_000_000, step_ms: int = 0, **options: Any) -> bytes:
    """A batch of records without keys; each ``step_ms`` later than the one before. ``options`` of ``build_batch``."""
    rows: Sequence[tuple[None, bytes | None, int, Sequence[tuple[str, bytes | None]]]] = [
        (None, value, timestamp_ms + index * step_ms, ()) for index, value in enumerate(values)
    ]
    return build_batch(rows, **options)


def batches_of(records: bytes | None) -> list[Batch]:
    """The whole batches in what a Fetch returned; each is checked."""
    walk = decode_batches(records or b"")
    assert walk.stop in ("end", "cut off"), walk.fault
    return walk.batches


def values_of(batches: Iterable[Batch]) -> list[bytes | None]:
    """The values of all records, in order."""
    return [record.value for found in batches for record in found.records]
