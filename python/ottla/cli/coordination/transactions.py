"""Transactions of a cluster: what their coordinators say of them, and what the leaders of partitions know of producers.

A transaction hangs when a partition has it open and no coordinator knows of that: then nothing will ever end it, and
nobody who reads committed records gets beyond its first one. Prior art: Kafka's `TransactionsCommand` (KIP-664).

Invariants: a coordinator that moved is looked for again until the client's timeout; what a broker's version cannot say
is not asked of it; nothing is called hanging that a coordinator may yet end.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from functools import partial
from typing import Final, NamedTuple, final

from ottla.cli.client import Client, Cluster, Retry, refusal
from ottla.cli.coordination.coordinator import TopicPartition, by_topic
from ottla.cli.errors import CommandError, UnreachableError
from ottla.errors import ErrorCode
from ottla.wire.k10_find_coordinator import FindCoordinatorRequest, FindCoordinatorResponse
from ottla.wire.k22_init_producer_id import InitProducerIdRequest, InitProducerIdResponse
from ottla.wire.k27_write_txn_markers import (
    WritableTxnMarker,
    WritableTxnMarkerTopic,
    WriteTxnMarkersRequest,
    WriteTxnMarkersResponse,
)
from ottla.wire.k61_describe_producers import (
    DescribeProducersRequest,
    DescribeProducersResponse,
    ProducerState,
    TopicRequest,
)
from ottla.wire.k65_describe_transactions import (
    DescribeTransactionsRequest,
    DescribeTransactionsResponse,
    TransactionState,
)
from ottla.wire.k66_list_transactions import ListTransactionsRequest, ListTransactionsResponse

__all__ = ["OPEN_STATES", "Listed", "Open", "Transactions", "partitions_of"]

OPEN_STATES: Final = ("Ongoing", "PrepareCommit", "PrepareAbort")
"""Those that somebody may wait for."""
_MOVING: Final = frozenset(
    {
        ErrorCode.COORDINATOR_LOAD_IN_PROGRESS,
        ErrorCode.COORDINATOR_NOT_AVAILABLE,
        ErrorCode.NOT_COORDINATOR,
        ErrorCode.CONCURRENT_TRANSACTIONS,
    }
)
_KEYS_SINCE: Final = 4
"""The version of FindCoordinator that takes many keys."""
_DURATION_SINCE: Final = 1
_PATTERN_SINCE: Final = 2
_FENCE_TIMEOUT_MS: Final = 60_000
"""Any timeout does: nobody will open a transaction under the epoch that it comes with."""
_OF_TRANSACTIONS: Final = 1
"""``CoordinatorType``"""


class Listed(NamedTuple):
    """A transactional id."""

    transactional_id: str
    state: str
    producer_id: int
    coordinator: int


class Open(NamedTuple):
    """A transaction that is open on a partition, as its leader knows it."""

    where: TopicPartition
    producer_id: int
    producer_epoch: int
    coordinator_epoch: int
    start_offset: int
    last_timestamp_ms: int


@final
class Transactions:
    """Blocking. Everything raises `UnreachableError`, `CommandError`."""

    def __init__(self, client: Client) -> None:
        self._client = client
        self._nodes: dict[str, int] = {}

    # --- what coordinators say --------------------------------------------------------------------------------------

    def listed(
        self,
        states: Sequence[str] = (),
        producer_ids: Sequence[int] = (),
        duration_ms: int = -1,
        pattern: str | None = None,
    ) -> list[Listed]:
        """Every transactional id of every broker, by name; with a duration those open for longer than that."""
        found: list[Listed] = []
        for node_id in sorted(self._client.cluster([]).brokers):
            version = self._client.broker(node_id).version(ListTransactionsRequest)
            if duration_ms >= 0 and version < _DURATION_SINCE:
                raise CommandError(f"broker {node_id} is too old to say what is open for long", "omit --longer-than")
            if pattern is not None and version < _PATTERN_SINCE:
                raise CommandError(f"broker {node_id} is too old for expressions", "omit --pattern")
            request = ListTransactionsRequest(
                state_filters=tuple(states),
                producer_id_filters=tuple(producer_ids),
                duration_filter=duration_ms,
                transactional_id_pattern=pattern,
            )
            found += self._client.retrying(partial(self._list, node_id, request))
        return sorted(found)

    def _list(self, node_id: int, request: ListTransactionsRequest) -> list[Listed]:
        response: ListTransactionsResponse = self._client.request(request, node_id)
        _checked(f"transactions of broker {node_id}", response.error_code)
        return [
            Listed(each.transactional_id, each.transaction_state, each.producer_id, node_id)
            for each in response.transaction_states
        ]

    def coordinator(self, transactional_id: str) -> int:
        """The broker that coordinates the id, whether that exists or not."""
        if transactional_id not in self._nodes:
            self._nodes[transactional_id] = self._client.retrying(lambda: self._find(transactional_id))
        return self._nodes[transactional_id]

    def _find(self, transactional_id: str) -> int:
        many = self._client.any().version(FindCoordinatorRequest) >= _KEYS_SINCE
        request = (
            FindCoordinatorRequest(coordinator_keys=(transactional_id,), key_type=_OF_TRANSACTIONS)
            if many
            else FindCoordinatorRequest(key=transactional_id, key_type=_OF_TRANSACTIONS)
        )
        response: FindCoordinatorResponse = self._client.request(request)
        found = response.coordinators[0] if many and response.coordinators else response
        _checked(f"coordinator of transactional id {transactional_id}", found.error_code, found.error_message)
        if found.node_id not in self._client.cluster([]).brokers:
            raise Retry(
                UnreachableError(
                    f"broker {found.node_id}, which coordinates transactional id {transactional_id}, is not alive"
                )
            )
        return found.node_id

    def described(self, transactional_id: str) -> TransactionState | None:
        """What its coordinator says; None when there is no such id."""

        def attempt() -> TransactionState | None:
            request = DescribeTransactionsRequest(transactional_ids=(transactional_id,))
            response: DescribeTransactionsResponse = self._client.request(request, self.coordinator(transactional_id))
            (state,) = response.transaction_states
            if state.error_code == ErrorCode.TRANSACTIONAL_ID_NOT_FOUND:
                return None
            self._checked_of(transactional_id, state.error_code)
            return state

        return self._client.retrying(attempt)

    def fence(self, transactional_id: str) -> None:
        """Ends what is open by aborting it, and shuts out its producer; returns when that is complete."""

        def attempt() -> None:
            request = InitProducerIdRequest(transactional_id=transactional_id, transaction_timeout_ms=_FENCE_TIMEOUT_MS)
            response: InitProducerIdResponse = self._client.request(request, self.coordinator(transactional_id))
            self._checked_of(transactional_id, response.error_code)

        self._client.retrying(attempt)

    def _checked_of(self, transactional_id: str, code: int) -> None:
        if code == ErrorCode.NOT_COORDINATOR:
            self._nodes.pop(transactional_id, None)
        _checked(f"transactional id {transactional_id}", code)

    # --- what leaders know ------------------------------------------------------------------------------------------

    def open_on(self, cluster: Cluster, partitions: Iterable[TopicPartition]) -> list[Open]:
        """The transactions that are open on these partitions; those without a leader are left out."""
        by_leader: dict[int, list[TopicPartition]] = {}
        for where in partitions:
            leader = _leader(cluster, where)
            if leader is not None:
                by_leader.setdefault(leader, []).append(where)
        found: list[Open] = []
        for leader, mine in by_leader.items():
            topics = tuple(TopicRequest(name=name, partition_indexes=tuple(at)) for name, at in by_topic(mine).items())
            response: DescribeProducersResponse = self._client.request(DescribeProducersRequest(topics=topics), leader)
            for topic in response.topics:
                for partition in topic.partitions:
                    where = TopicPartition(topic.name, partition.partition_index)
                    if partition.error_code == ErrorCode.NOT_LEADER_OR_FOLLOWER:
                        continue
                    _checked(str(where), partition.error_code, partition.error_message)
                    found += (_open(where, each) for each in partition.active_producers if _is_open(each))
        return sorted(found)

    def hanging(self, opened: Sequence[Open], before_ms: int) -> list[Open]:
        """Those that no coordinator will end: the producer was last heard of before ``before_ms``, and no transaction
        of it has the partition."""
        suspects = [each for each in opened if each.last_timestamp_ms < before_ms]
        if not suspects:
            return []
        producer_ids = tuple({each.producer_id for each in suspects})
        known: dict[int, set[TopicPartition]] = {}
        for listed in self.listed(producer_ids=producer_ids):
            state = self.described(listed.transactional_id)
            if state is not None and state.transaction_state in OPEN_STATES:
                known.setdefault(state.producer_id, set()).update(partitions_of(state))
        return [each for each in suspects if each.where not in known.get(each.producer_id, ())]

    def write_abort(self, cluster: Cluster, opened: Open) -> None:
        """Has the leader end a transaction on one partition, whatever its coordinator thinks."""
        marker = WritableTxnMarker(
            producer_id=opened.producer_id,
            producer_epoch=opened.producer_epoch,
            transaction_result=False,
            # A producer that never met a marker is known without the epoch of a coordinator.
            coordinator_epoch=max(opened.coordinator_epoch, 0),
            topics=(WritableTxnMarkerTopic(name=opened.where.topic, partition_indexes=(opened.where.partition,)),),
        )
        leader = _leader(cluster, opened.where)
        if leader is None:
            raise refusal(str(opened.where), ErrorCode.LEADER_NOT_AVAILABLE)
        response: WriteTxnMarkersResponse = self._client.request(WriteTxnMarkersRequest(markers=(marker,)), leader)
        for result in response.markers:
            for topic in result.topics:
                for partition in topic.partitions:
                    _checked(str(opened.where), partition.error_code)


def partitions_of(state: TransactionState) -> list[TopicPartition]:
    """Those that are part of a transaction and have no marker yet."""
    return [TopicPartition(topic.topic, index) for topic in state.topics for index in topic.partitions]


def _open(where: TopicPartition, state: ProducerState) -> Open:
    return Open(
        where,
        state.producer_id,
        state.producer_epoch,
        state.coordinator_epoch,
        state.current_txn_start_offset,
        state.last_timestamp,
    )


def _is_open(state: ProducerState) -> bool:
    return state.current_txn_start_offset >= 0


def _leader(cluster: Cluster, where: TopicPartition) -> int | None:
    topic = cluster.topics.get(where.topic)
    for partition in topic.partitions if topic is not None else ():
        if partition.partition_index == where.partition and partition.leader_id in cluster.brokers:
            return partition.leader_id
    return None


def _checked(subject: str, code: int, message: str | None = None) -> None:
    if code in _MOVING:
        raise Retry(refusal(subject, code, message))
    if code != ErrorCode.NONE:
        raise refusal(subject, code, message)
