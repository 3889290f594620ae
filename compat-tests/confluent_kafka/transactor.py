"""A transactional producer with confluent-kafka (librdkafka)."""

import contextlib
from collections.abc import Iterator, Mapping, Sequence
from typing import Any, final

from compat_support.client import WAIT_S
from compat_support.transactions import Ended, Transactor
from confluent_kafka import Consumer, KafkaException, Producer, TopicPartition


@contextlib.contextmanager
def endings() -> Iterator[None]:
    try:
        yield
    except KafkaException as error:
        raise Ended(str(error)) from error


@final
class ConfluentTransactor:
    def __init__(self, bootstrap: str, transactional_id: str, timeout_ms: int) -> None:
        self._bootstrap = bootstrap
        self._failed: list[Any] = []
        self._producer: Any = Producer(
            {
                "bootstrap.servers": bootstrap,
                "transactional.id": transactional_id,
                "transaction.timeout.ms": timeout_ms,
                "message.timeout.ms": min(timeout_ms, 30_000),
            }
        )
        with endings():
            self._producer.init_transactions(WAIT_S)

    def begin(self) -> None:
        with endings():
            self._producer.begin_transaction()

    def send(self, topic: str, partition: int, values: Sequence[bytes]) -> None:
        with endings():
            for value in values:
                self._producer.produce(topic, value, partition=partition, on_delivery=self._delivered)
            assert self._producer.flush(WAIT_S) == 0
        if self._failed:
            raise Ended(str(self._failed.pop()))

    def _delivered(self, error: Any, _message: Any) -> None:
        if error is not None:
            self._failed.append(error)

    def send_offsets(self, group: str, topic: str, offsets: Mapping[int, int]) -> None:
        consumer = Consumer({"bootstrap.servers": self._bootstrap, "group.id": group})
        try:
            places = [TopicPartition(topic, partition, offset) for partition, offset in offsets.items()]
            with endings():
                self._producer.send_offsets_to_transaction(places, consumer.consumer_group_metadata(), WAIT_S)
        finally:
            consumer.close()

    def commit(self) -> None:
        with endings():
            self._producer.commit_transaction(WAIT_S)

    def abort(self) -> None:
        with endings():
            self._producer.abort_transaction(WAIT_S)

    def close(self) -> None:
        """It ends with the last reference to it: librdkafka throws what is not sent away."""
        self._producer.purge()


def open_transactor(bootstrap: str, transactional_id: str, timeout_ms: int) -> Transactor:
    return ConfluentTransactor(bootstrap, transactional_id, timeout_ms)
