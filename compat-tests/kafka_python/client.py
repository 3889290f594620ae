"""kafka-python, as its documentation uses it."""

import contextlib
from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import Any, final

from kafka import KafkaAdminClient, KafkaConsumer, KafkaProducer, TopicPartition
from kafka.admin import ConfigResource, ConfigResourceType
from kafka.errors import KafkaError

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

ACKS: Mapping[str, int | str] = {"0": 0, "1": 1, "all": "all"}


@contextlib.contextmanager
def refusals() -> Iterator[None]:
    try:
        yield
    except KafkaError as error:
        raise Refused(error.errno or 0, str(error)) from error


@final
class KafkaPython:
    def __init__(self, bootstrap: str) -> None:
        self._bootstrap = bootstrap

    def create_topic(self, topic: str, *, partitions: int = 1, configs: Mapping[str, str] | None = None) -> None:
        wanted = {"num_partitions": partitions, "replication_factor": 1, "configs": dict(configs or {})}
        with self._admin() as admin:
            admin.create_topics({topic: wanted})

    def delete_topic(self, topic: str) -> None:
        with self._admin() as admin:
            admin.delete_topics([topic])

    def add_partitions(self, topic: str, total: int) -> None:
        with self._admin() as admin:
            admin.create_partitions({topic: total})

    def topics(self) -> set[str]:
        with self._admin() as admin:
            return set(admin.list_topics())

    def partitions(self, topic: str) -> int:
        with self._admin() as admin:
            return len(admin.describe_topics([topic])[0]["partitions"])

    def topic_config(self, topic: str) -> Mapping[str, str | None]:
        with self._admin() as admin:
            found = admin.describe_configs([ConfigResource(ConfigResourceType.TOPIC, topic)], config_filter="all")
        return {name: config["value"] for name, config in found["topic"][topic].items()}

    def cluster(self) -> Cluster:
        with self._admin() as admin:
            found = admin.describe_cluster()
        return Cluster(found["cluster_id"], frozenset(f"{b['host']}:{b['port']}" for b in found["brokers"]))

    def produce(
        self, topic: str, records: Sequence[Record], options: ProduceOptions, *, partition: int | None = 0
    ) -> list[int]:
        chosen: dict[str, Any] = {}
        if options.codec not in (None, "none"):
            chosen["compression_type"] = options.codec
        if options.acks is not None:
            chosen["acks"] = ACKS[options.acks]
        if options.idempotent is not None:
            chosen["enable_idempotence"] = options.idempotent
        producer = KafkaProducer(bootstrap_servers=self._bootstrap, **chosen)
        try:
            with refusals():
                sent = [
                    producer.send(topic, r.value, r.key, list(r.headers), partition, r.timestamp_ms) for r in records
                ]
                return [future.get(timeout=WAIT_S).offset for future in sent]
        finally:
            producer.close()

    def consume(self, topic: str, start: Start, count: int, *, partitions: Sequence[int] = (0,)) -> list[Received]:
        places = [TopicPartition(topic, p) for p in partitions]
        with self._consumer(places) as consumer:
            match start:
                case AtOffset(offset):
                    for place in places:
                        consumer.seek(place, offset)
                case AtTimestamp(timestamp_ms):
                    for place, found in consumer.offsets_for_times(dict.fromkeys(places, timestamp_ms)).items():
                        consumer.seek(place, found.offset)
                case _:
                    consumer.seek_to_beginning()
            return self._read(consumer, count)

    def consume_from_end(self, topic: str, then: Callable[[], object], count: int) -> list[Received]:
        place = TopicPartition(topic, 0)
        with self._consumer([place]) as consumer:
            consumer.seek_to_end()
            consumer.position(place)
            then()
            return self._read(consumer, count)

    def offsets(self, topic: str) -> tuple[int, int]:
        place = TopicPartition(topic, 0)
        with self._consumer([place]) as consumer:
            return consumer.beginning_offsets([place])[place], consumer.end_offsets([place])[place]

    def offset_at(self, topic: str, timestamp_ms: int) -> int | None:
        place = TopicPartition(topic, 0)
        with self._consumer([place]) as consumer:
            found = consumer.offsets_for_times({place: timestamp_ms})[place]
            return found.offset if found else None

    @contextlib.contextmanager
    def _admin(self) -> Iterator[Any]:
        admin = KafkaAdminClient(bootstrap_servers=self._bootstrap)
        try:
            with refusals():
                yield admin
        finally:
            admin.close()

    @contextlib.contextmanager
    def _consumer(self, places: Sequence[TopicPartition]) -> Iterator[Any]:
        consumer = KafkaConsumer(
            bootstrap_servers=self._bootstrap, auto_offset_reset="none", consumer_timeout_ms=WAIT_S * 1000
        )
        try:
            consumer.assign(list(places))
            with refusals():
                yield consumer
        finally:
            consumer.close()

    @staticmethod
    def _read(consumer: Any, count: int) -> list[Received]:
        out: list[Received] = []
        for message in consumer:
            headers = tuple((key, value) for key, value in message.headers)
            out.append(
                Received(
                    message.partition,
                    message.offset,
                    message.timestamp,
                    Record(message.key, message.value, headers, message.timestamp),
                )
            )
            if len(out) == count:
                break
        return out


def connect(bootstrap: str) -> Client:
    return KafkaPython(bootstrap)
