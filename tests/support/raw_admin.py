"""A connection that says exactly what a test wants said: any message in any version, any bytes, any order.

Prior art: Kafka's ``RequestTest`` clients, franz-go's ``kmsg`` with raw requests. Ours keeps no state but the order of
what was asked, so pipelining and retries are the test's own. Blocking; every wait has an end.
"""

from __future__ import annotations

import socket
import time
from collections import deque
from types import TracebackType
from typing import Any, Final, Self, final

from ottla.errors import ErrorCode
from ottla.wire.codec import decode_response, decode_response_header, encode_request, encode_request_header
from ottla.wire.headers import RequestHeader
from ottla.wire.k03_metadata import MetadataRequest, MetadataRequestTopic, MetadataResponseTopic
from ottla.wire.k18_api_versions import ApiVersionsRequest
from ottla.wire.k19_create_topics import CreatableTopic, CreatableTopicConfig, CreateTopicsRequest
from ottla.wire.k22_init_producer_id import InitProducerIdRequest
from ottla.wire.schema import schema_of

TIMEOUT_S: Final = 15.0


class Closed(ConnectionError):
    """The other side ended the connection."""


@final
class RawConnection:
    """One connection. Use as a context manager. One thread."""

    def __init__(self, address: tuple[str, int], client_id: str = "raw", timeout_s: float = TIMEOUT_S) -> None:
        self.client_id = client_id
        self.socket = socket.create_connection(address, timeout_s)
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
        key = schema_of(request).api_key
        assert key is not None
        self._correlation_id += 1
        header = RequestHeader(
            request_api_key=key,
            request_api_version=version,
            correlation_id=self._correlation_id,
            client_id=self.client_id,
        )
        body = encode_request_header(header) + encode_request(request, version)
        if answered:
            self.waiting.append((key, version, self._correlation_id))
        return len(body).to_bytes(4) + body

    def send(self, request: object, version: int, *, answered: bool = True) -> None:
        self.send_bytes(self.frame(request, version, answered=answered))

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
        header, start = decode_response_header(key, version, frame)
        assert header.correlation_id == correlation_id, "answers must come in the order of requests"
        return decode_response(key, version, frame, start)

    def receive_frame(self, timeout_s: float = TIMEOUT_S) -> bytes:
        """The next frame without its length. Raises ``Closed``, ``TimeoutError``."""
        deadline = time.monotonic() + timeout_s
        length = int.from_bytes(self._take(4, deadline), signed=True)
        assert 0 <= length < 1 << 30, f"a frame of {length} bytes"
        return self._take(length, deadline)

    def request(self, request: object, version: int) -> Any:
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


def create_topic(
    connection: RawConnection, name: str, partitions: int = 1, configs: dict[str, str | int] | None = None
) -> int:
    """Creates a topic; returns the error code."""
    pairs = tuple(CreatableTopicConfig(name=key, value=str(value)) for key, value in (configs or {}).items())
    topic = CreatableTopic(name=name, num_partitions=partitions, replication_factor=1, configs=pairs)
    response = connection.request(CreateTopicsRequest(topics=(topic,), timeout_ms=30_000), 7)
    code: int = response.topics[0].error_code
    return code


def topic_of(connection: RawConnection, name: str) -> MetadataResponseTopic:
    """What Metadata says of a topic."""
    request = MetadataRequest(topics=(MetadataRequestTopic(name=name),), allow_auto_topic_creation=False)
    topic: MetadataResponseTopic = connection.request(request, 12).topics[0]
    return topic


def new_producer_id(connection: RawConnection) -> int:
    """An idempotent producer's id, of epoch 0. Asks again while the broker fetches ids for itself."""
    deadline = time.monotonic() + TIMEOUT_S
    while True:
        response = connection.request(InitProducerIdRequest(transactional_id=None, transaction_timeout_ms=60_000), 4)
        if response.error_code != ErrorCode.COORDINATOR_LOAD_IN_PROGRESS or time.monotonic() > deadline:
            break
    assert response.error_code == 0, response
    producer_id: int = response.producer_id
    return producer_id


def is_alive(address: tuple[str, int]) -> bool:
    """Whether a new connection is answered."""
    with RawConnection(address) as connection:
        request = ApiVersionsRequest(client_software_name="raw", client_software_version="1")
        code: int = connection.request(request, 3).error_code
        return code == 0
