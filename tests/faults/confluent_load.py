"""librdkafka's idempotent producer beside ours: it lives through every death of the broker and retries by itself."""

from __future__ import annotations

import threading
from types import TracebackType
from typing import Any, Final, Self, final

import confluent_kafka
from ottla._core import decode_batches
from ottla.wire.k01_fetch import FetchPartition, FetchRequest, FetchTopic
from tests.support.raw import Connection

FLUSH_TIMEOUT_S: Final = 60.0
IN_FLIGHT_MAX: Final = 2_000
BURST: Final = 20


@final
class ConfluentLoad:
    """Numbered messages, from entering the context to ``verify``."""

    def __init__(self, bootstrap_servers: str, topic: str) -> None:
        self._topic = topic
        self._settings = {
            "bootstrap.servers": bootstrap_servers,
            "enable.idempotence": True,
            "acks": "all",
            "linger.ms": 2,
            "reconnect.backoff.ms": 20,
            "reconnect.backoff.max.ms": 200,
            "retry.backoff.ms": 20,
            "log_level": 0,
        }
        self._stopped = threading.Event()
        self._flush = threading.Event()
        self._thread = threading.Thread(target=self._run)
        self._sent = 0
        self.delivered: dict[int, tuple[int, int]] = {}
        """Number to partition and offset."""
        self.failures: list[str] = []

    def __enter__(self) -> Self:
        self._thread.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._stopped.set()
        self._thread.join()

    def _run(self) -> None:
        producer = confluent_kafka.Producer(self._settings)
        while not self._stopped.is_set():
            for _ in range(BURST if len(producer) < IN_FLIGHT_MAX else 0):
                producer.produce(self._topic, b"%d" % self._sent, b"key-%d" % (self._sent % 17), on_delivery=self._told)
                self._sent += 1
            producer.poll(0.005)
        # When the test failed there may be nobody to flush to.
        producer.flush(FLUSH_TIMEOUT_S if self._flush.is_set() else 0)
        if not self._flush.is_set():
            producer.purge()

    def _told(self, error: confluent_kafka.KafkaError | None, message: Any) -> None:
        if error is not None:
            self.failures.append(f"message {message.value()!r}: {error}")
            return
        self.delivered[int(message.value())] = (message.partition(), message.offset())

    def verify(self, connection: Connection) -> None:
        """Ends the load; every message must be in the log once, where librdkafka says, and in order per partition."""
        self._flush.set()
        self._stopped.set()
        self._thread.join()
        assert not self.failures, f"{len(self.failures)} messages failed, first: {self.failures[0]}"
        assert len(self.delivered) == self._sent, f"{self._sent} messages were sent, {len(self.delivered)} delivered"
        seen: dict[int, tuple[int, int]] = {}
        for partition in sorted({partition for partition, _ in self.delivered.values()}):
            numbers = self._read(connection, partition)
            assert numbers == sorted(numbers), f"{self._topic}-{partition} is out of order"
            for offset, number in enumerate(numbers):
                assert number not in seen, f"message {number} is there twice: {seen[number]}, {(partition, offset)}"
                seen[number] = (partition, offset)
        assert seen == self.delivered, "messages are not where the client was told"

    def _read(self, connection: Connection, partition: int) -> list[int]:
        numbers: list[int] = []
        while True:
            wanted = FetchPartition(partition=partition, fetch_offset=len(numbers), partition_max_bytes=4 << 20)
            topic = FetchTopic(topic=self._topic, partitions=(wanted,))
            request = FetchRequest(replica_id=-1, max_wait_ms=0, min_bytes=1, max_bytes=8 << 20, topics=(topic,))
            answer = connection.ask(request, 12).responses[0].partitions[0]
            assert answer.error_code == 0
            if answer.high_watermark == len(numbers):
                return numbers
            for batch in decode_batches(answer.records or b"").batches:
                for record in batch.records:
                    if record.offset == len(numbers):
                        numbers.append(int(record.value or b""))
