"""A transactional producer with aiokafka; its event loop runs while something is asked of it."""

import asyncio
from collections.abc import Coroutine, Mapping, Sequence
from typing import Any, final

from aiokafka.errors import KafkaError

from aiokafka import AIOKafkaProducer, TopicPartition
from compat_support.client import WAIT_S
from compat_support.transactions import Ended, Transactor


@final
class AioKafkaTransactor:
    def __init__(self, bootstrap: str, transactional_id: str, timeout_ms: int) -> None:
        self._runner = asyncio.Runner()

        async def start() -> Any:
            producer = AIOKafkaProducer(
                bootstrap_servers=bootstrap, transactional_id=transactional_id, transaction_timeout_ms=timeout_ms
            )
            await producer.start()
            return producer

        self._producer = self._run(start())

    def _run(self, what: Coroutine[Any, Any, Any]) -> Any:
        async def limited() -> Any:
            return await asyncio.wait_for(what, WAIT_S)

        try:
            return self._runner.run(limited())
        except KafkaError as error:
            raise Ended(repr(error)) from error

    def begin(self) -> None:
        self._run(self._producer.begin_transaction())

    def send(self, topic: str, partition: int, values: Sequence[bytes]) -> None:
        async def send() -> None:
            for future in [await self._producer.send(topic, value, partition=partition) for value in values]:
                await future

        self._run(send())

    def send_offsets(self, group: str, topic: str, offsets: Mapping[int, int]) -> None:
        places = {TopicPartition(topic, partition): offset for partition, offset in offsets.items()}
        self._run(self._producer.send_offsets_to_transaction(places, group))

    def commit(self) -> None:
        self._run(self._producer.commit_transaction())

    def abort(self) -> None:
        self._run(self._producer.abort_transaction())

    def close(self) -> None:
        async def close() -> None:
            await self._producer.client.close()

        self._run(close())
        self._runner.close()


def open_transactor(bootstrap: str, transactional_id: str, timeout_ms: int) -> Transactor:
    return AioKafkaTransactor(bootstrap, transactional_id, timeout_ms)
