"""A copier that works in transactions beside an attack: it must go on, be shut out by nobody, and each of its inputs
have one output in the end.

As ``tests/support/healthy_client.py``: a test paces itself by what it is there to protect.
"""

from __future__ import annotations

import threading
import time
from types import TracebackType
from typing import Final, Self, final

from ottla.wire.k00_produce import PartitionProduceData, ProduceRequest, TopicProduceData
from ottla.wire.k10_find_coordinator import FindCoordinatorRequest
from tests.faults.transaction_load import OUTPUT_PARTITIONS, SOURCE, TARGET, Copier, Outcomes, read_committed
from tests.support.raw import Connection, batch
from tests.support.raw_admin import create_topic
from tests.support.raw_member import wait_coordinated

INPUTS: Final = 50_000
LOOK_S: Final = 0.005
PROGRESS_TIMEOUT_S: Final = 60.0


@final
class HonestCopier:
    """Use as a context manager. Topics, group and transactional id are those of ``transaction_load``."""

    def __init__(self, address: tuple[str, int], seed: int = 1) -> None:
        self._address = address
        self._outcomes = Outcomes()
        self._copier = Copier(0, 0, self._outcomes, seed)
        self._stopped = threading.Event()
        self._failure: BaseException | None = None
        self._thread = threading.Thread(target=self._run)

    def __enter__(self) -> Self:
        with Connection(self._address, "honest") as connection:
            assert create_topic(connection, SOURCE) == 0
            assert create_topic(connection, TARGET, OUTPUT_PARTITIONS) == 0
            values = [b"%d" % offset for offset in range(INPUTS)]
            data = (PartitionProduceData(index=0, records=batch(*values)),)
            named = TopicProduceData(name=SOURCE, partition_data=data)
            request = ProduceRequest(transactional_id=None, acks=-1, timeout_ms=30_000, topic_data=(named,))
            assert connection.ask(request, 9).responses[0].partition_responses[0].error_code == 0
            wait_coordinated(connection, "group-0")
            find = FindCoordinatorRequest(key_type=1, coordinator_keys=(self._copier.transactional_id,))
            connection.ask(find, 4)
        self._thread.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._stopped.set()
        self._thread.join()

    @property
    def ended(self) -> int:
        """Transactions that were committed or aborted."""
        return self._copier.commits + self._copier.aborts

    def progress(self, transactions: int = 3) -> None:
        """Waits until so many more have ended."""
        wanted, deadline = self.ended + transactions, time.monotonic() + PROGRESS_TIMEOUT_S
        while self.ended < wanted:
            assert self._failure is None, f"the honest copier was harmed: {self._failure!r}"
            assert not self._copier.losses, "the honest copier was shut out, and nobody else has its id"
            assert time.monotonic() < deadline, f"the honest copier stands still after {self.ended} transactions"
            self._stopped.wait(LOOK_S)

    def check(self) -> None:
        """Ends it, and looks whether committed data is what it was told. Only once."""
        self._stopped.set()
        self._thread.join()
        assert self._failure is None, f"the honest copier was harmed: {self._failure!r}"
        seen: list[tuple[int, str]] = []
        with Connection(self._address, "honest") as connection:
            for partition in range(OUTPUT_PARTITIONS):
                offset, read = 0, read_committed(connection, TARGET, partition, 0)
                while read.next_offset > offset:
                    for value in read.values:
                        _, place, attempt = value.decode().split(":")
                        seen.append((int(place), attempt))
                    offset = read.next_offset
                    read = read_committed(connection, TARGET, partition, offset)
        attempts = {attempt for _, attempt in seen}
        places = sorted(place for place, _ in seen)
        assert not attempts & self._outcomes.aborted, "what was aborted is there"
        assert self._outcomes.committed <= attempts, "what was committed is not there"
        assert places == list(range(len(places))), "not every input has one output"

    def _run(self) -> None:
        try:
            self._copier.run(self._address, self._stopped)
        except BaseException as error:
            self._failure = error
