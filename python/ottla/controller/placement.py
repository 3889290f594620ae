"""Which brokers get the replicas of new partitions.

Prior art: Kafka's ``StripedReplicaPlacer``. Ours keeps its goals: partitions spread over racks, then over the brokers
of a rack; the first replica moves round so that leaders spread; a fenced broker is taken only when the unfenced ones of
its rack are used up, and never as the first. Pure: the random start is an argument.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from typing import final

from ottla.controller.decision import Refused
from ottla.errors import ErrorCode

__all__ = ["UsableBroker", "place"]


@final
@dataclass(slots=True, frozen=True)
class UsableBroker:
    """A registered broker that may hold new replicas."""

    broker_id: int
    rack: str | None
    fenced: bool


@final
class _Rack:
    """The brokers of one rack, dealt in turn; each stripe begins one further."""

    def __init__(self, brokers: Sequence[UsableBroker], start: int) -> None:
        self._unfenced = sorted(b.broker_id for b in brokers if not b.fenced)
        self._fenced = sorted(b.broker_id for b in brokers if b.fenced)
        self._start = start

    @property
    def has_unfenced(self) -> bool:
        return bool(self._unfenced)

    def deal(self, stripe: int) -> Iterator[int]:
        for brokers in (self._unfenced, self._fenced):
            for index in range(len(brokers)):
                yield brokers[(self._start + stripe + index) % len(brokers)]


def place(
    partition_count: int, replication_factor: int, brokers: Sequence[UsableBroker], random_below: Callable[[int], int]
) -> list[tuple[int, ...]]:
    """The replicas of each new partition, the preferred leader first. Raises Refused as Kafka words it."""
    unfenced = sum(not broker.fenced for broker in brokers)
    if replication_factor <= 0:
        raise Refused(
            ErrorCode.INVALID_REPLICATION_FACTOR,
            f"Invalid replication factor {replication_factor}: the replication factor must be positive.",
        )
    if unfenced == 0:
        raise Refused(ErrorCode.INVALID_REPLICATION_FACTOR, "All brokers are currently fenced.")
    if replication_factor > len(brokers):
        raise Refused(
            ErrorCode.INVALID_REPLICATION_FACTOR,
            f"The target replication factor of {replication_factor} cannot be reached because only "
            f"{len(brokers)} broker(s) are registered or some brokers have all their log directories cordoned.",
        )
    if len(brokers) == 1:
        return [(brokers[0].broker_id,)] * partition_count
    by_rack: dict[str, list[UsableBroker]] = {}
    for broker in brokers:
        by_rack.setdefault(broker.rack or "", []).append(broker)
    racks = [_Rack(by_rack[name], random_below(len(by_rack[name]))) for name in sorted(by_rack)]
    start = random_below(len(racks))
    return [_stripe(racks, start + index, index // len(racks), replication_factor) for index in range(partition_count)]


def _stripe(racks: Sequence[_Rack], first_rack: int, stripe: int, replication_factor: int) -> tuple[int, ...]:
    order = [racks[(first_rack + index) % len(racks)] for index in range(len(racks))]
    while not order[0].has_unfenced:
        order = [*order[1:], order[0]]
    hands = [rack.deal(stripe) for rack in order]
    replicas: list[int] = []
    while len(replicas) < replication_factor:
        for hand in hands:
            broker_id = next(hand, None)
            if broker_id is not None and len(replicas) < replication_factor:
                replicas.append(broker_id)
    return tuple(replicas)
