"""A raw client for tests: one blocking socket that sends what it is told and decodes what comes, and nothing else.

    with Connection(bootstrap_servers) as connection:
        answer = connection.ask(MetadataRequest(topics=None), 12)

``send`` and ``receive`` apart make pipelines; ``send_frame`` and ``receive_frame`` make and take any bytes.
"""

from __future__ import annotations

import socket
from collections import deque
from collections.abc import Iterable, Sequence
from types import TracebackType
from typing import Any, Final, Self

from ottla._core import Batch, build_batch, decode_batches
from ottla.wire import (
    decode_response,
    decode_response_header,
    encode_request,
    encode_request_header,
)
from ottla.wire.headers import RequestHeader
from ottla.wire.schema import schema_of

__all__ = ["Connection", "batch", "batches_of", "values_of"]

PATIENCE_SECONDS: Final = 30.0
"""Beyond this a test fails instead of hanging."""


class Connection:
    """A connection to one broker. Answers are decoded in the order of the requests."""

    def __init__(self, bootstrap_servers: str, client_id: str | None = "raw") -> None:
        host, _, port = bootstrap_servers.split(",")[0].rpartition(":")
        self._socket = socket.create_connection((host.strip("[]"), int(port)), timeout=PATIENCE_SECONDS)
        self._socket.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        self._client_id = client_id
        self._correlation_id = 0
        self._outstanding: deque[tuple[int, int, int]] = deque()

    def send(self, request: Any, version: int, *, answered: bool = True) -> int:
        """Sends a request; its correlation id. ``answered`` is false for Produce with acks=0."""
        key = schema_of(type(request)).api_key
        assert key is not None
        self._correlation_id += 1
        header = RequestHeader(
            request_api_key=key,
            request_api_version=version,
            correlation_id=self._correlation_id,
            client_id=self._client_id,
        )
        self.send_frame(encode_request_header(header) + encode_request(request, version))
        if answered:
            self._outstanding.append((self._correlation_id, key, version))
        return self._correlation_id

    def receive(self) -> Any:
        """The answer to the oldest request that has none yet."""
        correlation_id, key, version = self._outstanding.popleft()
        frame = self.receive_frame()
        header, body = decode_response_header(key, version, frame)
        assert header.correlation_id == correlation_id, f"answer to {header.correlation_id}, not to {correlation_id}"
        return decode_response(key, version, frame, body)

    def ask(self, request: Any, version: int) -> Any:
        """Sends a request and waits for its answer."""
        self.send(request, version)
        return self.receive()

    def send_frame(self, content: bytes) -> None:
        """Sends bytes with their length before them."""
        self.send_bytes(len(content).to_bytes(4) + content)

    def send_bytes(self, content: bytes) -> None:
        """Sends bytes as they are."""
        self._socket.sendall(content)

    def receive_frame(self) -> bytes:
        """The next frame, without its length. Raises ``EOFError`` when the broker closed the connection."""
        return self._receive_exactly(int.from_bytes(self._receive_exactly(4), signed=True))

    def is_closed_by_peer(self) -> bool:
        """Waits for the end of the connection; false when an answer comes instead."""
        try:
            return self._socket.recv(1) == b""
        except ConnectionResetError:
            return True

    def has_answer(self, within_seconds: float) -> bool:
        """Whether something comes within this time."""
        self._socket.settimeout(within_seconds)
        try:
            return self._socket.recv(1, socket.MSG_PEEK) != b""
        except TimeoutError:
            return False
        finally:
            self._socket.settimeout(PATIENCE_SECONDS)

    def close(self) -> None:
        self._socket.close()

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        self.close()

    def _receive_exactly(self, count: int) -> bytes:
        content = bytearray()
        while len(content) < count:
            part = self._socket.recv(count - len(content))
            if not part:
                raise EOFError(f"the broker closed the connection after {len(content)} of {count} bytes")
            content += part
        return bytes(content)


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
