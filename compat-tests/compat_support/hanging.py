"""Transactions that nothing will ever end, made the same way in any broker that does not verify what is said to be in a
transaction (``transaction.partition.verification.enable``): somebody writes, and no coordinator ever hears of it.

No library does that, so the requests are written out here.
"""

import time
from typing import Any, Final, Self, final

from tests.support.raw import Connection, batch

from compat_support.client import WAIT_S
from ottla.errors import ErrorCode
from ottla.wire.k00_produce import PartitionProduceData, ProduceRequest, TopicProduceData
from ottla.wire.k02_list_offsets import ListOffsetsPartition, ListOffsetsRequest, ListOffsetsTopic
from ottla.wire.k09_offset_fetch import OffsetFetchRequest, OffsetFetchRequestTopic
from ottla.wire.k10_find_coordinator import FindCoordinatorRequest
from ottla.wire.k22_init_producer_id import InitProducerIdRequest
from ottla.wire.k24_add_partitions_to_txn import AddPartitionsToTxnRequest, AddPartitionsToTxnTopic
from ottla.wire.k28_txn_offset_commit import (
    TxnOffsetCommitRequest,
    TxnOffsetCommitRequestPartition,
    TxnOffsetCommitRequestTopic,
)

TIMEOUT_MS: Final = 900_000
"""As long as a broker allows: they are not to end by themselves."""
OLD_MS: Final = 20 * 60_000
"""Longer ago than a transaction may be open by default (``transaction.max.timeout.ms``)."""
_SETTLE_S: Final = 0.02
_GROUP: Final = 0
_TRANSACTION: Final = 1
_COMING: Final = frozenset(
    {
        ErrorCode.UNKNOWN_TOPIC_OR_PARTITION,
        ErrorCode.COORDINATOR_LOAD_IN_PROGRESS,
        ErrorCode.COORDINATOR_NOT_AVAILABLE,
        ErrorCode.NOT_COORDINATOR,
        ErrorCode.CONCURRENT_TRANSACTIONS,
    }
)

Producer = tuple[int, int]
"""Its id and epoch."""


@final
class Careless:
    """Speaks for producers that leave things out. Every method asserts that the broker agreed."""

    def __init__(self, bootstrap: str) -> None:
        self._connection = Connection(bootstrap, "careless")

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self._connection.close()

    def init(self, transactional_id: str) -> Producer:
        self._find(transactional_id, _TRANSACTION)
        request = InitProducerIdRequest(transactional_id=transactional_id, transaction_timeout_ms=TIMEOUT_MS)
        answer = self._until_it_is_there(request, 4, lambda answer: answer.error_code)
        return answer.producer_id, answer.producer_epoch

    def add(self, transactional_id: str, producer: Producer, topic: str, partition: int) -> None:
        request = AddPartitionsToTxnRequest(
            v3_and_below_transactional_id=transactional_id,
            v3_and_below_producer_id=producer[0],
            v3_and_below_producer_epoch=producer[1],
            v3_and_below_topics=(AddPartitionsToTxnTopic(name=topic, partitions=(partition,)),),
        )
        self._until_it_is_there(
            request,
            3,
            lambda answer: answer.results_by_topic_v3_and_below[0].results_by_partition[0].partition_error_code,
        )

    def write(self, transactional_id: str, producer: Producer, topic: str, partition: int, count: int) -> None:
        """Some records, as of some time ago."""
        records = batch(
            *[b"%d" % number for number in range(count)],
            timestamp_ms=round(time.time() * 1000) - OLD_MS,
            producer_id=producer[0],
            producer_epoch=producer[1],
            base_sequence=0,
            transactional=True,
        )
        data = PartitionProduceData(index=partition, records=records)
        topics = (TopicProduceData(name=topic, partition_data=(data,)),)
        request = ProduceRequest(transactional_id=transactional_id, acks=-1, timeout_ms=TIMEOUT_MS, topic_data=topics)
        # Version 11 and older name partitions beforehand; from 12 on the broker adds them.
        self._until_it_is_there(request, 11, lambda answer: answer.responses[0].partition_responses[0].error_code)

    def commit_offset(
        self, transactional_id: str, producer: Producer, group: str, topic: str, partition: int, offset: int
    ) -> None:
        self._find(group, _GROUP)
        committed = TxnOffsetCommitRequestPartition(
            partition_index=partition, committed_offset=offset, committed_metadata=""
        )
        request = TxnOffsetCommitRequest(
            transactional_id=transactional_id,
            group_id=group,
            producer_id=producer[0],
            producer_epoch=producer[1],
            member_id="",
            topics=(TxnOffsetCommitRequestTopic(name=topic, partitions=(committed,)),),
        )
        self._until_it_is_there(request, 4, lambda answer: answer.topics[0].partitions[0].error_code)

    def offset(self, group: str, topic: str, partition: int, *, stable: bool) -> tuple[ErrorCode, int]:
        """What OffsetFetch says to those who want no offset that may change, or to all others."""
        topics = (OffsetFetchRequestTopic(name=topic, partition_indexes=(partition,)),)
        answer = self._connection.ask(OffsetFetchRequest(group_id=group, topics=topics, require_stable=stable), 7)
        assert answer.error_code == 0
        (found,) = answer.topics[0].partitions
        return ErrorCode(found.error_code), found.committed_offset

    def last_stable_offset(self, topic: str, partition: int) -> int:
        wanted = ListOffsetsPartition(partition_index=partition, timestamp=-1)
        topics = (ListOffsetsTopic(name=topic, partitions=(wanted,)),)
        answer = self._connection.ask(ListOffsetsRequest(replica_id=-1, isolation_level=1, topics=topics), 7)
        (found,) = answer.topics[0].partitions
        assert found.error_code == 0
        offset: int = found.offset
        return offset

    def _find(self, key: str, kind: int) -> None:
        """Whoever is asked first has the coordinator's topic made."""
        request = FindCoordinatorRequest(coordinator_keys=(key,), key_type=kind)
        self._until_it_is_there(request, 4, lambda answer: answer.coordinators[0].error_code)

    def _until_it_is_there(self, request: object, version: int, code_of: Any) -> Any:
        """The answer. Topics and coordinators may take their time to come, and Kafka lets clients wait for that."""
        deadline = time.monotonic() + WAIT_S
        while (code := code_of(answer := self._connection.ask(request, version))) in _COMING:
            assert time.monotonic() < deadline, f"after {WAIT_S:g} s still {ErrorCode(code).name}"
            time.sleep(_SETTLE_S)
        assert code == 0, answer
        return answer
