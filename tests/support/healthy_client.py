"""A client that does honest work beside a test that does not: it must go on unharmed.

It appends numbered batches and reads each back, for ever. ``progress`` waits until it has done some more: so a test
paces itself by what it is there to protect, and not by a clock.
"""

from __future__ import annotations

import threading
import time
from types import TracebackType
from typing import Final, Self, final

from ottla._core import decode_batches
from ottla.wire.k00_produce import PartitionProduceData, ProduceRequest, TopicProduceData
from ottla.wire.k01_fetch import FetchPartition, FetchRequest, FetchTopic
from tests.support.lying_batches import batch_of
from tests.support.raw import Connection
from tests.support.raw_admin import create_topic

TOPIC: Final = "healthy"
PROGRESS_TIMEOUT_S: Final = 60.0


@final
class HealthyClient:
    """Use as a context manager."""

    def __init__(self, address: tuple[str, int]) -> None:
        self._address = address
        self._changed = threading.Condition()
        self._stopped = threading.Event()
        self._failure: BaseException | None = None
        self._thread = threading.Thread(target=self._run)
        self.rounds = 0
        self.longest_s = 0.0

    def __enter__(self) -> Self:
        with Connection(self._address, "healthy") as connection:
            assert create_topic(connection, TOPIC) == 0
        self._thread.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._stopped.set()
        self._thread.join()

    def progress(self, rounds: int = 3) -> None:
        """Waits until so many more rounds went well. Raises ``AssertionError`` when one does not."""
        with self._changed:
            wanted = self.rounds + rounds
            done = self._changed.wait_for(
                lambda: self.rounds >= wanted or self._failure is not None, PROGRESS_TIMEOUT_S
            )
        assert self._failure is None, f"the healthy client was harmed: {self._failure!r}"
        assert done, f"the healthy client stands still after {self.rounds} rounds"

    def _run(self) -> None:
        try:
            with Connection(self._address, "healthy") as connection:
                while not self._stopped.is_set():
                    begun = time.monotonic()
                    self._round(connection)
                    with self._changed:
                        self.longest_s = max(self.longest_s, time.monotonic() - begun)
                        self.rounds += 1
                        self._changed.notify_all()
                    # Beside the attack, not instead of it.
                    self._stopped.wait(0.002)
        except BaseException as error:
            with self._changed:
                self._failure = error
                self._changed.notify_all()

    def _round(self, connection: Connection) -> None:
        value = b"round %d" % self.rounds
        data = PartitionProduceData(index=0, records=batch_of(2, int(time.time() * 1000), value))
        named = TopicProduceData(name=TOPIC, partition_data=(data,))
        request = ProduceRequest(transactional_id=None, acks=-1, timeout_ms=30_000, topic_data=(named,))
        answer = connection.ask(request, 9).responses[0].partition_responses[0]
        assert answer.error_code == 0, answer
        offset = answer.base_offset
        assert offset == 2 * self.rounds, f"at offset {offset} instead of {2 * self.rounds}"
        wanted = FetchPartition(partition=0, fetch_offset=offset, partition_max_bytes=1 << 16)
        topic = FetchTopic(topic=TOPIC, partitions=(wanted,))
        fetch = FetchRequest(replica_id=-1, max_wait_ms=1000, min_bytes=1, max_bytes=1 << 16, topics=(topic,))
        fetched = connection.ask(fetch, 12).responses[0].partitions[0]
        assert fetched.error_code == 0, fetched
        records = decode_batches(fetched.records).batches[0].records
        assert [record.value for record in records] == [value, value]
