"""aiokafka, as its documentation uses it; each operation in an event loop of its own."""

import asyncio
import contextlib
from collections.abc import AsyncIterator, Callable, Coroutine, Iterable, Mapping, Sequence
from typing import Any, TypeVar, final

from aiokafka.admin import AIOKafkaAdminClient, NewPartitions, NewTopic
from aiokafka.admin.config_resource import ConfigResource, ConfigResourceType
from aiokafka.errors import KafkaError

from aiokafka import AIOKafkaConsumer, AIOKafkaProducer, TopicPartition
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
T = TypeVar("T")


def run(what: Coroutine[Any, Any, T]) -> T:
    async def limited() -> T:
        return await asyncio.wait_for(what, WAIT_S)

    try:
        return asyncio.run(limited())
    except KafkaError as error:
        raise Refused(getattr(error, "errno", 0), str(error)) from error


def check(errors: Iterable[Sequence[Any]]) -> None:
    """The admin client answers with (name, code, message…) and raises nothing."""
    for name, code, *message in errors:
        if code:
            raise Refused(code, f"{name}: {message}")


@final
class AioKafka:
    def __init__(self, bootstrap: str) -> None:
        self._bootstrap = bootstrap

    def create_topic(self, topic: str, *, partitions: int = 1, configs: Mapping[str, str] | None = None) -> None:
        new = NewTopic(topic, partitions, 1, topic_configs=dict(configs or {}))

        async def create() -> None:
            async with self._admin() as admin:
                check((await admin.create_topics([new])).topic_errors)

        run(create())

    def delete_topic(self, topic: str) -> None:
        async def delete() -> None:
            async with self._admin() as admin:
                check((await admin.delete_topics([topic])).topic_error_codes)

        run(delete())

    def add_partitions(self, topic: str, total: int) -> None:
        async def add() -> None:
            async with self._admin() as admin:
                check((await admin.create_partitions({topic: NewPartitions(total)})).topic_errors)

        run(add())

    def topics(self) -> set[str]:
        async def ask() -> set[str]:
            async with self._admin() as admin:
                return set(await admin.list_topics())

        return run(ask())

    def partitions(self, topic: str) -> int:
        async def ask() -> int:
            async with self._admin() as admin:
                return len((await admin.describe_topics([topic]))[0]["partitions"])

        return run(ask())

    def topic_config(self, topic: str) -> Mapping[str, str | None]:
        async def ask() -> Mapping[str, str | None]:
            async with self._admin() as admin:
                (answer,) = await admin.describe_configs([ConfigResource(ConfigResourceType.TOPIC, topic)])
            (resource,) = answer.resources
            return {entry[0]: entry[1] for entry in resource[4]}

        return run(ask())

    def cluster(self) -> Cluster:
        async def ask() -> Cluster:
            async with self._admin() as admin:
                found = await admin.describe_cluster()
            return Cluster(found["cluster_id"], frozenset(f"{b['host']}:{b['port']}" for b in found["brokers"]))

        return run(ask())

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

        async def send() -> list[int]:
            async with AIOKafkaProducer(bootstrap_servers=self._bootstrap, **chosen) as producer:
                sent = [
                    await producer.send(topic, r.value, r.key, partition, r.timestamp_ms, list(r.headers))
                    for r in records
                ]
                answers = [await future for future in sent]
                return [-1 if answer is None else answer.offset for answer in answers]

        return run(send())

    def consume(self, topic: str, start: Start, count: int, *, partitions: Sequence[int] = (0,)) -> list[Received]:
        places = [TopicPartition(topic, p) for p in partitions]

        async def read() -> list[Received]:
            async with self._consumer(places) as consumer:
                match start:
                    case AtOffset(offset):
                        for place in places:
                            consumer.seek(place, offset)
                    case AtTimestamp(timestamp_ms):
                        found = await consumer.offsets_for_times(dict.fromkeys(places, timestamp_ms))
                        for place, at in found.items():
                            consumer.seek(place, at.offset)
                    case _:
                        await consumer.seek_to_beginning()
                return await self._read(consumer, count)

        return run(read())

    def consume_from_end(self, topic: str, then: Callable[[], object], count: int) -> list[Received]:
        place = TopicPartition(topic, 0)

        async def read() -> list[Received]:
            async with self._consumer([place]) as consumer:
                await consumer.seek_to_end()
                await consumer.position(place)
                await asyncio.to_thread(then)
                return await self._read(consumer, count)

        return run(read())

    def offsets(self, topic: str) -> tuple[int, int]:
        place = TopicPartition(topic, 0)

        async def ask() -> tuple[int, int]:
            async with self._consumer([place]) as consumer:
                first = await consumer.beginning_offsets([place])
                return first[place], (await consumer.end_offsets([place]))[place]

        return run(ask())

    def offset_at(self, topic: str, timestamp_ms: int) -> int | None:
        place = TopicPartition(topic, 0)

        async def ask() -> int | None:
            async with self._consumer([place]) as consumer:
                found = (await consumer.offsets_for_times({place: timestamp_ms}))[place]
                return found.offset if found else None

        return run(ask())

    @contextlib.asynccontextmanager
    async def _admin(self) -> AsyncIterator[Any]:
        admin = AIOKafkaAdminClient(bootstrap_servers=self._bootstrap)
        await admin.start()
        try:
            yield admin
        finally:
            await admin.close()

    @contextlib.asynccontextmanager
    async def _consumer(self, places: Sequence[TopicPartition]) -> AsyncIterator[Any]:
        consumer = AIOKafkaConsumer(bootstrap_servers=self._bootstrap, auto_offset_reset="none")
        await consumer.start()
        try:
            consumer.assign(list(places))
            yield consumer
        finally:
            await consumer.stop()

    @staticmethod
    async def _read(consumer: Any, count: int) -> list[Received]:
        out: list[Received] = []
        while len(out) < count:
            message = await consumer.getone()
            record = Record(message.key, message.value, tuple(message.headers), message.timestamp)
            out.append(Received(message.partition, message.offset, message.timestamp, record))
        return out


def connect(bootstrap: str) -> Client:
    return AioKafka(bootstrap)
