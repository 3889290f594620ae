"""A broker in a thread that keeps batches in memory: as much of the protocol as commands need, and faults on demand.

Not a second broker: it stores what Produce sends and gives it back to Fetch. Tests push functions into `next_answers`
to have the next request of an API answered otherwise, and look at `asked` for what was asked.
"""

from __future__ import annotations

import socket
import threading
from collections import defaultdict, deque
from collections.abc import Callable
from contextlib import suppress
from types import TracebackType
from typing import Any, Self

from ottla._core import build_batch, decode_batches
from ottla.errors import ErrorCode
from ottla.wire.codec import decode_request, decode_request_header, encode_response, encode_response_header
from ottla.wire.k00_produce import (
    PartitionProduceResponse,
    ProduceRequest,
    ProduceResponse,
    TopicProduceResponse,
)
from ottla.wire.k01_fetch import (
    FetchableTopicResponse,
    FetchRequest,
    FetchResponse,
    PartitionData,
)
from ottla.wire.k02_list_offsets import (
    ListOffsetsPartitionResponse,
    ListOffsetsRequest,
    ListOffsetsResponse,
    ListOffsetsTopicResponse,
)
from ottla.wire.k03_metadata import (
    MetadataRequest,
    MetadataResponse,
    MetadataResponseBroker,
    MetadataResponsePartition,
    MetadataResponseTopic,
)
from ottla.wire.k18_api_versions import ApiVersion, ApiVersionsRequest, ApiVersionsResponse
from ottla.wire.k19_create_topics import CreatableTopicResult, CreateTopicsRequest, CreateTopicsResponse
from ottla.wire.k20_delete_topics import DeletableTopicResult, DeleteTopicsRequest, DeleteTopicsResponse
from ottla.wire.k22_init_producer_id import InitProducerIdRequest, InitProducerIdResponse
from ottla.wire.k32_describe_configs import (
    DescribeConfigsRequest,
    DescribeConfigsResourceResult,
    DescribeConfigsResponse,
    DescribeConfigsResult,
)
from ottla.wire.k37_create_partitions import (
    CreatePartitionsRequest,
    CreatePartitionsResponse,
    CreatePartitionsTopicResult,
)
from ottla.wire.schema import schema_of

Answer = Callable[[Any], Any]
"""Of a request: its response; or bytes, written as they are; or None, which closes the connection."""

VERSIONS = {
    0: (3, 13),
    1: (4, 18),
    2: (1, 11),
    3: (0, 13),
    18: (0, 4),
    19: (2, 7),
    20: (1, 6),
    22: (0, 5),
    32: (1, 4),
    37: (0, 3),
}


class FakeBroker:
    """Listens on a port of its own while it is used as a context manager."""

    def __init__(self, topics: dict[str, int] | None = None) -> None:
        self.topics: dict[str, list[list[bytes]]] = {
            name: [[] for _ in range(count)] for name, count in (topics or {}).items()
        }
        self.next_answers: dict[type, deque[Answer]] = defaultdict(deque)
        self.asked: list[Any] = []
        self.versions = dict(VERSIONS)
        self._answers: dict[type, Answer] = {
            ApiVersionsRequest: self._api_versions,
            MetadataRequest: self._metadata,
            CreateTopicsRequest: self._create,
            DeleteTopicsRequest: self._delete,
            CreatePartitionsRequest: self._add,
            DescribeConfigsRequest: self._configs,
            InitProducerIdRequest: lambda _: InitProducerIdResponse(producer_id=7, producer_epoch=0),
            ProduceRequest: self._produce,
            FetchRequest: self._fetch,
            ListOffsetsRequest: self._list_offsets,
        }
        self._listener = socket.create_server(("127.0.0.1", 0))
        self.port: int = self._listener.getsockname()[1]
        self._threads: list[threading.Thread] = []

    def serve(self, request: type, versions: tuple[int, int], answer: Answer) -> None:
        """Answers one more API."""
        key = schema_of(request).api_key
        assert key is not None
        self.versions[key] = versions
        self._answers[request] = answer

    def answer(self, request: Any) -> Any:
        """What it says by itself."""
        return self._answers[type(request)](request)

    @property
    def address(self) -> str:
        return f"127.0.0.1:{self.port}"

    def __enter__(self) -> Self:
        self._start(self._accept)
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, _: TracebackType | None) -> None:
        # A closed listener wakes nobody; a connection does.
        self._listener.shutdown(socket.SHUT_RDWR)
        self._listener.close()
        for thread in self._threads:
            thread.join(10)
            assert not thread.is_alive()

    def records(self, topic: str, partition: int) -> list[tuple[bytes | None, bytes | None]]:
        """Key and value of all that is stored."""
        return [
            (record.key, record.value)
            for stored in self.topics[topic][partition]
            for batch in decode_batches(stored).batches
            for record in batch.records
        ]

    def store(self, topic: str, partition: int, *values: bytes, timestamp_ms: int = 1000, **options: Any) -> None:
        """Appends a batch."""
        records = [(None, value, timestamp_ms, ()) for value in values]
        batches = self.topics[topic][partition]
        batches.append(build_batch(records, base_offset=self.end(topic, partition), **options))

    def end(self, topic: str, partition: int) -> int:
        batches = self.topics[topic][partition]
        return decode_batches(batches[-1]).batches[-1].last_offset + 1 if batches else 0

    def _start(self, target: Callable[..., None], *args: object) -> None:
        thread = threading.Thread(target=target, args=args)
        self._threads.append(thread)
        thread.start()

    def _accept(self) -> None:
        while True:
            try:
                connection, _ = self._listener.accept()
            except OSError:
                return
            self._start(self._serve, connection)

    def _serve(self, connection: socket.socket) -> None:
        # A client that has enough may reset the connection.
        with suppress(ConnectionError), connection, connection.makefile("rb") as stream:
            while len(size := stream.read(4)) == 4:
                frame = stream.read(int.from_bytes(size))
                answer = self._answered(frame)
                if answer is None:
                    return
                connection.sendall(answer)

    def _answered(self, frame: bytes) -> bytes | None:
        header, start = decode_request_header(frame)
        key, version = header.request_api_key, header.request_api_version
        if version > self.versions.get(key, (0, -1))[1]:
            version = 0
            response: Any = self._api_versions(None, ErrorCode.UNSUPPORTED_VERSION)
        else:
            request = decode_request(key, version, frame, start)
            self.asked.append(request)
            waiting = self.next_answers[type(request)]
            response = (waiting.popleft() if waiting else self._answers[type(request)])(request)
        if response is None or isinstance(response, bytes):
            return response
        body = encode_response_header(key, version, header.correlation_id) + encode_response(response, version).body
        return len(body).to_bytes(4) + body

    def _api_versions(self, _: Any, error: int = ErrorCode.NONE) -> ApiVersionsResponse:
        return ApiVersionsResponse(
            error_code=error,
            api_keys=tuple(
                ApiVersion(api_key=key, min_version=first, max_version=last)
                for key, (first, last) in self.versions.items()
            ),
        )

    def _metadata(self, request: MetadataRequest) -> MetadataResponse:
        names = list(self.topics) if request.topics is None else [topic.name or "" for topic in request.topics]
        return MetadataResponse(
            brokers=(MetadataResponseBroker(node_id=1, host="127.0.0.1", port=self.port),),
            cluster_id="fake",
            controller_id=1,
            topics=tuple(map(self._topic, names)),
        )

    def _topic(self, name: str) -> MetadataResponseTopic:
        if name not in self.topics:
            return MetadataResponseTopic(error_code=ErrorCode.UNKNOWN_TOPIC_OR_PARTITION, name=name)
        return MetadataResponseTopic(
            name=name,
            topic_id=topic_id(name),
            partitions=tuple(
                MetadataResponsePartition(partition_index=index, leader_id=1, replica_nodes=(1,), isr_nodes=(1,))
                for index in range(len(self.topics[name]))
            ),
        )

    def _create(self, request: CreateTopicsRequest) -> CreateTopicsResponse:
        results = []
        for topic in request.topics:
            count = 1 if topic.num_partitions == -1 else topic.num_partitions
            code, message = ErrorCode.NONE, None
            if topic.name in self.topics:
                code, message = ErrorCode.TOPIC_ALREADY_EXISTS, f"Topic '{topic.name}' already exists."
            else:
                self.topics[topic.name] = [[] for _ in range(count)]
            results.append(
                CreatableTopicResult(
                    name=topic.name,
                    topic_id=topic_id(topic.name),
                    error_code=code,
                    error_message=message,
                    num_partitions=count,
                    replication_factor=1,
                )
            )
        return CreateTopicsResponse(topics=tuple(results))

    def _delete(self, request: DeleteTopicsRequest) -> DeleteTopicsResponse:
        results = []
        for topic in request.topics:
            known = self.topics.pop(topic.name or "", None) is not None
            code = ErrorCode.NONE if known else ErrorCode.UNKNOWN_TOPIC_OR_PARTITION
            results.append(DeletableTopicResult(name=topic.name, error_code=code))
        return DeleteTopicsResponse(responses=tuple(results))

    def _add(self, request: CreatePartitionsRequest) -> CreatePartitionsResponse:
        results = []
        for topic in request.topics:
            partitions = self.topics[topic.name]
            more = topic.count - len(partitions)
            partitions += [[] for _ in range(more)]
            code = ErrorCode.NONE if more > 0 else ErrorCode.INVALID_PARTITIONS
            results.append(CreatePartitionsTopicResult(name=topic.name, error_code=code))
        return CreatePartitionsResponse(results=tuple(results))

    def _configs(self, request: DescribeConfigsRequest) -> DescribeConfigsResponse:
        configs = (
            DescribeConfigsResourceResult(name="retention.ms", value="5", config_source=1),
            DescribeConfigsResourceResult(name="segment.ms", value="7", config_source=5),
        )
        return DescribeConfigsResponse(
            results=tuple(
                DescribeConfigsResult(resource_type=2, resource_name=resource.resource_name, configs=configs)
                for resource in request.resources
            )
        )

    def _produce(self, request: ProduceRequest) -> ProduceResponse | bytes:
        responses = []
        for topic in request.topic_data:
            name = self._named(topic.topic_id, topic.name)
            partitions = []
            for data in topic.partition_data:
                base = self.end(name, data.index)
                (sent,) = decode_batches(data.records or b"").batches
                stored = base.to_bytes(8) + (data.records or b"")[8:]
                self.topics[name][data.index].append(stored)
                assert sent.fault is None
                partitions.append(PartitionProduceResponse(index=data.index, base_offset=base))
            responses.append(
                TopicProduceResponse(name=name, topic_id=topic.topic_id, partition_responses=tuple(partitions))
            )
        return b"" if request.acks == 0 else ProduceResponse(responses=tuple(responses))

    def _fetch(self, request: FetchRequest) -> FetchResponse:
        responses = []
        for topic in request.topics:
            name = self._named(topic.topic_id, topic.topic)
            partitions = []
            for asked in topic.partitions:
                end = self.end(name, asked.partition)
                code = ErrorCode.NONE if 0 <= asked.fetch_offset <= end else ErrorCode.OFFSET_OUT_OF_RANGE
                # At most one batch at a time, so that readers have to go on.
                records = next(
                    (
                        stored
                        for stored in self.topics[name][asked.partition]
                        if decode_batches(stored).batches[0].last_offset >= asked.fetch_offset
                    ),
                    b"",
                )
                partitions.append(
                    PartitionData(
                        partition_index=asked.partition,
                        error_code=code,
                        high_watermark=end,
                        last_stable_offset=end,
                        records=records if code == ErrorCode.NONE else None,
                    )
                )
            responses.append(FetchableTopicResponse(topic=name, topic_id=topic.topic_id, partitions=tuple(partitions)))
        return FetchResponse(responses=tuple(responses))

    def _list_offsets(self, request: ListOffsetsRequest) -> ListOffsetsResponse:
        topics = []
        for topic in request.topics:
            partitions = [
                ListOffsetsPartitionResponse(
                    partition_index=asked.partition_index,
                    offset=self._offset_at(topic.name, asked.partition_index, asked.timestamp),
                )
                for asked in topic.partitions
            ]
            topics.append(ListOffsetsTopicResponse(name=topic.name, partitions=tuple(partitions)))
        return ListOffsetsResponse(topics=tuple(topics))

    def _offset_at(self, name: str, partition: int, timestamp: int) -> int:
        if timestamp == -2:
            return 0
        if timestamp == -1:
            return self.end(name, partition)
        records = [
            r for stored in self.topics[name][partition] for b in decode_batches(stored).batches for r in b.records
        ]
        return next((record.offset for record in records if record.timestamp_ms >= timestamp), -1)

    def _named(self, topic_id_: bytes, name: str) -> str:
        return name or next(known for known in self.topics if topic_id(known) == topic_id_)


def topic_id(name: str) -> bytes:
    return name.encode().rjust(16, b"\x01")[:16]
