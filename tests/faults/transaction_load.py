"""Copiers that survive their broker: each reads one partition, writes every value to another topic and commits how far
it has read, all in transactions of one transactional id; and whoever comes with the same id takes over.

Both protocols are spoken, one in each life of a copier: that in which it names partitions and groups itself, and that
in which leaders add them (KIP-890).
"""

from __future__ import annotations

import random
import threading
import time
from collections.abc import Sequence
from typing import Any, Final, NamedTuple, final

from ottla.errors import ErrorCode
from ottla.wire.k00_produce import PartitionProduceData, ProduceRequest, TopicProduceData
from ottla.wire.k01_fetch import FetchPartition, FetchRequest, FetchTopic
from ottla.wire.k09_offset_fetch import OffsetFetchRequest, OffsetFetchRequestGroup
from ottla.wire.k22_init_producer_id import InitProducerIdRequest
from ottla.wire.k24_add_partitions_to_txn import AddPartitionsToTxnRequest, AddPartitionsToTxnTopic
from ottla.wire.k25_add_offsets_to_txn import AddOffsetsToTxnRequest
from ottla.wire.k26_end_txn import EndTxnRequest
from ottla.wire.k28_txn_offset_commit import (
    TxnOffsetCommitRequest,
    TxnOffsetCommitRequestPartition,
    TxnOffsetCommitRequestTopic,
)
from tests.support.raw import Connection, batch, batches_of

__all__ = ["OUTPUT_PARTITIONS", "SOURCE", "TARGET", "Copier", "CopierLost", "Outcomes", "Read", "read_committed"]

SOURCE: Final = "in"
TARGET: Final = "out"
OUTPUT_PARTITIONS: Final = 3
RECORDS_MAX: Final = 8
TIMEOUT_MS: Final = 5_000
PAUSE_S: Final = 0.005
NOT_NOW: Final = -1
AGAIN: Final = frozenset(
    (
        ErrorCode.COORDINATOR_LOAD_IN_PROGRESS,
        ErrorCode.COORDINATOR_NOT_AVAILABLE,
        ErrorCode.NOT_COORDINATOR,
        ErrorCode.CONCURRENT_TRANSACTIONS,
        ErrorCode.UNSTABLE_OFFSET_COMMIT,
        ErrorCode.NOT_ENOUGH_REPLICAS,
        ErrorCode.NOT_LEADER_OR_FOLLOWER,
        ErrorCode.UNKNOWN_TOPIC_OR_PARTITION,
    )
)
"""What passes by itself."""
LOST: Final = frozenset(
    (
        ErrorCode.PRODUCER_FENCED,
        ErrorCode.INVALID_PRODUCER_EPOCH,
        ErrorCode.INVALID_PRODUCER_ID_MAPPING,
        ErrorCode.INVALID_TXN_STATE,
        ErrorCode.TRANSACTION_ABORTABLE,
    )
)
"""Somebody else has the id now, or it took too long."""


class CopierLost(Exception):
    """Another copier has taken over, or the transaction was aborted."""


@final
class Outcomes:
    """Which attempts were answered to be committed, and which aborted. Threads share it."""

    def __init__(self) -> None:
        self.committed: set[str] = set()
        self.aborted: set[str] = set()
        self._lock = threading.Lock()

    def note(self, attempt: str, *, is_committed: bool) -> None:
        with self._lock:
            (self.committed if is_committed else self.aborted).add(attempt)


class Read(NamedTuple):
    """What a reader of committed records sees of a partition, from one offset on. While the broker stops, nothing, and
    ``NOT_NOW`` for the last two."""

    values: list[bytes]
    next_offset: int
    high_watermark: int
    last_stable_offset: int


def read_committed(connection: Connection, topic: str, partition: int, offset: int) -> Read:
    """One Fetch. Records of aborted transactions are left out as clients do it, by the list in the answer."""
    wanted = FetchPartition(partition=partition, fetch_offset=offset, partition_max_bytes=1 << 20)
    request = FetchRequest(
        replica_id=-1,
        max_wait_ms=0,
        min_bytes=1,
        max_bytes=1 << 20,
        isolation_level=1,
        topics=(FetchTopic(topic=topic, partitions=(wanted,)),),
    )
    response = connection.ask(request, 12)
    assert response.error_code == 0, ErrorCode(response.error_code).name
    answer = response.responses[0].partitions[0]
    if answer.error_code in AGAIN:
        return Read([], offset, NOT_NOW, NOT_NOW)
    assert answer.error_code == 0, f"{topic}-{partition} at {offset}: {ErrorCode(answer.error_code).name}"
    begins = sorted((each.first_offset, each.producer_id) for each in answer.aborted_transactions or ())
    aborting: set[int] = set()
    values: list[bytes] = []
    for found in batches_of(answer.records):
        while begins and begins[0][0] <= found.last_offset:
            aborting.add(begins.pop(0)[1])
        if found.control:
            aborting.discard(found.producer_id)
        elif not (found.transactional and found.producer_id in aborting):
            values += (each.value for each in found.records if each.offset >= offset and each.value is not None)
        offset = max(offset, found.last_offset + 1)
    return Read(values, offset, answer.high_watermark, answer.last_stable_offset)


@final
class Copier:
    """One thread's work during one life of the broker."""

    def __init__(self, number: int, twin: int, outcomes: Outcomes, seed: int) -> None:
        self.number = number
        self.transactional_id = f"copier-{number}"
        self.commits = 0
        self.aborts = 0
        self.losses = 0
        self._name = f"{number}.{twin}"
        self._group = f"group-{number}"
        self._outcomes = outcomes
        self._random = random.Random(f"{seed}-{self._name}")
        self._attempts = 0
        self._producer = (-1, -1)
        self._sequences: dict[int, int] = {}
        self._is_new = False
        self._position = 0

    def run(self, address: tuple[str, int], stopped: threading.Event) -> None:
        """Until the broker is gone, or told to stop."""
        with Connection(address, self._name) as connection:
            while not stopped.is_set():
                try:
                    self._begin(connection, stopped)
                    for _ in range(self._random.randrange(1, 80)):
                        if stopped.is_set():
                            return
                        self._transaction(connection, stopped)
                except CopierLost:
                    self.losses += 1
                    # Whoever took over has its turn.
                    stopped.wait(self._random.uniform(0.0, 0.2))

    # --- one life ---------------------------------------------------------------------------------------------------

    def _begin(self, connection: Connection, stopped: threading.Event) -> None:
        self._is_new = self._random.random() < 0.5
        request = InitProducerIdRequest(transactional_id=self.transactional_id, transaction_timeout_ms=TIMEOUT_MS)
        answer = self._asked(connection, request, 5, lambda found: found.error_code, stopped)
        self._producer = answer.producer_id, answer.producer_epoch
        self._sequences = {}
        groups = (OffsetFetchRequestGroup(group_id=self._group, topics=None),)
        fetch = OffsetFetchRequest(groups=groups, require_stable=True)

        def code_of(found: Any) -> int:
            (group,) = found.groups
            codes = [each.error_code for topic in group.topics for each in topic.partitions]
            return group.error_code or next((code for code in codes if code), 0)

        (group,) = self._asked(connection, fetch, 8, code_of, stopped).groups
        offsets = [each.committed_offset for topic in group.topics for each in topic.partitions]
        self._position = max(offsets, default=0)

    def _transaction(self, connection: Connection, stopped: threading.Event) -> None:
        read = read_committed(connection, SOURCE, self.number, self._position)
        if not read.values:
            time.sleep(PAUSE_S)
            return
        values = read.values[: self._random.randrange(1, RECORDS_MAX + 1)]
        self._attempts += 1
        attempt = f"{self._name}.{self._producer[0]}.{self._producer[1]}.{self._attempts}"
        by_partition: dict[int, list[bytes]] = {}
        for offset, value in enumerate(values, self._position):
            place = self._random.randrange(OUTPUT_PARTITIONS)
            assert value == b"%d" % offset, f"{SOURCE}-{self.number} has {value!r} at {offset}"
            by_partition.setdefault(place, []).append(f"{self.number}:{offset}:{attempt}".encode())
        if not self._is_new:
            self._name_partitions(connection, sorted(by_partition), stopped)
        for place, outputs in by_partition.items():
            self._produce(connection, place, outputs, stopped)
        if self._random.random() < 0.05:
            # A zombie in the making.
            stopped.wait(self._random.uniform(0.0, 0.3))
        self._commit_offset(connection, self._position + len(values), stopped)
        self._end(connection, attempt, stopped, commit=self._random.random() < 0.8, count=len(values))

    def _name_partitions(self, connection: Connection, places: Sequence[int], stopped: threading.Event) -> None:
        producer_id, epoch = self._producer
        request = AddPartitionsToTxnRequest(
            v3_and_below_transactional_id=self.transactional_id,
            v3_and_below_producer_id=producer_id,
            v3_and_below_producer_epoch=epoch,
            v3_and_below_topics=(AddPartitionsToTxnTopic(name=TARGET, partitions=tuple(places)),),
        )
        self._asked(
            connection,
            request,
            3,
            lambda found: found.results_by_topic_v3_and_below[0].results_by_partition[0].partition_error_code,
            stopped,
        )

    def _produce(self, connection: Connection, place: int, values: list[bytes], stopped: threading.Event) -> None:
        producer_id, epoch = self._producer
        first = self._sequences.get(place, 0)
        records = batch(*values, producer_id=producer_id, producer_epoch=epoch, base_sequence=first, transactional=True)
        data = TopicProduceData(name=TARGET, partition_data=(PartitionProduceData(index=place, records=records),))
        request = ProduceRequest(transactional_id=self.transactional_id, acks=-1, timeout_ms=30_000, topic_data=(data,))
        version = 12 if self._is_new else self._random.choice((7, 9, 11))
        self._asked(
            connection, request, version, lambda found: found.responses[0].partition_responses[0].error_code, stopped
        )
        self._sequences[place] = first + len(values)

    def _commit_offset(self, connection: Connection, offset: int, stopped: threading.Event) -> None:
        producer_id, epoch = self._producer
        if not self._is_new:
            asked = AddOffsetsToTxnRequest(
                transactional_id=self.transactional_id,
                producer_id=producer_id,
                producer_epoch=epoch,
                group_id=self._group,
            )
            self._asked(connection, asked, 3, lambda found: found.error_code, stopped)
        partition = TxnOffsetCommitRequestPartition(
            partition_index=self.number, committed_offset=offset, committed_metadata=""
        )
        request = TxnOffsetCommitRequest(
            transactional_id=self.transactional_id,
            group_id=self._group,
            producer_id=producer_id,
            producer_epoch=epoch,
            topics=(TxnOffsetCommitRequestTopic(name=SOURCE, partitions=(partition,)),),
        )
        version = 5 if self._is_new else 3
        self._asked(connection, request, version, lambda found: found.topics[0].partitions[0].error_code, stopped)

    def _end(self, connection: Connection, attempt: str, stopped: threading.Event, *, commit: bool, count: int) -> None:
        producer_id, epoch = self._producer
        request = EndTxnRequest(
            transactional_id=self.transactional_id, producer_id=producer_id, producer_epoch=epoch, committed=commit
        )
        answer = self._asked(connection, request, 5 if self._is_new else 3, lambda found: found.error_code, stopped)
        self._outcomes.note(attempt, is_committed=commit)
        if self._is_new:
            self._producer = answer.producer_id, answer.producer_epoch
            self._sequences = {}
        if commit:
            self.commits += 1
            self._position += count
        else:
            self.aborts += 1

    @staticmethod
    def _asked(connection: Connection, request: object, version: int, code_of: Any, stopped: threading.Event) -> Any:
        """The answer without an error. Raises CopierLost, and when it is to stop."""
        while True:
            answer = connection.ask(request, version)
            code = code_of(answer)
            if code == 0:
                return answer
            if code in LOST:
                raise CopierLost
            assert code in AGAIN, f"{type(request).__name__} v{version}: {ErrorCode(code).name}"
            if stopped.wait(PAUSE_S):
                raise CopierLost
