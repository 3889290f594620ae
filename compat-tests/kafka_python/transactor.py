"""A transactional producer with kafka-python."""

import contextlib
from collections.abc import Iterator, Mapping, Sequence
from typing import Any, final

from kafka import KafkaProducer, TopicPartition
from kafka.errors import KafkaError
from kafka.structs import OffsetAndMetadata

from compat_support.client import WAIT_S
from compat_support.transactions import Ended, Transactor


@contextlib.contextmanager
def endings() -> Iterator[None]:
    try:
        yield
    except KafkaError as error:
        raise Ended(repr(error)) from error


@final
class KafkaPythonTransactor:
    def __init__(self, bootstrap: str, transactional_id: str, timeout_ms: int) -> None:
        self._producer: Any = KafkaProducer(
            bootstrap_servers=bootstrap, transactional_id=transactional_id, transaction_timeout_ms=timeout_ms
        )
        with endings():
            self._producer.init_transactions()

    def begin(self) -> None:
        with endings():
            self._producer.begin_transaction()

    def send(self, topic: str, partition: int, values: Sequence[bytes]) -> None:
        with endings():
            for future in [self._producer.send(topic, value, partition=partition) for value in values]:
                future.get(timeout=WAIT_S)

    def send_offsets(self, group: str, topic: str, offsets: Mapping[int, int]) -> None:
        places = {
            TopicPartition(topic, partition): OffsetAndMetadata(offset, "", -1) for partition, offset in offsets.items()
        }
        with endings():
            self._producer.send_offsets_to_transaction(places, group)

    def commit(self) -> None:
        with endings():
            self._producer.commit_transaction()

    def abort(self) -> None:
        with endings():
            self._producer.abort_transaction()

    def close(self) -> None:
        self._producer.close(timeout=0)


def open_transactor(bootstrap: str, transactional_id: str, timeout_ms: int) -> Transactor:
    return KafkaPythonTransactor(bootstrap, transactional_id, timeout_ms)
