"""A small blocking client of a Kafka cluster: what the commands need, and no more.

Prior art: kcat's librdkafka, Kafka's `NetworkClient`. Ours has one connection per broker, asks one thing at a time
(`request`) or one of each broker at once (`send`, `receive`), and says which broker did what when something fails.
A tool's client, not a library: no threads, no background refresh, no groups.

Invariants: answers of a connection come in the order of its requests; a connection that failed is closed and
forgotten; every wait has an end.
"""

from __future__ import annotations

import socket
import time
from collections.abc import Callable, Iterable, Sequence
from types import TracebackType
from typing import TYPE_CHECKING, Any, Final, NamedTuple, TypeVar, final

from ottla.cli.errors import CommandError, UnreachableError, UsageError
from ottla.errors import ErrorCode
from ottla.wire.codec import (
    WireError,
    decode_response,
    decode_response_header,
    encode_request,
    encode_request_header,
)
from ottla.wire.headers import RequestHeader
from ottla.wire.k03_metadata import (
    MetadataRequest,
    MetadataRequestTopic,
    MetadataResponse,
    MetadataResponsePartition,
    MetadataResponseTopic,
)
from ottla.wire.k18_api_versions import ApiVersionsRequest, ApiVersionsResponse
from ottla.wire.registry import ApiKey
from ottla.wire.schema import schema_of

if TYPE_CHECKING:
    from argparse import ArgumentParser, Namespace
    from typing import Self

ANSWER_BYTES_MAX: Final = 1 << 30
"""Far above what any broker answers to our requests; a length above it is no Kafka broker."""
_RETRY_PAUSE_S: Final = 0.1

RETRIABLE: Final = frozenset(
    {
        ErrorCode.LEADER_NOT_AVAILABLE,
        ErrorCode.NOT_LEADER_OR_FOLLOWER,
        ErrorCode.UNKNOWN_TOPIC_OR_PARTITION,
        ErrorCode.UNKNOWN_TOPIC_ID,
        ErrorCode.INCONSISTENT_TOPIC_ID,
        ErrorCode.REQUEST_TIMED_OUT,
        ErrorCode.NOT_ENOUGH_REPLICAS,
        ErrorCode.NOT_ENOUGH_REPLICAS_AFTER_APPEND,
        ErrorCode.NETWORK_EXCEPTION,
        ErrorCode.REPLICA_NOT_AVAILABLE,
        ErrorCode.KAFKA_STORAGE_ERROR,
        ErrorCode.FENCED_LEADER_EPOCH,
        ErrorCode.UNKNOWN_LEADER_EPOCH,
        ErrorCode.OFFSET_NOT_AVAILABLE,
        ErrorCode.NOT_CONTROLLER,
        ErrorCode.COORDINATOR_LOAD_IN_PROGRESS,
        ErrorCode.COORDINATOR_NOT_AVAILABLE,
    }
)
"""What passes by itself, maybe after asking anew who leads."""

_T = TypeVar("_T")


@final
class Address(NamedTuple):
    host: str
    port: int

    def __str__(self) -> str:
        return f"[{self.host}]:{self.port}" if ":" in self.host else f"{self.host}:{self.port}"


def parse_addresses(text: str) -> tuple[Address, ...]:
    """`host:port,…`; the port is 9092 where there is none. Raises `UsageError`."""
    addresses: list[Address] = []
    for entry in filter(None, (part.strip() for part in text.split(","))):
        if entry.startswith("["):
            host, _, rest = entry[1:].partition("]")
            port = rest.removeprefix(":") or "9092"
        elif entry.count(":") > 1:
            host, port = entry, "9092"
        else:
            host, _, port = entry.partition(":")
            port = port or "9092"
        if not host or not port.isdecimal() or not 0 < int(port) < 65536:
            raise UsageError(f"{entry!r} is no address of a broker", "addresses look like localhost:9092,[::1]:9093")
        addresses.append(Address(host, int(port)))
    if not addresses:
        raise UsageError("no broker is named", "--bootstrap-server localhost:9092")
    return tuple(addresses)


def add_client_arguments(parser: ArgumentParser) -> None:
    group = parser.add_argument_group("cluster")
    group.add_argument(
        "-b",
        "--bootstrap-server",
        default="127.0.0.1:9092",
        metavar="HOST:PORT,...",
        help="brokers to ask first (127.0.0.1:9092)",
    )
    group.add_argument("--client-id", default="ottla-cli", metavar="ID", help="name to be known by (ottla-cli)")
    group.add_argument("--timeout", type=float, default=30.0, metavar="SECONDS", help="longest wait for an answer (30)")


def client_of(args: Namespace) -> Client:
    """The client that `add_client_arguments` describes; nothing is connected yet. Raises `UsageError`."""
    if not args.timeout > 0:
        raise UsageError("--timeout must be more than 0")
    return Client(parse_addresses(args.bootstrap_server), args.client_id, args.timeout)


@final
class Connection:
    """One connection to one broker, with the versions it speaks. Blocking."""

    def __init__(self, address: Address, client_id: str, timeout_s: float) -> None:
        """Connects and asks for versions. Raises `UnreachableError`, `CommandError`."""
        self.address = address
        self._client_id = client_id
        self._timeout_s = timeout_s
        self._correlation_id = 0
        self._waiting: list[tuple[int, int, int]] = []
        try:
            self._socket = socket.create_connection(address, timeout_s)
        except OSError as error:
            raise UnreachableError(
                f"cannot connect to {address}: {error.strerror or error}",
                "is a broker listening there? (--bootstrap-server)",
            ) from None
        self._socket.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        try:
            self._versions = self._ask_versions()
        except BaseException:
            self.close()
            raise

    def close(self) -> None:
        self._socket.close()

    def version(self, request: type[Any]) -> int:
        """The newest version of a request that both sides speak. Raises `CommandError` when there is none."""
        schema = schema_of(request)
        key = schema.api_key
        assert key is not None
        first, last = self._versions.get(key, (0, -1))
        ours = schema.valid
        chosen = min(last, ours[-1] - (1 if schema.latest_version_unstable else 0))
        if chosen < max(first, ours[0]):
            theirs = f"versions {first} to {last}" if last >= first else "no version"
            raise CommandError(
                f"{self.address} speaks {theirs} of {ApiKey(key).name}, this command {ours[0]} to {ours[-1]}"
            )
        return chosen

    def send(self, request: object, *, answered: bool = True) -> None:
        """Sends; `receive` gives the answer, unless it is one that is not answered. Raises as `request`."""
        key = schema_of(request).api_key
        assert key is not None
        self._send(key, self.version(type(request)), request, answered)

    def receive(self, timeout_s: float | None = None) -> Any:
        """The answer to the oldest request that waits for one; `timeout_s` is the wait beyond the usual."""
        key, version, correlation_id = self._waiting.pop(0)
        frame = self._read_frame(self._timeout_s + (timeout_s or 0.0))
        try:
            header, start = decode_response_header(key, version, frame)
            if header.correlation_id != correlation_id:
                raise WireError(f"correlation id {header.correlation_id} instead of {correlation_id}")
            return decode_response(key, version, frame, start)
        except WireError as error:
            self.close()
            raise CommandError(
                f"{self.address} answered {ApiKey(key).name} with bytes that are no answer: {error}"
            ) from None

    def _send(self, key: int, version: int, request: object, answered: bool) -> None:
        self._correlation_id = (self._correlation_id + 1) & 0x7FFFFFFF
        header = RequestHeader(
            request_api_key=key,
            request_api_version=version,
            correlation_id=self._correlation_id,
            client_id=self._client_id,
        )
        frame = encode_request_header(header) + encode_request(request, version)
        try:
            self._socket.settimeout(self._timeout_s)
            self._socket.sendall(len(frame).to_bytes(4) + frame)
        except OSError as error:
            raise self._lost(error) from None
        if answered:
            self._waiting.append((key, version, self._correlation_id))

    def _ask_versions(self) -> dict[int, tuple[int, int]]:
        from ottla import __version__

        request = ApiVersionsRequest(client_software_name="ottla", client_software_version=__version__)
        response = self._versions_as(request, 3)
        if response.error_code == ErrorCode.UNSUPPORTED_VERSION:
            response = self._versions_as(ApiVersionsRequest(), 0)
        if response.error_code != ErrorCode.NONE:
            raise CommandError(f"{self.address} refused to say its versions: {error_name(response.error_code)}")
        return {api.api_key: (api.min_version, api.max_version) for api in response.api_keys}

    def _versions_as(self, request: ApiVersionsRequest, version: int) -> ApiVersionsResponse:
        key = int(ApiKey.API_VERSIONS)
        self._send(key, version, request, answered=True)
        _, _, correlation_id = self._waiting.pop()
        frame = self._read_frame(self._timeout_s)
        # An answer in version 0 to another version is how a broker refuses that version.
        for attempt in dict.fromkeys((version, 0)):
            try:
                header, start = decode_response_header(key, attempt, frame)
                response: ApiVersionsResponse = decode_response(key, attempt, frame, start)
            except WireError:
                continue
            if header.correlation_id == correlation_id:
                return response
        raise CommandError(f"what listens at {self.address} is no Kafka broker, or wants TLS")

    def _read_frame(self, timeout_s: float) -> bytes:
        deadline = time.monotonic() + timeout_s
        length = int.from_bytes(self._read(4, deadline, timeout_s), signed=True)
        if not 4 <= length <= ANSWER_BYTES_MAX:
            self.close()
            raise CommandError(f"what listens at {self.address} is no Kafka broker, or wants TLS")
        return self._read(length, deadline, timeout_s)

    def _read(self, count: int, deadline: float, timeout_s: float) -> bytes:
        # Grows as bytes come, not as the other side announces them.
        read = bytearray()
        while len(read) < count:
            try:
                self._socket.settimeout(max(deadline - time.monotonic(), 1e-3))
                part = self._socket.recv(min(count - len(read), 1 << 20))
            except TimeoutError:
                self.close()
                raise UnreachableError(
                    f"{self.address} did not answer within {timeout_s:g} s", "a longer wait: --timeout SECONDS"
                ) from None
            except OSError as error:
                raise self._lost(error) from None
            if not part:
                raise self._lost(None)
            read += part
        return bytes(read)

    def _lost(self, error: OSError | None) -> UnreachableError:
        self.close()
        why = f": {error.strerror or error}" if error is not None else ""
        return UnreachableError(f"{self.address} closed the connection{why}", "its log may say why")


@final
class Cluster(NamedTuple):
    """What Metadata said."""

    id: str | None
    controller_id: int
    brokers: dict[int, Address]
    racks: dict[int, str | None]
    topics: dict[str, MetadataResponseTopic]


@final
class Client:
    """A cluster, reached by its bootstrap addresses. Use as a context manager. One thread."""

    def __init__(self, bootstrap: Sequence[Address], client_id: str, timeout_s: float) -> None:
        self.timeout_s = timeout_s
        self._bootstrap = tuple(bootstrap)
        self._client_id = client_id
        self._any: Connection | None = None
        self._brokers: dict[int, Address] = {}
        self._connections: dict[int, Connection] = {}

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    def close(self) -> None:
        for connection in [*self._connections.values(), *([self._any] if self._any else [])]:
            connection.close()
        self._any = None
        self._connections.clear()

    def any(self) -> Connection:
        """A connection to some broker. Raises `UnreachableError` when none of the bootstrap addresses has one."""
        if self._any is None:
            failures: list[CommandError] = []
            for address in self._bootstrap:
                try:
                    self._any = Connection(address, self._client_id, self.timeout_s)
                    break
                except CommandError as error:
                    failures.append(error)
            else:
                raise failures[-1] if len(failures) == 1 else _none_of(failures)
        return self._any

    def broker(self, node_id: int) -> Connection:
        """A connection to this broker, which Metadata has named. Raises `UnreachableError`."""
        connection = self._connections.get(node_id)
        if connection is None:
            address = self._brokers.get(node_id)
            if address is None:
                raise UnreachableError(f"broker {node_id} is not alive")
            connection = self._connections[node_id] = Connection(address, self._client_id, self.timeout_s)
        return connection

    def forget(self, node_id: int | None) -> None:
        """Closes the connection to a broker (None: to the bootstrap one), after it failed."""
        connection = self._any if node_id is None else self._connections.pop(node_id, None)
        if node_id is None:
            self._any = None
        if connection is not None:
            connection.close()

    def request(self, request: object, node_id: int | None = None, timeout_s: float = 0.0) -> Any:
        """The answer of a broker, or of any. `timeout_s`: how long the broker itself may take, beyond the usual wait.

        Raises `UnreachableError`, `CommandError`.
        """
        try:
            connection = self.any() if node_id is None else self.broker(node_id)
            connection.send(request)
            return connection.receive(timeout_s)
        except CommandError:
            self.forget(node_id)
            raise

    def cluster(self, topics: Iterable[str] | None = None, *, create: bool = False) -> Cluster:
        """Brokers, and these topics or all; those that are missing come with their error."""
        asked = None if topics is None else tuple(MetadataRequestTopic(name=name) for name in topics)
        response: MetadataResponse = self.request(MetadataRequest(topics=asked, allow_auto_topic_creation=create))
        if response.error_code != ErrorCode.NONE:
            raise CommandError(f"{self.any().address} refused Metadata: {error_name(response.error_code)}")
        brokers = {broker.node_id: Address(broker.host, broker.port) for broker in response.brokers}
        for node_id in [node_id for node_id, address in self._brokers.items() if brokers.get(node_id) != address]:
            self.forget(node_id)
        self._brokers = brokers
        return Cluster(
            response.cluster_id,
            response.controller_id,
            brokers,
            {broker.node_id: broker.rack for broker in response.brokers},
            {topic.name: topic for topic in response.topics if topic.name is not None},
        )

    def topic(self, name: str, *, create: bool = False) -> MetadataResponseTopic:
        """A topic whose partitions all have leaders; waits for them. Raises `CommandError` when there is none."""

        def ask() -> MetadataResponseTopic:
            topic = self.cluster([name], create=create).topics.get(name)
            if topic is None:
                raise CommandError(f"the cluster does not say anything about topic {name}")
            code = topic.error_code
            if code == ErrorCode.UNKNOWN_TOPIC_OR_PARTITION and not create:
                raise CommandError(f"there is no topic {name}", f"create it: ottla topics create {name}")
            if code not in (ErrorCode.NONE, ErrorCode.UNKNOWN_TOPIC_OR_PARTITION, ErrorCode.LEADER_NOT_AVAILABLE):
                raise refusal(f"topic {name}", code)
            for partition in topic.partitions:
                if partition.leader_id < 0:
                    raise Retry(refusal(f"{name}-{partition.partition_index}", ErrorCode.LEADER_NOT_AVAILABLE))
            if code != ErrorCode.NONE or not topic.partitions:
                raise Retry(refusal(f"topic {name}", code))
            return topic

        return self.retrying(ask)

    def retrying(self, attempt: Callable[[], _T]) -> _T:
        """What `attempt` gives, again while it raises `Retry`, until the timeout; then its error."""
        deadline = time.monotonic() + self.timeout_s
        while True:
            try:
                return attempt()
            except Retry as retry:
                if time.monotonic() + _RETRY_PAUSE_S > deadline:
                    raise retry.error from None
            time.sleep(_RETRY_PAUSE_S)


@final
class Retry(Exception):
    """An attempt failed in a way that passes; `error` is what to say when it does not."""

    def __init__(self, error: CommandError) -> None:
        super().__init__(str(error))
        self.error = error


def error_name(code: int) -> str:
    """The name of an error code."""
    try:
        return ErrorCode(code).name
    except ValueError:
        return f"error {code}"


_REMEDIES: Final = {
    ErrorCode.TOPIC_AUTHORIZATION_FAILED: "the principal needs a right on the topic",
    ErrorCode.CLUSTER_AUTHORIZATION_FAILED: "the principal needs a right on the cluster",
    ErrorCode.LEADER_NOT_AVAILABLE: "the broker that leads it may be down: ottla topics describe",
    ErrorCode.NOT_ENOUGH_REPLICAS: "bring brokers back, or lower min.insync.replicas of the topic",
    ErrorCode.MESSAGE_TOO_LARGE: "raise max.message.bytes of the topic, or send smaller records",
    ErrorCode.TOPIC_ALREADY_EXISTS: "--if-not-exists takes that for success",
    ErrorCode.INVALID_REPLICATION_FACTOR: "there must be at least as many brokers as replicas",
    ErrorCode.UNKNOWN_TOPIC_OR_PARTITION: "ottla topics list shows what there is",
    ErrorCode.GROUP_AUTHORIZATION_FAILED: "the principal needs a right on the group",
    ErrorCode.GROUP_ID_NOT_FOUND: "ottla groups list shows what there is",
    ErrorCode.GROUP_SUBSCRIBED_TO_TOPIC: "members read that topic: stop them first",
}


def refusal(subject: str, code: int, message: str | None = None) -> CommandError:
    """The error for a broker's refusal: of what, which code, its words, what helps."""
    words = f"{subject}: {error_name(code)}" + (f": {message}" if message else "")
    return CommandError(words, _REMEDIES.get(ErrorCode(code)) if code in ErrorCode.__members__.values() else None)


def partitions_of(topic: MetadataResponseTopic) -> list[MetadataResponsePartition]:
    return sorted(topic.partitions, key=lambda partition: partition.partition_index)


def _none_of(failures: Sequence[CommandError]) -> UnreachableError:
    return UnreachableError(
        "none of the brokers can be reached:\n  " + "\n  ".join(str(f).split("\n")[0] for f in failures)
    )
