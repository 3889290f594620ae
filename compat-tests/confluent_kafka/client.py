"""confluent-kafka (librdkafka), as its documentation uses it. A group.id is asked for, and no group is joined."""

import contextlib
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import Any, final

from confluent_kafka.admin import AdminClient, ConfigResource, NewPartitions, NewTopic

from compat_support.client import (
    WAIT_S,
    AtOffset,
    AtTimestamp,
    Client,
    Cluster,
    ProduceOptions,
    Received,
    Record,
    Refused,
    Start,
)
from confluent_kafka import (
    OFFSET_BEGINNING,
    OFFSET_END,
    TIMESTAMP_NOT_AVAILABLE,
    Consumer,
    KafkaError,
    KafkaException,
    Producer,
    TopicPartition,
)

NO_OFFSET = -1


def refused(error: KafkaError) -> Refused:
    # With auto.offset.reset=error librdkafka gives the broker's OFFSET_OUT_OF_RANGE a code of its own.
    code = KafkaError.OFFSET_OUT_OF_RANGE if error.code() == KafkaError._AUTO_OFFSET_RESET else error.code()
    return Refused(code, error.str())


@contextlib.contextmanager
def refusals() -> Iterator[None]:
    try:
        yield
    except KafkaException as exception:
        raise refused(exception.args[0]) from exception


@final
class ConfluentKafka:
    def __init__(self, bootstrap: str) -> None:
        self._bootstrap = bootstrap
        self._admin = AdminClient({"bootstrap.servers": bootstrap})  # its futures end with it

    def create_topic(self, topic: str, *, partitions: int = 1, configs: Mapping[str, str] | None = None) -> None:
        new = NewTopic(topic, num_partitions=partitions, replication_factor=1, config=dict(configs or {}))
        self._wait(self._admin.create_topics([new]))

    def delete_topic(self, topic: str) -> None:
        self._wait(self._admin.delete_topics([topic]))

    def add_partitions(self, topic: str, total: int) -> None:
        self._wait(self._admin.create_partitions([NewPartitions(topic, total)]))

    def topics(self) -> set[str]:
        return set(self._admin.list_topics(timeout=WAIT_S).topics)

    def partitions(self, topic: str) -> int:
        return len(self._admin.list_topics(topic, timeout=WAIT_S).topics[topic].partitions)

    def topic_config(self, topic: str) -> Mapping[str, str | None]:
        found = self._wait(self._admin.describe_configs([ConfigResource(ConfigResource.Type.TOPIC, topic)]))
        return {name: entry.value for name, entry in found.items()}

    def cluster(self) -> Cluster:
        found = self._admin.describe_cluster().result(WAIT_S)
        return Cluster(found.cluster_id, frozenset(f"{node.host}:{node.port}" for node in found.nodes))

    def produce(
        self, topic: str, records: Sequence[Record], options: ProduceOptions, *, partition: int | None = 0
    ) -> list[int]:
        settings: dict[str, Any] = {"bootstrap.servers": self._bootstrap}
        if options.codec is not None:
            settings["compression.codec"] = options.codec
        if options.acks is not None:
            settings["acks"] = options.acks
        if options.idempotent is not None:
            settings["enable.idempotence"] = options.idempotent
        offsets = [NO_OFFSET] * len(records)
        errors: list[KafkaError] = []

        def delivered(index: int) -> Callable[[KafkaError | None, Any], None]:
            def note(error: KafkaError | None, message: Any) -> None:
                if error is not None:
                    errors.append(error)
                else:
                    offsets[index] = message.offset()

            return note

        where = {} if partition is None else {"partition": partition}
        with Producer(settings) as producer:
            for index, r in enumerate(records):
                when = {} if r.timestamp_ms is None else {"timestamp": r.timestamp_ms}
                note = delivered(index)
                producer.produce(topic, r.value, r.key, headers=list(r.headers), on_delivery=note, **where, **when)
            assert producer.flush(WAIT_S) == 0
        if errors:
            raise refused(errors[0])
        return offsets

    def consume(self, topic: str, start: Start, count: int, *, partitions: Sequence[int] = (0,)) -> list[Received]:
        with self._consumer() as consumer:
            match start:
                case AtOffset(offset):
                    places = [TopicPartition(topic, p, offset) for p in partitions]
                case AtTimestamp(timestamp_ms):
                    asked = [TopicPartition(topic, p, timestamp_ms) for p in partitions]
                    places = consumer.offsets_for_times(asked, timeout=WAIT_S)
                case _:
                    places = [TopicPartition(topic, p, OFFSET_BEGINNING) for p in partitions]
            consumer.assign(places)
            return self._read(consumer, count)

    def consume_from_end(self, topic: str, then: Callable[[], object], count: int) -> list[Received]:
        with self._consumer() as consumer:
            # OFFSET_END is looked up when fetching begins, so the end is asked for first.
            _, end = consumer.get_watermark_offsets(TopicPartition(topic, 0, OFFSET_END), timeout=WAIT_S)
            consumer.assign([TopicPartition(topic, 0, end)])
            then()
            return self._read(consumer, count)

    def offsets(self, topic: str) -> tuple[int, int]:
        with self._consumer() as consumer:
            low, high = consumer.get_watermark_offsets(TopicPartition(topic, 0), timeout=WAIT_S)
            return low, high

    def offset_at(self, topic: str, timestamp_ms: int) -> int | None:
        with self._consumer() as consumer:
            (found,) = consumer.offsets_for_times([TopicPartition(topic, 0, timestamp_ms)], timeout=WAIT_S)
            return None if found.offset == OFFSET_END else found.offset

    @staticmethod
    def _wait(futures: Mapping[Any, Any]) -> Any:
        (future,) = futures.values()
        with refusals():
            return future.result(WAIT_S)

    @contextlib.contextmanager
    def _consumer(self) -> Iterator[Consumer]:
        consumer = Consumer(
            {
                "bootstrap.servers": self._bootstrap,
                "group.id": "compat",
                "enable.auto.commit": False,
                "auto.offset.reset": "error",
            }
        )
        try:
            with refusals():
                yield consumer
        finally:
            consumer.close()

    @staticmethod
    def _read(consumer: Consumer, count: int) -> list[Received]:
        out: list[Received] = []
        deadline = time.monotonic() + WAIT_S
        while len(out) < count and time.monotonic() < deadline:
            message: Any = consumer.poll(1.0)
            if message is None:
                continue
            if (error := message.error()) is not None:
                raise refused(error)
            kind, timestamp_ms = message.timestamp()
            assert kind != TIMESTAMP_NOT_AVAILABLE
            headers = tuple((key, value) for key, value in message.headers() or ())
            record = Record(message.key(), message.value(), headers, timestamp_ms)
            out.append(Received(message.partition(), message.offset(), timestamp_ms, record))
        return out


def connect(bootstrap: str) -> Client:
    return ConfluentKafka(bootstrap)
